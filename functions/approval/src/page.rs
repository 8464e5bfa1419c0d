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
    records::StepRecord,
    store::ChangeError,
    table::StoreError,
};
use slipstream_domain::{
    details::MAX_NOTE,
    expense::{Decision, Rejection},
};
use slipstream_events::{ExpenseState, ExpenseStatus};
use tracing::Instrument as _;

use crate::{Approval, link::Link};

/// Only what is written here may be loaded or done
/// (<https://www.w3.org/TR/CSP3/>): the style in the page, pictures in the page, forms to where it came from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[derive(Template)]
#[template(path = "decide.html")]
struct DecidePage<'a> {
    merchant: &'a str,
    amount: String,
    date: String,
    category: String,
    owner: String,
    note: Option<&'a str>,
    cost_centre: Option<&'a str>,
    project: Option<&'a str>,
    paid_by_company: bool,
    due: String,
    picture: Option<String>,
    fault: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    title: &'a str,
    text: &'a str,
}

fn html(status: u16, page: &impl Template) -> Response {
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

fn message(status: u16, title: &str, text: &str) -> Response {
    html(status, &MessagePage { title, text })
}

/// A forged, mistyped or foreign link; the page does not say which.
fn unknown() -> Response {
    message(
        404,
        "This link is not valid",
        "Open it from the mail again. If that does not help, ask whoever sent you the expense.",
    )
}

fn unavailable(error: &StoreError) -> Response {
    tracing::warn!(%error, "the page cannot be shown");
    message(503, "Please try again", "Something did not answer in time. Open the link again to see how it stands.")
}

/// What to say of a step that waits for nobody any more.
fn ended(end: StepEnd) -> (&'static str, &'static str) {
    match end {
        StepEnd::Approved => ("Already approved", "This expense was approved. There is nothing left to do."),
        StepEnd::Rejected => ("Already rejected", "This expense was rejected. There is nothing left to do."),
        StepEnd::ChangesRequested => {
            ("Changes were requested", "This expense went back to its owner. You will be asked again.")
        }
        StepEnd::Closed => {
            ("No longer waiting", "This expense was taken back by its owner, or nobody decided in time.")
        }
    }
}

/// What the form says.
fn decision_of(body: &str) -> Result<Decision, &'static str> {
    let form: HashMap<_, _> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let comment = form.get("comment").map(|comment| comment.trim()).filter(|comment| !comment.is_empty());
    if comment.is_some_and(|comment| comment.chars().count() > MAX_NOTE) {
        return Err("The comment is too long.");
    }
    let comment = comment.map(|comment| comment.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>());
    match form.get("decision").map(String::as_str) {
        Some("approve") => Ok(Decision::Approve { comment }),
        Some("reject") => {
            comment.map(|reason| Decision::Reject { reason }).ok_or("Please say why the expense is rejected.")
        }
        Some("request_changes") => {
            comment.map(|comment| Decision::RequestChanges { comment }).ok_or("Please say what should be changed.")
        }
        _ => Err("Please choose one of the buttons."),
    }
}

impl Approval {
    /// Answers a request for the page behind a link.
    pub(crate) async fn page(&self, request: Request) -> Response {
        let link: Option<Link> = request.path_parameters.get("link").and_then(|link| link.parse().ok());
        let Some(link) = link else { return unknown() };
        let span = tracing::info_span!(
            "link",
            http.method = request.http_method,
            expense.id = %link.submission.expense,
            submission.id = %link.submission,
            correlation.id = %request.correlation_id(),
        );
        async {
            match request.http_method.as_str() {
                "GET" | "HEAD" => self.show(&link, 200, None).await,
                "POST" => self.post(&link, &request).await,
                _ => message(405, "Not possible", "Open the link from the mail again."),
            }
        }
        .instrument(span)
        .await
    }

    /// The step that the link is for, and its expense. `None` where the link is not one that was mailed.
    async fn behind(&self, link: &Link) -> Result<Option<(StepRecord, ExpenseState)>, StoreError> {
        let Some(step) = self.store.step(link.submission, link.step).await? else { return Ok(None) };
        if !link.is_one_of(&step.link_hashes) {
            return Ok(None);
        }
        // Whoever has left neither sees nor decides.
        let approver = self.store.person(step.approver).await?;
        if !approver.is_some_and(|approver| approver.state.active) {
            return Ok(None);
        }
        Ok(self.store.expense(link.submission.expense).await?.map(|expense| (step, expense)))
    }

    /// The page as things stand; with the form only while a decision counts.
    async fn show(&self, link: &Link, status: u16, fault: Option<&str>) -> Response {
        let (step, expense) = match self.behind(link).await {
            Ok(Some(behind)) => behind,
            Ok(None) => return unknown(),
            Err(error) => return unavailable(&error),
        };
        if let Some((title, text)) = self.over(&step, &expense) {
            return message(if status == 200 { 200 } else { 409 }, title, text);
        }
        let details = &expense.details;
        let owner = match self.store.person(expense.owner).await {
            Ok(owner) => owner.map(|owner| owner.display_name()).unwrap_or_default(),
            Err(error) => return unavailable(&error),
        };
        let page = DecidePage {
            merchant: details.merchant.as_deref().unwrap_or("–"),
            amount: details.amount.map(|amount| amount.to_string()).unwrap_or_default(),
            date: details.date.map(|date| date.to_string()).unwrap_or_default(),
            category: details.category.map(|category| category.to_string().replace('_', " ")).unwrap_or_default(),
            owner,
            note: details.note.as_deref(),
            cost_centre: details.cost_centre.as_deref(),
            project: details.project.as_deref(),
            paid_by_company: details.paid_by == slipstream_events::PaidBy::CompanyCard,
            due: step.due_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            picture: self.picture(&expense).await,
            fault,
        };
        html(status, &page)
    }

    /// Why a decision does not count any more, if so.
    fn over(&self, step: &StepRecord, expense: &ExpenseState) -> Option<(&'static str, &'static str)> {
        if let Some(end) = StepEnd::of(step) {
            return Some(ended(end));
        }
        if expense.status != ExpenseStatus::Submitted || expense.submission != step.submission.number {
            return Some(ended(StepEnd::Closed));
        }
        (step.due_at <= Timestamp::now())
            .then_some(("This link has expired", "The time to decide is over. The expense goes back to its owner."))
    }

    /// The receipt's preview, in the page itself.
    async fn picture(&self, expense: &ExpenseState) -> Option<String> {
        let receipt = self.store.receipt(expense.receipt?).await.ok().flatten().filter(|receipt| receipt.pages > 0)?;
        let key = receipt.object_key("preview.jpg");
        match self.s3.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => {
                let bytes = object.body.collect().await.ok()?.into_bytes();
                Some(format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(bytes)))
            }
            Err(error) => {
                tracing::warn!(error = %DisplayErrorContext(error), "the preview cannot be shown");
                None
            }
        }
    }

    async fn post(&self, link: &Link, request: &Request) -> Response {
        let body = match request.is_base64_encoded {
            true => BASE64_STANDARD.decode(&request.body).ok().and_then(|bytes| String::from_utf8(bytes).ok()),
            false => Some(request.body.clone()),
        };
        let decision = match decision_of(&body.unwrap_or_default()) {
            Ok(decision) => decision,
            Err(fault) => return self.show(link, 422, Some(fault)).await,
        };
        let mut races = 0;
        loop {
            let (step, expense) = match self.behind(link).await {
                Ok(Some(behind)) => behind,
                Ok(None) => return unknown(),
                Err(error) => return unavailable(&error),
            };
            if let Some((title, text)) = self.over(&step, &expense) {
                let expired = StepEnd::of(&step).is_none() && step.due_at <= Timestamp::now();
                return message(if expired { 410 } else { 409 }, title, text);
            }
            let correlation_id = self.correlation_of(&expense).await.unwrap_or_else(|| request.correlation_id());
            let cause = Self::cause_of(&step, &expense, &correlation_id);
            match self.decide(&step, link, &expense, decision.clone(), cause).await {
                Ok(()) => {
                    let (title, text) = match decision {
                        Decision::Approve { .. } => {
                            ("Approved", "Thank you. The expense is approved and its owner is told.")
                        }
                        Decision::Reject { .. } => ("Rejected", "The expense is rejected and its owner is told why."),
                        Decision::RequestChanges { .. } => {
                            ("Sent back", "The expense went back to its owner with your comment.")
                        }
                    };
                    return message(200, title, text);
                }
                // Something was faster, perhaps only a harmless change of the same expense: look again.
                Err(error) if error.is_conflict() && races < 8 => races += 1,
                Err(ChangeError::Rejected(Rejection::OwnExpense)) => {
                    return message(403, "Not possible", "No one decides on their own expense.");
                }
                Err(ChangeError::Rejected(_)) => return self.show(link, 409, None).await,
                Err(ChangeError::Store(error)) => return unavailable(&error),
                Err(error) => {
                    tracing::error!(%error, "the decision cannot be written");
                    return message(500, "Something went wrong", "Nothing was changed. The fault was recorded.");
                }
            }
        }
    }

    /// The correlation id of the chain that asked for the decision.
    async fn correlation_of(&self, expense: &ExpenseState) -> Option<slipstream_events::CorrelationId> {
        let history = self.store.history(expense.id).await.ok()?;
        history.last()?.event().ok().map(|event| event.metadata.correlation_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_says_what_is_decided() {
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
            date: String::new(),
            category: String::new(),
            owner: "\"><img src=x>".to_owned(),
            note: Some("</p><form action=//evil>"),
            cost_centre: None,
            project: None,
            paid_by_company: false,
            due: String::new(),
            picture: None,
            fault: None,
        };
        let body = html(200, &page).body;
        assert!(!body.contains("<script"), "{body}");
        assert!(!body.contains("<img src=x"), "{body}");
        assert!(!body.contains("<form action=//evil"), "{body}");
    }
}
