//! What could not be dealt with: messages in dead-letter queues, records in the set-aside bucket.

use std::collections::BTreeMap;

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use slipstream_common::{
    bus::{EventBridge, publish},
    records::EventRecord,
};

use crate::{
    failure::{Failure, Outcome},
    stack::Stack,
};

/// The ending of the outputs that name dead-letter queues.
const DEAD: &str = "DeadLetterQueueUrl";
/// How long messages that are looked at are hidden from others, in seconds; they are given back before, if nothing dies.
const HIDDEN_SECONDS: i32 = 90;
/// How long a receipt waits for messages. One that does not wait asks some of the servers only and may miss what is there
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>).
const WAIT_SECONDS: i32 = 1;
/// How many messages are given back at the same time.
const AT_ONCE: usize = 8;
/// The most messages that are held at once: so many are dealt with before they are seen again.
pub(crate) const MOST_HELD: usize = 500;
/// Where single records are that the publisher could not understand.
const MALFORMED: &str = "malformed-records/";
/// Where batches are that the stream gave up.
const GIVEN_UP: &str = "aws/lambda/";
/// Where discarded messages are, with the reason.
pub(crate) const DISCARDED: &str = "discarded/";
/// The name of the set-aside bucket among the queues.
pub(crate) const SET_ASIDE: &str = "set-aside";

/// A dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Its name here, for example `mail-feedback`.
    pub(crate) name: String,
    /// Its address.
    pub(crate) url: String,
    /// The queue that its messages come from and go back to. Without one, they come from a rule or a schedule.
    pub(crate) work: Option<String>,
}

/// `MailFeedback` becomes `mail-feedback`.
pub(crate) fn kebab(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// Every dead-letter queue of the stack.
pub(crate) fn queues(stack: &Stack) -> Vec<Queue> {
    let dead = stack.outputs_ending(DEAD);
    let queue = |(name, url): (&str, &str)| Queue {
        name: kebab(name),
        url: url.to_owned(),
        work: stack.output(&format!("{name}QueueUrl")).ok().map(ToOwned::to_owned),
    };
    dead.map(queue).collect()
}

/// The queue of that name.
///
/// # Errors
/// Names those that there are.
pub(crate) fn queue(stack: &Stack, name: &str) -> Outcome<Queue> {
    let all = queues(stack);
    all.iter().find(|queue| queue.name == name).cloned().ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|queue| queue.name.as_str()).chain([SET_ASIDE]).collect();
        Failure::not_found(format!("there is no dead-letter queue {name}; there are {}", names.join(", ")))
    })
}

/// How many messages wait in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Depth {
    /// To be taken now.
    pub(crate) visible: usize,
    /// Taken by somebody.
    pub(crate) in_flight: usize,
    /// To be taken later.
    pub(crate) delayed: usize,
}

/// How many messages wait in a queue, as SQS counts: about, and a minute or so behind.
///
/// # Errors
/// What SQS says.
pub(crate) async fn depth(stack: &Stack, name: &str, url: &str) -> Outcome<Depth> {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let client = aws_sdk_sqs::Client::new(&stack.sdk);
    let asked = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec())).send().await;
    let answer = asked.map_err(|error| Failure::of(&format!("the queue {name} cannot be looked at"), error))?;
    let number = |name: &QueueAttributeName| {
        let text = answer.attributes().and_then(|attributes| attributes.get(name));
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let [visible, in_flight, delayed] = [number(&names[0]), number(&names[1]), number(&names[2])];
    Ok(Depth { visible, in_flight, delayed })
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Letter {
    /// The queue's name.
    pub(crate) queue: String,
    /// The message's id.
    pub(crate) id: String,
    /// When it was first sent, before it came here.
    pub(crate) sent_at: Timestamp,
    /// How often it was taken out, here and where it comes from.
    pub(crate) receives: u32,
    /// What rules and schedules say of what they could not deliver.
    pub(crate) attributes: BTreeMap<String, String>,
    /// What it says.
    pub(crate) body: String,
    #[serde(skip)]
    handle: String,
}

impl Letter {
    fn of(queue: &str, message: Message) -> Option<Self> {
        let system = |name: MessageSystemAttributeName| message.attributes().and_then(|all| all.get(&name));
        let sent = system(MessageSystemAttributeName::SentTimestamp)?.parse().ok()?;
        let receives = system(MessageSystemAttributeName::ApproximateReceiveCount).and_then(|text| text.parse().ok());
        let attributes = message.message_attributes().into_iter().flatten();
        let attributes = attributes.filter_map(|(name, value)| Some((name.clone(), value.string_value()?.to_owned())));
        Some(Self {
            queue: queue.to_owned(),
            id: message.message_id()?.to_owned(),
            sent_at: Timestamp::from_millisecond(sent).ok()?,
            receives: receives.unwrap_or(0),
            attributes: attributes.collect(),
            body: message.body().unwrap_or_default().to_owned(),
            handle: message.receipt_handle()?.to_owned(),
        })
    }

    /// What it says, if that is JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// What it is about, in a few words.
    pub(crate) fn about(&self) -> String {
        self.json().map_or_else(|| "no JSON".to_owned(), |body| about(&body))
    }

    /// Why it is here, as far as it says so itself: what a rule or a schedule met, or what the function answered.
    pub(crate) fn own_reason(&self) -> Option<String> {
        let attribute = |name: &str| self.attributes.get(name).cloned();
        if let Some(code) = attribute("ERROR_CODE") {
            let said = attribute("ERROR_MESSAGE").map(|said| format!(": {said}")).unwrap_or_default();
            return Some(format!("it could not be delivered: {code}{said}"));
        }
        let body = self.json()?;
        let condition = body.pointer("/requestContext/condition").and_then(Value::as_str)?;
        let said = body.pointer("/responsePayload/errorMessage").and_then(Value::as_str);
        Some(format!("{condition}{}", said.map(|said| format!(": {said}")).unwrap_or_default()))
    }
}

/// What a message is about, in a few words.
pub(crate) fn about(body: &Value) -> String {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    if let Some(kind) = text("/detail-type") {
        let id = text("/detail/metadata/id").unwrap_or("no event of ours");
        let replay = text("/replay-name").map(|name| format!(" (replay {name})")).unwrap_or_default();
        return format!("{kind} {id}{replay}");
    }
    if let Some(key) = text("/Records/0/s3/object/key") {
        return format!("upload {key}");
    }
    if let Some(function) = text("/requestContext/functionArn") {
        return format!("call of {}", function.rsplit(':').find(|part| *part != "$LATEST").unwrap_or(function));
    }
    if let Some(id) = text("/export/id").or_else(|| text("/erasure/person")) {
        return format!("{} {id}", if body.get("export").is_some() { "export" } else { "erasure of" });
    }
    if let Some(kind) = text("/eventType") {
        return format!("mail {}", kind.to_lowercase());
    }
    body.as_object()
        .map_or_else(|| "JSON".to_owned(), |object| object.keys().take(4).cloned().collect::<Vec<_>>().join(", "))
}

/// Messages that were taken out to be looked at. What is not deleted is to be given back.
#[derive(Debug)]
pub(crate) struct Held {
    client: aws_sdk_sqs::Client,
    queue: Queue,
    /// The messages, oldest first.
    pub(crate) letters: Vec<Letter>,
}

/// Takes up to `most` messages out of a dead-letter queue, until none come any more or `enough` says so.
///
/// # Errors
/// What SQS says.
pub(crate) async fn hold(
    stack: &Stack,
    queue: &Queue,
    most: usize,
    enough: impl Fn(&[Letter]) -> bool,
) -> Outcome<Held> {
    let client = aws_sdk_sqs::Client::new(&stack.sdk);
    let mut held = Held { client, queue: queue.clone(), letters: Vec::new() };
    while held.letters.len() < most && !enough(&held.letters) {
        let request = held.client.receive_message().queue_url(&queue.url).max_number_of_messages(10);
        let request = request.visibility_timeout(HIDDEN_SECONDS).wait_time_seconds(WAIT_SECONDS);
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = request.message_attribute_names("All").send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                held.give_back().await;
                return Err(Failure::of(&format!("the queue {} cannot be read", queue.name), error));
            }
        };
        let messages = answer.messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for letter in messages.into_iter().filter_map(|message| Letter::of(&queue.name, message)) {
            // Whoever takes long sees the first ones again, by a new handle.
            match held.letters.iter_mut().find(|known| known.id == letter.id) {
                Some(known) => *known = letter,
                None => held.letters.push(letter),
            }
        }
    }
    held.letters.sort_by(|a, b| (a.sent_at, &a.id).cmp(&(b.sent_at, &b.id)));
    Ok(held)
}

impl Held {
    /// Puts back what is still held, so that the next look finds it at once. What fails comes back by itself.
    pub(crate) async fn give_back(self) {
        let one = async |letter: &Letter| {
            let request = self.client.change_message_visibility().queue_url(&self.queue.url);
            drop(request.receipt_handle(&letter.handle).visibility_timeout(0).send().await);
        };
        stream::iter(&self.letters).for_each_concurrent(AT_ONCE, one).await;
    }

    /// Takes the letters with these ids (or the beginnings of ids) out of what is held; the rest is given back.
    ///
    /// # Errors
    /// When one is not there, or several are meant; then all are given back.
    pub(crate) async fn choose(mut self, ids: &[String]) -> Outcome<Self> {
        match chosen(&self.letters, ids) {
            Ok(chosen) => {
                let (chosen, rest): (Vec<_>, Vec<_>) =
                    self.letters.into_iter().partition(|letter| chosen.contains(&letter.id));
                let others = Self { client: self.client.clone(), queue: self.queue.clone(), letters: rest };
                others.give_back().await;
                self.letters = chosen;
                Ok(self)
            }
            Err(failure) => {
                self.give_back().await;
                Err(failure)
            }
        }
    }

    /// Sends one back to where it came from and takes it out of here. In this order: twice is harmless, never is not.
    ///
    /// # Errors
    /// When it has nowhere to go, or a service refuses.
    pub(crate) async fn redrive(&self, stack: &Stack, letter: &Letter) -> Outcome<&'static str> {
        let way = match &self.queue.work {
            Some(work) => {
                let sent = self.client.send_message().queue_url(work).message_body(&letter.body).send().await;
                sent.map_err(|error| Failure::of(&format!("the queue {} takes nothing", self.queue.name), error))?;
                "sent to its queue"
            }
            None => {
                let record = letter.json().as_ref().and_then(of_bus).ok_or_else(|| {
                    let about = letter.about();
                    Failure::refused(format!(
                        "{about} has no queue to go back to; what it was for, the sweeper's next run does. Discard it"
                    ))
                })?;
                put_on_bus(stack, &[record]).await?;
                "published again"
            }
        };
        self.delete(letter).await?;
        Ok(way)
    }

    /// Takes one out for good.
    ///
    /// # Errors
    /// What SQS says.
    pub(crate) async fn delete(&self, letter: &Letter) -> Outcome {
        let what = format!("the message {} is still in its dead-letter queue", letter.id);
        let deleted = self.client.delete_message().queue_url(&self.queue.url).receipt_handle(&letter.handle);
        deleted.send().await.map(|_| ()).map_err(|error| Failure::of(&what, error))
    }
}

/// The ids that these ids or beginnings of ids mean.
fn chosen(letters: &[Letter], ids: &[String]) -> Outcome<Vec<String>> {
    let one = |id: &String| {
        let mut found = letters.iter().filter(|letter| letter.id.starts_with(id.as_str()));
        match (found.next(), found.next()) {
            (Some(letter), None) => Ok(letter.id.clone()),
            (Some(_), Some(_)) => Err(Failure::usage(format!("{id} begins more than one message id: give more of it"))),
            (None, _) => Err(Failure::not_found(format!(
                "there is no message {id} here; if somebody else looks at it, it is back within two minutes"
            ))),
        }
    };
    ids.iter().map(one).collect()
}

/// The event that a message from a rule carries.
fn of_bus(body: &Value) -> Option<EventRecord> {
    let detail = body.get("detail")?;
    let record = EventRecord {
        detail_type: body["detail-type"].as_str()?.to_owned(),
        detail: serde_json::to_string(detail).ok()?,
        occurred_at: detail.pointer("/metadata/occurred_at")?.as_str()?.parse().ok()?,
    };
    let event = record.event().ok()?;
    (event.metadata.event_type.as_str() == record.detail_type).then_some(record)
}

/// Publishes events.
///
/// # Errors
/// When the bus refuses some to the end.
pub(crate) async fn put_on_bus(stack: &Stack, records: &[EventRecord]) -> Outcome {
    let bus = EventBridge::new(&stack.sdk, stack.output("EventBusName")?);
    match publish(&bus, records).await.len() {
        0 => Ok(()),
        refused => Err(Failure::refused(format!(
            "the bus refused {refused} of {} events; may you publish (OperatorPolicyArn), does the bus exist?",
            records.len()
        ))),
    }
}

/// An object in the set-aside bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SetAside {
    /// Its key.
    pub(crate) key: String,
    /// When it was put there.
    pub(crate) at: Timestamp,
}

/// The bucket of what could not be published.
#[derive(Debug)]
pub(crate) struct Bucket {
    client: aws_sdk_s3::Client,
    name: String,
}

impl Bucket {
    /// The stack's.
    ///
    /// # Errors
    /// When the stack does not name it.
    pub(crate) fn of(stack: &Stack) -> Outcome<Self> {
        let client = aws_sdk_s3::Client::new(&stack.sdk);
        Ok(Self { client, name: stack.output("SetAsideBucketName")?.to_owned() })
    }

    /// What waits there, oldest first: single records and batches.
    ///
    /// # Errors
    /// What S3 says.
    pub(crate) async fn waiting(&self) -> Outcome<Vec<SetAside>> {
        let mut all = self.below(MALFORMED).await?;
        all.extend(self.below(GIVEN_UP).await?);
        all.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        Ok(all)
    }

    /// The objects below a prefix.
    ///
    /// # Errors
    /// What S3 says.
    pub(crate) async fn below(&self, prefix: &str) -> Outcome<Vec<SetAside>> {
        let mut pages = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::of("the set-aside bucket cannot be listed", error))?;
            let object = |object: &aws_sdk_s3::types::Object| {
                let at = object.last_modified().and_then(|at| Timestamp::from_second(at.secs()).ok())?;
                Some(SetAside { key: object.key()?.to_owned(), at })
            };
            all.extend(page.contents().iter().filter_map(object));
        }
        Ok(all)
    }

    /// What an object says ([`content`]), if it is there: somebody else may just have dealt with it.
    ///
    /// # Errors
    /// What S3 says.
    pub(crate) async fn find(&self, key: &str) -> Outcome<Option<Value>> {
        let what = format!("{key} cannot be read");
        let object = match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(Failure::of(&what, error)),
        };
        let bytes = object.body.collect().await.map_err(|error| Failure::failed(format!("{what}: {error}")))?;
        Ok(Some(content(&bytes.into_bytes())))
    }

    /// What an object says ([`content`]).
    ///
    /// # Errors
    /// When it is not there, or what S3 says.
    pub(crate) async fn read(&self, key: &str) -> Outcome<Value> {
        let missing = || Failure::not_found(format!("there is no {key} in the set-aside bucket"));
        self.find(key).await?.ok_or_else(missing)
    }

    /// Writes a new object.
    ///
    /// # Errors
    /// What S3 says, also if there is one already.
    pub(crate) async fn write(&self, key: &str, content: &Value) -> Outcome {
        let body = ByteStream::from(content.to_string().into_bytes());
        let put = self.client.put_object().bucket(&self.name).key(key).content_type("application/json").body(body);
        put.if_none_match("*")
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::of(&format!("{key} cannot be written"), error))
    }

    /// Takes an object away; the bucket keeps the version for a day.
    ///
    /// # Errors
    /// What S3 says.
    pub(crate) async fn delete(&self, key: &str) -> Outcome {
        let deleted = self.client.delete_object().bucket(&self.name).key(key).send().await;
        deleted.map(|_| ()).map_err(|error| Failure::of(&format!("{key} is still in the set-aside bucket"), error))
    }
}

/// What an object's bytes say: JSON, or whatever they are as a text, or in base64.
fn content(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    })
}

/// The events in a set-aside object: a record by itself, or a batch that the stream gave up
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>).
///
/// # Errors
/// Says of the first that cannot be read why.
pub(crate) fn set_aside_events(content: &Value) -> Result<Vec<EventRecord>, String> {
    let payload = match content.get("payload") {
        Some(Value::String(text)) => {
            serde_json::from_str(text).map_err(|error| format!("its payload is no JSON: {error}"))?
        }
        Some(payload) => payload.clone(),
        None => json!({ "Records": [content] }),
    };
    let records = payload["Records"].as_array().ok_or("it has no records")?;
    records.iter().map(|record| EventRecord::of_stream(record).map_err(|error| error.to_string())).collect()
}

/// Why an object was set aside.
pub(crate) fn set_aside_reason(content: &Value) -> String {
    let condition = content.pointer("/requestContext/condition").and_then(Value::as_str);
    match (condition, set_aside_events(content)) {
        (Some(condition), _) => format!("the stream gave it up: {condition}; the sweeper publishes its events again"),
        (None, Err(fault)) => fault,
        (None, Ok(_)) => "it can be read by now: redrive it".to_owned(),
    }
}

/// Keeps what is discarded, with the reason, before it is gone. Nothing is written over: who discards it again, for example
/// after dying before it was gone, adds another.
///
/// # Errors
/// What S3 says.
pub(crate) async fn record_discard(bucket: &Bucket, note: &Discard<'_>) -> Outcome<String> {
    let key = format!("{DISCARDED}{}/{}/{}.json", note.queue, note.id.replace('/', "-"), note.at);
    let content = serde_json::to_value(note).map_err(|error| Failure::failed(error.to_string()))?;
    bucket.write(&key, &content).await?;
    Ok(key)
}

/// What was discarded, by whom and why.
#[derive(Debug, Serialize)]
pub(crate) struct Discard<'a> {
    /// From where.
    pub(crate) queue: &'a str,
    /// The message's id or the object's key.
    pub(crate) id: &'a str,
    /// Why.
    pub(crate) reason: &'a str,
    /// Who, as AWS knows them.
    pub(crate) by: &'a str,
    /// When.
    pub(crate) at: Timestamp,
    /// The whole of it.
    pub(crate) content: &'a Value,
}

/// Who is asking, as AWS knows them.
///
/// # Errors
/// What the service says.
pub(crate) async fn caller(stack: &Stack) -> Outcome<String> {
    let identity = aws_sdk_sts::Client::new(&stack.sdk).get_caller_identity().send().await;
    let identity = identity.map_err(|error| Failure::of("AWS does not say who you are", error))?;
    Ok(identity.arn().unwrap_or("unknown").to_owned())
}

#[cfg(test)]
mod tests {
    use aws_config::SdkConfig;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../events/examples/ExpenseApproved.v1.json");
    const TEMPLATE: &str = include_str!("../../../infrastructure/template.yaml");

    fn letter(id: &str, body: &Value) -> Letter {
        Letter {
            queue: "notifications".to_owned(),
            id: id.to_owned(),
            sent_at: Timestamp::UNIX_EPOCH,
            receives: 5,
            attributes: BTreeMap::new(),
            body: body.to_string(),
            handle: String::new(),
        }
    }

    fn on_bus() -> Value {
        let detail: Value = serde_json::from_str(EXAMPLE).unwrap();
        json!({ "detail-type": "ExpenseApproved", "source": "slipstream", "detail": detail })
    }

    fn in_stream(detail: &str) -> Value {
        json!({ "eventID": "1", "dynamodb": { "NewImage": {
            "detail_type": {"S": "ExpenseApproved"}, "detail": {"S": detail}, "occurred_at": {"S": "2026-03-12T12:31:05Z"},
        }}})
    }

    #[test]
    fn every_dead_letter_queue_of_the_template_is_found_and_knows_where_its_messages_go() {
        let queues_of_template: Vec<&str> = TEMPLATE
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix("DeadLetterQueue:"))
            .filter(|name| !name.starts_with(' '))
            .collect();
        assert!(queues_of_template.len() >= 7, "{queues_of_template:?}");
        // As the outputs say.
        let outputs: Vec<(&str, &str)> = TEMPLATE
            .split("\nOutputs:\n")
            .nth(1)
            .unwrap()
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
            .filter(|name| !name.starts_with(' '))
            .map(|name| (name, "address"))
            .collect();
        let stack = Stack::example(&outputs, &[], SdkConfig::builder().build());
        let queues = queues(&stack);
        for name in &queues_of_template {
            let queue = queues.iter().find(|queue| queue.name == kebab(name));
            let queue = queue.unwrap_or_else(|| panic!("the template has no output {name}{DEAD}"));
            let has_work = TEMPLATE.contains(&format!("\n  {name}Queue:\n"));
            assert_eq!(queue.work.is_some(), has_work, "{name}: the output {name}QueueUrl");
        }
        assert_eq!(queues.len(), queues_of_template.len());
        let unknown = queue(&stack, "mails").unwrap_err();
        assert!(
            unknown.message.contains("mail-feedback") && unknown.message.contains(SET_ASIDE),
            "{}",
            unknown.message
        );
    }

    #[test]
    fn a_letter_says_what_it_is_about_and_why_it_is_here() {
        let event = letter("m", &on_bus());
        assert!(event.about().starts_with("ExpenseApproved expense/exp_"), "{}", event.about());
        assert_eq!(event.own_reason(), None, "a function's reason is in its log");
        let mut undelivered = event;
        undelivered.attributes = BTreeMap::from([
            ("ERROR_CODE".to_owned(), "NO_PERMISSIONS".to_owned()),
            ("ERROR_MESSAGE".to_owned(), "no access".to_owned()),
        ]);
        assert_eq!(undelivered.own_reason().unwrap(), "it could not be delivered: NO_PERMISSIONS: no access");
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:slipstream-sweeper:$LATEST";
        let sweep = json!({ "requestContext": { "condition": "RetriesExhausted", "functionArn": arn },
            "responsePayload": { "errorMessage": "deliveries: the table is not available" } });
        let sweep = letter("m", &sweep);
        assert_eq!(sweep.about(), "call of slipstream-sweeper");
        assert_eq!(sweep.own_reason().unwrap(), "RetriesExhausted: deliveries: the table is not available");
        let upload = json!({ "Records": [{ "s3": { "object": { "key": "receipts/a/b/original" } } }] });
        assert_eq!(about(&upload), "upload receipts/a/b/original");
        assert_eq!(about(&json!({ "export": { "id": "expt_1" } })), "export expt_1");
        assert_eq!(about(&json!({ "eventType": "Bounce" })), "mail bounce");
        assert_eq!(about(&json!({ "canary": 1, "b": 2 })), "b, canary");
    }

    #[test]
    fn what_came_from_the_bus_can_go_there_again_and_nothing_else() {
        let record = of_bus(&on_bus()).unwrap();
        assert_eq!(record.detail_type, "ExpenseApproved");
        assert_eq!(record.occurred_at, record.event().unwrap().metadata.occurred_at);
        assert_eq!(of_bus(&json!({ "detail-type": "ExpenseApproved", "detail": { "canary": 1 } })), None);
        assert_eq!(of_bus(&json!({ "requestContext": {} })), None);
        let mut disguised = on_bus();
        disguised["detail-type"] = json!("PersonChanged");
        assert_eq!(of_bus(&disguised), None);
    }

    #[test]
    fn a_choice_names_one_message_each() {
        let letters = ["abc-1", "abd-2", "x-3"].map(|id| letter(id, &json!({})));
        let choose = |ids: &[&str]| chosen(&letters, &ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(choose(&["abc", "x-3"]).unwrap(), ["abc-1", "x-3"]);
        assert!(choose(&["ab"]).unwrap_err().message.contains("more than one"));
        assert!(choose(&["abc", "y"]).unwrap_err().message.contains("no message y"));
    }

    #[test]
    fn whatever_was_set_aside_can_be_seen_and_kept() {
        assert_eq!(content(b"{\"a\": 1}"), json!({"a": 1}));
        assert_eq!(content(b"not json"), json!("not json"));
        assert_eq!(content(b"\xff\x00"), json!({"base64": "/wA="}));
        for strange in [json!("not json"), json!(7), json!([]), json!({"payload": 1})] {
            assert!(set_aside_events(&strange).is_err(), "{strange}");
        }
    }

    #[test]
    fn set_aside_records_are_read_in_both_forms() {
        let single = in_stream(EXAMPLE);
        assert_eq!(set_aside_events(&single).unwrap().len(), 1);
        assert!(set_aside_reason(&single).contains("redrive"));
        let batch = json!({ "Records": [in_stream(EXAMPLE), in_stream(EXAMPLE)] });
        let given_up =
            json!({ "requestContext": { "condition": "RetryAttemptsExhausted" }, "payload": batch.to_string() });
        assert_eq!(set_aside_events(&given_up).unwrap().len(), 2);
        assert!(set_aside_reason(&given_up).contains("RetryAttemptsExhausted"));
        let poison = in_stream("{\"canary\": 1}");
        assert!(set_aside_events(&poison).unwrap_err().contains("envelope cannot be read"));
        assert!(set_aside_events(&json!({ "payload": "no" })).unwrap_err().contains("no JSON"));
    }
}
