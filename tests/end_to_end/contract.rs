//! The running API against its contract, by Schemathesis: requests made from `infrastructure/openapi.yaml`, right ones
//! and wrong ones, each answer held against what is described. As everyone who may call it; always the same requests.
//!
//! Requests that only ever meet what there is not would tell nothing but 404. So each caller has one of everything, whose
//! ids some requests name; and each has a list of operations that must have been carried out at least once.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session, compile::Checkout, progress::Progress, python};
use tokio::process::Command;

use crate::harness::{draft, fixture, newcomer, request, upload};

/// What Schemathesis needs of Python, pinned by hash.
const REQUIREMENTS: &str = include_str!("../contract/requirements.txt");
/// How Schemathesis goes about it, but for what the callers have.
const SETTINGS: &str = include_str!("../contract/schemathesis.toml");

async fn environment() -> Result<PathBuf> {
    let checkout = Checkout::find().await?;
    python::environment(&checkout, "contract", REQUIREMENTS, &Progress::new(false)).await
}

/// The contract without what only API Gateway understands, as tools take it.
pub async fn document() -> Result<Value> {
    printed(&[]).await
}

/// The contract as it stands.
pub async fn source() -> Result<Value> {
    printed(&["--as-it-is"]).await
}

async fn printed(arguments: &[&str]) -> Result<Value> {
    let root = Checkout::find().await?.root;
    let document = Command::new(environment().await?.join("bin/python"))
        .arg(root.join("tests/contract/document.py"))
        .args(arguments)
        .arg(root.join("infrastructure/openapi.yaml"))
        .stderr(Stdio::inherit())
        .output()
        .await?;
    serde_json::from_slice(&document.stdout).context("the contract cannot be read")
}

/// What a caller has: by the name of the parameter that names it.
#[derive(Debug, Default)]
struct Known(BTreeMap<&'static str, Vec<String>>);

impl Known {
    fn add(&mut self, name: &'static str, id: impl Into<String>) {
        self.0.entry(name).or_default().push(id.into());
    }

    /// As settings: most requests name one of these where their path does, and some where their body does.
    fn settings(&self) -> String {
        let mut settings = String::new();
        for name in self.0.keys() {
            let _ = writeln!(settings, "\"path.{name}\" = {{ dictionary = \"{name}\", probability = 0.8 }}");
        }
        for (member, name) in [
            ("body.receipt_id", "receipt_id"),
            ("body.details.report", "report_id"),
            ("body.expenses[*]", "expense_id"),
            ("body.manager", "person_id"),
            ("body.delegation.delegate", "person_id"),
            ("query.person", "person_id"),
        ] {
            if self.0.contains_key(name) {
                let _ = writeln!(settings, "\"{member}\" = {{ dictionary = \"{name}\", probability = 0.5 }}");
            }
        }
        for (name, ids) in &self.0 {
            let _ = writeln!(settings, "[dictionaries.{name}]\nvalues = {}", json!(ids));
        }
        settings
    }
}

/// What everyone can do for themselves.
const OWN: &[&str] = &[
    "announceReceipt",
    "askForExport",
    "attachReceipt",
    "createReport",
    "deleteExpense",
    "deleteReceipt",
    "deleteReport",
    "detachReceipt",
    "dismissDuplicates",
    "draftExpense",
    "editExpense",
    "editReport",
    "getExchangeRates",
    "getExpense",
    "getExport",
    "getHistory",
    "getMe",
    "getPolicy",
    "getPolicyVersion",
    "getReading",
    "getReceipt",
    "getReport",
    "getSpend",
    "listApprovals",
    "listExpenses",
    "listExports",
    "listReports",
    "putMe",
    "splitExpense",
    "submitExpense",
    "submitReport",
    "undoSplit",
    "withdrawExpense",
];
/// What takes a submission that waits for the caller, and its link.
const APPROVERS: &[&str] = &["decideSubmission", "listApprovals", "showApproval", "probeApproval", "decideApproval"];
/// What takes the role finance.
const FINANCE: &[&str] = &[
    "deleteBudget",
    "getPerson",
    "listAllExpenses",
    "listBudgets",
    "listPeople",
    "putBudget",
    "putExchangeRates",
    "putPolicy",
    "reimburseExpense",
];
/// What takes the role administrator.
const ADMINISTRATORS: &[&str] = &["erasePerson", "getErasure", "getPerson", "importPeople", "listPeople", "putPerson"];

/// Makes one of everything of an employee's, in every state that there is.
async fn furnish(world: &Deployment, session: &Session) -> Result<Known> {
    let mut known = Known::default();
    let text = |value: &Value| value.as_str().map(str::to_owned).context("an id");
    let read = upload(session, &fixture("taxi-gbp.png"), "image/png").await?;
    known.add("receipt_id", text(&read["id"])?);
    known.add("expense_id", text(&read["expense_id"])?);
    known.add("receipt_id", session.announce(b"never uploaded", "image/png", None).await?.receipt_id);
    for merchant in ["One", "Two", "Two"] {
        known.add("expense_id", draft(session, merchant, 1200).await?);
    }
    let submitted = draft(session, "Submitted", 1300).await?;
    session.submit(&submitted).await?;
    request(world, &submitted).await?;
    known.add("expense_id", submitted);
    let parts = [1, 2].map(|n| json!({ "amount": {"minor_units": 700 * n, "currency": "EUR"} }));
    let parts = json!({ "parts": parts });
    let split = draft(session, "Split", 2100).await?;
    session.post(&format!("/expenses/{split}/split"), &parts).await?.expect(200)?;
    known.add("expense_id", split);
    for title in ["March", "April"] {
        let of = [draft(session, "In a report", 1400).await?];
        let report = session.post("/reports", &json!({ "title": title, "expenses": of })).await?.expect(201)?;
        known.add("report_id", text(&report["id"])?);
    }
    let export = json!({ "kind": "expenses", "scope": "own", "from": "2026-01-01", "until": "2026-12-31" });
    known.add("export_id", text(&session.post("/exports", &export).await?.expect(202)?["id"])?);
    known.add("person_id", &session.person_id);
    Ok(known)
}

/// The operation of a request, by its method and path.
fn operation<'a>(contract: &'a Value, method: &str, path: &str) -> Option<&'a str> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        let fits = |(part, template): (&&str, &&str)| template.starts_with('{') || part == template;
        template.len() == parts.len() && parts.iter().zip(&template).all(fits)
    };
    let mut found: Vec<_> = contract["paths"].as_object()?.iter().filter(|(template, _)| fits(template)).collect();
    // `/people/import` is a path of its own.
    found.sort_by_key(|(template, _)| template.matches('{').count());
    found.first()?.1[method.to_lowercase()]["operationId"].as_str()
}

/// Runs every phase and every check as this caller. Each of the `reached` must have been carried out at least once.
async fn conforms(
    world: &Deployment,
    caller: &str,
    session: Option<&Session>,
    known: &Known,
    reached: &[&[&str]],
) -> Result<()> {
    let run_dir = world.run_dir.join(format!("contract-{caller}"));
    std::fs::create_dir_all(&run_dir)?;
    let document = document().await?;
    every_operation_is_listed(&document)?;
    let (contract, settings, told) =
        (run_dir.join("contract.json"), run_dir.join("settings.toml"), run_dir.join("told.har"));
    std::fs::write(&contract, document.to_string())?;
    std::fs::write(&settings, format!("{SETTINGS}{}", known.settings()))?;
    let mut schemathesis = Command::new(environment().await?.join("bin/schemathesis"));
    schemathesis.arg("--config-file").arg(settings).arg("run").arg(&contract);
    schemathesis.args(["--url", &world.api_url, "--checks", "all", "--continue-on-failure", "--no-color"]);
    schemathesis.args(["--report", "har", "--report-har-path"]).arg(&told);
    if let Some(session) = session {
        schemathesis.args(["--header", &format!("Authorization:{}", session.token)]);
    }
    let output = schemathesis.current_dir(&run_dir).stdin(Stdio::null()).output().await.context("no Schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "as {caller}:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));

    let told: Value = serde_json::from_slice(&std::fs::read(&told)?)?;
    let mut answered: BTreeMap<&str, BTreeMap<u64, u32>> = BTreeMap::new();
    for entry in told["log"]["entries"].as_array().context("there are entries")? {
        let (asked, status) = (&entry["request"], entry["response"]["status"].as_u64().unwrap_or_default());
        let path = asked["url"].as_str().and_then(|url| url.strip_prefix(&world.api_url)).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let Some(operation) = operation(&document, asked["method"].as_str().unwrap_or_default(), path) else {
            continue;
        };
        *answered.entry(operation).or_default().entry(status).or_default() += 1;
    }
    let missed: Vec<_> = reached
        .iter()
        .copied()
        .flatten()
        .filter(|operation| !answered.get(*operation).is_some_and(|by| by.keys().any(|status| *status / 100 == 2)))
        .map(|operation| (operation, answered.get(*operation)))
        .collect();
    ensure!(missed.is_empty(), "as {caller} these were never carried out, only answered so often so: {missed:?}");
    Ok(())
}

/// An operation that nobody is said to carry out is new: it belongs to one of the lists.
fn every_operation_is_listed(document: &Value) -> Result<()> {
    let described = document["paths"].as_object().context("paths")?.values().filter_map(Value::as_object).flatten();
    for operation in described.filter_map(|(_, described)| described["operationId"].as_str()) {
        let listed = [OWN, APPROVERS, FINANCE, ADMINISTRATORS].iter().any(|list| list.contains(&operation));
        ensure!(listed, "{operation} is new: say who must have carried it out");
    }
    Ok(())
}

pub async fn holds_for_anonymous(world: &Deployment) -> Result<()> {
    conforms(world, "anonymous", None, &Known::default(), &[]).await
}

pub async fn holds_for_an_employee(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let known = furnish(world, &session).await?;
    conforms(world, "employee", Some(&session), &known, &[OWN]).await
}

pub async fn holds_for_a_manager(world: &Deployment) -> Result<()> {
    let (manager, report) = (newcomer(world).await?, newcomer(world).await?);
    world.session("administrator").await?.name_manager(&report.person_id, &manager.person_id).await?;
    let mut known = Known::default();
    for merchant in ["To be decided", "Also to be decided", "And this"] {
        let id = draft(&report, merchant, 1900).await?;
        report.submit(&id).await?;
        let (_, link) = request(world, &id).await?;
        known.add("link", link.rsplit('/').next().context("a link has a last part")?);
        known.add("submission_id", format!("{id}.1"));
        known.add("expense_id", id);
    }
    known.add("person_id", &report.person_id);
    conforms(world, "manager", Some(&manager), &known, &[APPROVERS]).await
}

pub async fn holds_for_finance(world: &Deployment) -> Result<()> {
    let mut known = Known::default();
    let owner = newcomer(world).await?;
    for merchant in ["To be paid out", "Also to be paid out", "And this"] {
        let id = draft(&owner, merchant, 1700).await?;
        owner.submit(&id).await?;
        let (_, link) = request(world, &id).await?;
        let page = owner.client.open_link(&link).await?;
        owner.client.decide(&page, "approve", "").await?.expect(200)?;
        known.add("expense_id", id);
    }
    known.add("person_id", &owner.person_id);
    conforms(world, "finance", Some(&world.session("finance").await?), &known, &[FINANCE]).await
}

pub async fn holds_for_an_administrator(world: &Deployment) -> Result<()> {
    let mut known = Known::default();
    for _ in 0..2 {
        known.add("person_id", newcomer(world).await?.person_id);
    }
    conforms(world, "administrator", Some(&world.session("administrator").await?), &known, &[ADMINISTRATORS]).await
}
