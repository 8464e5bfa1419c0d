//! What must hold of an expense whatever has happened: its record, its steps, its events and what the state machine was
//! told agree.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use slipstream_common::keys::Index;

use crate::services::{Services, Wait};

/// The end of a submission, by its event: how the step that brought it stands, and the expense.
const ENDS: &[(&str, &str)] = &[
    ("ExpenseApproved", "approved"),
    ("ExpenseAutoApproved", "approved"),
    ("ExpenseRejected", "rejected"),
    ("ExpenseChangesRequested", "changes_requested"),
    ("ExpenseWithdrawn", "draft"),
    ("ExpenseSubmissionExpired", "draft"),
];

/// Everything in the table about an expense.
pub struct Audit {
    pub events: Vec<Value>,
    pub expense: Map<String, Value>,
    /// By submission and number.
    pub steps: BTreeMap<(u64, u64), Map<String, Value>>,
}

impl Audit {
    pub fn of(services: &Services, id: &str) -> Self {
        let items = services.table.items();
        let of_expense = |item: &&Map<String, Value>| item["PK"]["S"] == format!("EXPENSE#{id}");
        let details = items.iter().filter(of_expense).filter_map(|item| item.get("detail")?["S"].as_str());
        let events = details.map(|detail| serde_json::from_str(detail).unwrap()).collect();
        let expense = items.iter().filter(of_expense).find(|item| item["SK"]["S"] == "EXPENSE").unwrap().clone();
        let prefix = format!("SUBMISSION#{id}#");
        let mut steps = BTreeMap::new();
        for item in &items {
            let Some(number) = item["PK"]["S"].as_str().unwrap().strip_prefix(&prefix) else { continue };
            let Some(step) = item["SK"]["S"].as_str().unwrap().strip_prefix("STEP#") else { continue };
            steps.insert((number.parse().unwrap(), step.parse().unwrap()), item.clone());
        }
        Self { events, expense, steps }
    }

    /// How many events there are of a type.
    pub fn count(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| event["metadata"]["type"] == kind).count()
    }

    /// What does not agree.
    pub fn faults(&self, services: &Services) -> Vec<String> {
        let mut faults = Vec::new();
        // Which submission waits, and how each ended.
        let (mut open, mut ends) = (None::<u64>, BTreeMap::<u64, Vec<&str>>::new());
        let (mut status, mut number, mut passed) = ("draft", 0, Vec::new());
        for (at, event) in self.events.iter().enumerate() {
            let (kind, change) = (event["metadata"]["type"].as_str().unwrap(), &event["data"]["change"]);
            if event["metadata"]["subject"]["version"] != at + 1 {
                faults.push(format!("event {} has version {}", at + 1, event["metadata"]["subject"]["version"]));
            }
            if let Some((end, after)) = ENDS.iter().find(|(end, _)| *end == kind) {
                match open.take() {
                    Some(submission) => ends.entry(submission).or_default().push(end),
                    None => faults.push(format!("{kind} while nothing was submitted")),
                }
                status = after;
            }
            match kind {
                "ExpenseSubmitted" | "ExpenseReopened" => {
                    if let Some(submission) = open {
                        ends.entry(submission).or_default().push(kind);
                    }
                    (status, number) = ("submitted", change["submission"].as_u64().unwrap());
                    open = Some(number);
                }
                "ExpenseStepApproved" => passed.push((open.unwrap_or_default(), change["step"].as_u64().unwrap())),
                "ExpenseReimbursed" => status = "reimbursed",
                _ => {}
            }
            if event["data"]["expense"]["status"] != status {
                faults.push(format!("{kind} leaves the expense {}", event["data"]["expense"]["status"]));
            }
        }
        let number_of =
            |item: &Map<String, Value>, name: &str| item[name]["N"].as_str().unwrap().parse::<u64>().unwrap();
        let record =
            (number_of(&self.expense, "version"), &self.expense["status"]["S"], number_of(&self.expense, "submission"));
        if record != (self.events.len() as u64, &status.into(), number) {
            faults.push(format!("the record says {record:?}, the events {} {status} {number}", self.events.len()));
        }
        for (submission, ends) in &ends {
            if ends.len() != 1 {
                faults.push(format!("submission {submission} ended {ends:?}"));
            }
        }
        let mut steps_passed = Vec::new();
        for (&(submission, step), item) in &self.steps {
            let end = ends.get(&submission).and_then(|ends| ends.first()).copied();
            let text = |name: &str| item.get(name).and_then(|value| value["S"].as_str()).unwrap_or_default();
            let outcome = text("outcome");
            let agrees = match (text("status"), outcome) {
                ("pending", _) => open == Some(submission),
                ("closed", _) => {
                    matches!(end, Some("ExpenseWithdrawn" | "ExpenseSubmissionExpired" | "ExpenseReopened"))
                }
                ("decided", "passed") => {
                    steps_passed.push((submission, step));
                    true
                }
                ("decided", outcome) => ENDS.iter().any(|(event, after)| Some(*event) == end && *after == outcome),
                _ => false,
            };
            if !agrees {
                faults.push(format!("step {submission}.{step} is {} {outcome}; it ended {end:?}", text("status")));
            }
            if outcome == "approved" {
                let below = (1..step).all(|below| passed.contains(&(submission, below)));
                if !below || number_of(item, "levels") != step {
                    faults.push(format!("step {submission}.{step} approved of {} levels", number_of(item, "levels")));
                }
            }
            if text("status") == "pending" {
                continue;
            }
            if item.contains_key(Index::Open.pk()) {
                faults.push(format!("step {submission}.{step} is still among the open work"));
            }
            let told = match outcome {
                "" => "closed",
                outcome => outcome,
            };
            match services.tasks.get(text("task_token")) {
                Some(Wait::TimedOut) => {}
                Some(Wait::Answered(answer)) if answer == told => {}
                other => faults.push(format!("step {submission}.{step} is {told}; its execution: {other:?}")),
            }
        }
        if passed != steps_passed {
            faults.push(format!("steps passed: {steps_passed:?}; events: {passed:?}"));
        }
        faults
    }
}
