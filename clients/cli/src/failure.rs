//! What goes wrong, with its exit code and the remedy.

use std::fmt;

use serde_json::Value;

/// How the program ends. The numbers are a contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something failed for another reason than those below.
    Failed = 1,
    /// The command line is wrong (clap's own code as well).
    Usage = 2,
    /// Nobody is signed in, or not any more.
    NotSignedIn = 3,
    /// There is no such thing, or it is not yours.
    NotFound = 4,
    /// A rule or a validation refused it, or it changed meanwhile.
    Refused = 5,
    /// The service cannot be reached or did not answer in time.
    Unavailable = 6,
}

impl Exit {
    /// What an HTTP status means for the exit code.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::NotSignedIn,
            404 | 410 => Self::NotFound,
            429 | 500..=599 => Self::Unavailable,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// A failure: what happened and what to do, and the API's problem document if it came from there.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// For people; begins in lower case, since `error: ` stands before it.
    pub(crate) message: String,
    /// The problem document (RFC 9457).
    pub(crate) problem: Option<Value>,
}

/// What most of this program returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), problem: None }
    }

    /// Exit code 1.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Exit code 3.
    pub(crate) fn not_signed_in(message: impl Into<String>) -> Self {
        Self::new(Exit::NotSignedIn, message)
    }

    /// Exit code 5.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Exit code 6.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, message)
    }

    /// From an answer of the API: the problem's detail, its fields with their remedies, and what to do on the command
    /// line; `login` is how one signs in.
    pub(crate) fn of_answer(status: u16, body: &str, correlation_id: Option<&str>, login: &str) -> Self {
        let problem = serde_json::from_str::<Value>(body).ok().filter(Value::is_object);
        let text = |name: &str| problem.as_ref().and_then(|problem| problem[name].as_str()).filter(|t| !t.is_empty());
        let kind = text("type").unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned();
        let errors = problem.as_ref().and_then(|problem| problem["errors"].as_array()).cloned().unwrap_or_default();

        // With fields named, the detail only strings them together.
        let headline =
            if errors.is_empty() { text("detail").or(text("title")) } else { text("title").or(text("detail")) };
        let mut message = headline.map_or_else(|| format!("the service answered {status}"), ToOwned::to_owned);
        for error in &errors {
            let part = |name: &str| error[name].as_str().unwrap_or_default();
            message.push_str(&format!("\n  {}: {}", part("field"), part("remedy")));
        }
        if let Some(hint) = hint(status, &kind, login) {
            message.push_str(&format!("\n{hint}"));
        }
        if status >= 500 {
            let id = correlation_id.map(ToOwned::to_owned).or_else(|| text("request_id").map(ToOwned::to_owned));
            if let Some(id) = id {
                message.push_str(&format!("\nName {id} when you ask for help."));
            }
        }
        Self { exit: Exit::of_status(status), message, problem }
    }
}

fn hint(status: u16, kind: &str, login: &str) -> Option<String> {
    match (status, kind) {
        (401, _) => Some(format!("Sign in: {login}")),
        // Signing in makes the profile, and takes over new roles.
        (_, "no-profile") => Some(format!("Make your profile: {login}")),
        (_, "role") => Some(format!("If you were given the role just now: {login}")),
        (_, "deactivated") => Some("Ask an administrator.".to_owned()),
        (429, _) => Some("Wait a moment and repeat the command.".to_owned()),
        _ => None,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_remedies_are_named() {
        let body = r#"{"type":"urn:slipstream:problem:incomplete","title":"Something is missing","status":422,
            "detail":"…","errors":[{"field":"merchant","remedy":"give a value"}]}"#;
        let failure = Failure::of_answer(422, body, None, "slip login");
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(failure.message, "Something is missing\n  merchant: give a value");
        assert_eq!(failure.problem.unwrap()["type"], "urn:slipstream:problem:incomplete");
    }

    #[test]
    fn statuses_become_exit_codes() {
        for (status, exit) in [(401, 3), (403, 5), (404, 4), (409, 5), (412, 5), (422, 5), (429, 6), (500, 6), (503, 6)]
        {
            assert_eq!(Exit::of_status(status) as u8, exit, "{status}");
        }
    }

    #[test]
    fn an_answer_that_is_no_problem_document_is_told_by_its_status() {
        let failure = Failure::of_answer(502, "<html>", Some("abc"), "slip login");
        assert_eq!(failure.message, "the service answered 502\nName abc when you ask for help.");
        assert!(failure.problem.is_none());
    }
}
