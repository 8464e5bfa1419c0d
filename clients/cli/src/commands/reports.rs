//! Reports: expenses submitted together.

use clap::Subcommand;
use serde_json::{Value, json};
use slipstream_events::{ExpenseId, ReportId};

use crate::{
    api::Call,
    context::{Paging, Slip},
    failure::Outcome,
    views,
};

/// `slip report`.
#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Lists your reports
    List(Paging),
    /// Makes a report
    ///
    /// Example: slip report new 'Vienna, March' exp_… exp_…
    New {
        /// What it is about
        title: String,
        /// Expenses that belong to it
        #[arg(value_name = "EXPENSE")]
        expenses: Vec<ExpenseId>,
    },
    /// Shows a report with its expenses and sums
    Show {
        /// The report's id
        id: ReportId,
    },
    /// Gives a report another title
    Rename {
        /// The report's id
        id: ReportId,
        /// The new title
        title: String,
    },
    /// Puts expenses into a report
    Add {
        /// The report's id
        id: ReportId,
        /// The expenses' ids
        #[arg(required = true, value_name = "EXPENSE")]
        expenses: Vec<ExpenseId>,
    },
    /// Takes expenses out of their report
    Remove {
        /// The report's id
        id: ReportId,
        /// The expenses' ids
        #[arg(required = true, value_name = "EXPENSE")]
        expenses: Vec<ExpenseId>,
    },
    /// Submits all drafts of a report, all or none
    Submit {
        /// The report's id
        id: ReportId,
    },
    /// Deletes a report; its drafts stay
    Delete {
        /// The report's id
        id: ReportId,
    },
}

/// Runs a command about reports.
pub(crate) async fn run(slip: &Slip, report: Report) -> Outcome {
    match report {
        Report::List(paging) => {
            slip.list(Call::get("/reports"), "reports", &paging, views::reports, "There are no reports.").await
        }
        Report::New { title, expenses } => {
            let mut body = json!({ "title": title });
            if !expenses.is_empty() {
                body["expenses"] = json!(expenses);
            }
            slip.show(Call::post("/reports", &body), views::report).await
        }
        Report::Show { id } => slip.show(Call::get(format!("/reports/{id}")), views::report).await,
        Report::Rename { id, title } => {
            let api = slip.api()?;
            let path = format!("/reports/{id}");
            let seen = api.send(Call::get(path.clone())).await?;
            let call = Call::patch(path, &json!({ "title": title })).if_match(seen.header("etag"));
            slip.shown(&api.send(call).await?, views::report)
        }
        Report::Add { id, expenses } => member(slip, &expenses, None, json!(id), &format!("is in {id}.")).await,
        Report::Remove { id, expenses } => {
            member(slip, &expenses, Some(id), Value::Null, &format!("is not in {id} any more.")).await
        }
        Report::Submit { id } => {
            slip.show(Call::post(format!("/reports/{id}/submit"), &json!({})), views::report).await
        }
        Report::Delete { id } => {
            slip.show(Call::delete(format!("/reports/{id}")), |_| format!("{id} is deleted; its drafts stay.")).await
        }
    }
}

/// Membership is a detail of the expense: changed as it was seen, and taken away only from the report that is named.
async fn member(slip: &Slip, expenses: &[ExpenseId], only_of: Option<ReportId>, report: Value, said: &str) -> Outcome {
    let api = slip.api()?;
    slip.for_each(expenses, async |id| {
        let path = format!("/expenses/{id}");
        let seen = api.send(Call::get(path.clone())).await?;
        let details = crate::api::parse(&seen)?["details"].clone();
        if only_of.is_some_and(|report| details["report"] != json!(report)) {
            slip.out.answer(&seen, || format!("{id} {said}"));
            return Ok(());
        }
        let body = json!({ "details": { "report": report } });
        let answer = api.send(Call::patch(path, &body).if_match(seen.header("etag"))).await?;
        slip.out.answer(&answer, || format!("{id} {said}"));
        Ok(())
    })
    .await
}
