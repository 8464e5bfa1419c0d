//! Structured logs: one JSON object a line on standard output, which Lambda sends to CloudWatch Logs.
//!
//! Fields carry ids, never contents: no tokens, no addresses, no text from receipts.

use std::env;

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::metrics;

/// Sets up logs and metrics for the process: `RUST_LOG` filters the former (`info` where it says nothing),
/// `METRIC_NAMESPACE` names where the latter go (`Slipstream`).
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    metrics::init(env::var("METRIC_NAMESPACE").unwrap_or_else(|_| "Slipstream".to_owned()));
}
