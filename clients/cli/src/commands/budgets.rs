//! Budgets, and what was spent.

use clap::{Subcommand, ValueEnum};
use serde_json::json;
use slipstream_events::Money;

use crate::{
    api::Call,
    context::Slip,
    failure::Outcome,
    fields::{amount, month, word},
    views,
};

/// How long a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Period {
    /// Each month anew
    Month,
    /// Each year anew
    Year,
}

/// `slip budgets`.
#[derive(Debug, Subcommand)]
pub(crate) enum Budgets {
    /// Lists the budgets and what is used of them
    List,
    /// Sets a category's budget (finance)
    ///
    /// Example: slip budgets set travel '20000 EUR' --period month
    Set {
        /// The category
        #[arg(value_parser = category)]
        category: String,
        /// How much, in the company's currency
        #[arg(value_parser = amount)]
        amount: Money,
        /// How long it is for
        #[arg(long, value_enum, default_value_t = Period::Month)]
        period: Period,
    },
    /// Takes a category's budget away (finance)
    Delete {
        /// The category
        #[arg(value_parser = category)]
        category: String,
    },
}

/// A category as it stands in an address.
fn category(text: &str) -> Result<String, String> {
    let word = word(text)?;
    let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain { Ok(word) } else { Err(format!("`{text}` is no category; one is meals")) }
}

/// Runs a command about budgets.
pub(crate) async fn run(slip: &Slip, budgets: Budgets) -> Outcome {
    match budgets {
        Budgets::List => {
            let view =
                |answer: &serde_json::Value| views::budgets(answer["budgets"].as_array().map_or(&[], Vec::as_slice));
            slip.show(Call::get("/budgets"), view).await
        }
        Budgets::Set { category, amount, period } => {
            let period = match period {
                Period::Month => "month",
                Period::Year => "year",
            };
            let body = json!({ "amount": amount, "period": period });
            slip.show(Call::put(format!("/budgets/{category}"), &body), |_| {
                format!("The budget for {category} is {amount} a {period}.")
            })
            .await
        }
        Budgets::Delete { category } => {
            slip.show(Call::delete(format!("/budgets/{category}")), |_| format!("{category} has no budget any more."))
                .await
        }
    }
}

/// `slip spend`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  slip spend
  slip spend --from 2026-01 --until 2026-03
  slip spend --company --from 2026-01")]
pub(crate) struct Spend {
    /// From this month on; eleven months before the last one without it
    #[arg(long, value_name = "MONTH", value_parser = month)]
    from: Option<String>,
    /// Up to this month; the current one without it
    #[arg(long, value_name = "MONTH", value_parser = month)]
    until: Option<String>,
    /// Someone else's: for their manager, and for finance
    #[arg(long, conflicts_with = "company")]
    person: Option<String>,
    /// Everyone's together (finance)
    #[arg(long)]
    company: bool,
}

/// Shows sums per month, category and currency.
pub(crate) async fn spend(slip: &Slip, spend: Spend) -> Outcome {
    let api = slip.api()?;
    let person = match &spend.person {
        Some(person) => Some(super::people::resolve(&api, person).await?),
        None => None,
    };
    let call = Call::get("/spend")
        .query("from", spend.from)
        .query("until", spend.until)
        .query("person", person)
        .query("scope", spend.company.then_some("company"));
    let answer = api.send(call).await?;
    slip.shown(&answer, views::spend)
}
