//! Every operation of the contract × everyone who may not: nobody learns or changes what is not theirs.
//!
//! The operations come from `infrastructure/openapi.yaml`, what holds for each from [`rule`]: an operation that is not in
//! there fails the test, so that a new one cannot be forgotten. Each is sent as its owner would send it, to things that
//! are really there and carry words which no answer to anybody else may have; and once more to things that nobody has:
//! the two answers are the same, so that not even whether something exists can be told.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session};

use crate::{
    contract,
    harness::{draft, fixture, newcomer, request, upload},
};

/// In everything of the owner's. Nobody else may be shown it.
const CANARY: &str = "Canary-7f31";
/// A link of the right form that was mailed to nobody.
const NO_LINK: &str = "exp_00000000000000000000000000000000.1.1.0000000000000000000000000000000000000000000";

/// To whom an operation answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Everyone with an account, each on what is theirs. What they name of others' does not exist.
    Everyone,
    /// The owner of what the path names; to all others it does not exist.
    Owner,
    /// The owner and, once it was submitted, finance and whoever is asked.
    Shown,
    /// Whoever is asked to decide; to all others, the owner included, it does not exist.
    Asked,
    /// Everyone on themselves; a manager and finance on others.
    Spend,
    /// Finance; others are told that it takes another role.
    Finance,
    /// Administrators, likewise.
    Administrators,
    /// Administrators and finance, likewise.
    Offices,
    /// Whoever has the link, which is secret; the matrix has a wrong one.
    Link,
    /// Everyone, to what waits for them.
    Queue,
    /// Administrators, to the erasure of somebody.
    Erasure,
}

/// What a request names.
#[derive(Debug, Clone)]
struct Things {
    expense: String,
    receipt: String,
    report: String,
    export: String,
    person: String,
    /// Whether the expense was submitted.
    submitted: bool,
}

impl Things {
    /// Of the right form, and nobody's.
    fn nobodys() -> Self {
        let id = |prefix: &str| format!("{prefix}_{}", "0".repeat(32));
        Self {
            expense: id("exp"),
            receipt: id("rcp"),
            report: id("rpt"),
            export: id("expt"),
            person: "00000000-0000-4000-8000-000000000000".to_owned(),
            submitted: false,
        }
    }

    fn ids(&self) -> [(&str, &str); 5] {
        [
            (self.expense.as_str(), "{expense}"),
            (&self.receipt, "{receipt}"),
            (&self.report, "{report}"),
            (&self.export, "{export}"),
            (&self.person, "{person}"),
        ]
    }

    /// The path with these things in it, and a query that its operation needs or that names one of them.
    fn path(&self, method: &Method, template: &str) -> String {
        let values = [
            ("{expense_id}", self.expense.as_str()),
            ("{receipt_id}", &self.receipt),
            ("{person_id}", &self.person),
            ("{submission_id}", &format!("{}.1", self.expense)),
            ("{report_id}", &self.report),
            ("{export_id}", &self.export),
            ("{category}", "meals"),
            ("{version}", "0"),
            ("{link}", NO_LINK),
        ];
        let path = values.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value));
        match template {
            "/finance/expenses" => path + "?status=submitted",
            "/expenses" if *method == Method::GET => format!("{path}?report={}", self.report),
            "/spend" => format!("{path}?from=2026-01&until=2026-12&person={}", self.person),
            _ => path,
        }
    }
}

/// What holds for an operation, and a body that its owner could send.
fn rule(operation: &str, things: &Things) -> Result<(Rule, Value)> {
    let money = json!({ "minor_units": 100, "currency": "EUR" });
    let range = json!({ "kind": "expenses", "scope": "own", "from": "2026-01-01", "until": "2026-12-31" });
    let days = json!([{ "date": "2026-01-02", "rates": { "USD": "1.1" } }]);
    Ok(match operation {
        "getMe" | "getPolicy" | "listExpenses" | "listReports" | "listExports" | "getExchangeRates"
        | "getPolicyVersion" => (Rule::Everyone, Value::Null),
        "listApprovals" => (Rule::Queue, Value::Null),
        "getSpend" => (Rule::Spend, Value::Null),
        "putMe" => (Rule::Everyone, json!({})),
        "draftExpense" => (Rule::Everyone, json!({ "details": { "merchant": "Other", "report": things.report } })),
        "announceReceipt" => {
            (Rule::Everyone, json!({ "sha256": "0".repeat(64), "size_bytes": 9, "media_type": "image/png" }))
        }
        "createReport" => (Rule::Everyone, json!({ "title": "Mine", "expenses": [things.expense] })),
        "askForExport" => (Rule::Everyone, range),
        "getExpense" | "getHistory" | "getReceipt" | "getReading" => (Rule::Shown, Value::Null),
        "getReport" | "getExport" | "deleteExpense" | "deleteReceipt" | "detachReceipt" | "undoSplit"
        | "deleteReport" => (Rule::Owner, Value::Null),
        "editExpense" => (Rule::Owner, json!({ "details": { "merchant": "Other" } })),
        "attachReceipt" => (Rule::Owner, json!({ "receipt_id": things.receipt })),
        "submitExpense" | "withdrawExpense" | "dismissDuplicates" | "submitReport" => (Rule::Owner, json!({})),
        "splitExpense" => (Rule::Owner, json!({ "parts": [{ "amount": money }, { "amount": money }] })),
        "editReport" => (Rule::Owner, json!({ "title": "Other" })),
        "decideSubmission" => (Rule::Asked, json!({ "decision": "approve" })),
        "listAllExpenses" | "listBudgets" | "deleteBudget" => (Rule::Finance, Value::Null),
        "reimburseExpense" => (Rule::Finance, json!({})),
        "putPolicy" => (Rule::Finance, json!({ "decision_due_seconds": 60 })),
        "putBudget" => (Rule::Finance, json!({ "amount": money, "period": "month" })),
        "putExchangeRates" => (Rule::Finance, json!({ "base": "EUR", "source": "test", "days": days })),
        "listPeople" | "getPerson" => (Rule::Offices, Value::Null),
        "putPerson" => (Rule::Administrators, json!({ "active": false })),
        "erasePerson" => (Rule::Administrators, json!({})),
        "getErasure" => (Rule::Erasure, Value::Null),
        "importPeople" => (Rule::Administrators, json!({ "people": [{ "email": "a@example.com" }] })),
        "showApproval" | "probeApproval" | "decideApproval" => (Rule::Link, Value::Null),
        other => bail!("{other} is new: say in `rule` to whom it answers"),
    })
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    /// With an access token, where an ID token belongs.
    AccessToken,
    /// With an ID token in which another person was written.
    Forged,
    Deactivated,
    Other,
    /// The owner's manager, who is asked about what was submitted.
    Manager,
    Finance,
    Administrator,
}

/// Whether the rule lets the caller: the scenarios show that they can.
fn may(rule: Rule, caller: Caller, things: &Things) -> bool {
    match rule {
        Rule::Shown => things.submitted && matches!(caller, Caller::Manager | Caller::Finance),
        Rule::Asked => things.submitted && caller == Caller::Manager,
        Rule::Spend => matches!(caller, Caller::Manager | Caller::Finance),
        Rule::Finance => caller == Caller::Finance,
        Rule::Administrators => caller == Caller::Administrator,
        Rule::Offices => matches!(caller, Caller::Finance | Caller::Administrator),
        // Whoever is asked finds it in what waits for them.
        Rule::Queue => caller == Caller::Manager,
        Rule::Everyone | Rule::Owner | Rule::Link | Rule::Erasure => false,
    }
}

/// Whether this is how a caller whom the rule does not let is answered.
fn is_right(rule: Rule, caller: Caller, status: u16) -> bool {
    match (caller, rule) {
        (_, Rule::Link) => status == 404,
        (Caller::Anonymous | Caller::AccessToken | Caller::Forged, _) => status == 401,
        // Sessions of those who leave are ended; whoever gets in before that is told.
        (Caller::Deactivated, _) => matches!(status, 401 | 403),
        // No 5xx, and no refusal of the person.
        // Nobody asked for any.
        (Caller::Administrator, Rule::Erasure) => status == 404,
        (_, Rule::Everyone | Rule::Queue) => status < 500 && status != 401 && status != 403,
        (_, Rule::Owner | Rule::Shown | Rule::Asked | Rule::Spend) => status == 404,
        (_, Rule::Finance | Rule::Administrators | Rule::Offices | Rule::Erasure) => status == 403,
    }
}

/// One request, to things of somebody's.
#[derive(Debug, Clone)]
struct Attempt {
    name: String,
    rule: Rule,
    method: Method,
    path: String,
    body: Value,
}

/// The owner's things, a draft and a submitted expense among them, and everything that belongs to them.
async fn furnish(world: &Deployment, owner: &Session) -> Result<[Things; 2]> {
    let id = |answer: &Value| answer["id"].as_str().map(str::to_owned).context("it has an id");
    owner.put("/me", &json!({ "name": CANARY })).await?.expect(200)?;
    let details = json!({
        "merchant": CANARY, "note": CANARY, "project": CANARY, "date": "2026-03-12", "category": "meals",
        "amount": {"minor_units": 4200, "currency": "EUR"},
    });
    let mut with_receipts = Vec::new();
    for (name, media_type) in [("taxi-gbp.png", "image/png"), ("cafe-eur.jpg", "image/jpeg")] {
        let receipt = upload(owner, &fixture(name), media_type).await?;
        let expense = receipt["expense_id"].as_str().context("the receipt was read")?.to_owned();
        owner.edit(&expense, &details).await?;
        with_receipts.push((id(&receipt)?, expense));
    }
    let [(receipt, expense), (submitted_receipt, submitted)] = &with_receipts[..] else { bail!("two receipts") };
    let report = owner.post("/reports", &json!({ "title": CANARY, "expenses": [expense] })).await?.expect(201)?;
    owner.submit(submitted).await?;
    request(world, submitted).await?;
    let personal = json!({ "kind": "personal_data", "scope": "own" });
    let export = owner.post("/exports", &personal).await?.expect(202)?;
    let things = Things {
        expense: expense.clone(),
        receipt: receipt.clone(),
        report: id(&report)?,
        export: id(&export)?,
        person: owner.person_id.clone(),
        submitted: false,
    };
    let submitted =
        Things { expense: submitted.clone(), receipt: submitted_receipt.clone(), submitted: true, ..things.clone() };
    Ok([things, submitted])
}

/// Everything of the owner's and of the company's that the requests could change, without what each answer has anew.
async fn all(owner: &Session, finance: &Session, things: &[Things]) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    let mut look = async |session: &Session, path: String| {
        let answer = session.get(&path).await?;
        let mut shown = answer.json();
        if let Some(members) = shown.as_object_mut() {
            // Presigned URLs, and an export that goes on.
            members.retain(|name, _| !["views", "pages", "files", "progress", "rows"].contains(&name.as_str()));
            if path.starts_with("/exports/") {
                members.retain(|name, _| !["status", "updated_at"].contains(&name.as_str()));
            }
        }
        all.insert(path, json!([answer.status, shown]));
        anyhow::Ok(())
    };
    for things in things {
        look(owner, format!("/expenses/{}", things.expense)).await?;
        look(owner, format!("/expenses/{}/history", things.expense)).await?;
        look(owner, format!("/receipts/{}", things.receipt)).await?;
        look(owner, format!("/reports/{}", things.report)).await?;
        look(owner, format!("/exports/{}", things.export)).await?;
    }
    for path in ["/me", "/expenses", "/reports", "/policy"] {
        look(owner, path.to_owned()).await?;
    }
    for path in ["/budgets", "/exchange-rates?date=2026-01-02"] {
        look(finance, path.to_owned()).await?;
    }
    Ok(all)
}

/// Every operation of the contract on these things.
fn attempts(contract: &Value, things: &Things) -> Result<Vec<Attempt>> {
    let mut attempts = Vec::new();
    for (template, described) in contract["paths"].as_object().context("paths")? {
        for (method, described) in described.as_object().context("methods")? {
            let Some(operation) = described["operationId"].as_str() else { continue };
            let (rule, body) = rule(operation, things)?;
            let method: Method = method.to_uppercase().parse()?;
            let path = things.path(&method, template);
            attempts.push(Attempt { name: operation.to_owned(), rule, method, path, body });
        }
    }
    Ok(attempts)
}

/// What the callers may do with what is theirs, naming these things.
fn references(own: &str, things: &Things) -> Vec<Attempt> {
    let at = |name: &str, rule, method, path: String, body| Attempt { name: name.to_owned(), rule, method, path, body };
    let personal = json!({ "kind": "personal_data", "scope": "own", "person": things.person });
    let with_receipt = json!({ "details": {}, "receipt_id": things.receipt });
    let into_report = json!({ "details": { "report": things.report } });
    vec![
        at("a draft with their receipt", Rule::Everyone, Method::POST, "/expenses".to_owned(), with_receipt),
        at("an edit into their report", Rule::Everyone, Method::PATCH, format!("/expenses/{own}"), into_report),
        at(
            "their receipt for one's own expense",
            Rule::Everyone,
            Method::PUT,
            format!("/expenses/{own}/receipt"),
            json!({ "receipt_id": things.receipt }),
        ),
        at("their personal data", Rule::Administrators, Method::POST, "/exports".to_owned(), personal),
    ]
}

/// The token with another person in it, under the signature of the first.
fn forged(token: &str, person: &str) -> Result<String> {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let [head, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { bail!("a token has three parts") };
    let mut claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims)?)?;
    claims["sub"] = person.into();
    Ok(format!("{head}.{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())))
}

pub async fn nobody_learns_or_changes_what_is_not_theirs(world: &Deployment) -> Result<()> {
    let (administrator, finance) = (world.session("administrator").await?, world.session("finance").await?);
    let (owner, manager, other) = (newcomer(world).await?, newcomer(world).await?, newcomer(world).await?);
    let gone = newcomer(world).await?;
    administrator.name_manager(&owner.person_id, &manager.person_id).await?;
    let things = furnish(world, &owner).await?;
    administrator.put(&format!("/people/{}", gone.person_id), &json!({ "active": false })).await?.expect(200)?;
    let nobodys = Things::nobodys();
    let before = all(&owner, &finance, &things).await?;
    let own = draft(&other, "Own", 100).await?;

    let employee = world.person("employee")?;
    let parameters = json!({ "USERNAME": employee.email, "PASSWORD": world.password });
    let input = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters });
    let tokens = other.client.cognito("InitiateAuth", input).await?;
    let access = tokens["AuthenticationResult"]["AccessToken"].as_str().context("an access token")?;
    let forged = forged(&other.token, &owner.person_id)?;
    let callers = [
        (Caller::Anonymous, None),
        (Caller::AccessToken, Some(access)),
        (Caller::Forged, Some(forged.as_str())),
        (Caller::Deactivated, Some(gone.token.as_str())),
        (Caller::Other, Some(other.token.as_str())),
        (Caller::Manager, Some(manager.token.as_str())),
        (Caller::Finance, Some(finance.token.as_str())),
        (Caller::Administrator, Some(administrator.token.as_str())),
    ];
    let client = world.client()?;
    // The answer, with the things that it names told by what they are.
    let send = async |token: Option<&str>, attempt: &Attempt, things: &Things| -> Result<(u16, String)> {
        let body = (!attempt.body.is_null()).then_some(&attempt.body);
        let answer = client.send(attempt.method.clone(), &attempt.path, token, body).await?;
        let told = things.ids().iter().fold(answer.body.clone(), |told, (id, name)| told.replace(id, name));
        Ok((answer.status, told))
    };

    let contract = contract::document().await?;
    let (mut cells, mut wrong) = (0, Vec::new());
    for things in &things {
        let mut pairs: Vec<_> = attempts(&contract, things)?
            .into_iter()
            .zip(attempts(&contract, &nobodys)?)
            .map(|pair| (pair, true))
            .collect();
        // One's own draft is the `Other`'s; for the other callers it is one more that is not theirs.
        pairs.extend(references(&own, things).into_iter().zip(references(&own, &nobodys)).map(|pair| (pair, false)));
        for ((attempt, on_nobodys), everybody) in pairs {
            for (caller, token) in callers {
                let let_in = may(attempt.rule, caller, things);
                if (let_in && attempt.method != Method::GET) || (!everybody && caller != Caller::Other) {
                    // That those who may can is what the scenarios are for; here it would change what all share.
                    continue;
                }
                let (status, told) = send(token, &attempt, things).await?;
                cells += 1;
                let told_apart = if let_in || matches!(status, 200..300 | 401) {
                    false
                } else {
                    // Whether it exists is not told either.
                    (status, told.clone()) != send(token, &on_nobodys, &nobodys).await?
                };
                let right = if let_in { status == 200 } else { is_right(attempt.rule, caller, status) };
                if !right || told_apart || (!let_in && told.contains(CANARY)) {
                    let told: String = told.chars().take(300).collect();
                    let name = &attempt.name;
                    wrong.push(format!("{name} as {caller:?} ({:?}, {things:?}): {status} {told}", attempt.rule));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{} of {cells} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(cells > 700, "the contract was gone through: {cells}");
    let after = all(&owner, &finance, &things).await?;
    ensure!(after == before, "it was changed by somebody else: {after:#?} was {before:#?}");
    Ok(())
}

pub async fn an_idempotency_key_is_its_owners(world: &Deployment) -> Result<()> {
    let (owner, other) = (newcomer(world).await?, newcomer(world).await?);
    let body = json!({ "details": { "merchant": "The same" } });
    let mut ids = Vec::new();
    for session in [&owner, &other, &owner] {
        let headers = [("idempotency-key", "one key for all")];
        let answer = session.client.send_with(Method::POST, "/expenses", session, &headers, &body).await?;
        let expense = answer.expect(201)?;
        ensure!(expense["owner"] == session.person_id, "{expense}");
        ids.push(expense["id"].clone());
    }
    ensure!(ids[0] == ids[2] && ids[0] != ids[1], "{ids:?}");
    Ok(())
}
