//! Real receipts through the whole pipeline, from signing up to the last approval, with nothing pretended: what the
//! reader did not read is not invented, and every step waits for what it needs to see.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use slipstream_events::Money;

use crate::{
    client::{Client, Session},
    compile::Checkout,
    html,
    mailbox::Mail,
    process::last_lines,
    seed::PASSWORD,
    state, wait,
    world::{Deployment, Options, World},
};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The receipts of the checkout.
const FIXTURES: &str = "tests/fixtures/receipts";

/// What to send.
#[derive(Debug, Args)]
pub struct Demo {
    /// Receipts (JPEG, PNG, WebP, TIFF, PDF); without any, those of tests/fixtures/receipts
    files: Vec<PathBuf>,
    /// What to claim where the amount could not be read, e.g. "12.30 EUR"
    #[arg(long, value_parser = parse_money)]
    amount: Option<Money>,
    /// The first of four ports, should the demo start a world of its own
    #[arg(long, value_name = "BASE")]
    ports: Option<u16>,
}

fn parse_money(text: &str) -> Result<Money> {
    let (amount, currency) = text.split_once(' ').context("give an amount and a currency, e.g. \"12.30 EUR\"")?;
    Ok(Money::from_decimal(amount, currency.parse()?)?)
}

/// Runs it in the running world, or in one of its own for as long as it takes.
///
/// # Errors
/// When it cannot begin; a receipt that got stuck is an exit code.
pub async fn run(demo: Demo) -> Result<ExitCode> {
    let checkout = Checkout::find().await?;
    let given = !demo.files.is_empty();
    let files = if given { demo.files.clone() } else { fixtures(&checkout.root.join(FIXTURES))? };
    let receipts = files.iter().map(|file| Receipt::load(file)).collect::<Result<Vec<_>>>()?;

    let running = state::running(&checkout.local())?;
    let own = match running {
        Some(_) => None,
        None => Some(World::start(Options { ports: demo.ports, announce: true, ..Options::default() }).await?),
    };
    let world = own.as_deref().or(running.as_ref()).context("there is no world")?;
    let result = send_all(world, &receipts, demo.amount, given).await;
    if let Some(world) = own {
        world.stop();
    }
    result
}

/// The receipts of the checkout that can be read.
fn fixtures(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = folder.join("labels.jsonl");
    let text = fs::read_to_string(&list).with_context(|| format!("{} is missing: name files", list.display()))?;
    let mut files = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let label: Value = serde_json::from_str(line)?;
        if label["unreadable"] != true {
            files.push(folder.join(label["image"].as_str().context("a label names no image")?));
        }
    }
    Ok(files)
}

/// A picture to send.
struct Receipt {
    name: String,
    media_type: &'static str,
    bytes: Vec<u8>,
}

impl Receipt {
    fn load(file: &Path) -> Result<Self> {
        let name = file.file_name().and_then(|name| name.to_str()).context("a receipt needs a name")?.to_owned();
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
        let media_type = match extension.as_str() {
            "jpg" | "jpeg" => "image/jpeg",
            "png" => "image/png",
            "gif" => "image/gif",
            "webp" => "image/webp",
            "tif" | "tiff" => "image/tiff",
            "heic" => "image/heic",
            "pdf" => "application/pdf",
            _ => bail!("{name}: a receipt is a JPEG, PNG, WebP, TIFF, GIF, HEIC or PDF"),
        };
        Ok(Self { name, media_type, bytes })
    }
}

/// How a receipt ended.
enum Ending {
    Approved {
        draft: Duration,
        mail: Duration,
    },
    /// The receipt could not be read, and the system says why.
    Failed {
        reason: String,
    },
    Stuck {
        at: Step,
        error: anyhow::Error,
    },
}

/// A step of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Announcing,
    Uploading,
    Reading,
    Completing,
    Submitting,
    AwaitingMail,
    Deciding,
    AwaitingApproval,
    Telling,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Announcing => "announcing the receipt",
            Self::Uploading => "uploading it",
            Self::Reading => "having it read",
            Self::Completing => "completing the draft",
            Self::Submitting => "submitting the expense",
            Self::AwaitingMail => "waiting for the approver's mail",
            Self::Deciding => "deciding by the link of the mail",
            Self::AwaitingApproval => "waiting for the approval",
            Self::Telling => "reading its history",
        }
    }

    /// The functions whose logs tell most about it.
    fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Announcing | Self::Uploading => &["receipts"],
            Self::Reading => &["receipts", "receipt-processor"],
            Self::Completing | Self::Submitting | Self::Telling => &["expenses"],
            Self::AwaitingMail => &["event-publisher", "approval", "notifications"],
            Self::Deciding | Self::AwaitingApproval => &["approval"],
        }
    }
}

async fn send_all(world: &Deployment, receipts: &[Receipt], amount: Option<Money>, given: bool) -> Result<ExitCode> {
    let session = sign_up(world).await?;
    let ways: Vec<Way<'_>> = receipts
        .iter()
        .map(|receipt| Way { world, session: &session, receipt, amount, begin: Timestamp::now() })
        .collect();
    let endings = futures_util::future::join_all(ways.iter().map(Way::go)).await;

    println!();
    println!("{:<24} {:>16} {:>16}   ending", "receipt", "upload → draft", "submit → mail");
    let mut all_well = true;
    for (receipt, ending) in receipts.iter().zip(&endings) {
        let (draft, mail, text) = match ending {
            Ending::Approved { draft, mail } => (seconds(*draft), seconds(*mail), "approved".to_owned()),
            Ending::Failed { reason } => {
                all_well &= given;
                (String::new(), String::new(), format!("failed: {reason}"))
            }
            Ending::Stuck { at, error } => {
                all_well = false;
                (String::new(), String::new(), format!("stopped while {}: {error:#}", at.name()))
            }
        };
        println!("{:<24} {draft:>16} {mail:>16}   {text}", receipt.name);
    }
    let mut told = BTreeSet::new();
    for ending in &endings {
        let Ending::Stuck { at, .. } = ending else { continue };
        for function in at.functions() {
            if told.insert(function) {
                print_log(world, function).await;
            }
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

async fn print_log(world: &Deployment, function: &str) {
    println!();
    println!("The last lines of {function} (`cargo local logs {function}` while the world runs):");
    match world.logs(function, 0).await {
        Ok(lines) if lines.is_empty() => {
            println!("  it has not logged anything: it was never called, or is still running");
        }
        Ok(lines) => {
            let text = lines.iter().map(|line| format!("  {}", line.message)).collect::<Vec<_>>().join("\n");
            println!("{}", last_lines(&text, 12));
        }
        Err(error) => println!("  not to be had: {error:#}"),
    }
    for complaint in world.complaints(function).iter().rev().take(3).rev() {
        println!("  {complaint}");
    }
}

/// A new employee, signed up as anyone would be, with Mark as manager.
pub async fn sign_up(world: &Deployment) -> Result<Session> {
    let client = world.client()?;
    let number = Timestamp::now().as_millisecond();
    let email = format!("nora.newcomer.{number}@example.com");
    client.sign_up(&email, PASSWORD, "Nora Newcomer").await?;
    let mail = world
        .mailbox()
        .wait_for_mail("the mail with the sign-up code", Duration::from_secs(20), |mail| {
            mail.is_to(&email) && code(mail).is_some()
        })
        .await?;
    client.confirm_sign_up(&email, &code(&mail).context("the mail lost its code")?).await?;
    let session = client.sign_in(&email, PASSWORD).await?;
    session.get("/me").await?.expect(200)?;
    let manager = world.person("manager")?;
    world.session("administrator").await?.name_manager(&session.person_id, &manager.id).await?;

    Ok(session)
}

/// The six digits of a sign-up mail.
fn code(mail: &Mail) -> Option<String> {
    let text = mail.text.as_deref().or(mail.html.as_deref())?;
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 6).map(ToOwned::to_owned)
}

/// The way of one receipt.
struct Way<'a> {
    world: &'a Deployment,
    session: &'a Session,
    receipt: &'a Receipt,
    amount: Option<Money>,
    begin: Timestamp,
}

impl Way<'_> {
    fn say(&self, line: &str) {
        println!("{:<24} {line}", self.receipt.name);
    }

    async fn go(&self) -> Ending {
        let mut at = Step::Announcing;
        match self.walk(&mut at).await {
            Ok(ending) => ending,
            Err(error) => Ending::Stuck { at, error },
        }
    }

    async fn walk(&self, at: &mut Step) -> Result<Ending> {
        let bytes = &self.receipt.bytes;
        let announced = self.session.announce(bytes, self.receipt.media_type, Some(&self.receipt.name)).await?;
        *at = Step::Uploading;
        if let Some(upload) = &announced.upload {
            upload.send(bytes).await?.expect(200)?;
        }
        let uploaded = Instant::now();

        *at = Step::Reading;
        let read = self.session.wait_for_receipt(&announced.receipt_id, PATIENCE).await?;
        if read["status"] == "failed" {
            let part = |name: &str| read["failure"][name].as_str().unwrap_or("without a reason");
            let reason = format!("{} ({})", part("reason"), part("message"));
            self.say(&format!("could not be read: {reason}"));
            return Ok(Ending::Failed { reason });
        }
        let draft_took = uploaded.elapsed();
        let id = read["expense_id"].as_str().context("the receipt is read but names no expense")?.to_owned();
        let draft = self.session.expense(&id).await?;
        self.say(&format!("draft after {}: {}", seconds(draft_took), describe(&draft)));
        for finding in doubts(&draft) {
            self.say(&format!("needs review: {finding}"));
        }

        *at = Step::Completing;
        self.complete(&draft).await?;

        *at = Step::Submitting;
        let submitted = Timestamp::now();
        self.session.submit(&id).await?;
        let mail_took = self.approve(&id, submitted, at).await?;

        *at = Step::Telling;
        self.tell(&id).await?;
        Ok(Ending::Approved { draft: draft_took, mail: mail_took })
    }

    /// Types in what one knows without looking at the picture, and nothing else.
    async fn complete(&self, draft: &Value) -> Result<()> {
        let missing: Vec<&str> = draft["missing"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut edit = Map::new();
        let mut unknown = Vec::new();
        for field in missing {
            match (field, self.amount) {
                ("category", _) => edit.insert(field.to_owned(), "other".into()),
                ("date", _) => {
                    edit.insert(field.to_owned(), jiff::Timestamp::now().strftime("%Y-%m-%d").to_string().into())
                }
                ("amount", Some(amount)) => edit.insert(field.to_owned(), json!(amount)),
                _ => {
                    unknown.push(field);
                    None
                }
            };
        }
        if !unknown.is_empty() {
            bail!("the reader did not find the {}, and only the picture tells", unknown.join(" and the "));
        }
        if edit.is_empty() {
            return Ok(());
        }
        self.say(&format!("typed in by hand: {}", Value::Object(edit.clone())));
        let id = draft["id"].as_str().context("the draft has no id")?;
        self.session.edit(id, &Value::Object(edit)).await.map(|_| ())
    }

    /// Answers each approver's mail by its link until the expense is approved; the time to the first mail.
    async fn approve(&self, id: &str, submitted: Timestamp, at: &mut Step) -> Result<Duration> {
        let mut first = None;
        let mut answered = Vec::new();
        loop {
            *at = if first.is_none() { Step::AwaitingMail } else { Step::AwaitingApproval };
            let found = wait::until("the approval or the next approver's mail", PATIENCE, async || {
                let mails = self.world.mailbox().list().await?;
                let asked = mails.into_iter().find(|mail| !answered.contains(&mail.id) && is_request(mail, id));
                if asked.is_some() {
                    return Ok(Some(asked));
                }
                let expense = self.session.expense(id).await?;
                match expense["status"].as_str() {
                    Some("approved") => Ok(Some(None)),
                    Some("submitted") => Ok(None),
                    other => bail!("the expense is {}", other.unwrap_or("without a status")),
                }
            })
            .await?;
            let Some(mail) = found else { break };
            let took = mail.date.duration_since(submitted).unsigned_abs();
            if first.is_none() {
                let manager = self.world.person("manager")?;
                if !mail.is_to(&manager.email) {
                    bail!("the first mail went to {} and not to the manager", mail.to.join(", "));
                }
                first = Some(took);
            }
            self.say(&format!("mail to {} after {}: {}", mail.to.join(", "), seconds(took), mail.subject));
            *at = Step::Deciding;
            self.decide(id, &mail).await?;
            answered.push(mail.id);
        }
        first.context("it was approved without anybody being asked")
    }

    async fn decide(&self, id: &str, mail: &Mail) -> Result<()> {
        let link = link_to(&self.session.client, mail, id).await?;
        let before = self.session.expense(id).await?;
        let page = self.session.client.open_link(&link).await?;
        page.answer.expect(200)?;
        let after = self.session.expense(id).await?;
        if before != after {
            bail!("opening the link changed the expense: mail scanners would decide");
        }
        let answer = self.session.client.decide(&page, "approve", "").await?;
        answer.expect_any(&[200, 303])?;
        Ok(())
    }

    async fn tell(&self, id: &str) -> Result<()> {
        let expense = self.session.expense(id).await?;
        let history = self.session.history(id).await?;
        let mut lines = format!("approved: {}", describe(&expense));
        for event in &history {
            lines.push_str(&format!("\n{:<24}   {}", "", self.event_line(event)));
        }
        self.say(&lines);
        Ok(())
    }

    /// One event of the timeline: seconds since the start, type, actor.
    fn event_line(&self, event: &Value) -> String {
        let metadata = event.get("metadata").unwrap_or(event);
        let at = metadata["occurred_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let since = at.map_or(f64::NAN, |at| at.duration_since(self.begin).as_secs_f64());
        let actor = &metadata["actor"];
        let actor =
            actor["name"].as_str().or_else(|| actor["id"].as_str().map(|id| self.who(id))).or_else(|| actor.as_str());
        format!("{since:>7.2} s  {:<26} {}", metadata["type"].as_str().unwrap_or("?"), actor.unwrap_or("?"))
    }

    fn who<'b>(&'b self, id: &'b str) -> &'b str {
        if id == self.session.person_id {
            return "Nora Newcomer";
        }
        self.world.people.iter().find(|person| person.id == id).map_or(id, |person| &person.name)
    }
}

/// Whether a mail asks for a decision on this expense, by itself or among others that came with it.
pub fn is_request(mail: &Mail, expense: &str) -> bool {
    mail.subject.starts_with("Please approve") && mail.mentions(expense) && request_link(mail).is_some()
}

/// The address of the page on which to decide on this expense: the mail's link, or where the page of the mail's list
/// leads.
///
/// # Errors
/// When there is no such page.
pub async fn link_to(client: &Client, mail: &Mail, expense: &str) -> Result<String> {
    let link = request_link(mail).context("the mail has no link")?;
    if link.contains(&format!("/approvals/{expense}.")) {
        return Ok(link);
    }
    let list = client.open_link(&link).await?;
    list.answer.expect(200)?;
    let links = html::links(&list.answer.body);
    let own = links.iter().find(|link| link.starts_with(&format!("{expense}.")));
    let mut own = list.url.join(own.context("the list does not lead to the expense")?)?;
    // Which list it was is not of its essence.
    own.set_query(None);
    Ok(own.to_string())
}

/// The link of a mail about decisions.
pub fn request_link(mail: &Mail) -> Option<String> {
    html::links(mail.html.as_deref()?).into_iter().find(|link| link.contains("/approvals/"))
}

/// An expense in one line.
fn describe(expense: &Value) -> String {
    let details = &expense["details"];
    let money = |name: &str| serde_json::from_value::<Money>(details[name].clone()).ok().map(|money| money.to_string());
    let text = |name: &str| details[name].as_str().map(ToOwned::to_owned);
    let unread = || "not read".to_owned();
    format!(
        "{}, {}, {}, {}",
        text("merchant").unwrap_or_else(unread),
        text("date").unwrap_or_else(unread),
        money("amount")
            .or_else(|| money("original_amount").map(|amount| format!("{amount} on the receipt")))
            .unwrap_or_else(unread),
        text("category").unwrap_or_else(|| "no category".to_owned())
    )
}

/// What the draft's owner is told to look at.
fn doubts(expense: &Value) -> impl Iterator<Item = &str> {
    expense["review"].as_array().into_iter().flatten().filter_map(|finding| finding["message"].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str, html: Option<&str>) -> Mail {
        Mail {
            id: 1,
            from: String::new(),
            to: Vec::new(),
            subject: "Please approve: 1.00 EUR at Café".to_owned(),
            date: Timestamp::UNIX_EPOCH,
            text: Some(text.to_owned()),
            html: html.map(ToOwned::to_owned),
            headers: Vec::new(),
            attachments: Vec::new(),
        }
    }

    #[test]
    fn the_code_is_the_six_digits() {
        assert_eq!(code(&mail("In 2026 your code is 123456.", None)).as_deref(), Some("123456"));
        assert_eq!(code(&mail("No code in 12 or 1234567.", None)), None);
    }

    #[test]
    fn a_request_names_the_expense_and_has_a_link() {
        let html = r#"<p>e-1</p><a href="http://h/api/approvals/t">Open</a>"#;
        assert!(is_request(&mail("", Some(html)), "e-1"));
        assert!(!is_request(&mail("", Some(html)), "e-2"));
        assert!(!is_request(&mail("e-1 was approved", None), "e-1"));
        let confirmation = Mail { subject: "You approved: 1.00 EUR at Café".to_owned(), ..mail("", Some(html)) };
        assert!(!is_request(&confirmation, "e-1"));
    }

    #[test]
    fn an_amount_is_given_with_its_currency() {
        assert_eq!(parse_money("12.30 EUR").unwrap().to_string(), "12.30 EUR");
        assert!(parse_money("12.30").is_err());
        assert!(parse_money("12.345 EUR").is_err());
    }

    #[test]
    fn a_draft_is_described_without_inventing() {
        let expense =
            json!({ "details": { "merchant": "Café", "amount": { "minor_units": 1234, "currency": "EUR" } } });
        assert_eq!(describe(&expense), "Café, not read, 12.34 EUR, no category");
    }
}
