//! What one expense contributes to the sums, and how they change when its contribution is replaced: spend per person and
//! for the company, by month, category and currency; and what is used of each category's budget.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use slipstream_common::{
    keys::Key,
    sums::{self, Bucket, Whose},
    table::{Condition, Transaction, number},
};
use slipstream_events::{BudgetPeriod, Category, ExpenseId, ExpenseState, ExpenseStatus, Money, PaidBy, PersonId};

/// What one expense contributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    owner: PersonId,
    /// The receipt's date.
    pub date: Date,
    /// What it was for.
    pub category: Category,
    stage: Stage,
    paid_by: PaidBy,
    /// In its own currency: so it stands in the sums.
    amount: Money,
    /// In the company's currency where it was converted, else in its own: so it uses budgets.
    budgeted: Money,
}

/// How far the money is, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
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
    /// Refunds that earlier versions contributed. Without them more is used of their budgets, which are yet to be looked
    /// at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Contribution>,
}

impl Applied {
    /// The next one, after `before`.
    pub fn after(before: Option<&Self>, version: u64, contribution: Option<Contribution>) -> Self {
        let looked_at = |gone: &Contribution| contribution.as_ref().is_some_and(|stays| stays.is_beside(gone));
        let gone = before.into_iter().flat_map(|before| before.gone.iter().chain(&before.contribution));
        let gone = gone.filter(|gone| gone.uses_budget() && gone.budgeted.minor_units < 0 && !looked_at(gone));
        let gone = gone.cloned().collect();
        Self { version, contribution, gone }
    }
}

/// Where the applied version of an expense is kept.
pub fn applied_key(expense: ExpenseId) -> Key {
    Key { pk: format!("EXPENSE#{expense}"), sk: "APPLIED".to_owned() }
}

/// One contribution to one sum: its item, its attribute, minor units.
type Part = (Key, &'static str, i64);

impl Contribution {
    /// What the expense contributes, if anything.
    pub fn of(expense: &ExpenseState) -> Option<Self> {
        let stage = match expense.status {
            ExpenseStatus::Submitted => Stage::Submitted,
            ExpenseStatus::Approved => Stage::Approved,
            ExpenseStatus::Reimbursed => Stage::Reimbursed,
            ExpenseStatus::Draft
            | ExpenseStatus::Rejected
            | ExpenseStatus::ChangesRequested
            | ExpenseStatus::Deleted => return None,
        };
        let amount = expense.details.amount?;
        Some(Self {
            owner: expense.owner,
            date: expense.details.date?,
            category: expense.details.category?,
            stage,
            paid_by: expense.details.paid_by,
            amount,
            budgeted: expense.converted.as_ref().map_or(amount, |conversion| conversion.amount),
        })
    }

    /// Whether it counts against a budget.
    const fn uses_budget(&self) -> bool {
        match self.stage {
            Stage::Submitted => false,
            Stage::Approved | Stage::Reimbursed => true,
        }
    }

    /// Whether whoever looks at the budgets of one looks at those of the other.
    fn is_beside(&self, other: &Self) -> bool {
        (self.category, self.date) == (other.category, other.date)
    }

    fn parts(&self) -> Vec<Part> {
        let bucket = match self.stage {
            Stage::Submitted => Bucket::Submitted,
            Stage::Approved => Bucket::Approved,
            Stage::Reimbursed => Bucket::Reimbursed,
        };
        let attribute = sums::attribute(bucket, self.paid_by);
        let spend = |whose| sums::spend_of(whose, self.date, self.category, self.amount.currency);
        let mut parts = vec![
            (spend(Whose::Person(self.owner)), attribute, self.amount.minor_units),
            (spend(Whose::Company), attribute, self.amount.minor_units),
        ];
        if self.uses_budget() {
            for period in [BudgetPeriod::Month, BudgetPeriod::Year] {
                let key = sums::used_in(self.category, period, &period.of(self.date), self.budgeted.currency);
                parts.push((key, sums::USED, self.budgeted.minor_units));
            }
        }
        parts
    }
}

/// How the sums of one item change: attribute, minor units, count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumChange {
    key: Key,
    parts: Vec<(&'static str, i64, i64)>,
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
pub fn changes(before: Option<&Contribution>, after: Option<&Contribution>) -> Vec<SumChange> {
    let mut changes: Vec<SumChange> = Vec::new();
    for (contribution, sign) in [(before, -1), (after, 1)] {
        for (key, attribute, minor_units) in contribution.map(Contribution::parts).unwrap_or_default() {
            let part = (attribute, sign * minor_units, sign);
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
    }
    for change in &mut changes {
        change.parts.retain(|(_, minor_units, count)| (*minor_units, *count) != (0, 0));
    }
    changes.retain(|change| !change.parts.is_empty());
    changes
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use jiff::{Timestamp, civil::date};
    use proptest::prelude::*;
    use slipstream_events::{BudgetLimit, BudgetState, Conversion, Currency, ExchangeRate, ExpenseDetails};

    use super::*;
    use crate::budgets;

    fn expense(version: u64, status: ExpenseStatus, minor_units: i64, month: i8) -> ExpenseState {
        ExpenseState {
            id: ExpenseId::derived_from(&["x"]),
            version,
            owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            status,
            details: ExpenseDetails {
                date: Some(date(2026, month, 3)),
                amount: Some(Money::new(minor_units, Currency::EUR)),
                category: Some(Category::Meals),
                ..ExpenseDetails::default()
            },
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            distinct_from: Vec::new(),
            split: None,
            findings: Vec::new(),
            converted: None,
            submission: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn budget(version: u64, minor_units: i64, period: BudgetPeriod) -> BudgetState {
        let limit = Some(BudgetLimit { amount: Money::new(minor_units, Currency::EUR), period });
        BudgetState { category: Category::Meals, version, since: date(2026, 2, 1), limit }
    }

    #[derive(Debug, Clone)]
    enum Delivery {
        Expense(Box<ExpenseState>),
        Budget(BudgetState),
    }

    /// Period, amount and percent: what the key of the event is made of.
    type Told = (String, i64, u32);

    /// The tables as the function keeps them, in memory: the same rules, the same changes.
    #[derive(Debug, Default)]
    struct World {
        applied: BTreeMap<String, Applied>,
        sums: BTreeMap<(String, String, String), (i64, i64)>,
        budget: Option<BudgetState>,
        told: BTreeSet<Told>,
    }

    impl World {
        fn after(deliveries: impl IntoIterator<Item = Delivery>) -> Self {
            let mut world = Self::default();
            for delivery in deliveries {
                match delivery {
                    Delivery::Expense(expense) => world.apply(&expense),
                    Delivery::Budget(budget) => {
                        if world.budget.as_ref().is_none_or(|known| known.version < budget.version) {
                            world.budget = Some(budget);
                        }
                        let reached = world.reached();
                        world.told.extend(reached);
                    }
                }
            }
            world.sums.retain(|_, sum| *sum != (0, 0));
            world
        }

        fn apply(&mut self, expense: &ExpenseState) {
            let before = self.applied.get(&expense.id.to_string()).cloned();
            let mut now = before.as_ref().and_then(|before| before.contribution.clone());
            if before.as_ref().is_none_or(|before| before.version < expense.version) {
                let after = Contribution::of(expense);
                for change in changes(now.as_ref(), after.as_ref()) {
                    for (attribute, minor_units, count) in change.parts {
                        let key = (change.key.pk.clone(), change.key.sk.clone(), attribute.to_owned());
                        let sum = self.sums.entry(key).or_default();
                        *sum = (sum.0 + minor_units, sum.1 + count);
                    }
                }
                now.clone_from(&after);
                let applied = Applied::after(before.as_ref(), expense.version, after);
                self.applied.insert(expense.id.to_string(), applied);
            }
            if let (Some(contribution), Some(budget)) = (now, &self.budget)
                && let Some((limit, first)) = budgets::watched(budget)
            {
                let period = limit.period.of(contribution.date);
                if period >= first {
                    let used = self.used(limit, &period);
                    let told = |percent| (period.clone(), limit.amount.minor_units, percent);
                    self.told.extend(budgets::reached(limit.amount, used).map(told));
                }
            }
        }

        fn used(&self, limit: BudgetLimit, period: &str) -> i64 {
            let key = sums::used_in(Category::Meals, limit.period, period, limit.amount.currency);
            self.sums.get(&(key.pk, key.sk, sums::USED.to_owned())).map_or(0, |(minor_units, _)| *minor_units)
        }

        /// Every threshold that is reached by what the tables hold.
        fn reached(&self) -> BTreeSet<Told> {
            let Some((limit, first)) = self.budget.as_ref().and_then(budgets::watched) else { return BTreeSet::new() };
            let periods = ["2026", "2026-01", "2026-02", "2026-03"].into_iter();
            let watched = periods.filter(|period| {
                (period.len() == 4) == (limit.period == BudgetPeriod::Year) && *period >= first.as_str()
            });
            let there = watched.filter(|period| {
                let key = sums::used_in(Category::Meals, limit.period, period, limit.amount.currency);
                self.sums.contains_key(&(key.pk, key.sk, sums::USED.to_owned()))
            });
            there
                .flat_map(|period| {
                    budgets::reached(limit.amount, self.used(limit, period))
                        .map(move |percent| (period.to_owned(), limit.amount.minor_units, percent))
                })
                .collect()
        }
    }

    #[test]
    fn a_change_of_status_moves_the_money_within_each_item() {
        let before = Contribution::of(&expense(2, ExpenseStatus::Submitted, 500, 3));
        let after = Contribution::of(&expense(3, ExpenseStatus::Approved, 500, 3));
        let approved = changes(before.as_ref(), after.as_ref());
        let moved = [("submitted_out_of_pocket", -500, -1), ("approved_out_of_pocket", 500, 1)];
        let items: Vec<_> = approved.iter().map(|change| (change.key.pk.as_str(), change.parts.as_slice())).collect();
        assert_eq!(
            items,
            [
                ("SPEND#0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11", moved.as_slice()),
                ("SPEND#COMPANY", moved.as_slice()),
                ("USED#meals#month", [("used", 500, 1)].as_slice()),
                ("USED#meals#year", [("used", 500, 1)].as_slice()),
            ]
        );
        let paid = Contribution::of(&expense(4, ExpenseStatus::Reimbursed, 500, 3));
        let items: Vec<_> = changes(after.as_ref(), paid.as_ref()).into_iter().map(|change| change.key.pk).collect();
        assert_eq!(items, ["SPEND#0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11", "SPEND#COMPANY"], "a budget is used once");
    }

    #[test]
    fn drafts_and_rejected_expenses_contribute_nothing() {
        for status in [ExpenseStatus::Draft, ExpenseStatus::Rejected, ExpenseStatus::Deleted] {
            assert_eq!(Contribution::of(&expense(1, status, 500, 3)), None);
        }
    }

    #[test]
    fn sums_keep_the_currency_and_budgets_take_the_conversion() {
        let usd: Currency = "USD".parse().unwrap();
        let mut expense = expense(4, ExpenseStatus::Approved, 10_000, 3);
        expense.details.amount = Some(Money::new(10_000, usd));
        expense.converted = Some(Conversion {
            amount: Money::new(9195, Currency::EUR),
            rate: ExchangeRate::ONE,
            base: Currency::EUR,
            quote: usd,
            date: date(2026, 3, 3),
            source: "ECB".to_owned(),
        });
        let world = World::after([Delivery::Expense(Box::new(expense))]);
        let sum = |pk: &str, sk: &str, attribute: &str| {
            world.sums.get(&(pk.to_owned(), sk.to_owned(), attribute.to_owned())).copied()
        };
        assert_eq!(sum("SPEND#COMPANY", "2026-03#meals#USD", "approved_out_of_pocket"), Some((10_000, 1)));
        assert_eq!(sum("USED#meals#month", "2026-03#EUR", "used"), Some((9195, 1)));
        assert_eq!(sum("USED#meals#year", "2026#EUR", "used"), Some((9195, 1)));
        assert_eq!(world.sums.len(), 4, "{:?}", world.sums);
    }

    #[test]
    fn a_threshold_is_reached_at_its_percent_and_not_before() {
        let reached = |used| budgets::reached(Money::new(1000, Currency::EUR), used).collect::<Vec<_>>();
        assert_eq!((reached(799), reached(800), reached(999)), (vec![], vec![80], vec![80]));
        assert_eq!((reached(1000), reached(i64::MAX), reached(i64::MIN)), (vec![80, 100], vec![80, 100], vec![]));
    }

    #[test]
    fn crossing_a_threshold_again_tells_nothing_and_another_amount_does() {
        let approved = |name: &str, minor_units| {
            let id = ExpenseId::derived_from(&[name]);
            Delivery::Expense(Box::new(ExpenseState { id, ..expense(3, ExpenseStatus::Approved, minor_units, 3) }))
        };
        let month = |version, minor_units| Delivery::Budget(budget(version, minor_units, BudgetPeriod::Month));
        let mut deliveries = vec![month(1, 1000), approved("a", 850), approved("refund", -200), approved("b", 200)];
        let told = |deliveries: &[Delivery]| {
            World::after(deliveries.to_vec())
                .told
                .into_iter()
                .map(|(_, amount, percent)| (amount, percent))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&deliveries), [(1000, 80)]);
        deliveries.extend([month(2, 2000), approved("c", 900)]);
        assert_eq!(told(&deliveries), [(1000, 80), (2000, 80)], "1750 of the raised budget");
        deliveries.extend([month(3, 1000), month(4, 2000)]);
        assert_eq!(told(&deliveries), [(1000, 80), (1000, 100), (2000, 80)], "set back, it tells of what it had not");
    }

    /// What the life cycle makes of an expense: its amount stays from the submission on.
    fn lives(amounts: &[i64], ends: &[usize], months: &[i8]) -> Vec<Vec<ExpenseState>> {
        use ExpenseStatus::{Approved, Draft, Reimbursed, Submitted};
        let life = |n: usize| {
            let id = ExpenseId::derived_from(&["life", &n.to_string()]);
            (1u64..)
                .zip([Draft, Submitted, Approved, Reimbursed])
                .take(ends[n])
                .map(move |(version, status)| ExpenseState { id, ..expense(version, status, amounts[n], months[n]) })
        };
        (0..amounts.len()).map(|n| life(n).collect()).collect()
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
                (0..6).map(|n| Delivery::Expense(Box::new(expense(n as u64 + 1, statuses[n], amounts[n], months[n])))).collect();
            let mut delivered: Vec<_> = order.iter().map(|&n| history[n].clone()).collect();
            delivered.push(history[5].clone());
            delivered.extend(order.iter().map(|&n| history[n].clone()));
            prop_assert_eq!(World::after(delivered).sums, World::after([history[5].clone()]).sums);
        }

        /// Whatever the order and however often expenses and the budget come: the thresholds told of are those that all
        /// of them together reach.
        #[test]
        fn any_order_and_repetition_tell_of_the_same_thresholds(
            amounts in prop::collection::vec(0i64..1000, 5),
            ends in prop::collection::vec(1usize..5, 5),
            months in prop::collection::vec(1i8..4, 5),
            whole in 1i64..3000,
            yearly: bool,
            order in Just((0usize..60).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let set = budget(1, whole, if yearly { BudgetPeriod::Year } else { BudgetPeriod::Month });
            let mut deliveries: Vec<_> =
                lives(&amounts, &ends, &months).concat().into_iter().map(|state| Delivery::Expense(Box::new(state))).collect();
            deliveries.push(Delivery::Budget(set));
            // Every one of them three times, in any order.
            let shuffled = order.iter().filter(|n| **n < deliveries.len() * 3).map(|n| deliveries[n % deliveries.len()].clone());
            let world = World::after(shuffled.chain(deliveries.clone()));
            prop_assert_eq!(&world.told, &world.reached());
            prop_assert_eq!(world.told, World::after(deliveries).told);
        }

        /// With refunds and other budgets in between, too, nothing that is reached in the end goes untold.
        #[test]
        fn what_is_reached_in_the_end_is_told(
            amounts in prop::collection::vec(-1000i64..1000, 5),
            ends in prop::collection::vec(1usize..5, 5),
            months in prop::collection::vec(1i8..4, 5),
            wholes in prop::collection::vec(1i64..2000, 3),
            order in Just((0usize..23).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut deliveries: Vec<_> =
                lives(&amounts, &ends, &months).concat().into_iter().map(|state| Delivery::Expense(Box::new(state))).collect();
            deliveries.extend((1..).zip(wholes).map(|(version, whole)| Delivery::Budget(budget(version, whole, BudgetPeriod::Month))));
            let world = World::after(order.iter().filter_map(|&n| deliveries.get(n).cloned()));
            prop_assert!(world.reached().is_subset(&world.told), "{:?} of {:?}", world.reached(), world.told);
        }
    }
}
