//! Lists of expenses: one's own, and finance's.
//!
//! Status and dates are keys of an index; what else a list may be narrowed by is a filter within the read budget of a
//! page (`slipstream_common::page`, `filters`).

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use slipstream_common::{
    filters::{Filters, Query},
    http::{Request, Response},
    keys::{self, Index},
    page::{self, Budget, Listing},
    problem::Problem,
    store::Store,
    table::IndexQuery,
};
use slipstream_events::{ExpenseState, ExpenseStatus, PersonId};

use crate::view::View;

/// The index pages that a page of one's own expenses may read.
const OWN_BUDGET: usize = 3;
/// The index pages that a page of finance's list may read; it goes through a partition a month.
const FINANCE_BUDGET: usize = 6;
/// The most months that finance's list goes over.
const MAX_MONTHS: i32 = 24;

async fn listed(store: &Store, request: &Request, listing: Listing, filters: &Filters) -> Result<Response, Problem> {
    let page = listing.page::<ExpenseState>(&store.table, request, |state| filters.keep(state)).await?;
    let expenses: Vec<View> = page.items.into_iter().map(View::from).collect();
    Ok(Response::json(200, &serde_json::json!({ "expenses": expenses, "next_cursor": page.next_cursor })))
}

/// The caller's expenses, the latest date first.
pub async fn own(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let mut query = Query::of(request);
    let status = query.one_of("status", &LISTED);
    let (from, until) = query.dates();
    let filters = query.filters();
    query.finish()?;
    let (index, pk) = match status {
        None => (Index::Owner, keys::expenses_of(owner)),
        Some(status) => (Index::Approver, keys::expenses_of_status(owner, status)),
    };
    let partition = IndexQuery {
        descending: true,
        from: from.map(keys::from_date),
        until: until.map(keys::until_date),
        ..IndexQuery::of(index, pk)
    };
    let listing = Listing {
        filters: asked(from, until, &filters),
        filtered: !filters.is_empty(),
        partitions: vec![partition],
        budget: Budget { queries: OWN_BUDGET },
    };
    listed(store, request, listing, &filters).await
}

/// What was asked for beside the status, as it was asked.
fn asked(from: Option<Date>, until: Option<Date>, filters: &Filters) -> String {
    format!("{from:?} {until:?} {filters:?}")
}

/// Everyone's expenses that stand at a status, the latest date first. Drafts are their owner's affair.
pub async fn everyone(store: &Store, request: &Request) -> Result<Response, Problem> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let (listing, filters) = of_everyone(request, today)?;
    listed(store, request, listing, &filters).await
}

/// The list that finance asks for on a day.
fn of_everyone(request: &Request, today: Date) -> Result<(Listing, Filters), Problem> {
    let mut query = Query::of(request);
    let status = query.one_of("status", &SUBMITTED);
    if status.is_none() && !request.query_string_parameters.contains_key("status") {
        query.fault("status", "name the status to list".to_owned());
    }
    let (from, until) = query.dates();
    let mut filters = query.filters();
    filters.owner = query.parsed("owner", "a person's id");
    let asked = asked(from, until, &filters);
    // A receipt's date may lie some days ahead of the clock.
    let until = until.or_else(|| from.map_or(today, |from| from.max(today)).checked_add(Span::new().months(1)).ok());
    let until = until.unwrap_or(today);
    let of_a_year = || until.first_of_month().checked_sub(Span::new().months(12)).ok();
    // The clock goes on between two pages: the month of the cursor may lie before the year by now.
    let of_cursor = || month_of_cursor(request, status?, until);
    let from = from.or_else(|| of_a_year().into_iter().chain(of_cursor()).min()).unwrap_or(until);
    let months = months(from, until);
    if months.is_none() {
        query.fault("from", format!("go over at most {MAX_MONTHS} months"));
    }
    query.finish()?;
    let (Some(status), Some(months)) = (status, months) else { return Err(Problem::internal()) };
    let partition = |month: &String| IndexQuery {
        descending: true,
        from: Some(keys::from_date(from)),
        until: Some(keys::until_date(until)),
        ..IndexQuery::of(Index::Day, keys::expenses_of_month(month, status))
    };
    let listing = Listing {
        partitions: months.iter().map(partition).collect(),
        filters: asked,
        filtered: !filters.is_empty(),
        budget: Budget { queries: FINANCE_BUDGET },
    };
    Ok((listing, filters))
}

/// The first day of the month in which the request's cursor stands, if it is among those that a list may go over.
fn month_of_cursor(request: &Request, status: ExpenseStatus, until: Date) -> Option<Date> {
    let partition = page::partition_of(request.query_string_parameters.get("cursor")?)?;
    let mut firsts =
        (0..MAX_MONTHS).map_while(|back| until.first_of_month().checked_sub(Span::new().months(back)).ok());
    firsts.find(|first| keys::expenses_of_month(&first.strftime("%Y-%m").to_string(), status) == partition)
}

/// The months that the dates touch, the latest first; `None` when there are too many.
fn months(from: Date, until: Date) -> Option<Vec<String>> {
    let number = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month()) - 1;
    let (first, last) = (number(from), number(until));
    (last - first < MAX_MONTHS).then(|| {
        (first..=last)
            .rev()
            .map(|month| format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1))
            .collect()
    })
}

/// What an owner may list: all but what was deleted.
const LISTED: [ExpenseStatus; 6] = [
    ExpenseStatus::Draft,
    ExpenseStatus::Submitted,
    ExpenseStatus::Approved,
    ExpenseStatus::Rejected,
    ExpenseStatus::ChangesRequested,
    ExpenseStatus::Reimbursed,
];
/// What finance may list.
const SUBMITTED: [ExpenseStatus; 5] = [
    ExpenseStatus::Submitted,
    ExpenseStatus::Approved,
    ExpenseStatus::Rejected,
    ExpenseStatus::ChangesRequested,
    ExpenseStatus::Reimbursed,
];

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    #[test]
    fn months_go_back_from_the_latest() {
        assert_eq!(months(date(2025, 11, 30), date(2026, 1, 1)).unwrap(), ["2026-01", "2025-12", "2025-11"]);
        assert_eq!(months(date(2026, 1, 1), date(2027, 12, 31)).unwrap().len(), 24);
        assert_eq!(months(date(2026, 1, 1), date(2028, 1, 1)), None);
    }

    #[test]
    fn a_cursor_of_finance_outlives_the_day() {
        let request = |cursor: Option<&str>| -> Request {
            let mut query = json!({ "status": "submitted", "category": "meals" });
            if let Some(cursor) = cursor {
                query["cursor"] = cursor.into();
            }
            let event = json!({
                "httpMethod": "GET", "resource": "/finance/expenses", "requestContext": {},
                "queryStringParameters": query,
            });
            serde_json::from_value(event).unwrap()
        };
        let on = |today| of_everyone(&request(None), today).unwrap().0;
        let (today, tomorrow) = (on(date(2026, 11, 29)), on(date(2026, 11, 30)));
        assert_eq!(today.filters, tomorrow.filters, "what was asked for is the same");
        let partitions =
            |listing: &Listing| listing.partitions.iter().map(|month| month.pk.clone()).collect::<Vec<_>>();
        assert_eq!(partitions(&today), partitions(&tomorrow));
        assert_ne!(today.partitions[0].until, tomorrow.partitions[0].until);

        // In the last month of the year that the list goes back, which the next day's leaves behind.
        let oldest = tomorrow.partitions.last().unwrap();
        assert_eq!(oldest.pk, "MONTH#2025-12#submitted");
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(json!({ "l": "", "p": oldest.pk, "i": null }).to_string());
        let after_midnight = date(2026, 12, 1);
        assert!(on(after_midnight).partitions.iter().all(|partition| partition.pk != oldest.pk));
        let (gone_on, _) = of_everyone(&request(Some(&cursor)), after_midnight).unwrap();
        assert_eq!(gone_on.partitions.last().unwrap().pk, oldest.pk);
        assert!(gone_on.partitions[0].from <= oldest.from, "all of that month");
    }
}
