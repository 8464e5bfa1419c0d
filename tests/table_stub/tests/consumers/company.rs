//! A company in which some expenses have come this far or that, by the real functions behind the API and the real tasks of
//! the state machine. The table is as they leave it; the events are those in its outbox that somebody may get a mail about.

use approval::Approval;
use expenses::Expenses;
use jiff::{Timestamp, civil::date};
use rand::{
    Rng as _,
    rngs::StdRng,
    seq::{IndexedRandom as _, SliceRandom as _},
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use slipstream_common::{settings::Settings, store::Store, table::Table};
use slipstream_events::{
    Actor, BudgetThreshold, Category, Cause, Event, EventBody, EventType, FailureReason, MediaType, Money,
    ReceiptFailed, ReceiptId, ReceiptState, ReceiptStatus, Subject,
};
use slipstream_table_stub::{Item, Stub, TABLE};

use crate::{
    gate::{Gate, OPEN},
    services::Services,
};

pub const EMPLOYEE: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
const MANAGER: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12";
const DIRECTOR: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a13";
pub const FINANCE: [&str; 2] = ["0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a14", "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a15"];
const ADMINISTRATOR: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a16";

/// The events that lead to a mail, as `NotificationsRule` in `infrastructure/template.yaml` names them.
const MAILED: [EventType; 14] = [
    EventType::ExpenseApprovalRequested,
    EventType::ExpenseApprovalReassigned,
    EventType::ExpenseApprovalReminded,
    EventType::ExpenseStepApproved,
    EventType::ExpenseApproved,
    EventType::ExpenseAutoApproved,
    EventType::ExpenseRejected,
    EventType::ExpenseChangesRequested,
    EventType::ExpenseSubmissionExpired,
    EventType::ExpenseReopened,
    EventType::ExpenseWithdrawn,
    EventType::ReceiptFailed,
    EventType::BudgetThresholdReached,
    EventType::ReportSubmitted,
];

/// Every variable of the functions.
const SETTINGS: [(&str, &str); 8] = [
    ("TABLE_NAME", TABLE),
    ("PROJECTIONS_TABLE_NAME", TABLE),
    ("COMPANY_CURRENCY", "EUR"),
    ("USER_POOL_ID", "pool"),
    ("ALLOWED_MAIL_DOMAINS", "example.com"),
    ("WEB_ORIGIN", "http://web"),
    ("RECEIPT_BUCKET", "receipts"),
    ("LINKS_REQUIRE_SIGN_IN", "false"),
];

/// What became of an expense, a report or something else that somebody gets a mail about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Waiting,
    Reminded,
    Escalated,
    Withdrawn,
    SubmittedAgain,
    Approved,
    Rejected,
    SentBack,
    Expired,
    AutoApproved,
    /// It waits for finance after the manager.
    AtTheSecondLevel,
    /// A decision is taken back, and it waits again.
    Reopened,
    /// Three expenses of a report, of which one waits no more.
    Report,
    ReceiptFailed,
    BudgetUsed,
}

const LIVES: [Life; 15] = [
    Life::Waiting,
    Life::Reminded,
    Life::Escalated,
    Life::Withdrawn,
    Life::SubmittedAgain,
    Life::Approved,
    Life::Rejected,
    Life::SentBack,
    Life::Expired,
    Life::AutoApproved,
    Life::AtTheSecondLevel,
    Life::Reopened,
    Life::Report,
    Life::ReceiptFailed,
    Life::BudgetUsed,
];

/// The functions with which a company is founded.
pub struct Founder {
    gate: Gate,
    approval: Approval,
    expenses: Expenses,
    store: Store,
}

/// A table, and the events that are in its outbox.
pub struct Company {
    lives: Vec<Life>,
    pub table: Stub,
    pub events: Vec<Event>,
}

impl std::fmt::Debug for Company {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let events = self.events.iter().map(|event| format!("{} {}", event.metadata.event_type, event.metadata.id));
        write!(f, "{:?}: {:#?}", self.lives, events.collect::<Vec<_>>())
    }
}

impl Founder {
    pub fn new(gate: &Gate) -> Self {
        let sdk = Stub::sdk_by(gate.client(OPEN));
        Self {
            gate: gate.clone(),
            approval: Approval::new(&sdk, Settings::of(SETTINGS)).unwrap(),
            expenses: Expenses::new(&sdk, Settings::of(SETTINGS)).unwrap(),
            store: Store::new(Table::new(&sdk, TABLE)),
        }
    }

    pub async fn found(&self, random: &mut StdRng) -> Company {
        self.gate.begin(Services::on(Stub::detached()));
        for person in [EMPLOYEE, MANAGER, DIRECTOR, FINANCE[0], FINANCE[1], ADMINISTRATOR] {
            self.request(person, "GET", "/me", "", &json!({})).await;
        }
        for (person, manager) in [(EMPLOYEE, MANAGER), (MANAGER, DIRECTOR)] {
            self.request(ADMINISTRATOR, "PUT", "/people/{person_id}", person, &json!({ "manager": manager })).await;
        }
        let euros = |minor_units: i64| json!({ "minor_units": minor_units, "currency": "EUR" });
        let policy = json!({
            "decision_due_seconds": 1_209_600, "auto_approve_below": euros(1000), "second_level_from": euros(100_000),
            "second_level": "finance",
        });
        self.request(FINANCE[0], "PUT", "/policy", "", &policy).await;
        let mut lives = LIVES;
        let count = *[1, 2, 2, 3].choose(random).unwrap();
        let (lives, _) = lives.partial_shuffle(random, count);
        for (number, life) in lives.iter().enumerate() {
            self.live(*life, number, random).await;
        }
        let table = self.gate.begin(Services::on(Stub::detached())).table;
        let mut events: Vec<Event> = table.items().iter().filter_map(event).collect();
        events.retain(|event| MAILED.contains(&event.metadata.event_type));
        events.sort_by_key(|event| event.metadata.occurred_at);
        Company { lives: lives.to_vec(), table, events }
    }

    async fn live(&self, life: Life, number: usize, random: &mut StdRng) {
        match life {
            Life::Report => return self.report(number).await,
            Life::ReceiptFailed => return self.fail_a_receipt().await,
            Life::BudgetUsed => return self.use_a_budget(random.random_range(1..=2)).await,
            _ => {}
        }
        let minor_units = match life {
            Life::AutoApproved => 500,
            Life::AtTheSecondLevel => 200_000,
            _ => 2340,
        };
        let expense = self.draft(number, minor_units).await;
        self.submit(&expense).await;
        let first = format!("{expense}.1");
        if life == Life::AutoApproved {
            self.task("choose", &first, json!({})).await;
            return;
        }
        let choice = self.ask(&first).await;
        match life {
            Life::Waiting => {}
            Life::Reminded | Life::Escalated | Life::Expired => {
                let over = match life {
                    Life::Reminded => "remind_at",
                    Life::Escalated => "escalate_at",
                    _ => "due_at",
                };
                self.change_step(&first, |step| step.insert(over.to_owned(), json!({ "S": "2026-01-01T00:00:00Z" })));
                self.task("time_up", &first, json!({ "choice": choice })).await;
            }
            Life::Withdrawn | Life::SubmittedAgain => {
                self.request(EMPLOYEE, "POST", "/expenses/{expense_id}/withdraw", &expense, &json!({})).await;
                if life == Life::SubmittedAgain {
                    self.submit(&expense).await;
                    self.ask(&format!("{expense}.2")).await;
                }
            }
            Life::Approved => self.decide(&first, "approve").await,
            Life::Rejected => self.decide(&first, "reject").await,
            Life::SentBack => self.decide(&first, "request_changes").await,
            Life::AtTheSecondLevel => {
                self.decide(&first, "approve").await;
                self.ask(&first).await;
            }
            Life::Reopened => {
                self.decide(&first, "approve").await;
                self.disown(&first).await;
                self.ask(&format!("{expense}.2")).await;
            }
            Life::AutoApproved | Life::Report | Life::ReceiptFailed | Life::BudgetUsed => {}
        }
    }

    /// A request of somebody who is signed in. `path` is the resource's template, `named` the value in it.
    async fn request(&self, caller: &str, method: &str, path: &str, named: &str, body: &Value) -> Value {
        let groups = match caller {
            ADMINISTRATOR => "administrators",
            caller if FINANCE.contains(&caller) => "finance",
            _ => "",
        };
        let claims = json!({
            "token_use": "id", "sub": caller, "email": address(caller), "email_verified": "true",
            "cognito:groups": groups,
        });
        let mut values = Map::new();
        if let Some((_, name)) = path.split_once('{') {
            values.insert(name.split('}').next().unwrap().to_owned(), named.into());
        }
        let event = json!({
            "httpMethod": method, "resource": path, "pathParameters": values, "body": body.to_string(),
            "requestContext": {"requestId": "r-1", "authorizer": {"claims": claims}},
        });
        let (status, body) = if path.starts_with("/submissions") || path.starts_with("/approvals") {
            let answer = self.approval.handle(event).await.unwrap();
            (answer["statusCode"].as_u64().unwrap(), answer["body"].as_str().unwrap().to_owned())
        } else {
            let answer = self.expenses.handle(event).await.unwrap();
            (answer.status_code.into(), answer.body)
        };
        assert!((200..300).contains(&status), "{method} {path}: {body}");
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// A task of the state machine.
    async fn task(&self, task: &str, submission: &str, more: Value) -> Value {
        let mut event = json!({
            "task": task, "submission": submission, "correlation_id": "c-1", "causation_id": "expense/x/1",
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.approval.handle(event).await.unwrap()
    }

    async fn draft(&self, number: usize, minor_units: i64) -> String {
        let details = json!({
            "merchant": format!("Gasthaus {number}"), "date": "2026-10-05", "category": "meals",
            "amount": {"minor_units": minor_units, "currency": "EUR"},
        });
        let drafted = self.request(EMPLOYEE, "POST", "/expenses", "", &json!({ "details": details })).await;
        drafted["id"].as_str().unwrap().to_owned()
    }

    async fn submit(&self, expense: &str) {
        self.request(EMPLOYEE, "POST", "/expenses/{expense_id}/submit", expense, &json!({})).await;
    }

    /// Has the next approver asked; the step as the state machine knows it.
    async fn ask(&self, submission: &str) -> Value {
        let choice = self.task("choose", submission, json!({})).await["choice"].clone();
        self.task("ask", submission, json!({ "choice": choice, "task_token": submission })).await;
        choice
    }

    async fn decide(&self, submission: &str, decision: &str) {
        let body = json!({ "decision": decision, "comment": "so be it" });
        self.request(MANAGER, "POST", "/submissions/{submission_id}/decision", submission, &body).await;
    }

    fn change_step<T>(&self, submission: &str, change: impl FnOnce(&mut Item) -> T) {
        let (expense, number) = submission.split_once('.').unwrap();
        let pk = format!("SUBMISSION#{expense}#{number}");
        self.gate.with(|services| {
            let of_it = |item: &Item| item["PK"]["S"] == pk.as_str() && item["SK"]["S"] == "STEP#1";
            let mut step = services.table.items().into_iter().find(of_it).unwrap();
            change(&mut step);
            services.table.put(step);
        });
    }

    /// The manager says that the first decision was not theirs, by the link of a mail of which nothing is left but the
    /// hash.
    async fn disown(&self, submission: &str) {
        let secret = "d".repeat(43);
        let hash = hex::encode(Sha256::digest(&secret));
        self.change_step(submission, |step| step.insert("disown_hashes".to_owned(), json!({ "SS": [hash] })));
        let event = json!({
            "httpMethod": "POST", "resource": "/approvals/{link}", "body": "decision=disown",
            "pathParameters": {"link": format!("{submission}.1.{secret}")}, "requestContext": {"requestId": "r-2"},
        });
        let answer = self.approval.handle(event).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{answer}");
    }

    async fn report(&self, number: usize) {
        let mut expenses = Vec::new();
        for part in 0..3 {
            expenses.push(self.draft(10 + 3 * number + part, 2340).await);
        }
        let report = json!({ "title": "A trip", "expenses": expenses });
        let report = self.request(EMPLOYEE, "POST", "/reports", "", &report).await;
        let report = report["id"].as_str().unwrap();
        self.request(EMPLOYEE, "POST", "/reports/{report_id}/submit", report, &json!({})).await;
        for expense in &expenses[1..] {
            self.ask(&format!("{expense}.1")).await;
        }
        // One of them is withdrawn before anybody is asked.
        self.request(EMPLOYEE, "POST", "/expenses/{expense_id}/withdraw", &expenses[0], &json!({})).await;
    }

    /// Writes an event that another consumer or the processing of receipts makes.
    async fn write(&self, subject: Subject, body: EventBody) {
        let cause = Cause {
            actor: Actor::System { name: "test".to_owned() },
            at: Timestamp::now(),
            correlation_id: "c-1".parse().unwrap(),
            causation_id: None,
        };
        assert!(self.store.write_once(&Event::new(subject, body, &cause)).await.unwrap());
    }

    async fn fail_a_receipt(&self) {
        let receipt = ReceiptState {
            id: ReceiptId::derived_from(&["test"]),
            version: 2,
            owner: EMPLOYEE.parse().unwrap(),
            status: ReceiptStatus::Failed,
            sha256: "0a".repeat(32),
            size_bytes: 9,
            media_type: MediaType::Png,
            failure: Some(FailureReason::Damaged),
            expense: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let subject = Subject::receipt(receipt.id, receipt.version);
        let failed = ReceiptFailed { receipt, reason: FailureReason::Damaged };
        self.write(subject, EventBody::ReceiptFailed(Box::new(failed))).await;
    }

    /// Has so many thresholds of a budget reached.
    async fn use_a_budget(&self, thresholds: usize) {
        let (budget, category) = (Money::new(1000, "EUR".parse().unwrap()), Category::Travel);
        let period = date(2026, 3, 1).strftime("%Y-%m").to_string();
        for percent in [80, 100].into_iter().take(thresholds) {
            let subject = Subject::budget_threshold(category, &period, budget, percent);
            let (period, used) = (period.clone(), Money::new(1001, budget.currency));
            let reached = BudgetThreshold { category, period, percent, used, budget, budget_version: 1 };
            self.write(subject, EventBody::BudgetThresholdReached(Box::new(reached))).await;
        }
    }
}

/// Where mail to a person goes.
pub fn address(person: &str) -> String {
    format!("{person}@example.com")
}

/// The event in an item of the outbox.
fn event(item: &Item) -> Option<Event> {
    let detail = serde_json::from_str(item.get("detail")?["S"].as_str()?).unwrap();
    Some(Event::from_detail(detail).unwrap())
}
