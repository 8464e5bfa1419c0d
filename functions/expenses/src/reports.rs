//! Reports: expenses that are submitted together.
//!
//! Which expenses belong to a report, they say themselves (`details.report`); a mark in the report's partition follows
//! each in its own transactions.

use serde::{Deserialize, Serialize};
use slipstream_common::{
    act::act,
    http::{Request, Response, etag},
    keys::{self, Index},
    page::{Budget, Listing},
    problem::{FieldError, Problem},
    reports::{ReportRecord, ReportSubmissionRecord, add_report_change, add_report_deletion},
    store::{Store, add_expense_change},
    table::{Condition, IndexQuery, MAX_WRITES, StoreError, Transaction},
};
use slipstream_domain::{
    expense::{Command, decide, is_editable},
    report::{self, MAX_EXPENSES, NotSubmitted, ReportStatus, Total},
};
use slipstream_events::{
    Cause, EventBody, ExpenseDetails, ExpenseId, ExpenseState, PersonId, ReportChanged, ReportCreated, ReportId,
    ReportState, ReportSubmitted,
};
use uuid::Uuid;

use crate::{expense::Context, judge::Judge, view::View};

/// The most expenses that a new report is begun with. It is one transaction: four writes an expense (its state, its
/// event, its mark here, and that in another report), and three for the report and the answer.
const MAX_AT_FIRST: usize = 24;
/// How many expenses leave a report in one transaction when it is deleted: three writes each.
const LEAVING_AT_ONCE: usize = 30;
/// How often expenses that leave are read anew because they change at the same time.
const MAX_RACES: u32 = 8;
/// The longest answer that has its expenses' notes, in bytes: a repeated request's answer is kept in one item, which
/// DynamoDB limits to 400 KB.
const MAX_WITH_NOTES: usize = 256 * 1024;

/// A report without its expenses.
#[derive(Debug, Serialize)]
struct Head<'a> {
    #[serde(flatten)]
    state: &'a ReportState,
}

/// A report.
#[derive(Debug, Serialize)]
struct ReportView<'a> {
    #[serde(flatten)]
    state: &'a ReportState,
    status: ReportStatus,
    totals: Vec<Total>,
    expenses: Vec<View>,
}

fn answer(status: u16, state: &ReportState, expenses: &[ExpenseState]) -> Response {
    let write = |expenses: Vec<ExpenseState>| {
        let view = ReportView {
            state,
            status: report::status(expenses.iter().map(|expense| expense.status)),
            totals: report::totals(&expenses),
            expenses: expenses.into_iter().map(View::from).collect(),
        };
        Response::json(status, &view).header("etag", etag(state.version))
    };
    let whole = write(expenses.to_vec());
    if whole.body.len() <= MAX_WITH_NOTES {
        return whole;
    }
    let plain = |expense: &ExpenseState| ExpenseState {
        details: ExpenseDetails { note: None, ..expense.details.clone() },
        ..expense.clone()
    };
    write(expenses.iter().map(plain).collect())
}

/// The report that the path names, if it is the caller's, in the version that `If-Match` names, if it names one.
async fn own(store: &Store, owner: PersonId, request: &Request) -> Result<ReportRecord, Problem> {
    let id: ReportId = request.path("report_id", "report")?;
    let record = store.report(id).await?.filter(|record| record.state.owner == owner);
    let record = record.ok_or_else(|| Problem::not_found("report"))?;
    if request.http_method != "GET" {
        request.if_match(record.state.version)?;
    }
    Ok(record)
}

/// A report's expenses, by the date that each is listed on.
async fn expenses_of(store: &Store, report: ReportId) -> Result<Vec<ExpenseState>, StoreError> {
    let mut expenses = store.expenses(&store.report_members(report).await?).await?;
    expenses.retain(|expense| expense.details.report == Some(report));
    expenses.sort_by_key(|expense| (keys::listed_on(expense), expense.id));
    Ok(expenses)
}

/// Adds to a transaction in which `expenses` more come to name the report that it is the owner's, has room for them, and
/// is not being deleted; nothing else joins it at the same time.
///
/// # Errors
/// 422; 503.
pub async fn join(
    store: &Store,
    owner: PersonId,
    report: ReportId,
    expenses: usize,
    transaction: &mut Transaction,
) -> Result<(), Problem> {
    // The report before its marks: what joins after this changes it, and fails the transaction.
    let record = store.report(report).await?.filter(|record| record.state.owner == owner);
    let record =
        record.ok_or_else(|| Problem::invalid("report", "name a report of your own, or leave the field out"))?;
    if store.report_members(report).await?.len() + expenses > MAX_EXPENSES {
        return Err(Problem::invalid("report", format!("a report holds at most {MAX_EXPENSES} expenses")));
    }
    record.add_joining(transaction);
    Ok(())
}

/// The same for an expense whose details change: it joins if it names another report than before.
///
/// # Errors
/// 422; 503.
pub async fn join_as_edited(
    store: &Store,
    owner: PersonId,
    before: Option<ReportId>,
    after: Option<ReportId>,
    transaction: &mut Transaction,
) -> Result<(), Problem> {
    match after.filter(|_| before != after) {
        Some(report) => join(store, owner, report, 1, transaction).await,
        None => Ok(()),
    }
}

/// The caller's reports, the latest first: one query.
pub async fn list(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let partition = IndexQuery { descending: true, ..IndexQuery::of(Index::Owner, keys::reports_of(owner)) };
    let listing =
        Listing { partitions: vec![partition], filters: String::new(), filtered: false, budget: Budget { queries: 1 } };
    let page = listing.page::<ReportRecord>(&store.table, request, |_| true).await?;
    let reports: Vec<_> = page.items.iter().map(|record| Head { state: &record.state }).collect();
    Ok(Response::json(200, &serde_json::json!({ "reports": reports, "next_cursor": page.next_cursor })))
}

/// A report, with its expenses as they are now: a read, a query and a batch.
pub async fn read(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let record = own(store, owner, request).await?;
    let expenses = expenses_of(store, record.state.id).await?;
    Ok(answer(200, &record.state, &expenses))
}

/// The title, as it is kept.
fn title(wanted: &str) -> Result<String, Problem> {
    match report::title_problem(wanted) {
        Some(problem) => Err(Problem::invalid_fields(vec![problem.into()])),
        None => Ok(wanted.trim().to_owned()),
    }
}

/// Begins a report, of expenses that there are or of none.
pub async fn create(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        title: String,
        #[serde(default)]
        expenses: Vec<ExpenseId>,
    }
    let mut wanted: Wanted = request.json()?;
    let title = title(&wanted.title)?;
    wanted.expenses.sort_unstable();
    wanted.expenses.dedup();
    if wanted.expenses.len() > MAX_AT_FIRST {
        let remedy = format!("name at most {MAX_AT_FIRST}; add others by their `report`");
        return Err(Problem::invalid("expenses", remedy));
    }
    let id = match request.header("idempotency-key") {
        // Beyond the day for which answers are kept the same key still means the same report.
        Some(key) => ReportId::derived_from(&["by-hand", &owner.to_string(), key]),
        None => ReportId::from_uuid(Uuid::now_v7()),
    };
    act(store, request, owner, async |transaction: &mut Transaction| {
        if store.report(id).await?.is_some() {
            let detail = "A report was made with this key before. Change that one, or use a new key.";
            return Err(Problem::conflict("idempotency-key-reused", detail));
        }
        let cause = request.cause(owner);
        let mut expenses = Vec::new();
        for expense in editable(store, owner, &wanted.expenses).await? {
            expenses.push(add_membership(transaction, &expense, Some(id), &cause)?);
        }
        let state = ReportState {
            id,
            version: 1,
            owner,
            title: title.clone(),
            submission: 0,
            submitted_at: None,
            created_at: cause.at,
            updated_at: cause.at,
        };
        let body = EventBody::ReportCreated(Box::new(ReportCreated { report: state.clone() }));
        add_report_change(transaction, None, &ReportRecord { state: state.clone(), joins: 0 }, body, &cause)?;
        Ok(answer(201, &state, &expenses).header("location", format!("reports/{id}")))
    })
    .await
}

/// Expenses that their owner names, all of which they still write.
async fn editable(store: &Store, owner: PersonId, ids: &[ExpenseId]) -> Result<Vec<ExpenseState>, Problem> {
    let found = store.expenses(ids).await?;
    let fit = |id: &&ExpenseId| {
        found.iter().any(|state| state.id == **id && state.owner == owner && is_editable(state.status))
    };
    let unfit: Vec<_> = ids.iter().filter(|id| !fit(id)).collect();
    if unfit.is_empty() {
        return Ok(found);
    }
    let error = |id: &ExpenseId| FieldError {
        field: format!("expenses/{id}"),
        remedy: "name a draft of your own, or leave it out".to_owned(),
    };
    Err(Problem::invalid_fields(unfit.into_iter().map(error).collect()))
}

/// Adds to a transaction that an expense belongs to `report`, or to none.
fn add_membership(
    transaction: &mut Transaction,
    expense: &ExpenseState,
    report: Option<ReportId>,
    cause: &Cause,
) -> Result<ExpenseState, Problem> {
    let details = ExpenseDetails { report, ..expense.details.clone() };
    let change = decide(Some(expense), Command::Edit { details })?;
    Ok(add_expense_change(transaction, Some(expense), change, cause)?.0)
}

/// Gives a report another title.
pub async fn edit(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        title: String,
    }
    let wanted: Wanted = request.json()?;
    let title = title(&wanted.title)?;
    act(store, request, owner, async |transaction: &mut Transaction| {
        let before = own(store, owner, request).await?;
        let cause = request.cause(owner);
        let state = ReportState {
            version: before.state.version + 1,
            title: title.clone(),
            updated_at: cause.at,
            ..before.state.clone()
        };
        let change = ReportChanged { before: before.state.title.clone(), report: state.clone() };
        let after = ReportRecord { state, joins: before.joins };
        let body = EventBody::ReportChanged(Box::new(change));
        add_report_change(transaction, Some(&before), &after, body, &cause)?;
        Ok(answer(200, &after.state, &expenses_of(store, after.state.id).await?))
    })
    .await
}

/// Deletes a report of which nothing waits for a decision or has one. Its expenses stay, without a report.
///
/// They leave first, some in each transaction, and the report goes when none is left and none has joined since: so a
/// death in between leaves a smaller report, and never an expense that names one that there is not.
pub async fn delete(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    act(store, request, owner, async |transaction: &mut Transaction| {
        let record = own(store, owner, request).await?;
        let cause = request.cause(owner);
        leave(store, &record, &cause).await?;
        add_report_deletion(transaction, &record, &cause)?;
        Ok(Response::new(204, "application/json", ""))
    })
    .await
}

/// Has every expense leave a report that may be deleted.
async fn leave(store: &Store, record: &ReportRecord, cause: &Cause) -> Result<(), Problem> {
    let mut races = 0;
    loop {
        let expenses = expenses_of(store, record.state.id).await?;
        if !report::may_be_deleted(expenses.iter().map(|expense| expense.status)) {
            let detail = "An expense of this report waits for a decision or has one. The report stays with it.";
            return Err(Problem::conflict("wrong-state", detail));
        }
        let Some(some) = expenses.chunks(LEAVING_AT_ONCE).next() else { return Ok(()) };
        let mut transaction = Transaction::default();
        for expense in some {
            add_membership(&mut transaction, expense, None, cause)?;
        }
        match store.table.commit(transaction).await {
            Ok(()) => {}
            Err(StoreError::Condition(_)) if races < MAX_RACES => races += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Submits every expense of a report that its owner still writes: all in one transaction, or none.
pub async fn submit(context: Context<'_>, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let store = context.store;
    act(store, request, owner, async |transaction: &mut Transaction| {
        let before = own(store, owner, request).await?;
        let judge = Judge::now(store, context.company_currency).await?;
        let mut expenses = expenses_of(store, before.state.id).await?;
        let mut wanted = Vec::new();
        for expense in expenses.iter().filter(|expense| is_editable(expense.status)) {
            wanted.push((expense, judge.submission(expense).await?));
        }
        let changes = report::submission(wanted);
        let cause = request.cause(owner);
        let mut submitted = Vec::new();
        for (expense, change) in changes.map_err(refusal)? {
            submitted.push(add_expense_change(transaction, Some(expense), change, &cause)?.0);
        }
        let state = ReportState {
            version: before.state.version + 1,
            submission: before.state.submission + 1,
            submitted_at: Some(cause.at),
            updated_at: cause.at,
            ..before.state.clone()
        };
        let together = ReportSubmissionRecord {
            report: state.id,
            number: state.submission,
            owner,
            title: state.title.clone(),
            version: state.version,
            submissions: submitted.iter().filter_map(ExpenseState::submission_id).collect(),
            submitted_at: cause.at,
            overdue: false,
            asked_again_at: None,
            mailed_at: None,
        };
        let key = keys::report_submission(state.id, state.submission);
        transaction.put(&key, together.to_item()?, Some(Condition::absent()));
        let body = EventBody::ReportSubmitted(Box::new(ReportSubmitted {
            submission: state.submission,
            submissions: together.submissions,
            report: state.clone(),
        }));
        let after = ReportRecord { state, joins: before.joins };
        add_report_change(transaction, Some(&before), &after, body, &cause)?;
        // With the answer that `act` adds.
        if transaction.len() + 1 > MAX_WRITES {
            tracing::error!(writes = transaction.len(), report.id = %after.state.id, "a report is too large to submit");
            return Err(Problem::internal());
        }
        for state in submitted {
            if let Some(expense) = expenses.iter_mut().find(|expense| expense.id == state.id) {
                *expense = state;
            }
        }
        Ok(answer(200, &after.state, &expenses))
    })
    .await
}

/// Why a report is not submitted, with every field of every expense.
fn refusal(reason: NotSubmitted) -> Problem {
    match reason {
        NotSubmitted::Nothing => {
            Problem::conflict("wrong-state", "No expense of this report is a draft: there is nothing to submit.")
        }
        NotSubmitted::Blocked(blockers) => {
            let by_policy = blockers.iter().all(|blocker| blocker.by_policy);
            let errors = blockers.into_iter().map(|blocker| FieldError {
                field: format!("expenses/{}/{}", blocker.expense, blocker.field),
                remedy: blocker.remedy,
            });
            let detail = "Nothing was submitted: some of the expenses are not fit for it.";
            match by_policy {
                true => Problem::against_policy(detail, errors.collect()),
                false => Problem::incomplete(detail, errors.collect()),
            }
        }
        NotSubmitted::Rejected(expense, rejection) => {
            let mut problem = Problem::from(rejection);
            problem.detail = format!("{expense}: {}", problem.detail);
            problem
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::report::Blocker;
    use slipstream_events::{Category, Drafted, Money};

    use super::*;

    fn owner() -> PersonId {
        "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap()
    }

    /// The largest expense that there may be.
    fn expense(number: usize, report: Option<ReportId>) -> ExpenseState {
        let text = |length: usize| Some("\u{10348}".repeat(length));
        let drafted = Drafted {
            id: ExpenseId::derived_from(&[&number.to_string()]),
            owner: owner(),
            details: ExpenseDetails {
                merchant: text(200),
                date: Some(jiff::civil::date(2026, 3, 12)),
                amount: Some(Money::new(1_000_000_000_000, "EUR".parse().unwrap())),
                category: Some(Category::Meals),
                note: text(2000),
                cost_centre: text(64),
                project: text(64),
                report,
                ..ExpenseDetails::default()
            },
            receipt: Some(slipstream_events::ReceiptId::derived_from(&[&number.to_string()])),
            receipt_sha256: Some("00".repeat(32)),
            review: Vec::new(),
            split: None,
        };
        let change = decide(None, Command::Draft(Box::new(drafted))).unwrap();
        slipstream_domain::expense::apply(None, &change, jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    fn cause() -> Cause {
        serde_json::from_value::<Request>(serde_json::json!({"httpMethod": "POST", "resource": "/"}))
            .unwrap()
            .cause(owner())
    }

    fn state() -> ReportState {
        let at = jiff::Timestamp::UNIX_EPOCH;
        ReportState {
            id: ReportId::derived_from(&["x"]),
            version: 3,
            owner: owner(),
            title: "Vienna".to_owned(),
            submission: 0,
            submitted_at: None,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn the_largest_report_is_submitted_in_one_transaction() {
        let expenses: Vec<_> = (0..MAX_EXPENSES).map(|number| expense(number, Some(state().id))).collect();
        let submit = || Command::Submit { policy_version: 1, findings: Vec::new(), converted: None };
        let changes = report::submission(expenses.iter().map(|expense| (expense, submit()))).unwrap();
        let mut transaction = Transaction::default();
        for (expense, change) in changes {
            add_expense_change(&mut transaction, Some(expense), change, &cause()).unwrap();
        }
        // The report, its event, the record of the submission, and the answer for an idempotency key.
        assert!(transaction.len() + 4 <= MAX_WRITES, "{}", transaction.len());
    }

    #[test]
    fn a_report_is_begun_and_left_in_transactions_that_fit() {
        let other = Some(ReportId::derived_from(&["other"]));
        let mut transaction = Transaction::default();
        for number in 0..MAX_AT_FIRST {
            add_membership(&mut transaction, &expense(number, other), Some(state().id), &cause()).unwrap();
        }
        assert!(transaction.len() + 3 <= MAX_WRITES, "{}", transaction.len());
        let mut transaction = Transaction::default();
        for number in 0..LEAVING_AT_ONCE {
            add_membership(&mut transaction, &expense(number, other), None, &cause()).unwrap();
        }
        assert!(transaction.len() <= MAX_WRITES, "{}", transaction.len());
    }

    #[test]
    fn the_largest_answer_fits_an_item() {
        let expenses: Vec<_> = (0..MAX_EXPENSES).map(|number| expense(number, Some(state().id))).collect();
        let body = answer(200, &state(), &expenses).body;
        assert!(body.len() < 300 * 1024, "{} bytes", body.len());
        assert!(body.contains("\"totals\"") && !body.contains("\"note\""));
        assert!(answer(200, &state(), &expenses[..2]).body.contains("\"note\""), "a smaller one has its notes");
    }

    #[test]
    fn a_refusal_names_every_field_of_every_expense() {
        let id = ExpenseId::derived_from(&["x"]);
        let blocker = |field: &str, by_policy| Blocker {
            expense: id,
            field: field.to_owned(),
            remedy: "mend it".to_owned(),
            by_policy,
        };
        let problem = refusal(NotSubmitted::Blocked(vec![blocker("date", false), blocker("amount", true)]));
        assert!(problem.kind.ends_with(":incomplete"), "{}", problem.kind);
        let forbidden = refusal(NotSubmitted::Blocked(vec![blocker("amount", true)]));
        assert!(forbidden.kind.ends_with(":policy"), "{}", forbidden.kind);
        let fields: Vec<_> = problem.errors.iter().map(|error| error.field.clone()).collect();
        assert_eq!(
            (problem.status, fields),
            (422, vec![format!("expenses/{id}/date"), format!("expenses/{id}/amount")])
        );
        assert_eq!(refusal(NotSubmitted::Nothing).status, 409);
    }
}
