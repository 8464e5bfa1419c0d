//! Two or three things at once, in every order, with and without somebody dying, with and without conflicts.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    audit::Audit,
    schedule::{ACTORS, Actor, Explored, Faults, Outcomes, explore},
    services::Wait,
    world::{ADMINISTRATOR, DEPUTY, EMPLOYEE, FINANCE, Functions, MANAGER, Said, World},
};

/// What an actor does, on its own line.
type Deed = Box<dyn Fn(Functions) -> Actor<Said>>;

fn deed<F: Future<Output = Said> + 'static>(what: impl Fn(Functions) -> F + 'static) -> Deed {
    Box::new(move |functions| Box::pin(what(functions)))
}

fn press(link: String, decision: &'static str) -> Deed {
    deed(move |functions| {
        let link = link.clone();
        async move { functions.press(&link, decision).await }
    })
}

fn request(
    caller: &'static str,
    method: &'static str,
    path: &'static str,
    named: impl Into<String>,
    body: Value,
) -> Deed {
    let named = named.into();
    deed(move |functions| {
        let (named, body) = (named.clone(), body.clone());
        async move { functions.request(caller, method, path, &named, &body).await }
    })
}

fn task(name: &'static str, submission: String, more: Value) -> Deed {
    deed(move |functions| {
        let (submission, more) = (submission.clone(), more.clone());
        async move { functions.task(name, &submission, &more).await }
    })
}

/// Goes through every order of the deeds and prints how many there were. After each, a sweep mends what can be mended;
/// then the audit must find nothing, and `expected` holds of what was said and what became of it.
async fn every_order(
    name: &str,
    world: &World,
    faults: Faults,
    deeds: Vec<Deed>,
    expected: impl Fn(&Outcomes<Said>, &Audit) -> Result<(), String>,
) -> Explored {
    assert!(deeds.len() <= ACTORS);
    let lines: Vec<_> = (0..deeds.len()).map(|line| Functions::on(&world.gate, line)).collect();
    let start = world.gate.with(|services| services.copy());
    let begin = || deeds.iter().zip(&lines).map(|(deed, line)| deed(line.clone())).collect();
    let explored = explore(&world.gate, &start, faults, begin, async |outcomes| {
        let mut wrong = Vec::new();
        for said in outcomes.iter().flatten() {
            if said.status == 0 || said.status >= 500 {
                wrong.push(format!("{}: {}", said.status, said.body));
            }
        }
        let resumed = world.open.resume().await;
        if resumed.status != 200 {
            wrong.push(format!("the sweep: {}", resumed.body));
        }
        let (audit, faults) = world.gate.with(|services| {
            let audit = Audit::of(services, &world.expense);
            let mut faults = audit.faults(services);
            faults.append(&mut services.breaches);
            (audit, faults)
        });
        wrong.extend(faults);
        wrong.extend(expected(outcomes, &audit).err());
        wrong
    })
    .await;
    let Explored { orders, moments, runs, ends } = &explored;
    let mode = match (faults.stop, faults.conflict) {
        (false, false) => "",
        (true, false) => ", one dies",
        (false, true) => ", one conflict",
        (true, true) => ", one dies or one conflict",
    };
    println!("{name}{mode}: {orders} orders, {moments} moments, {ends} ends, {runs} runs");
    explored
}

/// Without faults, and with each.
const MODES: [Faults; 3] = [
    Faults { stop: false, conflict: false },
    Faults { stop: true, conflict: false },
    Faults { stop: false, conflict: true },
];

/// How many of the outcomes have one of these statuses.
fn with_status(outcomes: &Outcomes<Said>, statuses: &[u16]) -> usize {
    outcomes.iter().flatten().filter(|said| statuses.contains(&said.status)).count()
}

/// Whoever was answered 200 has done what leads to their event, everybody else was told that it is over; and one of the
/// events happened, unless all have died.
fn one_wins(outcomes: &Outcomes<Said>, kinds: &[&str], audit: &Audit) -> Result<(), String> {
    let happened: Vec<usize> = kinds.iter().map(|kind| audit.count(kind)).collect();
    for ((said, kind), happened) in outcomes.iter().zip(kinds).zip(&happened) {
        match said {
            Some(Said { status: 200, .. }) if *happened == 1 => {}
            Some(Said { status: 409 | 410, .. }) if *happened == 0 => {}
            None if *happened <= 1 => {}
            other => return Err(format!("{kind} happened {happened} times, and its actor was told {other:?}")),
        }
    }
    let total: usize = happened.iter().sum();
    let alive = outcomes.iter().flatten().count();
    if total == 1 || (total == 0 && alive == 0) { Ok(()) } else { Err(format!("{total} outcomes")) }
}

#[tokio::test(start_paused = true)]
async fn approve_and_reject_by_the_same_link() {
    for faults in MODES {
        let world = World::new(false).await;
        let link = world.link(1, 1, 'a');
        let deeds = vec![press(link.clone(), "approve"), press(link, "reject")];
        every_order("approve × reject", &world, faults, deeds, |outcomes, audit| {
            one_wins(outcomes, &["ExpenseApproved", "ExpenseRejected"], audit)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_link_and_the_queue() {
    let world = World::new(false).await;
    let body = json!({ "decision": "request_changes", "comment": "which project?" });
    let signed_in = request(MANAGER, "POST", "/submissions/{submission_id}/decision", world.submission(1), body);
    let deeds = vec![press(world.link(1, 1, 'a'), "approve"), signed_in];
    every_order("link × queue", &world, MODES[0], deeds, |outcomes, audit| {
        one_wins(outcomes, &["ExpenseApproved", "ExpenseChangesRequested"], audit)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_decision_and_a_withdrawal() {
    for faults in MODES {
        let world = World::new(false).await;
        let withdraw = request(EMPLOYEE, "POST", "/expenses/{expense_id}/withdraw", &world.expense, Value::Null);
        let deeds = vec![press(world.link(1, 1, 'a'), "approve"), withdraw];
        every_order("approve × withdraw", &world, faults, deeds, |outcomes, audit| {
            one_wins(outcomes, &["ExpenseApproved", "ExpenseWithdrawn"], audit)
        })
        .await;
    }
}

/// What is left of a withdrawn submission decides nothing, also where its number has a follower.
#[tokio::test(start_paused = true)]
async fn a_decision_and_a_withdrawal_with_another_submission_after_it() {
    let world = World::new(false).await;
    let id = world.expense.clone();
    let anew = deed(move |functions| {
        let id = id.clone();
        async move {
            let withdrawn =
                functions.request(EMPLOYEE, "POST", "/expenses/{expense_id}/withdraw", &id, &Value::Null).await;
            if withdrawn.status != 200 {
                return withdrawn;
            }
            functions.request(EMPLOYEE, "POST", "/expenses/{expense_id}/submit", &id, &Value::Null).await
        }
    });
    let deeds = vec![press(world.link(1, 1, 'a'), "reject"), anew];
    every_order("reject × withdraw and submit", &world, MODES[0], deeds, |outcomes, audit| {
        one_wins(outcomes, &["ExpenseRejected", "ExpenseWithdrawn"], audit)?;
        let waits = usize::from(outcomes[1].as_ref().is_some_and(|said| said.status == 200));
        if audit.count("ExpenseSubmitted") == 1 + waits { Ok(()) } else { Err("it waits anew".to_owned()) }
    })
    .await;
}

/// The clock of the state machine is past the due date, that of the decision is not yet.
#[tokio::test(start_paused = true)]
async fn a_decision_and_the_end_of_its_time() {
    for faults in MODES {
        let world = World::new(false).await;
        let due = world.step(1, 1).unwrap()["due_at"]["S"].as_str().unwrap().to_owned();
        let past = Timestamp::from_second(Timestamp::now().as_second() - 60).unwrap();
        world.gate.lens(1, &due, &past.to_string());
        world.gate.with(|services| services.tasks.insert("token-1-1".to_owned(), Wait::TimedOut));
        let time_up = task("time_up", world.submission(1), json!({ "choice": world.choice(1, 1) }));
        let deeds = vec![press(world.link(1, 1, 'a'), "approve"), time_up];
        every_order("approve × expire", &world, faults, deeds, |outcomes, audit| {
            let (approved, expired) = (audit.count("ExpenseApproved"), audit.count("ExpenseSubmissionExpired"));
            let alive = outcomes.iter().flatten().count();
            if approved + expired > 1 || (approved + expired == 0 && alive > 0 && outcomes[1].is_some()) {
                return Err(format!("{approved} approved, {expired} expired"));
            }
            match &outcomes[0] {
                Some(Said { status: 200, .. }) if approved == 1 => Ok(()),
                Some(Said { status: 409 | 410, .. }) if expired == 1 => Ok(()),
                None => Ok(()),
                other => Err(format!("{approved} approved, {expired} expired: {other:?}")),
            }?;
            match &outcomes[1] {
                None => Ok(()),
                Some(said) if said.body.contains(if approved == 1 { "approved" } else { "closed" }) => Ok(()),
                Some(said) => Err(format!("the machine goes on by {said:?}")),
            }
        })
        .await;
    }
}

/// Either the manager decides in time or the director is asked; never both, and the dead link says so.
#[tokio::test(start_paused = true)]
async fn a_decision_and_its_escalation() {
    for faults in MODES {
        let world = World::new(false).await;
        world.let_pass(1, 1, "escalate_at");
        world.gate.with(|services| services.tasks.insert("token-1-1".to_owned(), Wait::TimedOut));
        let time_up = task("time_up", world.submission(1), json!({ "choice": world.choice(1, 1) }));
        let deeds = vec![press(world.link(1, 1, 'a'), "approve"), time_up];
        every_order("approve × escalate", &world, faults, deeds, |outcomes, audit| {
            let kinds = ["ExpenseApproved", "ExpenseApprovalReassigned"].map(|kind| audit.count(kind));
            let alive = outcomes.iter().flatten().count();
            match (&outcomes[0], kinds) {
                (Some(Said { status: 200, .. }) | None, [1, 0]) => Ok(()),
                (Some(Said { status: 409, .. }) | None, [0, 1]) => Ok(()),
                (None, [0, 0]) if alive == 0 => Ok(()),
                (said, kinds) => Err(format!("{kinds:?}: {said:?}")),
            }
        })
        .await;
    }
}

/// A reminder is a change of the same expense and the same step; the decision counts all the same.
#[tokio::test(start_paused = true)]
async fn a_decision_and_its_reminder() {
    for faults in MODES {
        let world = World::new(false).await;
        world.let_pass(1, 1, "remind_at");
        world.gate.with(|services| services.tasks.insert("token-1-1".to_owned(), Wait::TimedOut));
        let time_up = task("time_up", world.submission(1), json!({ "choice": world.choice(1, 1) }));
        let deeds = vec![press(world.link(1, 1, 'a'), "approve"), time_up];
        every_order("approve × remind", &world, faults, deeds, |outcomes, audit| {
            let reminded = audit.count("ExpenseApprovalReminded");
            match (&outcomes[0], audit.count("ExpenseApproved")) {
                (Some(Said { status: 200, .. }), 1) | (None, 0 | 1) if reminded <= 1 => Ok(()),
                (said, approved) => Err(format!("{approved} approved, {reminded} reminded: {said:?}")),
            }
        })
        .await;
    }
}

/// The manager leaves, and a sweep has the next one up asked. The link is dead then, whoever still has it.
#[tokio::test(start_paused = true)]
async fn a_decision_of_somebody_who_leaves() {
    for faults in [MODES[0], MODES[2]] {
        let world = World::new(false).await;
        let leave = deed(|functions| async move {
            let body = json!({ "active": false });
            let left = functions.request(ADMINISTRATOR, "PUT", "/people/{person_id}", MANAGER, &body).await;
            if left.status == 200 { functions.reassign().await } else { left }
        });
        let deeds = vec![press(world.link(1, 1, 'a'), "approve"), leave];
        every_order("approve × leave and reassign", &world, faults, deeds, reassigned_or_decided).await;
    }
}

/// The manager delegates from today on, and a sweep has the deputy asked.
#[tokio::test(start_paused = true)]
async fn a_decision_of_somebody_who_delegates() {
    let world = World::new(false).await;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let until = today.checked_add(7.days()).unwrap();
    let delegation = json!({ "delegation": { "delegate": DEPUTY, "from": today, "until": until } });
    let delegate = deed(move |functions| {
        let delegation = delegation.clone();
        async move {
            let done = functions.request(MANAGER, "PUT", "/me", "", &delegation).await;
            if done.status == 200 { functions.reassign().await } else { done }
        }
    });
    let deeds = vec![press(world.link(1, 1, 'a'), "approve"), delegate];
    every_order("approve × delegate and reassign", &world, MODES[0], deeds, reassigned_or_decided).await;
}

fn reassigned_or_decided(outcomes: &Outcomes<Said>, audit: &Audit) -> Result<(), String> {
    let kinds = ["ExpenseApproved", "ExpenseApprovalReassigned"].map(|kind| audit.count(kind));
    match (&outcomes[0], kinds) {
        (Some(Said { status: 200, .. }), [1, 0]) => Ok(()),
        // Not valid for somebody who has left, and somebody else's once the step follows.
        (Some(Said { status: 404 | 409, .. }), [0, 1]) => Ok(()),
        (said, kinds) => Err(format!("{kinds:?}: {said:?}")),
    }
}

/// The manager says that the first decision was not theirs while finance decides at the second level.
#[tokio::test(start_paused = true)]
async fn a_decision_and_the_level_below_taken_back() {
    for faults in MODES {
        let world = World::new(true).await;
        assert_eq!(world.open.press(&world.link(1, 1, 'a'), "approve").await.status, 200);
        world.know(1, 1, "disown_hashes", 'd');
        world.ask(1, 2, 'b').await;
        let deeds = vec![press(world.link(1, 2, 'b'), "approve"), press(world.link(1, 1, 'd'), "disown")];
        every_order("approve second × disown first", &world, faults, deeds, |outcomes, audit| {
            let kinds = ["ExpenseApproved", "ExpenseReopened"].map(|kind| audit.count(kind));
            let told = |at: usize| outcomes[at].as_ref().map(|said: &Said| said.status);
            match (told(0), told(1), kinds) {
                // It may be taken back after the second level, too.
                (Some(200) | None, Some(200) | None, [1, 1])
                | (Some(200) | None, None, [1, 0])
                | (Some(409) | None, Some(200) | None, [0, 1])
                | (None, None, [0, 0]) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
}

/// Taking back and paying out: one of them happens.
#[tokio::test(start_paused = true)]
async fn a_decision_taken_back_and_paid_out() {
    for faults in MODES {
        let world = World::new(false).await;
        assert_eq!(world.open.press(&world.link(1, 1, 'a'), "approve").await.status, 200);
        world.know(1, 1, "disown_hashes", 'd');
        let pay = request(FINANCE, "POST", "/expenses/{expense_id}/reimburse", &world.expense, Value::Null);
        let disown = press(world.link(1, 1, 'd'), "disown");
        every_order("disown × reimburse", &world, faults, vec![disown, pay], |outcomes, audit| {
            one_wins(outcomes, &["ExpenseReopened", "ExpenseReimbursed"], audit)
        })
        .await;
    }
}

/// A change of the expense that has nothing to do with the decision does not keep it from counting.
#[tokio::test(start_paused = true)]
async fn a_decision_and_a_harmless_change() {
    for faults in MODES {
        let world = World::new(false).await;
        world.draft().await;
        let dismiss = request(EMPLOYEE, "POST", "/expenses/{expense_id}/not-duplicate", &world.expense, Value::Null);
        let deeds = vec![press(world.link(1, 1, 'a'), "approve"), dismiss];
        every_order("approve × no duplicate", &world, faults, deeds, |outcomes, audit| {
            let kinds = ["ExpenseApproved", "ExpenseDuplicatesDismissed"].map(|kind| audit.count(kind));
            match (&outcomes[0], kinds) {
                (Some(Said { status: 200, .. }), [1, 0 | 1]) | (None, [0 | 1, 0 | 1]) => Ok(()),
                (said, kinds) => Err(format!("{kinds:?}: {said:?}")),
            }
        })
        .await;
    }
}

/// Editing what is submitted is refused, at whatever moment: it takes a withdrawal.
#[tokio::test(start_paused = true)]
async fn a_decision_and_an_edit() {
    let world = World::new(false).await;
    let body = json!({ "details": { "amount": { "minor_units": 999_900, "currency": "EUR" } } });
    let edit = request(EMPLOYEE, "PATCH", "/expenses/{expense_id}", &world.expense, body);
    let deeds = vec![press(world.link(1, 1, 'a'), "approve"), edit];
    every_order("approve × edit", &world, MODES[0], deeds, |outcomes, audit| {
        match (with_status(outcomes, &[200]), with_status(outcomes, &[409]), audit.count("ExpenseEdited")) {
            (1, 1, 0) if audit.count("ExpenseApproved") == 1 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// An execution that was begun anew takes the step over while it is decided: whoever waits is told.
#[tokio::test(start_paused = true)]
async fn a_decision_and_an_execution_begun_anew() {
    for faults in MODES {
        let world = World::new(false).await;
        world.gate.with(|services| {
            services.tasks.insert("token-1-1".to_owned(), Wait::TimedOut);
            services.tasks.insert("token-anew".to_owned(), Wait::Waits);
        });
        let ask = task("ask", world.submission(1), json!({ "choice": world.choice(1, 1), "task_token": "token-anew" }));
        let deeds = vec![press(world.link(1, 1, 'a'), "approve"), ask];
        let gate = world.gate.clone();
        every_order("approve × ask anew", &world, faults, deeds, move |outcomes, audit| {
            let told = gate.with(|services| services.tasks["token-anew"].clone());
            let approved = audit.count("ExpenseApproved") == 1;
            // Whoever died asks again when the machine tries again; the answer is the step's.
            let ok = match (&outcomes[1], approved) {
                (Some(_), true) => told == Wait::Answered("approved".to_owned()),
                (Some(_), false) => told == Wait::Waits,
                (None, _) => true,
            };
            if ok { Ok(()) } else { Err(format!("approved: {approved}; the execution: {told:?}")) }
        })
        .await;
    }
}

/// Three at once: a decision, a withdrawal and the end of the time.
#[tokio::test(start_paused = true)]
async fn a_decision_a_withdrawal_and_the_end_of_the_time() {
    let world = World::new(false).await;
    let due = world.step(1, 1).unwrap()["due_at"]["S"].as_str().unwrap().to_owned();
    let past = Timestamp::from_second(Timestamp::now().as_second() - 60).unwrap();
    world.gate.lens(2, &due, &past.to_string());
    world.gate.with(|services| services.tasks.insert("token-1-1".to_owned(), Wait::TimedOut));
    let time_up = task("time_up", world.submission(1), json!({ "choice": world.choice(1, 1) }));
    let withdraw = request(EMPLOYEE, "POST", "/expenses/{expense_id}/withdraw", &world.expense, Value::Null);
    let deeds = vec![press(world.link(1, 1, 'a'), "reject"), withdraw, time_up];
    let explored = every_order("reject × withdraw × expire", &world, MODES[0], deeds, |outcomes, audit| {
        let kinds = ["ExpenseRejected", "ExpenseWithdrawn", "ExpenseSubmissionExpired"].map(|kind| audit.count(kind));
        if kinds.iter().sum::<usize>() != 1 {
            return Err(format!("{kinds:?}"));
        }
        for (said, happened) in outcomes.iter().zip(kinds).take(2) {
            match said {
                Some(Said { status: 200, .. }) if happened == 1 => {}
                Some(Said { status: 409 | 410, .. }) if happened == 0 => {}
                other => return Err(format!("{kinds:?}: {other:?}")),
            }
        }
        Ok(())
    })
    .await;
    assert!(explored.orders > 1_000_000, "{explored:?}");
}
