//! The running API against its contract, by Schemathesis: requests made from `infrastructure/openapi.yaml`, right ones
//! and wrong ones, each answer held against what is described. As everyone who may call it; always the same requests.
//!
//! Requests that only ever meet what there is not would tell nothing but 404. So each caller has one of everything, whose
//! ids some requests name; and each has a list of operations that must have been carried out at least once.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
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
struct Known {
    ids: BTreeMap<&'static str, Vec<String>>,
    examples: Vec<Example>,
}

/// A request that can be carried out where those made up at random hardly ever can: the parts of a split must add up, say.
#[derive(Debug)]
struct Example {
    operation: &'static str,
    parameters: Vec<(&'static str, String)>,
    body: Option<Value>,
}

/// Writes examples into the contract; each is asked for once, before all else.
fn exemplify(document: &mut Value, examples: &[Example]) {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = paths.filter_map(Value::as_object_mut).flat_map(|path| path.values_mut());
    for operation in operations {
        let Some(id) = operation["operationId"].as_str().map(str::to_owned) else { continue };
        for example in examples.iter().filter(|example| example.operation == id) {
            let named = operation["parameters"].as_array_mut().into_iter().flatten();
            for parameter in named {
                let value = example.parameters.iter().find(|(name, _)| parameter["name"] == *name);
                if let Some((_, value)) = value {
                    parameter["example"] = value.as_str().into();
                }
            }
            if let Some(body) = &example.body {
                operation["requestBody"]["content"]["application/json"]["example"] = body.clone();
            }
        }
    }
}

impl Known {
    fn add(&mut self, name: &'static str, id: impl Into<String>) {
        self.ids.entry(name).or_default().push(id.into());
    }

    fn example(&mut self, operation: &'static str, parameters: &[(&'static str, &str)], body: Option<Value>) {
        let parameters = parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.examples.push(Example { operation, parameters, body });
    }

    /// As settings: most requests name one of these where their path does, and some where their body does.
    fn settings(&self) -> String {
        let mut settings = String::new();
        for name in self.ids.keys() {
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
            if self.ids.contains_key(name) {
                let _ = writeln!(settings, "\"{member}\" = {{ dictionary = \"{name}\", probability = 0.5 }}");
            }
        }
        for (name, ids) in &self.ids {
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
    exemplary(world, session, &parts, &mut known).await?;
    Ok(known)
}

/// Makes what the examples are about, each by itself.
async fn exemplary(world: &Deployment, session: &Session, parts: &Value, known: &mut Known) -> Result<()> {
    let rates = "Date,USD,JPY,KWD,GBP,CHF,\n2026-03-12,1.0876,161.5,0.334,0.8412,0.9631,\n".to_owned();
    let finance = world.session("finance").await?;
    finance.call(Method::PUT, "/exchange-rates", &[("content-type", "text/csv")], rates).await?.expect(200)?;
    known.example("getExchangeRates", &[("date", "2026-03-12"), ("currency", "USD")], None);
    let details = json!({
        "merchant": "Example", "date": "2026-03-12", "category": "meals",
        "amount": { "minor_units": 990, "currency": "EUR" },
    });
    known.example("draftExpense", &[], Some(json!({ "details": details })));
    let free = async |bytes: &[u8]| -> Result<Value> {
        Ok(json!({ "receipt_id": upload(session, bytes, "image/jpeg").await?["id"] }))
    };
    let attached = draft(session, "To be detached", 1100).await?;
    let path = format!("/expenses/{attached}/receipt");
    session.put(&path, &free(b"\xff\xd8 no photo").await?).await?.expect(200)?;
    known.example("detachReceipt", &[("expense_id", &attached), ("If-Match", "*")], None);
    let by_hand = draft(session, "To be attached", 1100).await?;
    let receipt = free(b"\xff\xd8 nor this").await?;
    known.example("attachReceipt", &[("expense_id", &by_hand), ("If-Match", "*")], Some(receipt));
    let whole = draft(session, "To be split", 2100).await?;
    known.example("splitExpense", &[("expense_id", &whole), ("If-Match", "*")], Some(parts.clone()));
    let split = draft(session, "To be whole again", 2100).await?;
    session.post(&format!("/expenses/{split}/split"), parts).await?.expect(200)?;
    known.example("undoSplit", &[("expense_id", &split), ("If-Match", "*")], None);
    Ok(())
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
    let mut document = document().await?;
    every_operation_is_listed(&document)?;
    exemplify(&mut document, &known.examples);
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

/// All at once, since a run waits more than it works; but what they know is made before, while nothing else is asked.
/// Finance comes by itself: what it sets holds for the others.
pub async fn holds_for_all_but_finance(world: &Deployment) -> Result<()> {
    let employee = newcomer(world).await?;
    let of_employee = furnish(world, &employee).await?;
    let manager = newcomer(world).await?;
    let of_manager = furnish_manager(world, &manager).await?;
    let administrator = world.session("administrator").await?;
    let mut of_administrator = Known::default();
    for _ in 0..2 {
        of_administrator.add("person_id", newcomer(world).await?.person_id);
    }
    let nothing = Known::default();
    let (anonymous, employee, manager, administrator) = tokio::join!(
        conforms(world, "anonymous", None, &nothing, &[]),
        conforms(world, "employee", Some(&employee), &of_employee, &[OWN]),
        conforms(world, "manager", Some(&manager), &of_manager, &[APPROVERS]),
        conforms(world, "administrator", Some(&administrator), &of_administrator, &[ADMINISTRATORS]),
    );
    let outcomes = [anonymous, employee, manager, administrator];
    let faults: Vec<_> = outcomes.into_iter().filter_map(Result::err).map(|fault| format!("{fault:#}")).collect();
    ensure!(faults.is_empty(), "{}", faults.join("\n\n"));
    Ok(())
}

/// Has some submissions wait for a manager.
async fn furnish_manager(world: &Deployment, manager: &Session) -> Result<Known> {
    let report = newcomer(world).await?;
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
    Ok(known)
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
    let days = json!([{ "date": "2026-03-12", "rates": { "USD": "1.0876", "JPY": "161.5" } }]);
    known.example("putExchangeRates", &[], Some(json!({ "base": "EUR", "source": "Example", "days": days })));
    let finance = world.session("finance").await?;
    let mut before = finance.get("/policy").await?.expect(200)?;
    before.as_object_mut().context("an object")?.remove("version");
    let outcome = conforms(world, "finance", Some(&finance), &known, &[FINANCE]).await;
    // Whatever it set was made up, and holds for all that comes after.
    finance.put("/policy", &before).await?.expect(200)?;
    outcome
}
