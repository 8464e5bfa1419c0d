//! Finishes what was left unfinished: started by a schedule, it looks at the open work in the table.
//!
//! - An event that was never seen delivered is published again (`deliveries`).
//! - A step that ended while its execution still waits is resumed (`approvals`).
//! - A submission without a running execution gets one (`approvals`).
//! - A step asks whoever is responsible by now (`approvals`).
//! - A submitted report whose mail waits for a step too long has its approvers mailed of the others (`reports`).
//! - A mail that is due and was not sent is asked for again (`mails`).
//! - A receipt whose upload nobody noticed, or whose reader died, is put in the queue again (`receipts`).
//! - An export or an erasure that nobody is at is put in the queue again (`background`).
//! - The files of a receipt that was deleted are erased (`erasures`).
//! - What has outlived the legal term is erased (`retention`).
//!
//! All but the last two is what the ordinary path does, once more; doing it for nothing is harmless. Only what has waited
//! longer than the grace is looked at, so that it does not race with the ordinary path for nothing.
//!
//! It must not decide anything.
//!
//! To test: `cargo test -p sweeper`; losses and restarts end to end in `tests/`.

mod approvals;
mod background;
mod deliveries;
mod erasures;
mod mails;
mod receipts;
mod reports;
mod retention;

use aws_config::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use slipstream_common::{
    Fault,
    bus::EventBridge,
    execution::{ExecutionError, Executions},
    metrics::Metrics,
    settings::{Settings, SettingsError},
    store::{ChangeError, Store},
    table::{StoreError, Table},
};

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Sweeper {
    store: Store,
    projections: Table,
    bus: EventBridge,
    executions: Executions,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    state_machine: String,
    receipt_queue: String,
    exports_queue: String,
    notifications_queue: String,
    bucket: String,
    grace: SignedDuration,
    retention_days: i32,
}

/// Why a part of the sweep did not come to its end; the next sweep does it again.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A change that the rules or the table did not allow.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Step Functions.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// There is no event to start an approval with.
    #[error("the event of a submission is not in the table")]
    NoSubmission,
    /// An event that this code does not know.
    #[error("an event in the table cannot be read: {0}")]
    Event(#[from] slipstream_events::EventError),
    /// What an execution is started with.
    #[error("an execution's input cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// Another service.
    #[error("{0} does not answer: {1}")]
    Unavailable(&'static str, String),
    /// The bus took some entries and not others.
    #[error("{0} entries were refused by the bus")]
    Refused(usize),
    /// Some of several things failed, each told by itself.
    #[error("{0} of them failed and are tried again by the next sweep")]
    Some(usize),
}

/// What was done of several things, each on its own: one that fails keeps none of the others from being done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were done.
    pub done: usize,
    /// How many failed; the next sweep does them again.
    pub failed: usize,
    /// How many stand still beside those, which this sweep could not help.
    pub still: usize,
}

impl Tally {
    fn note(&mut self, what: impl std::fmt::Display, outcome: Result<bool, SweepError>) {
        match outcome {
            Ok(done) => self.done += usize::from(done),
            Err(error) => {
                tracing::error!(%what, %error, "one of them failed");
                self.failed += 1;
            }
        }
    }

    /// So many, all of them done.
    const fn of(done: usize) -> Self {
        Self { done, failed: 0, still: 0 }
    }

    const fn finish(self) -> Result<usize, SweepError> {
        match self.failed {
            0 => Ok(self.done),
            failed => Err(SweepError::Some(failed)),
        }
    }
}

/// What a sweep did.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Events that were published again.
    pub republished: usize,
    /// Executions that were let go on.
    pub resumed: usize,
    /// Approvals that were started again.
    pub restarted: usize,
    /// Approvals that were started again before and stand still: they are started again after a pause.
    pub paused: usize,
    /// Steps that ask somebody else by now.
    pub reassigned: usize,
    /// Steps that nobody ended although their time is over.
    pub overdue: usize,
    /// Receipts that were put in the queue again.
    pub requeued: usize,
    /// Reports whose mail was asked for again.
    pub asked: usize,
    /// Mails that were asked for again.
    pub nudged: usize,
    /// Exports and erasures that were put in the queue again.
    pub continued: usize,
    /// Deleted receipts whose files were erased.
    pub erased: usize,
    /// Expenses, receipts and reports that had outlived the legal term and were erased.
    pub expired: usize,
}

impl Sweeper {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        Self::new(sdk, Settings::new())
    }

    /// By these settings.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn new(sdk: &SdkConfig, mut settings: Settings) -> Result<Self, SettingsError> {
        let table = settings.text("TABLE_NAME");
        let projections = settings.text("PROJECTIONS_TABLE_NAME");
        let grace: i64 = settings.parsed("SWEEP_GRACE_SECONDS", "a number of seconds", 0);
        let sweeper = Self {
            store: Store::new(Table::new(sdk, table)),
            projections: Table::new(sdk, projections),
            bus: EventBridge::new(sdk, settings.text("EVENT_BUS_NAME")),
            executions: Executions::new(sdk),
            s3: aws_sdk_s3::Client::new(sdk),
            sqs: aws_sdk_sqs::Client::new(sdk),
            state_machine: settings.text("STATE_MACHINE_ARN"),
            receipt_queue: settings.text("RECEIPT_QUEUE_URL"),
            exports_queue: settings.text("EXPORTS_QUEUE_URL"),
            notifications_queue: settings.text("NOTIFICATIONS_QUEUE_URL"),
            bucket: settings.text("RECEIPT_BUCKET"),
            grace: SignedDuration::from_secs(grace),
            retention_days: settings.parsed("RECEIPT_RETENTION_DAYS", "a number of days", 0),
        };
        settings.finish(sweeper)
    }

    /// Sweeps once. A part that fails does not keep the others from their work.
    ///
    /// # Errors
    /// When a part failed, after all were tried: so that the failure is seen, and the schedule tries again.
    pub async fn sweep(&self) -> Result<Summary, Fault> {
        let before = Timestamp::now() - self.grace;
        let mut summary = Summary::default();
        let mut faults = Vec::new();
        let mut fault = |part: &str, error: SweepError| {
            tracing::error!(part, %error, "a part of the sweep failed");
            faults.push(format!("{part}: {error}"));
        };
        // What was counted counts, also where some of it failed.
        let mut tallied = |part: &str, outcome: Result<Tally, SweepError>| {
            let tally = outcome.unwrap_or_else(|error| {
                fault(part, error);
                Tally::default()
            });
            if tally.failed > 0 {
                fault(part, SweepError::Some(tally.failed));
            }
            tally
        };
        let deliveries = tallied("deliveries", self.republish(before).await);
        let resumptions = tallied("resumptions", self.resume(before).await.map(Tally::of));
        let submissions = tallied("submissions", self.restart(before).await);
        let steps = tallied("steps", self.reassign(before).await);
        let mut note = |part: &str, outcome: Result<usize, SweepError>, count: &mut usize| {
            *count = tallied(part, outcome.map(Tally::of)).done;
        };
        (summary.republished, summary.restarted, summary.paused) =
            (deliveries.done, submissions.done, submissions.still);
        (summary.resumed, summary.reassigned, summary.overdue) = (resumptions.done, steps.done, steps.still);
        note("receipts", self.requeue(before).await, &mut summary.requeued);
        note("reports", self.ask_for_reports(before).await, &mut summary.asked);
        note("mails", self.nudge(before).await, &mut summary.nudged);
        note("exports and erasures", self.go_on(before).await, &mut summary.continued);
        note("erasures", self.erase(before).await, &mut summary.erased);
        note("retention", self.expire(Timestamp::now()).await, &mut summary.expired);
        tracing::info!(
            republished = summary.republished,
            resumed = summary.resumed,
            restarted = summary.restarted,
            paused = summary.paused,
            reassigned = summary.reassigned,
            overdue = summary.overdue,
            requeued = summary.requeued,
            asked = summary.asked,
            nudged = summary.nudged,
            continued = summary.continued,
            erased = summary.erased,
            expired = summary.expired,
            "swept"
        );
        Metrics::new()
            .count("Sweeps", 1)
            .count("EventsRepublished", deliveries.done + deliveries.failed)
            .count("ExecutionsResumed", summary.resumed)
            .count("ApprovalsStandingStill", submissions.done + submissions.failed + submissions.still)
            .count("StepsReassigned", summary.reassigned)
            .count("StepsOverdue", summary.overdue)
            .count("ReceiptsRequeued", summary.requeued)
            .count("MailsAskedForAgain", summary.asked + summary.nudged)
            .count("BackgroundWorkContinued", summary.continued)
            .emit();
        if faults.is_empty() { Ok(summary) } else { Err(faults.join("; ").into()) }
    }
}
