//! A client of the API and of Cognito's public calls, as a phone would use them. The demo and the end-to-end tests
//! share it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Method, Url, header::HeaderMap};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    aws::http,
    html::{self, Form},
    wait,
};

/// The API and the user pool of a deployment.
#[derive(Debug, Clone)]
pub struct Client {
    api_url: String,
    cognito_url: String,
    pool_client: String,
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
    /// What was asked, for messages.
    asked: String,
}

impl Answer {
    async fn of(asked: String, request: reqwest::RequestBuilder) -> Result<Self> {
        let response = request.send().await.with_context(|| format!("{asked} got no answer"))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.text().await?, asked })
    }

    /// One header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The body as JSON, if the status is this one.
    ///
    /// # Errors
    /// Otherwise, with what was asked and answered.
    pub fn expect(&self, status: u16) -> Result<Value> {
        self.expect_any(&[status])
    }

    /// The body as JSON, if the status is one of these.
    ///
    /// # Errors
    /// Otherwise, with what was asked and answered.
    pub fn expect_any(&self, statuses: &[u16]) -> Result<Value> {
        if !statuses.contains(&self.status) {
            bail!("{} answered {}: {}", self.asked, self.status, self.body);
        }
        Ok(self.json())
    }
}

/// Someone signed in.
#[derive(Clone)]
pub struct Session {
    /// The API.
    pub client: Client,
    /// The ID token.
    pub token: String,
    /// Its subject, which is the person's id.
    pub person_id: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("person_id", &self.person_id).finish_non_exhaustive()
    }
}

/// What an announcement is answered with.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// 201 for a new receipt, 200 for a known one.
    pub status: u16,
    /// The receipt's id.
    pub receipt_id: String,
    /// The receipt as answered.
    pub receipt: Value,
    /// How to upload; absent when the bytes are there already.
    pub upload: Option<Upload>,
}

/// An upload ticket.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The method to use.
    pub method: Method,
    /// The presigned address.
    pub url: String,
    /// The headers that were signed.
    pub headers: Vec<(String, String)>,
}

impl Upload {
    fn parse(upload: &Value) -> Result<Self> {
        let text = |name: &str| upload[name].as_str().with_context(|| format!("the upload ticket has no {name}"));
        let headers = upload["headers"].as_object().context("the upload ticket has no headers")?;
        let header = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        Ok(Self {
            method: text("method")?.parse()?,
            url: text("url")?.to_owned(),
            headers: headers.iter().filter_map(header).collect(),
        })
    }

    /// Sends the bytes; answers whatever S3 answers.
    ///
    /// # Errors
    /// When S3 cannot be reached.
    pub async fn send(&self, bytes: &[u8]) -> Result<Answer> {
        let mut request = http().request(self.method.clone(), &self.url);
        // The length is of the connection: it comes with the body.
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length")) {
            request = request.header(name, value);
        }
        Answer::of("the upload".to_owned(), request.body(bytes.to_owned())).await
    }
}

/// A page behind a link of a mail.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its address.
    pub url: Url,
    /// As it came.
    pub answer: Answer,
}

impl Page {
    /// Its forms.
    pub fn forms(&self) -> Vec<Form> {
        html::forms(&self.answer.body)
    }

    /// Where the form with this decision goes.
    ///
    /// # Errors
    /// When the page offers no such decision.
    pub fn target(&self, decision: &str) -> Result<Url> {
        let forms = self.forms();
        let form = forms.iter().find(|form| form.decisions.iter().any(|offered| offered == decision));
        let form = form.with_context(|| format!("the page does not offer to {decision}"))?;
        if form.action.is_empty() {
            return Ok(self.url.clone());
        }
        Ok(self.url.join(&form.action)?)
    }
}

impl Client {
    /// For an API and a user pool client at the AWS endpoint.
    pub fn new(api_url: &str, cognito_url: &str, pool_client: &str) -> Self {
        Self { api_url: api_url.to_owned(), cognito_url: cognito_url.to_owned(), pool_client: pool_client.to_owned() }
    }

    /// Signs a new person up; Cognito mails a code.
    ///
    /// # Errors
    /// When Cognito refuses, by its name for the reason.
    pub async fn sign_up(&self, email: &str, password: &str, name: &str) -> Result<()> {
        let attributes = json!([{ "Name": "email", "Value": email }, { "Name": "name", "Value": name }]);
        let input = json!({ "Username": email, "Password": password, "UserAttributes": attributes });
        self.cognito("SignUp", input).await.map(|_| ())
    }

    /// Confirms a sign-up with the mailed code.
    ///
    /// # Errors
    /// When Cognito refuses.
    pub async fn confirm_sign_up(&self, email: &str, code: &str) -> Result<()> {
        self.cognito("ConfirmSignUp", json!({ "Username": email, "ConfirmationCode": code })).await.map(|_| ())
    }

    /// Signs in.
    ///
    /// # Errors
    /// When Cognito refuses.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Session> {
        let parameters = json!({ "USERNAME": email, "PASSWORD": password });
        let input = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters });
        let answer = self.cognito("InitiateAuth", input).await?;
        let token = answer.pointer("/AuthenticationResult/IdToken").and_then(Value::as_str);
        let token = token.with_context(|| format!("Cognito gave {email} no ID token: {answer}"))?;
        Ok(Session { client: self.clone(), token: token.to_owned(), person_id: subject(token)? })
    }

    /// One of Cognito's unsigned calls.
    ///
    /// # Errors
    /// When Cognito refuses.
    pub async fn cognito(&self, operation: &str, mut input: Value) -> Result<Value> {
        input["ClientId"] = self.pool_client.as_str().into();
        let request = http()
            .post(&self.cognito_url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"))
            .body(input.to_string());
        Answer::of(format!("Cognito {operation}"), request).await?.expect(200)
    }

    /// A call of the API without a session, or with someone else's token.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Result<Answer> {
        let authorization = token.map(|token| ("authorization", token));
        self.request(method, path, authorization.as_slice(), body).await
    }

    /// Sends a request with headers of one's own.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let asked = format!("{method} {path}");
        let mut request = http().request(method, format!("{}{path}", self.api_url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::of(asked, request).await
    }

    /// A call in a session with further headers; `null` is no body.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        session: &Session,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Answer> {
        let asked = format!("{method} {path}");
        let mut request = http().request(method, format!("{}{path}", self.api_url));
        request = request.header("authorization", &session.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        Answer::of(asked, request).await
    }

    /// Opens a link of a mail, as a browser or a mail scanner does.
    ///
    /// # Errors
    /// When it cannot be reached; a refusal is an answer.
    pub async fn open_link(&self, link: &str) -> Result<Page> {
        let url = Url::parse(link).with_context(|| format!("{link} is no address"))?;
        let answer = Answer::of("GET of the link".to_owned(), http().get(url.clone())).await?;
        Ok(Page { url, answer })
    }

    /// Presses a button of the page.
    ///
    /// # Errors
    /// When the page has no such button or cannot be reached; a refusal is an answer.
    pub async fn decide(&self, page: &Page, decision: &str, comment: &str) -> Result<Answer> {
        self.post_decision(page.target(decision)?, decision, comment).await
    }

    /// Posts a decision to an address, button or not.
    ///
    /// # Errors
    /// When it cannot be reached; a refusal is an answer.
    pub async fn post_decision(&self, target: Url, decision: &str, comment: &str) -> Result<Answer> {
        let mut form = Url::parse("http://form").map(|mut url| {
            url.query_pairs_mut().append_pair("decision", decision).append_pair("comment", comment);
            url
        })?;
        let body = form.query().unwrap_or_default().to_owned();
        form.set_query(None);
        let request = http().post(target).header("content-type", "application/x-www-form-urlencoded").body(body);
        Answer::of(format!("POST {decision}"), request).await
    }
}

impl Session {
    /// `GET` of a path of the API.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.client.send(Method::GET, path, Some(&self.token), None).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.client.send(Method::POST, path, Some(&self.token), Some(body)).await
    }

    /// `PUT` of JSON.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.client.send(Method::PUT, path, Some(&self.token), Some(body)).await
    }

    /// `PATCH` of JSON.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.client.send(Method::PATCH, path, Some(&self.token), Some(body)).await
    }

    /// A request with headers of its own and a body of any kind.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Result<Answer> {
        let asked = format!("{method} {path}");
        let mut request = http().request(method, format!("{}{path}", self.client.api_url));
        for (name, value) in [("authorization", self.token.as_str())].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        Answer::of(asked, request.body(body)).await
    }

    /// `DELETE` of a path of the API.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.client.send(Method::DELETE, path, Some(&self.token), None).await
    }

    /// A request with one header more.
    ///
    /// # Errors
    /// When the API cannot be reached; a refusal is an answer.
    pub async fn with(&self, header: (&str, &str), method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.client.request(method, path, &[("authorization", &self.token), header], body).await
    }

    /// Announces the bytes of a receipt.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn announce(&self, bytes: &[u8], media_type: &str, file_name: Option<&str>) -> Result<Announcement> {
        let mut body = json!({
            "sha256": hex::encode(Sha256::digest(bytes)),
            "size_bytes": bytes.len(),
            "media_type": media_type,
        });
        if let Some(file_name) = file_name {
            body["file_name"] = file_name.into();
        }
        let answer = self.post("/receipts", &body).await?;
        let content = answer.expect_any(&[200, 201])?;
        let upload = content.get("upload").filter(|upload| !upload.is_null()).map(Upload::parse).transpose()?;
        Ok(Announcement {
            status: answer.status,
            receipt_id: id_of(&content["receipt"])?,
            receipt: content["receipt"].clone(),
            upload,
        })
    }

    /// A receipt now.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn receipt(&self, id: &str) -> Result<Value> {
        self.get(&format!("/receipts/{id}")).await?.expect(200)
    }

    /// Waits until a receipt is `read` or `failed`.
    ///
    /// # Errors
    /// When the API refuses, or it is neither by the deadline.
    pub async fn wait_for_receipt(&self, id: &str, deadline: Duration) -> Result<Value> {
        wait::until(&format!("receipt {id} to be read"), deadline, async || {
            let receipt = self.receipt(id).await?;
            Ok(matches!(receipt["status"].as_str(), Some("read" | "failed")).then_some(receipt))
        })
        .await
    }

    /// An expense now.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn expense(&self, id: &str) -> Result<Value> {
        self.get(&format!("/expenses/{id}")).await?.expect(200)
    }

    /// Waits until an expense has this status.
    ///
    /// # Errors
    /// When the API refuses, or it has another at the deadline.
    pub async fn wait_for_status(&self, id: &str, status: &str, deadline: Duration) -> Result<Value> {
        wait::until(&format!("expense {id} to be {status}"), deadline, async || {
            let expense = self.expense(id).await?;
            Ok((expense["status"] == status).then_some(expense))
        })
        .await
    }

    /// Changes some details of an expense; `null` removes one.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn edit(&self, id: &str, details: &Value) -> Result<Value> {
        self.patch(&format!("/expenses/{id}"), &json!({ "details": details })).await?.expect(200)
    }

    /// Submits an expense.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn submit(&self, id: &str) -> Result<Value> {
        self.post(&format!("/expenses/{id}/submit"), &json!({})).await?.expect(200)
    }

    /// The events of an expense, oldest first.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn history(&self, id: &str) -> Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut path = format!("/expenses/{id}/history?limit=100");
        loop {
            let page = self.get(&path).await?.expect(200)?;
            let found = page["events"].as_array().with_context(|| format!("the history has no events: {page}"))?;
            events.extend(found.iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else { return Ok(events) };
            path = format!("/expenses/{id}/history?limit=100&cursor={cursor}");
        }
    }

    /// Names someone's manager, as an administrator.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn name_manager(&self, person_id: &str, manager_id: &str) -> Result<()> {
        self.put(&format!("/people/{person_id}"), &json!({ "manager": manager_id })).await?.expect(200).map(|_| ())
    }
}

fn id_of(thing: &Value) -> Result<String> {
    thing["id"].as_str().map(ToOwned::to_owned).with_context(|| format!("no id in {thing}"))
}

/// The subject of a token. Reading it needs no key: only its issuer's side must verify it.
fn subject(token: &str) -> Result<String> {
    let payload = token.split('.').nth(1).context("Cognito's ID token is no JWT")?;
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload)?)?;
    claims["sub"].as_str().map(ToOwned::to_owned).context("Cognito's ID token has no subject")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Page {
        let url = Url::parse("http://127.0.0.1:9/api/approvals/abc").unwrap();
        Page {
            url,
            answer: Answer { status: 200, headers: HeaderMap::new(), body: body.to_owned(), asked: String::new() },
        }
    }

    #[test]
    fn a_button_leads_where_its_form_says() {
        let button = "<button name=\"decision\" value=\"approve\">";
        let own = page(&format!("<form method=\"post\">{button}</form>"));
        assert_eq!(own.target("approve").unwrap().path(), "/api/approvals/abc");
        let relative = page(&format!("<form method=\"post\" action=\"abd\">{button}</form>"));
        assert_eq!(relative.target("approve").unwrap().path(), "/api/approvals/abd");
        assert!(own.target("reject").is_err());
    }

    #[test]
    fn the_subject_is_the_person() {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"p-1"}"#);
        assert_eq!(subject(&format!("h.{claims}.s")).unwrap(), "p-1");
        assert!(subject("h").is_err());
    }

    #[test]
    fn a_ticket_needs_all_its_parts() {
        let whole = json!({ "method": "PUT", "url": "http://s", "headers": { "if-none-match": "*" } });
        let upload = Upload::parse(&whole).unwrap();
        assert_eq!((upload.method, upload.headers), (Method::PUT, vec![("if-none-match".to_owned(), "*".to_owned())]));
        let error = Upload::parse(&json!({ "method": "PUT", "url": "http://s" })).unwrap_err();
        assert_eq!(error.to_string(), "the upload ticket has no headers");
    }
}
