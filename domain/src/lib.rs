//! What may happen in Slipstream, said in the vocabulary of `slipstream-events`.
//!
//! - [`expense`]: the life cycle: `decide(state, command) → change | rejection`, `apply(state, change) → state`;
//! - [`approver`]: who is asked;
//! - [`details`]: what may be said of an expense, and what a submission needs;
//! - [`analysis`] and [`reading`]: from a Textract response to a draft;
//! - [`category`]: a suggestion from words on the receipt;
//! - [`merchant`]: when two printed names are the same merchant;
//! - [`policy`]: what the policy finds in an expense, and what a policy may say;
//! - [`conversion`]: money in another currency, exact;
//! - [`report`]: expenses submitted together;
//! - [`split`]: one receipt in several expenses.
//!
//! It must not know AWS, async code, clocks or randomness: time and ids are given to it. A test in
//! `tests/layout.rs` of the workspace's test crate holds the manifest against that.
//!
//! To test: `cargo test -p slipstream-domain`.

pub mod analysis;
pub mod approver;
pub mod category;
pub mod conversion;
pub mod details;
pub mod expense;
pub mod merchant;
pub mod policy;
pub mod reading;
pub mod report;
pub mod split;
pub mod text;
