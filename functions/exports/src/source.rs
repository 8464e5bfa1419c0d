//! What goes into an export: the expenses in the table, with what their owners, reports and events say, and the receipts in
//! their bucket.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use slipstream_common::{
    keys::{self, Index},
    records::{EventRecord, PersonRecord, ReceiptRecord, StepRecord},
    reports::ReportRecord,
    store::Store,
    table::IndexQuery,
};
use slipstream_events::{EventBody, ExpenseState, MediaType, PersonId, ReceiptId, ReceiptStatus, ReportId};

use crate::{
    archive::{Entry, safe_name},
    assembly::{Page, Place, Source},
    bucket::Bucket,
    cells::{Row, Trail},
    error::Result,
    record::{Kind, Wanted},
};

/// How many expenses' events are read at the same time.
const AT_ONCE: usize = 8;
/// How many names are remembered.
const MOST_NAMES: usize = 1000;

/// What a person calls themselves, and their address.
type Who = (Option<String>, Option<String>);

/// A walk through what an export is about.
#[derive(Debug)]
pub struct Walk<'a> {
    store: &'a Store,
    receipts: &'a Bucket,
    wanted: &'a Wanted,
    asked_at: Timestamp,
    lists: Vec<IndexQuery>,
    people: Mutex<HashMap<PersonId, Who>>,
    titles: Mutex<HashMap<ReportId, Option<String>>>,
}

/// What `known` says of `id`, or what `look` finds and is remembered.
async fn remembered<K: Copy + Eq + std::hash::Hash, V: Clone>(
    known: &Mutex<HashMap<K, V>>,
    id: K,
    look: impl Future<Output = Result<V>>,
) -> Result<V> {
    let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = lock().get(&id) {
        return Ok(value.clone());
    }
    let value = look.await?;
    let mut known = lock();
    if known.len() >= MOST_NAMES {
        known.clear();
    }
    known.insert(id, value.clone());
    Ok(value)
}

impl<'a> Walk<'a> {
    /// Through what was wanted at `asked_at`.
    pub fn new(store: &'a Store, receipts: &'a Bucket, wanted: &'a Wanted, asked_at: Timestamp) -> Self {
        let (lists, people, titles) = (wanted.lists(), Mutex::default(), Mutex::default());
        Self { store, receipts, wanted, asked_at, lists, people, titles }
    }

    async fn person(&self, id: PersonId) -> Result<Who> {
        let look = async {
            let person = self.store.person(id).await?;
            Ok(person.map(|person| (person.name, Some(person.email))).unwrap_or_default())
        };
        remembered(&self.people, id, look).await
    }

    async fn title(&self, report: Option<ReportId>) -> Result<Option<String>> {
        let Some(id) = report else { return Ok(None) };
        let look = async { Ok(self.store.report(id).await?.map(|report| report.state.title)) };
        remembered(&self.titles, id, look).await
    }

    async fn row(&self, expense: ExpenseState) -> Result<Row> {
        let (owner_name, owner_email) = self.person(expense.owner).await?;
        let report_title = self.title(expense.details.report).await?;
        // Nothing has happened to a draft that a column tells of.
        let trail = match expense.submission {
            0 => Trail::default(),
            _ => trail(&self.store.history(expense.id).await?),
        };
        Ok(Row { owner_name, owner_email, report_title, trail, expense })
    }

    /// A receipt as it was uploaded; of personal data also what is known of it, and what was made out on it. `name` is
    /// without an ending.
    async fn receipt(&self, id: ReceiptId, name: &str) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let Some(receipt) = self.store.receipt(id).await? else { return Ok(entries) };
        let modified = receipt.state.created_at;
        if self.wanted.kind == Kind::PersonalData {
            let partition = keys::receipt(id).pk;
            let events: Vec<EventRecord> = self.store.table.partition(&partition, keys::EVENT_PREFIX).await?;
            let reading = self.receipts.get(&receipt.object_key("reading.json"), None, None).await?;
            let reading: Option<Value> = reading.map(|reading| serde_json::from_slice(&reading)).transpose()?;
            let told = json!({ "receipt": receipt.state, "reading": reading, "history": history(&events) });
            entries.push(json_entry(format!("{name}.json"), modified, &told)?);
        }
        if !matches!(receipt.state.status, ReceiptStatus::AwaitingUpload | ReceiptStatus::Deleted) {
            let version = receipt.object_version.as_deref();
            let bytes = self.receipts.get(&receipt.object_key("original"), version, None).await?;
            let name = format!("{name}.{}", ending(&receipt));
            entries.extend(bytes.map(|bytes| Entry { name, modified, bytes }));
        }
        Ok(entries)
    }

    /// The person whose data are wanted, if that is what is wanted.
    fn person_wanted(&self) -> Option<PersonId> {
        self.wanted.person.filter(|_| self.wanted.kind == Kind::PersonalData)
    }

    /// Everything in a partition of an index, with `tell` of each.
    async fn told<T: DeserializeOwned>(
        &self,
        index: Index,
        pk: String,
        tell: impl Fn(&T) -> Value,
    ) -> Result<Vec<Value>> {
        let found: Vec<T> = self.store.table.query_all(&IndexQuery::of(index, pk)).await?;
        Ok(found.iter().map(tell).collect())
    }
}

/// What the receipt of an expense is called, without an ending: nothing in it is a path, and no two are the same.
fn receipt_name(expense: &ExpenseState) -> String {
    let merchant = safe_name(expense.details.merchant.as_deref().unwrap_or_default());
    format!("receipts/{}_{merchant}_{}", keys::listed_on(expense), expense.id)
}

const fn ending(receipt: &ReceiptRecord) -> &'static str {
    match receipt.state.media_type {
        MediaType::Jpeg => "jpg",
        MediaType::Png => "png",
        MediaType::Webp => "webp",
        MediaType::Tiff => "tiff",
        MediaType::Gif => "gif",
        MediaType::Heic => "heic",
        MediaType::Pdf => "pdf",
        MediaType::Unknown => "bin",
    }
}

/// What the events of an expense say of its way. A submission begins it anew.
fn trail(events: &[EventRecord]) -> Trail {
    let mut trail = Trail::default();
    for event in events.iter().filter_map(|event| event.event().ok()) {
        let at: Option<Timestamp> = Some(event.metadata.occurred_at);
        match event.data {
            EventBody::ExpenseSubmitted(_) => trail = Trail { submitted_at: at, ..Trail::default() },
            EventBody::ExpenseApproved(approved) => {
                (trail.approved_at, trail.approved_by) = (at, Some(approved.change.decided_by));
            }
            // The policy did, nobody was asked.
            EventBody::ExpenseAutoApproved(_) => trail.approved_at = at,
            EventBody::ExpenseReopened(_) => (trail.approved_at, trail.approved_by) = (None, None),
            EventBody::ExpenseReimbursed(reimbursed) => {
                (trail.reimbursed_at, trail.payment_reference) = (at, reimbursed.change.reference);
            }
            _ => {}
        }
    }
    trail
}

fn json_entry(name: String, modified: Timestamp, value: &Value) -> Result<Entry> {
    Ok(Entry { name, modified, bytes: serde_json::to_vec_pretty(value)? })
}

impl Source for Walk<'_> {
    async fn page(&self, place: &Place) -> Result<Page> {
        let Some(list) = self.lists.get(place.list) else { return Ok(Page { expenses: Vec::new(), next: None }) };
        // No other place begins with a whole one: the tilde stands after all of its repetitions and before the next.
        let from = place.after.as_ref().map(|after| format!("{after}~")).or_else(|| list.from.clone());
        let page = self.store.table.query::<ExpenseState>(&IndexQuery { from, ..list.clone() }, None).await?;
        let after = |expense: &ExpenseState| {
            let entry = keys::expense_entries(expense).into_iter().next();
            Place { list: place.list, after: entry.map(|entry| entry.sk) }
        };
        let next = match (page.next.and(page.items.last()), place.list + 1) {
            (Some(last), _) => Some(after(last)),
            (None, list) if list < self.lists.len() => Some(Place { list, after: None }),
            (None, _) => None,
        };
        let wanted = page.items.into_iter().filter(|expense| self.wanted.wants(expense.status));
        Ok(Page { expenses: wanted.map(|expense| (expense.clone(), after(&expense))).collect(), next })
    }

    async fn rows(&self, expenses: Vec<ExpenseState>) -> Result<Vec<Option<Row>>> {
        let rows = expenses.into_iter().map(|expense| async { self.row(expense).await.map(Some) });
        stream::iter(rows).buffered(AT_ONCE).try_collect().await
    }

    async fn front(&self) -> Result<Vec<Entry>> {
        let Some(person) = self.person_wanted() else { return Ok(Vec::new()) };
        let now = self.asked_at;
        let profile: Option<PersonRecord> = self.store.person(person).await?;
        let partition = keys::person(person).pk;
        let habits: Vec<Value> = self.store.table.partition(&partition, keys::HABIT_PREFIX).await?;
        let events: Vec<EventRecord> = self.store.table.partition(&partition, keys::EVENT_PREFIX).await?;
        let habit = |habit: &Value| {
            let merchant = habit[keys::SK].as_str().and_then(|key| key.strip_prefix(keys::HABIT_PREFIX));
            json!({ "merchant": merchant, "category": habit["category"] })
        };
        let mut reports = Vec::new();
        for list in [keys::reports_of(person), keys::deleted_reports_of(person)] {
            reports.extend(self.told(Index::Owner, list, |report: &ReportRecord| json!(report.state)).await?);
        }
        // The link and the task are what others act with: no data of the person.
        let step = |step: &StepRecord| {
            json!({
                "submission": step.submission, "step": step.step, "status": step.status, "due_at": step.due_at,
                "outcome": step.outcome, "decided_at": step.decided_at,
            })
        };
        let mut approvals = Vec::new();
        for list in [keys::steps_of(person), keys::steps_decided_by(person)] {
            approvals.extend(self.told(Index::Approver, list, step).await?);
        }
        Ok(vec![
            json_entry("profile.json".to_owned(), now, &json!({ "profile": profile, "history": history(&events) }))?,
            json_entry("habits.json".to_owned(), now, &habits.iter().map(habit).collect())?,
            json_entry("reports.json".to_owned(), now, &reports.into())?,
            json_entry("approvals.json".to_owned(), now, &approvals.into())?,
        ])
    }

    async fn entries(&self, expense: &ExpenseState) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        if self.wanted.kind == Kind::PersonalData {
            let events = self.store.history(expense.id).await?;
            let told = json!({ "expense": expense, "history": history(&events) });
            entries.push(json_entry(format!("expenses/{}.json", expense.id), expense.updated_at, &told)?);
        }
        if let Some(receipt) = expense.receipt {
            entries.extend(self.receipt(receipt, &receipt_name(expense)).await?);
        }
        Ok(entries)
    }

    async fn rest(&self, place: &Place) -> Result<Option<(Vec<Entry>, Place)>> {
        let Some(person) = self.person_wanted() else { return Ok(None) };
        let from = place.after.as_ref().map(|after| format!("{after}~"));
        let query = IndexQuery { from, limit: 1, ..IndexQuery::of(Index::Owner, keys::receipts_of(person)) };
        let page = self.store.table.query::<ReceiptRecord>(&query, None).await?;
        let Some(receipt) = page.items.first() else { return Ok(None) };
        let (owner, id) = (receipt.state.owner, receipt.state.id);
        let after = Some(keys::receipt_of_owner(owner, receipt.state.created_at, id).sk);
        let entries = match self.store.receipt_use(id).await? {
            // It stands with the expense.
            Some(_) => Vec::new(),
            None => self.receipt(id, &format!("receipts/{id}")).await?,
        };
        Ok(Some((entries, Place { list: 0, after })))
    }
}

/// Events as they were published.
fn history(events: &[EventRecord]) -> Vec<Value> {
    events.iter().filter_map(|event| serde_json::from_str(&event.detail).ok()).collect()
}
