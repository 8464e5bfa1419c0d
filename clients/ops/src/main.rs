//! `slip-ops`: see the library.

#![recursion_limit = "256"] // the SDK nests futures deeply

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    slip_ops::run(std::env::args_os()).await
}
