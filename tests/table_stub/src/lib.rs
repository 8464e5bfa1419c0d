//! A DynamoDB table in memory that counts what it is asked.
//!
//! The emulator's paging and capacity figures mean nothing, and its speed is not ours. This stub speaks DynamoDB's JSON
//! for the operations that the functions use, pages as DynamoDB does (by `Limit` and by 1 MB), and records every
//! request: its index, its `Limit`, whether it was consistent, and its read units by DynamoDB's rules
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>). What it does not
//! know it refuses, so that a test cannot pass by accident.
//!
//! It also gives out objects, as S3 does for `GetObject`, so that functions which read one work.
//!
//! It knows nothing of Slipstream but the names of the keys: `PK`, `SK` and `GSI1PK` to `GSI4SK`.
//!
//! To test: `cargo test -p slipstream-table-stub`; its tests are those of the costs of requests (`costs`), of the races of
//! approvals (`approvals`) and of the deliveries of events (`consumers`), too.

mod expression;
pub mod gate;
mod server;
mod size;
mod table;

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use serde_json::{Map, Value};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::table::Table;

/// The table's name, whatever is asked for.
pub const TABLE: &str = "stub";

/// An item as DynamoDB's JSON has it: names and typed values.
pub type Item = Map<String, Value>;

/// What was asked of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `GetItem`, `Query`, `TransactWriteItems` and so on; `GetObject`.
    pub operation: String,
    /// Which index was queried; none for the table itself.
    pub index: Option<String>,
    /// The query's `Limit`.
    pub limit: Option<u64>,
    /// Whether the read was strongly consistent.
    pub consistent: bool,
    /// How many items were looked at.
    pub items: usize,
    /// Read units: 4 KB each, half as much for reads that are eventually consistent.
    pub read_units: f64,
}

/// A running stub. It stops when it is dropped.
#[derive(Debug)]
pub struct Stub {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    state: Arc<Mutex<State>>,
    runtime: Option<Runtime>,
}

#[derive(Debug, Default)]
struct State {
    table: Table,
    /// By bucket and key, as in their path.
    objects: HashMap<String, Vec<u8>>,
    asked: Vec<Asked>,
    fault: Option<Fault>,
}

/// A request that is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// How many requests are answered before.
    pub after: usize,
    /// Whether it has its effect all the same.
    pub has_effect: bool,
}

/// The SDK's configuration that leads to the stub at this address, of this or another process.
pub fn sdk(url: &str) -> SdkConfig {
    configuration(url, aws_smithy_http_client::Builder::new().build_http())
}

impl Stub {
    /// Starts one on a free port of this machine, on a thread of its own: what is measured beside it is not it.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State::default()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let routes = server::routes(Arc::clone(&state));
        runtime.spawn(async move {
            if let Ok(listener) = TcpListener::from_std(listener) {
                // Serves until the runtime is shut down; accepting never fails for good.
                let _ = axum::serve(listener, routes).await;
            }
        });
        Ok(Self { url, state, runtime: Some(runtime) })
    }

    /// One that nothing listens for: whoever carries the calls to it calls [`Stub::answer`].
    pub fn detached() -> Self {
        Self { url: NOWHERE.to_owned(), state: Arc::default(), runtime: None }
    }

    /// Another one with the same items, detached.
    pub fn copy(&self) -> Self {
        let copy = Self::detached();
        copy.lock().table = self.lock().table.clone();
        copy
    }

    /// Does what a call to `target` asks, such as `DynamoDB_20120810.GetItem`; the HTTP status and the document to
    /// answer.
    pub fn answer(&self, target: &str, body: &[u8]) -> (u16, Value) {
        self.lock().answer(target, body)
    }

    /// The SDK's configuration that leads here.
    pub fn sdk(&self) -> SdkConfig {
        sdk(&self.url)
    }

    /// The SDK's configuration that has `http` carry every call, whichever service it is for.
    pub fn sdk_by(http: SharedHttpClient) -> SdkConfig {
        configuration(NOWHERE, http)
    }

    /// Puts an item, unasked and unrecorded.
    pub fn put(&self, item: Item) {
        self.lock().table.put(item);
    }

    /// Puts an object of a bucket, at `bucket/key`.
    pub fn put_object(&self, path: &str, bytes: Vec<u8>) {
        self.lock().objects.insert(path.to_owned(), bytes);
    }

    /// Every item, in the order of the keys.
    pub fn items(&self) -> Vec<Item> {
        self.lock().table.items().cloned().collect()
    }

    /// Leaves one of the requests from now on unanswered.
    pub fn fail(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// Whether the fault has yet to happen; it is called off.
    pub fn take_fault(&self) -> bool {
        self.lock().fault.take().is_some()
    }

    /// What was asked since the last time.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.lock().asked)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where nothing listens.
const NOWHERE: &str = "http://nowhere.invalid";

fn configuration(url: &str, http: SharedHttpClient) -> SdkConfig {
    let credentials = Credentials::new("stub", "stub", None, None, "stub");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

impl Drop for Stub {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
