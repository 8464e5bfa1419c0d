//! What the consumers call: the table, the mail service and the queue.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use slipstream_table_stub::{Stub, gate::Answer};

/// The answer of a service that is not well.
pub fn unavailable() -> Answer {
    Answer::json(503, &json!({}))
}

/// A mail that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
}

impl Mail {
    /// The one that a form of `SendRawEmail` is for.
    fn of(form: &[u8]) -> Self {
        let form: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
        let given = |wanted: &str| form.iter().find(|(name, _)| name == wanted).map(|(_, value)| value).unwrap();
        assert_eq!(given("Action"), "SendRawEmail");
        let raw = BASE64_STANDARD.decode(given("RawMessage.Data")).unwrap();
        let mime = MessageParser::default().parse(&raw).unwrap();
        let to = mime.to().and_then(|to| to.first()?.address()).unwrap().to_owned();
        assert_eq!(&to, given("Destinations.member.1"));
        Self { to, subject: mime.subject().unwrap().to_owned(), text: mime.body_text(0).unwrap().into_owned() }
    }
}

/// Everything that a call can reach.
#[derive(Debug)]
pub struct Services {
    /// The main table, and the projections' in it.
    pub table: Stub,
    /// The mails that were sent.
    pub mails: Vec<Mail>,
    /// The bodies of the messages that were sent to the queue and are yet to be delivered.
    pub sent: Vec<String>,
    /// How many calls there were.
    pub calls: u64,
}

/// What the mail service answers.
const MAIL_TAKEN: &str = "<SendRawEmailResponse xmlns=\"http://ses.amazonaws.com/doc/2010-12-01/\"><SendRawEmailResult>\
    <MessageId>m</MessageId></SendRawEmailResult></SendRawEmailResponse>";

impl Services {
    pub fn on(table: Stub) -> Self {
        Self { table, mails: Vec::new(), sent: Vec::new(), calls: 0 }
    }

    /// Carries out a call. Only the mail service's do not name their operation in a header.
    pub fn call(&mut self, target: &str, body: &[u8]) -> Answer {
        self.calls += 1;
        match target.split_once('.') {
            None => {
                self.mails.push(Mail::of(body));
                Answer { status: 200, media_type: "text/xml", body: MAIL_TAKEN.to_owned() }
            }
            Some(("AmazonSQS", "SendMessage")) => {
                let request: Value = serde_json::from_slice(body).unwrap();
                self.sent.push(request["MessageBody"].as_str().unwrap().to_owned());
                Answer::json(200, &json!({ "MessageId": "m" }))
            }
            Some(("AWSStepFunctions", "SendTaskSuccess")) => Answer::json(200, &json!({})),
            Some(_) => {
                let (status, document) = self.table.answer(target, body);
                Answer::json(status, &document)
            }
        }
    }

    /// So much time passes that no lease is held any more. Whoever had one is dead: a function's time is shorter.
    pub fn let_leases_end(&mut self) {
        for mut item in self.table.items() {
            if item.contains_key("lease") {
                item["lease"]["M"]["until"] = json!({ "S": "1970-01-01T00:00:00Z" });
                self.table.put(item);
            }
        }
    }
}
