//! Where the calls of several actors wait until one of them is let through: so that a test decides in which order they
//! come, and what becomes of each.

use std::{
    fmt::Debug,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use serde_json::Value;
use tokio::sync::oneshot;

/// What a call is answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body's media type.
    pub media_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The answer of a service that speaks JSON.
    pub fn json(status: u16, document: &Value) -> Self {
        Self { status, media_type: "application/x-amz-json-1.0", body: document.to_string() }
    }

    fn response(self) -> Result<HttpResponse, ConnectorError> {
        let status = self.status.try_into().map_err(|error| ConnectorError::user(Box::new(error)))?;
        let mut response = HttpResponse::new(status, self.body.into());
        response.headers_mut().insert("content-type", self.media_type);
        Ok(response)
    }
}

/// Everything that calls can reach.
pub trait Reachable: Debug + Send + 'static {
    /// Carries out a call of whoever is on this line.
    fn carry_out(&mut self, line: usize, target: &str, body: &[u8]) -> Answer;
}

/// A call that waits.
#[derive(Debug)]
pub struct Call {
    /// The operation, as the header `x-amz-target` names it.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

impl Call {
    /// Answers it; whoever has died waits for no answer.
    pub fn answer(self, answer: Answer) {
        let _ = self.answer.send(answer);
    }
}

/// What is behind the gate, and the calls before it.
#[derive(Debug)]
pub struct Inside<R, const LINES: usize> {
    /// What calls can reach.
    pub reachable: R,
    /// The call that waits on each line.
    pub waiting: [Option<Call>; LINES],
}

/// The gate. On each line stands one actor, which makes one call after the other; calls on any line beyond these go
/// through at once.
#[derive(Debug)]
pub struct Gate<R, const LINES: usize>(Arc<Mutex<Inside<R, LINES>>>);

impl<R, const LINES: usize> Clone for Gate<R, LINES> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Line<R, const LINES: usize> {
    gate: Gate<R, LINES>,
    number: usize,
}

impl<R: Reachable, const LINES: usize> HttpConnector for Line<R, LINES> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let mut inside = self.gate.inside();
        if self.number >= LINES {
            return HttpConnectorFuture::ready(inside.reachable.carry_out(self.number, &target, &body).response());
        }
        let (answer, answered) = oneshot::channel::<Answer>();
        inside.waiting[self.number] = Some(Call { target, body, answer });
        HttpConnectorFuture::new(async move {
            answered.await.map_err(|gone| ConnectorError::io(gone.into())).and_then(Answer::response)
        })
    }
}

impl<R: Reachable, const LINES: usize> Gate<R, LINES> {
    /// A gate before this.
    pub fn before(reachable: R) -> Self {
        Self(Arc::new(Mutex::new(Inside { reachable, waiting: std::array::from_fn(|_| None) })))
    }

    /// What is behind it, and what waits. Calls come to a stop meanwhile.
    pub fn inside(&self) -> MutexGuard<'_, Inside<R, LINES>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with what is behind it.
    pub fn with<T>(&self, what: impl FnOnce(&mut R) -> T) -> T {
        what(&mut self.inside().reachable)
    }

    /// The HTTP client of whoever is on a line.
    pub fn client(&self, number: usize) -> SharedHttpClient {
        let line = SharedHttpConnector::new(Line { gate: self.clone(), number });
        http_client_fn(move |_, _| line.clone())
    }

    /// Begins anew before something else, with no call waiting; what was there before.
    pub fn begin(&self, reachable: R) -> R {
        let mut inside = self.inside();
        inside.waiting = std::array::from_fn(|_| None);
        std::mem::replace(&mut inside.reachable, reachable)
    }

    /// Until the work on a line stands at a call or is done; what it came to, if it is.
    pub async fn settle<T>(&self, line: usize, work: &mut Pin<Box<dyn Future<Output = T> + '_>>) -> Option<T> {
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if self.inside().waiting[line].is_some() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}
