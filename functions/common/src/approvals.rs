//! Whom an approval step asks, and that it goes on to ask whoever is responsible.
//!
//! A step asks one person. Who that is follows from profiles, which change while it waits: somebody leaves, gets another
//! manager, or is away for some days. [`Store::reassess`] lets a step follow. It is asked before every decision, so that
//! nobody decides who is not responsible any more, and by the sweeper, so that somebody is asked who is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use slipstream_domain::{
    approver::{Level, MAX_LINE, NobodyToAsk, Organisation, delegation_of},
    expense::{Command, Rejection, decide},
};
use slipstream_events::{Cause, EventBody, ExpenseState, PersonId, PersonState, PolicyState, ReassignmentReason, Role};

use crate::{
    keys,
    records::{PersonRecord, StepRecord, StepStatus},
    store::{ChangeError, Store, add_expense_change},
    table::{Condition, StoreError, Transaction, text},
};

/// Profiles as they were read, each once: for one request or one sweep.
#[derive(Debug)]
pub struct People<'s> {
    store: &'s Store,
    known: BTreeMap<PersonId, Option<PersonState>>,
    finance: Option<Vec<PersonId>>,
    today: Date,
}

impl<'s> People<'s> {
    /// Nobody was read yet. `now` says which day it is (UTC), for delegations.
    pub fn new(store: &'s Store, now: Timestamp) -> Self {
        Self { store, known: BTreeMap::new(), finance: None, today: now.to_zoned(TimeZone::UTC).date() }
    }

    /// Reads those of `wanted` that are not known yet, in one batch.
    async fn read(&mut self, wanted: impl IntoIterator<Item = PersonId>) -> Result<(), StoreError> {
        let unknown: BTreeSet<_> = wanted.into_iter().filter(|id| !self.known.contains_key(id)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = unknown.iter().map(|id| keys::person(*id)).collect();
        let found: Vec<PersonRecord> = self.store.table.batch_get(&keys).await?;
        self.known.extend(unknown.into_iter().map(|id| (id, None)));
        self.known.extend(found.into_iter().map(|person| (person.state.id, Some(person.state))));
        Ok(())
    }

    fn get(&self, id: PersonId) -> Option<&PersonState> {
        self.known.get(&id)?.as_ref()
    }

    /// Everyone who may be asked about a submitter's expenses.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn organisation(&mut self, submitter: PersonId) -> Result<Organisation, StoreError> {
        let finance = match &self.finance {
            Some(finance) => finance.clone(),
            None => {
                let finance = self.store.people_with(Role::Finance).await?;
                let finance: Vec<_> = finance.into_iter().map(|person| person.state.id).collect();
                self.finance.insert(finance).clone()
            }
        };
        // The index may be behind; what counts are the profiles.
        self.read(finance.iter().copied().chain([submitter])).await?;
        let mut line = BTreeSet::from([submitter]);
        let mut next = self.get(submitter).and_then(|submitter| submitter.manager);
        for _ in 0..MAX_LINE {
            let Some(manager) = next else { break };
            self.read([manager]).await?;
            if !line.insert(manager) {
                break;
            }
            next = self.get(manager).and_then(|person| person.manager);
        }
        let mut members: BTreeSet<_> = finance.into_iter().chain(line).collect();
        let mut last = members.clone();
        while !last.is_empty() {
            last = last.iter().filter_map(|id| delegation_of(self.get(*id)?, self.today)).collect();
            last.retain(|delegate| members.insert(*delegate));
            self.read(last.iter().copied()).await?;
        }
        let people = members.into_iter().filter_map(|id| Some((id, self.get(id)?.clone()))).collect();
        Ok(Organisation::new(submitter, people, self.today))
    }
}

impl StepRecord {
    /// At which level it stands.
    pub const fn level(&self) -> Level {
        match self.step {
            ..=1 => Level::First,
            _ => Level::Second(self.second_level),
        }
    }

    /// Whom it is to ask as things stand.
    ///
    /// # Errors
    /// [`NobodyToAsk`].
    pub fn responsible(&self, organisation: &Organisation) -> Result<PersonId, NobodyToAsk> {
        organisation.choose(self.level(), &self.passed_over, Some(self.approver))
    }
}

/// What an approval goes by to its end.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The version of the policy that the submission began with.
    pub policy_version: u32,
    /// That policy.
    pub policy: PolicyState,
    /// Whether it was reopened because a decision was disowned.
    pub reopened: bool,
}

/// The instant without its fraction: due dates are compared as text, which is right at one precision only.
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// That many seconds after `from`; never, where no clock reaches it.
pub fn seconds_after(from: Timestamp, seconds: u64) -> Timestamp {
    let duration = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    whole_seconds(from).checked_add(duration).unwrap_or(Timestamp::MAX)
}

impl Store {
    /// What the latest submission of an expense began with, as its event says.
    ///
    /// # Errors
    /// [`ChangeError`]; also where the policy is not there: without it fewer people might be asked.
    pub async fn beginning(&self, expense: &ExpenseState) -> Result<Beginning, ChangeError> {
        let history = self.history(expense.id).await?;
        let began = history.iter().rev().find_map(|record| match record.event().ok()?.data {
            EventBody::ExpenseSubmitted(data) => Some((data.change.policy_version, false)),
            EventBody::ExpenseReopened(data) => Some((data.change.policy_version, true)),
            _ => None,
        });
        let missing = |what| ChangeError::Rejected(Rejection::Existence(what));
        let (policy_version, reopened) =
            began.ok_or_else(|| missing("the expense has no submission in its history"))?;
        let policy = self.policy(policy_version).await?;
        let policy =
            policy.ok_or_else(|| missing("there is no policy of the version that the submission began with"))?;
        Ok(Beginning { policy_version, policy, reopened })
    }

    /// Lets a pending step ask whoever is responsible by now; the answer is the step as it is then, if that is somebody
    /// else than before. Where nobody is left to ask, it stays with whom it asks.
    ///
    /// # Errors
    /// [`ChangeError`]; [`ChangeError::is_conflict`] when something else was faster.
    pub async fn reassess(
        &self,
        step: &StepRecord,
        expense: &ExpenseState,
        people: &mut People<'_>,
        cause: &Cause,
    ) -> Result<Option<StepRecord>, ChangeError> {
        let organisation = people.organisation(expense.owner).await?;
        let Ok(approver) = step.responsible(&organisation) else { return Ok(None) };
        if step.status != StepStatus::Pending || approver == step.approver {
            return Ok(None);
        }
        let reason = organisation.reason(step.approver);
        let after = StepRecord { approver, ..step.clone() };
        let Beginning { policy, .. } = self.beginning(expense).await?;
        let mut transaction = Transaction::default();
        add_reassignment(&mut transaction, step, after.clone(), expense, &policy, reason, cause)?;
        self.table.commit(transaction).await?;
        tracing::info!(submission.id = %step.submission, step = step.step, ?reason, "somebody else is asked");
        Ok(Some(after))
    }
}

/// Adds to a transaction that a pending step asks somebody else: links that were mailed before die with it, and the event
/// has the new one mailed, who has as long as whoever was asked first, within the time that the step has. Of `after` its
/// approver and whom it passed over count. A step is escalated once.
///
/// # Errors
/// [`ChangeError`].
pub fn add_reassignment(
    transaction: &mut Transaction,
    before: &StepRecord,
    mut after: StepRecord,
    expense: &ExpenseState,
    policy: &PolicyState,
    reason: ReassignmentReason,
    cause: &Cause,
) -> Result<(), ChangeError> {
    let command = Command::ReassignApproval {
        submission: before.submission.number,
        step: before.step,
        from: before.approver,
        approver: after.approver,
        reason,
        due_at: before.due_at,
    };
    let change = decide(Some(expense), command)?;
    add_expense_change(transaction, Some(expense), change, cause)?;
    let within = |seconds| Some(seconds_after(cause.at, seconds)).filter(|at| *at < before.due_at);
    after.remind_at = within(policy.reminder_after_seconds);
    let is_escalated = before.escalate_at.is_none() || reason == ReassignmentReason::Escalated;
    after.escalate_at = within(policy.escalation_after_seconds).filter(|_| !is_escalated);
    after.former_link_hashes.append(&mut after.link_hashes);
    // Whole, since only these two change a pending step that asks somebody else by now: an execution that is begun anew,
    // and a mail, whose link dies all the same.
    let condition = Condition::new("#status = :pending AND #approver = :before AND #token = :token")
        .name("#status", "status")
        .name("#approver", "approver")
        .name("#token", "task_token")
        .value(":pending", text("pending"))
        .value(":before", text(before.approver))
        .value(":token", text(&before.task_token));
    transaction.put(&keys::step(before.submission, before.step), after.to_item()?, Some(condition));
    Ok(())
}
