//! The receipt reader as a process of its own: Amazon Textract's `AnalyzeExpense` on this machine.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use slipstream_reader::{Engine, serve};
use tokio::net::TcpListener;

/// Answers Amazon Textract's `AnalyzeExpense` on this machine.
#[derive(Debug, Parser)]
struct Arguments {
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

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reader: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
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
