//! The mails themselves: HTML and plain text with the same content, as raw MIME (RFC 5322, RFC 2045).

use std::io;

use askama::Template;
use jiff::Timestamp;
use mail_builder::{MessageBuilder, headers::address::Address};
use slipstream_common::reports::ReportSubmissionRecord;
use slipstream_domain::report;
use slipstream_events::{BudgetThreshold, ExpenseState, FailureReason};

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
    lines: &'a [Line],
    has_picture: bool,
    button: Option<(&'a str, &'a str)>,
}

/// One expense of several, in a line.
#[derive(Debug, Clone)]
struct Line {
    merchant: String,
    amount: String,
    about: String,
    warnings: Vec<String>,
}

/// An expense of a report, as its mail tells of it.
#[derive(Debug, Clone)]
pub struct Part {
    /// The expense as it is now.
    pub expense: ExpenseState,
    /// What to look at.
    pub warnings: Vec<String>,
}

impl Part {
    fn line(&self) -> Line {
        let (amount, merchant) = what(&self.expense);
        let details = &self.expense.details;
        let about = details.date.map(|date| date.to_string()).into_iter();
        let about = about.chain(details.category.map(|category| category.to_string().replace('_', " ")));
        Line {
            merchant: one_line(merchant),
            amount,
            about: about.collect::<Vec<_>>().join(" · "),
            warnings: self.warnings.clone(),
        }
    }
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
        Self::listing(subject, heading, paragraph, &rows, &[], button, picture)
    }

    fn listing(
        subject: &str,
        heading: &str,
        paragraph: &str,
        rows: &[(&'static str, String)],
        lines: &[Line],
        button: Option<(&str, &str)>,
        picture: Option<Picture>,
    ) -> Self {
        let body = HtmlBody { heading, paragraph, rows, lines, has_picture: picture.is_some(), button };
        let html = body.render().unwrap_or_default();
        let mut text = format!("{heading}\n\n{paragraph}\n\n");
        for (name, value) in rows {
            text.push_str(&format!("{name}: {}\n", one_line(value)));
        }
        for line in lines {
            text.push_str(&format!("\n- {}, {}\n  {}\n", line.amount, line.merchant, line.about));
            for warning in &line.warnings {
                text.push_str(&format!("  ! {}\n", one_line(warning)));
            }
        }
        if let Some((label, link)) = button {
            text.push_str(&format!("\n{label}:\n{link}\n"));
        }
        Self { subject: one_line(subject), html, text, picture }
    }

    /// Asks an approver.
    pub fn ask(
        Part { expense, warnings }: &Part,
        owner: &str,
        due_at: Timestamp,
        link: String,
        picture: Option<Picture>,
    ) -> Self {
        let mut rows = rows(expense);
        rows.extend(warnings.iter().map(|warning| ("Look at", warning.clone())));
        rows.push(("Decide by", moment(due_at)));
        let (amount, merchant) = what(expense);
        let subject = format!("Please approve: {amount} at {merchant}");
        let heading = format!("{} asks for your approval", one_line(owner));
        let paragraph = "Open the page to see the receipt and to decide. Opening it changes nothing.";
        Self::new(&subject, &heading, paragraph, rows, Some(("Look and decide", &link)), picture)
    }

    /// Asks an approver for several expenses of a report.
    pub fn ask_together(
        record: &ReportSubmissionRecord,
        parts: &[Part],
        owner: &str,
        due_at: Timestamp,
        link: &str,
    ) -> Self {
        let title = one_line(&record.title);
        let count = match parts.len() {
            1 => "1 expense".to_owned(),
            count => format!("{count} expenses"),
        };
        let totals: Vec<_> = report::totals(parts.iter().map(|part| &part.expense))
            .iter()
            .map(|total| total.amount.to_string())
            .collect();
        let totals = totals.join(" + ");
        let rows = [
            ("Report", title.clone()),
            ("Expenses", parts.len().to_string()),
            ("Total", totals.clone()),
            ("Decide by", moment(due_at)),
        ];
        let lines: Vec<_> = parts.iter().map(Part::line).collect();
        let subject = format!("Please approve: {title}, {count}, {totals}");
        let heading = format!("{} asks for your approval", one_line(owner));
        let paragraph = "Open the page to see them and to decide, together or one by one. Opening it changes nothing.";
        Self::listing(&subject, &heading, paragraph, &rows, &lines, Some(("Look and decide", link)), None)
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

    /// Tells finance that so much of a budget is used.
    pub fn budget(threshold: &BudgetThreshold) -> Self {
        let BudgetThreshold { category, period, percent, used, budget, .. } = threshold;
        let category = category.to_string().replace('_', " ");
        let heading = match percent {
            100.. => format!("The budget for {category} in {period} is used up"),
            _ => format!("{percent} % of the budget for {category} in {period} are used"),
        };
        let rows = vec![
            ("Category", category),
            ("Period", period.clone()),
            ("Used", used.to_string()),
            ("Budget", budget.to_string()),
        ];
        let paragraph = "Approved and reimbursed expenses count, those paid by company card included.";
        Self::new(&heading, &heading, paragraph, rows, None, None)
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
    use slipstream_events::{Category, ExpenseDetails, ExpenseId, ExpenseStatus, Money};

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
            findings: Vec::new(),
            converted: None,
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
        let mail = Mail::ask(
            &Part { expense: expense(hostile), warnings: Vec::new() },
            "Emma",
            Timestamp::UNIX_EPOCH,
            "http://x/l".to_owned(),
            None,
        );
        let mime = String::from_utf8(mail.to_mime("from@example.com", "to@example.com").unwrap()).unwrap();
        let (headers, _) = mime.split_once("\r\n\r\n").unwrap();
        assert!(!headers.lines().any(|line| line.starts_with("Bcc:")), "{mime}");
        assert!(!mail.html.contains("<script>"), "{}", mail.html);
    }

    #[test]
    fn the_mail_of_a_report_tells_of_every_expense_and_escapes_them() {
        let record = ReportSubmissionRecord {
            report: "rpt_00112233445566778899aabbccddeeff".parse().unwrap(),
            number: 1,
            owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            title: "<i>Vienna</i>\r\nBcc: everyone@example.com".to_owned(),
            version: 2,
            submissions: Vec::new(),
            submitted_at: Timestamp::UNIX_EPOCH,
            overdue: false,
            asked_again_at: None,
            mailed_at: None,
        };
        let part = |merchant: &str| Part { expense: expense(merchant), warnings: vec!["<i>It is old.".to_owned()] };
        let parts = [part("Café"), part("<script>alert(1)</script>")];
        let mail = Mail::ask_together(&record, &parts, "Emma", Timestamp::UNIX_EPOCH, "http://x/link");
        for part in [&mail.html, &mail.text] {
            for content in ["23.40 EUR", "46.80 EUR", "Café", "http://x/link", "Emma", "It is old."] {
                assert!(part.contains(content), "{content} is missing in {part}");
            }
        }
        assert!(!mail.html.contains("<script>") && !mail.html.contains("<i>"), "{}", mail.html);
        let mime = String::from_utf8(mail.to_mime("from@example.com", "to@example.com").unwrap()).unwrap();
        let (headers, _) = mime.split_once("\r\n\r\n").unwrap();
        assert!(!headers.lines().any(|line| line.starts_with("Bcc:")), "{mime}");
    }

    #[test]
    fn html_and_text_say_the_same() {
        let picture = Some(Picture(vec![0xff, 0xd8]));
        let mail = Mail::ask(
            &Part { expense: expense("Café"), warnings: Vec::new() },
            "Emma",
            Timestamp::UNIX_EPOCH,
            "http://x/link".to_owned(),
            picture,
        );
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
    fn a_budget_is_told_with_its_amounts() {
        let euros = |minor_units| Money::new(minor_units, "EUR".parse().unwrap());
        let told = |percent| {
            Mail::budget(&BudgetThreshold {
                category: Category::OfficeSupplies,
                period: "2026-03".to_owned(),
                percent,
                used: euros(81_000),
                budget: euros(100_000),
                budget_version: 1,
            })
        };
        assert_eq!(told(80).subject, "80 % of the budget for office supplies in 2026-03 are used");
        assert_eq!(told(100).subject, "The budget for office supplies in 2026-03 is used up");
        for part in [told(80).html, told(80).text] {
            assert!(part.contains("810.00 EUR") && part.contains("1000.00 EUR"), "{part}");
        }
    }

    #[test]
    fn a_failed_receipt_is_told_with_the_remedy() {
        let mail = Mail::receipt_failed("2026-03-12", FailureReason::Damaged);
        assert!(mail.text.contains(FailureReason::Damaged.message()));
    }
}
