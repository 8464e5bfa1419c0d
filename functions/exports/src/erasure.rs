//! Erasing what is known of a person, but for what the law makes the company keep (`docs/decisions/0017`).
//!
//! At once: the profile loses everything that says who it was, and is deactivated. In the background: the sign-in account;
//! then, once no upload ticket of theirs is good any more, their exports, receipts, readings, drafts and reports that were
//! never submitted, and habits. What was submitted stays until the sweeper finds the legal term over.
//!
//! Every step may be done again: it finds less to do. What leads to something goes after it, so that a worker that dies
//! leaves nothing that cannot be found. Nothing of it is an event, because an event would carry on what is to be gone.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    act::{act, is_replay},
    background::{Background, LEASE, Work},
    http::{Request, Response},
    keys::{self, Index, Open},
    problem::Problem,
    queue::Message,
    records::{Lease, MarkRecord, PersonRecord, ReceiptRecord},
    reports::ReportRecord,
    store::{Store, add_person_change, add_person_check},
    table::{Condition, IndexQuery, Item, StoreError, Transaction, item, number, text},
};
use slipstream_events::{ExpenseId, ExpenseState, ExpenseStatus, PersonId, PersonState, ReceiptId, ReceiptStatus};

use crate::{
    assembly::Place,
    error::{Result, WorkError},
    record::{ExportRecord, KEPT, folder_of},
    worker::{Shift, Worker},
};

/// How long a request may still be under way that was let in before the person was deactivated.
const REQUESTS: SignedDuration = SignedDuration::from_secs(20);
/// The longest that a queue holds a message back, in seconds.
const MAX_DELAY: i64 = 900;
/// How long DynamoDB can be restored to an earlier moment, in days
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.html>).
const BACKUP_DAYS: i32 = 35;
/// How long the answer to a request is there at most, in days: one, and the few in which time to live deletes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>).
const ANSWER_DAYS: i32 = 4;
/// How long an event is kept at most that could not be published, in days; the template's `SetAsideBucket`.
const UNDELIVERED_DAYS: i32 = 90;

/// How long things are kept that are kept, from the template's parameters.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Receipts and expenses, in days.
    pub receipt_days: i32,
    /// The archive of events, in days.
    pub archive_days: i32,
    /// Logs, in days.
    pub log_days: i32,
    /// Upload tickets, in seconds.
    pub ticket_seconds: i32,
}

/// What is kept of a person who was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// The day after which it is gone.
    pub until: Date,
}

/// How much was erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Drafts that were never submitted.
    pub drafts: u64,
    /// Reports that were never submitted.
    #[serde(default)]
    pub reports: u64,
    /// Receipts with all their pictures.
    pub receipts: u64,
    /// Habits: which category the person chose for which merchant.
    pub habits: u64,
    /// Exports that the person had made.
    pub exports: u64,
}

/// Where an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Running,
    Done,
}

/// An erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ErasureRecord {
    #[serde(flatten)]
    background: Background,
    person: PersonId,
    status: Status,
    /// Where the walk through the expenses stands.
    place: Place,
    erased: Erased,
    kept: Vec<Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done_at: Option<Timestamp>,
}

impl ErasureRecord {
    fn to_item(&self) -> Result<Item, StoreError> {
        let running = self.status == Status::Running;
        let open = running.then(|| Open::Background.entry(self.background.updated_at, &self.person.to_string()));
        item(self, open)
    }

    /// Writes it in place of the version before.
    async fn write(&mut self, store: &Store) -> Result<()> {
        let before = self.background.version;
        self.background.version += 1;
        self.background.updated_at = Timestamp::now();
        let mut transaction = Transaction::default();
        transaction.put(&keys::erasure(self.person), self.to_item()?, Some(Condition::version(before)));
        match store.table.commit(transaction).await {
            Ok(()) => Ok(()),
            Err(StoreError::Condition(_)) => Err(WorkError::TakenOver),
            Err(error) => {
                self.background.version = before;
                Err(error.into())
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct View<'a> {
    person: PersonId,
    status: Status,
    asked_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_at: Option<Timestamp>,
    erased: &'a Erased,
    kept: &'a [Kept],
}

impl<'a> From<&'a ErasureRecord> for View<'a> {
    fn from(record: &'a ErasureRecord) -> Self {
        Self {
            person: record.person,
            status: record.status,
            asked_at: record.background.created_at,
            done_at: record.done_at,
            erased: &record.erased,
            kept: &record.kept,
        }
    }
}

fn day_after(at: Timestamp, days: i32) -> Date {
    let date = at.to_zoned(TimeZone::UTC).date();
    date.checked_add(jiff::Span::new().days(days)).unwrap_or(Date::MAX)
}

/// What is kept, and until when, if `last` is when the last of the person's submitted expenses changed.
fn kept(terms: Terms, now: Timestamp, last: Option<Timestamp>) -> Vec<Kept> {
    let keep = |what: &str, why: &str, since, days| Kept {
        what: what.to_owned(),
        why: why.to_owned(),
        until: day_after(since, days),
    };
    let expenses = last.map(|last| {
        let why = "What was submitted, its history and its receipts are accounting records, which tax law has the company keep.";
        keep("submitted_expenses", why, last, terms.receipt_days)
    });
    let why = "The archive of events cannot be changed. It names the person by an id only.";
    let events = keep("event_archive", why, now, terms.archive_days);
    let why = "What could not be delivered or published waits to be, so that nothing is lost.";
    let undelivered = keep("undelivered_events", why, now, UNDELIVERED_DAYS);
    let why = "What others exported before, administrators the person's own data among it, is theirs for a week.";
    // S3 goes by whole days.
    let exports = keep("exports_of_others", why, now, i32::try_from(KEPT.as_hours() / 24).unwrap_or(0) + 1);
    let why =
        "Answers to requests that may be sent again are kept for a day. One of the person's profile has their name.";
    let answers = keep("request_answers", why, now, ANSWER_DAYS);
    let why = "The table can be restored to an earlier moment; restoring is for disasters only.";
    let backups = keep("backups", why, now, BACKUP_DAYS);
    let logs = keep("logs", "Logs name the person by an id only.", now, terms.log_days);
    expenses.into_iter().chain([events, undelivered, exports, answers, backups, logs]).collect()
}

/// The address in the profile of an erased person: nobody's, in a domain that cannot be (RFC 2606).
fn nobodys_address(person: PersonId) -> String {
    format!("erased-{person}@erased.invalid")
}

/// The profile without anything that says whose it was. It stays, so that the id in what is kept leads somewhere.
fn anonymous(before: &PersonRecord) -> PersonRecord {
    let PersonState { id, version, .. } = before.state;
    PersonRecord {
        state: PersonState {
            id,
            version,
            manager: None,
            delegation: None,
            roles: Vec::new(),
            currency: None,
            locale: None,
            active: false,
            mail_undeliverable: false,
        },
        email: nobodys_address(id),
        name: None,
        awaited_manager: None,
        roles_set_at: before.roles_set_at,
        mail_undeliverable_since: None,
        account_behind: before.account_behind,
    }
}

/// `POST /people/{person_id}/erasure`: begins it, or tells how it stands.
///
/// The profile is emptied in the transaction that notes the erasure, which also holds the asking administrator to be one
/// still: of two who erase each other at the same moment, one stays.
///
/// # Errors
/// 404; 409 for oneself.
pub async fn ask(worker: &Worker, terms: Terms, me: PersonId, request: &Request) -> Result<Response, Problem> {
    let id: PersonId = request.path("person_id", "person")?;
    if id == me {
        let detail = "Nobody erases themselves: what they did could not be told any more. Ask another administrator.";
        return Err(Problem::conflict("own-account", detail));
    }
    let store = &worker.store;
    let work = Work::Erasure { person: id };
    let mut begun = false;
    let response = act(store, request, me, async |transaction| {
        begun = false;
        let person = store.person(id).await?.ok_or_else(|| Problem::not_found("person"))?;
        let known: Option<ErasureRecord> = store.table.get(&keys::erasure(id)).await?;
        let condition = match &known {
            Some(known) if known.status == Status::Running => {
                return Ok(Response::json(202, &View::from(known)));
            }
            Some(known) if person == anonymous(&person) => return Ok(Response::json(200, &View::from(known))),
            Some(known) => Condition::version(known.background.version),
            None => Condition::absent(),
        };
        let cause = request.cause(me);
        let record = ErasureRecord {
            background: Background {
                version: known.map_or(0, |known| known.background.version) + 1,
                ..Background::new(work.clone(), cause.at)
            },
            person: id,
            status: Status::Running,
            place: Place::default(),
            erased: Erased::default(),
            kept: kept(terms, cause.at, submitted(store, id).await?.last),
            done_at: None,
        };
        let asking = store.person(me).await?.filter(PersonRecord::administers).ok_or_else(Problem::role)?;
        add_person_check(transaction, &asking);
        add_person_change(transaction, Some(&person), anonymous(&person), &cause)?;
        transaction.delete(&keys::directory(&person.email), Condition::default());
        transaction.put(&keys::erasure(id), record.to_item()?, Some(condition));
        begun = true;
        Ok(Response::json(202, &View::from(&record)))
    })
    .await?;
    if begun && !is_replay(&response) {
        tracing::info!(person.id = %id, "an erasure was asked for");
        if let Err(error) = worker.queue.send(&work, 0).await {
            tracing::warn!(%error, "the sweeper has it begun");
        }
    }
    Ok(response)
}

/// `GET /people/{person_id}/erasure`: how it stands.
///
/// # Errors
/// 404 where none was asked for.
pub async fn look(worker: &Worker, request: &Request) -> Result<Response, Problem> {
    let id: PersonId = request.path("person_id", "person")?;
    let known: Option<ErasureRecord> = worker.store.table.get(&keys::erasure(id)).await?;
    let known = known.ok_or_else(|| Problem::not_found("erasure"))?;
    Ok(Response::json(200, &View::from(&known)))
}

/// A page of a person's expenses as they are now, those that they deleted after all others, and the place after it; none
/// at the end.
async fn page(
    store: &Store,
    person: PersonId,
    place: &Place,
) -> Result<Option<(Vec<ExpenseState>, Place)>, StoreError> {
    let (index, pk) = match place.list {
        0 => (Index::Owner, keys::expenses_of(person)),
        1 => (Index::Approver, keys::expenses_of_status(person, ExpenseStatus::Deleted)),
        _ => return Ok(None),
    };
    let from = place.after.as_ref().map(|after| format!("{after}~"));
    let query = IndexQuery { from, ..IndexQuery::of(index, pk) };
    let listed: Vec<ExpenseState> = store.table.query(&query, None).await?.items;
    let last = listed.last().and_then(|last| keys::expense_entries(last).into_iter().next());
    let next = match last {
        Some(last) => Place { list: place.list, after: Some(last.sk) },
        None => Place { list: place.list + 1, after: None },
    };
    // The index may not know yet that one was submitted.
    let ids: Vec<ExpenseId> = listed.iter().map(|expense| expense.id).collect();
    Ok(Some((store.expenses(&ids).await?, next)))
}

/// Whether the law makes the company keep the expense: it was submitted once.
const fn is_kept(expense: &ExpenseState) -> bool {
    expense.submission > 0
}

/// Whether it is the first part of a split of which another part is kept. It has the receipt of all of them: without it
/// nobody would find the receipt of what is kept.
async fn leads_to_kept(store: &Store, expense: &ExpenseState) -> Result<bool, StoreError> {
    let is_first = expense.split.as_ref().is_some_and(|split| split.of == expense.id);
    Ok(is_first && store.other_parts(expense).await?.iter().any(is_kept))
}

/// What of a person's is kept.
#[derive(Debug, Default)]
struct Submitted {
    /// When the last of the expenses changed.
    last: Option<Timestamp>,
    /// Their receipts.
    receipts: BTreeSet<ReceiptId>,
}

async fn submitted(store: &Store, person: PersonId) -> Result<Submitted, StoreError> {
    let (mut found, mut place) = (Submitted::default(), Place::default());
    while let Some((expenses, next)) = page(store, person, &place).await? {
        for expense in expenses.iter().filter(|expense| is_kept(expense)) {
            found.last = found.last.max(Some(expense.updated_at));
            found.receipts.extend(expense.receipt);
        }
        place = next;
    }
    Ok(found)
}

/// Goes on with an erasure.
///
/// # Errors
/// [`WorkError`]: the message is to be delivered again.
pub async fn go_on(worker: &Worker, terms: Terms, person: PersonId, message: &Message, shift: &Shift) -> Result<()> {
    let store = &worker.store;
    let known: Option<ErasureRecord> = store.table.get(&keys::erasure(person)).await?;
    let Some(mut record) = known.filter(|record| record.status == Status::Running) else { return Ok(()) };
    let holder = format!("{}/{}", shift.holder, message.id);
    if record.background.lease.as_ref().is_some_and(|lease| lease.held_by_other(&holder, shift.began)) {
        return Ok(());
    }
    worker.accounts.delete(person).await?;
    // Until then something of theirs may still come in.
    let tickets = SignedDuration::from_secs(i64::from(terms.ticket_seconds)) + REQUESTS;
    let over = record.background.created_at + tickets;
    if shift.began <= over {
        return later(worker, &record, over).await;
    }
    record.background.lease = Some(Lease { holder, until: shift.began + LEASE });
    match record.write(store).await {
        Err(WorkError::TakenOver) => return Ok(()),
        written => written?,
    }
    let came = erase(worker, terms, &mut record, shift.until()).await;
    record.background.lease = None;
    match came {
        Ok(Came::ToTheEnd) => {
            (record.status, record.done_at) = (Status::Done, Some(Timestamp::now()));
            record.write(store).await?;
            let erased = &record.erased;
            tracing::info!(
                drafts = erased.drafts,
                reports = erased.reports,
                receipts = erased.receipts,
                habits = erased.habits,
                exports = erased.exports,
                "erased"
            );
            Ok(())
        }
        Ok(Came::OutOfTime) => {
            record.write(store).await?;
            worker.queue.send(&record.background.work, 0).await
        }
        Ok(Came::Upon(until)) => {
            // What somebody is at may lead to something that the walk has passed.
            record.place = Place::default();
            record.write(store).await?;
            tracing::info!("somebody is still at something of theirs");
            later(worker, &record, until).await
        }
        Err(WorkError::TakenOver) => Ok(()),
        Err(error) => {
            if let Err(error) = record.write(store).await {
                tracing::warn!(%error, "the lease ends by itself");
            }
            Err(error)
        }
    }
}

/// Goes on after `at`, or as late as the queue can.
async fn later(worker: &Worker, record: &ErasureRecord, at: Timestamp) -> Result<()> {
    let seconds = Timestamp::now().duration_until(at).as_secs() + 1;
    let delay = i32::try_from(seconds.clamp(1, MAX_DELAY)).unwrap_or_default();
    worker.queue.send(&record.background.work, delay).await
}

/// How far a slice of an erasure came.
enum Came {
    /// Nothing is left to erase.
    ToTheEnd,
    /// The time ran out first.
    OutOfTime,
    /// Upon something that somebody is at until then: a reader, or a maker of exports. Everything else is erased.
    Upon(Timestamp),
}

async fn erase(worker: &Worker, terms: Terms, record: &mut ErasureRecord, until: Timestamp) -> Result<Came> {
    let (store, person) = (&worker.store, record.person);
    let kept_of_them = submitted(store, person).await?;
    record.kept = kept(terms, record.background.created_at, kept_of_them.last);
    let mut held: Option<Timestamp> = None;
    let out_of_time = || Timestamp::now() >= until;

    let exports = IndexQuery::of(Index::Owner, keys::exports_of(person));
    for export in store.table.query_all::<ExportRecord>(&exports).await? {
        let Some(export) = store.table.get::<ExportRecord>(&keys::export(export.id)).await? else { continue };
        match lease_of(export.background.lease.as_ref()) {
            Some(until) => {
                stop(store, &export).await?;
                held = held.max(Some(until));
            }
            None => {
                worker.exports.erase(&export.object_key("")).await?;
                record.erased.exports += 1;
                store.table.delete(&[keys::export(export.id)]).await?;
            }
        }
    }
    // Receipts before expenses: one that is gone drafts none.
    let receipts = IndexQuery::of(Index::Owner, keys::receipts_of(person));
    for receipt in store.table.query_all::<ReceiptRecord>(&receipts).await? {
        if out_of_time() {
            return Ok(Came::OutOfTime);
        }
        let id = receipt.state.id;
        let Some(receipt) = store.receipt(id).await? else { continue };
        match lease_of(receipt.lease.as_ref()) {
            Some(until) => held = held.max(Some(until)),
            None if receipt.submitted || kept_of_them.receipts.contains(&id) => erase_reading(worker, &receipt).await?,
            None => match erase_receipt(worker, &receipt).await? {
                Some(drafts) => {
                    record.erased.receipts += 1;
                    record.erased.drafts += drafts;
                }
                // A reader began at this very moment.
                None => held = held.max(Some(Timestamp::now())),
            },
        }
    }
    while let Some((expenses, next)) = page(store, person, &record.place).await? {
        for expense in expenses.iter().filter(|expense| !is_kept(expense)) {
            if out_of_time() {
                return Ok(Came::OutOfTime);
            }
            if !leads_to_kept(store, expense).await? {
                erase_expense(store, expense).await?;
                record.erased.drafts += 1;
            }
        }
        record.place = next;
    }
    record.erased.reports += erase_reports(store, person).await?;
    record.erased.habits += store.table.erase(&keys::person(person).pk, keys::HABIT_PREFIX).await?;
    // What a worker that died left behind.
    worker.exports.erase(&folder_of(person)).await?;
    Ok(held.map_or(Came::ToTheEnd, Came::Upon))
}

/// Until when somebody is at it, if somebody is.
fn lease_of(lease: Option<&Lease>) -> Option<Timestamp> {
    lease.map(|lease| lease.until).filter(|until| *until > Timestamp::now())
}

/// Has whoever makes the export stop at their next checkpoint.
async fn stop(store: &Store, export: &ExportRecord) -> Result<()> {
    let version = export.background.version;
    let condition = Condition::version(version)
        .name("#status", "status")
        .name("#open_pk", Index::Open.pk())
        .name("#open_sk", Index::Open.sk())
        .value(":failed", text("failed"))
        .value(":next", number(version + 1));
    let update = "SET #status = :failed, #version = :next REMOVE #open_pk, #open_sk";
    let mut transaction = Transaction::default();
    transaction.update(&keys::export(export.id), update, condition);
    match store.table.commit(transaction).await {
        // They came to one at this very moment: next time.
        Ok(()) | Err(StoreError::Condition(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Erases a draft that was never submitted: its events, then itself, which leads to them, with what follows it.
async fn erase_expense(store: &Store, expense: &ExpenseState) -> Result<()> {
    let key = keys::expense(expense.id);
    store.table.erase(&key.pk, keys::EVENT_PREFIX).await?;
    let mut transaction = Transaction::default();
    for mark in keys::marks(expense) {
        transaction.delete(&mark.key, Condition::default());
    }
    transaction.delete(&key, Condition::version(expense.version));
    store.table.commit(transaction).await?;
    Ok(())
}

/// Erases reports that were never submitted and in which nothing is that is kept; how many.
async fn erase_reports(store: &Store, person: PersonId) -> Result<u64> {
    let mut erased = 0;
    for list in [keys::reports_of(person), keys::deleted_reports_of(person)] {
        for report in store.table.query_all::<ReportRecord>(&IndexQuery::of(Index::Owner, list)).await? {
            let id = report.state.id;
            if report.state.submission > 0 || !store.report_members(id).await?.is_empty() {
                continue;
            }
            store.table.erase(&keys::report_partition(id), keys::EVENT_PREFIX).await?;
            store.table.delete(&[keys::report(id), keys::deleted_report(id)]).await?;
            erased += 1;
        }
    }
    Ok(erased)
}

/// Erases what was made out on a receipt, unless a colleague has the same bytes.
async fn erase_reading(worker: &Worker, receipt: &ReceiptRecord) -> Result<()> {
    worker.receipts.erase(&receipt.object_key("reading.json")).await?;
    let sha256 = &receipt.state.sha256;
    let same: Vec<MarkRecord> = worker.store.table.partition(&keys::same_file(sha256), keys::MARK_PREFIX).await?;
    if same.iter().all(|mark| mark.owner == receipt.state.owner) {
        worker.receipts.erase(&format!("analyses/{sha256}/")).await?;
    }
    Ok(())
}

/// Erases a receipt that is not kept, and what was drafted from it; how many drafts, or none if somebody began to read it.
async fn erase_receipt(worker: &Worker, receipt: &ReceiptRecord) -> Result<Option<u64>> {
    let (store, id) = (&worker.store, receipt.state.id);
    if !close(store, receipt).await? {
        return Ok(None);
    }
    worker.receipts.erase(&receipt.object_key("")).await?;
    erase_reading(worker, receipt).await?;
    // The index may not list yet what was drafted a moment ago.
    let mut drafts = 0;
    if let Some(draft) = store.expense(receipt.drafted_expense()).await?.filter(|draft| !is_kept(draft)) {
        erase_expense(store, &draft).await?;
        drafts = 1;
    }
    let key = keys::receipt(id);
    store.table.erase(&key.pk, keys::EVENT_PREFIX).await?;
    store.table.delete(&[keys::receipt_use(id), key]).await?;
    Ok(Some(drafts))
}

/// Lets nobody read the receipt any more; `false` if somebody has just begun.
async fn close(store: &Store, receipt: &ReceiptRecord) -> Result<bool> {
    let condition = match &receipt.lease {
        None => Condition::new("#version = :version AND attribute_not_exists(#lease)"),
        // Of a reader that died.
        Some(lease) => Condition::new("#version = :version AND #lease.#holder = :holder")
            .name("#holder", "holder")
            .value(":holder", text(&lease.holder)),
    };
    let condition = condition
        .name("#version", "version")
        .name("#lease", "lease")
        .name("#status", "status")
        .name("#open_pk", Index::Open.pk())
        .name("#open_sk", Index::Open.sk())
        .value(":version", number(receipt.state.version))
        .value(":deleted", text(ReceiptStatus::Deleted));
    let mut transaction = Transaction::default();
    let update = "SET #status = :deleted REMOVE #lease, #open_pk, #open_sk";
    transaction.update(&keys::receipt(receipt.state.id), update, condition);
    match store.table.commit(transaction).await {
        Ok(()) => Ok(true),
        Err(StoreError::Condition(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
