//! Structured logs: one JSON object a line on standard output, which Lambda sends to CloudWatch Logs.
//!
//! Fields carry ids, never contents: no tokens, no addresses, no text from receipts.

use std::env;

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::metrics;

/// Sets up logs and metrics for the process: `RUST_LOG` filters the former (`info` where it says nothing),
/// `METRIC_NAMESPACE` names where the latter go. Without it none are written, which is logged as an error.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    match env::var("METRIC_NAMESPACE") {
        Ok(namespace) => metrics::init(namespace),
        Err(_) => tracing::error!("METRIC_NAMESPACE is not set: no metrics are written"),
    }
}
