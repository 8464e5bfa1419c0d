//! The items of the main table that hold state beside events. Each is what its key in [`crate::keys`] leads to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slipstream_events::{
    Category, Currency, Event, ExpenseId, ExpenseState, PersonId, PersonState, PolicyState, ReceiptId, ReceiptState,
    ReceiptStatus, Role, SecondLevel, SubmissionId,
};

use crate::{
    keys::{self, Entry, Open},
    table::{Item, StoreError, item, number},
};

/// What a person does with a merchant: the category they chose the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HabitRecord {
    /// What they chose.
    pub category: Category,
}

/// Seconds that guards and claims are kept: longer than the event archive, so that a replay of anything archived
/// still meets them.
pub const GUARD_SECONDS: i64 = 3 * 366 * 24 * 60 * 60;

/// A receipt: its public state, and what only the processing needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiptRecord {
    /// What events and the API say of it.
    #[serde(flatten)]
    pub state: ReceiptState,
    /// The request that announced it.
    pub correlation_id: String,
    /// When it was last announced.
    pub announced_at: Timestamp,
    /// Who is reading it now, if someone is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Which version of the object was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_version: Option<String>,
    /// How many readers have died over it.
    #[serde(default)]
    pub deaths: u32,
    /// When the sweeper last put it in the queue again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requeued_at: Option<Timestamp>,
    /// Of how many of its pages pictures were made; 0 while there are none.
    #[serde(default)]
    pub pages: u32,
    /// How many pages the file has.
    #[serde(default)]
    pub page_count: u32,
    /// When the upload was first seen by the processing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded_at: Option<Timestamp>,
    /// How often it was announced anew after it had been deleted: each time it drafts another expense.
    #[serde(default)]
    pub generation: u32,
    /// Whether an expense was submitted with it that has it no longer. Then it stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub submitted: bool,
    /// When it was deleted; its files are gone soon after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// When its files were gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
}

/// The right to work on something alone, until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who has it: the invocation's request id.
    pub holder: String,
    /// Until when.
    pub until: Timestamp,
}

impl Lease {
    /// Whether somebody other than `me` still holds it.
    pub fn held_by_other(&self, me: &str, now: Timestamp) -> bool {
        self.holder != me && self.until > now
    }
}

impl ReceiptRecord {
    /// The object's key in the receipt bucket; never a file name.
    pub fn object_key(&self, name: &str) -> String {
        format!("receipts/{}/{}/{name}", self.state.owner, self.state.id)
    }

    /// The key of a picture of a page, counted from 1: `preview` or `thumbnail`.
    pub fn picture_key(&self, name: &str, page: u32) -> String {
        match page {
            1 => self.object_key(&format!("{name}.jpg")),
            page => self.object_key(&format!("{name}-{page}.jpg")),
        }
    }

    /// The expense that its reading drafts: one, however often it is delivered.
    pub fn drafted_expense(&self) -> ExpenseId {
        let (id, generation) = (self.state.id.to_string(), self.generation.to_string());
        ExpenseId::derived_from(&["receipt", &id, &generation])
    }

    /// The item, standing among its owner's; and in the index of open work while it is not finished, or deleted and its
    /// files are not gone.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_item(&self) -> Result<Item, StoreError> {
        let id = self.state.id.to_string();
        let own = keys::receipt_of_owner(self.state.owner, self.state.created_at, self.state.id);
        let open = match self.state.status {
            ReceiptStatus::AwaitingUpload | ReceiptStatus::Processing => {
                Some(Open::Receipt.entry(self.announced_at, &id))
            }
            ReceiptStatus::Deleted if self.erased_at.is_none() => {
                Some(Open::Erasure.entry(self.deleted_at.unwrap_or(self.announced_at), &id))
            }
            _ => None,
        };
        item(self, std::iter::once(own).chain(open).collect::<Vec<_>>())
    }
}

/// The expense's item, with its places in the indexes ([`keys::expense_entries`]).
///
/// # Errors
/// [`StoreError::Shape`].
pub fn expense_item(state: &ExpenseState) -> Result<Item, StoreError> {
    item(state, keys::expense_entries(state))
}

/// An item that follows an expense ([`keys::Mark`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRecord {
    /// Which expense.
    pub expense: ExpenseId,
    /// Whose it is.
    pub owner: PersonId,
    /// The receipt it has, or shares with the other parts of a split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
    /// The expense whose claim it is a part of; none for the first part of a split, which stands for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_of: Option<ExpenseId>,
}

impl MarkRecord {
    /// What the marks of an expense say.
    pub fn of(state: &ExpenseState) -> Self {
        Self {
            expense: state.id,
            owner: state.owner,
            receipt: state.receipt,
            split_of: state.split.as_ref().map(|split| split.of).filter(|of| *of != state.id),
        }
    }
}

/// The answer to a request that named an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// SHA-256 of method, path, query and body of the request, in hexadecimal digits.
    pub fingerprint: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// Until when it is given, in seconds since 1970; also the item's time to live.
    pub expires_at: i64,
}

/// An event in the table: the outbox entry and the audit trail. It is never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// What happened; the bus event's `detail-type`. As text: a type that this code does not know yet must not keep it
    /// from reading the other events.
    pub detail_type: String,
    /// The bus event's `detail`, as JSON text, byte for byte as it is published.
    pub detail: String,
    /// When it happened.
    pub occurred_at: Timestamp,
}

impl EventRecord {
    /// The record of `event`.
    ///
    /// # Errors
    /// [`serde_json::Error`] when it cannot be written as JSON.
    pub fn new(event: &Event) -> Result<Self, serde_json::Error> {
        Ok(Self {
            detail_type: event.metadata.event_type.to_string(),
            detail: serde_json::to_string(event)?,
            occurred_at: event.metadata.occurred_at,
        })
    }

    /// The event.
    ///
    /// # Errors
    /// [`slipstream_events::EventError`] when it is not one that this code knows.
    pub fn event(&self) -> Result<Event, slipstream_events::EventError> {
        let detail = serde_json::from_str(&self.detail).map_err(slipstream_events::EventError::Envelope)?;
        Event::from_detail(detail)
    }
}

/// Why a record of the table's stream holds no event.
#[derive(Debug, thiserror::Error)]
pub enum StreamRecordError {
    /// The image is not what the table's event items look like.
    #[error("the record has no `{0}`")]
    Missing(&'static str),
    /// A member has an unexpected form.
    #[error("the record's `{0}` is malformed")]
    Malformed(&'static str),
    /// The event cannot be read.
    #[error(transparent)]
    Event(#[from] slipstream_events::EventError),
}

impl EventRecord {
    /// The event item that a record of the table's stream holds, if it is one that can be published.
    ///
    /// # Errors
    /// [`StreamRecordError`].
    pub fn of_stream(record: &Value) -> Result<Self, StreamRecordError> {
        let image = &record["dynamodb"]["NewImage"];
        let text = |name: &'static str| image[name]["S"].as_str().ok_or(StreamRecordError::Missing(name));
        let record = Self {
            detail_type: text("detail_type")?.to_owned(),
            detail: text("detail")?.to_owned(),
            occurred_at: text("occurred_at")?.parse().map_err(|_| StreamRecordError::Malformed("occurred_at"))?,
        };
        if record.event()?.metadata.event_type.as_str() != record.detail_type {
            return Err(StreamRecordError::Malformed("detail_type"));
        }
        Ok(record)
    }
}

/// Where an approval step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// The approver has not answered.
    Pending,
    /// Decided.
    Decided,
    /// The time ran out first, or the submission ended.
    Closed,
}

/// What a step's approver decided; also what the state machine goes on by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Yes, and nobody else is asked.
    Approved,
    /// Yes, and the next level is asked.
    Passed,
    /// No.
    Rejected,
    /// Not like this.
    ChangesRequested,
}

/// An approval step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Of which submission.
    pub submission: SubmissionId,
    /// Which step, from 1.
    pub step: u32,
    /// Who is asked.
    pub approver: PersonId,
    /// Where it stands.
    pub status: StepStatus,
    /// Since when somebody is asked; not known of steps from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// Until when an answer counts.
    pub due_at: Timestamp,
    /// When the approver is to be reminded; not any more once they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<Timestamp>,
    /// When the next one up is to be asked instead; not any more once they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_at: Option<Timestamp>,
    /// How many levels the submission goes through, by the policy it began with.
    #[serde(default = "one_level")]
    pub levels: u32,
    /// Who stands at the second of them.
    #[serde(default)]
    pub second_level: SecondLevel,
    /// Who is not asked, or not any more: they let it pass, or have decided at the level before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PersonId>,
    /// What resumes the execution that waits. It never leaves the table but for that call.
    pub task_token: String,
    /// SHA-256 of the link tokens that were mailed, in hexadecimal digits. More than one only where a mail had to
    /// be sent again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link_hashes: Vec<String>,
    /// The same of links that died because somebody else is asked by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_link_hashes: Vec<String>,
    /// The same of the links by which the decider can say that it was not them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disown_hashes: Vec<String>,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<StepOutcome>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<PersonId>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// When the decider said that it was not them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disowned_at: Option<Timestamp>,
}

const fn one_level() -> u32 {
    1
}

impl StepRecord {
    /// The item, standing among its approver's while it is pending.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_item(&self) -> Result<Item, StoreError> {
        let pending = self.status == StepStatus::Pending;
        item(self, pending.then(|| keys::step_of_approver(self.approver, self.due_at, self.submission)))
    }
}

/// The claim of an execution on a submission. The state machine writes it; the sweeper replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// The execution's ARN.
    pub execution: String,
    /// How often the approval was restarted.
    #[serde(default)]
    pub restarts: u32,
    /// When it was last restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_at: Option<Timestamp>,
}

/// A person: the profile that events carry, and what they must not carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRecord {
    /// The profile.
    #[serde(flatten)]
    pub state: PersonState,
    /// Where mail goes.
    pub email: String,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The mail address of the manager whom the directory names and who has yet to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaited_manager: Option<String>,
    /// When the account's groups last followed the roles here. A token made before that says nothing about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles_set_at: Option<Timestamp>,
    /// When mail to them was last found not to arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail_undeliverable_since: Option<Timestamp>,
    /// Whether the account in the user pool has yet to follow the roles and the activity here. Until it has, no token
    /// says anything about roles.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub account_behind: bool,
}

impl PersonRecord {
    /// Who it is, for people: the name is what the person calls themselves, the address is what was verified.
    pub fn display_name(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.email),
            None => self.email.clone(),
        }
    }

    /// Whether they are an administrator now. There is always one of whom this holds.
    pub fn administers(&self) -> bool {
        self.state.active && self.state.roles.contains(&Role::Administrator)
    }

    /// The item, standing among everyone, by mail address, by its first role and by its manager.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_item(&self) -> Result<Item, StoreError> {
        let id = self.state.id;
        let by_manager = match (self.state.manager, &self.awaited_manager) {
            (Some(manager), _) => Some(keys::person_under(manager, &self.email, id)),
            (None, Some(awaited)) => Some(keys::person_awaiting(awaited, id)),
            (None, None) => None,
        };
        let by_role = self.state.roles.iter().min().map(|role| keys::person_with_role(*role, id));
        let always = [keys::person_at(&self.email, id), keys::person_among_people(&self.email, id)];
        item(self, always.into_iter().chain(by_role).chain(by_manager).collect::<Vec<Entry>>())
    }
}

/// What the directory says of somebody who has yet to sign in; their first `GET /me` takes it over. What is left out,
/// it does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryRecord {
    /// The mail address they will sign in with.
    pub email: String,
    /// How often the entry was written.
    pub version: u64,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their manager's mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_email: Option<String>,
    /// The currency meant where a receipt names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Language and region (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Whether they may use Slipstream at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// What they may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
}

/// The policy's item.
///
/// # Errors
/// [`StoreError::Shape`].
pub fn policy_item(state: &PolicyState) -> Result<Item, StoreError> {
    item(state, [])
}

/// One effect of one event: a mail. Mail takes no idempotency key, so the time between the answer of the mail
/// service and this record is the window in which a mail may be sent twice; the lease bounds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardRecord {
    /// When the effect was recorded as done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// Who is at it.
    pub lease: Lease,
    /// How often it was begun.
    pub attempts: u32,
}

impl GuardRecord {
    /// The item, kept for [`GUARD_SECONDS`] after `now`.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_item(&self, now: Timestamp) -> Result<Item, StoreError> {
        let mut item = item(self, [])?;
        item.insert(keys::EXPIRES_AT.to_owned(), number(now.as_second() + GUARD_SECONDS));
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use slipstream_events::MediaType;

    use super::*;

    fn person() -> PersonId {
        "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap()
    }

    #[test]
    fn records_survive_the_table_form() {
        let receipt = ReceiptRecord {
            state: ReceiptState {
                id: ReceiptId::derived_from(&["test"]),
                version: 1,
                owner: person(),
                status: ReceiptStatus::Processing,
                sha256: "00".to_owned(),
                size_bytes: 12,
                media_type: MediaType::Jpeg,
                failure: None,
                expense: None,
                created_at: Timestamp::UNIX_EPOCH,
            },
            correlation_id: "c".to_owned(),
            announced_at: Timestamp::UNIX_EPOCH,
            lease: Some(Lease { holder: "me".to_owned(), until: Timestamp::UNIX_EPOCH }),
            object_version: None,
            deaths: 0,
            requeued_at: None,
            pages: 0,
            page_count: 0,
            uploaded_at: None,
            generation: 0,
            submitted: false,
            deleted_at: None,
            erased_at: None,
        };
        let item = receipt.to_item().unwrap();
        assert!(item.contains_key("GSI3PK"), "unfinished work is in the index of open work");
        assert!(item["GSI1PK"].as_s().unwrap().ends_with("#receipts"), "apart from the owner's expenses");
        assert_eq!(serde_dynamo::from_item::<_, ReceiptRecord>(item).unwrap(), receipt);

        let record = PersonRecord {
            state: PersonState {
                id: person(),
                version: 3,
                manager: None,
                delegation: None,
                roles: vec![Role::Finance],
                currency: Some("EUR".parse().unwrap()),
                locale: None,
                active: true,
                mail_undeliverable: false,
            },
            email: "Ada@Example.com".to_owned(),
            name: None,
            awaited_manager: Some("Boss@Example.com".to_owned()),
            roles_set_at: None,
            mail_undeliverable_since: None,
            account_behind: false,
        };
        let item = record.to_item().unwrap();
        assert_eq!(item.get("GSI2PK").unwrap().as_s().unwrap(), "EMAIL#ada@example.com");
        assert_eq!(item.get("GSI1PK").unwrap().as_s().unwrap(), "ROLE#finance");
        assert_eq!(item.get("GSI3PK").unwrap().as_s().unwrap(), "AWAITED#boss@example.com");
        assert_eq!(item.get("GSI4PK").unwrap().as_s().unwrap(), "PEOPLE");
        assert_eq!(serde_dynamo::from_item::<_, PersonRecord>(item).unwrap(), record);
    }

    #[test]
    fn a_lease_binds_others_until_it_ends() {
        let lease = Lease { holder: "a".to_owned(), until: "2026-01-01T00:00:10Z".parse().unwrap() };
        let before = "2026-01-01T00:00:09Z".parse().unwrap();
        assert!(lease.held_by_other("b", before));
        assert!(!lease.held_by_other("a", before));
        assert!(!lease.held_by_other("b", lease.until));
    }
}
