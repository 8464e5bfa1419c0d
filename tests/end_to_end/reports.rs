//! Expenses that are submitted together, the one mail that asks for them, and approvals over the API.

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use slipstream_local::{
    Deployment, Mail, Session,
    client::{Answer, Page},
    demo::request_link,
    wait,
};

use crate::harness::{
    APPROVE_ALL, DEADLINE, draft, execution_succeeds, history, item, newcomer, press, problem, requests, submitted,
    sweep_until,
};

/// A report of new drafts.
async fn report(session: &Session, title: &str, expenses: &[&str]) -> Result<String> {
    let answer = session.post("/reports", &json!({ "title": title, "expenses": expenses })).await?.expect(201)?;
    answer["id"].as_str().map(str::to_owned).context("a report has an id")
}

async fn submit(session: &Session, report: &str) -> Result<Value> {
    session.post(&format!("/reports/{report}/submit"), &json!({})).await?.expect(200)
}

/// Whether a mail asks for a decision on the report.
fn asks_for(mail: &Mail, report: &str) -> bool {
    request_link(mail).is_some_and(|link| link.contains(&format!("/approvals/{report}.")))
}

/// The mail that asks for the report, and the page behind its link.
async fn asked(world: &Deployment, session: &Session, report: &str) -> Result<(Mail, Page)> {
    let wanted = |mail: &Mail| asks_for(mail, report);
    let mail = world.mailbox().wait_for_mail("the mail that asks for the report", DEADLINE, wanted).await?;
    let link = request_link(&mail).context("the mail has a link")?;
    let page = session.client.open_link(&link).await?;
    page.answer.expect(200)?;
    Ok((mail, page))
}

/// How many mails ask for the report.
async fn mails_of(world: &Deployment, report: &str) -> Result<usize> {
    Ok(world.mailbox().list().await?.iter().filter(|mail| asks_for(mail, report)).count())
}

/// The address of an expense's own page, as the report's page links to it.
fn own_page(page: &Page, expense: &str) -> Result<Url> {
    let links = slipstream_local::html::links(&page.answer.body);
    let link =
        links.iter().find(|link| link.starts_with(&format!("{expense}."))).context("every expense has a link")?;
    Ok(page.url.join(link)?)
}

pub async fn one_mail_asks_for_a_report_and_all_of_it_is_approved(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let first = draft(&session, "Hotel <b>Sacher</b>", 18_900).await?;
    let second = draft(&session, "Westbahn", 4_200).await?;
    let third = draft(&session, "Taxi", 1_850).await?;
    let id = report(&session, "Vienna <March>", &[&first, &second]).await?;
    session.edit(&third, &json!({ "report": id, "paid_by": "company_card" })).await?;
    let shown = session.get(&format!("/reports/{id}")).await?.expect(200)?;
    ensure!(shown["expenses"].as_array().is_some_and(|expenses| expenses.len() == 3), "{shown}");
    ensure!(shown["status"] == "open", "{shown}");
    let total = &shown["totals"][0];
    ensure!(total["amount"]["minor_units"] == 24_950 && total["owed"]["minor_units"] == 23_100, "{total}");

    ensure!(submit(&session, &id).await?["status"] == "submitted", "it is submitted");
    let (mail, page) = asked(world, &session, &id).await?;
    ensure!(mail.subject.contains("3 expenses") && mail.subject.contains("249.50 EUR"), "{}", mail.subject);
    ensure!(mail.html.as_deref().is_some_and(|html| !html.contains("<b>") && !html.contains("<March>")), "escaped");
    for text in ["Westbahn", "42.00 EUR", "249.50 EUR", "231.00 EUR", "Approve all 3"] {
        ensure!(page.answer.body.contains(text), "{text} is missing: {}", page.answer.body);
    }
    ensure!(!page.answer.body.contains("<b>") && !page.answer.body.contains("<script"), "escaped");
    for header in ["content-security-policy", "referrer-policy", "cache-control"] {
        ensure!(page.answer.header(header).is_some(), "{header} is set");
    }

    let before = session.expense(&first).await?;
    for _ in 0..3 {
        session.client.open_link(page.url.as_str()).await?.answer.expect(200)?;
        let head = reqwest::Client::new().head(page.url.clone()).send().await?;
        ensure!(head.status().as_u16() == 200, "HEAD: {}", head.status());
    }
    let unconfirmed = press(&page.url, &[("decision", "approve_all")]).await?;
    ensure!(unconfirmed.0 == 422 && unconfirmed.1.contains("tick"), "{}", unconfirmed.1);
    for fields in [[("decision", "reject"), ("confirm", "yes")], [("decision", "reject_all"), ("confirm", "yes")]] {
        ensure!(press(&page.url, &fields).await?.0 == 422, "neither one alone nor without a reason: {fields:?}");
    }
    ensure!(session.expense(&first).await? == before, "neither looking nor half a form changes anything");
    let link = page.url.as_str();
    let (prefix, secret) = link.rsplit_once('.').context("a link has a secret")?;
    let forged = [
        format!("{prefix}.{}", "A".repeat(secret.len())),
        link.replace(&format!("{id}.1."), &format!("{id}.2.")),
        link.replace(&id, "rpt_00000000000000000000000000000000"),
    ];
    for forged in forged {
        let (status, _) = press(&Url::parse(&forged)?, &APPROVE_ALL).await?;
        ensure!(status == 404 && session.client.open_link(&forged).await?.answer.status == 404, "{status}");
    }

    let (status, body) = press(&page.url, &APPROVE_ALL).await?;
    ensure!(status == 200 && body.matches("Approved now").count() == 3, "{status}: {body}");
    for expense in [&first, &second, &third] {
        session.wait_for_status(expense, "approved", DEADLINE).await?;
        execution_succeeds(world, expense, 1).await?;
        ensure!(history(&session, expense).await?.iter().filter(|event| *event == "ExpenseApproved").count() == 1);
        ensure!(requests(world, expense).await? == 0, "no mail of its own asked for it");
    }
    let (status, body) = press(&page.url, &APPROVE_ALL).await?;
    ensure!(status == 409 && body.contains("nothing left"), "{status}: {body}");
    ensure!(mails_of(world, &id).await? == 1, "one mail asked for the report");
    ensure!(session.get(&format!("/reports/{id}")).await?.expect(200)?["status"] == "decided", "it is decided");
    Ok(())
}

pub async fn one_of_a_report_is_rejected_by_itself(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let expenses = [
        draft(&session, "Casino", 50_000).await?,
        draft(&session, "Bakery", 450).await?,
        draft(&session, "Train", 2_900).await?,
    ];
    let [casino, bakery, train] = &expenses;
    let id = report(&session, "Monte Carlo", &[casino, bakery, train]).await?;
    submit(&session, &id).await?;
    let (_, page) = asked(world, &session, &id).await?;

    let own = session.client.open_link(own_page(&page, casino)?.as_str()).await?;
    own.answer.expect(200)?;
    ensure!(own.answer.body.contains("Back to the list") && own.answer.body.contains("500.00 EUR"), "its own page");
    let rejected = session.client.decide(&own, "reject", "Not on us").await?;
    rejected.expect(200)?;
    let back = slipstream_local::html::links(&rejected.body).first().cloned().context("a way back")?;
    ensure!(page.url.join(&back)? == page.url, "it leads back to the report");
    let partly = session.get(&format!("/reports/{id}")).await?.expect(200)?;
    ensure!(partly["status"] == "partly_decided" && partly["totals"][0]["owed"]["minor_units"] == 3_350, "{partly}");

    let shown = session.client.open_link(page.url.as_str()).await?;
    ensure!(shown.answer.body.contains("Already rejected"), "{}", shown.answer.body);
    ensure!(shown.answer.body.contains("Approve all 2"), "{}", shown.answer.body);
    let (status, body) = press(&page.url, &APPROVE_ALL).await?;
    ensure!(status == 200 && body.matches("Approved now").count() == 2, "{status}: {body}");
    session.wait_for_status(casino, "rejected", DEADLINE).await?;
    for expense in [bakery, train] {
        session.wait_for_status(expense, "approved", DEADLINE).await?;
    }
    ensure!(mails_of(world, &id).await? == 1, "one mail asked for the report");
    Ok(())
}

/// All that wait are decided together while their owner takes one back, and sent back together after that.
pub async fn a_report_is_decided_while_its_owner_withdraws(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let mut expenses = Vec::new();
    for number in 0..4 {
        expenses.push(draft(&session, &format!("Stall {number}"), 100 + number).await?);
    }
    let id = report(&session, "Market", &expenses.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    submit(&session, &id).await?;
    let (_, page) = asked(world, &session, &id).await?;
    // The one that is decided last.
    let last = expenses.iter().max().context("an expense")?;
    let path = format!("/expenses/{last}/withdraw");
    let nothing = json!({});
    let ((status, body), withdrawn) = tokio::try_join!(press(&page.url, &APPROVE_ALL), session.post(&path, &nothing))?;
    let count = body.matches("Approved now").count();
    let stands = session.expense(last).await?["status"].clone();
    match withdrawn.status {
        200 => ensure!(stands == "draft" && count == 3, "{stands}, {count}: {body}"),
        409 => ensure!(stands == "approved" && count == 4, "{stands}, {count}: {body}"),
        _ => anyhow::bail!("{}", withdrawn.body),
    }
    ensure!(status == 200, "{status}: {body}");
    for expense in expenses.iter().filter(|expense| *expense != last) {
        session.wait_for_status(expense, "approved", DEADLINE).await?;
    }

    let others = [draft(&session, "Fair", 700).await?, draft(&session, "Booth", 800).await?];
    let id = report(&session, "Fair", &[&others[0], &others[1]]).await?;
    submit(&session, &id).await?;
    let (_, page) = asked(world, &session, &id).await?;
    let fields = [("decision", "request_changes_all"), ("confirm", "yes"), ("comment", "Which cost centre?")];
    let (status, body) = press(&page.url, &fields).await?;
    ensure!(status == 200 && body.matches("Sent back now").count() == 2, "{status}: {body}");
    for expense in &others {
        session.wait_for_status(expense, "changes_requested", DEADLINE).await?;
        session.edit(expense, &json!({ "cost_centre": "4711" })).await?;
    }
    // Submitted together once more: another submission, another mail, and both are rejected together.
    submit(&session, &id).await?;
    let (_, page) = asked(world, &session, &format!("{id}.2")).await?;
    let fields = [("decision", "reject_all"), ("confirm", "yes"), ("comment", "No fairs")];
    let (status, body) = press(&page.url, &fields).await?;
    ensure!(status == 200 && body.matches("Rejected now").count() == 2, "{status}: {body}");
    for expense in &others {
        session.wait_for_status(expense, "rejected", DEADLINE).await?;
    }
    let decided = session.get(&format!("/reports/{id}")).await?.expect(200)?;
    ensure!(decided["status"] == "decided" && decided["totals"][0]["owed"]["minor_units"] == 0, "{decided}");
    Ok(())
}

/// Drafts join and leave while the report is submitted: each is part of the submission or still a draft, and what the
/// submission names is what was submitted.
pub async fn drafts_that_come_and_go_while_a_report_is_submitted(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    for round in 0..4 {
        let mut drafts = Vec::new();
        for number in 0..6 {
            drafts.push(draft(&session, &format!("Round {round}.{number}"), 100).await?);
        }
        let id = report(&session, "In a hurry", &drafts[..3].iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let mut moves = tokio::task::JoinSet::new();
        for (number, expense) in drafts.iter().enumerate().skip(2) {
            let (session, expense) = (session.clone(), expense.clone());
            let change = json!({ "details": { "report": (number > 2).then_some(&id) } });
            moves.spawn(async move { session.patch(&format!("/expenses/{expense}"), &change).await });
        }
        let submitted = submit(&session, &id).await?;
        while let Some(answer) = moves.join_next().await {
            let answer = answer??;
            // 409: it was submitted already, or others were faster every time.
            ensure!([200, 409].contains(&answer.status), "{}", answer.body);
        }
        let named: Vec<&str> =
            submitted["expenses"].as_array().context("expenses")?.iter().filter_map(|e| e["id"].as_str()).collect();
        ensure!(named.contains(&drafts[0].as_str()) && named.contains(&drafts[1].as_str()), "{submitted}");
        let shown = session.get(&format!("/reports/{id}")).await?.expect(200)?;
        for expense in &drafts {
            let now = session.expense(expense).await?;
            let is_in =
                shown["expenses"].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == expense.as_str()));
            ensure!(is_in == (now["details"]["report"] == id.as_str()), "the report and the expense agree: {now}");
            let expected = if named.contains(&expense.as_str()) { "submitted" } else { "draft" };
            ensure!(now["status"] == expected, "round {round}: {expected}, but {now}");
        }
    }
    Ok(())
}

pub async fn a_report_is_submitted_whole_or_not_at_all(world: &Deployment) -> Result<()> {
    let (session, stranger) = (newcomer(world).await?, newcomer(world).await?);
    let complete = draft(&session, "Complete", 100).await?;
    let lacking = session.post("/expenses", &json!({ "details": { "merchant": "Lacking" } })).await?.expect(201)?;
    let lacking = lacking["id"].as_str().context("an expense has an id")?;
    let id = report(&session, "Both", &[&complete, lacking]).await?;
    let path = format!("/reports/{id}");
    let refused = session.post(&format!("{path}/submit"), &json!({})).await?;
    let fields: Vec<_> = refused.json()["errors"].as_array().cloned().unwrap_or_default();
    let fields: Vec<_> = fields.iter().filter_map(|error| error["field"].as_str()).collect();
    ensure!(
        refused.status == 422
            && fields == ["date", "amount", "category"].map(|field| format!("expenses/{lacking}/{field}")),
        "{}",
        refused.body
    );
    ensure!(session.expense(&complete).await?["status"] == "draft", "nothing was submitted");

    // To others there is no such report, and nobody joins another's.
    for (method, path, body) in [
        (Method::GET, path.clone(), None),
        (Method::PATCH, path.clone(), Some(json!({ "title": "Mine" }))),
        (Method::DELETE, path.clone(), None),
        (Method::POST, format!("{path}/submit"), Some(json!({}))),
    ] {
        for other in [&stranger, &world.session("manager").await?, &world.session("finance").await?] {
            let answer = other.client.send(method.clone(), &path, Some(&other.token), body.as_ref()).await?;
            ensure!(answer.status == 404 && problem(&answer) == "not-found", "{method} {path}: {}", answer.status);
        }
    }
    let theirs = draft(&stranger, "Theirs", 100).await?;
    let joining = json!({ "details": { "report": id } });
    let answer = stranger.patch(&format!("/expenses/{theirs}"), &joining).await?;
    ensure!(answer.status == 422 && answer.json()["errors"][0]["field"] == "report", "{}", answer.body);
    let taken = session.post("/reports", &json!({ "title": "Taken", "expenses": [theirs] })).await?;
    ensure!(taken.status == 422 && taken.body.contains(&format!("expenses/{theirs}")), "{}", taken.body);
    for title in ["", " ", "two\nlines", &"x".repeat(121)] {
        ensure!(session.post("/reports", &json!({ "title": title })).await?.status == 422, "{title:?}");
    }

    // Made whole it is submitted; then it stays with what waits.
    let rest = json!({ "date": "2026-03-12", "category": "meals", "amount": {"minor_units": 1, "currency": "JPY"} });
    session.edit(lacking, &rest).await?;
    let submitted = submit(&session, &id).await?;
    ensure!(submitted["totals"].as_array().is_some_and(|totals| totals.len() == 2), "{submitted}");
    ensure!(session.post(&format!("{path}/submit"), &json!({})).await?.status == 409, "nothing is left to submit");
    let kept = session.client.send(Method::DELETE, &path, Some(&session.token), None).await?;
    ensure!(kept.status == 409, "{}", kept.body);
    for expense in [complete.as_str(), lacking] {
        session.post(&format!("/expenses/{expense}/withdraw"), &json!({})).await?.expect(200)?;
    }
    ensure!(session.get(&path).await?.expect(200)?["status"] == "open", "all came back");
    let gone = session.client.send(Method::DELETE, &path, Some(&session.token), None).await?;
    ensure!(gone.status == 204 && session.get(&path).await?.status == 404, "{}", gone.body);
    let left = session.expense(&complete).await?;
    ensure!(left["status"] == "draft" && left["details"]["report"].is_null(), "its drafts stay: {left}");
    let answer = session.patch(&format!("/expenses/{complete}"), &joining).await?;
    ensure!(answer.status == 422, "nothing joins a report that is gone: {}", answer.body);
    Ok(())
}

pub async fn a_report_holds_forty_expenses_however_many_join_at_once(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let mut drafts = Vec::new();
    for number in 0..44 {
        drafts.push(draft(&session, &format!("Kiosk {number}"), 100 + number).await?);
    }
    let first: Vec<_> = drafts[..24].iter().map(String::as_str).collect();
    let id = report(&session, "Festival", &first).await?;
    let mut joining = tokio::task::JoinSet::new();
    for expense in drafts.split_off(24) {
        let (session, id) = (session.clone(), id.clone());
        joining.spawn(async move {
            let change = json!({ "details": { "report": id } });
            // Who is too slow too often is told to try again.
            for _ in 0..20 {
                let answer = session.patch(&format!("/expenses/{expense}"), &change).await?;
                if answer.status != 409 {
                    return Ok(answer.status);
                }
            }
            anyhow::bail!("it was always too slow")
        });
    }
    let (mut joined, mut refused) = (0, 0);
    while let Some(status) = joining.join_next().await {
        match status?? {
            200 => joined += 1,
            422 => refused += 1,
            other => anyhow::bail!("{other}"),
        }
    }
    ensure!((joined, refused) == (16, 4), "{joined} joined, {refused} did not");
    let submitted = submit(&session, &id).await?;
    ensure!(submitted["expenses"].as_array().is_some_and(|expenses| expenses.len() == 40), "all of them");
    let (mail, page) = asked(world, &session, &id).await?;
    ensure!(mail.subject.contains("40 expenses"), "{}", mail.subject);
    ensure!(page.answer.body.contains("Approve all 40"), "one page for all");
    ensure!(mails_of(world, &id).await? == 1, "one mail asked for the report");
    Ok(())
}

/// An execution that does not come to its step holds the mail of the others up until the sweeper looks, and no longer.
pub async fn an_execution_that_lags_does_not_hold_the_mail_up(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (prompt, lagging) = (draft(&session, "Prompt", 100).await?, draft(&session, "Lagging", 200).await?);
    let id = report(&session, "Late", &[&prompt, &lagging]).await?;
    // Somebody else seems to have claimed the submission, and to have been restarted just now, often.
    let claim = json!({
        "PK": {"S": format!("SUBMISSION#{lagging}#1")}, "SK": {"S": "CLAIM"}, "execution": {"S": "arn:none"},
        "restarts": {"N": "16"}, "restarted_at": {"S": jiff::Timestamp::now().to_string()},
    });
    let table = world.output("TableName")?;
    world.aws(&["dynamodb", "put-item", "--table-name", table, "--item", &claim.to_string()]).await?;
    submit(&session, &id).await?;
    wait::until("the notification of the other one to be dealt with", DEADLINE, async || {
        let version = session.expense(&prompt).await?["version"].clone();
        let guard = format!("DONE#notifications#expense/{prompt}/{version}");
        Ok(item(world, "TableName", &guard, "DONE").await?.filter(|guard| guard.get("done_at").is_some()).map(|_| ()))
    })
    .await?;
    ensure!(mails_of(world, &id).await? == 0 && requests(world, &prompt).await? == 0, "it waits for the other");

    sweep_until(world, "asked").await?;
    let (mail, page) = asked(world, &session, &id).await?;
    ensure!(mail.subject.contains("1 expense,"), "{}", mail.subject);
    ensure!(own_page(&page, &lagging).is_err(), "what nobody was asked for is not on it");

    // The one that lagged is asked for by itself, once.
    let key = json!({ "PK": claim["PK"], "SK": claim["SK"] }).to_string();
    world.aws(&["dynamodb", "delete-item", "--table-name", table, "--key", &key]).await?;
    sweep_until(world, "restarted").await?;
    crate::harness::request(world, &lagging).await?;
    ensure!(press(&page.url, &APPROVE_ALL).await?.0 == 200, "those of the mail are approved");
    session.wait_for_status(&prompt, "approved", DEADLINE).await?;
    ensure!(session.expense(&lagging).await?["status"] == "submitted", "and only those");
    ensure!(mails_of(world, &id).await? == 1 && requests(world, &lagging).await? == 1, "each is asked for once");
    ensure!(requests(world, &prompt).await? == 0, "each is asked for once");
    Ok(())
}

/// The approval of the submission in a list of the session, page by page.
async fn listed(session: &Session, status: &str, submission: &str) -> Result<Option<Value>> {
    let mut cursor = String::new();
    loop {
        let page = session.get(&format!("/approvals?status={status}&limit=3{cursor}")).await?.expect(200)?;
        let approvals = page["approvals"].as_array().context("a list")?;
        ensure!(approvals.len() <= 3, "{page}");
        if let Some(found) = approvals.iter().find(|approval| approval["submission_id"] == submission) {
            return Ok(Some(found.clone()));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(None),
        }
    }
}

pub async fn an_approver_decides_over_the_api(world: &Deployment) -> Result<()> {
    let (session, stranger) = (newcomer(world).await?, newcomer(world).await?);
    let manager = world.session("manager").await?;
    let (id, page) = submitted(world, &session, "Over the API").await?;
    let submission = format!("{id}.1");
    let waiting =
        wait::until("the approval in the queue", DEADLINE, async || listed(&manager, "pending", &submission).await)
            .await?;
    ensure!(waiting["expense"]["details"]["merchant"] == "Over the API", "{waiting}");
    ensure!(waiting["expense"]["owner_name"].as_str().is_some_and(|name| name.contains('@')), "{waiting}");
    for other in [&session, &stranger] {
        ensure!(listed(other, "pending", &submission).await?.is_none(), "it waits for the manager alone");
    }

    let path = format!("/submissions/{submission}/decision");
    let decide = async |by: &Session, body: &Value| -> Result<Answer> { by.post(&path, body).await };
    let approve = json!({ "decision": "approve", "comment": "Fine" });
    for other in [&session, &stranger, &world.session("finance").await?, &world.session("administrator").await?] {
        let answer = decide(other, &approve).await?;
        ensure!(answer.status == 404 && problem(&answer) == "not-found", "{}", answer.body);
    }
    let anonymous = session.client.send(Method::POST, &path, None, Some(&approve)).await?;
    ensure!(anonymous.status == 401, "{}", anonymous.status);
    for (body, status) in [
        (json!({ "decision": "reject" }), 422),
        (json!({ "decision": "reject", "comment": " " }), 422),
        (json!({ "decision": "perhaps" }), 422),
        (json!({ "decision": "approve", "as": "me" }), 400),
    ] {
        let answer = decide(&manager, &body).await?;
        ensure!(answer.status == status, "{body}: {} {}", answer.status, answer.body);
    }
    ensure!(session.expense(&id).await?["status"] == "submitted", "nothing was decided");

    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (manager, path, approve) = (manager.clone(), path.clone(), approve.clone());
        racing.spawn(async move { manager.post(&path, &approve).await });
    }
    while let Some(answer) = racing.join_next().await {
        let decided = answer??.expect(200)?;
        ensure!(decided["outcome"] == "approved" && decided["submission_id"] == submission, "{decided}");
    }
    let decisions = history(&session, &id).await?;
    ensure!(decisions.iter().filter(|event| *event == "ExpenseApproved").count() == 1, "{decisions:?}");
    ensure!(decide(&manager, &json!({ "decision": "reject", "comment": "No" })).await?.status == 409, "it is decided");
    ensure!(session.client.post_decision(page.url.clone(), "reject", "No").await?.status == 409, "by the link, too");
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    execution_succeeds(world, &id, 1).await?;
    let decided = wait::until("the approval among the decided", DEADLINE, async || {
        listed(&manager, "decided", &submission).await
    })
    .await?;
    ensure!(decided["outcome"] == "approved" && decided["status"] == "decided", "{decided}");
    ensure!(listed(&manager, "pending", &submission).await?.is_none(), "it does not wait any more");
    for query in ["status=closed", "limit=0", "limit=101", "cursor=x"] {
        ensure!(manager.get(&format!("/approvals?{query}")).await?.status == 422, "{query}");
    }
    Ok(())
}
