//! Receipts over HTTP: `POST /receipts` gives an upload ticket, `GET /receipts/{receipt_id}` tells what became of it,
//! `GET /receipts/{receipt_id}/reading` what was made out on it.
//!
//! The ticket is a presigned PUT whose signed headers bind it to exactly the announced bytes, once: the length, the
//! media type, the SHA-256 and `if-none-match: *`. The bytes go straight to S3. It must not read or change them.
//!
//! To test: `cargo test -p receipts`; presigned URLs are tested against the running stack in `tests/`.

use std::{collections::BTreeMap, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client, error::DisplayErrorContext, operation::get_object::GetObjectError, presigning::PresigningConfig,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slipstream_common::{
    Fault,
    act::act,
    caller,
    http::{Request, Response, given, serve},
    keys,
    problem::{FieldError, Problem},
    records::{PersonRecord, ReceiptRecord},
    settings::{Settings, SettingsError},
    store::{ChangeError, Store, add_expense_change, add_receipt_change, add_receipt_deletion},
    table::{Condition, Table, Transaction, number},
    visible,
};
use slipstream_domain::{
    category::Suggestion,
    expense::{Command, decide},
    reading::{ReadReceipt, Reading},
};
use slipstream_events::{
    Cause, EventBody, ExpenseId, FailureReason, MediaType, PersonId, ReceiptAnnounced, ReceiptId, ReceiptState,
    ReceiptStatus, ReviewFinding,
};

/// The largest file that is accepted, in bytes.
pub const MAX_BYTES: u64 = 20 * 1024 * 1024;
/// The longest name of a file, in characters; it is not kept.
const MAX_FILE_NAME: usize = 255;
/// The name of the uploaded object.
const ORIGINAL: &str = "original";
/// How long a presigned view can be fetched, in seconds.
const VIEW_SECONDS: u64 = 300;

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Receipts {
    store: Store,
    s3: Client,
    bucket: String,
    ticket_seconds: u64,
    web_origin: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    sha256: String,
    size_bytes: u64,
    media_type: MediaType,
    /// What the file is called on the phone; only for the client's own use, never a key.
    #[serde(default, deserialize_with = "given")]
    file_name: Option<String>,
}

/// Whoever has it may upload the announced bytes, once, until it expires.
#[derive(Debug, Serialize)]
struct Ticket {
    method: &'static str,
    url: String,
    headers: BTreeMap<String, String>,
    expires_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct Answer {
    receipt: View,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<Ticket>,
}

/// A receipt as its owner sees it.
#[derive(Debug, Serialize)]
struct View {
    id: ReceiptId,
    status: ReceiptStatus,
    sha256: String,
    size_bytes: u64,
    media_type: MediaType,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expense_id: Option<ExpenseId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    views: BTreeMap<&'static str, String>,
    /// A picture of each page that was looked at; the boxes of the reading are on these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pages: Vec<PageView>,
    /// How many pages the file has.
    #[serde(skip_serializing_if = "Option::is_none")]
    page_count: Option<u32>,
}

#[derive(Debug, Serialize)]
struct PageView {
    page: u32,
    preview: String,
}

/// What was read, as the receipt's owner sees it.
#[derive(Debug, Serialize)]
struct ReadingView {
    /// Whether the draft may be submitted without a look at it.
    ready: bool,
    review: Vec<Finding>,
    category: Suggestion,
    /// Which of the receipts the draft was made of.
    drafted: usize,
    receipts: Vec<ReadReceipt>,
}

/// What to look at.
#[derive(Debug, Serialize)]
struct Finding {
    #[serde(flatten)]
    finding: ReviewFinding,
    message: String,
}

impl From<Reading> for ReadingView {
    fn from(reading: Reading) -> Self {
        let finding = |finding: ReviewFinding| Finding { finding, message: finding.message() };
        Self {
            ready: reading.review.is_empty(),
            review: reading.review.into_iter().map(finding).collect(),
            category: reading.category,
            drafted: reading.drafted,
            receipts: reading.receipts,
        }
    }
}

#[derive(Debug, Serialize)]
struct Failure {
    reason: FailureReason,
    message: &'static str,
}

impl View {
    fn new(record: &ReceiptRecord) -> Self {
        let state = &record.state;
        let seen = record.uploaded_at.is_some() && state.status == ReceiptStatus::AwaitingUpload;
        Self {
            id: state.id,
            status: if seen { ReceiptStatus::Processing } else { state.status },
            sha256: state.sha256.clone(),
            size_bytes: state.size_bytes,
            media_type: state.media_type,
            created_at: state.created_at,
            expense_id: None,
            failure: state.failure.map(|reason| Failure { reason, message: reason.message() }),
            views: BTreeMap::new(),
            pages: Vec::new(),
            page_count: (record.pages > 0).then_some(record.page_count),
        }
    }
}

/// What is wrong with an announcement, field by field.
fn faults(announcement: &Announcement) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, remedy: String| faults.push(FieldError { field: field.to_owned(), remedy });
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if announcement.sha256.len() != 64 || !announcement.sha256.bytes().all(hex) {
        fault("sha256", "give the SHA-256 of the file as 64 lower-case hexadecimal digits".to_owned());
    }
    if announcement.size_bytes == 0 {
        fault("size_bytes", "the file is empty; take the photo again".to_owned());
    } else if announcement.size_bytes > MAX_BYTES {
        fault("size_bytes", format!("send a file of at most {MAX_BYTES} bytes"));
    }
    if announcement.file_name.as_ref().is_some_and(|name| name.chars().count() > MAX_FILE_NAME) {
        fault("file_name", format!("give at most {MAX_FILE_NAME} characters, or leave it out"));
    }
    faults
}

/// Whether the bytes have not been seen yet.
fn awaited(record: &ReceiptRecord) -> bool {
    record.state.status == ReceiptStatus::AwaitingUpload && record.uploaded_at.is_none()
}

/// Adds to a transaction that a receipt that was never uploaded stands among the open work again, from now on: the
/// sweeper looks after it anew. Size and type are what is said now: a first announcement that got them wrong must not
/// block the bytes. Another size or type is a change of the receipt, and its event.
fn announce_again(
    transaction: &mut Transaction,
    mut record: ReceiptRecord,
    announcement: &Announcement,
    cause: &Cause,
) -> Result<(), ChangeError> {
    let before = record.state.clone();
    record.announced_at = cause.at;
    record.state.size_bytes = announcement.size_bytes;
    record.state.media_type = announcement.media_type;
    let condition = Condition::new("#version = :version AND attribute_not_exists(#lease)")
        .name("#version", "version")
        .name("#lease", "lease")
        .value(":version", number(before.version));
    if record.state == before {
        transaction.put(&keys::receipt(before.id), record.to_item()?, Some(condition));
        return Ok(());
    }
    record.state.version += 1;
    let body = EventBody::ReceiptAnnounced(Box::new(ReceiptAnnounced { receipt: record.state.clone() }));
    add_receipt_change(transaction, &record, condition, body, cause)?;
    Ok(())
}

/// Adds an announced receipt to a transaction, anew where it was deleted.
fn register(
    transaction: &mut Transaction,
    (id, owner): (ReceiptId, PersonId),
    deleted: Option<&ReceiptRecord>,
    announcement: &Announcement,
    cause: &Cause,
) -> Result<(), ChangeError> {
    let record = ReceiptRecord {
        state: ReceiptState {
            id,
            version: deleted.map_or(0, |deleted| deleted.state.version) + 1,
            owner,
            status: ReceiptStatus::AwaitingUpload,
            sha256: announcement.sha256.clone(),
            size_bytes: announcement.size_bytes,
            media_type: announcement.media_type,
            failure: None,
            expense: None,
            created_at: cause.at,
        },
        correlation_id: cause.correlation_id.to_string(),
        announced_at: cause.at,
        lease: None,
        object_version: None,
        deaths: 0,
        requeued_at: None,
        pages: 0,
        page_count: 0,
        uploaded_at: None,
        generation: deleted.map_or(0, |deleted| deleted.generation + 1),
        submitted: false,
        deleted_at: None,
        erased_at: None,
    };
    let condition = deleted.map_or_else(Condition::absent, |deleted| Condition::version(deleted.state.version));
    let body = EventBody::ReceiptAnnounced(Box::new(ReceiptAnnounced { receipt: record.state.clone() }));
    add_receipt_change(transaction, &record, condition, body, cause)?;
    Ok(())
}

impl Receipts {
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
        let receipts = Self {
            store: Store::new(Table::new(sdk, table)),
            s3: Client::new(sdk),
            bucket: settings.text("RECEIPT_BUCKET"),
            ticket_seconds: settings.parsed("TICKET_SECONDS", "a number of seconds", 0),
            web_origin: settings.text("WEB_ORIGIN"),
        };
        settings.finish(receipts)
    }

    /// Answers a request of the gateway.
    ///
    /// # Errors
    /// Only when `event` is not one.
    pub async fn handle(&self, event: Value) -> Result<Response, Fault> {
        serve(event, &self.web_origin, async |request| {
            let caller = caller::authenticate(&request, &self.store).await?;
            match (request.http_method.as_str(), request.resource.as_str()) {
                ("POST", "/receipts") => self.announce(caller.state.id, &request).await,
                ("GET", "/receipts/{receipt_id}") => self.read(&caller, &request).await,
                ("DELETE", "/receipts/{receipt_id}") => self.delete(caller.state.id, &request).await,
                ("GET", "/receipts/{receipt_id}/reading") => self.reading(&caller, &request).await,
                _ => Err(Problem::method_not_allowed()),
            }
        })
        .await
    }

    async fn announce(&self, owner: PersonId, request: &Request) -> Result<Response, Problem> {
        let announcement: Announcement = request.json()?;
        let faults = faults(&announcement);
        if !faults.is_empty() {
            return Err(Problem::invalid_fields(faults));
        }
        let id = ReceiptId::derived_from(&[&owner.to_string(), &announcement.sha256]);
        let announced = act(&self.store, request, owner, async |transaction: &mut Transaction| {
            let cause = request.cause(owner);
            let known = self.store.receipt(id).await?;
            let deleted = known.as_ref().filter(|known| known.state.status == ReceiptStatus::Deleted);
            let is_new = known.is_none() || deleted.is_some();
            match known.as_ref().filter(|_| !is_new) {
                Some(known) if awaited(known) => announce_again(transaction, known.clone(), &announcement, &cause)?,
                Some(_) => {}
                None => register(transaction, (id, owner), deleted, &announcement, &cause)?,
            }
            // Without the ticket, which is a credential, and soon over: every answer has a fresh one.
            let response = Response::new(if is_new { 201 } else { 200 }, "application/json", "");
            Ok(response.header("location", format!("receipts/{id}")))
        })
        .await?;
        let record = self.store.receipt(id).await?.filter(|record| record.state.status != ReceiptStatus::Deleted);
        let record = record.ok_or_else(|| {
            let detail = "The receipt was deleted after this request was carried out. Announce it with a new key.";
            Problem::conflict("receipt-deleted", detail)
        })?;
        // Once the bytes are there, no ticket: the same upload twice is harmless.
        let upload = if awaited(&record) { Some(self.ticket(&record).await?) } else { None };
        let mut receipt = View::new(&record);
        receipt.expense_id = self.store.receipt_use(id).await?;
        let whole = Response::json(announced.status_code, &Answer { receipt, upload });
        Ok(Response { body: whole.body, ..announced })
    }

    /// A presigned PUT for exactly the announced bytes.
    async fn ticket(&self, record: &ReceiptRecord) -> Result<Ticket, Problem> {
        let digest = hex::decode(&record.state.sha256).map_err(|_| Problem::internal())?;
        let length = i64::try_from(record.state.size_bytes).map_err(|_| Problem::internal())?;
        let valid = Duration::from_secs(self.ticket_seconds);
        let presigning = PresigningConfig::expires_in(valid).map_err(|_| Problem::internal())?;
        let expires_at = Timestamp::now() + SignedDuration::try_from(valid).map_err(|_| Problem::internal())?;
        let request = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(record.object_key("original"))
            .content_length(length)
            .content_type(record.state.media_type.as_str())
            .checksum_sha256(BASE64_STANDARD.encode(digest))
            .if_none_match("*")
            .presigned(presigning)
            .await;
        let request = request.map_err(|error| {
            tracing::error!(%error, "a ticket cannot be signed");
            Problem::internal()
        })?;
        let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Ticket { method: "PUT", url: request.uri().to_owned(), headers, expires_at })
    }

    async fn read(&self, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
        let id = request.path("receipt_id", "receipt")?;
        let (record, expense) = visible::receipt(&self.store, caller, id).await?;
        let mut view = View::new(&record);
        view.expense_id = expense;
        if matches!(record.state.status, ReceiptStatus::Read | ReceiptStatus::Failed) {
            view.views.insert("original", self.view(record.object_key(ORIGINAL)).await?);
        }
        if record.pages > 0 {
            for name in ["thumbnail", "preview"] {
                view.views.insert(name, self.view(record.picture_key(name, 1)).await?);
            }
        }
        for page in 1..=record.pages {
            let preview = self.view(record.picture_key("preview", page)).await?;
            view.pages.push(PageView { page, preview });
        }
        Ok(Response::json(200, &view))
    }

    /// The caller's receipt that the path names.
    async fn own(&self, owner: PersonId, request: &Request) -> Result<ReceiptRecord, Problem> {
        let id: ReceiptId = request.path("receipt_id", "receipt")?;
        let record = self.store.receipt(id).await?;
        let visible =
            |record: &ReceiptRecord| record.state.owner == owner && record.state.status != ReceiptStatus::Deleted;
        record.filter(visible).ok_or_else(|| Problem::not_found("receipt"))
    }

    /// Deletes a receipt, and takes it from the expense that has it, unless that was ever submitted: what somebody was
    /// shown stays.
    async fn delete(&self, owner: PersonId, request: &Request) -> Result<Response, Problem> {
        act(&self.store, request, owner, async |transaction: &mut Transaction| {
            let record = self.own(owner, request).await?;
            if !matches!(record.state.status, ReceiptStatus::Read | ReceiptStatus::Failed) {
                let detail = "The receipt is not finished. Wait until it is read; what never arrives is not kept.";
                return Err(Problem::conflict("receipt-unfinished", detail));
            }
            let cause = request.cause(owner);
            if record.submitted {
                let detail = "The receipt was submitted with an expense: it stays. It can be given to another expense.";
                return Err(Problem::conflict("receipt-in-use", detail));
            }
            let user = self.store.receipt_use(record.state.id).await?;
            if user.is_none() {
                transaction.check(&keys::receipt_use(record.state.id), Condition::absent());
            }
            if let Some(user) = user {
                let expense = self.store.expense(user).await?.ok_or_else(Problem::internal)?;
                if expense.submission > 0 {
                    let detail = format!("The expense {user} was submitted with this receipt: both stay.");
                    return Err(Problem::conflict("receipt-in-use", detail));
                }
                let detached = decide(Some(&expense), Command::DetachReceipt)?;
                add_expense_change(transaction, Some(&expense), detached, &cause)?;
            }
            add_receipt_deletion(transaction, &record, &cause)?;
            Ok(Response::new(204, "application/json", ""))
        })
        .await
    }

    /// Everything that was made out on the receipt, each field with its candidates.
    async fn reading(&self, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
        let (record, _) = visible::receipt(&self.store, caller, request.path("receipt_id", "receipt")?).await?;
        if record.state.status != ReceiptStatus::Read {
            return Err(Problem::not_found("reading"));
        }
        let unavailable = |error: String| {
            tracing::error!(error, receipt.id = %record.state.id, "a reading cannot be fetched");
            Problem::internal()
        };
        let get = self.s3.get_object().bucket(&self.bucket).key(record.object_key("reading.json"));
        let object = get.send().await.map_err(|error| match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => Problem::not_found("reading"),
            _ => unavailable(DisplayErrorContext(error).to_string()),
        })?;
        let bytes = object.body.collect().await.map_err(|error| unavailable(error.to_string()))?;
        // The text of this error may quote the receipt.
        let reading = serde_json::from_slice::<Reading>(&bytes.into_bytes());
        let reading = reading.map_err(|_| unavailable("it is not what this version writes".to_owned()))?;
        Ok(Response::json(200, &ReadingView::from(reading)))
    }

    /// A link to an object, for [`VIEW_SECONDS`].
    async fn view(&self, key: String) -> Result<String, Problem> {
        let presigning = PresigningConfig::expires_in(Duration::from_secs(VIEW_SECONDS));
        let presigning = presigning.map_err(|_| Problem::internal())?;
        let is_original = key.ends_with(ORIGINAL);
        let mut get = self.s3.get_object().bucket(&self.bucket).key(key);
        if is_original {
            // The original may be anything: it is offered as a download, never shown in the page's origin.
            get = get.response_content_disposition("attachment");
        }
        let request = get.presigned(presigning).await;
        request.map(|request| request.uri().to_owned()).map_err(|error| {
            tracing::error!(%error, "a view cannot be signed");
            Problem::internal()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_their_fields() {
        let announcement = |sha256: &str, size_bytes| Announcement {
            sha256: sha256.to_owned(),
            size_bytes,
            media_type: MediaType::Jpeg,
            file_name: (!sha256.is_empty()).then(|| "ö".repeat(MAX_FILE_NAME)),
        };
        let fields = |announcement| faults(&announcement).into_iter().map(|fault| fault.field).collect::<Vec<_>>();
        assert_eq!(fields(announcement(&"0a".repeat(32), 1)), Vec::<String>::new());
        assert_eq!(fields(announcement(&"0A".repeat(32), MAX_BYTES + 1)), ["sha256", "size_bytes"]);
        assert_eq!(fields(announcement("", 0)), ["sha256", "size_bytes"]);
        let long = Announcement { file_name: Some("x".repeat(256)), ..announcement(&"0a".repeat(32), 1) };
        assert_eq!(fields(long), ["file_name"]);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let body = r#"{"sha256": "", "size_bytes": 1, "media_type": "image/jpeg", "owner": "me"}"#;
        assert!(serde_json::from_str::<Announcement>(body).unwrap_err().to_string().contains("owner"));
    }
}
