//! `slip-ops`: Slipstream for its operators.
//!
//! It looks at a deployed stack with the operator's own AWS credentials and mends what is stuck: traces, dead letters,
//! replays, health. What it does, the ordinary path does too, once more: every effect behind it is conditional or guarded.
//! Keys, records and the outbox are `slipstream-common`'s; what there is and how it is named, the stack says itself
//! (`docs/decisions/0041-the-operators-tool.md`).
//!
//! - `failure`: exit codes and messages; `output`: stdout, stderr, tables, colours; `time`: instants and spans as typed
//! - `stack`: the stack's outputs and resources, and the clients of its services
//! - `letters`: dead-letter queues and set-aside records; `logs`: log lines; `rules`: who gets which events; `named`: what an
//!   id names
//! - `commands`: one module per subject
//!
//! It must not decide anything that a function decides.
//!
//! To test: `cargo test -p slip-ops`; the real binary against the real stack, with the operator's key, end to end in
//! `tests/`.

#![recursion_limit = "256"] // the SDK nests futures deeply

mod commands;
mod failure;
mod letters;
mod logs;
mod named;
mod output;
mod rules;
mod stack;
mod story;
mod time;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

use crate::{commands::Cli, output::Out};

/// Runs a command line; the exit code says how it ended.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Clap prints its own errors (2) and help (0).
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Whoever closed the pipe does not want to read it.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let out = Out::new(cli.json);
    match commands::run(&out, cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
