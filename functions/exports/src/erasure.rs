//! Erasing what is known of a person, but for what the law makes the company keep (`docs/decisions/0017`).
//!
//! At once: the profile loses name, address, manager and roles and is deactivated. In the background, once no upload ticket
//! of theirs is good any more: drafts that were never submitted with their events and receipts, all readings, habits, and the
//! files of their exports. What was submitted stays, and its items get the end of the legal term as their time to live.
//!
//! Every step may be done again: it finds less to do. Nothing of it is an event, because an event would carry on what
//! is to be gone.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slipstream_common::{
    act::act,
    background::{Background, LEASE, Work},
    http::{Request, Response, new_correlation_id},
    keys::{self, EXPIRES_AT, Index, Key, Open},
    problem::Problem,
    queue::Message,
    records::{Lease, MarkRecord, PersonRecord},
    store::Store,
    table::{Condition, IndexQuery, Item, StoreError, Transaction, item, number},
};
use slipstream_events::{Actor, Cause, ExpenseState, ExpenseStatus, PersonId, ReceiptId};

use crate::{
    assembly::Place,
    error::{Result, WorkError},
    record::{ExportRecord, folder_of},
    worker::{Shift, Worker},
};

/// How long a request may still be under way that was let in before the person was deactivated.
const REQUESTS: SignedDuration = SignedDuration::from_secs(20);
/// The longest that a queue holds a message back, in seconds.
const MAX_DELAY: i64 = 900;
/// How many writes go into one transaction.
const AT_ONCE: usize = 90;
/// How long DynamoDB can be restored to an earlier moment, in days
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.html>).
const BACKUP_DAYS: i32 = 35;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

/// How much was erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Drafts that were never submitted.
    pub drafts: u64,
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
    let keep = |what: &str, why: &str, until| Kept { what: what.to_owned(), why: why.to_owned(), until };
    let expenses = last.map(|last| {
        let why = "What was submitted, its history and its receipts are accounting records, which tax law has the company keep.";
        keep("submitted_expenses", why, Some(day_after(last, terms.receipt_days)))
    });
    let why = "The archive of events cannot be changed. It names the person by an id only.";
    let events = keep("event_archive", why, Some(day_after(now, terms.archive_days)));
    let why = "The table can be restored to an earlier moment; restoring is for disasters only.";
    let backups = keep("backups", why, Some(day_after(now, BACKUP_DAYS)));
    let logs = keep("logs", "Logs name the person by an id only.", Some(day_after(now, terms.log_days)));
    let why = "The sign-in account belongs to the user pool; an operator deletes it there.";
    let account = keep("sign_in_account", why, None);
    expenses.into_iter().chain([events, backups, logs, account]).collect()
}

/// The address in the profile of an erased person: nobody's, in a domain that cannot be (RFC 2606).
fn nobodys_address(person: PersonId) -> String {
    format!("erased-{person}@erased.invalid")
}

fn is_anonymous(person: &PersonRecord) -> bool {
    person.email == nobodys_address(person.state.id) && !person.state.active
}

/// `POST /people/{person_id}/erasure`: begins it, or tells how it stands.
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
            Some(known) if is_anonymous(&person) => return Ok(Response::json(200, &View::from(known))),
            Some(known) => Condition::version(known.background.version),
            None => Condition::absent(),
        };
        let now = Timestamp::now();
        let last = last_submitted(store, id).await?;
        let record = ErasureRecord {
            background: Background {
                version: known.map_or(0, |known| known.background.version) + 1,
                ..Background::new(work.clone(), now)
            },
            person: id,
            status: Status::Running,
            place: Place::default(),
            erased: Erased::default(),
            kept: kept(terms, now, last),
            done_at: None,
        };
        transaction.put(&keys::erasure(id), record.to_item()?, Some(condition));
        begun = true;
        Ok(Response::json(202, &View::from(&record)))
    })
    .await?;
    if begun {
        tracing::info!(person.id = %id, "an erasure was asked for");
        anonymise(store, id, Actor::Person { id: me }).await.map_err(|error| {
            tracing::warn!(%error, "the profile is left to the background");
            Problem::unavailable()
        })?;
        if let Err(error) = worker.queue.send(&work, 0).await {
            tracing::warn!(%error, "the sweeper has it begun");
        }
    }
    Ok(response)
}

/// A page of a person's expenses, those that they deleted after all others, and the place after it; none at the end.
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
    let expenses: Vec<ExpenseState> = store.table.query(&query, None).await?.items;
    let last = expenses.last().and_then(|last| keys::expense_entries(last).into_iter().next());
    let next = match last {
        Some(last) => Place { list: place.list, after: Some(last.sk) },
        None => Place { list: place.list + 1, after: None },
    };
    Ok(Some((expenses, next)))
}

/// Whether the law makes the company keep the expense: it was submitted once.
const fn is_kept(expense: &ExpenseState) -> bool {
    expense.submission > 0
}

/// When the last of a person's submitted expenses changed, and the receipts of all of them.
async fn submitted(store: &Store, person: PersonId) -> Result<(Option<Timestamp>, BTreeSet<ReceiptId>), StoreError> {
    let (mut last, mut receipts, mut place) = (None, BTreeSet::new(), Place::default());
    while let Some((expenses, next)) = page(store, person, &place).await? {
        for expense in expenses.iter().filter(|expense| is_kept(expense)) {
            last = last.max(Some(expense.updated_at));
            receipts.extend(expense.receipt);
        }
        place = next;
    }
    Ok((last, receipts))
}

async fn last_submitted(store: &Store, person: PersonId) -> Result<Option<Timestamp>, StoreError> {
    Ok(submitted(store, person).await?.0)
}

fn directory_key(email: &str) -> Key {
    Key { pk: format!("DIRECTORY#{}", email.to_lowercase()), sk: "ENTRY".to_owned() }
}

/// Takes everything out of the profile that says who the person was.
async fn anonymise(store: &Store, id: PersonId, actor: Actor) -> Result<()> {
    let cause = Cause { actor, at: Timestamp::now(), correlation_id: new_correlation_id(), causation_id: None };
    let Some(before) = store.person(id).await? else { return Ok(()) };
    if is_anonymous(&before) {
        return Ok(());
    }
    let mut transaction = Transaction::default();
    transaction.delete(&directory_key(&before.email), Condition::default());
    store.table.commit(transaction).await?;
    let mut after = before.clone();
    (after.email, after.name) = (nobodys_address(id), None);
    let state = &mut after.state;
    (state.manager, state.delegation, state.currency, state.locale) = (None, None, None, None);
    state.roles.clear();
    state.active = false;
    store.write_person(Some(&before), after, &cause).await?;
    Ok(())
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
    anonymise(store, person, Actor::System { name: "exports".to_owned() }).await?;
    // Until then something of theirs may still come in.
    let tickets = SignedDuration::from_secs(i64::from(terms.ticket_seconds)) + REQUESTS;
    let wait = shift.began.duration_until(record.background.created_at + tickets).as_secs();
    if wait >= 0 {
        let delay = i32::try_from((wait + 1).min(MAX_DELAY)).unwrap_or_default();
        return worker.queue.send(&record.background.work, delay).await;
    }
    record.background.lease = Some(Lease { holder, until: shift.began + LEASE });
    match record.write(store).await {
        Err(WorkError::TakenOver) => return Ok(()),
        written => written?,
    }
    let finished = erase(worker, terms, &mut record, shift.until()).await;
    record.background.lease = None;
    match finished {
        Ok(true) => {
            (record.status, record.done_at) = (Status::Done, Some(Timestamp::now()));
            record.write(store).await?;
            let erased = &record.erased;
            tracing::info!(drafts = erased.drafts, receipts = erased.receipts, habits = erased.habits, "erased");
            Ok(())
        }
        Ok(false) => {
            record.write(store).await?;
            worker.queue.send(&record.background.work, 0).await
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

/// Erases until nothing is left to erase; `false` when the time ran out first.
async fn erase(worker: &Worker, terms: Terms, record: &mut ErasureRecord, until: Timestamp) -> Result<bool> {
    let (store, person) = (&worker.store, record.person);
    let (last, receipts) = submitted(store, person).await?;
    record.kept = kept(terms, record.background.created_at, last);
    while let Some((expenses, next)) = page(store, person, &record.place).await? {
        for expense in &expenses {
            if Timestamp::now() >= until {
                return Ok(false);
            }
            if is_kept(expense) {
                limit(store, expense, terms.receipt_days).await?;
            } else {
                erase_expense(store, expense).await?;
                record.erased.drafts += 1;
            }
        }
        record.place = next;
    }
    for (id, folder) in worker.receipts.receipt_folders(&format!("receipts/{person}/")).await? {
        if Timestamp::now() >= until {
            return Ok(false);
        }
        let was_submitted = store.receipt(id).await?.is_some_and(|receipt| receipt.submitted);
        let kept = was_submitted || receipts.contains(&id);
        if kept {
            worker.receipts.erase(&format!("{folder}reading.json"), |_| true).await?;
        } else {
            worker.receipts.erase(&folder, |_| true).await?;
            record.erased.receipts += 1;
        }
        erase_receipt(worker, id, kept).await?;
    }
    let partition = keys::person(person).pk;
    record.erased.habits += erase_items(store, &partition, keys::HABIT_PREFIX).await?;
    worker.exports.erase(&folder_of(person), |_| true).await?;
    let exports = IndexQuery::of(Index::Owner, keys::exports_of(person));
    let exports: Vec<ExportRecord> = store.table.query_all(&exports).await?;
    record.erased.exports += exports.len() as u64;
    delete(store, exports.iter().map(|export| keys::export(export.id)).collect()).await?;
    Ok(true)
}

/// Gives the items of an expense that is kept the end of the legal term as their time to live. An expense that still
/// goes its way writes its item anew, without it; its events keep it.
async fn limit(store: &Store, expense: &ExpenseState, days: i32) -> Result<()> {
    let until = expense.updated_at + SignedDuration::from_hours(24 * i64::from(days));
    let key = keys::expense(expense.id);
    let mut keys = item_keys(store, &key.pk, keys::EVENT_PREFIX).await?;
    keys.push(key);
    for chunk in keys.chunks(AT_ONCE) {
        let mut transaction = Transaction::default();
        for key in chunk {
            let condition = Condition::new("attribute_exists(#pk)")
                .name("#pk", keys::PK)
                .name("#expires_at", EXPIRES_AT)
                .value(":until", number(until.as_second()));
            transaction.update(key, "SET #expires_at = :until", condition);
        }
        store.table.commit(transaction).await?;
    }
    Ok(())
}

/// Erases a draft that was never submitted: its events, then itself, which leads to them, with what follows it.
async fn erase_expense(store: &Store, expense: &ExpenseState) -> Result<()> {
    debug_assert!(expense.status != ExpenseStatus::Submitted);
    let key = keys::expense(expense.id);
    erase_items(store, &key.pk, keys::EVENT_PREFIX).await?;
    let mut transaction = Transaction::default();
    for mark in keys::marks(expense) {
        transaction.delete(&mark.key, Condition::default());
    }
    transaction.delete(&key, Condition::version(expense.version));
    store.table.commit(transaction).await?;
    Ok(())
}

/// Erases what was made out on a receipt, unless a colleague has the same bytes; and unless the receipt is kept, what the
/// table says of it.
async fn erase_receipt(worker: &Worker, id: ReceiptId, kept: bool) -> Result<()> {
    let store = &worker.store;
    let Some(receipt) = store.receipt(id).await? else { return Ok(()) };
    let sha256 = &receipt.state.sha256;
    let same: Vec<MarkRecord> = store.table.partition(&keys::same_file(sha256), keys::MARK_PREFIX).await?;
    if same.iter().all(|mark| mark.owner == receipt.state.owner) {
        worker.receipts.erase(&format!("analyses/{sha256}/"), |_| true).await?;
    }
    if !kept {
        let key = keys::receipt(id);
        erase_items(store, &key.pk, keys::EVENT_PREFIX).await?;
        delete(store, vec![keys::receipt_use(id), key]).await?;
    }
    Ok(())
}

/// The keys of a partition's items whose sort key begins with `prefix`.
async fn item_keys(store: &Store, pk: &str, prefix: &str) -> Result<Vec<Key>> {
    let items: Vec<Value> = store.table.partition(pk, prefix).await?;
    let key = |item: &Value| Some(Key { pk: pk.to_owned(), sk: item[keys::SK].as_str()?.to_owned() });
    Ok(items.iter().filter_map(key).collect())
}

async fn erase_items(store: &Store, pk: &str, prefix: &str) -> Result<u64> {
    let keys = item_keys(store, pk, prefix).await?;
    let count = keys.len() as u64;
    delete(store, keys).await?;
    Ok(count)
}

async fn delete(store: &Store, keys: Vec<Key>) -> Result<()> {
    for chunk in keys.chunks(AT_ONCE) {
        let mut transaction = Transaction::default();
        for key in chunk {
            transaction.delete(key, Condition::default());
        }
        store.table.commit(transaction).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_reason_and_an_end() {
        let terms = Terms { receipt_days: 3650, archive_days: 400, log_days: 30, ticket_seconds: 900 };
        let now: Timestamp = "2026-03-12T10:00:00Z".parse().unwrap();
        let nothing = kept(terms, now, None);
        assert!(nothing.iter().all(|kept| kept.what != "submitted_expenses"), "there is nothing of the kind");
        let kept = kept(terms, now, Some("2026-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(kept[0].what, "submitted_expenses");
        assert_eq!(kept[0].until, Some(jiff::civil::date(2035, 12, 30)));
        assert!(kept.iter().all(|kept| !kept.why.is_empty()));
        // Only what this stack cannot end has no end.
        assert_eq!(
            kept.iter().filter(|kept| kept.until.is_none()).map(|kept| &kept.what).collect::<Vec<_>>(),
            ["sign_in_account"]
        );
    }
}
