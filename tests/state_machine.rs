//! What the approval's state machine must hold beyond its language: nothing is stuck in silence.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use slipstream_common::records::GUARD_SECONDS;

fn states() -> (String, Map<String, Value>) {
    let machine: Value = serde_json::from_str(include_str!("../workflows/expenseApproval.asl.json")).unwrap();
    (machine["StartAt"].as_str().unwrap().to_owned(), machine["States"].as_object().unwrap().clone())
}

fn list<'a>(state: &'a Value, field: &str) -> &'a [Value] {
    state[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn errors(rule: &Value) -> Vec<&str> {
    list(rule, "ErrorEquals").iter().map(text).collect()
}

/// Where a state leads to, by success or failure.
fn next(state: &Value) -> BTreeSet<&str> {
    let ways = list(state, "Catch").iter().chain(list(state, "Choices")).map(|way| &way["Next"]);
    ways.chain([&state["Next"], &state["Default"]]).filter_map(Value::as_str).collect()
}

#[test]
fn every_failure_of_a_task_is_caught_and_recorded() {
    let (_, states) = states();
    let mut tasks = 0;
    for (name, state) in states.iter().filter(|(_, state)| state["Type"] == "Task") {
        let last = list(state, "Catch").last().unwrap_or_else(|| panic!("{name} catches nothing"));
        assert_eq!(errors(last), ["States.ALL"], "{name}");
        assert_eq!(states[text(&last["Next"])]["Type"], "Fail", "{name}: an execution that fails raises the alarm");
        tasks += 1;
    }
    assert!(tasks > 0);
    for (name, state) in states.iter().filter(|(_, state)| state["Type"] == "Choice") {
        assert_eq!(states[text(&state["Default"])]["Type"], "Fail", "{name}: what nobody thought of fails");
    }
}

#[test]
fn what_is_caught_by_name_is_no_failure() {
    let (_, states) = states();
    let caught: BTreeMap<_, _> = states
        .iter()
        .flat_map(|(name, state)| list(state, "Catch").iter().map(move |catcher| (name.as_str(), catcher)))
        .flat_map(|(name, catcher)| {
            errors(catcher).into_iter().map(move |error| ((name, error), text(&catcher["Next"])))
        })
        .filter(|((_, error), _)| *error != "States.ALL")
        .collect();
    let expected = [
        (("Ask", "States.Timeout"), "TimeUp"),
        (("Claim", "DynamoDB.ConditionalCheckFailedException"), "ClaimedByAnother"),
    ];
    assert_eq!(caught, BTreeMap::from(expected));
}

#[test]
fn tasks_are_tried_again_with_jitter() {
    let (_, states) = states();
    for (name, state) in states.iter().filter(|(_, state)| state["Type"] == "Task") {
        let again: Vec<_> = list(state, "Retry").iter().filter(|rule| rule["MaxAttempts"] != 0).collect();
        assert!(!again.is_empty(), "{name} is tried once only");
        for rule in again {
            assert_eq!(rule["JitterStrategy"], "FULL", "{name}");
            assert!(rule["MaxAttempts"].as_u64() >= Some(3) && rule["BackoffRate"].as_f64() > Some(1.0), "{name}");
            assert!(rule["MaxDelaySeconds"].as_u64().is_some(), "{name}: no pause without an end");
            assert!(!errors(rule).contains(&"States.Timeout"), "{name}: a time that is up is no fault");
        }
        let all = |rule: &Value| errors(rule).iter().any(|error| ["States.ALL", "States.TaskFailed"].contains(error));
        let waits = text(&state["Resource"]).ends_with(".waitForTaskToken");
        assert!(list(state, "Retry").iter().any(all), "{name}: an unknown fault is tried again, too");
        assert_eq!(waits, state.get("TimeoutSeconds").is_some(), "{name}: what waits for somebody has a time");
    }
}

#[test]
fn a_claim_is_kept_as_long_as_the_guards() {
    let (_, states) = states();
    let expires_at = text(&states["Claim"]["Arguments"]["ExpressionAttributeValues"][":expires_at"]["N"]);
    assert_eq!(expires_at, format!("{{% $string($floor($millis() / 1000) + {GUARD_SECONDS}) %}}"));
}

#[test]
fn every_state_is_reached_and_leads_to_an_end() {
    let (start, states) = states();
    let mut reached = BTreeSet::from([start.as_str()]);
    let mut ahead = vec![start.as_str()];
    while let Some(name) = ahead.pop() {
        let ways = next(&states[name]);
        let is_end = ["Succeed", "Fail"].contains(&text(&states[name]["Type"]));
        assert_eq!(is_end, ways.is_empty(), "{name}");
        ahead.extend(ways.into_iter().filter(|way| reached.insert(way)));
    }
    assert_eq!(reached, states.keys().map(String::as_str).collect());
}
