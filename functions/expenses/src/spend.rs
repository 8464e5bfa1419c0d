//! What was spent, by month, category and currency: from the projections, which follow the events within moments.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde::Serialize;
use serde_json::{Map, Value};
use slipstream_common::{
    http::{Request, Response},
    keys::SK,
    problem::{FieldError, Problem},
    records::PersonRecord,
    store::Store,
    sums::{self, Bucket, Whose},
    table::Table,
};
use slipstream_events::{Money, PaidBy, PersonId, Role};

/// The most months that one answer covers.
const MAX_MONTHS: i32 = 24;

/// A month's sums.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Month {
    month: String,
    sums: Vec<Sum>,
}

/// The sums of a category in a currency.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Sum {
    category: String,
    currency: String,
    submitted: Part,
    approved: Part,
    reimbursed: Part,
}

/// What is as far as that.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Part {
    /// How many expenses.
    count: i64,
    /// What they come to.
    amount: Money,
    /// How much of it was paid out of pocket: it is or was owed to the employees.
    owed: Money,
}

/// What was spent: by the caller, by a person they manage, or, for finance, by anyone or by all. One query of a range of
/// keys.
pub async fn read(
    store: &Store,
    projections: &Table,
    caller: &PersonRecord,
    request: &Request,
) -> Result<Response, Problem> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let (from, until) = months(request, today)?;
    let whose = whose(store, caller, request).await?;
    // `~` sorts after everything within the month.
    let until = format!("{}#~", sums::month(until));
    let rows: Vec<Map<String, Value>> =
        projections.range(&sums::spend(whose), &sums::month(from), &until, None).await?;
    Ok(Response::json(200, &serde_json::json!({ "months": by_month(&rows) })))
}

/// The first days of the first and the last month that are asked for; this month and the eleven before it if the request
/// does not say.
fn months(request: &Request, today: Date) -> Result<(Date, Date), Problem> {
    let mut faults = Vec::new();
    let mut month = |name: &str| {
        let text = request.query_string_parameters.get(name)?;
        let parsed = format!("{text}-01").parse().ok().filter(|date: &Date| text.len() == 7 && date.year() >= 0);
        if parsed.is_none() {
            let remedy = "give a month such as 2026-03".to_owned();
            faults.push(FieldError { field: name.to_owned(), remedy });
        }
        parsed
    };
    let (from, until) = (month("from"), month("until"));
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults));
    }
    let until = until.unwrap_or_else(|| today.first_of_month());
    let from = from.unwrap_or_else(|| until.saturating_sub(11.months()));
    if from > until {
        return Err(Problem::invalid("from", "give a month that is not after `until`"));
    }
    let count = i32::from(until.year() - from.year()) * 12 + i32::from(until.month() - from.month()) + 1;
    if count > MAX_MONTHS {
        return Err(Problem::invalid("from", format!("ask for at most {MAX_MONTHS} months at a time")));
    }
    Ok((from, until))
}

/// Whose sums are asked for, if the caller may see them.
async fn whose(store: &Store, caller: &PersonRecord, request: &Request) -> Result<Whose, Problem> {
    let query = &request.query_string_parameters;
    let finance = caller.state.roles.contains(&Role::Finance);
    let person = query.get("person");
    match query.get("scope").map(String::as_str) {
        None => {}
        Some("company") if person.is_some() => {
            return Err(Problem::invalid("scope", "name a person or the company, not both"));
        }
        Some("company") if finance => return Ok(Whose::Company),
        Some("company") => {
            return Err(Problem::forbidden("role", "Only finance may see what the company spends."));
        }
        Some(_) => return Err(Problem::invalid("scope", "give company, or leave it out")),
    }
    let Some(person) = person else { return Ok(Whose::Person(caller.state.id)) };
    let id: PersonId = person.parse().map_err(|_| Problem::invalid("person", "give the id of a person"))?;
    if id == caller.state.id {
        return Ok(Whose::Person(id));
    }
    let known = store.person(id).await?;
    let may_see = |person: &PersonRecord| finance || person.state.manager == Some(caller.state.id);
    known.filter(may_see).map(|_| Whose::Person(id)).ok_or_else(|| Problem::not_found("person"))
}

/// The sums month by month, in the order of their keys. A sum that came to nothing again is left out.
fn by_month(rows: &[Map<String, Value>]) -> Vec<Month> {
    let mut months: Vec<Month> = Vec::new();
    for row in rows {
        let sort = row.get(SK).and_then(Value::as_str).unwrap_or_default();
        let mut parts = sort.split('#');
        let (Some(month), Some(category), Some(code)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Ok(currency) = code.parse() else { continue };
        let number = |bucket, paid_by, what: &str| {
            let name = format!("{}_{what}", sums::attribute(bucket, paid_by));
            row.get(&name).and_then(Value::as_i64).unwrap_or(0)
        };
        let part = |bucket| {
            let both = |what| {
                number(bucket, PaidBy::OutOfPocket, what).saturating_add(number(bucket, PaidBy::CompanyCard, what))
            };
            Part {
                count: both("count"),
                amount: Money::new(both("minor_units"), currency),
                owed: Money::new(number(bucket, PaidBy::OutOfPocket, "minor_units"), currency),
            }
        };
        let sum = Sum {
            category: category.to_owned(),
            currency: code.to_owned(),
            submitted: part(Bucket::Submitted),
            approved: part(Bucket::Approved),
            reimbursed: part(Bucket::Reimbursed),
        };
        if sum.submitted.count + sum.approved.count + sum.reimbursed.count == 0 {
            continue;
        }
        match months.last_mut().filter(|last| last.month == month) {
            Some(last) => last.sums.push(sum),
            None => months.push(Month { month: month.to_owned(), sums: vec![sum] }),
        }
    }
    months
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    fn request(query: &Value) -> Request {
        serde_json::from_value(json!({
            "httpMethod": "GET", "resource": "/spend", "requestContext": {}, "queryStringParameters": query,
        }))
        .unwrap()
    }

    #[test]
    fn only_what_was_paid_out_of_pocket_is_owed() {
        let row = |sort: &str, sums: Value| {
            let mut row = sums.as_object().unwrap().clone();
            row.insert(SK.to_owned(), json!(sort));
            row
        };
        let months = by_month(&[
            row(
                "2026-02#meals#EUR",
                json!({"submitted_out_of_pocket_count": 0, "submitted_out_of_pocket_minor_units": 0}),
            ),
            row(
                "2026-03#meals#EUR",
                json!({
                    "approved_out_of_pocket_minor_units": 1000, "approved_out_of_pocket_count": 1,
                    "approved_company_card_minor_units": 500, "approved_company_card_count": 2,
                }),
            ),
            row(
                "2026-03#meals#JPY",
                json!({"reimbursed_out_of_pocket_minor_units": -300, "reimbursed_out_of_pocket_count": 1}),
            ),
        ]);
        assert_eq!(months.len(), 1, "a month with nothing in it is left out: {months:?}");
        let [euros, yen] = months[0].sums.as_slice() else { panic!("{months:?}") };
        let money = |minor_units, code: &str| Money::new(minor_units, code.parse().unwrap());
        assert_eq!(euros.approved, Part { count: 3, amount: money(1500, "EUR"), owed: money(1000, "EUR") });
        assert_eq!(yen.reimbursed, Part { count: 1, amount: money(-300, "JPY"), owed: money(-300, "JPY") });
        assert_eq!(yen.submitted, Part { count: 0, amount: money(0, "JPY"), owed: money(0, "JPY") });
    }

    #[test]
    fn months_are_at_most_two_years_in_order() {
        let today = date(2026, 3, 31);
        let asked = |query: Value| months(&request(&query), today);
        assert_eq!(asked(json!(null)).unwrap(), (date(2025, 4, 1), date(2026, 3, 1)));
        assert_eq!(asked(json!({"until": "2026-01"})).unwrap(), (date(2025, 2, 1), date(2026, 1, 1)));
        assert_eq!(asked(json!({"from": "2024-04"})).unwrap(), (date(2024, 4, 1), date(2026, 3, 1)));
        for query in [
            json!({"from": "2024-03"}),
            json!({"from": "2026-04"}),
            json!({"from": "2026-3"}),
            json!({"from": "2026-13"}),
            json!({"until": "March"}),
        ] {
            assert_eq!(asked(query.clone()).unwrap_err().status, 422, "{query}");
        }
    }
}
