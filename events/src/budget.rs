//! Budgets: what the company means to spend on a category, and when that is about to be used up.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Category, Money};

/// For how long a budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl BudgetPeriod {
    /// The period that `date` falls in: `2026-03` or `2026`. Of one kind, text order is time order.
    pub fn of(self, date: Date) -> String {
        match self {
            Self::Month => date.strftime("%Y-%m").to_string(),
            Self::Year => date.strftime("%Y").to_string(),
        }
    }
}

/// How much may be spent, and in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetLimit {
    /// How much, in the company's currency.
    pub amount: Money,
    /// In which time.
    pub period: BudgetPeriod,
}

/// The budget of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetState {
    /// Of which category.
    pub category: Category,
    /// How many changes it has gone through.
    pub version: u64,
    /// The day (UTC) on which it was set so: it is watched from the period of that day on.
    pub since: Date,
    /// How much; absent when finance took the budget away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<BudgetLimit>,
}

/// Data of a budget event: the budget after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetEvent {
    /// The budget after the change.
    pub budget: BudgetState,
}

/// So much of a budget is used. It happens once per category, period, amount and threshold, whatever becomes of what was
/// spent: a budget that finance raises has thresholds of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetThreshold {
    /// The budget's category.
    pub category: Category,
    /// The month or year, as `2026-03` or `2026`.
    pub period: String,
    /// How much of the budget this threshold is, in percent.
    pub percent: u32,
    /// What was used when it was noticed: approved and reimbursed expenses.
    pub used: Money,
    /// The budget at that time.
    pub budget: Money,
    /// The budget's version at that time.
    pub budget_version: u64,
}
