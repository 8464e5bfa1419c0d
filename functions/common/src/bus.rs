//! Putting events on the bus, entry by entry accounted for. `PutEvents` answers 200 while it refuses single entries
//! (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>); only the refused are sent again.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_eventbridge::{Client, error::DisplayErrorContext, primitives::DateTime, types::PutEventsRequestEntry};
use slipstream_events::SOURCE;

use crate::records::EventRecord;

/// The most entries in a request.
const MAX_ENTRIES: usize = 10;
/// The most bytes in a request: AWS's page on [`size`] says less than 256 KB.
const MAX_BYTES: usize = 256 * 1024 - 1;
/// How often refused entries are sent again before they are given back.
const MAX_ATTEMPTS: u32 = 5;

/// An entry's size as EventBridge counts it
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>): 14 bytes for the time, and the
/// bytes of source, type and detail.
const fn size(entry: &EventRecord) -> usize {
    14 + SOURCE.len() + entry.detail_type.len() + entry.detail.len()
}

/// Where entries go. The fake in the tests and EventBridge behave alike: an answer says of each entry whether it
/// was taken.
pub trait Bus {
    /// Sends at most ten entries; of each, in order, whether it was taken.
    fn put(&self, entries: &[EventRecord]) -> impl Future<Output = Vec<bool>> + Send;
}

/// An EventBridge bus.
#[derive(Debug, Clone)]
pub struct EventBridge {
    client: Client,
    name: String,
}

impl EventBridge {
    /// The bus of that name.
    pub fn new(sdk: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), name: name.into() }
    }
}

impl Bus for EventBridge {
    async fn put(&self, entries: &[EventRecord]) -> Vec<bool> {
        let request = entries.iter().map(|entry| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(&entry.detail_type)
                .detail(&entry.detail)
                .time(DateTime::from_secs(entry.occurred_at.as_second()))
                .build()
        });
        match self.client.put_events().set_entries(Some(request.collect())).send().await {
            Ok(answer) => {
                let taken = answer.entries().iter().map(|entry| {
                    if let Some(code) = entry.error_code() {
                        tracing::warn!(code, "the bus refuses an entry");
                    }
                    entry.event_id().is_some() && entry.error_code().is_none()
                });
                let mut taken: Vec<bool> = taken.collect();
                taken.resize(entries.len(), false);
                taken
            }
            Err(error) => {
                tracing::warn!(error = %DisplayErrorContext(error), "the bus does not answer");
                vec![false; entries.len()]
            }
        }
    }
}

/// The entries in requests as few as the limits allow, in order.
fn requests(entries: &[EventRecord], pending: &[usize]) -> Vec<Vec<usize>> {
    let mut requests: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for &at in pending {
        let size = size(&entries[at]);
        match requests.last_mut() {
            Some(last) if last.len() < MAX_ENTRIES && bytes + size <= MAX_BYTES => {
                last.push(at);
                bytes += size;
            }
            _ => {
                requests.push(vec![at]);
                bytes = size;
            }
        }
    }
    requests
}

/// Puts every entry on the bus; gives back the positions of those that it still refuses after some attempts.
pub async fn publish(bus: &impl Bus, entries: &[EventRecord]) -> Vec<usize> {
    let mut pending: Vec<usize> = (0..entries.len()).collect();
    for attempt in 0..MAX_ATTEMPTS {
        if attempt > 0 {
            let ceiling = 50u64 << attempt;
            tokio::time::sleep(Duration::from_millis(rand::random_range(25..ceiling))).await;
        }
        let mut refused = Vec::new();
        for request in requests(entries, &pending) {
            let batch: Vec<EventRecord> = request.iter().map(|&at| entries[at].clone()).collect();
            let taken = bus.put(&batch).await;
            refused.extend(request.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|(at, _)| at));
        }
        pending = refused;
        if pending.is_empty() {
            break;
        }
    }
    pending
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::Timestamp;

    use super::*;

    fn entry(name: &str, size: usize) -> EventRecord {
        EventRecord {
            detail_type: "ExpenseApproved".to_owned(),
            detail: format!("{name}{}", "x".repeat(size)),
            occurred_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Refuses each entry as often as it is told to.
    struct Fake {
        refusals: Mutex<Vec<(String, u32)>>,
        calls: Mutex<Vec<Vec<String>>>,
    }

    impl Bus for Fake {
        async fn put(&self, entries: &[EventRecord]) -> Vec<bool> {
            self.calls.lock().unwrap().push(entries.iter().map(|entry| entry.detail.clone()).collect());
            let mut refusals = self.refusals.lock().unwrap();
            entries
                .iter()
                .map(|entry| match refusals.iter_mut().find(|(name, left)| *name == entry.detail && *left > 0) {
                    Some((_, left)) => {
                        *left -= 1;
                        false
                    }
                    None => true,
                })
                .collect()
        }
    }

    fn fake(refusals: &[(&str, u32)]) -> Fake {
        let refusals = refusals.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect();
        Fake { refusals: Mutex::new(refusals), calls: Mutex::new(Vec::new()) }
    }

    #[tokio::test(start_paused = true)]
    async fn without_refusals_there_are_as_few_calls_as_the_limits_allow() {
        let bus = fake(&[]);
        let entries: Vec<EventRecord> = (0..23).map(|n| entry(&n.to_string(), 0)).collect();
        assert_eq!(publish(&bus, &entries).await, Vec::<usize>::new());
        assert_eq!(bus.calls.lock().unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_refused_entries_are_sent_again() {
        let bus = fake(&[("b", 2), ("d", 1)]);
        let entries: Vec<EventRecord> = ["a", "b", "c", "d"].iter().map(|name| entry(name, 0)).collect();
        assert_eq!(publish(&bus, &entries).await, Vec::<usize>::new());
        assert_eq!(*bus.calls.lock().unwrap(), [vec!["a", "b", "c", "d"], vec!["b", "d"], vec!["b"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_to_the_end_is_given_back() {
        let bus = fake(&[("b", 99)]);
        let entries: Vec<EventRecord> = ["a", "b", "c"].iter().map(|name| entry(name, 0)).collect();
        assert_eq!(publish(&bus, &entries).await, [1]);
    }

    #[test]
    fn a_request_keeps_the_limit_of_bytes() {
        let entries: Vec<EventRecord> = (0..4).map(|_| entry("x", 100 * 1024)).collect();
        assert_eq!(requests(&entries, &[0, 1, 2, 3]), [vec![0, 1], vec![2, 3]]);
    }
}
