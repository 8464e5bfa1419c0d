//! Batches of queue messages, record by record: each ends as done or to be tried again, and what is tried too often
//! is set aside in the queue's dead-letter queue. One bad record never fails its neighbours.

use serde::Serialize;
use serde_json::Value;
use slipstream_events::Event;
use tracing::Instrument as _;

use crate::metrics::Metrics;

/// Which records are to be delivered again
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// Their ids.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// One record that is to be delivered again.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The message's id.
    pub item_identifier: String,
}

/// A message of a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The queue that it comes from (an ARN).
    pub source: String,
    /// Its body.
    pub body: String,
    /// How often it was delivered, this time included.
    pub receives: u32,
}

/// The batch is not one.
#[derive(Debug, thiserror::Error)]
#[error("the batch has no records with message ids, so that none can be told apart")]
pub struct NotABatch;

/// Has `handle` deal with every message of the batch and collects those that failed.
///
/// # Errors
/// [`NotABatch`]: then the whole batch is delivered again.
pub async fn each<E: std::fmt::Display>(
    event: &Value,
    mut handle: impl AsyncFnMut(Message) -> Result<(), E>,
) -> Result<BatchResponse, NotABatch> {
    let records = event["Records"].as_array().ok_or(NotABatch)?;
    let mut response = BatchResponse::default();
    for record in records {
        let id = record["messageId"].as_str().ok_or(NotABatch)?.to_owned();
        let body = record["body"].as_str().unwrap_or_default().to_owned();
        let source = record["eventSourceARN"].as_str().unwrap_or_default().to_owned();
        let receives = record["attributes"]["ApproximateReceiveCount"].as_str().and_then(|count| count.parse().ok());
        let span = tracing::info_span!("message", message.id = id);
        if let Err(error) = handle(Message { id: id.clone(), source, body, receives: receives.unwrap_or(1) })
            .instrument(span.clone())
            .await
        {
            span.in_scope(|| tracing::warn!(%error, "to be tried again"));
            response.batch_item_failures.push(BatchItemFailure { item_identifier: id });
        }
    }
    Ok(response)
}

/// Why a message holds no event of ours.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The body is not a bus event.
    #[error("the message is not a bus event ({:?} error)", .0.classify())]
    Bus(serde_json::Error),
    /// The bus event's detail is not an event.
    #[error(transparent)]
    Event(#[from] slipstream_events::EventError),
}

/// The event in a message that a rule sent to a queue, and the replay that sent it, if one did, which is counted.
///
/// # Errors
/// [`EnvelopeError`].
pub fn bus_event(message: &Message) -> Result<(Event, Option<String>), EnvelopeError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct BusEvent {
        detail: Value,
        #[serde(default)]
        replay_name: Option<String>,
    }
    let bus: BusEvent = serde_json::from_str(&message.body).map_err(EnvelopeError::Bus)?;
    if bus.replay_name.is_some() {
        Metrics::new().count("EventsReplayed", 1).emit();
    }
    Ok((Event::from_detail(bus.detail)?, bus.replay_name))
}

/// The span in which an event is handled.
pub fn event_span(event: &Event, replay: Option<&str>) -> tracing::Span {
    let metadata = &event.metadata;
    tracing::info_span!(
        "event",
        event.id = %metadata.id,
        correlation.id = %metadata.correlation_id,
        expense.id = metadata.subject.expense_id().map(|id| id.to_string()),
        replay.name = replay,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn only_the_failed_record_is_delivered_again() {
        let batch = json!({"Records": [
            {"messageId": "a", "body": "1"}, {"messageId": "b", "body": "2"}, {"messageId": "c", "body": "3"},
        ]});
        let mut seen = Vec::new();
        let response = each(&batch, async |message: Message| {
            seen.push(message.body.clone());
            if message.id == "b" { Err("no") } else { Ok(()) }
        });
        let response = response.await.unwrap();
        assert_eq!(serde_json::to_value(&response).unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "b"}]}));
        assert_eq!(seen, ["1", "2", "3"]);
    }

    #[tokio::test]
    async fn a_batch_without_ids_fails_as_a_whole() {
        let handle = async |_: Message| Ok::<_, &str>(());
        assert!(each(&json!({"Records": [{"body": "1"}]}), handle).await.is_err());
        assert!(each(&json!({}), handle).await.is_err());
    }
}
