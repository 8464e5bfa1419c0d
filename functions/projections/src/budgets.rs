//! Which budgets are watched in which periods, and which of their thresholds are reached.

use slipstream_common::keys::Key;
use slipstream_events::{BudgetLimit, BudgetState, Category, Money};

/// The thresholds that are told of, in percent of the budget.
pub const THRESHOLDS: [u32; 2] = [80, 100];

/// Where the copy of a category's budget is kept.
pub fn budget_key(category: Category) -> Key {
    Key { pk: "BUDGETS".to_owned(), sk: category.to_string() }
}

/// The budget's limit and the first period in which it is watched, if finance has set one.
pub fn watched(budget: &BudgetState) -> Option<(BudgetLimit, String)> {
    budget.limit.map(|limit| (limit, limit.period.of(budget.since)))
}

/// The thresholds of a budget that `used` minor units reach.
pub fn reached(budget: Money, used: i64) -> impl Iterator<Item = u32> {
    let (used, whole) = (i128::from(used) * 100, i128::from(budget.minor_units));
    THRESHOLDS.into_iter().filter(move |percent| used >= whole * i128::from(*percent))
}
