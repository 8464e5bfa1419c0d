//! Why a piece of background work did not come to its end.

use slipstream_common::{store::ChangeError, table::StoreError};

/// Why an export or an erasure stopped. All but [`WorkError::Hopeless`] can be mended by another attempt, which goes on
/// at the last checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A change with its event.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A bucket or the queue.
    #[error("{0} does not answer: {1}")]
    Unavailable(&'static str, String),
    /// Another worker has taken over.
    #[error("another worker has taken over")]
    TakenOver,
    /// What cannot be written as JSON or is not what this version writes.
    #[error("a value cannot be read or written as JSON ({:?} error)", .0.classify())]
    Json(#[from] serde_json::Error),
    /// A message is none of this function's.
    #[error("the message is none of ours")]
    Message,
    /// Trying again cannot help.
    #[error("{0}")]
    Hopeless(&'static str),
}

/// What background work leads to.
pub type Result<T, E = WorkError> = std::result::Result<T, E>;
