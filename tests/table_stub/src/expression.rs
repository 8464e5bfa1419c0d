//! As much of DynamoDB's expressions as the functions behind the API write: comparisons, `attribute_exists`,
//! `attribute_not_exists`, `begins_with` and `contains`, joined by `AND` and `OR`; `BETWEEN` in key conditions; `SET` and `REMOVE`.

use serde_json::Value;

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

    /// The attribute's value in an item, by a path such as `#lease.#holder`.
    fn attribute<'i>(&self, item: Option<&'i Item>, path: &str) -> Result<Option<&'i Value>, Refusal> {
        let mut steps = path.split('.');
        let name = |step: &str| -> Result<String, Refusal> {
            if !step.starts_with('#') {
                let plain = step.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                return if plain { Ok(step.to_owned()) } else { Err(format!("`{step}` is no attribute")) };
            }
            self.names[step].as_str().map(str::to_owned).ok_or_else(|| format!("{step} is not defined"))
        };
        let first = name(steps.next().unwrap_or_default())?;
        let mut value = item.and_then(|item| item.get(&first));
        for step in steps {
            let member = name(step)?;
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

/// The item after `SET a = :a, b = :b REMOVE c, d`.
///
/// # Errors
/// What is not understood.
pub fn updated(update: &str, given: Given<'_>, mut item: Item) -> Result<Item, Refusal> {
    let refuse = || format!("the stub does not know the update `{update}`");
    let name = |path: &str| -> Result<String, Refusal> {
        if !path.starts_with('#') {
            return Ok(path.to_owned());
        }
        given.names[path].as_str().map(str::to_owned).ok_or_else(|| format!("{path} is not defined"))
    };
    let (set, remove) = match update.split_once("REMOVE ") {
        Some((set, remove)) => (set.trim(), remove),
        None => (update, ""),
    };
    if !set.is_empty() {
        for assignment in set.strip_prefix("SET ").ok_or_else(refuse)?.split(", ") {
            let (path, placeholder) = assignment.split_once(" = ").ok_or_else(refuse)?;
            item.insert(name(path.trim())?, given.value(placeholder.trim())?.clone());
        }
    }
    for path in remove.split(", ").filter(|path| !path.is_empty()) {
        item.remove(&name(path.trim())?);
    }
    Ok(item)
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
}
