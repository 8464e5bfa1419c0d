//! Events that were never seen delivered are published again. The items in the table are the truth; what the
//! projections saw is the evidence of delivery.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    bus::publish,
    keys::{self, Index},
    records::EventRecord,
    table::{IndexQuery, StoreError, item},
};

use crate::{SweepError, Sweeper};

/// How far the first sweep of all looks back.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(24);
/// How far back of the mark a sweep begins: an event is written at most this long after the time it carries, which
/// a function's timeout bounds.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// How long an event is published again and again. What nobody could take for a day needs a person: it is told as an
/// error, on which an alarm stands, and is no longer waited for.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);

/// Up to when every event was seen delivered.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    delivered_until: Timestamp,
}

/// The days from `first` to `last`, both included.
fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first.series(jiff::Span::new().days(1)).take_while(move |day| *day <= last)
}

pub(crate) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl Sweeper {
    /// Publishes again what was written before `before` and not seen delivered. The mark moves up to the oldest
    /// event that is still missing, so that it is looked for until it is there.
    pub(crate) async fn republish(&self, before: Timestamp) -> Result<usize, SweepError> {
        let key = keys::delivery_sweep();
        let mark: Option<Mark> = self.projections.get(&key).await?;
        let since = mark.map_or_else(|| before - FIRST_LOOK, |mark| mark.delivered_until - OVERLAP);
        let mut missing: Vec<EventRecord> = Vec::new();
        for day in days(day_of(since), day_of(before)) {
            let query = IndexQuery {
                from: Some(keys::instant(since)),
                until: Some(keys::instant(before)),
                ..IndexQuery::of(Index::Day, keys::events_on(day))
            };
            let mut start = None;
            loop {
                let page = self.store.table.query::<EventRecord>(&query, start).await?;
                for record in page.items {
                    if !self.was_seen(&record).await? {
                        missing.push(record);
                    }
                }
                start = page.next;
                if start.is_none() {
                    break;
                }
            }
        }
        let refused = publish(&self.bus, &missing).await;
        // What nobody could take for a day was published once more, in case that it is the sweep that was away, and is
        // no longer waited for.
        let given_up = |record: &EventRecord| record.occurred_at + GIVE_UP < before;
        for record in missing.iter().filter(|record| given_up(record)) {
            let (event, at) = (record.detail_type.as_str(), record.occurred_at);
            tracing::error!(event.kind = event, event.occurred_at = %at, "an event was not delivered within a day");
        }
        let waited_for = missing.iter().enumerate().filter(|(at, record)| refused.contains(at) || !given_up(record));
        let delivered_until = waited_for.map(|(_, record)| record.occurred_at).min().unwrap_or(before);
        self.projections.put(&key, item(&Mark { delivered_until }, [])?).await?;
        match refused.len() {
            0 => Ok(missing.len()),
            refused => Err(SweepError::Refused(refused)),
        }
    }

    async fn was_seen(&self, record: &EventRecord) -> Result<bool, SweepError> {
        let event = match record.event() {
            Ok(event) => event,
            Err(error) => {
                // It was set aside by the publisher; publishing it again would only set it aside again.
                tracing::error!(%error, "an event in the table cannot be read");
                return Ok(true);
            }
        };
        let seen: Result<Option<serde_json::Value>, StoreError> =
            self.projections.get(&keys::seen(&event.metadata.subject)).await;
        Ok(seen?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_sweep_over_midnight_looks_at_both_days() {
        let found: Vec<Date> = days(date(2026, 2, 28), date(2026, 3, 1)).collect();
        assert_eq!(found, [date(2026, 2, 28), date(2026, 3, 1)]);
    }
}
