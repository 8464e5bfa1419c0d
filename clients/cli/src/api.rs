//! Calls of the API: signed in, repeated when that can help, errors as failures.
//!
//! A call that creates or acts carries an `Idempotency-Key`, the same one each time it is sent: an answer that got lost
//! is asked for again without doing anything twice.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    cognito::Cognito,
    failure::{Failure, Outcome},
    http::{Answer, Http, Request},
    profile::{Profile, Service, Tokens},
};

/// How often a call is sent at most.
const ATTEMPTS: u32 = 5;
/// How long one answer may take: API Gateway gives up after 29 s.
const PATIENCE: Duration = Duration::from_secs(35);
/// What the second attempt waits for; it doubles for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause, whatever `Retry-After` says.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A token that ends this soon is replaced before it is used.
const SPARE: SignedDuration = SignedDuration::from_secs(60);

/// A call of the API.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), headers: Vec::new(), body: Bytes::new() }
    }

    /// Reads.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Creates or acts.
    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::acting(Method::POST, path).json(body)
    }

    /// Replaces.
    pub(crate) fn put(path: impl Into<String>, body: &Value) -> Self {
        Self::acting(Method::PUT, path).json(body)
    }

    /// Replaces by CSV.
    pub(crate) fn put_csv(path: impl Into<String>, csv: String) -> Self {
        let mut call = Self::acting(Method::PUT, path).header("content-type", "text/csv");
        call.body = csv.into();
        call
    }

    /// Changes.
    pub(crate) fn patch(path: impl Into<String>, body: &Value) -> Self {
        Self::acting(Method::PATCH, path).json(body)
    }

    /// Takes away.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::acting(Method::DELETE, path)
    }

    fn acting(method: Method, path: impl Into<String>) -> Self {
        Self::new(method, path).header("idempotency-key", uuid::Uuid::new_v4().to_string())
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into();
        self.header("content-type", "application/json")
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Only if the version is still this one.
    pub(crate) fn if_match(self, etag: Option<&str>) -> Self {
        match etag {
            Some(etag) => self.header("if-match", etag),
            None => self,
        }
    }

    /// With a parameter, if there is a value.
    pub(crate) fn query(mut self, name: &str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name.to_owned(), value.to_string())));
        self
    }

    fn url(&self, api_url: &str) -> String {
        if self.query.is_empty() {
            return format!("{api_url}{}", self.path);
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{api_url}{}?{query}", self.path)
    }
}

/// The API, signed in.
pub(crate) struct Api {
    /// Also for presigned addresses.
    pub(crate) http: Http,
    profile: Profile,
    service: Service,
    tokens: Mutex<Tokens>,
}

impl Api {
    /// With the profile's tokens.
    ///
    /// # Errors
    /// When nobody is signed in to this service.
    pub(crate) fn open(profile: Profile, service: Service) -> Outcome<Self> {
        let login = profile.login();
        let tokens =
            profile.tokens()?.ok_or_else(|| Failure::not_signed_in(format!("nobody is signed in: {login}")))?;
        if tokens.api_url != service.api_url || tokens.client_id != service.client_id {
            return Err(Failure::not_signed_in(format!(
                "you are signed in to {}, not to {}: {login}",
                tokens.api_url, service.api_url
            )));
        }
        Ok(Self { http: Http::new()?, profile, service, tokens: Mutex::new(tokens) })
    }

    /// An ID token; a new one if it is about to end, or is the one that was refused.
    async fn token(&self, refused: Option<&str>) -> Outcome<String> {
        let mut tokens = self.tokens.lock().await;
        let ends = tokens.expires_at.duration_since(Timestamp::now()) < SPARE;
        if ends || refused == Some(tokens.id_token.as_str()) {
            let cognito = Cognito { http: &self.http, service: &self.service };
            *tokens = cognito.refresh(&tokens, &self.profile.login()).await?;
            self.profile.keep_tokens(&tokens)?;
        }
        Ok(tokens.id_token.clone())
    }

    /// The answer to a call, if it is a good one.
    ///
    /// # Errors
    /// The problem that the API names; or that it could not be reached, after some attempts.
    pub(crate) async fn send(&self, call: Call) -> Outcome<Answer> {
        let mut token = self.token(None).await?;
        let mut was_refused = false;
        let mut attempt = 1;
        loop {
            let mut request = Request::new(call.method.clone(), call.url(&self.service.api_url))
                .header("authorization", token.clone())
                .body(call.body.clone());
            request.headers.extend(call.headers.iter().cloned());
            let (failure, wanted) = match self.http.send(request, PATIENCE).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
                Ok(answer) if answer.status == 401 && !was_refused => {
                    was_refused = true;
                    token = self.token(Some(&token)).await?;
                    continue;
                }
                Ok(answer) => {
                    let correlation_id = answer.header("x-correlation-id");
                    let login = self.profile.login();
                    let failure = Failure::of_answer(answer.status, &answer.body, correlation_id, &login);
                    if !may_repeat(answer.status) {
                        return Err(failure);
                    }
                    (failure, retry_after(&answer))
                }
                Err(error) => (Failure::unavailable(error.0), None),
            };
            if attempt == ATTEMPTS {
                return Err(failure);
            }
            pause(attempt, wanted).await;
            attempt += 1;
        }
    }

    /// The answer's JSON.
    ///
    /// # Errors
    /// As [`Self::send`], or when it is no JSON.
    pub(crate) async fn json(&self, call: Call) -> Outcome<Value> {
        parse(&self.send(call).await?)
    }
}

/// The answer's JSON; null for an empty one.
///
/// # Errors
/// When it is no JSON: something else than the API answers there.
pub(crate) fn parse(answer: &Answer) -> Outcome<Value> {
    if answer.body.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&answer.body)
        .map_err(|_| Failure::failed("what answers there is not the API: check the address with slip configure --show"))
}

/// Whether the same request may be answered otherwise a moment later.
pub(crate) fn may_repeat(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    answer.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// Waits before the next attempt: what the service wants, else twice as long each time, and never all at once.
pub(crate) async fn pause(attempt: u32, wanted: Option<Duration>) {
    let longest = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let pause = wanted.unwrap_or_else(|| longest.mul_f64(rand::random_range(0.5..=1.0)));
    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_escaped_and_left_out_when_absent() {
        let call = Call::get("/expenses")
            .query("merchant", Some("Käse & Brot"))
            .query("status", None::<&str>)
            .query("limit", Some(5));
        assert_eq!(call.url("https://a/v1"), "https://a/v1/expenses?merchant=K%C3%A4se+%26+Brot&limit=5");
        assert_eq!(Call::get("/me").url("https://a/v1"), "https://a/v1/me");
    }

    #[test]
    fn every_acting_call_has_a_key_of_its_own() {
        let key = |call: &Call| {
            let found = call.headers.iter().find(|(name, _)| name == "idempotency-key");
            found.map(|(_, value)| value.clone())
        };
        let body = json!({});
        let calls = [
            Call::post("/x", &body),
            Call::put("/x", &body),
            Call::patch("/x", &body),
            Call::delete("/x"),
            Call::put_csv("/x", String::new()),
        ];
        let keys: std::collections::BTreeSet<_> = calls.iter().map(|call| key(call).unwrap()).collect();
        assert_eq!(keys.len(), calls.len());
        assert_eq!(key(&Call::get("/x")), None);
    }
}
