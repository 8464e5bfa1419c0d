//! The command line client against the real stack: the built `slip` binary, signing in by SRP.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use slipstream_local::{
    Deployment,
    compile::{self, Beside, Checkout},
    progress::Progress,
    wait,
};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::harness::{DEADLINE, fixture, newcomer, request};

/// Somebody at a terminal.
struct Terminal {
    binary: PathBuf,
    home: PathBuf,
    variables: Vec<(&'static str, String)>,
}

/// How a command ended.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn lines(&self) -> Result<Vec<Value>> {
        self.stdout.lines().map(|line| serde_json::from_str(line).context("a line is JSON")).collect()
    }

    fn json(&self) -> Result<Value> {
        ensure!(self.code == Some(0), "{}{}", self.stdout, self.stderr);
        self.lines()?.into_iter().next().context("there is an answer")
    }
}

impl Terminal {
    /// Signed in as nobody; the workspace's binaries are built already.
    async fn new(world: &Deployment, name: &str) -> Result<Self> {
        let binaries = compile::build(&Checkout::find().await?, Beside::Tests, &Progress::new(true)).await?;
        let home = world.run_dir.join(format!("home-{name}"));
        std::fs::create_dir_all(&home)?;
        let variables = vec![
            ("SLIP_API_URL", world.api_url.clone()),
            ("SLIP_COGNITO_URL", world.account.endpoint.clone()),
            ("SLIP_USER_POOL_ID", world.output("UserPoolId")?.clone()),
            ("SLIP_CLIENT_ID", world.output("UserPoolClientId")?.clone()),
        ];
        Ok(Self { binary: binaries.path("slip")?.to_owned(), home, variables })
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Result<Run> {
        let mut child = Command::new(&self.binary)
            .args(arguments)
            .env_clear()
            .env("HOME", &self.home)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("there is a stdin")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await??;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
    }

    async fn slip(&self, arguments: &[&str]) -> Result<Run> {
        self.run(arguments, "").await
    }

    async fn login(&self, email: &str, password: &str) -> Result<Run> {
        self.run(&["login", email, "--password-stdin"], &format!("{password}\n")).await
    }
}

/// Login, the same receipt twice, a correction, submission, withdrawal, deletion, logout.
pub async fn a_receipt_goes_its_way_from_the_command_line(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let me = session.get("/me").await?.expect(200)?;
    let email = me["email"].as_str().context("a profile has an address")?;
    let terminal = Terminal::new(world, "employee").await?;

    ensure!(terminal.slip(&["list"]).await?.code == Some(3), "nobody is signed in");
    let wrong = terminal.login(email, "Wrong-password-1").await?;
    ensure!(wrong.code == Some(3) && wrong.stderr.contains("password is wrong"), "{}", wrong.stderr);
    let right = terminal.login(email, &world.password).await?;
    ensure!(right.code == Some(0) && right.stdout.contains(email), "{}", right.stderr);

    std::fs::write(terminal.home.join("cafe.jpg"), fixture("cafe-eur.jpg"))?;
    std::fs::copy(terminal.home.join("cafe.jpg"), terminal.home.join("again.jpg"))?;
    let sent = terminal.slip(&["--json", "snap", "cafe.jpg", "again.jpg"]).await?;
    ensure!(sent.code == Some(0), "{}", sent.stderr);
    let sent = sent.lines()?;
    let id = sent[0]["expense"]["id"].as_str().context("a draft came of it")?.to_owned();
    ensure!(sent.len() == 2 && sent[1]["expense"]["id"] == *id, "two files of the same bytes: {sent:?}");

    let list = terminal.slip(&["--json", "list", "--status", "draft"]).await?.json()?;
    ensure!(list["expenses"].as_array().is_some_and(|list| list.len() == 1 && list[0]["id"] == *id), "{list}");
    let shown = terminal.slip(&["show", &id]).await?;
    ensure!(shown.stdout.contains(" %"), "{}{}", shown.stdout, shown.stderr);
    let receipt = sent[0]["receipt"]["id"].as_str().context("a receipt has an id")?;
    let fetched = terminal.slip(&["receipt", "fetch", receipt, "--output", "fetched"]).await?;
    ensure!(fetched.code == Some(0), "{}", fetched.stderr);
    let file = std::fs::read(terminal.home.join("fetched").join(format!("{receipt}.jpg")))?;
    ensure!(file == fixture("cafe-eur.jpg"), "what was sent comes back");

    let edited =
        terminal.slip(&["--json", "edit", &id, "amount=12.50 EUR", "category=meals", "note=Team"]).await?.json()?;
    ensure!(edited["details"]["amount"] == json!({"minor_units": 1250, "currency": "EUR"}), "{edited}");
    let crossed = terminal.slip(&["edit", &id, "note=Late", "--if-version", "1"]).await?;
    ensure!(crossed.code == Some(5), "{}", crossed.stderr);
    let mistaken = terminal.slip(&["--json", "edit", &id, "category=nonsense"]).await?;
    ensure!(mistaken.code == Some(5), "{}{}", mistaken.stdout, mistaken.stderr);

    let submitted = terminal.slip(&["--json", "submit", &id]).await?.json()?;
    ensure!(submitted["status"] == "submitted", "{submitted}");
    ensure!(terminal.slip(&["submit", &id]).await?.code == Some(5), "it is submitted once");
    let history = terminal.slip(&["history", &id]).await?;
    for event in ["ExpenseDrafted", "ExpenseEdited", "ExpenseSubmitted"] {
        ensure!(history.stdout.contains(event), "{}", history.stdout);
    }
    ensure!(terminal.slip(&["withdraw", &id]).await?.code == Some(0), "it is taken back");
    ensure!(terminal.slip(&["delete", &id]).await?.code == Some(0), "it is deleted");
    ensure!(terminal.slip(&["show", &id]).await?.code == Some(4), "it is gone");

    let data = terminal.slip(&["export", "--kind", "personal-data", "--output", "me"]).await?;
    ensure!(data.code == Some(0), "{}", data.stderr);
    ensure!(std::fs::read_dir(terminal.home.join("me"))?.count() > 0, "{}", data.stdout);

    ensure!(terminal.slip(&["logout"]).await?.code == Some(0), "signed out");
    ensure!(terminal.slip(&["list"]).await?.code == Some(3), "nobody is signed in any more");
    Ok(())
}

/// Signing up and finding back in, both by a mailed code; what a weak password and a wrong code are told.
pub async fn an_account_is_made_and_found_again_from_the_command_line(world: &Deployment) -> Result<()> {
    let terminal = Terminal::new(world, "account").await?;
    let email = format!("{}@example.com", uuid::Uuid::new_v4());
    let sign_up = ["sign-up", &email, "--name", "Ines", "--password-stdin"];
    let weak = terminal.run(&sign_up, "short\n").await?;
    ensure!(weak.code == Some(5) && weak.stderr.contains("password"), "{}", weak.stderr);
    let elsewhere = terminal.run(&["sign-up", "eve@elsewhere.test", "--password-stdin"], "Correct-Horse-9\n").await?;
    ensure!(elsewhere.code == Some(5) && elsewhere.stderr.contains("example.com"), "{}", elsewhere.stderr);
    let begun = terminal.run(&sign_up, "Correct-Horse-9\n").await?;
    ensure!(begun.code == Some(0) && begun.stderr.contains("--code"), "{}", begun.stderr);
    let early = terminal.login(&email, "Correct-Horse-9").await?;
    ensure!(early.code == Some(3) && early.stderr.contains("sign-up is not finished"), "{}", early.stderr);
    let wrong = terminal.slip(&["sign-up", &email, "--code", "000000"]).await?;
    ensure!(wrong.code == Some(5), "{}", wrong.stderr);
    ensure!(terminal.slip(&["sign-up", &email, "--resend"]).await?.code == Some(0), "another code");
    // The laptop's codes are always the same: one for accounts, one for passwords.
    let done = terminal.slip(&["sign-up", &email, "--code", "123456"]).await?;
    ensure!(done.code == Some(0), "{}", done.stderr);
    ensure!(terminal.login(&email, "Correct-Horse-9").await?.code == Some(0), "signed in");

    ensure!(terminal.slip(&["reset-password", &email]).await?.code == Some(0), "a code is mailed");
    let reset = ["reset-password", &email, "--code", "654321", "--password-stdin"];
    let reset = terminal.run(&reset, "Another-Horse-8\n").await?;
    ensure!(reset.code == Some(0), "{}", reset.stderr);
    ensure!(terminal.login(&email, "Correct-Horse-9").await?.code == Some(3), "the old password is over");
    ensure!(terminal.login(&email, "Another-Horse-8").await?.code == Some(0), "the new one holds");
    Ok(())
}

/// An approver sees what they decide on, sends it back, and its owner is told why.
pub async fn an_approver_decides_from_the_command_line(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let me = session.get("/me").await?.expect(200)?;
    let email = me["email"].as_str().context("a profile has an address")?;
    let owner = Terminal::new(world, "owner").await?;
    ensure!(owner.login(email, &world.password).await?.code == Some(0), "the owner is signed in");
    std::fs::write(owner.home.join("parking.pdf"), fixture("parking.pdf"))?;
    let sent = owner.slip(&["--json", "snap", "parking.pdf"]).await?.json()?;
    let id = sent["expense"]["id"].as_str().context("a draft came of it")?.to_owned();
    let receipt = sent["receipt"]["id"].as_str().context("a receipt has an id")?.to_owned();
    owner.slip(&["--json", "submit", &id]).await?.json()?;
    request(world, &id).await?;

    let manager = Terminal::new(world, "manager").await?;
    ensure!(manager.login(&world.person("manager")?.email, &world.password).await?.code == Some(0), "signed in");
    let queue = manager.slip(&["approvals", "--all"]).await?;
    ensure!(queue.stdout.contains(&format!("{id}.1  due ")), "{}{}", queue.stdout, queue.stderr);
    let shown = manager.slip(&["show", &id]).await?;
    ensure!(shown.code == Some(0) && shown.stdout.contains(" %"), "{}{}", shown.stdout, shown.stderr);
    let fetched = manager.slip(&["receipt", "fetch", &receipt]).await?;
    ensure!(fetched.code == Some(0), "{}", fetched.stderr);
    let back = ["request-changes", &format!("{id}.1"), "--comment", "Which trip?"];
    ensure!(manager.slip(&back).await?.code == Some(0), "sent back");
    let told = owner.slip(&["show", &id]).await?;
    ensure!(told.stdout.contains("Which trip?"), "{}{}", told.stdout, told.stderr);

    owner.slip(&["--json", "edit", &id, "note=Vienna"]).await?.json()?;
    owner.slip(&["--json", "submit", &id]).await?.json()?;
    request(world, &id).await?;
    wait::until("the second submission to wait for the manager", DEADLINE, async || {
        let queue = manager.slip(&["--json", "approvals", "--all"]).await?;
        Ok(queue.stdout.contains(&format!("{id}.2")).then_some(()))
    })
    .await?;
    let approved = manager.slip(&["approve", &format!("{id}.2"), &format!("{id}.1")]).await?;
    ensure!(approved.stdout.contains(&format!("{id}.2 is approved.")), "{}{}", approved.stdout, approved.stderr);
    ensure!(approved.code == Some(5), "the first submission is over: {}", approved.stderr);
    Ok(())
}

/// What finance and administrators do, and what they may not.
pub async fn finance_and_administrators_work_from_the_command_line(world: &Deployment) -> Result<()> {
    let finance = Terminal::new(world, "finance").await?;
    let login = finance.login(&world.person("finance")?.email, &world.password).await?;
    ensure!(login.code == Some(0), "{}", login.stderr);
    let listed = finance.slip(&["--json", "list", "--finance", "--status", "submitted"]).await?.json()?;
    ensure!(listed["expenses"].is_array(), "{listed}");
    let policy = finance.slip(&["policy", "get"]).await?;
    ensure!(policy.stdout.contains("decision_due_seconds"), "{}", policy.stderr);

    let employee = world.person("employee")?;
    let administrator = Terminal::new(world, "administrator").await?;
    let login = administrator.login(&world.person("administrator")?.email, &world.password).await?;
    ensure!(login.code == Some(0), "{}", login.stderr);
    let shown = administrator.slip(&["--json", "people", "show", &employee.email]).await?.json()?;
    ensure!(shown["id"] == *employee.id, "{shown}");
    let set = administrator.slip(&["--json", "people", "set", &employee.email, "--locale", "de-AT"]).await?.json()?;
    ensure!(set["locale"] == "de-AT", "{set}");
    let nobody = administrator.slip(&["people", "show", "nobody@example.com"]).await?;
    ensure!(nobody.code == Some(4), "{}", nobody.stderr);
    let refused = administrator.slip(&["list", "--finance", "--status", "submitted"]).await?;
    ensure!(refused.code == Some(5), "{}", refused.stderr);
    Ok(())
}
