//! One effect of one event: begun under a lease, ended as done.

use jiff::{SignedDuration, Timestamp};
use slipstream_common::{
    keys,
    records::{GuardRecord, Lease},
    table::{Condition, StoreError, Table, Transaction, number, text},
};
use slipstream_events::EventId;

/// The name under which this function guards.
const CONSUMER: &str = "notifications";
/// How long an invocation may be at a mail before another may send it: longer than the function's timeout.
const LEASE: SignedDuration = SignedDuration::from_secs(90);

/// Whether the effect is ours to bring about.
#[derive(Debug)]
pub enum Begin {
    /// Yes.
    Ours(GuardRecord),
    /// It was brought about before.
    Done,
    /// Somebody else is at it.
    Held,
}

/// Begins the effect of `event`.
///
/// # Errors
/// [`StoreError`].
pub async fn begin(table: &Table, event: &EventId, holder: &str) -> Result<Begin, StoreError> {
    let key = keys::guard(CONSUMER, event);
    let now = Timestamp::now();
    let known: Option<GuardRecord> = table.get(&key).await?;
    let condition = match &known {
        None => Condition::absent(),
        Some(GuardRecord { done_at: Some(_), .. }) => return Ok(Begin::Done),
        Some(guard) if guard.lease.held_by_other(holder, now) => return Ok(Begin::Held),
        Some(guard) => unfinished(guard),
    };
    let lease = Lease { holder: holder.to_owned(), until: now + LEASE };
    let guard = GuardRecord { done_at: None, lease, attempts: known.map_or(0, |guard| guard.attempts) + 1 };
    let mut transaction = Transaction::default();
    transaction.put(&key, guard.to_item(now)?, Some(condition));
    match table.commit(transaction).await {
        Ok(()) => Ok(Begin::Ours(guard)),
        Err(StoreError::Condition(_)) => Ok(Begin::Held),
        Err(error) => Err(error),
    }
}

/// Ends the effect as done.
///
/// # Errors
/// [`StoreError`].
pub async fn end(table: &Table, event: &EventId, guard: GuardRecord) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let condition = unfinished(&guard);
    let guard = GuardRecord { done_at: Some(now), ..guard };
    let mut transaction = Transaction::default();
    transaction.put(&keys::guard(CONSUMER, event), guard.to_item(now)?, Some(condition));
    match table.commit(transaction).await {
        // Another has taken over, because this took longer than the lease: it ends the guard.
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
