//! Building the checkout, and where cargo puts what.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::{process::run, progress::Progress};

/// The workspace in whose folder we were started.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The workspace's root folder.
    pub root: PathBuf,
    /// Cargo's target folder, wherever the settings put it.
    pub target: PathBuf,
}

impl Checkout {
    /// Asks cargo about the workspace of the current folder.
    ///
    /// # Errors
    /// When there is none, or it is not Slipstream's.
    pub async fn find() -> Result<Self> {
        let mut command = cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::piped());
        let metadata: Value = serde_json::from_slice(&run("cargo metadata", &mut command).await?.stdout)?;
        let folder = |name: &str| {
            metadata[name].as_str().map(PathBuf::from).with_context(|| format!("cargo metadata names no {name}"))
        };
        let checkout = Self { root: folder("workspace_root")?, target: folder("target_directory")? };
        if !checkout.template().is_file() {
            bail!("{} is missing: run this inside a checkout of Slipstream", checkout.template().display());
        }
        Ok(checkout)
    }

    /// The template of the stack.
    pub fn template(&self) -> PathBuf {
        self.root.join("infrastructure/template.yaml")
    }

    /// Where everything of the laptop lives: environments, models, run directories, the running world's description.
    pub fn local(&self) -> PathBuf {
        self.target.join("local")
    }
}

/// The binaries of the workspace by name.
#[derive(Debug, Default)]
pub struct Binaries(BTreeMap<String, PathBuf>);

impl Binaries {
    /// The path of one.
    ///
    /// # Errors
    /// When the workspace has no binary of this name.
    pub fn path(&self, name: &str) -> Result<&Path> {
        self.0.get(name).map(PathBuf::as_path).with_context(|| format!("the workspace builds no binary named `{name}`"))
    }
}

/// What is built beside the binaries.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    #[default]
    Nothing,
    /// The tests: within a run of `cargo test --workspace` they are built already, and with them cargo chooses the same
    /// features of shared dependencies, so that nothing is compiled a second time.
    Tests,
}

/// Builds every binary of the workspace; cargo's own progress is shown unless quiet.
///
/// # Errors
/// When the build fails.
pub async fn build(checkout: &Checkout, beside: Beside, progress: &Progress) -> Result<Binaries> {
    let beside = (beside == Beside::Tests).then_some("--tests");
    build_chosen(checkout, ["--workspace"].into_iter().chain(beside), progress).await
}

/// Builds the binaries of one package: a fraction of the time where only this one is needed.
///
/// # Errors
/// When the build fails.
pub async fn build_package(checkout: &Checkout, package: &str, progress: &Progress) -> Result<Binaries> {
    build_chosen(checkout, ["--package", package].into_iter(), progress).await
}

async fn build_chosen(
    checkout: &Checkout,
    chosen: impl Iterator<Item = &str>,
    progress: &Progress,
) -> Result<Binaries> {
    let mut command = cargo();
    command
        .args(["build", "--bins", "--message-format=json-render-diagnostics"])
        .args(chosen)
        .current_dir(&checkout.root)
        .stderr(if progress.is_quiet() { Stdio::piped() } else { Stdio::inherit() });
    let output = match run("cargo build", &mut command).await {
        // What it had to say stands above.
        Err(_) if !progress.is_quiet() => bail!("cargo build failed"),
        output => output?,
    };
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

fn executables(messages: &str) -> Binaries {
    let found = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_bin = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "bin");
        let is_bin = is_bin && message["profile"]["test"] != true;
        let path = message["executable"].as_str()?;
        is_bin.then(|| Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path))))?
    });
    Binaries(found.collect())
}

/// The cargo we were started by, without what it told us about ourselves: build scripts that watch those variables
/// would run again each time we build.
fn cargo() -> Command {
    const OURS: [&str; 6] =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_", "CARGO_TEST_"];
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OURS.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_executables_of_binaries_only() {
        let messages = [
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"receipts"},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"receipts"},"executable":"/t/debug/receipts"}"#,
            r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"end"},"executable":"/t/debug/deps/end"}"#,
            r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"receipts"},"profile":{"test":true},"executable":"/t/debug/deps/receipts"}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ];
        let binaries = executables(&messages.join("\n"));
        assert_eq!(binaries.path("receipts").unwrap(), Path::new("/t/debug/receipts"));
        assert_eq!(binaries.path("end").unwrap_err().to_string(), "the workspace builds no binary named `end`");
    }
}
