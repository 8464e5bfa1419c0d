//! Metrics: a line in CloudWatch's embedded metric format, which Lambda's log makes a metric of, without a call
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! They say how much and how long, never whose: no ids, no contents. Their names are told in `docs/operations.md`.

use std::{io::Write as _, sync::OnceLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Where the process's metrics go; none are written before it is set.
static NAMESPACE: OnceLock<String> = OnceLock::new();

/// Has metrics written from now on, into this namespace. The first call counts.
pub fn init(namespace: String) {
    NAMESPACE.get_or_init(|| namespace);
}

/// What a value is counted in, by CloudWatch's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Count,
    Seconds,
    Percent,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::Percent => "Percent",
        }
    }
}

/// What happened at one moment, to be told in one line.
#[derive(Debug, Default)]
#[must_use = "nothing is told before `emit`"]
pub struct Metrics {
    values: Vec<(&'static str, Unit, Value)>,
    by: Option<(&'static str, String)>,
}

impl Metrics {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many things that happened.
    pub fn count(self, name: &'static str, count: usize) -> Self {
        self.with(name, Unit::Count, count.into())
    }

    /// How long something took.
    pub fn seconds(self, name: &'static str, took: SignedDuration) -> Self {
        self.with(name, Unit::Seconds, took.as_secs_f64().into())
    }

    /// A share, from 0 to 1.
    pub fn share(self, name: &'static str, share: f32) -> Self {
        self.with(name, Unit::Percent, (f64::from(share) * 100.0).into())
    }

    /// Tells the values apart by this, too: in all, and of each. Its values must be few, since each is a metric of its
    /// own.
    pub fn by(self, dimension: &'static str, value: impl ToString) -> Self {
        Self { by: Some((dimension, value.to_string())), ..self }
    }

    fn with(mut self, name: &'static str, unit: Unit, value: Value) -> Self {
        self.values.push((name, unit, value));
        self
    }

    /// Writes the line, if there is a namespace.
    pub fn emit(&self) {
        let Some(namespace) = NAMESPACE.get() else { return };
        // One write, so that lines of other threads do not get in between. A metric that cannot be written is lost,
        // and must not take what it counts with it.
        let line = format!("{}\n", self.line(namespace, Timestamp::now()));
        drop(std::io::stdout().lock().write_all(line.as_bytes()));
    }

    fn line(&self, namespace: &str, at: Timestamp) -> Value {
        let metrics: Vec<Value> =
            self.values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit.name() })).collect();
        let dimensions = match self.by {
            None => json!([[]]),
            Some((dimension, _)) => json!([[], [dimension]]),
        };
        let mut line = json!({
            "_aws": {
                "Timestamp": at.as_millisecond(),
                "CloudWatchMetrics": [{ "Namespace": namespace, "Dimensions": dimensions, "Metrics": metrics }],
            },
        });
        for (name, _, value) in &self.values {
            line[*name] = value.clone();
        }
        if let Some((dimension, value)) = &self.by {
            line[*dimension] = json!(value);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_the_specification_asks_for() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let metrics = Metrics::new()
            .count("Calls", 2)
            .seconds("Waited", SignedDuration::from_millis(1500))
            .share("Confidence", 0.5);
        let line = metrics.line("Slipstream/test", at);
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_123i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Slipstream/test");
        assert_eq!(directive["Dimensions"], json!([[]]), "one metric for the whole stack");
        let units: Vec<_> = directive["Metrics"].as_array().unwrap().iter().map(|metric| &metric["Unit"]).collect();
        assert_eq!(units, ["Count", "Seconds", "Percent"]);
        // Each metric that the directive names is a member of the root.
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_number());
        }
        assert_eq!((&line["Calls"], &line["Waited"], &line["Confidence"]), (&json!(2), &json!(1.5), &json!(50.0)));
    }

    #[test]
    fn what_is_told_apart_is_told_in_all_too() {
        let line = Metrics::new().count("Failed", 1).by("Reason", "damaged").line("n", Timestamp::UNIX_EPOCH);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([[], ["Reason"]]));
        assert_eq!(line["Reason"], "damaged");
    }
}
