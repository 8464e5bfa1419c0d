//! The running API against its contract, by Schemathesis: requests made from `infrastructure/openapi.yaml`, right ones
//! and wrong ones, each answer held against what is described. As everyone who may call it; always the same requests.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session, compile::Checkout, progress::Progress, python};
use tokio::process::Command;

use crate::harness::{draft, newcomer};

/// What Schemathesis needs of Python, pinned by hash.
const REQUIREMENTS: &str = include_str!("../contract/requirements.txt");

/// Makes something of everything for the requests to meet: what there is not, tells nothing but 404.
async fn furnish(session: &Session) -> Result<()> {
    draft(session, "Furnished", 1200).await?;
    let details = json!({ "merchant": "Shared" });
    session.post("/expenses", &json!({ "details": details })).await?.expect(201)?;
    Ok(())
}

async fn environment() -> Result<PathBuf> {
    let checkout = Checkout::find().await?;
    python::environment(&checkout, "contract", REQUIREMENTS, &Progress::new(false)).await
}

/// The contract without what only API Gateway understands.
pub async fn document(world: &Deployment) -> Result<Value> {
    let checkout = Checkout::find().await?;
    let document = Command::new(environment().await?.join("bin/python"))
        .arg(checkout.root.join("tests/contract/document.py"))
        .arg(checkout.root.join("infrastructure/openapi.yaml"))
        .stderr(Stdio::inherit())
        .current_dir(&world.run_dir)
        .output()
        .await?;
    serde_json::from_slice(&document.stdout).context("the contract cannot be read")
}

/// Runs every phase and every check as this caller.
async fn conforms(world: &Deployment, caller: &str, session: Option<&Session>) -> Result<()> {
    let run_dir = world.run_dir.join(format!("contract-{caller}"));
    std::fs::create_dir_all(&run_dir)?;
    let contract = run_dir.join("contract.json");
    std::fs::write(&contract, document(world).await?.to_string())?;
    let settings = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("contract/schemathesis.toml");
    let mut schemathesis = Command::new(environment().await?.join("bin/schemathesis"));
    schemathesis.arg("--config-file").arg(settings).arg("run").arg(&contract);
    schemathesis.args(["--url", &world.api_url, "--checks", "all", "--continue-on-failure", "--no-color"]);
    if let Some(session) = session {
        schemathesis.args(["--header", &format!("Authorization:{}", session.token)]);
    }
    let output = schemathesis.current_dir(&run_dir).stdin(Stdio::null()).output().await.context("no Schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("as {caller}:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

pub async fn holds_for_anonymous(world: &Deployment) -> Result<()> {
    conforms(world, "anonymous", None).await
}

pub async fn holds_for_an_employee(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    furnish(&session).await?;
    conforms(world, "employee", Some(&session)).await
}

pub async fn holds_for_a_manager(world: &Deployment) -> Result<()> {
    let (manager, report) = (newcomer(world).await?, newcomer(world).await?);
    world.session("administrator").await?.name_manager(&report.person_id, &manager.person_id).await?;
    let id = draft(&report, "To be decided", 1900).await?;
    report.submit(&id).await?;
    conforms(world, "manager", Some(&manager)).await
}

pub async fn holds_for_finance(world: &Deployment) -> Result<()> {
    conforms(world, "finance", Some(&world.session("finance").await?)).await
}

pub async fn holds_for_an_administrator(world: &Deployment) -> Result<()> {
    conforms(world, "administrator", Some(&world.session("administrator").await?)).await
}
