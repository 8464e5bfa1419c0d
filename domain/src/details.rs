//! What may be said of an expense, and what a submission needs.

use jiff::civil::{Date, date};
use slipstream_events::{ExpenseDetails, Money};

use crate::text::is_unseen;

/// What to do about a text with characters that are not seen.
pub(crate) const UNSEEN: &str = "leave out control characters and others that are not seen";

/// A field that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's name in the API.
    pub field: &'static str,
    /// What is wrong and how to mend it.
    pub remedy: String,
}

/// The longest merchant name, in characters.
pub const MAX_MERCHANT: usize = 200;
/// The longest note, in characters.
pub const MAX_NOTE: usize = 2000;
/// The longest cost centre or project, in characters.
pub const MAX_CODE: usize = 64;
/// The largest amount, in minor units: far above any receipt and far below what sums could overflow.
pub const MAX_MINOR_UNITS: i64 = 1_000_000_000_000;

/// The first and the last date that a receipt may have: what lies outside is a slip of the keyboard.
pub const DATES: (Date, Date) = (date(1900, 1, 1), date(2199, 12, 31));

/// Everything that is wrong with `details`, whether or not they are complete.
pub fn problems(details: &ExpenseDetails) -> Vec<FieldProblem> {
    let mut found = Vec::new();
    let mut text = |field, value: &Option<String>, longest: usize| {
        if let Some(value) = value {
            if value.trim().is_empty() {
                found.push(FieldProblem { field, remedy: "give some text or leave the field out".to_owned() });
            } else if value.chars().count() > longest {
                found.push(FieldProblem { field, remedy: format!("give at most {longest} characters") });
            } else if value.chars().any(|c| is_unseen(c) && !(field == "note" && c == '\n')) {
                found.push(FieldProblem { field, remedy: UNSEEN.to_owned() });
            }
        }
    };
    text("merchant", &details.merchant, MAX_MERCHANT);
    text("cost_centre", &details.cost_centre, MAX_CODE);
    text("project", &details.project, MAX_CODE);
    text("note", &details.note, MAX_NOTE);
    if let Some(date) = details.date
        && !(DATES.0..=DATES.1).contains(&date)
    {
        found.push(FieldProblem { field: "date", remedy: format!("give a date from {} to {}", DATES.0, DATES.1) });
    }
    let mut money = |field, value: Option<Money>| {
        if value.is_some_and(|money| money.minor_units.unsigned_abs() > MAX_MINOR_UNITS.unsigned_abs()) {
            found.push(FieldProblem { field, remedy: format!("give at most {MAX_MINOR_UNITS} minor units") });
        }
    };
    money("amount", details.amount);
    money("original_amount", details.original_amount);
    money("tax", details.tax);
    if let Some(amount) = details.amount {
        found.extend(details.tax.and_then(|tax| tax_problem(tax, amount)));
        found.extend(details.original_amount.and_then(|original| original_problem(original, amount)));
    }
    found
}

/// Leaves out what was said with an earlier amount and cannot belong to the new one: the tax, the original amount.
pub fn leave_out_of_old_amount(details: &mut ExpenseDetails, tax: bool, original_amount: bool) {
    let Some(amount) = details.amount else { return };
    if tax {
        details.tax = details.tax.filter(|tax| tax_problem(*tax, amount).is_none());
    }
    if original_amount {
        details.original_amount =
            details.original_amount.filter(|original| original_problem(*original, amount).is_none());
    }
}

/// Whether two amounts are a payment and a refund.
const fn opposed(one: Money, other: Money) -> bool {
    one.minor_units.signum() * other.minor_units.signum() < 0
}

/// A tax is in the amount: of its currency and sign, and no larger.
pub(crate) fn tax_problem(tax: Money, amount: Money) -> Option<FieldProblem> {
    let remedy = if tax.currency != amount.currency {
        format!("give the tax in {}", amount.currency)
    } else if opposed(tax, amount) || tax.minor_units.unsigned_abs() > amount.minor_units.unsigned_abs() {
        format!("give the tax that is in the amount of {amount}, or leave it out")
    } else {
        return None;
    };
    Some(FieldProblem { field: "tax", remedy })
}

/// An original amount is what the amount was in another currency, a payment or a refund as it is.
fn original_problem(original: Money, amount: Money) -> Option<FieldProblem> {
    let remedy = if original.currency == amount.currency {
        format!("give it in the receipt's currency, or leave it out if that is {}", amount.currency)
    } else if opposed(original, amount) {
        format!("give it the sign of the amount, {amount}")
    } else {
        return None;
    };
    Some(FieldProblem { field: "original_amount", remedy })
}

/// The fields that a submission needs and `details` does not have, by their names in the API.
pub fn missing(details: &ExpenseDetails) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let mut need = |field, there: bool| {
        if !there {
            missing.push(field);
        }
    };
    need("merchant", details.merchant.is_some());
    need("date", details.date.is_some());
    need("amount", details.amount.is_some());
    need("category", details.category.is_some());
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_draft_is_valid_but_lacks_everything() {
        let details = ExpenseDetails::default();
        assert_eq!(problems(&details), []);
        assert_eq!(missing(&details), ["merchant", "date", "amount", "category"]);
    }

    #[test]
    fn amounts_agree_with_each_other() {
        let money = |minor_units, code: &str| Some(Money::new(minor_units, code.parse().unwrap()));
        let fields = |amount, tax, original_amount| {
            let details = ExpenseDetails { amount, tax, original_amount, ..ExpenseDetails::default() };
            problems(&details).iter().map(|problem| problem.field).collect::<Vec<_>>()
        };
        for (amount, tax, original) in [(1000, 1000, 1), (1000, 0, 0), (-1000, -190, -1), (0, 0, 5)] {
            assert!(
                fields(money(amount, "EUR"), money(tax, "EUR"), money(original, "USD")).is_empty(),
                "{amount} {tax}"
            );
        }
        for (amount, tax) in [(1000, 1001), (1000, -1), (-1000, 190), (0, 1)] {
            assert_eq!(fields(money(amount, "EUR"), money(tax, "EUR"), None), ["tax"], "{amount} {tax}");
        }
        assert_eq!(fields(money(1000, "EUR"), None, money(1000, "EUR")), ["original_amount"], "nothing else");
        assert_eq!(fields(money(1000, "EUR"), None, money(-1100, "USD")), ["original_amount"], "a refund of a payment");
        assert!(fields(None, money(190, "EUR"), money(-1100, "USD")).is_empty(), "nothing to hold them against");
    }

    #[test]
    fn each_limit_names_its_field() {
        let eur = "EUR".parse().unwrap();
        let details = ExpenseDetails {
            merchant: Some("x".repeat(MAX_MERCHANT + 1)),
            project: Some("  ".to_owned()),
            cost_centre: Some("a\u{0}b".to_owned()),
            note: Some("two\nlines".to_owned()),
            date: Some(date(1826, 3, 12)),
            amount: Some(Money::new(MAX_MINOR_UNITS + 1, eur)),
            tax: Some(Money::new(1, "USD".parse().unwrap())),
            ..ExpenseDetails::default()
        };
        let fields: Vec<_> = problems(&details).iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["merchant", "cost_centre", "project", "date", "amount", "tax"]);
    }
}
