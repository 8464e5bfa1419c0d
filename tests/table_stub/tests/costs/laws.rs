//! What holds of the table after any requests, at once or one after the other.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};
use slipstream_common::keys;
use slipstream_events::{ExpenseState, ExpenseStatus};
use slipstream_table_stub::Item;

use crate::world::{EMPLOYEE, World, announcement, read};

/// A value without DynamoDB's types.
fn plain(typed: &Value) -> Value {
    let (kind, value) = typed.as_object().and_then(|typed| typed.iter().next()).unwrap();
    match (kind.as_str(), value) {
        ("N", Value::String(number)) => number.parse::<i64>().unwrap().into(),
        ("M", Value::Object(members)) => members.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        ("L", Value::Array(values)) => values.iter().map(plain).collect(),
        _ => value.clone(),
    }
}

/// An item's text attribute.
fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name]["S"].as_str().unwrap()
}

/// Every expense in the table.
pub fn expenses(world: &World) -> Vec<ExpenseState> {
    let items = world.stub.items();
    let expenses = items.iter().filter(|item| text(item, "SK") == "EXPENSE");
    expenses
        .map(|item| {
            let mut state: serde_json::Map<_, _> =
                item.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
            state.retain(|name, _| !name.starts_with("GSI") && name != "PK" && name != "SK");
            serde_json::from_value(Value::Object(state)).unwrap()
        })
        .collect()
}

/// Every version has its event; every expense has the marks that it says it has, and there are no others; no receipt is
/// claimed twice, none that is claimed is deleted, and none that was submitted.
pub fn hold(world: &World) {
    let items = world.stub.items();
    let keys_of = |wanted: &dyn Fn(&str, &str) -> bool| {
        let keys = items.iter().map(|item| (text(item, "PK").to_owned(), text(item, "SK").to_owned()));
        keys.filter(|(pk, sk)| wanted(pk, sk)).collect::<BTreeSet<_>>()
    };
    let expenses = expenses(world);
    let mut events = BTreeSet::new();
    let mut marks = BTreeSet::new();
    let mut claimed: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for state in &expenses {
        events.extend((1..=state.version).map(|n| (keys::expense(state.id).pk, format!("EVENT#{n:010}"))));
        marks.extend(keys::marks(state).into_iter().map(|mark| (mark.key.pk, mark.key.sk)));
        if let Some(receipt) = state.receipt.filter(|_| state.status != ExpenseStatus::Deleted) {
            let claim = state.split.as_ref().map_or(state.id, |split| split.of);
            claimed.entry(receipt.to_string()).or_default().insert(claim);
        }
    }
    assert_eq!(keys_of(&|pk, sk| pk.starts_with("EXPENSE#") && sk.starts_with("EVENT#")), events);
    let is_mark = |_: &str, sk: &str| sk.starts_with("EXPENSE#") || sk == "USE";
    assert_eq!(keys_of(&is_mark), marks);
    for (receipt, claims) in claimed {
        assert_eq!(claims.len(), 1, "{receipt} is claimed once");
        let item = world.item_at(&format!("RECEIPT#{receipt}"), "RECEIPT").unwrap();
        assert_ne!(text(&item, "status"), "deleted", "{receipt} is claimed");
    }
    for state in expenses.iter().filter(|state| state.submission > 0) {
        if let Some(receipt) = state.receipt {
            let item = world.item_at(&format!("RECEIPT#{receipt}"), "RECEIPT").unwrap();
            assert_ne!(text(&item, "status"), "deleted", "{receipt} was submitted with {}", state.id);
        }
    }
}

/// What people do.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    Create { receipt: Option<usize> },
    Edit { expense: usize },
    Attach { expense: usize, receipt: usize },
    Detach { expense: usize },
    Split { expense: usize },
    Undo { expense: usize },
    Dismiss { expense: usize },
    Submit { expense: usize },
    Withdraw { expense: usize },
    Delete { expense: usize },
    Announce { receipt: usize },
    DeleteReceipt { receipt: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let (expense, receipt) = (0..3usize, 0..2usize);
    prop_oneof![
        1 => proptest::option::of(receipt.clone()).prop_map(|receipt| Act::Create { receipt }),
        1 => expense.clone().prop_map(|expense| Act::Edit { expense }),
        4 => (expense.clone(), receipt.clone()).prop_map(|(expense, receipt)| Act::Attach { expense, receipt }),
        2 => expense.clone().prop_map(|expense| Act::Detach { expense }),
        2 => expense.clone().prop_map(|expense| Act::Split { expense }),
        1 => expense.clone().prop_map(|expense| Act::Undo { expense }),
        1 => expense.clone().prop_map(|expense| Act::Dismiss { expense }),
        2 => expense.clone().prop_map(|expense| Act::Submit { expense }),
        2 => expense.clone().prop_map(|expense| Act::Withdraw { expense }),
        1 => expense.prop_map(|expense| Act::Delete { expense }),
        1 => receipt.clone().prop_map(|receipt| Act::Announce { receipt }),
        1 => receipt.prop_map(|receipt| Act::DeleteReceipt { receipt }),
    ]
}

/// An expense that can be submitted.
fn details(minor_units: i64) -> Value {
    let amount = json!({ "minor_units": minor_units, "currency": "EUR" });
    json!({ "merchant": "Gasthaus Krone", "date": "2026-10-05", "category": "meals", "amount": amount })
}

impl Act {
    /// Does it; `expenses` and `receipts` are those that there are.
    pub async fn done(self, world: &World, expenses: &[String], receipts: &[String], headers: &[(&str, &str)]) -> u16 {
        let (method, path, named, body) = match self {
            Self::Create { receipt: None } => ("POST", "/expenses", None, json!({ "details": details(1) })),
            Self::Create { receipt: Some(receipt) } => {
                ("POST", "/expenses", None, json!({ "details": details(1), "receipt_id": receipts[receipt] }))
            }
            Self::Edit { expense } => {
                let change = json!({ "details": { "merchant": "Krone", "note": "of late" } });
                ("PATCH", "/expenses/{expense_id}", Some(&expenses[expense]), change)
            }
            Self::Attach { expense, receipt } => {
                let body = json!({ "receipt_id": receipts[receipt] });
                ("PUT", "/expenses/{expense_id}/receipt", Some(&expenses[expense]), body)
            }
            Self::Detach { expense } => {
                ("DELETE", "/expenses/{expense_id}/receipt", Some(&expenses[expense]), Value::Null)
            }
            Self::Split { expense } => {
                let parts = [details(40), details(60)].map(|part| json!({ "amount": part["amount"] }));
                ("POST", "/expenses/{expense_id}/split", Some(&expenses[expense]), json!({ "parts": parts }))
            }
            Self::Undo { expense } => ("DELETE", "/expenses/{expense_id}/split", Some(&expenses[expense]), Value::Null),
            Self::Dismiss { expense } => {
                ("POST", "/expenses/{expense_id}/not-duplicate", Some(&expenses[expense]), Value::Null)
            }
            Self::Submit { expense } => {
                ("POST", "/expenses/{expense_id}/submit", Some(&expenses[expense]), Value::Null)
            }
            Self::Withdraw { expense } => {
                ("POST", "/expenses/{expense_id}/withdraw", Some(&expenses[expense]), Value::Null)
            }
            Self::Delete { expense } => ("DELETE", "/expenses/{expense_id}", Some(&expenses[expense]), Value::Null),
            Self::Announce { receipt } => ("POST", "/receipts", None, announcement(receipt)),
            Self::DeleteReceipt { receipt } => {
                ("DELETE", "/receipts/{receipt_id}", Some(&receipts[receipt]), Value::Null)
            }
        };
        let name = if path.starts_with("/receipts") { "receipt_id" } else { "expense_id" };
        let named: Vec<(&str, &str)> = named.iter().map(|id| (name, id.as_str())).collect();
        world.call(EMPLOYEE, method, path, &named, &[], headers, &body).await.status_code
    }
}

/// Three expenses of 1.00 EUR, and two receipts of which the first two have one each.
pub async fn furnished() -> (World, Vec<String>, Vec<String>) {
    let world = World::new().await;
    let receipts = vec![world.receipt(0).await, world.receipt(1).await];
    let mut expenses = Vec::new();
    for receipt in [Some(&receipts[0]), Some(&receipts[1]), None] {
        let mut body = json!({ "details": details(100) });
        if let Some(receipt) = receipt {
            body["receipt_id"] = receipt.as_str().into();
        }
        let response = world.call(EMPLOYEE, "POST", "/expenses", &[], &[], &[], &body).await;
        assert_eq!(response.status_code, 201, "{}", response.body);
        expenses.push(read(&response)["id"].as_str().unwrap().to_owned());
    }
    (world, expenses, receipts)
}

/// Does some at once, then some more at once, and so on.
async fn all_at_once(rounds: &[Vec<Act>]) {
    let (world, expenses, receipts) = furnished().await;
    for round in rounds {
        let statuses = join_all(round.iter().map(|act| act.done(&world, &expenses, &receipts, &[]))).await;
        assert!(statuses.iter().all(|status| *status < 500), "{round:?}: {statuses:?}");
        hold(&world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_do_at_once(rounds in prop::collection::vec(prop::collection::vec(act(), 1..6), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(all_at_once(&rounds));
    }
}

/// The largest split fits a transaction, with a report and a receipt; what is put together again is what was split.
#[tokio::test]
async fn the_largest_split_and_back() {
    let (world, expenses, _) = furnished().await;
    let report = world.call(EMPLOYEE, "POST", "/reports", &[], &[], &[], &json!({ "title": "Trip" })).await;
    let report = read(&report)["id"].clone();
    let named = [("expense_id", expenses[0].as_str())];
    let tax = json!({ "minor_units": 16, "currency": "EUR" });
    let original = json!({ "minor_units": 110, "currency": "USD" });
    let change = json!({ "details": { "report": report, "tax": tax, "original_amount": original } });
    let before = world.call(EMPLOYEE, "PATCH", "/expenses/{expense_id}", &named, &[], &[], &change).await;
    assert_eq!(before.status_code, 200, "{}", before.body);
    let parts: Vec<_> = (0..20).map(|_| json!({ "amount": { "minor_units": 5, "currency": "EUR" } })).collect();
    let key = [("idempotency-key", "a split")];
    let path = "/expenses/{expense_id}/split";
    let split = world.call(EMPLOYEE, "POST", path, &named, &[], &key, &json!({ "parts": parts })).await;
    assert_eq!(split.status_code, 200, "{}", split.body);
    hold(&world);
    // The other two claims look the same as every part, and no part as another.
    for part in read(&split)["expenses"].as_array().unwrap() {
        let named = [("expense_id", part["id"].as_str().unwrap())];
        let shown = read(&world.get(EMPLOYEE, "/expenses/{expense_id}", &named, &[]).await);
        assert_eq!(shown["duplicates"], json!([]), "the receipt says 1.10 USD: {shown}");
    }
    let whole = world.call(EMPLOYEE, "DELETE", path, &named, &[], &[("idempotency-key", "back")], &Value::Null).await;
    assert_eq!(whole.status_code, 200, "{}", whole.body);
    assert_eq!(read(&whole)["details"], read(&before)["details"]);
    hold(&world);
}

/// A colleague's claim of the whole is seen beside every part, and the whole is one suspect for the colleague.
#[tokio::test]
async fn a_split_is_one_claim() {
    let (world, expenses, _) = furnished().await;
    let parts: Vec<_> = (0..20).map(|_| json!({ "amount": { "minor_units": 5, "currency": "EUR" } })).collect();
    let named = [("expense_id", expenses[0].as_str())];
    let path = "/expenses/{expense_id}/split";
    let split = world.call(EMPLOYEE, "POST", path, &named, &[], &[], &json!({ "parts": parts })).await;
    assert_eq!(split.status_code, 200, "{}", split.body);
    let suspects = async |id: &str| {
        let shown = read(&world.get(EMPLOYEE, "/expenses/{expense_id}", &[("expense_id", id)], &[]).await);
        let named = shown["duplicates"].as_array().unwrap().iter().map(|suspect| suspect["expense_id"].clone());
        named.map(|id| id.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let others = |mine: usize| expenses.iter().filter(|id| **id != expenses[mine]).cloned().collect::<BTreeSet<_>>();
    for part in read(&split)["expenses"].as_array().unwrap() {
        assert_eq!(suspects(part["id"].as_str().unwrap()).await, others(0));
    }
    assert_eq!(suspects(&expenses[2]).await, others(2), "the parts are told as the one that was split");
}

/// What an approver may have been shown stays, whatever becomes of the expense.
#[tokio::test]
async fn a_receipt_that_was_submitted_stays() {
    for part_from_it in [Act::Delete { expense: 0 }, Act::Detach { expense: 0 }] {
        let (world, expenses, receipts) = furnished().await;
        let does = async |act: Act| act.done(&world, &expenses, &receipts, &[]).await;
        assert_eq!(does(Act::Submit { expense: 0 }).await, 200);
        assert_eq!(does(Act::Withdraw { expense: 0 }).await, 200);
        assert!(matches!(does(part_from_it).await, 200 | 204));
        assert_eq!(does(Act::DeleteReceipt { receipt: 0 }).await, 409);
        assert_eq!(does(Act::Attach { expense: 2, receipt: 0 }).await, 200, "it can be claimed anew");
        assert_eq!(does(Act::Delete { expense: 2 }).await, 204);
        let path = [("receipt_id", receipts[0].as_str())];
        assert_eq!(world.get(EMPLOYEE, "/receipts/{receipt_id}", &path, &[]).await.status_code, 200);
        hold(&world);
    }
}

/// An edit that says nothing new is no event.
#[tokio::test]
async fn an_edit_that_changes_nothing_is_none() {
    let (world, expenses, receipts) = furnished().await;
    for _ in 0..2 {
        assert_eq!(Act::Edit { expense: 0 }.done(&world, &expenses, &receipts, &[]).await, 200);
    }
    assert_eq!(expenses_version(&world, &expenses[0]), 2);
    hold(&world);
}

/// A receipt is announced with another size before its bytes come: a version, and its event. Just again is neither.
#[tokio::test]
async fn what_is_announced_otherwise_is_a_version_with_its_event() {
    let world = World::new().await;
    let id = world.announced(5).await;
    for (size_bytes, version) in [(1000, 1), (2000, 2), (2000, 2)] {
        let mut body = announcement(5);
        body["size_bytes"] = size_bytes.into();
        let response = world.call(EMPLOYEE, "POST", "/receipts", &[], &[], &[], &body).await;
        assert_eq!(read(&response)["receipt"]["size_bytes"], size_bytes, "{}", response.body);
        let pk = format!("RECEIPT#{id}");
        assert_eq!(world.item_at(&pk, "RECEIPT").unwrap()["version"], json!({ "N": version.to_string() }));
        let events = world
            .stub
            .items()
            .into_iter()
            .filter(|item| text(item, "PK") == pk && text(item, "SK").starts_with("EVENT#"));
        assert_eq!(events.count(), version);
    }
}

fn expenses_version(world: &World, id: &str) -> u64 {
    expenses(world).into_iter().find(|state| state.id.to_string() == id).unwrap().version
}
