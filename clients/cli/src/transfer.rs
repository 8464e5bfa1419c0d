//! Presigned addresses: bytes up by a ticket, files down, resumed where they broke off.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use indicatif::ProgressBar;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncWriteExt},
};

use crate::{
    api::{may_repeat, pause},
    failure::{Exit, Failure, Outcome},
    http::{Http, Request, check_address, is_of_connection},
};

/// How often something is tried.
const ATTEMPTS: u32 = 5;
/// How long one upload may take: 20 MB in this time is 0.3 Mbit/s.
const UPLOADING: Duration = Duration::from_secs(600);
/// How long a download may stand still.
const STALLED: Duration = Duration::from_secs(30);

/// How an upload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uploaded {
    /// The bytes are there.
    There,
    /// The ticket has ended: a new one is needed.
    TicketEnded,
}

/// Sends bytes by a ticket of the API.
///
/// # Errors
/// When the store cannot be reached or refuses the bytes.
pub(crate) async fn upload(http: &Http, ticket: &Value, bytes: &Bytes, progress: &ProgressBar) -> Outcome<Uploaded> {
    let url = ticket["url"].as_str().unwrap_or_default();
    check_address("the upload ticket", url)?;
    let method = ticket["method"].as_str().and_then(|method| method.parse::<Method>().ok()).unwrap_or(Method::PUT);
    let mut attempt = 1;
    loop {
        progress.set_position(0);
        let mut request = Request::new(method.clone(), url).body(bytes.clone());
        request.progress = Some(progress.clone());
        // Exactly as they were signed; the length comes with the body.
        for (name, value) in ticket["headers"].as_object().into_iter().flatten() {
            if !is_of_connection(name) {
                request = request.header(name, value.as_str().unwrap_or_default());
            }
        }
        let failure = match http.send(request, UPLOADING).await {
            // 412: an earlier attempt had arrived, only its answer got lost.
            Ok(answer) if matches!(answer.status, 200..=299 | 412) => return Ok(Uploaded::There),
            Ok(answer) if answer.status == 403 => return Ok(Uploaded::TicketEnded),
            // 409: another upload to the same place is under way; 400 can be bytes that were garbled on the way.
            Ok(answer) if may_repeat(answer.status) || matches!(answer.status, 400 | 408 | 409) => {
                let exit = if answer.status == 400 { Exit::Failed } else { Exit::Unavailable };
                Failure::new(exit, format!("the upload was answered {}: run the command again", answer.status))
            }
            Ok(answer) => return Err(Failure::failed(format!("the upload was refused ({})", answer.status))),
            Err(error) => Failure::unavailable(error.0),
        };
        if attempt == ATTEMPTS {
            return Err(failure);
        }
        pause(attempt, None).await;
        attempt += 1;
    }
}

/// A file to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// Its name, as the service says it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) url: String,
    /// What it belongs to, in characters of a file name: what is begun of one is not gone on with for another.
    pub(crate) of: String,
    /// How long it is.
    pub(crate) size: Option<u64>,
    /// What it must be.
    pub(crate) sha256: Option<String>,
}

impl Remote {
    /// Of an export's `files`; `None` while it has no address.
    pub(crate) fn parse(export: &str, file: &Value) -> Option<Self> {
        Some(Self {
            of: export.to_owned(),
            name: file["name"].as_str()?.to_owned(),
            url: file["url"].as_str()?.to_owned(),
            size: file["size_bytes"].as_u64(),
            sha256: file["sha256"].as_str().map(ToOwned::to_owned),
        })
    }

    /// Where it goes: never outside the folder, and never a hidden file.
    ///
    /// # Errors
    /// When its name is no plain file name.
    pub(crate) fn path(&self, folder: &Path) -> Outcome<PathBuf> {
        let plain = !self.name.is_empty()
            && !self.name.starts_with('.')
            && self.name.len() <= 200
            && !self.name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'));
        if plain {
            Ok(folder.join(&self.name))
        } else {
            Err(Failure::failed("the service names a file in a way that is not safe to write; nothing was written"))
        }
    }

    /// Whether these can be its bytes, as far as length and hash tell.
    async fn fits(&self, path: &Path) -> Outcome<bool> {
        let Ok(metadata) = fs::metadata(path).await else { return Ok(false) };
        if self.size.is_some_and(|size| size != metadata.len()) {
            return Ok(false);
        }
        match &self.sha256 {
            None => Ok(true),
            Some(sha256) => Ok(digest(path).await?.eq_ignore_ascii_case(sha256)),
        }
    }

    /// Whether an earlier run has fetched it to there: where there is no hash, the time of the file tells, since another
    /// export may have the same name and length.
    async fn is_at(&self, http: &Http, path: &Path) -> Outcome<bool> {
        if !self.fits(path).await? {
            return Ok(false);
        }
        if self.sha256.is_some() {
            return Ok(true);
        }
        let modified = fs::metadata(path).await.and_then(|metadata| metadata.modified()).ok();
        Ok(modified.is_some() && modified == self.changed_at(http).await?)
    }

    /// When the store got it, to the second; `None` where it does not say.
    async fn changed_at(&self, http: &Http) -> Outcome<Option<SystemTime>> {
        let request = Request::new(Method::GET, &self.url).header("range", "bytes=0-0");
        let response = http.open(request, STALLED).await.map_err(|error| Failure::unavailable(error.0))?;
        Ok(last_modified(response.headers()))
    }

    /// Gives the finished file its name, and the time by which a later run knows it again.
    async fn finish(&self, http: &Http, part: &Path, path: &Path, time: Option<SystemTime>) -> Outcome {
        if self.sha256.is_none()
            && let Some(time) = if time.is_some() { time } else { self.changed_at(http).await? }
        {
            let file = File::options().write(true).open(part).await.map_err(|error| cannot("write", part, &error))?;
            let set = file.into_std().await.set_modified(time);
            set.map_err(|error| cannot("write", part, &error))?;
        }
        fs::rename(part, path).await.map_err(|error| cannot("write", path, &error))
    }
}

fn last_modified(headers: &HeaderMap) -> Option<SystemTime> {
    let said = headers.get("last-modified")?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(said).ok()?.timestamp().into())
}

/// How a download ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Downloaded {
    /// The file is there and is what it should be.
    There,
    /// The address has ended: a new one is needed.
    AddressEnded,
}

/// Makes the folder that files go to, if it is not there.
///
/// # Errors
/// When it cannot be made.
pub(crate) async fn make_folder(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).await.map_err(|error| cannot("make", folder, &error))
}

/// Fetches a file. What an earlier run got stays in `<name>.<of>.part` and is not fetched again; the finished file takes
/// its name only once length and hash are right.
///
/// # Errors
/// When the store cannot be reached, another file has the name, or the bytes stay wrong.
pub(crate) async fn download(
    http: &Http,
    remote: &Remote,
    folder: &Path,
    replace: bool,
    progress: &ProgressBar,
) -> Outcome<Downloaded> {
    check_address("the file's address", &remote.url)?;
    let path = remote.path(folder)?;
    if remote.is_at(http, &path).await? {
        return Ok(Downloaded::There);
    }
    if path.exists() && !replace {
        return Err(Failure::failed(format!(
            "{} is another file: --force replaces it, --output DIR goes elsewhere",
            path.display()
        )));
    }
    let part = folder.join(format!("{}.{}.part", remote.name, remote.of));
    let mut time = None;
    let mut attempt = 1;
    loop {
        let failure = match fetch(http, remote, &part, &mut time, progress).await {
            Ok(Downloaded::AddressEnded) => return Ok(Downloaded::AddressEnded),
            Ok(Downloaded::There) if remote.fits(&part).await? => match remote.finish(http, &part, &path, time).await {
                Ok(()) => return Ok(Downloaded::There),
                Err(failure) if failure.exit == Exit::Unavailable => failure,
                Err(failure) => return Err(failure),
            },
            Ok(Downloaded::There) => {
                // Not what was exported: begin anew.
                fs::remove_file(&part).await.map_err(|error| cannot("remove", &part, &error))?;
                Failure::failed(format!("{} does not arrive as it was exported; run the command again", remote.name))
            }
            Err(failure) if failure.exit == Exit::Unavailable => failure,
            Err(failure) => return Err(failure),
        };
        if attempt == ATTEMPTS {
            return Err(failure);
        }
        pause(attempt, None).await;
        attempt += 1;
    }
}

/// One attempt: appends what is missing, and tells the `time` when the store got the file.
async fn fetch(
    http: &Http,
    remote: &Remote,
    part: &Path,
    time: &mut Option<SystemTime>,
    progress: &ProgressBar,
) -> Outcome<Downloaded> {
    let mut have = fs::metadata(part).await.map_or(0, |metadata| metadata.len());
    if remote.size.is_some_and(|size| have > size) {
        have = 0;
    }
    if have > 0 && remote.size == Some(have) {
        return Ok(Downloaded::There);
    }
    let mut request = Request::new(Method::GET, &remote.url);
    if have > 0 {
        request = request.header("range", format!("bytes={have}-"));
    }
    let response = http.open(request, STALLED).await.map_err(|error| Failure::unavailable(error.0))?;
    let append = match response.status().as_u16() {
        200 => false,
        206 => true,
        403 => return Ok(Downloaded::AddressEnded),
        // Nothing is left to send, or less is there than we have: the check or a new beginning will tell.
        416 => return Ok(Downloaded::There),
        status => {
            let exit = if may_repeat(status) { Exit::Unavailable } else { Exit::Failed };
            return Err(Failure::new(exit, format!("{} was answered {status}", remote.name)));
        }
    };
    *time = last_modified(response.headers());
    let mut options = File::options();
    options.create(true).write(true).append(append).truncate(!append);
    let mut file = options.open(part).await.map_err(|error| cannot("write", part, &error))?;
    progress.set_position(if append { have } else { 0 });
    let mut body = response.into_body();
    loop {
        let frame = match tokio::time::timeout(STALLED, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => {
                keep(&mut file, part).await?;
                return Err(Failure::unavailable(format!("{} broke off: {error}", remote.name)));
            }
            Err(_) => {
                keep(&mut file, part).await?;
                return Err(Failure::unavailable(format!("{} stands still", remote.name)));
            }
        };
        if let Some(chunk) = frame.data_ref() {
            file.write_all(chunk).await.map_err(|error| cannot("write", part, &error))?;
            progress.inc(chunk.len() as u64);
        }
    }
    keep(&mut file, part).await?;
    Ok(Downloaded::There)
}

async fn keep(file: &mut File, path: &Path) -> Outcome {
    let work = async {
        file.flush().await?;
        file.sync_all().await
    };
    work.await.map_err(|error| cannot("write", path, &error))
}

async fn digest(path: &Path) -> Outcome<String> {
    let mut file = File::open(path).await.map_err(|error| cannot("read", path, &error))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        let length = file.read(&mut buffer).await.map_err(|error| cannot("read", path, &error))?;
        if length == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(&buffer[..length]);
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stays_in_its_folder() {
        let remote = |name: &str| Remote {
            name: name.to_owned(),
            url: String::new(),
            of: "expt_1".to_owned(),
            size: None,
            sha256: None,
        };
        assert_eq!(remote("expenses-1.csv").path(Path::new("/tmp/x")).unwrap(), Path::new("/tmp/x/expenses-1.csv"));
        for wrong in ["", "../x", "a/b", ".bashrc", "a\\b", "c:x", "a\nb"] {
            assert!(remote(wrong).path(Path::new("/tmp/x")).is_err(), "{wrong}");
        }
    }
}
