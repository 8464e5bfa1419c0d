//! `cargo local`: the whole system on this machine. See the library for how.

use std::{
    collections::HashSet,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use slipstream_local::{
    Deployment, Options, World,
    compile::{self, Checkout},
    demo, emulator, process,
    progress::Progress,
    python, state, wait,
};
use tokio::signal::unix::{SignalKind, signal};

/// How late a line may come after another: the longest timeout of a function.
const LATE_MILLISECONDS: i64 = 300_000;

/// Runs Slipstream on this machine: the functions, an AWS emulator, a receipt reader and a mailbox.
#[derive(Debug, Parser)]
#[command(name = "cargo local", bin_name = "cargo local")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: Up,
}

#[derive(Debug, Args, Default)]
struct Up {
    /// The first of four ports on 127.0.0.1 (pages and API, AWS, reader, SMTP); any that are free without it
    #[arg(long, value_name = "BASE")]
    ports: Option<u16>,
}

#[derive(Debug, Args)]
struct Read {
    /// Pictures or PDFs
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Prints the AnalyzeExpense response, one for each page
    #[arg(long)]
    json: bool,
    /// Draws the boxes of what was found on the picture; further pages get a number behind the name
    #[arg(long, value_name = "OUT.png")]
    annotate: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Brings everything up and holds it until Ctrl-C (the default)
    Up(Up),
    /// Shows where the running world is, who can sign in, and how to use the AWS CLI on it
    Status {
        /// As JSON, with the root's and the operator's credentials
        #[arg(long)]
        json: bool,
    },
    /// Prints what a function has logged and follows it; without a name, all of them
    Logs {
        /// For example `receipts`
        function: Option<String>,
        /// Ends after what there is
        #[arg(long)]
        once: bool,
    },
    /// Ends the running world
    Down,
    /// Starts the receipt reader alone
    Reader {
        /// Its port on 127.0.0.1
        #[arg(long)]
        port: u16,
    },
    /// Reads receipts without bringing anything up, and prints what they say
    Read(Read),
    /// Sends receipts through the whole pipeline; exits 0 only if all ended approved (or honestly failed)
    Demo(demo::Demo),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let work = run(cli);
    let result = tokio::select! {
        result = work => result,
        // Dropping the work ends every process it has started.
        () = interruption() => Ok(ExitCode::from(130)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command.unwrap_or(Command::Up(cli.up)) {
        Command::Up(up) => self::up(up).await?,
        Command::Status { json } => seen_enough(status(json).await)?,
        Command::Logs { function, once } => seen_enough(logs(function.as_deref(), once).await)?,
        Command::Down => down().await?,
        Command::Reader { port } => reader(port).await?,
        Command::Read(read) => return self::read(read).await,
        Command::Demo(demo) => return demo::run(demo).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever closed the pipe, `head` for example, has seen enough.
fn seen_enough(printed: Result<()>) -> Result<()> {
    printed.or_else(|error| match error.downcast_ref::<io::Error>() {
        Some(fault) if fault.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

/// Ctrl-C, or what `cargo local down` and service managers send.
async fn interruption() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn up(up: Up) -> Result<()> {
    let mut world = World::start(Options { ports: up.ports, announce: true, ..Options::default() }).await?;
    print_table(&mut io::stdout(), &world)?;
    println!("As an operator: `cargo local status` prints the variables for `cargo ops` and the AWS CLI.");
    println!("Each start is a fresh world: nothing is kept when it stops. Ctrl-C or `cargo local down` ends it.");
    world.watch().await
}

fn print_table(out: &mut impl Write, world: &Deployment) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "  Start here       {}", world.front_url)?;
    writeln!(out, "  Mailbox          {}/mail", world.front_url)?;
    writeln!(out, "  API              {}", world.api_url)?;
    writeln!(out, "  AWS endpoint     {}", world.account.endpoint)?;
    writeln!(out, "  Receipt reader   {}", world.reader_url)?;
    writeln!(out, "  User pool client {}", world.outputs.get("UserPoolClientId").map_or("-", String::as_str))?;
    writeln!(out, "  Logs             {} and `cargo local logs`", world.run_dir.display())?;
    writeln!(out)?;
    for person in &world.people {
        writeln!(out, "  {:<16} {}", person.role, person.email)?;
    }
    writeln!(out, "  {:<16} {}", "password", world.password)?;
    writeln!(out)?;
    if let Some(command) = sign_in_command(world) {
        writeln!(out, "  {command}")?;
        writeln!(out)?;
    }
    Ok(())
}

/// Where the root's variables differ from the operator's.
fn root_key(world: &Deployment) -> [(&'static str, &str); 2] {
    let key = &world.account.credentials;
    [("AWS_ACCESS_KEY_ID", &key.access_key_id), ("AWS_SECRET_ACCESS_KEY", &key.secret_access_key)]
}

/// How the command line signs in as the employee.
fn sign_in_command(world: &Deployment) -> Option<String> {
    Some(format!(
        "cargo slip --profile laptop login {} --api-url {} --cognito-url {} --user-pool-id {} --client-id {}",
        world.person("employee").ok()?.email,
        world.api_url,
        world.account.endpoint,
        world.outputs.get("UserPoolId")?,
        world.outputs.get("UserPoolClientId")?,
    ))
}

async fn find_running() -> Result<Deployment> {
    let checkout = Checkout::find().await?;
    state::running(&checkout.local())?.context("no world is running: `cargo local` starts one")
}

async fn status(json: bool) -> Result<()> {
    let world = find_running().await?;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&world)?)?;
        return Ok(());
    }
    print_table(&mut out, &world)?;
    writeln!(out, "  To look after it as its operator, `cargo ops health` for example:")?;
    for (name, value) in world.as_operator()?.environment() {
        writeln!(out, "  export {name}={}", value.display())?;
    }
    writeln!(out)?;
    writeln!(out, "  To use the AWS CLI as the account's root, moreover:")?;
    writeln!(out, "  export PATH={}:$PATH", world.account.programs.display())?;
    for (name, value) in root_key(&world) {
        writeln!(out, "  export {name}={value}")?;
    }
    writeln!(out)?;
    for (name, value) in &world.outputs {
        writeln!(out, "  {name:<34} {value}")?;
    }
    Ok(())
}

async fn logs(function: Option<&str>, once: bool) -> Result<()> {
    let world = find_running().await?;
    let functions = world.functions().await?;
    let chosen: Vec<String> = match function {
        None => functions,
        Some(name) if functions.iter().any(|known| known == name) => vec![name.to_owned()],
        Some(name) => bail!("there is no function {name}; there are {}", functions.join(", ")),
    };
    for name in &chosen {
        for complaint in world.complaints(name) {
            writeln!(io::stdout(), "{name}  {complaint}")?;
        }
    }
    let mut seen = HashSet::new();
    let mut since = 0;
    wait::until("more logs", Duration::MAX, async || {
        let mut lines = Vec::new();
        for name in &chosen {
            lines.extend(world.logs(name, since).await?.into_iter().map(|line| (line.at, name.as_str(), line)));
        }
        lines.sort_by_key(|(at, ..)| *at);
        for (at, name, line) in lines {
            // An invocation's lines come together when it ends, some of them after later ones of others.
            since = since.max(at - LATE_MILLISECONDS);
            if seen.insert((at, line.stream, line.message.clone())) {
                writeln!(io::stdout(), "{name}  {}", line.message)?;
            }
        }
        Ok(once.then_some(()))
    })
    .await
}

async fn down() -> Result<()> {
    let checkout = Checkout::find().await?;
    let Some(world) = state::running(&checkout.local())? else {
        println!("no world is running");
        return Ok(());
    };
    process::terminate(world.pid)?;
    wait::until("the world to end", Duration::from_secs(20), async || {
        Ok(state::running(&checkout.local())?.is_none().then_some(()))
    })
    .await?;
    println!("the world at {} has ended", world.front_url);
    Ok(())
}

async fn reader(port: u16) -> Result<()> {
    let progress = Progress::new(false);
    let interpreter = python::find().await?;
    let checkout = Checkout::find().await?;
    let (binaries, python) = tokio::try_join!(
        compile::build(&checkout, compile::Beside::Nothing, &progress),
        python::prepare(&checkout, &interpreter, &progress)
    )?;
    let run_dir: PathBuf = checkout.local();
    let mut reader = emulator::start_reader(binaries.path("reader")?, &python.models, port, &run_dir)?;
    emulator::reader_ready(&mut reader, port).await?;
    println!("the reader listens on http://127.0.0.1:{port}; its log is {}; Ctrl-C ends it", reader.log().display());
    wait::until("the end of the reader", Duration::MAX, async || {
        reader.check()?;
        Ok(None)
    })
    .await
}

async fn read(read: Read) -> Result<ExitCode> {
    let progress = Progress::new(false);
    let interpreter = python::find().await?;
    let checkout = Checkout::find().await?;
    let binaries = compile::build_package(&checkout, "slipstream-reader", &progress).await?;
    let python = python::prepare(&checkout, &interpreter, &progress).await?;
    let mut command = tokio::process::Command::new(binaries.path("reader")?);
    command.arg("read").arg("--models").arg(&python.models).args(read.json.then_some("--json"));
    if let Some(out) = &read.annotate {
        command.arg("--annotate").arg(out);
    }
    let status = command.arg("--").args(&read.files).kill_on_drop(true).status().await?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_files_with_options_among_them() {
        let cli =
            Cli::try_parse_from(["cargo local", "read", "a.jpg", "--json", "b.pdf", "--annotate", "out.png"]).unwrap();
        let Some(Command::Read(read)) = cli.command else { panic!("{cli:?}") };
        assert_eq!(read.files, [PathBuf::from("a.jpg"), PathBuf::from("b.pdf")]);
        assert!(read.json && read.annotate.is_some());
        assert!(Cli::try_parse_from(["cargo local", "read"]).is_err());
    }

    #[test]
    fn without_a_command_it_goes_up() {
        let cli = Cli::try_parse_from(["cargo local", "--ports", "4000"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.up.ports, Some(4000));
    }
}
