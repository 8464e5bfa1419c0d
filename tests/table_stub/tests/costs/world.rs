//! The functions behind the API on the stub, people who call them, and one of everything that is read.

use approval::Approval;
use aws_config::SdkConfig;
use expenses::Expenses;
use exports::{Answer, Exports};
use jiff::{Timestamp, ToSpan as _};
use receipts::Receipts;
use serde_json::{Value, json};
use slipstream_common::{http::Response, settings::Settings};
use slipstream_table_stub::{Item, Stub, TABLE};

pub const EMPLOYEE: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
pub const FINANCE: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12";
pub const MANAGER: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a13";
pub const ADMINISTRATOR: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a14";
/// Whoever has left and is erased.
pub const LEAVER: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a15";
/// The date of the expenses.
pub const DATE: &str = "2026-10-05";
/// The bucket of everything.
const BUCKET: &str = "bucket";

/// Every variable of the functions behind the API.
const SETTINGS: [(&str, &str); 17] = [
    ("TABLE_NAME", TABLE),
    ("PROJECTIONS_TABLE_NAME", TABLE),
    ("COMPANY_CURRENCY", "EUR"),
    ("USER_POOL_ID", "no-pool"),
    ("ALLOWED_MAIL_DOMAINS", "example.com"),
    ("WEB_ORIGIN", "http://web"),
    ("RECEIPT_BUCKET", BUCKET),
    ("LINKS_REQUIRE_SIGN_IN", "false"),
    ("EXPORT_BUCKET", BUCKET),
    ("EXPORTS_QUEUE_URL", "http://no.queue"),
    ("TICKET_SECONDS", "900"),
    ("RECEIPT_RETENTION_DAYS", "3650"),
    ("ARCHIVE_RETENTION_DAYS", "400"),
    ("LOG_RETENTION_DAYS", "30"),
    ("MAX_RECEIVES", "5"),
    ("WORK_SECONDS", "600"),
    ("REGION", "eu-central-1"),
];

/// The functions behind the API, in this process.
pub struct Functions {
    expenses: Expenses,
    receipts: Receipts,
    approval: Approval,
    exports: Exports,
}

impl Functions {
    /// On the stub that `sdk` leads to.
    pub fn new(sdk: &SdkConfig) -> Self {
        let settings = || Settings::of(SETTINGS);
        Self {
            expenses: Expenses::new(sdk, settings()).unwrap(),
            receipts: Receipts::new(sdk, settings()).unwrap(),
            approval: Approval::new(sdk, settings()).unwrap(),
            exports: Exports::new(sdk, settings()).unwrap(),
        }
    }

    /// Answers an event. It goes to the function that `infrastructure/openapi.yaml` names for its path.
    pub async fn handle(&self, event: Value) -> Response {
        match event["resource"].as_str().and_then(|path| path.split('/').nth(1)).unwrap() {
            "receipts" => self.receipts.handle(event).await.unwrap(),
            "approvals" | "submissions" => {
                let answer = self.approval.handle(event).await.unwrap();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
                Response::new(status, &text(&answer["headers"]["content-type"]), text(&answer["body"]))
            }
            _ if event["resource"] == "/people/{person_id}/erasure" => self.exports(event).await,
            "exports" => self.exports(event).await,
            _ => self.expenses.handle(event).await.unwrap(),
        }
    }
}

impl Functions {
    async fn exports(&self, event: Value) -> Response {
        match self.exports.handle(event, "i-1", 0).await.unwrap() {
            Answer::Http(response) => response,
            Answer::Batch(batch) => panic!("a request is no batch: {batch:?}"),
        }
    }
}

/// The gateway's event of a request. `path` is the resource's template, `named` the values in it.
pub fn event(
    caller: &str,
    method: &str,
    path: &str,
    named: &[(&str, &str)],
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    body: &Value,
) -> Value {
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<serde_json::Map<_, _>>()
    };
    let groups = match caller {
        FINANCE => "finance",
        ADMINISTRATOR => "administrators",
        _ => "",
    };
    let claims = json!({
        "token_use": "id", "sub": caller, "email": format!("{caller}@example.com"), "email_verified": "true",
        "cognito:groups": groups,
    });
    json!({
        "httpMethod": method, "resource": path, "pathParameters": map(named), "queryStringParameters": map(query),
        "headers": map(headers), "body": if body.is_null() { String::new() } else { body.to_string() },
        "requestContext": {"requestId": "r-1", "authorizer": {"claims": claims}},
    })
}

/// The functions and their table.
pub struct World {
    pub stub: Stub,
    functions: Functions,
}

impl World {
    /// With the callers' profiles; the manager is the employee's.
    pub async fn new() -> Self {
        let stub = Stub::start().unwrap();
        let world = Self { functions: Functions::new(&stub.sdk()), stub };
        for person in [EMPLOYEE, FINANCE, MANAGER, ADMINISTRATOR, LEAVER] {
            assert_eq!(world.get(person, "/me", &[], &[]).await.status_code, 200);
        }
        let mut profile = world.item(&format!("PERSON#{EMPLOYEE}"), "PROFILE");
        let sort = format!("{EMPLOYEE}@example.com#{EMPLOYEE}");
        for (name, value) in [("manager", MANAGER), ("GSI3PK", &format!("MANAGER#{MANAGER}")), ("GSI3SK", &sort)] {
            profile.insert(name.to_owned(), json!({ "S": value }));
        }
        world.stub.put(profile);
        world.stub.take_asked();
        world
    }

    /// One call, as [`event`].
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a part of the request, and most are literals where it is called"
    )]
    pub async fn call(
        &self,
        caller: &str,
        method: &str,
        path: &str,
        named: &[(&str, &str)],
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        self.functions.handle(event(caller, method, path, named, query, headers, body)).await
    }

    pub async fn get(&self, caller: &str, path: &str, named: &[(&str, &str)], query: &[(&str, &str)]) -> Response {
        self.call(caller, "GET", path, named, query, &[], &Value::Null).await
    }

    /// A `POST` or `PUT`, done.
    async fn done(&self, caller: &str, method: &str, path: &str, named: &[(&str, &str)], body: &Value) -> Value {
        let response = self.call(caller, method, path, named, &[], &[], body).await;
        assert!((200..300).contains(&response.status_code), "{method} {path}: {}", response.body);
        read(&response)
    }

    /// An expense that could be submitted.
    pub async fn draft(&self) -> String {
        let details = json!({
            "merchant": "Gasthaus Krone", "date": DATE, "category": "meals",
            "amount": {"minor_units": 2340, "currency": "EUR"},
        });
        id(&self.done(EMPLOYEE, "POST", "/expenses", &[], &json!({ "details": details })).await)
    }

    pub async fn submit(&self, id: &str, headers: &[(&str, &str)]) -> Response {
        self.call(EMPLOYEE, "POST", "/expenses/{expense_id}/submit", &[("expense_id", id)], &[], headers, &json!({}))
            .await
    }

    /// An item, as the functions wrote it.
    pub fn item(&self, pk: &str, sk: &str) -> Item {
        self.item_at(pk, sk).unwrap_or_else(|| panic!("there is no {pk} {sk}"))
    }

    /// The item of an expense.
    pub fn expense_item(&self, id: &str) -> Item {
        self.item(&format!("EXPENSE#{id}"), "EXPENSE")
    }

    /// Asks the manager to decide, as the state machine does.
    async fn ask(&self, expense: &str) {
        let at = |hours: i64| Timestamp::now() + hours.hours();
        let choice = json!({
            "step": 1, "approver": MANAGER, "remind_at": at(8), "escalate_at": at(16), "due_at": at(24), "levels": 1,
            "second_level": "finance", "passed_over": [],
        });
        let task = json!({
            "task": "ask", "submission": format!("{expense}.1"), "choice": choice, "task_token": "token",
            "correlation_id": "c", "causation_id": "expense/x/2",
        });
        self.functions.approval.handle(task).await.unwrap();
    }

    /// The item with a key.
    pub fn item_at(&self, pk: &str, sk: &str) -> Option<Item> {
        self.stub.items().into_iter().find(|item| item["PK"]["S"] == pk && item["SK"]["S"] == sk)
    }

    /// A receipt that was announced, and read without drafting an expense.
    pub async fn receipt(&self, number: usize) -> String {
        let id = self.announced(number).await;
        let mut item = self.item_at(&format!("RECEIPT#{id}"), "RECEIPT").unwrap();
        item.insert("status".to_owned(), json!({ "S": "read" }));
        item.retain(|name, _| !name.starts_with("GSI"));
        self.stub.put(item);
        id
    }

    /// A receipt that was announced.
    pub async fn announced(&self, number: usize) -> String {
        let body = announcement(number);
        let response = self.call(EMPLOYEE, "POST", "/receipts", &[], &[], &[], &body).await;
        assert!(matches!(response.status_code, 200 | 201), "{}", response.body);
        read(&response)["receipt"]["id"].as_str().unwrap().to_owned()
    }
}

/// Says which bytes will be uploaded.
pub fn announcement(number: usize) -> Value {
    json!({ "sha256": format!("{number:064x}"), "size_bytes": 1000, "media_type": "image/jpeg" })
}

/// One of everything that a path can name.
pub struct Things {
    pub draft: String,
    pub submitted: String,
    pub decided: String,
    pub receipt: String,
    pub report: String,
    pub export: String,
    /// Behind which `submitted` stands.
    pub link: String,
}

/// The secret of the link, and its SHA-256.
const SECRET: [&str; 2] =
    ["0000000000000000000000000000000000000000000", "b918b22a1581fedd39058065f00e6aad35bd561f20257151131a1ddcd21803de"];

impl Things {
    pub async fn new(world: &World) -> Self {
        let (draft, submitted, decided) = (world.draft().await, world.draft().await, world.draft().await);
        for expense in [&submitted, &decided] {
            assert_eq!(world.submit(expense, &[]).await.status_code, 200);
            world.ask(expense).await;
        }
        let mut step = world.item(&format!("SUBMISSION#{submitted}#1"), "STEP#1");
        step.insert("link_hashes".to_owned(), json!({ "L": [{ "S": SECRET[1] }] }));
        world.stub.put(step);
        let submission = format!("{decided}.1");
        let decision = json!({ "decision": "approve" });
        let path = "/submissions/{submission_id}/decision";
        world.done(MANAGER, "POST", path, &[("submission_id", &submission)], &decision).await;

        let announced =
            json!({ "sha256": "0a".repeat(32), "size_bytes": 9, "media_type": "image/png", "file_name": "a.png" });
        let receipt = world.done(EMPLOYEE, "POST", "/receipts", &[], &announced).await;
        let receipt = id(&receipt["receipt"]);
        let mut item = world.item(&format!("RECEIPT#{receipt}"), "RECEIPT");
        for (name, value) in
            [("status", json!({"S": "read"})), ("pages", json!({"N": "1"})), ("page_count", json!({"N": "1"}))]
        {
            item.insert(name.to_owned(), value);
        }
        world.stub.put(item);
        let reading = json!({ "receipts": [], "drafted": 0, "category": {"category": "other", "because": "nothing_else"}, "review": [] });
        let key = format!("{BUCKET}/receipts/{EMPLOYEE}/{receipt}/reading.json");
        world.stub.put_object(&key, reading.to_string().into_bytes());

        let report = json!({ "title": "A trip", "expenses": [world.draft().await, world.draft().await] });
        let report = id(&world.done(EMPLOYEE, "POST", "/reports", &[], &report).await);
        let range = json!({ "kind": "expenses", "scope": "own", "from": "2026-01-01", "until": "2026-12-31" });
        let export = id(&world.done(EMPLOYEE, "POST", "/exports", &[], &range).await);

        let budget = json!({ "amount": {"minor_units": 100_000, "currency": "EUR"}, "period": "month" });
        world.done(FINANCE, "PUT", "/budgets/{category}", &[("category", "meals")], &budget).await;
        let day = |date: &str| json!({ "date": date, "rates": {"USD": "1.1", "CHF": "0.93"} });
        let rates = json!({ "base": "EUR", "source": "test", "days": [day("2026-10-02"), day("2026-10-05")] });
        world.done(FINANCE, "PUT", "/exchange-rates", &[], &rates).await;
        world.done(FINANCE, "PUT", "/policy", &[], &json!({ "decision_due_seconds": 3600 })).await;
        world
            .call(ADMINISTRATOR, "POST", "/people/{person_id}/erasure", &[("person_id", LEAVER)], &[], &[], &json!({}))
            .await;
        let link = format!("{submitted}.1.1.{}", SECRET[0]);
        Self { draft, submitted, decided, receipt, report, export, link }
    }

    /// The value in a path's template.
    pub fn named<'a>(&'a self, caller: &str, name: &'a str) -> (&'a str, &'a str) {
        match name {
            "expense_id" => (name, &self.draft),
            "receipt_id" => (name, &self.receipt),
            "report_id" => (name, &self.report),
            "export_id" => (name, &self.export),
            "person_id" if caller == ADMINISTRATOR => (name, LEAVER),
            "person_id" => (name, EMPLOYEE),
            "version" => (name, "1"),
            "link" => (name, &self.link),
            other => panic!("what is {other}?"),
        }
    }
}

fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap().to_owned()
}

/// Another item like this one, with these texts in place of others, wherever they stand in it.
pub fn another(like: &Item, texts: &[(&str, &str)]) -> Item {
    fn changed(value: &Value, texts: &[(&str, &str)]) -> Value {
        match value {
            Value::String(text) => texts.iter().fold(text.clone(), |text, (from, to)| text.replace(from, to)).into(),
            Value::Array(values) => values.iter().map(|value| changed(value, texts)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), changed(value, texts))).collect::<Item>().into()
            }
            other => other.clone(),
        }
    }
    like.iter().map(|(name, value)| (name.clone(), changed(value, texts))).collect()
}

/// Another expense like this one: number `n`, of another date.
pub fn another_expense(like: &Item, n: usize, date: &str) -> Item {
    another(like, &[(like["id"]["S"].as_str().unwrap(), &format!("exp_{n:032x}")), (DATE, date)])
}

/// A response's body.
pub fn read(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}
