//! Wires the function; see the library.

#![recursion_limit = "256"] // the SDK nests futures deeply

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use notifications::Notifications;
use slipstream_common::{sdk, telemetry};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let notifications = Notifications::from_env(&sdk::config().await)?;
    run(service_fn(|event: LambdaEvent<_>| notifications.handle(event.payload, event.context.request_id))).await
}
