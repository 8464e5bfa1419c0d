//! What an id names, as operators type it.

use serde_json::Value;
use slipstream_events::{BatchId, CorrelationId, ExpenseId, ReceiptId, SubjectType, SubmissionId};

use crate::failure::{Failure, Outcome};

/// What an id names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// An expense.
    Expense(ExpenseId),
    /// One of its submissions.
    Submission(SubmissionId),
    /// A receipt.
    Receipt(ReceiptId),
    /// Any subject of events, and which of its versions is meant.
    Subject(SubjectType, String, Option<u64>),
    /// An execution of the approval, by its ARN.
    Execution(String),
    /// Approvals that a person is mailed about together.
    Batch(BatchId),
    /// A request, a correlation id, or an execution by its name.
    Other(String),
}

impl Named {
    /// What the text of an argument names.
    ///
    /// # Errors
    /// Names the argument and the form of such an id; of people, that operators may not read their partitions.
    pub(crate) fn parse(argument: &str, text: &str) -> Outcome<Self> {
        let wrong = |kind: &str, form: &str| Failure::usage(format!("{argument}: `{text}` is no {kind} id: {form}"));
        const DIGITS: &str = "32 hexadecimal digits after the underscore";
        if text.starts_with("exp_") && text.contains('.') {
            let form = "an expense id, a dot and a number from 1";
            return text.parse().map(Self::Submission).map_err(|_| wrong("submission", form));
        }
        if text.starts_with("exp_") && text.len() > 40 && text.contains("-restart-") {
            return Ok(Self::Other(text.to_owned()));
        }
        if text.starts_with("exp_") {
            return text.parse().map(Self::Expense).map_err(|_| wrong("expense", DIGITS));
        }
        if text.starts_with("rcp_") {
            return text.parse().map(Self::Receipt).map_err(|_| wrong("receipt", DIGITS));
        }
        if text.starts_with("rpt_") {
            return Ok(Self::Subject(SubjectType::Report, text.to_owned(), None));
        }
        if text.starts_with("bat_") {
            return text.parse().map(Self::Batch).map_err(|_| wrong("batch", DIGITS));
        }
        if text.starts_with("arn:") {
            let execution = text.contains(":states:") && text.contains(":execution:");
            let form = "arn:…:states:…:execution:<machine>:<name>";
            return execution.then(|| Self::Execution(text.to_owned())).ok_or_else(|| wrong("execution", form));
        }
        if text.contains('/') {
            let (kind, id, version) =
                subject_of(text).ok_or_else(|| wrong("event", "give <subject type>/<subject id>/<version>"))?;
            if kind == SubjectType::Person {
                return Err(Failure::refused(format!(
                    "{argument}: operators may not read people's partitions; trace a request or a correlation id, or publish \
                     again what was not seen of a time, by --from and --to"
                )));
            }
            return Ok(Self::Subject(kind, id, version));
        }
        let correlation: Result<CorrelationId, _> = text.parse();
        correlation.map(|_| Self::Other(text.to_owned())).map_err(|form| wrong("known", form))
    }
}

/// An event's id, or a subject's: `<type>/<id>` with or without `/<version>`.
fn subject_of(text: &str) -> Option<(SubjectType, String, Option<u64>)> {
    let (kind, rest) = text.split_once('/')?;
    let kind: SubjectType = serde_json::from_value(Value::String(kind.to_owned())).ok()?;
    let versioned = rest.rsplit_once('/').and_then(|(id, version)| Some((id, version.parse().ok()?)));
    let (id, version) = versioned.map_or((rest, None), |(id, version)| (id, Some(version)));
    (!id.is_empty() && !id.contains('/')).then(|| (kind, id.to_owned(), version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    const EXPENSE: &str = "exp_0123456789abcdef0123456789abcdef";

    #[test]
    fn ids_say_what_they_name() {
        let parse = |text: &str| Named::parse("ID", text).unwrap();
        assert_eq!(parse(EXPENSE), Named::Expense(EXPENSE.parse().unwrap()));
        let submission = format!("{EXPENSE}.2");
        assert_eq!(parse(&submission), Named::Submission(submission.parse().unwrap()));
        let receipt = EXPENSE.replace("exp", "rcp");
        assert_eq!(parse(&receipt), Named::Receipt(receipt.parse().unwrap()));
        let event = parse(&format!("expense/{EXPENSE}/4"));
        assert_eq!(event, Named::Subject(SubjectType::Expense, EXPENSE.to_owned(), Some(4)));
        assert_eq!(parse("policy/policy/3"), Named::Subject(SubjectType::Policy, "policy".to_owned(), Some(3)));
        let arn = "arn:aws:states:eu-central-1:123456789012:execution:slipstream-expense-approval:x";
        assert_eq!(parse(arn), Named::Execution(arn.to_owned()));
        let batch = EXPENSE.replace("exp", "bat");
        assert_eq!(parse(&batch), Named::Batch(batch.parse().unwrap()));
        let restart = format!("{EXPENSE}-1-restart-2");
        assert_eq!(parse(&restart), Named::Other(restart));
        let request = "0d9c1f1e-5a3b-4a55-9a53-2f1f4f0b7c11";
        assert_eq!(parse(request), Named::Other(request.to_owned()));
    }

    #[test]
    fn what_is_no_id_is_refused_with_its_form() {
        let refused = |text: &str| Named::parse("ID", text).unwrap_err();
        assert!(refused("exp_12").message.contains("32 hexadecimal digits"));
        assert!(refused(&format!("{EXPENSE}.0")).message.contains("a number from 1"));
        assert!(refused("arn:aws:s3:::bucket").message.contains(":execution:"));
        assert!(refused("thing/1/2").message.contains("<subject type>/<subject id>/<version>"));
        assert!(refused("with space").message.starts_with("ID: "));
        assert_eq!(refused("").exit, Exit::Usage);
    }

    #[test]
    fn subjects_have_a_version_or_not() {
        let kind = SubjectType::Budget;
        assert_eq!(
            subject_of("budget/meals:2026-03:1-EUR:80/1"),
            Some((kind, "meals:2026-03:1-EUR:80".to_owned(), Some(1)))
        );
        assert_eq!(subject_of("budget/meals"), Some((kind, "meals".to_owned(), None)));
        assert_eq!(subject_of("budget/"), None);
        assert_eq!(subject_of("meals"), None);
    }
}
