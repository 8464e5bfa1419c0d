//! Decisions that meet each other and withdrawals, many times over, by real requests. `SLIPSTREAM_RACE_ROUNDS` says how
//! often; every order of the writes themselves is gone through in `tests/table_stub/tests/approvals`.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::{join_all, try_join_all};
use reqwest::Url;
use serde_json::json;
use slipstream_local::{Deployment, Mail, Session, client::Answer, wait};

use crate::harness::{DEADLINE, draft, history, newcomer, request, sweep};

/// How many rounds there are unless the environment says otherwise.
const ROUNDS: usize = 40;
/// How many are under way at once.
const TOGETHER: usize = 20;

/// What can happen to a submitted expense; of each round all of one kind are sent at once.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// By the mailed link.
    Press(&'static str),
    /// By the approver who is signed in.
    SignedIn(&'static str),
    Withdraw,
}

/// The kinds of rounds.
const KINDS: [(&str, &[Act]); 4] = [
    ("approve and reject", &[Act::Press("approve"), Act::Press("reject"), Act::Press("approve"), Act::Press("reject")]),
    ("approve and withdraw", &[Act::Press("approve"), Act::Withdraw]),
    ("link and queue", &[Act::Press("reject"), Act::SignedIn("approve"), Act::SignedIn("request_changes")]),
    ("all of it", &[Act::Press("approve"), Act::SignedIn("reject"), Act::Withdraw, Act::Press("request_changes")]),
];

/// The event, the status afterwards and the words of the mail that tell of each outcome.
const OUTCOMES: [(&str, &str, Option<&str>); 4] = [
    ("ExpenseApproved", "approved", Some("approved")),
    ("ExpenseRejected", "rejected", Some("rejected")),
    ("ExpenseChangesRequested", "changes_requested", Some("sent back")),
    ("ExpenseWithdrawn", "draft", None),
];

impl Act {
    /// The event that it leads to.
    const fn event(self) -> &'static str {
        match self {
            Self::Press(decision) | Self::SignedIn(decision) => match decision.as_bytes() {
                b"approve" => "ExpenseApproved",
                b"reject" => "ExpenseRejected",
                _ => "ExpenseChangesRequested",
            },
            Self::Withdraw => "ExpenseWithdrawn",
        }
    }

    async fn done(self, employee: &Session, manager: &Session, id: &str, link: &Url) -> Result<Answer> {
        match self {
            Self::Press(decision) => employee.client.post_decision(link.clone(), decision, "race").await,
            Self::SignedIn(decision) => {
                let body = json!({ "decision": decision, "comment": "race" });
                manager.post(&format!("/submissions/{id}.1/decision"), &body).await
            }
            Self::Withdraw => employee.post(&format!("/expenses/{id}/withdraw"), &json!({})).await,
        }
    }
}

/// Drafts and submits an expense; its id.
async fn submitted(session: &Session, round: usize) -> Result<String> {
    let minor_units = 1000 + i64::try_from(round)?;
    let id = draft(session, &format!("Race {round}"), minor_units).await?;
    session.submit(&id).await?;
    Ok(id)
}

/// One round: all of its acts at once; the event that came of it.
async fn round(employee: &Session, manager: &Session, id: &str, link: &Url, acts: &[Act]) -> Result<&'static str> {
    let answers = join_all(acts.iter().map(|act| act.done(employee, manager, id, link))).await;
    let mut won = Vec::new();
    for (act, answer) in acts.iter().zip(answers) {
        let answer = answer?;
        match answer.status {
            200 => won.push(act.event()),
            409 => {}
            other => bail!("{act:?} of {id}: {other}: {}", answer.body),
        }
    }
    let events = history(employee, id).await?;
    let happened: Vec<&str> =
        OUTCOMES.iter().map(|(event, ..)| *event).filter(|event| events.iter().any(|it| it == event)).collect();
    let ends = events.iter().filter(|event| OUTCOMES.iter().any(|(end, ..)| end == event)).count();
    // The same decision by somebody who is signed in, come twice, is answered as the first.
    let [outcome] = happened[..] else { bail!("{id} ended {happened:?}: {events:?}") };
    ensure!(ends == 1 && !won.is_empty() && won.iter().all(|event| *event == outcome), "{id}: {won:?}, {events:?}");
    let status = OUTCOMES.iter().find(|(event, ..)| *event == outcome).map(|(_, status, _)| *status);
    ensure!(Some(employee.expense(id).await?["status"].as_str().unwrap_or_default()) == status, "{id} after {outcome}");
    Ok(outcome)
}

pub async fn whatever_meets_ends_once(world: &Deployment) -> Result<()> {
    let rounds = match std::env::var("SLIPSTREAM_RACE_ROUNDS") {
        Ok(rounds) => rounds.parse().context("SLIPSTREAM_RACE_ROUNDS is a number")?,
        Err(_) => ROUNDS,
    };
    let (employee, manager) = (newcomer(world).await?, world.session("manager").await?);
    let begun = Instant::now();
    let mut outcomes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut ended: BTreeMap<String, &str> = BTreeMap::new();
    for first in (0..rounds).step_by(TOGETHER) {
        let numbers = first..rounds.min(first + TOGETHER);
        let ids = try_join_all(numbers.clone().map(|number| submitted(&employee, number))).await?;
        let mut links = Vec::new();
        for id in &ids {
            links.push(request(world, id).await?.1);
        }
        let racing = numbers.zip(ids.iter().zip(&links)).map(async |(number, (id, link))| {
            let (kind, acts) = KINDS[number % KINDS.len()];
            let outcome = round(&employee, &manager, id, &link.parse()?, acts).await?;
            anyhow::Ok((kind, id.clone(), outcome))
        });
        for (kind, id, outcome) in try_join_all(racing).await? {
            *outcomes.entry((kind, outcome)).or_default() += 1;
            ended.insert(id, outcome);
        }
    }
    let took = begun.elapsed();
    // The mails say what the events say, and nothing else.
    sweep(world).await?;
    wait::until("the mails that tell of the outcomes", DEADLINE, async || {
        let mails = world.mailbox().list().await?;
        for (id, outcome) in &ended {
            let told = |words: &str| {
                let tells = |mail: &&Mail| mail.mentions(id) && mail.subject.starts_with(&format!("Expense {words}"));
                mails.iter().filter(tells).count()
            };
            for (event, _, words) in OUTCOMES {
                match words.map_or(0, told) {
                    0 if event == *outcome && words.is_some() => return Ok(None),
                    1 if event == *outcome => {}
                    0 => {}
                    count => bail!("{id} ended {outcome} and {count} mails tell of {event}"),
                }
            }
        }
        Ok(Some(()))
    })
    .await?;
    println!("{rounds} rounds in {took:.1?}: {outcomes:#?}");
    Ok(())
}
