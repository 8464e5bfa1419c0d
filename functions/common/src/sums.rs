//! The keys and attributes of the sums in the projections table: `projections` writes them, the API reads them.

use jiff::civil::Date;
use slipstream_events::{BudgetPeriod, Category, Currency, PaidBy, PersonId};

use crate::keys::Key;

/// Whose expenses a sum is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A person's.
    Person(PersonId),
    /// Everyone's.
    Company,
}

/// How far the money is. Drafts, rejected and deleted expenses are in no sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// Waiting for a decision.
    Submitted,
    /// Approved, not yet paid out.
    Approved,
    /// Paid out.
    Reimbursed,
}

/// The partition of the sums of a person or of the company, by month, category and currency.
pub fn spend(whose: Whose) -> String {
    match whose {
        Whose::Person(id) => format!("SPEND#{id}"),
        Whose::Company => "SPEND#COMPANY".to_owned(),
    }
}

/// The sums of one month, category and currency.
pub fn spend_of(whose: Whose, date: Date, category: Category, currency: Currency) -> Key {
    Key { pk: spend(whose), sk: format!("{}#{category}#{currency}", month(date)) }
}

/// The month of a date, as the sums' sort keys begin.
pub fn month(date: Date) -> String {
    BudgetPeriod::Month.of(date)
}

/// What the attributes of a sum begin with; `_minor_units` and `_count` follow.
pub fn attribute(bucket: Bucket, paid_by: PaidBy) -> &'static str {
    match (bucket, paid_by) {
        (Bucket::Submitted, PaidBy::OutOfPocket) => "submitted_out_of_pocket",
        (Bucket::Submitted, PaidBy::CompanyCard) => "submitted_company_card",
        (Bucket::Approved, PaidBy::OutOfPocket) => "approved_out_of_pocket",
        (Bucket::Approved, PaidBy::CompanyCard) => "approved_company_card",
        (Bucket::Reimbursed, PaidBy::OutOfPocket) => "reimbursed_out_of_pocket",
        (Bucket::Reimbursed, PaidBy::CompanyCard) => "reimbursed_company_card",
    }
}

/// What the attributes begin with that say how much of a budget is used.
pub const USED: &str = "used";

/// The partition of what was used of a category, by period and currency. Months and years are apart, so that text order
/// is time order.
pub fn used(category: Category, period: BudgetPeriod) -> String {
    match period {
        BudgetPeriod::Month => format!("USED#{category}#month"),
        BudgetPeriod::Year => format!("USED#{category}#year"),
    }
}

/// What was used of a category in a period, in a currency.
pub fn used_in(category: Category, period: BudgetPeriod, name: &str, currency: Currency) -> Key {
    Key { pk: used(category, period), sk: format!("{name}#{currency}") }
}
