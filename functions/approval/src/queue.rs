//! Approvals over the API: what waits for the caller, what they decided, and the decision of somebody who is signed in
//! instead of holding a link.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slipstream_common::{
    act::act,
    caller,
    duplicates::{self, Kind, Suspect},
    execution::StepEnd,
    filters::{Filters, Query},
    http::{Request, Response, given},
    keys::{self, Index},
    page::{Budget, Listing},
    problem::Problem,
    records::{PersonRecord, StepOutcome, StepRecord, StepStatus},
    table::{IndexQuery, Transaction},
};
use slipstream_events::{
    Conversion, ExpenseDetails, ExpenseId, ExpenseState, ExpenseStatus, PersonId, PolicyFinding, ReceiptId,
    SubmissionId,
};

use crate::{
    Approval,
    decision::{Ballot, Credential, add_decision, follows_from},
    page::{REASSIGNED, decision_from, over},
};

/// An approval as its approver sees it.
#[derive(Debug, Serialize)]
struct View {
    submission_id: SubmissionId,
    step: u32,
    due_at: Timestamp,
    status: StepStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<StepOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Timestamp>,
    expense: ExpenseView,
}

/// The expense to decide about, as it is now.
#[derive(Debug, Serialize)]
struct ExpenseView {
    id: ExpenseId,
    version: u64,
    owner: PersonId,
    owner_name: String,
    status: ExpenseStatus,
    details: ExpenseDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_id: Option<ReceiptId>,
    submission: u32,
    /// What the policy found when it was submitted.
    findings: Vec<PolicyFinding>,
    /// The amount in the company's currency when it was submitted, where it stands in another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    converted: Option<Conversion>,
    /// Others that may be the same. Where one approval is answered, not in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicates: Option<Vec<Duplicate>>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Another expense that may be the same. Its approver may know whose.
#[derive(Debug, Serialize)]
struct Duplicate {
    kind: Kind,
    whose: &'static str,
    expense_id: ExpenseId,
    dismissed: bool,
}

impl View {
    fn of(step: &StepRecord, expense: ExpenseState, owner_name: String) -> Self {
        Self {
            submission_id: step.submission,
            step: step.step,
            due_at: step.due_at,
            status: step.status,
            outcome: step.outcome,
            decided_at: step.decided_at,
            expense: ExpenseView {
                id: expense.id,
                version: expense.version,
                owner: expense.owner,
                owner_name,
                status: expense.status,
                details: expense.details,
                receipt_id: expense.receipt,
                submission: expense.submission,
                findings: expense.findings,
                converted: expense.converted,
                duplicates: None,
                created_at: expense.created_at,
                updated_at: expense.updated_at,
            },
        }
    }

    fn with_duplicates(mut self, suspects: Vec<Suspect>) -> Self {
        let duplicate = |suspect: Suspect| Duplicate {
            kind: suspect.kind,
            whose: if suspect.owner == self.expense.owner { "same_owner" } else { "someone_else" },
            expense_id: suspect.expense,
            dismissed: suspect.dismissed,
        };
        self.expense.duplicates = Some(suspects.into_iter().map(duplicate).collect());
        self
    }
}

/// The index pages that a page of the list may read where it is narrowed.
const FILTERED_BUDGET: usize = 3;

/// The list that the request asks for.
fn listing_of(me: PersonId, request: &Request) -> Result<(StepStatus, Listing, Filters), Problem> {
    let mut query = Query::of(request);
    let status = request.query_string_parameters.get("status").map_or("pending", String::as_str);
    let (status, pk, descending) = match status {
        "decided" => (StepStatus::Decided, keys::steps_decided_by(me), true),
        other => {
            if other != "pending" {
                query.fault("status", "give pending or decided".to_owned());
            }
            (StepStatus::Pending, keys::steps_of(me), false)
        }
    };
    let (from, until) = query.dates();
    let mut filters = query.filters();
    filters.owner = query.parsed("owner", "a person's id");
    query.finish()?;
    let partition = IndexQuery {
        descending,
        from: from.map(|from| from.to_string()),
        // After every instant of the date.
        until: until.map(|until| format!("{until}~")),
        ..IndexQuery::of(Index::Approver, pk)
    };
    let listing = Listing {
        partitions: vec![partition],
        filters: format!("{from:?} {until:?} {filters:?}"),
        filtered: !filters.is_empty(),
        budget: Budget { queries: if filters.is_empty() { 1 } else { FILTERED_BUDGET } },
    };
    Ok((status, listing, filters))
}

/// Whether an approver may see the expense of their step: while it waits for them; and once they have decided, as long as
/// that submission is the latest and not taken back.
fn is_shown(status: StepStatus, step: &StepRecord, expense: &ExpenseState) -> bool {
    match status {
        // The index may be behind what the expense says of the submission.
        StepStatus::Pending => over(step, expense).is_none(),
        StepStatus::Decided | StepStatus::Closed => {
            expense.submission == step.submission.number
                && !matches!(expense.status, ExpenseStatus::Draft | ExpenseStatus::Deleted)
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    decision: String,
    #[serde(default, deserialize_with = "given")]
    comment: Option<String>,
}

impl Approval {
    /// Answers a request of somebody who is signed in.
    pub(crate) async fn api(&self, request: Request) -> Result<Response, Problem> {
        let me = caller::authenticate(&request, &self.store).await?.state.id;
        match (request.http_method.as_str(), request.resource.as_str()) {
            ("GET", "/approvals") => self.queue(me, &request).await,
            ("POST", "/submissions/{submission_id}/decision") => self.decide_signed_in(me, &request).await,
            _ => Err(Problem::method_not_allowed()),
        }
    }

    /// The steps that wait for the caller, the first due first, or that they decided, the latest first. A page is one
    /// query of the index and one batch of expenses, three of each where it is narrowed, and one batch of profiles,
    /// whatever there is.
    async fn queue(&self, me: PersonId, request: &Request) -> Result<Response, Problem> {
        let (status, listing, filters) = listing_of(me, request)?;
        let page = listing
            .page_of(&self.store.table, request, async |steps: Vec<StepRecord>| {
                let ids: Vec<_> = steps.iter().map(|step| step.submission.expense).collect();
                let expenses = self.store.expenses(&ids).await?;
                let expenses: HashMap<_, _> = expenses.into_iter().map(|expense| (expense.id, expense)).collect();
                let shown = |step: StepRecord| {
                    let expense = expenses.get(&step.submission.expense)?;
                    (is_shown(status, &step, expense) && filters.keep(expense)).then(|| (step, expense.clone()))
                };
                Ok(steps.into_iter().map(shown).collect())
            })
            .await?;
        let owners: BTreeSet<_> = page.items.iter().map(|(_, expense)| expense.owner).collect();
        let owners: Vec<_> = owners.into_iter().map(keys::person).collect();
        let names: Vec<PersonRecord> = self.store.table.batch_get(&owners).await?;
        let names: HashMap<_, _> = names.iter().map(|person| (person.state.id, person.display_name())).collect();
        let view = |(step, expense): (StepRecord, ExpenseState)| {
            let owner = names.get(&expense.owner).cloned().unwrap_or_default();
            View::of(&step, expense, owner)
        };
        let approvals: Vec<View> = page.items.into_iter().map(view).collect();
        Ok(Response::json(200, &serde_json::json!({ "approvals": approvals, "next_cursor": page.next_cursor })))
    }

    /// Decides the step of a submission that waits for the caller. The same decision again has the same answer.
    async fn decide_signed_in(&self, me: PersonId, request: &Request) -> Result<Response, Problem> {
        let submission: SubmissionId = request.path("submission_id", "submission")?;
        let wanted: Wanted = request.json()?;
        let decision = decision_from(&wanted.decision, wanted.comment.as_deref()).map_err(|(field, fault)| {
            let remedy = if field == "decision" { "give approve, reject or request_changes" } else { fault };
            Problem::invalid(field, remedy)
        })?;
        let mut decided = None;
        let answer = act(&self.store, request, me, async |transaction: &mut Transaction| {
            decided = None;
            let not_found = || Problem::not_found("submission");
            // Of several that ask the same person the one that waits, else the last.
            let steps = self.store.steps(submission).await?;
            let mine = steps.into_iter().filter(|step| step.approver == me);
            let step = mine.max_by_key(|step| (step.status == StepStatus::Pending, step.step));
            let step = step.ok_or_else(not_found)?;
            // Anew with every attempt: the transaction asks that their profile is as it was read.
            let approver = self.active(me).await?.ok_or_else(not_found)?;
            let expense = self.store.expense(submission.expense).await?.ok_or_else(not_found)?;
            let owner = self.store.person(expense.owner).await?;
            let owner = owner.map(|owner| owner.display_name()).unwrap_or_default();
            let suspects = duplicates::suspects(&self.store, &expense).await?;
            let stands = step.decided_by == Some(me) && step.disowned_at.is_none();
            let repeated = stands && step.outcome.is_some_and(|outcome| follows_from(outcome, &decision));
            let (step, expense) = if StepEnd::of(&step).is_some() && repeated {
                (step, expense)
            } else if let Some((_, text)) = over(&step, &expense) {
                return Err(Problem::conflict("decided", text));
            } else {
                let correlation_id = self.correlation_of(&expense).await.unwrap_or_else(|| request.correlation_id());
                let Some(more_to_ask) = self.more_to_ask(&step, &expense, &correlation_id).await? else {
                    return Err(Problem::conflict("reassigned", REASSIGNED.1));
                };
                let ballot = Ballot {
                    step: &step,
                    credential: Credential::Person(me),
                    approver: &approver,
                    more_to_ask,
                    expense: &expense,
                };
                let cause = Self::cause_of(&step, &expense, &correlation_id);
                let after = add_decision(transaction, &ballot, decision.clone(), &cause)?;
                decided = Some(after.0.clone());
                after
            };
            Ok(Response::json(200, &View::of(&step, expense, owner).with_duplicates(suspects)))
        })
        .await?;
        // Whatever becomes of this, the decision is there, and the sweeper lets the execution go on.
        if let Some(decided) = decided {
            self.go_on(&decided).await;
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(query: serde_json::Value) -> Request {
        let event = json!({
            "httpMethod": "GET", "resource": "/approvals", "requestContext": {}, "queryStringParameters": query,
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_list_stays_in_its_callers_partition_and_reads_one_page() {
        let me: PersonId = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap();
        for (query, pk, descending) in [
            (json!(null), format!("APPROVER#{me}"), false),
            (json!({"status": "pending"}), format!("APPROVER#{me}"), false),
            (json!({"status": "decided"}), format!("APPROVER#{me}#decided"), true),
        ] {
            let (_, listing, _) = listing_of(me, &request(query)).unwrap();
            assert_eq!(listing.budget.queries, 1);
            let [partition] = &listing.partitions[..] else { panic!("one partition") };
            assert_eq!((&partition.pk, partition.descending, partition.index), (&pk, descending, Index::Approver));
        }
        let narrowed = json!({"from": "2026-03-12", "until": "2026-03-12", "merchant": "krone"});
        let (_, listing, _) = listing_of(me, &request(narrowed)).unwrap();
        let [IndexQuery { from: Some(from), until: Some(until), .. }] = &listing.partitions[..] else {
            panic!("a day")
        };
        let due = |at: &str| keys::instant(at.parse().unwrap());
        assert!(*from < due("2026-03-12T00:00:00Z") && due("2026-03-12T23:59:59.999999Z") < *until);
        assert!(*from > due("2026-03-11T23:59:59.999999Z") && due("2026-03-13T00:00:00Z") > *until);
        assert_eq!(listing.budget.queries, FILTERED_BUDGET);
        let wrong = json!({"status": "closed", "until": "soon", "owner": "me"});
        let fields: Vec<_> =
            listing_of(me, &request(wrong)).unwrap_err().errors.into_iter().map(|it| it.field).collect();
        assert_eq!(fields, ["status", "until", "owner"]);
    }
}
