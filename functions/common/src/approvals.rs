//! Whom an approval step asks, and that it goes on to ask whoever is responsible.
//!
//! A step asks one person. Who that is follows from profiles, which change while it waits: somebody leaves, gets another
//! manager, or is away for some days. [`Store::reassess`] lets a step follow. It is asked before every decision, so that
//! nobody decides who is not responsible any more, and by the sweeper, so that somebody is asked who is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use slipstream_domain::{
    approver::{Level, MAX_LINE, NobodyToAsk, Organisation, delegation_of},
    expense::{Command, decide},
};
use slipstream_events::{Cause, ExpenseState, PersonId, PersonState, ReassignmentReason, Role};

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
        let members: BTreeSet<_> = finance.into_iter().chain(line).collect();
        let delegates: BTreeSet<_> =
            members.iter().filter_map(|id| delegation_of(self.get(*id)?, self.today)).collect();
        self.read(delegates.iter().copied()).await?;
        let people = members.into_iter().chain(delegates).filter_map(|id| Some((id, self.get(id)?.clone()))).collect();
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

impl Store {
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
        let mut transaction = Transaction::default();
        add_reassignment(&mut transaction, step, &after, expense, reason, cause)?;
        self.table.commit(transaction).await?;
        tracing::info!(submission.id = %step.submission, step = step.step, ?reason, "somebody else is asked");
        Ok(Some(after))
    }
}

/// Adds to a transaction that a pending step asks somebody else: links that were mailed before die with it, and the event
/// has the new one mailed. Of `after` its approver and whom it passed over count.
///
/// # Errors
/// [`ChangeError`].
pub fn add_reassignment(
    transaction: &mut Transaction,
    before: &StepRecord,
    after: &StepRecord,
    expense: &ExpenseState,
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
    let mut former = before.former_link_hashes.clone();
    former.extend(before.link_hashes.iter().cloned());
    let after = StepRecord { link_hashes: Vec::new(), former_link_hashes: former, ..after.clone() };
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
