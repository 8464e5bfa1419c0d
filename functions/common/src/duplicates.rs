//! Expenses that may be the same one claimed twice, also by two colleagues: made of the same file, or looking like the
//! same purchase. What is suspected is looked up when it is asked for, by marks that come and go with the expenses, so
//! that an expense that was deleted or rejected is not suspected for ever.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use slipstream_events::{ExpenseId, ExpenseState, PersonId};

use crate::{
    keys::{self, MARK_PREFIX},
    records::MarkRecord,
    store::Store,
    table::StoreError,
};

/// The most suspects that are looked at of either kind.
const MAX_SUSPECTS: i32 = 20;

/// What two expenses have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The bytes that were uploaded.
    SameFile,
    /// Merchant, date, currency and amount.
    SamePurchase,
}

/// Another expense that may be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// What they have in common.
    pub kind: Kind,
    /// Which one. Not for the eyes of an owner where it is someone else's.
    pub expense: ExpenseId,
    /// Whose. Not for the eyes of an owner.
    pub owner: PersonId,
    /// Whether the owner said that it is another one.
    pub dismissed: bool,
}

/// What is kept of a pair that was said to be no duplicate: who does not know the other expense's id learns nothing
/// from it.
pub fn digest(expense: ExpenseId, other: ExpenseId) -> String {
    let mut digest = Sha256::new();
    for id in [expense, other] {
        digest.update(id.to_string().as_bytes());
        digest.update([0]);
    }
    hex::encode(digest.finalize())
}

/// Whether a mark beside `state`'s is that of another claim. The parts of a split are one claim.
fn is_another(state: &ExpenseState, mark: &MarkRecord) -> bool {
    let family = |split_of: Option<ExpenseId>, id: ExpenseId| split_of.unwrap_or(id);
    let mine = family(state.split.as_ref().map(|split| split.of), state.id);
    family(mark.split_of, mark.expense) != mine
}

/// What may be the same as `state`: two queries of at most twenty marks each, and none where there is nothing to compare.
///
/// # Errors
/// [`StoreError`].
pub async fn suspects(store: &Store, state: &ExpenseState) -> Result<Vec<Suspect>, StoreError> {
    let same_file = state.receipt_sha256.as_deref().map(keys::same_file);
    let same_purchase = keys::same_purchase(&state.details);
    let mut found: Vec<Suspect> = Vec::new();
    for (kind, partition) in [(Kind::SameFile, same_file), (Kind::SamePurchase, same_purchase)] {
        let Some(partition) = partition else { continue };
        let marks: Vec<MarkRecord> = store.table.beginning_with(&partition, MARK_PREFIX, MAX_SUSPECTS).await?;
        for mark in marks.iter().filter(|mark| is_another(state, mark)) {
            if found.iter().all(|known| known.expense != mark.expense) {
                let dismissed = state.distinct_from.contains(&digest(state.id, mark.expense));
                found.push(Suspect { kind, expense: mark.expense, owner: mark.owner, dismissed });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_told_by_both() {
        let [a, b, c] = ["a", "b", "c"].map(|name| ExpenseId::derived_from(&[name]));
        assert_eq!(digest(a, b), digest(a, b));
        assert_ne!(digest(a, b), digest(a, c));
        assert_ne!(digest(a, b), digest(b, a), "each owner says it for their own");
    }
}
