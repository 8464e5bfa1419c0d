//! Whom an approval asks, one after the other, and what happens while nobody answers.

use anyhow::{Context as _, Result, ensure};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session, wait};

use crate::harness::{
    DEADLINE, draft, execution_succeeds, history, newcomer, request, request_of, requests, submitted, sweep,
};

/// Runs a scenario while these rules hold, and puts the former ones back.
pub async fn under(world: &Deployment, rules: Value, scenario: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let finance = world.session("finance").await?;
    let mut before = finance.get("/policy").await?.expect(200)?;
    let document = before.as_object_mut().context("a policy is an object")?;
    document.remove("version");
    let mut during = document.clone();
    during.extend(rules.as_object().context("rules are an object")?.clone());
    finance.put("/policy", &Value::Object(during)).await?.expect(200)?;
    let outcome = scenario().await;
    finance.put("/policy", &before).await?.expect(200)?;
    outcome
}

/// A newcomer whose manager is another newcomer.
pub async fn team(world: &Deployment) -> Result<(Session, Session)> {
    let (employee, manager) = (newcomer(world).await?, newcomer(world).await?);
    name_manager(world, &employee, &manager).await?;
    Ok((employee, manager))
}

pub async fn name_manager(world: &Deployment, of: &Session, manager: &Session) -> Result<()> {
    world.session("administrator").await?.name_manager(&of.person_id, &manager.person_id).await
}

/// Delegates to somebody for today.
async fn delegate(from: &Session, to: &Session) -> Result<()> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    // Until tomorrow, so that midnight changes nothing.
    let delegation = json!({ "delegate": to.person_id, "from": today, "until": today.tomorrow()? });
    from.put("/me", &json!({ "delegation": delegation })).await?.expect(200).map(|_| ())
}

pub async fn address(session: &Session) -> Result<String> {
    let me = session.get("/me").await?.expect(200)?;
    me["email"].as_str().map(str::to_owned).context("a profile has an address")
}

/// The link of the mail that asks this person for this step.
pub async fn link_of(world: &Deployment, to: &Session, expense: &str, step: u32) -> Result<String> {
    let address = address(to).await?;
    Ok(request_of(world, &format!("{expense}.1.{step}."), |mail| mail.is_to(&address)).await?.1)
}

/// Waits until an event of this type is in the expense's history; its change.
pub async fn happens(session: &Session, expense: &str, event_type: &str) -> Result<Value> {
    wait::until(event_type, DEADLINE, async || {
        let events = session.history(expense).await?;
        Ok(events.into_iter().find(|event| event["type"] == event_type))
    })
    .await
}

async fn press(session: &Session, link: &str, decision: &str, comment: &str) -> Result<u16> {
    let page = session.client.open_link(link).await?;
    Ok(session.client.decide(&page, decision, comment).await?.status)
}

pub async fn two_levels_decide_one_after_the_other(world: &Deployment) -> Result<()> {
    let limit = json!({"minor_units": 5000, "currency": "EUR"});
    under(world, json!({ "second_level_from": limit, "second_level": "finance" }), async || {
        let (employee, manager) = team(world).await?;
        let id = draft(&employee, "Hotel Post", 5000).await?;
        employee.submit(&id).await?;
        let first = link_of(world, &manager, &id, 1).await?;
        ensure!(press(&manager, &first, "approve", "Fine with me").await? == 200);
        let step = happens(&employee, &id, "ExpenseStepApproved").await?;
        ensure!(step.to_string().contains("Fine with me"), "{step}");
        ensure!(employee.expense(&id).await?["status"] == "submitted", "one level is not enough");
        let again = employee.client.open_link(&first).await?;
        ensure!(again.forms().is_empty() && again.answer.body.contains("next approver"), "{}", again.answer.body);

        let finance = world.session("finance").await?;
        let second = link_of(world, &finance, &id, 2).await?;
        ensure!(press(&finance, &second, "approve", "").await? == 200);
        employee.wait_for_status(&id, "approved", DEADLINE).await?;
        execution_succeeds(world, &id, 1).await?;
        let decided = manager.get("/approvals?status=decided").await?.expect(200)?;
        ensure!(decided["approvals"][0]["outcome"] == "passed", "{decided}");

        // Somebody who stands at both levels is asked once.
        name_manager(world, &employee, &finance).await?;
        let id = draft(&employee, "Hotel Krone", 5100).await?;
        employee.submit(&id).await?;
        let only = link_of(world, &finance, &id, 1).await?;
        ensure!(press(&finance, &only, "approve", "").await? == 200);
        employee.wait_for_status(&id, "approved", DEADLINE).await?;
        ensure!(!history(&employee, &id).await?.contains(&"ExpenseStepApproved".to_owned()));
        Ok(())
    })
    .await
}

pub async fn little_is_approved_by_the_policy(world: &Deployment) -> Result<()> {
    let limit = json!({"minor_units": 1000, "currency": "EUR"});
    under(world, json!({ "auto_approve_below": limit }), async || {
        let employee = newcomer(world).await?;
        let id = draft(&employee, "Kiosk am Eck", 450).await?;
        employee.submit(&id).await?;
        employee.wait_for_status(&id, "approved", DEADLINE).await?;
        execution_succeeds(world, &id, 1).await?;
        let events = history(&employee, &id).await?;
        ensure!(events == ["ExpenseDrafted", "ExpenseSubmitted", "ExpenseAutoApproved"], "{events:?}");
        ensure!(requests(world, &id).await? == 0, "nobody was asked");

        // The same again is suspicious, and so asked for, whatever its owner says.
        let twin = draft(&employee, "Kiosk am Eck", 450).await?;
        employee.submit(&twin).await?;
        request(world, &twin).await?;
        ensure!(employee.expense(&twin).await?["status"] == "submitted");
        Ok(())
    })
    .await
}

pub async fn a_delegate_stands_in_for_what_is_pending(world: &Deployment) -> Result<()> {
    let (employee, manager) = team(world).await?;
    let deputy = newcomer(world).await?;
    let pending = draft(&employee, "Before the Holiday", 1200).await?;
    employee.submit(&pending).await?;
    let old = link_of(world, &manager, &pending, 1).await?;
    let page = manager.client.open_link(&old).await?;
    delegate(&manager, &deputy).await?;

    // Even before any sweep, whoever is away decides nothing.
    let refused = manager.client.decide(&page, "approve", "").await?;
    ensure!(refused.status == 409 && refused.body.contains("Somebody else"), "{} {}", refused.status, refused.body);
    let change = happens(&employee, &pending, "ExpenseApprovalReassigned").await?;
    ensure!(change.to_string().contains("delegated"), "{change}");
    let dead = manager.client.open_link(&old).await?;
    ensure!(dead.forms().is_empty() && dead.answer.body.contains("Somebody else"), "{}", dead.answer.body);
    let submission = format!("{pending}.1");
    let over_the_api =
        manager.post(&format!("/submissions/{submission}/decision"), &json!({ "decision": "approve" })).await?;
    ensure!(over_the_api.status == 404, "{}", over_the_api.body);
    let new = link_of(world, &deputy, &pending, 1).await?;
    ensure!(press(&deputy, &new, "approve", "").await? == 200);
    employee.wait_for_status(&pending, "approved", DEADLINE).await?;
    execution_succeeds(world, &pending, 1).await?;

    // The delegate's own expense goes to nobody's delegate but up: to the manager's manager.
    name_manager(world, &deputy, &manager).await?;
    let own = draft(&deputy, "Deputy's Lunch", 1300).await?;
    deputy.submit(&own).await?;
    link_of(world, &world.session("manager").await?, &own, 1).await?;
    Ok(())
}

pub async fn a_step_follows_who_is_responsible(world: &Deployment) -> Result<()> {
    let (employee, manager) = team(world).await?;
    let next = newcomer(world).await?;
    let (moved, left) = (draft(&employee, "Moved", 1400).await?, draft(&employee, "Left", 1500).await?);
    for id in [&moved, &left] {
        employee.submit(id).await?;
        link_of(world, &manager, id, 1).await?;
    }
    // Another manager.
    name_manager(world, &employee, &next).await?;
    wait::until("a sweep to reassign", DEADLINE, async || {
        sweep(world).await?;
        let events = history(&employee, &moved).await?;
        Ok(events.contains(&"ExpenseApprovalReassigned".to_owned()).then_some(()))
    })
    .await?;
    ensure!(press(&next, &link_of(world, &next, &moved, 1).await?, "approve", "").await? == 200);
    employee.wait_for_status(&moved, "approved", DEADLINE).await?;

    // The new one leaves.
    let link = link_of(world, &next, &left, 1).await?;
    let administrator = world.session("administrator").await?;
    administrator.put(&format!("/people/{}", next.person_id), &json!({ "active": false })).await?.expect(200)?;
    ensure!(employee.client.open_link(&link).await?.answer.status == 404, "who has left sees nothing");
    sweep(world).await?;
    let events = employee.history(&left).await?;
    let last = events.iter().rfind(|event| event["type"] == "ExpenseApprovalReassigned").context("reassigned")?;
    ensure!(last.to_string().contains("\"left\""), "{last}");
    // Nobody is above the newcomer but the manager whom the newcomer was given at first.
    let mark = world.session("manager").await?;
    ensure!(press(&mark, &link_of(world, &mark, &left, 1).await?, "reject", "Not now").await? == 200);
    employee.wait_for_status(&left, "rejected", DEADLINE).await?;
    Ok(())
}

pub async fn reminded_then_escalated_then_back(world: &Deployment) -> Result<()> {
    let times = json!({ "reminder_after_seconds": 4, "escalation_after_seconds": 20, "decision_due_seconds": 45 });
    under(world, times, async || {
        let (employee, manager) = team(world).await?;
        let boss = newcomer(world).await?;
        name_manager(world, &manager, &boss).await?;
        let id = draft(&employee, "Slow Approval", 2000).await?;
        employee.submit(&id).await?;
        let first = link_of(world, &manager, &id, 1).await?;
        happens(&employee, &id, "ExpenseApprovalReminded").await?;
        let still = employee.client.open_link(&first).await?;
        ensure!(!still.forms().is_empty(), "a reminder kills no link: {}", still.answer.body);
        let change = happens(&employee, &id, "ExpenseApprovalReassigned").await?;
        ensure!(change.to_string().contains("escalated"), "{change}");
        ensure!(employee.client.open_link(&first).await?.forms().is_empty(), "the first link is dead");
        let second = link_of(world, &boss, &id, 1).await?;
        employee.wait_for_status(&id, "draft", DEADLINE).await?;
        ensure!(employee.client.open_link(&second).await?.forms().is_empty(), "and so is the second after its time");
        let events = history(&employee, &id).await?;
        let expected = [
            "ExpenseDrafted",
            "ExpenseSubmitted",
            "ExpenseApprovalRequested",
            "ExpenseApprovalReminded",
            "ExpenseApprovalReassigned",
            "ExpenseApprovalReminded",
            "ExpenseSubmissionExpired",
        ];
        ensure!(events == expected, "each of the two is reminded once: {events:?}");
        execution_succeeds(world, &id, 1).await
    })
    .await
}

pub async fn changes_are_requested_made_and_approved(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Second Look").await?;
    session.client.decide(&page, "request_changes", "Which project?").await?.expect(200)?;
    session.wait_for_status(&id, "changes_requested", DEADLINE).await?;
    session.edit(&id, &json!({ "project": "Atlas" })).await?;
    session.submit(&id).await?;
    let (_, link) = request_of(world, &format!("{id}.2.1."), |_| true).await?;
    let page = session.client.open_link(&link).await?;
    ensure!(page.answer.body.contains("Which project?"), "what was asked for is shown: {}", page.answer.body);
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    let events = history(&session, &id).await?;
    ensure!(events.contains(&"ExpenseChangesRequested".to_owned()), "the history is whole: {events:?}");
    execution_succeeds(world, &id, 2).await
}
