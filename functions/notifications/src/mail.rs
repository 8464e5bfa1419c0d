//! The mails themselves: HTML and plain text with the same content, as raw MIME (RFC 5322, RFC 2045).

use std::io;

use askama::Template;
use jiff::Timestamp;
use mail_builder::{MessageBuilder, headers::address::Address};
use slipstream_common::reports::ReportSubmissionRecord;
use slipstream_domain::{report, text::one_line};
use slipstream_events::{BudgetThreshold, ExpenseState, FailureReason, PaidBy};

use crate::moment;

/// A JPEG to show within the mail.
#[derive(Debug, Clone)]
pub struct Picture(pub Vec<u8>);

/// A mail, apart from whom it is for.
#[derive(Debug, Clone)]
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
    more: usize,
    has_picture: bool,
    button: Option<Button<'a>>,
}

/// Where a mail leads.
#[derive(Debug, Clone, Copy)]
struct Button<'a> {
    label: &'a str,
    link: &'a str,
    /// What to know of it.
    note: &'a str,
    /// Whether it takes something back.
    stops: bool,
}

impl<'a> Button<'a> {
    const fn decide(asking: &Asking<'a>) -> Self {
        let &Asking { link, sign_in, .. } = asking;
        let note = match sign_in {
            false => "The link is meant for you alone: whoever has it can decide. Do not forward it.",
            true => "You are asked to sign in: the link alone shows and decides nothing.",
        };
        Self { label: "Look and decide", link, note, stops: false }
    }

    const fn disown(link: &'a str) -> Self {
        let note = "If it was you, there is nothing to do. The page behind the link asks once more.";
        Self { label: "That was not me", link, note, stops: true }
    }
}

/// One expense of several, in a line.
#[derive(Debug, Clone)]
struct Line {
    merchant: String,
    amount: String,
    about: String,
    warnings: Vec<String>,
}

/// How many expenses a mail lists; the page behind its link lists all. Mail clients cut a long mail off.
const MAX_LINES: usize = 40;

/// An expense, as a mail tells of it.
#[derive(Debug, Clone)]
pub struct Part {
    /// The expense as it is now.
    pub expense: ExpenseState,
    /// What to look at.
    pub warnings: Vec<String>,
    /// Whose it is; not where the mail as a whole says so.
    pub owner: Option<String>,
    /// Why its reader is asked, where it is not simply theirs to decide.
    pub why: Option<String>,
    /// What was decided of it.
    pub decided: Option<&'static str>,
}

impl Part {
    fn line(&self) -> Line {
        let (amount, merchant) = what(&self.expense);
        let details = &self.expense.details;
        let about = self.decided.map(ToOwned::to_owned).into_iter();
        let about = about.chain(details.date.map(|date| date.to_string()));
        let about = about.chain(details.category.map(|category| category.to_string().replace('_', " ")));
        let converted = self.expense.converted.as_ref().map(|conversion| conversion.amount.to_string());
        let about =
            about.chain(converted).chain(self.owner.as_deref().map(one_line)).chain(self.why.as_deref().map(one_line));
        let about = about.chain(self.owner.is_some().then(|| self.expense.id.to_string()));
        Line {
            merchant: one_line(merchant),
            amount,
            about: about.collect::<Vec<_>>().join(" · "),
            warnings: self.warnings.clone(),
        }
    }
}

/// How a mail asks.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Until when an answer counts.
    pub due_at: Timestamp,
    /// Where to decide.
    pub link: &'a str,
    /// Whether it was asked before.
    pub reminder: bool,
    /// Whether the link decides only for whoever signs in.
    pub sign_in: bool,
}

/// The content id of the picture (RFC 2392).
const PICTURE_ID: &str = "receipt";

impl Mail {
    fn new(
        subject: &str,
        heading: &str,
        paragraph: &str,
        rows: Vec<(&'static str, String)>,
        button: Option<Button<'_>>,
        picture: Option<Picture>,
    ) -> Self {
        Self::listing(subject, heading, paragraph, &rows, &[], button, picture)
    }

    fn listing(
        subject: &str,
        heading: &str,
        paragraph: &str,
        rows: &[(&'static str, String)],
        parts: &[Part],
        button: Option<Button<'_>>,
        picture: Option<Picture>,
    ) -> Self {
        let lines: Vec<_> = parts.iter().take(MAX_LINES).map(Part::line).collect();
        let more = parts.len() - lines.len();
        let has_picture = picture.is_some();
        let html = HtmlBody { heading, paragraph, rows, lines: &lines, more, has_picture, button };
        let html = html.render().unwrap_or_default();
        let mut text = format!("{heading}\n\n{paragraph}\n\n");
        for (name, value) in rows {
            text.push_str(&format!("{name}: {}\n", one_line(value)));
        }
        for line in &lines {
            text.push_str(&format!("\n- {}, {}\n  {}\n", line.amount, line.merchant, line.about));
            for warning in &line.warnings {
                text.push_str(&format!("  ! {}\n", one_line(warning)));
            }
        }
        if more > 0 {
            text.push_str(&format!("\nand {more} more, on the page\n"));
        }
        if let Some(Button { label, link, note, .. }) = button {
            text.push_str(&format!("\n{label}:\n{link}\n\n{note}\n"));
        }
        Self { subject: one_line(subject), html, text, picture }
    }

    /// Asks an approver for one expense or several.
    pub fn ask(parts: &[Part], asking: Asking<'_>, picture: Option<Picture>) -> Self {
        let Asking { due_at, reminder, .. } = asking;
        let owner = the_owner(parts);
        let heading = match (reminder, owner) {
            (true, _) => "Your decision is still waited for".to_owned(),
            (false, Some(owner)) => format!("{} asks for your approval", one_line(owner)),
            (false, None) => "Your approval is asked for".to_owned(),
        };
        let button = Some(Button::decide(&asking));
        if let [part] = parts {
            let (amount, merchant) = what(&part.expense);
            let subject = match reminder {
                true => format!("Reminder: {amount} at {merchant} waits for you"),
                false => format!("Please approve: {amount} at {merchant}"),
            };
            let mut rows = rows(&part.expense);
            if reminder {
                rows.extend(part.owner.clone().map(|owner| ("From", owner)));
            }
            rows.extend(part.warnings.iter().map(|warning| ("Look at", warning.clone())));
            rows.extend(part.why.clone().map(|why| ("Why you", why)));
            rows.push(("Decide by", moment(due_at)));
            let paragraph = "Open the page to see the receipt and to decide. Opening it changes nothing.";
            return Self::new(&subject, &heading, paragraph, rows, button, picture);
        }
        let (count, totals) = (parts.len(), totals(parts));
        let subject = match reminder {
            true => format!("Reminder: {count} expenses wait for you, {totals}"),
            false => format!("Please approve: {count} expenses, {totals}"),
        };
        let rows = [("Expenses", count.to_string()), ("Total", totals), ("Decide by", moment(due_at))];
        Self::listing(&subject, &heading, TOGETHER, &rows, parts, button, picture)
    }

    /// Confirms decisions to whoever made them.
    pub fn confirm(parts: &[Part], link: &str) -> Self {
        let button = Some(Button::disown(link));
        if let [part] = parts {
            let (amount, merchant) = what(&part.expense);
            let decided = match part.decided.unwrap_or("decided on") {
                "sent back for changes" => "sent back",
                decided => decided,
            };
            let subject = format!("You {decided}: {amount} at {merchant}");
            let mut rows = rows(&part.expense);
            rows.extend(part.owner.clone().map(|owner| ("From", owner)));
            let heading = format!("You {decided} an expense");
            return Self::new(&subject, &heading, "This confirms what was decided in your name.", rows, button, None);
        }
        let subject = format!("You decided on {} expenses, {}", parts.len(), totals(parts));
        let heading = format!("You decided on {} expenses", parts.len());
        Self::listing(&subject, &heading, "This confirms what was decided in your name.", &[], parts, button, None)
    }

    /// Tells finance that a decision was not made by the person in whose name it was.
    pub fn disowned(expense: &ExpenseState, name: &str) -> Self {
        let (amount, merchant) = what(expense);
        let subject = format!("Not their decision: {amount} at {merchant}");
        let heading = format!("{} says that a decision in their name was not theirs", one_line(name));
        let paragraph = "The expense is asked for anew. Find out who decided: somebody may read their mail.";
        Self::new(&subject, &heading, paragraph, rows(expense), None, None)
    }

    /// Tells finance that mail to a person comes back.
    pub fn undeliverable(name: &str, reassigned: usize) -> Self {
        let subject = format!("Mail to {} does not arrive", one_line(name));
        let paragraph = "Nobody waits for their answer to mail any more: what waited for them is asked of somebody else, \
            where there is anybody. Once their mailbox works again, an administrator clears the mark in their profile.";
        let rows = vec![("Person", name.to_owned()), ("Asked of others", reassigned.to_string())];
        Self::new(&subject, &subject, paragraph, rows, None, None)
    }

    /// Asks an approver for several expenses of a report.
    pub fn ask_together(record: &ReportSubmissionRecord, parts: &[Part], owner: &str, asking: Asking<'_>) -> Self {
        let due_at = asking.due_at;
        let title = one_line(&record.title);
        let count = match parts.len() {
            1 => "1 expense".to_owned(),
            count => format!("{count} expenses"),
        };
        let totals = totals(parts);
        let rows = [
            ("Report", title.clone()),
            ("Expenses", parts.len().to_string()),
            ("Total", totals.clone()),
            ("Decide by", moment(due_at)),
        ];
        let subject = format!("Please approve: {title}, {count}, {totals}");
        let heading = format!("{} asks for your approval", one_line(owner));
        Self::listing(&subject, &heading, TOGETHER, &rows, parts, Some(Button::decide(&asking)), None)
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

/// What to do with several.
const TOGETHER: &str = "Open the page to see them and to decide, together or one by one. Opening it changes nothing.";

/// Whose they all are, if they are one person's.
fn the_owner(parts: &[Part]) -> Option<&str> {
    let first = parts.first()?;
    parts.iter().all(|part| part.expense.owner == first.expense.owner).then_some(first.owner.as_deref()).flatten()
}

fn totals(parts: &[Part]) -> String {
    let totals = report::totals(parts.iter().map(|part| &part.expense));
    totals.iter().map(|total| total.amount.to_string()).collect::<Vec<_>>().join(" + ")
}

fn what(expense: &ExpenseState) -> (String, &str) {
    let amount = expense.details.amount.map(|amount| amount.to_string()).unwrap_or_default();
    (amount, expense.details.merchant.as_deref().unwrap_or("an unknown merchant"))
}

fn rows(expense: &ExpenseState) -> Vec<(&'static str, String)> {
    let details = &expense.details;
    let (amount, merchant) = what(expense);
    let mut rows = vec![("Amount", amount)];
    rows.extend(expense.converted.as_ref().map(|conversion| ("Converted", conversion.to_string())));
    rows.extend(expense.split.as_ref().map(|split| ("Part of", split.to_string())));
    rows.push(("Merchant", merchant.to_owned()));
    rows.extend(details.date.map(|date| ("Date", date.to_string())));
    rows.extend(details.category.map(|category| ("Category", category.to_string().replace('_', " "))));
    rows.extend((details.paid_by == PaidBy::CompanyCard).then(|| ("Paid by", "company card".to_owned())));
    rows.extend(details.cost_centre.clone().map(|centre| ("Cost centre", centre)));
    rows.extend(details.project.clone().map(|project| ("Project", project)));
    rows.extend(details.note.clone().map(|note| ("Note", note)));
    rows.push(("Expense", expense.id.to_string()));
    rows
}

#[cfg(test)]
mod tests {
    use slipstream_events::{Category, Conversion, ExpenseDetails, ExpenseId, ExpenseStatus, Money, Split};

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

    const ASKING: Asking<'static> =
        Asking { due_at: Timestamp::UNIX_EPOCH, link: "http://x/link", reminder: false, sign_in: false };

    fn part(merchant: &str) -> Part {
        Part {
            expense: expense(merchant),
            warnings: vec!["<i>It is old.".to_owned()],
            owner: Some("Emma".to_owned()),
            why: None,
            decided: None,
        }
    }

    #[test]
    fn several_are_listed_with_what_there_is_to_know() {
        let hostile = Part {
            owner: Some("Eve\r\n<b>".to_owned()),
            why: Some("Mark <i>left".to_owned()),
            ..part("<script>alert(1)</script>\r\nBcc: everyone@example.com")
        };
        let parts = [part("Café"), hostile];
        let asked = Mail::ask(&parts, ASKING, None);
        assert_eq!(asked.subject, "Please approve: 2 expenses, 46.80 EUR");
        let reminded = Mail::ask(&parts, Asking { reminder: true, ..ASKING }, None);
        assert_eq!(reminded.subject, "Reminder: 2 expenses wait for you, 46.80 EUR");
        let id = expense("x").id.to_string();
        for mail in [asked, reminded] {
            for text in [&mail.html, &mail.text] {
                for content in ["Café", "23.40 EUR", "Emma", "It is old.", "http://x/link", &id] {
                    assert!(text.contains(content), "{content} is missing in {text}");
                }
            }
            assert!(!mail.html.contains("<script>") && !mail.html.contains("<i>") && !mail.html.contains("<b>"));
        }
    }

    #[test]
    fn what_is_asked_for_comes_with_its_rate_and_with_the_whole_it_is_a_part_of() {
        let mut dinner = part("Diner");
        let dollars = |minor_units| Money::new(minor_units, "USD".parse().unwrap());
        dinner.expense.details.amount = Some(dollars(2340));
        dinner.expense.details.paid_by = PaidBy::CompanyCard;
        dinner.expense.converted = Some(Conversion {
            amount: Money::new(2007, "EUR".parse().unwrap()),
            rate: "1.1658".parse().unwrap(),
            base: "EUR".parse().unwrap(),
            quote: "USD".parse().unwrap(),
            date: "2018-06-01".parse().unwrap(),
            source: "ECB".to_owned(),
        });
        dinner.expense.split = Some(Split {
            of: dinner.expense.id,
            parts: vec![dinner.expense.id],
            total: dollars(5000),
            original_amount: None,
            tax: None,
            personal: Some(dollars(2660)),
        });
        let alone = Mail::ask(&[dinner.clone()], ASKING, None);
        for text in [&alone.html, &alone.text] {
            let rate = "20.07 EUR (1 EUR = 1.1658 USD, ECB, 2018-06-01)";
            for content in [rate, "50.00 USD in 1 part, 26.60 USD of it personal", "company card"] {
                assert!(text.contains(content), "{content} is missing in {text}");
            }
        }
        let listed = Mail::ask(&[dinner, part("Café")], ASKING, None);
        assert!(listed.text.contains("20.07 EUR") && listed.html.contains("20.07 EUR"), "{}", listed.text);
    }

    #[test]
    fn a_mail_says_what_its_link_can_do() {
        let alone = Mail::ask(&[part("Café")], ASKING, None);
        assert!(alone.text.contains("whoever has it can decide"), "{}", alone.text);
        let with_sign_in = Mail::ask(&[part("Café")], Asking { sign_in: true, ..ASKING }, None);
        assert!(with_sign_in.text.contains("the link alone shows and decides nothing"), "{}", with_sign_in.text);
    }

    #[test]
    fn a_long_list_ends_with_how_many_more_there_are() {
        let parts = vec![part("Kiosk"); MAX_LINES + 3];
        let mail = Mail::ask(&parts, ASKING, None);
        assert!(mail.subject.contains("43 expenses"), "{}", mail.subject);
        for text in [&mail.html, &mail.text] {
            assert_eq!(text.matches("Kiosk").count(), MAX_LINES);
            assert!(text.contains("and 3 more"), "{text}");
        }
        assert!(mail.html.len() < 100_000, "mail clients cut longer ones off: {}", mail.html.len());
    }

    #[test]
    fn a_decision_is_confirmed_in_words() {
        let decided = |decided| Part { decided: Some(decided), ..part("Café\r\nX: y") };
        let one = |outcome| Mail::confirm(&[decided(outcome)], "http://x/link");
        assert_eq!(one("approved").subject, "You approved: 23.40 EUR at Café X: y");
        assert_eq!(one("sent back for changes").subject, "You sent back: 23.40 EUR at Café X: y");
        let several = Mail::confirm(&[decided("approved"), decided("rejected")], "http://x/link");
        assert_eq!(several.subject, "You decided on 2 expenses, 46.80 EUR");
        for text in [&several.html, &several.text] {
            for content in ["approved", "rejected", "That was not me", "http://x/link"] {
                assert!(text.contains(content), "{content} is missing in {text}");
            }
        }
    }

    #[test]
    fn a_merchant_cannot_write_headers_or_markup() {
        let hostile = "Bad\r\nBcc: everyone@example.com\r\n\r\n<script>alert(1)</script>";
        let mail = Mail::ask(&[part(hostile)], ASKING, None);
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
        let parts = [part("Café"), part("<script>alert(1)</script>")];
        let mail = Mail::ask_together(&record, &parts, "Emma", ASKING);
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
        let mail = Mail::ask(&[part("Café")], ASKING, picture);
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
