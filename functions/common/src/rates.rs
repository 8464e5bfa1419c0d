//! The exchange rates, one item a day, and their loading.
//!
//! A day and its event are written in one transaction. Some days share one, so that a load that ends midway leaves whole
//! days, each with its event; the same load again writes the rest and changes nothing of what is there.

use std::collections::BTreeMap;

use jiff::{ToSpan as _, civil::Date};
use slipstream_domain::conversion::MAX_RATE_AGE_DAYS;
use slipstream_events::{Cause, Currency, DayRates, Event, EventBody, ExchangeRate, RatesEvent, Subject};

use crate::{
    keys,
    store::{ChangeError, Store, add_event},
    table::{Condition, StoreError, Take, Transaction, item},
};

/// How many days share a transaction: each writes two items, and a transaction takes a hundred.
const DAYS_PER_TRANSACTION: usize = 40;
/// How often a part is begun anew because somebody else loads the same days.
const MAX_RACES: u32 = 8;

/// The rates of a day as somebody published them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedDay {
    /// Which day.
    pub date: Date,
    /// What one unit of the base is.
    pub rates: BTreeMap<Currency, ExchangeRate>,
}

/// What became of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The days that have other rates now, with what they replace.
    pub written: Vec<RatesEvent>,
    /// How many days had these rates already.
    pub unchanged: usize,
}

impl Store {
    /// The rates that hold on `date`: those of the latest day with rates that is not after it and at most
    /// [`MAX_RATE_AGE_DAYS`] before. One query with `Limit` 1.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rates_on(&self, date: Date) -> Result<Option<DayRates>, StoreError> {
        let oldest = date.saturating_sub(MAX_RATE_AGE_DAYS.days());
        let found =
            self.table.range(keys::RATES, &oldest.to_string(), &date.to_string(), Some(Take::Latest(1))).await?;
        Ok(found.into_iter().next())
    }

    /// Loads the rates of some days. A day with other rates than before is replaced as a whole, by a new version.
    ///
    /// # Errors
    /// [`ChangeError`]. What was written until then stays: the same load may be sent again.
    pub async fn load_rates(
        &self,
        base: Currency,
        source: &str,
        days: &[PublishedDay],
        cause: &Cause,
    ) -> Result<Loaded, ChangeError> {
        let by_date: BTreeMap<Date, &PublishedDay> = days.iter().map(|day| (day.date, day)).collect();
        let days: Vec<&PublishedDay> = by_date.into_values().collect();
        let mut loaded = Loaded::default();
        for part in days.chunks(DAYS_PER_TRANSACTION) {
            let written = self.load_part(base, source, part, cause).await?;
            loaded.unchanged += part.len() - written.len();
            loaded.written.extend(written);
        }
        Ok(loaded)
    }

    async fn load_part(
        &self,
        base: Currency,
        source: &str,
        days: &[&PublishedDay],
        cause: &Cause,
    ) -> Result<Vec<RatesEvent>, ChangeError> {
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(Vec::new()) };
        let mut races = 0;
        loop {
            let known: Vec<DayRates> =
                self.table.range(keys::RATES, &first.date.to_string(), &last.date.to_string(), None).await?;
            let written = changes(&known, base, source, days);
            if written.is_empty() {
                return Ok(written);
            }
            let mut transaction = Transaction::default();
            for data in &written {
                let condition = data.replaces.map_or_else(Condition::absent, Condition::version);
                transaction.put(&keys::rates(data.rates.date), item(&data.rates, [])?, Some(condition));
                let subject = Subject::rates(data.rates.date, data.rates.version);
                let event = Event::new(subject, EventBody::ExchangeRatesLoaded(Box::new(data.clone())), cause);
                add_event(&mut transaction, &event)?;
            }
            match self.table.commit(transaction).await {
                Ok(()) => return Ok(written),
                Err(StoreError::Condition(_)) if races < MAX_RACES => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What is to be written: the days that are not known with just these rates.
fn changes(known: &[DayRates], base: Currency, source: &str, days: &[&PublishedDay]) -> Vec<RatesEvent> {
    let mut written = Vec::new();
    for day in days {
        let before = known.iter().find(|known| known.date == day.date);
        let version = before.map_or(0, |before| before.version) + 1;
        let rates = day.rates.clone();
        let after = DayRates { date: day.date, version, base, rates, source: source.to_owned() };
        let replaces = before.map(|before| before.version);
        if before.is_none_or(|before| *before != DayRates { version: before.version, ..after.clone() }) {
            written.push(RatesEvent { rates: after, replaces });
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn day(day: i8, usd: &str) -> PublishedDay {
        let usd = ("USD".parse().unwrap(), usd.parse().unwrap());
        PublishedDay { date: date(2026, 3, day), rates: BTreeMap::from([usd]) }
    }

    #[test]
    fn the_same_load_again_changes_nothing() {
        let (monday, tuesday) = (day(9, "1.08"), day(10, "1.09"));
        let first = changes(&[], Currency::EUR, "ECB", &[&monday, &tuesday]);
        assert_eq!(first.iter().map(|day| (day.rates.version, day.replaces)).collect::<Vec<_>>(), [(1, None); 2]);
        let known: Vec<DayRates> = first.into_iter().map(|day| day.rates).collect();
        assert_eq!(changes(&known, Currency::EUR, "ECB", &[&monday, &tuesday]), []);
    }

    #[test]
    fn a_day_with_other_rates_is_a_new_version() {
        let known: Vec<DayRates> =
            changes(&[], Currency::EUR, "ECB", &[&day(9, "1.08")]).into_iter().map(|day| day.rates).collect();
        let (monday, tuesday) = (day(9, "1.0801"), day(10, "1.09"));
        let written = changes(&known, Currency::EUR, "ECB", &[&monday, &tuesday]);
        let versions: Vec<_> = written.iter().map(|day| (day.rates.date, day.rates.version, day.replaces)).collect();
        assert_eq!(versions, [(monday.date, 2, Some(1)), (tuesday.date, 1, None)]);
    }

    #[test]
    fn a_day_survives_the_table_form() {
        let rates = changes(&[], Currency::EUR, "ECB", &[&day(9, "1.08")]).remove(0).rates;
        let item = item(&rates, []).unwrap();
        assert_eq!(serde_dynamo::from_item::<_, DayRates>(item).unwrap(), rates);
    }
}
