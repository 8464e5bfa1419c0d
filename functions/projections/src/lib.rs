//! Sums up events: spend per person and for the company, by month, category and currency; what is used of each budget;
//! and which events were seen delivered.
//!
//! There is no guard. Of each expense the projection keeps the last version it applied and what that version
//! contributed, and replaces both in one conditional transaction. So any order, any repetition and a rebuild from
//! nothing give the same result; a sum that has come to zero counts as none. Events carry the expense whole, so that
//! nothing is ever read back.
//!
//! Budgets come as events, too; a copy of each is kept, by version. Whenever a sum or a budget has changed, the thresholds
//! are looked at with what the table then holds: whichever of the two is applied last sees both. A threshold that is
//! reached is an event, written to the main table's outbox under a key made of category, period, amount and threshold, on
//! condition that it is not there: no redelivery, order, replay or rebuild makes a second one.
//!
//! That event is all that it may write to the main table, and it reads nothing there.
//!
//! To test: `cargo test -p projections`; the running table end to end in `tests/`.

mod budgets;
mod spend;

use aws_config::SdkConfig;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use slipstream_common::{
    Fault,
    keys::{self, EXPIRES_AT},
    queue::{BatchResponse, EnvelopeError, Message, bus_event, each, event_span},
    settings::{Settings, SettingsError},
    store::{ChangeError, Store},
    sums,
    table::{Condition, Item, StoreError, Table, Transaction, item, number},
};
use slipstream_events::{
    Actor, BudgetLimit, BudgetState, BudgetThreshold, Category, Cause, Event, EventBody, ExpenseId, ExpenseState,
    Money, Subject,
};
use spend::{Applied, Contribution};
use tracing::Instrument as _;

/// How long it is remembered that an event was delivered, in seconds: longer than the sweeper looks back.
const SEEN_SECONDS: i64 = 35 * 24 * 60 * 60;

/// The function's tables.
#[derive(Debug)]
pub struct Projections {
    table: Table,
    /// For the outbox alone.
    outbox: Store,
}

/// Why an event is not summed up; its message is delivered again.
#[derive(Debug, thiserror::Error)]
enum ProjectError {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Outbox(#[from] ChangeError),
}

/// How much of a budget is used in one period and currency.
#[derive(Debug, Deserialize)]
struct Used {
    /// `<period>#<currency>`.
    #[serde(rename = "SK")]
    sort: String,
    #[serde(rename = "used_minor_units")]
    minor_units: i64,
}

impl Projections {
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
        let table = settings.text("PROJECTIONS_TABLE_NAME");
        let main = settings.text("TABLE_NAME");
        settings.finish(Self { table: Table::new(sdk, table), outbox: Store::new(Table::new(sdk, main)) })
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
                let applied = self.apply(expense).await?;
                for contribution in applied.contribution.iter().chain(&applied.gone) {
                    self.watch_expense(contribution, &event).await?;
                }
                if !applied.gone.is_empty() {
                    self.forget_gone(expense.id, applied.version).await?;
                }
            } else if let EventBody::BudgetChanged(data) = &event.data {
                self.keep_budget(&data.budget).await?;
                self.watch_budget(data.budget.category, &event).await?;
            }
            self.mark_seen(&event).await?;
            tracing::info!("summed up");
            Ok(())
        }
        .instrument(span)
        .await
    }

    /// Replaces what the expense contributed, unless a later version has done so. Returns what stands in the sums now, and
    /// what does no more: a delivery that died after the sums and before the thresholds comes again and looks at them then.
    async fn apply(&self, expense: &ExpenseState) -> Result<Applied, StoreError> {
        let key = spend::applied_key(expense.id);
        let contribution = Contribution::of(expense);
        let mut races = 0;
        loop {
            let mut before: Option<Applied> = self.table.get(&key).await?;
            if let Some(before) = before.take_if(|before| before.version >= expense.version) {
                return Ok(before);
            }
            let condition = before.as_ref().map_or_else(Condition::absent, |before| Condition::version(before.version));
            let after = Applied::after(before.as_ref(), expense.version, contribution.clone());
            let mut transaction = Transaction::default();
            transaction.put(&key, item(&after, [])?, Some(condition));
            let before = before.and_then(|before| before.contribution);
            for change in spend::changes(before.as_ref(), contribution.as_ref()) {
                change.add_to(&mut transaction);
            }
            match self.table.commit(transaction).await {
                Ok(()) => return Ok(after),
                Err(StoreError::Condition(_)) if races < 8 => races += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Records that the budgets of what an expense contributed no more at this version were looked at. A later version
    /// has taken over what was not.
    async fn forget_gone(&self, expense: ExpenseId, version: u64) -> Result<(), StoreError> {
        let mut transaction = Transaction::default();
        transaction.update(&spend::applied_key(expense), "REMOVE gone", Condition::version(version));
        match self.table.commit(transaction).await {
            Ok(()) | Err(StoreError::Condition(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Keeps the copy of a budget, unless a later version is there.
    async fn keep_budget(&self, budget: &BudgetState) -> Result<(), StoreError> {
        let condition = Condition::new("attribute_not_exists(#version) OR #version < :version")
            .name("#version", "version")
            .value(":version", number(budget.version));
        let mut transaction = Transaction::default();
        transaction.put(&budgets::budget_key(budget.category), item(budget, [])?, Some(condition));
        match self.table.commit(transaction).await {
            Ok(()) | Err(StoreError::Condition(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Looks at the thresholds of the budget that an expense uses.
    async fn watch_expense(&self, contribution: &Contribution, event: &Event) -> Result<(), ProjectError> {
        let category = contribution.category;
        let budget: Option<BudgetState> = self.table.get(&budgets::budget_key(category)).await?;
        let Some((budget, (limit, first))) =
            budget.and_then(|budget| Some((budget.version, budgets::watched(&budget)?)))
        else {
            return Ok(());
        };
        let period = limit.period.of(contribution.date);
        if period < first {
            return Ok(());
        }
        let key = sums::used_in(category, limit.period, &period, limit.amount.currency);
        if let Some(used) = self.table.get::<Used>(&key).await? {
            self.tell(category, budget, limit, &period, used.minor_units, event).await?;
        }
        Ok(())
    }

    /// Looks at the thresholds of a budget in every period in which it is watched.
    async fn watch_budget(&self, category: Category, event: &Event) -> Result<(), ProjectError> {
        // The copy, not the event: a later version may have been there before.
        let budget: Option<BudgetState> = self.table.get(&budgets::budget_key(category)).await?;
        let Some((budget, (limit, first))) =
            budget.and_then(|budget| Some((budget.version, budgets::watched(&budget)?)))
        else {
            return Ok(());
        };
        // `~` sorts after every period.
        let sums: Vec<Used> = self.table.range(&sums::used(category, limit.period), &first, "~", None).await?;
        for used in sums {
            if let Some((period, currency)) = used.sort.split_once('#')
                && currency == limit.amount.currency.code()
            {
                self.tell(category, budget, limit, period, used.minor_units, event).await?;
            }
        }
        Ok(())
    }

    /// Writes the event of each threshold that is reached and was not before.
    async fn tell(
        &self,
        category: Category,
        budget_version: u64,
        limit: BudgetLimit,
        period: &str,
        used: i64,
        because: &Event,
    ) -> Result<(), ProjectError> {
        for percent in budgets::reached(limit.amount, used) {
            let data = BudgetThreshold {
                category,
                period: period.to_owned(),
                percent,
                used: Money::new(used, limit.amount.currency),
                budget: limit.amount,
                budget_version,
            };
            let cause = Cause {
                actor: Actor::System { name: "projections".to_owned() },
                at: Timestamp::now(),
                correlation_id: because.metadata.correlation_id.clone(),
                causation_id: Some(because.metadata.id.to_string()),
            };
            let subject = Subject::budget_threshold(category, period, limit.amount, percent);
            let event = Event::new(subject, EventBody::BudgetThresholdReached(Box::new(data)), &cause);
            if self.outbox.write_once(&event).await? {
                tracing::info!(budget.category = %category, budget.period = period, percent, "a threshold is reached");
            }
        }
        Ok(())
    }

    async fn mark_seen(&self, event: &Event) -> Result<(), StoreError> {
        let expires_at = number(Timestamp::now().as_second() + SEEN_SECONDS);
        let item = Item::from([(EXPIRES_AT.to_owned(), expires_at)]);
        self.table.put(&keys::seen(&event.metadata.subject), item).await
    }
}
