//! The page behind a link. GET and HEAD show the expense as it is now and change nothing, however often and by
//! whomever they are asked; a decision is a POST from a button. It works without JavaScript and loads nothing from
//! elsewhere.

use std::collections::HashMap;

use askama::Template;
use aws_sdk_s3::error::DisplayErrorContext;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use slipstream_common::{
    execution::StepEnd,
    http::{Request, Response},
    records::{PersonRecord, StepOutcome, StepRecord},
    store::ChangeError,
    table::StoreError,
    warnings::warnings,
};
use slipstream_domain::{
    details::MAX_NOTE,
    expense::{Decision, Rejection},
    text::is_unseen,
};
use slipstream_events::{Event, EventBody, ExpenseState, ExpenseStatus, PersonId, ReassignmentReason};
use tracing::Instrument as _;

use crate::{
    Approval,
    decision::{Ballot, Credential},
    disown,
    link::{Link, ListLink},
};

/// How many of the latest changes of an expense are looked at for what happened before.
const LATEST: u32 = 50;

/// The longest name of a list, as the contract has it.
const MAX_LIST_NAME: usize = 64;
/// How much of pictures a page has, in bytes of base64: the answer of a function has at most 6 MB
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MOST_PICTURES: usize = 4_500_000;

/// Only what is written here may be loaded or done
/// (<https://www.w3.org/TR/CSP3/>): the style in the page, pictures in the page, forms to where it came from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[derive(Template)]
#[template(path = "decide.html")]
struct DecidePage<'a> {
    merchant: &'a str,
    amount: String,
    converted: Option<String>,
    split: Option<String>,
    date: String,
    category: String,
    owner: String,
    note: Option<&'a str>,
    cost_centre: Option<&'a str>,
    project: Option<&'a str>,
    paid_by_company: bool,
    due: String,
    pictures: Vec<String>,
    /// How many pages the receipt has; more than there are pictures where not all are shown.
    pages: usize,
    warnings: Vec<String>,
    earlier: Vec<String>,
    attempt: Attempt<'a>,
    back: Option<String>,
}

/// What was sent and could not be taken: the page comes again with it, so that nothing has to be written twice.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt<'a> {
    fault: Option<&'a str>,
    /// By the name of its button.
    decision: &'a str,
    comment: &'a str,
}

impl<'a> Attempt<'a> {
    fn of(form: &'a HashMap<String, String>, fault: &'a str) -> Self {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        Self { fault: Some(fault), decision: field("decision"), comment: field("comment") }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    title: &'a str,
    text: &'a str,
    back: Option<String>,
}

pub(crate) fn html(status: u16, page: &impl Template) -> Response {
    let body = page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        "Something went wrong.".to_owned()
    });
    Response::new(status, "text/html; charset=utf-8", body)
        .header("content-security-policy", CONTENT_SECURITY_POLICY)
        .header("referrer-policy", "no-referrer")
        .header("x-frame-options", "DENY")
        .header("x-robots-tag", "noindex")
}

pub(crate) fn message(status: u16, title: &str, text: &str, back: Option<String>) -> Response {
    html(status, &MessagePage { title, text, back })
}

/// Where a link alone decides nothing: what to do instead. The same whatever the link, so that it says nothing of it.
fn sign_in(web_origin: &str) -> Response {
    let text = format!("Sign in to see and decide it: at {web_origin}, or with slip approve.");
    message(403, "Please sign in", &text, None)
}

/// A forged, mistyped or foreign link; the page does not say which.
pub(crate) fn unknown() -> Response {
    message(
        404,
        "This link is not valid",
        "Open it from the mail again. If that does not help, ask whoever sent you the expense.",
        None,
    )
}

pub(crate) fn unavailable(error: &StoreError) -> Response {
    tracing::warn!(%error, "the page cannot be shown");
    let text = "Something did not answer in time. Open the link again to see how it stands.";
    message(503, "Please try again", text, None)
}

/// What to say of a step that waits for nobody any more.
fn ended(end: StepEnd) -> (&'static str, &'static str) {
    match end {
        StepEnd::Approved => ("Already approved", "This expense was approved. There is nothing left to do."),
        StepEnd::Passed => ("Already approved", "You approved this expense; the next approver is asked now."),
        StepEnd::Rejected => ("Already rejected", "This expense was rejected. There is nothing left to do."),
        StepEnd::ChangesRequested => {
            ("Changes were requested", "This expense went back to its owner. You will be asked again.")
        }
        StepEnd::Closed => {
            ("No longer waiting", "This expense was taken back by its owner, or nobody decided in time.")
        }
    }
}

/// A decision by its name and what is said with it: why, where it is not a yes.
///
/// # Errors
/// The field at fault and what to do.
pub(crate) fn decision_from(name: &str, comment: Option<&str>) -> Result<Decision, (&'static str, &'static str)> {
    if comment.is_some_and(|comment| comment.chars().count() > MAX_NOTE) {
        return Err(("comment", "The comment is too long."));
    }
    // What nobody can see is no reason.
    let seen = |comment: &str| comment.chars().filter(|c| *c == '\n' || !is_unseen(*c)).collect::<String>();
    let comment = comment.map(|comment| seen(comment).trim().to_owned()).filter(|comment| !comment.is_empty());
    match name {
        "approve" => Ok(Decision::Approve { comment }),
        "reject" => comment
            .map(|reason| Decision::Reject { reason })
            .ok_or(("comment", "Please say why the expense is rejected.")),
        "request_changes" => comment
            .map(|comment| Decision::RequestChanges { comment })
            .ok_or(("comment", "Please say what should be changed.")),
        _ => Err(("decision", "Please choose one of the buttons.")),
    }
}

/// What the form says.
fn decision_of(form: &HashMap<String, String>) -> Result<Decision, &'static str> {
    let name = form.get("decision").map(String::as_str).unwrap_or_default();
    decision_from(name, form.get("comment").map(String::as_str)).map_err(|(_, fault)| fault)
}

/// What a link leads to.
#[derive(Debug)]
pub(crate) enum Behind {
    /// A step that asks whoever was mailed.
    Asked {
        /// The step.
        step: Box<StepRecord>,
        /// Its expense.
        expense: Box<ExpenseState>,
        /// Whoever was mailed.
        approver: Box<PersonRecord>,
    },
    /// A decision that whoever was mailed may say was not theirs.
    Decided {
        /// The step.
        step: Box<StepRecord>,
        /// Its expense.
        expense: Box<ExpenseState>,
    },
    /// A step that asks somebody else by now.
    Reassigned,
    /// Nothing: it was not mailed, or whoever was mailed has left.
    Unknown,
}

/// What to say of a step that asks somebody else by now.
pub(crate) const REASSIGNED: (&str, &str) =
    ("Somebody else is asked", "This expense is for somebody else to decide by now. There is nothing left to do.");

/// Where a decision on a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decided {
    /// It counts.
    Now {
        /// Whether the next level is asked after this yes.
        passed: bool,
    },
    /// The step waits for nobody any more, with what to say of it.
    Over {
        /// In a few words.
        title: &'static str,
        /// In a sentence.
        text: &'static str,
        /// Whether it is the time that is up.
        expired: bool,
    },
    /// The link leads to nothing.
    Unknown,
    /// Nobody decides on their own expense.
    Own,
    /// The expense allows no decision.
    Refused,
    /// The fault is ours.
    Failed,
}

/// The fields of a form.
pub(crate) fn form_of(request: &Request) -> HashMap<String, String> {
    let body = match request.is_base64_encoded {
        true => BASE64_STANDARD.decode(&request.body).unwrap_or_default(),
        false => request.body.clone().into_bytes(),
    };
    match std::str::from_utf8(&body) {
        Ok(body) => form_urlencoded::parse(body.as_bytes()).into_owned().collect(),
        Err(_) => HashMap::new(),
    }
}

/// Why a decision does not count any more, if so.
pub(crate) fn over(step: &StepRecord, expense: &ExpenseState) -> Option<(&'static str, &'static str)> {
    if step.disowned_at.is_some() {
        return Some((
            "Open again",
            "This decision was taken back, and the expense is asked for anew by another mail.",
        ));
    }
    if let Some(end) = StepEnd::of(step) {
        return Some(ended(end));
    }
    if expense.status != ExpenseStatus::Submitted || expense.submission != step.submission.number {
        return Some(ended(StepEnd::Closed));
    }
    (step.due_at <= Timestamp::now())
        .then_some(("This link has expired", "The time to decide is over. The expense goes back to its owner."))
}

impl Approval {
    /// Answers a request for the page behind a link.
    pub(crate) async fn page(&self, request: Request) -> Response {
        let link = request.path_parameters.get("link").map(String::as_str).unwrap_or_default();
        if self.links_require_sign_in {
            match self.takes_back(link).await {
                Ok(true) => {}
                Ok(false) => return sign_in(&self.web_origin),
                Err(error) => return unavailable(&error),
            }
        }
        if let Ok(link) = link.parse::<ListLink>() {
            let span = tracing::info_span!(
                "list link",
                http.method = request.http_method,
                list.id = %link.list,
                correlation.id = %request.correlation_id(),
            );
            return self.list_page(&link, &request).instrument(span).await;
        }
        let Ok(link) = link.parse::<Link>() else { return unknown() };
        // No list has so long a name.
        if request.query_string_parameters.get("list").is_some_and(|list| list.len() > MAX_LIST_NAME) {
            return unknown();
        }
        let span = tracing::info_span!(
            "link",
            http.method = request.http_method,
            expense.id = %link.submission.expense,
            submission.id = %link.submission,
            correlation.id = %request.correlation_id(),
        );
        async {
            match request.http_method.as_str() {
                "GET" | "HEAD" => self.show(&link, &request, 200, Attempt::default()).await,
                "POST" => self.post(&link, &request).await,
                _ => message(405, "Not possible", "Open the link from the mail again.", None),
            }
        }
        .instrument(span)
        .await
    }

    /// Whether a link is for taking back what was decided: it releases no money, so it works where others need a sign-in.
    async fn takes_back(&self, link: &str) -> Result<bool, StoreError> {
        if let Ok(list) = link.parse() {
            return self.list_confirms(&list).await;
        }
        match link.parse() {
            Ok(link) => Ok(matches!(self.behind(&link).await?, Behind::Decided { .. })),
            Err(()) => Ok(false),
        }
    }

    /// Whoever is asked, if they may still see and decide: who has left does neither.
    pub(crate) async fn active(&self, approver: PersonId) -> Result<Option<PersonRecord>, StoreError> {
        Ok(self.store.person(approver).await?.filter(|approver| approver.state.active))
    }

    /// What the link leads to as things stand.
    pub(crate) async fn behind(&self, link: &Link) -> Result<Behind, StoreError> {
        let Some(step) = self.store.step(link.submission, link.step).await? else { return Ok(Behind::Unknown) };
        // All of them are compared, so that the time says nothing of which it is.
        let asked = link.is_one_of(&step.link_hashes);
        let decided = link.is_one_of(&step.disown_hashes);
        let reassigned = link.is_one_of(&step.former_link_hashes);
        if !(asked | decided | reassigned) {
            return Ok(Behind::Unknown);
        }
        if reassigned {
            return Ok(Behind::Reassigned);
        }
        let Some(approver) = self.active(step.approver).await? else { return Ok(Behind::Unknown) };
        let Some(expense) = self.store.expense(link.submission.expense).await? else { return Ok(Behind::Unknown) };
        let (step, expense) = (Box::new(step), Box::new(expense));
        Ok(match decided {
            true => Behind::Decided { step, expense },
            false => Behind::Asked { step, expense, approver: Box::new(approver) },
        })
    }

    /// The page as things stand; with the form only while a decision counts.
    async fn show(&self, link: &Link, request: &Request, status: u16, attempt: Attempt<'_>) -> Response {
        let back = back_of(link, request);
        let (step, expense) = match self.behind(link).await {
            Ok(Behind::Asked { step, expense, .. }) => (step, expense),
            Ok(Behind::Decided { step, expense }) => return self.disown_page(&step, &expense, attempt.fault).await,
            Ok(Behind::Reassigned) => return message(200, REASSIGNED.0, REASSIGNED.1, back),
            Ok(Behind::Unknown) => return unknown(),
            Err(error) => return unavailable(&error),
        };
        if let Some((title, text)) = over(&step, &expense) {
            return message(if status == 200 { 200 } else { 409 }, title, text, back);
        }
        let details = &expense.details;
        let owner = match self.store.person(expense.owner).await {
            Ok(owner) => owner.map(|owner| owner.display_name()).unwrap_or_default(),
            Err(error) => return unavailable(&error),
        };
        let warnings = match warnings(&self.store, &expense).await {
            Ok(warnings) => warnings,
            Err(error) => return unavailable(&error),
        };
        let earlier = match self.store.latest_history(&expense, LATEST).await {
            Ok(history) => history.iter().filter_map(|record| before(&record.event().ok()?)).collect(),
            Err(error) => return unavailable(&error),
        };
        let (pictures, pages) = self.pictures(&expense).await;
        let page = DecidePage {
            merchant: details.merchant.as_deref().unwrap_or("–"),
            amount: details.amount.map(|amount| amount.to_string()).unwrap_or_default(),
            converted: expense.converted.as_ref().map(ToString::to_string),
            split: expense.split.as_ref().map(ToString::to_string),
            date: details.date.map(|date| date.to_string()).unwrap_or_default(),
            category: details.category.map(|category| category.to_string().replace('_', " ")).unwrap_or_default(),
            owner,
            note: details.note.as_deref(),
            cost_centre: details.cost_centre.as_deref(),
            project: details.project.as_deref(),
            paid_by_company: details.paid_by == slipstream_events::PaidBy::CompanyCard,
            due: moment(step.due_at),
            pictures,
            pages,
            warnings,
            earlier,
            attempt,
            back,
        };
        html(status, &page)
    }

    /// The receipt's pages, in the page itself, as many as fit; and how many there are.
    async fn pictures(&self, expense: &ExpenseState) -> (Vec<String>, usize) {
        let receipt = match expense.receipt {
            Some(receipt) => self.store.receipt(receipt).await.ok().flatten(),
            None => None,
        };
        let Some(receipt) = receipt else { return (Vec::new(), 0) };
        let (mut pictures, mut bytes) = (Vec::new(), 0);
        for number in 1..=receipt.pages {
            let key = receipt.picture_key("preview", number);
            let picture = match self.s3.get_object().bucket(&self.bucket).key(key).send().await {
                Ok(object) => object.body.collect().await.map(|body| BASE64_STANDARD.encode(body.into_bytes())).ok(),
                Err(error) => {
                    tracing::warn!(error = %DisplayErrorContext(error), "the preview cannot be shown");
                    None
                }
            };
            let Some(picture) = picture else { break };
            bytes += picture.len();
            if bytes > MOST_PICTURES && number > 1 {
                break;
            }
            pictures.push(format!("data:image/jpeg;base64,{picture}"));
        }
        (pictures, usize::try_from(receipt.pages).unwrap_or(usize::MAX))
    }

    async fn post(&self, link: &Link, request: &Request) -> Response {
        let form = form_of(request);
        if form.get("decision").is_some_and(|decision| decision == disown::DECISION) {
            return self.disown(link, request).await;
        }
        let decision = match decision_of(&form) {
            Ok(decision) => decision,
            Err(fault) => return self.show(link, request, 422, Attempt::of(&form, fault)).await,
        };
        let back = back_of(link, request);
        match self.decide_by_link(link, &decision, request).await {
            Ok(Decided::Now { passed }) => {
                let (title, text) = match decision {
                    Decision::Approve { .. } if passed => {
                        ("Approved by you", "Thank you. The next approver is asked now, and decides.")
                    }
                    Decision::Approve { .. } => {
                        ("Approved", "Thank you. The expense is approved and its owner is told.")
                    }
                    Decision::Reject { .. } => ("Rejected", "The expense is rejected and its owner is told why."),
                    Decision::RequestChanges { .. } => {
                        ("Sent back", "The expense went back to its owner with your comment.")
                    }
                };
                message(200, title, text, back)
            }
            Ok(Decided::Over { title, text, expired }) => message(if expired { 410 } else { 409 }, title, text, back),
            Ok(Decided::Unknown) => unknown(),
            Ok(Decided::Own) => message(403, "Not possible", "No one decides on their own expense.", back),
            Ok(Decided::Refused) => self.show(link, request, 409, Attempt::default()).await,
            Ok(Decided::Failed) => {
                message(500, "Something went wrong", "Nothing was changed. The fault was recorded.", back)
            }
            Err(error) => unavailable(&error),
        }
    }

    /// Decides the step that the link is for, as it stands now.
    ///
    /// # Errors
    /// When the table does not answer.
    pub(crate) async fn decide_by_link(
        &self,
        link: &Link,
        decision: &Decision,
        request: &Request,
    ) -> Result<Decided, StoreError> {
        let mut races = 0;
        loop {
            let (step, expense, approver) = match self.behind(link).await? {
                Behind::Asked { step, expense, approver } => (step, expense, approver),
                Behind::Decided { .. } | Behind::Unknown => return Ok(Decided::Unknown),
                Behind::Reassigned => {
                    return Ok(Decided::Over { title: REASSIGNED.0, text: REASSIGNED.1, expired: false });
                }
            };
            if let Some((title, text)) = over(&step, &expense) {
                let expired = StepEnd::of(&step).is_none() && step.due_at <= Timestamp::now();
                return Ok(Decided::Over { title, text, expired });
            }
            let correlation_id = self.correlation_of(&expense).await.unwrap_or_else(|| request.correlation_id());
            let decided = async {
                // Where it asks somebody else by now, the link is one of the former ones: look again.
                let Some(more_to_ask) = self.more_to_ask(&step, &expense, &correlation_id).await? else {
                    return Ok(None);
                };
                let credential = Credential::LinkHash(link.hash());
                let ballot = Ballot { step: &step, credential, approver: &approver, more_to_ask, expense: &expense };
                let cause = Self::cause_of(&step, &expense, &correlation_id);
                self.decide(&ballot, decision.clone(), &cause).await.map(Some)
            };
            match decided.await {
                Ok(None) => {}
                Ok(Some(outcome)) => return Ok(Decided::Now { passed: outcome == StepOutcome::Passed }),
                // Something was faster, perhaps only a harmless change of the same expense: look again.
                Err(error) if error.is_conflict() && races < 8 => races += 1,
                Err(ChangeError::Rejected(Rejection::OwnExpense)) => return Ok(Decided::Own),
                Err(ChangeError::Rejected(_)) => return Ok(Decided::Refused),
                Err(ChangeError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "the decision cannot be written");
                    return Ok(Decided::Failed);
                }
            }
        }
    }
}

/// What an approver should know of what happened before, if it is something.
fn before(event: &Event) -> Option<String> {
    let with = |text: &str, comment: Option<&str>| match comment {
        Some(comment) => format!("{text}: {comment}"),
        None => text.to_owned(),
    };
    let what = match &event.data {
        EventBody::ExpenseChangesRequested(data) => with("Changes were requested", Some(&data.change.comment)),
        EventBody::ExpenseStepApproved(data) => with("Approved at the first level", data.change.comment.as_deref()),
        EventBody::ExpenseWithdrawn(_) => "Taken back by its owner".to_owned(),
        EventBody::ExpenseSubmissionExpired(_) => "Nobody decided in time".to_owned(),
        EventBody::ExpenseReopened(_) => "Reopened: whoever had decided says that it was not them".to_owned(),
        EventBody::ExpenseApprovalReassigned(data) => match data.change.reason {
            ReassignmentReason::Escalated => "Nobody answered: the next one up is asked".to_owned(),
            ReassignmentReason::Delegated => "A delegate is asked".to_owned(),
            ReassignmentReason::Left
            | ReassignmentReason::MailUndeliverable
            | ReassignmentReason::ResponsibilityChanged => "Somebody else is asked than before".to_owned(),
        },
        _ => return None,
    };
    Some(format!("{}: {what}", event.metadata.occurred_at.strftime("%Y-%m-%d")))
}

/// The page of all that the mail was about, where that led here.
fn back_of(link: &Link, request: &Request) -> Option<String> {
    let list = request.query_string_parameters.get("list")?;
    Some(link.to_list(&list.parse().ok()?))
}

/// When something is due, for people.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_says_what_is_decided() {
        let decision_of = |body: &str| {
            let mut request = Request::default();
            request.body = body.to_owned();
            decision_of(&form_of(&request))
        };
        assert_eq!(decision_of("decision=approve&comment="), Ok(Decision::Approve { comment: None }));
        assert_eq!(
            decision_of("decision=reject&comment=too+much%0D%0Aindeed"),
            Ok(Decision::Reject { reason: "too much\nindeed".to_owned() })
        );
        assert!(decision_of("decision=reject&comment=+").is_err(), "a rejection needs a reason");
        assert!(decision_of("decision=request_changes").is_err(), "so does a request for changes");
        assert!(decision_of("decision=delete").is_err());
        assert!(decision_of("").is_err());
        assert!(decision_of(&format!("decision=reject&comment={}", "x".repeat(MAX_NOTE + 1))).is_err());
    }

    #[test]
    fn what_an_owner_writes_is_escaped() {
        let page = DecidePage {
            merchant: "<script>alert(1)</script>",
            amount: "1.00 EUR".to_owned(),
            converted: Some("1.00 EUR (<script>, 2026-03-12)".to_owned()),
            split: Some("<script>".to_owned()),
            date: String::new(),
            category: String::new(),
            owner: "\"><img src=x>".to_owned(),
            note: Some("</p><form action=//evil>"),
            cost_centre: None,
            project: None,
            paid_by_company: false,
            due: String::new(),
            pictures: Vec::new(),
            pages: 0,
            warnings: vec!["<script>".to_owned()],
            earlier: vec!["<script>".to_owned()],
            attempt: Attempt { fault: Some("<script>"), decision: "reject", comment: "</textarea><script>" },
            back: None,
        };
        let body = html(200, &page).body;
        assert!(!body.contains("<script"), "{body}");
        assert!(!body.contains("<img src=x"), "{body}");
        assert!(!body.contains("<form action=//evil"), "{body}");
    }
}
