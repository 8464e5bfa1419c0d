//! The vocabulary of Slipstream and the contracts its parts speak in.
//!
//! What lives here: typed ids, money, categories, the state that events carry, the envelope, and every event
//! type with its schema version. `schemas/` holds one JSON Schema per type and version, generated from these
//! types; `examples/` one golden document per type and version, which every later release must still read.
//!
//! What must not: AWS, async code, clocks, and rules about what may happen (those are in `slipstream-domain`).
//!
//! To test: `cargo test -p slipstream-events`. After a deliberate change of a contract, regenerate the schemas
//! with `UPDATE_SCHEMAS=1 cargo test -p slipstream-events`.

mod budget;
mod catalogue;
mod envelope;
mod expense;
mod ids;
mod money;
mod person;
mod policy;
mod rates;
mod receipt;
mod report;
mod review;

pub use budget::{BudgetEvent, BudgetLimit, BudgetPeriod, BudgetState, BudgetThreshold};
pub use catalogue::{EventBody, EventType, SOURCE, schemas};
pub use envelope::{Actor, Cause, CorrelationId, Event, EventError, EventId, Metadata, Subject, SubjectType};
pub use expense::{
    ApprovalReassigned, ApprovalReminded, ApprovalRequested, Approved, AutoApproved, Category, ChangesRequested,
    Deleted, Drafted, DuplicatesDismissed, Edited, ExpenseChange, ExpenseDetails, ExpenseEvent, ExpenseState,
    ExpenseStatus, PaidBy, ReassignmentReason, ReceiptAttached, ReceiptDetached, Reimbursed, Rejected, Reopened, Split,
    SplitUndone, SplitUp, StepApproved, SubmissionExpired, Submitted, Withdrawn,
};
pub use ids::{BatchId, ExpenseId, ExportId, IdError, PersonId, ReceiptId, ReportId, SubmissionId};
pub use money::{Currency, Money, MoneyError};
pub use person::{Delegation, PersonEvent, PersonState, Role};
pub use policy::{
    AgeRule, CategoryLimit, CurrencyRule, FutureRule, PolicyEvent, PolicyFinding, PolicyRule, PolicyState, ReceiptRule,
    SecondLevel, Severity,
};
pub use rates::{Conversion, DayRates, ExchangeRate, RateError, RatesEvent};
pub use receipt::{
    FailureReason, MediaType, ReceiptAnnounced, ReceiptDeleted, ReceiptFailed, ReceiptRead, ReceiptState, ReceiptStatus,
};
pub use report::{ReportChanged, ReportCreated, ReportDeleted, ReportState, ReportSubmitted};
pub use review::{Doubt, ReadField, ReviewFinding};
