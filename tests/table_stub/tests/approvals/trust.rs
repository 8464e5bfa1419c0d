//! What holds beside the races: what a link may where it alone decides nothing, what can be reopened, and whose time it is.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    audit::Audit,
    world::{ADMINISTRATOR, EMPLOYEE, FINANCE, Functions, MANAGER, World},
};

fn events(world: &World) -> Vec<String> {
    let told = world.gate.with(|services| Audit::of(services, &world.expense).events);
    told.iter().map(|event| event["metadata"]["type"].as_str().unwrap().to_owned()).collect()
}

/// How long from now a time of the first step is.
fn left(world: &World, time: &str) -> SignedDuration {
    let step = world.step(1, 1).unwrap();
    let at: Timestamp = step[time]["S"].as_str().unwrap().parse().unwrap();
    at.duration_since(Timestamp::now())
}

#[tokio::test]
async fn where_a_sign_in_is_needed_a_link_takes_back_and_nothing_else() {
    let world = World::new(false).await;
    let strict = Functions::with_sign_in(&world.gate);
    let (before, step) = (events(&world), world.step(1, 1));
    for link in [world.link(1, 1, 'a'), world.link(1, 1, 'x'), "nonsense".to_owned()] {
        let said = strict.page(&link, "GET", "").await;
        assert!(said.status == 403 && said.body.contains("Please sign in"), "{link}: {}", said.body);
        for decision in ["approve", "reject", "request_changes", "disown"] {
            assert_eq!(strict.press(&link, decision).await.status, 403, "{decision} by {link}");
        }
    }
    assert_eq!((events(&world), world.step(1, 1)), (before, step));

    let body = json!({ "decision": "approve" });
    let path = "/submissions/{submission_id}/decision";
    assert_eq!(
        strict.request(MANAGER, "POST", path, &world.submission(1), &body).await.status,
        200,
        "signed in they decide"
    );
    world.know(1, 1, "disown_hashes", 'd');
    assert_eq!(strict.page(&world.link(1, 1, 'd'), "GET", "").await.status, 200);
    assert_eq!(strict.press(&world.link(1, 1, 'd'), "approve").await.status, 404);
    assert_eq!(strict.press(&world.link(1, 1, 'd'), "disown").await.status, 200, "which releases no money");
    let again = strict.request(MANAGER, "POST", path, &world.submission(1), &body).await;
    assert!(again.status == 409 && again.body.contains("taken back"), "it stands no more: {}", again.body);
}

#[tokio::test]
async fn what_its_owner_has_changed_is_not_reopened() {
    let world = World::new(false).await;
    assert_eq!(world.open.press(&world.link(1, 1, 'a'), "request_changes").await.status, 200);
    world.know(1, 1, "disown_hashes", 'd');
    let shown = world.open.page(&world.link(1, 1, 'd'), "GET", "").await;
    assert!(shown.body.contains("value=\"disown\""), "{}", shown.body);

    let dear = json!({ "details": { "amount": { "minor_units": 2_000_000, "currency": "EUR" } } });
    let edited = world.open.request(EMPLOYEE, "PATCH", "/expenses/{expense_id}", &world.expense, &dear).await;
    assert_eq!(edited.status, 200, "{}", edited.body);
    let before = events(&world);
    let shown = world.open.page(&world.link(1, 1, 'd'), "GET", "").await;
    assert!(shown.status == 200 && shown.body.contains("changed the expense meanwhile"), "{}", shown.body);
    assert_eq!(world.open.press(&world.link(1, 1, 'd'), "disown").await.status, 409);
    assert_eq!(events(&world), before);
}

#[tokio::test]
async fn what_is_reopened_is_decided_by_somebody() {
    let world = World::new(false).await;
    let policy = json!({
        "decision_due_seconds": 1_209_600, "auto_approve_below": { "minor_units": 10_000, "currency": "EUR" },
    });
    world.set(FINANCE, "/policy", "", &policy).await;
    // It looks like the first, so somebody is asked.
    let other = world.beside('b').await;
    assert_eq!(other.open.press(&other.link(1, 1, 'b'), "approve").await.status, 200);
    other.know(1, 1, "disown_hashes", 'd');
    // Then the first is gone.
    for (method, path) in [("POST", "/expenses/{expense_id}/withdraw"), ("DELETE", "/expenses/{expense_id}")] {
        let gone = world.open.request(EMPLOYEE, method, path, &world.expense, &Value::Null).await;
        assert!(gone.status < 300, "{method} {path}: {}", gone.body);
    }
    assert_eq!(other.open.press(&other.link(1, 1, 'd'), "disown").await.status, 200);
    let standing = other.open.task("choose", &other.submission(2), &json!({})).await;
    assert!(standing.body.contains("\"outcome\":\"pending\""), "{}", standing.body);
}

#[tokio::test]
async fn whoever_is_asked_instead_has_as_long_as_whoever_was_asked_first() {
    let world = World::new(false).await;
    world.let_pass(1, 1, "remind_at");
    world.let_pass(1, 1, "escalate_at");
    let choice = json!({ "choice": world.choice(1, 1) });
    let standing = world.open.task("time_up", &world.submission(1), &choice).await;
    assert_eq!(standing.status, 200, "{}", standing.body);
    let told = events(&world);
    assert_eq!(told.last().map(String::as_str), Some("ExpenseApprovalReassigned"), "{told:?}");
    assert!(
        !told.iter().any(|event| event == "ExpenseApprovalReminded"),
        "not of what they were never asked: {told:?}"
    );
    assert!(left(&world, "remind_at") > SignedDuration::from_hours(47), "two days from now");
    assert!(!world.step(1, 1).unwrap().contains_key("escalate_at"), "it goes up once");

    let world = World::new(false).await;
    world.change_step(1, 1, |item| {
        for time in ["remind_at", "escalate_at"] {
            let soon = Timestamp::from_second(Timestamp::now().as_second() + 60).unwrap();
            item.insert(time.to_owned(), json!({ "S": soon.to_string() }));
        }
    });
    world.set(ADMINISTRATOR, "/people/{person_id}", MANAGER, &json!({ "active": false })).await;
    assert_eq!(world.open.reassign().await.body, "1");
    assert!(left(&world, "remind_at") > SignedDuration::from_hours(47), "two days from now");
    assert!(left(&world, "escalate_at") > SignedDuration::from_hours(95), "four days from now");
}
