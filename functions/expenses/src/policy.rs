//! The policy document, set by finance.

use serde::Deserialize;
use slipstream_common::{
    http::{Request, Response},
    problem::Problem,
    store::Store,
};
use slipstream_events::{PersonId, PolicyState};

/// The longest time to decide: Step Functions ends an execution after a year.
const MAX_DUE_SECONDS: u64 = 300 * 24 * 60 * 60;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    decision_due_seconds: u64,
}

/// The policy that holds now.
pub async fn read(store: &Store) -> Result<Response, Problem> {
    Ok(Response::json(200, &store.current_policy().await?))
}

/// Sets a new policy. Submissions that are under way keep the version they began with.
pub async fn write(store: &Store, finance: PersonId, request: &Request) -> Result<Response, Problem> {
    let wanted: NewPolicy = request.json()?;
    if !(1..=MAX_DUE_SECONDS).contains(&wanted.decision_due_seconds) {
        let remedy = format!("give 1 to {MAX_DUE_SECONDS} seconds");
        return Err(Problem::invalid("decision_due_seconds", remedy));
    }
    let before = store.current_policy().await?;
    let after = PolicyState { version: before.version, decision_due_seconds: wanted.decision_due_seconds };
    let after = store.write_policy(&before, after, &request.cause(finance)).await?;
    Ok(Response::json(200, &after))
}
