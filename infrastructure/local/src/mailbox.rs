//! The mailbox: what the system has sent, parsed for people and scripts, and how scripts wait for a mail.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use mail_parser::{HeaderName, MessageParser, MimeHeaders, PartType};
use serde::{Deserialize, Serialize};

use crate::{aws::http, smtp::Delivery, wait};

/// One mail as it was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mail {
    /// Its number in this mailbox, from 1.
    pub id: usize,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// When it arrived here.
    pub date: Timestamp,
    /// The plain text part.
    pub text: Option<String>,
    /// The HTML part, `cid:` addresses untouched.
    pub html: Option<String>,
    /// Every header in order, as written.
    pub headers: Vec<(String, String)>,
    /// The other parts, inline images included.
    pub attachments: Vec<Attachment>,
}

/// A part that is not the body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attachment {
    /// Its file name, if it has one.
    pub name: Option<String>,
    /// Its media type.
    pub content_type: String,
    /// What `cid:` addresses call it.
    pub content_id: Option<String>,
    /// Its decoded length.
    pub size_bytes: usize,
}

impl Mail {
    /// Whether it went to this address.
    pub fn is_to(&self, address: &str) -> bool {
        self.to.iter().any(|to| to.eq_ignore_ascii_case(address))
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a text occurs in its subject, a header or a body.
    pub fn mentions(&self, text: &str) -> bool {
        let bodies = self.text.iter().chain(&self.html).chain([&self.subject]);
        bodies.chain(self.headers.iter().map(|(_, value)| value)).any(|part| part.contains(text))
    }
}

/// The mails of a world, in its own process.
#[derive(Debug, Clone, Default)]
pub struct Store(Arc<Mutex<Vec<Kept>>>);

/// A mail and its source.
type Kept = (Mail, Vec<u8>);

impl Store {
    /// Keeps a mail that has just come in.
    pub fn keep(&self, delivery: Delivery) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = mails.len() + 1;
        mails.push((parse(id, &delivery), delivery.message));
    }

    /// All mails, oldest first.
    pub fn list(&self) -> Vec<Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(mail, _)| mail.clone()).collect()
    }

    /// One mail and its source.
    pub fn get(&self, id: usize) -> Option<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id.checked_sub(1)?).cloned()
    }
}

/// A parsed attachment's bytes with their media type.
pub fn attachment(source: &[u8], index: usize) -> Option<(String, Vec<u8>)> {
    let message = MessageParser::default().parse(source)?;
    let part = message.attachments().nth(index)?;
    Some((media_type(part), part.contents().to_vec()))
}

fn parse(id: usize, delivery: &Delivery) -> Mail {
    let mut mail = Mail {
        id,
        from: delivery.from.clone(),
        to: delivery.to.clone(),
        subject: String::new(),
        date: Timestamp::now(),
        text: None,
        html: None,
        headers: Vec::new(),
        attachments: Vec::new(),
    };
    let Some(message) = MessageParser::default().parse(&delivery.message) else {
        return mail;
    };
    mail.subject = message.subject().unwrap_or_default().to_owned();
    mail.headers =
        message.headers_raw().map(|(name, value)| (name.to_owned(), value.trim().replace("\r\n", ""))).collect();
    // The parser turns one body into the other where a mail has only one: take what was really sent.
    for part in message.parts.iter() {
        let is_attachment = part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment);
        match &part.body {
            PartType::Text(text) if mail.text.is_none() && !is_attachment => mail.text = Some(text.to_string()),
            PartType::Html(html) if mail.html.is_none() && !is_attachment => mail.html = Some(html.to_string()),
            _ => {}
        }
    }
    mail.attachments = message
        .attachments()
        .map(|part| Attachment {
            name: part.attachment_name().map(ToOwned::to_owned),
            content_type: media_type(part),
            content_id: part.content_id().map(|id| id.trim_matches(['<', '>']).to_owned()),
            size_bytes: part.contents().len(),
        })
        .collect();
    mail
}

fn media_type(part: &mail_parser::MessagePart<'_>) -> String {
    part.headers
        .iter()
        .find(|header| header.name == HeaderName::ContentType)
        .and_then(|_| part.content_type())
        .map_or_else(
            || "application/octet-stream".to_owned(),
            |kind| {
                kind.subtype().map_or_else(|| kind.ctype().to_owned(), |subtype| format!("{}/{subtype}", kind.ctype()))
            },
        )
}

/// The mailbox of a running world, read over HTTP, so that it need not be one's own.
#[derive(Debug, Clone)]
pub struct Mailbox {
    url: String,
}

impl Mailbox {
    /// The mailbox behind a front server.
    pub fn at(front_url: &str) -> Self {
        Self { url: format!("{front_url}/mail/api/messages") }
    }

    /// Every mail so far, oldest first.
    ///
    /// # Errors
    /// When the front server does not answer.
    pub async fn list(&self) -> Result<Vec<Mail>> {
        let answer =
            http().get(&self.url).send().await.with_context(|| format!("cannot reach the mailbox at {}", self.url))?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Waits for the first mail that fulfils the condition.
    ///
    /// # Errors
    /// When none has come by the deadline.
    pub async fn wait_for_mail(&self, what: &str, deadline: Duration, wanted: impl Fn(&Mail) -> bool) -> Result<Mail> {
        wait::until(what, deadline, async || Ok(self.list().await?.into_iter().find(&wanted))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIME: &str = "Message-ID: <1@email.amazonses.com>\r\n\
        Subject: =?utf-8?q?Caf=C3=A9?=\r\n\
        X-Slipstream-Expense: abc\r\n\
        Content-Type: multipart/related; boundary=R\r\n\r\n\
        --R\r\nContent-Type: multipart/alternative; boundary=A\r\n\r\n\
        --A\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nplain\r\n\
        --A\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGltZyBzcmM9ImNpZDp0aHVtYiI+\r\n--A--\r\n\
        --R\r\nContent-Type: image/png\r\nContent-ID: <thumb>\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--R--\r\n";

    fn delivered(message: &str) -> Store {
        let store = Store::default();
        let to = vec!["mark@example.com".to_owned()];
        store.keep(Delivery { from: "expenses@example.com".to_owned(), to, message: message.as_bytes().to_vec() });
        store
    }

    #[test]
    fn a_mail_with_an_inline_image_is_taken_apart() {
        let store = delivered(MIME);
        let (mail, source) = store.get(1).unwrap();
        assert_eq!(mail.subject, "Café");
        assert_eq!(mail.text.as_deref(), Some("plain"));
        assert_eq!(mail.html.as_deref(), Some(r#"<img src="cid:thumb">"#));
        assert_eq!(mail.header("x-slipstream-expense"), Some("abc"));
        assert_eq!(mail.attachments.len(), 1);
        assert_eq!(mail.attachments[0].content_id.as_deref(), Some("thumb"));
        assert_eq!(attachment(&source, 0), Some(("image/png".to_owned(), b"\x89PNG".to_vec())));
        assert!(mail.is_to("Mark@example.com") && mail.mentions("abc") && !mail.mentions("xyz"));
    }

    #[test]
    fn a_text_only_mail_has_no_html() {
        let (mail, _) = delivered("Subject: code\r\n\r\nYour code is 123456.\r\n").get(1).unwrap();
        assert_eq!(mail.text.as_deref().map(str::trim), Some("Your code is 123456."));
        assert_eq!(mail.html, None);
        assert!(mail.attachments.is_empty());
    }

    #[test]
    fn numbers_start_at_one() {
        assert!(Store::default().get(0).is_none());
        assert!(Store::default().get(1).is_none());
    }
}
