//! Metrics: a line in CloudWatch's embedded metric format, which Lambda's log makes a metric of, without a call
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Where a function's metrics go.
#[derive(Debug, Clone)]
pub struct Metrics {
    namespace: String,
}

impl Metrics {
    /// Metrics in a namespace.
    pub const fn new(namespace: String) -> Self {
        Self { namespace }
    }

    /// Counts things that happened.
    pub fn count(&self, counts: &[(&str, u32)]) {
        // One write, so that lines of other threads do not get in between. A metric that cannot be written is lost,
        // and must not take what it counts with it.
        let line = format!("{}\n", line(&self.namespace, counts, Timestamp::now()));
        drop(std::io::stdout().lock().write_all(line.as_bytes()));
    }
}

fn line(namespace: &str, counts: &[(&str, u32)], at: Timestamp) -> Value {
    let metrics: Vec<Value> = counts.iter().map(|(name, _)| json!({ "Name": name, "Unit": "Count" })).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": at.as_millisecond(),
            "CloudWatchMetrics": [{ "Namespace": namespace, "Dimensions": [[]], "Metrics": metrics }],
        },
    });
    for (name, value) in counts {
        line[*name] = json!(value);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_the_specification_asks_for() {
        let line = line(
            "Slipstream/test",
            &[("Calls", 2), ("Reused", 0)],
            Timestamp::from_millisecond(1_700_000_000_123).unwrap(),
        );
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_123i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Slipstream/test");
        assert_eq!(directive["Dimensions"], json!([[]]), "one metric for the whole stack");
        // Each metric that the directive names is a member of the root.
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64());
        }
        assert_eq!((&line["Calls"], &line["Reused"]), (&json!(2), &json!(0)));
    }
}
