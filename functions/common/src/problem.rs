//! Errors over HTTP as problem documents (RFC 9457).

use serde::Serialize;
use slipstream_domain::{
    details::FieldProblem,
    expense::{Rejection, next_status},
};
use slipstream_events::{ExpenseStatus, PolicyFinding};

use crate::{store::ChangeError, table::StoreError};

/// One field that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// What is wrong and how to mend it.
    pub remedy: String,
}

/// A problem document. `type` is stable; `detail` is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A stable URI for this kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem it is.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub detail: String,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    fn new(status: u16, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:slipstream:problem:{kind}"),
            title,
            status,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(400, "bad-request", "The request cannot be understood", detail)
    }

    /// 400: the body has not the form that is described, field by field.
    pub fn bad_fields(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::bad_request(told(&errors));
        problem.errors = errors;
        problem
    }

    /// 422: a field is wrong.
    pub fn invalid(field: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { field: field.into(), remedy: remedy.into() }])
    }

    /// 422: some fields are wrong.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(422, "invalid-field", "A field is not valid", told(&errors));
        problem.errors = errors;
        problem
    }

    /// 422: something is missing.
    pub fn incomplete(detail: impl Into<String>, errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(422, "incomplete", "Something is missing", detail);
        problem.errors = errors;
        problem
    }

    /// 422: the policy forbids it.
    pub fn against_policy(detail: impl Into<String>, errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(422, "policy", "The policy does not allow it", detail);
        problem.errors = errors;
        problem
    }

    /// 401: no usable ID token.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(401, "unauthenticated", "Sign in first", detail)
    }

    /// 403: the person may not do this, whatever the object.
    pub fn forbidden(kind: &str, detail: impl Into<String>) -> Self {
        Self::new(403, kind, "Not allowed", detail)
    }

    /// 403: for this one needs another role.
    pub fn role() -> Self {
        Self::forbidden("role", "Only people with another role may do this.")
    }

    /// 404: there is none, or it is not the caller's; the two are not told apart.
    pub fn not_found(what: &str) -> Self {
        Self::new(404, "not-found", "Not found", format!("There is no such {what}."))
    }

    /// 405: the resource has no such method.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "method-not-allowed", "Method not allowed", "This resource has no such method.")
    }

    /// 409: it cannot be done in the state it is in.
    pub fn conflict(kind: &str, detail: impl Into<String>) -> Self {
        Self::new(409, kind, "Not possible in this state", detail)
    }

    /// 412: the version that `If-Match` names is not the current one.
    pub fn precondition_failed() -> Self {
        let detail = "It has changed since you read it. Read it again and repeat the change.";
        Self::new(412, "version-mismatch", "Changed meanwhile", detail)
    }

    /// 413: the body is larger than `most` bytes.
    pub fn too_large(most: usize) -> Self {
        Self::new(413, "too-large", "The request is too large", format!("Send a body of at most {most} bytes."))
    }

    /// 415: the body is of a type that is not taken here.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(415, "unsupported-media-type", "Not a supported media type", detail)
    }

    /// 503: try again.
    pub fn unavailable() -> Self {
        Self::new(503, "try-again", "Try again", "A service did not answer in time. Try the same request again.")
    }

    /// 500: our fault.
    pub fn internal() -> Self {
        Self::new(500, "internal", "Something went wrong", "The fault is on our side and was recorded.")
    }
}

/// All of them in one sentence.
fn told(errors: &[FieldError]) -> String {
    let told: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.field, error.remedy)).collect();
    told.join("; ")
}

impl From<FieldProblem> for FieldError {
    fn from(problem: FieldProblem) -> Self {
        Self { field: problem.field.to_owned(), remedy: problem.remedy }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let mut detail = sentence(&rejection.to_string());
        if let Rejection::NotAllowed { status: ExpenseStatus::Submitted, action } = &rejection
            && next_status(Some(ExpenseStatus::Draft), *action).is_some_and(|status| status != ExpenseStatus::Submitted)
        {
            detail.push_str(" Withdraw it first.");
        }
        match rejection {
            Rejection::NotAllowed { .. } | Rejection::SubmissionOver { .. } => Self::conflict("wrong-state", detail),
            Rejection::Existence(_) => Self::not_found("expense"),
            Rejection::Missing(fields) => {
                let error = |field: &str| FieldError { field: field.to_owned(), remedy: "give a value".to_owned() };
                Self::incomplete(detail, fields.into_iter().map(error).collect())
            }
            Rejection::Blocked(findings) => {
                let error = |finding: PolicyFinding| FieldError { field: finding.field, remedy: finding.message };
                Self::against_policy(detail, findings.into_iter().map(error).collect())
            }
            Rejection::Invalid(problems) => Self::invalid_fields(problems.into_iter().map(Into::into).collect()),
            Rejection::OwnExpense => Self::forbidden("own-expense", detail),
            Rejection::NothingOwed => Self::conflict("nothing-owed", detail),
            Rejection::Receipt(_) => Self::conflict("receipt", detail),
            Rejection::Split(_) => Self::conflict("split", detail),
        }
    }
}

/// As people read it: errors begin in lower case and have no full stop.
fn sentence(error: &str) -> String {
    let mut rest = error.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    first.chain(rest).chain(['.']).collect()
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Condition(_) => {
                Self::conflict("changed-meanwhile", "Somebody else changed it at the same time. Read it again.")
            }
            StoreError::Unavailable(cause) => {
                tracing::warn!(cause, "the table is not available");
                Self::unavailable()
            }
            StoreError::Shape(_) => {
                tracing::error!("an item has an unexpected shape");
                Self::internal()
            }
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Rejected(rejection) => rejection.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::Event(cause) => {
                tracing::error!(%cause, "an event cannot be written");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::expense::Action;

    use super::*;

    #[test]
    fn a_rejection_is_a_sentence_with_a_remedy() {
        let detail = |rejection: Rejection| Problem::from(rejection).detail;
        let not_allowed = |status, action| detail(Rejection::NotAllowed { status, action });
        for (status, action, says) in [
            (
                ExpenseStatus::Submitted,
                Action::Edit,
                "An expense that is submitted cannot be edited. Withdraw it first.",
            ),
            (ExpenseStatus::Submitted, Action::Submit, "An expense that is submitted cannot be submitted."),
            (ExpenseStatus::Submitted, Action::Reimburse, "An expense that is submitted cannot be reimbursed."),
            (ExpenseStatus::Approved, Action::Edit, "An expense that is approved cannot be edited."),
        ] {
            assert_eq!(not_allowed(status, action), says);
        }
    }
}
