//! One expense: drafting, editing, submitting and what follows.

use std::collections::{BTreeSet, HashMap};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use slipstream_common::{
    act::act,
    duplicates::{self, Suspect},
    http::{Request, Response, from_value, given},
    keys, page,
    problem::Problem,
    records::{EventRecord, PersonRecord, StepStatus},
    store::{Store, add_expense_change, add_receipt_deletion, add_receipt_keeping, add_step_closing},
    table::{Condition, Transaction},
    visible,
};
use slipstream_domain::{
    details,
    expense::{Command, decide, is_editable},
    split::{self, Part},
    text::is_unseen,
};
use slipstream_events::{
    Actor, Category, Currency, Drafted, DuplicatesDismissed, Event, EventType, ExpenseDetails, ExpenseId, ExpenseState,
    ExpenseStatus, Metadata, Money, PaidBy, PersonId, ReceiptAttached, ReceiptId, ReceiptStatus,
};
use uuid::Uuid;

use crate::{
    judge::Judge,
    reports,
    view::{View, answer},
};

/// What every expense is looked at with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Where it is.
    pub store: &'a Store,
    /// What its amount is converted to.
    pub company_currency: Currency,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewExpense {
    details: Map<String, Value>,
    #[serde(default, deserialize_with = "given")]
    receipt_id: Option<ReceiptId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    details: Map<String, Value>,
}

/// The expense that the path names, if it is the caller's.
async fn own(store: &Store, owner: PersonId, request: &Request) -> Result<ExpenseState, Problem> {
    let id: ExpenseId = request.path("expense_id", "expense")?;
    let state = store.expense(id).await?;
    state
        .filter(|state| state.owner == owner && state.status != ExpenseStatus::Deleted)
        .ok_or_else(|| Problem::not_found("expense"))
}

/// The same, in the version that `If-Match` names, if it names one.
async fn own_as_known(store: &Store, owner: PersonId, request: &Request) -> Result<ExpenseState, Problem> {
    let state = own(store, owner, request).await?;
    request.if_match(state.version)?;
    Ok(state)
}

/// The expense, with what may be the same and, while it can be edited, what the policy finds.
async fn shown(context: Context<'_>, state: ExpenseState, viewer: PersonId) -> Result<View, Problem> {
    let suspects = duplicates::suspects(context.store, &state).await?;
    let judgement = match is_editable(state.status) {
        true => Some(Judge::now(context.store, context.company_currency).await?.judge(&state).await?),
        false => None,
    };
    let view = View::from(state).with_duplicates(suspects, viewer);
    Ok(match judgement {
        Some(judgement) => view.with_judgement(judgement),
        None => view,
    })
}

/// An expense.
pub async fn read(context: Context<'_>, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
    let state = visible::expense(context.store, caller, request.path("expense_id", "expense")?).await?;
    Ok(shown(context, state, caller.state.id).await?.answer(200))
}

/// A receipt that an expense of `owner` may have, and that no other has. The transaction makes it a condition that it
/// stays so.
async fn free_receipt(
    store: &Store,
    owner: PersonId,
    receipt: ReceiptId,
    transaction: &mut Transaction,
) -> Result<String, Problem> {
    let record = store.receipt(receipt).await?;
    let record = record.filter(|record| record.state.owner == owner && record.state.status != ReceiptStatus::Deleted);
    let record = record.ok_or_else(|| Problem::invalid("receipt_id", "name a receipt of your own"))?;
    if !matches!(record.state.status, ReceiptStatus::Read | ReceiptStatus::Failed) {
        return Err(Problem::conflict("receipt-unfinished", "The receipt is still being read. Wait until it is."));
    }
    if let Some(user) = store.receipt_use(receipt).await? {
        let detail = format!("The expense {user} has this receipt. Detach it there first.");
        return Err(Problem::conflict("receipt-in-use", detail));
    }
    transaction.check(&keys::receipt(receipt), Condition::version(record.state.version));
    Ok(record.state.sha256)
}

/// Drafts an expense by hand.
pub async fn create(context: Context<'_>, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let store = context.store;
    let wanted: NewExpense = request.json()?;
    let details = merged(&ExpenseDetails::default(), wanted.details)?;
    let id = match request.header("idempotency-key") {
        // Beyond the day for which answers are kept the same key still means the same expense.
        Some(key) => ExpenseId::derived_from(&["by-hand", &owner.to_string(), key]),
        None => ExpenseId::from_uuid(Uuid::now_v7()),
    };
    act(store, request, owner, async |transaction: &mut Transaction| {
        if store.expense(id).await?.is_some() {
            let detail = "An expense was made with this key before. Edit that one, or use a new key.";
            return Err(Problem::conflict("idempotency-key-reused", detail));
        }
        let receipt_sha256 = match wanted.receipt_id {
            Some(receipt) => Some(free_receipt(store, owner, receipt, transaction).await?),
            None => None,
        };
        reports::join_as_edited(store, owner, None, details.report, transaction).await?;
        let drafted = Drafted {
            id,
            owner,
            details: details.clone(),
            receipt: wanted.receipt_id,
            receipt_sha256,
            review: Vec::new(),
            split: None,
        };
        let change = decide(None, Command::Draft(Box::new(drafted)))?;
        let (state, _) = add_expense_change(transaction, None, change, &request.cause(owner))?;
        Ok(shown(context, state, owner).await?.answer(201).header("location", format!("expenses/{id}")))
    })
    .await
}

/// Changes what is said of an expense.
pub async fn edit(context: Context<'_>, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let store = context.store;
    let wanted: Change = request.json()?;
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        let details = merged(&state.details, wanted.details.clone())?;
        reports::join_as_edited(store, owner, state.details.report, details.report, transaction).await?;
        let is_same = details == state.details;
        let edited = decide(Some(&state), Command::Edit { details })?;
        if is_same {
            return Ok(shown(context, state, owner).await?.answer(200));
        }
        let (after, _) = add_expense_change(transaction, Some(&state), edited, &request.cause(owner))?;
        Ok(shown(context, after, owner).await?.answer(200))
    })
    .await
}

/// Adds to a transaction in which an expense parts from its receipt that the receipt stays, if it was submitted.
fn keep_submitted(transaction: &mut Transaction, state: &ExpenseState) {
    if let Some(receipt) = state.receipt.filter(|_| state.submission > 0) {
        add_receipt_keeping(transaction, receipt);
    }
}

/// Deletes a draft, and with it its receipt, unless either was ever submitted.
pub async fn delete(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        let cause = request.cause(owner);
        let change = decide(Some(&state), Command::Delete)?;
        add_expense_change(transaction, Some(&state), change, &cause)?;
        keep_submitted(transaction, &state);
        if let Some(receipt) = state.receipt.filter(|_| state.submission == 0 && state.split.is_none())
            && let Some(record) = store.receipt(receipt).await?.filter(|record| !record.submitted)
        {
            add_receipt_deletion(transaction, &record, &cause)?;
        }
        Ok(Response::new(204, "application/json", ""))
    })
    .await
}

/// Asks for approval.
pub async fn submit(context: Context<'_>, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let store = context.store;
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        let command = Judge::now(store, context.company_currency).await?.submission(&state).await?;
        let change = decide(Some(&state), command)?;
        let (after, _) = add_expense_change(transaction, Some(&state), change, &request.cause(owner))?;
        Ok(answer(200, after))
    })
    .await
}

/// Takes the submission back; the same transaction closes the step that waits, so that its link dies with it and the
/// execution is let go on.
pub async fn withdraw(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        let cause = request.cause(owner);
        let change = decide(Some(&state), Command::Withdraw)?;
        let (after, _) = add_expense_change(transaction, Some(&state), change, &cause)?;
        if let Some(submission) = state.submission_id() {
            let steps = store.steps(submission).await?;
            for step in steps.iter().filter(|step| step.status == StepStatus::Pending) {
                add_step_closing(transaction, step, cause.at);
            }
        }
        Ok(answer(200, after))
    })
    .await
}

/// Records that an expense was paid out.
pub async fn reimburse(store: &Store, finance: &PersonRecord, request: &Request) -> Result<Response, Problem> {
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Payment {
        #[serde(default, deserialize_with = "given")]
        reference: Option<String>,
    }
    let payment: Payment = if request.body.is_empty() { Payment::default() } else { request.json()? };
    let plain = |reference: &String| {
        let length = reference.chars().count();
        (1..=details::MAX_CODE).contains(&length) && !reference.chars().any(is_unseen)
    };
    if !payment.reference.as_ref().is_none_or(plain) {
        let remedy = format!("give 1 to {} characters without control characters", details::MAX_CODE);
        return Err(Problem::invalid("reference", remedy));
    }
    let me = finance.state.id;
    act(store, request, me, async |transaction: &mut Transaction| {
        let state = visible::expense(store, finance, request.path("expense_id", "expense")?).await?;
        request.if_match(state.version)?;
        let change = decide(Some(&state), Command::Reimburse { by: me, reference: payment.reference.clone() })?;
        let (after, _) = add_expense_change(transaction, Some(&state), change, &request.cause(me))?;
        Ok(answer(200, after))
    })
    .await
}

/// Gives an expense a receipt.
pub async fn attach(context: Context<'_>, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let store = context.store;
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Attachment {
        receipt_id: ReceiptId,
    }
    let Attachment { receipt_id: receipt } = request.json()?;
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        if state.receipt == Some(receipt) {
            return Ok(shown(context, state, owner).await?.answer(200));
        }
        let sha256 = free_receipt(store, owner, receipt, transaction).await?;
        let change = decide(Some(&state), Command::AttachReceipt(ReceiptAttached { receipt, sha256 }))?;
        let (after, _) = add_expense_change(transaction, Some(&state), change, &request.cause(owner))?;
        Ok(shown(context, after, owner).await?.answer(200))
    })
    .await
}

/// Takes an expense's receipt away. The receipt stays.
pub async fn detach(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        let change = decide(Some(&state), Command::DetachReceipt)?;
        let (after, _) = add_expense_change(transaction, Some(&state), change, &request.cause(owner))?;
        keep_submitted(transaction, &state);
        Ok(answer(200, after))
    })
    .await
}

/// Says that what is suspected now is no duplicate. What comes to be suspected later is told again.
pub async fn not_duplicate(context: Context<'_>, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let store = context.store;
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        let suspects = duplicates::suspects(store, &state).await?;
        if suspects.iter().all(|suspect| suspect.dismissed) {
            return Ok(shown(context, state, owner).await?.answer(200));
        }
        let secret = duplicates::secret(store).await?;
        let digest = |suspect: &Suspect| duplicates::digest(&secret, state.id, suspect.expense);
        let distinct_from = suspects.iter().map(digest).collect();
        let change = decide(Some(&state), Command::DismissDuplicates(DuplicatesDismissed { distinct_from }))?;
        let (after, _) = add_expense_change(transaction, Some(&state), change, &request.cause(owner))?;
        Ok(shown(context, after, owner).await?.answer(200))
    })
    .await
}

/// Splits an expense into parts.
pub async fn split(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        parts: Vec<WantedPart>,
        #[serde(default, deserialize_with = "given")]
        personal: Option<Money>,
    }
    #[derive(Debug, Clone, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct WantedPart {
        amount: Money,
        #[serde(default, deserialize_with = "given")]
        category: Option<Category>,
        #[serde(default, deserialize_with = "given")]
        cost_centre: Option<String>,
        #[serde(default, deserialize_with = "given")]
        project: Option<String>,
        #[serde(default, deserialize_with = "given")]
        note: Option<String>,
        #[serde(default, deserialize_with = "given")]
        paid_by: Option<PaidBy>,
    }
    impl From<WantedPart> for Part {
        fn from(part: WantedPart) -> Self {
            let WantedPart { amount, category, cost_centre, project, note, paid_by } = part;
            Self { amount, category, cost_centre, project, note, paid_by }
        }
    }
    let wanted: Wanted = request.json()?;
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        let plan = split::plan(&state, wanted.parts.iter().cloned().map(Part::from).collect(), wanted.personal)?;
        let cause = request.cause(owner);
        let change = decide(Some(&state), Command::SplitUp(Box::new(plan.first)))?;
        let (first, _) = add_expense_change(transaction, Some(&state), change, &cause)?;
        if let Some(report) = state.details.report {
            reports::join(store, owner, report, plan.others.len(), transaction).await?;
        }
        let mut parts = vec![View::from(first)];
        for other in plan.others {
            let change = decide(None, Command::Draft(Box::new(other)))?;
            let (other, _) = add_expense_change(transaction, None, change, &cause)?;
            parts.push(View::from(other));
        }
        Ok(Response::json(200, &serde_json::json!({ "expenses": parts })))
    })
    .await
}

/// Puts the parts of a split together again: the other parts are deleted, and the first is the whole.
pub async fn undo_split(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    act(store, request, owner, async |transaction: &mut Transaction| {
        let state = own_as_known(store, owner, request).await?;
        let cause = request.cause(owner);
        let change = decide(Some(&state), Command::UndoSplit)?;
        let (after, _) = add_expense_change(transaction, Some(&state), change, &cause)?;
        let mut others = store.other_parts(&state).await?;
        others.retain(|part| part.status != ExpenseStatus::Deleted);
        // Once, not for each: they have the same receipt.
        if let Some(part) = others.iter().find(|part| part.submission > 0) {
            keep_submitted(transaction, part);
        }
        for part in others {
            let id = part.id;
            let change = decide(Some(&part), Command::Delete).map_err(|_| {
                let detail =
                    format!("The part {id} is {}. Withdraw it first; what is decided stays split.", part.status);
                Problem::conflict("split", detail)
            })?;
            add_expense_change(transaction, Some(&part), change, &cause)?;
        }
        Ok(answer(200, after))
    })
    .await
}

/// An entry of the audit trail.
#[derive(Debug, Serialize)]
struct HistoryEntry {
    #[serde(rename = "type")]
    event_type: EventType,
    metadata: Metadata,
    /// What the actor is called, where it is a person who is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_name: Option<String>,
    change: Value,
}

/// Who did what when, and what it was before and after: the events of the expense.
pub async fn history(store: &Store, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
    let limit = i32::try_from(page::limit(request)?).unwrap_or(i32::MAX);
    let cursor = request.query_string_parameters.get("cursor");
    let after = cursor.map_or(Ok(0), |cursor| version_of(cursor))?;
    let state = visible::expense(store, caller, request.path("expense_id", "expense")?).await?;
    let records = store.history_after(state.id, after, limit).await?;
    let events: Result<Vec<Event>, _> = records.iter().map(EventRecord::event).collect();
    let events = events.map_err(|error| {
        tracing::error!(%error, expense.id = %state.id, "an event in the table cannot be read");
        Problem::internal()
    })?;
    let actor = |event: &Event| match event.metadata.actor {
        Actor::Person { id } => Some(id),
        Actor::System { .. } => None,
    };
    let people: BTreeSet<PersonId> = events.iter().filter_map(actor).collect();
    let people: Vec<PersonRecord> =
        store.table.batch_get(&people.into_iter().map(keys::person).collect::<Vec<_>>()).await?;
    let names: HashMap<_, _> = people.iter().map(|person| (person.state.id, person.display_name())).collect();
    let last = events.last().map(|event| event.metadata.subject.version);
    let entry = |event: Event| {
        let mut data = serde_json::to_value(&event.data).unwrap_or_default();
        HistoryEntry {
            event_type: event.metadata.event_type,
            actor_name: actor(&event).and_then(|id| names.get(&id).cloned()),
            metadata: event.metadata,
            change: data.get_mut("change").map(Value::take).unwrap_or_default(),
        }
    };
    let events: Vec<HistoryEntry> = events.into_iter().map(entry).collect();
    let next_cursor = last.filter(|last| *last < state.version).map(cursor_after);
    Ok(Response::json(200, &serde_json::json!({ "events": events, "next_cursor": next_cursor })))
}

/// A place in a history: after the version.
fn cursor_after(version: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(version.to_string())
}

/// The version that a cursor names.
///
/// # Errors
/// 422.
fn version_of(cursor: &str) -> Result<u64, Problem> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let version = text.and_then(|text| text.parse().ok()).filter(|version| cursor_after(*version) == cursor);
    version
        .ok_or_else(|| Problem::invalid("cursor", "use the next_cursor of an earlier page of this history, unchanged"))
}

/// The details after a JSON merge patch (RFC 7396): members replace, `null` removes.
fn merged(before: &ExpenseDetails, patch: Map<String, Value>) -> Result<ExpenseDetails, Problem> {
    let mut details = serde_json::to_value(before).map_err(|_| Problem::internal())?;
    let members = details.as_object_mut().ok_or_else(Problem::internal)?;
    let of_old_amount = patch.contains_key("amount");
    let is_said = ["tax", "original_amount"].map(|name| patch.contains_key(name));
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    let mut details: ExpenseDetails = from_value(details)?;
    if of_old_amount {
        let [tax, original_amount] = is_said;
        details::leave_out_of_old_amount(&mut details, !tax, !original_amount);
    }
    Ok(details)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_cursor_of_a_history_leads_back_to_its_version() {
        assert_eq!(version_of(&cursor_after(27)).unwrap(), 27);
        for cursor in ["", "%", "27", &BASE64_URL_SAFE_NO_PAD.encode("027"), &BASE64_URL_SAFE_NO_PAD.encode("-1")] {
            assert_eq!(version_of(cursor).unwrap_err().errors[0].field, "cursor", "{cursor}");
        }
    }

    fn patch(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_does_not_fit_a_new_amount_goes_with_the_old_one() {
        let money = |minor_units, code: &str| Some(Money::new(minor_units, code.parse().unwrap()));
        let before = ExpenseDetails {
            amount: money(10_000, "EUR"),
            tax: money(1_597, "EUR"),
            original_amount: money(10_900, "USD"),
            ..ExpenseDetails::default()
        };
        let after = |text: &str| {
            let after = merged(&before, patch(text)).unwrap();
            (after.tax.is_some(), after.original_amount.is_some())
        };
        assert_eq!(after(r#"{"amount": {"minor_units": 5000, "currency": "EUR"}}"#), (true, true), "it still fits");
        assert_eq!(after(r#"{"amount": {"minor_units": 1000, "currency": "EUR"}}"#), (false, true));
        assert_eq!(after(r#"{"amount": {"minor_units": 10900, "currency": "USD"}}"#), (false, false));
        // What is said is held against the amount, and refused by its name.
        let said =
            r#"{"amount": {"minor_units": 1000, "currency": "EUR"}, "tax": {"minor_units": 1597, "currency": "EUR"}}"#;
        assert_eq!(after(said), (true, true));
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
            receipt_sha256: None,
            review: Vec::new(),
            distinct_from: Vec::new(),
            split: None,
            findings: Vec::new(),
            converted: None,
            submission: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        let data = serde_json::to_value(slipstream_events::EventBody::of_expense(change, state)).unwrap();
        assert!(data["change"].is_object());
    }
}
