//! The policy document: what finance sets, and what a look at an expense finds by it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Category, Currency, Money};

/// What breaking a rule leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The owner and the approver are told; it can be submitted.
    Warns,
    /// It cannot be submitted.
    Blocks,
}

/// From which amount on a receipt is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRule {
    /// The smallest amount that needs one.
    pub amount: Money,
    /// What its lack leads to.
    pub severity: Severity,
}

/// What may be spent on a category. At least one of the two limits is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoryLimit {
    /// Which category.
    pub category: Category,
    /// The most that one expense may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_item: Option<Money>,
    /// The most that one person's expenses of one date may be together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<Money>,
    /// What more leads to.
    pub severity: Severity,
}

/// How old a receipt may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgeRule {
    /// The most days between the receipt's date and today.
    pub days: u32,
    /// What more leads to.
    pub severity: Severity,
}

/// That a receipt is not of a day to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FutureRule {
    /// What a date in the future, wherever on earth, leads to.
    pub severity: Severity,
}

/// In which currencies expenses may be claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrencyRule {
    /// The allowed ones.
    pub currencies: Vec<Currency>,
    /// What another one leads to.
    pub severity: Severity,
}

/// Who is asked at the second level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecondLevel {
    /// Somebody in finance.
    #[default]
    Finance,
    /// The manager of the submitter's manager.
    ManagersManager,
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

const fn usual_reminder() -> u64 {
    2 * DAY_SECONDS
}

const fn usual_escalation() -> u64 {
    4 * DAY_SECONDS
}

/// One version of the policy. A submission keeps the version it began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyState {
    /// Which version, from 1. Version 0 is the built-in policy that holds until finance sets one.
    pub version: u32,
    /// How long an approver has to decide before the submission goes back to its owner.
    pub decision_due_seconds: u64,
    /// After how long an approver who has not answered is reminded; two days unless said otherwise.
    #[serde(default = "usual_reminder")]
    pub reminder_after_seconds: u64,
    /// After how long the next one up is asked instead; four days unless said otherwise.
    #[serde(default = "usual_escalation")]
    pub escalation_after_seconds: u64,
    /// From which amount on a receipt is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_required_from: Option<ReceiptRule>,
    /// What may be spent on each category; at most one entry each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub category_limits: Vec<CategoryLimit>,
    /// How old a receipt may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<AgeRule>,
    /// Whether a receipt may be of a day to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future_dates: Option<FutureRule>,
    /// In which currencies expenses may be claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_currencies: Option<CurrencyRule>,
    /// Below which amount nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_approve_below: Option<Money>,
    /// From which amount on a second approver is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_level_from: Option<Money>,
    /// Who that is.
    #[serde(default)]
    pub second_level: SecondLevel,
}

impl Default for PolicyState {
    fn default() -> Self {
        Self {
            version: 0,
            decision_due_seconds: 14 * DAY_SECONDS,
            reminder_after_seconds: usual_reminder(),
            escalation_after_seconds: usual_escalation(),
            receipt_required_from: None,
            category_limits: Vec::new(),
            max_age: None,
            future_dates: None,
            allowed_currencies: None,
            auto_approve_below: None,
            second_level_from: None,
            second_level: SecondLevel::default(),
        }
    }
}

/// Data of a policy event: the policy after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyEvent {
    /// The policy after the change.
    pub policy: PolicyState,
}

/// A rule of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyRule {
    /// An amount like this needs a receipt.
    ReceiptRequired,
    /// One expense of this category may be only so much.
    ItemLimit,
    /// A day's expenses of this category may be only so much.
    DayLimit,
    /// The receipt is too old.
    MaxAge,
    /// The receipt's date is yet to come.
    FutureDate,
    /// Expenses may not be claimed in this currency.
    CurrencyNotAllowed,
    /// A limit stands in another currency and no exchange rate is known: it could not be checked.
    NoExchangeRate,
}

impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReceiptRequired => "receipt_required",
            Self::ItemLimit => "item_limit",
            Self::DayLimit => "day_limit",
            Self::MaxAge => "max_age",
            Self::FutureDate => "future_date",
            Self::CurrencyNotAllowed => "currency_not_allowed",
            Self::NoExchangeRate => "no_exchange_rate",
        })
    }
}

/// A rule that an expense breaks, or that could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFinding {
    /// Which rule.
    pub rule: PolicyRule,
    /// What that leads to.
    pub severity: Severity,
    /// The field of the API to look at, such as `amount`.
    pub field: String,
    /// What is wrong, with the amounts, and the remedy.
    pub message: String,
}
