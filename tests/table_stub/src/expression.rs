//! As much of DynamoDB's expressions as the functions write: comparisons, `attribute_exists`, `attribute_not_exists`,
//! `begins_with` and `contains`, joined by `AND` and `OR`; `BETWEEN` in key conditions; `SET`, `REMOVE` and `ADD`.

use serde_json::{Value, json};

use crate::Item;

/// The names and values that an expression refers to.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    names: &'a Value,
    values: &'a Value,
}

/// What is not understood, in words.
pub type Refusal = String;

impl<'a> Given<'a> {
    /// Of a request or one of its parts.
    pub fn of(request: &'a Value) -> Self {
        Self { names: &request["ExpressionAttributeNames"], values: &request["ExpressionAttributeValues"] }
    }

    /// The name that one step of a path, such as `#lease`, stands for.
    fn name(&self, step: &str) -> Result<String, Refusal> {
        if !step.starts_with('#') {
            let plain = step.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            return if plain { Ok(step.to_owned()) } else { Err(format!("`{step}` is no attribute")) };
        }
        self.names[step].as_str().map(str::to_owned).ok_or_else(|| format!("{step} is not defined"))
    }

    /// The attribute's value in an item, by a path such as `#lease.#holder`.
    fn attribute<'i>(&self, item: Option<&'i Item>, path: &str) -> Result<Option<&'i Value>, Refusal> {
        let mut steps = path.split('.');
        let first = self.name(steps.next().unwrap_or_default())?;
        let mut value = item.and_then(|item| item.get(&first));
        for step in steps {
            let member = self.name(step)?;
            value = value.and_then(|value| value["M"].get(&member));
        }
        Ok(value)
    }

    /// The value that a placeholder stands for.
    fn value(&self, placeholder: &str) -> Result<&'a Value, Refusal> {
        self.values.get(placeholder).ok_or_else(|| format!("{placeholder} is not defined"))
    }
}

/// Which of two values of the same type comes first.
fn compare(one: &Value, other: &Value) -> Option<std::cmp::Ordering> {
    if let (Some(one), Some(other)) = (one["S"].as_str(), other["S"].as_str()) {
        return Some(one.cmp(other));
    }
    let number = |value: &Value| value["N"].as_str()?.parse::<i128>().ok();
    Some(number(one)?.cmp(&number(other)?))
}

/// Whether a text, a set of texts or a list has `part` in it.
fn contains(whole: Option<&Value>, part: &Value) -> bool {
    let Some(whole) = whole else { return false };
    let text = whole["S"].as_str().zip(part["S"].as_str()).is_some_and(|(whole, part)| whole.contains(part));
    let in_set = whole["SS"].as_array().is_some_and(|members| members.contains(&part["S"]));
    let in_list = whole["L"].as_array().is_some_and(|members| members.contains(part));
    text || in_set || in_list
}

/// Whether a condition holds of an item, or of there being none.
///
/// # Errors
/// What is not understood.
pub fn holds(condition: &str, given: Given<'_>, item: Option<&Item>) -> Result<bool, Refusal> {
    let mut any = false;
    for alternative in condition.split(" OR ") {
        let mut all = true;
        for term in joined(alternative) {
            all &= term_holds(&term, given, item)?;
        }
        any |= all;
    }
    Ok(any)
}

/// The terms that `AND` joins; the `AND` of a `BETWEEN` joins nothing.
fn joined(condition: &str) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    for part in condition.split(" AND ") {
        match terms.last_mut() {
            Some(last) if last.contains(" BETWEEN ") && !last.contains(" AND ") => {
                last.push_str(" AND ");
                last.push_str(part);
            }
            _ => terms.push(part.to_owned()),
        }
    }
    terms
}

fn term_holds(term: &str, given: Given<'_>, item: Option<&Item>) -> Result<bool, Refusal> {
    let refuse = || format!("the stub does not know the condition `{term}`");
    let term = term.trim();
    if let Some(call) = term.strip_suffix(')') {
        let (function, arguments) = call.split_once('(').ok_or_else(refuse)?;
        let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
        return match (function, arguments.as_slice()) {
            ("attribute_exists", [path]) => Ok(given.attribute(item, path)?.is_some()),
            ("attribute_not_exists", [path]) => Ok(given.attribute(item, path)?.is_none()),
            ("begins_with", [path, prefix]) => {
                let prefix = given.value(prefix)?["S"].as_str().ok_or_else(refuse)?;
                let value = given.attribute(item, path)?;
                Ok(value.and_then(|value| value["S"].as_str()).is_some_and(|text| text.starts_with(prefix)))
            }
            ("contains", [path, part]) => Ok(contains(given.attribute(item, path)?, given.value(part)?)),
            _ => Err(refuse()),
        };
    }
    if let Some((path, range)) = term.split_once(" BETWEEN ") {
        let (least, most) = range.split_once(" AND ").ok_or_else(refuse)?;
        let Some(value) = given.attribute(item, path)? else { return Ok(false) };
        let from = compare(value, given.value(least)?).ok_or_else(refuse)?;
        let until = compare(value, given.value(most)?).ok_or_else(refuse)?;
        return Ok(from.is_ge() && until.is_le());
    }
    let [path, operator, placeholder] = term.split(' ').collect::<Vec<_>>()[..] else { return Err(refuse()) };
    let wanted = given.value(placeholder)?;
    let Some(value) = given.attribute(item, path)? else { return Ok(operator == "<>") };
    match operator {
        "=" => Ok(value == wanted),
        "<>" => Ok(value != wanted),
        "<" => Ok(compare(value, wanted).ok_or_else(refuse)?.is_lt()),
        "<=" => Ok(compare(value, wanted).ok_or_else(refuse)?.is_le()),
        ">" => Ok(compare(value, wanted).ok_or_else(refuse)?.is_gt()),
        ">=" => Ok(compare(value, wanted).ok_or_else(refuse)?.is_ge()),
        _ => Err(refuse()),
    }
}

/// The item after `SET a = :a, b = :b REMOVE c, d ADD e :e, f :f`, whose clauses come in any order, each at most once.
///
/// # Errors
/// What is not understood.
pub fn updated(update: &str, given: Given<'_>, mut item: Item) -> Result<Item, Refusal> {
    let refuse = || format!("the stub does not know the update `{update}`");
    let mut changed = Vec::new();
    for (clause, actions) in clauses(update).ok_or_else(refuse)? {
        for action in actions.split(", ") {
            let (path, value) = match clause {
                "SET" => action.split_once(" = ").map(|(path, value)| (path, Some(value))).ok_or_else(refuse)?,
                "ADD" => action.split_once(' ').map(|(path, value)| (path, Some(value))).ok_or_else(refuse)?,
                _ => (action, None),
            };
            let name = given.name(path.trim())?;
            if ["PK", "SK"].contains(&name.as_str()) {
                return Err(format!("Cannot update attribute {name}. This attribute is part of the key"));
            }
            if changed.contains(&name) {
                return Err(format!("Two document paths overlap with each other; both are {name}"));
            }
            let value = value.map(|value| given.value(value.trim())).transpose()?;
            match value {
                None => drop(item.remove(&name)),
                Some(value) if clause == "SET" => drop(item.insert(name.clone(), value.clone())),
                Some(value) => {
                    let sum = sum(item.get(&name), value)?;
                    item.insert(name.clone(), sum);
                }
            }
            changed.push(name);
        }
    }
    Ok(item)
}

/// The clauses of an update, each with its keyword.
fn clauses(update: &str) -> Option<Vec<(&'static str, String)>> {
    let mut clauses: Vec<(&'static str, String)> = Vec::new();
    for word in update.split_whitespace() {
        if let Some(keyword) = ["SET", "REMOVE", "ADD"].into_iter().find(|keyword| *keyword == word) {
            if clauses.iter().any(|(known, _)| *known == keyword) {
                return None;
            }
            clauses.push((keyword, String::new()));
        } else {
            let (_, actions) = clauses.last_mut()?;
            if !actions.is_empty() {
                actions.push(' ');
            }
            actions.push_str(word);
        }
    }
    let complete = !clauses.is_empty() && clauses.iter().all(|(_, actions)| !actions.is_empty());
    complete.then_some(clauses)
}

/// What `ADD` makes of an attribute: a number is added to, and begins at zero; a set of texts is joined, and begins empty.
/// Only whole numbers are understood.
fn sum(before: Option<&Value>, value: &Value) -> Result<Value, Refusal> {
    let wrong_type = || "An operand in the update expression has an incorrect data type".to_owned();
    if let Some(members) = value["SS"].as_array() {
        if members.is_empty() {
            return Err("One or more parameter values were invalid: An string set  may not be empty".to_owned());
        }
        let mut joined = match before {
            None => Vec::new(),
            Some(before) => before["SS"].as_array().ok_or_else(wrong_type)?.clone(),
        };
        joined.extend(members.iter().filter(|member| !joined.contains(member)).cloned().collect::<Vec<_>>());
        return Ok(json!({ "SS": joined }));
    }
    let number = |value: &Value| -> Result<i128, Refusal> {
        let text = value["N"].as_str().ok_or_else(wrong_type)?;
        text.parse().map_err(|_| format!("the stub adds whole numbers only, not {text}"))
    };
    let before = before.map_or(Ok(0), number)?;
    Ok(json!({ "N": (before + number(value)?).to_string() }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_judged() {
        let item = json!({"version": {"N": "10"}, "sk": {"S": "b"}, "lease": {"M": {"holder": {"S": "me"}}},
            "set": {"SS": ["a", "b"]}, "list": {"L": [{"S": "b"}, {"S": "a"}]}});
        let request = json!({
            "ExpressionAttributeNames": {"#v": "version", "#sk": "sk", "#l": "lease", "#h": "holder", "#no": "no", "#set": "set", "#list": "list"},
            "ExpressionAttributeValues": {":v": {"N": "10"}, ":w": {"N": "9"}, ":a": {"S": "a"}, ":c": {"S": "c"}, ":me": {"S": "me"}},
        });
        let judge = |condition: &str| holds(condition, Given::of(&request), item.as_object());
        for condition in [
            "#v = :v",
            "#v > :w",
            "attribute_exists(#v) AND attribute_not_exists(#no)",
            "#sk BETWEEN :a AND :c AND #v = :v",
            "#l.#h = :me",
            "attribute_exists(#no) OR #v >= :w",
            "begins_with(#l.#h, :me)",
            "contains(#set, :a) AND contains(#list, :a) AND contains(#l.#h, :me)",
        ] {
            assert_eq!(judge(condition), Ok(true), "{condition}");
        }
        for condition in [
            "#v = :w",
            "#no = :v",
            "#sk BETWEEN :c AND :a",
            "attribute_exists(#no) AND #v = :v",
            "contains(#set, :c)",
            "contains(#list, :c)",
            "contains(#no, :a)",
        ] {
            assert_eq!(judge(condition), Ok(false), "{condition}");
        }
        for condition in ["size(#v) > :w", "#v = :missing", "NOT #v = :v", "#missing = :v"] {
            assert!(judge(condition).is_err(), "{condition}");
        }
    }

    #[test]
    fn updates_set_and_remove() {
        let item = json!({"a": {"S": "1"}, "b": {"S": "2"}}).as_object().unwrap().clone();
        let request = json!({"ExpressionAttributeNames": {"#a": "a"}, "ExpressionAttributeValues": {":x": {"S": "9"}}});
        let after = updated("SET #a = :x, c = :x REMOVE b", Given::of(&request), item).unwrap();
        assert_eq!(Value::Object(after), json!({"a": {"S": "9"}, "c": {"S": "9"}}));
    }

    #[test]
    fn updates_add_to_numbers_and_sets() {
        let item =
            json!({"n": {"N": "-3"}, "set": {"SS": ["b", "a"]}, "text": {"S": "x"}}).as_object().unwrap().clone();
        let request = json!({
            "ExpressionAttributeNames": {"#n": "n", "#new": "new", "#set": "set", "#fresh": "fresh"},
            "ExpressionAttributeValues": {":one": {"N": "1"}, ":more": {"SS": ["a", "c"]}, ":text": {"S": "x"}, ":none": {"SS": []}, ":half": {"N": "0.5"}},
        });
        let after = |update| updated(update, Given::of(&request), item.clone());
        assert_eq!(
            after("ADD #n :one, #new :one, #set :more, #fresh :more REMOVE text").map(Value::Object),
            Ok(json!({
                "n": {"N": "-2"}, "new": {"N": "1"}, "set": {"SS": ["b", "a", "c"]}, "fresh": {"SS": ["a", "c"]},
            }))
        );
        for update in [
            "ADD text :one",
            "ADD #n :more",
            "ADD #set :one",
            "ADD #n :text",
            "ADD #set :none",
            "ADD #n :half",
            "ADD #n :one, #n :one",
            "ADD PK :one",
            "ADD #n",
            "ADD #n :one ADD #new :one",
            "DELETE #set :more",
            "",
        ] {
            assert!(after(update).is_err(), "{update}");
        }
    }
}
