//! Expenses that may be the same one claimed twice, also by two colleagues: made of the same file, or looking like the
//! same purchase. What is suspected is looked up when it is asked for, by marks that come and go with the expenses, so
//! that an expense that was deleted or rejected is not suspected for ever.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use slipstream_events::{ExpenseId, ExpenseState, PersonId};

use crate::{
    keys::{self, MARK_PREFIX},
    records::MarkRecord,
    store::Store,
    table::{Condition, StoreError, Transaction, item},
};

/// The most marks that are looked at of either kind: those of the largest split (`split::MAX_PARTS`), which are one claim,
/// and as many others.
const MAX_MARKS: i32 = 40;

/// What two expenses have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The bytes that were uploaded.
    SameFile,
    /// Merchant, date, currency and amount.
    SamePurchase,
}

/// Another claim that may be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// What they have in common.
    pub kind: Kind,
    /// Which one; of a split the first part. Not for the eyes of an owner where it is someone else's.
    pub expense: ExpenseId,
    /// Whose. Not for the eyes of an owner.
    pub owner: PersonId,
    /// Whether the owner said that it is another one.
    pub dismissed: bool,
}

/// What digests of pairs are made with. Ids can be worked out by who knows their owner and has the same file, so that a
/// digest of ids alone would tell an owner whether the other expense is that of a colleague they think of.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret {
    random: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The secret; made when it is first needed, and the same from then on.
///
/// # Errors
/// [`StoreError`].
pub async fn secret(store: &Store) -> Result<Secret, StoreError> {
    let key = keys::duplicates_secret();
    loop {
        if let Some(secret) = store.table.get(&key).await? {
            return Ok(secret);
        }
        let fresh = Secret { random: hex::encode(rand::random::<[u8; 32]>()) };
        let mut transaction = Transaction::default();
        transaction.put(&key, item(&fresh, [])?, Some(Condition::absent()));
        match store.table.commit(transaction).await {
            Ok(()) => return Ok(fresh),
            Err(StoreError::Condition(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is kept of a pair that was said to be no duplicate: its owner learns nothing from it.
pub fn digest(secret: &Secret, expense: ExpenseId, other: ExpenseId) -> String {
    let mut digest = Sha256::new();
    digest.update(secret.random.as_bytes());
    for id in [expense, other] {
        digest.update(id.to_string().as_bytes());
        digest.update([0]);
    }
    hex::encode(digest.finalize())
}

/// What may be the same as `state`: two queries of at most forty marks each, and none where there is nothing to compare;
/// and the secret, where something was dismissed. The parts of a split are one claim.
///
/// # Errors
/// [`StoreError`].
pub async fn suspects(store: &Store, state: &ExpenseState) -> Result<Vec<Suspect>, StoreError> {
    let same_file = state.receipt_sha256.as_deref().map(keys::same_file);
    let same_purchase = keys::same_purchase(state);
    let mine = state.split.as_ref().map_or(state.id, |split| split.of);
    let secret = if state.distinct_from.is_empty() { None } else { Some(secret(store).await?) };
    let is_dismissed =
        |other| secret.as_ref().is_some_and(|secret| state.distinct_from.contains(&digest(secret, state.id, other)));
    let mut found: Vec<Suspect> = Vec::new();
    for (kind, partition) in [(Kind::SameFile, same_file), (Kind::SamePurchase, same_purchase)] {
        let Some(partition) = partition else { continue };
        let marks: Vec<MarkRecord> = store.table.beginning_with(&partition, MARK_PREFIX, MAX_MARKS).await?;
        for mark in marks {
            let expense = mark.split_of.unwrap_or(mark.expense);
            if expense != mine && found.iter().all(|known| known.expense != expense) {
                found.push(Suspect { kind, expense, owner: mark.owner, dismissed: is_dismissed(expense) });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_told_by_both_and_the_secret() {
        let [a, b, c] = ["a", "b", "c"].map(|name| ExpenseId::derived_from(&[name]));
        let [secret, other] = ["secret", "other"].map(|random| Secret { random: random.to_owned() });
        assert_eq!(digest(&secret, a, b), digest(&secret, a, b));
        assert_ne!(digest(&secret, a, b), digest(&secret, a, c));
        assert_ne!(digest(&secret, a, b), digest(&secret, b, a), "each owner says it for their own");
        assert_ne!(digest(&secret, a, b), digest(&other, a, b));
        assert!(!format!("{secret:?}").contains("secret"), "it is in no log");
    }
}
