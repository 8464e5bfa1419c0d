//! The decision: one transaction, then the state machine goes on.

use jiff::Timestamp;
use slipstream_common::{
    keys::{self, Index, Open},
    records::{StepOutcome, StepRecord},
    store::{ChangeError, add_expense_change},
    table::{Condition, Transaction, text},
};
use slipstream_domain::expense::{Command, Decision, decide};
use slipstream_events::{Actor, Cause, ExpenseState, Subject};

use crate::{Approval, link::Link, task::whole_seconds};

impl Approval {
    /// Decides `step`, with the link as credential, on `expense` as it was read.
    ///
    /// # Errors
    /// [`ChangeError::is_conflict`] when something else was faster.
    pub(crate) async fn decide(
        &self,
        step: &StepRecord,
        link: &Link,
        expense: &ExpenseState,
        decision: Decision,
        cause: Cause,
    ) -> Result<(), ChangeError> {
        let outcome = match &decision {
            Decision::Approve { .. } => StepOutcome::Approved,
            Decision::Reject { .. } => StepOutcome::Rejected,
            Decision::RequestChanges { .. } => StepOutcome::ChangesRequested,
        };
        let outcome_name = match outcome {
            StepOutcome::Approved => "approved",
            StepOutcome::Rejected => "rejected",
            StepOutcome::ChangesRequested => "changes_requested",
        };
        let command =
            Command::Decide { submission: step.submission.number, step: step.step, by: step.approver, decision };
        let change = decide(Some(expense), command)?;
        let mut transaction = Transaction::default();
        add_expense_change(&mut transaction, Some(expense), change, &cause)?;
        let resume = Open::Resumption.entry(cause.at, &format!("{}.{}", step.submission, step.step));
        let condition = Condition::new("#status = :pending AND contains(#hashes, :hash) AND #due_at > :second")
            .name("#status", "status")
            .name("#hashes", "link_hashes")
            .name("#due_at", "due_at")
            .name("#open_pk", resume.index.pk())
            .name("#open_sk", resume.index.sk())
            .name("#approver_pk", Index::Approver.pk())
            .name("#approver_sk", Index::Approver.sk())
            .value(":pending", text("pending"))
            .value(":hash", text(link.hash()))
            .value(":now", text(cause.at))
            .value(":second", text(whole_seconds(cause.at)))
            .value(":decided", text("decided"))
            .value(":outcome", text(outcome_name))
            .value(":by", text(step.approver))
            .value(":open_pk", text(resume.pk))
            .value(":open_sk", text(resume.sk));
        let update = "SET #status = :decided, outcome = :outcome, decided_by = :by, decided_at = :now, \
             #open_pk = :open_pk, #open_sk = :open_sk REMOVE #approver_pk, #approver_sk";
        transaction.update(&keys::step(step.submission, step.step), update, condition);
        self.store.table.commit(transaction).await?;
        tracing::info!(outcome = outcome_name, "decided");
        // What follows may be lost: the step stands among the open work, and the sweeper resumes it.
        match self.store.step(step.submission, step.step).await {
            Ok(Some(decided)) => {
                if let Err(error) = self.executions.resume(&self.store, &decided).await {
                    tracing::warn!(%error, "the execution was not resumed; the sweeper will");
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the execution was not resumed; the sweeper will"),
        }
        Ok(())
    }

    /// The cause of a decision: the approver, acting on the request for approval.
    pub(crate) fn cause_of(
        step: &StepRecord,
        expense: &ExpenseState,
        correlation: &slipstream_events::CorrelationId,
    ) -> Cause {
        Cause {
            actor: Actor::Person { id: step.approver },
            at: Timestamp::now(),
            correlation_id: correlation.clone(),
            causation_id: Some(Subject::expense(expense).event_id().to_string()),
        }
    }
}
