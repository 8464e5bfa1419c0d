//! HTTP/1.1 over hyper: TLS by rustls on ring with the machine's own certificates, proxies by the usual variables.
//!
//! Knows nothing of the API; `api` does.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri, header::HeaderName};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::{
        legacy::{
            Client,
            connect::{HttpConnector, proxy::Tunnel},
        },
        proxy::matcher::Matcher,
    },
    rt::{TokioExecutor, TokioIo},
};
use indicatif::ProgressBar;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::failure::{Failure, Outcome};

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// The most that is read of an answer that is kept in memory; API Gateway's own limit is 10 MB.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How much of a body is handed on at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why there is no answer, for people. Asking again can help.
#[derive(Debug)]
pub(crate) struct NoAnswer(pub(crate) String);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects directly, or through the proxy that the environment names for an HTTPS address.
#[derive(Clone)]
struct Connector {
    direct: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        // Plain HTTP is for this machine only: see `check_address`.
        let is_https = destination.scheme() == Some(&http::uri::Scheme::HTTPS);
        let proxy = is_https.then(|| self.proxies.intercept(&destination)).flatten();
        let mut direct = self.direct.clone();
        match proxy {
            None => Box::pin(async move { Ok(direct.call(destination).await?) }),
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                Box::pin(async move { Ok(tunnel.call(destination).await?) })
            }
        }
    }
}

/// A body of known length that reports how much of it was handed on.
struct Sent {
    rest: Bytes,
    progress: Option<ProgressBar>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(CHUNK_BYTES);
        let chunk = self.rest.split_to(length);
        if let Some(progress) = &self.progress {
            progress.inc(length as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The method.
    pub(crate) method: Method,
    /// The whole address.
    pub(crate) url: String,
    /// The headers, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub(crate) body: Bytes,
    /// Follows the body on its way.
    pub(crate) progress: Option<ProgressBar>,
}

impl Request {
    /// Without headers and body.
    pub(crate) fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Bytes::new(), progress: None }
    }

    /// With another header.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this body.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// An answer that was read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body; what is not UTF-8 is replaced.
    pub(crate) body: String,
}

impl Answer {
    /// One header, if it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The client. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<Connector>, Sent>,
}

impl Http {
    /// Reads the machine's certificates.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn new() -> Outcome<Self> {
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        direct.set_connect_timeout(Some(CONNECTING));
        direct.set_nodelay(true);
        let connector = Connector { direct, proxies: Arc::new(Matcher::from_env()) };
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| {
                Failure::failed(format!(
                    "this machine has no certificates to check servers by: {error}\n\
                     Install them (Debian: ca-certificates), or name a file in SSL_CERT_FILE."
                ))
            })?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Sends a request and waits for the head of the answer, as long as `patience`.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn open(&self, request: Request, patience: Duration) -> Result<Response<Incoming>, NoAnswer> {
        let mut built = http::Request::builder()
            .method(request.method)
            .uri(&request.url)
            .header("user-agent", concat!("slip/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        let body = Sent { rest: request.body, progress: request.progress };
        let built = built.body(body).map_err(|error| NoAnswer(format!("the request cannot be made: {error}")))?;
        let host = built.uri().authority().map(ToString::to_string).unwrap_or_default();
        match tokio::time::timeout(patience, self.client.request(built)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(NoAnswer(format!("{host} cannot be reached: {}", innermost(&error)))),
            Err(_) => Err(NoAnswer(format!("{host} did not answer within {} s", patience.as_secs()))),
        }
    }

    /// Sends a request and reads the whole answer, as long as `patience`.
    ///
    /// # Errors
    /// When it does not come to its end.
    pub(crate) async fn send(&self, request: Request, patience: Duration) -> Result<Answer, NoAnswer> {
        let work = async {
            let (head, body) = self.open(request, patience).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| NoAnswer(format!("the answer broke off: {error}")))?.to_bytes();
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            })
        };
        let late = |_| NoAnswer(format!("the answer was not complete within {} s", patience.as_secs()));
        tokio::time::timeout(patience, work).await.map_err(late)?
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Whether tokens, receipts and passwords may go to this address: HTTPS, or this machine itself.
///
/// # Errors
/// Otherwise, with what to do.
pub(crate) fn check_address(name: &str, address: &str) -> Outcome {
    let uri: Uri = address
        .parse()
        .map_err(|_| Failure::usage(format!("{name}: `{address}` is no address; it begins with https://")))?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(()),
        Some("http") if matches!(host, "127.0.0.1" | "localhost" | "[::1]") => Ok(()),
        _ => {
            Err(Failure::usage(format!("{name}: `{address}` must begin with https:// (http:// only on this machine)")))
        }
    }
}

/// Whether a header may be sent as given by a server's ticket: those of the connection are hyper's to write.
pub(crate) fn is_of_connection(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes())
        .is_ok_and(|name| matches!(name.as_str(), "content-length" | "host" | "connection" | "transfer-encoding"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_here() {
        for good in
            ["https://abc.execute-api.eu-central-1.amazonaws.com/v1", "http://127.0.0.1:4566/", "http://[::1]:1"]
        {
            assert!(check_address("--api-url", good).is_ok(), "{good}");
        }
        for bad in ["http://example.com", "ftp://127.0.0.1", "example.com", "", "http://127.0.0.1.example.com"] {
            let failure = check_address("--api-url", bad).unwrap_err();
            assert_eq!(failure.exit, crate::failure::Exit::Usage, "{bad}");
            assert!(failure.message.contains("https://"), "{failure}");
        }
    }

    #[test]
    fn a_length_is_the_connections() {
        assert!(is_of_connection("Content-Length"));
        assert!(!is_of_connection("x-amz-checksum-sha256"));
    }
}
