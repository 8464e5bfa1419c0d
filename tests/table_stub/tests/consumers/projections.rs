//! The sums, the budgets and the thresholds that are told of.

use std::collections::{BTreeMap, BTreeSet};

use projections::Projections;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use slipstream_common::settings::Settings;
use slipstream_events::Event;
use slipstream_table_stub::{Item, Stub, TABLE};

use crate::{
    gate::{Gate, LINES},
    lives::{Story, refund_taken_back},
    queue::{Invocation, Queue, Tally, each_once, shuffled},
    seeds::go_through,
    services::Services,
};

/// How many seeds shuffle one story.
const SHUFFLES: u64 = 5;

/// The function, on every line.
struct Stage {
    gate: Gate,
    lines: Vec<Projections>,
}

impl Stage {
    fn new() -> Self {
        let gate = Gate::before(Services::on(Stub::detached()));
        let settings = || Settings::of([("TABLE_NAME", TABLE), ("PROJECTIONS_TABLE_NAME", TABLE)]);
        let on = |line| Projections::new(&Stub::sdk_by(gate.client(line)), settings()).unwrap();
        let lines = (0..LINES).map(on).collect();
        Self { gate, lines }
    }

    fn begin(&self, line: usize, batch: Value, _invocation: String) -> Invocation<'_> {
        Box::pin(async move { self.lines[line].handle(batch).await.unwrap() })
    }

    /// A queue, and an empty table to begin with.
    fn queue(&self) -> Queue<'_> {
        self.gate.begin(Services::on(Stub::detached()));
        Queue::new(&self.gate, |line, batch, id| self.begin(line, batch, id))
    }

    fn items(&self) -> Vec<Item> {
        self.gate.with(|services| services.table.items())
    }

    /// The table as one delivery of each event in order leaves it.
    async fn in_order(&self, events: &[Event]) -> Vec<Item> {
        self.queue().in_order(each_once(events, None)).await;
        self.items()
    }

    async fn shuffled(&self, story: &Story, seed: u64) -> (Vec<Item>, Tally) {
        let mut random = StdRng::seed_from_u64(seed);
        let replays = [None, None, None, Some("again")];
        let bodies = shuffled(&story.events, &replays, &replays, &mut random);
        let faults = if random.random_bool(0.5) { random.random_range(1..=2) } else { 0 };
        let mut queue = self.queue();
        queue.deliver(bodies, &mut random, faults).await;
        (self.items(), queue.tally)
    }
}

/// An item's key.
fn key(item: &Item) -> String {
    format!("{} {}", item["PK"]["S"].as_str().unwrap(), item["SK"]["S"].as_str().unwrap())
}

fn whole(item: &Item, name: &str) -> i64 {
    item[name]["N"].as_str().unwrap().parse().unwrap()
}

/// The event in an item of the outbox.
fn event(item: &Item) -> Option<Value> {
    Some(serde_json::from_str(item.get("detail")?["S"].as_str()?).unwrap())
}

/// What the projections' table says, item by item, as text. Left out is
///
/// - until when it is remembered that an event was seen;
/// - a sum of no expenses. Whether one stands there as zeros or not at all depends on whether a version was ever summed up
///   that another has replaced, and nobody is shown a difference (`GET /spend`, `GET /budgets`).
fn state(items: &[Item]) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for item in items.iter().filter(|item| event(item).is_none()) {
        let mut said = item.clone();
        if said["PK"]["S"].as_str().unwrap().starts_with("SEEN#") {
            assert!(said.remove("expires_at").is_some());
        }
        let counts: Vec<_> = said.keys().filter_map(|name| name.strip_suffix("_count")).map(str::to_owned).collect();
        for sum in counts {
            let [count, amount] = ["count", "minor_units"].map(|what| format!("{sum}_{what}"));
            if (whole(&said, &count), whole(&said, &amount)) == (0, 0) {
                said.remove(&count);
                said.remove(&amount);
                if said.len() == 2 {
                    said.clear();
                }
            }
        }
        if !said.is_empty() {
            state.insert(key(item), Value::Object(said).to_string());
        }
    }
    state
}

/// The thresholds told of, by the key of their event.
fn told(items: &[Item]) -> BTreeMap<String, Value> {
    items.iter().filter_map(|item| Some((key(item), event(item)?))).collect()
}

/// The same, without what depends on when each was noticed: because of what, and what was used then.
fn told_at_any_time(items: &[Item]) -> BTreeMap<String, String> {
    let said = |mut event: Value| {
        for name in ["occurred_at", "correlation_id", "causation_id"] {
            event["metadata"].as_object_mut().unwrap().remove(name);
        }
        event["data"].as_object_mut().unwrap().remove("used");
        event.to_string()
    };
    told(items).into_iter().map(|(key, event)| (key, said(event))).collect()
}

/// The keys of the events of every threshold that the sums and the budgets in the table reach.
fn reached(items: &[Item]) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    for budget in items.iter().filter(|item| item["PK"]["S"] == "BUDGETS") {
        let Some(limit) = budget.get("limit").map(|limit| &limit["M"]) else { continue };
        let (category, period) = (budget["SK"]["S"].as_str().unwrap(), limit["period"]["S"].as_str().unwrap());
        let amount: i64 = limit["amount"]["M"]["minor_units"]["N"].as_str().unwrap().parse().unwrap();
        let since = &budget["since"]["S"].as_str().unwrap()[..if period == "month" { 7 } else { 4 }];
        for used in items.iter().filter(|item| item["PK"]["S"] == format!("USED#{category}#{period}")) {
            let (name, currency) = used["SK"]["S"].as_str().unwrap().split_once('#').unwrap();
            for percent in [80, 100] {
                if currency == "EUR" && name >= since && whole(used, "used_minor_units") * 100 >= amount * percent {
                    reached.insert(format!("BUDGET#{category}:{name}:{amount}-EUR:{percent} EVENT#0000000001"));
                }
            }
        }
    }
    reached
}

/// What is wrong with an event of a threshold: it must say what its key says, and of a budget that there was.
fn faults(key: &str, event: &Value, story: &Story) -> Vec<String> {
    let data = &event["data"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let number = |value: &Value| value.as_i64().unwrap();
    let (used, amount) = (number(&data["used"]["minor_units"]), number(&data["budget"]["minor_units"]));
    let said = format!(
        "BUDGET#{}:{}:{amount}-EUR:{} EVENT#0000000001",
        text(&data["category"]),
        text(&data["period"]),
        data["percent"]
    );
    let mut faults = Vec::new();
    if said != key || used * 100 < amount * number(&data["percent"]) {
        faults.push(format!("{key} tells {event}"));
    }
    let is_of = |budget: &Value| {
        budget["version"] == data["budget_version"]
            && budget["category"] == data["category"]
            && budget["limit"]["amount"] == data["budget"]
    };
    let budgets = story.events.iter().map(|event| json!(event)["data"]["budget"].clone());
    if !budgets.into_iter().any(|budget| is_of(&budget)) {
        faults.push(format!("there was no such budget: {event}"));
    }
    faults
}

/// The sums, the budgets and what was seen are those of one delivery in order, byte for byte. So are the thresholds told
/// of where expenses only add to a budget that is set once; where they also take away, it depends on the order whether one
/// is reached on the way, but what is reached in the end is told.
#[test]
fn any_order_and_repetition_lead_to_the_same_sums() {
    let tally = go_through(SHUFFLES, Stage::new, async |stage, group, seeds| {
        let mut tally = Tally::default();
        let story = Story::tell(&mut StdRng::seed_from_u64(group));
        let expected = stage.in_order(&story.events).await;
        for &seed in seeds {
            let (items, done) = stage.shuffled(&story, seed).await;
            assert_eq!(state(&items), state(&expected), "seed {seed}: {story:#?}");
            let told = told(&items);
            if story.steady {
                assert_eq!(told_at_any_time(&items), told_at_any_time(&expected), "seed {seed}: {story:#?}");
            }
            let untold: Vec<_> = reached(&items).into_iter().filter(|key| !told.contains_key(key)).collect();
            assert!(untold.is_empty(), "seed {seed}: {untold:?} of {story:#?}");
            let faults: Vec<_> = told.iter().flat_map(|(key, event)| faults(key, event, &story)).collect();
            assert!(faults.is_empty(), "seed {seed}: {faults:?} of {story:#?}");
            tally += done;
        }
        tally
    });
    println!("{tally:?}");
}

/// What a refund kept from being reached is told when the refund is gone, even if nothing is seen of it but its beginning
/// and its end.
#[tokio::test]
async fn a_refund_that_is_taken_back_is_looked_at() {
    let mut events = refund_taken_back().events;
    let last = events.len() - 1;
    events.swap(last - 1, last);
    let items = Stage::new().in_order(&events).await;
    let told: BTreeSet<_> = told(&items).into_keys().collect();
    assert_eq!(told, reached(&items), "{events:#?}");
    assert!(!told.is_empty());
}
