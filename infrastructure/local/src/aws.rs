//! Talking to AWS as its account's root, or as whoever has a key: by AWS's own CLI, or by signed JSON calls where a start of the CLI (half a
//! second of processor time) would be too slow to repeat.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::{
    process::{self, run},
    wait,
};

/// The region every world lives in.
pub const REGION: &str = "us-east-1";

/// An access key pair.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
}

impl Credentials {
    /// New ones at random.
    pub fn random() -> Self {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        Self { access_key_id: format!("AKIA{}", &random().to_uppercase()[..16]), secret_access_key: random() }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The emulator as an AWS account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// `http://127.0.0.1:<port>`.
    pub endpoint: String,
    /// Somebody's keys, new in each world.
    pub credentials: Credentials,
    /// The folder with the programs of the Python environment, `aws` among them.
    pub programs: PathBuf,
    /// The world's own folder, with empty settings: nothing of the user's AWS settings is read.
    pub home: PathBuf,
}

impl Account {
    /// What the AWS CLI and the SDKs need in their environment to be whoever has the key.
    pub fn environment(&self) -> BTreeMap<&'static str, OsString> {
        BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.endpoint.clone().into()),
            ("AWS_ACCESS_KEY_ID", self.credentials.access_key_id.clone().into()),
            ("AWS_SECRET_ACCESS_KEY", self.credentials.secret_access_key.clone().into()),
            ("AWS_REGION", REGION.into()),
            ("AWS_DEFAULT_REGION", REGION.into()),
            ("AWS_CONFIG_FILE", self.home.join("aws-config").into()),
            ("AWS_SHARED_CREDENTIALS_FILE", self.home.join("aws-credentials").into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("AWS_PAGER", "".into()),
        ])
    }

    /// Runs `aws` with these arguments and reads its answer; `null` when it says nothing.
    ///
    /// # Errors
    /// What the CLI says, when it fails or answers something else than JSON.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.cli_text(Path::new("."), arguments).await?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("aws {} did not answer JSON", arguments.join(" ")))
    }

    /// Runs `aws` in a folder and returns what it prints.
    ///
    /// # Errors
    /// What the CLI says, when it fails.
    pub async fn cli_text(&self, directory: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(self.programs.join("aws"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .args(["--output", "json"])
            .envs(self.environment())
            .env("PATH", process::path_with(&self.programs)?)
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(directory)
            .stderr(Stdio::piped());
        let name = format!("aws {}", arguments.iter().take(2).copied().collect::<Vec<_>>().join(" "));
        let output = run(&name, &mut command).await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// One signed call of a service that speaks AWS JSON, e.g. `("sqs", "AmazonSQS.GetQueueAttributes", {…})`.
    ///
    /// # Errors
    /// The service's own error, by name, or the connection's.
    pub async fn call(&self, service: &str, target: &str, input: &Value) -> Result<Value> {
        let version = if matches!(service, "cognito-idp" | "events" | "logs") { "1.1" } else { "1.0" };
        let headers =
            [("content-type", format!("application/x-amz-json-{version}")), ("x-amz-target", target.to_owned())];
        let answer = self.post(service, target, &headers, serde_json::to_vec(input)?).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&answer)?)
    }

    /// Where a stack stands, e.g. `CREATE_COMPLETE`; nothing when there is none.
    ///
    /// # Errors
    /// When CloudFormation cannot be reached.
    pub async fn stack_status(&self, stack: &str) -> Result<Option<String>> {
        let asked = self.query("cloudformation", "2010-05-15", "DescribeStacks", &[("StackName", stack)]).await;
        match asked {
            Err(error) if error.to_string().contains("does not exist") => Ok(None),
            answer => {
                let answer = answer?;
                let status = answer.split("<StackStatus>").nth(1).and_then(|rest| rest.split('<').next());
                Ok(status.map(ToOwned::to_owned))
            }
        }
    }

    /// One signed call of a service that takes forms and answers XML, for example IAM. The values must need no escaping
    /// but that of `:` and `/`, which forms may hold as they are.
    ///
    /// # Errors
    /// The service's own error, or the connection's.
    pub async fn query(
        &self,
        service: &str,
        version: &str,
        operation: &str,
        values: &[(&str, &str)],
    ) -> Result<String> {
        let values: String = values.iter().map(|(name, value)| format!("&{name}={value}")).collect();
        let body = format!("Action={operation}&Version={version}{values}");
        let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
        self.post(service, operation, &headers, body.into_bytes()).await
    }

    /// The same account as somebody else sees it.
    #[must_use]
    pub fn with(&self, credentials: Credentials) -> Self {
        Self { credentials, ..self.clone() }
    }

    /// A signed POST; `name` is the call's in errors.
    async fn post(&self, service: &str, name: &str, headers: &[(&str, String)], body: Vec<u8>) -> Result<String> {
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let host = self.endpoint.trim_start_matches("http://").to_owned();
        let mut signed = headers.to_vec();
        signed.extend([("host", host), ("x-amz-date", now.clone())]);
        // Signatures list the headers by name.
        signed.sort_by_key(|(name, _)| *name);
        let authorization = sign(&self.credentials, service, &now, &signed, &body);
        let mut request = http().post(&self.endpoint).header("authorization", authorization).body(body);
        for (name, value) in signed.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, value);
        }
        let response = request.send().await.with_context(|| format!("cannot reach AWS at {}", self.endpoint))?;
        let status = response.status();
        let answer = response.text().await?;
        if !status.is_success() {
            bail!("{name} failed ({status}): {answer}");
        }
        Ok(answer)
    }

    /// What a Lambda function has logged since `since` (milliseconds of the Unix epoch), oldest first.
    ///
    /// # Errors
    /// When the log group cannot be read; a function that has not run yet has logged nothing.
    pub async fn logs(&self, function: &str, since: i64) -> Result<Vec<LogLine>> {
        let mut lines = Vec::new();
        let mut input = serde_json::json!({ "logGroupName": format!("/aws/lambda/{function}"), "startTime": since });
        loop {
            let page = match self.call("logs", "Logs_20140328.FilterLogEvents", &input).await {
                Err(error) if error.to_string().contains("ResourceNotFoundException") => return Ok(lines),
                page => page?,
            };
            let events = page["events"].as_array().map(Vec::as_slice).unwrap_or_default();
            lines.extend(events.iter().filter_map(LogLine::parse));
            match page["nextToken"].as_str() {
                Some(token) if !events.is_empty() => input["nextToken"] = token.into(),
                _ => break,
            }
        }
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }

    /// Waits until the emulator answers.
    ///
    /// # Errors
    /// When `alive` says that it is gone, or after half a minute.
    pub async fn ready(&self, mut alive: impl FnMut() -> Result<()>) -> Result<()> {
        let address = format!("{}/_ministack/ready", self.endpoint);
        wait::until("the AWS emulator", std::time::Duration::from_secs(30), async || {
            alive()?;
            let answer = http().get(&address).send().await;
            Ok(answer.is_ok_and(|answer| answer.status().is_success()).then_some(()))
        })
        .await
    }
}

/// One line of a function's log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// Milliseconds of the Unix epoch.
    pub at: i64,
    /// What was written.
    pub message: String,
    /// Which stream it stands in: with `at` and `message`, what tells two lines apart.
    pub stream: String,
}

impl LogLine {
    fn parse(event: &Value) -> Option<Self> {
        Some(Self {
            at: event["timestamp"].as_i64()?,
            message: event["message"].as_str()?.trim_end().to_owned(),
            stream: event["logStreamName"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// A client for addresses on this machine: no proxy, no redirects, and no kept connections, because these would
/// belong to the runtime of one test and be used by another.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .timeout(std::time::Duration::from_secs(60))
        .build()
        .unwrap_or_default()
}

/// AWS Signature Version 4 for a POST to `/` without a query.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
fn sign(credentials: &Credentials, service: &str, now: &str, headers: &[(&str, String)], body: &[u8]) -> String {
    let day = &now[..8];
    let scope = format!("{day}/{REGION}/{service}/aws4_request");
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let listed: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("POST\n/\n\n{listed}\n{names}\n{}", hex::encode(Sha256::digest(body)));
    let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hex::encode(Sha256::digest(canonical.as_bytes())));
    let key = [day, REGION, service, "aws4_request"]
        .into_iter()
        .fold(format!("AWS4{}", credentials.secret_access_key).into_bytes(), |key, part| hmac(&key, part.as_bytes()));
    let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.access_key_id
    )
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_what_is_sent() {
        let credentials =
            Credentials { access_key_id: "AKIDEXAMPLE".to_owned(), secret_access_key: "secret".to_owned() };
        let headers = [("host", "127.0.0.1".to_owned()), ("x-amz-date", "20261122T000000Z".to_owned())];
        let one = sign(&credentials, "sqs", "20261122T000000Z", &headers, b"{}");
        let other = sign(&credentials, "sqs", "20261122T000000Z", &headers, b"{ }");
        let start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, ";
        assert!(one.starts_with(start) && other.starts_with(start), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn secrets_are_not_printed() {
        let credentials = Credentials::random();
        assert!(!format!("{credentials:?}").contains(&credentials.secret_access_key));
    }
}
