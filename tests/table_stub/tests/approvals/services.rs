//! What the functions call: the table, the state machine's waiting tasks, and whatever else only has to answer. Each
//! item remembers which call wrote it, so that two moments can be told to be the same.

use std::{
    collections::{BTreeMap, HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher as _},
};

use serde_json::{Value, json};
use slipstream_table_stub::{Item, Stub};

/// A short name for something, by its parts.
pub fn digest(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// The events of decisions by people.
const DECISIONS: [&str; 4] = ["ExpenseApproved", "ExpenseStepApproved", "ExpenseRejected", "ExpenseChangesRequested"];

/// How a waiting task stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The execution waits.
    Waits,
    /// It was answered so.
    Answered(String),
    /// It waits no more: its time ran out, or another task took its place.
    TimedOut,
}

/// Everything that a call can reach.
#[derive(Debug)]
pub struct Services {
    /// The main table, and the projections' beside it.
    pub table: Stub,
    /// The state machine's tasks, by token.
    pub tasks: BTreeMap<String, Wait>,
    /// Which call wrote each item last.
    stamps: HashMap<(String, String), u64>,
    /// The exclusive or of the names of all keys with their stamps.
    stamped: u64,
    /// What was seen that must never be.
    pub breaches: Vec<String>,
}

/// An answer, and a name for it that is the same whenever it means the same.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub document: Value,
    pub meaning: u64,
}

fn key_of(item: &Value) -> Option<(String, String)> {
    Some((item["PK"]["S"].as_str()?.to_owned(), item["SK"]["S"].as_str()?.to_owned()))
}

impl Services {
    pub fn new() -> Self {
        Self {
            table: Stub::detached(),
            tasks: BTreeMap::new(),
            stamps: HashMap::new(),
            stamped: 0,
            breaches: Vec::new(),
        }
    }

    pub fn copy(&self) -> Self {
        Self {
            table: self.table.copy(),
            tasks: self.tasks.clone(),
            stamps: self.stamps.clone(),
            stamped: self.stamped,
            breaches: self.breaches.clone(),
        }
    }

    /// A name for how everything stands.
    pub fn moment(&self) -> u64 {
        digest((self.stamped, &self.tasks))
    }

    pub fn item(&self, pk: &str, sk: &str) -> Option<Item> {
        self.table.items().into_iter().find(|item| item["PK"]["S"] == pk && item["SK"]["S"] == sk)
    }

    /// Carries out a call. `caller` names whoever calls and all they have been answered before.
    pub fn call(&mut self, caller: u64, target: &str, body: &[u8]) -> Answer {
        let (service, operation) = target.rsplit_once('.').unwrap_or(("", target));
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        if service.starts_with("DynamoDB") {
            let decides =
                operation == "TransactWriteItems" && DECISIONS.iter().any(|kind| request.to_string().contains(kind));
            let before = if decides { self.table.items() } else { Vec::new() };
            let (status, document) = self.table.answer(target, body);
            if status == 200 && decides {
                self.watch(&request, &before);
            }
            let meaning = self.meaning(caller, &request, status, &document);
            return Answer { status, document, meaning };
        }
        let (status, document) = self.beside(operation, &request);
        let meaning = digest((operation, status, document["__type"].as_str()));
        Answer { status, document, meaning }
    }

    /// Services that are no table.
    fn beside(&mut self, operation: &str, request: &Value) -> (u16, Value) {
        match operation {
            "SendTaskSuccess" => {
                let output: Value = serde_json::from_str(request["output"].as_str().unwrap()).unwrap();
                let outcome = output["outcome"].as_str().unwrap().to_owned();
                match self.tasks.get_mut(request["taskToken"].as_str().unwrap()) {
                    Some(wait @ Wait::Waits) => {
                        *wait = Wait::Answered(outcome);
                        (200, json!({}))
                    }
                    Some(_) => (400, json!({ "__type": "TaskTimedOut", "message": "timed out" })),
                    None => (400, json!({ "__type": "TaskDoesNotExist", "message": "unknown" })),
                }
            }
            "AdminUserGlobalSignOut" | "AdminDisableUser" | "AdminEnableUser" => (200, json!({})),
            other => {
                self.breaches.push(format!("nobody expects {other}"));
                (400, json!({ "__type": "UnknownOperationException" }))
            }
        }
    }

    /// What an answer of the table means: which versions of which items it shows, or whether a transaction was carried
    /// out.
    fn meaning(&mut self, caller: u64, request: &Value, status: u16, document: &Value) -> u64 {
        if let Some(writes) = request["TransactItems"].as_array() {
            let codes: Vec<_> = document["CancellationReasons"].as_array().into_iter().flatten().collect();
            let codes: Vec<_> = codes.into_iter().map(|reason| reason["Code"].as_str().unwrap_or_default()).collect();
            let meaning = digest((status, codes));
            if status == 200 {
                for write in writes {
                    let Some((kind, write)) = write.as_object().and_then(|write| write.iter().next()) else { continue };
                    let Some(key) = key_of(if kind == "Put" { &write["Item"] } else { &write["Key"] }) else {
                        continue;
                    };
                    let stamp = match kind.as_str() {
                        "Put" | "Update" => Some(digest((caller, &key))),
                        "Delete" => None,
                        _ => continue,
                    };
                    self.stamp(key, stamp);
                }
            }
            return meaning;
        }
        let mut shown: Vec<&Value> = vec![&document["Item"]];
        shown.extend(document["Items"].as_array().into_iter().flatten());
        let tables = document["Responses"].as_object().into_iter().flat_map(|tables| tables.values());
        shown.extend(tables.filter_map(Value::as_array).flatten());
        let stamps: Vec<_> =
            shown.into_iter().filter_map(key_of).map(|key| (self.stamps.get(&key).copied(), key)).collect();
        digest((status, stamps))
    }

    fn stamp(&mut self, key: (String, String), stamp: Option<u64>) {
        let before = match stamp {
            Some(stamp) => {
                self.stamped ^= digest((&key, stamp));
                self.stamps.insert(key.clone(), stamp)
            }
            None => self.stamps.remove(&key),
        };
        if let Some(before) = before {
            self.stamped ^= digest((&key, before));
        }
    }

    /// Looks at a transaction that was carried out: a decision counts only of somebody who is active, whom the pending
    /// step asked, in time.
    fn watch(&mut self, request: &Value, before: &[Item]) {
        let was = |pk: &str, sk: &str| before.iter().find(|item| item["PK"]["S"] == pk && item["SK"]["S"] == sk);
        for write in request["TransactItems"].as_array().into_iter().flatten() {
            let Some(detail) = write["Put"]["Item"]["detail"]["S"].as_str() else { continue };
            let event: Value = serde_json::from_str(detail).unwrap();
            let (metadata, change) = (&event["metadata"], &event["data"]["change"]);
            let kind = metadata["type"].as_str().unwrap();
            if !DECISIONS.contains(&kind) {
                continue;
            }
            let by = metadata["actor"]["id"].as_str().unwrap();
            let expense = event["data"]["expense"]["id"].as_str().unwrap();
            if !was(&format!("PERSON#{by}"), "PROFILE").is_some_and(|person| person["active"]["BOOL"] == true) {
                self.breaches.push(format!("{kind} by {by}, who is not active"));
            }
            let (pk, sk) =
                (format!("SUBMISSION#{expense}#{}", change["submission"]), format!("STEP#{}", change["step"]));
            let Some(step) = was(&pk, &sk) else {
                self.breaches.push(format!("{kind} without the step {pk} {sk}"));
                continue;
            };
            if step["status"]["S"] != "pending" || step["approver"]["S"] != by {
                self.breaches.push(format!("{kind} by {by} on {step:?}"));
            }
            // Whole seconds against fractions: text compares right up to the second.
            if step["due_at"]["S"].as_str().unwrap()[..19] <= metadata["occurred_at"].as_str().unwrap()[..19] {
                self.breaches.push(format!("{kind} after the time was up"));
            }
        }
    }
}
