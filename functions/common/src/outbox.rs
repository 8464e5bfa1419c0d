//! The outbox seen from outside: the events of a time, by their day index, and which of them were seen delivered. The
//! items in the table are the truth; what the projections saw is the evidence of delivery.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    keys::{self, Index, Key},
    records::EventRecord,
    table::{IndexQuery, Item, StoreError, Table},
};

/// How long `projections` remembers that it saw an event. Of what is older nobody can say whether it was delivered.
pub const SEEN_FOR: SignedDuration = SignedDuration::from_hours(35 * 24);

/// In the projections table: up to when every event was seen delivered. The sweeper moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryMark {
    /// Up to when.
    pub delivered_until: Timestamp,
}

/// The day (UTC) in whose partition an event of that time stands.
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The days from `first` to `last`, both included.
pub fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first.series(jiff::Span::new().days(1)).take_while(move |day| *day <= last)
}

/// Hands the events from `since` up to `before` over, page by page, oldest first; none if that is no time at all.
/// Eventually consistent. Gives the keys of items that are no events: they hold nobody else up, and are logged as errors.
///
/// # Errors
/// [`StoreError`], of the table or of `take`.
pub async fn events_between<E: From<StoreError>>(
    table: &Table,
    since: Timestamp,
    before: Timestamp,
    mut take: impl AsyncFnMut(Vec<EventRecord>) -> Result<(), E>,
) -> Result<Vec<Key>, E> {
    let mut no_events = Vec::new();
    // DynamoDB refuses a range whose end is before its beginning.
    if since > before {
        return Ok(no_events);
    }
    for day in days(day_of(since), day_of(before)) {
        let query = IndexQuery {
            from: Some(keys::instant(since)),
            until: Some(keys::instant(before)),
            ..IndexQuery::of(Index::Day, keys::events_on(day))
        };
        let mut start = None;
        loop {
            let page = table.query_items(&query, start).await?;
            let mut records = Vec::new();
            for item in page.items {
                let key = key_of(&item);
                match serde_dynamo::from_item(item) {
                    Ok(record) => records.push(record),
                    Err(error) => {
                        tracing::error!(key.pk, key.sk, %error, "an item among the events is none");
                        no_events.push(key);
                    }
                }
            }
            take(records).await?;
            start = page.next;
            if start.is_none() {
                break;
            }
        }
    }
    Ok(no_events)
}

fn key_of(item: &Item) -> Key {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    Key { pk: text(keys::PK), sk: text(keys::SK) }
}

/// Those of the events that projections have not seen. What cannot be read is not among them: the publisher set it
/// aside, and publishing it again would only set it aside again.
///
/// # Errors
/// [`StoreError`].
pub async fn unseen(projections: &Table, records: Vec<EventRecord>) -> Result<Vec<EventRecord>, StoreError> {
    let mut keyed = Vec::new();
    for record in records {
        match record.event() {
            Ok(event) => keyed.push((keys::seen(&event.metadata.subject), record)),
            Err(error) => tracing::error!(%error, "an event in the table cannot be read"),
        }
    }
    // One event may stand in two pages while the index catches up; a batch takes each key once.
    let wanted: HashSet<&Key> = keyed.iter().map(|(key, _)| key).collect();
    let seen = seen_of(projections, &wanted.into_iter().cloned().collect::<Vec<_>>()).await?;
    Ok(keyed.into_iter().filter(|(key, _)| !seen.contains(key)).map(|(_, record)| record).collect())
}

/// Those of the marks ([`keys::seen`]) that are there.
///
/// # Errors
/// [`StoreError`].
pub async fn seen_of(projections: &Table, marks: &[Key]) -> Result<HashSet<Key>, StoreError> {
    let found: Vec<Value> = projections.batch_get(marks).await?;
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    Ok(found.iter().map(|item| Key { pk: text(item, keys::PK), sk: text(item, keys::SK) }).collect())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_time_over_midnight_is_in_both_days() {
        let found: Vec<Date> = days(date(2026, 2, 28), date(2026, 3, 1)).collect();
        assert_eq!(found, [date(2026, 2, 28), date(2026, 3, 1)]);
        assert_eq!(day_of("2026-02-28T23:59:59Z".parse().unwrap()), date(2026, 2, 28));
    }
}
