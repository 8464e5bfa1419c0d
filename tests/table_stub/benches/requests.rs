//! How much of a request's time is our own: the functions behind the API, in a process of their own, one request after
//! the other as in a Lambda instance, against the stub of the table in another.
//!
//!     cargo bench -p slipstream-table-stub
//!
//! Each figure stands beside that of a bare `GetItem` by the same SDK against the same stub in the same run: ratios can be
//! compared between machines, and what a request costs beyond its calls is ours. Instructions are counted by Valgrind's
//! cachegrind, where it is installed: they hardly depend on what else the machine does. See
//! `docs/decisions/0032-own-code-against-a-stub.md`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it is a measurement, run by hand")]

#[path = "../tests/costs/world.rs"]
#[expect(dead_code, reason = "the tests of the costs use more of it")]
mod world;

use std::{
    env,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use slipstream_common::{keys, table::Table};
use slipstream_table_stub::{TABLE, sdk};

use crate::world::{EMPLOYEE, Functions, MANAGER, Things, World, another_expense, event};

/// How many expenses there are.
const EXPENSES: usize = 10_000;
/// How many requests are timed.
const TIMED: usize = 3_000;
/// How many go before, until connections and caches are as they stay.
const BEFORE: usize = 300;
/// Between how many requests instructions are compared: the difference is that of the requests alone.
const COUNTED: [usize; 2] = [20, 120];

/// A kind of request.
struct Case {
    name: &'static str,
    caller: &'static str,
    method: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
    body: fn() -> Value,
}

const fn read(
    name: &'static str,
    caller: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
) -> Case {
    Case { name, caller, method: "GET", path, query, body: || Value::Null }
}

const CASES: &[Case] = &[
    read("read an expense", EMPLOYEE, "/expenses/{expense_id}", &[]),
    read("list 25 expenses", EMPLOYEE, "/expenses", &[]),
    read("list 100 expenses", EMPLOYEE, "/expenses", &[("limit", "100")]),
    read("sift 300 expenses, keep none", EMPLOYEE, "/expenses", &[("category", "lodging")]),
    read("see the report of two", EMPLOYEE, "/reports/{report_id}", &[]),
    read("list what waits for a decision", MANAGER, "/approvals", &[]),
    Case {
        name: "draft an expense",
        caller: EMPLOYEE,
        method: "POST",
        path: "/expenses",
        query: &[],
        body: || {
            json!({ "details": {
                "merchant": "Gasthaus Krone", "date": "2026-10-05", "category": "meals",
                "amount": {"minor_units": 2340, "currency": "EUR"}, "note": "With the two of the other office",
            } })
        },
    },
    Case {
        name: "edit an expense",
        caller: EMPLOYEE,
        method: "PATCH",
        path: "/expenses/{expense_id}",
        query: &[],
        body: || json!({ "details": { "note": "Also with the third" } }),
    },
];
/// The bare call that all of them are compared with.
const BARE: &str = "a bare GetItem";

/// What a process of its own found of a case: seconds per request, of the fastest half at most, of 99 in 100 at most.
struct Times {
    mean: f64,
    median: f64,
    p99: f64,
}

/// Sends so many requests of a case, one after the other; how long each took.
fn requests(url: &str, case: &str, event: &Value, before: usize, count: usize) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sdk = sdk(url);
        let (functions, table) = (Functions::new(&sdk), Table::new(&sdk, TABLE));
        let profile = keys::person(EMPLOYEE.parse().unwrap());
        let mut times = Vec::with_capacity(count);
        for n in 0..before + count {
            let event = event.clone();
            let began = Instant::now();
            if case == BARE {
                let found: Option<Value> = table.get(&profile).await.unwrap();
                assert!(found.is_some());
            } else {
                let response = functions.handle(event).await;
                assert!(response.status_code < 300, "{}", response.body);
            }
            if n >= before {
                times.push(began.elapsed());
            }
        }
        times
    })
}

/// This program once more, as the process that sends requests; with a program that watches it, if any.
fn client(watcher: &[&str], url: &str, case: &str, event: &Value, before: usize, count: usize) -> Option<Command> {
    let program = env::current_exe().ok()?;
    let mut command = match watcher {
        [] => Command::new(program),
        [watcher, arguments @ ..] => {
            let mut command = Command::new(watcher);
            command.args(arguments).arg(program);
            command
        }
    };
    command.args(["client", url, case, &event.to_string(), &before.to_string(), &count.to_string()]);
    command.stdin(Stdio::null());
    Some(command)
}

fn timed(url: &str, case: &str, event: &Value) -> Times {
    let output = client(&[], url, case, event, BEFORE, TIMED).unwrap().output().unwrap();
    assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
    let mut times: Vec<f64> = serde_json::from_slice(&output.stdout).unwrap();
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / f64::from(u32::try_from(times.len()).unwrap());
    Times { mean, median: times[times.len() / 2], p99: times[times.len() * 99 / 100] }
}

/// The instructions of one request; `None` without Valgrind.
fn instructions(url: &str, case: &str, event: &Value) -> Option<f64> {
    let watcher = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"];
    let mut counts = [0.0; 2];
    for (count, requests) in counts.iter_mut().zip(COUNTED) {
        let output = client(&watcher, url, case, event, 0, requests)?.output().ok()?;
        assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let refs = told.lines().find_map(|line| line.split_once("I   refs:").or_else(|| line.split_once("I refs:")))?.1;
        *count = refs.trim().replace(',', "").parse().ok()?;
    }
    Some((counts[1] - counts[0]) / f64::from(u32::try_from(COUNTED[1] - COUNTED[0]).unwrap()))
}

/// How many calls of the table and of the buckets a request makes.
async fn calls(world: &World, event: &Value) -> usize {
    world.stub.take_asked();
    let response = Functions::new(&world.stub.sdk()).handle(event.clone()).await;
    assert!(response.status_code < 300, "{}", response.body);
    world.stub.take_asked().len()
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, url, case, event, before, count] = &arguments[..]
        && role == "client"
    {
        let event = serde_json::from_str(event).unwrap();
        let times = requests(url, case, &event, before.parse().unwrap(), count.parse().unwrap());
        println!("{}", json!(times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>()));
        return;
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let things = runtime.block_on(Things::new(&world));
    let like = world.expense_item(&things.draft);
    for n in 0..EXPENSES {
        world.stub.put(another_expense(&like, n, &format!("2026-10-{:02}", n % 28 + 1)));
    }
    let url = &world.stub.url;
    let bare = (timed(url, BARE, &Value::Null), instructions(url, BARE, &Value::Null));
    println!(
        "{EXPENSES} expenses; each request after the one before. Beside each figure: how many bare GetItems it is.\n"
    );
    println!("| Request | Calls | Requests/s | Median µs | p99 µs | Instructions |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let row = |name: &str, calls: usize, times: &Times, instructions: Option<f64>| {
        let beside = |value: f64, bare: f64| format!("{value:.0} ({:.1})", value / bare);
        let counted = instructions
            .zip(bare.1)
            .map_or("–".to_owned(), |(count, bare)| format!("{:.2} million ({:.1})", count / 1e6, count / bare));
        println!(
            "| {name} | {calls} | {:.0} | {} | {} | {counted} |",
            1.0 / times.mean,
            beside(times.median * 1e6, bare.0.median * 1e6),
            beside(times.p99 * 1e6, bare.0.p99 * 1e6),
        );
    };
    row(BARE, 1, &bare.0, bare.1);
    for case in CASES {
        let names = case.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let named: Vec<_> = names.map(|name| things.named(case.caller, name)).collect();
        let event = event(case.caller, case.method, case.path, &named, case.query, &[], &(case.body)());
        let calls = runtime.block_on(calls(&world, &event));
        row(case.name, calls, &timed(url, case.name, &event), instructions(url, case.name, &event));
    }
    if bare.1.is_none() {
        println!("\nInstructions are not counted: there is no Valgrind here.");
    }
}
