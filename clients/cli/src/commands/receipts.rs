//! Receipts.

use clap::Subcommand;
use slipstream_events::ReceiptId;

use crate::{api::Call, context::Slip, failure::Outcome, views};

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
        Receipt::Delete { id } => {
            slip.show(Call::delete(format!("/receipts/{id}")), |_| format!("{id} is deleted.")).await
        }
    }
}
