//! The Python side of benchmarks: an environment with the pinned packages, and the two programs in this folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Result;
use sha2::{Digest as _, Sha256};
use slipstream_local::{
    compile::Checkout,
    process::{self, run},
    progress::Progress,
};
use tokio::process::Command;

const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// The environment.
#[derive(Debug)]
pub struct Python {
    program: PathBuf,
    scripts: PathBuf,
    made: PathBuf,
}

impl Python {
    /// Makes the environment, unless an earlier run has.
    ///
    /// # Errors
    /// When there is no Python, or a package cannot be fetched.
    pub async fn prepare(checkout: &Checkout) -> Result<Self> {
        let folder = crate::reader::folder(checkout)?;
        let hash = format!("{:x}", Sha256::digest(REQUIREMENTS.as_bytes()));
        let venv = folder.join(format!("venv-{}", &hash[..12]));
        let complete = venv.join(".complete");
        let program = venv.join("bin/python");
        if !complete.is_file() {
            let interpreter = slipstream_local::python::find().await?;
            Progress::new(false)
                .step("installing what draws receipts and phone photos", async {
                    run("python3 -m venv", Command::new(interpreter).args(["-m", "venv", "--clear"]).arg(&venv))
                        .await?;
                    let list = venv.join("requirements.txt");
                    fs::write(&list, REQUIREMENTS)?;
                    let mut pip = Command::new(&program);
                    pip.args([
                        "-m",
                        "pip",
                        "--disable-pip-version-check",
                        "install",
                        "--quiet",
                        "--require-hashes",
                        "-r",
                    ])
                    .arg(&list);
                    run("pip install", pip.stderr(Stdio::piped())).await?;
                    Ok(fs::write(&complete, "")?)
                })
                .await?;
        }
        Ok(Self { program, scripts: checkout.root.join("tests/benchmarks"), made: folder })
    }

    /// Draws receipts; returns the folder with them and their labels.
    ///
    /// # Errors
    /// When the generator fails.
    pub async fn receipts(&self, seed: u32, count: usize) -> Result<PathBuf> {
        let out = self.made.join(format!("receipts-{seed}-{count}"));
        let arguments = ["--seed", &seed.to_string(), "--count", &count.to_string()].map(str::to_owned);
        self.script("receipts.py", &arguments, &out).await?;
        Ok(out)
    }

    /// Makes phone photos of scans; returns the folder with them.
    ///
    /// # Errors
    /// When it fails.
    pub async fn photos(&self, scans: &Path, names: &[String], seed: u32) -> Result<PathBuf> {
        let out = self.made.join(format!("phone-{seed}"));
        let list = self.made.join(format!("phone-{seed}.txt"));
        fs::write(&list, names.join("\n"))?;
        let mut arguments = vec!["--seed".to_owned(), seed.to_string()];
        for (name, path) in [("--receipts", scans), ("--names", &list)] {
            arguments.extend([name.to_owned(), path.display().to_string()]);
        }
        self.script("phone.py", &arguments, &out).await?;
        Ok(out)
    }

    /// Runs a program that prints its own table and shall find this environment's Python; its error output
    /// is told where it fails.
    ///
    /// # Errors
    /// When it fails.
    pub async fn run(&self, program: &Path, target: &Path) -> Result<String> {
        let mut command = Command::new(program);
        command.env("PATH", process::path_with(self.program.parent().unwrap_or(Path::new("")))?);
        command.env("CARGO_TARGET_DIR", target).stderr(Stdio::piped());
        let finished = run(&program.display().to_string(), &mut command).await?;
        Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
    }

    async fn script(&self, name: &str, arguments: &[String], out: &Path) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("-B").arg(self.scripts.join(name)).args(arguments).arg("--out").arg(out).stderr(Stdio::piped());
        Progress::new(false).step(&format!("{name} {}", arguments.join(" ")), run(name, &mut command)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_by_hash_and_no_index_is_named() {
        assert!(
            !REQUIREMENTS.contains("://") && !REQUIREMENTS.contains("--index-url"),
            "the index is the user's choice"
        );
        let entries = REQUIREMENTS.replace("\\\n", " ");
        let pinned: Vec<&str> =
            entries.lines().filter(|line| line.contains("==") && !line.trim_start().starts_with('#')).collect();
        assert!(pinned.len() >= 7, "{pinned:?}");
        for entry in pinned {
            assert!(entry.contains("--hash=sha256:"), "{entry}");
        }
    }
}
