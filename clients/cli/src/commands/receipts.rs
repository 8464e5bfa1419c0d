//! Receipts.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;
use slipstream_events::ReceiptId;

use crate::{
    api::Call,
    context::Slip,
    failure::{Failure, Outcome},
    transfer::{self, Downloaded, Remote},
    views,
};

/// How often a file's address is asked for.
const ADDRESSES: u32 = 3;

/// `slip receipt`.
#[derive(Debug, Subcommand)]
pub(crate) enum Receipt {
    /// Shows how a receipt stands, with links to its pictures
    Show {
        /// The receipt's id
        id: ReceiptId,
    },
    /// Shows what was made out on a receipt, and how sure it is
    Reading {
        /// The receipt's id
        id: ReceiptId,
    },
    /// Fetches a receipt as it was uploaded
    ///
    /// Example: slip receipt fetch rcp_… --output receipts
    Fetch {
        /// The receipt's id
        id: ReceiptId,
        /// Where the file goes; its name is the id
        #[arg(long, short, default_value = ".", value_name = "FOLDER")]
        output: PathBuf,
    },
    /// Deletes a receipt that no submitted expense refers to
    Delete {
        /// The receipt's id
        id: ReceiptId,
    },
}

/// Runs a command about receipts.
pub(crate) async fn run(slip: &Slip, receipt: Receipt) -> Outcome {
    match receipt {
        Receipt::Show { id } => slip.show(Call::get(format!("/receipts/{id}")), views::receipt).await,
        Receipt::Reading { id } => slip.show(Call::get(format!("/receipts/{id}/reading")), views::reading).await,
        Receipt::Fetch { id, output } => fetch(slip, id, &output).await,
        Receipt::Delete { id } => {
            slip.show(Call::delete(format!("/receipts/{id}")), |_| format!("{id} is deleted.")).await
        }
    }
}

async fn fetch(slip: &Slip, id: ReceiptId, folder: &std::path::Path) -> Outcome {
    let api = slip.api()?;
    transfer::make_folder(folder).await?;
    for _ in 0..ADDRESSES {
        let answer = api.send(Call::get(format!("/receipts/{id}"))).await?;
        let receipt = crate::api::parse(&answer)?;
        let url = receipt["views"]["original"].as_str();
        let url = url.ok_or_else(|| Failure::refused(format!("{id} has no file yet, or none any more")))?;
        let remote = Remote {
            name: format!("{id}.{}", extension(&receipt)),
            url: url.to_owned(),
            of: id.to_string(),
            size: receipt["size_bytes"].as_u64(),
            sha256: receipt["sha256"].as_str().map(ToOwned::to_owned),
        };
        let bar = slip.out.bytes_bar(&remote.name, remote.size.unwrap_or(0));
        // Nothing else has this name.
        let done = transfer::download(&api.http, &remote, folder, true, &bar).await?;
        bar.finish_and_clear();
        if done == Downloaded::There {
            slip.out.answer(&answer, || folder.join(&remote.name).display().to_string());
            return Ok(());
        }
    }
    Err(Failure::unavailable(format!("the addresses of {id} end too early: run the command again")))
}

/// By the media type that was announced.
fn extension(receipt: &Value) -> &'static str {
    match receipt["media_type"].as_str() {
        Some("image/jpeg") => "jpg",
        Some("image/png") => "png",
        Some("image/webp") => "webp",
        Some("image/tiff") => "tiff",
        Some("image/gif") => "gif",
        Some("image/heic" | "image/heif") => "heic",
        Some("application/pdf") => "pdf",
        _ => "bin",
    }
}
