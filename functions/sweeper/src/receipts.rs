//! Receipts whose upload nobody noticed, or whose reader died, are put in the queue again, as S3 would.

use aws_sdk_s3::{error::DisplayErrorContext, operation::head_object::HeadObjectError};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use slipstream_common::{
    keys::{self, Index, Open},
    metrics::Metrics,
    records::ReceiptRecord,
    store::{add_receipt_failure, receipt_cause},
    table::{Condition, IndexQuery, StoreError, Transaction, text},
};
use slipstream_events::{FailureReason, ReceiptId, ReceiptStatus};

use crate::{SweepError, Sweeper, Tally};

/// How long a receipt is tried before it is given up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// How long a receipt that was put in the queue again is left there: longer than the queue takes to try a message five
/// times, so that messages do not pile up.
const PAUSE: SignedDuration = SignedDuration::from_mins(75);

impl Sweeper {
    /// Puts receipts in the queue again that were announced before `before`, are not finished, have their bytes in
    /// the bucket, and are in nobody's hands. After a day it gives up: what was uploaded ends as `failed`, so that its
    /// owner is told, and what was not is no longer looked for; should it be uploaded yet, S3 says so.
    pub(crate) async fn requeue(&self, before: Timestamp) -> Result<usize, SweepError> {
        let query =
            IndexQuery { until: Some(keys::instant(before)), ..IndexQuery::of(Index::Open, Open::Receipt.pk()) };
        let waiting: Vec<ReceiptRecord> = self.store.table.query_all(&query).await?;
        let mut tally = Tally::default();
        for record in waiting {
            tally.note(record.state.id, self.requeue_one(record.state.id, Timestamp::now()).await);
        }
        tally.finish()
    }

    async fn requeue_one(&self, id: ReceiptId, now: Timestamp) -> Result<bool, SweepError> {
        let Some(record) = self.store.receipt(id).await? else { return Ok(false) };
        let held = record.lease.as_ref().is_some_and(|lease| lease.until > now);
        let queued = record.requeued_at.is_some_and(|at| now < at + PAUSE);
        if held || queued || record.state.status != ReceiptStatus::AwaitingUpload {
            return Ok(false);
        }
        match self.uploaded(&record).await? {
            Some(upload) if upload.at + GIVE_UP < now => self.fail(&record, now).await.map(|()| false),
            Some(upload) => {
                self.note_requeued(&record, now).await?;
                self.send(&record, upload.version).await?;
                Ok(true)
            }
            None if record.announced_at + GIVE_UP < now => self.forget(&record).await.map(|()| false),
            None => Ok(false),
        }
    }

    async fn note_requeued(&self, record: &ReceiptRecord, now: Timestamp) -> Result<(), SweepError> {
        let condition = Condition::version(record.state.version).value(":now", text(now));
        let mut transaction = Transaction::default();
        transaction.update(&keys::receipt(record.state.id), "SET requeued_at = :now", condition);
        self.unless_changed(transaction).await
    }

    async fn send(&self, record: &ReceiptRecord, version: Option<String>) -> Result<(), SweepError> {
        let object = json!({ "key": record.object_key("original"), "versionId": version });
        let body = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": { "object": object } }] });
        let message = self.sqs.send_message().queue_url(&self.receipt_queue).message_body(body.to_string());
        let sent = message.send().await;
        sent.map_err(|error| SweepError::Unavailable("the queue", DisplayErrorContext(error).to_string()))?;
        tracing::info!(receipt.id = %record.state.id, "put in the queue again");
        Ok(())
    }

    async fn fail(&self, record: &ReceiptRecord, now: Timestamp) -> Result<(), SweepError> {
        let mut transaction = Transaction::default();
        let cause = receipt_cause("sweeper", record, now);
        let condition = Condition::version(record.state.version);
        let reason = FailureReason::ReadingUnavailable;
        add_receipt_failure(&mut transaction, record, reason, condition, &cause)?;
        tracing::error!(receipt.id = %record.state.id, "a receipt could not be read for a day and is given up");
        match self.store.table.commit(transaction).await {
            Ok(()) => Metrics::new().count("ReceiptsFailed", 1).by("Reason", reason).emit(),
            // Something else was faster.
            Err(StoreError::Condition(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn forget(&self, record: &ReceiptRecord) -> Result<(), SweepError> {
        let condition =
            Condition::version(record.state.version).name("#pk", Index::Open.pk()).name("#sk", Index::Open.sk());
        let mut transaction = Transaction::default();
        transaction.update(&keys::receipt(record.state.id), "REMOVE #pk, #sk", condition);
        self.unless_changed(transaction).await
    }

    /// Commits; that something else was faster is fine.
    pub(crate) async fn unless_changed(&self, transaction: Transaction) -> Result<(), SweepError> {
        match self.store.table.commit(transaction).await {
            Ok(()) | Err(StoreError::Condition(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The uploaded object; `None` while nothing was uploaded.
    async fn uploaded(&self, record: &ReceiptRecord) -> Result<Option<Upload>, SweepError> {
        let head = self.s3.head_object().bucket(&self.bucket).key(record.object_key("original")).send().await;
        match head {
            Ok(object) => {
                let seconds = object.last_modified.map(|at| at.secs());
                let at =
                    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(record.announced_at);
                Ok(Some(Upload { version: object.version_id, at }))
            }
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(SweepError::Unavailable("the bucket", DisplayErrorContext(error).to_string())),
        }
    }
}

/// An uploaded object.
struct Upload {
    version: Option<String>,
    at: Timestamp,
}
