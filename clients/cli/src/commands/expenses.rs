//! Expenses, from the draft to the reimbursement.

use serde_json::{Value, json};
use slipstream_events::{ExpenseId, ReceiptId};

use crate::{
    api::{Api, Call},
    context::{Paging, Slip},
    failure::{Failure, Outcome},
    fields::{self, word},
    narrowed::Narrowed,
    output::wrapped,
    views,
};

/// Some expenses.
#[derive(Debug, clap::Args)]
pub(crate) struct Ids {
    /// The expenses' ids
    #[arg(required = true, value_name = "EXPENSE")]
    ids: Vec<ExpenseId>,
}

/// One expense.
#[derive(Debug, clap::Args)]
pub(crate) struct Id {
    /// The expense's id
    #[arg(value_name = "EXPENSE")]
    id: ExpenseId,
}

/// `slip history`.
#[derive(Debug, clap::Args)]
pub(crate) struct History {
    #[command(flatten)]
    expense: Id,
    #[command(flatten)]
    paging: Paging,
}

/// `slip list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  slip list --status draft
  slip list --from 2026-03-01 --until 2026-03-31 --category meals --min '20 EUR'
  slip list --finance --status approved --all
  slip --json list --all | jq -r '.expenses[].id'")]
pub(crate) struct List {
    /// draft, submitted, approved, rejected, changes-requested or reimbursed
    #[arg(long, value_parser = word)]
    status: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    /// Everyone's (finance); needs --status
    #[arg(long, requires = "status")]
    finance: bool,
    /// Only this person's, by id or mail address
    #[arg(long, requires = "finance", value_name = "PERSON")]
    owner: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Lists one's own expenses, or everyone's.
pub(crate) async fn list(slip: &Slip, list: List) -> Outcome {
    let owner = match &list.owner {
        Some(owner) => Some(super::people::resolve(&slip.api()?, owner).await?),
        None => None,
    };
    let call = Call::get(if list.finance { "/finance/expenses" } else { "/expenses" }).query("status", list.status);
    let call = list.narrowed.onto(call)?.query("owner", owner);
    slip.list(call, "expenses", &list.paging, views::expenses, "There is none.").await
}

/// `slip show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The picture: slip receipt fetch RECEIPT. With --json: the expense only, without the reading.")]
pub(crate) struct Show {
    /// The expense's id
    #[arg(value_name = "EXPENSE")]
    id: ExpenseId,
}

/// Shows an expense, and how sure its reading is.
pub(crate) async fn show(slip: &Slip, show: Show) -> Outcome {
    let api = slip.api()?;
    let answer = api.send(Call::get(format!("/expenses/{}", show.id))).await?;
    slip.shown(&answer, views::expense)?;
    if slip.out.json {
        return Ok(());
    }
    let expense = crate::api::parse(&answer)?;
    if matches!(expense["status"].as_str(), Some("changes_requested" | "rejected")) {
        let comment = last_comment(&api, show.id).await?;
        slip.out.text(&comment.map_or_else(String::new, |comment| views::comment(&comment)));
    }
    let Some(receipt) = expense["receipt_id"].as_str() else { return Ok(()) };
    match api.json(Call::get(format!("/receipts/{receipt}/reading"))).await {
        Ok(reading) => slip.out.text(&format!("\n{}", views::reading(&reading))),
        // A receipt that failed has no reading, and a colleague's receipt is not shown.
        Err(failure) if failure.exit == crate::failure::Exit::NotFound => {}
        Err(failure) => return Err(failure),
    }
    Ok(())
}

/// What the last decision says, for its owner to go by.
async fn last_comment(api: &Api, id: ExpenseId) -> Outcome<Option<Value>> {
    let mut last = None;
    let mut cursor = None;
    loop {
        let call = Call::get(format!("/expenses/{id}/history")).query("limit", Some(100)).query("cursor", cursor);
        let page = api.json(call).await?;
        let commented = |event: &&Value| event["change"]["comment"].is_string();
        last = page["events"].as_array().and_then(|events| events.iter().rfind(commented).cloned()).or(last);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(last),
        }
    }
}

/// `slip new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Fields: merchant, date, amount, original_amount, tax, category, paid_by, cost_centre, project, note, report

Example:
  slip new merchant='City Taxi' date=2026-03-12 amount='18.50 GBP' category=travel")]
pub(crate) struct New {
    /// What to say of it
    #[arg(required = true, value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// A receipt of yours that could not be read
    #[arg(long)]
    receipt: Option<ReceiptId>,
}

/// Drafts an expense by hand.
pub(crate) async fn new(slip: &Slip, new: New) -> Outcome {
    let mut body = json!({ "details": fields::details(&new.fields, None)? });
    if let Some(receipt) = new.receipt {
        body["receipt_id"] = receipt.to_string().into();
    }
    slip.show(Call::post("/expenses", &body), views::expense).await
}

/// `slip edit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Fields: merchant, date, amount, original_amount, tax, category, paid_by, cost_centre, project, note, report
An empty value takes a field away. A change that crosses another one is refused (exit code 5).

Examples:
  slip edit exp_… amount=23.40 category=meals note='Lunch with the Vienna team'
  slip edit exp_… paid_by=company-card project=")]
pub(crate) struct Edit {
    /// The expense's id
    #[arg(value_name = "EXPENSE")]
    id: ExpenseId,
    /// What to change
    #[arg(required = true, value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// Only if it still has this version; without it, the one that is there now
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

/// Changes an expense as it was last seen.
pub(crate) async fn edit(slip: &Slip, edit: Edit) -> Outcome {
    let api = slip.api()?;
    let path = format!("/expenses/{}", edit.id);
    let seen = api.send(Call::get(path.clone())).await?;
    let expense = crate::api::parse(&seen)?;
    let details = fields::details(&edit.fields, currency(&expense))?;
    let etag = edit.if_version.map(|version| format!("\"{version}\"")).or(seen.header("etag").map(ToOwned::to_owned));
    let call = Call::patch(path, &json!({ "details": details })).if_match(etag.as_deref());
    let answer = api.send(call).await?;
    slip.shown(&answer, views::expense)
}

fn currency(expense: &Value) -> Option<slipstream_events::Currency> {
    expense["details"]["amount"]["currency"].as_str()?.parse().ok()
}

/// Deletes drafts.
pub(crate) async fn delete(slip: &Slip, ids: Ids) -> Outcome {
    let api = slip.api()?;
    slip.for_each(&ids.ids, async |id| {
        let answer = api.send(Call::delete(format!("/expenses/{id}"))).await?;
        slip.out.answer(&answer, || format!("{id} is deleted."));
        Ok(())
    })
    .await
}

/// Submits, withdraws, or says that it is no duplicate.
pub(crate) async fn act(slip: &Slip, ids: Ids, action: &str) -> Outcome {
    let api = slip.api()?;
    slip.for_each(&ids.ids, async |id| {
        let answer = api.send(Call::post(format!("/expenses/{id}/{action}"), &json!({}))).await?;
        slip.shown(&answer, |expense| one_line(&id.to_string(), expense))
    })
    .await
}

fn one_line(id: &str, expense: &Value) -> String {
    let details = &expense["details"];
    let line = format!(
        "{id}  {}  {}  {}",
        views::text(expense, "status"),
        views::money(&details["amount"]),
        views::text(details, "merchant")
    );
    wrapped(&line, "")
}

/// `slip reimburse`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  slip reimburse exp_… exp_… --reference SEPA-2026-0312")]
pub(crate) struct Reimburse {
    #[command(flatten)]
    ids: Ids,
    /// The payment's reference
    #[arg(long)]
    reference: Option<String>,
}

/// Records payments.
pub(crate) async fn reimburse(slip: &Slip, reimburse: Reimburse) -> Outcome {
    let api = slip.api()?;
    let body = match &reimburse.reference {
        Some(reference) => json!({ "reference": reference }),
        None => json!({}),
    };
    slip.for_each(&reimburse.ids.ids, async |id| {
        let answer = api.send(Call::post(format!("/expenses/{id}/reimburse"), &body)).await?;
        slip.shown(&answer, |expense| one_line(&id.to_string(), expense))
    })
    .await
}

/// `slip split`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The parts and the personal part must add up to the expense's amount. Amounts without a currency have the expense's.

Examples:
  slip split exp_… --part amount=60,category=lodging --part amount=20,category=meals --personal 8.50
  slip split exp_… --undo")]
pub(crate) struct Split {
    /// The expense's id
    #[arg(value_name = "EXPENSE")]
    id: ExpenseId,
    /// A part: amount, and as wanted category, cost_centre, project, note, paid_by
    #[arg(long = "part", value_name = "FIELD=VALUE,…", required_unless_present = "undo", allow_hyphen_values = true)]
    parts: Vec<String>,
    /// What is not the company's
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    personal: Option<String>,
    /// Makes it one expense again
    #[arg(long, conflicts_with_all = ["parts", "personal"])]
    undo: bool,
}

/// Splits an expense, or undoes it.
pub(crate) async fn split(slip: &Slip, split: Split) -> Outcome {
    let path = format!("/expenses/{}/split", split.id);
    let api = slip.api()?;
    if split.undo {
        let answer = api.send(Call::delete(path)).await?;
        return slip.shown(&answer, |_| format!("{} is one expense again.", split.id));
    }
    let seen = api.send(Call::get(format!("/expenses/{}", split.id))).await?;
    let known = currency(&crate::api::parse(&seen)?);
    let parts = split.parts.iter().map(|part| fields::part(part, known)).collect::<Outcome<Vec<_>>>()?;
    let mut body = json!({ "parts": parts });
    if let Some(personal) = &split.personal {
        let personal =
            fields::money(personal, known).map_err(|message| Failure::usage(format!("--personal: {message}")))?;
        body["personal"] = json!(personal);
    }
    let answer = api.send(Call::post(path, &body).if_match(seen.header("etag"))).await?;
    slip.shown(&answer, |split| match split["expenses"].as_array() {
        Some(expenses) => views::expenses(expenses),
        None => views::expense(split),
    })
}

/// `slip attach`.
#[derive(Debug, clap::Args)]
pub(crate) struct Attach {
    /// The expense's id
    #[arg(value_name = "EXPENSE")]
    id: ExpenseId,
    /// The receipt's id
    #[arg(value_name = "RECEIPT")]
    receipt: ReceiptId,
}

/// Attaches a receipt.
pub(crate) async fn attach(slip: &Slip, attach: Attach) -> Outcome {
    let body = json!({ "receipt_id": attach.receipt });
    slip.show(Call::put(format!("/expenses/{}/receipt", attach.id), &body), views::expense).await
}

/// Takes the receipt off.
pub(crate) async fn detach(slip: &Slip, id: Id) -> Outcome {
    slip.show(Call::delete(format!("/expenses/{}/receipt", id.id)), views::expense).await
}

/// Shows what happened.
pub(crate) async fn history(slip: &Slip, history: History) -> Outcome {
    let call = Call::get(format!("/expenses/{}/history", history.expense.id));
    slip.list(call, "events", &history.paging, views::history, "Nothing has happened yet.").await
}
