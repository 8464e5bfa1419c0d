//! Wires the function; see the library.

#![recursion_limit = "256"] // the SDK nests futures deeply

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use slipstream_common::{sdk, telemetry};
use sweeper::Sweeper;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let sweeper = Sweeper::from_env(&sdk::config().await)?;
    run(service_fn(|_: LambdaEvent<serde_json::Value>| sweeper.sweep())).await
}
