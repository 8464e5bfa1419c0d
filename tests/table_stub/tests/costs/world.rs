//! The functions on the stub, people who call them, and expenses by the thousand.

use expenses::{Expenses, Places};
use receipts::Receipts;
use serde_json::{Value, json};
use slipstream_common::{http::Response, mail_domains::MailDomains};
use slipstream_events::Currency;
use slipstream_table_stub::{Item, Stub, TABLE};

pub const EMPLOYEE: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
pub const FINANCE: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12";

/// The functions and their table.
pub struct World {
    pub stub: Stub,
    expenses: Expenses,
    receipts: Receipts,
}

impl World {
    /// With the two callers' profiles.
    pub async fn new() -> Self {
        let stub = Stub::start().unwrap();
        let domains = MailDomains::new("example.com");
        let places = Places { table: TABLE, projections: TABLE, pool: "no-pool" };
        let web = || "http://web".to_owned();
        let expenses = Expenses::new(&stub.sdk(), &places, domains, Currency::EUR, web());
        let receipts = Receipts::new(&stub.sdk(), TABLE, "no-bucket".to_owned(), 900, web());
        let world = Self { stub, expenses, receipts };
        for person in [EMPLOYEE, FINANCE] {
            assert_eq!(world.get(person, "/me", &[], &[]).await.status_code, 200);
        }
        world.stub.take_asked();
        world
    }

    /// One call. `path` is the resource's template, `named` the values in it.
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
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<serde_json::Map<_, _>>()
        };
        let claims = json!({
            "token_use": "id", "sub": caller, "email": format!("{caller}@example.com"), "email_verified": "true",
            "cognito:groups": if caller == FINANCE { "finance" } else { "" },
        });
        let event = json!({
            "httpMethod": method, "resource": path, "pathParameters": map(named), "queryStringParameters": map(query),
            "headers": map(headers), "body": if body.is_null() { String::new() } else { body.to_string() },
            "requestContext": {"requestId": "r-1", "authorizer": {"claims": claims}},
        });
        if path.starts_with("/receipts") {
            return self.receipts.handle(event).await.unwrap();
        }
        self.expenses.handle(event).await.unwrap()
    }

    pub async fn get(&self, caller: &str, path: &str, named: &[(&str, &str)], query: &[(&str, &str)]) -> Response {
        self.call(caller, "GET", path, named, query, &[], &Value::Null).await
    }

    /// An expense that could be submitted.
    pub async fn draft(&self) -> String {
        let details = json!({
            "merchant": "Gasthaus Krone", "date": "2026-10-05", "category": "meals",
            "amount": {"minor_units": 2340, "currency": "EUR"},
        });
        let body = json!({ "details": details });
        let response = self.call(EMPLOYEE, "POST", "/expenses", &[], &[], &[], &body).await;
        assert_eq!(response.status_code, 201, "{}", response.body);
        read(&response)["id"].as_str().unwrap().to_owned()
    }

    pub async fn submit(&self, id: &str, headers: &[(&str, &str)]) -> Response {
        self.call(EMPLOYEE, "POST", "/expenses/{expense_id}/submit", &[("expense_id", id)], &[], headers, &json!({}))
            .await
    }

    /// The item of an expense, as the function wrote it.
    pub fn item(&self, id: &str) -> Item {
        self.item_at(&format!("EXPENSE#{id}"), "EXPENSE").unwrap()
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

/// Another expense like this one: number `n`, of another date.
pub fn another(like: &Item, n: usize, date: &str) -> Item {
    let id = like["id"]["S"].as_str().unwrap();
    let text = Value::Object(like.clone()).to_string();
    let text = text.replace(id, &format!("exp_{n:032x}")).replace("2026-10-05", date);
    serde_json::from_str(&text).unwrap()
}

/// A response's body.
pub fn read(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}
