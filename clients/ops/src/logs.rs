//! The functions' log lines that name something.

use std::collections::BTreeSet;

use aws_sdk_cloudwatchlogs::{Client, operation::filter_log_events::FilterLogEventsError};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    failure::{Failure, Outcome},
    stack::Stack,
};

/// How many groups are searched at the same time: FilterLogEvents takes five calls a second
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>).
const AT_ONCE: usize = 4;
/// The most lines of one group that are taken.
const MOST_LINES: usize = 2000;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it was written.
    pub(crate) at: Timestamp,
    /// The function, by its short name.
    pub(crate) function: String,
    /// What was written: one JSON object.
    pub(crate) fields: Value,
}

impl Line {
    /// What Lambda itself writes is no JSON object, and has nothing to say here.
    fn parse(function: &str, at: i64, message: &str) -> Option<Self> {
        let fields: Value = serde_json::from_str(message.trim()).ok().filter(Value::is_object)?;
        // The line's own time is finer than that of the service.
        let own = fields["timestamp"].as_str().and_then(|text| text.parse().ok());
        let at = own.or_else(|| Timestamp::from_millisecond(at).ok())?;
        Some(Self { at, function: function.to_owned(), fields })
    }

    /// What kind of line it is.
    pub(crate) fn message(&self) -> &str {
        self.fields["message"].as_str().unwrap_or_default()
    }

    /// `ERROR`, `WARN`, `INFO`.
    pub(crate) fn level(&self) -> &str {
        self.fields["level"].as_str().unwrap_or_default()
    }

    /// What was wrong, if something was.
    pub(crate) fn error(&self) -> Option<&str> {
        self.fields["error"].as_str()
    }

    /// A field of the line or of the span that it stands in.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields[name].as_str().or_else(|| self.fields["span"][name].as_str())
    }

    /// Its own fields beside those that every line has, as `name=value`.
    pub(crate) fn details(&self) -> String {
        const COMMON: [&str; 6] = ["timestamp", "level", "target", "message", "span", "filename"];
        let own = self.fields.as_object().into_iter().flatten();
        let own = own.filter(|(name, _)| !COMMON.contains(&name.as_str()));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        own.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(" ")
    }
}

/// The log groups of the functions, with the functions' short names. `like` narrows them, unless it would leave none.
pub(crate) fn groups(stack: &Stack, like: Option<&str>) -> Vec<(String, String)> {
    let all: Vec<(String, String)> = stack
        .resources("AWS::Logs::LogGroup")
        .filter_map(|group| {
            let function = group.physical.strip_prefix("/aws/lambda/")?;
            Some((group.physical.clone(), stack.short(function).to_owned()))
        })
        .collect();
    let narrowed: Vec<_> =
        all.iter().filter(|(_, function)| like.is_some_and(|like| function.contains(like))).cloned().collect();
    if narrowed.is_empty() { all } else { narrowed }
}

/// The lines since `since` that name one of `ids`, oldest first, each once.
///
/// # Errors
/// [`Failure`]; a function that has not run has no lines.
pub(crate) async fn naming(
    stack: &Stack,
    groups: &[(String, String)],
    ids: &BTreeSet<String>,
    since: Timestamp,
) -> Outcome<Vec<Line>> {
    let client = Client::new(&stack.sdk);
    let searches = groups.iter().flat_map(|group| ids.iter().map(move |id| (group, id)));
    let found: Vec<Vec<Line>> = stream::iter(searches)
        .map(|((group, function), id)| search(&client, group, function, id, since))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let mut lines: Vec<Line> = found.into_iter().flatten().collect();
    lines.sort_by(|a, b| (a.at, &a.function, a.message()).cmp(&(b.at, &b.function, b.message())));
    lines.dedup();
    Ok(lines)
}

async fn search(client: &Client, group: &str, function: &str, id: &str, since: Timestamp) -> Outcome<Vec<Line>> {
    let mut lines = Vec::new();
    let mut next = None;
    loop {
        // A phrase in quotation marks; ids have none themselves.
        let pattern = format!("\"{}\"", id.replace('"', ""));
        let request = client.filter_log_events().log_group_name(group).filter_pattern(pattern);
        let answer = request.start_time(since.as_millisecond()).set_next_token(next).send().await;
        let page = match answer {
            Ok(page) => page,
            Err(error)
                if error.as_service_error().is_some_and(FilterLogEventsError::is_resource_not_found_exception) =>
            {
                return Ok(lines);
            }
            Err(error) => return Err(Failure::of(&format!("the log {group} cannot be read"), error)),
        };
        let parse = |event: &aws_sdk_cloudwatchlogs::types::FilteredLogEvent| {
            Line::parse(function, event.timestamp()?, event.message()?)
        };
        lines.extend(page.events().iter().filter_map(parse));
        next = page.next_token;
        if next.is_none() || lines.len() >= MOST_LINES {
            return Ok(lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_config::SdkConfig;

    use super::*;

    const LINE: &str = r#"{"timestamp":"2026-03-12T12:31:05.251234Z","level":"WARN","message":"to be tried again",
        "error":"the mail cannot be sent: throttled","attempts":2,"target":"notifications",
        "span":{"message.id":"m-1","name":"message"}}"#;

    #[test]
    fn a_line_tells_what_is_its_own() {
        let line = Line::parse("notifications", 0, LINE).unwrap();
        assert_eq!(line.at.to_string(), "2026-03-12T12:31:05.251234Z");
        assert_eq!((line.level(), line.message()), ("WARN", "to be tried again"));
        assert_eq!(line.error(), Some("the mail cannot be sent: throttled"));
        assert_eq!(line.field("message.id"), Some("m-1"));
        assert_eq!(line.details(), "attempts=2 error=the mail cannot be sent: throttled");
        assert_eq!(Line::parse("notifications", 0, "START RequestId: 1"), None);
    }

    #[test]
    fn groups_are_narrowed_but_never_to_nothing() {
        let group = "AWS::Logs::LogGroup";
        let resources = [
            ("A", "/aws/lambda/slipstream-receipts", group),
            ("B", "/aws/lambda/slipstream-receipt-processor", group),
            ("C", "/aws/lambda/slipstream-notifications", group),
            ("D", "/aws/apigateway/slipstream", group),
        ];
        let stack = Stack::example(&[], &resources, SdkConfig::builder().build());
        let names = |like| groups(&stack, like).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names(Some("receipt")), ["receipts", "receipt-processor"]);
        assert_eq!(names(Some("mail-feedback")), ["receipts", "receipt-processor", "notifications"]);
        assert_eq!(names(None).len(), 3);
    }
}
