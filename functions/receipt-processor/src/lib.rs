//! Reads uploaded receipts: S3 notifies a queue, the queue starts this function.
//!
//! For each new object: take the lease, make thumbnails, have the receipt read (the analysis is kept in S3, so that
//! a redelivery does not pay for it twice), and write the outcome: in one transaction the receipt is `read`, the
//! expense is drafted and both events are in the outbox. What cannot be read becomes `failed` with a named reason;
//! the original stays. A death between any two calls is mended by the next delivery.
//!
//! It must not decide what a draft needs to be submitted, and must not touch the original.
//!
//! To test: `cargo test -p receipt-processor`; the whole path end to end in `tests/`.

pub mod analyses;
pub mod notification;
pub mod objects;
pub mod textract;

use std::time::Duration;

use analyses::{Analyses, AnalysisError};
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use jiff::{SignedDuration, Timestamp, tz};
use objects::{Objects, Unavailable};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use slipstream_common::{
    Fault, keys,
    metrics::Metrics,
    queue::{BatchResponse, Message, each},
    records::{Lease, ReceiptRecord},
    settings::{Settings, SettingsError},
    store::{ChangeError, Store, add_expense_change, add_receipt_change, add_receipt_failure, receipt_cause},
    table::{Condition, StoreError, Table, Transaction, number, text},
};
use slipstream_domain::{
    analysis::Analysis,
    category::Suggestion,
    expense::{Command, decide},
    reading::{self, Reading},
};
use slipstream_events::{Cause, Currency, Drafted, EventBody, FailureReason, ReceiptRead, ReceiptStatus};
use textract::ReadingError;

/// How long a reader may work on a receipt before another may take over; longer than the function's timeout, so
/// that a lease ends only when its holder is gone. Bounds the time in which a receipt may be paid for twice.
const LEASE: SignedDuration = SignedDuration::from_secs(150);

/// How long making the pictures may take.
const PICTURE_SECONDS: u64 = 60;
/// How many readers may die over a receipt before it counts as damaged.
const MAX_DEATHS: u32 = 3;

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Processor {
    store: Store,
    objects: Objects,
    textract: aws_sdk_textract::Client,
    company_currency: Currency,
}

/// Why a receipt is not finished; the message is delivered again.
#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error(transparent)]
    NotANotification(#[from] notification::NotANotification),
    #[error("the object `{0}` is none that was announced")]
    UnknownObject(String),
    #[error("another invocation is reading the receipt")]
    Leased,
    #[error(transparent)]
    Bucket(#[from] Unavailable),
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("the reading cannot be kept: {0}")]
    Reading(#[from] serde_json::Error),
}

impl From<StoreError> for ProcessError {
    fn from(error: StoreError) -> Self {
        Self::Change(error.into())
    }
}

/// What came of looking at a file.
enum Outcome {
    Analysed(Analysis),
    Failed(FailureReason),
}

impl Processor {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        let mut settings = Settings::new();
        let table = settings.text("TABLE_NAME");
        let bucket = settings.text("RECEIPT_BUCKET");
        let company_currency = settings.parsed("COMPANY_CURRENCY", "an ISO 4217 code", Currency::EUR);
        settings.finish(Self {
            store: Store::new(Table::new(sdk, table)),
            objects: Objects::new(Client::new(sdk), bucket),
            textract: textract::client(sdk, textract::ATTEMPT),
            company_currency,
        })
    }

    /// Reads every receipt that the batch names.
    ///
    /// # Errors
    /// When `event` is not a batch of messages.
    pub async fn handle(&self, event: Value, invocation: String) -> Result<BatchResponse, Fault> {
        Ok(each(&event, async |message: Message| self.message(&message, &invocation).await).await?)
    }

    async fn message(&self, message: &Message, invocation: &str) -> Result<(), ProcessError> {
        for created in notification::created(&message.body)? {
            let known = notification::parse_key(&created.key);
            let (owner, id) = known.ok_or_else(|| ProcessError::UnknownObject(created.key.clone()))?;
            let record = self.store.receipt(id).await?.filter(|record| record.state.owner == owner);
            let record = record.ok_or_else(|| ProcessError::UnknownObject(created.key.clone()))?;
            let span = tracing::info_span!("receipt", receipt.id = %id, correlation.id = record.correlation_id);
            use tracing::Instrument as _;
            self.receipt(record, created.version, &format!("{invocation}/{}", message.id)).instrument(span).await?;
        }
        Ok(())
    }

    async fn receipt(&self, record: ReceiptRecord, version: Option<String>, holder: &str) -> Result<(), ProcessError> {
        if record.state.status != ReceiptStatus::AwaitingUpload {
            tracing::info!(receipt.status = %record.state.status, "delivered again after it was finished");
            return Ok(());
        }
        let Some(record) = self.take_lease(record, version, holder).await? else { return Ok(()) };
        if record.deaths >= MAX_DEATHS {
            tracing::error!(deaths = record.deaths, "readers die over this receipt");
            return self.conclude(record, Outcome::Failed(FailureReason::Damaged)).await;
        }
        let mut record = record;
        let concluded = match self.look(&mut record, holder).await {
            Ok(outcome) => self.conclude(record.clone(), outcome).await,
            Err(error) => Err(error),
        };
        if concluded.is_err() {
            self.release(record).await;
        }
        concluded
    }

    /// Takes the lease, or finds the receipt finished (`None`), or held by another.
    async fn take_lease(
        &self,
        mut record: ReceiptRecord,
        version: Option<String>,
        holder: &str,
    ) -> Result<Option<ReceiptRecord>, ProcessError> {
        let now = Timestamp::now();
        if record.lease.as_ref().is_some_and(|lease| lease.held_by_other(holder, now)) {
            return Err(ProcessError::Leased);
        }
        let before = record.lease.take();
        // A lease that nobody gave back is that of a reader that died.
        record.deaths += u32::from(before.as_ref().is_some_and(|before| before.holder != holder));
        record.lease = Some(Lease { holder: holder.to_owned(), until: now + LEASE });
        record.uploaded_at.get_or_insert(now);
        record.object_version = version.or(record.object_version);
        let mut condition =
            Condition::new("#status = :status AND #version = :version AND attribute_not_exists(#lease)");
        if let Some(before) = before {
            condition = Condition::new("#status = :status AND #version = :version AND #lease.#holder = :before")
                .name("#holder", "holder")
                .value(":before", text(before.holder));
        }
        let condition = condition
            .name("#status", "status")
            .name("#version", "version")
            .name("#lease", "lease")
            .value(":status", text(ReceiptStatus::AwaitingUpload))
            .value(":version", number(record.state.version));
        let mut transaction = Transaction::default();
        transaction.put(&keys::receipt(record.state.id), record.to_item()?, Some(condition));
        match self.store.table.commit(transaction).await {
            Ok(()) => Ok(Some(record)),
            Err(StoreError::Condition(_)) => {
                let now = self.store.receipt(record.state.id).await?;
                let finished = now.is_none_or(|now| now.state.status != ReceiptStatus::AwaitingUpload);
                if finished { Ok(None) } else { Err(ProcessError::Leased) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the lease back, so that the next attempt need not wait for its end. That this fails is no harm.
    async fn release(&self, record: ReceiptRecord) {
        let Some(lease) = &record.lease else { return };
        let condition = Condition::new("#lease.#holder = :holder AND #version = :version")
            .name("#lease", "lease")
            .name("#holder", "holder")
            .name("#version", "version")
            .value(":holder", text(&lease.holder))
            .value(":version", number(record.state.version));
        let released = ReceiptRecord { lease: None, ..record };
        let mut transaction = Transaction::default();
        let Ok(item) = released.to_item() else { return };
        transaction.put(&keys::receipt(released.state.id), item, Some(condition));
        if let Err(error) = self.store.table.commit(transaction).await {
            tracing::warn!(%error, "the lease ends by itself");
        }
    }

    /// Looks at the file: makes the pictures, keeps them, and has the pages read.
    async fn look(&self, record: &mut ReceiptRecord, holder: &str) -> Result<Outcome, ProcessError> {
        let (key, version) = (record.object_key("original"), record.object_version.clone());
        let original = self.objects.get(&key, version).await?.ok_or(ProcessError::UnknownObject(key))?;
        if original.length != record.state.size_bytes {
            return Ok(Outcome::Failed(FailureReason::HashMismatch));
        }
        let bytes = original.bytes().await?;
        if hex::encode(Sha256::digest(&bytes)) != record.state.sha256 {
            return Ok(Outcome::Failed(FailureReason::HashMismatch));
        }
        let making = tokio::task::spawn_blocking(move || slipstream_pictures::prepare(&bytes));
        let prepared = match tokio::time::timeout(Duration::from_secs(PICTURE_SECONDS), making).await {
            Ok(Ok(Ok(prepared))) => prepared,
            Ok(Ok(Err(reason))) => return Ok(Outcome::Failed(reason)),
            // A decoder that panics on these bytes, or finds no end, will do so again.
            Ok(Err(_)) | Err(_) => return Ok(Outcome::Failed(FailureReason::Damaged)),
        };
        let (pages, page_count) = (prepared.pages.len(), prepared.page_count);
        let (mut shown, mut read) = (Vec::new(), Vec::new());
        for (page, number) in prepared.pages.into_iter().zip(1..) {
            shown.push((record.picture_key("preview", number), page.preview));
            shown.push((record.picture_key("thumbnail", number), page.thumbnail));
            read.push(page.reading);
        }
        let keep = async {
            for (key, picture) in shown {
                self.objects.put(key, "image/jpeg", picture).await?;
            }
            Ok(())
        };
        let analyses = Analyses { objects: &self.objects, table: &self.store.table, textract: &self.textract, holder };
        let read = async {
            match analyses.of(&record.state.sha256, read).await {
                Ok(analysis) => Ok(Outcome::Analysed(analysis)),
                Err(AnalysisError::Reading(ReadingError::Refused(code))) => {
                    tracing::warn!(code, "the reading service refuses the document");
                    Ok(Outcome::Failed(FailureReason::RefusedByReader))
                }
                Err(error) => Err(ProcessError::from(error)),
            }
        };
        // Neither ends the other: a reading that is under way is paid for.
        let (kept, outcome): (Result<(), ProcessError>, _) = tokio::join!(keep, read);
        kept?;
        record.pages = u32::try_from(pages).unwrap_or(u32::MAX);
        record.page_count = page_count;
        outcome
    }

    /// The draft that an analysis leads to, and what it was made of, kept for its owner to choose from.
    async fn read(&self, record: &ReceiptRecord, analysis: &Analysis) -> Result<Option<Reading>, ProcessError> {
        let owner = self.store.person(record.state.owner).await?;
        let context = reading::Context {
            currency: owner.and_then(|owner| owner.state.currency).or(Some(self.company_currency)),
            latest_date: Timestamp::now().to_zoned(tz::TimeZone::fixed(tz::offset(14))).date(),
        };
        let Some(mut reading) = reading::read(analysis, context) else { return Ok(None) };
        if let Some(merchant) = reading.details().merchant
            && let Some(category) = self.store.habit(record.state.owner, &merchant).await?
        {
            reading.category = Suggestion::corrected(category);
        }
        let kept = serde_json::to_vec(&reading)?;
        self.objects.put(record.object_key("reading.json"), "application/json", kept).await?;
        Ok(Some(reading))
    }

    /// Writes what came of it: the receipt, the draft and their events, all or nothing.
    async fn conclude(&self, before: ReceiptRecord, outcome: Outcome) -> Result<(), ProcessError> {
        let now = Timestamp::now();
        let cause = receipt_cause("receipt-processor", &before, now);
        let draft = match outcome {
            Outcome::Failed(reason) => Err(reason),
            Outcome::Analysed(analysis) => self.read(&before, &analysis).await?.ok_or(FailureReason::NothingRecognised),
        };
        let mut transaction = Transaction::default();
        let condition = Condition::new("#version = :version AND #lease.#holder = :holder")
            .name("#version", "version")
            .name("#lease", "lease")
            .name("#holder", "holder")
            .value(":version", number(before.state.version))
            .value(":holder", text(before.lease.as_ref().map_or("", |lease| lease.holder.as_str())));
        let metrics;
        match draft {
            Err(reason) => {
                metrics = Metrics::new().count("ReceiptsFailed", 1).by("Reason", reason);
                add_receipt_failure(&mut transaction, &before, reason, condition, &cause)?;
                tracing::info!(%reason, "the receipt cannot be read");
            }
            Ok(reading) => {
                let expense = before.drafted_expense();
                let mut after = ReceiptRecord { lease: None, ..before.clone() };
                after.state.version += 1;
                after.state.status = ReceiptStatus::Read;
                after.state.expense = Some(expense);
                let waited = before.uploaded_at.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
                let duration_ms = u64::try_from(waited.as_millis()).unwrap_or_default();
                metrics = Metrics::new()
                    .count("ReceiptsRead", 1)
                    .seconds("SecondsToDraft", waited)
                    .share("ReadingConfidence", reading.receipt().confidence());
                let body = ReceiptRead { receipt: after.state.clone(), duration_ms };
                let body = EventBody::ReceiptRead(Box::new(body));
                let event = add_receipt_change(&mut transaction, &after, condition, body, &cause)?;
                let drafted = Drafted {
                    id: expense,
                    owner: before.state.owner,
                    details: reading.details(),
                    receipt: Some(before.state.id),
                    receipt_sha256: Some(before.state.sha256.clone()),
                    review: reading.review,
                    split: None,
                };
                let change = decide(None, Command::Draft(Box::new(drafted))).map_err(ChangeError::from)?;
                let cause = Cause { causation_id: Some(event.metadata.id.to_string()), ..cause };
                add_expense_change(&mut transaction, None, change, &cause)?;
                tracing::info!(expense.id = %expense, duration_ms, "drafted");
            }
        }
        match self.store.table.commit(transaction).await {
            Ok(()) => {
                metrics.emit();
                Ok(())
            }
            Err(StoreError::Condition(_)) => match self.store.receipt(before.state.id).await? {
                Some(now) if now.state.status != ReceiptStatus::AwaitingUpload => Ok(()),
                _ => Err(ProcessError::Leased),
            },
            Err(error) => Err(error.into()),
        }
    }
}
