//! Exports: CSV files, zip files with receipts, and what is known of one person; and the erasure of a person.
//!
//! Over HTTP they are asked for, looked at and fetched. They are made in the background, from messages of a queue, in
//! parts that can be resumed ([`assembly`]): a function has minutes, an export may take hours.
//!
//! It must not decide what an expense is, nor change one, but for the erasure of drafts that were never submitted.
//!
//! To test: `cargo test -p exports`; end to end in `tests/`.

pub mod accounts;
pub mod archive;
pub mod assembly;
pub mod bucket;
pub mod cells;
pub mod erasure;
pub mod error;
pub mod record;
pub mod requests;
pub mod source;
pub mod worker;

use aws_config::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use slipstream_common::{
    Fault,
    background::Work,
    caller,
    http::{Response, serve},
    problem::Problem,
    queue::{BatchResponse, Message, each},
    settings::{Settings, SettingsError},
    store::Store,
    table::Table,
};
use slipstream_events::Role;
use tracing::Instrument as _;

use crate::{
    accounts::Accounts,
    bucket::Bucket,
    erasure::Terms,
    error::WorkError,
    worker::{Queue, Shift, Worker},
};

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Exports {
    worker: Worker,
    terms: Terms,
    budget: SignedDuration,
    web_origin: String,
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To the gateway.
    Http(Response),
    /// To the queue.
    Batch(BatchResponse),
}

impl Exports {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        Self::new(sdk, Settings::new())
    }

    /// By these settings.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn new(sdk: &SdkConfig, mut settings: Settings) -> Result<Self, SettingsError> {
        let table = settings.text("TABLE_NAME");
        let mut days = |name: &str| settings.parsed(name, "a number of days", 0);
        let terms = Terms {
            receipt_days: days("RECEIPT_RETENTION_DAYS"),
            archive_days: days("ARCHIVE_RETENTION_DAYS"),
            log_days: days("LOG_RETENTION_DAYS"),
            ticket_seconds: settings.parsed("TICKET_SECONDS", "a number of seconds", 0),
        };
        let exports = Self {
            worker: Worker {
                store: Store::new(Table::new(sdk, table)),
                receipts: Bucket::new(sdk, settings.text("RECEIPT_BUCKET")),
                exports: Bucket::new(sdk, settings.text("EXPORT_BUCKET")),
                accounts: Accounts::new(sdk, settings.text("USER_POOL_ID")),
                queue: Queue::new(sdk, settings.text("EXPORTS_QUEUE_URL")),
                max_receives: settings.parsed("MAX_RECEIVES", "a number", 0),
            },
            terms,
            budget: SignedDuration::from_secs(settings.parsed("WORK_SECONDS", "a number of seconds", 0)),
            web_origin: settings.text("WEB_ORIGIN"),
        };
        settings.finish(exports)
    }

    /// Answers a request of the gateway, or goes on with what a batch of messages names.
    ///
    /// # Errors
    /// When `event` is neither.
    pub async fn handle(&self, event: Value, invocation: &str, deadline_ms: u64) -> Result<Answer, Fault> {
        if event.get("Records").is_none() {
            return self.answer(event).await.map(Answer::Http);
        }
        let began = Timestamp::now();
        let deadline = i64::try_from(deadline_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let deadline = deadline.unwrap_or(began);
        let shift = Shift { holder: invocation.to_owned(), deadline, budget: self.budget, began };
        let batch = each(&event, async |message: Message| self.work(&message, &shift).await).await?;
        Ok(Answer::Batch(batch))
    }

    async fn work(&self, message: &Message, shift: &Shift) -> Result<(), WorkError> {
        let work: Work = serde_json::from_str(&message.body).map_err(|_| WorkError::Message)?;
        match work {
            Work::Export { id, checkpoint } => {
                let span = tracing::info_span!("export", export.id = %id);
                self.worker.export(id, checkpoint, message, shift).instrument(span).await
            }
            Work::Erasure { person } => {
                let span = tracing::info_span!("erasure", person.id = %person);
                erasure::go_on(&self.worker, self.terms, person, message, shift).instrument(span).await
            }
        }
    }

    async fn answer(&self, event: Value) -> Result<Response, Fault> {
        serve(event, &self.web_origin, async |request| {
            let caller = caller::authenticate(&request, &self.worker.store).await?;
            match (request.http_method.as_str(), request.resource.as_str()) {
                ("POST", "/exports") => self.worker.ask(&caller, &request).await,
                ("GET", "/exports") => self.worker.list(caller.state.id, &request).await,
                ("GET", "/exports/{export_id}") => self.worker.look(&caller, &request).await,
                (_, "/people/{person_id}/erasure") if !caller.state.roles.contains(&Role::Administrator) => {
                    Err(Problem::role())
                }
                ("POST", "/people/{person_id}/erasure") => {
                    erasure::ask(&self.worker, self.terms, caller.state.id, &request).await
                }
                ("GET", "/people/{person_id}/erasure") => erasure::look(&self.worker, &request).await,
                _ => Err(Problem::method_not_allowed()),
            }
        })
        .await
    }
}
