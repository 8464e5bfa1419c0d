//! The same with the real client of EventBridge, whose requests end in the world's bus: what it sends is what the function
//! means, and it reads an answer entry by entry
//! (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use event_publisher::Publisher;
use serde_json::{Value, json};
use slipstream_common::{bus::EventBridge, records::EventRecord};
use slipstream_events::SOURCE;

use super::{ANY, patterns, ten};
use crate::{
    mapping::Mapping,
    world::{Refusal, World},
};

/// How EventBridge answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Entry by entry.
    WithEntries,
    /// With this status and no more, in the first so many requests.
    Failing(u16, usize),
    /// Not at all, in the first so many requests.
    Silent(usize),
    /// It leaves the last entry out, in the first so many requests.
    Short(usize),
}

/// Carries requests to the world.
#[derive(Debug, Clone)]
struct Wire {
    world: World,
    manner: Manner,
    requests: Arc<AtomicUsize>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        assert_eq!(request.headers().get("x-amz-target"), Some("AWSEvents.PutEvents"));
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let nth = self.requests.fetch_add(1, Ordering::SeqCst);
        match self.manner {
            Manner::Failing(status, times) if nth < times => {
                let response = HttpResponse::new(status.try_into().unwrap(), "{}".into());
                return HttpConnectorFuture::ready(Ok(response));
            }
            Manner::Silent(times) if nth < times => return HttpConnectorFuture::new(std::future::pending()),
            _ => {}
        }
        let sent: Vec<EventRecord> = body["Entries"].as_array().unwrap().iter().map(entry).collect();
        let taken = self.world.call(&sent);
        let short = matches!(self.manner, Manner::Short(times) if nth < times);
        let answered = taken.len() - usize::from(short);
        self.world.hear(&sent[..answered], &taken[..answered]);
        let entries: Vec<Value> = taken[..answered].iter().enumerate().map(|(n, taken)| answer(n, *taken)).collect();
        let failed = taken.iter().filter(|taken| !**taken).count();
        let document = json!({ "FailedEntryCount": failed, "Entries": entries });
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), document.to_string().into())))
    }
}

/// What an entry of a request says.
fn entry(entry: &Value) -> EventRecord {
    assert_eq!((&entry["EventBusName"], &entry["Source"]), (&json!("bus"), &json!(SOURCE)));
    // The record's time, 2026-03-12T12:31:05.25Z, in whole seconds.
    assert_eq!(entry["Time"], 1_773_318_665);
    EventRecord {
        detail_type: entry["DetailType"].as_str().unwrap().to_owned(),
        detail: entry["Detail"].as_str().unwrap().to_owned(),
        occurred_at: "2026-03-12T12:31:05.25Z".parse().unwrap(),
    }
}

/// What an entry of an answer says.
fn answer(n: usize, taken: bool) -> Value {
    match taken {
        true => json!({ "EventId": format!("11710aed-b79e-4468-a20b-bb3c0c3b486{n}") }),
        false => json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "try again" }),
    }
}

/// The function, with EventBridge between it and the world; its client behaves as the functions' does, see
/// [`slipstream_common::sdk`].
fn publisher(world: &World, manner: Manner) -> Publisher<EventBridge, World> {
    let wire = SharedHttpConnector::new(Wire { world: world.clone(), manner, requests: Arc::default() });
    let seconds = std::time::Duration::from_secs;
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(seconds(5)).operation_timeout(seconds(12)).build();
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials())
        .http_client(http_client_fn(move |_, _| wire.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(timeouts)
        .build();
    Publisher::new(EventBridge::new(&sdk, "bus"), world.clone())
}

fn credentials() -> aws_sdk_s3::config::SharedCredentialsProvider {
    let credentials = aws_sdk_s3::config::Credentials::new("id", "secret", None, None, "test");
    aws_sdk_s3::config::SharedCredentialsProvider::new(credentials)
}

/// Every pattern of refused entries in an answer: those are sent again, and no others.
#[tokio::test(start_paused = true)]
async fn an_answer_is_read_entry_by_entry() {
    let mapping = Mapping::of_template(ANY);
    for (_, pattern) in patterns() {
        let world = ten(pattern, Refusal::Times(1));
        let outcome = world.deliver_to(&publisher(&world, Manner::WithEntries), &mapping, &[]).await;
        assert_eq!((outcome.deliveries.len(), outcome.discarded.len()), (1, 0));
        let refused: Vec<usize> = (0..10).filter(|n| pattern[*n]).collect();
        assert_eq!(world.calls(), [(0..10).collect(), refused]);
        assert_eq!(world.done(), [1; 10]);
    }
}

/// What is no answer, or none for an entry, takes nothing: all that it leaves out is sent again, in the end by the stream.
#[tokio::test(start_paused = true)]
async fn what_is_no_answer_takes_nothing() {
    for times in [1, 4, 20] {
        let manners = [400, 413, 429, 500, 503].map(|status| Manner::Failing(status, times));
        for manner in manners.into_iter().chain([Manner::Silent(times), Manner::Short(times)]) {
            let world = ten([false; 10], Refusal::Always);
            let outcome = world.deliver_to(&publisher(&world, manner), &Mapping::of_template(ANY), &[]).await;
            assert!(outcome.discarded.is_empty(), "{manner:?}");
            assert!(world.done().iter().all(|done| *done > 0), "{manner:?}");
        }
    }
}
