//! Wires the function; see the library.

#![recursion_limit = "256"] // the SDK nests futures deeply

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use sign_up::SignUp;
use slipstream_common::telemetry;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let sign_up = SignUp::from_env()?;
    run(service_fn(|event: LambdaEvent<_>| async { sign_up.handle(event.payload) })).await
}
