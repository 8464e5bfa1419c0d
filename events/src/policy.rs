//! The policy document: what finance sets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One version of the policy. A submission keeps the version it began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyState {
    /// Which version, from 1. Version 0 is the built-in policy that holds until finance sets one.
    pub version: u32,
    /// How long an approver has to decide before the submission goes back to its owner.
    pub decision_due_seconds: u64,
}

impl Default for PolicyState {
    fn default() -> Self {
        Self { version: 0, decision_due_seconds: 14 * 24 * 60 * 60 }
    }
}

/// Data of a policy event: the policy after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyEvent {
    /// The policy after the change.
    pub policy: PolicyState,
}
