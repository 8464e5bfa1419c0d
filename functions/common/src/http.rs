//! Requests and responses of an API Gateway REST API with Lambda proxy integration
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>), reduced to
//! what the functions look at. An unknown member never makes a request unreadable.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use slipstream_events::{Actor, Cause, CorrelationId, PersonId};
use uuid::Uuid;

use crate::{Fault, problem::Problem, routes};

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub http_method: String,
    /// The resource's template, such as `/expenses/{expense_id}`.
    pub resource: String,
    /// The values in the path.
    #[serde(default, deserialize_with = "nullable")]
    pub path_parameters: HashMap<String, String>,
    /// The query's values, the last one of each name.
    #[serde(default, deserialize_with = "nullable")]
    pub query_string_parameters: HashMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    headers: HashMap<String, String>,
    /// The body.
    #[serde(default, deserialize_with = "nullable")]
    pub body: String,
    /// Whether the body is base64.
    #[serde(default, deserialize_with = "nullable")]
    pub is_base64_encoded: bool,
    /// What the gateway knows of the request.
    #[serde(default, deserialize_with = "nullable")]
    pub request_context: RequestContext,
}

/// What the gateway knows of a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// The gateway's id of the request.
    #[serde(default, deserialize_with = "nullable")]
    pub request_id: String,
    /// What the authorizer said.
    #[serde(default, deserialize_with = "nullable")]
    pub authorizer: Authorizer,
}

/// What the Cognito authorizer said.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Authorizer {
    /// The token's claims.
    #[serde(default, deserialize_with = "nullable")]
    pub claims: HashMap<String, Value>,
}

impl Request {
    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A value in the path, as the type it must have. What has another form does not exist.
    ///
    /// # Errors
    /// 404.
    pub fn path<T: std::str::FromStr>(&self, name: &str, what: &str) -> Result<T, Problem> {
        self.path_parameters.get(name).and_then(|value| value.parse().ok()).ok_or_else(|| Problem::not_found(what))
    }

    /// Whether the version that `If-Match` names is the current one. Without the header the current one is meant
    /// (<https://www.rfc-editor.org/rfc/rfc9110#name-if-match>).
    ///
    /// # Errors
    /// 412.
    pub fn if_match(&self, version: impl std::fmt::Display) -> Result<(), Problem> {
        match self.header("if-match") {
            Some(wanted) if wanted.trim() != "*" && !wanted.split(',').any(|tag| tag.trim() == etag(&version)) => {
                Err(Problem::precondition_failed())
            }
            _ => Ok(()),
        }
    }

    /// The body as JSON; unknown fields are refused by the types themselves.
    ///
    /// # Errors
    /// 400 that names the member and the fault.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.is_base64_encoded {
            return Err(Problem::bad_request("Send the body as application/json."));
        }
        let mut body = serde_json::Deserializer::from_str(&self.body);
        let value = serde_path_to_error::deserialize(&mut body)
            .map_err(|error| Problem::bad_member(&error.path().to_string(), error.inner()))?;
        body.end().map_err(|error| Problem::bad_member(".", &error))?;
        Ok(value)
    }

    /// Refuses a body that says something where there is nothing to say: none, or an empty object.
    ///
    /// # Errors
    /// 400.
    pub fn no_body(&self) -> Result<(), Problem> {
        let body = self.body.trim();
        let empty = body.is_empty()
            || serde_json::from_str::<serde_json::Map<String, Value>>(body).is_ok_and(|it| it.is_empty());
        if empty { Ok(()) } else { Err(Problem::bad_request("This takes no body. Send none, or {}.")) }
    }

    /// The correlation id: the client's `x-correlation-id` where it is well formed, else the gateway's request id.
    pub fn correlation_id(&self) -> CorrelationId {
        let wanted = self.header("x-correlation-id").and_then(|value| value.parse().ok());
        let own = || self.request_context.request_id.parse().ok();
        wanted.or_else(own).unwrap_or_else(new_correlation_id)
    }

    /// The cause of what `person` asks for.
    pub fn cause(&self, person: PersonId) -> Cause {
        Cause {
            actor: Actor::Person { id: person },
            at: Timestamp::now(),
            correlation_id: self.correlation_id(),
            causation_id: None,
        }
    }
}

/// The entity tag of a version.
pub fn etag(version: impl std::fmt::Display) -> String {
    format!("\"{version}\"")
}

/// A correlation id for what nobody asked for by a request.
pub fn new_correlation_id() -> CorrelationId {
    let text = Uuid::new_v4().to_string();
    text.parse().unwrap_or_else(|_| unreachable!("a UUID is a well-formed correlation id"))
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The HTTP status.
    pub status_code: u16,
    /// The headers.
    pub headers: HashMap<&'static str, String>,
    /// The body.
    pub body: String,
}

impl Response {
    /// A response with a body of the media type.
    pub fn new(status_code: u16, media_type: &str, body: impl Into<String>) -> Self {
        let headers = HashMap::from([
            ("content-type", media_type.to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ]);
        Self { status_code, headers, body: body.into() }
    }

    /// A response with a JSON body.
    pub fn json(status_code: u16, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self::new(status_code, "application/json", body),
            Err(error) => {
                tracing::error!(%error, "a response cannot be written as JSON");
                Problem::internal().into()
            }
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.insert(name, value.into());
        self
    }

    /// With the headers that let the web client at `origin` read it
    /// (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
    #[must_use]
    pub fn cors(self, origin: &str) -> Self {
        self.header("access-control-allow-origin", origin)
            .header("access-control-expose-headers", "etag, location, idempotency-replayed, x-correlation-id")
            .header("vary", "origin")
    }

    /// The answer to a preflight request for the web client.
    pub fn preflight() -> Self {
        Self::new(204, "text/plain", "")
            .header("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE")
            .header(
                "access-control-allow-headers",
                "authorization, content-type, idempotency-key, if-match, x-correlation-id",
            )
            .header("access-control-max-age", "600")
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self::new(problem.status, "application/problem+json", body)
    }
}

/// Reads the gateway's event, answers it with `answer`, and turns problems into their documents. Only the
/// gateway's own event being unreadable is an error of the function.
///
/// # Errors
/// When `event` is not a proxy request.
pub async fn serve<F, A>(event: Value, origin: &str, answer: F) -> Result<Response, Fault>
where
    F: FnOnce(Request) -> A,
    A: Future<Output = Result<Response, Problem>>,
{
    use tracing::Instrument as _;
    let request: Request = serde_json::from_value(event)?;
    let correlation_id = request.correlation_id();
    if request.http_method == "OPTIONS" {
        return Ok(Response::preflight().cors(origin));
    }
    if let Some(allowed) = routes::allowed(&request.resource)
        && !allowed.split(", ").any(|method| method == request.http_method)
    {
        // Said to everyone: the gateway does not ask who sends a method that there is not.
        let response = Response::from(Problem::method_not_allowed()).header("allow", allowed);
        return Ok(response.cors(origin).header("x-correlation-id", correlation_id.to_string()));
    }
    let span = tracing::info_span!(
        "request",
        correlation.id = %correlation_id,
        request.id = request.request_context.request_id,
        http.method = request.http_method,
        http.resource = request.resource,
    );
    let response = answer(request).instrument(span.clone()).await.unwrap_or_else(|problem| {
        span.in_scope(|| tracing::info!(problem.kind = problem.kind, problem.status = problem.status, "refused"));
        problem.into()
    });
    Ok(response.cors(origin).header("x-correlation-id", correlation_id.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_read_whatever_else_it_carries() {
        let request: Request = serde_json::from_value(json!({
            "httpMethod": "GET", "resource": "/expenses/{expense_id}", "path": "/expenses/x", "headers": {"X-Correlation-Id": "abc"},
            "multiValueHeaders": null, "queryStringParameters": null, "pathParameters": {"expense_id": "x"}, "body": null,
            "isBase64Encoded": false, "requestContext": {"requestId": "r-1", "identity": {"sourceIp": "127.0.0.1"}, "authorizer": null},
        }))
        .unwrap();
        assert_eq!(request.correlation_id().to_string(), "abc");
        assert_eq!(request.path::<slipstream_events::ExpenseId>("expense_id", "expense").unwrap_err().status, 404);
    }

    #[test]
    fn a_hostile_correlation_id_is_replaced() {
        let mut request = Request::default();
        request.headers.insert("x-correlation-id".to_owned(), "a\nb".to_owned());
        request.request_context.request_id = "r-1".to_owned();
        assert_eq!(request.correlation_id().to_string(), "r-1");
    }

    #[test]
    fn a_body_that_is_not_understood_names_the_member() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Outer {
            #[expect(dead_code, reason = "read by serde alone")]
            inner: Vec<slipstream_events::Money>,
        }

        let faults = |body: &str| {
            let request = Request { body: body.to_owned(), ..Request::default() };
            let problem = request.json::<Outer>().unwrap_err();
            assert_eq!(problem.status, 400);
            problem.errors[0].clone()
        };
        let fault = faults(r#"{"inner": [{"minor_units": 1, "currency": "XXZ"}]}"#);
        assert_eq!(fault.field, "inner[0].currency");
        assert!(fault.remedy.contains("ISO 4217"), "{}", fault.remedy);
        let fault = faults(r#"{"inner": [], "outer": 1}"#);
        assert!(fault.remedy.contains("unknown field `outer`"), "{fault:?}");
        for body in ["", "[", "nonsense", r#"{"inner": []} trailing"#] {
            assert_eq!(faults(body).field, "body", "{body}");
        }
    }

    #[tokio::test]
    async fn a_method_that_there_is_not_is_answered_with_those_that_there_are() {
        let event = json!({"httpMethod": "DELETE", "resource": "/expenses", "requestContext": {}});
        let response = serve(event, "http://web", async |_| Err(Problem::internal())).await.unwrap();
        assert_eq!((response.status_code, response.headers["allow"].as_str()), (405, "GET, POST"));
    }

    #[tokio::test]
    async fn a_problem_becomes_its_document() {
        let event = json!({"httpMethod": "GET", "resource": "/x", "requestContext": {}});
        let response = serve(event, "http://web", async |_| Err(Problem::not_found("expense"))).await.unwrap();
        assert_eq!(response.status_code, 404);
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(response.headers["access-control-allow-origin"], "http://web");
        let body: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(body["type"], "urn:slipstream:problem:not-found");
    }
}
