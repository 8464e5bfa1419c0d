//! Every operation of the contract × everyone who may not: nobody learns or changes what is not theirs.
//!
//! The operations come from `infrastructure/openapi.yaml`, what holds for each from [`rule`]: an operation that is not in
//! there fails the test, so that a new one cannot be forgotten. Each is sent as its owner would send it, to things of
//! the owner that carry words which no answer to anybody else may have.

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session, client::Answer};

use crate::{
    contract,
    harness::{draft, newcomer},
};

/// In everything of the owner's. Nobody else may be shown it.
const CANARY: &str = "Canary-7f31";

/// To whom an operation answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Everyone with an account, each on what is theirs.
    Everyone,
    /// The owner of what the path names; to all others it does not exist.
    Owner,
    /// Finance; others are told that it takes another role.
    Finance,
    /// Administrators, likewise.
    Administrators,
    /// Administrators and finance, likewise.
    Offices,
    /// Whoever has the link, which is secret; the matrix has a wrong one.
    Link,
}

/// What holds for an operation, and a body that its owner could send.
fn rule(operation: &str, world: &Furnished) -> Result<(Rule, Value)> {
    let details = json!({ "details": { "merchant": "Other" } });
    let money = json!({ "minor_units": 100, "currency": "EUR" });
    Ok(match operation {
        "getMe" | "getPolicy" | "listExpenses" | "listReports" | "listExports" | "listApprovals" | "getSpend"
        | "getExchangeRates" | "getPolicyVersion" => (Rule::Everyone, Value::Null),
        "putMe" => (Rule::Everyone, json!({})),
        "draftExpense" => (Rule::Everyone, details),
        "announceReceipt" => {
            (Rule::Everyone, json!({ "sha256": "0".repeat(64), "size_bytes": 9, "media_type": "image/png" }))
        }
        "createReport" => (Rule::Everyone, json!({ "title": "Mine" })),
        "askForExport" => {
            (Rule::Everyone, json!({ "kind": "expenses", "scope": "own", "from": "2026-01-01", "until": "2026-12-31" }))
        }
        "getExpense" | "getHistory" | "getReceipt" | "getReading" | "getReport" | "getExport" | "deleteExpense"
        | "deleteReceipt" | "detachReceipt" | "undoSplit" | "deleteReport" => (Rule::Owner, Value::Null),
        "editExpense" => (Rule::Owner, details),
        "attachReceipt" => (Rule::Owner, json!({ "receipt_id": world.receipt })),
        "submitExpense" | "withdrawExpense" | "dismissDuplicates" | "submitReport" => (Rule::Owner, json!({})),
        "splitExpense" => (Rule::Owner, json!({ "parts": [{ "amount": money }, { "amount": money }] })),
        "editReport" => (Rule::Owner, json!({ "title": "Other" })),
        "decideSubmission" => (Rule::Owner, json!({ "decision": "approve" })),
        "listAllExpenses" | "listBudgets" | "deleteBudget" => (Rule::Finance, Value::Null),
        "reimburseExpense" => (Rule::Finance, json!({})),
        "putPolicy" => (Rule::Finance, json!({ "decision_due_seconds": 60 })),
        "putBudget" => (Rule::Finance, json!({ "amount": money, "period": "month" })),
        "putExchangeRates" => (
            Rule::Finance,
            json!({ "base": "EUR", "source": "test", "days": [{ "date": "2026-01-02", "rates": { "USD": "1.1" } }] }),
        ),
        "listPeople" | "getPerson" => (Rule::Offices, Value::Null),
        "putPerson" => (Rule::Administrators, json!({ "active": false })),
        "erasePerson" => (Rule::Administrators, json!({})),
        "importPeople" => (Rule::Administrators, json!({ "people": [{ "email": "a@example.com" }] })),
        "showApproval" | "probeApproval" | "decideApproval" => (Rule::Link, Value::Null),
        other => bail!("{other} is new: say in `rule` to whom it answers"),
    })
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    Deactivated,
    Other,
    Manager,
    Finance,
    Administrator,
}

/// What is the owner's.
struct Furnished {
    owner: Session,
    expense: String,
    receipt: String,
}

impl Furnished {
    async fn new(owner: Session) -> Result<Self> {
        owner.put("/me", &json!({ "name": CANARY })).await?.expect(200)?;
        let expense = draft(&owner, CANARY, 4200).await?;
        owner.edit(&expense, &json!({ "note": CANARY, "project": CANARY })).await?;
        let receipt = owner.announce(CANARY.as_bytes(), "image/png", None).await?.receipt_id;
        Ok(Self { owner, expense, receipt })
    }

    /// The path with the owner's things in it.
    fn path(&self, template: &str) -> String {
        let values = [
            ("{expense_id}", self.expense.as_str()),
            ("{receipt_id}", &self.receipt),
            ("{person_id}", &self.owner.person_id),
            ("{submission_id}", &format!("{}.1", self.expense)),
            ("{report_id}", "rpt_00000000000000000000000000000000"),
            ("{export_id}", "expt_00000000000000000000000000000000"),
            ("{category}", "meals"),
            ("{version}", "0"),
            ("{link}", "nobody-was-ever-mailed-this-link"),
        ];
        let path = values.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value));
        match template {
            "/finance/expenses" => path + "?status=submitted",
            "/spend" => path + "?from=2026-01&until=2026-12",
            _ => path,
        }
    }
}

/// Whether the answer is what the rule says to this caller.
fn is_right(rule: Rule, caller: Caller, answer: &Answer) -> bool {
    let status = answer.status;
    let leaks = answer.body.contains(CANARY);
    // No 5xx, and no refusal of the person.
    let served = status < 500 && status != 401 && status != 403;
    match (caller, rule) {
        (_, Rule::Link) => matches!(status, 404 | 429) && !leaks,
        (Caller::Anonymous, _) => status == 401 && !leaks,
        // Sessions of those who leave are ended; whoever gets in before that is told.
        (Caller::Deactivated, _) => matches!(status, 401 | 403) && !leaks,
        (_, Rule::Everyone) => served && !leaks,
        (_, Rule::Owner) => status == 404 && !leaks,
        (Caller::Finance, Rule::Finance | Rule::Offices) => served,
        (Caller::Administrator, Rule::Administrators | Rule::Offices) => served,
        (_, Rule::Finance | Rule::Administrators | Rule::Offices) => status == 403 && !leaks,
    }
}

pub async fn nobody_learns_or_changes_what_is_not_theirs(world: &Deployment) -> Result<()> {
    let administrator = world.session("administrator").await?;
    let (owner, manager, other) = (newcomer(world).await?, newcomer(world).await?, newcomer(world).await?);
    let gone = newcomer(world).await?;
    administrator.name_manager(&owner.person_id, &manager.person_id).await?;
    administrator.put(&format!("/people/{}", gone.person_id), &json!({ "active": false })).await?.expect(200)?;
    let furnished = Furnished::new(owner).await?;
    let before = furnished.owner.expense(&furnished.expense).await?;
    let callers = [
        (Caller::Anonymous, None),
        (Caller::Deactivated, Some(&gone)),
        (Caller::Other, Some(&other)),
        (Caller::Manager, Some(&manager)),
        (Caller::Finance, Some(&world.session("finance").await?)),
        (Caller::Administrator, Some(&administrator)),
    ];
    let (mut cells, mut wrong) = (0, Vec::new());
    let contract = contract::document(world).await?;
    for (template, described) in contract["paths"].as_object().context("paths")? {
        for (method, described) in described.as_object().context("methods")? {
            let Some(operation) = described["operationId"].as_str() else { continue };
            let (rule, body) = rule(operation, &furnished)?;
            let method: Method = method.to_uppercase().parse()?;
            for (caller, session) in &callers {
                let may = matches!(
                    (caller, rule),
                    (Caller::Finance, Rule::Finance | Rule::Offices)
                        | (Caller::Administrator, Rule::Administrators | Rule::Offices)
                );
                if may && method != Method::GET {
                    // That those who may can is what the scenarios are for; here it would change what all share.
                    continue;
                }
                let token = session.map(|session| session.token.as_str());
                let body = (!body.is_null()).then_some(&body);
                let answer = world.client()?.send(method.clone(), &furnished.path(template), token, body).await?;
                cells += 1;
                if !is_right(rule, *caller, &answer) {
                    let told: String = answer.body.chars().take(300).collect();
                    wrong.push(format!("{operation} as {caller:?} ({rule:?}): {} {told}", answer.status));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{} of {cells} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(cells > 100, "the contract was gone through: {cells}");
    let after = furnished.owner.expense(&furnished.expense).await?;
    ensure!(after == before, "it was changed by somebody else: {after}");
    Ok(())
}
