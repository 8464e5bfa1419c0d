//! Making exports, message by message.
//!
//! A worker takes the lease, works until its time is nearly over, and sends itself a message for the rest. Every message
//! names the checkpoint from which it goes on: one of an earlier checkpoint was dealt with and does nothing. A worker that
//! dies leaves the message to the queue and the export to the sweeper; both lead to the last checkpoint.

use aws_config::SdkConfig;
use aws_sdk_sqs::{Client, error::DisplayErrorContext};
use jiff::{SignedDuration, Timestamp};
use slipstream_common::{
    background::{LEASE, Work},
    queue::Message,
    records::Lease,
    store::Store,
    table::{Condition, StoreError, Transaction},
};
use slipstream_events::ExportId;

use crate::{
    accounts::Accounts,
    assembly::{Assembly, Checkpoint, End, Ledger},
    bucket::{Bucket, ExportFiles},
    error::{Result, WorkError},
    record::{ExportRecord, Status},
    source::Walk,
};

/// What remains of an invocation's time for what was begun: to upload a part and to write the checkpoint.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);
/// What an export says that was given up after too many attempts.
pub const GAVE_UP: &str = "The export could not be finished, through no fault of yours. Ask for it again.";

/// What an export says whose owner may not have it any more.
const NOT_FOR_THEM: &str = "Whoever asked for the export may not have it any more.";

/// The queue of background work.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue at that address.
    pub fn new(sdk: &SdkConfig, url: String) -> Self {
        Self { client: Client::new(sdk), url }
    }

    /// Sends `work`, to be delivered after `delay` seconds, at most 900.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`].
    pub async fn send(&self, work: &Work, delay: i32) -> Result<()> {
        let message = self.client.send_message().queue_url(&self.url).delay_seconds(delay);
        let sent = message.message_body(serde_json::to_string(work)?).send().await;
        sent.map(|_| ()).map_err(|error| WorkError::Unavailable("the queue", DisplayErrorContext(error).to_string()))
    }
}

/// An invocation: who it is, and how long it may work.
#[derive(Debug, Clone)]
pub struct Shift {
    /// The invocation's request id.
    pub holder: String,
    /// When it is cut off.
    pub deadline: Timestamp,
    /// How long it works at most.
    pub budget: SignedDuration,
    /// When it began.
    pub began: Timestamp,
}

impl Shift {
    /// Until when something new is begun.
    pub fn until(&self) -> Timestamp {
        (self.began + self.budget).min(self.deadline - RESERVE)
    }
}

/// The export's item as the ledger of its checkpoints.
struct Notes<'a> {
    store: &'a Store,
    record: ExportRecord,
}

impl Notes<'_> {
    /// Writes the record in place of the version before.
    async fn write(&mut self) -> Result<()> {
        let before = self.record.background.version;
        self.record.background.version += 1;
        self.record.background.updated_at = Timestamp::now();
        let mut transaction = Transaction::default();
        let key = self.record.background.work.key();
        transaction.put(&key, self.record.to_item()?, Some(Condition::version(before)));
        match self.store.table.commit(transaction).await {
            Ok(()) => Ok(()),
            Err(StoreError::Condition(_)) => Err(WorkError::TakenOver),
            Err(error) => {
                // It is not known whether it was written.
                self.record.background.version = before;
                Err(error.into())
            }
        }
    }
}

impl Ledger for Notes<'_> {
    async fn save(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.record.checkpoint.clone_from(checkpoint);
        self.write().await
    }
}

/// Makes exports.
#[derive(Debug)]
pub struct Worker {
    /// The main table.
    pub store: Store,
    /// Where receipts are.
    pub receipts: Bucket,
    /// Where exports go.
    pub exports: Bucket,
    /// Who may sign in.
    pub accounts: Accounts,
    /// Where the rest of the work goes.
    pub queue: Queue,
    /// How often a message is delivered before it is set aside.
    pub max_receives: u32,
}

impl Worker {
    /// Goes on with an export.
    ///
    /// # Errors
    /// [`WorkError`]: the message is to be delivered again.
    pub async fn export(&self, id: ExportId, from: Option<u64>, message: &Message, shift: &Shift) -> Result<()> {
        let known: Option<ExportRecord> = self.store.table.get(&Work::Export { id, checkpoint: None }.key()).await?;
        let Some(record) = known.filter(ExportRecord::is_open) else {
            tracing::info!("the export is over");
            return Ok(());
        };
        if from.is_some_and(|from| from < record.checkpoint.number) {
            tracing::info!(checkpoint = record.checkpoint.number, "the message is of an earlier checkpoint");
            return Ok(());
        }
        let holder = format!("{}/{}", shift.holder, message.id);
        if record.background.lease.as_ref().is_some_and(|lease| lease.held_by_other(&holder, shift.began)) {
            // Should it die, its own message comes again, and the sweeper looks for it.
            tracing::info!("another worker is at it");
            return Ok(());
        }
        let mut notes = Notes { store: &self.store, record };
        notes.record.status = Status::Running;
        notes.record.background.lease = Some(Lease { holder, until: shift.began + LEASE });
        match notes.write().await {
            Err(WorkError::TakenOver) => return Ok(()),
            written => written?,
        }
        let owner = self.store.person(notes.record.owner).await?;
        if !owner.is_some_and(|owner| notes.record.is_for(&owner)) {
            tracing::info!("its owner may not have it any more");
            return self.give_up(&mut notes, NOT_FOR_THEM.to_owned()).await;
        }
        let ended = self.assemble(&mut notes, shift).await;
        notes.record.background.lease = None;
        match ended {
            Ok(End::Finished) => {
                notes.record.status = Status::Done;
                notes.write().await?;
                tracing::info!(
                    rows = notes.record.checkpoint.rows,
                    files = notes.record.checkpoint.files.len(),
                    "done"
                );
                Ok(())
            }
            Ok(End::Paused) => {
                notes.write().await?;
                let checkpoint = notes.record.checkpoint.number;
                tracing::info!(checkpoint, "to be continued");
                self.queue.send(&Work::Export { id, checkpoint: Some(checkpoint) }, 0).await
            }
            Err(WorkError::TakenOver) => Ok(()),
            Err(error @ WorkError::Hopeless(_)) => {
                tracing::error!(%error, "an export cannot be made");
                self.give_up(&mut notes, format!("The export could not be made: {error}.")).await
            }
            Err(error) if message.receives >= self.max_receives => {
                self.give_up(&mut notes, GAVE_UP.to_owned()).await?;
                Err(error)
            }
            Err(error) => {
                if let Err(error) = notes.write().await {
                    tracing::warn!(%error, "the lease ends by itself");
                }
                Err(error)
            }
        }
    }

    async fn give_up(&self, notes: &mut Notes<'_>, failure: String) -> Result<()> {
        notes.record.background.lease = None;
        (notes.record.status, notes.record.failure) = (Status::Failed, Some(failure));
        notes.write().await
    }

    async fn assemble(&self, notes: &mut Notes<'_>, shift: &Shift) -> Result<End> {
        let record = notes.record.clone();
        let plan = record.plan();
        let walk = Walk::new(&self.store, &self.receipts, &record.wanted, record.background.created_at);
        let files = ExportFiles::of(&self.exports, &record);
        let until = shift.until();
        let assembly = Assembly::resume(&plan, &walk, &files, notes, record.checkpoint.clone()).await?;
        assembly.run(|| Timestamp::now() < until).await
    }
}
