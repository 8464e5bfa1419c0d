//! Events that were never seen delivered are published again. The items in the table are the truth; what the
//! projections saw is the evidence of delivery.

use jiff::{SignedDuration, Timestamp};
use slipstream_common::{
    bus::publish,
    keys,
    outbox::{DeliveryMark, events_between, unseen},
    records::EventRecord,
    table::item,
};

use crate::{SweepError, Sweeper, Tally};

/// How far the first sweep of all looks back.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(24);
/// How far back of the mark a sweep begins: an event is written at most this long after the time it carries, which
/// a function's timeout bounds.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// How long an event is published again and again. What nobody could take for a day needs a person: it is told as an
/// error, on which an alarm stands, and is no longer waited for.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);

impl Sweeper {
    /// Publishes again what was written before `before` and not seen delivered. The mark moves up to the oldest
    /// event that is still missing, so that it is looked for until it is there.
    pub(crate) async fn republish(&self, before: Timestamp) -> Result<Tally, SweepError> {
        let key = keys::delivery_sweep();
        let mark: Option<DeliveryMark> = self.projections.get(&key).await?;
        let since = mark.map_or_else(|| before - FIRST_LOOK, |mark| mark.delivered_until - OVERLAP);
        let mut missing: Vec<EventRecord> = Vec::new();
        events_between(&self.store.table, since, before, async |page| {
            missing.extend(unseen(&self.projections, page).await?);
            Ok::<_, SweepError>(())
        })
        .await?;
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
        self.projections.put(&key, item(&DeliveryMark { delivered_until }, [])?).await?;
        Ok(Tally { done: missing.len() - refused.len(), failed: refused.len(), still: 0 })
    }
}
