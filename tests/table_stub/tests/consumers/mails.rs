//! The mails: who gets which, and how often.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::AddAssign,
};

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
    queue::{Invocation, Queue, Tally, each_once, shuffled},
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

/// The replays by which an operator has mails sent again: one, and the one that goes on with it. What comes by another
/// replay mails nobody.
const RESENDING: [&str; 2] = ["morning.resend", "morning.2.resend"];

/// The function, on every line.
struct Stage {
    gate: Gate,
    lines: Vec<Notifications>,
    founder: Founder,
}

/// What deliveries have come to.
struct Outcome {
    items: Vec<Item>,
    /// What was sent at first; and, if mails are sent again, what was sent then.
    rounds: Vec<Round>,
    tally: Tally,
}

/// The mails that were sent, and how many calls failed meanwhile.
struct Round {
    mails: Vec<Mail>,
    faults: u64,
}

impl Stage {
    fn new() -> Self {
        let gate = Gate::before(Services::on(Stub::detached()));
        let on = |line| Notifications::new(&Stub::sdk_by(gate.client(line)), Settings::of(SETTINGS)).unwrap();
        let lines = (0..LINES).map(on).collect();
        Self { lines, founder: Founder::new(&gate), gate }
    }

    fn begin(&self, line: usize, batch: Value, invocation: String) -> Invocation<'_> {
        Box::pin(async move { self.lines[line].handle(batch, invocation).await.unwrap() })
    }

    /// A queue, and the company's table to begin with.
    fn queue(&self, company: &Company) -> Queue<'_> {
        self.gate.begin(Services::on(company.table.copy()));
        Queue::new(&self.gate, |line, batch, id| self.begin(line, batch, id))
    }

    /// Ends a round of deliveries.
    fn round(&self, queue: &Queue<'_>, before: &[Round]) -> Round {
        let mails = self.gate.with(|services| std::mem::take(&mut services.mails));
        Round { mails, faults: queue.tally.faults - before.iter().map(|round| round.faults).sum::<u64>() }
    }

    fn outcome(&self, rounds: Vec<Round>, tally: Tally) -> Outcome {
        Outcome { items: self.gate.with(|services| services.table.items()), rounds, tally }
    }

    /// What one delivery of each event in order comes to; and, if mails are sent `again`, another.
    async fn in_order(&self, company: &Company, again: bool) -> Outcome {
        let (mut queue, mut rounds) = (self.queue(company), Vec::new());
        for replay in [None, Some(RESENDING[0])].into_iter().take(1 + usize::from(again)) {
            queue.in_order(each_once(&company.events, replay)).await;
            rounds.push(self.round(&queue, &rounds));
        }
        self.outcome(rounds, queue.tally)
    }

    async fn shuffled(&self, company: &Company, again: bool, faults: bool, random: &mut StdRng) -> Outcome {
        let (mut queue, mut rounds) = (self.queue(company), Vec::new());
        let resending = RESENDING.map(Some);
        let first: (&[_], &[_]) = (&[None], &[None, None, Some("rebuilding")]);
        let then: (&[_], &[_]) = (&resending, &resending);
        for (replays, others) in [first, then].into_iter().take(1 + usize::from(again)) {
            let bodies = shuffled(&company.events, replays, others, random);
            let faults = if faults { random.random_range(1..=2) } else { 0 };
            queue.deliver(bodies, random, faults).await;
            rounds.push(self.round(&queue, &rounds));
        }
        self.outcome(rounds, queue.tally)
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

/// What somebody is to be told, and how often at least and at most. A step is asked for and confirmed once. Of what was
/// decided its owner is told, and finance of what is theirs, each once per event.
type Expected = BTreeMap<String, (usize, usize)>;

/// What the events ask for, as the table stands; or what of it is to be mailed `again`: all but reminders.
fn expected(company: &Company, again: bool) -> Expected {
    let items = company.table.items();
    let mut expected = Expected::new();
    let mut expect = |key: String, least: usize, most: usize| {
        let times = expected.entry(key).or_default();
        *times = (times.0 + least, times.1 + most);
    };
    let mut reminded = BTreeSet::new();
    for event in &company.events {
        let owner = address(EMPLOYEE);
        let mut tell = |key: String| expect(key, 1, 1);
        if let Some((outcome, expense)) = outcome(event) {
            tell(format!("tell {owner} that {} is {outcome}", expense.id));
        }
        match &event.data {
            EventBody::ExpenseApprovalReminded(data) if !again => {
                reminded.insert(data.change.approver.to_string());
            }
            EventBody::ReceiptFailed(_) => tell(format!("tell {owner}: Your receipt could not be read")),
            EventBody::ExpenseReopened(data) => {
                for person in FINANCE {
                    tell(format!("tell {} that {} was not decided by them", address(person), data.expense.id));
                }
            }
            EventBody::BudgetThresholdReached(data) => {
                let told = match data.percent {
                    100 => "The budget for travel in 2026-03 is used up".to_owned(),
                    percent => format!("{percent} % of the budget for travel in 2026-03 are used"),
                };
                for person in FINANCE {
                    tell(format!("tell {}: {told}", address(person)));
                }
            }
            _ => {}
        }
    }
    let mut reminders = BTreeSet::new();
    for (name, step) in steps(&items) {
        let (approver, decider) = (text(step, "approver"), text(step, "decided_by"));
        // A submission that ended leaves no step pending.
        if text(step, "status") == "pending" {
            // Whoever was reminded of a step has a link to it, and need not be asked for it.
            let is_reminded = reminded.contains(approver);
            expect(format!("ask {} for {name}", address(approver)), usize::from(!is_reminded), 1);
            if is_reminded && reminders.insert(approver) {
                expect(format!("remind {}", address(approver)), 1, 1);
            }
        }
        if !decider.is_empty() && text(step, "disowned_at").is_empty() {
            expect(format!("confirm {} {name}", address(decider)), 1, 1);
        }
    }
    expected
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

/// What is wrong with the mails of a round where after each fault one may have come again; and how many have.
fn judge(round: &Round, items: &[Item], expected: &Expected) -> (Vec<String>, u64) {
    let mut times: BTreeMap<String, usize> = expected.keys().map(|key| (key.clone(), 0)).collect();
    let (mut wrong, mut repeated) = (Vec::new(), 0);
    for mail in &round.mails {
        let mut is_repeated = false;
        for key in said(mail, items) {
            let Some(times) = times.get_mut(&key) else {
                wrong.push(format!("{key}: nobody asked for that"));
                continue;
            };
            *times += 1;
            is_repeated |= *times > expected[&key].1;
        }
        repeated += u64::from(is_repeated);
    }
    for (key, times) in times {
        let (least, _) = expected[&key];
        if times < least {
            wrong.push(format!("{key}: {times} times of {least}"));
        }
    }
    if repeated > round.faults {
        wrong.push(format!("{repeated} mails came again, after {} faults", round.faults));
    }
    (wrong, repeated)
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

/// What there was, over all seeds.
#[derive(Debug, Default)]
struct Sum {
    tally: Tally,
    mails: usize,
    repeated: u64,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.tally += other.tally;
        self.mails += other.mails;
        self.repeated += other.repeated;
    }
}

/// Has the events of companies delivered in any order, to invocations of which some may fail.
fn deliver(with_faults: bool) {
    let sum = go_through(SHUFFLES, Stage::new, async |stage, group, seeds| {
        let mut sum = Sum::default();
        let mut random = StdRng::seed_from_u64(group);
        let company = stage.founder.found(&mut random).await;
        let again = random.random_bool(0.2);
        let expected = [false, true].map(|again| expected(&company, again));
        let in_order = stage.in_order(&company, again).await;
        for (round, expected) in in_order.rounds.iter().zip(&expected) {
            assert_eq!(judge(round, &in_order.items, expected), (Vec::new(), 0), "in order: {company:?}");
        }
        for &seed in seeds {
            let outcome = stage.shuffled(&company, again, with_faults, &mut StdRng::seed_from_u64(seed)).await;
            for (round, expected) in outcome.rounds.iter().zip(&expected) {
                let (wrong, repeated) = judge(round, &outcome.items, expected);
                assert!(wrong.is_empty(), "seed {seed}: {wrong:#?} in {:#?} of {company:?}", round.mails);
                sum += Sum { mails: round.mails.len(), repeated, ..Sum::default() };
            }
            let nobody_failed = outcome.tally.faults == 0;
            let [one, other] = [&outcome, &in_order].map(|outcome| state(&outcome.items, nobody_failed));
            assert_eq!(difference(&one, &other), [], "seed {seed}: {company:?}");
            sum += Sum { tally: outcome.tally, ..Sum::default() };
        }
        sum
    });
    println!("{sum:?}");
}

/// The items that differ.
fn difference<'a>(
    one: &'a BTreeMap<String, String>,
    other: &'a BTreeMap<String, String>,
) -> Vec<(Option<&'a String>, Option<&'a String>)> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    keys.into_iter().map(|key| (one.get(key), other.get(key))).filter(|(one, other)| one != other).collect()
}

/// Where nobody dies, everybody gets every mail once; and once more if an operator has mails sent again.
#[test]
fn any_order_and_repetition_lead_to_one_mail() {
    deliver(false);
}

/// Where an invocation dies, or is not answered, one mail may come again; none is missing.
#[test]
fn a_death_repeats_one_mail_at_most() {
    deliver(true);
}
