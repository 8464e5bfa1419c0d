//! Exports over HTTP: asking for one, looking at it, and fetching its files.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    act::{act, is_replay},
    background::{Background, Work},
    http::{Request, Response, given},
    keys::{self, Index},
    page::{Budget, Listing},
    problem::{FieldError, Problem},
    records::PersonRecord,
    table::{Condition, IndexQuery},
};
use slipstream_events::{ExpenseStatus, ExportId, PersonId};
use uuid::Uuid;

use crate::{
    assembly::Checkpoint,
    error::WorkError,
    record::{ExportRecord, Kind, Scope, Status, Wanted},
    worker::Worker,
};

/// The most days that an export goes over: ten years, longer than receipts are kept.
const MAX_DAYS: i32 = 3660;
/// The most exports of one person that are being made at the same time. Requests that come at the same moment do not see
/// each other's: it keeps one from flooding the queue, and a few more do no harm.
const MAX_OPEN: usize = 5;
/// How many of a person's latest exports are looked at for that.
const LOOKED_AT: i32 = 25;

/// What a client asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewExport {
    kind: Kind,
    scope: Scope,
    #[serde(default, deserialize_with = "given")]
    from: Option<Date>,
    #[serde(default, deserialize_with = "given")]
    until: Option<Date>,
    #[serde(default, deserialize_with = "given")]
    statuses: Option<Vec<ExpenseStatus>>,
    #[serde(default, deserialize_with = "given")]
    bom: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    person: Option<PersonId>,
}

/// An export as its owner sees it.
#[derive(Debug, Serialize)]
struct View {
    id: ExportId,
    status: Status,
    kind: Kind,
    scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Date>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<ExpenseStatus>,
    rows: u64,
    progress: u8,
    files: Vec<FileView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct FileView {
    name: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl From<&ExportRecord> for View {
    fn from(record: &ExportRecord) -> Self {
        // What is there before everything is there is not shown: it may be taken for the whole.
        let files = if record.status == Status::Done { &record.checkpoint.files[..] } else { &[] };
        let file = |file: &crate::assembly::FinishedFile| FileView {
            name: file.name.clone(),
            size_bytes: file.bytes,
            url: None,
        };
        let wanted = record.wanted.clone();
        Self {
            id: record.id,
            status: record.status,
            kind: wanted.kind,
            scope: wanted.scope,
            person: wanted.person,
            from: wanted.from,
            until: wanted.until,
            statuses: wanted.statuses,
            rows: record.checkpoint.rows,
            progress: record.progress(),
            files: files.iter().map(file).collect(),
            failure: record.failure.clone(),
            created_at: record.background.created_at,
            updated_at: record.background.updated_at,
            expires_at: record.expires_at(),
        }
    }
}

/// What is wrong with what is asked for, field by field.
fn faults(new: &NewExport) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, remedy: &str| {
        faults.push(FieldError { field: field.to_owned(), remedy: remedy.to_owned() });
    };
    let personal = new.kind == Kind::PersonalData;
    match (personal, new.from, new.until) {
        (true, None, None) => {}
        (true, ..) => fault("from", "leave out `from` and `until`: personal data are exported whole"),
        (false, Some(from), Some(until)) if until < from => fault("until", "give a day that is not before `from`"),
        (false, Some(from), Some(until)) if from.duration_until(until).as_hours() / 24 > i64::from(MAX_DAYS) => {
            fault("until", &format!("give at most {MAX_DAYS} days; make several exports of a longer time"));
        }
        (false, Some(_), Some(_)) => {}
        (false, None, _) => fault("from", "give the first day, such as 2026-01-01"),
        (false, _, None) => fault("until", "give the last day, such as 2026-12-31"),
    }
    if personal && new.scope == Scope::Company {
        fault("scope", "personal data are those of one person: use `own`, and `person` for somebody else's");
    }
    if new.person.is_some() && !personal {
        fault("person", "leave it out: only personal data are exported of somebody else");
    }
    if let Some(statuses) = &new.statuses {
        if personal {
            fault("statuses", "leave it out: personal data are exported whole");
        } else if statuses.is_empty() || statuses.len() >= ExpenseStatus::ALL.len() {
            fault("statuses", "name one to six statuses, or leave it out for all");
        } else if statuses.contains(&ExpenseStatus::Deleted) {
            fault("statuses", "deleted expenses are not exported");
        } else if new.scope == Scope::Company && statuses.contains(&ExpenseStatus::Draft) {
            fault("statuses", "drafts are their owners' affair: leave out `draft`");
        }
    }
    faults
}

fn unavailable(error: &WorkError) -> Problem {
    tracing::warn!(%error, "an export cannot be answered");
    match error {
        WorkError::Unavailable(..) => Problem::unavailable(),
        _ => Problem::internal(),
    }
}

impl Worker {
    /// `POST /exports`: notes what is asked for and has it begun.
    ///
    /// # Errors
    /// 403 for what the caller's role may not do, 404 for an unknown person, 409 for too many at once, 422.
    pub async fn ask(&self, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
        let new: NewExport = request.json()?;
        let me = caller.state.id;
        let faults = faults(&new);
        let person = new.person.unwrap_or(me);
        let mut statuses = new.statuses.unwrap_or_default();
        // In the order of the life cycle, each once: so that two that ask for the same get the same.
        statuses.sort();
        statuses.dedup();
        let wanted = Wanted {
            kind: new.kind,
            scope: new.scope,
            person: (new.scope == Scope::Own).then_some(person),
            from: new.from,
            until: new.until,
            statuses,
            bom: new.bom.unwrap_or(false),
        };
        if wanted.needs(me).is_some_and(|role| !caller.state.roles.contains(&role)) {
            return Err(Problem::role());
        }
        if !faults.is_empty() {
            return Err(Problem::invalid_fields(faults));
        }
        if person != me && self.store.person(person).await?.is_none() {
            return Err(Problem::not_found("person"));
        }
        let mut begun = None;
        let response = act(&self.store, request, me, async |transaction| {
            if self.open_exports(me).await? >= MAX_OPEN {
                let detail = format!("{MAX_OPEN} exports of yours are being made. Wait until one of them is done.");
                return Err(Problem::conflict("too-many-exports", detail));
            }
            let id = ExportId::from_uuid(Uuid::now_v7());
            let work = Work::Export { id, checkpoint: None };
            let record = ExportRecord {
                background: Background::new(work.clone(), Timestamp::now()),
                id,
                owner: me,
                wanted: wanted.clone(),
                status: Status::Queued,
                failure: None,
                checkpoint: Checkpoint::default(),
            };
            transaction.put(&work.key(), record.to_item()?, Some(Condition::absent()));
            let response = Response::json(202, &View::from(&record)).header("location", format!("exports/{id}"));
            begun = Some(work);
            Ok(response)
        })
        .await?;
        if let Some(work) = begun.filter(|_| !is_replay(&response)) {
            let whose = wanted.person.map(|person| person.to_string()).unwrap_or_default();
            let (kind, scope) = (wanted.kind, wanted.scope);
            tracing::info!(export.id = %work.key().pk, export.kind = ?kind, export.scope = ?scope, person.id = whose, "asked for");
            // The sweeper sends it, should this fail.
            if let Err(error) = self.queue.send(&work, 0).await {
                tracing::warn!(%error, "the sweeper has it begun");
            }
        }
        Ok(response)
    }

    async fn open_exports(&self, owner: PersonId) -> Result<usize, Problem> {
        let mut query = IndexQuery::of(Index::Owner, keys::exports_of(owner));
        (query.descending, query.limit) = (true, LOOKED_AT);
        let latest = self.store.table.query::<ExportRecord>(&query, None).await?;
        Ok(latest.items.iter().filter(|record| record.is_open()).count())
    }

    /// `GET /exports/{export_id}`: how it stands, with links once it is done.
    ///
    /// # Errors
    /// 404; 403 without the role that it needs, whoever asked for it.
    pub async fn look(&self, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
        let id: ExportId = request.path("export_id", "export")?;
        let record: Option<ExportRecord> = self.store.table.get(&keys::export(id)).await?;
        let now = Timestamp::now();
        // Time to live deletes late: what is over counts as gone.
        let record = record.filter(|record| record.owner == caller.state.id && record.expires_at() > now);
        let record = record.ok_or_else(|| Problem::not_found("export"))?;
        if !record.is_for(caller) {
            return Err(Problem::role());
        }
        let mut view = View::from(&record);
        for file in &mut view.files {
            let link = self.exports.link(&record.object_key(&file.name), &file.name).await;
            file.url = Some(link.map_err(|error| unavailable(&error))?);
        }
        Ok(Response::json(200, &view))
    }

    /// `GET /exports`: the caller's, the latest first, without links.
    ///
    /// # Errors
    /// 422.
    pub async fn list(&self, me: PersonId, request: &Request) -> Result<Response, Problem> {
        let now = Timestamp::now();
        let partition = IndexQuery { descending: true, ..IndexQuery::of(Index::Owner, keys::exports_of(me)) };
        let listing = Listing {
            partitions: vec![partition],
            filters: String::new(),
            filtered: false,
            budget: Budget { queries: 1 },
        };
        let page = listing.page(&self.store.table, request, |record: &ExportRecord| record.expires_at() > now).await?;
        let exports: Vec<View> = page.items.iter().map(View::from).collect();
        Ok(Response::json(200, &serde_json::json!({ "exports": exports, "next_cursor": page.next_cursor })))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faulty(body: Value) -> Vec<String> {
        faults(&serde_json::from_value(body).unwrap()).into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn faults_name_their_fields() {
        let range = |kind: &str, scope: &str, from: &str, until: &str| json!({"kind": kind, "scope": scope, "from": from, "until": until});
        let with = |mut body: Value, name: &str, value: Value| {
            body[name] = value;
            body
        };
        let good = || range("expenses", "company", "2026-01-01", "2026-12-31");
        assert_eq!(faulty(good()), Vec::<String>::new());
        assert_eq!(faulty(json!({"kind": "personal_data", "scope": "own"})), Vec::<String>::new());
        assert_eq!(faulty(range("receipts", "own", "2016-01-01", "2026-01-01")), Vec::<String>::new());
        assert_eq!(faulty(range("receipts", "own", "2015-01-01", "2026-01-01")), ["until"]);
        assert_eq!(faulty(range("receipts", "own", "2026-01-02", "2026-01-01")), ["until"]);
        assert_eq!(faulty(json!({"kind": "expenses", "scope": "own"})), ["from"]);
        assert_eq!(faulty(range("personal_data", "company", "2026-01-01", "2026-12-31")), ["from", "scope"]);
        assert_eq!(faulty(with(good(), "statuses", json!(["approved", "draft"]))), ["statuses"]);
        assert_eq!(faulty(with(good(), "statuses", json!([]))), ["statuses"]);
        assert_eq!(faulty(with(good(), "person", json!("0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11"))), ["person"]);
        assert!(serde_json::from_value::<NewExport>(with(good(), "owner", json!("me"))).is_err());
    }
}
