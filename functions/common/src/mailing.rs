//! Approval steps of which a person is mailed together: what arrives within some seconds of the first comes as one mail.
//!
//! The first step puts a [`Gathering`] for the person and has a message ([`Nudge`]) come when it is due; others join it
//! meanwhile. When it is due, one transaction turns it into a [`BatchRecord`]: what comes later begins another gathering.
//! A batch is mailed once, under a guard, and stays: the page behind the mail's link lists its steps.
//!
//! Both stand among the open work until the mail is out, so that the sweeper sends a message anew that was lost.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use slipstream_events::{BatchId, PersonId, SubmissionId};
use uuid::Uuid;

use crate::{
    keys::{self, Index, Key, Open},
    records::{GUARD_SECONDS, StepRecord},
    store::Store,
    table::{Condition, Item, StoreError, Transaction, item, number, text, text_set},
};

/// How often a write is tried anew because something else was faster.
const MAX_RACES: u32 = 16;
/// How much earlier than its due time a gathering counts as due: queue and function have clocks of their own.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// What a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It asks for decisions.
    Requests,
    /// It asks again for decisions, because an operator has mails sent again.
    RequestsAgain,
    /// It reminds of decisions that were asked for.
    Reminder,
    /// It confirms decisions to whoever made them.
    Confirmations,
    /// It confirms them again, because an operator has mails sent again.
    ConfirmationsAgain,
}

impl Kind {
    /// The stable name, as in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::RequestsAgain => "requests_again",
            Self::Reminder => "reminder",
            Self::Confirmations => "confirmations",
            Self::ConfirmationsAgain => "confirmations_again",
        }
    }

    /// Whether it is about decisions that were made.
    pub const fn confirms(self) -> bool {
        matches!(self, Self::Confirmations | Self::ConfirmationsAgain)
    }
}

/// One step of one submission: `<submission>.<step>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepId {
    /// Which submission.
    pub submission: SubmissionId,
    /// Which step of it, from 1.
    pub step: u32,
}

impl StepId {
    /// Which step that is.
    pub const fn of(step: &StepRecord) -> Self {
        Self { submission: step.submission, step: step.step }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.submission, self.step)
    }
}

impl FromStr for StepId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.rsplit_once('.').and_then(|(submission, step)| {
            Some(Self { submission: submission.parse().ok()?, step: step.parse().ok()? })
        });
        parsed.ok_or("a step is named <submission>.<step>")
    }
}

impl TryFrom<String> for StepId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StepId> for String {
    fn from(id: StepId) -> Self {
        id.to_string()
    }
}

/// The message that has a mail sent when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nudge {
    /// To whom.
    pub person: PersonId,
    /// What for.
    pub kind: Kind,
    /// About what.
    pub batch: BatchId,
}

/// A message of the queue of notifications that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct NudgeMessage {
    /// Which mail.
    pub mail_due: Nudge,
}

/// The mail that a step is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gathered {
    /// Which.
    pub nudge: Nudge,
    /// Whether the message for it may not have been sent.
    pub needs_message: bool,
}

/// Steps that a person is to be mailed about; more may join until it is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathering {
    /// Whom, what for, and the batch that it becomes.
    #[serde(flatten)]
    pub nudge: Nudge,
    /// When it becomes one.
    pub due_at: Timestamp,
    /// Which steps.
    pub steps: Vec<StepId>,
    /// How many have joined it.
    pub joins: u64,
}

impl Gathering {
    fn key(nudge: &Nudge) -> Key {
        keys::gathering(nudge.person, nudge.kind.name())
    }

    fn to_item(&self) -> Result<Item, StoreError> {
        let mut item = item(self, [Open::Mail.entry(self.due_at, &self.nudge.batch.to_string())])?;
        // A set, so that others can join it without reading it.
        item.insert("steps".to_owned(), text_set(self.steps.iter().map(StepId::to_string)));
        Ok(item)
    }
}

/// Steps that a person is, or was, mailed about together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// Whom, what for, and which.
    #[serde(flatten)]
    pub nudge: Nudge,
    /// Since when the mail is due.
    pub due_at: Timestamp,
    /// Which steps.
    pub steps: Vec<StepId>,
    /// When the mail was out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
}

impl BatchRecord {
    /// The item, standing among the open work until its mail is out; kept as long as guards are.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_item(&self) -> Result<Item, StoreError> {
        let open = self.sent_at.is_none().then(|| Open::Mail.entry(self.due_at, &self.nudge.batch.to_string()));
        let mut item = item(self, open)?;
        item.insert(keys::EXPIRES_AT.to_owned(), number(self.due_at.as_second() + GUARD_SECONDS));
        Ok(item)
    }
}

impl Store {
    /// Has a person be mailed of a step, at `due_at` unless a mail is due earlier that it can join.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn gather(
        &self,
        person: PersonId,
        kind: Kind,
        step: StepId,
        due_at: Timestamp,
    ) -> Result<Gathered, StoreError> {
        let mut races = 0;
        loop {
            let fresh = Nudge { person, kind, batch: BatchId::from_uuid(Uuid::new_v4()) };
            let key = Gathering::key(&fresh);
            let known: Option<Gathering> = self.table.get(&key).await?;
            let mut transaction = Transaction::default();
            let gathered = match known {
                // Noted before, by a delivery that may have died before it sent the message.
                Some(known) if known.steps.contains(&step) => {
                    return Ok(Gathered { nudge: known.nudge, needs_message: true });
                }
                Some(known) => {
                    let condition = Condition::new("#batch = :batch")
                        .name("#batch", "batch")
                        .name("#steps", "steps")
                        .name("#joins", "joins")
                        .value(":batch", text(known.nudge.batch))
                        .value(":step", text_set([step.to_string()]))
                        .value(":one", number(1));
                    transaction.update(&key, "ADD #steps :step, #joins :one", condition);
                    Gathered { nudge: known.nudge, needs_message: false }
                }
                None => {
                    let gathering = Gathering { nudge: fresh, due_at, steps: vec![step], joins: 0 };
                    transaction.put(&key, gathering.to_item()?, Some(Condition::absent()));
                    Gathered { nudge: fresh, needs_message: true }
                }
            };
            match self.table.commit(transaction).await {
                Ok(()) => return Ok(gathered),
                Err(StoreError::Condition(_)) if races < MAX_RACES => races += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The batch that a message is about; none while it is not due. From now on nothing joins it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_batch(&self, nudge: &Nudge) -> Result<Option<BatchRecord>, StoreError> {
        let key = Gathering::key(nudge);
        let mut races = 0;
        loop {
            let known: Option<Gathering> = self.table.get(&key).await?;
            let Some(known) = known.filter(|known| known.nudge.batch == nudge.batch) else {
                return self.batch(nudge.batch).await;
            };
            if known.due_at > Timestamp::now() + SLACK {
                return Ok(None);
            }
            let batch =
                BatchRecord { nudge: known.nudge, due_at: known.due_at, steps: known.steps.clone(), sent_at: None };
            let unchanged = Condition::new("#batch = :batch AND #joins = :joins")
                .name("#batch", "batch")
                .name("#joins", "joins")
                .value(":batch", text(nudge.batch))
                .value(":joins", number(known.joins));
            let mut transaction = Transaction::default();
            transaction.delete(&key, unchanged);
            transaction.put(&keys::batch(nudge.batch), batch.to_item()?, Some(Condition::absent()));
            match self.table.commit(transaction).await {
                Ok(()) => return Ok(Some(batch)),
                Err(StoreError::Condition(_)) if races < MAX_RACES => races += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// What a person is, or was, mailed about together.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, StoreError> {
        self.table.get(&keys::batch(id)).await
    }

    /// Records that the mail about a batch is out: it leaves the open work.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn batch_sent(&self, id: BatchId) -> Result<(), StoreError> {
        let condition = Condition::new("attribute_exists(#batch)")
            .name("#batch", "batch")
            .name("#open_pk", Index::Open.pk())
            .name("#open_sk", Index::Open.sk())
            .value(":now", text(Timestamp::now()));
        let mut transaction = Transaction::default();
        transaction.update(&keys::batch(id), "SET sent_at = :now REMOVE #open_pk, #open_sk", condition);
        self.table.commit(transaction).await
    }

    /// Records that the message for a mail is sent anew, unless that happened after `since` or the mail is out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_nudge(&self, nudge: &Nudge, since: Timestamp) -> Result<bool, StoreError> {
        let key = match self.batch(nudge.batch).await? {
            Some(_) => keys::batch(nudge.batch),
            None => Gathering::key(nudge),
        };
        let condition = Condition::new(
            "#batch = :batch AND attribute_exists(#open_pk) AND (attribute_not_exists(#nudged) OR #nudged < :since)",
        )
        .name("#batch", "batch")
        .name("#open_pk", Index::Open.pk())
        .name("#nudged", "nudged_at")
        .value(":batch", text(nudge.batch))
        .value(":since", text(keys::instant(since)))
        .value(":now", text(keys::instant(Timestamp::now())));
        let mut transaction = Transaction::default();
        transaction.update(&key, "SET #nudged = :now", condition);
        match self.table.commit(transaction).await {
            Ok(()) => Ok(true),
            Err(StoreError::Condition(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The steps that there are among those named, as they are now, in the order of the names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn steps_named(&self, ids: &[StepId]) -> Result<Vec<StepRecord>, StoreError> {
        let keys: Vec<_> = ids.iter().map(|id| keys::step(id.submission, id.step)).collect();
        let mut steps: Vec<StepRecord> = self.table.batch_get(&keys).await?;
        steps.sort_by_key(|step| ids.iter().position(|id| *id == StepId::of(step)));
        Ok(steps)
    }
}

#[cfg(test)]
mod tests {
    use slipstream_events::ExpenseId;

    use super::*;

    fn gathering() -> Gathering {
        let submission = SubmissionId { expense: ExpenseId::derived_from(&["x"]), number: 2 };
        let nudge = Nudge {
            person: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            kind: Kind::Requests,
            batch: BatchId::derived_from(&["test"]),
        };
        Gathering { nudge, due_at: Timestamp::UNIX_EPOCH, steps: vec![StepId { submission, step: 1 }], joins: 3 }
    }

    #[test]
    fn records_survive_the_table_form_and_are_messages() {
        let gathering = gathering();
        let written = gathering.to_item().unwrap();
        assert!(written["steps"].is_ss(), "others can join it");
        assert_eq!(written["GSI3PK"].as_s().unwrap(), "OPEN#mail");
        assert_eq!(serde_dynamo::from_item::<_, Gathering>(written.clone()).unwrap(), gathering);
        assert_eq!(serde_dynamo::from_item::<_, Nudge>(written).unwrap(), gathering.nudge);

        let Gathering { nudge, due_at, steps, .. } = gathering;
        let batch = BatchRecord { nudge, due_at, steps, sent_at: None };
        let written = batch.to_item().unwrap();
        assert_eq!(serde_dynamo::from_item::<_, Nudge>(written.clone()).unwrap(), nudge);
        assert_eq!(serde_dynamo::from_item::<_, BatchRecord>(written).unwrap(), batch);
        let sent = BatchRecord { sent_at: Some(due_at), ..batch };
        assert!(!sent.to_item().unwrap().contains_key("GSI3PK"), "it is open no more");
    }

    #[test]
    fn a_message_is_told_from_an_event() {
        let message = NudgeMessage { mail_due: gathering().nudge };
        let body = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<NudgeMessage>(&body).unwrap(), message);
        assert!(serde_json::from_str::<NudgeMessage>(r#"{"detail": {}}"#).is_err());
    }

    #[test]
    fn a_step_has_a_name() {
        let id = gathering().steps[0];
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "x.1", "exp_5d0f6c1e8a7b5c3d9e2f1a0b4c6d8e70.1"] {
            assert!(text.parse::<StepId>().is_err(), "{text}");
        }
    }
}
