//! A queue as SQS and Lambda have it: messages come in any order and more than once, in batches, to several invocations at
//! once; what fails, or is not answered for because its invocation died, comes again once its visibility timeout is over.
//!
//! That timeout (360 s in `infrastructure/template.yaml`) is longer than a function's time and the lease of a guard
//! together. So when such a message comes again, no invocation that was there when it failed is alive, and no lease that
//! one of them took is held.

use std::{ops::AddAssign, pin::Pin};

use rand::{
    Rng as _,
    rngs::StdRng,
    seq::{IndexedRandom as _, SliceRandom as _},
};
use serde_json::{Value, json};
use slipstream_common::queue::BatchResponse;
use slipstream_events::Event;

use crate::{
    gate::{self, Fate, Gate, LINES},
    services::Services,
};

/// The most messages of a batch, as in `infrastructure/template.yaml`.
const BATCH_SIZE: usize = 10;
/// How often a message is delivered before it is set aside, as there.
const MAX_RECEIVES: u32 = 5;
/// How often one of two choices is made that both go on.
const NOW_AND_THEN: f64 = 0.3;

/// An invocation of a consumer at work.
pub type Invocation<'a> = Pin<Box<dyn Future<Output = BatchResponse> + 'a>>;

/// A message.
#[derive(Debug)]
struct Message {
    id: String,
    body: String,
    receives: u32,
}

/// An invocation, and what it is at.
struct Running<'a> {
    batch: Vec<Message>,
    work: Invocation<'a>,
}

/// What happened on the way.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// How often a message was delivered.
    pub deliveries: u64,
    /// How often the consumer was invoked.
    pub invocations: u64,
    /// How many invocations died, or were not answered.
    pub faults: u64,
    /// What they called.
    pub calls: u64,
    /// The most deliveries of one message.
    pub receives: u32,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.invocations += other.invocations;
        self.faults += other.faults;
        self.calls += other.calls;
        self.receives = self.receives.max(other.receives);
    }
}

/// The body of the message that a rule makes of an event, of a replay if it has a name.
fn body(event: &Event, replay: Option<&str>) -> String {
    let mut bus = json!({
        "version": "0", "id": "b", "source": "slipstream", "detail-type": event.metadata.event_type, "detail": event,
    });
    if let Some(name) = replay {
        bus["replay-name"] = name.into();
    }
    bus.to_string()
}

/// The messages of events in the order in which they happened, by a replay if it has a name.
pub fn each_once(events: &[Event], replay: Option<&str>) -> Vec<String> {
    events.iter().map(|event| body(event, replay)).collect()
}

/// How often something is delivered; once more often than five times.
fn times(random: &mut StdRng) -> usize {
    *[1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5].choose(random).unwrap()
}

/// Messages of each of the events, one to five, in any order. The first of an event is by one of the `first` replays, or
/// by none; the others are by one of the `others`.
pub fn shuffled(events: &[Event], first: &[Option<&str>], others: &[Option<&str>], random: &mut StdRng) -> Vec<String> {
    let mut bodies = Vec::new();
    for event in events {
        bodies.push(body(event, *first.choose(random).unwrap()));
        for _ in 1..times(random) {
            bodies.push(body(event, *others.choose(random).unwrap()));
        }
    }
    bodies.shuffle(random);
    bodies
}

/// The queue, and who takes from it.
pub struct Queue<'a> {
    gate: &'a Gate,
    /// Begins an invocation on a line with a batch.
    begin: Box<Begin<'a>>,
    ready: Vec<Message>,
    /// What comes again once its visibility timeout is over.
    hidden: Vec<Message>,
    running: [Option<Running<'a>>; LINES],
    messages: u64,
    pub tally: Tally,
}

/// Begins an invocation: on which line, with which batch, by which name.
type Begin<'a> = dyn Fn(usize, Value, String) -> Invocation<'a> + 'a;

impl<'a> Queue<'a> {
    pub fn new(gate: &'a Gate, begin: impl Fn(usize, Value, String) -> Invocation<'a> + 'a) -> Self {
        let (ready, hidden, running) = Default::default();
        Self { gate, begin: Box::new(begin), ready, hidden, running, messages: 0, tally: Tally::default() }
    }

    fn message(&mut self, body: String) -> Message {
        self.messages += 1;
        Message { id: format!("m-{}", self.messages), body, receives: 0 }
    }

    /// Delivers messages one by one, in this order and each once, and what is sent on the way at the end.
    pub async fn in_order(&mut self, mut bodies: Vec<String>) {
        while !bodies.is_empty() {
            for body in bodies {
                let message = self.message(body);
                self.start(0, vec![message]).await;
                while self.running[0].is_some() {
                    self.go_on(0, Fate::Answered).await;
                }
                assert!(self.hidden.is_empty(), "it failed: {:?}", self.hidden);
            }
            bodies = self.gate.with(|services| std::mem::take(&mut services.sent));
        }
    }

    /// Delivers messages in any order, what is sent on the way among them, to up to [`LINES`] invocations at once whose
    /// calls go through in any order, until there is nothing left. Up to `faults` times an invocation dies at a call, or
    /// its call is not answered.
    pub async fn deliver(&mut self, bodies: Vec<String>, random: &mut StdRng, mut faults: u32) {
        self.ready = bodies.into_iter().map(|body| self.message(body)).collect();
        loop {
            for body in self.gate.with(|services| std::mem::take(&mut services.sent)) {
                for _ in 0..times(random) {
                    let message = self.message(body.clone());
                    self.ready.insert(random.random_range(0..=self.ready.len()), message);
                }
            }
            let (busy, free): (Vec<usize>, Vec<usize>) = (0..LINES).partition(|&line| self.running[line].is_some());
            let time_passes = busy.is_empty() && !self.hidden.is_empty();
            if time_passes && (self.ready.is_empty() || random.random_bool(NOW_AND_THEN)) {
                self.let_time_pass(random);
            } else if !free.is_empty()
                && !self.ready.is_empty()
                && (busy.is_empty() || random.random_bool(NOW_AND_THEN))
            {
                let size = random.random_range(1..=BATCH_SIZE.min(self.ready.len()));
                let batch = self.ready.drain(..size).collect();
                self.start(free[0], batch).await;
            } else if !busy.is_empty() {
                let line = busy[random.random_range(0..busy.len())];
                let fault = faults > 0 && gate::writes(self.gate, line) && random.random_bool(0.1);
                let fate = match fault {
                    false => Fate::Answered,
                    true if random.random_bool(0.5) => Fate::AnswerLost,
                    true => Fate::Refused,
                };
                faults -= u32::from(fault);
                self.tally.faults += u64::from(fault);
                if fault && random.random_bool(0.7) {
                    self.die(line, fate);
                } else {
                    self.go_on(line, fate).await;
                }
            } else {
                self.tally.calls = self.gate.with(|services| services.calls);
                return;
            }
        }
    }

    async fn start(&mut self, line: usize, mut batch: Vec<Message>) {
        let mut records = Vec::new();
        for message in &mut batch {
            message.receives += 1;
            self.tally.deliveries += 1;
            self.tally.receives = self.tally.receives.max(message.receives);
            assert!(message.receives <= MAX_RECEIVES, "it is set aside: {message:?}");
            records.push(json!({
                "messageId": message.id, "body": message.body, "eventSourceARN": "arn:aws:sqs:::events",
                "attributes": {"ApproximateReceiveCount": message.receives.to_string()},
            }));
        }
        self.tally.invocations += 1;
        let work = (self.begin)(line, json!({ "Records": records }), format!("i-{}", self.tally.invocations));
        self.running[line] = Some(Running { batch, work });
        self.settle(line).await;
    }

    async fn go_on(&mut self, line: usize, fate: Fate) {
        gate::let_through(self.gate, line, fate);
        self.settle(line).await;
    }

    async fn settle(&mut self, line: usize) {
        let Some(running) = &mut self.running[line] else { return };
        let Some(response) = self.gate.settle(line, &mut running.work).await else { return };
        let Some(Running { batch, .. }) = self.running[line].take() else { return };
        let failed = |message: &Message| {
            response.batch_item_failures.iter().any(|failure| failure.item_identifier == message.id)
        };
        self.hidden.extend(batch.into_iter().filter(failed));
    }

    /// The invocation on a line is no more, before or after its call is carried out.
    fn die(&mut self, line: usize, fate: Fate) {
        let Some(Running { batch, work }) = self.running[line].take() else { return };
        drop(work);
        gate::let_through(self.gate, line, fate);
        self.hidden.extend(batch);
    }

    /// Lets the visibility timeout of what failed be over, and with it every lease.
    fn let_time_pass(&mut self, random: &mut StdRng) {
        self.gate.with(Services::let_leases_end);
        self.ready.append(&mut self.hidden);
        self.ready.shuffle(random);
    }
}
