//! Function packages: a zip with one file, `bootstrap`, kept from start to start as long as the binary is the same.
//!
//! `aws cloudformation package` would zip each folder itself, at each start, as small as it can: a quarter of a minute
//! for binaries that are only uploaded to the same machine. So it is handed zips.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::UNIX_EPOCH,
};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::process::{is_installed, run};

/// Zips fast rather than small.
const ZIP: &str = "import sys, zipfile\n\
    with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as package:\n\
    \x20   package.write(sys.argv[2], 'bootstrap')";

/// Puts the package of a binary to `to`, from `cache` if it is there.
///
/// # Errors
/// When the binary cannot be read or a file cannot be written.
pub async fn package(binary: &Path, cache: &Path, python: &Path, to: &Path) -> Result<()> {
    let name = binary.file_name().and_then(|name| name.to_str()).context("a binary needs a name")?;
    let cached = cache.join(format!("{name}-{}.zip", version(binary)?));
    if !cached.is_file() {
        fs::create_dir_all(cache)?;
        forget_older(cache, name)?;
        make(binary, &cached, python).await?;
    }
    if to.exists() {
        fs::remove_file(to)?;
    }
    // A link survives that another start forgets the package.
    if fs::hard_link(&cached, to).is_err() {
        fs::copy(&cached, to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

/// What changes whenever cargo links the binary anew.
fn version(binary: &Path) -> Result<String> {
    let metadata = fs::metadata(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH)?;
    Ok(format!("{}-{}", modified.as_nanos(), metadata.len()))
}

fn forget_older(cache: &Path, name: &str) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let path = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        // Only `<name>-<nanoseconds>-<length>.zip`: `receipts` must not forget `receipts-of-others`.
        let of_this =
            file.strip_prefix(name).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || "-.zip".contains(c)));
        if of_this {
            // Another start may forget it at the same time.
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

async fn make(binary: &Path, package: &Path, python: &Path) -> Result<()> {
    let partial = |what: &str| -> PathBuf { package.with_extension(format!("{what}-{}", std::process::id())) };
    let (bootstrap, zip) = (partial("bootstrap"), partial("partial"));
    // Symbols are most of a debug binary.
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&bootstrap).arg(binary).stderr(Stdio::piped());
    if !is_installed("strip") || run("strip", &mut strip).await.is_err() {
        fs::copy(binary, &bootstrap)?;
    }
    let mut zipping = Command::new(python);
    zipping.args(["-c", ZIP]).arg(&zip).arg(&bootstrap).stderr(Stdio::piped());
    run("zipping", &mut zipping).await?;
    fs::remove_file(bootstrap)?;
    fs::rename(zip, package)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_of_the_same_binary_are_forgotten() {
        let cache = std::env::temp_dir().join(format!("slipstream-packages-{}", std::process::id()));
        fs::create_dir_all(&cache).unwrap();
        for file in ["receipts-1-2.zip", "receipts-9-2.zip", "receipt-processor-1-2.zip", "receipts-more-1-2.zip"] {
            fs::write(cache.join(file), "").unwrap();
        }
        forget_older(&cache, "receipts").unwrap();
        let mut left: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        fs::remove_dir_all(cache).unwrap();
        assert_eq!(left, ["receipt-processor-1-2.zip", "receipts-more-1-2.zip"]);
    }
}
