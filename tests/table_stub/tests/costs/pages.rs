//! A page costs the same however much there is.

use slipstream_table_stub::Asked;

use crate::world::{EMPLOYEE, FINANCE, World, another, read};

/// What a request asks of the table, in short: `GetItem!` is strongly consistent, `Query GSI1/25` names index and limit.
fn told(asked: &[Asked]) -> Vec<String> {
    asked
        .iter()
        .map(|asked| {
            let place = asked.index.as_deref().map_or_else(String::new, |index| format!(" {index}"));
            let limit = asked.limit.map_or_else(String::new, |limit| format!("/{limit}"));
            format!("{}{}{place}{limit}", asked.operation, if asked.consistent { "!" } else { "" })
        })
        .collect()
}

fn read_units(asked: &[Asked]) -> f64 {
    asked.iter().map(|asked| asked.read_units).sum()
}

/// A request: its caller, resource, path values and query; what it asks of the table, and how much it may read.
type Case = (&'static str, &'static str, bool, &'static [(&'static str, &'static str)], &'static [&'static str], f64);

/// Every read of the function. The first item is always the caller's profile.
const CASES: &[Case] = &[
    (EMPLOYEE, "/expenses", false, &[], &["GetItem!", "Query GSI1/25"], 4.0),
    (EMPLOYEE, "/expenses", false, &[("limit", "100")], &["GetItem!", "Query GSI1/100"], 12.0),
    (EMPLOYEE, "/expenses", false, &[("status", "draft")], &["GetItem!", "Query GSI2/25"], 4.0),
    (
        EMPLOYEE,
        "/expenses",
        false,
        &[("from", "2026-10-01"), ("until", "2026-10-03")],
        &["GetItem!", "Query GSI1/25"],
        4.0,
    ),
    // Nothing passes the filter: three pages of the index and no more.
    (
        EMPLOYEE,
        "/expenses",
        false,
        &[("category", "lodging"), ("until", "2026-10-05")],
        &["GetItem!", "Query GSI1/100", "Query GSI1/100", "Query GSI1/100"],
        40.0,
    ),
    (
        FINANCE,
        "/finance/expenses",
        false,
        &[("status", "submitted"), ("from", "2026-10-01"), ("until", "2026-10-31")],
        &["GetItem!", "Query GSI4/25"],
        4.0,
    ),
    (EMPLOYEE, "/expenses/{expense_id}", true, &[], &["GetItem!", "GetItem!", "Query!/10"], 4.0),
    (EMPLOYEE, "/expenses/{expense_id}/history", true, &[], &["GetItem!", "GetItem!", "Query!"], 4.0),
    (FINANCE, "/people", false, &[], &["GetItem!", "Query GSI4/25"], 2.0),
    (FINANCE, "/people", false, &[("email", "a@example.com")], &["GetItem!", "Query GSI2/25"], 2.0),
    (FINANCE, "/people", false, &[("manager", EMPLOYEE)], &["GetItem!", "Query GSI3/25"], 2.0),
    (EMPLOYEE, "/me", false, &[], &["GetItem!", "GetItem!", "Query GSI3/100"], 3.0),
    (EMPLOYEE, "/policy", false, &[], &["GetItem!", "GetItem!"], 2.0),
];

/// What each case asks with so many expenses in the table.
async fn costs(count: usize) -> Vec<(Vec<String>, f64)> {
    let world = World::new().await;
    let (draft, submitted) = (world.draft().await, world.draft().await);
    assert_eq!(world.submit(&submitted, &[]).await.status_code, 200);
    let (like, like_submitted) = (world.item(&draft), world.item(&submitted));
    for n in 0..count {
        let date = format!("2026-10-{:02}", n % 28 + 1);
        world.stub.put(another(&like, 2 * n, &date));
        world.stub.put(another(&like_submitted, 2 * n + 1, &date));
    }
    let mut costs = Vec::new();
    for (caller, path, of_expense, query, expected, most) in CASES {
        world.stub.take_asked();
        let named: &[(&str, &str)] = if *of_expense { &[("expense_id", &draft)] } else { &[] };
        let response = world.get(caller, path, named, query).await;
        assert_eq!(response.status_code, 200, "{path} {query:?}: {}", response.body);
        let asked = world.stub.take_asked();
        let (told, units) = (told(&asked), read_units(&asked));
        assert_eq!(&told, expected, "{path} {query:?} with {count} expenses");
        assert!(units <= *most, "{path} {query:?} reads {units} units");
        let items: usize = asked.iter().map(|asked| asked.items).sum();
        assert!(items <= 310, "{path} {query:?} looks at {items} items");
        costs.push((told, units));
    }
    costs
}

#[tokio::test]
async fn the_cost_of_a_page_is_the_same_with_100_and_with_10_000_expenses() {
    let (few, many) = (costs(100).await, costs(10_000).await);
    for (case, (few, many)) in CASES.iter().zip(few.iter().zip(&many)) {
        assert_eq!(few.0, many.0, "{case:?}");
        // The cursor grows no index page; items differ by the digits of their ids only.
        assert!((few.1 - many.1).abs() < 0.6, "{case:?}: {} and {} read units", few.1, many.1);
    }
}

#[tokio::test]
async fn a_page_within_the_budget_may_be_empty_and_still_name_a_next_one() {
    let world = World::new().await;
    let like = world.item(&world.draft().await);
    for n in 0..400 {
        world.stub.put(another(&like, n, &format!("2026-10-{:02}", n % 28 + 1)));
    }
    let page = read(&world.get(EMPLOYEE, "/expenses", &[], &[("category", "lodging")]).await);
    assert_eq!(page["expenses"].as_array().unwrap().len(), 0);
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = read(&world.get(EMPLOYEE, "/expenses", &[], &[("category", "lodging"), ("cursor", cursor)]).await);
    assert!(page["next_cursor"].is_null(), "{page}");
}
