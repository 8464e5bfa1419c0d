//! What may happen to a report: expenses that are submitted together.
//!
//! A report has no life cycle of its own. Where it stands follows from where its expenses stand.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use slipstream_events::{Currency, ExpenseChange, ExpenseId, ExpenseState, ExpenseStatus, Money, PolicyFinding};

use crate::{
    details::{FieldProblem, UNSEEN},
    expense::{Command, Rejection, decide, owed},
    text::is_unseen,
};

/// The most expenses in a report. A submission of all of them is one transaction: two writes an expense (its state and
/// its event) and what the report itself needs must stay within the hundred actions that DynamoDB takes.
pub const MAX_EXPENSES: usize = 40;
/// The longest title, in characters.
pub const MAX_TITLE: usize = 120;

/// Where a report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportStatus {
    /// Nothing of it waits for a decision or has one: it is being put together, or all of it came back.
    Open,
    /// Some of it waits for a decision, and nothing has one.
    Submitted,
    /// Some of it is decided, and some is not.
    PartlyDecided,
    /// All of it is decided.
    Decided,
}

impl fmt::Display for ReportStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Submitted => "submitted",
            Self::PartlyDecided => "partly_decided",
            Self::Decided => "decided",
        })
    }
}

/// Where a report of expenses with these statuses stands. Deleted ones do not count.
pub fn status(expenses: impl IntoIterator<Item = ExpenseStatus>) -> ReportStatus {
    let (mut editable, mut waiting, mut decided) = (0, 0, 0);
    for status in expenses {
        match status {
            ExpenseStatus::Draft | ExpenseStatus::ChangesRequested => editable += 1,
            ExpenseStatus::Submitted => waiting += 1,
            ExpenseStatus::Approved | ExpenseStatus::Rejected | ExpenseStatus::Reimbursed => decided += 1,
            ExpenseStatus::Deleted => {}
        }
    }
    match (editable, waiting, decided) {
        (_, 0, 0) => ReportStatus::Open,
        (_, _, 0) => ReportStatus::Submitted,
        (0, 0, _) => ReportStatus::Decided,
        _ => ReportStatus::PartlyDecided,
    }
}

/// What a report's expenses of one currency come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Total {
    /// The currency.
    pub currency: Currency,
    /// All that is claimed.
    pub amount: Money,
    /// What the company owes its owner of it: what they paid themselves, but for what was rejected.
    pub owed: Money,
}

/// Sums by currency, in the order of the codes; currencies are never mixed. An expense without an amount adds nothing.
pub fn totals<'a>(expenses: impl IntoIterator<Item = &'a ExpenseState>) -> Vec<Total> {
    let mut sums: BTreeMap<&'static str, Total> = BTreeMap::new();
    for expense in expenses.into_iter().filter(|expense| expense.status != ExpenseStatus::Deleted) {
        let Some(amount) = expense.details.amount else { continue };
        let currency = amount.currency;
        let zero = Money::new(0, currency);
        let total = sums.entry(currency.code()).or_insert(Total { currency, amount: zero, owed: zero });
        // An amount has at most 10^12 minor units (`details::MAX_MINOR_UNITS`): no sum of ours comes near the limit.
        total.amount.minor_units = total.amount.minor_units.saturating_add(amount.minor_units);
        let owed = owed(expense).map_or(0, |owed| owed.minor_units);
        total.owed.minor_units = total.owed.minor_units.saturating_add(owed);
    }
    sums.into_values().collect()
}

/// What is wrong with a title, if anything.
pub fn title_problem(title: &str) -> Option<FieldProblem> {
    let remedy = if title.trim().is_empty() {
        "give some text".to_owned()
    } else if title.chars().count() > MAX_TITLE {
        format!("give at most {MAX_TITLE} characters")
    } else if title.chars().any(is_unseen) {
        UNSEEN.to_owned()
    } else {
        return None;
    };
    Some(FieldProblem { field: "title", remedy })
}

/// Why an expense keeps its report from being submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Which expense.
    pub expense: ExpenseId,
    /// The field of it, by its name in the API.
    pub field: String,
    /// How to mend it.
    pub remedy: String,
    /// Whether it is the policy that forbids it.
    pub by_policy: bool,
}

/// Why a report cannot be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSubmitted {
    /// None of its expenses is a draft or was sent back.
    Nothing,
    /// Some of them are not fit for it: everything that is wrong with each.
    Blocked(Vec<Blocker>),
    /// One of them does not allow it for another reason.
    Rejected(ExpenseId, Rejection),
}

/// What a submission of the report comes to, all or none: `wanted` holds each expense that its owner still writes, with
/// the command that submits it.
///
/// # Errors
/// [`NotSubmitted`].
pub fn submission<'a>(
    wanted: impl IntoIterator<Item = (&'a ExpenseState, Command)>,
) -> Result<Vec<(&'a ExpenseState, ExpenseChange)>, NotSubmitted> {
    let mut changes = Vec::new();
    let mut blockers = Vec::new();
    for (expense, command) in wanted {
        let blocker = |field: &str, remedy: String| {
            let field = field.to_owned();
            Blocker { expense: expense.id, field, remedy, by_policy: false }
        };
        match decide(Some(expense), command) {
            Ok(change) => changes.push((expense, change)),
            Err(Rejection::Missing(fields)) => {
                blockers.extend(fields.into_iter().map(|field| blocker(field, "give a value".to_owned())));
            }
            Err(Rejection::Invalid(problems)) => {
                blockers.extend(problems.into_iter().map(|problem| blocker(problem.field, problem.remedy)));
            }
            Err(Rejection::Blocked(findings)) => {
                let blocked =
                    |finding: PolicyFinding| Blocker { by_policy: true, ..blocker(&finding.field, finding.message) };
                blockers.extend(findings.into_iter().map(blocked));
            }
            Err(rejection) => return Err(NotSubmitted::Rejected(expense.id, rejection)),
        }
    }
    match (blockers.is_empty(), changes.is_empty()) {
        (false, _) => Err(NotSubmitted::Blocked(blockers)),
        (true, true) => Err(NotSubmitted::Nothing),
        (true, false) => Ok(changes),
    }
}

/// Whether a report with these expenses may be deleted: nothing of it waits for a decision or has one.
pub fn may_be_deleted(expenses: impl IntoIterator<Item = ExpenseStatus>) -> bool {
    status(expenses) == ReportStatus::Open
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use slipstream_events::{ExpenseDetails, PaidBy, PersonId};

    use super::*;
    use crate::expense::is_editable;

    fn owner() -> PersonId {
        "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap()
    }

    fn expense(status: ExpenseStatus, minor_units: i64, currency: &str, paid_by: PaidBy) -> ExpenseState {
        ExpenseState {
            id: ExpenseId::derived_from(&[currency, &minor_units.to_string()]),
            version: 1,
            owner: owner(),
            status,
            details: ExpenseDetails {
                amount: Some(Money::new(minor_units, currency.parse().unwrap())),
                paid_by,
                ..ExpenseDetails::default()
            },
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            findings: Vec::new(),
            converted: None,
            distinct_from: Vec::new(),
            split: None,
            submission: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_report_stands_where_its_expenses_stand() {
        use ExpenseStatus as S;
        for (expenses, expected) in [
            (&[][..], ReportStatus::Open),
            (&[S::Draft, S::ChangesRequested], ReportStatus::Open),
            (&[S::Submitted, S::Submitted], ReportStatus::Submitted),
            (&[S::Submitted, S::Draft], ReportStatus::Submitted),
            (&[S::Submitted, S::Approved], ReportStatus::PartlyDecided),
            (&[S::ChangesRequested, S::Approved], ReportStatus::PartlyDecided),
            (&[S::Rejected, S::Approved, S::Reimbursed], ReportStatus::Decided),
            (&[S::Approved, S::Deleted], ReportStatus::Decided),
        ] {
            assert_eq!(status(expenses.iter().copied()), expected, "{expenses:?}");
            assert_eq!(may_be_deleted(expenses.iter().copied()), expected == ReportStatus::Open);
        }
    }

    #[test]
    fn currencies_are_kept_apart_and_cards_and_rejections_are_not_owed() {
        use PaidBy::{CompanyCard, OutOfPocket};
        let expenses = [
            expense(ExpenseStatus::Submitted, 1000, "EUR", OutOfPocket),
            expense(ExpenseStatus::Submitted, 500, "EUR", CompanyCard),
            expense(ExpenseStatus::Rejected, 70, "EUR", OutOfPocket),
            expense(ExpenseStatus::Draft, -200, "EUR", OutOfPocket),
            expense(ExpenseStatus::Approved, 900, "CHF", OutOfPocket),
            expense(ExpenseStatus::Deleted, 12, "CHF", OutOfPocket),
        ];
        let sums: Vec<_> = totals(&expenses)
            .into_iter()
            .map(|total| (total.currency.to_string(), total.amount.minor_units, total.owed.minor_units))
            .collect();
        assert_eq!(sums, [("CHF".to_owned(), 900, 900), ("EUR".to_owned(), 1370, 800)]);
    }

    fn submit(_: &ExpenseState) -> Command {
        Command::Submit { policy_version: 0, findings: Vec::new(), converted: None }
    }

    fn wanted(expenses: &[ExpenseState]) -> Vec<(&ExpenseState, Command)> {
        expenses
            .iter()
            .filter(|expense| is_editable(expense.status))
            .map(|expense| (expense, submit(expense)))
            .collect()
    }

    fn complete(status: ExpenseStatus) -> ExpenseState {
        let mut expense = expense(status, 1, "EUR", PaidBy::OutOfPocket);
        expense.details.merchant = Some("Café".to_owned());
        expense.details.date = Some(jiff::civil::date(2026, 3, 12));
        expense.details.category = Some(slipstream_events::Category::Meals);
        expense
    }

    #[test]
    fn every_draft_says_what_it_lacks() {
        let lacking = expense(ExpenseStatus::Draft, 2, "EUR", PaidBy::OutOfPocket);
        let expenses = [complete(ExpenseStatus::Draft), complete(ExpenseStatus::Submitted), lacking.clone()];
        let Err(NotSubmitted::Blocked(found)) = submission(wanted(&expenses)) else { panic!("it lacks something") };
        let found: Vec<_> = found.into_iter().map(|blocker| (blocker.expense, blocker.field)).collect();
        assert_eq!(found, ["merchant", "date", "category"].map(|field| (lacking.id, field.to_owned())));
    }

    #[test]
    fn what_its_owner_still_writes_is_submitted_and_nothing_else() {
        use ExpenseStatus as S;
        let expenses = [S::Draft, S::Submitted, S::ChangesRequested, S::Approved, S::Rejected].map(complete);
        let changes = submission(wanted(&expenses)).unwrap();
        let statuses: Vec<_> = changes.iter().map(|(expense, _)| expense.status).collect();
        assert_eq!(statuses, [S::Draft, S::ChangesRequested]);
        assert_eq!(submission(wanted(&[complete(S::Approved)])), Err(NotSubmitted::Nothing));
    }

    #[test]
    fn a_title_is_one_line_of_text() {
        assert_eq!(title_problem("Vienna, March"), None);
        for title in ["", "  ", "a\nb", "a\u{0}b", &"x".repeat(MAX_TITLE + 1)] {
            assert_eq!(title_problem(title).unwrap().field, "title", "{title:?}");
        }
    }

    proptest! {
        /// Whatever a report holds: what is owed is part of what is claimed, expense by expense and currency by currency.
        #[test]
        fn what_is_owed_is_the_sum_of_what_was_paid_out_of_pocket(parts in prop::collection::vec((0i64..1_000_000_000_000, prop::sample::select(vec!["EUR", "JPY", "KWD"]), any::<bool>()), 0..MAX_EXPENSES)) {
            let expenses: Vec<_> = parts
                .iter()
                .map(|(units, currency, card)| {
                    let paid_by = if *card { PaidBy::CompanyCard } else { PaidBy::OutOfPocket };
                    expense(ExpenseStatus::Submitted, *units, currency, paid_by)
                })
                .collect();
            for total in totals(&expenses) {
                let of = |card: bool| parts.iter().filter(|(_, currency, by)| *currency == total.currency.code() && (!card || !by)).map(|(units, ..)| units).sum::<i64>();
                prop_assert_eq!(total.amount.minor_units, of(false));
                prop_assert_eq!(total.owed.minor_units, of(true));
            }
        }
    }
}
