//! `slip`: see the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    slip_cli::run(std::env::args_os()).await
}
