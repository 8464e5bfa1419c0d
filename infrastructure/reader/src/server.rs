//! The service: AWS JSON 1.1 over HTTP.
//!
//! One picture is read at a time, since reading occupies every core; a few more wait; the rest is told to come back
//! (`ThrottlingException`, which the AWS SDKs retry).

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::extract;
use crate::page::Page;
use crate::textract::{AnalyzeExpenseRequest, AnalyzeExpenseResponse};

/// The largest document, as Amazon Textract's synchronous operations have it.
pub const LARGEST_DOCUMENT: usize = 10 << 20;
/// How many requests are held, the one being read included.
pub const PLACES: usize = 8;
/// Base64 of the largest document, and room for the JSON around it.
const LARGEST_BODY: usize = LARGEST_DOCUMENT / 3 * 4 + (64 << 10);
const TARGET: &str = "Textract.AnalyzeExpense";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Why a document was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Neither JPEG nor PNG.
    #[error("the document is neither JPEG nor PNG")]
    Unsupported,
    /// It says it is one, but cannot be decoded.
    #[error("the document cannot be decoded: {0}")]
    Bad(String),
    /// The reader itself failed; trying again may help.
    #[error("reading failed: {0}")]
    Internal(String),
}

/// What the service needs to know of the engine: a file's bytes become a page of text. Blocking.
pub trait ReadPage: Send + Sync + 'static {
    /// Reads one file.
    ///
    /// # Errors
    /// If the file is no picture that can be read, or reading fails.
    fn read_page(&self, file: &[u8]) -> Result<Page, ReadError>;
}

/// Serves until the listener fails.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, engine: Arc<dyn ReadPage>) -> std::io::Result<()> {
    axum::serve(listener, router(engine)).await
}

/// The routes, for tests and for embedding.
pub fn router(engine: Arc<dyn ReadPage>) -> Router {
    Router::new().route("/", post(analyze)).route("/health", get(async || "ok\n")).with_state(Service {
        engine,
        places: Arc::new(Semaphore::new(PLACES)),
        turn: Arc::new(Semaphore::new(1)),
    })
}

#[derive(Clone)]
struct Service {
    engine: Arc<dyn ReadPage>,
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// An answer that is no success, as AWS JSON 1.1 has it.
struct Fault {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Fault {
    fn client(kind: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind, message: message.into() }
    }

    fn internal(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "InternalServerError", message: message.into() }
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        let message = error.to_string();
        match error {
            ReadError::Unsupported => Self::client("UnsupportedDocumentException", message),
            ReadError::Bad(_) => Self::client("BadDocumentException", message),
            ReadError::Internal(_) => Self::internal(message),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "__type": self.kind, "message": self.message, "Message": self.message
        });
        let mut response = reply(self.status, body.to_string().into_bytes());
        response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(self.kind));
        response
    }
}

fn reply(status: StatusCode, body: Vec<u8>) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    response
}

async fn analyze(State(service): State<Service>, headers: HeaderMap, body: Body) -> Response {
    match answer(&service, &headers, body).await {
        Ok(body) => reply(StatusCode::OK, body),
        Err(fault) => fault.into_response(),
    }
}

async fn answer(service: &Service, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Fault> {
    // Holding a place before the body is taken in bounds the memory as well.
    let place = Arc::clone(&service.places)
        .try_acquire_owned()
        .map_err(|_| Fault::client("ThrottlingException", "too many documents at once, try again shortly"))?;
    let target = headers.get("x-amz-target").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if target != TARGET {
        return Err(Fault::client("UnknownOperationException", format!("no operation {target:?}, only {TARGET}")));
    }
    let body = take(headers, body).await?;
    let file = document(&body)?;
    drop(body);
    let turn =
        Arc::clone(&service.turn).acquire_owned().await.map_err(|_| Fault::internal("the reader is shutting down"))?;
    let engine = Arc::clone(&service.engine);
    // The permits go along: a caller who gives up does not free a core that is still busy.
    tokio::task::spawn_blocking(move || read(&*engine, &file, (place, turn)))
        .await
        .map_err(|e| Fault::internal(format!("reading stopped: {e}")))?
}

fn read(
    engine: &dyn ReadPage,
    file: &[u8],
    _held: (OwnedSemaphorePermit, OwnedSemaphorePermit),
) -> Result<Vec<u8>, Fault> {
    let page = engine.read_page(file)?;
    let expense = extract::expense(&page);
    serde_json::to_vec(&AnalyzeExpenseResponse::new(&page, &expense)).map_err(|e| Fault::internal(e.to_string()))
}

async fn take(headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
    let too_large =
        || Fault::client("DocumentTooLargeException", format!("the document has more than {LARGEST_DOCUMENT} bytes"));
    let told = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if told.is_some_and(|n| n > LARGEST_BODY) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|_| too_large())
}

fn document(body: &[u8]) -> Result<Vec<u8>, Fault> {
    let invalid = |message: &str| Fault::client("InvalidParameterException", message);
    let request: AnalyzeExpenseRequest =
        serde_json::from_slice(body).map_err(|e| Fault::client("SerializationException", e.to_string()))?;
    let text = request
        .document
        .and_then(|d| d.bytes)
        .ok_or_else(|| invalid("Document.Bytes is required; S3Object is not read here"))?;
    let file = STANDARD.decode(text).map_err(|_| invalid("Document.Bytes is not base64"))?;
    if file.is_empty() {
        return Err(invalid("Document.Bytes is empty"));
    }
    if file.len() > LARGEST_DOCUMENT {
        return Err(Fault::client(
            "DocumentTooLargeException",
            format!("the document has more than {LARGEST_DOCUMENT} bytes"),
        ));
    }
    Ok(file)
}
