//! Every key of the main table and of its four sparse indexes. `docs/architecture.md` lists the access patterns
//! that they serve. Nothing else in the workspace spells an attribute or index name.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use slipstream_domain::merchant;
use slipstream_events::{
    BatchId, Category, EventId, ExpenseId, ExpenseState, ExpenseStatus, ExportId, PersonId, ReceiptId, ReportId, Role,
    Subject, SubjectType, SubmissionId,
};

/// The partition key's attribute.
pub const PK: &str = "PK";
/// The sort key's attribute.
pub const SK: &str = "SK";
/// The attribute that DynamoDB's time to live looks at: seconds since 1970.
pub const EXPIRES_AT: &str = "expires_at";
/// What every event's sort key begins with.
pub const EVENT_PREFIX: &str = "EVENT#";

/// What every habit's sort key begins with.
pub const HABIT_PREFIX: &str = "HABIT#";
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
        SubjectType::Rates => format!("RATES#{id}"),
        SubjectType::Budget => format!("BUDGET#{id}"),
        SubjectType::Report => format!("REPORT#{id}"),
    }
}

/// The subject whose events a partition holds: its type, and its id. None where there is one subject of its kind only.
pub fn subject_of(pk: &str) -> Option<(SubjectType, &str)> {
    let (kind, id) = pk.split_once('#')?;
    let subject_type = match kind {
        "EXPENSE" => SubjectType::Expense,
        "RECEIPT" => SubjectType::Receipt,
        "PERSON" => SubjectType::Person,
        "RATES" => SubjectType::Rates,
        "BUDGET" => SubjectType::Budget,
        "REPORT" => SubjectType::Report,
        _ => return None,
    };
    Some((subject_type, id))
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

/// Who is having these bytes read, while someone is.
pub fn analysis(sha256: &str) -> Key {
    key(same_file(sha256), "ANALYSIS")
}

/// What a person does with a merchant, by the merchant's key ([`slipstream_domain::merchant::key`]).
pub fn habit(person: PersonId, merchant: &str) -> Key {
    key(subject_partition(SubjectType::Person, &person.to_string()), format!("{HABIT_PREFIX}{merchant}"))
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

/// An export.
pub fn export(id: ExportId) -> Key {
    key(format!("EXPORT#{id}"), "EXPORT")
}

/// The erasure of what is known of a person.
pub fn erasure(person: PersonId) -> Key {
    key(subject_partition(SubjectType::Person, &person.to_string()), "ERASURE")
}

/// The partition of the exchange rates, by day.
pub const RATES: &str = "RATES";

/// The exchange rates of a day.
pub fn rates(date: Date) -> Key {
    key(RATES.to_owned(), date.to_string())
}

/// The partition of the budgets, by category.
pub const BUDGETS: &str = "BUDGETS";

/// The budget of a category.
pub fn budget(category: Category) -> Key {
    key(BUDGETS.to_owned(), category.to_string())
}

/// A report.
pub fn report(id: ReportId) -> Key {
    key(subject_partition(SubjectType::Report, &id.to_string()), "REPORT")
}

/// One submission of a report, counted from 1: which submissions of its expenses were made together.
pub fn report_submission(id: ReportId, number: u32) -> Key {
    key(subject_partition(SubjectType::Report, &id.to_string()), format!("{REPORT_SUBMISSION_PREFIX}{number:010}"))
}

/// What every submission of a report begins with.
pub const REPORT_SUBMISSION_PREFIX: &str = "SUBMISSION#";

/// The guard of the one mail that asks an approver for a submitted report.
pub fn report_guard(consumer: &str, id: ReportId, number: u32, approver: PersonId) -> Key {
    key(format!("DONE#{consumer}#report/{id}/{number}/{approver}"), "DONE")
}

/// The steps that one person gets one mail about, being gathered.
pub fn gathering(person: PersonId, kind: &str) -> Key {
    key(format!("MAIL#{person}"), kind)
}

/// The steps that one person gets, or got, one mail about.
pub fn batch(id: BatchId) -> Key {
    key(format!("BATCH#{id}"), "BATCH")
}

/// The guard of the one mail about a batch.
pub fn batch_guard(consumer: &str, id: BatchId) -> Key {
    key(format!("DONE#{consumer}#batch/{id}"), "DONE")
}

/// The guard of the one reminder that an approver gets on a day (UTC).
pub fn reminder_guard(consumer: &str, approver: PersonId, day: Date) -> Key {
    key(format!("DONE#{consumer}#reminder/{approver}/{day}"), "DONE")
}

/// The guard of what a person is mailed again of a step because of a replay; one for each kind of mail.
pub fn resent_guard(consumer: &str, replay: &str, kind: &str, person: PersonId, step: &str) -> Key {
    key(format!("DONE#{consumer}/{replay}#{kind}/{person}/{step}"), "DONE")
}

/// The guard of what finance is told of a person whom mail does not reach, since when; one for each of them.
pub fn undeliverable_guard(consumer: &str, person: PersonId, since: Timestamp) -> Key {
    key(format!("DONE#{consumer}#undeliverable/{person}/{}", instant(since)), "DONE")
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

/// Up to which day everything is erased that has outlived the legal term.
pub fn retention_sweep() -> Key {
    key("SWEEP".to_owned(), "RETENTION")
}

/// A sparse index of the main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Expenses by owner and date; receipts, reports and exports by owner; people by role.
    Owner,
    /// Pending steps by approver and due date; expenses by owner, status and date; people by mail address.
    Approver,
    /// Work that is not finished.
    Open,
    /// Events by day; expenses by month, status and date.
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

/// Expenses of an owner, by date.
pub fn expenses_of(owner: PersonId) -> String {
    format!("OWNER#{owner}")
}

/// Expenses of an owner that stand at `status`, by date.
pub fn expenses_of_status(owner: PersonId, status: ExpenseStatus) -> String {
    format!("OWNER#{owner}#{status}")
}

/// Everyone's expenses of a month (`yyyy-mm`) that stand at `status`, by date. Drafts are in none.
pub fn expenses_of_month(month: &str, status: ExpenseStatus) -> String {
    format!("MONTH#{month}#{status}")
}

/// The date by which an expense is listed: the receipt's; while there is none, the day on which it was made (UTC).
pub fn listed_on(state: &ExpenseState) -> Date {
    state.details.date.unwrap_or_else(|| state.created_at.to_zoned(TimeZone::UTC).date())
}

/// The first sort key of a date in an index of expenses.
pub fn from_date(date: Date) -> String {
    date.to_string()
}

/// The last sort key of a date in an index of expenses.
pub fn until_date(date: Date) -> String {
    // Ids are lower-case letters, digits and an underscore, all before a tilde.
    format!("{date}#~")
}

/// Where an expense stands: among its owner's, all and by status; among open work while it waits for a decision; and
/// from its first submission on among everyone's of the month. A deleted one is in no list, but the erasure of its owner
/// finds it by its status.
pub fn expense_entries(state: &ExpenseState) -> Vec<Entry> {
    let status = state.status;
    let date = listed_on(state);
    let sk = format!("{date}#{}", state.id);
    let by_status = Entry { index: Index::Approver, pk: expenses_of_status(state.owner, status), sk: sk.clone() };
    if status == ExpenseStatus::Deleted {
        return vec![by_status];
    }
    let mut entries = vec![Entry { index: Index::Owner, pk: expenses_of(state.owner), sk: sk.clone() }, by_status];
    if status == ExpenseStatus::Submitted {
        entries.push(Open::Submission.entry(state.updated_at, &state.id.to_string()));
    }
    if status != ExpenseStatus::Draft {
        let month = date.strftime("%Y-%m").to_string();
        entries.push(Entry { index: Index::Day, pk: expenses_of_month(&month, status), sk });
    }
    entries
}

/// An item that follows an expense: it is there while the expense says what the key says, and goes in the transaction
/// that makes it say something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands.
    pub key: Key,
    /// Whether one expense at a time may have it.
    pub exclusive: bool,
}

/// The partition of the expenses that were made of the same bytes.
pub fn same_file(sha256: &str) -> String {
    format!("HASH#{sha256}")
}

/// The partition of the expenses that look like the same purchase: merchant (by its key), date, currency and amount as
/// on the receipt; of a part of a split the amount of the whole. `None` while something of it is not known.
pub fn same_purchase(state: &ExpenseState) -> Option<String> {
    let details = &state.details;
    let merchant = merchant::key(details.merchant.as_deref()?);
    let amount = match &state.split {
        Some(split) => split.original_amount.unwrap_or(split.total),
        None => details.original_amount.or(details.amount)?,
    };
    let date = details.date?;
    (!merchant.is_empty()).then(|| format!("LIKELY#{merchant}#{date}#{}#{}", amount.currency, amount.minor_units))
}

/// The partition of a report and of the marks of the expenses in it.
pub fn report_partition(report: ReportId) -> String {
    subject_partition(SubjectType::Report, &report.to_string())
}

/// What the sort key of an expense's mark begins with.
pub const MARK_PREFIX: &str = "EXPENSE#";

/// Which expense has the receipt. Of the parts of a split it is the first.
pub fn receipt_use(receipt: ReceiptId) -> Key {
    key(subject_partition(SubjectType::Receipt, &receipt.to_string()), "USE")
}

/// The marks of an expense.
pub fn marks(state: &ExpenseState) -> Vec<Mark> {
    let mut marks = Vec::new();
    if state.status == ExpenseStatus::Deleted {
        return marks;
    }
    let mut mark = |pk: String| {
        marks.push(Mark { key: key(pk, format!("{MARK_PREFIX}{}", state.id)), exclusive: false });
    };
    if state.status != ExpenseStatus::Rejected {
        state.receipt_sha256.as_deref().map(same_file).into_iter().for_each(&mut mark);
        same_purchase(state).into_iter().for_each(&mut mark);
    }
    state.details.report.map(report_partition).into_iter().for_each(&mut mark);
    let holds = state.split.as_ref().is_none_or(|split| split.of == state.id);
    if let Some(receipt) = state.receipt.filter(|_| holds) {
        marks.push(Mark { key: receipt_use(receipt), exclusive: true });
    }
    marks
}

/// What digests of dismissed duplicates are made with.
pub fn duplicates_secret() -> Key {
    key("SECRET".to_owned(), "DUPLICATES")
}

/// The answer to a request that named an idempotency key.
pub fn idempotency(person: PersonId, key_of_client: &str) -> Key {
    key(format!("IDEMPOTENCY#{person}#{key_of_client}"), "ANSWER")
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

/// Reports of an owner, by the time they were begun.
pub fn reports_of(owner: PersonId) -> String {
    format!("OWNER#{owner}#reports")
}

/// Where a report stands among its owner's.
pub fn report_of_owner(owner: PersonId, created_at: Timestamp, id: ReportId) -> Entry {
    Entry { index: Index::Owner, pk: reports_of(owner), sk: format!("{}#{id}", instant(created_at)) }
}

/// A report that was deleted: what leads to its events.
pub fn deleted_report(id: ReportId) -> Key {
    key(report_partition(id), "DELETED")
}

/// Reports that their owner deleted. They are in no list, but the erasure of their owner finds them.
pub fn deleted_reports_of(owner: PersonId) -> String {
    format!("OWNER#{owner}#deleted-reports")
}

/// Where a deleted report stands among its owner's.
pub fn deleted_report_of_owner(owner: PersonId, created_at: Timestamp, id: ReportId) -> Entry {
    Entry { index: Index::Owner, pk: deleted_reports_of(owner), sk: format!("{}#{id}", instant(created_at)) }
}

/// Receipts of an owner, by the time they were announced; deleted ones, too.
pub fn receipts_of(owner: PersonId) -> String {
    format!("OWNER#{owner}#receipts")
}

/// Where a receipt stands among its owner's.
pub fn receipt_of_owner(owner: PersonId, created_at: Timestamp, id: ReceiptId) -> Entry {
    Entry { index: Index::Owner, pk: receipts_of(owner), sk: format!("{}#{id}", instant(created_at)) }
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

/// Steps that an approver decided.
pub fn steps_decided_by(approver: PersonId) -> String {
    format!("APPROVER#{approver}#decided")
}

/// Where a decided step stands among those that its approver decided, by when they did.
pub fn step_decided_by(approver: PersonId, decided_at: Timestamp, submission: SubmissionId) -> Entry {
    Entry {
        index: Index::Approver,
        pk: steps_decided_by(approver),
        sk: format!("{}#{submission}", instant(decided_at)),
    }
}

/// Exports that a person asked for.
pub fn exports_of(owner: PersonId) -> String {
    format!("EXPORTS#{owner}")
}

/// Where an export stands among those that its owner asked for.
pub fn export_of_owner(owner: PersonId, created_at: Timestamp, id: ExportId) -> Entry {
    Entry { index: Index::Owner, pk: exports_of(owner), sk: format!("{}#{id}", instant(created_at)) }
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
    /// A submitted report whose approvers were not mailed yet.
    ReportMail,
    /// Steps whose mail waits for more, or was not sent yet.
    Mail,
    /// A receipt that was deleted while its files are still there.
    Erasure,
    /// An export that is being made, or an erasure that is under way.
    Background,
}

impl Open {
    /// The index's partition key.
    pub const fn pk(self) -> &'static str {
        match self {
            Self::Receipt => "OPEN#receipt",
            Self::Submission => "OPEN#submission",
            Self::Resumption => "OPEN#resumption",
            Self::ReportMail => "OPEN#report-mail",
            Self::Mail => "OPEN#mail",
            Self::Erasure => "OPEN#erasure",
            Self::Background => "OPEN#background",
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
    fn an_expense_stands_where_it_is_looked_for_and_nowhere_else() {
        use slipstream_events::{Currency, ExpenseDetails, Money};
        let owner: PersonId = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap();
        let mut state = ExpenseState {
            id: ExpenseId::derived_from(&["x"]),
            version: 1,
            owner,
            status: ExpenseStatus::Draft,
            details: ExpenseDetails {
                merchant: Some("Café Lindenhof GmbH".to_owned()),
                amount: Some(Money::new(2340, Currency::EUR)),
                ..ExpenseDetails::default()
            },
            receipt: Some(ReceiptId::derived_from(&["x"])),
            receipt_sha256: Some("00ff".to_owned()),
            review: Vec::new(),
            distinct_from: Vec::new(),
            split: None,
            findings: Vec::new(),
            converted: None,
            submission: 0,
            created_at: "2026-03-12T23:30:00Z".parse().unwrap(),
            updated_at: Timestamp::UNIX_EPOCH,
        };
        let indexes = |state: &ExpenseState| expense_entries(state).iter().map(|entry| entry.index).collect::<Vec<_>>();
        let marked = |state: &ExpenseState| marks(state).into_iter().map(|mark| mark.key.pk).collect::<Vec<_>>();
        let receipt = receipt_use(ReceiptId::derived_from(&["x"])).pk;
        assert_eq!(indexes(&state), [Index::Owner, Index::Approver], "a draft is its owner's affair");
        assert_eq!(expense_entries(&state)[0].sk, format!("2026-03-12#{}", state.id));
        assert_eq!(marked(&state), ["HASH#00ff", &receipt], "without a date there is no likely duplicate");
        state.details.date = Some(jiff::civil::date(2026, 2, 28));
        state.status = ExpenseStatus::Submitted;
        assert_eq!(indexes(&state), [Index::Owner, Index::Approver, Index::Open, Index::Day]);
        assert_eq!(expense_entries(&state)[3].pk, "MONTH#2026-02#submitted");
        assert_eq!(marked(&state), ["HASH#00ff", "LIKELY#cafélindenhof#2026-02-28#EUR#2340", &receipt]);
        state.status = ExpenseStatus::Rejected;
        assert_eq!(marked(&state), [receipt], "a rejected expense is nobody's duplicate");
        state.status = ExpenseStatus::Deleted;
        assert_eq!((indexes(&state), marks(&state).len()), (vec![Index::Approver], 0));
        let date = jiff::civil::date(2026, 2, 28);
        let sk = format!("{date}#{}", state.id);
        assert!(
            from_date(date) < sk && sk < until_date(date) && until_date(date) < from_date(date.tomorrow().unwrap())
        );
    }

    #[test]
    fn a_partition_names_its_subject() {
        use SubjectType as S;
        for subject_type in [S::Expense, S::Receipt, S::Person, S::Rates, S::Budget, S::Report] {
            assert_eq!(subject_of(&subject_partition(subject_type, "x#1")), Some((subject_type, "x#1")));
        }
        assert_eq!(subject_of(&subject_partition(S::Policy, "")), None);
    }

    #[test]
    fn versions_sort_as_text() {
        let nine = Subject::policy(9).version;
        assert_eq!(event(&Subject::policy(nine)).sk, "EVENT#0000000009");
        assert!(event(&Subject::policy(9)).sk < event(&Subject::policy(10)).sk);
    }
}
