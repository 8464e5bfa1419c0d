//! Erases the files of receipts that were deleted: every version of the photo, its pictures and its reading; and the
//! analysis of its bytes, once no expense is made of the same bytes any more.

use aws_sdk_s3::{
    error::DisplayErrorContext,
    types::{Delete, ObjectIdentifier},
};
use jiff::Timestamp;
use slipstream_common::{
    keys::{self, Index, MARK_PREFIX, Open},
    records::{MarkRecord, ReceiptRecord},
    table::{Condition, IndexQuery, StoreError, Transaction, text},
};
use slipstream_events::{ReceiptId, ReceiptStatus};

use crate::{SweepError, Sweeper, Tally};

impl Sweeper {
    /// Erases what was deleted before `before`. A receipt that was announced anew in between keeps its files.
    pub(crate) async fn erase(&self, before: Timestamp) -> Result<usize, SweepError> {
        let query =
            IndexQuery { until: Some(keys::instant(before)), ..IndexQuery::of(Index::Open, Open::Erasure.pk()) };
        let deleted: Vec<ReceiptRecord> = self.store.table.query_all(&query).await?;
        let mut tally = Tally::default();
        for record in deleted {
            tally.note(record.state.id, self.erase_one(record.state.id).await);
        }
        tally.finish()
    }

    async fn erase_one(&self, id: ReceiptId) -> Result<bool, SweepError> {
        let Some(record) = self.store.receipt(id).await? else { return Ok(false) };
        if record.state.status != ReceiptStatus::Deleted || record.erased_at.is_some() {
            return Ok(false);
        }
        if !self.erase_files(&record.object_key(""), &record).await? {
            return Ok(false);
        }
        let same_file = keys::same_file(&record.state.sha256);
        let marks: Vec<MarkRecord> = self.store.table.beginning_with(&same_file, MARK_PREFIX, 1).await?;
        if marks.is_empty() {
            self.erase_files(&format!("analyses/{}/", record.state.sha256), &record).await?;
        }
        let condition = Condition::version(record.state.version)
            .name("#pk", Index::Open.pk())
            .name("#sk", Index::Open.sk())
            .value(":now", text(Timestamp::now()));
        let mut transaction = Transaction::default();
        transaction.update(&keys::receipt(id), "SET erased_at = :now REMOVE #pk, #sk", condition);
        match self.store.table.commit(transaction).await {
            // Announced anew in between: what is uploaded then is of versions that were not listed.
            Ok(()) | Err(StoreError::Condition(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Erases every version of every object whose key begins with `prefix`, while `record` stays deleted: it is read
    /// again after the versions were listed, and only those are erased. Whether it stayed so.
    async fn erase_files(&self, prefix: &str, record: &ReceiptRecord) -> Result<bool, SweepError> {
        let unavailable = |error: String| SweepError::Unavailable("the bucket", error);
        loop {
            let listed = self.s3.list_object_versions().bucket(&self.bucket).prefix(prefix).send().await;
            let listed = listed.map_err(|error| unavailable(DisplayErrorContext(error).to_string()))?;
            let versions = listed.versions().iter().map(|version| (version.key(), version.version_id()));
            let markers = listed.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let objects: Vec<ObjectIdentifier> = versions
                .chain(markers)
                .filter_map(|(key, version)| {
                    ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
                })
                .collect();
            if objects.is_empty() {
                return Ok(true);
            }
            let now = self.store.receipt(record.state.id).await?;
            if now.is_none_or(|now| now.state.version != record.state.version) {
                return Ok(false);
            }
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let delete = delete.map_err(|error| unavailable(error.to_string()))?;
            let answer = self.s3.delete_objects().bucket(&self.bucket).delete(delete).send().await;
            let answer = answer.map_err(|error| unavailable(DisplayErrorContext(error).to_string()))?;
            if let Some(error) = answer.errors().first() {
                return Err(unavailable(format!("{} objects stay: {:?}", answer.errors().len(), error.code())));
            }
        }
    }
}
