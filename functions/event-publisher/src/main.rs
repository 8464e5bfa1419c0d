//! Wires the function; see the library.

#![recursion_limit = "256"] // the SDK nests futures deeply

use event_publisher::Publisher;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use slipstream_common::{sdk, telemetry};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let publisher = Publisher::from_env(&sdk::config().await)?;
    run(service_fn(|event: LambdaEvent<_>| publisher.handle(event.payload))).await
}
