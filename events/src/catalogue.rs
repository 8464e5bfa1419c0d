//! Every event type, with its current schema version. Adding one here gives it a schema, and the tests then ask
//! for a golden example.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ApprovalReassigned, ApprovalReminded, ApprovalRequested, Approved, AutoApproved, BudgetEvent, BudgetThreshold,
    ChangesRequested, Deleted, Drafted, DuplicatesDismissed, Edited, EventError, ExpenseChange, ExpenseEvent,
    ExpenseState, Metadata, PersonEvent, PolicyEvent, RatesEvent, ReceiptAnnounced, ReceiptAttached, ReceiptDeleted,
    ReceiptDetached, ReceiptFailed, ReceiptRead, Reimbursed, Rejected, Reopened, ReportChanged, ReportCreated,
    ReportDeleted, ReportSubmitted, SplitUndone, SplitUp, StepApproved, SubmissionExpired, Submitted, Withdrawn,
};

/// The bus event's `source`.
pub const SOURCE: &str = "slipstream";

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident($data:ty) version $version:literal,)*) => {
        /// What can happen. The names are the bus events' `detail-type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum EventType {
            $($(#[$doc])* $name,)*
        }

        impl EventType {
            /// Every event type.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable name, as in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The version of the data's shape that is written today.
            pub const fn schema_version(self) -> u32 {
                match self {
                    $(Self::$name => $version,)*
                }
            }
        }

        /// What happened, with its data.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum EventBody {
            $($(#[$doc])* $name(Box<$data>),)*
        }

        impl EventBody {
            /// Its type.
            pub const fn event_type(&self) -> EventType {
                match self {
                    $(Self::$name(_) => EventType::$name,)*
                }
            }

            /// Reads the data of `event_type` in the shape of `schema_version`. An upcaster for an older version
            /// goes before the last step.
            pub(crate) fn read(event_type: EventType, schema_version: u32, data: Value) -> Result<Self, EventError> {
                if schema_version != event_type.schema_version() {
                    return Err(EventError::UnknownVersion { event_type, schema_version });
                }
                match event_type {
                    $(EventType::$name => serde_json::from_value(data).map(|data| Self::$name(Box::new(data))),)*
                }
                .map_err(|fault| EventError::Data { event_type, schema_version, fault })
            }
        }

        /// The JSON Schema (draft 2020-12) of every event type's `detail`, as it is written today.
        pub fn schemas() -> Vec<(EventType, Schema)> {
            vec![$((EventType::$name, schema::<$data>(EventType::$name)),)*]
        }
    };
}

catalogue! {
    /// An expense was drafted, from a receipt or by hand.
    ExpenseDrafted(ExpenseEvent<Drafted>) version 1,
    /// Its owner changed what is said of it.
    ExpenseEdited(ExpenseEvent<Edited>) version 1,
    /// Its owner asked for approval.
    ExpenseSubmitted(ExpenseEvent<Submitted>) version 1,
    /// An approver was asked.
    ExpenseApprovalRequested(ExpenseEvent<ApprovalRequested>) version 1,
    /// Somebody else is asked than before.
    ExpenseApprovalReassigned(ExpenseEvent<ApprovalReassigned>) version 1,
    /// An approver who has not answered is reminded.
    ExpenseApprovalReminded(ExpenseEvent<ApprovalReminded>) version 1,
    /// An approver said yes, and another one is asked after them.
    ExpenseStepApproved(ExpenseEvent<StepApproved>) version 1,
    /// The policy approved it without asking anybody.
    ExpenseAutoApproved(ExpenseEvent<AutoApproved>) version 1,
    /// Somebody in whose name it was decided says that it was not them: it is asked for anew.
    ExpenseReopened(ExpenseEvent<Reopened>) version 1,
    /// The last approver said yes.
    ExpenseApproved(ExpenseEvent<Approved>) version 1,
    /// An approver said no.
    ExpenseRejected(ExpenseEvent<Rejected>) version 1,
    /// An approver sent it back.
    ExpenseChangesRequested(ExpenseEvent<ChangesRequested>) version 1,
    /// Its owner took the submission back.
    ExpenseWithdrawn(ExpenseEvent<Withdrawn>) version 1,
    /// Nobody decided in time.
    ExpenseSubmissionExpired(ExpenseEvent<SubmissionExpired>) version 1,
    /// Finance paid it out.
    ExpenseReimbursed(ExpenseEvent<Reimbursed>) version 1,
    /// Its owner deleted it.
    ExpenseDeleted(ExpenseEvent<Deleted>) version 1,
    /// Its owner gave it a receipt.
    ExpenseReceiptAttached(ExpenseEvent<ReceiptAttached>) version 1,
    /// Its receipt was taken away.
    ExpenseReceiptDetached(ExpenseEvent<ReceiptDetached>) version 1,
    /// Its owner said that suspected duplicates are none.
    ExpenseDuplicatesDismissed(ExpenseEvent<DuplicatesDismissed>) version 1,
    /// Its owner split it into parts.
    ExpenseSplit(ExpenseEvent<SplitUp>) version 1,
    /// Its owner took the split back.
    ExpenseSplitUndone(ExpenseEvent<SplitUndone>) version 1,
    /// Someone is about to upload a receipt.
    ReceiptAnnounced(ReceiptAnnounced) version 1,
    /// A receipt was read and an expense drafted.
    ReceiptRead(ReceiptRead) version 1,
    /// A receipt could not be read.
    ReceiptFailed(ReceiptFailed) version 1,
    /// Its owner deleted a receipt.
    ReceiptDeleted(ReceiptDeleted) version 1,
    /// Someone used Slipstream for the first time.
    PersonRegistered(PersonEvent) version 1,
    /// A profile changed.
    PersonChanged(PersonEvent) version 1,
    /// Finance set a new policy.
    PolicyChanged(PolicyEvent) version 1,
    /// Finance loaded the exchange rates of a day.
    ExchangeRatesLoaded(RatesEvent) version 1,
    /// Finance set a category's budget or took it away.
    BudgetChanged(BudgetEvent) version 1,
    /// So much of a budget is used.
    BudgetThresholdReached(BudgetThreshold) version 1,
    /// Someone began a report.
    ReportCreated(ReportCreated) version 1,
    /// A report has another title.
    ReportChanged(ReportChanged) version 1,
    /// The expenses of a report were submitted together.
    ReportSubmitted(ReportSubmitted) version 1,
    /// A report was deleted.
    ReportDeleted(ReportDeleted) version 1,
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EventBody {
    /// The event of a change: what changed, and the expense after it.
    pub fn of_expense(change: ExpenseChange, expense: ExpenseState) -> Self {
        macro_rules! body {
            ($variant:ident, $change:expr) => {
                Self::$variant(Box::new(ExpenseEvent { change: $change, expense }))
            };
        }
        match change {
            ExpenseChange::Drafted(change) => body!(ExpenseDrafted, change),
            ExpenseChange::Edited(change) => body!(ExpenseEdited, change),
            ExpenseChange::Submitted(change) => body!(ExpenseSubmitted, change),
            ExpenseChange::ApprovalRequested(change) => body!(ExpenseApprovalRequested, change),
            ExpenseChange::ApprovalReassigned(change) => body!(ExpenseApprovalReassigned, change),
            ExpenseChange::ApprovalReminded(change) => body!(ExpenseApprovalReminded, change),
            ExpenseChange::StepApproved(change) => body!(ExpenseStepApproved, change),
            ExpenseChange::AutoApproved(change) => body!(ExpenseAutoApproved, change),
            ExpenseChange::Reopened(change) => body!(ExpenseReopened, change),
            ExpenseChange::Approved(change) => body!(ExpenseApproved, change),
            ExpenseChange::Rejected(change) => body!(ExpenseRejected, change),
            ExpenseChange::ChangesRequested(change) => body!(ExpenseChangesRequested, change),
            ExpenseChange::Withdrawn(change) => body!(ExpenseWithdrawn, change),
            ExpenseChange::SubmissionExpired(change) => body!(ExpenseSubmissionExpired, change),
            ExpenseChange::Reimbursed(change) => body!(ExpenseReimbursed, change),
            ExpenseChange::Deleted(change) => body!(ExpenseDeleted, change),
            ExpenseChange::ReceiptAttached(change) => body!(ExpenseReceiptAttached, change),
            ExpenseChange::ReceiptDetached(change) => body!(ExpenseReceiptDetached, change),
            ExpenseChange::DuplicatesDismissed(change) => body!(ExpenseDuplicatesDismissed, change),
            ExpenseChange::SplitUp(change) => body!(ExpenseSplit, change),
            ExpenseChange::SplitUndone(change) => body!(ExpenseSplitUndone, change),
        }
    }

    /// The expense after the event, if it is about one.
    pub fn expense(&self) -> Option<&ExpenseState> {
        Some(match self {
            Self::ExpenseDrafted(data) => &data.expense,
            Self::ExpenseEdited(data) => &data.expense,
            Self::ExpenseSubmitted(data) => &data.expense,
            Self::ExpenseApprovalRequested(data) => &data.expense,
            Self::ExpenseApprovalReassigned(data) => &data.expense,
            Self::ExpenseApprovalReminded(data) => &data.expense,
            Self::ExpenseStepApproved(data) => &data.expense,
            Self::ExpenseAutoApproved(data) => &data.expense,
            Self::ExpenseReopened(data) => &data.expense,
            Self::ExpenseApproved(data) => &data.expense,
            Self::ExpenseRejected(data) => &data.expense,
            Self::ExpenseChangesRequested(data) => &data.expense,
            Self::ExpenseWithdrawn(data) => &data.expense,
            Self::ExpenseSubmissionExpired(data) => &data.expense,
            Self::ExpenseReimbursed(data) => &data.expense,
            Self::ExpenseDeleted(data) => &data.expense,
            Self::ExpenseReceiptAttached(data) => &data.expense,
            Self::ExpenseReceiptDetached(data) => &data.expense,
            Self::ExpenseDuplicatesDismissed(data) => &data.expense,
            Self::ExpenseSplit(data) => &data.expense,
            Self::ExpenseSplitUndone(data) => &data.expense,
            Self::ReceiptAnnounced(_)
            | Self::ReceiptRead(_)
            | Self::ReceiptFailed(_)
            | Self::ReceiptDeleted(_)
            | Self::PersonRegistered(_)
            | Self::PersonChanged(_)
            | Self::PolicyChanged(_)
            | Self::ExchangeRatesLoaded(_)
            | Self::BudgetChanged(_)
            | Self::BudgetThresholdReached(_)
            | Self::ReportCreated(_)
            | Self::ReportChanged(_)
            | Self::ReportSubmitted(_)
            | Self::ReportDeleted(_) => return None,
        })
    }
}

fn schema<D: JsonSchema>(event_type: EventType) -> Schema {
    /// The `detail` of one event type.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Detail<D> {
        metadata: Metadata,
        data: D,
    }
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let mut schema = generator.root_schema_for::<Detail<D>>();
    schema.insert("title".to_owned(), Value::from(event_type.as_str()));
    schema
}
