//! The running world's description on disk, so that `status`, `logs`, `demo` and `down` find it.
//!
//! The description is true while its lock is held: the kernel gives the lock back however its holder ends, so a stale
//! description is never taken for a running world, whatever process has its number now.

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{wait, world::Deployment};

/// How many folders of ended worlds are kept for their logs.
const KEPT_RUNS: usize = 3;

/// The right to be the one world that `status` and the others find. Given back on drop.
#[derive(Debug)]
pub struct Claim {
    description: PathBuf,
    _lock: File,
}

impl Claim {
    /// Claims it.
    ///
    /// # Errors
    /// When another world has it; says where that one is.
    pub async fn take(local: &Path) -> Result<Self> {
        let lock = open_lock(local, "world.lock")?;
        // A glance of `status` holds the lock for a moment too.
        let free =
            wait::until("the other world's end", Duration::from_secs(1), async || Ok(lock_now(&lock)?.then_some(())))
                .await;
        if free.is_err() {
            match read(local)? {
                Some(world) => bail!("a world is already running at {}: `cargo local down` ends it", world.front_url),
                None => bail!("another world is just starting or stopping: try again in a moment"),
            }
        }
        Ok(Self { description: description(local), _lock: lock })
    }

    /// Writes the description, in one piece.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn publish(&self, world: &Deployment) -> Result<()> {
        let partial = self.description.with_extension("partial");
        fs::write(&partial, serde_json::to_vec_pretty(world)?)?;
        fs::rename(&partial, &self.description)?;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.description);
    }
}

/// The world that is running, if any; the description of one that is gone is removed.
///
/// # Errors
/// When the description cannot be read.
pub fn running(local: &Path) -> Result<Option<Deployment>> {
    if !local.is_dir() {
        return Ok(None);
    }
    let lock = open_lock(local, "world.lock")?;
    if lock_now(&lock)? {
        match fs::remove_file(description(local)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => return Ok(None),
        }
    }
    read(local)
}

/// What of a run is large and of no use once it has ended.
const BULKY: [&str; 4] = ["stage", "tmp", "s3", "state"];

/// A world's own folder. On drop only its logs are left.
#[derive(Debug)]
pub struct RunDir {
    /// Where it is.
    pub path: PathBuf,
    _lock: File,
}

impl RunDir {
    /// Makes it, with a name of its own unless one is chosen, and removes what long-ended worlds left.
    ///
    /// # Errors
    /// When it cannot be made, or another world runs in it.
    pub fn make(local: &Path, chosen: Option<&Path>) -> Result<Self> {
        let runs = local.join("runs");
        let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S%.3f");
        let path = chosen.map_or_else(|| runs.join(format!("{now}-{}", std::process::id())), Path::to_owned);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let lock = open_lock(&path, "lock")?;
        if !lock_now(&lock)? {
            bail!("another world runs in {}", path.display());
        }
        prune(&runs);
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        leave_logs(&self.path);
    }
}

/// Removing is for tidiness: what fails here is tried again by the next start.
fn leave_logs(run_dir: &Path) {
    for name in BULKY {
        let _ = fs::remove_dir_all(run_dir.join(name));
    }
}

fn prune(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    let mut ended: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|run| is_ended(run)).collect();
    ended.sort();
    for (older, run) in ended.iter().rev().enumerate() {
        if older < KEPT_RUNS {
            leave_logs(run);
        } else {
            let _ = fs::remove_dir_all(run);
        }
    }
}

fn is_ended(folder: &Path) -> bool {
    File::open(folder.join("lock")).is_ok_and(|lock| lock_now(&lock).unwrap_or(false))
}

fn description(local: &Path) -> PathBuf {
    local.join("world.json")
}

fn read(local: &Path) -> Result<Option<Deployment>> {
    match fs::read(description(local)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).context("world.json is damaged: `cargo local down`")?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn open_lock(folder: &Path, name: &str) -> Result<File> {
    fs::create_dir_all(folder)?;
    let path = folder.join(name);
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn lock_now(lock: &File) -> Result<bool> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("slipstream-state-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn one_world_at_a_time_and_it_is_found_while_it_lives() {
        let local = scratch("claim");
        assert!(running(&local).unwrap().is_none());
        let claim = Claim::take(&local).await.unwrap();
        claim.publish(&Deployment::example()).unwrap();
        assert_eq!(running(&local).unwrap().unwrap().front_url, Deployment::example().front_url);
        let error = Claim::take(&local).await.unwrap_err().to_string();
        assert!(error.contains("already running at") && error.contains("cargo local down"), "{error}");
        drop(claim);
        assert!(running(&local).unwrap().is_none());
        Claim::take(&local).await.unwrap();
        fs::remove_dir_all(local).unwrap();
    }

    #[test]
    fn a_stale_description_is_removed() {
        let local = scratch("stale");
        fs::write(description(&local), serde_json::to_vec(&Deployment::example()).unwrap()).unwrap();
        assert!(running(&local).unwrap().is_none());
        assert!(!description(&local).exists());
        fs::remove_dir_all(local).unwrap();
    }

    #[test]
    fn old_runs_are_removed_but_no_running_one() {
        let local = scratch("runs");
        let runs = local.join("runs");
        for number in 0..6 {
            fs::create_dir_all(runs.join(format!("2000010{number}"))).unwrap();
            fs::write(runs.join(format!("2000010{number}/lock")), "").unwrap();
        }
        let held = open_lock(&runs.join("20000100"), "lock").unwrap();
        assert!(lock_now(&held).unwrap());
        let run_dir = RunDir::make(&local, None).unwrap();
        fs::create_dir_all(run_dir.path.join("s3/bucket")).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left[..4], ["20000100", "20000103", "20000104", "20000105"]);
        assert_eq!(left.len(), 5);
        let path = run_dir.path.clone();
        drop((held, run_dir));
        assert!(path.join("lock").exists() && !path.join("s3").exists());
        fs::remove_dir_all(local).unwrap();
    }
}
