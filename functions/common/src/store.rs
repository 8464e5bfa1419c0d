//! Changes of expenses, receipts, people and policy. Every change writes the new state on condition of the version
//! it was decided on, and its event in the same transaction (the transactional outbox).

use jiff::{Timestamp, tz::TimeZone};
use slipstream_domain::{
    category,
    expense::{Command, Rejection, apply, decide},
    merchant,
};
use slipstream_events::{
    Actor, BudgetEvent, BudgetLimit, BudgetState, Category, Cause, Event, EventBody, ExpenseChange, ExpenseId,
    ExpenseState, FailureReason, PersonEvent, PersonId, PolicyEvent, PolicyState, ReceiptDeleted, ReceiptFailed,
    ReceiptId, ReceiptStatus, Role, Subject, SubjectType, SubmissionId,
};

use crate::{
    http::new_correlation_id,
    keys::{self, Index, Key, Open},
    records::{
        ClaimRecord, EventRecord, HabitRecord, MarkRecord, PersonRecord, ReceiptRecord, StepRecord, expense_item,
        policy_item,
    },
    table::{Condition, IndexQuery, StoreError, Table, Take, Transaction, flag, item, number, text},
};

/// Why a change did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The rules do not allow it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event cannot be written as JSON.
    #[error("an event cannot be written: {0}")]
    Event(#[from] serde_json::Error),
}

impl ChangeError {
    /// Whether someone else changed the same thing in between.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Condition(_)))
    }
}

/// How often a change is decided anew because someone else was faster.
const MAX_RACES: u32 = 8;

/// The main table, said in the domain's terms.
#[derive(Debug, Clone)]
pub struct Store {
    /// The table underneath.
    pub table: Table,
}

impl Store {
    /// The store in `table`.
    pub const fn new(table: Table) -> Self {
        Self { table }
    }

    /// The expense, as it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expense(&self, id: ExpenseId) -> Result<Option<ExpenseState>, StoreError> {
        self.table.get(&keys::expense(id)).await
    }

    /// The receipt, as it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn receipt(&self, id: ReceiptId) -> Result<Option<ReceiptRecord>, StoreError> {
        self.table.get(&keys::receipt(id)).await
    }

    /// The person, as they are now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn person(&self, id: PersonId) -> Result<Option<PersonRecord>, StoreError> {
        self.table.get(&keys::person(id)).await
    }

    /// The category that the person chose for a merchant the last time they corrected one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn habit(&self, person: PersonId, merchant: &str) -> Result<Option<Category>, StoreError> {
        let habit: Option<HabitRecord> = self.table.get(&keys::habit(person, &merchant::key(merchant))).await?;
        Ok(habit.map(|habit| habit.category))
    }

    /// Everyone with the role (eventually consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn people_with(&self, role: Role) -> Result<Vec<PersonRecord>, StoreError> {
        self.table.query_all(&IndexQuery::of(Index::Owner, keys::people_with(role))).await
    }

    /// An approval step, as it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn step(&self, submission: SubmissionId, step: u32) -> Result<Option<StepRecord>, StoreError> {
        self.table.get(&keys::step(submission, step)).await
    }

    /// A submission's steps, as they are now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn steps(&self, submission: SubmissionId) -> Result<Vec<StepRecord>, StoreError> {
        let first = keys::step(submission, 1);
        self.table.partition(&first.pk, keys::STEP_PREFIX).await
    }

    /// Which execution has claimed the submission.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, submission: SubmissionId) -> Result<Option<ClaimRecord>, StoreError> {
        self.table.get(&keys::claim(submission)).await
    }

    /// The policy that holds now: the built-in one until finance sets another.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn current_policy(&self) -> Result<PolicyState, StoreError> {
        Ok(self.table.get(&keys::current_policy()).await?.unwrap_or_default())
    }

    /// A version of the policy.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policy(&self, version: u32) -> Result<Option<PolicyState>, StoreError> {
        if version == 0 {
            return Ok(Some(PolicyState::default()));
        }
        self.table.get(&keys::policy(version)).await
    }

    /// The expense that has the receipt, if one has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn receipt_use(&self, receipt: ReceiptId) -> Result<Option<ExpenseId>, StoreError> {
        let mark: Option<MarkRecord> = self.table.get(&keys::receipt_use(receipt)).await?;
        Ok(mark.map(|mark| mark.expense))
    }

    /// The budgets, as they are now; also those that were taken away.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn budgets(&self) -> Result<Vec<BudgetState>, StoreError> {
        // Every category sorts between these two.
        self.table.range(keys::BUDGETS, "a", "~", None).await
    }

    /// A category's budget, as it is now; also one that was taken away.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn budget(&self, category: Category) -> Result<Option<BudgetState>, StoreError> {
        self.table.get(&keys::budget(category)).await
    }

    /// An expense's events, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn history(&self, expense: ExpenseId) -> Result<Vec<EventRecord>, StoreError> {
        self.table.partition(&keys::expense(expense).pk, keys::EVENT_PREFIX).await
    }

    /// An expense's events after the version `after`, oldest first, at most `limit`: one query.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn history_after(
        &self,
        expense: ExpenseId,
        after: u64,
        limit: i32,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let of = |version| {
            let subject = Subject { subject_type: SubjectType::Expense, id: expense.to_string(), version };
            keys::event(&subject)
        };
        let (from, until) = (of(after.saturating_add(1)), format!("{}~", keys::EVENT_PREFIX));
        self.table.range(&from.pk, &from.sk, &until, Some(Take::First(limit))).await
    }

    /// Decides `command` on the expense as it is now and writes the outcome; decides anew when someone else changed
    /// it in between.
    ///
    /// # Errors
    /// [`ChangeError::Rejected`] by the rules, or [`ChangeError::Store`].
    pub async fn change_expense(
        &self,
        id: ExpenseId,
        cause: &Cause,
        command: &Command,
    ) -> Result<ExpenseState, ChangeError> {
        let mut races = 0;
        loop {
            let before = self.expense(id).await?;
            let change = decide(before.as_ref(), command.clone())?;
            let mut transaction = Transaction::default();
            let (after, _) = add_expense_change(&mut transaction, before.as_ref(), change, cause)?;
            match self.table.commit(transaction).await {
                Ok(()) => return Ok(after),
                Err(StoreError::Condition(_)) if races < MAX_RACES => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes a person's profile, changed from `before`.
    ///
    /// # Errors
    /// [`ChangeError`]; [`ChangeError::is_conflict`] when someone else changed it in between.
    pub async fn write_person(
        &self,
        before: Option<&PersonRecord>,
        after: PersonRecord,
        cause: &Cause,
    ) -> Result<PersonRecord, ChangeError> {
        let mut transaction = Transaction::default();
        let after = add_person_change(&mut transaction, before, after, cause)?;
        self.table.commit(transaction).await?;
        Ok(after)
    }

    /// Writes an event that changes no item, once; whether it was the first time.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn write_once(&self, event: &Event) -> Result<bool, ChangeError> {
        let mut transaction = Transaction::default();
        add_event(&mut transaction, event)?;
        match self.table.commit(transaction).await {
            Ok(()) => Ok(true),
            Err(StoreError::Condition(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Adds a new policy to a transaction, after the one that holds now: as the current one, as its own version for ever,
/// and its event.
///
/// # Errors
/// [`ChangeError`].
pub fn add_policy(
    transaction: &mut Transaction,
    before: &PolicyState,
    after: PolicyState,
    cause: &Cause,
) -> Result<PolicyState, ChangeError> {
    let after = PolicyState { version: before.version + 1, ..after };
    let condition = match before.version {
        0 => Condition::absent(),
        version => Condition::version(u64::from(version)),
    };
    transaction.put(&keys::current_policy(), policy_item(&after)?, Some(condition));
    transaction.put(&keys::policy(after.version), policy_item(&after)?, Some(Condition::absent()));
    let body = EventBody::PolicyChanged(Box::new(PolicyEvent { policy: after.clone() }));
    add_event(transaction, &Event::new(Subject::policy(u64::from(after.version)), body, cause))?;
    Ok(after)
}

/// Adds a category's budget to a transaction, after `before`, and its event.
///
/// # Errors
/// [`ChangeError`].
pub fn add_budget(
    transaction: &mut Transaction,
    before: Option<&BudgetState>,
    category: Category,
    limit: Option<BudgetLimit>,
    cause: &Cause,
) -> Result<BudgetState, ChangeError> {
    let version = before.map_or(0, |before| before.version) + 1;
    let after = BudgetState { category, version, since: cause.at.to_zoned(TimeZone::UTC).date(), limit };
    let condition = before.map_or_else(Condition::absent, |before| Condition::version(before.version));
    transaction.put(&keys::budget(category), item(&after, [])?, Some(condition));
    let body = EventBody::BudgetChanged(Box::new(BudgetEvent { budget: after.clone() }));
    add_event(transaction, &Event::new(Subject::budget(category, version), body, cause))?;
    Ok(after)
}

/// Adds `change` of an expense to a transaction: the expense on condition of its version, the marks that follow it, the
/// event, and what there is to learn from a correction. Returns the expense after it, and the event.
///
/// # Errors
/// [`ChangeError`].
pub fn add_expense_change(
    transaction: &mut Transaction,
    before: Option<&ExpenseState>,
    change: ExpenseChange,
    cause: &Cause,
) -> Result<(ExpenseState, Event), ChangeError> {
    let after = apply(before, &change, cause.at)?;
    if let ExpenseChange::Edited(edited) = &change {
        for (merchant, category) in category::lessons(&edited.before, &edited.after) {
            transaction.put(&keys::habit(after.owner, &merchant), item(&HabitRecord { category }, [])?, None);
        }
    }
    let condition = before.map_or_else(Condition::absent, |before| Condition::version(before.version));
    transaction.put(&keys::expense(after.id), expense_item(&after)?, Some(condition));
    add_marks(transaction, before, &after)?;
    let event = Event::new(Subject::expense(&after), EventBody::of_expense(change, after.clone()), cause);
    add_event(transaction, &event)?;
    Ok((after, event))
}

/// Adds a person's change to a transaction: the profile on condition of its version, and the event. Returns the
/// profile after it.
///
/// # Errors
/// [`ChangeError`].
pub fn add_person_change(
    transaction: &mut Transaction,
    before: Option<&PersonRecord>,
    mut after: PersonRecord,
    cause: &Cause,
) -> Result<PersonRecord, ChangeError> {
    after.state.version = before.map_or(0, |before| before.state.version) + 1;
    let body = PersonEvent { person: after.state.clone() };
    let body = match before {
        None => EventBody::PersonRegistered(Box::new(body)),
        Some(_) => EventBody::PersonChanged(Box::new(body)),
    };
    let event = Event::new(Subject::person(after.state.id, after.state.version), body, cause);
    let condition = before.map_or_else(Condition::absent, |before| Condition::version(before.state.version));
    transaction.put(&keys::person(after.state.id), after.to_item()?, Some(condition));
    add_event(transaction, &event)?;
    Ok(after)
}

/// Adds to a transaction that a person's profile is still at this version, and changes nothing of it.
pub fn add_person_check(transaction: &mut Transaction, person: &PersonRecord) {
    transaction.check(&keys::person(person.state.id), Condition::version(person.state.version));
}

/// Lets the marks of an expense follow it.
fn add_marks(
    transaction: &mut Transaction,
    before: Option<&ExpenseState>,
    after: &ExpenseState,
) -> Result<(), StoreError> {
    let (old, new) = (before.map(keys::marks).unwrap_or_default(), keys::marks(after));
    let record = MarkRecord::of(after);
    for mark in old.iter().filter(|mark| !new.contains(mark)) {
        transaction.delete(&mark.key, Condition::default());
    }
    let said_before = before.map(MarkRecord::of);
    for mark in new.iter().filter(|mark| said_before.as_ref() != Some(&record) || !old.contains(mark)) {
        let condition = mark.exclusive.then(|| {
            Condition::new("attribute_not_exists(#pk) OR #expense = :expense")
                .name("#pk", keys::PK)
                .name("#expense", "expense")
                .value(":expense", text(after.id))
        });
        transaction.put(&mark.key, item(&record, [])?, condition);
    }
    Ok(())
}

/// Adds a receipt's change to a transaction: the receipt on `condition`, and its event.
///
/// # Errors
/// [`ChangeError`].
pub fn add_receipt_change(
    transaction: &mut Transaction,
    after: &ReceiptRecord,
    condition: Condition,
    body: EventBody,
    cause: &Cause,
) -> Result<Event, ChangeError> {
    transaction.put(&keys::receipt(after.state.id), after.to_item()?, Some(condition));
    let event = Event::new(Subject::receipt(after.state.id, after.state.version), body, cause);
    add_event(transaction, &event)?;
    Ok(event)
}

/// Adds the end of a receipt that cannot be read to a transaction: the receipt is `failed` with a named reason, which
/// its event has its owner told.
///
/// # Errors
/// [`ChangeError`].
pub fn add_receipt_failure(
    transaction: &mut Transaction,
    before: &ReceiptRecord,
    reason: FailureReason,
    condition: Condition,
    cause: &Cause,
) -> Result<Event, ChangeError> {
    let mut after = ReceiptRecord { lease: None, ..before.clone() };
    after.state.version += 1;
    after.state.status = ReceiptStatus::Failed;
    after.state.failure = Some(reason);
    let body = EventBody::ReceiptFailed(Box::new(ReceiptFailed { receipt: after.state.clone(), reason }));
    add_receipt_change(transaction, &after, condition, body, cause)
}

/// Adds to a transaction in which an expense that was submitted parts from its receipt that the receipt stays: somebody
/// was shown it.
pub fn add_receipt_keeping(transaction: &mut Transaction, receipt: ReceiptId) {
    let condition = Condition::new("attribute_exists(#pk)")
        .name("#pk", keys::PK)
        .name("#submitted", SUBMITTED)
        .value(":true", flag(true));
    transaction.update(&keys::receipt(receipt), "SET #submitted = :true", condition);
}

/// The attribute that [`add_receipt_keeping`] sets.
const SUBMITTED: &str = "submitted";

/// Adds the deletion of a receipt that was never submitted to a transaction. From then on it does not exist for its
/// owner; the sweeper erases its files.
///
/// # Errors
/// [`ChangeError`].
pub fn add_receipt_deletion(
    transaction: &mut Transaction,
    before: &ReceiptRecord,
    cause: &Cause,
) -> Result<(), ChangeError> {
    let mut after = ReceiptRecord { deleted_at: Some(cause.at), erased_at: None, ..before.clone() };
    after.state.version += 1;
    after.state.status = ReceiptStatus::Deleted;
    let body = EventBody::ReceiptDeleted(Box::new(ReceiptDeleted { receipt: after.state.clone() }));
    let condition = Condition::new("#version = :version AND attribute_not_exists(#submitted)")
        .name("#version", "version")
        .name("#submitted", SUBMITTED)
        .value(":version", number(before.state.version));
    add_receipt_change(transaction, &after, condition, body, cause)?;
    Ok(())
}

/// The cause of what the part `name` of the system does with a receipt.
pub fn receipt_cause(name: &str, receipt: &ReceiptRecord, at: Timestamp) -> Cause {
    Cause {
        actor: Actor::System { name: name.to_owned() },
        at,
        correlation_id: receipt.correlation_id.parse().unwrap_or_else(|_| new_correlation_id()),
        causation_id: Some(Subject::receipt(receipt.state.id, receipt.state.version).event_id().to_string()),
    }
}

/// Adds an event to a transaction. It is written once: a second one for the same version fails the transaction.
pub(crate) fn add_event(transaction: &mut Transaction, event: &Event) -> Result<(), ChangeError> {
    let record = EventRecord::new(event)?;
    let day = keys::event_of_day(event.metadata.occurred_at, &event.metadata.id);
    let key: Key = keys::event(&event.metadata.subject);
    transaction.put(&key, item(&record, [day])?, Some(Condition::absent()));
    Ok(())
}

/// Adds the end of a pending step without a decision: its link dies, and it stands among the work to resume until
/// its execution knows.
pub fn add_step_closing(transaction: &mut Transaction, step: &StepRecord, at: Timestamp) {
    let resume = Open::Resumption.entry(at, &format!("{}.{}", step.submission, step.step));
    let condition = Condition::new("#status = :pending")
        .name("#status", "status")
        .name("#open_pk", resume.index.pk())
        .name("#open_sk", resume.index.sk())
        .name("#approver_pk", Index::Approver.pk())
        .name("#approver_sk", Index::Approver.sk())
        .value(":pending", text("pending"))
        .value(":closed", text("closed"))
        .value(":open_pk", text(resume.pk))
        .value(":open_sk", text(resume.sk));
    let update = "SET #status = :closed, #open_pk = :open_pk, #open_sk = :open_sk REMOVE #approver_pk, #approver_sk";
    transaction.update(&keys::step(step.submission, step.step), update, condition);
}
