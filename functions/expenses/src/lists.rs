//! Lists of expenses: one's own, and finance's.
//!
//! Status and dates are keys of an index; what else a list may be narrowed by is a filter within the read budget of a
//! page (`slipstream_common::page`).

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use slipstream_common::{
    http::{Request, Response},
    keys::{self, Index},
    page::{Budget, Listing},
    problem::{FieldError, Problem},
    store::Store,
    table::IndexQuery,
};
use slipstream_domain::{details::MAX_MINOR_UNITS, merchant};
use slipstream_events::{Category, Currency, ExpenseState, ExpenseStatus, PaidBy, PersonId, ReportId};

use crate::view::View;

/// The index pages that a page of one's own expenses may read.
const OWN_BUDGET: usize = 3;
/// The index pages that a page of finance's list may read; it goes through a partition a month.
const FINANCE_BUDGET: usize = 6;
/// The most months that finance's list goes over.
const MAX_MONTHS: i32 = 24;
/// The longest text to look for, in characters.
const MAX_TEXT: usize = 200;

/// What a list may be narrowed by beside status and dates.
#[derive(Debug, Default)]
struct Filters {
    category: Option<Category>,
    currency: Option<Currency>,
    least: Option<i64>,
    most: Option<i64>,
    merchant: Option<String>,
    paid_by: Option<PaidBy>,
    report: Option<ReportId>,
    owner: Option<PersonId>,
}

impl Filters {
    fn is_empty(&self) -> bool {
        let Self { category, currency, least, most, merchant, paid_by, report, owner } = self;
        category.is_none()
            && currency.is_none()
            && least.is_none()
            && most.is_none()
            && merchant.is_none()
            && paid_by.is_none()
            && report.is_none()
            && owner.is_none()
    }

    fn keep(&self, state: &ExpenseState) -> bool {
        let details = &state.details;
        let amount = details.amount;
        self.category.is_none_or(|category| details.category == Some(category))
            && self.currency.is_none_or(|currency| amount.is_some_and(|amount| amount.currency == currency))
            && self.least.is_none_or(|least| amount.is_some_and(|amount| amount.minor_units >= least))
            && self.most.is_none_or(|most| amount.is_some_and(|amount| amount.minor_units <= most))
            && self.paid_by.is_none_or(|paid_by| details.paid_by == paid_by)
            && self.report.is_none_or(|report| details.report == Some(report))
            && self.owner.is_none_or(|owner| state.owner == owner)
            && self.merchant.as_ref().is_none_or(|wanted| {
                let name = details.merchant.as_deref().unwrap_or_default();
                name.to_lowercase().contains(wanted.as_str()) || merchant::key(name).contains(wanted.as_str())
            })
    }
}

/// The query's members, read one by one; all faults at once.
struct Query<'a> {
    request: &'a Request,
    faults: Vec<FieldError>,
}

impl Query<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        let value = self.request.query_string_parameters.get(name)?;
        let length = value.chars().count();
        if value.trim().is_empty() || length > MAX_TEXT {
            self.fault(name, format!("give 1 to {MAX_TEXT} characters"));
            return None;
        }
        Some(value.to_lowercase())
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, form: &str) -> Option<T> {
        let value = self.request.query_string_parameters.get(name)?;
        let parsed = value.parse().ok();
        if parsed.is_none() {
            self.fault(name, format!("give {form}"));
        }
        parsed
    }

    /// An amount of the size that an expense can have.
    fn minor_units(&mut self, name: &str) -> Option<i64> {
        let form = format!("a whole number of minor units from -{MAX_MINOR_UNITS} to {MAX_MINOR_UNITS}");
        let amount = self.parsed(name, &form)?;
        if !(-MAX_MINOR_UNITS..=MAX_MINOR_UNITS).contains(&amount) {
            self.fault(name, format!("give {form}"));
            return None;
        }
        Some(amount)
    }

    /// A member of an enumeration, by its name in JSON.
    fn one_of<T: Copy + std::fmt::Display>(&mut self, name: &str, all: &[T]) -> Option<T> {
        let value = self.request.query_string_parameters.get(name)?;
        let found = all.iter().copied().find(|known| known.to_string() == *value);
        if found.is_none() {
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            self.fault(name, format!("give one of {}", names.join(", ")));
        }
        found
    }

    fn fault(&mut self, field: &str, remedy: String) {
        self.faults.push(FieldError { field: field.to_owned(), remedy });
    }

    /// A calendar date as ISO 8601 writes it, of a year with four digits.
    fn date(&mut self, name: &str) -> Option<Date> {
        let date: Date = self.parsed(name, "a date such as 2026-03-12")?;
        if date.year() < 0 || self.request.query_string_parameters.get(name).is_some_and(|text| text.len() != 10) {
            self.fault(name, "give a date such as 2026-03-12".to_owned());
            return None;
        }
        Some(date)
    }

    fn filters(&mut self) -> Filters {
        let filters = Filters {
            category: self.one_of("category", &Category::ALL),
            currency: self.parsed("currency", "an ISO 4217 code such as EUR"),
            least: self.minor_units("min_minor_units"),
            most: self.minor_units("max_minor_units"),
            merchant: self.text("merchant"),
            paid_by: self.one_of("paid_by", &[PaidBy::OutOfPocket, PaidBy::CompanyCard]),
            report: self.parsed("report", "the id of a report"),
            owner: None,
        };
        let amounts = filters.least.is_some() || filters.most.is_some();
        if amounts && filters.currency.is_none() {
            self.fault("currency", "name the currency of the amounts".to_owned());
        }
        filters
    }

    fn finish(self) -> Result<(), Problem> {
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(self.faults)) }
    }
}

async fn listed(store: &Store, request: &Request, listing: Listing, filters: &Filters) -> Result<Response, Problem> {
    let page = listing.page::<ExpenseState>(&store.table, request, |state| filters.keep(state)).await?;
    let expenses: Vec<View> = page.items.into_iter().map(View::from).collect();
    Ok(Response::json(200, &serde_json::json!({ "expenses": expenses, "next_cursor": page.next_cursor })))
}

/// The caller's expenses, the latest date first.
pub async fn own(store: &Store, owner: PersonId, request: &Request) -> Result<Response, Problem> {
    let mut query = Query { request, faults: Vec::new() };
    let status = query.one_of("status", &LISTED);
    let (from, until) = (query.date("from"), query.date("until"));
    let filters = query.filters();
    if from.zip(until).is_some_and(|(from, until)| from > until) {
        query.fault("until", "give a date that is not before `from`".to_owned());
    }
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
    let mut query = Query { request, faults: Vec::new() };
    let status = query.one_of("status", &SUBMITTED);
    if status.is_none() && !request.query_string_parameters.contains_key("status") {
        query.fault("status", "name the status to list".to_owned());
    }
    let (from, until) = (query.date("from"), query.date("until"));
    let mut filters = query.filters();
    filters.owner = query.parsed("owner", "a person's id");
    let asked = asked(from, until, &filters);
    // A receipt's date may lie some days ahead of the clock.
    let until = until.or_else(|| from.map_or(today, |from| from.max(today)).checked_add(Span::new().months(1)).ok());
    let until = until.unwrap_or(today);
    let from = from.or_else(|| until.first_of_month().checked_sub(Span::new().months(12)).ok()).unwrap_or(until);
    let months = months(from, until);
    if from > until {
        query.fault("until", "give a date that is not before `from`".to_owned());
    } else if months.is_none() {
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
    fn every_fault_names_its_member() {
        let event = json!({
            "httpMethod": "GET", "resource": "/expenses", "requestContext": {},
            "queryStringParameters": {
                "category": "food", "currency": "eur", "min_minor_units": "1.5", "max_minor_units": "1000000000001",
                "merchant": " ", "paid_by": "me", "report": "x",
            },
        });
        let request: Request = serde_json::from_value(event).unwrap();
        let mut query = Query { request: &request, faults: Vec::new() };
        query.filters();
        let fields: Vec<String> = query.faults.into_iter().map(|fault| fault.field).collect();
        assert_eq!(
            fields,
            ["category", "currency", "min_minor_units", "max_minor_units", "merchant", "paid_by", "report"]
        );
    }
}
