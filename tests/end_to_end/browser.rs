//! The approval pages and the mails in a real browser: what a mail scanner does to a link, what a press of a button
//! does, and how all of it looks to everyone, on a phone and on a desk, by day and by night.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use slipstream_local::{Deployment, Mail, Session, compile::Checkout, demo, progress::Progress, python};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::harness::{DEADLINE, draft, execution_succeeds, fixture, history, newcomer, request, submitted, upload};

/// What drives the browser, pinned by hash.
const REQUIREMENTS: &str = include_str!("../browser/requirements.txt");
/// What Debian, Ubuntu and Google call it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// How long the browser may take for all that it is asked at once.
const PATIENCE: Duration = Duration::from_secs(600);

/// Chromium on this machine, if there is one.
pub fn chromium() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// Has the browser do something; what it found.
async fn browser(command: &str, asked: &Value) -> Result<Value> {
    let checkout = Checkout::find().await?;
    let venv = python::environment(&checkout, "browser", REQUIREMENTS, &Progress::new(false)).await?;
    let mut browser = Command::new(venv.join("bin/python"))
        .arg(checkout.root.join("tests/browser/browser.py"))
        .arg(chromium().context("there is no Chromium")?)
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = browser.stdin.take().context("it reads what it is asked")?;
    stdin.write_all(asked.to_string().as_bytes()).await?;
    drop(stdin);
    let output = timeout(PATIENCE, browser.wait_with_output()).await.context("the browser takes too long")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the browser failed to {command}: {said}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("the browser said nothing: {said}"))
}

/// How many events of the expense are decisions.
async fn decisions(session: &Session, expense: &str) -> Result<usize> {
    let events = history(session, expense).await?;
    let decided = ["ExpenseApproved", "ExpenseRejected", "ExpenseChangesRequested"];
    Ok(events.iter().filter(|event| decided.contains(&event.as_str())).count())
}

/// A scanner that runs scripts, follows redirects and fetches ahead changes nothing; then a button is pressed, twice
/// in a row as a nervous finger does, and that is one decision.
pub async fn a_hundred_looks_change_nothing_and_one_press_decides(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Scanned <b>Bistro</b>").await?;
    let before = (session.expense(&id).await?, session.history(&id).await?);
    let found = browser("scan", &json!({ "url": page.url.as_str(), "times": 100 })).await?;
    ensure!(found["GET"].as_u64() >= Some(50) && found["HEAD"].as_u64() >= Some(50), "{found}");
    ensure!(found["statuses"] == json!([200]) && found["methods"] == json!(["GET", "HEAD"]), "{found}");
    ensure!((session.expense(&id).await?, session.history(&id).await?) == before, "looking changes nothing");

    let press =
        json!({ "url": page.url.as_str(), "decision": "approve", "comment": "", "javascript": true, "twice": true });
    let pressed = browser("decide", &press).await?;
    ensure!(pressed["folded"] == true, "the button is not there before it is asked for: {pressed}");
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    execution_succeeds(world, &id, 1).await?;
    ensure!(decisions(&session, &id).await? == 1, "one decision");
    let heading = pressed["heading"].as_str().unwrap_or_default();
    ensure!(["Approved", "Already approved"].contains(&heading), "{pressed}");
    Ok(())
}

/// Every decision can be made without JavaScript.
pub async fn decisions_need_no_javascript(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    for (decision, status, heading) in [
        ("approve", "approved", "Approved"),
        ("reject", "rejected", "Rejected"),
        ("request_changes", "changes_requested", "Sent back"),
    ] {
        let (id, page) = submitted(world, &session, "Plain").await?;
        let press =
            json!({ "url": page.url.as_str(), "decision": decision, "comment": "As said", "javascript": false });
        let pressed = browser("decide", &press).await?;
        ensure!(pressed == json!({ "folded": true, "posts": 1, "status": 200, "heading": heading }), "{pressed}");
        session.wait_for_status(&id, status, DEADLINE).await?;
        ensure!(decisions(&session, &id).await? == 1, "one decision");
    }
    Ok(())
}

/// A page or a mail to look at.
fn page(name: &str, url: &str) -> Value {
    json!({ "name": name, "url": url })
}

/// A mail as the mailbox shows it, with its pictures inline.
fn letter(world: &Deployment, name: &str, mail: &Mail) -> Value {
    page(name, &format!("{}/mail/{}/html", world.front_url, mail.id))
}

/// The mail that tells the owner, by its subject.
async fn told(world: &Deployment, expense: &str, subject: &str) -> Result<Mail> {
    let wanted = |mail: &Mail| mail.mentions(expense) && mail.subject.starts_with(subject);
    world.mailbox().wait_for_mail(subject, DEADLINE, wanted).await
}

/// An expense with all that a page can say of one: a photo, a note, an earlier round, something to look at.
async fn eventful(world: &Deployment, session: &Session) -> Result<(String, Mail, String)> {
    let receipt = upload(session, &fixture("phone-photo.jpg"), "image/jpeg").await?;
    let id = receipt["expense_id"].as_str().context("a read receipt names its expense")?.to_owned();
    let details = json!({
        "merchant": "Gasthaus zur Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "category": "meals", "amount": {"minor_units": 10_800, "currency": "EUR"},
        "note": "Dinner with <three> colleagues:\nhttps://example.com/a/very/long/address/that/has/no/place/to/break/in/it/at/all",
        "cost_centre": "CC-4711", "project": "Danube",
    });
    session.edit(&id, &details).await?;
    session.submit(&id).await?;
    let (_, link) = request(world, &id).await?;
    let opened = session.client.open_link(&link).await?;
    session.client.decide(&opened, "request_changes", "Who was there?").await?.expect(200)?;
    session.wait_for_status(&id, "changes_requested", DEADLINE).await?;
    session.submit(&id).await?;
    let second = |mail: &Mail| demo::request_link(mail).is_some_and(|link| link.contains(&format!("{id}.2.1.")));
    let mail = world.mailbox().wait_for_mail("the second submission's mail", DEADLINE, second).await?;
    let link = demo::request_link(&mail).context("the mail has a link")?;
    Ok((id, mail, link))
}

/// The mail for a report of three, and its link.
async fn report(world: &Deployment, session: &Session) -> Result<(Mail, String)> {
    let mut expenses = Vec::new();
    for (merchant, minor_units) in [("Hotel <b>Sacher</b>", 18_900), ("Westbahn", 4_200), ("Westbahn", 4_200)] {
        expenses.push(draft(session, merchant, minor_units).await?);
    }
    session.edit(&expenses[1], &json!({ "paid_by": "company_card" })).await?;
    let created = json!({ "title": "Vienna, the second week of March, with the whole team", "expenses": expenses });
    let created = session.post("/reports", &created).await?.expect(201)?;
    let id = created["id"].as_str().context("a report has an id")?;
    session.post(&format!("/reports/{id}/submit"), &json!({})).await?.expect(200)?;
    let part = format!("/approvals/{id}.");
    let asks = |mail: &Mail| demo::request_link(mail).is_some_and(|link| link.contains(&part));
    let mail = world.mailbox().wait_for_mail("the mail that asks for the report", DEADLINE, asks).await?;
    let link = demo::request_link(&mail).context("the mail has a link")?;
    Ok((mail, link))
}

/// A link by which whoever decided may say that it was not them. Its mail is not what is looked at here, so that the
/// hash of a secret known to the test goes into the step.
async fn disown_link(world: &Deployment, expense: &str, link: &str) -> Result<String> {
    let secret = "D".repeat(43);
    let hash = "391ab01bf8d16cd248fe06202b6e6dfc149cb16c96d6163b34ec399297ab765b";
    let key = json!({ "PK": {"S": format!("SUBMISSION#{expense}#1")}, "SK": {"S": "STEP#1"} }).to_string();
    let values = json!({ ":hashes": {"SS": [hash]} }).to_string();
    let table = world.output("TableName")?;
    let update = ["dynamodb", "update-item", "--table-name", table, "--key", &key];
    let change = ["--update-expression", "SET disown_hashes = :hashes", "--expression-attribute-values", &values];
    world.aws(&[&update[..], &change[..]].concat()).await?;
    let (prefix, _) = link.rsplit_once('.').context("a link has a secret")?;
    Ok(format!("{prefix}.{secret}"))
}

/// No violation of axe-core's rules, no sideways scrolling, nothing from elsewhere, no complaint of the browser.
pub async fn pages_and_mails_are_for_everyone(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, mail, link) = eventful(world, &session).await?;
    let (report_mail, report_link) = report(world, &session).await?;
    let (approved, approved_page) = submitted(world, &session, "Approved & done").await?;
    session.client.decide(&approved_page, "approve", "").await?.expect(200)?;
    let disown = disown_link(world, &approved, approved_page.url.as_str()).await?;
    let (prefix, _) = link.rsplit_once('.').context("a link has a secret")?;
    let fault = json!({ "name": "decide without a reason", "url": link, "press": "reject", "comment": "  " });
    let pages = [
        page("decide", &link),
        fault,
        page("report", &report_link),
        page("was that you", &disown),
        page("already approved", approved_page.url.as_str()),
        page("no such link", &format!("{prefix}.{}", "A".repeat(43))),
        letter(world, "mail that asks", &mail),
        letter(world, "mail for a report", &report_mail),
        letter(world, "mail of an approval", &told(world, &approved, "Expense approved").await?),
        letter(world, "mail of requested changes", &told(world, &id, "Expense sent back").await?),
    ];
    let shots = shots(world);
    let found = browser("inspect", &json!({ "pages": pages, "shots": shots })).await?;
    ensure!(found["faults"] == json!([]), "see {}: {:#}", shots.display(), found["faults"]);
    ensure!(found["looks"].as_u64() >= Some(4 * pages.len() as u64), "{found}");
    ensure!(session.expense(&id).await?["status"] == "submitted", "unfolding a choice decides nothing");
    Ok(())
}

/// Where the screenshots go.
fn shots(world: &Deployment) -> PathBuf {
    Path::new(&world.run_dir).join("screenshots")
}
