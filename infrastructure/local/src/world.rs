//! A world: everything started, deployed and seeded, and everything ended again.

use std::{collections::BTreeMap, fs, ops::Deref, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    aws::{Account, Credentials, LogLine},
    client::{Client, Session},
    compile::{self, Checkout},
    deploy,
    emulator::{self, Ports, Surroundings},
    front::Front,
    mailbox::Mailbox,
    process::Service,
    progress::Progress,
    python,
    seed::{self, Person},
    state,
};

/// The stack's name.
const STACK: &str = "slipstream";
/// Who mail comes from.
const MAIL_FROM: &str = "expenses@example.com";

/// How to start a world.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// The first of four ports; without it, any that are free.
    pub ports: Option<u16>,
    /// Template parameters that differ from the laptop's.
    pub parameters: BTreeMap<String, String>,
    /// Variables for every function beyond those of the template, e.g. `AWS_ENDPOINT_URL_TEXTRACT` for a fault proxy.
    pub environment: Vec<(String, String)>,
    /// Whether progress is printed.
    pub quiet: bool,
    /// Whether `cargo local status` and the others are to find it: one world at a time.
    pub announce: bool,
    /// Its folder; without it, a new one below cargo's target folder.
    pub run_dir: Option<PathBuf>,
    /// What is built beside the binaries.
    pub build_beside: compile::Beside,
}

/// Everything that one needs to know of a running world to use it. Also what `world.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployment {
    /// The process that holds it up.
    pub pid: u32,
    /// Index page, mailbox and API: `http://127.0.0.1:<port>`.
    pub front_url: String,
    /// The API as people and mails address it.
    pub api_url: String,
    /// The API at the emulator itself.
    pub gateway_url: String,
    /// The receipt reader.
    pub reader_url: String,
    /// The AWS account, as its root.
    pub account: Account,
    /// The key of the operator, who may do what the stack's policy for operators allows. None until they are seeded.
    pub operator: Option<Credentials>,
    /// The stack's name, which begins the functions' names.
    pub stack: String,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
    /// Who can sign in.
    pub people: Vec<Person>,
    /// With this password.
    pub password: String,
    /// The folder with the logs of emulator and reader.
    pub run_dir: PathBuf,
}

impl Deployment {
    /// One output of the stack.
    ///
    /// # Errors
    /// When the stack has none of this name.
    pub fn output(&self, name: &str) -> Result<&String> {
        self.outputs.get(name).with_context(|| format!("the stack has no output {name}"))
    }

    /// Someone seeded, by role.
    ///
    /// # Errors
    /// When nobody has the role.
    pub fn person(&self, role: &str) -> Result<&Person> {
        self.people.iter().find(|person| person.role == role).with_context(|| format!("nobody was seeded as {role}"))
    }

    /// Signs in someone seeded, by role.
    ///
    /// # Errors
    /// When nobody has the role, or Cognito refuses.
    pub async fn session(&self, role: &str) -> Result<Session> {
        self.client()?.sign_in(&self.person(role)?.email, &self.password).await
    }

    /// A client of its API.
    ///
    /// # Errors
    /// When the stack has no user pool client.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::new(&self.api_url, &self.account.endpoint, self.output("UserPoolClientId")?))
    }

    /// Its mailbox.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox::at(&self.front_url)
    }

    /// The AWS account as the operator sees it.
    ///
    /// # Errors
    /// When there is no operator yet.
    pub fn as_operator(&self) -> Result<Account> {
        Ok(self.account.with(self.operator.clone().context("the operator is not seeded yet")?))
    }

    /// Runs the AWS CLI as root; the answer is its JSON.
    ///
    /// # Errors
    /// What the CLI says.
    pub async fn aws(&self, arguments: &[&str]) -> Result<Value> {
        self.account.cli(arguments).await
    }

    /// What a function has logged, by its short name (`receipts`) or its full one; the emulator writes an invocation's
    /// log when it ends.
    ///
    /// # Errors
    /// When the logs cannot be read.
    pub async fn logs(&self, function: &str, since: i64) -> Result<Vec<LogLine>> {
        let prefix = format!("{}-", self.stack);
        let name = if function.starts_with(&prefix) { function.to_owned() } else { prefix + function };
        self.account.logs(&name, since).await
    }

    /// The emulator's own complaints about a function: what fails before an invocation begins is in no function's log.
    pub fn complaints(&self, function: &str) -> Vec<String> {
        let log = fs::read(self.run_dir.join("emulator.log")).unwrap_or_default();
        let name = format!("{}-{function}", self.stack);
        let complaint = |line: &&str| line.contains(&name) && (line.contains(" ERROR ") || line.contains(" WARNING "));
        String::from_utf8_lossy(&log).lines().filter(complaint).map(ToOwned::to_owned).collect()
    }

    /// The short names of all functions.
    ///
    /// # Errors
    /// When Lambda does not answer.
    pub async fn functions(&self) -> Result<Vec<String>> {
        let answer = self.aws(&["lambda", "list-functions", "--query", "Functions[].FunctionName"]).await?;
        let prefix = format!("{}-", self.stack);
        let names = answer.as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(names.filter_map(|name| name.strip_prefix(&prefix)).map(ToOwned::to_owned).collect())
    }
}

/// A running world that is ours: dropping it ends every process of it.
#[derive(Debug)]
pub struct World {
    deployment: Deployment,
    emulator: Service,
    reader: Service,
    _front: Front,
    claim: Option<state::Claim>,
    progress: Progress,
    // Last: the services write into it until they are gone.
    _run_dir: state::RunDir,
}

impl Deref for World {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

impl World {
    /// Builds, starts, deploys and seeds; half-way errors and a dropped future end what was started.
    ///
    /// # Errors
    /// Names what is missing and its remedy.
    pub async fn start(options: Options) -> Result<Self> {
        let progress = Progress::new(options.quiet);
        let interpreter = python::find().await?;
        let checkout = Checkout::find().await?;
        let claim = if options.announce { Some(state::Claim::take(&checkout.local()).await?) } else { None };
        let ports = Ports::choose(options.ports)?;
        let (binaries, python) = tokio::try_join!(
            progress.step("building the workspace", compile::build(&checkout, options.build_beside, &progress)),
            python::prepare(&checkout, &interpreter, &progress),
        )?;

        let own_dir = state::RunDir::make(&checkout.local(), options.run_dir.as_deref())?;
        let run_dir = own_dir.path.clone();
        let front = Front::start(ports.front, ports.smtp)?;
        let reader_url = format!("http://127.0.0.1:{}", ports.reader);
        let account = Account {
            endpoint: format!("http://127.0.0.1:{}", ports.emulator),
            credentials: Credentials::random(),
            programs: python.venv.join("bin"),
            home: run_dir.clone(),
        };
        for settings in ["aws-config", "aws-credentials"] {
            // The SDKs warn of a settings file that is named but not there.
            fs::write(run_dir.join(settings), "")?;
        }
        let surroundings = Surroundings {
            port: ports.emulator,
            run_dir: &run_dir,
            reader_url: &reader_url,
            smtp: &front.smtp,
            environment: &options.environment,
        };
        let mut emulator = emulator::start(&account, &python, &surroundings)?;
        let mut reader = emulator::start_reader(binaries.path("reader")?, &python.models, ports.reader, &run_dir)?;
        progress
            .step("starting the AWS emulator and the reader", async {
                tokio::try_join!(account.ready(|| emulator.check()), emulator::reader_ready(&mut reader, ports.reader))
                    .map(|_| ())
            })
            .await?;

        let api_url = format!("{}/api", front.url);
        let parameters = parameters(&api_url, &options.parameters);
        let stage = run_dir.join("stage");
        let plan = deploy::Plan {
            checkout: &checkout,
            binaries: &binaries,
            python: &python,
            account: &account,
            stack: STACK,
            parameters: &parameters,
            stage,
        };
        let outputs = deploy::deploy(&plan, &progress).await?;

        let mut deployment = Deployment {
            pid: std::process::id(),
            front_url: front.url.clone(),
            api_url,
            gateway_url: String::new(),
            reader_url,
            account,
            operator: None,
            stack: STACK.to_owned(),
            outputs,
            people: Vec::new(),
            password: seed::PASSWORD.to_owned(),
            run_dir,
        };
        deployment.gateway_url =
            format!("{}/_aws/execute-api/{}/v1", deployment.account.endpoint, deployment.output("ApiId")?);
        let _ = front.shown.api.set(deployment.gateway_url.clone());
        let people = progress
            .step("seeding people", async {
                let client = deployment.client()?;
                tokio::try_join!(
                    seed::seed(&deployment.account, &client, deployment.output("UserPoolId")?),
                    seed::operator(&deployment.account, deployment.output("OperatorPolicyArn")?),
                )
            })
            .await;
        let (people, operator) = people.with_context(|| format!("the logs are in {}", deployment.run_dir.display()))?;
        deployment.people = people;
        deployment.operator = Some(operator);
        let _ = front.shown.deployment.set(deployment.clone());
        if let Some(claim) = &claim {
            claim.publish(&deployment)?;
        }
        progress.say("ready");
        Ok(Self { deployment, emulator, reader, _front: front, claim, progress, _run_dir: own_dir })
    }

    /// What others need to know of it.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The steps of the start with their durations.
    pub fn steps(&self) -> Vec<(String, Duration)> {
        self.progress.steps()
    }

    /// Returns when the emulator or the reader has stopped by itself.
    ///
    /// # Errors
    /// Always: the reason, with the end of its log.
    pub async fn watch(&mut self) -> Result<()> {
        crate::wait::until("the end of the world", Duration::MAX, async || {
            self.emulator.check()?;
            self.reader.check()?;
            Ok(None)
        })
        .await
    }

    /// Ends it; the same as dropping it.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.emulator.ask_to_stop();
        self.reader.ask_to_stop();
        self.emulator.stop();
        self.reader.stop();
        // Nobody finds it any more, and its address answers no longer.
        self.claim.take();
    }
}

/// The template's parameters on a laptop.
fn parameters(api_url: &str, differing: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let laptop = [
        ("Architecture", architecture),
        ("MailFrom", MAIL_FROM),
        ("PublicBaseUrl", api_url),
        ("AllowedMailDomains", "example.com"),
        // The emulator's permission checks know no identities of SES.
        ("MailIdentityArn", "*"),
        // Long enough to see that what arrives together comes as one.
        ("MailBatchSeconds", "1"),
        // The emulator speaks plain HTTP on the loopback.
        ("RequireTls", "false"),
    ];
    let mut parameters: BTreeMap<String, String> =
        laptop.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    parameters.extend(differing.clone());
    parameters
}

#[cfg(test)]
impl Deployment {
    /// One that does not run.
    pub(crate) fn example() -> Self {
        Self {
            pid: 1,
            front_url: "http://127.0.0.1:9".to_owned(),
            api_url: "http://127.0.0.1:9/api".to_owned(),
            gateway_url: "http://127.0.0.1:8".to_owned(),
            reader_url: "http://127.0.0.1:7".to_owned(),
            account: Account {
                endpoint: "http://127.0.0.1:8".to_owned(),
                credentials: Credentials::random(),
                programs: PathBuf::from("/v/bin"),
                home: PathBuf::from("/r"),
            },
            operator: None,
            stack: STACK.to_owned(),
            outputs: BTreeMap::new(),
            people: Vec::new(),
            password: String::new(),
            run_dir: PathBuf::from("/r"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_parameters_win() {
        let differing = BTreeMap::from([
            ("MailFrom".to_owned(), "a@example.org".to_owned()),
            ("TicketSeconds".to_owned(), "3".to_owned()),
        ]);
        let parameters = parameters("http://127.0.0.1:9/api", &differing);
        assert_eq!(parameters["MailFrom"], "a@example.org");
        assert_eq!(parameters["TicketSeconds"], "3");
        assert_eq!(parameters["PublicBaseUrl"], "http://127.0.0.1:9/api");
    }
}
