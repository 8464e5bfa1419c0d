//! The state machine's tasks. Each may be carried out twice and may die between any two calls.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use slipstream_common::{
    Fault,
    approvals::{Beginning, People, add_reassignment, seconds_after},
    duplicates,
    execution::StepEnd,
    http::new_correlation_id,
    keys,
    metrics::Metrics,
    records::{StepRecord, StepStatus},
    store::{ChangeError, add_expense_change, add_step_closing},
    table::{Condition, StoreError, Transaction, text},
};
use slipstream_domain::{
    approver::Level,
    expense::{Command, decide},
    policy::levels,
};
use slipstream_events::{
    Actor, Cause, CorrelationId, ExpenseState, ExpenseStatus, PersonId, ReassignmentReason, SecondLevel, SubmissionId,
};
use tracing::Instrument as _;

use crate::Approval;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
pub struct Task {
    /// What to do.
    #[serde(flatten)]
    what: What,
    /// Which submission is to be decided.
    submission: SubmissionId,
    correlation_id: String,
    causation_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
enum What {
    /// Who decides next, and when to look again.
    Choose,
    /// Record the step, so that its approver is mailed.
    Ask { choice: Choice, task_token: TaskToken },
    /// A time of the step is over: remind, ask the next one up, or give the expense back.
    TimeUp { choice: Choice },
}

/// A step to be decided, as the state machine carries it from one task to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Choice {
    step: u32,
    approver: PersonId,
    due_at: Timestamp,
    remind_at: Timestamp,
    escalate_at: Timestamp,
    levels: u32,
    second_level: SecondLevel,
    passed_over: Vec<PersonId>,
}

/// How a submission stands; what the state machine goes on by.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Standing {
    /// An approver is to be asked, or asked on.
    Pending { outcome: &'static str, choice: Choice, timeout_seconds: i64 },
    /// The step ended so.
    Ended { outcome: StepEnd },
}

impl Standing {
    /// What is to be done about a step that waits: look again at the next of its times.
    fn pending(choice: Choice, times: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> Self {
        let next = times.into_iter().min().unwrap_or(choice.due_at).min(choice.due_at);
        let timeout_seconds = next.duration_since(now).as_secs().max(SHORTEST_WAIT);
        Self::Pending { outcome: "pending", choice, timeout_seconds }
    }

    fn of(step: &StepRecord, now: Timestamp) -> Self {
        if let Some(outcome) = StepEnd::of(step) {
            return Self::Ended { outcome };
        }
        let choice = Choice {
            step: step.step,
            approver: step.approver,
            due_at: step.due_at,
            remind_at: step.remind_at.unwrap_or(step.due_at),
            escalate_at: step.escalate_at.unwrap_or(step.due_at),
            levels: step.levels,
            second_level: step.second_level,
            passed_over: step.passed_over.clone(),
        };
        Self::pending(choice, step.remind_at.into_iter().chain(step.escalate_at), now)
    }

    fn answer(&self) -> Result<Value, Fault> {
        Ok(serde_json::to_value(self)?)
    }
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

/// How often something is done anew because something else was faster.
const MAX_RACES: u32 = 8;
/// How long after its due date a step is let expire at the earliest; a restart of the approval gets at least this.
const SHORTEST_WAIT: i64 = 1;

/// The cause of what the approval does by itself.
pub(crate) fn cause(correlation_id: CorrelationId, causation_id: String) -> Cause {
    Cause {
        actor: Actor::System { name: "approval".to_owned() },
        at: Timestamp::now(),
        correlation_id,
        causation_id: Some(causation_id),
    }
}

impl Approval {
    /// Carries out a task.
    pub(crate) async fn task(&self, task: Task) -> Result<Value, Fault> {
        let Task { what, submission, correlation_id, causation_id } = task;
        let span = tracing::info_span!("task", expense.id = %submission.expense, submission.id = %submission);
        let cause = cause(correlation_id.parse().unwrap_or_else(|_| new_correlation_id()), causation_id);
        async {
            match what {
                What::Choose => self.choose(submission, &cause).await?.answer(),
                What::Ask { choice, task_token } => self.ask(submission, choice, task_token.0, &cause).await,
                What::TimeUp { choice } => self.time_up(submission, choice.step, &cause).await?.answer(),
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

    async fn choose(&self, submission: SubmissionId, cause: &Cause) -> Result<Standing, Fault> {
        let now = Timestamp::now();
        let steps = self.store.steps(submission).await?;
        // A restarted approval goes on with the step that there is: its link stays good, and nobody is asked twice.
        if let Some(last) = steps.last().filter(|step| StepEnd::of(step) != Some(StepEnd::Passed)) {
            return Ok(Standing::of(last, now));
        }
        let Some(expense) = self.waiting(submission).await? else {
            let expense = self.store.expense(submission.expense).await?;
            let approved = expense.is_some_and(|expense| {
                expense.status == ExpenseStatus::Approved && expense.submission == submission.number
            });
            return Ok(Standing::Ended { outcome: if approved { StepEnd::Approved } else { StepEnd::Closed } });
        };
        let Beginning { policy_version, policy, reopened } = self.store.beginning(&expense).await?;
        let (levels, second_level) = match steps.last() {
            Some(passed) => (passed.levels, passed.second_level),
            None => {
                // Also what its owner says is none: their word alone must not save asking somebody.
                let suspected = !duplicates::suspects(&self.store, &expense).await?.is_empty();
                // What somebody was asked before, and says that they did not decide, somebody is asked again.
                (levels(&policy, &expense, suspected).max(u32::from(reopened)), policy.second_level)
            }
        };
        if levels == 0 {
            let command = Command::AutoApprove { submission: submission.number, policy_version };
            let mut transaction = Transaction::default();
            add_expense_change(&mut transaction, Some(&expense), decide(Some(&expense), command)?, cause)?;
            // Something was faster, a withdrawal say: the state machine tries again and finds it.
            self.store.table.commit(transaction).await?;
            tracing::info!("approved by the policy");
            Metrics::new().count("Decisions", 1).by("Outcome", "approved_by_policy").emit();
            return Ok(Standing::Ended { outcome: StepEnd::Approved });
        }
        let step = u32::try_from(steps.len())? + 1;
        let passed_over: Vec<_> = steps.iter().filter_map(|step| step.decided_by).collect();
        let level = if step == 1 { Level::First } else { Level::Second(second_level) };
        let organisation = People::new(&self.store, now).organisation(expense.owner).await?;
        let approver = organisation.choose(level, &passed_over, None)?;
        let after = |seconds| seconds_after(now, seconds);
        let choice = Choice {
            step,
            approver,
            due_at: after(policy.decision_due_seconds),
            remind_at: after(policy.reminder_after_seconds),
            escalate_at: after(policy.escalation_after_seconds),
            levels,
            second_level,
            passed_over,
        };
        let times = [choice.remind_at, choice.escalate_at];
        Ok(Standing::pending(choice, times, now))
    }

    async fn ask(
        &self,
        submission: SubmissionId,
        choice: Choice,
        task_token: String,
        cause: &Cause,
    ) -> Result<Value, Fault> {
        let mut races = 0;
        loop {
            let known = self.store.step(submission, choice.step).await?;
            let outcome = match known {
                Some(known) => self.hand_over(known, &task_token).await,
                None => self.begin(submission, &choice, &task_token, cause).await,
            };
            match outcome {
                Ok(Some(end)) => {
                    // Nothing is left to wait for.
                    self.executions.answer(&task_token, end).await?;
                    return Ok(json!({}));
                }
                Ok(None) => return Ok(json!({})),
                Err(ChangeError::Store(StoreError::Condition(_))) if races < MAX_RACES => races += 1,
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
        choice: &Choice,
        task_token: &str,
        cause: &Cause,
    ) -> Result<Option<StepEnd>, ChangeError> {
        let Some(expense) = self.waiting(submission).await? else { return Ok(Some(StepEnd::Closed)) };
        let &Choice { step, approver, due_at, .. } = choice;
        let command = Command::RequestApproval { submission: submission.number, step, approver, due_at };
        let change = decide(Some(&expense), command)?;
        let record = StepRecord {
            submission,
            step,
            approver,
            status: StepStatus::Pending,
            asked_at: Some(cause.at),
            due_at,
            remind_at: Some(choice.remind_at).filter(|at| *at < due_at),
            escalate_at: Some(choice.escalate_at).filter(|at| *at < due_at),
            levels: choice.levels,
            second_level: choice.second_level,
            passed_over: choice.passed_over.clone(),
            task_token: task_token.to_owned(),
            link_hashes: Vec::new(),
            former_link_hashes: Vec::new(),
            disown_hashes: Vec::new(),
            outcome: None,
            decided_by: None,
            decided_at: None,
            disowned_at: None,
        };
        let mut transaction = Transaction::default();
        add_expense_change(&mut transaction, Some(&expense), change, cause)?;
        transaction.put(&keys::step(submission, step), record.to_item()?, Some(Condition::absent()));
        self.store.table.commit(transaction).await?;
        tracing::info!(step, "asked");
        Ok(None)
    }

    /// Does what the times of a step that are over ask for, each once, and says how it stands then. A decision may have
    /// been faster: what counts is the step as it is read here.
    async fn time_up(&self, submission: SubmissionId, step: u32, cause: &Cause) -> Result<Standing, Fault> {
        let mut races = 0;
        loop {
            let now = Timestamp::now();
            // Before the step: once the submission has ended, the step says how.
            let expense = self.waiting(submission).await?;
            // The time ran out before the step was written.
            let Some(record) = self.store.step(submission, step).await? else {
                return self.choose(submission, cause).await;
            };
            if StepEnd::of(&record).is_some() {
                return Ok(Standing::of(&record, now));
            }
            let Some(expense) = expense else {
                return Ok(Standing::Ended { outcome: StepEnd::Closed });
            };
            let is_over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
            let mut transaction = Transaction::default();
            let what = if record.due_at <= now {
                let change = decide(Some(&expense), Command::Expire { submission: submission.number, step })?;
                add_expense_change(&mut transaction, Some(&expense), change, cause)?;
                add_step_closing(&mut transaction, &record, cause.at);
                "expired"
            } else if is_over(record.escalate_at) {
                self.add_escalation(&mut transaction, &record, &expense, cause).await?;
                "escalated"
            } else if is_over(record.remind_at) {
                add_reminder(&mut transaction, &record, &expense, cause)?;
                "reminded"
            } else {
                return Ok(Standing::of(&record, now));
            };
            match self.store.table.commit(transaction).await {
                Ok(()) if what == "expired" => {
                    tracing::info!(step, what, "the time is up");
                    return Ok(Standing::Ended { outcome: StepEnd::Closed });
                }
                // There may be more whose time is over.
                Ok(()) => tracing::info!(step, what, "the time is up"),
                Err(StoreError::Condition(_)) if races < MAX_RACES => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Adds to a transaction that the next one up is asked. Where there is nobody else, the step stays as it is and is not
    /// escalated again.
    async fn add_escalation(
        &self,
        transaction: &mut Transaction,
        step: &StepRecord,
        expense: &ExpenseState,
        cause: &Cause,
    ) -> Result<(), Fault> {
        let organisation = People::new(&self.store, cause.at).organisation(expense.owner).await?;
        let mut after = step.clone();
        after.passed_over.extend(organisation.passed_over_with(step.level(), step.approver));
        match organisation.choose(step.level(), &after.passed_over, None) {
            Ok(next) if !after.passed_over.contains(&next) => {
                after.approver = next;
                let Beginning { policy, .. } = self.store.beginning(expense).await?;
                let reason = ReassignmentReason::Escalated;
                Ok(add_reassignment(transaction, step, after, expense, &policy, reason, cause)?)
            }
            Ok(_) | Err(_) => {
                let condition = Condition::new("#status = :pending").name("#status", "status");
                let condition = condition.value(":pending", text("pending"));
                transaction.update(&keys::step(step.submission, step.step), "REMOVE escalate_at", condition);
                Ok(())
            }
        }
    }
}

/// Adds to a transaction that the approver is reminded; the event has it mailed.
fn add_reminder(
    transaction: &mut Transaction,
    step: &StepRecord,
    expense: &ExpenseState,
    cause: &Cause,
) -> Result<(), ChangeError> {
    let (number, step_number) = (step.submission.number, step.step);
    let command = Command::RemindApprover { submission: number, step: step_number, approver: step.approver };
    add_expense_change(transaction, Some(expense), decide(Some(expense), command)?, cause)?;
    let condition = Condition::new("#status = :pending AND #approver = :approver AND attribute_exists(remind_at)")
        .name("#status", "status")
        .name("#approver", "approver")
        .value(":pending", text("pending"))
        .value(":approver", text(step.approver));
    transaction.update(&keys::step(step.submission, step.step), "REMOVE remind_at", condition);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_and_its_token_stays_out_of_sight() {
        let task: Task = serde_json::from_value(json!({
            "task": "ask", "submission": "exp_5d0f6c1e8a7b5c3d9e2f1a0b4c6d8e70.1", "task_token": "s3cret",
            "choice": {
                "step": 1, "approver": "5e1f0c22-3a4b-4c5d-8e6f-7a8b9c0d1e2f", "due_at": "2026-03-26T12:31:05Z",
                "remind_at": "2026-03-14T12:31:05Z", "escalate_at": "2026-03-16T12:31:05Z", "levels": 1,
                "second_level": "finance", "passed_over": [],
            },
            "correlation_id": "c", "causation_id": "expense/x/3",
        }))
        .unwrap();
        assert!(!format!("{task:?}").contains("s3cret"));
    }
}
