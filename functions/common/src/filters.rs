//! The query of a list of expenses, whoever asks: its dates, and what it is narrowed by within the read budget of a page
//! ([`crate::page`]).

use jiff::civil::Date;
use slipstream_domain::{details::MAX_MINOR_UNITS, merchant};
use slipstream_events::{Category, Currency, ExpenseState, PaidBy, PersonId, ReportId};

use crate::{
    http::Request,
    problem::{FieldError, Problem},
};

/// The longest text to look for, in characters.
const MAX_TEXT: usize = 200;

/// What a list may be narrowed by beside status and dates.
#[derive(Debug, Default)]
pub struct Filters {
    category: Option<Category>,
    currency: Option<Currency>,
    least: Option<i64>,
    most: Option<i64>,
    merchant: Option<String>,
    paid_by: Option<PaidBy>,
    report: Option<ReportId>,
    /// Whose. Not where a list is of one owner.
    pub owner: Option<PersonId>,
}

impl Filters {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
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

    /// Whether the expense is one of those that are asked for.
    pub fn keep(&self, state: &ExpenseState) -> bool {
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
#[derive(Debug)]
pub struct Query<'a> {
    request: &'a Request,
    faults: Vec<FieldError>,
}

impl<'a> Query<'a> {
    /// That of the request.
    pub const fn of(request: &'a Request) -> Self {
        Self { request, faults: Vec::new() }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let value = self.request.query_string_parameters.get(name)?;
        let length = value.chars().count();
        if value.trim().is_empty() || length > MAX_TEXT {
            self.fault(name, format!("give 1 to {MAX_TEXT} characters"));
            return None;
        }
        Some(value.to_lowercase())
    }

    /// A member that has a form of its own, such as an id.
    pub fn parsed<T: std::str::FromStr>(&mut self, name: &str, form: &str) -> Option<T> {
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
    pub fn one_of<T: Copy + std::fmt::Display>(&mut self, name: &str, all: &[T]) -> Option<T> {
        let value = self.request.query_string_parameters.get(name)?;
        let found = all.iter().copied().find(|known| known.to_string() == *value);
        if found.is_none() {
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            self.fault(name, format!("give one of {}", names.join(", ")));
        }
        found
    }

    /// Says what is wrong with a member.
    pub fn fault(&mut self, field: &str, remedy: String) {
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

    /// The members `from` and `until`.
    pub fn dates(&mut self) -> (Option<Date>, Option<Date>) {
        let (from, until) = (self.date("from"), self.date("until"));
        if from.zip(until).is_some_and(|(from, until)| from > until) {
            self.fault("until", "give a date that is not before `from`".to_owned());
        }
        (from, until)
    }

    /// What the list is narrowed by.
    pub fn filters(&mut self) -> Filters {
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

    /// Whether everything was right.
    ///
    /// # Errors
    /// 422 with every member that is wrong.
    pub fn finish(self) -> Result<(), Problem> {
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(self.faults)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        let mut query = Query::of(&request);
        query.filters();
        let fields: Vec<String> = query.faults.into_iter().map(|fault| fault.field).collect();
        assert_eq!(
            fields,
            ["category", "currency", "min_minor_units", "max_minor_units", "merchant", "paid_by", "report"]
        );
    }
}
