//! Budgets per category, set by finance, and how much of them is used.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    act::act,
    http::{Request, Response, etag},
    problem::{FieldError, Problem},
    store::{Store, add_budget},
    sums,
    table::{Table, Transaction},
};
use slipstream_domain::details::MAX_MINOR_UNITS;
use slipstream_events::{BudgetLimit, BudgetPeriod, BudgetState, Category, Currency, Money, PersonId};

/// A budget, as finance sees it.
#[derive(Debug, Serialize)]
struct View {
    category: Category,
    version: u64,
    amount: Money,
    period: BudgetPeriod,
    since: Date,
    /// The period that today falls in.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Current>,
}

/// How much of a budget is used now.
#[derive(Debug, Serialize)]
struct Current {
    period: String,
    used: Money,
    /// Whole percent, rounded down.
    percent: i64,
    /// What was spent in other currencies without a known rate: it is in no budget.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_converted: Vec<Money>,
}

/// What was used in a period, in one currency.
#[derive(Debug, Deserialize)]
struct Used {
    #[serde(rename = "SK")]
    sort: String,
    #[serde(rename = "used_minor_units")]
    minor_units: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBudget {
    amount: Money,
    period: BudgetPeriod,
}

/// Every budget, with what is used of it in the period that today (UTC) falls in. One query for the budgets, and one for
/// each of the at most nine for its sums.
pub async fn list(store: &Store, projections: &Table) -> Result<Response, Problem> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let mut budgets = Vec::new();
    for budget in store.budgets().await? {
        let Some(limit) = budget.limit else { continue };
        let period = limit.period.of(today);
        let sums: Vec<Used> =
            projections.partition(&sums::used(budget.category, limit.period), &format!("{period}#")).await?;
        let mut view = View::of(&budget, limit);
        view.current = Some(current(limit, period, &sums));
        budgets.push(view);
    }
    Ok(Response::json(200, &serde_json::json!({ "budgets": budgets })))
}

impl View {
    const fn of(budget: &BudgetState, limit: BudgetLimit) -> Self {
        Self {
            category: budget.category,
            version: budget.version,
            amount: limit.amount,
            period: limit.period,
            since: budget.since,
            current: None,
        }
    }
}

fn current(limit: BudgetLimit, period: String, sums: &[Used]) -> Current {
    let money = |sum: &Used| {
        let currency: Currency = sum.sort.rsplit('#').next()?.parse().ok()?;
        Some(Money::new(sum.minor_units, currency))
    };
    let (own, others): (Vec<Money>, Vec<Money>) =
        sums.iter().filter_map(money).partition(|sum| sum.currency == limit.amount.currency);
    let used = own.first().copied().unwrap_or(Money::new(0, limit.amount.currency));
    let percent = (i128::from(used.minor_units) * 100).div_euclid(i128::from(limit.amount.minor_units).max(1));
    Current {
        period,
        used,
        percent: i64::try_from(percent).unwrap_or(i64::MAX),
        not_converted: others.into_iter().filter(|sum| sum.minor_units != 0).collect(),
    }
}

fn category(request: &Request) -> Result<Category, Problem> {
    let name = request.path_parameters.get("category");
    let known = Category::ALL.into_iter().find(|category| Some(&category.to_string()) == name);
    known.ok_or_else(|| Problem::not_found("category"))
}

/// Sets a category's budget. One that is set so already stays as it is.
pub async fn write(
    store: &Store,
    company_currency: Currency,
    finance: PersonId,
    request: &Request,
) -> Result<Response, Problem> {
    let category = category(request)?;
    let wanted: NewBudget = request.json()?;
    let mut faults = Vec::new();
    if !(1..=MAX_MINOR_UNITS).contains(&wanted.amount.minor_units) {
        let remedy = format!("give 1 to {MAX_MINOR_UNITS} minor units, or delete the budget");
        faults.push(FieldError { field: "amount.minor_units".to_owned(), remedy });
    }
    if wanted.amount.currency != company_currency {
        let remedy = format!("give the budget in the company's currency, {company_currency}");
        faults.push(FieldError { field: "amount.currency".to_owned(), remedy });
    }
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults));
    }
    let limit = BudgetLimit { amount: wanted.amount, period: wanted.period };
    act(store, request, finance, async |transaction: &mut Transaction| {
        let before = store.budget(category).await?;
        request.if_match(before.as_ref().map_or(0, |before| before.version))?;
        let after = match before {
            Some(before) if before.limit == Some(limit) => before,
            before => add_budget(transaction, before.as_ref(), category, Some(limit), &request.cause(finance))?,
        };
        Ok(Response::json(200, &View::of(&after, limit)).header("etag", etag(after.version)))
    })
    .await
}

/// Takes a category's budget away. What was told of it stays told.
pub async fn delete(store: &Store, finance: PersonId, request: &Request) -> Result<Response, Problem> {
    let category = category(request)?;
    act(store, request, finance, async |transaction: &mut Transaction| {
        let before = store.budget(category).await?.filter(|budget| budget.limit.is_some());
        let before = before.ok_or_else(|| Problem::not_found("budget"))?;
        request.if_match(before.version)?;
        add_budget(transaction, Some(&before), category, None, &request.cause(finance))?;
        Ok(Response::new(204, "application/json", ""))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_told_in_the_budgets_currency_and_the_rest_apart() {
        let limit = BudgetLimit { amount: Money::new(1000, Currency::EUR), period: BudgetPeriod::Month };
        let used = |sort: &str, minor_units| Used { sort: sort.to_owned(), minor_units };
        let now = |sums: &[Used]| current(limit, "2026-03".to_owned(), sums);
        let told = now(&[used("2026-03#CHF", 500), used("2026-03#EUR", 809), used("2026-03#USD", 0)]);
        assert_eq!((told.used.minor_units, told.percent), (809, 80));
        assert_eq!(told.not_converted, [Money::new(500, "CHF".parse().unwrap())]);
        assert_eq!((now(&[]).used, now(&[]).percent), (Money::new(0, Currency::EUR), 0));
        assert_eq!(now(&[used("2026-03#EUR", -1)]).percent, -1);
    }
}
