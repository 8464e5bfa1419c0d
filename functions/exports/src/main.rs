//! Wires the function; see the library.

#![recursion_limit = "256"] // the SDK nests futures deeply

use exports::Exports;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use slipstream_common::{sdk, telemetry};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let exports = Exports::from_env(&sdk::config().await)?;
    let exports = &exports;
    run(service_fn(async |event: LambdaEvent<_>| {
        exports.handle(event.payload, &event.context.request_id, event.context.deadline).await
    }))
    .await
}
