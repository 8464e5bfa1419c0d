//! Approvals under every order of what happens at once, and every forgery of a link.
//!
//! The functions are the real ones, called in this process; their calls to AWS are carried to a table in memory and a
//! model of the state machine, one at a time, in an order that [`schedule`] chooses. `docs/decisions/0037-every-order.md`
//! says why all of them are covered.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

mod audit;
mod forgery;
mod races;
mod schedule;
mod services;
mod trust;
mod world;
