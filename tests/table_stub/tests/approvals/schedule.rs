//! Every order in which the calls of several actors can reach AWS.
//!
//! An actor is a future that calls the real functions. Its calls wait at the [`Gate`]; the explorer lets one through,
//! waits until that actor stands at its next call or is done, and chooses again. It goes depth first through all choices.
//! What an actor does next depends on nothing but what it was answered; so two moments at which every item was written by
//! the same calls, and every actor was answered the same, go on alike, and are gone on from once.
//!
//! Nor is it tried both ways round where two calls that come next have nothing to do with each other: two reads, or a read
//! and a write of other items. These are sleep sets (Godefroid, *Partial-Order Methods for the Verification of Concurrent
//! Systems*, 1996, chapter 5): what was gone into at a moment sleeps on every other way from there until something happens
//! that it depends on. The moment that it would have led to is known all the same, by the other way round, so that orders
//! are counted over the whole graph of moments.

use std::{collections::HashMap, fmt::Debug, pin::Pin};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use serde_json::{Value, json};
use slipstream_table_stub::gate;

use crate::services::{Answer, Services, digest};

/// The most actors.
pub const ACTORS: usize = 3;
/// The line of whoever is not scheduled: its calls go through at once.
pub const OPEN: usize = ACTORS;

/// What the actors call, and what they were answered.
#[derive(Debug)]
struct Stage {
    services: Services,
    /// What each actor was answered so far.
    answered: [u64; ACTORS + 1],
    /// What is another text in what an actor sees: for a clock that is ahead.
    lens: [Option<(String, String)>; ACTORS + 1],
}

impl gate::Reachable for Stage {
    fn carry_out(&mut self, actor: usize, target: &str, body: &[u8]) -> gate::Answer {
        let caller = digest((actor, self.answered[actor], target));
        let Answer { status, document, meaning } = self.services.call(caller, target, body);
        self.answered[actor] = digest((caller, meaning));
        match &self.lens[actor] {
            None => gate::Answer::json(status, &document),
            Some((from, to)) => {
                let seen = serde_json::from_str(&document.to_string().replace(from, to)).unwrap();
                gate::Answer::json(status, &seen)
            }
        }
    }
}

/// Where calls wait, each on the line of its actor.
#[derive(Debug, Clone)]
pub struct Gate(gate::Gate<Stage, ACTORS>);

impl Gate {
    pub fn new() -> Self {
        let (services, answered, lens) = (Services::new(), Default::default(), Default::default());
        Self(gate::Gate::before(Stage { services, answered, lens }))
    }

    /// The HTTP client of an actor.
    pub fn client(&self, actor: usize) -> SharedHttpClient {
        self.0.client(actor)
    }

    /// Does something with the services as they are.
    pub fn with<T>(&self, what: impl FnOnce(&mut Services) -> T) -> T {
        self.0.with(|stage| what(&mut stage.services))
    }

    /// Has an actor see another text instead of one.
    pub fn lens(&self, actor: usize, from: &str, to: &str) {
        self.0.with(|stage| stage.lens[actor] = Some((from.to_owned(), to.to_owned())));
    }

    fn begin(&self, services: Services) {
        let lens = self.0.with(|stage| std::mem::take(&mut stage.lens));
        self.0.begin(Stage { services, answered: Default::default(), lens });
    }

    fn may_conflict(&self, actor: usize) -> bool {
        let inside = self.0.inside();
        inside.waiting[actor].as_ref().is_some_and(|call| call.target.ends_with(".TransactWriteItems"))
    }

    fn let_through(&self, actor: usize) {
        use gate::Reachable as _;

        let mut inside = self.0.inside();
        let Some(call) = inside.waiting[actor].take() else { return };
        let answer = inside.reachable.carry_out(actor, &call.target, &call.body);
        call.answer(answer);
    }

    /// Another transaction, of somebody else, is at the same items: nothing is written.
    fn conflict(&self, actor: usize) {
        let mut inside = self.0.inside();
        let Some(call) = inside.waiting[actor].take() else { return };
        let answered = &mut inside.reachable.answered[actor];
        *answered = digest((*answered, "conflict"));
        let request: Value = serde_json::from_slice(&call.body).unwrap();
        let writes = request["TransactItems"].as_array().unwrap().len();
        let code = |at: usize| json!({ "Code": if at == 0 { "TransactionConflict" } else { "None" } });
        let reasons: Vec<_> = (0..writes).map(code).collect();
        let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        let document = json!({ "__type": kind, "Message": "cancelled", "CancellationReasons": reasons });
        call.answer(gate::Answer::json(400, &document));
    }

    fn footprint(&self, actor: usize) -> Footprint {
        let inside = self.0.inside();
        inside.waiting[actor].as_ref().map(|call| Footprint::of(&call.target, &call.body)).unwrap_or_default()
    }

    fn stop(&self, actor: usize) {
        let mut inside = self.0.inside();
        inside.waiting[actor] = None;
        let answered = &mut inside.reachable.answered[actor];
        *answered = digest((*answered, "stopped"));
    }

    fn moment(&self, done: &[bool], faults: u32) -> u64 {
        self.0.with(|stage| digest((stage.services.moment(), stage.answered, done, faults)))
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// This actor's call is let through.
    Through(usize),
    /// This actor dies: it is never answered, and does nothing any more.
    Stop(usize),
    /// This actor's transaction meets another one.
    Conflict(usize),
}

impl Choice {
    const fn actor(self) -> usize {
        match self {
            Self::Through(actor) | Self::Stop(actor) | Self::Conflict(actor) => actor,
        }
    }
}

/// What a call reads and writes.
#[derive(Debug, Clone, Default)]
struct Footprint {
    /// Keys, or whole partitions.
    reads: Vec<(String, Option<String>)>,
    writes: Vec<(String, String)>,
    /// Whether it reads an index, into which any write may come.
    index: bool,
}

impl Footprint {
    fn of(target: &str, body: &[u8]) -> Self {
        let request: Value = serde_json::from_slice(body).unwrap();
        let key =
            |item: &Value| (item["PK"]["S"].as_str().unwrap().to_owned(), item["SK"]["S"].as_str().unwrap().to_owned());
        let read = |item: &Value| (key(item).0, Some(key(item).1));
        let mut footprint = Self::default();
        match target.rsplit('.').next().unwrap_or_default() {
            "GetItem" => footprint.reads.push(read(&request["Key"])),
            "BatchGetItem" => {
                let tables = request["RequestItems"].as_object().unwrap().values();
                footprint.reads.extend(tables.flat_map(|table| table["Keys"].as_array().unwrap()).map(read));
            }
            "Query" if request["IndexName"].is_string() => footprint.index = true,
            "Query" => {
                let pk = request["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap();
                footprint.reads.push((pk.to_owned(), None));
            }
            "TransactWriteItems" => {
                for write in request["TransactItems"].as_array().unwrap() {
                    let (kind, write) = write.as_object().unwrap().iter().next().unwrap();
                    match kind.as_str() {
                        "Put" => footprint.writes.push(key(&write["Item"])),
                        "ConditionCheck" => footprint.reads.push(read(&write["Key"])),
                        _ => footprint.writes.push(key(&write["Key"])),
                    }
                }
            }
            // All that is beside the table is one thing.
            _ => footprint.writes.push(("beside".to_owned(), target.split('.').next().unwrap_or_default().to_owned())),
        }
        footprint
    }

    fn depends_on(&self, other: &Self) -> bool {
        let in_table = |footprint: &Self| footprint.writes.iter().any(|(pk, _)| pk != "beside");
        let reads = |one: &Self, other: &Self| {
            let is_written = |(pk, sk): &(String, Option<String>)| {
                other.writes.iter().any(|(written, at)| written == pk && sk.as_ref().is_none_or(|sk| sk == at))
            };
            one.reads.iter().any(is_written) || (one.index && in_table(other))
        };
        self.writes.iter().any(|write| other.writes.contains(write)) || reads(self, other) || reads(other, self)
    }
}

/// Whether two choices of one moment lead to the same one, whichever comes first.
fn independent((one, print): &(Choice, Footprint), (other, other_print): &(Choice, Footprint)) -> bool {
    match (one, other) {
        _ if one.actor() == other.actor() => false,
        (Choice::Through(_), Choice::Through(_)) => !print.depends_on(other_print),
        // Neither writes anything; of these there is one in a run.
        (Choice::Through(_), _) | (_, Choice::Through(_)) => true,
        _ => false,
    }
}

/// A moment.
#[derive(Debug, Default)]
struct Moment {
    /// What was chosen there, and where it led.
    led_to: HashMap<Choice, Option<u64>>,
    /// What slept there: before which moment, and what was chosen at that.
    slept: HashMap<Choice, (u64, Choice)>,
}

/// What may go wrong beside the order, in one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Whether one actor may die, before any of its writes or after the last.
    pub stop: bool,
    /// Whether one transaction, any, may meet another.
    pub conflict: bool,
}

/// What an actor came to; none if it died.
pub type Outcomes<T> = Vec<Option<T>>;
/// An actor at work.
pub type Actor<T> = Pin<Box<dyn Future<Output = T>>>;

/// What was explored.
#[derive(Debug, Default)]
pub struct Explored {
    /// Orders.
    pub orders: u128,
    /// Moments that differ.
    pub moments: usize,
    /// How often the actors were begun.
    pub runs: usize,
    /// Moments at which all of them were done.
    pub ends: usize,
}

/// A way to go, and what sleeps before its last choice.
type Way = (Vec<Choice>, Vec<(Choice, Footprint)>);

/// Goes through every order. `begin` makes the actors; `end` is called at each moment at which all are done, and says what
/// is wrong.
pub async fn explore<T: Debug>(
    gate: &Gate,
    start: &Services,
    faults: Faults,
    begin: impl Fn() -> Vec<Actor<T>>,
    end: impl AsyncFn(&Outcomes<T>) -> Vec<String>,
) -> Explored {
    let mut graph: HashMap<u64, Moment> = HashMap::new();
    let mut explored = Explored::default();
    // Ways to go, and what sleeps where each begins to be new: before its last choice.
    let mut to_do: Vec<Way> = vec![Way::default()];
    let mut first = None;
    while let Some((mut path, mut asleep)) = to_do.pop() {
        explored.runs += 1;
        gate.begin(start.copy());
        let mut actors: Vec<Option<Actor<T>>> = begin().into_iter().map(Some).collect();
        let mut outcomes: Outcomes<T> = actors.iter().map(|_| None).collect();
        for actor in 0..actors.len() {
            settle(gate, actor, &mut actors, &mut outcomes).await;
        }
        let (mut steps, mut used, mut before) = (0, 0, None::<(u64, Choice)>);
        loop {
            let done: Vec<bool> = actors.iter().map(Option::is_none).collect();
            let now = gate.moment(&done, used);
            first.get_or_insert(now);
            if let Some((before, choice)) = before {
                graph.entry(before).or_default().led_to.insert(choice, Some(now));
            }
            let choice = match path.get(steps) {
                Some(choice) => *choice,
                None => {
                    let is_new = !graph.contains_key(&now);
                    let moment = graph.entry(now).or_default();
                    let choices = choices(gate, &done, faults, used);
                    if choices.is_empty() && is_new {
                        explored.ends += 1;
                        let mut wrong = gate.with(|services| std::mem::take(&mut services.breaches));
                        wrong.extend(end(&outcomes).await);
                        assert!(wrong.is_empty(), "{wrong:#?}\nafter {path:?}\nwith {outcomes:#?}");
                    }
                    if let Some(before) = before {
                        for (choice, _) in &asleep {
                            moment.slept.entry(*choice).or_insert(before);
                        }
                    }
                    let sleeps = |choice: &Choice| asleep.iter().any(|(sleeping, _)| sleeping == choice);
                    let new = |choice: &Choice| !sleeps(choice) && !moment.led_to.contains_key(choice);
                    let new: Vec<Choice> = choices.into_iter().filter(new).collect();
                    moment.led_to.extend(new.iter().map(|choice| (*choice, None)));
                    let Some((&chosen, others)) = new.split_first() else { break };
                    let mut gone_into = asleep.clone();
                    gone_into.push((chosen, gate.footprint(chosen.actor())));
                    for &other in others {
                        to_do.push(([&path[..], &[other]].concat(), gone_into.clone()));
                        gone_into.push((other, gate.footprint(other.actor())));
                    }
                    path.push(chosen);
                    chosen
                }
            };
            before = Some((now, choice));
            steps += 1;
            if steps >= path.len() {
                let chosen = (choice, gate.footprint(choice.actor()));
                asleep.retain(|sleeping| independent(sleeping, &chosen));
            }
            let actor = choice.actor();
            match choice {
                Choice::Through(_) => gate.let_through(actor),
                Choice::Conflict(_) => gate.conflict(actor),
                Choice::Stop(_) => {
                    actors[actor] = None;
                    gate.stop(actor);
                }
            }
            used += u32::from(!matches!(choice, Choice::Through(_)));
            settle(gate, actor, &mut actors, &mut outcomes).await;
        }
    }
    explored.moments = graph.len();
    explored.orders = first.map_or(0, |first| orders(&graph, first, &mut HashMap::new()));
    explored
}

fn choices(gate: &Gate, done: &[bool], faults: Faults, used: u32) -> Vec<Choice> {
    let left: Vec<usize> = done.iter().enumerate().filter(|(_, done)| !**done).map(|(actor, _)| actor).collect();
    let mut choices: Vec<Choice> = left.iter().copied().map(Choice::Through).collect();
    if used == 0 && faults.stop {
        // To die before a read is to die before the next write: nobody sees a read.
        let writes = |actor: &usize| !gate.footprint(*actor).writes.is_empty();
        choices.extend(left.iter().copied().filter(writes).map(Choice::Stop));
    }
    if used == 0 && faults.conflict {
        choices.extend(left.into_iter().filter(|actor| gate.may_conflict(*actor)).map(Choice::Conflict));
    }
    choices
}

/// Until the actor stands at a call or is done.
async fn settle<T>(gate: &Gate, actor: usize, actors: &mut [Option<Actor<T>>], outcomes: &mut [Option<T>]) {
    let Some(working) = &mut actors[actor] else { return };
    if let Some(outcome) = gate.0.settle(actor, working).await {
        outcomes[actor] = Some(outcome);
        actors[actor] = None;
    }
}

/// Where a choice leads from a moment. What slept there leads where it leads the other way round.
fn after(graph: &HashMap<u64, Moment>, moment: u64, choice: Choice) -> u64 {
    let here = &graph[&moment];
    match here.led_to.get(&choice) {
        Some(next) => next.unwrap(),
        None => {
            let (before, chosen) = here.slept[&choice];
            after(graph, after(graph, before, choice), chosen)
        }
    }
}

/// How many ways lead from a moment to the end.
fn orders(graph: &HashMap<u64, Moment>, from: u64, counted: &mut HashMap<u64, u128>) -> u128 {
    if let Some(known) = counted.get(&from) {
        return *known;
    }
    let here = &graph[&from];
    let slept = here.slept.keys().filter(|choice| !here.led_to.contains_key(choice));
    let choices: Vec<Choice> = here.led_to.keys().chain(slept).copied().collect();
    let count = match choices.is_empty() {
        true => 1,
        false => choices.into_iter().map(|choice| orders(graph, after(graph, from, choice), counted)).sum(),
    };
    counted.insert(from, count);
    count
}
