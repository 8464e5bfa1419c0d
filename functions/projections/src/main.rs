//! Wires the function; see the library.

#![recursion_limit = "256"] // the SDK nests futures deeply

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use projections::Projections;
use slipstream_common::{sdk, telemetry};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let projections = Projections::from_env(&sdk::config().await)?;
    run(service_fn(|event: LambdaEvent<_>| projections.handle(event.payload))).await
}
