//! `slip snap`: files become receipts, receipts become drafts.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{
    api::{Api, Call},
    context::Slip,
    failure::{Exit, Failure, Outcome},
    output::{clean, wrapped},
    transfer::{self, Uploaded},
    views,
};

/// The largest file that is taken: 20 MB.
const LARGEST: u64 = 20 * 1024 * 1024;
/// How often a ticket is asked for, should each end before the bytes have arrived.
const TICKETS: u32 = 3;
/// How often is asked whether a receipt is read.
const POLL: Duration = Duration::from_secs(1);

/// `slip snap`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Sending a file twice is harmless: the same bytes are the same receipt. After an interruption run the command again.

Examples:
  slip snap lunch.jpg taxi.pdf
  slip snap receipts/*.jpg --no-wait
  slip --json snap lunch.jpg | jq -r .expense.id")]
pub(crate) struct Snap {
    /// JPEG, PNG, WebP, TIFF, GIF, HEIC or PDF, up to 20 MB each
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Does not wait for the drafts
    #[arg(long)]
    no_wait: bool,
    /// How many files at the same time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// How long to wait for a draft, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    timeout: u64,
}

/// What became of a file.
struct Sent {
    receipt: Value,
    expense: Option<Value>,
    /// Whether the service had these very bytes of this person before.
    known: bool,
}

/// Sends the files.
pub(crate) async fn snap(slip: &Slip, snap: Snap) -> Outcome {
    let api = slip.api()?;
    let mut first = None;
    let (mut sent_files, mut unreadable, mut unread) = (0, 0, 0);
    let work = snap.files.iter().map(|path| {
        let (api, snap) = (&api, &snap);
        async move { (path, send(slip, api, path, snap).await) }
    });
    let mut done = stream::iter(work).buffer_unordered(usize::from(snap.jobs));
    while let Some((path, sent)) = done.next().await {
        let name = path.display().to_string();
        match sent {
            Ok(sent) => {
                sent_files += 1;
                let expense = sent.expense.as_ref().unwrap_or(&Value::Null);
                let line = json!({ "file": name, "receipt": sent.receipt, "expense": expense });
                slip.out.json_text(&line.to_string());
                slip.out.text(&told(&name, &sent));
                match sent.receipt["status"].as_str() {
                    Some("failed") => {
                        unreadable += 1;
                        first.get_or_insert(Exit::Refused);
                    }
                    Some("read") => {}
                    _ if snap.no_wait => {}
                    _ => {
                        unread += 1;
                        first.get_or_insert(Exit::Unavailable);
                    }
                }
            }
            Err(failure) => {
                let line = json!({ "file": name, "problem": failure.problem, "message": failure.message });
                slip.out.json_text(&line.to_string());
                let untold = Failure { problem: None, ..failure };
                slip.out.failure(Some(&name), &untold);
                first.get_or_insert(untold.exit);
            }
        }
    }
    let count = snap.files.len();
    if count > 1 {
        slip.out.text(&format!(
            "{count} files: {sent_files} sent, {unreadable} of them cannot be read, {unread} not read in time; {} not sent",
            count - sent_files
        ));
    }
    first.map_or(Ok(()), |exit| Err(Failure::new(exit, "")))
}

fn told(name: &str, sent: &Sent) -> String {
    let name = clean(name);
    let before = if sent.known { " (sent before)" } else { "" };
    if let Some(expense) = &sent.expense {
        let details = &expense["details"];
        let mut parts =
            vec![views::text(details, "date"), views::money(&details["amount"]), views::text(details, "merchant")];
        if expense["status"] != "draft" {
            parts.insert(0, views::text(expense, "status"));
        }
        let mut text = format!("{name}: {}{before}\n  {}", views::text(expense, "id"), parts.join("  "));
        let remarks = views::remarks(expense);
        if !remarks.is_empty() {
            text.push_str(&format!("\n{}", views::bullets(&remarks)));
        }
        return text;
    }
    let receipt = &sent.receipt;
    let id = views::text(receipt, "id");
    let told = match receipt["status"].as_str() {
        Some("failed") => format!(
            "It cannot be read. {}\nEnter it by hand: slip new --receipt {id} FIELD=VALUE…",
            views::text(&receipt["failure"], "message")
        ),
        Some("read") if receipt["expense_id"].is_null() => {
            format!("It is read, and no expense has it: slip attach EXPENSE {id}")
        }
        _ => "It is uploaded and not read yet; slip list shows the draft once it is.".to_owned(),
    };
    format!("{name}: {id}{before}\n{}", wrapped(&told, "  "))
}

async fn send(slip: &Slip, api: &Api, path: &Path, snap: &Snap) -> Outcome<Sent> {
    let bytes = read(path).await?;
    let hashed = bytes.clone();
    let sha256 = tokio::task::spawn_blocking(move || hex::encode(Sha256::digest(&hashed)))
        .await
        .map_err(|error| Failure::failed(error.to_string()))?;
    let announcement = json!({ "sha256": sha256, "size_bytes": bytes.len(), "media_type": media_type(&bytes) });
    let label = path.file_name().unwrap_or_default().to_string_lossy();
    let bar = slip.out.bytes_bar(&label, bytes.len() as u64);
    let (mut receipt, known) = uploaded(api, &announcement, &bytes, &bar).await?;
    let id = receipt["id"].as_str().unwrap_or_default().to_owned();
    bar.set_position(bytes.len() as u64);
    bar.set_message("reading");
    bar.enable_steady_tick(Duration::from_millis(200));

    let deadline = Instant::now() + Duration::from_secs(snap.timeout);
    while !snap.no_wait && !matches!(receipt["status"].as_str(), Some("read" | "failed")) {
        if Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(POLL).await;
        receipt = api.json(Call::get(format!("/receipts/{id}"))).await?;
    }
    let expense = match receipt["expense_id"].as_str() {
        Some(expense) if !snap.no_wait => Some(api.json(Call::get(format!("/expenses/{expense}"))).await?),
        _ => None,
    };
    bar.finish_and_clear();
    Ok(Sent { receipt, expense, known })
}

/// Announces the bytes and sends them, if they are not there yet: the receipt, and whether it was there already.
async fn uploaded(
    api: &Api,
    announcement: &Value,
    bytes: &Bytes,
    bar: &indicatif::ProgressBar,
) -> Outcome<(Value, bool)> {
    for _ in 0..TICKETS {
        // A call of its own each time: the answer to the first has the ticket that ended.
        let announced = api.json(Call::post("/receipts", announcement)).await?;
        let ticket = &announced["upload"];
        let known = ticket.is_null();
        if known || transfer::upload(&api.http, ticket, bytes, bar).await? == Uploaded::There {
            return Ok((announced["receipt"].clone(), known));
        }
    }
    Err(Failure::unavailable("the upload takes longer than its tickets hold: run the command again on a faster line"))
}

async fn read(path: &Path) -> Outcome<Bytes> {
    let cannot = |error: std::io::Error| Failure::failed(format!("cannot be read: {error}"));
    let metadata = tokio::fs::metadata(path).await.map_err(cannot)?;
    if metadata.is_dir() {
        return Err(Failure::failed("is a folder: name the files in it"));
    }
    if !metadata.is_file() {
        return Err(Failure::failed("is no file, but a device or a pipe: save it to a file first"));
    }
    if metadata.len() > LARGEST {
        return Err(Failure::refused("is larger than 20 MB: send a smaller picture"));
    }
    let bytes = tokio::fs::read(path).await.map_err(cannot)?;
    if bytes.is_empty() {
        return Err(Failure::refused("is empty: take the photo again"));
    }
    Ok(bytes.into())
}

/// By the file's first bytes; the service looks for itself anyway.
fn media_type(bytes: &[u8]) -> &'static str {
    let brand = bytes.get(4..12).unwrap_or_default();
    match bytes {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "image/tiff",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'%', b'P', b'D', b'F', ..] => "application/pdf",
        _ if brand.starts_with(b"ftyphe") || matches!(brand, b"ftypmif1" | b"ftypmsf1") => "image/heic",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn media_types_go_by_the_bytes() {
        for (bytes, media_type) in [
            (&b"\xff\xd8\xff\xe0"[..], "image/jpeg"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\0\0\0\0WAVE", "application/octet-stream"),
            (b"\0\0\0\x18ftypheic", "image/heic"),
            (b"\0\0\0\x18ftypisom", "application/octet-stream"),
            (b"%PDF-1.7", "application/pdf"),
            (b"x", "application/octet-stream"),
        ] {
            assert_eq!(super::media_type(bytes), media_type);
        }
    }
}
