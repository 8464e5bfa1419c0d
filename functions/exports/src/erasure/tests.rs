use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};
use slipstream_common::{
    records::HabitRecord,
    reports::{add_report_change, add_report_deletion},
    store::add_receipt_change,
    table::Table,
    visible,
};
use slipstream_domain::{
    expense::Command,
    split::{self, Part},
};
use slipstream_events::{
    Actor, Category, Cause, Drafted, EventBody, ExpenseDetails, MediaType, Money, ReceiptAnnounced, ReceiptState,
    ReportCreated, ReportId, ReportState,
};
use slipstream_table_stub::{Fault, Stub, TABLE};

use super::*;
use crate::{
    accounts::Accounts,
    assembly::Checkpoint,
    bucket::Bucket,
    record::{Kind, Scope, Status as ExportStatus, Wanted},
    worker::Queue,
};

mod services;

use services::Services;

const EMMA: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
const COLLEAGUE: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12";
const ADMINISTRATOR: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a13";
const TERMS: Terms = Terms { receipt_days: 3650, archive_days: 400, log_days: 30, ticket_seconds: 900 };

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn cause(person: &str) -> Cause {
    Cause { actor: Actor::Person { id: id(person) }, at: Timestamp::now(), correlation_id: id("c"), causation_id: None }
}

/// The function's worker, the table it works on, and all other services.
struct World {
    stub: Stub,
    services: Services,
    worker: Worker,
}

impl World {
    fn empty() -> Self {
        let (stub, services) = (Stub::start().unwrap(), Services::start());
        let sdk = stub.sdk().into_builder().endpoint_url(&services.url).build();
        let worker = Worker {
            store: Store::new(Table::new(&stub.sdk(), TABLE)),
            receipts: Bucket::new(&sdk, "receipts".to_owned()),
            exports: Bucket::new(&sdk, "exports".to_owned()),
            accounts: Accounts::new(&sdk, "pool".to_owned()),
            queue: Queue::new(&sdk, format!("{}/queue", services.url)),
            max_receives: 5,
        };
        Self { stub, services, worker }
    }

    /// Like another one, with its items and objects.
    fn like(other: &Self) -> Self {
        let world = Self::empty();
        other.stub.items().into_iter().for_each(|item| world.stub.put(item));
        other.services.objects().into_iter().for_each(|object| world.services.put(&object));
        world
    }

    async fn person(&self, person: &str, roles: &[&str]) {
        let record = json!({
            "id": person, "version": 0, "active": true, "roles": roles, "email": format!("{person}@example.com"), "name": "N",
        });
        self.worker.store.write_person(None, serde_json::from_value(record).unwrap(), &cause(person)).await.unwrap();
    }

    /// A receipt with these files.
    async fn receipt(&self, owner: &str, name: &str, status: ReceiptStatus, files: &[&str]) -> ReceiptId {
        let state = ReceiptState {
            id: ReceiptId::derived_from(&[owner, name]),
            version: 1,
            owner: id(owner),
            status,
            sha256: name.to_owned(),
            size_bytes: 1,
            media_type: MediaType::Jpeg,
            failure: None,
            expense: None,
            created_at: Timestamp::now(),
        };
        let mut record = serde_json::to_value(&state).unwrap();
        record["correlation_id"] = "c".into();
        record["announced_at"] = json!(state.created_at);
        let record: ReceiptRecord = serde_json::from_value(record).unwrap();
        let body = EventBody::ReceiptAnnounced(Box::new(ReceiptAnnounced { receipt: state.clone() }));
        let mut transaction = Transaction::default();
        add_receipt_change(&mut transaction, &record, Condition::absent(), body, &cause(owner)).unwrap();
        self.worker.store.table.commit(transaction).await.unwrap();
        for file in files {
            self.services.put(&format!("receipts/{}", record.object_key(file)));
        }
        state.id
    }

    async fn draft(
        &self,
        owner: &str,
        name: &str,
        receipt: Option<(ReceiptId, &str)>,
        report: Option<ReportId>,
    ) -> ExpenseId {
        let expense = ExpenseId::derived_from(&[owner, name]);
        let details = ExpenseDetails {
            merchant: Some(name.to_owned()),
            date: Some(id("2026-03-12")),
            amount: Some(Money::new(2340, id("EUR"))),
            category: Some(Category::Meals),
            report,
            ..ExpenseDetails::default()
        };
        let drafted = Drafted {
            id: expense,
            owner: id(owner),
            details,
            receipt: receipt.map(|(receipt, _)| receipt),
            receipt_sha256: receipt.map(|(_, sha256)| sha256.to_owned()),
            review: vec![],
            split: None,
        };
        self.change(owner, expense, Command::Draft(Box::new(drafted))).await;
        expense
    }

    async fn change(&self, by: &str, expense: ExpenseId, command: Command) {
        self.worker.store.change_expense(expense, &cause(by), &command).await.unwrap();
    }

    /// Splits a draft in two; the other part.
    async fn split(&self, owner: &str, expense: ExpenseId) -> ExpenseId {
        let whole = self.worker.store.expense(expense).await.unwrap().unwrap();
        let part = |minor_units| Part {
            amount: Money::new(minor_units, id("EUR")),
            category: None,
            cost_centre: None,
            project: None,
            note: None,
            paid_by: None,
        };
        let mut plan = split::plan(&whole, vec![part(1000), part(1340)], None).unwrap();
        self.change(owner, expense, Command::SplitUp(Box::new(plan.first))).await;
        let other = plan.others.remove(0);
        let other_id = other.id;
        self.change(owner, other_id, Command::Draft(Box::new(other))).await;
        other_id
    }

    async fn report(&self, owner: &str, name: &str, deleted: bool) -> ReportId {
        let now = Timestamp::now();
        let state = ReportState {
            id: ReportId::derived_from(&[owner, name]),
            version: 1,
            owner: id(owner),
            title: name.to_owned(),
            submission: 0,
            submitted_at: None,
            created_at: now,
            updated_at: now,
        };
        let record = ReportRecord { state: state.clone(), joins: 0 };
        let body = EventBody::ReportCreated(Box::new(ReportCreated { report: state.clone() }));
        let mut transaction = Transaction::default();
        add_report_change(&mut transaction, None, &record, body, &cause(owner)).unwrap();
        self.worker.store.table.commit(transaction).await.unwrap();
        if deleted {
            let mut transaction = Transaction::default();
            add_report_deletion(&mut transaction, &record, &cause(owner)).unwrap();
            self.worker.store.table.commit(transaction).await.unwrap();
        }
        state.id
    }

    async fn export(&self, owner: &str, lease: Option<Lease>) -> ExportRecord {
        let (export, now) = (slipstream_events::ExportId::from_uuid(uuid::Uuid::now_v7()), Timestamp::now());
        let record = ExportRecord {
            background: Background { lease, ..Background::new(Work::Export { id: export, checkpoint: None }, now) },
            id: export,
            owner: id(owner),
            wanted: Wanted {
                kind: Kind::Expenses,
                scope: Scope::Own,
                person: Some(id(owner)),
                from: None,
                until: None,
                statuses: vec![],
                bom: false,
            },
            status: ExportStatus::Running,
            failure: None,
            checkpoint: Checkpoint::default(),
        };
        self.worker.store.table.put(&keys::export(export), record.to_item().unwrap()).await.unwrap();
        self.services.put(&format!("exports/{}", record.object_key("expenses.csv")));
        record
    }

    async fn submit(&self, owner: &str, expense: ExpenseId) {
        let submit = Command::Submit { policy_version: 0, findings: vec![], converted: None };
        self.change(owner, expense, submit).await;
    }

    /// Asks for the erasure of Emma.
    async fn ask(&self, by: &str) -> Result<Response, Problem> {
        let event = json!({
            "httpMethod": "POST", "resource": "/people/{person_id}/erasure", "pathParameters": {"person_id": EMMA},
            "body": "", "requestContext": {"requestId": "r"},
        });
        ask(&self.worker, TERMS, id(by), &serde_json::from_value(event).unwrap()).await
    }

    /// One message, after all upload tickets are over.
    async fn go_on(&self) -> Result<()> {
        let began = Timestamp::now() + SignedDuration::from_secs(1000);
        let deadline = began + SignedDuration::from_mins(10);
        let shift =
            Shift { holder: uuid::Uuid::new_v4().to_string(), deadline, budget: SignedDuration::from_mins(5), began };
        let message = Message { id: "m".to_owned(), source: String::new(), body: String::new(), receives: 1 };
        go_on(&self.worker, TERMS, id(EMMA), &message, &shift).await
    }

    async fn record(&self) -> ErasureRecord {
        self.worker.store.table.get(&keys::erasure(id(EMMA))).await.unwrap().unwrap()
    }

    fn keys(&self) -> BTreeSet<String> {
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        self.stub.items().iter().map(|item| format!("{}/{}", text(&item["PK"]), text(&item["SK"]))).collect()
    }
}

/// Emma, who has something of everything, and a colleague; what stays of it is written last.
async fn world() -> (World, BTreeSet<String>, BTreeSet<String>) {
    let world = World::empty();
    world.person(ADMINISTRATOR, &["administrator"]).await;
    let files = ["original", "preview.jpg", "thumbnail.jpg"];
    // A colleague made an expense of the same bytes as Emma's "shared" one.
    world.person(COLLEAGUE, &[]).await;
    let receipt = world.receipt(COLLEAGUE, "shared", ReceiptStatus::Read, &files).await;
    world.draft(COLLEAGUE, "Of a colleague", Some((receipt, "shared")), None).await;
    world.report(COLLEAGUE, "Of a colleague", false).await;
    world.services.put("receipts/analyses/shared/1.json");
    // Kept: what was submitted, with its report, of which it was the only part that was.
    world.person(EMMA, &["finance"]).await;
    let report = world.report(EMMA, "Kept", false).await;
    let receipt = world.receipt(EMMA, "kept", ReceiptStatus::Read, &files).await;
    let kept = world.draft(EMMA, "Kept", Some((receipt, "kept")), Some(report)).await;
    world.submit(EMMA, kept).await;
    let mut items = world.keys();
    items.extend([format!("PERSON#{EMMA}/EVENT#0000000002"), format!("PERSON#{EMMA}/ERASURE")]);
    let objects = world.services.objects();
    // Not kept.
    world.services.put(&format!("receipts/receipts/{EMMA}/{receipt}/reading.json"));
    world.services.put("receipts/analyses/kept/1.json");
    let receipt = world.receipt(EMMA, "shared", ReceiptStatus::Read, &[&files[..], &["reading.json"]].concat()).await;
    let with_receipt = world.draft(EMMA, "With a receipt", Some((receipt, "shared")), Some(report)).await;
    let habit = item(&HabitRecord { category: Category::Meals }, []).unwrap();
    world.worker.store.table.put(&keys::habit(id(EMMA), "bakery"), habit).await.unwrap();
    world.receipt(EMMA, "alone", ReceiptStatus::Failed, &["original"]).await;
    world.receipt(EMMA, "never uploaded", ReceiptStatus::AwaitingUpload, &[]).await;
    world.services.put("receipts/analyses/alone/1.json");
    world.draft(EMMA, "By hand", None, None).await;
    let deleted = world.draft(EMMA, "Deleted", None, None).await;
    world.change(EMMA, deleted, Command::Delete).await;
    world.report(EMMA, "Never submitted", false).await;
    world.report(EMMA, "Deleted", true).await;
    world.export(EMMA, None).await;
    // The last part of an upload of a worker that died.
    world.services.put(&format!("exports/exports/{EMMA}/gone/work/x.tail"));
    assert!(world.worker.store.expense(with_receipt).await.unwrap().is_some());
    (world, items, objects)
}

#[tokio::test]
async fn what_was_submitted_stays_and_nothing_else() {
    let (world, items, objects) = world().await;
    let begun = world.ask(ADMINISTRATOR).await.unwrap();
    assert_eq!(begun.status_code, 202, "{}", begun.body);
    let profile = world.worker.store.person(id(EMMA)).await.unwrap().unwrap();
    assert!(profile == anonymous(&profile), "at once: {profile:?}");
    assert_eq!(world.services.sent().len(), 1);

    world.go_on().await.unwrap();
    assert_eq!(world.keys(), items);
    assert_eq!(world.services.objects(), objects);
    assert_eq!(world.services.deleted_accounts(), [EMMA.to_owned()].into());
    let record = world.record().await;
    assert_eq!(record.status, Status::Done);
    assert_eq!(record.erased, Erased { drafts: 3, reports: 2, receipts: 3, habits: 1, exports: 1 });
    let everything = Value::from(world.stub.items().into_iter().map(Value::Object).collect::<Vec<_>>()).to_string();
    assert!(!everything.contains(&format!("{EMMA}@example.com")), "the address is nowhere");

    // Again: it is told how it stands, and a message that comes late does nothing.
    assert_eq!(world.ask(ADMINISTRATOR).await.unwrap().status_code, 200);
    world.go_on().await.unwrap();
    assert_eq!(world.record().await, record);
}

/// The same request twice at once: one of them begins what is there, the other what never was.
#[tokio::test]
async fn an_export_asked_for_twice_at_once_is_begun_once() {
    let world = World::empty();
    world.person(EMMA, &[]).await;
    let emma = world.worker.store.person(id(EMMA)).await.unwrap().unwrap();
    let event = json!({
        "httpMethod": "POST", "resource": "/exports", "headers": {"idempotency-key": "one key"},
        "body": json!({"kind": "personal_data", "scope": "own"}).to_string(), "requestContext": {"requestId": "r"},
    });
    let request: Request = serde_json::from_value(event).unwrap();
    let (one, other) = tokio::join!(world.worker.ask(&emma, &request), world.worker.ask(&emma, &request));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(is_replay(&one) != is_replay(&other), "one of them was the first");
    assert_eq!(one.body, other.body);
    assert_eq!(world.services.sent().len(), 1);
}

/// Of a split the first part has the receipt. It stays with a part that was submitted, and finance sees the receipt.
#[tokio::test]
async fn the_first_part_of_a_split_stays_with_a_submitted_one() {
    for is_submitted in [true, false] {
        let world = World::empty();
        world.person(ADMINISTRATOR, &["administrator"]).await;
        world.person(COLLEAGUE, &["finance"]).await;
        world.person(EMMA, &[]).await;
        let receipt = world.receipt(EMMA, "kept", ReceiptStatus::Read, &["original"]).await;
        let first = world.draft(EMMA, "First", Some((receipt, "kept")), None).await;
        let second = world.split(EMMA, first).await;
        if is_submitted {
            world.submit(EMMA, second).await;
        }
        world.ask(ADMINISTRATOR).await.unwrap();
        world.go_on().await.unwrap();
        assert_eq!(world.record().await.status, Status::Done);
        let store = &world.worker.store;
        for part in [first, second] {
            assert_eq!(store.expense(part).await.unwrap().is_some(), is_submitted);
        }
        let finance = store.person(id(COLLEAGUE)).await.unwrap().unwrap();
        let seen = visible::receipt(store, &finance, receipt).await.map(|(_, expense)| expense);
        assert_eq!(seen.ok(), is_submitted.then_some(Some(second)));
    }
}

#[tokio::test]
async fn an_erasure_may_die_at_any_call() {
    let (before, items, objects) = world().await;
    before.ask(ADMINISTRATOR).await.unwrap();
    before.stub.take_asked();
    let undisturbed = World::like(&before);
    undisturbed.go_on().await.unwrap();
    let (of_the_table, of_others) = (undisturbed.stub.take_asked().len(), undisturbed.services.calls());
    assert!(of_the_table > 40 && of_others > 15, "{of_the_table} {of_others}");
    let faults = (0..of_the_table).map(|at| (true, at)).chain((0..of_others).map(|at| (false, at)));
    for (in_the_table, at) in faults {
        for has_effect in [false, true] {
            let world = World::like(&before);
            if in_the_table {
                world.stub.fail(Fault { after: at, has_effect });
            } else {
                world.services.fail(at, has_effect);
            }
            // What it dies of does not matter, nor that the lease of the dead is over before the next message comes.
            for _ in 0..3 {
                if world.go_on().await.is_err() {
                    world.end_the_lease().await;
                }
                if world.record().await.status == Status::Done {
                    break;
                }
            }
            let where_it_died = format!("call {at}, of the table: {in_the_table}, with an effect: {has_effect}");
            assert_eq!(world.record().await.status, Status::Done, "{where_it_died}");
            assert_eq!(world.keys(), items, "{where_it_died}");
            assert_eq!(world.services.objects(), objects, "{where_it_died}");
        }
    }
}

impl World {
    /// Time goes by: a dead worker's lease is over.
    async fn end_the_lease(&self) {
        let mut record = self.record().await;
        record.background.lease = None;
        let key = keys::erasure(record.person);
        self.worker.store.table.put(&key, record.to_item().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn what_somebody_is_at_is_waited_for() {
    let world = World::empty();
    world.person(ADMINISTRATOR, &["administrator"]).await;
    world.person(EMMA, &[]).await;
    let receipt = world.receipt(EMMA, "being read", ReceiptStatus::AwaitingUpload, &["original"]).await;
    let lease =
        |seconds| Lease { holder: "x".to_owned(), until: Timestamp::now() + SignedDuration::from_secs(seconds) };
    let hold = async |lease: Lease| {
        let mut record = world.worker.store.receipt(receipt).await.unwrap().unwrap();
        record.lease = Some(lease);
        world.worker.store.table.put(&keys::receipt(receipt), record.to_item().unwrap()).await.unwrap();
    };
    hold(lease(100)).await;
    let export = world.export(EMMA, Some(lease(200))).await;
    world.ask(ADMINISTRATOR).await.unwrap();
    world.services.sent();
    world.go_on().await.unwrap();
    assert_eq!(world.record().await.status, Status::Running);
    assert!(world.worker.store.receipt(receipt).await.unwrap().is_some(), "a reader may still write");
    let stopped: ExportRecord = world.worker.store.table.get(&keys::export(export.id)).await.unwrap().unwrap();
    assert!(!stopped.is_open() && stopped.background.version > export.background.version, "its maker stops");
    let delay = world.services.sent()[0]["DelaySeconds"].as_i64().unwrap();
    assert!((190..=201).contains(&delay), "after the last of them: {delay}");

    // Both have ended; the reader died.
    hold(lease(-1)).await;
    let over =
        ExportRecord { background: Background { lease: Some(lease(-1)), ..stopped.background.clone() }, ..stopped };
    world.worker.store.table.put(&keys::export(over.id), over.to_item().unwrap()).await.unwrap();
    world.go_on().await.unwrap();
    let record = world.record().await;
    assert_eq!((record.status, record.erased.receipts, record.erased.exports), (Status::Done, 1, 1));
    assert!(world.services.objects().is_empty());
}

#[tokio::test]
async fn while_a_ticket_is_good_nothing_is_erased_but_the_account() {
    let (world, ..) = world().await;
    world.ask(ADMINISTRATOR).await.unwrap();
    let (items, objects) = (world.keys(), world.services.objects());
    world.services.sent();
    let now = Timestamp::now();
    let deadline = now + SignedDuration::from_mins(5);
    let shift = Shift { holder: "h".to_owned(), deadline, budget: SignedDuration::from_mins(3), began: now };
    let message = Message { id: "m".to_owned(), source: String::new(), body: String::new(), receives: 1 };
    go_on(&world.worker, TERMS, id(EMMA), &message, &shift).await.unwrap();
    assert_eq!((world.keys(), world.services.objects()), (items, objects));
    assert_eq!(world.services.deleted_accounts().len(), 1);
    assert_eq!(world.services.sent()[0]["DelaySeconds"], MAX_DELAY);
}

#[tokio::test]
async fn two_administrators_cannot_erase_each_other_at_once() {
    let world = World::empty();
    world.person(ADMINISTRATOR, &["administrator"]).await;
    world.person(EMMA, &["administrator"]).await;
    assert_eq!(world.ask(ADMINISTRATOR).await.unwrap().status_code, 202);
    // Emma's request was let in before.
    let event = json!({
        "httpMethod": "POST", "resource": "/people/{person_id}/erasure", "pathParameters": {"person_id": ADMINISTRATOR},
        "body": "", "requestContext": {"requestId": "r"},
    });
    let refused = ask(&world.worker, TERMS, id(EMMA), &serde_json::from_value(event).unwrap()).await;
    assert_eq!(refused.unwrap_err().status, 403);
    assert!(world.worker.store.person(id(ADMINISTRATOR)).await.unwrap().unwrap().state.active);
}

#[test]
fn what_is_kept_has_a_reason_and_an_end() {
    let terms = Terms { receipt_days: 3650, archive_days: 400, log_days: 30, ticket_seconds: 900 };
    let now: Timestamp = "2026-03-12T10:00:00Z".parse().unwrap();
    let nothing = kept(terms, now, None);
    assert!(nothing.iter().all(|kept| kept.what != "submitted_expenses"), "there is nothing of the kind");
    let kept = kept(terms, now, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(kept[0].what, "submitted_expenses");
    assert_eq!(kept[0].until, jiff::civil::date(2035, 12, 30));
    assert!(kept.iter().all(|kept| !kept.why.is_empty()));
    let answers = kept.iter().find(|kept| kept.what == "request_answers").unwrap();
    assert_eq!(answers.until, jiff::civil::date(2026, 3, 16), "a day, and those that time to live takes");
}

#[test]
fn nothing_of_a_profile_says_whose_it_was() {
    let profile = serde_json::json!({
        "id": "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11", "version": 7, "active": true, "roles": ["finance"],
        "manager": "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12", "currency": "CHF", "locale": "de-CH",
        "email": "emma@example.com", "name": "Emma", "awaited_manager": "mark@example.com",
        "delegation": {"delegate": "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12", "from": "2026-01-01", "until": "2026-01-02"},
    });
    let anonymous = anonymous(&serde_json::from_value(profile).unwrap());
    let expected = serde_json::json!({
        "id": "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11", "version": 7, "active": false, "roles": [],
        "email": "erased-0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11@erased.invalid",
    });
    assert_eq!(serde_json::to_value(&anonymous).unwrap(), expected);
    assert_eq!(super::anonymous(&anonymous), anonymous);
}
