//! The mails themselves: HTML and plain text with the same content, as raw MIME (RFC 5322, RFC 2045).

use std::io;

use askama::Template;
use jiff::Timestamp;
use mail_builder::{MessageBuilder, headers::address::Address};
use slipstream_events::{ExpenseState, FailureReason};

use crate::moment;

/// A JPEG to show within the mail.
#[derive(Debug, Clone)]
pub struct Picture(pub Vec<u8>);

/// A mail, apart from whom it is for.
#[derive(Debug)]
pub struct Mail {
    subject: String,
    html: String,
    text: String,
    picture: Option<Picture>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct HtmlBody<'a> {
    heading: &'a str,
    paragraph: &'a str,
    rows: &'a [(&'static str, String)],
    has_picture: bool,
    button: Option<(&'a str, &'a str)>,
}

/// The content id of the picture (RFC 2392).
const PICTURE_ID: &str = "receipt";

/// One line of text, as a header needs it: merchant names contain line breaks and control characters.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

impl Mail {
    fn new(
        subject: &str,
        heading: &str,
        paragraph: &str,
        rows: Vec<(&'static str, String)>,
        button: Option<(&str, &str)>,
        picture: Option<Picture>,
    ) -> Self {
        let body = HtmlBody { heading, paragraph, rows: &rows, has_picture: picture.is_some(), button };
        let html = body.render().unwrap_or_default();
        let mut text = format!("{heading}\n\n{paragraph}\n\n");
        for (name, value) in &rows {
            text.push_str(&format!("{name}: {}\n", one_line(value)));
        }
        if let Some((label, link)) = button {
            text.push_str(&format!("\n{label}:\n{link}\n"));
        }
        Self { subject: one_line(subject), html, text, picture }
    }

    /// Asks an approver.
    pub fn ask(expense: &ExpenseState, owner: &str, due_at: Timestamp, link: String, picture: Option<Picture>) -> Self {
        let mut rows = rows(expense);
        rows.push(("Decide by", moment(due_at)));
        let (amount, merchant) = what(expense);
        let subject = format!("Please approve: {amount} at {merchant}");
        let heading = format!("{} asks for your approval", one_line(owner));
        let paragraph = "Open the page to see the receipt and to decide. Opening it changes nothing.";
        Self::new(&subject, &heading, paragraph, rows, Some(("Look and decide", &link)), picture)
    }

    /// Tells an owner what became of an expense.
    pub fn tell(expense: &ExpenseState, outcome: &str, paragraph: &str, comment: Option<&str>) -> Self {
        let mut rows = rows(expense);
        if let Some(comment) = comment {
            rows.push(("Comment", comment.to_owned()));
        }
        let (amount, merchant) = what(expense);
        Self::new(&format!("Expense {outcome}: {amount} at {merchant}"), paragraph, "", rows, None, None)
    }

    /// Tells an owner that a receipt could not be read.
    pub fn receipt_failed(uploaded: &str, reason: FailureReason) -> Self {
        let rows = vec![("Uploaded", uploaded.to_owned()), ("Reason", reason.as_str().replace('_', " "))];
        let heading = "Your receipt could not be read";
        Self::new(heading, heading, reason.message(), rows, None, None)
    }

    /// The mail as it goes over the wire.
    ///
    /// # Errors
    /// [`io::Error`] when it cannot be written.
    pub fn to_mime(&self, from: &str, to: &str) -> io::Result<Vec<u8>> {
        let mut message = MessageBuilder::new()
            .from(Address::new_address(Some("Slipstream"), from))
            .to(to)
            .subject(self.subject.as_str())
            .text_body(self.text.as_str())
            .html_body(self.html.as_str());
        if let Some(Picture(bytes)) = &self.picture {
            message = message.inline("image/jpeg", PICTURE_ID, bytes.as_slice());
        }
        message.write_to_vec()
    }
}

fn what(expense: &ExpenseState) -> (String, &str) {
    let amount = expense.details.amount.map(|amount| amount.to_string()).unwrap_or_default();
    (amount, expense.details.merchant.as_deref().unwrap_or("an unknown merchant"))
}

fn rows(expense: &ExpenseState) -> Vec<(&'static str, String)> {
    let details = &expense.details;
    let (amount, merchant) = what(expense);
    let mut rows = vec![("Amount", amount), ("Merchant", merchant.to_owned())];
    rows.extend(details.date.map(|date| ("Date", date.to_string())));
    rows.extend(details.category.map(|category| ("Category", category.to_string().replace('_', " "))));
    rows.extend(details.cost_centre.clone().map(|centre| ("Cost centre", centre)));
    rows.extend(details.project.clone().map(|project| ("Project", project)));
    rows.extend(details.note.clone().map(|note| ("Note", note)));
    rows.push(("Expense", expense.id.to_string()));
    rows
}

#[cfg(test)]
mod tests {
    use slipstream_events::{ExpenseDetails, ExpenseId, ExpenseStatus, Money};

    use super::*;

    fn expense(merchant: &str) -> ExpenseState {
        ExpenseState {
            id: ExpenseId::derived_from(&["x"]),
            version: 2,
            owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            status: ExpenseStatus::Submitted,
            details: ExpenseDetails {
                merchant: Some(merchant.to_owned()),
                amount: Some(Money::new(2340, "EUR".parse().unwrap())),
                ..ExpenseDetails::default()
            },
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            distinct_from: Vec::new(),
            split: None,
            submission: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_merchant_cannot_write_headers_or_markup() {
        let hostile = "Bad\r\nBcc: everyone@example.com\r\n\r\n<script>alert(1)</script>";
        let mail = Mail::ask(&expense(hostile), "Emma", Timestamp::UNIX_EPOCH, "http://x/l".to_owned(), None);
        let mime = String::from_utf8(mail.to_mime("from@example.com", "to@example.com").unwrap()).unwrap();
        let (headers, _) = mime.split_once("\r\n\r\n").unwrap();
        assert!(!headers.lines().any(|line| line.starts_with("Bcc:")), "{mime}");
        assert!(!mail.html.contains("<script>"), "{}", mail.html);
    }

    #[test]
    fn html_and_text_say_the_same() {
        let picture = Some(Picture(vec![0xff, 0xd8]));
        let mail = Mail::ask(&expense("Café"), "Emma", Timestamp::UNIX_EPOCH, "http://x/link".to_owned(), picture);
        for part in [&mail.html, &mail.text] {
            for content in ["23.40 EUR", "Café", "http://x/link", "Emma"] {
                assert!(part.contains(content), "{content} is missing in {part}");
            }
        }
        assert!(mail.html.contains("cid:receipt"));
        let mime = String::from_utf8(mail.to_mime("from@example.com", "to@example.com").unwrap()).unwrap();
        assert!(mime.contains("Content-ID: <receipt>"), "{mime}");
    }

    #[test]
    fn a_failed_receipt_is_told_with_the_remedy() {
        let mail = Mail::receipt_failed("2026-03-12", FailureReason::Damaged);
        assert!(mail.text.contains(FailureReason::Damaged.message()));
    }
}
