//! Requests and responses of an API Gateway REST API with Lambda proxy integration
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>), reduced to
//! what the functions look at. An unknown member never makes a request unreadable.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use slipstream_events::{Actor, Cause, CorrelationId, PersonId};
use uuid::Uuid;

use crate::{
    Fault,
    metrics::Metrics,
    problem::{FieldError, Problem},
    routes,
};

/// The longest body, in bytes. The largest that the contract describes, 400 days of exchange rates, is well below it;
/// the gateway itself takes ten times as much.
pub const MAX_BODY: usize = 1024 * 1024;

/// For an optional member of a body that may be left out, but not be `null`.
///
/// # Errors
/// When it is `null`, or not a `T`.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

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
    multi_value_query_string_parameters: HashMap<String, Vec<String>>,
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
    /// 400 with the field that has not the form it must have; 422 with the field whose value cannot be.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.is_base64_encoded {
            return Err(Problem::bad_request("Send the body as application/json."));
        }
        let mut json = serde_json::Deserializer::from_str(&self.body);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            malformed(&path, error.inner())
        })?;
        json.end().map_err(|error| malformed(".", &error))?;
        Ok(value)
    }

    /// Whether the request has the form of its operation: no member of the query that there is not, none twice, and no
    /// body where none belongs (none, or an empty object) or one that is too large. Whoever calls is asked for first:
    /// [`crate::caller::authenticate`] ends with this.
    ///
    /// # Errors
    /// 400, 413, 422.
    pub fn check_form(&self) -> Result<(), Problem> {
        let operations = routes::operations(&self.resource).unwrap_or_default();
        let Some(operation) = operations.iter().find(|operation| operation.method == self.http_method) else {
            return Err(Problem::method_not_allowed());
        };
        if self.body.len() > MAX_BODY {
            return Err(Problem::too_large(MAX_BODY));
        }
        let mut faults = Vec::new();
        for name in self.query_string_parameters.keys() {
            if !operation.query.contains(&name.as_str()) {
                let known = match operation.query {
                    [] => "it takes no query".to_owned(),
                    known => format!("there are {}", known.join(", ")),
                };
                faults.push(FieldError { field: shortened(name), remedy: format!("leave it out; {known}") });
            } else if self.multi_value_query_string_parameters.get(name).is_some_and(|values| values.len() > 1) {
                faults.push(FieldError { field: name.clone(), remedy: "give it once".to_owned() });
            }
        }
        if !faults.is_empty() {
            faults.sort_by(|one, other| one.field.cmp(&other.field));
            return Err(Problem::invalid_fields(faults));
        }
        let body = self.body.trim();
        let says_nothing =
            || serde_json::from_str::<serde_json::Map<String, Value>>(body).is_ok_and(|it| it.is_empty());
        if operation.body || body.is_empty() || says_nothing() {
            return Ok(());
        }
        Err(Problem::bad_request("This takes no body. Send none, or {}."))
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

/// A part of a body that was taken as it came, as the type it must have. Its members are named without the part's name.
///
/// # Errors
/// 400 or 422 with the field at fault, as [`Request::json`].
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| malformed(&error.path().to_string(), error.inner()))
}

/// A name that somebody sent, for an answer.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}

/// What the parser says of a body that has not the form of the type. Whatever else it says comes from a value that has
/// the form and cannot be, such as the 30th of February.
const FORM: [&str; 7] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "unknown variant",
    "unknown field",
    "missing field",
    "duplicate field",
];

/// The problem that a body is not what it should be: `error` at `path`, such as `details.amount` or `parts[1]`. The
/// field is named where there is one, with what the parser expects there.
fn malformed(path: &str, error: &serde_json::Error) -> Problem {
    if error.classify() != serde_json::error::Category::Data {
        return Problem::bad_request(format!("The body is not JSON: {error}."));
    }
    let text = error.to_string();
    let told = text.rsplit_once(" at line ").map_or(text.as_str(), |(told, _)| told);
    let mut field = if path == "." { String::new() } else { path.to_owned() };
    // What is missing is not on the path, and what is unknown or given twice need not be.
    let named = |prefix: &str| told.strip_prefix(prefix)?.split_once('`');
    let named = named("missing field `").or_else(|| named("unknown field `")).or_else(|| named("duplicate field `"));
    if let Some((name, _)) = named
        && field.rsplit('.').next() != Some(name)
    {
        let dot = if field.is_empty() { "" } else { "." };
        field = format!("{field}{dot}{name}");
    }
    let field = if field.is_empty() { "body".to_owned() } else { shortened(&field) };
    let remedy = match named {
        Some(_) if told.starts_with("missing") => "give a value".to_owned(),
        Some(_) if told.starts_with("duplicate") => "give it once".to_owned(),
        Some((_, expected)) => format!("leave it out{}", expected.replacen(", expected", "; expected is", 1)),
        None => told.to_owned(),
    };
    let errors = vec![FieldError { field, remedy }];
    match FORM.iter().any(|form| told.starts_with(form)) {
        true => Problem::bad_fields(errors),
        false => Problem::invalid_fields(errors),
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
            .header(
                "access-control-expose-headers",
                "allow, etag, idempotency-replayed, location, retry-after, x-correlation-id",
            )
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
        let response = Self::new(problem.status, "application/problem+json", body);
        // As the gateway says of its own refusals: a second is enough.
        if problem.status == 503 { response.header("retry-after", "1") } else { response }
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
    let operations = routes::operations(&request.resource).unwrap_or_default();
    if !operations.iter().any(|operation| operation.method == request.http_method) {
        // Said to everyone: the gateway does not ask who sends a method that there is not.
        let response = Response::from(Problem::method_not_allowed()).header("allow", routes::allow(operations));
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
        Metrics::new().count("Problems", 1).by("Status", problem.status).emit();
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

    #[tokio::test]
    async fn a_method_that_there_is_not_is_answered_with_those_that_there_are() {
        let event = json!({"httpMethod": "DELETE", "resource": "/expenses", "requestContext": {}});
        let response = serve(event, "http://web", async |_| Err(Problem::internal())).await.unwrap();
        assert_eq!((response.status_code, response.headers["allow"].as_str()), (405, "GET, POST"));
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only whether it can be read matters")]
        parts: Vec<Part>,
        #[serde(default, deserialize_with = "given")]
        locale: Option<Option<String>>,
        #[serde(default, deserialize_with = "given")]
        name: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        #[expect(dead_code, reason = "only whether it can be read matters")]
        minor_units: i64,
    }

    fn read(body: &str) -> Result<Body, Problem> {
        Request { body: body.to_owned(), ..Request::default() }.json()
    }

    #[test]
    fn a_malformed_body_names_the_field_and_what_belongs_there() {
        for (body, field, remedy) in [
            (r#"{"parts": [{"minor_units": 1}, {"minor_units": 1.5}]}"#, "parts[1].minor_units", "expected i64"),
            (r#"{"parts": [{"minor_units": 1, "owner": "me"}]}"#, "parts[0].owner", "leave it out"),
            (r#"{"parts": [], "owner": "me"}"#, "owner", "leave it out"),
            (r#"{"parts": [], "parts": []}"#, "parts", "once"),
            (r#"{"parts": [{}]}"#, "parts[0].minor_units", "give a value"),
            (r#"{"parts": {}}"#, "parts", "expected a sequence"),
            (r#"{"parts": [], "name": null}"#, "name", "expected a string"),
            (r#"{}"#, "parts", "give a value"),
            (r#"[1]"#, "[0]", "expected"),
            (r#"7"#, "body", "expected"),
        ] {
            let problem = read(body).unwrap_err();
            assert_eq!(problem.status, 400, "{body}");
            let [error] = problem.errors.as_slice() else { panic!("{body}: {problem:?}") };
            assert_eq!(error.field, field, "{body}: {error:?}");
            assert!(error.remedy.contains(remedy), "{body}: {error:?}");
            assert!(!error.remedy.contains(" at line "), "{body}: {error:?}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_is_told_from_a_form_that_is_not() {
        #[derive(Debug, Deserialize)]
        struct Dated {
            #[expect(dead_code, reason = "only whether it can be read matters")]
            date: jiff::civil::Date,
            #[expect(dead_code, reason = "only whether it can be read matters")]
            currency: slipstream_events::Currency,
        }
        for (body, status, field) in [
            (r#"{"date": "2026-02-30", "currency": "EUR"}"#, 422, "date"),
            (r#"{"date": "2026-02-28", "currency": "EUX"}"#, 422, "currency"),
            (r#"{"date": 20260228, "currency": "EUR"}"#, 400, "date"),
            (r#"{"date": "2026-02-28", "currency": null}"#, 400, "currency"),
        ] {
            let request = Request { body: body.to_owned(), ..Request::default() };
            let problem = request.json::<Dated>().unwrap_err();
            assert_eq!((problem.status, problem.errors[0].field.as_str()), (status, field), "{body}: {problem:?}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place() {
        for body in ["", "{", r#"{"parts": [],}"#, r#"{"parts": []} x"#] {
            let problem = read(body).unwrap_err();
            assert!(problem.status == 400 && problem.errors.is_empty(), "{body}: {problem:?}");
            assert!(problem.detail.contains("at line 1"), "{body}: {problem:?}");
        }
    }

    #[test]
    fn a_part_taken_as_it_came_names_its_members() {
        for part in [json!({"minor_units": "x"}), json!({})] {
            let problem = from_value::<Part>(part).unwrap_err();
            assert_eq!((problem.status, problem.errors[0].field.as_str()), (400, "minor_units"));
        }
    }

    #[test]
    fn null_and_nothing_are_told_apart() {
        let read = |body: &str| read(body).unwrap();
        assert_eq!(read(r#"{"parts": []}"#).locale, None);
        assert_eq!(read(r#"{"parts": [], "locale": null}"#).locale, Some(None));
        assert_eq!(read(r#"{"parts": [], "locale": "de", "name": "x"}"#).locale, Some(Some("de".to_owned())));
        assert_eq!(read(r#"{"parts": [], "name": "x"}"#).name.as_deref(), Some("x"));
    }

    /// How a request with this query and body is answered by a function that asks for nothing but its form.
    async fn answered(method: &str, resource: &str, query: Value, body: &str) -> Response {
        let single = query.as_object().map(|query| {
            let last = |values: &Value| values.as_array().and_then(|values| values.last()).cloned();
            query.iter().map(|(name, values)| (name.clone(), last(values))).collect::<HashMap<_, _>>()
        });
        let event = json!({
            "httpMethod": method, "resource": resource, "requestContext": {}, "body": body,
            "queryStringParameters": single, "multiValueQueryStringParameters": query,
        });
        let answer = async |request: Request| request.check_form().map(|()| Response::json(200, &json!({})));
        serve(event, "http://web", answer).await.unwrap()
    }

    #[tokio::test]
    async fn a_query_has_known_members_once_each() {
        let fields = |response: Response| {
            assert_eq!(response.status_code, 422, "{}", response.body);
            let body: Value = serde_json::from_str(&response.body).unwrap();
            let errors = body["errors"].as_array().unwrap().iter();
            errors.map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(answered("GET", "/expenses", json!({"status": ["draft"]}), "").await.status_code, 200);
        let mistyped = answered("GET", "/expenses", json!({"statsu": ["draft"], "limits": ["1"]}), "").await;
        assert_eq!(fields(mistyped), ["limits", "statsu"]);
        assert_eq!(fields(answered("GET", "/expenses", json!({"limit": ["1", "2"]}), "").await), ["limit"]);
        assert_eq!(fields(answered("GET", "/me", json!({"expand": ["1"]}), "").await), ["expand"]);
    }

    #[tokio::test]
    async fn a_body_has_an_end_and_stands_only_where_one_belongs() {
        let status = async |method, resource, body: &str| answered(method, resource, json!({}), body).await.status_code;
        for nothing in ["", " ", "{}"] {
            assert_eq!(status("DELETE", "/budgets/{category}", nothing).await, 200);
        }
        for something in ["[]", "null", r#"{"a": 1}"#, "x"] {
            assert_eq!(status("DELETE", "/budgets/{category}", something).await, 400);
            assert_eq!(status("PUT", "/budgets/{category}", something).await, 200);
        }
        assert_eq!(status("PUT", "/budgets/{category}", &"x".repeat(MAX_BODY)).await, 200);
        assert_eq!(status("PUT", "/budgets/{category}", &"x".repeat(MAX_BODY + 1)).await, 413);
    }

    #[tokio::test]
    async fn a_problem_becomes_its_document() {
        let event = json!({"httpMethod": "GET", "resource": "/me", "requestContext": {}});
        let response = serve(event, "http://web", async |_| Err(Problem::not_found("expense"))).await.unwrap();
        assert_eq!(response.status_code, 404);
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(response.headers["access-control-allow-origin"], "http://web");
        let body: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(body["type"], "urn:slipstream:problem:not-found");
    }
}
