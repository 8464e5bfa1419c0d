//! A company, an expense that waits for its approver, and the functions on the lines of the actors.

use std::sync::Arc;

use approval::Approval;
use expenses::Expenses;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use slipstream_common::settings::Settings;
use slipstream_table_stub::{Stub, TABLE};
use sweeper::Sweeper;

use crate::{
    schedule::{Gate, OPEN},
    services::Wait,
};

pub const EMPLOYEE: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
pub const MANAGER: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12";
pub const DIRECTOR: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a13";
pub const DEPUTY: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a14";
pub const FINANCE: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a15";
pub const ADMINISTRATOR: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a16";

/// A secret as mails have it, by a letter.
pub fn secret(letter: char) -> String {
    letter.to_string().repeat(43)
}

pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

/// What a request or a task came to: the HTTP status and the body; a task has 200, or 0 where it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub status: u16,
    pub body: String,
}

/// Every variable of the functions.
const SETTINGS: [(&str, &str); 14] = [
    ("TABLE_NAME", TABLE),
    ("PROJECTIONS_TABLE_NAME", TABLE),
    ("COMPANY_CURRENCY", "EUR"),
    ("USER_POOL_ID", "pool"),
    ("ALLOWED_MAIL_DOMAINS", "example.com"),
    ("WEB_ORIGIN", "http://web"),
    ("RECEIPT_BUCKET", "receipts"),
    ("EVENT_BUS_NAME", "bus"),
    ("STATE_MACHINE_ARN", "arn:aws:states:eu-central-1:123456789012:stateMachine:approval"),
    ("RECEIPT_QUEUE_URL", "http://nowhere.invalid/receipts"),
    ("EXPORTS_QUEUE_URL", "http://nowhere.invalid/exports"),
    ("NOTIFICATIONS_QUEUE_URL", "http://nowhere.invalid/notifications"),
    ("SWEEP_GRACE_SECONDS", "0"),
    ("RECEIPT_RETENTION_DAYS", "3650"),
];

/// The functions, on a line.
#[derive(Debug, Clone)]
pub struct Functions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    approval: Approval,
    expenses: Expenses,
    sweeper: Sweeper,
}

impl Functions {
    pub fn on(gate: &Gate, line: usize) -> Self {
        Self::with(gate, line, "false")
    }

    /// The functions of a stack whose links decide only for whoever signs in, on the open line.
    pub fn with_sign_in(gate: &Gate) -> Self {
        Self::with(gate, OPEN, "true")
    }

    fn with(gate: &Gate, line: usize, links_require_sign_in: &str) -> Self {
        let sdk = Stub::sdk_by(gate.client(line));
        let settings = || Settings::of(SETTINGS.into_iter().chain([("LINKS_REQUIRE_SIGN_IN", links_require_sign_in)]));
        Self(Arc::new(Inner {
            approval: Approval::new(&sdk, settings()).unwrap(),
            expenses: Expenses::new(&sdk, settings()).unwrap(),
            sweeper: Sweeper::new(&sdk, settings()).unwrap(),
        }))
    }

    /// A request of somebody who is signed in. `path` is the resource's template, `named` the value in it.
    pub async fn request(&self, caller: &str, method: &str, path: &str, named: &str, body: &Value) -> Said {
        let groups = match caller {
            FINANCE => "finance",
            ADMINISTRATOR => "administrators",
            _ => "",
        };
        let claims = json!({
            "token_use": "id", "sub": caller, "email": format!("{caller}@example.com"), "email_verified": "true",
            "cognito:groups": groups,
        });
        let mut values = Map::new();
        if let Some((_, name)) = path.split_once('{') {
            values.insert(name.split('}').next().unwrap().to_owned(), named.into());
        }
        let event = json!({
            "httpMethod": method, "resource": path, "pathParameters": values,
            "body": if body.is_null() { String::new() } else { body.to_string() },
            "requestContext": {"requestId": "r-1", "authorizer": {"claims": claims}},
        });
        if path.starts_with("/submissions") || path.starts_with("/approvals") {
            return said(self.0.approval.handle(event).await.unwrap());
        }
        let response = self.0.expenses.handle(event).await.unwrap();
        Said { status: response.status_code, body: response.body }
    }

    /// What the page behind a link says.
    pub async fn page(&self, link: &str, method: &str, form: &str) -> Said {
        let event = json!({
            "httpMethod": method, "resource": "/approvals/{link}", "pathParameters": {"link": link}, "body": form,
            "requestContext": {"requestId": "r-2"},
        });
        said(self.0.approval.handle(event).await.unwrap())
    }

    /// Presses a button of the page.
    pub async fn press(&self, link: &str, decision: &str) -> Said {
        self.page(link, "POST", &format!("decision={decision}&comment=so+be+it")).await
    }

    /// A task of the state machine.
    pub async fn task(&self, task: &str, submission: &str, more: &Value) -> Said {
        let mut event = json!({
            "task": task, "submission": submission, "correlation_id": "c-1", "causation_id": "expense/x/1",
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match self.0.approval.handle(event).await {
            Ok(answer) => Said { status: 200, body: answer.to_string() },
            Err(error) => Said { status: 0, body: error.to_string() },
        }
    }

    /// Has steps ask whoever is responsible by now, as a sweep does.
    pub async fn reassign(&self) -> Said {
        match self.0.sweeper.reassign(Timestamp::now()).await {
            Ok(tally) if tally.failed == 0 => Said { status: 200, body: tally.done.to_string() },
            Ok(tally) => Said { status: 0, body: format!("{} failed", tally.failed) },
            Err(error) => Said { status: 0, body: error.to_string() },
        }
    }

    /// Lets executions go on whose step has ended, as a sweep does.
    pub async fn resume(&self) -> Said {
        match self.0.sweeper.resume(Timestamp::now()).await {
            Ok(done) => Said { status: 200, body: done.to_string() },
            Err(error) => Said { status: 0, body: error.to_string() },
        }
    }
}

fn said(answer: Value) -> Said {
    let status = answer["statusCode"].as_u64().unwrap();
    Said { status: status.try_into().unwrap(), body: answer["body"].as_str().unwrap().to_owned() }
}

/// The company, with one expense on its way.
pub struct World {
    pub gate: Gate,
    /// The functions on the open line.
    pub open: Functions,
    pub expense: String,
}

impl World {
    /// An expense of the employee that waits for the manager, whose link has the secret `a`. `second_level` also asks
    /// finance after that.
    pub async fn new(second_level: bool) -> Self {
        let gate = Gate::new();
        let open = Functions::on(&gate, OPEN);
        for person in [EMPLOYEE, MANAGER, DIRECTOR, DEPUTY, FINANCE, ADMINISTRATOR] {
            let me = open.request(person, "GET", "/me", "", &Value::Null).await;
            assert_eq!(me.status, 200, "{}", me.body);
        }
        let mut world = Self { gate, open, expense: String::new() };
        for (person, manager) in [(EMPLOYEE, MANAGER), (MANAGER, DIRECTOR)] {
            world.set(ADMINISTRATOR, "/people/{person_id}", person, &json!({ "manager": manager })).await;
        }
        if second_level {
            let limit = json!({ "minor_units": 100, "currency": "EUR" });
            let policy = json!({
                "decision_due_seconds": 1_209_600, "second_level_from": limit, "second_level": "finance",
            });
            world.set(FINANCE, "/policy", "", &policy).await;
        }
        world.expense = world.draft().await;
        world.submit_and_ask(1, 'a').await;
        world
    }

    /// Another expense of the same employee, which waits for the same manager.
    pub async fn beside(&self, letter: char) -> Self {
        let (gate, open) = (self.gate.clone(), self.open.clone());
        let other = Self { gate, open, expense: self.draft().await };
        other.submit_and_ask(1, letter).await;
        other
    }

    pub async fn set(&self, caller: &str, path: &str, named: &str, body: &Value) {
        let answer = self.open.request(caller, "PUT", path, named, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }

    /// A draft of the employee's; each is as the others.
    pub async fn draft(&self) -> String {
        let details = json!({
            "merchant": "Gasthaus Krone", "date": "2026-10-05", "category": "meals",
            "amount": {"minor_units": 2340, "currency": "EUR"},
        });
        let drafted = self.open.request(EMPLOYEE, "POST", "/expenses", "", &json!({ "details": details })).await;
        assert_eq!(drafted.status, 201, "{}", drafted.body);
        serde_json::from_str::<Value>(&drafted.body).unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Submits the expense, which makes it that submission, and has its first approver asked.
    pub async fn submit_and_ask(&self, submission: u32, letter: char) {
        let answer =
            self.open.request(EMPLOYEE, "POST", "/expenses/{expense_id}/submit", &self.expense, &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.ask(submission, 1, letter).await;
    }

    /// Does what the state machine does to have the next approver asked, and the mail to tell them the secret.
    pub async fn ask(&self, number: u32, step: u32, letter: char) {
        let submission = format!("{}.{number}", self.expense);
        let standing = self.open.task("choose", &submission, &json!({})).await;
        let standing: Value = serde_json::from_str(&standing.body).unwrap();
        assert_eq!(
            (&standing["outcome"], &standing["choice"]["step"]),
            (&json!("pending"), &json!(step)),
            "{standing}"
        );
        let token = format!("token-{number}-{step}");
        self.gate.with(|services| services.tasks.insert(token.clone(), Wait::Waits));
        let asked = json!({ "choice": standing["choice"], "task_token": token });
        let asked = self.open.task("ask", &submission, &asked).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        self.know(number, step, "link_hashes", letter);
    }

    /// Writes into a step that a mail told its approver the secret of that letter.
    pub fn know(&self, number: u32, step: u32, hashes: &str, letter: char) {
        self.know_secret(number, step, hashes, &secret(letter));
    }

    /// Writes into a step that a mail told its approver the secret.
    pub fn know_secret(&self, number: u32, step: u32, hashes: &str, secret: &str) {
        self.change_step(number, step, |item| {
            item.insert(hashes.to_owned(), json!({ "SS": [hash(secret)] }));
        });
    }

    /// Lets one of the times of a step be over.
    pub fn let_pass(&self, number: u32, step: u32, time: &str) {
        let past = Timestamp::from_second(Timestamp::now().as_second() - 60).unwrap();
        self.change_step(number, step, |item| {
            item.insert(time.to_owned(), json!({ "S": past.to_string() }));
        });
    }

    pub fn change_step(&self, number: u32, step: u32, change: impl FnOnce(&mut Map<String, Value>)) {
        let mut item = self.step(number, step).unwrap();
        change(&mut item);
        self.gate.with(|services| services.table.put(item));
    }

    pub fn step(&self, number: u32, step: u32) -> Option<Map<String, Value>> {
        let pk = format!("SUBMISSION#{}#{number}", self.expense);
        self.gate.with(|services| services.item(&pk, &format!("STEP#{step}")))
    }

    /// The submission of that number.
    pub fn submission(&self, number: u32) -> String {
        format!("{}.{number}", self.expense)
    }

    /// The link to a step with the secret of that letter.
    pub fn link(&self, number: u32, step: u32, letter: char) -> String {
        format!("{}.{number}.{step}.{}", self.expense, secret(letter))
    }

    /// How the state machine carries a step from one task to the next.
    pub fn choice(&self, number: u32, step: u32) -> Value {
        let step = self.step(number, step).unwrap();
        let due = &step["due_at"]["S"];
        json!({
            "step": step["step"]["N"].as_str().unwrap().parse::<u32>().unwrap(), "approver": step["approver"]["S"],
            "due_at": due, "remind_at": due, "escalate_at": due, "levels": 1, "second_level": "finance",
            "passed_over": [],
        })
    }
}
