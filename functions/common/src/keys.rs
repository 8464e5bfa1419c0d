//! Every key of the main table and of its four sparse indexes. `docs/architecture.md` lists the access patterns
//! that they serve. Nothing else in the workspace spells an attribute or index name.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use slipstream_events::{EventId, ExpenseId, PersonId, ReceiptId, Role, Subject, SubjectType, SubmissionId};

/// The partition key's attribute.
pub const PK: &str = "PK";
/// The sort key's attribute.
pub const SK: &str = "SK";
/// The attribute that DynamoDB's time to live looks at: seconds since 1970.
pub const EXPIRES_AT: &str = "expires_at";
/// What every event's sort key begins with.
pub const EVENT_PREFIX: &str = "EVENT#";

/// What every step's sort key begins with.
pub const STEP_PREFIX: &str = "STEP#";

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

fn key(pk: String, sk: impl Into<String>) -> Key {
    Key { pk, sk: sk.into() }
}

/// The partition that holds a subject and its events.
pub fn subject_partition(subject_type: SubjectType, id: &str) -> String {
    match subject_type {
        SubjectType::Expense => format!("EXPENSE#{id}"),
        SubjectType::Receipt => format!("RECEIPT#{id}"),
        SubjectType::Person => format!("PERSON#{id}"),
        SubjectType::Policy => "POLICY".to_owned(),
    }
}

/// An expense.
pub fn expense(id: ExpenseId) -> Key {
    key(subject_partition(SubjectType::Expense, &id.to_string()), "EXPENSE")
}

/// An event: outbox and audit trail.
pub fn event(subject: &Subject) -> Key {
    key(subject_partition(subject.subject_type, &subject.id), format!("{EVENT_PREFIX}{:010}", subject.version))
}

/// A receipt.
pub fn receipt(id: ReceiptId) -> Key {
    key(subject_partition(SubjectType::Receipt, &id.to_string()), "RECEIPT")
}

/// The mark that these bytes were uploaded by this owner.
pub fn hash(sha256: &str, owner: PersonId, receipt: ReceiptId) -> Key {
    key(format!("HASH#{sha256}"), format!("{owner}#{receipt}"))
}

/// Who is having these bytes read, while someone is.
pub fn analysis(sha256: &str) -> Key {
    key(format!("HASH#{sha256}"), "ANALYSIS")
}

/// What a person does with a merchant, by the merchant's key ([`slipstream_domain::merchant::key`]).
pub fn habit(person: PersonId, merchant: &str) -> Key {
    key(subject_partition(SubjectType::Person, &person.to_string()), format!("HABIT#{merchant}"))
}

/// An approval step.
pub fn step(submission: SubmissionId, step: u32) -> Key {
    key(format!("SUBMISSION#{}#{}", submission.expense, submission.number), format!("{STEP_PREFIX}{step}"))
}

/// The claim of an execution on a submission. The state machine writes the same key.
pub fn claim(submission: SubmissionId) -> Key {
    key(format!("SUBMISSION#{}#{}", submission.expense, submission.number), "CLAIM")
}

/// A person's profile.
pub fn person(id: PersonId) -> Key {
    key(subject_partition(SubjectType::Person, &id.to_string()), "PROFILE")
}

/// One version of the policy.
pub fn policy(version: u32) -> Key {
    key(subject_partition(SubjectType::Policy, ""), format!("VERSION#{version:010}"))
}

/// The version of the policy that holds now.
pub fn current_policy() -> Key {
    key(subject_partition(SubjectType::Policy, ""), "CURRENT")
}

/// The guard of one effect of one event.
pub fn guard(consumer: &str, event: &EventId) -> Key {
    key(format!("DONE#{consumer}#{event}"), "DONE")
}

/// In the projections table: the mark that an event was seen delivered.
pub fn seen(subject: &Subject) -> Key {
    key(format!("SEEN#{}/{}", subject.subject_type.as_str(), subject.id), format!("{:010}", subject.version))
}

/// In the projections table: up to when every event was seen delivered.
pub fn delivery_sweep() -> Key {
    key("SWEEP".to_owned(), "DELIVERY")
}

/// A sparse index of the main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Expenses by owner and date; people by role.
    Owner,
    /// Pending steps by approver and due date; people by mail address.
    Approver,
    /// Work that is not finished.
    Open,
    /// Events by day.
    Day,
}

impl Index {
    /// The index's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "GSI1",
            Self::Approver => "GSI2",
            Self::Open => "GSI3",
            Self::Day => "GSI4",
        }
    }

    /// Its partition key's attribute.
    pub const fn pk(self) -> &'static str {
        match self {
            Self::Owner => "GSI1PK",
            Self::Approver => "GSI2PK",
            Self::Open => "GSI3PK",
            Self::Day => "GSI4PK",
        }
    }

    /// Its sort key's attribute.
    pub const fn sk(self) -> &'static str {
        match self {
            Self::Owner => "GSI1SK",
            Self::Approver => "GSI2SK",
            Self::Open => "GSI3SK",
            Self::Day => "GSI4SK",
        }
    }
}

/// A place in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which index.
    pub index: Index,
    /// The index's partition key.
    pub pk: String,
    /// The index's sort key.
    pub sk: String,
}

/// An instant as sort key: fixed width, so that text order is time order.
pub fn instant(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// Expenses of an owner, by the time they were drafted.
pub fn expenses_of(owner: PersonId) -> String {
    format!("OWNER#{owner}")
}

/// Where an expense stands among its owner's.
pub fn expense_of_owner(owner: PersonId, created_at: Timestamp, id: ExpenseId) -> Entry {
    Entry { index: Index::Owner, pk: expenses_of(owner), sk: format!("{}#{id}", instant(created_at)) }
}

/// People with a role.
pub fn people_with(role: Role) -> String {
    match role {
        Role::Finance => "ROLE#finance".to_owned(),
        Role::Administrator => "ROLE#administrator".to_owned(),
    }
}

/// Where a person stands among those with a role.
pub fn person_with_role(role: Role, id: PersonId) -> Entry {
    Entry { index: Index::Owner, pk: people_with(role), sk: id.to_string() }
}

/// The person with a mail address (compared in lower case).
pub fn people_at(email: &str) -> String {
    format!("EMAIL#{}", email.to_lowercase())
}

/// Where a person stands by mail address.
pub fn person_at(email: &str, id: PersonId) -> Entry {
    Entry { index: Index::Approver, pk: people_at(email), sk: id.to_string() }
}

/// Everyone, by mail address.
pub fn people() -> String {
    "PEOPLE".to_owned()
}

/// Where a person stands among everyone.
pub fn person_among_people(email: &str, id: PersonId) -> Entry {
    Entry { index: Index::Day, pk: people(), sk: format!("{}#{id}", email.to_lowercase()) }
}

/// Those whose manager somebody is, by mail address.
pub fn people_under(manager: PersonId) -> String {
    format!("MANAGER#{manager}")
}

/// Where a person stands among those of a manager.
pub fn person_under(manager: PersonId, email: &str, id: PersonId) -> Entry {
    Entry { index: Index::Open, pk: people_under(manager), sk: format!("{}#{id}", email.to_lowercase()) }
}

/// Those whose manager is to be whoever signs in with a mail address.
pub fn people_awaiting(manager: &str) -> String {
    format!("AWAITED#{}", manager.to_lowercase())
}

/// Where a person stands among those who wait for a manager to sign in.
pub fn person_awaiting(manager: &str, id: PersonId) -> Entry {
    Entry { index: Index::Open, pk: people_awaiting(manager), sk: id.to_string() }
}

/// What the directory says of somebody who has yet to sign in with the mail address.
pub fn directory(email: &str) -> Key {
    key(format!("DIRECTORY#{}", email.to_lowercase()), "ENTRY")
}

/// Steps that wait for an approver.
pub fn steps_of(approver: PersonId) -> String {
    format!("APPROVER#{approver}")
}

/// Where a pending step stands among its approver's, by due date.
pub fn step_of_approver(approver: PersonId, due_at: Timestamp, submission: SubmissionId) -> Entry {
    Entry { index: Index::Approver, pk: steps_of(approver), sk: format!("{}#{submission}", instant(due_at)) }
}

/// A kind of work that somebody still has to finish. The sweeper looks at these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// A receipt that is announced or being read.
    Receipt,
    /// An expense that waits for a decision.
    Submission,
    /// A step that is decided while its execution still waits.
    Resumption,
}

impl Open {
    /// The index's partition key.
    pub const fn pk(self) -> &'static str {
        match self {
            Self::Receipt => "OPEN#receipt",
            Self::Submission => "OPEN#submission",
            Self::Resumption => "OPEN#resumption",
        }
    }

    /// Where a piece of work stands, by the time since when it waits.
    pub fn entry(self, since: Timestamp, id: &str) -> Entry {
        Entry { index: Index::Open, pk: self.pk().to_owned(), sk: format!("{}#{id}", instant(since)) }
    }
}

/// Events of a day (UTC).
pub fn events_on(day: Date) -> String {
    format!("DAY#{day}")
}

/// Where an event stands in its day.
pub fn event_of_day(occurred_at: Timestamp, id: &EventId) -> Entry {
    let day = occurred_at.to_zoned(TimeZone::UTC).date();
    Entry { index: Index::Day, pk: events_on(day), sk: format!("{}#{id}", instant(occurred_at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_sort_as_text() {
        let early: Timestamp = "2026-03-12T12:30:05Z".parse().unwrap();
        let late: Timestamp = "2026-03-12T12:30:05.1Z".parse().unwrap();
        assert!(instant(early) < instant(late));
        assert_eq!(instant(early).len(), instant(late).len());
    }

    #[test]
    fn versions_sort_as_text() {
        let nine = Subject::policy(9).version;
        assert_eq!(event(&Subject::policy(nine)).sk, "EVENT#0000000009");
        assert!(event(&Subject::policy(9)).sk < event(&Subject::policy(10)).sk);
    }
}
