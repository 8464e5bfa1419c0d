//! The two buckets: where exports go, and where receipts are.

use std::time::Duration;

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_s3::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata},
    operation::get_object::GetObjectError,
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    assembly::{Files, Part},
    error::{Result, WorkError},
    record::ExportRecord,
};

/// How long a link to a file can be fetched.
const LINK: Duration = Duration::from_secs(10 * 60);
/// How many objects one call deletes.
const MAX_DELETED: i32 = 1000;

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

fn unavailable(error: impl std::error::Error) -> WorkError {
    WorkError::Unavailable("the bucket", DisplayErrorContext(error).to_string())
}

/// CRC-32 as S3 writes it.
fn crc32(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(crc32fast::hash(bytes).to_be_bytes())
}

impl Bucket {
    /// The bucket of that name. A part is larger than what the other functions send: it has more time.
    pub fn new(sdk: &SdkConfig, name: String) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(20))
            .operation_timeout(Duration::from_secs(45))
            .build();
        let config = aws_sdk_s3::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), name }
    }

    /// An object's bytes, whole or some of them; `None` where there is no such object.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`].
    pub async fn get(&self, key: &str, version: Option<&str>, range: Option<String>) -> Result<Option<Vec<u8>>> {
        let get = self.client.get_object().bucket(&self.name).key(key);
        match get.set_version_id(version.map(str::to_owned)).set_range(range).send().await {
            Ok(object) => Ok(Some(object.body.collect().await.map_err(unavailable)?.to_vec())),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            // One byte beyond the end.
            Err(error) if error.code() == Some("InvalidRange") => Ok(Some(Vec::new())),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// A link with which anyone can fetch the object for ten minutes, as a file of that name.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`].
    pub async fn link(&self, key: &str, name: &str) -> Result<String> {
        let presigning = PresigningConfig::expires_in(LINK).map_err(unavailable)?;
        let get = self.client.get_object().bucket(&self.name).key(key);
        let get = get.response_content_disposition(format!("attachment; filename=\"{name}\""));
        Ok(get.presigned(presigning).await.map_err(unavailable)?.uri().to_owned())
    }

    /// Deletes everything whose key begins with `prefix`, in all versions.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`]; what is deleted stays deleted.
    pub async fn erase(&self, prefix: &str) -> Result<()> {
        let (mut key, mut version) = (None, None);
        loop {
            let list = self.client.list_object_versions().bucket(&self.name).prefix(prefix).max_keys(MAX_DELETED);
            let page = list.set_key_marker(key).set_version_id_marker(version).send().await.map_err(unavailable)?;
            let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
            let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let objects: Vec<_> = versions
                .chain(markers)
                .filter_map(|(key, version)| {
                    ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
                })
                .collect();
            if !objects.is_empty() {
                let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(unavailable)?;
                let deleted = self.client.delete_objects().bucket(&self.name).delete(delete).send().await;
                if let Some(error) = deleted.map_err(unavailable)?.errors().first() {
                    let code = error.code().unwrap_or_default().to_owned();
                    return Err(WorkError::Unavailable("the bucket", code));
                }
            }
            if !page.is_truncated().unwrap_or_default() {
                return Ok(());
            }
            (key, version) = (page.next_key_marker, page.next_version_id_marker);
        }
    }
}

/// The files of one export.
#[derive(Debug)]
pub struct ExportFiles<'a> {
    bucket: &'a Bucket,
    folder: String,
}

impl<'a> ExportFiles<'a> {
    /// Those of `record`.
    pub fn of(bucket: &'a Bucket, record: &ExportRecord) -> Self {
        Self { bucket, folder: record.object_key("") }
    }

    fn key(&self, file: &str) -> String {
        format!("{}{file}", self.folder)
    }
}

fn media_type(file: &str) -> &'static str {
    match file.rsplit('.').next() {
        Some("csv") => "text/csv; charset=utf-8",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}

impl Files for ExportFiles<'_> {
    async fn begin(&self, file: &str) -> Result<String> {
        let create = self.bucket.client.create_multipart_upload().bucket(&self.bucket.name).key(self.key(file));
        let create = create.content_type(media_type(file)).checksum_algorithm(ChecksumAlgorithm::Crc32);
        let upload = create.send().await.map_err(unavailable)?.upload_id;
        upload.ok_or_else(|| WorkError::Unavailable("the bucket", "an upload has no id".to_owned()))
    }

    async fn part(&self, file: &str, upload: &str, number: usize, bytes: &[u8]) -> Result<Part> {
        let number = i32::try_from(number).map_err(|_| WorkError::Hopeless("a file has too many parts"))?;
        let crc32 = crc32(bytes);
        let part = self.bucket.client.upload_part().bucket(&self.bucket.name).key(self.key(file));
        let part = part.upload_id(upload).part_number(number).checksum_crc32(&crc32);
        let answer = part.body(ByteStream::from(bytes.to_vec())).send().await.map_err(unavailable)?;
        Ok(Part { etag: answer.e_tag.unwrap_or_default(), crc32 })
    }

    async fn complete(&self, file: &str, upload: &str, parts: &[Part]) -> Result<()> {
        let part = |(part, number): (&Part, i32)| {
            let completed = CompletedPart::builder().e_tag(&part.etag).checksum_crc32(&part.crc32);
            completed.part_number(number).build()
        };
        let parts = parts.iter().zip(1..).map(part).collect();
        let complete = self.bucket.client.complete_multipart_upload().bucket(&self.bucket.name).key(self.key(file));
        let complete = complete.upload_id(upload);
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        match complete.multipart_upload(whole).send().await {
            Ok(_) => Ok(()),
            // A worker that died over the answer has made it before; nothing is written to a file after that.
            Err(error) if error.code() == Some("NoSuchUpload") => {
                let head = self.bucket.client.head_object().bucket(&self.bucket.name).key(self.key(file));
                head.send().await.map(|_| ()).map_err(unavailable)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn put(&self, file: &str, bytes: &[u8]) -> Result<()> {
        let put = self.bucket.client.put_object().bucket(&self.bucket.name).key(self.key(file));
        let put = put.content_type(media_type(file)).checksum_crc32(crc32(bytes));
        put.body(ByteStream::from(bytes.to_vec())).send().await.map(|_| ()).map_err(unavailable)
    }

    async fn read(&self, file: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        let range = match (offset, length) {
            (0, usize::MAX) => None,
            _ => Some(format!("bytes={offset}-{}", offset + length as u64 - 1)),
        };
        let bytes = self.bucket.get(&self.key(file), None, range).await?;
        bytes.ok_or(WorkError::Hopeless("a file that was put aside is gone"))
    }
}
