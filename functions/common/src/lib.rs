//! What the functions share.
//!
//! - [`settings`]: configuration from the environment, all faults at once;
//! - [`telemetry`], [`sdk`]: how every function logs and calls AWS;
//! - [`keys`]: every key and index of the main table, named; nothing else spells them;
//! - [`table`]: reads, and transactions that say why they failed;
//! - [`records`]: the items of the main table beside events;
//! - [`reports`]: reports in the table, and what was submitted together;
//! - [`store`]: changes of expenses, receipts, people and policy, each with its event in the same transaction;
//! - [`rates`]: the exchange rates, by day;
//! - [`sums`]: the keys of the projections table that more than one function uses;
//! - [`http`], [`problem`], [`caller`], [`routes`], [`visible`]: API Gateway requests, RFC 9457 problems, and who may see what;
//! - [`act`]: what a request asks for, carried out once; [`page`], [`filters`]: lists by page, and what they are narrowed by;
//! - [`approvals`]: whom an approval step asks;
//! - [`duplicates`]: expenses that may be claimed twice;
//! - [`background`]: work that takes longer than a request, and its place among the open work;
//! - [`warnings`]: what an approver should look at;
//! - [`bus`], [`execution`]: the event bus and the approval state machine;
//! - [`outbox`]: the events of a time, and which of them were seen delivered;
//! - [`mailing`]: steps that a person is mailed about together;
//! - [`queue`]: batches of queue messages, record by record.
//!
//! It must not know what one function alone does.
//!
//! To test: `cargo test -p slipstream-common`; the table's real behaviour is tested end to end in `tests/`.

pub mod act;
pub mod approvals;
pub mod background;
pub mod bus;
pub mod caller;
pub mod duplicates;
pub mod execution;
pub mod filters;
pub mod guard;
pub mod http;
pub mod keys;
pub mod mail_domains;
pub mod mailing;
pub mod metrics;
pub mod outbox;
pub mod page;
pub mod problem;
pub mod queue;
pub mod rates;
pub mod records;
pub mod replays;
pub mod reports;
pub mod routes;
pub mod sdk;
pub mod settings;
pub mod store;
pub mod sums;
pub mod table;
pub mod telemetry;
pub mod visible;
pub mod warnings;

/// What a function answers the runtime when it cannot answer the event itself: the invocation failed, and whoever
/// invoked it tries again.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
