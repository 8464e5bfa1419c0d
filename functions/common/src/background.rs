//! Work that takes longer than a request: exports and erasures. `exports` does it, message by message; `sweeper` sends the
//! message again when nobody is at it.
//!
//! Who works holds a lease, which is longer than the function may run: while it lasts nobody else begins, and when it is
//! over its holder is gone. Every write is on condition of the version that was read, so that of two workers one goes on.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use slipstream_events::{ExportId, PersonId};

use crate::{
    keys::{self, Key},
    records::Lease,
};

/// How long a worker may be at it before another may take over; longer than the function's timeout.
pub const LEASE: SignedDuration = SignedDuration::from_secs(330);

/// A message of the queue: what to go on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// An export.
    Export {
        /// Which.
        id: ExportId,
        /// From which checkpoint on; the message of an earlier one than the last has been dealt with. None means from
        /// wherever it stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<u64>,
    },
    /// The erasure of a person.
    Erasure {
        /// Whom.
        person: PersonId,
    },
}

impl Work {
    /// The item with its state.
    pub fn key(&self) -> Key {
        match self {
            Self::Export { id, .. } => keys::export(*id),
            Self::Erasure { person } => keys::erasure(*person),
        }
    }
}

/// What all such work has in its item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// What to put in the queue.
    pub work: Work,
    /// The optimistic lock.
    pub version: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last got on.
    pub updated_at: Timestamp,
    /// Who is at it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// When the sweeper last put it in the queue again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requeued_at: Option<Timestamp>,
}

impl Background {
    /// New work, for which nobody has done anything yet.
    pub const fn new(work: Work, now: Timestamp) -> Self {
        Self { work, version: 1, created_at: now, updated_at: now, lease: None, requeued_at: None }
    }
}
