//! Expenses over HTTP, and the people and the policy that they need.
//!
//! It translates: requests into commands of the domain, states into answers. What may happen is decided in
//! `slipstream-domain`. What is not the caller's does not exist for them (404, never 403).
//!
//! To test: `cargo test -p expenses`; every route end to end in `tests/`.

mod people;
mod policy;

use aws_config::SdkConfig;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use people::{Accounts, People};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slipstream_common::{
    Fault, caller,
    http::{Request, Response, serve},
    keys::{self, Index, PK, SK},
    mail_domains::MailDomains,
    problem::Problem,
    records::StepStatus,
    settings::{Settings, SettingsError},
    store::{ChangeError, Store, add_expense_change, add_step_closing},
    table::{IndexQuery, Item, StoreError, Table, Transaction, text},
};
use slipstream_domain::{
    details,
    expense::{Command, decide},
};
use slipstream_events::{
    EventType, ExpenseDetails, ExpenseId, ExpenseState, ExpenseStatus, Metadata, PersonId, ReceiptId, ReceiptStatus,
    ReviewFinding, Role,
};
use uuid::Uuid;

/// The most expenses on a page.
const MAX_PAGE: i32 = 100;
/// The longest idempotency key, in characters.
const MAX_IDEMPOTENCY_KEY: usize = 128;

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Expenses {
    store: Store,
    people: People,
    web_origin: String,
}

/// An expense as its owner sees it.
#[derive(Debug, Serialize)]
struct View {
    id: ExpenseId,
    version: u64,
    owner: PersonId,
    status: ExpenseStatus,
    details: ExpenseDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_id: Option<ReceiptId>,
    submission: u32,
    /// What it lacks before it can be submitted.
    missing: Vec<&'static str>,
    /// While it can be edited: whether it needs a look before it is submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    readiness: Option<Readiness>,
    /// What to look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    review: Vec<Finding>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Whether a draft may be submitted as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Readiness {
    /// It is complete, and what was read is sure and adds up.
    Ready,
    /// `missing` and `review` say what to look at.
    NeedsReview,
}

/// What to look at.
#[derive(Debug, Serialize)]
struct Finding {
    #[serde(flatten)]
    finding: ReviewFinding,
    message: String,
}

impl From<ExpenseState> for View {
    fn from(state: ExpenseState) -> Self {
        let missing = details::missing(&state.details);
        let editable = matches!(state.status, ExpenseStatus::Draft | ExpenseStatus::ChangesRequested);
        let ready = missing.is_empty() && state.review.is_empty();
        let finding = |finding: ReviewFinding| Finding { finding, message: finding.message() };
        Self {
            missing,
            readiness: editable.then_some(if ready { Readiness::Ready } else { Readiness::NeedsReview }),
            review: state.review.into_iter().map(finding).collect(),
            id: state.id,
            version: state.version,
            owner: state.owner,
            status: state.status,
            details: state.details,
            receipt_id: state.receipt,
            submission: state.submission,
            created_at: state.created_at,
            updated_at: state.updated_at,
        }
    }
}

fn answer(status: u16, state: ExpenseState) -> Response {
    let etag = format!("\"{}\"", state.version);
    Response::json(status, &View::from(state)).header("etag", etag)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewExpense {
    details: ExpenseDetails,
    #[serde(default)]
    receipt_id: Option<ReceiptId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    details: serde_json::Map<String, Value>,
}

/// An entry of the audit trail.
#[derive(Debug, Serialize)]
struct HistoryEntry {
    #[serde(rename = "type")]
    event_type: EventType,
    metadata: Metadata,
    change: Value,
}

impl Expenses {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        let mut settings = Settings::new();
        let table = settings.text("TABLE_NAME");
        let web_origin = settings.text("WEB_ORIGIN");
        let pool = settings.text("USER_POOL_ID");
        let domains = MailDomains::new(&settings.text("ALLOWED_MAIL_DOMAINS"));
        let store = Store::new(Table::new(sdk, table));
        let people = People::new(store.clone(), Accounts::new(sdk, pool), domains);
        settings.finish(Self { store, people, web_origin })
    }

    /// Answers a request of the gateway.
    ///
    /// # Errors
    /// Only when `event` is not one.
    pub async fn handle(&self, event: Value) -> Result<Response, Fault> {
        serve(event, &self.web_origin, async |request| {
            let route = (request.http_method.as_str(), request.resource.as_str());
            if route == ("GET", "/me") {
                return self.people.me(&request).await;
            }
            let caller = caller::authenticate(&request, &self.store).await?;
            let me = caller.state.id;
            let may_any = |roles: &[Role]| match roles.iter().any(|role| caller.state.roles.contains(role)) {
                true => Ok(()),
                false => Err(Problem::forbidden("role", "Only people with another role may do this.")),
            };
            let may = |role: Role| may_any(&[role]);
            match route {
                ("GET", "/expenses") => self.list(me, &request).await,
                ("POST", "/expenses") => self.create(me, &request).await,
                ("GET", "/expenses/{expense_id}") => Ok(answer(200, self.own(me, &request).await?)),
                ("PATCH", "/expenses/{expense_id}") => self.edit(me, &request).await,
                ("POST", "/expenses/{expense_id}/submit") => {
                    let policy = self.store.current_policy().await?;
                    self.change(me, &request, Command::Submit { policy_version: policy.version }).await
                }
                ("POST", "/expenses/{expense_id}/withdraw") => self.withdraw(me, &request).await,
                ("POST", "/expenses/{expense_id}/reimburse") => {
                    may(Role::Finance)?;
                    self.reimburse(me, &request).await
                }
                ("GET", "/expenses/{expense_id}/history") => self.history(me, &request).await,
                ("PUT", "/me") => self.people.update_me(me, &request).await,
                ("GET", "/people") => {
                    may_any(&[Role::Administrator, Role::Finance])?;
                    self.people.list(&request).await
                }
                ("GET", "/people/{person_id}") => {
                    may_any(&[Role::Administrator, Role::Finance])?;
                    self.people.read(&request).await
                }
                ("PUT", "/people/{person_id}") => {
                    may(Role::Administrator)?;
                    self.people.write(&caller, &request).await
                }
                ("POST", "/people/import") => {
                    may(Role::Administrator)?;
                    self.people.import(&caller, &request).await
                }
                ("GET", "/policy") => policy::read(&self.store).await,
                ("PUT", "/policy") => {
                    may(Role::Finance)?;
                    policy::write(&self.store, me, &request).await
                }
                _ => Err(Problem::method_not_allowed()),
            }
        })
        .await
    }

    /// The caller's expense that the path names.
    async fn own(&self, owner: PersonId, request: &Request) -> Result<ExpenseState, Problem> {
        let id: ExpenseId = request.path("expense_id", "expense")?;
        let state = self.store.expense(id).await?;
        state
            .filter(|state| state.owner == owner && state.status != ExpenseStatus::Deleted)
            .ok_or_else(|| Problem::not_found("expense"))
    }

    /// The caller's expenses, newest first.
    async fn list(&self, owner: PersonId, request: &Request) -> Result<Response, Problem> {
        let query = &request.query_string_parameters;
        let limit = match query.get("limit") {
            None => 25,
            Some(limit) => limit
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_PAGE).contains(limit))
                .ok_or_else(|| Problem::invalid("limit", format!("give a number from 1 to {MAX_PAGE}")))?,
        };
        let start = query.get("cursor").map(|cursor| start_of(owner, cursor)).transpose()?;
        let index = IndexQuery { descending: true, limit, ..IndexQuery::of(Index::Owner, keys::expenses_of(owner)) };
        let page = self.store.table.query::<ExpenseState>(&index, start).await?;
        let cursor = page.next.and_then(|key| {
            let sort = key.get(Index::Owner.sk())?.as_s().ok()?;
            Some(BASE64_URL_SAFE_NO_PAD.encode(sort))
        });
        let expenses: Vec<View> = page.items.into_iter().map(View::from).collect();
        Ok(Response::json(200, &serde_json::json!({ "expenses": expenses, "next_cursor": cursor })))
    }

    async fn create(&self, owner: PersonId, request: &Request) -> Result<Response, Problem> {
        let wanted: NewExpense = request.json()?;
        let id = match (wanted.receipt_id, request.header("idempotency-key")) {
            (Some(receipt), _) => {
                let record = self.store.receipt(receipt).await?.filter(|record| record.state.owner == owner);
                let record = record.ok_or_else(|| {
                    Problem::invalid("receipt_id", "name a receipt of your own, or leave the field out")
                })?;
                if record.state.status == ReceiptStatus::AwaitingUpload {
                    return Err(Problem::conflict("receipt-unfinished", "The receipt is still being read."));
                }
                ExpenseId::derived_from(&["receipt", &receipt.to_string()])
            }
            (None, Some(key)) if key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY => {
                let remedy = format!("give 1 to {MAX_IDEMPOTENCY_KEY} characters");
                return Err(Problem::invalid("Idempotency-Key", remedy));
            }
            (None, Some(key)) => ExpenseId::derived_from(&["by-hand", &owner.to_string(), key]),
            (None, None) => ExpenseId::from_uuid(Uuid::now_v7()),
        };
        let receipt = wanted.receipt_id;
        let command = Command::Draft { id, owner, details: wanted.details.clone(), receipt, review: Vec::new() };
        match self.store.change_expense(id, &request.cause(owner), &command).await {
            Ok(state) => Ok(answer(201, state).header("location", format!("expenses/{id}"))),
            // The same request again: the answer is what it made then.
            Err(ChangeError::Rejected(_)) => match self.store.expense(id).await? {
                Some(state) if state.owner == owner && self.drafted_with(&state, &wanted).await? => {
                    Ok(answer(200, state).header("location", format!("expenses/{id}")))
                }
                Some(_) => Err(Problem::conflict(
                    "idempotency-key-reused",
                    "An expense was made with this key or receipt and other details. Edit that one, or use a new key.",
                )),
                None => Err(decide(None, command).err().map_or_else(Problem::internal, Into::into)),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the expense was drafted with what is wanted now.
    async fn drafted_with(&self, state: &ExpenseState, wanted: &NewExpense) -> Result<bool, Problem> {
        let history = self.store.history(state.id).await?;
        let first = history.first().and_then(|record| record.event().ok());
        Ok(first.is_some_and(|event| event.data.expense().is_some_and(|drafted| drafted.details == wanted.details)))
    }

    async fn edit(&self, owner: PersonId, request: &Request) -> Result<Response, Problem> {
        let change: Change = request.json()?;
        let state = self.own(owner, request).await?;
        if let Some(wanted) = request.header("if-match")
            && wanted != "*"
            && wanted != format!("\"{}\"", state.version)
        {
            return Err(Problem::precondition_failed());
        }
        let details = merged(&state.details, change.details)?;
        let edited = decide(Some(&state), Command::Edit { details })?;
        let mut transaction = Transaction::default();
        let (after, _) = add_expense_change(&mut transaction, Some(&state), edited, &request.cause(owner))?;
        match self.store.table.commit(transaction).await {
            Ok(()) => Ok(answer(200, after)),
            Err(StoreError::Condition(_)) => Err(Problem::precondition_failed()),
            Err(error) => Err(error.into()),
        }
    }

    async fn change(&self, owner: PersonId, request: &Request, command: Command) -> Result<Response, Problem> {
        let state = self.own(owner, request).await?;
        let after = self.store.change_expense(state.id, &request.cause(owner), &command).await?;
        Ok(answer(200, after))
    }

    /// Takes the submission back; the same transaction closes the step that waits, so that its link dies with it
    /// and the execution is let go on.
    async fn withdraw(&self, owner: PersonId, request: &Request) -> Result<Response, Problem> {
        let mut attempts = 0;
        loop {
            let state = self.own(owner, request).await?;
            let change = decide(Some(&state), Command::Withdraw)?;
            let mut transaction = Transaction::default();
            let cause = request.cause(owner);
            let (after, _) = add_expense_change(&mut transaction, Some(&state), change, &cause)?;
            if let Some(submission) = state.submission_id() {
                let steps = self.store.steps(submission).await?;
                for step in steps.iter().filter(|step| step.status == StepStatus::Pending) {
                    add_step_closing(&mut transaction, step, cause.at);
                }
            }
            match self.store.table.commit(transaction).await {
                Ok(()) => return Ok(answer(200, after)),
                Err(StoreError::Condition(_)) if attempts < 5 => attempts += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn reimburse(&self, finance: PersonId, request: &Request) -> Result<Response, Problem> {
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Payment {
            #[serde(default)]
            reference: Option<String>,
        }
        let payment: Payment = if request.body.is_empty() { Payment::default() } else { request.json()? };
        if payment.reference.as_ref().is_some_and(|reference| reference.chars().count() > details::MAX_CODE) {
            return Err(Problem::invalid("reference", format!("give at most {} characters", details::MAX_CODE)));
        }
        let id: ExpenseId = request.path("expense_id", "expense")?;
        let state = self.store.expense(id).await?.ok_or_else(|| Problem::not_found("expense"))?;
        if state.owner == finance {
            return Err(Problem::forbidden("own-expense", "No one pays out their own expense."));
        }
        let command = Command::Reimburse { reference: payment.reference };
        Ok(answer(200, self.store.change_expense(id, &request.cause(finance), &command).await?))
    }

    async fn history(&self, owner: PersonId, request: &Request) -> Result<Response, Problem> {
        let state = self.own(owner, request).await?;
        let mut events = Vec::new();
        for record in self.store.history(state.id).await? {
            let event = record.event().map_err(|error| {
                tracing::error!(%error, expense.id = %state.id, "an event in the table cannot be read");
                Problem::internal()
            })?;
            let mut data = serde_json::to_value(&event.data).unwrap_or_default();
            let change = data.get_mut("change").map(Value::take).unwrap_or_default();
            events.push(HistoryEntry { event_type: event.metadata.event_type, metadata: event.metadata, change });
        }
        Ok(Response::json(200, &serde_json::json!({ "events": events })))
    }
}

/// The details after a JSON merge patch (RFC 7396): members replace, `null` removes.
fn merged(before: &ExpenseDetails, patch: serde_json::Map<String, Value>) -> Result<ExpenseDetails, Problem> {
    let mut details = serde_json::to_value(before).map_err(|_| Problem::internal())?;
    let members = details.as_object_mut().ok_or_else(Problem::internal)?;
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    serde_json::from_value(details).map_err(|error| Problem::bad_request(format!("details: {error}.")))
}

/// Where a page begins: the place in the owner's index that the cursor names. A cursor cannot reach another
/// owner's partition, whatever it says.
fn start_of(owner: PersonId, cursor: &str) -> Result<Item, Problem> {
    let invalid = || Problem::invalid("cursor", "use the next_cursor of an earlier page, unchanged");
    let sort = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let sort = sort.ok_or_else(invalid)?;
    let id: ExpenseId = sort.split_once('#').and_then(|(_, id)| id.parse().ok()).ok_or_else(invalid)?;
    let key = keys::expense(id);
    Ok(Item::from([
        (PK.to_owned(), text(key.pk)),
        (SK.to_owned(), text(key.sk)),
        (Index::Owner.pk().to_owned(), text(keys::expenses_of(owner))),
        (Index::Owner.sk().to_owned(), text(sort)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(text: &str) -> serde_json::Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_patch_replaces_and_removes() {
        let before = ExpenseDetails {
            merchant: Some("Café".to_owned()),
            note: Some("old".to_owned()),
            ..ExpenseDetails::default()
        };
        let after = merged(&before, patch(r#"{"note": null, "project": "Atlas", "category": "meals"}"#)).unwrap();
        assert_eq!(after.merchant.as_deref(), Some("Café"));
        assert_eq!(after.note, None);
        assert_eq!(after.project.as_deref(), Some("Atlas"));
        assert_eq!(merged(&before, patch(r#"{"owner": "x"}"#)).unwrap_err().status, 400);
        assert_eq!(
            merged(&before, patch(r#"{"amount": {"minor_units": 1.5, "currency": "EUR"}}"#)).unwrap_err().status,
            400
        );
    }

    #[test]
    fn a_cursor_stays_in_its_owners_partition() {
        let me: PersonId = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap();
        let id = ExpenseId::derived_from(&["x"]);
        let start = start_of(me, &BASE64_URL_SAFE_NO_PAD.encode(format!("2026#{id}"))).unwrap();
        assert_eq!(start["GSI1PK"], text(format!("OWNER#{me}")));
        for cursor in ["", "%%", "YWJj"] {
            assert_eq!(start_of(me, cursor).unwrap_err().status, 422, "{cursor}");
        }
    }

    #[test]
    fn change_is_a_variant_of_every_history_entry() {
        // `history` takes the `change` member out of the data; the type says that it is there.
        let change = slipstream_events::ExpenseChange::Deleted(slipstream_events::Deleted {});
        let state = ExpenseState {
            id: ExpenseId::derived_from(&["x"]),
            version: 1,
            owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            status: ExpenseStatus::Deleted,
            details: ExpenseDetails::default(),
            receipt: None,
            review: Vec::new(),
            submission: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        let data = serde_json::to_value(slipstream_events::EventBody::of_expense(change, state)).unwrap();
        assert!(data["change"].is_object());
    }
}
