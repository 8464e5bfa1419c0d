//! Who may know of an expense, and of the receipt that belongs to it. To all others there is none.

use slipstream_events::{ExpenseId, ExpenseState, ExpenseStatus, ReceiptStatus, Role, ReceiptId};

use crate::{
    problem::Problem,
    records::{PersonRecord, ReceiptRecord},
    store::Store,
};

/// The expense `id` as far as `caller` may know of it: its owner; finance, while it is not a draft; whoever is or was
/// asked to decide on its latest submission. To all others it does not exist.
///
/// # Errors
/// 404; 503.
pub async fn visible_expense(store: &Store, caller: &PersonRecord, id: ExpenseId) -> Result<ExpenseState, Problem> {
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

/// The receipt `id` as far as `caller` may know of it: its owner, and whoever may know of an expense that was made of it.
///
/// # Errors
/// 404; 503.
pub async fn visible_receipt(store: &Store, caller: &PersonRecord, id: ReceiptId) -> Result<ReceiptRecord, Problem> {
    let not_found = || Problem::not_found("receipt");
    let record = store.receipt(id).await?.ok_or_else(not_found)?;
    if record.state.status == ReceiptStatus::Deleted {
        return Err(not_found());
    }
    if record.state.owner == caller.state.id {
        return Ok(record);
    }
    let user = store.receipt_use(id).await?.ok_or_else(not_found)?;
    let whole = store.expense(user).await?.ok_or_else(not_found)?;
    // The parts of a split have the receipt in common and go their own ways.
    let parts = whole.split.map(|split| split.parts).unwrap_or_default();
    for expense in [user].into_iter().chain(parts.into_iter().filter(|part| *part != user)) {
        match visible_expense(store, caller, expense).await {
            Ok(_) => return Ok(record),
            Err(problem) if problem.status == 404 => {}
            Err(problem) => return Err(problem),
        }
    }
    Err(not_found())
}
