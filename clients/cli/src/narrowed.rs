//! What a list of expenses, or of what waits for a decision, is narrowed to.

use jiff::civil::Date;
use slipstream_events::{Currency, Money, ReportId};

use crate::{
    api::Call,
    failure::{Failure, Outcome},
    fields::{amount, date, word},
};

/// The options of a list.
#[derive(Debug, clap::Args)]
pub(crate) struct Narrowed {
    /// From this day on
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<Date>,
    /// Up to this day
    #[arg(long, value_name = "DATE", value_parser = date)]
    until: Option<Date>,
    /// Only this category
    #[arg(long, value_parser = word)]
    category: Option<String>,
    /// Only this currency
    #[arg(long)]
    currency: Option<String>,
    /// This amount or more, such as '20 EUR'
    #[arg(long, value_parser = amount, allow_hyphen_values = true, value_name = "AMOUNT")]
    min: Option<Money>,
    /// This amount or less
    #[arg(long, value_parser = amount, allow_hyphen_values = true, value_name = "AMOUNT")]
    max: Option<Money>,
    /// Merchants with this text in their name
    #[arg(long, value_name = "TEXT")]
    merchant: Option<String>,
    /// out-of-pocket or company-card
    #[arg(long, value_parser = word)]
    paid_by: Option<String>,
    /// Only those of this report
    #[arg(long)]
    report: Option<ReportId>,
}

impl Narrowed {
    /// The call with all of it.
    ///
    /// # Errors
    /// [`Failure`] where amounts are of different currencies: they are never compared.
    pub(crate) fn onto(self, call: Call) -> Outcome<Call> {
        let bound = self.min.or(self.max).map(|money| money.currency);
        let currency = self.currency.map(|code| code.to_ascii_uppercase());
        let wanted = currency.as_deref().or(bound.map(Currency::code));
        if [self.min, self.max].iter().flatten().any(|money| wanted != Some(money.currency.code())) {
            return Err(Failure::usage(
                "--min, --max and --currency name different currencies; they are never compared",
            ));
        }
        // Amounts without a currency would compare yen to euros.
        let currency = currency.or(bound.map(|bound| bound.code().to_owned()));
        Ok(call
            .query("from", self.from)
            .query("until", self.until)
            .query("category", self.category)
            .query("currency", currency)
            .query("min_minor_units", self.min.map(|money| money.minor_units))
            .query("max_minor_units", self.max.map(|money| money.minor_units))
            .query("merchant", self.merchant)
            .query("paid_by", self.paid_by)
            .query("report", self.report))
    }
}
