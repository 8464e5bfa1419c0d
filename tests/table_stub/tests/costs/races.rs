//! The same request many times at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::world::World;

/// Sends a hundred submits of one expense at once; how many were answered with each status, the bodies of those that
/// worked, and how many events of a submission there are.
async fn hundred_submits(key: Option<&'static str>) -> (Vec<u16>, BTreeSet<String>, usize) {
    let world = World::new().await;
    let id = world.draft().await;
    let headers: Vec<(&str, &str)> = key.iter().map(|key| ("idempotency-key", *key)).collect();
    // All of them are under way before the first is answered: each waits for the table at every turn.
    let responses = join_all((0..100).map(|_| world.submit(&id, &headers))).await;
    let (mut statuses, mut bodies) = (Vec::new(), BTreeSet::new());
    for response in responses {
        statuses.push(response.status_code);
        if response.status_code == 200 {
            bodies.insert(response.body);
        }
    }
    let events = world
        .stub
        .items()
        .into_iter()
        .filter(|item| item.get("detail_type").is_some_and(|kind| kind["S"] == "ExpenseSubmitted"));
    (statuses, bodies, events.count())
}

#[tokio::test]
async fn a_hundred_submits_at_once_are_one_submission_and_one_event() {
    let (statuses, bodies, events) = hundred_submits(None).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
    assert_eq!((bodies.len(), events), (1, 1));
}

#[tokio::test]
async fn with_one_idempotency_key_all_of_them_get_its_answer() {
    let (statuses, bodies, events) = hundred_submits(Some("one key")).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!((bodies.len(), events), (1, 1));
}
