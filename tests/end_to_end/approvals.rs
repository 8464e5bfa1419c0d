//! What an approver's link may do, how often, and until when.

use anyhow::{Context as _, Result, ensure};
use reqwest::Url;
use serde_json::json;
use slipstream_local::{Deployment, Mail, wait};

use crate::harness::{
    DEADLINE, draft, execution_status, execution_succeeds, history, newcomer, request, request_of, requests, submitted,
    sweep,
};

pub async fn rejected_with_a_reason(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Casino Royal").await?;
    let without = session.client.decide(&page, "reject", "  ").await?;
    ensure!(without.status == 422 && without.body.contains("say why"), "{}", without.body);
    session.client.decide(&page, "reject", "No <gambling>, please").await?.expect(200)?;
    session.wait_for_status(&id, "rejected", DEADLINE).await?;
    execution_succeeds(world, &id, 1).await?;
    let told = |mail: &Mail| mail.mentions(&id) && mail.subject.starts_with("Expense rejected");
    let mail = world.mailbox().wait_for_mail("the mail with the reason", DEADLINE, told).await?;
    ensure!(mail.html.as_deref().is_some_and(|html| !html.contains("<gambling>")), "escaped");
    ensure!(mail.text.as_deref().is_some_and(|text| text.contains("No <gambling>, please")), "{:?}", mail.text);
    let submit = session.post(&format!("/expenses/{id}/submit"), &json!({})).await?;
    ensure!(submit.status == 409, "a rejected expense stays rejected: {}", submit.body);
    Ok(())
}

pub async fn a_link_is_shown_as_often_as_one_likes_and_used_once(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "<b>Bold</b> Bakery").await?;
    ensure!(
        page.answer.body.contains("&#60;b&#62;Bold") || page.answer.body.contains("&lt;b&gt;Bold"),
        "escaped: {}",
        page.answer.body
    );
    for header in ["content-security-policy", "referrer-policy", "cache-control"] {
        ensure!(page.answer.header(header).is_some(), "{header} is set");
    }
    let before = session.expense(&id).await?;
    for _ in 0..10 {
        session.client.open_link(page.url.as_str()).await?.answer.expect(200)?;
        let head = reqwest::Client::new().head(page.url.clone()).send().await?;
        ensure!(head.status().as_u16() == 200, "HEAD: {}", head.status());
    }
    ensure!(session.expense(&id).await? == before, "looking changes nothing");

    session.client.decide(&page, "approve", "").await?.expect(200)?;
    let again = session.client.post_decision(page.url.clone(), "reject", "changed my mind").await?;
    ensure!(again.status == 409 && again.body.contains("Already approved"), "{}", again.body);
    let shown = session.client.open_link(page.url.as_str()).await?;
    ensure!(shown.answer.status == 200 && shown.forms().is_empty(), "nothing is left to decide");
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    ensure!(history(&session, &id).await?.len() == 4, "one decision");
    Ok(())
}

pub async fn a_forged_link_is_nobodys(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Forgery").await?;
    let (other, other_page) = submitted(world, &session, "Other").await?;
    let link = page.url.as_str();
    let (prefix, secret) = link.rsplit_once('.').context("a link has a secret")?;
    let other_secret = other_page.url.as_str().rsplit_once('.').context("a link has a secret")?.1;
    let mut forged = vec![
        format!("{prefix}.{other_secret}"),
        format!("{prefix}."),
        format!("{prefix}.{}", "A".repeat(secret.len())),
        link.replace(&format!("{id}.1.1."), &format!("{id}.2.1.")),
        link.replace(&format!("{id}.1.1."), &format!("{id}.1.2.")),
        link.replace(&id, "exp_00000000000000000000000000000000"),
    ];
    for at in [0, secret.len() / 2, secret.len() - 1] {
        let changed = if &secret[at..=at] == "x" { "y" } else { "x" };
        forged.push(format!("{prefix}.{}{changed}{}", &secret[..at], &secret[at + 1..]));
    }
    for link in forged {
        let url = Url::parse(&link)?;
        let shown = session.client.open_link(&link).await?;
        ensure!([403, 404].contains(&shown.answer.status) && shown.forms().is_empty(), "{}", shown.answer.status);
        let posted = session.client.post_decision(url, "approve", "").await?;
        ensure!([403, 404].contains(&posted.status), "{}", posted.status);
    }
    for id in [id, other] {
        ensure!(session.expense(&id).await?["status"] == "submitted", "nothing was decided");
    }
    Ok(())
}

pub async fn an_expired_link_decides_nothing(world: &Deployment) -> Result<()> {
    let finance = world.session("finance").await?;
    let usual = finance.get("/policy").await?.expect(200)?["decision_due_seconds"].clone();
    finance.put("/policy", &json!({ "decision_due_seconds": 20 })).await?.expect(200)?;
    let outcome = expire(world).await;
    finance.put("/policy", &json!({ "decision_due_seconds": usual })).await?.expect(200)?;
    outcome
}

async fn expire(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let id = draft(&session, "Slow Food", 990).await?;
    session.submit(&id).await?;
    let (_, link) = request(world, &id).await?;
    session.wait_for_status(&id, "draft", DEADLINE).await?;
    let page = session.client.open_link(&link).await?;
    ensure!(page.forms().is_empty(), "no button after the time is up: {}", page.answer.body);
    let posted = session.client.post_decision(page.url.clone(), "approve", "").await?;
    ensure!([409, 410].contains(&posted.status), "{}", posted.status);
    ensure!(session.expense(&id).await?["status"] == "draft", "it stays with its owner");
    ensure!(history(&session, &id).await?.last().is_some_and(|last| last == "ExpenseSubmissionExpired"), "and says so");
    execution_succeeds(world, &id, 1).await?;
    let told = |mail: &Mail| mail.mentions(&id) && mail.subject.contains("not decided in time");
    world.mailbox().wait_for_mail("the mail that tells the owner", DEADLINE, told).await?;
    Ok(())
}

pub async fn a_withdrawal_ends_the_approval(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Second Thoughts").await?;
    session.post(&format!("/expenses/{id}/withdraw"), &json!({})).await?.expect(200)?;
    let posted = session.client.post_decision(page.url.clone(), "approve", "").await?;
    ensure!(posted.status == 409, "the link died: {}", posted.status);
    wait::until("a sweep to let the execution end", DEADLINE, async || {
        sweep(world).await?;
        Ok((execution_status(world, &id, 1).await?.1 == "SUCCEEDED").then_some(()))
    })
    .await?;

    session.edit(&id, &json!({ "note": "now complete" })).await?;
    session.submit(&id).await?;
    let (_, link) = request_of(world, &format!("{id}.2.1."), |_| true).await?;
    let page = session.client.open_link(&link).await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    ensure!(requests(world, &id).await? == 2, "one mail a submission");
    Ok(())
}

/// Ten decisions of both kinds at the same moment: one counts, the others are told so.
pub async fn two_decisions_at_once_are_one(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Rush").await?;
    let mut racing = tokio::task::JoinSet::new();
    for n in 0..10 {
        let (client, url) = (session.client.clone(), page.url.clone());
        let decision = if n % 2 == 0 { "approve" } else { "reject" };
        racing.spawn(async move { client.post_decision(url, decision, "race").await });
    }
    let mut won = 0;
    while let Some(answer) = racing.join_next().await {
        let answer = answer??;
        match answer.status {
            200 => won += 1,
            409 => {}
            other => anyhow::bail!("{other}: {}", answer.body),
        }
    }
    ensure!(won == 1, "{won} decisions counted");
    let events = history(&session, &id).await?;
    let decisions = events.iter().filter(|event| ["ExpenseApproved", "ExpenseRejected"].contains(&event.as_str()));
    ensure!(decisions.count() == 1, "{events:?}");
    execution_succeeds(world, &id, 1).await?;
    Ok(())
}
