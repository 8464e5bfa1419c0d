//! Who may see an expense, and with it its receipt. To all others it does not exist.

use slipstream_events::{ExpenseId, ExpenseState, ExpenseStatus, ReceiptId, ReceiptStatus, Role};

use crate::{
    problem::Problem,
    records::{PersonRecord, ReceiptRecord},
    store::Store,
};

/// The expense `id` as far as `caller` may know of it: its owner; finance, while it is not a draft; whoever is asked to
/// decide on its latest submission, or decided on it. Whoever was asked before somebody else is not.
///
/// # Errors
/// 404; 503.
pub async fn expense(store: &Store, caller: &PersonRecord, id: ExpenseId) -> Result<ExpenseState, Problem> {
    let not_found = || Problem::not_found("expense");
    let state = store.expense(id).await?.ok_or_else(not_found)?;
    let me = caller.state.id;
    match state.status {
        ExpenseStatus::Deleted => Err(not_found()),
        _ if state.owner == me => Ok(state),
        ExpenseStatus::Draft => Err(not_found()),
        _ if caller.state.roles.contains(&Role::Finance) => Ok(state),
        _ => {
            let submission = state.submission_id().ok_or_else(not_found)?;
            let steps = store.steps(submission).await?;
            steps.iter().any(|step| step.approver == me).then_some(state).ok_or_else(not_found)
        }
    }
}

/// The receipt `id`, and the expense that has it, as far as `caller` may know of it: its owner; and whoever may see an
/// expense with it, of a split any part.
///
/// # Errors
/// 404; 503.
pub async fn receipt(
    store: &Store,
    caller: &PersonRecord,
    id: ReceiptId,
) -> Result<(ReceiptRecord, Option<ExpenseId>), Problem> {
    let not_found = || Problem::not_found("receipt");
    let record = store.receipt(id).await?.filter(|record| record.state.status != ReceiptStatus::Deleted);
    let record = record.ok_or_else(not_found)?;
    let user = store.receipt_use(id).await?;
    if record.state.owner == caller.state.id {
        return Ok((record, user));
    }
    let whole = store.expense(user.ok_or_else(not_found)?).await?.ok_or_else(not_found)?;
    for part in whole.split.map_or_else(|| vec![whole.id], |split| split.parts) {
        match expense(store, caller, part).await {
            Ok(_) => return Ok((record, Some(part))),
            Err(problem) if problem.status == 404 => {}
            Err(problem) => return Err(problem),
        }
    }
    Err(not_found())
}
