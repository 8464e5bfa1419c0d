//! One effect on something that takes no idempotency token: a mail, a call that is paid for. It is begun under a lease
//! and ended; a second one happens only when its holder dies between the answer and the end, and not before the lease
//! is over.

use jiff::{SignedDuration, Timestamp};

use crate::{
    keys::Key,
    records::{GuardRecord, Lease},
    table::{Condition, StoreError, Table, Transaction, number, text},
};

/// Whether the effect is ours to bring about.
#[derive(Debug)]
pub enum Begin {
    /// Yes. With more than one attempt, an earlier one may have brought it about and died before it could say so.
    Ours(GuardRecord),
    /// It was brought about before.
    Done,
    /// Somebody else is at it.
    Held,
}

/// Begins an effect, which `holder` has `lease` to finish: longer than the function's timeout, so that a lease ends
/// only when its holder is gone.
///
/// # Errors
/// [`StoreError`].
pub async fn begin(table: &Table, key: &Key, lease: SignedDuration, holder: &str) -> Result<Begin, StoreError> {
    let now = Timestamp::now();
    let known: Option<GuardRecord> = table.get(key).await?;
    let condition = match &known {
        None => Condition::absent(),
        Some(GuardRecord { done_at: Some(_), .. }) => return Ok(Begin::Done),
        Some(guard) if guard.lease.held_by_other(holder, now) => return Ok(Begin::Held),
        Some(guard) => unfinished(guard),
    };
    let lease = Lease { holder: holder.to_owned(), until: now + lease };
    let guard = GuardRecord { done_at: None, lease, attempts: known.map_or(0, |guard| guard.attempts) + 1 };
    let mut transaction = Transaction::default();
    transaction.put(key, guard.to_item(now)?, Some(condition));
    match table.commit(transaction).await {
        Ok(()) => Ok(Begin::Ours(guard)),
        Err(StoreError::Condition(_)) => Ok(Begin::Held),
        Err(error) => Err(error),
    }
}

/// Ends the effect as done: it will not be begun again.
///
/// # Errors
/// [`StoreError`].
pub async fn end(table: &Table, key: &Key, guard: GuardRecord) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let condition = unfinished(&guard);
    let guard = GuardRecord { done_at: Some(now), ..guard };
    let mut transaction = Transaction::default();
    transaction.put(key, guard.to_item(now)?, Some(condition));
    unless_taken_over(table.commit(transaction).await)
}

/// Takes the guard away, because the effect did not happen, or because its result says for itself that it did.
///
/// # Errors
/// [`StoreError`].
pub async fn clear(table: &Table, key: &Key, guard: &GuardRecord) -> Result<(), StoreError> {
    let mut transaction = Transaction::default();
    transaction.delete(key, unfinished(guard));
    unless_taken_over(table.commit(transaction).await)
}

/// Gives the lease back while it stays unknown whether the effect happened: the next attempt need not wait.
///
/// # Errors
/// [`StoreError`].
pub async fn release(table: &Table, key: &Key, guard: GuardRecord) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let condition = unfinished(&guard);
    let guard = GuardRecord { lease: Lease { until: now, ..guard.lease }, ..guard };
    let mut transaction = Transaction::default();
    transaction.put(key, guard.to_item(now)?, Some(condition));
    unless_taken_over(table.commit(transaction).await)
}

/// Another has taken over, because this took longer than the lease: the guard is theirs.
fn unless_taken_over(committed: Result<(), StoreError>) -> Result<(), StoreError> {
    match committed {
        Ok(()) | Err(StoreError::Condition(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The guard is as it was read: the same holder, the same attempt, not done.
fn unfinished(guard: &GuardRecord) -> Condition {
    Condition::new("attribute_not_exists(done_at) AND #lease.#holder = :holder AND #attempts = :attempts")
        .name("#lease", "lease")
        .name("#holder", "holder")
        .name("#attempts", "attempts")
        .value(":holder", text(&guard.lease.holder))
        .value(":attempts", number(guard.attempts))
}
