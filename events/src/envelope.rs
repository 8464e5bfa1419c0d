//! The envelope that every event travels in: `metadata` and `data` in the bus event's `detail`.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Category, EventBody, EventType, ExpenseId, Money, PersonId, ReceiptId, expense::ExpenseState, report::ReportState,
};

/// Why a document is not an event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The envelope cannot be read.
    ///
    /// Neither this text nor that of the data's fault quotes what was read: logs must not have contents.
    #[error("the envelope cannot be read ({:?} error at line {}, column {})", .0.classify(), .0.line(), .0.column())]
    Envelope(serde_json::Error),
    /// The data cannot be read as that type and version.
    #[error("the data of {event_type} version {schema_version} cannot be read ({:?} error)", .fault.classify())]
    Data {
        /// The type it says it is.
        event_type: EventType,
        /// The version it says it has.
        schema_version: u32,
        /// What is wrong with it.
        fault: serde_json::Error,
    },
    /// The version is newer than this code knows.
    #[error("{event_type} has no version {schema_version} here; deploy the consumer before the producer")]
    UnknownVersion {
        /// The type it says it is.
        event_type: EventType,
        /// The version it says it has.
        schema_version: u32,
    },
    /// The id does not say what the subject says.
    #[error("the id `{id}` is not that of its subject `{subject}`")]
    IdMismatch {
        /// The id in the envelope.
        id: EventId,
        /// The id that follows from the subject.
        subject: EventId,
    },
}

/// What kind of thing an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// An expense, its submissions and its approval steps.
    Expense,
    /// A receipt.
    Receipt,
    /// A person's profile.
    Person,
    /// The policy.
    Policy,
    /// The exchange rates of a day.
    Rates,
    /// A category's budget, or a threshold of it in a period.
    Budget,
    /// A report.
    Report,
}

impl SubjectType {
    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expense => "expense",
            Self::Receipt => "receipt",
            Self::Person => "person",
            Self::Policy => "policy",
            Self::Rates => "rates",
            Self::Budget => "budget",
            Self::Report => "report",
        }
    }
}

/// What an event is about, and which version of it the event made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// What kind of thing.
    #[serde(rename = "type")]
    pub subject_type: SubjectType,
    /// Which one.
    pub id: String,
    /// The version that this event made, from 1. Every change is one event and one version.
    pub version: u64,
}

impl Subject {
    /// The expense at this version.
    pub fn expense(state: &ExpenseState) -> Self {
        Self::new(SubjectType::Expense, state.id, state.version)
    }

    /// The receipt at this version.
    pub fn receipt(id: ReceiptId, version: u64) -> Self {
        Self::new(SubjectType::Receipt, id, version)
    }

    /// The person at this version.
    pub fn person(id: PersonId, version: u64) -> Self {
        Self::new(SubjectType::Person, id, version)
    }

    /// The policy at this version.
    pub fn policy(version: u64) -> Self {
        Self::new(SubjectType::Policy, "policy", version)
    }

    /// The exchange rates of a day at this version.
    pub fn rates(date: Date, version: u64) -> Self {
        Self::new(SubjectType::Rates, date, version)
    }

    /// A category's budget at this version.
    pub fn budget(category: Category, version: u64) -> Self {
        Self::new(SubjectType::Budget, category, version)
    }

    /// A threshold of a category's budget of this amount in a period. It is reached once, hence version 1: whoever
    /// notices it writes the same event.
    pub fn budget_threshold(category: Category, period: &str, budget: Money, percent: u32) -> Self {
        let Money { minor_units, currency } = budget;
        Self::new(SubjectType::Budget, format_args!("{category}:{period}:{minor_units}-{currency}:{percent}"), 1)
    }

    /// The report at this version.
    pub fn report(state: &ReportState) -> Self {
        Self::new(SubjectType::Report, state.id, state.version)
    }

    fn new(subject_type: SubjectType, id: impl fmt::Display, version: u64) -> Self {
        Self { subject_type, id: id.to_string(), version }
    }

    /// The id of the event that made this version.
    pub fn event_id(&self) -> EventId {
        EventId(format!("{}/{}/{}", self.subject_type.as_str(), self.id, self.version))
    }

    /// The expense, if it is one.
    pub fn expense_id(&self) -> Option<ExpenseId> {
        (self.subject_type == SubjectType::Expense).then(|| self.id.parse().ok()).flatten()
    }
}

/// An event's id: `type/id/version` of its subject. Deterministic, so that the same change is the same event
/// however often it is written or published.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EventId(String);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who or what caused a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// A person.
    Person {
        /// Who.
        id: PersonId,
    },
    /// A part of the system, acting by a rule.
    System {
        /// The function's name.
        name: String,
    },
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { id } => write!(f, "person {id}"),
            Self::System { name } => f.write_str(name),
        }
    }
}

/// What ties everything together that one request set in motion. At most 64 characters of `A-Z a-z 0-9 - _ . :`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// The longest a correlation id may be.
    pub const MAX_LENGTH: usize = 64;
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CorrelationId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        if text.is_empty() || text.len() > Self::MAX_LENGTH || !text.bytes().all(plain) {
            return Err("a correlation id has 1 to 64 characters of A-Z a-z 0-9 - _ . :");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What is known of an event beside what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// `type/id/version` of the subject.
    pub id: EventId,
    /// What happened; also the bus event's `detail-type`.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The version of the data's shape.
    pub schema_version: u32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it is about.
    pub subject: Subject,
    /// Who caused it.
    pub actor: Actor,
    /// The request that set it in motion.
    pub correlation_id: CorrelationId,
    /// The event or request that led to it directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
}

/// An event: what happened, to what, when, and who caused it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// What is known of it beside what happened.
    pub metadata: Metadata,
    /// What happened.
    pub data: EventBody,
}

/// What a change is caused by: who, when, and the chain it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Who or what causes it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// The request that set everything in motion.
    pub correlation_id: CorrelationId,
    /// The event or request that leads to it directly.
    pub causation_id: Option<String>,
}

impl Event {
    /// The event that `body` happened to `subject`.
    pub fn new(subject: Subject, body: EventBody, cause: &Cause) -> Self {
        let event_type = body.event_type();
        let metadata = Metadata {
            id: subject.event_id(),
            event_type,
            schema_version: event_type.schema_version(),
            occurred_at: cause.at,
            subject,
            actor: cause.actor.clone(),
            correlation_id: cause.correlation_id.clone(),
            causation_id: cause.causation_id.clone(),
        };
        Self { metadata, data: body }
    }

    /// Reads an event of any version this code knows, from the bus event's `detail`.
    ///
    /// # Errors
    /// [`EventError`] says whether the envelope, the version or the data is at fault.
    pub fn from_detail(detail: Value) -> Result<Self, EventError> {
        #[derive(Deserialize)]
        struct Envelope {
            metadata: Metadata,
            data: Value,
        }
        let Envelope { metadata, data } = serde_json::from_value(detail).map_err(EventError::Envelope)?;
        let subject = metadata.subject.event_id();
        if metadata.id != subject {
            return Err(EventError::IdMismatch { id: metadata.id, subject });
        }
        let data = EventBody::read(metadata.event_type, metadata.schema_version, data)?;
        Ok(Self { metadata, data })
    }
}
