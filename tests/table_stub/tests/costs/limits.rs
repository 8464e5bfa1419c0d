//! What the policy is held against, of all that an owner has.

use serde_json::{Value, json};

use crate::world::{ADMINISTRATOR, DATE, EMPLOYEE, FINANCE, LEAVER, World, read};

const PATH: &str = "/expenses/{expense_id}";

fn euros(minor_units: i64) -> Value {
    json!({ "minor_units": minor_units, "currency": "EUR" })
}

/// A meal's draft; its id.
async fn meal(world: &World, merchant: &str, minor_units: i64) -> String {
    let details = json!({ "merchant": merchant, "date": DATE, "category": "meals", "amount": euros(minor_units) });
    let draft = world.call(EMPLOYEE, "POST", "/expenses", &[], &[], &[], &json!({ "details": details })).await;
    assert_eq!(draft.status_code, 201, "{}", draft.body);
    read(&draft)["id"].as_str().unwrap().to_owned()
}

/// Sets a policy; what is wrong with it, field by field.
async fn set(world: &World, policy: Value) -> Vec<String> {
    let mut policy = policy;
    policy["decision_due_seconds"] = 3600.into();
    let answer = read(&world.call(FINANCE, "PUT", "/policy", &[], &[], &[], &policy).await);
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

/// The rules that a draft breaks.
async fn broken(world: &World, id: &str) -> Vec<String> {
    let shown = read(&world.get(EMPLOYEE, PATH, &[("expense_id", id)], &[]).await);
    let findings = shown["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_part_is_held_to_the_limits_of_the_whole() {
    let world = World::new().await;
    let limit = json!({ "category": "meals", "per_item": euros(6000), "severity": "blocks" });
    let receipt = json!({ "amount": euros(10_000), "severity": "blocks" });
    assert_eq!(set(&world, json!({ "category_limits": [limit], "receipt_required_from": receipt })).await, [""; 0]);
    let first = meal(&world, "Gasthaus Krone", 10_000).await;
    let parts = [4000, 4000, 2000].map(|part| json!({ "amount": euros(part) }));
    let parts = json!({ "parts": parts });
    let split =
        world.call(EMPLOYEE, "POST", &format!("{PATH}/split"), &[("expense_id", &first)], &[], &[], &parts).await;
    let parts: Vec<String> = read(&split)["expenses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["id"].as_str().unwrap().to_owned())
        .collect();
    for part in &parts {
        assert_eq!(broken(&world, part).await, ["receipt_required", "item_limit"]);
        assert_eq!(world.submit(part, &[]).await.status_code, 422);
    }
    // What is of another category is another item, and what is deleted is none.
    let lodging = json!({ "details": { "category": "lodging" } });
    world.call(EMPLOYEE, "PATCH", PATH, &[("expense_id", &parts[0])], &[], &[], &lodging).await;
    assert_eq!(broken(&world, &parts[1]).await, ["receipt_required"], "40.00 and 20.00 are what one may be");
    world.call(EMPLOYEE, "DELETE", PATH, &[("expense_id", &parts[1])], &[], &[], &Value::Null).await;
    let meals = json!({ "details": { "category": "meals" } });
    world.call(EMPLOYEE, "PATCH", PATH, &[("expense_id", &parts[0])], &[], &[], &meals).await;
    assert_eq!(broken(&world, &parts[2]).await, ["receipt_required"]);
}

#[tokio::test]
async fn a_refund_that_is_only_drafted_lifts_no_daily_limit() {
    let world = World::new().await;
    let limit = json!({ "category": "meals", "per_day": euros(9000), "severity": "blocks" });
    assert_eq!(set(&world, json!({ "category_limits": [limit] })).await, [""; 0]);
    let dear = meal(&world, "Gasthaus Krone", 10_000).await;
    meal(&world, "Gasthaus Linde", -5000).await;
    assert_eq!(broken(&world, &dear).await, ["day_limit"]);
}

#[tokio::test]
async fn what_decides_who_is_asked_is_in_the_companys_currency() {
    let world = World::new().await;
    let dollars = json!({ "minor_units": 1000, "currency": "USD" });
    let both = |amount: Value| json!({ "auto_approve_below": amount, "second_level_from": amount });
    assert_eq!(set(&world, both(dollars)).await, ["auto_approve_below.currency", "second_level_from.currency"]);
    assert_eq!(set(&world, both(euros(1000))).await, [""; 0]);
}

#[tokio::test]
async fn who_is_erased_stays_away() {
    let world = World::new().await;
    let (path, leaver) = ("/people/{person_id}", [("person_id", LEAVER)]);
    let erasure = format!("{path}/erasure");
    let asked = world.call(ADMINISTRATOR, "POST", &erasure, &leaver, &[], &[], &json!({})).await;
    assert!(asked.status_code < 300, "{}", asked.body);
    let back = world.call(ADMINISTRATOR, "PUT", path, &leaver, &[], &[], &json!({ "active": true })).await;
    assert_eq!((back.status_code, &read(&back)["type"]), (409, &json!("urn:slipstream:problem:erased")));
    let rows = json!({ "people": [{ "email": format!("{LEAVER}@example.com"), "active": true }] });
    world.call(ADMINISTRATOR, "POST", "/people/import", &[], &[], &[], &rows).await;
    let shown = read(&world.get(ADMINISTRATOR, path, &leaver, &[]).await);
    assert_eq!(shown["active"], false, "{shown}");
}
