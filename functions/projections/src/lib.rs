//! Sums up events: spend per person, month, category and currency; and which events were seen delivered.
//!
//! There is no guard. Of each expense the projection keeps the last version it applied and what that version
//! contributed, and replaces both in one conditional transaction. So any order, any repetition and a rebuild from
//! nothing give the same result. Events carry the expense whole, so that nothing is ever read back.
//!
//! It must not touch the main table.
//!
//! To test: `cargo test -p projections`; the running table end to end in `tests/`.

mod spend;

use aws_config::SdkConfig;
use jiff::Timestamp;
use serde_json::Value;
use slipstream_common::{
    Fault,
    keys::{self, EXPIRES_AT},
    queue::{BatchResponse, EnvelopeError, Message, bus_event, each, event_span},
    settings::{Settings, SettingsError},
    table::{Condition, Item, StoreError, Table, Transaction, number},
};
use slipstream_events::{Event, ExpenseState};
use spend::{Applied, Contribution};
use tracing::Instrument as _;

/// How long it is remembered that an event was delivered, in seconds: longer than the sweeper looks back.
const SEEN_SECONDS: i64 = 35 * 24 * 60 * 60;

/// The function's table.
#[derive(Debug)]
pub struct Projections {
    table: Table,
}

/// Why an event is not summed up; its message is delivered again.
#[derive(Debug, thiserror::Error)]
enum ProjectError {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Projections {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        let mut settings = Settings::new();
        let table = settings.text("PROJECTIONS_TABLE_NAME");
        settings.finish(Self { table: Table::new(sdk, table) })
    }

    /// Sums up a batch of events.
    ///
    /// # Errors
    /// When `event` is not a batch of messages.
    pub async fn handle(&self, event: Value) -> Result<BatchResponse, Fault> {
        Ok(each(&event, async |message: Message| self.message(&message).await).await?)
    }

    async fn message(&self, message: &Message) -> Result<(), ProjectError> {
        let (event, replay) = bus_event(message)?;
        let span = event_span(&event, replay.as_deref());
        async {
            if let Some(expense) = event.data.expense() {
                self.apply(expense).await?;
            }
            self.mark_seen(&event).await?;
            tracing::info!("summed up");
            Ok(())
        }
        .instrument(span)
        .await
    }

    /// Replaces what the expense contributed, unless a later version has done so.
    async fn apply(&self, expense: &ExpenseState) -> Result<(), StoreError> {
        let key = spend::applied_key(expense.id);
        let contribution = Contribution::of(expense);
        let mut races = 0;
        loop {
            let before: Option<Applied> = self.table.get(&key).await?;
            if before.as_ref().is_some_and(|before| before.version >= expense.version) {
                return Ok(());
            }
            let condition = before.as_ref().map_or_else(Condition::absent, |before| Condition::version(before.version));
            let after = Applied { version: expense.version, contribution: contribution.clone() };
            let mut transaction = Transaction::default();
            transaction.put(&key, slipstream_common::table::item(&after, [])?, Some(condition));
            for change in spend::changes(before.and_then(|before| before.contribution), contribution.clone()) {
                change.add_to(&mut transaction);
            }
            match self.table.commit(transaction).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Condition(_)) if races < 8 => races += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn mark_seen(&self, event: &Event) -> Result<(), StoreError> {
        let expires_at = number(Timestamp::now().as_second() + SEEN_SECONDS);
        let item = Item::from([(EXPIRES_AT.to_owned(), expires_at)]);
        self.table.put(&keys::seen(&event.metadata.subject), item).await
    }
}
