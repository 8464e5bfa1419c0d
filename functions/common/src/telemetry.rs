//! Structured logs: one JSON object a line on standard output, which Lambda sends to CloudWatch Logs.
//!
//! Fields carry ids, never contents: no tokens, no addresses, no text from receipts.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Sets up logging for the process; `RUST_LOG` filters it (`info` where it says nothing).
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
}
