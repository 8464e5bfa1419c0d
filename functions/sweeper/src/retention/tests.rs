use std::collections::BTreeSet;

use jiff::SignedDuration;
use slipstream_common::{
    bus::EventBridge,
    execution::Executions,
    records::{ClaimRecord, StepRecord, StepStatus},
    reports::{ReportRecord, add_report_change},
    store::{Store, add_receipt_change},
    table::Table,
};
use slipstream_domain::{
    expense::{Command, Decision},
    split::{self, Part},
};
use slipstream_events::{
    Actor, Category, Cause, Drafted, EventBody, ExpenseDetails, MediaType, Money, ReceiptAnnounced, ReceiptState,
    ReceiptStatus, ReportCreated, ReportState, SecondLevel,
};
use slipstream_table_stub::{Fault, Stub, TABLE};

use super::*;

const DAYS: i32 = 3650;
const OWNER: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
const APPROVER: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12";

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    format!("{text}T12:00:00Z").parse().unwrap()
}

fn cause(on: &str) -> Cause {
    Cause { actor: Actor::Person { id: id(OWNER) }, at: at(on), correlation_id: id("c"), causation_id: None }
}

fn sweeper(stub: &Stub) -> Sweeper {
    let sdk = stub.sdk();
    Sweeper {
        store: Store::new(Table::new(&sdk, TABLE)),
        projections: Table::new(&sdk, TABLE),
        bus: EventBridge::new(&sdk, "no-bus"),
        executions: Executions::new(&sdk),
        s3: aws_sdk_s3::Client::new(&sdk),
        sqs: aws_sdk_sqs::Client::new(&sdk),
        state_machine: String::new(),
        receipt_queue: String::new(),
        exports_queue: String::new(),
        notifications_queue: String::new(),
        bucket: String::new(),
        grace: SignedDuration::ZERO,
        retention_days: DAYS,
    }
}

/// A receipt that was announced on a day.
async fn receipt(store: &Store, name: &str, on: &str) -> ReceiptId {
    let state = ReceiptState {
        id: ReceiptId::derived_from(&[name]),
        version: 1,
        owner: id(OWNER),
        status: ReceiptStatus::Read,
        sha256: name.to_owned(),
        size_bytes: 1,
        media_type: MediaType::Jpeg,
        failure: None,
        expense: None,
        created_at: at(on),
    };
    let record = serde_json::json!({ "correlation_id": "c", "announced_at": at(on) });
    let mut record = record.as_object().unwrap().clone();
    record.extend(serde_json::to_value(&state).unwrap().as_object().unwrap().clone());
    let record = serde_json::from_value(record.into()).unwrap();
    let body = EventBody::ReceiptAnnounced(Box::new(ReceiptAnnounced { receipt: state.clone() }));
    let mut transaction = Transaction::default();
    add_receipt_change(&mut transaction, &record, Condition::absent(), body, &cause(on)).unwrap();
    store.table.commit(transaction).await.unwrap();
    state.id
}

async fn report(store: &Store, name: &str, on: &str) -> ReportId {
    let state = ReportState {
        id: ReportId::derived_from(&[name]),
        version: 1,
        owner: id(OWNER),
        title: name.to_owned(),
        submission: 0,
        submitted_at: None,
        created_at: at(on),
        updated_at: at(on),
    };
    let (record, body) = (
        ReportRecord { state: state.clone(), joins: 0 },
        EventBody::ReportCreated(Box::new(ReportCreated { report: state.clone() })),
    );
    let mut transaction = Transaction::default();
    add_report_change(&mut transaction, None, &record, body, &cause(on)).unwrap();
    store.table.commit(transaction).await.unwrap();
    state.id
}

async fn drafted(
    store: &Store,
    name: &str,
    receipt: Option<ReceiptId>,
    report: Option<ReportId>,
    on: &str,
) -> ExpenseId {
    let expense = ExpenseId::derived_from(&[name]);
    let details = ExpenseDetails {
        merchant: Some(name.to_owned()),
        date: Some(at(on).to_zoned(jiff::tz::TimeZone::UTC).date()),
        amount: Some(Money::new(2340, "EUR".parse().unwrap())),
        category: Some(Category::Meals),
        report,
        ..ExpenseDetails::default()
    };
    let receipt_sha256 = receipt.map(|receipt| receipt.to_string());
    let drafted =
        Drafted { id: expense, owner: id(OWNER), details, receipt, receipt_sha256, review: vec![], split: None };
    store.change_expense(expense, &cause(on), &Command::Draft(Box::new(drafted))).await.unwrap();
    expense
}

async fn submitted(store: &Store, expense: ExpenseId, number: u32, on: &str) {
    let submit = Command::Submit { policy_version: 0, findings: vec![], converted: None };
    store.change_expense(expense, &cause(on), &submit).await.unwrap();
    let submission = SubmissionId { expense, number };
    let step = StepRecord {
        submission,
        step: 1,
        approver: id(APPROVER),
        status: StepStatus::Decided,
        asked_at: None,
        due_at: at(on),
        remind_at: None,
        escalate_at: None,
        levels: 1,
        second_level: SecondLevel::Finance,
        passed_over: vec![],
        task_token: "t".to_owned(),
        link_hashes: vec![],
        former_link_hashes: vec![],
        disown_hashes: vec![],
        outcome: None,
        decided_by: None,
        decided_at: None,
        disowned_at: None,
    };
    let claim = ClaimRecord { execution: "e".to_owned(), restarts: 0, restarted_at: None };
    store.table.put(&keys::step(submission, 1), step.to_item().unwrap()).await.unwrap();
    store.table.put(&keys::claim(submission), item(&claim, []).unwrap()).await.unwrap();
}

async fn approved(store: &Store, expense: ExpenseId, submission: u32, on: &str) {
    let decision = Decision::Approve { comment: None };
    let decide = Command::Decide { submission, step: 1, by: id(APPROVER), decision, more_to_ask: false };
    store.change_expense(expense, &cause(on), &decide).await.unwrap();
}

/// What outlived the term on 2026-03-20, and what has not.
async fn world() -> (Stub, BTreeSet<String>) {
    let stub = Stub::start().unwrap();
    let store = Store::new(Table::new(&stub.sdk(), TABLE));
    // Kept: it was approved on the last day that counts. So are its report and its receipt.
    let young_report = report(&store, "young", "2026-01-01").await;
    let young_receipt = receipt(&store, "young", "2026-01-01").await;
    let young = drafted(&store, "young", Some(young_receipt), Some(young_report), "2026-01-01").await;
    submitted(&store, young, 1, "2026-01-02").await;
    approved(&store, young, 1, "2026-01-05").await;
    // Kept: somebody is asked about it. And what is no expense.
    let asked = drafted(&store, "asked", None, None, "2026-01-01").await;
    submitted(&store, asked, 1, "2026-01-02").await;
    let person = serde_json::json!({ "id": OWNER, "version": 0, "active": true, "email": "emma@example.com" });
    store.write_person(None, serde_json::from_value(person).unwrap(), &cause("2026-01-01")).await.unwrap();
    let kept = keys_of(&stub);
    // The receipt and the report are older than the expense that has them; nobody has the second ones.
    let old_report = report(&store, "old", "2026-01-01").await;
    let old_receipt = receipt(&store, "old", "2026-01-01").await;
    let old = drafted(&store, "old", Some(old_receipt), Some(old_report), "2026-01-02").await;
    submitted(&store, old, 1, "2026-01-02").await;
    store.change_expense(old, &cause("2026-01-03"), &Command::Withdraw).await.unwrap();
    submitted(&store, old, 2, "2026-01-03").await;
    approved(&store, old, 2, "2026-01-04").await;
    report(&store, "empty", "2026-01-01").await;
    receipt(&store, "never used", "2026-01-01").await;
    drafted(&store, "forgotten", None, None, "2026-01-01").await;
    stub.take_asked();
    (stub, kept)
}

/// The keys of everything but the sweep's own mark.
fn keys_of(stub: &Stub) -> BTreeSet<String> {
    let key = |item: &slipstream_table_stub::Item| format!("{}/{}", item["PK"]["S"], item["SK"]["S"]);
    stub.items().iter().map(key).filter(|key| !key.contains("SWEEP")).collect()
}

/// The day on which what changed on 2026-01-04 has outlived the term, and what changed on the next has not.
fn today() -> Timestamp {
    at("2026-01-05") + SignedDuration::from_hours(24 * i64::from(DAYS))
}

#[tokio::test]
async fn what_has_outlived_the_term_goes_and_nothing_else() {
    let (stub, kept) = world().await;
    let sweeper = sweeper(&stub);
    assert_eq!(sweeper.expire(at("2026-01-01")).await.unwrap(), 0, "the term is not over");
    assert_ne!(keys_of(&stub), kept);
    let erased = sweeper.expire(today()).await.unwrap();
    assert_eq!(keys_of(&stub), kept);
    assert_eq!(erased, 4, "two expenses, a receipt and a report; two more went with an expense");
    // The days are behind: nothing is asked about them again.
    stub.take_asked();
    assert_eq!(sweeper.expire(today()).await.unwrap(), 0);
    let asked: Vec<_> = stub.take_asked().into_iter().map(|asked| asked.operation).collect();
    assert_eq!(asked, ["GetItem"]);
    // The next day the young one goes, with what stayed because of it.
    assert_eq!(sweeper.expire(today() + SignedDuration::from_hours(24)).await.unwrap(), 1);
    let left = keys_of(&stub);
    assert!(left.iter().all(|key| key.contains("PERSON") || key.contains(&asked_about())), "{left:?}");
}

/// Of a split the first part has the receipt: both stay as long as another part does, and go with it.
#[tokio::test]
async fn the_first_part_of_a_split_goes_with_the_last_of_the_others() {
    let stub = Stub::start().unwrap();
    let sweeper = sweeper(&stub);
    let store = &sweeper.store;
    let receipt = receipt(store, "split", "2026-01-01").await;
    let first = drafted(store, "split", Some(receipt), None, "2026-01-01").await;
    let whole = store.expense(first).await.unwrap().unwrap();
    let part = |minor_units| Part {
        amount: Money::new(minor_units, "EUR".parse().unwrap()),
        category: None,
        cost_centre: None,
        project: None,
        note: None,
        paid_by: None,
    };
    let plan = split::plan(&whole, vec![part(1000), part(1340)], None).unwrap();
    store.change_expense(first, &cause("2026-01-02"), &Command::SplitUp(Box::new(plan.first))).await.unwrap();
    let other = plan.others.into_iter().next().unwrap();
    let second = other.id;
    store.change_expense(second, &cause("2026-01-02"), &Command::Draft(Box::new(other))).await.unwrap();
    submitted(store, second, 1, "2026-01-03").await;
    approved(store, second, 1, "2026-01-05").await;
    let before = keys_of(&stub);
    assert_eq!(sweeper.expire(today()).await.unwrap(), 0);
    assert_eq!(keys_of(&stub), before);
    assert_eq!(store.receipt_use(receipt).await.unwrap(), Some(first));
    assert_eq!(sweeper.expire(today() + SignedDuration::from_hours(24)).await.unwrap(), 1);
    assert_eq!(keys_of(&stub), BTreeSet::new());
}

fn asked_about() -> String {
    ExpenseId::derived_from(&["asked"]).to_string()
}

#[tokio::test]
async fn a_sweep_may_die_at_any_call() {
    let (stub, _) = world().await;
    sweeper(&stub).expire(today()).await.unwrap();
    let calls = stub.take_asked().len();
    assert!(calls > 40, "{calls}");
    let (before, kept) = world().await;
    for at in 0..calls {
        for has_effect in [false, true] {
            let stub = Stub::start().unwrap();
            before.items().into_iter().for_each(|item| stub.put(item));
            let sweeper = sweeper(&stub);
            stub.fail(Fault { after: at, has_effect });
            let died = sweeper.expire(today()).await;
            assert!(died.is_err(), "call {at} was to fail");
            sweeper.expire(today()).await.unwrap();
            assert_eq!(keys_of(&stub), kept, "call {at}, with an effect: {has_effect}");
        }
    }
}

#[tokio::test]
async fn what_lives_again_at_this_very_moment_stays() {
    let (stub, _) = world().await;
    let sweeper = sweeper(&stub);
    let old = ExpenseId::derived_from(&["old"]);
    // It is paid out after the sweep has read its events.
    let reimburse = Command::Reimburse { by: id(APPROVER), reference: None };
    let latest = sweeper.store.history(old).await.unwrap().pop().unwrap();
    sweeper.store.change_expense(old, &cause("2036-01-01"), &reimburse).await.unwrap();
    let kept_from = day_of(today());
    assert!(!sweeper.expire_expense(old, &latest, kept_from).await.unwrap());
    assert!(sweeper.store.expense(old).await.unwrap().is_some());
    assert_eq!(sweeper.store.history(old).await.unwrap().len(), 6);
}
