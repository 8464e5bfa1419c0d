//! Receipts whose upload nobody noticed, or whose reader died, are put in the queue again, as S3 would.

use aws_sdk_s3::error::DisplayErrorContext;
use jiff::Timestamp;
use serde_json::json;
use slipstream_common::{
    keys::{self, Index, Open},
    records::ReceiptRecord,
    table::IndexQuery,
};
use slipstream_events::ReceiptStatus;

use crate::{SweepError, Sweeper};

impl Sweeper {
    /// Puts receipts in the queue again that were announced before `before`, are not finished, have their bytes in
    /// the bucket, and are in nobody's hands.
    pub(crate) async fn requeue(&self, before: Timestamp) -> Result<usize, SweepError> {
        let query =
            IndexQuery { until: Some(keys::instant(before)), ..IndexQuery::of(Index::Open, Open::Receipt.pk()) };
        let waiting: Vec<ReceiptRecord> = self.store.table.query_all(&query).await?;
        let now = Timestamp::now();
        let mut requeued = 0;
        for record in waiting {
            let Some(record) = self.store.receipt(record.state.id).await? else { continue };
            let held = record.lease.as_ref().is_some_and(|lease| lease.until > now);
            if held || record.state.status != ReceiptStatus::AwaitingUpload {
                continue;
            }
            let Some(version) = self.uploaded_version(&record).await? else { continue };
            let object = json!({ "key": record.object_key("original"), "versionId": version });
            let body = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": { "object": object } }] });
            let message = self.sqs.send_message().queue_url(&self.receipt_queue).message_body(body.to_string());
            let sent = message.send().await;
            sent.map_err(|error| SweepError::Unavailable("the queue", DisplayErrorContext(error).to_string()))?;
            tracing::info!(receipt.id = %record.state.id, "put in the queue again");
            requeued += 1;
        }
        Ok(requeued)
    }

    /// The version of the uploaded object; `None` while nothing was uploaded.
    async fn uploaded_version(&self, record: &ReceiptRecord) -> Result<Option<Option<String>>, SweepError> {
        let head = self.s3.head_object().bucket(&self.bucket).key(record.object_key("original")).send().await;
        match head {
            Ok(object) => Ok(Some(object.version_id)),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(None),
            Err(error) => Err(SweepError::Unavailable("the bucket", DisplayErrorContext(error).to_string())),
        }
    }
}
