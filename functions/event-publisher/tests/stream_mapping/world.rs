//! Records, a bus and a bucket that do as they are told, and what must hold after every single invocation.

use std::{
    collections::BTreeSet,
    future::pending,
    sync::{Arc, LazyLock, Mutex, MutexGuard},
    time::Duration,
};

use event_publisher::{Publisher, SetAside};
use serde_json::{Value, json};
use slipstream_common::{Fault, bus::Bus, records::EventRecord};
use slipstream_events::SOURCE;
use tokio::{sync::Notify, time::sleep};

use crate::mapping::{BEGIN, Mapping, Outcome, event_of, sequence_number};

/// The most bytes in a call: AWS takes less than 256 KB.
pub const MAX_BYTES: usize = 256 * 1024 - 1;
/// How often an entry is sent in an invocation before it is reported.
pub const ATTEMPTS: u32 = 5;

const EXAMPLE: &str = include_str!("../../../../events/examples/PersonRegistered.v1.json");

/// When the bus, or the bucket, does not do what it is asked for with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The first so many times.
    Times(u32),
    /// In the first so many invocations in which it is asked.
    Invocations(u32),
    /// Always.
    Always,
}

/// It is done at once.
pub const NEVER: Refusal = Refusal::Times(0);

/// A record, and what happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An event of that many bytes more than the shortest, and how the bus refuses it.
    Event(usize, Refusal),
    /// A record that is no event, in one of [`MALFORMED`] ways, and how the bucket refuses it.
    Malformed(usize, Refusal),
}

impl Kind {
    /// Whether nothing will ever be done with it.
    pub const fn refused_for_ever(&self) -> bool {
        matches!(self, Self::Event(_, Refusal::Always) | Self::Malformed(_, Refusal::Always))
    }
}

/// How many ways there are of being no event.
pub const MALFORMED: usize = 7;

/// What happens to an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Well,
    /// The environment dies at this call of the bus, which takes the entries.
    Dies(usize),
    /// All is done, and then the answer is lost.
    Unheard,
    /// The bus says nothing from this call on; the SDK gives up after 12 s. It has taken the entries.
    Silent(usize),
    /// The bus needs so many seconds for every call.
    Slow(u64),
    /// The bucket says nothing; the SDK gives up after 12 s.
    BucketSilent,
}

/// How long the SDK waits for an answer, with all its attempts.
const PATIENCE: Duration = Duration::from_secs(12);

/// How often something was asked, and how often done.
#[derive(Debug, Clone, Default)]
struct Count {
    asked: u32,
    invocations: u32,
    done: u32,
    /// In this invocation.
    asked_now: u32,
    done_now: bool,
}

impl Count {
    fn begin(&mut self) {
        (self.asked_now, self.done_now) = (0, false);
    }

    /// Counts a request; whether it is done.
    fn ask(&mut self, refusal: Refusal) -> bool {
        assert!(!self.done_now, "nothing that is done is asked for again in the same invocation");
        self.asked += 1;
        self.asked_now += 1;
        self.invocations += u32::from(self.asked_now == 1);
        let refused = match refusal {
            Refusal::Times(times) => self.asked <= times,
            Refusal::Invocations(times) => self.invocations <= times,
            Refusal::Always => true,
        };
        self.done += u32::from(!refused);
        !refused
    }
}

#[derive(Debug)]
struct State {
    records: Vec<Value>,
    kinds: Vec<Kind>,
    counts: Vec<Count>,
    fate: Fate,
    /// The entries of every call in this invocation.
    calls: Vec<Vec<usize>>,
    /// How many calls there were in each invocation before.
    calls_before: Vec<usize>,
}

/// A shard's records, and all that the function meets.
#[derive(Debug, Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    death: Arc<Notify>,
}

/// The nth event, in so many bytes more than the least: mostly characters of two bytes, so that characters are not bytes.
fn detail(n: usize, more: usize) -> String {
    static DETAIL: LazyLock<String> = LazyLock::new(|| serde_json::from_str::<Value>(EXAMPLE).unwrap().to_string());
    let more = format!("{n:03}{}{}", "é".repeat(more / 2), "e".repeat(more % 2));
    DETAIL.replace("c0ffee00-1234-4abc-9def-001122334455", &more)
}

/// Which event an entry is.
fn number(entry: &EventRecord) -> usize {
    let (_, id) = entry.detail.split_once("\"correlation_id\":\"").unwrap();
    id[..3].parse().unwrap()
}

/// Which record has that id.
fn number_of(id: &str) -> usize {
    id.strip_prefix("id-").unwrap().parse().unwrap()
}

fn record(n: usize, kind: Kind) -> Value {
    let mut record = json!({
        "eventID": format!("id-{n}"),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": BEGIN,
            "Keys": {"PK": {"S": "PERSON#0b7ad7a5"}, "SK": {"S": format!("EVENT#{n:010}")}},
            // The fourth one has a digit more.
            "SequenceNumber": (99_999_999_999_999_999_997 + n as u128).to_string(),
            "NewImage": {
                "detail_type": {"S": "PersonRegistered"},
                "detail": {"S": detail(n, if let Kind::Event(more, _) = kind { more } else { 0 })},
                "occurred_at": {"S": "2026-03-12T12:31:05.25Z"},
            },
        },
    });
    let image = &mut record["dynamodb"]["NewImage"];
    match kind {
        Kind::Event(..) => {}
        Kind::Malformed(0, _) => image["detail"] = json!({"S": "{}"}),
        Kind::Malformed(1, _) => image["detail"] = json!({"N": "1"}),
        Kind::Malformed(2, _) => image["detail"] = json!({"S": "no JSON"}),
        Kind::Malformed(3, _) => image["detail_type"] = json!({"S": "PersonChanged"}),
        Kind::Malformed(4, _) => image["occurred_at"] = json!({"S": "yesterday"}),
        Kind::Malformed(5, _) => {
            image["detail"]["S"] = detail(n, 0).replace("\"schema_version\":1", "\"schema_version\":99").into();
        }
        Kind::Malformed(..) => *image = Value::Null,
    }
    record
}

/// An entry's size (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>).
fn size(entry: &EventRecord) -> usize {
    let texts = [SOURCE, &entry.detail_type, &entry.detail];
    14 + texts.iter().map(|text| text.len()).sum::<usize>()
}

impl World {
    /// One with these records.
    pub fn new(kinds: &[Kind]) -> Self {
        let records: Vec<Value> = kinds.iter().enumerate().map(|(n, kind)| record(n, *kind)).collect();
        let state = State {
            kinds: kinds.to_vec(),
            counts: vec![Count::default(); kinds.len()],
            fate: Fate::Well,
            calls: Vec::new(),
            calls_before: Vec::new(),
            records,
        };
        Self { state: Arc::new(Mutex::new(state)), death: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The records.
    pub fn records(&self) -> Vec<Value> {
        self.state().records.clone()
    }

    /// Every entry's size.
    pub fn sizes(&self) -> Vec<usize> {
        let records = self.records();
        records.iter().map(|record| size(&EventRecord::of_stream(record).unwrap())).collect()
    }

    /// Makes the first records so many seconds old.
    pub fn age(&self, seconds: &[u64]) {
        for (record, seconds) in self.state().records.iter_mut().zip(seconds) {
            record["dynamodb"]["ApproximateCreationDateTime"] = (BEGIN - seconds).into();
        }
    }

    /// A batch of all records.
    pub fn batch(&self) -> Value {
        event_of(self.records())
    }

    /// How often each record's event is on the bus, or the record in the bucket.
    pub fn done(&self) -> Vec<u32> {
        self.state().counts.iter().map(|count| count.done).collect()
    }

    /// In how many invocations each was sent.
    pub fn invocations(&self) -> Vec<u32> {
        self.state().counts.iter().map(|count| count.invocations).collect()
    }

    /// How many times each was sent.
    pub fn asked(&self) -> Vec<u32> {
        self.state().counts.iter().map(|count| count.asked).collect()
    }

    /// The entries of every call of the last invocation.
    pub fn calls(&self) -> Vec<Vec<usize>> {
        self.state().calls.clone()
    }

    /// How many calls there were in each invocation.
    pub fn calls_each(&self) -> Vec<usize> {
        let state = self.state();
        state.calls_before.iter().copied().chain([state.calls.len()]).skip(1).collect()
    }

    /// The function, on this world's bus.
    pub fn publisher(&self) -> Publisher<Self, Self> {
        Publisher::new(self.clone(), self.clone())
    }

    /// What the bus does with a call: which entries it takes. EventBridge would refuse one that is too large or has too
    /// many entries as a whole; there must be none.
    pub fn call(&self, entries: &[EventRecord]) -> Vec<bool> {
        let mut state = self.state();
        assert!(!entries.is_empty(), "no call is empty");
        assert!(entries.len() <= 10, "a call has ten entries at most");
        let fits = entries.iter().map(size).sum::<usize>() <= MAX_BYTES;
        assert!(fits || entries.len() == 1, "a call keeps the limit unless one entry alone exceeds it");
        let numbers: Vec<usize> = entries.iter().map(number).collect();
        assert!(numbers.is_sorted(), "entries are in the shard's order: {numbers:?}");
        for (entry, n) in entries.iter().zip(&numbers).filter(|(_, n)| state.counts[**n].asked == 0) {
            let image = &state.records[*n]["dynamodb"]["NewImage"];
            assert_eq!(image["detail_type"]["S"], entry.detail_type);
            assert_eq!(image["detail"]["S"], entry.detail, "an event is put byte for byte");
            assert_eq!(image["occurred_at"]["S"], entry.occurred_at.to_string());
        }
        let taken = numbers.iter().map(|n| {
            let Kind::Event(_, refusal) = state.kinds[*n] else { panic!("record {n} is no event") };
            state.counts[*n].ask(refusal)
        });
        let taken = taken.collect();
        state.calls.push(numbers);
        taken
    }

    /// The function hears how the bus took each entry of a call.
    pub fn hear(&self, entries: &[EventRecord], taken: &[bool]) {
        let mut state = self.state();
        for (entry, taken) in entries.iter().zip(taken) {
            state.counts[number(entry)].done_now = *taken;
        }
    }

    /// Invokes the function with a batch, and looks at what it did.
    ///
    /// # Errors
    /// What the invocation died of.
    pub async fn invoke<B: Bus + Sync>(
        &self,
        publisher: &Publisher<B, Self>,
        event: Value,
        fate: Fate,
    ) -> Result<Value, Fault> {
        {
            let mut state = self.state();
            let calls = state.calls.len();
            state.calls_before.push(calls);
            state.calls.clear();
            state.counts.iter_mut().for_each(Count::begin);
            state.fate = fate;
        }
        let batch = event["Records"].as_array().unwrap().iter();
        let batch: Vec<_> = batch.map(|record| number_of(record["eventID"].as_str().unwrap())).collect();
        let answer = tokio::select! {
            biased;
            () = self.death.notified() => return Err("the environment died".into()),
            answer = publisher.handle(event) => serde_json::to_value(answer?)?,
        };
        self.accounts_for(&batch, &answer);
        if fate == Fate::Unheard { Err("the answer was lost".into()) } else { Ok(answer) }
    }

    /// What is reported is exactly what is not done: nothing is lost, and nothing is delivered again needlessly.
    fn accounts_for(&self, batch: &[usize], answer: &Value) {
        let state = self.state();
        let reported = answer["batchItemFailures"].as_array().unwrap().iter();
        let reported: Vec<&str> = reported.map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
        let once: BTreeSet<&str> = reported.iter().copied().collect();
        assert_eq!(once.len(), reported.len(), "each is reported once");
        let not_done = batch.iter().filter(|n| !state.counts[**n].done_now);
        assert_eq!(once, not_done.map(|n| sequence_number(&state.records[*n])).collect());
        let firsts = state.calls.iter().flatten().scan(BTreeSet::new(), |seen, n| Some(seen.insert(*n).then_some(*n)));
        assert!(firsts.flatten().is_sorted(), "events are first sent in the shard's order: {:?}", state.calls);
    }

    /// Has the mapping deliver all records to the function, one fate after the other and then well.
    pub async fn deliver(&self, mapping: &Mapping, fates: &[Fate]) -> Outcome {
        self.deliver_to(&self.publisher(), mapping, fates).await
    }

    /// The same, on another bus that leads here.
    pub async fn deliver_to<B: Bus + Sync>(
        &self,
        publisher: &Publisher<B, Self>,
        mapping: &Mapping,
        fates: &[Fate],
    ) -> Outcome {
        let mut fates = fates.iter().copied();
        let records = self.records();
        let invoke = async |event| self.invoke(publisher, event, fates.next().unwrap_or(Fate::Well)).await;
        let outcome = mapping.deliver(&records, invoke).await;
        self.nothing_is_lost(&outcome);
        outcome
    }

    /// Every record is on the bus, set aside, or whole in the on-failure destination.
    fn nothing_is_lost(&self, outcome: &Outcome) {
        let state = self.state();
        let discarded: Vec<&Value> = outcome.discarded.iter().flat_map(|discarded| &discarded.records).collect();
        for (n, record) in state.records.iter().enumerate() {
            let kept = discarded.iter().filter(|discarded| sequence_number(discarded) == sequence_number(record));
            let kept: Vec<_> = kept.collect();
            assert!(kept.len() <= 1 && kept.iter().all(|kept| **kept == record), "record {n} is given up whole");
            assert!(state.counts[n].done > 0 || !kept.is_empty(), "record {n} ({:?}) is lost", state.kinds[n]);
        }
        let beginnings = outcome.deliveries.iter().map(|numbers| (numbers[0].len(), &numbers[0]));
        assert!(beginnings.is_sorted(), "the shard goes on: {:?}", outcome.deliveries);
        assert_eq!(outcome.timeouts, 0, "the function answers before its time is over");
    }
}

impl Bus for World {
    async fn put(&self, entries: &[EventRecord]) -> Vec<bool> {
        let (fate, calls) = {
            let state = self.state();
            (state.fate, state.calls.len())
        };
        let mut taken = self.call(entries);
        match fate {
            Fate::Dies(at) if calls == at => {
                self.death.notify_one();
                pending::<()>().await;
            }
            Fate::Silent(from) if calls >= from => {
                sleep(PATIENCE).await;
                taken = vec![false; entries.len()];
            }
            Fate::Slow(seconds) => sleep(Duration::from_secs(seconds)).await,
            _ => {}
        }
        self.hear(entries, &taken);
        taken
    }
}

impl SetAside for World {
    async fn keep(&self, id: &str, record: &Value) -> bool {
        if self.state().fate == Fate::BucketSilent {
            sleep(PATIENCE).await;
            return false;
        }
        let mut state = self.state();
        let n = number_of(id);
        assert_eq!(state.records[n], *record, "a record is kept whole");
        let Kind::Malformed(_, refusal) = state.kinds[n] else { panic!("record {n} is an event") };
        let done = state.counts[n].ask(refusal);
        state.counts[n].done_now = done;
        done
    }
}
