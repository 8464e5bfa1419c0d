//! Spend per person, month, category and currency: what one expense contributes, and how a sum changes when its
//! contribution is replaced.

use serde::{Deserialize, Serialize};
use slipstream_common::{
    keys::Key,
    table::{Condition, Transaction, number},
};
use slipstream_events::{Category, Currency, ExpenseId, ExpenseState, ExpenseStatus, PaidBy, PersonId};

/// What one expense contributes to one sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    owner: PersonId,
    /// The month of the receipt's date, `yyyy-mm`.
    month: String,
    category: Category,
    currency: Currency,
    bucket: Bucket,
    paid_by: PaidBy,
    minor_units: i64,
}

/// How far the money is. Drafts, rejected and deleted expenses contribute nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bucket {
    Submitted,
    Approved,
    Reimbursed,
}

/// The last version of an expense that was applied, and what it contributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The version.
    pub version: u64,
    /// What it contributed, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contribution: Option<Contribution>,
}

/// Where the applied version of an expense is kept.
pub fn applied_key(expense: ExpenseId) -> Key {
    Key { pk: format!("EXPENSE#{expense}"), sk: "APPLIED".to_owned() }
}

impl Contribution {
    /// What the expense contributes, if anything.
    pub fn of(expense: &ExpenseState) -> Option<Self> {
        let bucket = match expense.status {
            ExpenseStatus::Submitted => Bucket::Submitted,
            ExpenseStatus::Approved => Bucket::Approved,
            ExpenseStatus::Reimbursed => Bucket::Reimbursed,
            ExpenseStatus::Draft
            | ExpenseStatus::Rejected
            | ExpenseStatus::ChangesRequested
            | ExpenseStatus::Deleted => return None,
        };
        let amount = expense.details.amount?;
        Some(Self {
            owner: expense.owner,
            month: expense.details.date?.strftime("%Y-%m").to_string(),
            category: expense.details.category?,
            currency: amount.currency,
            bucket,
            paid_by: expense.details.paid_by,
            minor_units: amount.minor_units,
        })
    }

    fn key(&self) -> Key {
        Key { pk: format!("SPEND#{}#{}", self.owner, self.month), sk: format!("{}#{}", self.category, self.currency) }
    }

    /// The attribute that holds the sum; its count stands beside it.
    fn attribute(&self) -> String {
        let bucket = match self.bucket {
            Bucket::Submitted => "submitted",
            Bucket::Approved => "approved",
            Bucket::Reimbursed => "reimbursed",
        };
        let paid_by = match self.paid_by {
            PaidBy::OutOfPocket => "out_of_pocket",
            PaidBy::CompanyCard => "company_card",
        };
        format!("{bucket}_{paid_by}")
    }
}

/// How the sums of one item change: attribute, minor units, count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumChange {
    key: Key,
    parts: Vec<(String, i64, i64)>,
}

impl SumChange {
    /// Adds it to a transaction.
    pub fn add_to(&self, transaction: &mut Transaction) {
        let mut condition = Condition::default();
        let mut terms = Vec::new();
        for (at, (attribute, minor_units, count)) in self.parts.iter().enumerate() {
            condition = condition
                .name(&format!("#sum{at}"), &format!("{attribute}_minor_units"))
                .name(&format!("#count{at}"), &format!("{attribute}_count"))
                .value(&format!(":sum{at}"), number(minor_units))
                .value(&format!(":count{at}"), number(count));
            terms.push(format!("#sum{at} :sum{at}, #count{at} :count{at}"));
        }
        transaction.update(&self.key, &format!("ADD {}", terms.join(", ")), condition);
    }
}

/// How the sums change when `after` takes the place of `before`. A transaction may name an item only once, so that
/// what is in the same item is one change.
pub fn changes(before: Option<Contribution>, after: Option<Contribution>) -> Vec<SumChange> {
    if before == after {
        return Vec::new();
    }
    let mut changes: Vec<SumChange> = Vec::new();
    for (contribution, sign) in [(before, -1), (after, 1)] {
        let Some(contribution) = contribution else { continue };
        let key = contribution.key();
        let part = (contribution.attribute(), sign * contribution.minor_units, sign);
        match changes.iter_mut().find(|change| change.key == key) {
            Some(change) => match change.parts.iter_mut().find(|(attribute, ..)| *attribute == part.0) {
                Some((_, minor_units, count)) => {
                    *minor_units += part.1;
                    *count += part.2;
                }
                None => change.parts.push(part),
            },
            None => changes.push(SumChange { key, parts: vec![part] }),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::{Timestamp, civil::date};
    use proptest::prelude::*;
    use slipstream_events::{ExpenseDetails, Money};

    use super::*;

    fn expense(version: u64, status: ExpenseStatus, minor_units: i64, month: i8) -> ExpenseState {
        ExpenseState {
            id: ExpenseId::derived_from(&["x"]),
            version,
            owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            status,
            details: ExpenseDetails {
                date: Some(date(2026, month, 3)),
                amount: Some(Money::new(minor_units, "EUR".parse().unwrap())),
                category: Some(Category::Meals),
                ..ExpenseDetails::default()
            },
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            distinct_from: Vec::new(),
            split: None,
            submission: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    type Sums = BTreeMap<(String, String, String), (i64, i64)>;

    /// The table as the projection keeps it, in memory: the same rule, the same changes.
    fn project(events: &[ExpenseState]) -> Sums {
        let mut applied: Option<Applied> = None;
        let mut sums = Sums::new();
        for event in events {
            if applied.as_ref().is_some_and(|applied| applied.version >= event.version) {
                continue;
            }
            let contribution = Contribution::of(event);
            let before = applied.take().and_then(|applied| applied.contribution);
            for change in changes(before, contribution.clone()) {
                for (attribute, minor_units, count) in change.parts {
                    let sum = sums.entry((change.key.pk.clone(), change.key.sk.clone(), attribute)).or_default();
                    *sum = (sum.0 + minor_units, sum.1 + count);
                }
            }
            applied = Some(Applied { version: event.version, contribution });
        }
        sums.retain(|_, sum| *sum != (0, 0));
        sums
    }

    #[test]
    fn a_change_of_status_moves_the_money_within_one_item() {
        let before = Contribution::of(&expense(2, ExpenseStatus::Submitted, 500, 3));
        let after = Contribution::of(&expense(3, ExpenseStatus::Approved, 500, 3));
        let changes = changes(before, after);
        assert_eq!(changes.len(), 1);
        assert_eq!(
            changes[0].parts,
            [("submitted_out_of_pocket".to_owned(), -500, -1), ("approved_out_of_pocket".to_owned(), 500, 1)]
        );
    }

    #[test]
    fn drafts_and_rejected_expenses_contribute_nothing() {
        for status in [ExpenseStatus::Draft, ExpenseStatus::Rejected, ExpenseStatus::Deleted] {
            assert_eq!(Contribution::of(&expense(1, status, 500, 3)), None);
        }
    }

    proptest! {
        /// Whatever the order and however often: the sums are those of the last version alone.
        #[test]
        fn any_order_and_repetition_give_the_same_sums(
            order in prop::collection::vec(0usize..6, 0..40),
            amounts in prop::collection::vec(1i64..1000, 6),
            months in prop::collection::vec(1i8..4, 6),
            statuses in prop::collection::vec(prop::sample::select(ExpenseStatus::ALL.to_vec()), 6),
        ) {
            let history: Vec<_> =
                (0..6).map(|n| expense(n as u64 + 1, statuses[n], amounts[n], months[n])).collect();
            let mut delivered: Vec<_> = order.iter().map(|&n| history[n].clone()).collect();
            delivered.push(history[5].clone());
            delivered.extend(order.iter().map(|&n| history[n].clone()));
            prop_assert_eq!(project(&delivered), project(&history[5..]));
        }
    }
}
