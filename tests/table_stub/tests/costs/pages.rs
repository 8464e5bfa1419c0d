//! A read costs the same however much there is.

use slipstream_common::routes;
use slipstream_table_stub::Asked;

use crate::world::{ADMINISTRATOR, DATE, EMPLOYEE, FINANCE, MANAGER, Things, World, another, another_expense, read};

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

/// A read: its caller, resource and query; what it asks of the table, and how much it may read.
struct Case {
    caller: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
    asked: &'static [&'static str],
    most_units: f64,
}

const fn case(
    caller: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
    asked: &'static [&'static str],
    most_units: f64,
) -> Case {
    Case { caller, path, query, asked, most_units }
}

/// Every read of the API. The first item is the caller's profile, but for a link's page, which nobody is signed in for.
const CASES: &[Case] = &[
    case(EMPLOYEE, "/expenses", &[], &["GetItem!", "Query GSI1/25"], 4.0),
    case(EMPLOYEE, "/expenses", &[("limit", "100")], &["GetItem!", "Query GSI1/100"], 12.0),
    case(EMPLOYEE, "/expenses", &[("status", "draft")], &["GetItem!", "Query GSI2/25"], 4.0),
    case(
        EMPLOYEE,
        "/expenses",
        &[("from", "2026-10-01"), ("until", "2026-10-03")],
        &["GetItem!", "Query GSI1/25"],
        4.0,
    ),
    // Nothing passes the filter: three pages of the index and no more.
    case(
        EMPLOYEE,
        "/expenses",
        &[("category", "lodging")],
        &["GetItem!", "Query GSI1/100", "Query GSI1/100", "Query GSI1/100"],
        40.0,
    ),
    case(
        FINANCE,
        "/finance/expenses",
        &[("status", "submitted"), ("from", "2026-10-01"), ("until", "2026-10-31")],
        &["GetItem!", "Query GSI4/25"],
        4.0,
    ),
    // Six partitions of a month each, and no more, however many months there are to go through.
    case(
        FINANCE,
        "/finance/expenses",
        &[("status", "rejected"), ("from", "2025-01-01"), ("until", "2026-10-31")],
        &[
            "GetItem!",
            "Query GSI4/25",
            "Query GSI4/25",
            "Query GSI4/25",
            "Query GSI4/25",
            "Query GSI4/25",
            "Query GSI4/25",
        ],
        4.0,
    ),
    case(EMPLOYEE, "/expenses/{expense_id}", &[], &["GetItem!", "GetItem!", "Query!/40", "GetItem!"], 4.0),
    case(
        EMPLOYEE,
        "/expenses/{expense_id}/history",
        &[],
        &["GetItem!", "GetItem!", "Query!/25", "BatchGetItem!"],
        12.0,
    ),
    case(EMPLOYEE, "/receipts/{receipt_id}", &[], &["GetItem!", "GetItem!", "GetItem!"], 3.0),
    case(EMPLOYEE, "/receipts/{receipt_id}/reading", &[], &["GetItem!", "GetItem!", "GetItem!", "GetObject"], 3.0),
    case(EMPLOYEE, "/reports", &[], &["GetItem!", "Query GSI1/25"], 3.0),
    case(EMPLOYEE, "/reports/{report_id}", &[], &["GetItem!", "GetItem!", "Query!", "BatchGetItem!"], 6.0),
    case(MANAGER, "/approvals", &[], &["GetItem!", "Query GSI2/25", "BatchGetItem!", "BatchGetItem!"], 30.0),
    case(
        MANAGER,
        "/approvals",
        &[("status", "decided"), ("limit", "100")],
        &["GetItem!", "Query GSI2/100", "BatchGetItem!", "BatchGetItem!"],
        120.0,
    ),
    case(
        EMPLOYEE,
        "/approvals/{link}",
        &[],
        &["GetItem!", "GetItem!", "GetItem!", "GetItem!", "Query!/40", "Query!/50"],
        7.0,
    ),
    // Nothing passes the filter: three pages of the index with their expenses, and no more.
    case(
        MANAGER,
        "/approvals",
        &[("category", "lodging")],
        &[
            "GetItem!",
            "Query GSI2/100",
            "BatchGetItem!",
            "Query GSI2/100",
            "BatchGetItem!",
            "Query GSI2/100",
            "BatchGetItem!",
        ],
        340.0,
    ),
    case(EMPLOYEE, "/exports", &[], &["GetItem!", "Query GSI1/25"], 4.0),
    case(EMPLOYEE, "/exports/{export_id}", &[], &["GetItem!", "GetItem!"], 2.0),
    case(FINANCE, "/people", &[], &["GetItem!", "Query GSI4/25"], 3.0),
    case(FINANCE, "/people", &[("email", "a@example.com")], &["GetItem!", "Query GSI2/25"], 2.0),
    case(FINANCE, "/people", &[("manager", MANAGER)], &["GetItem!", "Query GSI3/25"], 3.0),
    case(FINANCE, "/people/{person_id}", &[], &["GetItem!", "GetItem!"], 2.0),
    case(ADMINISTRATOR, "/people/{person_id}/erasure", &[], &["GetItem!", "GetItem!"], 2.0),
    case(EMPLOYEE, "/me", &[], &["GetItem!", "GetItem!", "Query GSI3/100"], 3.0),
    case(EMPLOYEE, "/policy", &[], &["GetItem!", "GetItem!"], 2.0),
    case(EMPLOYEE, "/policy/versions/{version}", &[], &["GetItem!", "GetItem!"], 2.0),
    case(EMPLOYEE, "/exchange-rates", &[("date", DATE)], &["GetItem!", "Query!/1"], 2.0),
    case(FINANCE, "/budgets", &[], &["GetItem!", "Query!", "Query!"], 3.0),
    case(
        FINANCE,
        "/spend",
        &[("scope", "company"), ("from", "2026-01"), ("until", "2026-12")],
        &["GetItem!", "Query!"],
        12.0,
    ),
];

/// Puts `count` more of everything into the table that lists go over; what the sums and the policy hold grows with
/// months and categories, not with expenses.
async fn fill(world: &World, things: &Things, count: usize) {
    let (draft, submitted) = (world.expense_item(&things.draft), world.expense_item(&things.submitted));
    let event = world.item(&format!("EXPENSE#{}", things.draft), "EVENT#0000000001");
    let step = |expense: &str| world.item(&format!("SUBMISSION#{expense}#1"), "STEP#1");
    let (pending, decided) = (step(&things.submitted), step(&things.decided));
    let report = world.item(&format!("REPORT#{}", things.report), "REPORT");
    let export = world.item(&format!("EXPORT#{}", things.export), "EXPORT");
    let person = world.item(&format!("PERSON#{EMPLOYEE}"), "PROFILE");
    for n in 0..count {
        let date = format!("2026-10-{:02}", n % 28 + 1);
        let expense = format!("exp_{:032x}", 2 * n + 1);
        world.stub.put(another_expense(&draft, 2 * n, &date));
        world.stub.put(another_expense(&submitted, 2 * n + 1, &date));
        world.stub.put(another(&event, &[("EVENT#0000000001", &format!("EVENT#{:010}", n + 2))]));
        world.stub.put(another(&pending, &[(&things.submitted, &expense)]));
        world.stub.put(another(&decided, &[(&things.decided, &expense), ("STEP#1", "STEP#2")]));
        world.stub.put(another(&report, &[(&things.report, &format!("rpt_{n:032x}"))]));
        world.stub.put(another(&export, &[(&things.export, &format!("expt_{n:032x}"))]));
        world.stub.put(another(&person, &[(EMPLOYEE, &format!("{n:08x}-0000-4000-8000-000000000000"))]));
    }
}

/// What each case asks with so many of everything in the table.
async fn costs(count: usize) -> Vec<(f64, usize)> {
    let world = World::new().await;
    let things = Things::new(&world).await;
    fill(&world, &things, count).await;
    let (mut costs, mut wrong) = (Vec::new(), Vec::new());
    for Case { caller, path, query, asked: expected, most_units } in CASES {
        world.stub.take_asked();
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let named: Vec<_> = names.map(|name| things.named(caller, name)).collect();
        let response = world.get(caller, path, &named, query).await;
        let asked = world.stub.take_asked();
        let (told, units, items) =
            (told(&asked), read_units(&asked), asked.iter().map(|asked| asked.items).sum::<usize>());
        if response.status_code != 200 || told != *expected || units > *most_units || items > 610 {
            let status = response.status_code;
            wrong.push(format!(
                "{path} {query:?}: {status}, {told:?}, {units} units, {items} items: {:.200}",
                response.body
            ));
        }
        costs.push((units, items));
    }
    assert!(wrong.is_empty(), "with {count}:\n{}", wrong.join("\n"));
    costs
}

#[tokio::test]
async fn a_read_costs_the_same_with_500_and_with_5_000_of_everything() {
    let (few, many) = (costs(500).await, costs(5_000).await);
    for (Case { path, query, .. }, (few, many)) in CASES.iter().zip(few.iter().zip(&many)) {
        assert_eq!(few.1, many.1, "{path} {query:?}: so many items");
        // Which of the expenses are on the page is not the same: drafts are a little smaller.
        assert!((few.0 - many.0).abs() <= 0.5, "{path} {query:?}: {} and {} read units", few.0, many.0);
    }
}

#[test]
fn every_read_of_the_api_is_among_the_cases() {
    let reads = routes::ROUTES.iter().filter(|(_, operations)| operations.iter().any(|it| it.method == "GET"));
    for path in reads.map(|(path, _)| *path).chain(["/approvals/{link}"]) {
        assert!(CASES.iter().any(|case| case.path == path), "GET {path} is new: say what it asks of the table");
    }
}

#[tokio::test]
async fn a_page_within_the_budget_may_be_empty_and_still_name_a_next_one() {
    let world = World::new().await;
    let like = world.expense_item(&world.draft().await);
    for n in 0..400 {
        world.stub.put(another_expense(&like, n, &format!("2026-10-{:02}", n % 28 + 1)));
    }
    let page = read(&world.get(EMPLOYEE, "/expenses", &[], &[("category", "lodging")]).await);
    assert_eq!(page["expenses"].as_array().unwrap().len(), 0);
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = read(&world.get(EMPLOYEE, "/expenses", &[], &[("category", "lodging"), ("cursor", cursor)]).await);
    assert!(page["next_cursor"].is_null(), "{page}");
}
