//! What an erasure asks of S3, SQS and Cognito, in memory: two buckets, a queue, and a pool of accounts.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Query, State as Extract},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};

#[derive(Debug, Default)]
struct State {
    /// `<bucket>/<key>`, each with one version.
    objects: BTreeSet<String>,
    sent: Vec<Value>,
    deleted_accounts: BTreeSet<String>,
    calls: usize,
    /// After how many more calls one fails, and whether it has its effect.
    fault: Option<(usize, bool)>,
}

/// The running services. They stop when they are dropped.
#[derive(Debug)]
pub struct Services {
    pub url: String,
    state: Arc<Mutex<State>>,
    runtime: Option<Runtime>,
}

impl Services {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&state));
        runtime.spawn(async move { axum::serve(TcpListener::from_std(listener).unwrap(), routes).await });
        Self { url, state, runtime: Some(runtime) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an object: `<bucket>/<key>`.
    pub fn put(&self, object: &str) {
        self.lock().objects.insert(object.to_owned());
    }

    pub fn objects(&self) -> BTreeSet<String> {
        self.lock().objects.clone()
    }

    /// What was sent to the queue since the last time.
    pub fn sent(&self) -> Vec<Value> {
        std::mem::take(&mut self.lock().sent)
    }

    pub fn deleted_accounts(&self) -> BTreeSet<String> {
        self.lock().deleted_accounts.clone()
    }

    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    /// After so many more calls, one fails; if `has_effect`, only its answer is lost.
    pub fn fail(&self, after: usize, has_effect: bool) {
        self.lock().fault = Some((after, has_effect));
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(
    Extract(state): Extract<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.calls += 1;
    let fault = match state.fault.take() {
        Some((0, has_effect)) => Some(has_effect),
        later => {
            state.fault = later.map(|(after, has_effect)| (after - 1, has_effect));
            None
        }
    };
    if fault == Some(false) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let body = String::from_utf8(body.to_vec()).unwrap();
    let target = headers.get("x-amz-target").map(|target| target.to_str().unwrap()).unwrap_or_default();
    let answer = match target {
        "AmazonSQS.SendMessage" => {
            state.sent.push(serde_json::from_str(&body).unwrap());
            r#"{"MessageId": "1"}"#.to_owned()
        }
        "AWSCognitoIdentityProviderService.AdminDeleteUser" => {
            let request: Value = serde_json::from_str(&body).unwrap();
            if !state.deleted_accounts.insert(request["Username"].as_str().unwrap().to_owned()) {
                let error = r#"{"__type": "UserNotFoundException", "message": "User does not exist."}"#;
                return (StatusCode::BAD_REQUEST, error).into_response();
            }
            "{}".to_owned()
        }
        _ => {
            let bucket = uri.path().trim_matches('/').to_owned();
            match (method, query.contains_key("versions"), query.contains_key("delete")) {
                (Method::GET, true, _) => state.versions(&bucket, &query["prefix"]),
                (Method::POST, _, true) => state.delete(&bucket, &body),
                (method, ..) => panic!("nothing here answers {method} {uri}"),
            }
        }
    };
    if fault.is_some() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    answer.into_response()
}

impl State {
    fn versions(&self, bucket: &str, prefix: &str) -> String {
        let keys = self.objects.iter().filter_map(|object| object.strip_prefix(bucket)?.strip_prefix('/'));
        let version = |key: &str| format!("<Version><Key>{key}</Key><VersionId>1</VersionId></Version>");
        let versions: String = keys.filter(|key| key.starts_with(prefix)).map(version).collect();
        format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{versions}</ListVersionsResult>")
    }

    fn delete(&mut self, bucket: &str, body: &str) -> String {
        for rest in body.split("<Key>").skip(1) {
            let key = rest.split("</Key>").next().unwrap();
            self.objects.remove(&format!("{bucket}/{key}"));
        }
        "<DeleteResult></DeleteResult>".to_owned()
    }
}
