//! Starting processes so that none of them outlives its world.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// Runs the program given as arguments until it ends or standard input is closed, then ends the whole process group.
/// The pipe is closed by the kernel however we die, so not even `kill -9` leaves a service behind. The trap makes the
/// shell itself stay until the program has ended.
const KEEPER: &str = r#"trap : TERM; exec 3<&0; (read -r _ <&3; kill -TERM 0) & "$@" </dev/null 3<&-; kill -TERM 0"#;

/// How long a group may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// How to start a [`Service`].
#[derive(Debug)]
pub struct ServiceSpec<'a> {
    /// What people call it.
    pub name: &'static str,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Its whole environment; nothing is inherited.
    pub environment: Vec<(String, OsString)>,
    /// Where it runs.
    pub directory: &'a Path,
    /// Where its standard output and error go.
    pub log: PathBuf,
}

/// A long-running process with its descendants: one process group, ended on drop and with us.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    log: PathBuf,
    keeper: Child,
    stopped: bool,
    _pipe: Option<ChildStdin>,
}

impl Service {
    /// Starts it.
    ///
    /// # Errors
    /// When the log cannot be created or there is no POSIX shell.
    pub fn start(spec: ServiceSpec<'_>) -> Result<Self> {
        let log = File::create(&spec.log).with_context(|| format!("cannot write {}", spec.log.display()))?;
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args(&spec.command)
            .env_clear()
            .envs(spec.environment)
            .current_dir(spec.directory)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", spec.name))?;
        let pipe = keeper.stdin.take();
        Ok(Self { name: spec.name, log: spec.log, keeper, stopped: false, _pipe: pipe })
    }

    /// Fails, with the end of its log, when it is no longer running.
    ///
    /// # Errors
    /// When it has ended.
    pub fn check(&mut self) -> Result<()> {
        if self.keeper.try_wait()?.is_some() {
            bail!("{} has stopped; the end of {}:\n{}", self.name, self.log.display(), tail_of(&self.log, 15));
        }
        Ok(())
    }

    /// Where it writes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Asks the whole group to end, without waiting.
    pub fn ask_to_stop(&self) {
        if let Some(group) = self.group() {
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    /// Ends the whole group: asks first, kills after a grace period.
    pub fn stop(&mut self) {
        if self.stopped {
            return;
        }
        self.ask_to_stop();
        let deadline = Instant::now() + GRACE;
        while matches!(self.keeper.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Whatever of the group has not heard.
        if let Some(group) = self.group() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.keeper.wait();
        self.stopped = true;
    }

    /// The number of its process group; none once it was stopped.
    pub fn group_number(&self) -> Option<i32> {
        self.group().map(Pid::as_raw_pid)
    }

    /// None once it was stopped: the number may then belong to others.
    fn group(&self) -> Option<Pid> {
        if self.stopped { None } else { i32::try_from(self.keeper.id()).ok().and_then(Pid::from_raw) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a finished command wrote.
#[derive(Debug)]
pub struct Finished {
    /// Standard output.
    pub stdout: Vec<u8>,
}

/// Kills the group of a command that is dropped half-way (Ctrl-C, a deadline, a panic).
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs a command to its end; `what` is its name in errors. Dropping the future kills it with its descendants.
///
/// # Errors
/// When it cannot be started or fails; the error ends with the last lines it wrote.
pub async fn run(what: &str, command: &mut tokio::process::Command) -> Result<Finished> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {what}: is it installed?"))?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let output = child.wait_with_output().await.with_context(|| format!("lost {what}"))?;
    group.0 = None;
    if !output.status.success() {
        bail!(failure(what, output.status, &output.stdout, &output.stderr));
    }
    Ok(Finished { stdout: output.stdout })
}

fn failure(what: &str, status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> String {
    let said = if stderr.trim_ascii().is_empty() { stdout } else { stderr };
    let said = last_lines(&String::from_utf8_lossy(said), 20);
    format!("{what} failed ({status})\n{said}").trim_end().to_owned()
}

/// The last `count` lines of a file, or nothing when it cannot be read.
pub fn tail_of(file: &Path, count: usize) -> String {
    fs::read(file).map(|bytes| last_lines(&String::from_utf8_lossy(&bytes), count)).unwrap_or_default()
}

/// The last `count` lines of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Whether a program of this name is on the `PATH`.
pub fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// `PATH` with a folder before it.
///
/// # Errors
/// When the folder's name cannot stand in a `PATH`.
pub fn path_with(first: &Path) -> Result<OsString> {
    let inherited = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    let folders = std::iter::once(first.to_owned()).chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).with_context(|| format!("{} cannot stand in PATH", first.display()))
}

/// Makes arguments of mixed text and paths.
pub fn arguments<'a>(list: impl IntoIterator<Item = &'a OsStr>) -> Vec<OsString> {
    list.into_iter().map(OsStr::to_owned).collect()
}

/// Asks a process to end.
///
/// # Errors
/// When there is none of this number, or it is not ours.
pub fn terminate(process: u32) -> Result<()> {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw).context("no such process")?;
    Ok(rustix::process::kill_process(process, Signal::TERM)?)
}

/// A TCP port on the loopback that is free now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(command: &[&str], log: &Path) -> Service {
        let environment = vec![("PATH".to_owned(), std::env::var_os("PATH").unwrap())];
        Service::start(ServiceSpec {
            name: "the service",
            command: command.iter().map(OsString::from).collect(),
            environment,
            directory: Path::new("/"),
            log: log.to_owned(),
        })
        .unwrap()
    }

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("slipstream-{}-{name}", std::process::id()))
    }

    #[tokio::test]
    async fn a_service_ends_with_all_its_descendants() {
        let log = scratch("descendants");
        let mut service = service(&["sh", "-c", "sleep 600 & echo $!; wait"], &log);
        let child = crate::wait::until("the grandchild", Duration::from_secs(5), async || {
            Ok(fs::read_to_string(&log)?.trim().parse::<i32>().ok())
        })
        .await
        .unwrap();
        service.check().unwrap();
        service.stop();
        let _ = fs::remove_file(&log);
        // It was killed; dying takes a process its turn on a processor.
        crate::wait::until("the end of the grandchild", Duration::from_secs(5), async || {
            let state = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            Ok((state.is_empty() || state.contains(") Z ")).then_some(()))
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_service_that_ends_shows_its_last_words() {
        let log = scratch("last-words");
        let mut service = service(&["sh", "-c", "echo no such file; exit 3"], &log);
        let error =
            crate::wait::until("the end", Duration::from_secs(5), async || Ok(service.check().err())).await.unwrap();
        let _ = fs::remove_file(&log);
        assert!(error.to_string().contains("the service has stopped"), "{error}");
        assert!(error.to_string().ends_with("no such file"), "{error}");
    }

    #[tokio::test]
    async fn a_failed_command_says_why() {
        let error = run(
            "the command",
            tokio::process::Command::new("sh").args(["-c", "echo why >&2; exit 1"]).stderr(Stdio::piped()),
        )
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), "the command failed (exit status: 1)\nwhy");
    }

    #[test]
    fn last_lines_of_short_and_long_texts() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }
}
