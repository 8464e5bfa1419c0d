//! The decision: one transaction, then the state machine goes on.

use jiff::Timestamp;
use slipstream_common::{
    approvals::{People, whole_seconds},
    keys::{self, Index, Open},
    metrics::Metrics,
    records::{PersonRecord, StepOutcome, StepRecord, StepStatus},
    store::{ChangeError, add_expense_change, add_person_check},
    table::{Condition, Transaction, text},
};
use slipstream_domain::expense::{Command, Decision, decide};
use slipstream_events::{Actor, Cause, CorrelationId, ExpenseState, PersonId, Subject};

use crate::{Approval, task};

/// What entitles to a decision; the transaction itself checks it.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// A mailed link: the hash of its secret stands in the step.
    LinkHash(String),
    /// A person who is signed in: the step asks them.
    Person(PersonId),
}

/// What a decision makes of a step.
const fn outcome_of(decision: &Decision, more_to_ask: bool) -> StepOutcome {
    match decision {
        Decision::Approve { .. } if more_to_ask => StepOutcome::Passed,
        Decision::Approve { .. } => StepOutcome::Approved,
        Decision::Reject { .. } => StepOutcome::Rejected,
        Decision::RequestChanges { .. } => StepOutcome::ChangesRequested,
    }
}

/// Whether an outcome is what this decision leads to.
pub(crate) fn follows_from(outcome: StepOutcome, decision: &Decision) -> bool {
    [false, true].into_iter().any(|more_to_ask| outcome == outcome_of(decision, more_to_ask))
}

/// The stable name, as in the table.
const fn name_of(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Approved => "approved",
        StepOutcome::Passed => "passed",
        StepOutcome::Rejected => "rejected",
        StepOutcome::ChangesRequested => "changes_requested",
    }
}

/// What a decision is made of beside what is said.
#[derive(Debug)]
pub(crate) struct Ballot<'a> {
    /// The step as it was read.
    pub(crate) step: &'a StepRecord,
    /// What entitles to the decision.
    pub(crate) credential: Credential,
    /// Its approver as they were read: whoever has changed since is looked at again.
    pub(crate) approver: &'a PersonRecord,
    /// Whether another level is asked after a yes.
    pub(crate) more_to_ask: bool,
    /// The expense as it was read.
    pub(crate) expense: &'a ExpenseState,
}

/// Adds the decision on a step to a transaction: the step goes from pending to decided, the expense to its outcome or, if
/// there is more to ask, on. Returns both as they are then.
///
/// # Errors
/// [`ChangeError::Rejected`] by the rules.
pub(crate) fn add_decision(
    transaction: &mut Transaction,
    ballot: &Ballot<'_>,
    decision: Decision,
    cause: &Cause,
) -> Result<(StepRecord, ExpenseState), ChangeError> {
    let &Ballot { step, approver, more_to_ask, expense, .. } = ballot;
    let outcome = outcome_of(&decision, more_to_ask);
    let (submission, by) = (step.submission.number, step.approver);
    let command = Command::Decide { submission, step: step.step, by, decision, more_to_ask };
    let change = decide(Some(expense), command)?;
    add_person_check(transaction, approver);
    let (expense, _) = add_expense_change(transaction, Some(expense), change, cause)?;
    let resume = Open::Resumption.entry(cause.at, &format!("{}.{}", step.submission, step.step));
    let decided = keys::step_decided_by(step.approver, cause.at, step.submission);
    let (entitled, proof) = match &ballot.credential {
        Credential::LinkHash(hash) => ("contains(#entitled, :proof)", ("link_hashes", text(hash))),
        Credential::Person(person) => ("#entitled = :proof", ("approver", text(person))),
    };
    let condition = Condition::new(&format!("#status = :pending AND {entitled} AND #due_at > :second"))
        .name("#status", "status")
        .name("#entitled", proof.0)
        .name("#due_at", "due_at")
        .name("#open_pk", resume.index.pk())
        .name("#open_sk", resume.index.sk())
        .name("#approver_pk", Index::Approver.pk())
        .name("#approver_sk", Index::Approver.sk())
        .value(":pending", text("pending"))
        .value(":proof", proof.1)
        .value(":now", text(cause.at))
        .value(":second", text(whole_seconds(cause.at)))
        .value(":decided", text("decided"))
        .value(":outcome", text(name_of(outcome)))
        .value(":by", text(step.approver))
        .value(":open_pk", text(resume.pk))
        .value(":open_sk", text(resume.sk))
        .value(":approver_pk", text(decided.pk))
        .value(":approver_sk", text(decided.sk));
    let update = "SET #status = :decided, outcome = :outcome, decided_by = :by, decided_at = :now, \
         #open_pk = :open_pk, #open_sk = :open_sk, #approver_pk = :approver_pk, #approver_sk = :approver_sk";
    transaction.update(&keys::step(step.submission, step.step), update, condition);
    let step = StepRecord {
        status: StepStatus::Decided,
        outcome: Some(outcome),
        decided_by: Some(step.approver),
        decided_at: Some(cause.at),
        ..step.clone()
    };
    Ok((step, expense))
}

impl Approval {
    /// Decides as the ballot says, and what that made of the step.
    ///
    /// # Errors
    /// [`ChangeError::is_conflict`] when something else was faster.
    pub(crate) async fn decide(
        &self,
        ballot: &Ballot<'_>,
        decision: Decision,
        cause: &Cause,
    ) -> Result<StepOutcome, ChangeError> {
        let outcome = outcome_of(&decision, ballot.more_to_ask);
        let mut transaction = Transaction::default();
        let (decided, _) = add_decision(&mut transaction, ballot, decision, cause)?;
        self.store.table.commit(transaction).await?;
        self.go_on(&decided).await;
        Ok(outcome)
    }

    /// Whether another level is asked after a yes at this step; none where the step does not ask its approver any more. It
    /// then asks whoever is responsible by now.
    ///
    /// # Errors
    /// [`ChangeError::is_conflict`] when something else was faster.
    pub(crate) async fn more_to_ask(
        &self,
        step: &StepRecord,
        expense: &ExpenseState,
        correlation: &CorrelationId,
    ) -> Result<Option<bool>, ChangeError> {
        let cause = task::cause(correlation.clone(), Subject::expense(expense).event_id().to_string());
        let mut people = People::new(&self.store, cause.at);
        if self.store.reassess(step, expense, &mut people, &cause).await?.is_some() {
            return Ok(None);
        }
        let organisation = people.organisation(expense.owner).await?;
        let once = step.step == 1 && organisation.stands_at_second(step.second_level, step.approver);
        Ok(Some(step.step < step.levels && !once))
    }

    /// Lets the execution go on that waits for a step decided just now. It may be lost: the step stands among the open
    /// work, and the sweeper resumes it.
    pub(crate) async fn go_on(&self, decided: &StepRecord) {
        tracing::info!(outcome = decided.outcome.map(name_of), submission.id = %decided.submission, "decided");
        if let Some(outcome) = decided.outcome {
            let mut metrics = Metrics::new().count("Decisions", 1).by("Outcome", name_of(outcome));
            if let (Some(asked), Some(at)) = (decided.asked_at, decided.decided_at) {
                metrics = metrics.seconds("SecondsToDecision", at.duration_since(asked));
            }
            metrics.emit();
        }
        // The step may have another token by now than when it was read.
        match self.store.step(decided.submission, decided.step).await {
            Ok(Some(decided)) => {
                if let Err(error) = self.executions.resume(&self.store, &decided).await {
                    tracing::warn!(%error, "the execution was not resumed; the sweeper will");
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the execution was not resumed; the sweeper will"),
        }
    }

    /// The cause of a decision: the approver, acting on the request for approval.
    pub(crate) fn cause_of(step: &StepRecord, expense: &ExpenseState, correlation: &CorrelationId) -> Cause {
        Cause {
            actor: Actor::Person { id: step.approver },
            at: Timestamp::now(),
            correlation_id: correlation.clone(),
            causation_id: Some(Subject::expense(expense).event_id().to_string()),
        }
    }

    /// The correlation id of the chain that asked for the decision.
    pub(crate) async fn correlation_of(&self, expense: &ExpenseState) -> Option<CorrelationId> {
        let history = self.store.history(expense.id).await.ok()?;
        history.last()?.event().ok().map(|event| event.metadata.correlation_id)
    }
}
