//! Wires the function; see the library.

#![recursion_limit = "256"] // the SDK nests futures deeply

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use receipts::Receipts;
use slipstream_common::{sdk, telemetry};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let receipts = Receipts::from_env(&sdk::config().await)?;
    run(service_fn(|event: LambdaEvent<_>| receipts.handle(event.payload))).await
}
