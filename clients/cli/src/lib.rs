//! `slip`: Slipstream on the command line.
//!
//! An HTTP client of the API and of Cognito's public calls, nothing more: it knows no AWS SDK and no credentials but the
//! person's own tokens. It depends on `events` for money and ids, and takes answers as JSON, so that a service that
//! says more than it knows does not break it.
//!
//! - `failure`: exit codes and messages; `output`: stdout, stderr, tables, progress; `views`: answers as text
//! - `http`, `api`: requests, with retries that do nothing twice; `transfer`: presigned uploads and downloads
//! - `srp`, `cognito`, `profile`: signing in, and where tokens live
//! - `fields`: `field=value`; `commands`: one module per subject
//!
//! To test: `cargo test -p slip`. `tests/cli` runs the real binary against a small server on this machine.

mod api;
mod cognito;
mod commands;
mod context;
mod directory;
mod failure;
mod fields;
mod http;
mod narrowed;
mod output;
mod profile;
mod srp;
mod transfer;
mod views;

use std::{ffi::OsString, io::ErrorKind, process::ExitCode};

use clap::Parser;

use crate::{commands::Cli, context::Slip, failure::Failure};

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
    let out = output::Out::new(cli.json);
    let result = match Slip::new(&cli.profile, out.clone()) {
        Ok(slip) => commands::run(&slip, cli.command).await,
        Err(failure) => Err(failure),
    };
    let result = result.and_then(|()| match out.closed() {
        None | Some(ErrorKind::BrokenPipe) => Ok(()),
        Some(kind) => Err(Failure::failed(format!("the answer cannot be written: {kind}"))),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A command over several things has told of each already.
            if !failure.message.is_empty() {
                out.failure(None, &failure);
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}
