//! Reports: expenses that are submitted together.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{PersonId, ReportId, SubmissionId};

/// A report after one of its changes. Which expenses belong to it, the expenses say (`details.report`); where it stands
/// follows from where they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportState {
    /// Which report.
    pub id: ReportId,
    /// How many changes it has gone through; the optimistic lock.
    pub version: u64,
    /// Whose report it is.
    pub owner: PersonId,
    /// What its owner calls it: a trip, a month.
    pub title: String,
    /// The number of its latest submission; 0 before the first.
    #[serde(default)]
    pub submission: u32,
    /// When it was last submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Someone began a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportCreated {
    /// The report as begun.
    pub report: ReportState,
}

/// Its owner gave it another title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportChanged {
    /// The title before.
    pub before: String,
    /// The report after the change.
    pub report: ReportState,
}

/// Its owner asked for approval of what was still a draft in it. Every expense has a submission of its own, which this
/// event is written in one transaction with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportSubmitted {
    /// The number of this submission of the report, from 1.
    pub submission: u32,
    /// The submissions of its expenses.
    pub submissions: Vec<SubmissionId>,
    /// The report after it.
    pub report: ReportState,
}

/// Its owner deleted it. The events stay, and so do its expenses, without a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportDeleted {
    /// The report as it was last; its version is that of the deletion.
    pub report: ReportState,
}
