//! Puts events on the bus: DynamoDB streams the table's new event items to this function (the transactional outbox).
//!
//! Every record ends as published, to be tried again, or set aside: what cannot be understood is kept whole in the
//! set-aside bucket, and its neighbours go on. Refused entries are sent again at once, entry by entry; what is
//! refused to the end is reported to the stream, which delivers from there again.
//!
//! It must not know what events mean.
//!
//! To test: `cargo test -p event-publisher`, whose `stream_mapping` puts it behind a model of the stream;
//! `slipstream-common`'s `bus` for the accounting.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::{Client, error::DisplayErrorContext, primitives::ByteStream};
use serde_json::Value;
use slipstream_common::{
    Fault,
    bus::{Bus, EventBridge, publish},
    queue::{BatchItemFailure, BatchResponse},
    records::EventRecord,
    settings::{Settings, SettingsError},
};
use tokio::time::{Instant, timeout_at};

/// How long a batch is worked on. What is not done by then is reported: an invocation that ran into the function's
/// timeout (60 s) would have failed as a whole, and all of the batch would be sent again. The rest is for the pauses
/// between attempts, which end without anybody being asked.
const PATIENCE: Duration = Duration::from_secs(50);

/// Where records are kept that cannot be published. The fake in the tests and S3 behave alike.
pub trait SetAside {
    /// Keeps the whole record; whether that worked.
    fn keep(&self, id: &str, record: &Value) -> impl Future<Output = bool> + Send;
}

/// A bus that is not asked any more from some moment on. What it has not answered by then counts as refused.
struct Until<'a, B> {
    bus: &'a B,
    end: Instant,
}

impl<B: Bus + Sync> Bus for Until<'_, B> {
    async fn put(&self, entries: &[EventRecord]) -> Vec<bool> {
        let refused = || vec![false; entries.len()];
        if Instant::now() >= self.end {
            return refused();
        }
        timeout_at(self.end, self.bus.put(entries)).await.unwrap_or_else(|_| refused())
    }
}

/// A bucket.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl SetAside for Bucket {
    async fn keep(&self, id: &str, record: &Value) -> bool {
        let key = format!("malformed-records/{id}.json");
        let body = ByteStream::from(record.to_string().into_bytes());
        let put = self.client.put_object().bucket(&self.name).key(key).content_type("application/json").body(body);
        match put.send().await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(error = %DisplayErrorContext(error), "a record cannot be set aside");
                false
            }
        }
    }
}

/// The function's clients.
#[derive(Debug)]
pub struct Publisher<B = EventBridge, S = Bucket> {
    bus: B,
    set_aside: S,
}

impl Publisher {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        let mut settings = Settings::new();
        let bus = EventBridge::new(sdk, settings.text("EVENT_BUS_NAME"));
        let set_aside = Bucket { client: Client::new(sdk), name: settings.text("SET_ASIDE_BUCKET") };
        settings.finish(Self::new(bus, set_aside))
    }
}

impl<B: Bus + Sync, S: SetAside> Publisher<B, S> {
    /// Publishes on `bus`, and keeps what cannot be published in `set_aside`.
    pub const fn new(bus: B, set_aside: S) -> Self {
        Self { bus, set_aside }
    }

    /// Publishes a batch of stream records; names those that are to be delivered again by their sequence numbers
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>).
    ///
    /// # Errors
    /// When `event` is not a batch: then the stream delivers it again.
    pub async fn handle(&self, event: Value) -> Result<BatchResponse, Fault> {
        let end = Instant::now() + PATIENCE;
        let records = event["Records"].as_array().ok_or("the event has no records")?;
        let sequence_number = |record: &Value| {
            let number = record["dynamodb"]["SequenceNumber"].as_str().map(str::to_owned);
            number.ok_or("a record has no sequence number, so that it cannot be reported")
        };
        let mut entries = Vec::new();
        let mut numbers = Vec::new();
        let mut malformed = Vec::new();
        for record in records {
            let number = sequence_number(record)?;
            match EventRecord::of_stream(record) {
                Ok(entry) => {
                    entries.push(entry);
                    numbers.push(number);
                }
                Err(error) => {
                    tracing::error!(%error, sequence.number = number, "a record is set aside");
                    malformed.push((number, record));
                }
            }
        }
        // At once, so that neither the bus nor the bucket holds up the other when it is silent.
        let bus = Until { bus: &self.bus, end };
        let (refused, mut failures) = tokio::join!(publish(&bus, &entries), self.set_aside(malformed, end));
        tracing::info!(published = entries.len() - refused.len(), refused = refused.len(), "published");
        failures.extend(refused.into_iter().map(|at| numbers[at].clone()));
        let batch_item_failures =
            failures.into_iter().map(|item_identifier| BatchItemFailure { item_identifier }).collect();
        Ok(BatchResponse { batch_item_failures })
    }

    /// Sets records aside until `end`; the sequence numbers of those that are not.
    async fn set_aside(&self, malformed: Vec<(String, &Value)>, end: Instant) -> Vec<String> {
        let mut failures = Vec::new();
        for (number, record) in malformed {
            let id = record["eventID"].as_str().unwrap_or(&number);
            let kept = Instant::now() < end && timeout_at(end, self.set_aside.keep(id, record)).await.unwrap_or(false);
            if !kept {
                failures.push(number);
            }
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../events/examples/ExpenseApproved.v1.json");

    fn record(number: u32, detail: &str) -> Value {
        json!({
            "eventID": format!("id-{number}"),
            "eventName": "INSERT",
            "dynamodb": {
                "SequenceNumber": number.to_string(),
                "NewImage": {
                    "detail_type": {"S": "ExpenseApproved"},
                    "detail": {"S": detail},
                    "occurred_at": {"S": "2026-03-12T12:31:05.25Z"},
                },
            },
        })
    }

    struct FakeBus {
        refuses: bool,
        taken: Mutex<Vec<String>>,
    }

    impl Bus for FakeBus {
        async fn put(&self, entries: &[EventRecord]) -> Vec<bool> {
            if !self.refuses {
                self.taken.lock().unwrap().extend(entries.iter().map(|entry| entry.detail.clone()));
            }
            vec![!self.refuses; entries.len()]
        }
    }

    struct FakeBucket {
        works: bool,
        kept: Mutex<Vec<String>>,
    }

    impl SetAside for FakeBucket {
        async fn keep(&self, id: &str, _: &Value) -> bool {
            self.kept.lock().unwrap().push(id.to_owned());
            self.works
        }
    }

    fn publisher(refuses: bool, works: bool) -> Publisher<FakeBus, FakeBucket> {
        let bus = FakeBus { refuses, taken: Mutex::default() };
        Publisher::new(bus, FakeBucket { works, kept: Mutex::default() })
    }

    fn failures(response: &BatchResponse) -> Vec<&str> {
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect()
    }

    #[tokio::test]
    async fn a_malformed_record_is_set_aside_and_its_neighbours_go_on() {
        let publisher = publisher(false, true);
        let wrong_type =
            json!({"eventID": "id-3", "dynamodb": {"SequenceNumber": "3", "NewImage": {"detail": {"N": "1"}}}});
        let batch = json!({"Records": [record(1, EXAMPLE), record(2, "{}"), wrong_type, record(4, EXAMPLE)]});
        let response = publisher.handle(batch).await.unwrap();
        assert_eq!(failures(&response), Vec::<&str>::new());
        assert_eq!(publisher.bus.taken.lock().unwrap().len(), 2);
        assert_eq!(*publisher.set_aside.kept.lock().unwrap(), ["id-2", "id-3"]);
    }

    #[tokio::test]
    async fn what_cannot_be_set_aside_is_not_lost() {
        let response = publisher(false, false).handle(json!({"Records": [record(1, "{}"), record(2, EXAMPLE)]})).await;
        assert_eq!(failures(&response.unwrap()), ["1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_bus_refuses_is_delivered_again() {
        let response = publisher(true, true).handle(json!({"Records": [record(1, EXAMPLE), record(2, EXAMPLE)]})).await;
        assert_eq!(failures(&response.unwrap()), ["1", "2"]);
    }

    #[tokio::test]
    async fn what_is_no_batch_fails_as_a_whole() {
        assert!(publisher(false, true).handle(json!({})).await.is_err());
        assert!(publisher(false, true).handle(json!({"Records": [{}]})).await.is_err());
    }
}
