//! The mails: who gets which, and how often.

use std::collections::{BTreeMap, BTreeSet};

use notifications::Notifications;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use slipstream_common::settings::Settings;
use slipstream_events::{Event, EventBody, ExpenseState};
use slipstream_table_stub::{Item, Stub, TABLE};

use crate::{
    company::{Company, EMPLOYEE, FINANCE, Founder, address},
    gate::{Gate, LINES},
    queue::{Invocation, Queue, Tally, body, shuffled},
    seeds::go_through,
    services::{Mail, Services},
};

/// How many seeds shuffle the events of one company.
const SHUFFLES: u64 = 20;

const SETTINGS: [(&str, &str); 8] = [
    ("TABLE_NAME", TABLE),
    ("NOTIFICATIONS_QUEUE_URL", "http://nowhere.invalid/notifications"),
    // What is due later is the queue's to delay.
    ("MAIL_BATCH_SECONDS", "0"),
    ("MAIL_FEEDBACK_QUEUE_ARN", "arn:aws:sqs:::feedback"),
    ("RECEIPT_BUCKET", "receipts"),
    ("MAIL_FROM", "slipstream@example.com"),
    ("PUBLIC_BASE_URL", "http://public"),
    ("LINKS_REQUIRE_SIGN_IN", "false"),
];

/// The function, on every line.
struct Stage {
    gate: Gate,
    lines: Vec<Notifications>,
    founder: Founder,
}

/// What deliveries have come to.
struct Outcome {
    items: Vec<Item>,
    mails: Vec<Mail>,
    tally: Tally,
}

impl Stage {
    fn new() -> Self {
        let gate = Gate::new();
        let on = |line| Notifications::new(&Stub::sdk_by(gate.client(line)), Settings::of(SETTINGS)).unwrap();
        let lines = (0..LINES).map(on).collect();
        Self { lines, founder: Founder::new(&gate), gate }
    }

    fn begin(&self, line: usize, batch: Value, invocation: String) -> Invocation<'_> {
        Box::pin(async move { self.lines[line].handle(batch, invocation).await.unwrap() })
    }

    async fn outcome(&self, company: &Company, deliver: impl AsyncFnOnce() -> Tally) -> Outcome {
        self.gate.begin(Services::on(company.table.copy()));
        let tally = deliver().await;
        let Services { table, mails, .. } = self.gate.begin(Services::on(Stub::detached()));
        Outcome { items: table.items(), mails, tally }
    }

    async fn in_order(&self, company: &Company) -> Outcome {
        let queue = Queue::new(&self.gate, |line, batch, id| self.begin(line, batch, id));
        let bodies = company.events.iter().map(|event| body(event, None));
        self.outcome(company, async || queue.in_order(bodies).await).await
    }

    async fn shuffled(&self, company: &Company, seed: u64, faults: bool) -> Outcome {
        let mut random = StdRng::seed_from_u64(seed);
        let bodies = shuffled(&company.events, &mut random);
        let faults = if faults { random.random_range(1..=2) } else { 0 };
        let queue = Queue::new(&self.gate, |line, batch, id| self.begin(line, batch, id));
        self.outcome(company, async || queue.deliver(bodies, &mut random, faults).await).await
    }
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value["S"].as_str()).unwrap_or_default()
}

/// The steps of all submissions, each by its name.
fn steps(items: &[Item]) -> BTreeMap<String, &Item> {
    let steps = items.iter().filter(|item| text(item, "SK").starts_with("STEP#"));
    steps.map(|item| (format!("{}.{}", text(item, "submission"), item["step"]["N"].as_str().unwrap()), item)).collect()
}

/// What somebody is to be told, and how often. A step is asked for and confirmed once. Of what was decided its owner is
/// told, and finance of what is theirs, each once per event.
#[derive(Debug, PartialEq, Eq)]
struct Keys(BTreeMap<String, usize>);

impl Keys {
    /// What the events ask for, as the table stands.
    fn expected(company: &Company) -> Self {
        let items = company.table.items();
        let mut keys = BTreeMap::new();
        let mut expect = |key: String| *keys.entry(key).or_insert(0) += 1;
        for (name, step) in steps(&items) {
            let mut waits = text(step, "status") == "pending";
            // Whoever was asked and has left the step pending behind does not wait any more.
            waits &= items.iter().any(|item| {
                let submission = || format!("{}.{}", text(item, "id"), item["submission"]["N"].as_str().unwrap());
                text(item, "SK") == "EXPENSE"
                    && text(item, "status") == "submitted"
                    && submission() == text(step, "submission")
            });
            if waits {
                expect(format!("ask {} for {name}", address(text(step, "approver"))));
            }
            if !text(step, "decided_by").is_empty() && text(step, "disowned_at").is_empty() {
                expect(format!("confirm {} {name}", address(text(step, "decided_by"))));
            }
        }
        let mut reminded = BTreeSet::new();
        for event in &company.events {
            let owner = address(EMPLOYEE);
            if let Some((outcome, expense)) = outcome(event) {
                expect(format!("tell {owner} that {} is {outcome}", expense.id));
            }
            match &event.data {
                EventBody::ExpenseApprovalReminded(data) => {
                    reminded.insert(data.change.approver.to_string());
                }
                EventBody::ReceiptFailed(_) => expect(format!("tell {owner}: Your receipt could not be read")),
                EventBody::ExpenseReopened(data) => {
                    for person in FINANCE {
                        expect(format!("tell {} that {} was not decided by them", address(person), data.expense.id));
                    }
                }
                EventBody::BudgetThresholdReached(data) => {
                    let told = match data.percent {
                        100 => "The budget for travel in 2026-03 is used up".to_owned(),
                        percent => format!("{percent} % of the budget for travel in 2026-03 are used"),
                    };
                    for person in FINANCE {
                        expect(format!("tell {}: {told}", address(person)));
                    }
                }
                _ => {}
            }
        }
        for approver in reminded {
            if steps(&items)
                .values()
                .any(|step| text(step, "status") == "pending" && text(step, "approver") == approver)
            {
                expect(format!("remind {}", address(&approver)));
            }
        }
        Self(keys)
    }
}

/// How the owner is told of an event, if they are.
fn outcome(event: &Event) -> Option<(&'static str, &ExpenseState)> {
    Some(match &event.data {
        EventBody::ExpenseAutoApproved(data) => ("approved", &data.expense),
        EventBody::ExpenseApproved(data) => ("approved", &data.expense),
        EventBody::ExpenseRejected(data) => ("rejected", &data.expense),
        EventBody::ExpenseChangesRequested(data) => ("sent back", &data.expense),
        EventBody::ExpenseSubmissionExpired(data) => ("not decided in time", &data.expense),
        EventBody::ExpenseReopened(data) => ("open again", &data.expense),
        _ => return None,
    })
}

/// What a mail says, by the steps that its link leads to, or by its subject and the expense it names.
fn said(mail: &Mail, items: &[Item]) -> Vec<String> {
    let Mail { to, subject, text: content } = mail;
    let expense = || content.lines().find_map(|line| line.strip_prefix("Expense: "));
    let Some((_, link)) = content.split_once("http://public/approvals/") else {
        return vec![match (subject.split_once(": "), expense()) {
            (Some(("Not their decision", _)), Some(expense)) => {
                format!("tell {to} that {expense} was not decided by them")
            }
            (Some((about, _)), Some(expense)) => {
                format!("tell {to} that {expense} is {}", about.strip_prefix("Expense ").unwrap_or(about))
            }
            _ => format!("tell {to}: {subject}"),
        }];
    };
    let secret = link.lines().next().and_then(|link| link.rsplit('.').next()).unwrap();
    let hash = json!(hex::encode(Sha256::digest(secret)));
    let leads_to = |item: &Item, hashes: &str| {
        item.get(hashes).is_some_and(|hashes| hashes["SS"].as_array().unwrap().contains(&hash))
    };
    let mut keys = Vec::new();
    for (name, step) in steps(items) {
        if leads_to(step, "disown_hashes") {
            keys.push(format!("confirm {to} {name}"));
        }
        if leads_to(step, "link_hashes") {
            match subject.starts_with("Reminder") {
                true => keys.push(format!("remind {to}")),
                false => keys.push(format!("ask {to} for {name}")),
            }
        }
        let expense = text(step, "submission").split('.').next().unwrap();
        let is_covered = keys.last().is_some_and(|key| key.ends_with(&name));
        assert!(!is_covered || content.contains(expense) || content.contains("Report: "), "{name} is not in {mail:?}");
    }
    keys.dedup();
    assert!(!keys.is_empty(), "its link leads nowhere: {mail:?}");
    keys
}

/// What the mails have said, and how many of them said something that was said often enough before.
fn count(mails: &[Mail], items: &[Item], expected: &Keys) -> (Keys, u64) {
    let (mut keys, mut repeated) = (BTreeMap::new(), 0);
    for mail in mails {
        let mut again = false;
        for key in said(mail, items) {
            let times = keys.entry(key.clone()).or_insert(0);
            *times += 1;
            again |= *times > expected.0.get(&key).copied().unwrap_or(0);
        }
        repeated += u64::from(again);
    }
    (Keys(keys), repeated)
}

/// The table as text, item by item. Left out, or told only as being there, is
///
/// - of the guard of a reminder: its day;
/// - of a guard: when it ended, who held its lease and until when, until when it is kept; how often it was begun, unless
///   nobody failed;
/// - of a batch: its id, which is random, and when it was due and sent. What arrives together in one order comes in two mails
///   in another, so that the batches of a person are told as one;
/// - of a step: the hashes of the secrets in its links, which are random, and how many there are: a reminder has one, too;
/// - of a report's submission: when it was mailed.
fn state(items: &[Item], nobody_failed: bool) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    let mut batches: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for item in items {
        let (pk, sk) = (text(item, "PK"), text(item, "SK"));
        let mut said = item.clone();
        let mut key = format!("{pk} {sk}");
        let mut there = |name: &str| {
            if let Some(value) = said.get_mut(name) {
                *value = json!("there");
            }
        };
        if pk.starts_with("DONE#notifications#batch/") {
            assert!(item.contains_key("done_at"), "{item:?}");
            continue;
        } else if pk.starts_with("DONE#") {
            ["done_at", "lease", "expires_at"].into_iter().for_each(&mut there);
            if !nobody_failed {
                there("attempts");
            }
            if let Some((whose, _day)) =
                pk.strip_prefix("DONE#notifications#reminder/").and_then(|key| key.split_once('/'))
            {
                there("PK");
                key = format!("REMINDED {whose}");
            }
        } else if pk.starts_with("BATCH#") {
            assert!(item.contains_key("sent_at") && !item.contains_key("GSI3PK"), "{item:?}");
            let steps =
                item["steps"]["L"].as_array().unwrap().iter().map(|step| step["S"].as_str().unwrap().to_owned());
            batches.entry(format!("{} {}", text(item, "person"), text(item, "kind"))).or_default().extend(steps);
            continue;
        } else if sk.starts_with("STEP#") {
            ["link_hashes", "disown_hashes"].into_iter().for_each(&mut there);
        } else if sk.starts_with("SUBMISSION#") {
            there("mailed_at");
        }
        state.insert(key, Value::Object(said).to_string());
    }
    state.extend(batches.into_iter().map(|(whose, steps)| (format!("BATCHES {whose}"), json!(steps).to_string())));
    state
}

/// What is wrong with what was said, where something may have been said again after each fault.
fn faults(said: &Keys, repeated: u64, expected: &Keys, faults: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, times) in &expected.0 {
        let said = said.0.get(key).copied().unwrap_or(0);
        // Whoever was reminded of a step has a link to it, and is not asked for it again.
        let reminded = key.strip_prefix("ask ").and_then(|key| key.split(' ').next());
        let reminded = reminded.is_some_and(|approver| expected.0.contains_key(&format!("remind {approver}")));
        if said < *times && !reminded {
            wrong.push(format!("{key}: {said} times"));
        }
    }
    wrong.extend(said.0.keys().filter(|key| !expected.0.contains_key(*key)).map(|key| format!("{key}: unasked")));
    if repeated > faults {
        wrong.push(format!("{repeated} mails said something again, after {faults} faults"));
    }
    wrong
}

#[derive(Debug, Default)]
struct Sum {
    tally: Tally,
    mails: usize,
    repeated: u64,
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.tally += other.tally;
        self.mails += other.mails;
        self.repeated += other.repeated;
    }
}

fn go(with_faults: bool) {
    let sum = go_through(SHUFFLES, Stage::new, async |stage, group, seeds| {
        let mut sum = Sum::default();
        let company = stage.founder.found(&mut StdRng::seed_from_u64(group)).await;
        let expected = Keys::expected(&company);
        let reference = stage.in_order(&company).await;
        let (said, repeated) = count(&reference.mails, &reference.items, &expected);
        assert_eq!(faults(&said, repeated, &expected, 0), [""; 0], "in order: {company:?}");
        for &seed in seeds {
            let Outcome { items, mails, tally } = stage.shuffled(&company, seed, with_faults).await;
            let (said, repeated) = count(&mails, &items, &expected);
            let wrong = faults(&said, repeated, &expected, tally.faults);
            assert!(wrong.is_empty(), "seed {seed}: {wrong:#?} in {mails:#?} of {company:?}");
            let nobody_failed = tally.faults == 0;
            let differs = state(&items, nobody_failed) != state(&reference.items, nobody_failed);
            assert!(!differs, "seed {seed}: {:#?} of {company:?}", difference(&items, &reference.items));
            sum += Sum { tally, mails: mails.len(), repeated };
        }
        sum
    });
    println!("{sum:?}");
}

/// The items that differ.
fn difference(one: &[Item], other: &[Item]) -> Vec<(Option<String>, Option<String>)> {
    let [one, other] = [one, other].map(|items| state(items, true));
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let pairs = keys.into_iter().map(|key| (one.get(key).cloned(), other.get(key).cloned()));
    pairs.filter(|(one, other)| one != other).collect()
}

/// Where nobody dies, everybody gets every mail once.
#[test]
fn any_order_and_repetition_lead_to_one_mail() {
    go(false);
}

/// Where an invocation dies, or is not answered, one mail may come again; none is missing.
#[test]
fn a_death_repeats_one_mail_at_most() {
    go(true);
}
