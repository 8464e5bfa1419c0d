//! A model of Lambda's event source mapping for a DynamoDB stream: one shard, read in order, in batches.
//!
//! It follows
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html> (*responses*),
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html> (*errors*) and
//! <https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html> (*configuration*):
//!
//! - Of several reported records Lambda "uses the record with the lowest sequence number as the checkpoint", and "retries
//!   all records starting from that checkpoint" (responses), those too that succeeded after it.
//! - An empty or null list, and an empty or null response, are a complete success; an empty or null identifier and a bad
//!   key name a complete failure (responses). So is an identifier that is none of the batch's here.
//! - "If your invocation fails and `BisectBatchOnFunctionError` is turned on, the batch is bisected regardless"; with a
//!   partial response "the batch is bisected at the returned sequence number and Lambda retries only the remaining
//!   records" (responses). "Splitting batches doesn't consume the retry quota" (errors).
//! - What exceeds the age or the quota is discarded, and the shard goes on. "For Amazon S3 destinations, Lambda also sends
//!   the entire invocation record": the `payload` is the event "as an escaped JSON string" (errors).
//! - A batch has `BatchSize` records at most (configuration).
//!
//! Where these pages leave something open, [`Reading`] has every answer that we know of, and what the tests say of the
//! function holds under each. Not in the model: filters (records that don't match are never delivered), several shards,
//! throttling (it delays only), the limit of 6 MB for a batch (it makes batches smaller), and how long Lambda waits before
//! it tries again.

use std::{collections::VecDeque, sync::LazyLock, time::Duration};

use serde_json::{Value, json};
use slipstream_common::Fault;
use tokio::time::{Instant, sleep, timeout};

/// When the model's clock begins, in seconds since 1970.
pub const BEGIN: u64 = 1_773_318_665;

/// What becomes of a batch whose first record is reported: there is nothing before it to split off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtFirst {
    /// It is tried again as it is, and discarded as it is.
    Whole,
    /// It has failed as a whole, and is split in two halves.
    Halves,
}

/// What a split does to the number of retries of what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Another batch begins at none.
    Fresh,
    /// The number stays.
    Kept,
    /// It is a retry like any other: against the letter of the page, but LocalStack's `stream_poller.py` counts so.
    Counted,
}

/// One way to read what AWS leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// A batch whose first record is reported.
    pub at_first: AtFirst,
    /// The retries after a split.
    pub quota: Quota,
}

impl Reading {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self { at_first: AtFirst::Whole, quota: Quota::Fresh },
        Self { at_first: AtFirst::Whole, quota: Quota::Kept },
        Self { at_first: AtFirst::Whole, quota: Quota::Counted },
        Self { at_first: AtFirst::Halves, quota: Quota::Fresh },
        Self { at_first: AtFirst::Halves, quota: Quota::Kept },
        Self { at_first: AtFirst::Halves, quota: Quota::Counted },
    ];
}

/// How a mapping is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// `BatchSize`.
    pub batch_size: usize,
    /// `FunctionResponseTypes: [ReportBatchItemFailures]`.
    pub reports: bool,
    /// `BisectBatchOnFunctionError`.
    pub bisects: bool,
    /// `MaximumRetryAttempts`, beside the first attempt.
    pub max_retries: u32,
    /// `MaximumRecordAgeInSeconds`.
    pub max_age: Duration,
    /// The function's `Timeout`.
    pub timeout: Duration,
    /// What AWS leaves open.
    pub reading: Reading,
}

/// Records that Lambda gave up.
#[derive(Debug, Clone, PartialEq)]
pub struct Discarded {
    /// Why: `RetryAttemptsExhausted` or `RecordAgeExceeded`.
    pub condition: String,
    /// The records, as the destination's object has them.
    pub records: Vec<Value>,
}

/// What a shard's delivery came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The sequence numbers in every invocation.
    pub deliveries: Vec<Vec<String>>,
    /// How many invocations ran into the function's timeout.
    pub timeouts: usize,
    /// The objects in the on-failure destination.
    pub discarded: Vec<Discarded>,
}

/// Records that are delivered together, and how often they were tried again.
#[derive(Debug)]
struct Batch {
    records: Vec<Value>,
    retries: u32,
}

/// What Lambda makes of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    /// From this record on, by its place in the batch.
    From(usize),
    Failed,
}

/// A record's sequence number.
pub fn sequence_number(record: &Value) -> &str {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap()
}

/// What the function is invoked with.
pub fn event_of(records: Vec<Value>) -> Value {
    Value::Object([("Records".to_owned(), Value::Array(records))].into_iter().collect())
}

impl Mapping {
    /// As the template configures `EventPublisherFunction`'s.
    pub fn of_template(reading: Reading) -> Self {
        static READ: LazyLock<Mapping> = LazyLock::new(Mapping::read);
        Self { reading, ..READ.clone() }
    }

    fn read() -> Self {
        let template = include_str!("../../../../infrastructure/template.yaml");
        let (_, function) = template.split_once("\n  EventPublisherFunction:\n").unwrap();
        let lines = function.lines().take_while(|line| line.is_empty() || line.starts_with("    ")).map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
        let value = |name: &str| {
            let mut values = lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let value = values.next().unwrap_or_else(|| panic!("the function has no {name}"));
            assert_eq!(values.next(), None, "the function has one {name}");
            value
        };
        let seconds = |name| Duration::from_secs(value(name).parse().unwrap());
        let destination = lines.iter().skip_while(|line| **line != "OnFailure:").take(3).copied().collect::<Vec<_>>();
        assert_eq!(destination, ["OnFailure:", "Type: S3", "Destination: !GetAtt SetAsideBucket.Arn"]);
        assert_eq!(value("ParallelizationFactor"), "1", "the model has one batch at a time");
        Self {
            batch_size: value("BatchSize").parse().unwrap(),
            reports: value("FunctionResponseTypes") == "[ReportBatchItemFailures]",
            bisects: value("BisectBatchOnFunctionError").parse().unwrap(),
            max_retries: value("MaximumRetryAttempts").parse().unwrap(),
            max_age: seconds("MaximumRecordAgeInSeconds"),
            timeout: seconds("Timeout"),
            reading: Reading::ALL[0],
        }
    }

    /// Delivers a shard's records until each is done or discarded. `invoke` is the function; its answer is JSON.
    pub async fn deliver(
        &self,
        shard: &[Value],
        mut invoke: impl AsyncFnMut(Value) -> Result<Value, Fault>,
    ) -> Outcome {
        let began = Instant::now();
        let mut outcome = Outcome::default();
        let batches = shard.chunks(self.batch_size);
        let mut ahead: VecDeque<Batch> =
            batches.map(|records| Batch { records: records.to_vec(), retries: 0 }).collect();
        while let Some(Batch { records, retries }) = ahead.pop_front() {
            let now = BEGIN + began.elapsed().as_secs();
            let age = |record: &Value| {
                now.saturating_sub(record["dynamodb"]["ApproximateCreationDateTime"].as_u64().unwrap())
            };
            let (old, records) = records.into_iter().partition(|record| age(record) > self.max_age.as_secs());
            outcome.discard("RecordAgeExceeded", retries, old);
            if records.is_empty() {
                continue;
            }
            outcome.deliveries.push(records.iter().map(|record| sequence_number(record).to_owned()).collect());
            let verdict = match timeout(self.timeout, invoke(event_of(records.clone()))).await {
                Ok(Ok(answer)) => self.verdict(&answer, &records),
                Ok(Err(_)) => Verdict::Failed,
                Err(_) => {
                    outcome.timeouts += 1;
                    Verdict::Failed
                }
            };
            let halves = match (verdict, self.reading.at_first) {
                (Verdict::Done, _) => continue,
                (Verdict::From(at @ 1..), _) => {
                    let rest = Batch { records: records[at..].to_vec(), retries: self.after_split(retries) };
                    self.again(rest, &mut ahead, &mut outcome).await;
                    continue;
                }
                (Verdict::From(_), AtFirst::Whole) => false,
                (Verdict::From(_), AtFirst::Halves) | (Verdict::Failed, _) => self.bisects && records.len() > 1,
            };
            if halves {
                let retries = self.after_split(retries);
                let (first, second) = records.split_at(records.len() / 2);
                for half in [second, first] {
                    self.again(Batch { records: half.to_vec(), retries }, &mut ahead, &mut outcome).await;
                }
            } else {
                self.again(Batch { records, retries: retries + 1 }, &mut ahead, &mut outcome).await;
            }
        }
        outcome
    }

    const fn after_split(&self, retries: u32) -> u32 {
        match self.reading.quota {
            Quota::Fresh => 0,
            Quota::Kept => retries,
            Quota::Counted => retries + 1,
        }
    }

    /// Puts a batch before all others, or discards it when it was tried often enough.
    async fn again(&self, batch: Batch, ahead: &mut VecDeque<Batch>, outcome: &mut Outcome) {
        if batch.retries > self.max_retries {
            outcome.discard("RetryAttemptsExhausted", batch.retries, batch.records);
        } else {
            sleep(Duration::from_secs(1 << batch.retries.min(6))).await;
            ahead.push_front(batch);
        }
    }

    fn verdict(&self, answer: &Value, records: &[Value]) -> Verdict {
        let Some(failures) = answer["batchItemFailures"].as_array().filter(|_| self.reports) else {
            return Verdict::Done;
        };
        let mut lowest = None;
        for failure in failures {
            let id = failure["itemIdentifier"].as_str();
            let Some(at) = records.iter().position(|record| Some(sequence_number(record)) == id) else {
                return Verdict::Failed;
            };
            lowest = Some(lowest.map_or(at, |lowest: usize| lowest.min(at)));
        }
        lowest.map_or(Verdict::Done, Verdict::From)
    }
}

impl Outcome {
    /// Writes the destination's object, and reads from it what somebody who needs the records again would find.
    fn discard(&mut self, condition: &str, invocations: u32, records: Vec<Value>) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        let object = json!({
            "requestContext": { "condition": condition, "approximateInvokeCount": invocations },
            "DDBStreamBatchInfo": {
                "startSequenceNumber": sequence_number(first),
                "endSequenceNumber": sequence_number(last),
                "batchSize": records.len(),
            },
            "payload": event_of(records).to_string(),
        });
        let payload: Value = serde_json::from_str(object["payload"].as_str().unwrap()).unwrap();
        let records = payload["Records"].as_array().unwrap().clone();
        self.discarded.push(Discarded { condition: condition.to_owned(), records });
    }

    /// The discarded records' sequence numbers.
    pub fn given_up(&self) -> Vec<&str> {
        self.discarded.iter().flat_map(|discarded| &discarded.records).map(sequence_number).collect()
    }
}

/// The model against what AWS and others have written down of the real thing.
mod tests {
    use super::*;

    const READING: Reading = Reading { at_first: AtFirst::Whole, quota: Quota::Fresh };

    fn mapping() -> Mapping {
        let ages = Duration::from_hours(1);
        let timeout = Duration::from_mins(1);
        Mapping {
            batch_size: 10,
            reports: true,
            bisects: true,
            max_retries: 1,
            max_age: ages,
            timeout,
            reading: READING,
        }
    }

    fn shard(records: usize) -> Vec<Value> {
        let record =
            |n: usize| json!({"dynamodb": {"SequenceNumber": n.to_string(), "ApproximateCreationDateTime": BEGIN}});
        (1..=records).map(record).collect()
    }

    fn report(numbers: &[&str]) -> Value {
        let failures: Vec<_> = numbers.iter().map(|number| json!({ "itemIdentifier": number })).collect();
        json!({ "batchItemFailures": failures })
    }

    /// Runs a function that does what `answer` says of the nth delivery and its numbers; `1-3` is a delivery of 1, 2, 3.
    async fn run(
        mapping: &Mapping,
        records: usize,
        mut answer: impl FnMut(usize, &[String]) -> Result<Value, Fault>,
    ) -> (Vec<String>, Vec<String>) {
        let mut n = 0;
        let invoke = async |event: Value| {
            n += 1;
            let numbers = event["Records"].as_array().unwrap().iter().map(|record| sequence_number(record).to_owned());
            answer(n, &numbers.collect::<Vec<_>>())
        };
        let outcome = mapping.deliver(&shard(records), invoke).await;
        let range = |numbers: &[String]| format!("{}-{}", numbers[0], numbers.last().unwrap());
        let given_up = outcome.discarded.iter().map(|discarded| {
            range(&discarded.records.iter().map(|record| sequence_number(record).to_owned()).collect::<Vec<_>>())
        });
        (outcome.deliveries.iter().map(|numbers| range(numbers)).collect(), given_up.collect())
    }

    fn bad(number: &str) -> impl FnMut(usize, &[String]) -> Result<Value, Fault> {
        move |_, numbers| if numbers.iter().any(|n| n == number) { Ok(report(&[number])) } else { Ok(report(&[])) }
    }

    /// "The first batch delivered to the Lambda function contains items 1–10 … The next batch … contains items 11–20"
    /// (<https://aws.amazon.com/blogs/compute/optimizing-batch-processing-with-custom-checkpoints-in-aws-lambda/>).
    #[tokio::test(start_paused = true)]
    async fn after_a_success_the_next_batch_comes() {
        let (delivered, given_up) = run(&mapping(), 20, |_, _| Ok(report(&[]))).await;
        assert_eq!((delivered, given_up), (vec!["1-10".to_owned(), "11-20".to_owned()], Vec::new()));
    }

    /// "In a batch of 9 messages where the fifth message fails … the batch is only retried from message 5 to 9"
    /// (<https://data-processing.serverlessworkshops.io/stream-processing/05-extra-credit/05-01-eh-cp-bb.html>).
    #[tokio::test(start_paused = true)]
    async fn a_batch_is_tried_again_from_the_checkpoint() {
        let fifth = |n, _: &[String]| Ok(report(if n == 1 { &["5"] } else { &[] }));
        assert_eq!(run(&mapping(), 9, fifth).await.0, ["1-9", "5-9"]);
        let several = |n, _: &[String]| Ok(report(if n == 1 { &["8", "5", "6"] } else { &[] }));
        assert_eq!(run(&mapping(), 9, several).await.0, ["1-9", "5-9"], "the lowest of several");
        let reports = false;
        assert_eq!(run(&Mapping { reports, ..mapping() }, 9, fifth).await.0, ["1-9"], "reports are not asked for");
    }

    /// Numbers, not texts, are in order: 10 comes after 9.
    #[tokio::test(start_paused = true)]
    async fn the_lowest_number_is_the_earliest_record() {
        let two = |n, _: &[String]| Ok(report(if n == 1 { &["10", "9"] } else { &[] }));
        assert_eq!(run(&mapping(), 10, two).await.0, ["1-10", "9-10"]);
    }

    /// The lists of complete successes and complete failures (responses).
    #[tokio::test(start_paused = true)]
    async fn answers_are_read_as_documented() {
        for success in [json!({"batchItemFailures": []}), json!({"batchItemFailures": null}), json!({}), json!(null)] {
            assert_eq!(run(&mapping(), 4, |_, _| Ok(success.clone())).await.0, ["1-4"], "{success}");
        }
        let whole = Mapping { bisects: false, ..mapping() };
        for failure in [
            json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            json!({"batchItemFailures": [{"itemIdentifierr": "3"}]}),
            json!({"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "7"}]}),
        ] {
            let first = |n, _: &[String]| Ok(if n == 1 { failure.clone() } else { json!({}) });
            assert_eq!(run(&whole, 4, first).await.0, ["1-4", "1-4"], "{failure}");
            assert_eq!(run(&mapping(), 4, first).await.0, ["1-4", "1-2", "3-4"], "{failure}");
        }
    }

    /// A failed batch is split "into two smaller batches, isolating bad records"; splitting "doesn't consume the retry
    /// quota" (errors).
    #[tokio::test(start_paused = true)]
    async fn an_error_is_isolated() {
        let third =
            |_, numbers: &[String]| if numbers.iter().any(|n| n == "3") { Err("no".into()) } else { Ok(json!({})) };
        let (delivered, given_up) = run(&mapping(), 10, third).await;
        assert_eq!(delivered, ["1-10", "1-5", "1-2", "3-5", "3-3", "3-3", "4-5", "6-10"]);
        assert_eq!(given_up, ["3-3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_an_error() {
        let outcome = mapping().deliver(&shard(2), async |_| std::future::pending().await).await;
        assert_eq!((outcome.deliveries.len(), outcome.timeouts), (5, 5));
        assert_eq!(outcome.given_up(), ["1", "2"]);
    }

    /// The second record fails, and there is one retry. Without bisecting, all from it on are discarded; with it, users
    /// report that only that record is, and that only a batch that is sent again as it was counts.
    #[tokio::test(start_paused = true)]
    async fn retries_are_those_of_the_same_batch() {
        let (delivered, given_up) = run(&Mapping { bisects: false, ..mapping() }, 4, bad("2")).await;
        assert_eq!(delivered, ["1-4", "2-4", "2-4"]);
        assert_eq!(given_up, ["2-4"]);
        let reading = Reading { at_first: AtFirst::Halves, ..READING };
        let (delivered, given_up) = run(&Mapping { reading, ..mapping() }, 3, bad("2")).await;
        assert_eq!(delivered, ["1-3", "2-3", "2-2", "2-2", "3-3"]);
        assert_eq!(given_up, ["2-2"]);
    }

    /// With two retries, emulators deliver three times in all and count the one at which the batch became smaller.
    #[tokio::test(start_paused = true)]
    async fn a_split_may_be_counted() {
        let reading = |quota| Reading { quota, ..READING };
        let counted = Mapping { max_retries: 2, reading: reading(Quota::Counted), ..mapping() };
        assert_eq!(
            run(&counted, 3, bad("2")).await,
            (vec!["1-3".to_owned(), "2-3".to_owned(), "2-3".to_owned()], vec!["2-3".to_owned()],)
        );
        let turns = |n: usize, _: &[String]| {
            Ok(report(match n {
                1 => &["1"],
                2 => &["2"],
                3 => &["2"],
                _ => &[],
            }))
        };
        let deliveries = async |quota| run(&Mapping { reading: reading(quota), ..mapping() }, 2, turns).await.0;
        assert_eq!(deliveries(Quota::Fresh).await, ["1-2", "1-2", "2-2", "2-2"]);
        assert_eq!(deliveries(Quota::Kept).await, ["1-2", "1-2", "2-2"]);
        assert_eq!(deliveries(Quota::Counted).await, ["1-2", "1-2"]);
    }

    /// "Discard records older than the specified age" (configuration): they are not delivered again, the others are.
    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_is_not_delivered() {
        let mut shard = shard(3);
        shard[0]["dynamodb"]["ApproximateCreationDateTime"] = (BEGIN - 3601).into();
        shard[1]["dynamodb"]["ApproximateCreationDateTime"] = (BEGIN - 3600).into();
        let mut answers = [report(&["2"]), report(&[])].into_iter();
        let outcome = mapping().deliver(&shard, async |_| Ok(answers.next().unwrap())).await;
        assert_eq!(outcome.deliveries, [vec!["2", "3"], vec!["3"]], "2 is too old when it is to be tried again");
        assert_eq!(outcome.given_up(), ["1", "2"]);
        assert!(outcome.discarded.iter().all(|discarded| discarded.condition == "RecordAgeExceeded"));
    }

    #[test]
    fn the_template_is_what_the_tests_take_it_for() {
        let expected = Mapping { batch_size: 100, max_retries: 5, ..mapping() };
        assert_eq!(Mapping::of_template(READING), expected);
    }
}
