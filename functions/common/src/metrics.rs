//! Metrics: a line in CloudWatch's embedded metric format, which Lambda's log makes a metric of, without a call
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

/// The namespace that all of them are in.
const NAMESPACE: &str = "Slipstream";

/// Counts things that happened, by the function in which they did.
pub fn count(counts: &[(&str, u32)]) {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    // One write, so that lines of other threads do not get in between. A metric that cannot be written is lost, and
    // must not take what it counts with it.
    let line = format!("{}\n", line(counts, &function, Timestamp::now()));
    drop(std::io::stdout().lock().write_all(line.as_bytes()));
}

fn line(counts: &[(&str, u32)], function: &str, at: Timestamp) -> Value {
    let metrics: Vec<Value> = counts.iter().map(|(name, _)| json!({ "Name": name, "Unit": "Count" })).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": at.as_millisecond(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": metrics }],
        },
        "FunctionName": function,
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
        let line =
            line(&[("Calls", 2), ("Reused", 0)], "reader", Timestamp::from_millisecond(1_700_000_000_123).unwrap());
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_123i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Slipstream");
        // Each dimension and each metric that the directive names is a member of the root.
        for dimension in directive["Dimensions"][0].as_array().unwrap() {
            assert!(line[dimension.as_str().unwrap()].is_string());
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64());
        }
        assert_eq!((&line["Calls"], &line["Reused"]), (&json!(2), &json!(0)));
    }
}
