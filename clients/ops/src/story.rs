//! What happened, as one timeline.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    output::{Out, Tone, clean},
    time,
};

/// A gap that is worth a colour.
const LONG_GAP: SignedDuration = SignedDuration::from_mins(1);

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    Event,
    Receipt,
    Step,
    Machine,
    Mail,
    Queue,
    Log,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Receipt => "receipt",
            Self::Step => "step",
            Self::Machine => "machine",
            Self::Mail => "mail",
            Self::Queue => "queue",
            Self::Log => "log",
        }
    }
}

/// Something that happened, or is to happen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) source: Source,
    pub(crate) what: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    pub(crate) tone: Tone,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) entries: Vec<Entry>,
    /// What logs and dead letters may name.
    pub(crate) ids: BTreeSet<String>,
    pub(crate) executions: BTreeSet<String>,
}

impl Story {
    pub(crate) fn note(
        &mut self,
        at: Timestamp,
        source: Source,
        tone: Tone,
        what: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.entries.push(Entry { at, source, what: what.into(), detail: detail.into(), tone, id: None });
    }

    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.entries.iter().map(|entry| entry.at).min()
    }

    pub(crate) fn sort(&mut self) {
        // What one source tells of the same instant stays in its order.
        self.entries.sort_by_key(|entry| (entry.at, entry.source));
        self.entries.dedup();
    }

    /// Keeps what happened from `from` on and before `until`.
    pub(crate) fn narrow(&mut self, from: Timestamp, until: Option<Timestamp>) {
        self.entries.retain(|entry| entry.at >= from && until.is_none_or(|until| entry.at < until));
    }
}

/// Seconds since the entry before, of each entry.
fn gaps(entries: &[Entry]) -> Vec<Option<SignedDuration>> {
    let before = std::iter::once(None).chain(entries.iter().map(|entry| Some(entry.at)));
    before.zip(entries).map(|(before, entry)| before.map(|before| entry.at.duration_since(before))).collect()
}

/// As programs read it.
pub(crate) fn as_json(id: &str, entries: &[Entry]) -> Value {
    let entry = |(entry, gap): (&Entry, Option<SignedDuration>)| {
        let mut value = serde_json::to_value(entry).unwrap_or_default();
        value["gap_ms"] = json!(gap.and_then(|gap| i64::try_from(gap.as_millis()).ok()));
        value
    };
    json!({ "id": id, "entries": entries.iter().zip(gaps(entries)).map(entry).collect::<Vec<_>>() })
}

/// As people read it: what is to come after `now` below a line.
pub(crate) fn render(out: &Out, entries: &[Entry], now: Timestamp) -> String {
    let mut lines = Vec::new();
    let mut told_now = false;
    for (entry, gap) in entries.iter().zip(gaps(entries)) {
        if entry.at > now && !told_now {
            told_now = true;
            lines.push(out.paint(Tone::Faint, &format!("{}  -- now --", time::instant(now))));
        }
        let text = gap.map(|gap| format!("+{}", time::span(gap))).unwrap_or_default();
        let long = gap.is_some_and(|gap| gap >= LONG_GAP);
        let gap = out.paint(if long { Tone::Warning } else { Tone::Faint }, &format!("{text:>12}"));
        let what = out.paint(entry.tone, &clean(&entry.what));
        let detail = if entry.detail.is_empty() {
            String::new()
        } else {
            format!("  {}", out.paint(Tone::Faint, &clean(&entry.detail)))
        };
        lines.push(format!("{}  {gap}  {:<8} {what}{detail}", time::instant(entry.at), entry.source.name()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: &str, source: Source, what: &str) -> Entry {
        let at = at.parse().unwrap();
        Entry { at, source, what: what.to_owned(), detail: String::new(), tone: Tone::Plain, id: None }
    }

    #[test]
    fn a_timeline_shows_the_gaps_and_what_is_to_come() {
        let mut story = Story::default();
        story.entries.push(entry("2026-03-12T12:00:05.250Z", Source::Log, "expenses: drafted"));
        story.entries.push(entry("2026-03-12T12:00:00Z", Source::Event, "ExpenseDrafted"));
        story.entries.push(entry("2026-03-12T12:10:00Z", Source::Machine, "-> Ask"));
        story.entries.push(entry("2026-03-14T12:10:00Z", Source::Step, "step 1: due"));
        story.sort();
        let text = render(&Out::new(true), &story.entries, "2026-03-13T00:00:00Z".parse().unwrap());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "2026-03-12 12:00:00.000                event    ExpenseDrafted");
        assert_eq!(lines[1], "2026-03-12 12:00:05.250        +5.2 s  log      expenses: drafted");
        let mut states = Story::default();
        for state in ["-> Outcome", "-> Approved"] {
            states.entries.push(entry("2026-03-12T12:00:00Z", Source::Machine, state));
        }
        states.sort();
        assert_eq!(states.entries[0].what, "-> Outcome", "as the machine tells it");
        assert!(lines[2].contains("+9 min 54 s  machine  -> Ask"), "{text}");
        assert!(lines[3].ends_with("-- now --") && lines[4].contains("+2 d 0 h  step"), "{text}");
        let json = as_json("x", &story.entries);
        assert_eq!((&json["entries"][0]["gap_ms"], &json["entries"][1]["gap_ms"]), (&Value::Null, &json!(5250)));
        assert_eq!(json["entries"][2]["source"], "machine");
    }

    #[test]
    fn a_submission_is_a_part_of_its_expense() {
        let mut story = Story::default();
        for (at, what) in [
            ("01", "ExpenseDrafted"),
            ("02", "ExpenseSubmitted"),
            ("03", "ExpenseWithdrawn"),
            ("04", "ExpenseSubmitted"),
        ] {
            story.entries.push(entry(&format!("2026-03-{at}T00:00:00Z"), Source::Event, what));
        }
        story.narrow("2026-03-02T00:00:00Z".parse().unwrap(), Some("2026-03-04T00:00:00Z".parse().unwrap()));
        let left: Vec<&str> = story.entries.iter().map(|entry| entry.what.as_str()).collect();
        assert_eq!(left, ["ExpenseSubmitted", "ExpenseWithdrawn"]);
    }
}
