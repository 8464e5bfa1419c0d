//! People: who they are to Slipstream, beside what the user pool knows.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Currency, PersonId};

/// What someone may do beside their own expenses. A manager is whoever a profile names, not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sets policy, exports, reimburses, decides where nobody else can.
    Finance,
    /// Administers people.
    Administrator,
}

/// Someone who decides in another's place for some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Who stands in.
    pub delegate: PersonId,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
}

/// A person's profile. The mail address is deliberately not part of it: events must not carry addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PersonState {
    /// Who.
    pub id: PersonId,
    /// How many changes the profile has gone through.
    pub version: u64,
    /// Who approves their expenses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<PersonId>,
    /// Who decides in their place, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,
    /// What they may do.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// The currency meant where a receipt names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Language and region (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Whether they may use Slipstream at all.
    pub active: bool,
    /// Whether mail to them came back, so that nobody waits for an answer to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mail_undeliverable: bool,
}

/// Data of a person event: the profile after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PersonEvent {
    /// The profile after the change.
    pub person: PersonState,
}
