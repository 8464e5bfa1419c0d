//! Receipts: what was uploaded and what became of it.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ExpenseId, PersonId, ReceiptId};

/// A media type that may be announced for upload. What the bytes are is decided by their content later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the variants are the media types they are named after")]
pub enum MediaType {
    #[serde(rename = "image/jpeg")]
    Jpeg,
    #[serde(rename = "image/png")]
    Png,
    #[serde(rename = "image/webp")]
    Webp,
    #[serde(rename = "image/tiff")]
    Tiff,
    #[serde(rename = "image/gif")]
    Gif,
    #[serde(rename = "image/heic")]
    Heic,
    #[serde(rename = "application/pdf")]
    Pdf,
    #[serde(rename = "application/octet-stream")]
    Unknown,
}

impl MediaType {
    /// The name registered with IANA.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Gif => "image/gif",
            Self::Heic => "image/heic",
            Self::Pdf => "application/pdf",
            Self::Unknown => "application/octet-stream",
        }
    }
}

/// Where a receipt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// Announced; the bytes have not been seen.
    AwaitingUpload,
    /// The bytes are there and someone is reading them.
    Processing,
    /// Read; an expense was drafted.
    Read,
    /// Could not be read; the bytes stay and the expense can be entered by hand.
    Failed,
    /// Deleted by its owner. The events stay.
    Deleted,
}

impl fmt::Display for ReceiptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitingUpload => "awaiting_upload",
            Self::Processing => "processing",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        })
    }
}

/// Why a receipt could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// There are no bytes.
    Empty,
    /// More bytes or more pixels than are accepted.
    TooLarge,
    /// The bytes are none of the supported formats.
    UnsupportedFormat,
    /// The file begins like a supported format and then breaks off or is damaged.
    Damaged,
    /// The document asks for a password.
    Encrypted,
    /// The bytes are not those that were announced.
    HashMismatch,
    /// There is no text that looks like a receipt.
    NothingRecognised,
    /// The reading service refuses the document.
    RefusedByReader,
    /// It was tried for a day and could not be read, for reasons on our side.
    ReadingUnavailable,
}

impl FailureReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Empty,
        Self::TooLarge,
        Self::UnsupportedFormat,
        Self::Damaged,
        Self::Encrypted,
        Self::HashMismatch,
        Self::NothingRecognised,
        Self::RefusedByReader,
        Self::ReadingUnavailable,
    ];

    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::UnsupportedFormat => "unsupported_format",
            Self::Damaged => "damaged",
            Self::Encrypted => "encrypted",
            Self::HashMismatch => "hash_mismatch",
            Self::NothingRecognised => "nothing_recognised",
            Self::RefusedByReader => "refused_by_reader",
            Self::ReadingUnavailable => "reading_unavailable",
        }
    }

    /// What to tell the person, with the remedy.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Empty => "The file is empty. Take the photo again.",
            Self::TooLarge => "The picture is too large. Send one of at most 20 MB and 40 megapixels.",
            Self::UnsupportedFormat => {
                "This is not a picture we can read. Send a JPEG, HEIC, PNG, WebP, TIFF, GIF or PDF."
            }
            Self::Damaged => "The file is damaged or incomplete. Take the photo again or export the file anew.",
            Self::Encrypted => "The document is protected by a password. Send it without one.",
            Self::HashMismatch => "The file is not the one that was announced. Take the photo again and send that.",
            Self::NothingRecognised => {
                "No receipt could be recognised in the picture. Take it again in good light, or enter the expense by hand."
            }
            Self::RefusedByReader => {
                "The receipt could not be read. Take the photo again, or enter the expense by hand."
            }
            Self::ReadingUnavailable => {
                "The receipt could not be read for a day, through no fault of yours. Enter the expense by hand; the photo stays with it."
            }
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A receipt after one of its changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptState {
    /// Which receipt.
    pub id: ReceiptId,
    /// How many changes it has gone through.
    pub version: u64,
    /// Who uploaded it.
    pub owner: PersonId,
    /// Where it stands.
    pub status: ReceiptStatus,
    /// SHA-256 of the bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size_bytes: u64,
    /// The media type that was announced.
    pub media_type: MediaType,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReason>,
    /// The expense drafted from it when it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expense: Option<ExpenseId>,
    /// When it was announced.
    pub created_at: Timestamp,
}

/// Someone is about to upload a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptAnnounced {
    /// The receipt as announced.
    pub receipt: ReceiptState,
}

/// A receipt was read and an expense drafted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptRead {
    /// The receipt after the reading.
    pub receipt: ReceiptState,
    /// Milliseconds from the upload's notification to the draft.
    pub duration_ms: u64,
}

/// A receipt could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptFailed {
    /// The receipt after the attempt.
    pub receipt: ReceiptState,
    /// Why.
    pub reason: FailureReason,
}

/// Its owner deleted a receipt: the file and everything made of it go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptDeleted {
    /// The receipt after it.
    pub receipt: ReceiptState,
}
