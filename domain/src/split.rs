//! Splitting one receipt into several expenses: two cost centres, a personal part.

use slipstream_events::{Category, Drafted, ExpenseDetails, ExpenseId, ExpenseState, Money, PaidBy, Split, SplitUp};

use crate::{details::FieldProblem, expense::Rejection};

/// The most parts of one receipt.
pub const MAX_PARTS: usize = 20;

/// One part: its amount, and what is said of it otherwise than of the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How much of the whole.
    pub amount: Money,
    /// What it was for.
    pub category: Option<Category>,
    /// The cost centre that bears it.
    pub cost_centre: Option<String>,
    /// The project it belongs to.
    pub project: Option<String>,
    /// What the approver should know.
    pub note: Option<String>,
    /// Whose money was spent.
    pub paid_by: Option<PaidBy>,
}

/// What a split comes to: a change of the whole, which becomes the first part, and a draft for each other part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What happens to the expense that is split.
    pub first: SplitUp,
    /// The other parts.
    pub others: Vec<Drafted>,
}

/// Splits `state` into `parts`, of which `personal` is not claimed. The ids of the other parts follow from the
/// expense and its version, so that a repetition names the same.
///
/// # Errors
/// [`Rejection::Invalid`] unless the parts and the personal part are in one currency, none of them is zero or of the
/// other sign, and they add up to the whole.
pub fn plan(state: &ExpenseState, parts: Vec<Part>, personal: Option<Money>) -> Result<Plan, Rejection> {
    let problem = |field, remedy: String| Err(Rejection::Invalid(vec![FieldProblem { field, remedy }]));
    let Some(total) = state.details.amount else {
        return Err(Rejection::Missing(vec!["amount"]));
    };
    if parts.len() + usize::from(personal.is_some()) < 2 || parts.is_empty() || parts.len() > MAX_PARTS {
        return problem("parts", format!("give two to {MAX_PARTS} parts, or one and a personal part"));
    }
    let shares: Vec<Money> = parts.iter().map(|part| part.amount).chain(personal).collect();
    if shares.iter().any(|share| share.currency != total.currency) {
        return problem("parts", format!("give every part in {}", total.currency));
    }
    if shares.iter().any(|share| share.minor_units.signum() != total.minor_units.signum()) {
        return problem("parts", "give every part an amount with the sign of the whole, and none of zero".to_owned());
    }
    let sum: i128 = shares.iter().map(|share| i128::from(share.minor_units)).sum();
    let difference = i128::from(total.minor_units) - sum;
    if difference != 0 {
        let shown = i64::try_from(difference)
            .map_or_else(|_| difference.to_string(), |minor_units| Money::new(minor_units, total.currency).to_string());
        return problem("parts", format!("the parts must add up to {total}: {shown} is missing"));
    }
    let id = |number: usize| match number {
        0 => state.id,
        _ => {
            ExpenseId::derived_from(&["split", &state.id.to_string(), &state.version.to_string(), &number.to_string()])
        }
    };
    let ExpenseDetails { original_amount, tax, .. } = state.details;
    let split =
        Split { of: state.id, parts: (0..parts.len()).map(id).collect(), total, original_amount, tax, personal };
    let details = |part: Part| ExpenseDetails {
        amount: Some(part.amount),
        // What the receipt says of the whole cannot be said of a part; the split keeps it.
        original_amount: None,
        tax: None,
        category: part.category.or(state.details.category),
        cost_centre: part.cost_centre.or_else(|| state.details.cost_centre.clone()),
        project: part.project.or_else(|| state.details.project.clone()),
        note: part.note.or_else(|| state.details.note.clone()),
        paid_by: part.paid_by.unwrap_or(state.details.paid_by),
        ..state.details.clone()
    };
    let mut detailed = parts.into_iter().map(details);
    let first = detailed.next().unwrap_or_default();
    let others = detailed.enumerate().map(|(at, details)| Drafted {
        id: id(at + 1),
        owner: state.owner,
        details,
        receipt: state.receipt,
        receipt_sha256: state.receipt_sha256.clone(),
        review: Vec::new(),
        split: Some(split.clone()),
    });
    let others = others.collect();
    Ok(Plan { first: SplitUp { before: state.details.clone(), after: first, split }, others })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use slipstream_events::{Currency, ExpenseStatus};

    use super::*;
    use crate::expense::{Command, apply, decide};

    fn whole(minor_units: i64) -> ExpenseState {
        ExpenseState {
            id: ExpenseId::derived_from(&["whole"]),
            version: 3,
            owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            status: ExpenseStatus::Draft,
            details: ExpenseDetails {
                amount: Some(Money::new(minor_units, Currency::EUR)),
                tax: Some(Money::new(1, Currency::EUR)),
                cost_centre: Some("4711".to_owned()),
                ..ExpenseDetails::default()
            },
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            distinct_from: Vec::new(),
            split: None,
            findings: Vec::new(),
            converted: None,
            submission: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn part(minor_units: i64) -> Part {
        let amount = Money::new(minor_units, Currency::EUR);
        Part { amount, category: None, cost_centre: None, project: None, note: None, paid_by: None }
    }

    #[test]
    fn parts_add_up_and_say_what_they_say_otherwise() {
        let other = Part { cost_centre: Some("0815".to_owned()), ..part(700) };
        let plan = plan(&whole(1000), vec![part(200), other], Some(Money::new(100, Currency::EUR))).unwrap();
        assert_eq!(plan.first.after.cost_centre.as_deref(), Some("4711"));
        assert_eq!(plan.others[0].details.cost_centre.as_deref(), Some("0815"));
        assert_eq!(plan.others[0].details.tax, None);
        assert_eq!(plan.first.split.parts, [whole(1000).id, plan.others[0].id]);
        assert_eq!(plan.others[0].split.as_ref(), Some(&plan.first.split));
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        let remedy = |parts, personal| match plan(&whole(1000), parts, personal) {
            Err(Rejection::Invalid(problems)) => problems[0].remedy.clone(),
            other => panic!("{other:?}"),
        };
        assert!(remedy(vec![part(200), part(700)], None).contains("1.00 EUR is missing"));
        assert!(remedy(vec![part(1000)], None).contains("two to"));
        assert!(remedy(vec![part(1100), part(-100)], None).contains("sign"));
        assert!(remedy(vec![part(900)], Some(Money::new(100, "USD".parse().unwrap()))).contains("EUR"));
        assert!(remedy(vec![part(50); 21], None).contains("two to"));
    }

    #[test]
    fn what_is_put_together_is_what_was_split() {
        let mut state = whole(1000);
        state.details.original_amount = Some(Money::new(1100, "USD".parse().unwrap()));
        let plan = plan(&state, vec![part(200), part(800)], None).unwrap();
        let change = decide(Some(&state), Command::SplitUp(Box::new(plan.first))).unwrap();
        let first = apply(Some(&state), &change, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((first.details.original_amount, first.details.tax), (None, None));
        let change = decide(Some(&first), Command::UndoSplit).unwrap();
        let whole = apply(Some(&first), &change, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((whole.details, whole.split), (state.details, None));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_a_split(cuts in prop::collection::vec(1i64..100_000, 2..20), negative in any::<bool>()) {
            let sign = if negative { -1 } else { 1 };
            let total = sign * cuts.iter().sum::<i64>();
            let plan = plan(&whole(total), cuts.iter().map(|cut| part(sign * cut)).collect(), None).unwrap();
            let parts = plan.others.iter().map(|other| &other.details).chain([&plan.first.after]);
            prop_assert_eq!(parts.map(|details| details.amount.unwrap().minor_units).sum::<i64>(), total);
        }
    }
}
