//! What the templates must hold beyond what CloudFormation asks: no failure without a place and an alarm, no permission
//! without need, no alarm without a section that says what to do.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// YAML as JSON, the short forms of the intrinsic functions as their long ones.
fn plain(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Sequence(items) => items.iter().map(plain).collect(),
        Yaml::Mapping(members) => {
            let name = |key: &Yaml<'_>| match plain(key) {
                Value::String(name) => name,
                other => other.to_string(),
            };
            Value::Object(members.iter().map(|(key, value)| (name(key), plain(value))).collect())
        }
        Yaml::Tagged(tag, inner) => {
            let function = match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ function: plain(inner) })
        }
        other => panic!("{other:?} is no YAML of a template"),
    }
}

fn template(path: &str) -> Value {
    plain(&Yaml::load_from_str(&file(path)).unwrap()[0])
}

type Resources = BTreeMap<String, Value>;

fn resources(template: &Value) -> Resources {
    template["Resources"].as_object().unwrap().clone().into_iter().collect()
}

fn main_template() -> Resources {
    resources(&template("infrastructure/template.yaml"))
}

fn watch() -> Resources {
    resources(&template("infrastructure/watch.yaml"))
}

/// The resources of a type with their properties.
fn of_type<'a>(resources: &'a Resources, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let found = resources.iter().filter(|(_, resource)| resource["Type"] == kind);
    let found: Vec<_> = found.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect();
    assert!(!found.is_empty(), "there is a {kind}");
    found
}

/// Which resource a reference leads to, whatever it asks of it.
fn target(reference: &Value) -> &str {
    let text = reference["Fn::GetAtt"].as_str().or_else(|| reference["Ref"].as_str());
    text.unwrap_or_else(|| panic!("{reference} leads nowhere")).split('.').next().unwrap()
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

/// Every object within.
fn objects<'a>(value: &'a Value, found: &mut Vec<&'a Map<String, Value>>) {
    match value {
        Value::Object(members) => {
            found.push(members);
            members.values().for_each(|member| objects(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| objects(item, found)),
        _ => {}
    }
}

/// What takes what others could not deliver or do.
fn failure_destinations(resources: &Resources) -> BTreeSet<&str> {
    let all = resources.values().collect::<Vec<_>>();
    let mut found = Vec::new();
    all.into_iter().for_each(|resource| objects(resource, &mut found));
    let arns = found.into_iter().flat_map(|members| {
        [
            members.get("deadLetterTargetArn"),
            members.get("DeadLetterConfig").map(|config| &config["Arn"]),
            members.get("OnFailure").map(|destination| &destination["Destination"]),
        ]
    });
    arns.flatten().map(target).collect()
}

#[test]
fn every_queue_gives_up_into_another_and_both_are_watched() {
    let (main, watch) = (main_template(), watch());
    let dead = failure_destinations(&main);
    let alarms = of_type(&watch, "AWS::CloudWatch::Alarm");
    let watched = |queue: &str, metric: &str| {
        let of_queue = json!([{ "Name": "QueueName", "Value": { "Ref": queue } }]);
        alarms.iter().any(|(_, alarm)| alarm["MetricName"] == metric && alarm["Dimensions"] == of_queue)
    };
    for (name, queue) in of_type(&main, "AWS::SQS::Queue") {
        let passed_on = &main["Watch"]["Properties"]["Parameters"][name];
        assert_eq!(passed_on["Fn::GetAtt"], format!("{name}.QueueName"), "the watch knows it by its name");
        if dead.contains(name) {
            assert!(watched(name, "ApproximateNumberOfMessagesVisible"), "{name} has no alarm");
            assert_eq!(queue["MessageRetentionPeriod"], 1_209_600, "{name}: the longest that there is, fourteen days");
        } else {
            let redrive = &queue["RedrivePolicy"];
            assert!(dead.contains(target(&redrive["deadLetterTargetArn"])), "{name}");
            assert!((3..=10).contains(&redrive["maxReceiveCount"].as_u64().unwrap()), "{name}");
            assert!(watched(name, "ApproximateAgeOfOldestMessage"), "{name}: nobody sees that it stands still");
            // One that failed once comes back after the visibility timeout, which is no reason to wake anybody.
            let waits = alarms.iter().find(|(_, alarm)| {
                alarm["MetricName"] == "ApproximateAgeOfOldestMessage" && alarm["Dimensions"][0]["Value"]["Ref"] == name
            });
            let (age, hidden) = (waits.unwrap().1["Threshold"].as_u64(), queue["VisibilityTimeout"].as_u64());
            assert!(age.unwrap() * 2 >= hidden.unwrap() * 3, "{name}: {age:?} s is too soon after {hidden:?} s");
        }
    }
}

#[test]
fn every_asynchronous_path_says_how_often_how_long_and_whereto() {
    let (main, watch) = (main_template(), watch());
    let alarms = of_type(&watch, "AWS::CloudWatch::Alarm");
    let alarmed: BTreeSet<_> = alarms.iter().map(|(_, alarm)| alarm["MetricName"].as_str().unwrap()).collect();
    let (dead, mut paths) = (failure_destinations(&main), 0);
    let limited = |name: &str, policy: &Value, destination: &Value| {
        assert!(policy["MaximumRetryAttempts"].is_u64(), "{name}: {policy}");
        assert!(policy["MaximumEventAgeInSeconds"].is_u64(), "{name}: {policy}");
        assert!(dead.contains(target(destination)), "{name}: {destination}");
    };
    let mut called_later = BTreeSet::new();
    for (name, rule) in of_type(&main, "AWS::Events::Rule") {
        for to in list(&rule["Targets"]) {
            limited(name, &to["RetryPolicy"], &to["DeadLetterConfig"]["Arn"]);
            paths += 1;
            let kind = &main[target(&to["Arn"])]["Type"];
            assert!(
                kind == "AWS::SQS::Queue" || kind == "AWS::Serverless::StateMachine",
                "{name}: what a function fails is lost"
            );
        }
    }
    for (name, schedule) in of_type(&main, "AWS::Scheduler::Schedule") {
        let to = &schedule["Target"];
        limited(name, &to["RetryPolicy"], &to["DeadLetterConfig"]["Arn"]);
        paths += 1;
        called_later.insert(target(&to["Arn"]));
    }
    for (name, function) in of_type(&main, "AWS::Serverless::Function") {
        if called_later.contains(name) {
            let later = &function["EventInvokeConfig"];
            limited(name, later, &later["DestinationConfig"]["OnFailure"]["Destination"]);
            paths += 1;
        }
        for (trigger, event) in function["Events"].as_object().into_iter().flatten() {
            let trigger = format!("{name}.{trigger}");
            let properties = &event["Properties"];
            assert_eq!(properties["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{trigger}");
            match event["Type"].as_str().unwrap() {
                "SQS" => {
                    let queue = &main[target(&properties["Queue"])]["Properties"];
                    let (visible, timeout) = (queue["VisibilityTimeout"].as_u64(), function["Timeout"].as_u64());
                    // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
                    assert!(visible.unwrap() >= 6 * timeout.unwrap(), "{trigger}: six times the function's timeout");
                }
                "DynamoDB" => {
                    for (limit, most) in [("MaximumRetryAttempts", 10), ("MaximumRecordAgeInSeconds", 86_400)] {
                        let given = properties[limit].as_i64().unwrap();
                        assert!((1..=most).contains(&given), "{trigger}: {limit} {given}");
                    }
                    // Without them the two alarms on the mapping have no metric.
                    assert_eq!(properties["MetricsConfig"]["Metrics"], json!(["EventCount"]), "{trigger}");
                    let mapping = format!("{name}{}", trigger.split('.').next_back().unwrap());
                    assert_eq!(main["Watch"]["Properties"]["Parameters"]["PublisherMapping"]["Ref"], mapping);
                    for metric in ["OnFailureDestinationDeliveredEventCount", "DroppedEventCount", "IteratorAge"] {
                        assert!(alarmed.contains(metric), "{trigger}: {metric} has no alarm");
                    }
                    assert_eq!(properties["BisectBatchOnFunctionError"], true, "{trigger}");
                    let failure = &properties["DestinationConfig"]["OnFailure"];
                    assert_eq!(failure["Type"], "S3", "{trigger}: only S3 gets the records themselves");
                    assert_eq!(main[target(&failure["Destination"])]["Type"], "AWS::S3::Bucket", "{trigger}");
                }
                other => panic!("{trigger}: {other} has no rule here"),
            }
            paths += 1;
        }
    }
    for (name, bucket) in of_type(&main, "AWS::S3::Bucket") {
        let notifications = &bucket["NotificationConfiguration"];
        let kinds = notifications.as_object().into_iter().flatten().map(|(kind, _)| kind.as_str());
        assert!(kinds.clone().all(|kind| kind == "QueueConfigurations"), "{name}: only a queue tries again");
        paths += kinds.count();
    }
    for (name, subscription) in of_type(&main, "AWS::SNS::Subscription") {
        assert!(dead.contains(target(&subscription["RedrivePolicy"]["deadLetterTargetArn"])), "{name}");
        paths += 1;
    }
    assert!(paths >= 12, "the paths were looked at: {paths}");
}

#[test]
fn every_log_ends() {
    let main = main_template();
    let groups = of_type(&main, "AWS::Logs::LogGroup");
    for (name, group) in &groups {
        assert_eq!(group["RetentionInDays"], json!({ "Ref": "LogRetentionDays" }), "{name}");
    }
    for (name, _) in of_type(&main, "AWS::Serverless::Function") {
        let own = json!({ "Fn::Sub": format!("/aws/lambda/${{{name}}}") });
        assert!(groups.iter().any(|(_, group)| group["LogGroupName"] == own), "{name} would make its own, for ever");
    }
}

#[test]
fn the_stage_of_the_links_keeps_no_path() {
    let main = main_template();
    let (_, api) = of_type(&main, "AWS::Serverless::Api")[0];
    assert_eq!(api["TracingEnabled"], false);
    assert!(!api["AccessLogSetting"]["Format"].as_str().unwrap().contains("$context.path"));
    for method in list(&api["MethodSettings"]) {
        assert_eq!((&method["LoggingLevel"], &method["DataTraceEnabled"]), (&json!("OFF"), &json!(false)));
    }
    let (_, machine) = of_type(&main, "AWS::Serverless::StateMachine")[0];
    assert_eq!(machine["Logging"]["IncludeExecutionData"], false, "it holds task tokens");
}

/// What takes no narrower resource, by AWS's service authorization reference
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/>).
const NOT_NARROWER: [&str; 17] = [
    "textract:AnalyzeExpense",
    "states:SendTaskSuccess",
    "states:SendTaskFailure",
    "dynamodb:ListStreams",
    "events:ListReplays",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
];

#[test]
fn permissions_name_what_they_allow() {
    let mut statements = 0;
    for path in ["template.yaml", "dynamodb-table.yaml", "watch.yaml"] {
        let resources = resources(&template(&format!("infrastructure/{path}")));
        for (name, resource) in &resources {
            let mut found = Vec::new();
            objects(resource, &mut found);
            for statement in found.into_iter().filter(|members| members.get("Effect") == Some(&json!("Allow"))) {
                statements += 1;
                let statement = Value::Object(statement.clone());
                let at = format!("{name}: {statement}");
                assert!(statement["NotAction"].is_null() && statement["NotResource"].is_null(), "{at}");
                let actions: Vec<_> = list(&statement["Action"]).into_iter().map(|one| one.as_str().unwrap()).collect();
                assert!(!actions.is_empty() && actions.iter().all(|action| !action.contains('*')), "{at}");
                if list(&statement["Resource"]).contains(&&json!("*")) {
                    let of_a_queue = resource["Type"] == "AWS::SQS::QueuePolicy";
                    // In a queue's policy it is the queue, for whom the condition names.
                    let narrowed = of_a_queue && statement["Condition"].is_object();
                    assert!(narrowed || actions.iter().all(|action| NOT_NARROWER.contains(action)), "{at}");
                }
                let anyone = [json!("*"), json!({ "AWS": "*" })].contains(&statement["Principal"]);
                assert!(!anyone || statement["Condition"].is_object(), "{at}: for everyone");
            }
        }
        for (name, resource) in &resources {
            let managed = resource["Properties"]["ManagedPolicyArns"].to_string();
            let known = managed == "null" || managed.contains("TracingPolicy") || name == "ApiLogRole";
            assert!(known, "{name}: a managed policy allows what nobody here has read: {managed}");
        }
    }
    assert!(statements > 60, "the statements were looked at: {statements}");
}

/// The name of an alarm: what follows the stack's in its own.
fn name_of(alarm: &Value) -> &str {
    alarm["AlarmName"]["Fn::Sub"].as_str().unwrap().strip_prefix("${Stack}-").unwrap()
}

#[test]
fn every_alarm_reaches_somebody_and_says_what_to_do() {
    let (main, watch) = (main_template(), watch());
    let page = file("docs/operations.md");
    let named: BTreeSet<String> = of_type(&main, "AWS::Serverless::Function")
        .into_iter()
        .map(|(_, function)| function["FunctionName"]["Fn::Sub"].as_str().unwrap().replace("AWS::StackName", "Stack"))
        .collect();
    let (_, api) = of_type(&main, "AWS::Serverless::Api")[0];
    assert_eq!((&api["Name"]["Fn::Sub"], &api["StageName"]), (&json!("${AWS::StackName}"), &json!("v1")));
    let (_, runbook) = page.split_once("\n## Alarms\n").unwrap();
    let runbook = runbook.split("\n## ").next().unwrap();
    let sections: BTreeSet<_> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alarms = of_type(&watch, "AWS::CloudWatch::Alarm");
    let names: BTreeSet<_> = alarms.iter().map(|(_, alarm)| name_of(alarm)).collect();
    assert_eq!(names, sections, "each alarm has a section, and each section an alarm");
    assert_eq!(names.len(), alarms.len());
    for (logical, alarm) in &alarms {
        let name = name_of(alarm);
        let says = alarm["AlarmDescription"]["Fn::Sub"].as_str().unwrap();
        assert!(says.ends_with(&format!(": ${{RunbookUrl}}#{name}")), "{logical}: {says}");
        assert_eq!(alarm["AlarmActions"], json!([{ "Ref": "AlarmTopic" }]), "{logical}");
        for dimension in list(&alarm["Dimensions"]) {
            let (kind, value) = (dimension["Name"].as_str().unwrap(), &dimension["Value"]);
            let known = match kind {
                "FunctionName" => value["Fn::Sub"].as_str().is_some_and(|name| named.contains(name)),
                "ApiName" => value["Ref"] == "Stack",
                "Stage" => value == "v1",
                "QueueName" | "StateMachineArn" | "EventSourceMappingUUID" => value["Ref"].is_string(),
                _ => false,
            };
            assert!(known, "{logical}: there is no {kind} {value}");
        }
        assert!(["breaching", "notBreaching"].contains(&alarm["TreatMissingData"].as_str().unwrap()), "{logical}");
    }
}

/// The text of all functions.
fn code() -> String {
    fn read(folder: &Path, code: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                read(&entry.path(), code);
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                code.push_str(&fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let mut code = String::new();
    read(&root().join("functions"), &mut code);
    code
}

fn dashboard(watch: &Resources) -> Value {
    let (_, dashboard) = of_type(watch, "AWS::CloudWatch::Dashboard")[0];
    serde_json::from_str(dashboard["DashboardBody"]["Fn::Sub"].as_str().unwrap()).unwrap()
}

/// The system's own metrics that something looks at.
fn looked_at(watch: &Resources) -> BTreeSet<String> {
    let namespace = "Slipstream/${Stack}";
    let mut found: BTreeSet<String> = of_type(watch, "AWS::CloudWatch::Alarm")
        .into_iter()
        .filter(|(_, alarm)| alarm["Namespace"]["Fn::Sub"] == namespace)
        .map(|(_, alarm)| alarm["MetricName"].as_str().unwrap().to_owned())
        .collect();
    for widget in dashboard(watch)["widgets"].as_array().unwrap() {
        for metric in list(&widget["properties"]["metrics"]) {
            if metric[0] == namespace {
                found.insert(metric[1].as_str().unwrap().to_owned());
            }
            if let Some((_, name)) =
                metric[0]["expression"].as_str().and_then(|search| search.split_once("MetricName=\""))
            {
                found.insert(name.split('"').next().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn what_is_looked_at_is_told_and_what_is_told_is_explained() {
    let (watch, code, page) = (watch(), code(), file("docs/operations.md"));
    let mut counted = BTreeSet::new();
    for (name, filter) in of_type(&watch, "AWS::Logs::MetricFilter") {
        for part in filter["FilterPattern"].as_str().unwrap().split("$.message = \"").skip(1) {
            let message = part.split('"').next().unwrap();
            assert!(code.contains(&format!("\"{message}\"")), "{name}: nobody logs {message}");
        }
        counted.insert(filter["MetricTransformations"][0]["MetricName"].as_str().unwrap().to_owned());
    }
    let looked_at = looked_at(&watch);
    assert!(looked_at.len() > 20, "{looked_at:?}");
    for metric in &looked_at {
        assert!(counted.contains(metric) || code.contains(&format!("\"{metric}\"")), "nobody counts {metric}");
    }
    // Named by constants.
    for metric in ["AnalysisCalls", "AnalysesReused", "AnalysisCallsInDoubt", "AnalysesThrottled"] {
        assert!(code.contains(&format!("= \"{metric}\";")) && page.contains(&format!("`{metric}`")), "{metric}");
    }
    for call in [".count(\"", ".seconds(\"", ".share(\""] {
        for part in code.split(call).skip(1) {
            let metric = part.split('"').next().unwrap();
            // Those of the tests of the module itself.
            let example = ["Calls", "Waited", "Confidence", "Failed"].contains(&metric);
            assert!(example || page.contains(&format!("`{metric}`")), "docs/operations.md does not explain {metric}");
        }
    }
}

#[test]
fn the_dashboard_shows_every_alarm_and_every_queue() {
    let (main, watch) = (main_template(), watch());
    let shown = dashboard(&watch).to_string();
    for (_, alarm) in of_type(&watch, "AWS::CloudWatch::Alarm") {
        assert!(shown.contains(&format!(":alarm:${{Stack}}-{}\"", name_of(alarm))), "{}", name_of(alarm));
    }
    for (queue, _) in of_type(&main, "AWS::SQS::Queue") {
        assert!(shown.contains(&format!("\"${{{queue}}}\"")), "{queue}");
    }
    for (_, function) in of_type(&main, "AWS::Serverless::Function") {
        let name = function["FunctionName"]["Fn::Sub"].as_str().unwrap().replace("${AWS::StackName}", "${Stack}");
        assert!(shown.contains(&format!("\"Errors\",\"FunctionName\",\"{name}\"")), "{name}");
    }
}
