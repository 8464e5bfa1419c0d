//! The approval state machine from outside: letting a waiting execution go on, and asking whether one still runs.

use std::collections::HashSet;

use aws_config::SdkConfig;
use aws_sdk_sfn::{
    Client,
    error::DisplayErrorContext,
    operation::{
        describe_execution::DescribeExecutionError, send_task_success::SendTaskSuccessError,
        start_execution::StartExecutionError,
    },
    types::ExecutionStatus,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    keys::{self, Index},
    records::{StepOutcome, StepRecord, StepStatus},
    store::Store,
    table::{Condition, StoreError, Transaction, text},
};

/// The service did not do what it was asked; trying again can help.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// Step Functions.
    #[error("the state machine is not available: {0}")]
    Unavailable(String),
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An answer cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// How a step ended; what the state machine goes on by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// The approver said yes, and nobody else is asked.
    Approved,
    /// The approver said yes, and the next level is asked.
    Passed,
    /// The approver said no.
    Rejected,
    /// The approver sent it back.
    ChangesRequested,
    /// The submission ended without a decision: it was withdrawn or its time ran out.
    Closed,
}

impl StepEnd {
    /// How the step ended, if it has.
    pub fn of(step: &StepRecord) -> Option<Self> {
        match (step.status, step.outcome) {
            (StepStatus::Pending, _) => None,
            (StepStatus::Decided, Some(StepOutcome::Approved)) => Some(Self::Approved),
            (StepStatus::Decided, Some(StepOutcome::Passed)) => Some(Self::Passed),
            (StepStatus::Decided, Some(StepOutcome::Rejected)) => Some(Self::Rejected),
            (StepStatus::Decided, Some(StepOutcome::ChangesRequested)) => Some(Self::ChangesRequested),
            (StepStatus::Decided, None) | (StepStatus::Closed, _) => Some(Self::Closed),
        }
    }
}

/// What the waiting task is answered.
#[derive(Debug, Serialize)]
struct TaskOutput {
    outcome: StepEnd,
}

/// Step Functions, as far as the approval needs it.
#[derive(Debug, Clone)]
pub struct Executions {
    client: Client,
}

impl Executions {
    /// With the SDK's configuration.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// Answers the task that waits with how the step ended. A token that nobody waits for any more is fine: the
    /// machine reads the step itself after a timeout, and an execution that is over needs no answer.
    ///
    /// # Errors
    /// [`ExecutionError`] when it is not known whether the answer arrived.
    pub async fn answer(&self, task_token: &str, outcome: StepEnd) -> Result<(), ExecutionError> {
        let output = serde_json::to_string(&TaskOutput { outcome })?;
        match self.client.send_task_success().task_token(task_token).output(output).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(
                    SendTaskSuccessError::TaskTimedOut(_)
                    | SendTaskSuccessError::TaskDoesNotExist(_)
                    | SendTaskSuccessError::InvalidToken(_),
                ) => {
                    tracing::info!("nobody waits for this step any more");
                    Ok(())
                }
                _ => Err(ExecutionError::Unavailable(DisplayErrorContext(error).to_string())),
            },
        }
    }

    /// Lets the execution that waits for an ended step go on, and takes the step off the open work. Doing it twice
    /// is harmless.
    ///
    /// # Errors
    /// [`ExecutionError`]; the step stays among the open work and the sweeper tries again.
    pub async fn resume(&self, store: &Store, step: &StepRecord) -> Result<(), ExecutionError> {
        let Some(end) = StepEnd::of(step) else { return Ok(()) };
        self.answer(&step.task_token, end).await?;
        let condition = Condition::new("#status <> :pending AND #token = :token")
            .name("#status", "status")
            .name("#token", "task_token")
            .name("#open_pk", Index::Open.pk())
            .name("#open_sk", Index::Open.sk())
            .value(":pending", text("pending"))
            .value(":token", text(&step.task_token))
            .value(":now", text(Timestamp::now()));
        let update = "SET resumed_at = :now REMOVE #open_pk, #open_sk";
        let mut transaction = Transaction::default();
        transaction.update(&keys::step(step.submission, step.step), update, condition);
        match store.table.commit(transaction).await {
            // The step has another token by now: its execution was restarted and reads the step itself.
            Ok(()) | Err(StoreError::Condition(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The executions of a machine that run, by ARN. One that was begun just now may be missing
    /// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html>).
    ///
    /// # Errors
    /// [`ExecutionError`].
    pub async fn running(&self, machine: &str) -> Result<HashSet<String>, ExecutionError> {
        let listed = self.client.list_executions().state_machine_arn(machine).status_filter(ExecutionStatus::Running);
        let mut pages = listed.max_results(1000).into_paginator().items().send();
        let mut running = HashSet::new();
        while let Some(execution) = pages.next().await {
            let execution =
                execution.map_err(|error| ExecutionError::Unavailable(DisplayErrorContext(error).to_string()))?;
            running.insert(execution.execution_arn);
        }
        Ok(running)
    }

    /// Whether the execution still runs. One that does not exist does not run.
    ///
    /// # Errors
    /// [`ExecutionError`].
    pub async fn is_running(&self, execution: &str) -> Result<bool, ExecutionError> {
        match self.client.describe_execution().execution_arn(execution).send().await {
            Ok(answer) => Ok(matches!(answer.status(), ExecutionStatus::Running | ExecutionStatus::PendingRedrive)),
            Err(error) => match error.as_service_error() {
                Some(DescribeExecutionError::ExecutionDoesNotExist(_)) => Ok(false),
                _ => Err(ExecutionError::Unavailable(DisplayErrorContext(error).to_string())),
            },
        }
    }

    /// Starts an execution of that name. One that was started before under the name is the same one.
    ///
    /// # Errors
    /// [`ExecutionError`].
    pub async fn start(&self, machine: &str, name: &str, input: &str) -> Result<(), ExecutionError> {
        match self.client.start_execution().state_machine_arn(machine).name(name).input(input).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(()),
                _ => Err(ExecutionError::Unavailable(DisplayErrorContext(error).to_string())),
            },
        }
    }
}
