//! Links that nobody was mailed, or that were good once: none of them decides anything.

use jiff::Timestamp;
use serde_json::json;

use crate::{
    audit::Audit,
    world::{ADMINISTRATOR, MANAGER, World},
};

/// A secret as they are: 32 bytes in base64url.
const SECRET: &str = "q3Zt-9Xw_0aBcDeFgHiJkLmNoPqRsTuVwXyZ1234567";

/// How many events the expense has.
fn events(world: &World) -> usize {
    world.gate.with(|services| Audit::of(services, &world.expense).events.len())
}

/// Shows and presses every button of the page behind a link: each is answered with `status`, and nothing happens.
async fn decides_nothing(world: &World, link: &str, status: u16) {
    let before = (events(world), world.step(1, 1));
    for decision in ["approve", "reject", "request_changes", "disown"] {
        let said = world.open.press(link, decision).await;
        assert_eq!(said.status, status, "{decision} by {link}: {}", said.body);
    }
    assert_eq!((events(world), world.step(1, 1)), before, "{link}");
}

#[tokio::test]
async fn no_single_bit_of_a_secret_may_differ() {
    let world = World::new(false).await;
    world.know_secret(1, 1, "link_hashes", SECRET);
    let (mut refused, mut well_formed) = (0, 0);
    for at in 0..SECRET.len() {
        for bit in 0..8 {
            let flip = |(place, byte): (usize, u8)| char::from(if place == at { byte ^ (1 << bit) } else { byte });
            let forged: String = SECRET.bytes().enumerate().map(flip).collect();
            well_formed += usize::from(forged.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            let link = format!("{}.1.1.{forged}", world.expense);
            let shown = world.open.page(&link, "GET", "").await;
            assert_eq!(shown.status, 404, "{forged}");
            decides_nothing(&world, &link, 404).await;
            refused += 1;
        }
    }
    println!("{refused} forged secrets refused, {well_formed} of them well formed");
    assert!(refused == 43 * 8 && well_formed > 100);
    let link = format!("{}.1.1.{SECRET}", world.expense);
    assert_eq!(world.open.press(&link, "approve").await.status, 200, "the true one counts");
}

#[tokio::test]
async fn a_secret_opens_only_what_it_was_mailed_for() {
    let world = World::new(false).await;
    let other = world.beside('b').await;
    decides_nothing(&world, &world.link(1, 1, 'b'), 404).await;
    decides_nothing(&other, &other.link(1, 1, 'a'), 404).await;
    for (submission, step) in [(1, 2), (2, 1), (0, 1), (1, 0)] {
        decides_nothing(&world, &world.link(submission, step, 'a'), 404).await;
    }
}

#[tokio::test]
async fn a_second_late_is_late() {
    let world = World::new(false).await;
    let due_in = |seconds: i64| {
        let due = Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap();
        world.change_step(1, 1, |item| drop(item.insert("due_at".to_owned(), json!({ "S": due.to_string() }))));
    };
    let before = events(&world);
    for seconds in [-1, 0] {
        due_in(seconds);
        for decision in ["approve", "reject", "request_changes"] {
            let said = world.open.press(&world.link(1, 1, 'a'), decision).await;
            assert_eq!(said.status, 410, "due in {seconds} s: {}", said.body);
        }
    }
    assert_eq!(events(&world), before);
    due_in(60);
    assert_eq!(world.open.press(&world.link(1, 1, 'a'), "approve").await.status, 200, "in time it counts");
}

#[tokio::test]
async fn a_secret_is_used_once() {
    for first in ["approve", "reject", "request_changes"] {
        let world = World::new(false).await;
        assert_eq!(world.open.press(&world.link(1, 1, 'a'), first).await.status, 200);
        let before = (events(&world), world.step(1, 1));
        for again in ["approve", "reject", "request_changes"] {
            let said = world.open.press(&world.link(1, 1, 'a'), again).await;
            assert_eq!(said.status, 409, "{again} after {first}: {}", said.body);
        }
        assert_eq!((events(&world), world.step(1, 1)), before);
    }
}

#[tokio::test]
async fn a_secret_dies_with_its_holders_part() {
    let world = World::new(false).await;
    let body = json!({ "active": false });
    let left = world.open.request(ADMINISTRATOR, "PUT", "/people/{person_id}", MANAGER, &body).await;
    assert_eq!(left.status, 200, "{}", left.body);
    decides_nothing(&world, &world.link(1, 1, 'a'), 404).await;
    assert_eq!(world.open.reassign().await.body, "1");
    decides_nothing(&world, &world.link(1, 1, 'a'), 409).await;
    let back = json!({ "active": true });
    world.open.request(ADMINISTRATOR, "PUT", "/people/{person_id}", MANAGER, &back).await;
    decides_nothing(&world, &world.link(1, 1, 'a'), 409).await;
}

#[tokio::test]
async fn taking_back_and_deciding_have_secrets_of_their_own() {
    let world = World::new(false).await;
    world.know(1, 1, "disown_hashes", 'd');
    for decision in ["approve", "reject", "request_changes"] {
        assert_eq!(world.open.press(&world.link(1, 1, 'd'), decision).await.status, 404, "{decision}");
    }
    assert_eq!(world.open.press(&world.link(1, 1, 'a'), "disown").await.status, 404);
    assert_eq!(world.step(1, 1).unwrap()["status"]["S"], "pending");

    assert_eq!(world.open.press(&world.link(1, 1, 'a'), "approve").await.status, 200);
    let before = events(&world);
    assert_eq!(world.open.press(&world.link(1, 1, 'a'), "disown").await.status, 404);
    for decision in ["approve", "reject", "request_changes"] {
        assert_eq!(world.open.press(&world.link(1, 1, 'd'), decision).await.status, 404, "{decision}");
    }
    assert_eq!(events(&world), before);
    assert_eq!(world.open.press(&world.link(1, 1, 'd'), "disown").await.status, 200, "for that it is");
    assert_eq!(world.open.press(&world.link(1, 1, 'd'), "disown").await.status, 409, "once");
}

#[tokio::test]
async fn a_link_is_shown_by_get_and_changes_nothing() {
    let world = World::new(false).await;
    let everything = || world.gate.with(|services| services.table.items());
    let before = everything();
    for method in ["GET", "HEAD"] {
        for form in ["", "decision=approve", "decision=reject&comment=x"] {
            assert_eq!(world.open.page(&world.link(1, 1, 'a'), method, form).await.status, 200);
        }
    }
    assert!(everything() == before, "looking changes nothing");
}
