//! The state machine's tasks. Each may be carried out twice and may die between any two calls.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};
use slipstream_common::{
    Fault,
    execution::StepEnd,
    keys,
    records::{StepRecord, StepStatus},
    store::{ChangeError, add_expense_change, add_step_closing},
    table::{Condition, StoreError, Transaction, text},
};
use slipstream_domain::{
    approver::{self, Candidates},
    expense::{Command, decide},
};
use slipstream_events::{Actor, Cause, ExpenseState, ExpenseStatus, PersonId, Role, SubmissionId};
use tracing::Instrument as _;

use crate::Approval;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Who decides, and until when.
    Choose { submission: SubmissionId },
    /// Record the step, so that its approver is mailed.
    Ask {
        submission: SubmissionId,
        step: u32,
        approver: PersonId,
        due_at: Timestamp,
        task_token: TaskToken,
        correlation_id: String,
        causation_id: String,
    },
    /// The time is up.
    Expire { submission: SubmissionId, step: u32, correlation_id: String, causation_id: String },
}

/// What resumes the waiting execution; kept out of logs.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct TaskToken(String);

impl std::fmt::Debug for TaskToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TaskToken(…)")
    }
}

/// The levels of approval: one.
const STEP: u32 = 1;
/// How long after its due date a step is let expire at the earliest; a restart of the approval gets at least this.
const SHORTEST_WAIT: i64 = 1;

/// The instant without its fraction: due dates are compared as text, which is right at one precision only.
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn cause(correlation_id: &str, causation_id: String) -> Cause {
    Cause {
        actor: Actor::System { name: "approval".to_owned() },
        at: Timestamp::now(),
        correlation_id: correlation_id.parse().unwrap_or_else(|_| slipstream_common::http::new_correlation_id()),
        causation_id: Some(causation_id),
    }
}

impl Approval {
    /// Carries out a task.
    pub(crate) async fn task(&self, task: Task) -> Result<Value, Fault> {
        let submission = match &task {
            Task::Choose { submission } | Task::Ask { submission, .. } | Task::Expire { submission, .. } => *submission,
        };
        let span = tracing::info_span!("task", expense.id = %submission.expense, submission.id = %submission);
        async {
            match task {
                Task::Choose { submission } => self.choose(submission).await,
                Task::Ask { submission, step, approver, due_at, task_token, correlation_id, causation_id } => {
                    let cause = cause(&correlation_id, causation_id);
                    self.ask(submission, step, approver, due_at, task_token.0, cause).await
                }
                Task::Expire { submission, step, correlation_id, causation_id } => {
                    self.expire(submission, step, cause(&correlation_id, causation_id)).await
                }
            }
        }
        .instrument(span)
        .await
    }

    /// The expense, if it still waits in this submission.
    async fn waiting(&self, submission: SubmissionId) -> Result<Option<ExpenseState>, StoreError> {
        let state = self.store.expense(submission.expense).await?;
        Ok(state.filter(|state| state.status == ExpenseStatus::Submitted && state.submission == submission.number))
    }

    async fn choose(&self, submission: SubmissionId) -> Result<Value, Fault> {
        let now = Timestamp::now();
        let wait = |due_at: Timestamp| due_at.duration_since(now).as_secs().max(SHORTEST_WAIT);
        // A restarted approval goes on with the step that there is: its link stays good, and nobody is asked twice.
        if let Some(step) = self.store.step(submission, STEP).await? {
            if let Some(end) = StepEnd::of(&step) {
                return Ok(
                    json!({ "outcome": end, "step": STEP, "approver": step.approver, "due_at": step.due_at, "timeout_seconds": SHORTEST_WAIT }),
                );
            }
            return Ok(
                json!({ "step": STEP, "approver": step.approver, "due_at": step.due_at, "timeout_seconds": wait(step.due_at) }),
            );
        }
        let Some(expense) = self.waiting(submission).await? else {
            return Ok(json!({ "outcome": StepEnd::Closed }));
        };
        let submitter = self.store.person(expense.owner).await?.ok_or("the submitter has no profile")?;
        let manager = match submitter.state.manager {
            Some(manager) => self.store.person(manager).await?.map(|manager| manager.state),
            None => None,
        };
        let delegate = match manager.as_ref().and_then(|manager| manager.delegation.as_ref()) {
            Some(delegation) => self.store.person(delegation.delegate).await?.map(|delegate| delegate.state),
            None => None,
        };
        let finance: Vec<_> =
            self.store.people_with(Role::Finance).await?.into_iter().map(|person| person.state).collect();
        let candidates = Candidates { manager: manager.as_ref(), delegate: delegate.as_ref(), finance: &finance };
        let today = now.to_zoned(TimeZone::UTC).date();
        let approver = approver::choose(expense.owner, candidates, today)?;
        let policy = self.store.policy(self.policy_version(&expense).await?).await?.unwrap_or_default();
        let due_at = whole_seconds(now) + SignedDuration::from_secs(i64::try_from(policy.decision_due_seconds)?);
        Ok(json!({ "step": STEP, "approver": approver, "due_at": due_at, "timeout_seconds": wait(due_at) }))
    }

    /// The policy that the submission began with, as its event says.
    async fn policy_version(&self, expense: &ExpenseState) -> Result<u32, Fault> {
        let history = self.store.history(expense.id).await?;
        let submitted = history.iter().rev().find_map(|record| match record.event().ok()?.data {
            slipstream_events::EventBody::ExpenseSubmitted(data) => Some(data.change.policy_version),
            _ => None,
        });
        Ok(submitted.ok_or("the expense has no submission in its history")?)
    }

    async fn ask(
        &self,
        submission: SubmissionId,
        step: u32,
        approver: PersonId,
        due_at: Timestamp,
        task_token: String,
        cause: Cause,
    ) -> Result<Value, Fault> {
        let mut races = 0;
        loop {
            let known = self.store.step(submission, step).await?;
            let outcome = match known {
                Some(known) => self.hand_over(known, &task_token).await,
                None => self.begin(submission, step, approver, due_at, &task_token, &cause).await,
            };
            match outcome {
                Ok(Some(end)) => {
                    // Nothing is left to wait for.
                    self.executions.answer(&task_token, end).await?;
                    return Ok(json!({}));
                }
                Ok(None) => return Ok(json!({})),
                Err(ChangeError::Store(StoreError::Condition(_))) if races < 8 => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives a step that is pending the token of the execution that now waits for it.
    async fn hand_over(&self, step: StepRecord, task_token: &str) -> Result<Option<StepEnd>, ChangeError> {
        if let Some(end) = StepEnd::of(&step) {
            return Ok(Some(end));
        }
        if step.task_token == task_token {
            return Ok(None);
        }
        let condition = Condition::new("#status = :pending")
            .name("#status", "status")
            .name("#token", "task_token")
            .value(":pending", text("pending"))
            .value(":token", text(task_token));
        let mut transaction = Transaction::default();
        transaction.update(&keys::step(step.submission, step.step), "SET #token = :token", condition);
        self.store.table.commit(transaction).await?;
        Ok(None)
    }

    /// Writes a new step and, in the same transaction, the event that has its approver mailed.
    async fn begin(
        &self,
        submission: SubmissionId,
        step: u32,
        approver: PersonId,
        due_at: Timestamp,
        task_token: &str,
        cause: &Cause,
    ) -> Result<Option<StepEnd>, ChangeError> {
        let Some(expense) = self.waiting(submission).await? else { return Ok(Some(StepEnd::Closed)) };
        let command = Command::RequestApproval { submission: submission.number, step, approver, due_at };
        let change = decide(Some(&expense), command)?;
        let record = StepRecord {
            submission,
            step,
            approver,
            status: StepStatus::Pending,
            due_at,
            task_token: task_token.to_owned(),
            link_hashes: Vec::new(),
            outcome: None,
            decided_by: None,
            decided_at: None,
        };
        let mut transaction = Transaction::default();
        add_expense_change(&mut transaction, Some(&expense), change, cause)?;
        transaction.put(&keys::step(submission, step), record.to_item()?, Some(Condition::absent()));
        self.store.table.commit(transaction).await?;
        tracing::info!(step, "asked");
        Ok(None)
    }

    /// Gives the expense back to its owner, unless the step ended in another way first.
    async fn expire(&self, submission: SubmissionId, step: u32, cause: Cause) -> Result<Value, Fault> {
        let mut races = 0;
        loop {
            let record = self.store.step(submission, step).await?;
            if let Some(end) = record.as_ref().and_then(StepEnd::of) {
                return Ok(json!({ "outcome": end }));
            }
            let Some(expense) = self.waiting(submission).await? else {
                return Ok(json!({ "outcome": StepEnd::Closed }));
            };
            let change = decide(Some(&expense), Command::Expire { submission: submission.number, step })?;
            let mut transaction = Transaction::default();
            add_expense_change(&mut transaction, Some(&expense), change, &cause)?;
            if let Some(record) = &record {
                add_step_closing(&mut transaction, record, cause.at);
            }
            match self.store.table.commit(transaction).await {
                Ok(()) => {
                    tracing::info!(step, "expired");
                    return Ok(json!({ "outcome": StepEnd::Closed }));
                }
                Err(StoreError::Condition(_)) if races < 8 => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_and_its_token_stays_out_of_sight() {
        let task: Task = serde_json::from_value(json!({
            "task": "ask", "submission": "exp_5d0f6c1e8a7b5c3d9e2f1a0b4c6d8e70.1", "step": 1,
            "approver": "5e1f0c22-3a4b-4c5d-8e6f-7a8b9c0d1e2f", "due_at": "2026-03-26T12:31:05Z", "task_token": "s3cret",
            "correlation_id": "c", "causation_id": "expense/x/3",
        }))
        .unwrap();
        assert!(!format!("{task:?}").contains("s3cret"));
    }
}
