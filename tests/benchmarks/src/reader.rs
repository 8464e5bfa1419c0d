//! The reader as `cargo local` starts it, asked over HTTP as the AWS SDK asks Textract.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use slipstream_local::{
    compile::{self, Checkout},
    emulator,
    process::{self, Service},
    progress::Progress,
    python,
};

/// Longer than any receipt takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running reader; dropping it ends it.
#[derive(Debug)]
pub struct Reader {
    service: Service,
    client: reqwest::Client,
    url: String,
}

/// One answer, and how long it took.
#[derive(Debug)]
pub struct Reply {
    /// The response; the error's kind and message where the reader refused.
    pub answer: std::result::Result<Value, String>,
    /// From the first byte sent to the last one received.
    pub seconds: f64,
}

impl Reader {
    /// Builds the reader, fetches its models and starts it on a free port.
    ///
    /// # Errors
    /// When one of the three fails.
    pub async fn start(checkout: &Checkout) -> Result<Self> {
        let progress = Progress::new(false);
        let interpreter = python::find().await?;
        let binaries = compile::build_package(checkout, "slipstream-reader", &progress).await?;
        let python = python::prepare(checkout, &interpreter, &progress).await?;
        let port = process::free_port()?;
        let run_dir = folder(checkout)?;
        let mut service = emulator::start_reader(binaries.path("reader")?, &python.models, port, &run_dir)?;
        emulator::reader_ready(&mut service, port).await?;
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { service, client, url: format!("http://127.0.0.1:{port}/") })
    }

    /// Reads one file.
    ///
    /// # Errors
    /// When the reader has died or does not answer.
    pub async fn read(&mut self, file: &[u8]) -> Result<Reply> {
        let body = json!({"Document": {"Bytes": STANDARD.encode(file)}}).to_string();
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "Textract.AnalyzeExpense")
            .body(body);
        let begin = Instant::now();
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                self.service.check()?;
                return Err(error).context("the reader does not answer");
            }
        };
        let status = response.status();
        let body = response.bytes().await?;
        let seconds = begin.elapsed().as_secs_f64();
        let value: Value = serde_json::from_slice(&body).context("the reader's answer is no JSON")?;
        let answer = if status.is_success() {
            Ok(value)
        } else {
            Err(format!("{}: {}", value["__type"].as_str().unwrap_or("?"), value["message"].as_str().unwrap_or("?")))
        };
        Ok(Reply { answer, seconds })
    }

    /// The most memory it has had resident so far, in MB; nothing where the system does not tell (`/proc`).
    #[must_use]
    pub fn peak_memory(&self) -> Option<f64> {
        let group = self.service.group_number()?;
        let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let kilobytes = processes.filter(|&id| group_of(id) == Some(group)).filter_map(high_water).max()?;
        // At most some million kilobytes: far inside an f64.
        Some(kilobytes as f64 * 1024.0 / 1e6)
    }
}

/// Where benchmarks put what they make.
///
/// # Errors
/// When it cannot be made.
pub fn folder(checkout: &Checkout) -> Result<PathBuf> {
    let folder = checkout.target.join("measure");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The process group, from `/proc/<id>/stat`: the third number behind the name in brackets.
fn group_of(process: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
}

/// `VmHWM` of a process, in kilobytes.
fn high_water(process: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}
