//! Decisions, signed in instead of by a mailed link.

use clap::ValueEnum;
use serde_json::json;
use slipstream_events::SubmissionId;

use crate::{
    api::Call,
    context::{Paging, Slip},
    failure::{Failure, Outcome},
    narrowed::Narrowed,
    views,
};

/// Which ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    /// What waits, the first due first
    Pending,
    /// What was decided, the latest first
    Decided,
}

/// `slip approvals`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  slip approvals
  slip approvals --category meals --min '100 EUR'
  slip show exp_… && slip receipt fetch rcp_…
  slip approve exp_….1 --comment 'Fine'
  slip --json approvals --all | jq -r '.approvals[].submission_id' | xargs -r slip approve")]
pub(crate) struct Approvals {
    /// What waits, or what was decided
    #[arg(long, value_enum, default_value_t = Status::Pending)]
    status: Status,
    #[command(flatten)]
    narrowed: Narrowed,
    /// Only this person's, by id or mail address
    #[arg(long, value_name = "PERSON")]
    owner: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Lists what waits for one's decision, or was decided.
pub(crate) async fn list(slip: &Slip, approvals: Approvals) -> Outcome {
    let (status, empty) = match approvals.status {
        Status::Pending => ("pending", "Nothing waits for you."),
        Status::Decided => ("decided", "You have decided nothing yet."),
    };
    let owner = match &approvals.owner {
        Some(owner) => Some(super::people::resolve(&slip.api()?, owner).await?),
        None => None,
    };
    let call = Call::get("/approvals").query("status", Some(status));
    let call = approvals.narrowed.onto(call)?.query("owner", owner);
    slip.list(call, "approvals", &approvals.paging, views::approvals, empty).await
}

/// `slip approve`, `reject`, `request-changes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  slip approve exp_….1 exp_….2 --comment 'Fine'")]
pub(crate) struct Decide {
    /// The submissions' ids, as slip approvals lists them
    #[arg(required = true, value_name = "SUBMISSION")]
    submissions: Vec<SubmissionId>,
    /// Why; needed to reject and to request changes
    #[arg(long)]
    comment: Option<String>,
}

/// Decides.
pub(crate) async fn decide(slip: &Slip, decide: Decide, decision: &str) -> Outcome {
    if decision != "approve" && decide.comment.as_ref().is_none_or(|comment| comment.trim().is_empty()) {
        return Err(Failure::usage("say why: --comment '…'"));
    }
    let api = slip.api()?;
    let mut body = json!({ "decision": decision });
    if let Some(comment) = &decide.comment {
        body["comment"] = comment.as_str().into();
    }
    slip.for_each(&decide.submissions, async |id| {
        let answer = api.send(Call::post(format!("/submissions/{id}/decision"), &body)).await?;
        slip.shown(&answer, |approval| match decision {
            "approve" if approval["outcome"] == "passed" => {
                format!("{id} is approved by you; another level is asked.")
            }
            "approve" => format!("{id} is approved."),
            "reject" => format!("{id} is rejected."),
            _ => format!("{id} is sent back."),
        })
    })
    .await
}
