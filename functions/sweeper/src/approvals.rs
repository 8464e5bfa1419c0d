//! Steps that ended while their execution waits are resumed; submissions without a running execution get one; and a step
//! asks whoever is responsible by now.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use slipstream_common::{
    approvals::People,
    http::new_correlation_id,
    keys::{self, Index, Open},
    records::{EventRecord, StepRecord, StepStatus},
    table::{Condition, IndexQuery, StoreError, Transaction, number, text},
};
use slipstream_events::{Actor, Cause, EventBody, ExpenseId, ExpenseState, ExpenseStatus, Subject, SubmissionId};

use crate::{SweepError, Sweeper, Tally};

pub(crate) fn waiting_since(open: Open, before: Timestamp) -> IndexQuery {
    IndexQuery { until: Some(keys::instant(before)), ..IndexQuery::of(Index::Open, open.pk()) }
}

/// The ARN of the execution of that name.
fn execution_arn(state_machine: &str, name: &str) -> String {
    format!("{}:{name}", state_machine.replacen(":stateMachine:", ":execution:", 1))
}

/// The longest pause between two restarts of one approval.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// How long to wait after the `restarts`th restart of an approval before the next: what fails again and again must
/// not raise the alarm every few minutes for ever.
fn pause(grace: SignedDuration, restarts: u32) -> SignedDuration {
    let factor = 1i32.checked_shl(restarts.min(16)).unwrap_or(i32::MAX);
    grace.checked_mul(factor).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

/// How a submission that waits was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Somebody works on it, or it waits no more.
    Running,
    /// Nobody did; an execution was started.
    Restarted,
    /// Nobody does; it was started before, and is again after a pause.
    Paused,
}

impl Sweeper {
    /// Lets executions go on whose step ended before `before`; how many.
    ///
    /// # Errors
    /// [`SweepError`], after all were tried.
    pub async fn resume(&self, before: Timestamp) -> Result<usize, SweepError> {
        let steps: Vec<StepRecord> = self.store.table.query_all(&waiting_since(Open::Resumption, before)).await?;
        let mut tally = Tally::default();
        for step in steps {
            tally.note(step.submission, self.resume_one(&step).await);
        }
        tally.finish()
    }

    async fn resume_one(&self, step: &StepRecord) -> Result<bool, SweepError> {
        // The index may be behind: the step itself says how it stands.
        let Some(step) = self.store.step(step.submission, step.step).await? else { return Ok(false) };
        self.executions.resume(&self.store, &step).await?;
        tracing::info!(expense.id = %step.submission.expense, "resumed");
        Ok(true)
    }

    /// Starts approvals anew that nobody works on: their event was lost, or their execution is over. Those that were
    /// started before, which did not help, stand still until their pause is over.
    pub(crate) async fn restart(&self, before: Timestamp) -> Result<Tally, SweepError> {
        let waiting: Vec<ExpenseState> = self.store.table.query_all(&waiting_since(Open::Submission, before)).await?;
        if waiting.is_empty() {
            return Ok(Tally::default());
        }
        // A thousand at a time: to ask for each is more than Step Functions takes where much waits.
        let running = self.executions.running(&self.state_machine).await?;
        let mut tally = Tally::default();
        for expense in waiting {
            let found = self.restart_expense(expense.id, &running).await;
            tally.still += usize::from(matches!(found, Ok(Found::Paused)));
            tally.note(expense.id, found.map(|found| found == Found::Restarted));
        }
        Ok(tally)
    }

    /// Has steps ask whoever is responsible by now: profiles change while they wait, and days begin and end. Decisions
    /// look, too; this is for steps that nobody decides. Those whose time is over stand still: their execution should have
    /// ended them.
    ///
    /// # Errors
    /// [`SweepError`], if the steps cannot be found.
    pub async fn reassign(&self, before: Timestamp) -> Result<Tally, SweepError> {
        let waiting: Vec<ExpenseState> = self.store.table.query_all(&waiting_since(Open::Submission, before)).await?;
        let mut people = People::new(&self.store, Timestamp::now());
        let mut tally = Tally::default();
        for expense in waiting {
            let mut overdue = false;
            let outcome = self.reassign_expense(expense.id, &mut people, before, &mut overdue).await;
            tally.note(expense.id, outcome);
            tally.still += usize::from(overdue);
        }
        Ok(tally)
    }

    async fn reassign_expense(
        &self,
        id: ExpenseId,
        people: &mut People<'_>,
        before: Timestamp,
        overdue: &mut bool,
    ) -> Result<bool, SweepError> {
        let expense = self.store.expense(id).await?.filter(|expense| expense.status == ExpenseStatus::Submitted);
        let Some(expense) = expense else { return Ok(false) };
        let Some(submission) = expense.submission_id() else { return Ok(false) };
        let steps = self.store.steps(submission).await?;
        let Some(step) = steps.iter().find(|step| step.status == StepStatus::Pending) else { return Ok(false) };
        *overdue = step.due_at < before;
        let cause = Cause {
            actor: Actor::System { name: "sweeper".to_owned() },
            at: Timestamp::now(),
            correlation_id: new_correlation_id(),
            causation_id: Some(Subject::expense(&expense).event_id().to_string()),
        };
        match self.store.reassess(step, &expense, people, &cause).await {
            Ok(reassigned) => Ok(reassigned.is_some()),
            // Something was faster; the next sweep looks again.
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn restart_expense(&self, id: ExpenseId, running: &HashSet<String>) -> Result<Found, SweepError> {
        let expense = self.store.expense(id).await?.filter(|expense| expense.status == ExpenseStatus::Submitted);
        let Some(submission) = expense.and_then(|expense| expense.submission_id()) else { return Ok(Found::Running) };
        let found = self.restart_one(submission, running).await?;
        if found == Found::Restarted {
            tracing::info!(expense.id = %id, "approval restarted");
        }
        Ok(found)
    }

    async fn restart_one(&self, submission: SubmissionId, running: &HashSet<String>) -> Result<Found, SweepError> {
        let claim = self.store.claim(submission).await?;
        if let Some(claim) = &claim {
            if running.contains(&claim.execution) {
                return Ok(Found::Running);
            }
            let now = Timestamp::now();
            if claim.restarted_at.is_some_and(|at| now < at + pause(self.grace, claim.restarts)) {
                return Ok(Found::Paused);
            }
            // The list may be behind.
            if self.executions.is_running(&claim.execution).await? {
                return Ok(Found::Running);
            }
        }
        let input = self.input(submission).await?;
        // The claim names the execution before it is started, so that two sweeps start the same one, and a death in
        // between is mended by the next sweep, which finds that it does not run.
        let restarts = claim.as_ref().map_or(0, |claim| claim.restarts) + 1;
        let name = format!("{}-{}-restart-{restarts}", submission.expense, submission.number);
        let execution = execution_arn(&self.state_machine, &name);
        let condition = match &claim {
            None => Condition::new("attribute_not_exists(#execution)"),
            Some(before) => Condition::new("#execution = :before").value(":before", text(&before.execution)),
        };
        let condition = condition
            .name("#execution", "execution")
            .name("#restarts", "restarts")
            .name("#restarted_at", "restarted_at")
            .value(":restarted_at", text(Timestamp::now()))
            .value(":execution", text(&execution))
            .value(":restarts", number(restarts));
        let mut transaction = Transaction::default();
        let update = "SET #execution = :execution, #restarts = :restarts, #restarted_at = :restarted_at";
        transaction.update(&keys::claim(submission), update, condition);
        match self.store.table.commit(transaction).await {
            Ok(()) => {}
            // Somebody else has claimed it meanwhile.
            Err(StoreError::Condition(_)) => return Ok(Found::Running),
            Err(error) => return Err(error.into()),
        }
        self.executions.start(&self.state_machine, &name, &input).await?;
        Ok(Found::Restarted)
    }

    /// What the rule gave the lost execution: the submission's event, as the bus shows it.
    async fn input(&self, submission: SubmissionId) -> Result<String, SweepError> {
        let history: Vec<EventRecord> = self.store.history(submission.expense).await?;
        for record in history.iter().rev() {
            // One that this code cannot read is not the one it wrote.
            let Ok(event) = record.event() else { continue };
            let began = match &event.data {
                EventBody::ExpenseSubmitted(data) => data.change.submission,
                EventBody::ExpenseReopened(data) => data.change.submission,
                _ => continue,
            };
            if began == submission.number {
                return Ok(json!({ "detail-type": record.detail_type, "detail": event }).to_string());
            }
        }
        Err(SweepError::NoSubmission)
    }
}

#[cfg(test)]
mod tests {
    use slipstream_common::records::ClaimRecord;

    use super::*;

    #[test]
    fn the_arn_of_an_execution_follows_from_its_name() {
        let machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:slipstream-expense-approval";
        assert_eq!(
            execution_arn(machine, "exp_1-1-restart-1"),
            "arn:aws:states:eu-central-1:123456789012:execution:slipstream-expense-approval:exp_1-1-restart-1"
        );
    }

    #[test]
    fn restarts_become_rarer() {
        let grace = SignedDuration::from_secs(120);
        assert_eq!(pause(grace, 1), SignedDuration::from_secs(240));
        assert_eq!(pause(grace, 4), SignedDuration::from_secs(1920));
        assert_eq!(pause(grace, 400), LONGEST_PAUSE);
    }

    #[test]
    fn the_claim_of_the_state_machine_is_ours() {
        let claim: ClaimRecord = serde_json::from_value(json!({"execution": "arn"})).unwrap();
        assert_eq!(claim.restarts, 0);
    }
}
