//! A small server that answers as a test wants and remembers what it was asked, and the real binary run against it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The tokens that nothing may ever print.
pub const SECRETS: [&str; 3] = ["first-signature", "second-signature", "refresh-secret"];

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `METHOD /path`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

type Answering = dyn Fn(&Asked) -> Response + Send + Sync;

struct Shared {
    answering: Box<Answering>,
    asked: Mutex<Vec<Asked>>,
}

/// The server.
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    pub async fn start(answering: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { answering: Box::new(answering), asked: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = uri.query().unwrap_or_default().to_owned();
    let asked = Asked { method, path: uri.path().to_owned(), query, headers, body };
    shared.asked.lock().unwrap().push(asked.clone());
    (shared.answering)(&asked)
}

/// An answer with JSON.
pub fn json_answer(status: u16, body: &Value) -> Response {
    let builder = Response::builder().status(status).header("content-type", "application/json");
    builder.body(Body::from(body.to_string())).unwrap()
}

/// An answer without a body.
pub fn empty(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

/// A problem document.
pub fn problem(status: u16, kind: &str) -> Response {
    let kind = format!("urn:slipstream:problem:{kind}");
    json_answer(status, &json!({ "type": kind, "title": "A title", "status": status, "detail": "What to do." }))
}

/// Answers one after the other; the last one stays.
pub fn in_turn(answers: Vec<Box<dyn Fn() -> Response + Send + Sync>>) -> impl Fn() -> Response + Send + Sync {
    let left = Mutex::new(VecDeque::from(answers));
    move || {
        let mut left = left.lock().unwrap();
        if left.len() > 1 { left.pop_front().unwrap()() } else { left[0]() }
    }
}

/// An ID token that ends then; nobody checks its signature here.
pub fn token(ends_in_seconds: i64, signature: &str) -> String {
    let ends = jiff::Timestamp::now().as_second() + ends_in_seconds;
    format!("e30.{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(json!({ "exp": ends }).to_string()))
}

/// Somebody's home: settings and tokens in a folder of its own.
pub struct Home {
    folder: tempfile::TempDir,
    api_url: String,
}

/// How a run ended.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// One JSON value per line.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Home {
    /// Nobody is signed in.
    pub fn empty(server: &Server) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), api_url: server.url() }
    }

    /// Signed in with a token that ends in so many seconds.
    pub fn signed_in_for(server: &Server, seconds: i64) -> Self {
        let home = Self::empty(server);
        home.keep_tokens(&server.url(), &token(seconds, "first-signature"));
        home
    }

    /// Signed in.
    pub fn signed_in(server: &Server) -> Self {
        Self::signed_in_for(server, 3000)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn tokens_path(&self) -> PathBuf {
        self.path().join("config/slip/default/tokens.json")
    }

    pub fn tokens(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.tokens_path()).unwrap()).unwrap()
    }

    pub fn keep_tokens(&self, api_url: &str, id_token: &str) {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

        let path = self.tokens_path();
        let folder = path.parent().unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let payload = id_token.split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        let ends = jiff::Timestamp::from_second(claims["exp"].as_i64().unwrap()).unwrap();
        let tokens = json!({
            "api_url": api_url, "client_id": "client", "id_token": id_token, "refresh_token": "refresh-secret",
            "expires_at": ends.to_string(),
        });
        let mut options = std::fs::File::options();
        let file = options.create(true).write(true).truncate(true).mode(0o600).open(path).unwrap();
        serde_json::to_writer(file, &tokens).unwrap();
    }

    /// A file in the home.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs `slip`; checks what must hold for every run.
    pub async fn slip(&self, arguments: &[&str]) -> Run {
        self.slip_with(arguments, &[], "").await
    }

    /// The same with variables and an input.
    pub async fn slip_with(&self, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Run {
        use tokio::io::AsyncWriteExt;

        let mut child = self.command(arguments).envs(variables.iter().copied()).spawn().unwrap();
        // Who does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
        let output = child.wait_with_output().await.unwrap();
        let run = Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for secret in SECRETS {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{arguments:?} printed a token");
        }
        assert!(!run.stderr.contains('\u{1b}'), "{arguments:?} drew where there is no terminal: {}", run.stderr);
        run
    }

    /// The command, all of its ends piped.
    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_slip"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("SLIP_API_URL", &self.api_url)
            .env("SLIP_USER_POOL_ID", "eu-central-1_Abc123XYZ")
            .env("SLIP_CLIENT_ID", "client")
            .env("SLIP_COGNITO_URL", format!("{}/cognito", self.api_url))
            .current_dir(self.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        command
    }
}
