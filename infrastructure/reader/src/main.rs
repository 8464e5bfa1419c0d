//! The receipt reader as a process of its own: Amazon Textract's `AnalyzeExpense` on this machine, or, as
//! `reader read`, a look at what it makes of files.

mod read;

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use slipstream_reader::{Engine, serve};
use tokio::net::TcpListener;

/// Answers Amazon Textract's `AnalyzeExpense` on this machine.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    service: Option<Service>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads files and prints what they say
    Read(read::Arguments),
}

#[derive(Debug, clap::Args)]
struct Service {
    /// The port to listen on; 0 picks a free one.
    #[arg(long)]
    port: u16,
    /// The folder with the two ONNX models.
    #[arg(long)]
    models: PathBuf,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (arguments.command, arguments.service) {
        (Some(Command::Read(arguments)), _) => return read::run(&arguments),
        (None, Some(service)) => run(service),
        (None, None) => Err(anyhow::anyhow!("--port and --models are needed, or a command: see --help")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reader: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Service) -> anyhow::Result<()> {
    let models = arguments.models;
    let engine = tokio::task::spawn_blocking(move || Engine::load(&models)).await??;
    let listener = TcpListener::bind((arguments.host, arguments.port))
        .await
        .with_context(|| format!("cannot listen on {}:{}", arguments.host, arguments.port))?;
    let address = listener.local_addr()?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;
    tokio::select! {
        ended = serve(listener, Arc::new(engine)) => Ok(ended?),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["reader"].iter().chain(arguments))
    }

    #[test]
    fn serves_with_options_and_reads_with_files() {
        let service = parsed(&["--port", "0", "--models", "m"]).expect("parses").service.expect("serves");
        assert_eq!((service.port, service.models), (0, PathBuf::from("m")));
        assert!(parsed(&["read", "a.jpg", "b.pdf", "--json"]).expect("parses").command.is_some());
        assert!(parsed(&["read"]).is_err(), "nothing to read");
        assert!(parsed(&["--port", "0"]).is_err(), "no models");
    }
}
