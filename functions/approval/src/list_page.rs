//! The page behind the link of a mail about several expenses, those of a report or those that came together: each as it
//! is now, with a link to its own page, and a form for all that still wait. GET and HEAD change nothing.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use askama::Template;
use slipstream_common::{
    http::{Request, Response},
    keys,
    records::{PersonRecord, StepRecord},
    table::StoreError,
    warnings::warnings,
};
use slipstream_domain::{expense::Decision, report};
use slipstream_events::{ExpenseState, PaidBy, PersonId};

use crate::{
    Approval,
    link::{List, ListLink},
    page::{Decided, REASSIGNED, decision_from, form_of, html, message, moment, over, unavailable, unknown},
};

/// How long a request decides one expense after the other. What is left then still waits, and the page says so: the
/// gateway waits 29 seconds for an answer.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    heading: &'a str,
    title: &'a str,
    /// Whose they all are; empty where they are several people's.
    owner: String,
    /// Whether it confirms decisions instead of asking for them.
    confirms: bool,
    totals: Vec<Total>,
    due: Option<String>,
    rows: Vec<Row>,
    /// How many still wait.
    waiting: usize,
    waiting_totals: String,
    fault: Option<&'a str>,
}

struct Total {
    amount: String,
    /// What the company owes of it, where that is not all.
    owed: Option<String>,
}

struct Row {
    href: String,
    merchant: String,
    amount: String,
    about: String,
    /// Whose it is, where the page as a whole does not say so.
    owner: Option<String>,
    note: Option<String>,
    warnings: Vec<String>,
    /// What became of it, unless it still waits.
    state: Option<String>,
}

/// An expense that the mail is about, as it is now.
struct Covered {
    step: StepRecord,
    expense: ExpenseState,
}

impl Covered {
    fn waits(&self) -> bool {
        over(&self.step, &self.expense).is_none()
    }

    fn row(&self, link: &ListLink, owner: Option<String>, warnings: Vec<String>, state: Option<String>) -> Row {
        let details = &self.expense.details;
        let converted = self.expense.converted.as_ref().map(|conversion| conversion.amount.to_string());
        let words = converted.into_iter().chain(details.date.map(|date| date.to_string()));
        let words = words.chain(details.category.map(|category| category.to_string().replace('_', " ")));
        let words = words.chain((details.paid_by == PaidBy::CompanyCard).then(|| "company card".to_owned()));
        let words = words.chain(details.cost_centre.clone()).chain(details.project.clone());
        let ended = || over(&self.step, &self.expense).map(|(title, _)| title.to_owned());
        Row {
            href: link.to_step(self.step.submission, self.step.step),
            merchant: details.merchant.clone().unwrap_or_else(|| "–".to_owned()),
            amount: details.amount.map(|amount| amount.to_string()).unwrap_or_default(),
            about: words.collect::<Vec<_>>().join(" · "),
            owner,
            note: details.note.clone(),
            warnings,
            state: state.or_else(ended),
        }
    }
}

/// What a link covers: the steps that hold its hash.
struct Shown {
    /// The report's title.
    title: Option<String>,
    /// Whether its mail confirmed decisions.
    confirms: bool,
    covered: Vec<Covered>,
}

/// What a link leads to.
enum Behind {
    /// Steps whose approver was mailed.
    Shown(Shown),
    /// Steps that all ask somebody else by now.
    Reassigned,
    /// Nothing: it was not mailed, or whoever was mailed has left.
    Unknown,
}

impl Behind {
    /// Something to show, or else the answer.
    fn shown(self) -> Result<Shown, Response> {
        match self {
            Self::Shown(shown) => Ok(shown),
            Self::Reassigned => Err(message(200, REASSIGNED.0, REASSIGNED.1, None)),
            Self::Unknown => Err(unknown()),
        }
    }
}

fn totals<'a>(expenses: impl IntoIterator<Item = &'a ExpenseState>) -> Vec<Total> {
    let total = |total: report::Total| Total {
        amount: total.amount.to_string(),
        owed: (total.owed != total.amount).then(|| total.owed.to_string()),
    };
    report::totals(expenses).into_iter().map(total).collect()
}

impl Approval {
    /// Answers a request for the page behind the link of a mail about several expenses.
    pub(crate) async fn list_page(&self, link: &ListLink, request: &Request) -> Response {
        match request.http_method.as_str() {
            "GET" | "HEAD" => self.show_list(link, 200, None, &[]).await,
            "POST" => self.decide_all(link, request).await,
            _ => message(405, "Not possible", "Open the link from the mail again.", None),
        }
    }

    /// What the link leads to as things stand.
    async fn behind_list(&self, link: &ListLink) -> Result<Behind, StoreError> {
        let (title, confirms, all) = match link.list {
            List::Report(report, number) => {
                let Some(record) = self.store.report_submission(report, number).await? else {
                    return Ok(Behind::Unknown);
                };
                let together = self.store.together(&record.submissions).await?.into_iter();
                let all = together.filter_map(|one| Some(Covered { step: one.step?, expense: one.expense }));
                (Some(record.title), false, all.collect())
            }
            List::Batch(batch) => {
                let Some(record) = self.store.batch(batch).await? else { return Ok(Behind::Unknown) };
                let steps = self.store.steps_named(&record.steps).await?;
                let ids: Vec<_> = steps.iter().map(|step| step.submission.expense).collect();
                let expenses: HashMap<_, _> =
                    self.store.expenses(&ids).await?.into_iter().map(|expense| (expense.id, expense)).collect();
                // One expense may be there with several submissions.
                let all = steps.into_iter().filter_map(|step| {
                    Some(Covered { expense: expenses.get(&step.submission.expense)?.clone(), step })
                });
                (None, record.nudge.kind.confirms(), all.collect::<Vec<_>>())
            }
        };
        let covers = |one: &Covered| match confirms {
            true => link.is_one_of(&one.step.disown_hashes),
            false => link.is_one_of(&one.step.link_hashes),
        };
        let reassigned = all.iter().any(|one| link.is_one_of(&one.step.former_link_hashes));
        let covered: Vec<_> = all.into_iter().filter(covers).collect();
        // They are of one approver: the mail was theirs.
        let Some(first) = covered.first() else {
            return Ok(if reassigned { Behind::Reassigned } else { Behind::Unknown });
        };
        Ok(match self.active(first.step.approver).await? {
            Some(_) => Behind::Shown(Shown { title, confirms, covered }),
            None => Behind::Unknown,
        })
    }

    /// Whether a link is that of a mail which confirmed decisions.
    pub(crate) async fn list_confirms(&self, link: &ListLink) -> Result<bool, StoreError> {
        Ok(matches!(self.behind_list(link).await?, Behind::Shown(Shown { confirms: true, .. })))
    }

    /// The names of those whose expenses they are.
    async fn owners(&self, covered: &[Covered]) -> Result<HashMap<PersonId, String>, StoreError> {
        let owners: BTreeSet<_> = covered.iter().map(|one| one.expense.owner).collect();
        let keys: Vec<_> = owners.into_iter().map(keys::person).collect();
        let people: Vec<PersonRecord> = self.store.table.batch_get(&keys).await?;
        Ok(people.into_iter().map(|person| (person.state.id, person.display_name())).collect())
    }

    /// The page as things stand. `notes` says of some expenses what became of them just now.
    async fn show_list(
        &self,
        link: &ListLink,
        status: u16,
        fault: Option<&str>,
        notes: &[(slipstream_events::SubmissionId, String)],
    ) -> Response {
        let shown = match self.behind_list(link).await.map(Behind::shown) {
            Ok(Ok(shown)) => shown,
            Ok(Err(answer)) => return answer,
            Err(error) => return unavailable(&error),
        };
        let Shown { title, confirms, covered } = shown;
        let owners = match self.owners(&covered).await {
            Ok(owners) => owners,
            Err(error) => return unavailable(&error),
        };
        let waiting: Vec<_> = covered.iter().filter(|one| one.waits()).collect();
        let note =
            |one: &Covered| notes.iter().find(|(of, _)| *of == one.step.submission).map(|(_, note)| note.clone());
        let mut rows = Vec::new();
        for one in &covered {
            let warnings = match warnings(&self.store, &one.expense).await {
                Ok(warnings) => warnings,
                Err(error) => return unavailable(&error),
            };
            let owner = owners.get(&one.expense.owner).filter(|_| owners.len() > 1).cloned();
            rows.push(one.row(link, owner, warnings, note(one)));
        }
        let sums = report::totals(waiting.iter().map(|one| &one.expense));
        let title = title.unwrap_or_else(|| format!("{} expenses", covered.len()));
        let page = ListPage {
            heading: match (confirms, waiting.is_empty()) {
                (true, _) => "Were these your decisions?",
                (false, true) => "Decided",
                (false, false) => "Your approval is asked for",
            },
            title: &title,
            owner: if owners.len() == 1 { owners.into_values().collect() } else { String::new() },
            confirms,
            totals: totals(covered.iter().map(|one| &one.expense)),
            due: waiting.iter().map(|one| one.step.due_at).min().map(moment),
            waiting: waiting.len(),
            waiting_totals: sums.iter().map(|total| total.amount.to_string()).collect::<Vec<_>>().join(" + "),
            rows,
            fault,
        };
        html(status, &page)
    }

    /// Decides every expense that still waits, each in a transaction of its own, and says which were and which not.
    async fn decide_all(&self, link: &ListLink, request: &Request) -> Response {
        let decision = match decision_of(&form_of(request)) {
            Ok(decision) => decision,
            Err(fault) => return self.show_list(link, 422, Some(fault), &[]).await,
        };
        let covered = match self.behind_list(link).await.map(Behind::shown) {
            Ok(Ok(shown)) => shown.covered,
            Ok(Err(answer)) => return answer,
            Err(error) => return unavailable(&error),
        };
        let now = match decision {
            Decision::Approve { .. } => "Approved now",
            Decision::Reject { .. } => "Rejected now",
            Decision::RequestChanges { .. } => "Sent back now",
        };
        let started = Instant::now();
        let (mut decided, mut notes) = (0_usize, Vec::new());
        for one in covered.iter().filter(|one| one.waits()) {
            let submission = one.step.submission;
            if started.elapsed() > LONGEST {
                notes.push((submission, "Not decided yet: there was no time left".to_owned()));
                continue;
            }
            let step = link.of_step(submission, one.step.step);
            match self.decide_by_link(&step, &decision, request).await {
                Ok(Decided::Now { passed }) => {
                    decided += 1;
                    let now = if passed { "Approved by you; the next approver is asked now" } else { now };
                    notes.push((submission, now.to_owned()));
                }
                Ok(Decided::Over { title, .. }) => notes.push((submission, format!("Not decided: {title}"))),
                Ok(Decided::Own) => notes.push((submission, "Not decided: it is your own".to_owned())),
                Ok(Decided::Unknown | Decided::Refused | Decided::Failed) => {
                    notes.push((submission, "Not decided: something went wrong".to_owned()));
                }
                Err(error) => {
                    tracing::warn!(%error, "an expense of a list cannot be decided now");
                    notes.push((submission, "Not decided: something did not answer in time".to_owned()));
                }
            }
        }
        tracing::info!(decided, of = notes.len(), "decided together");
        match (decided, notes.len() - decided) {
            (0, 0) => self.show_list(link, 409, Some("There was nothing left to decide."), &notes).await,
            (_, 0) => self.show_list(link, 200, None, &notes).await,
            (decided, missed) => {
                let fault = format!("{decided} decided, {missed} not. The list says why.");
                self.show_list(link, if decided == 0 { 409 } else { 200 }, Some(&fault), &notes).await
            }
        }
    }
}

/// What the form says of all that wait.
fn decision_of(form: &HashMap<String, String>) -> Result<Decision, &'static str> {
    let name = form.get("decision").and_then(|name| name.strip_suffix("_all"));
    let name = name.ok_or("Please open an expense to decide on it alone.")?;
    if form.get("confirm").map(String::as_str) != Some("yes") {
        return Err("Please tick that you mean all of them.");
    }
    decision_from(name, form.get("comment").map(String::as_str)).map_err(|(_, fault)| fault)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn all_are_decided_by_what_is_said_and_meant_of_all() {
        let decision_of = |fields: &[(&str, &str)]| {
            decision_of(&fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let meant = ("confirm", "yes");
        let approve = Ok(Decision::Approve { comment: None });
        assert_eq!(decision_of(&[("decision", "approve_all"), meant, ("comment", " ")]), approve);
        let reject = Ok(Decision::Reject { reason: "No trip".to_owned() });
        assert_eq!(decision_of(&[("decision", "reject_all"), meant, ("comment", "No trip")]), reject);
        let back = Ok(Decision::RequestChanges { comment: "Cost centre?".to_owned() });
        assert_eq!(decision_of(&[("decision", "request_changes_all"), meant, ("comment", "Cost centre?")]), back);
        for fields in [
            &[("decision", "approve_all")][..],
            &[("decision", "approve"), meant],
            &[("decision", "reject_all"), meant],
            &[("decision", "reject_all"), meant, ("comment", "\u{0}\u{200b}")],
            &[("decision", "delete_all"), meant],
            &[meant],
        ] {
            assert!(decision_of(fields).is_err(), "{fields:?}");
        }
    }

    #[test]
    fn what_an_owner_writes_in_a_report_is_escaped() {
        let hostile = "\"><script>alert(1)</script>";
        let row = Row {
            href: "exp_x.1.1.s?list=rpt_x.1".to_owned(),
            merchant: hostile.to_owned(),
            amount: "1.00 EUR".to_owned(),
            about: hostile.to_owned(),
            owner: Some(hostile.to_owned()),
            note: Some(hostile.to_owned()),
            warnings: vec![hostile.to_owned()],
            state: Some(hostile.to_owned()),
        };
        let page = ListPage {
            heading: "Your approval is asked for",
            title: hostile,
            owner: hostile.to_owned(),
            confirms: false,
            totals: vec![Total { amount: "1.00 EUR".to_owned(), owed: None }],
            due: None,
            rows: vec![row],
            waiting: 1,
            waiting_totals: "1.00 EUR".to_owned(),
            fault: Some(hostile),
        };
        let body = html(200, &page).body;
        assert!(!body.contains("<script"), "{body}");
        assert!(body.contains("name=\"confirm\""), "{body}");
    }

    #[test]
    fn totals_name_what_is_owed_only_where_a_card_paid_a_part() {
        use slipstream_events::{ExpenseDetails, ExpenseId, ExpenseStatus, Money};
        let expense = |minor_units, paid_by| ExpenseState {
            id: ExpenseId::derived_from(&["x"]),
            version: 1,
            owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            status: ExpenseStatus::Submitted,
            details: ExpenseDetails {
                amount: Some(Money::new(minor_units, "EUR".parse().unwrap())),
                paid_by,
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
        };
        let sums = totals(&[expense(100, PaidBy::OutOfPocket), expense(50, PaidBy::CompanyCard)]);
        assert_eq!((sums[0].amount.as_str(), sums[0].owed.as_deref()), ("1.50 EUR", Some("1.00 EUR")));
        assert_eq!(totals(&[expense(100, PaidBy::OutOfPocket)])[0].owed, None);
    }
}
