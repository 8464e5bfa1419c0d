//! What goes wrong, with its exit code and the remedy.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use slipstream_common::table::StoreError;

/// How the program ends. The numbers are a contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something failed for another reason than those below.
    Failed = 1,
    /// The command line is wrong (clap's own code as well).
    Usage = 2,
    /// There are no credentials, or they may not do this.
    NotAllowed = 3,
    /// There is no such thing.
    NotFound = 4,
    /// It would do harm, or cannot be done as things stand.
    Refused = 5,
    /// AWS cannot be reached or did not answer in time.
    Unavailable = 6,
    /// `health` found something degraded.
    Degraded = 7,
}

/// A failure: what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// For people; nothing if all was said already.
    pub(crate) message: String,
}

/// What a command ends with.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// One of this kind.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    /// It cannot be done as things stand.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Something else.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// What a service answered when it was asked to do `what`.
    pub(crate) fn of<E, R>(what: &str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let code = error.code().unwrap_or_default().to_owned();
        let said = error.message().map(ToOwned::to_owned);
        let text = said.unwrap_or_else(|| causes(&error));
        let (exit, remedy) = of_code(&code);
        let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
        Self::new(exit, format!("{what}: {text}{code}{remedy}"))
    }
}

/// An error and what it came of, without what a program would want to know of it.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What an error code of AWS means for the exit code, and the remedy.
fn of_code(code: &str) -> (Exit, &'static str) {
    const POLICY: &str =
        "\nThe stack's OperatorPolicyArn allows all that slip-ops does; attach it to your role or user.";
    const KEYS: &str = "\nThe credentials are not valid (any more): sign in again, for example with `aws sso login`.";
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthorizationError" => {
            (Exit::NotAllowed, POLICY)
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId" => (Exit::NotAllowed, KEYS),
        "ThrottlingException" | "Throttling" | "ServiceUnavailable" | "InternalFailure" | "" => (Exit::Unavailable, ""),
        _ => (Exit::Failed, ""),
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            // The code is in the text: the table's own errors are told apart by it only.
            StoreError::Unavailable(text) if text.contains("AccessDenied") => {
                let (exit, remedy) = of_code("AccessDeniedException");
                Self::new(exit, format!("the table may not be read{remedy}"))
            }
            StoreError::Unavailable(text) => {
                Self::new(Exit::Unavailable, format!("the table is not available: {text}"))
            }
            other => Self::failed(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_allowed_names_the_policy() {
        for code in ["AccessDenied", "AccessDeniedException"] {
            let (exit, remedy) = of_code(code);
            assert_eq!(exit, Exit::NotAllowed);
            assert!(remedy.contains("OperatorPolicyArn"));
        }
        let denied = Failure::from(StoreError::Unavailable("… AccessDeniedException: not authorized".to_owned()));
        assert_eq!(denied.exit, Exit::NotAllowed);
        let gone = Failure::from(StoreError::Unavailable("dispatch failure".to_owned()));
        assert_eq!(gone.exit, Exit::Unavailable);
        assert!(of_code("ExpiredToken").1.contains("sign in again"));
    }
}
