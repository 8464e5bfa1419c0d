//! The real binary against a small server on this machine. The way through the whole system is in the workspace's
//! `tests/end_to_end/cli.rs`.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

mod account;
mod commands;
mod support;
mod transfers;
