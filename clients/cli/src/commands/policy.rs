//! The policy document.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use crate::{
    api::Call,
    commands::read_text,
    context::Slip,
    failure::{Exit, Failure, Outcome},
};

/// `slip policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Prints the policy, as JSON
    ///
    /// Example: slip policy get > policy.json
    Get {
        /// An earlier version
        #[arg(long)]
        version: Option<u64>,
    },
    /// Sets the whole policy from a JSON file (finance)
    ///
    /// If the file names a version, as `get` writes it, the policy is set only if that one is still in force.
    ///
    /// Example: slip policy set policy.json
    Set {
        /// The file; `-` for stdin
        file: PathBuf,
    },
    /// Prints the latest versions, the newest first, one per line
    Versions {
        /// How many at most
        #[arg(long, default_value_t = 10)]
        limit: u64,
    },
}

/// Runs a command about the policy.
pub(crate) async fn run(slip: &Slip, policy: Policy) -> Outcome {
    match policy {
        Policy::Get { version } => {
            let path = version.map_or_else(|| "/policy".to_owned(), |version| format!("/policy/versions/{version}"));
            slip.show(Call::get(path), pretty).await
        }
        Policy::Set { file } => {
            let text = read_text(&file)?;
            let wrong = |message: &str| Failure::refused(format!("{}: {message}", file.display()));
            let document = serde_json::from_str(&text).map_err(|error| wrong(&format!("is no JSON: {error}")))?;
            let Value::Object(mut document) = document else { return Err(wrong("is no JSON object")) };
            // The version is the service's to give.
            let version = document.remove("version").and_then(|version| version.as_u64());
            let etag = version.map(|version| format!("\"{version}\""));
            slip.show(Call::put("/policy", &document.into()).if_match(etag.as_deref()), pretty).await
        }
        Policy::Versions { limit } => {
            let api = slip.api()?;
            let answer = api.send(Call::get("/policy")).await?;
            let latest = crate::api::parse(&answer)?["version"].as_u64().unwrap_or_default();
            slip.shown(&answer, Value::to_string)?;
            for version in (1..latest).rev().take(usize::try_from(limit.saturating_sub(1)).unwrap_or(usize::MAX)) {
                match api.send(Call::get(format!("/policy/versions/{version}"))).await {
                    Ok(answer) => slip.shown(&answer, Value::to_string)?,
                    Err(failure) if failure.exit == Exit::NotFound => break,
                    Err(failure) => return Err(failure),
                }
            }
            Ok(())
        }
    }
}

fn pretty(policy: &Value) -> String {
    serde_json::to_string_pretty(policy).unwrap_or_default()
}
