//! Where the calls of several invocations wait until one of them is let through.

use std::{
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
use slipstream_table_stub::Stub;
use tokio::sync::oneshot;

use crate::services::{Answer, Services};

/// How many invocations there are at once, at most.
pub const LINES: usize = 3;
/// The line of whoever does not wait: its calls go through at once.
pub const OPEN: usize = LINES;

/// A call that waits.
#[derive(Debug)]
struct Call {
    target: String,
    body: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is carried out and answered.
    Answered,
    /// It is carried out; the answer is lost.
    AnswerLost,
    /// It is not carried out.
    Refused,
}

#[derive(Debug)]
struct Inside {
    services: Services,
    waiting: [Option<Call>; LINES],
}

/// Where calls wait, each on the line of its invocation.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Mutex<Inside>>);

#[derive(Debug, Clone)]
struct Line {
    gate: Gate,
    number: usize,
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let mut inside = self.gate.inside();
        if self.number == OPEN {
            return HttpConnectorFuture::ready(Ok(response(inside.services.call(&target, &body))));
        }
        let (answer, answered) = oneshot::channel();
        inside.waiting[self.number] = Some(Call { target, body, answer });
        HttpConnectorFuture::new(
            async move { answered.await.map(response).map_err(|gone| ConnectorError::io(gone.into())) },
        )
    }
}

fn response(answer: Answer) -> HttpResponse {
    let mut response = HttpResponse::new(answer.status.try_into().unwrap(), answer.body.into());
    response.headers_mut().insert("content-type", answer.media_type);
    response
}

impl Gate {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Inside { services: Services::on(Stub::detached()), waiting: Default::default() })))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The HTTP client of an invocation on this line.
    pub fn client(&self, number: usize) -> SharedHttpClient {
        let line = SharedHttpConnector::new(Line { gate: self.clone(), number });
        http_client_fn(move |_, _| line.clone())
    }

    /// Does something with the services as they are.
    pub fn with<T>(&self, what: impl FnOnce(&mut Services) -> T) -> T {
        what(&mut self.inside().services)
    }

    /// Begins anew with other services; the ones before.
    pub fn begin(&self, services: Services) -> Services {
        let mut inside = self.inside();
        inside.waiting = Default::default();
        std::mem::replace(&mut inside.services, services)
    }

    /// Whether the call on a line leads to something. To die before a read is to die before what comes next: nobody sees
    /// a read.
    pub fn writes(&self, line: usize) -> bool {
        let reads =
            |call: &Call| [".GetItem", ".BatchGetItem", ".Query"].iter().any(|read| call.target.ends_with(read));
        self.inside().waiting[line].as_ref().is_some_and(|call| !reads(call))
    }

    /// Lets the call on a line meet its fate.
    pub fn let_through(&self, line: usize, fate: Fate) {
        let mut inside = self.inside();
        let Some(call) = inside.waiting[line].take() else { return };
        let mut answer = Answer::unavailable();
        if fate != Fate::Refused {
            let carried_out = inside.services.call(&call.target, &call.body);
            if fate == Fate::Answered {
                answer = carried_out;
            }
        }
        // Whoever has died waits for no answer.
        let _ = call.answer.send(answer);
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
