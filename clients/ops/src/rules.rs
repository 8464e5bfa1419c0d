//! Who gets which events: the rules of the bus, and what a delivery out of turn does at each consumer.

use aws_sdk_eventbridge::Client;
use serde::Serialize;
use serde_json::Value;
use slipstream_events::{EventType, SOURCE};

use crate::{
    failure::{Failure, Outcome},
    stack::Stack,
};

/// A rule of the stack's bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Rule {
    /// Its name without the stack's, for example `projections`.
    pub(crate) name: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// Whether it delivers at all.
    pub(crate) enabled: bool,
    /// Which events it takes.
    #[serde(skip)]
    pub(crate) pattern: Value,
}

impl Rule {
    /// Whether it takes events of a type.
    pub(crate) fn takes(&self, event_type: &str) -> bool {
        let member = |name: &str, text: &str| self.pattern.get(name).is_none_or(|values| matches(values, text));
        member("source", SOURCE) && member("detail-type", event_type)
    }

    /// What a replayed event does there (docs/operations.md).
    pub(crate) fn effect(&self) -> &'static str {
        match self.name.as_str() {
            "projections" => "applies what is newer than it has; otherwise nothing",
            "notifications" => "mails nobody; with --resend sends the mails of the range again",
            "approval" => "starts an execution that ends at once where another has the claim",
            _ => "see its documentation",
        }
    }
}

/// Whether a text is among the values of a pattern. Of kinds of match that are not known here it is assumed to be: better
/// to tell of a consumer that gets nothing than not to tell of one that does
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>).
fn matches(values: &Value, text: &str) -> bool {
    let one = |value: &Value| match value {
        Value::String(exact) => exact == text,
        Value::Object(object) => object.iter().all(|(operator, operand)| {
            let affix = operand.as_str();
            match operator.as_str() {
                "prefix" => affix.is_none_or(|prefix| text.starts_with(prefix)),
                "suffix" => affix.is_none_or(|suffix| text.ends_with(suffix)),
                "equals-ignore-case" => affix.is_none_or(|other| other.eq_ignore_ascii_case(text)),
                "anything-but" => match operand {
                    Value::String(other) => other != text,
                    Value::Array(others) => !others.iter().any(|other| other == text),
                    _ => true,
                },
                "exists" => operand != false,
                _ => true,
            }
        }),
        _ => false,
    };
    values.as_array().is_none_or(|values| values.iter().any(one))
}

/// The stack's rules, by name.
///
/// # Errors
/// What EventBridge says.
pub(crate) async fn all(stack: &Stack) -> Outcome<Vec<Rule>> {
    let client = Client::new(&stack.sdk);
    let bus = stack.output("EventBusName")?;
    let mut rules = Vec::new();
    for resource in stack.resources("AWS::Events::Rule") {
        // Of a rule of a bus CloudFormation gives `<bus>|<name>`.
        let name = resource.physical.rsplit('|').next().unwrap_or_default();
        let described = client.describe_rule().name(name).event_bus_name(bus).send().await;
        let rule = described.map_err(|error| Failure::of(&format!("the rule {name} cannot be looked at"), error))?;
        let pattern = rule.event_pattern().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        rules.push(Rule {
            name: stack.short(name).to_owned(),
            arn: rule.arn().unwrap_or_default().to_owned(),
            enabled: rule.state().is_none_or(|state| state.as_str() != "DISABLED"),
            pattern,
        });
    }
    rules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rules)
}

/// The rules with these names, and those that take one of these types.
///
/// # Errors
/// When there is no such rule, or none takes a type.
pub(crate) fn select(all: &[Rule], names: &[String], types: &[EventType]) -> Outcome<Vec<Rule>> {
    for name in names {
        if !all.iter().any(|rule| rule.name == *name || rule.arn == *name) {
            let known: Vec<&str> = all.iter().map(|rule| rule.name.as_str()).collect();
            return Err(Failure::not_found(format!("--rule: there is no rule {name}; there are {}", known.join(", "))));
        }
    }
    for event_type in types {
        if !all.iter().any(|rule| rule.takes(event_type.as_str())) {
            return Err(Failure::not_found(format!("--type: no rule takes {event_type}")));
        }
    }
    let named = |rule: &Rule| names.iter().any(|name| rule.name == *name || rule.arn == *name);
    let taking = |rule: &Rule| types.iter().any(|event_type| rule.takes(event_type.as_str()));
    Ok(all.iter().filter(|rule| named(rule) || taking(rule)).cloned().collect())
}

/// An event type as typed.
///
/// # Errors
/// Names those that are like it.
pub(crate) fn event_type(text: &str) -> Result<EventType, String> {
    let lower = text.to_lowercase();
    let name = |event_type: &EventType| event_type.as_str().to_lowercase();
    if let Some(found) = EventType::ALL.iter().find(|event_type| name(event_type) == lower) {
        return Ok(*found);
    }
    let like: Vec<&str> =
        EventType::ALL.iter().filter(|one| name(one).contains(&lower)).map(|one| one.as_str()).collect();
    let like = if like.is_empty() { EventType::ALL.iter().map(|one| one.as_str()).collect() } else { like };
    Err(format!("there is no such event type; there are {}", like.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(name: &str, pattern: Value) -> Rule {
        Rule { name: name.to_owned(), arn: format!("arn:{name}"), enabled: true, pattern }
    }

    fn rules() -> Vec<Rule> {
        vec![
            rule(
                "approval",
                json!({ "source": ["slipstream"], "detail-type": ["ExpenseSubmitted", "ExpenseReopened"] }),
            ),
            rule(
                "notifications",
                json!({ "source": ["slipstream"], "detail-type": ["ExpenseApproved", "ReceiptFailed"] }),
            ),
            rule("projections", json!({ "source": ["slipstream"] })),
            rule("elsewhere", json!({ "source": ["aws.s3"] })),
        ]
    }

    #[test]
    fn a_type_selects_the_rules_whose_pattern_takes_it() {
        let names = |names: &[&str], types: &[EventType]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            select(&rules(), &names, types).map(|rules| rules.into_iter().map(|rule| rule.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[], &[EventType::ExpenseApproved]).unwrap(), ["notifications", "projections"]);
        assert_eq!(names(&[], &[EventType::ExpenseSubmitted]).unwrap(), ["approval", "projections"]);
        assert_eq!(names(&["approval"], &[]).unwrap(), ["approval"], "a name alone selects that rule alone");
        assert_eq!(names(&["approval"], &[EventType::ReceiptRead]).unwrap(), ["approval", "projections"]);
        let missing = names(&["mails"], &[]).unwrap_err();
        assert!(missing.message.contains("--rule") && missing.message.contains("notifications"), "{missing:?}");
    }

    #[test]
    fn patterns_match_as_the_bus_does() {
        let takes = |pattern: Value, text: &str| rule("x", json!({ "detail-type": pattern })).takes(text);
        assert!(takes(json!([{ "prefix": "Expense" }]), "ExpenseApproved"));
        assert!(!takes(json!([{ "prefix": "Expense" }]), "ReceiptRead"));
        assert!(takes(json!([{ "suffix": "Approved" }]), "ExpenseApproved"));
        assert!(!takes(json!([{ "anything-but": ["ReceiptRead"] }]), "ReceiptRead"));
        assert!(takes(json!([{ "anything-but": "ReceiptRead" }]), "ReceiptFailed"));
        assert!(takes(json!([{ "wildcard": "*Read" }]), "ReceiptFailed"), "what is not known is assumed to match");
        assert!(!rules()[3].takes("ExpenseApproved"), "another source");
    }

    #[test]
    fn a_type_is_found_in_any_case_and_others_are_proposed() {
        assert_eq!(event_type("expenseapproved"), Ok(EventType::ExpenseApproved));
        let error = event_type("approved").unwrap_err();
        assert!(error.contains("ExpenseStepApproved") && !error.contains("ReceiptRead"), "{error}");
        assert!(event_type("zzz").unwrap_err().contains("ReceiptRead"));
    }
}
