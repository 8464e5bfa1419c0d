//! Exchange rates, as the European Central Bank publishes them.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::civil::Date;
use serde_json::Value;

use crate::{
    api::Call,
    commands::read_text,
    context::Slip,
    failure::{Failure, Outcome},
    fields::date,
    output::{Align, Table},
    views::text,
};

/// How many days one request may carry.
const DAYS: usize = 400;

/// `slip rates`.
#[derive(Debug, Subcommand)]
pub(crate) enum Rates {
    /// Sends a CSV file of rates (finance), such as the ECB's eurofxref.csv or eurofxref-hist.csv
    ///
    /// Sending it again changes nothing. After an interruption run the command again.
    Import {
        /// The file; `-` for stdin
        file: PathBuf,
    },
    /// Shows rates
    Show {
        /// Of this day, or the latest before it
        #[arg(long, value_name = "DATE", value_parser = date)]
        date: Option<Date>,
        /// Only this currency
        #[arg(long)]
        currency: Option<String>,
    },
}

/// Runs a command about rates.
pub(crate) async fn run(slip: &Slip, rates: Rates) -> Outcome {
    match rates {
        Rates::Import { file } => {
            let parts = parts(&read_text(&file)?)
                .map_err(|message| Failure::refused(format!("{}: {message}", file.display())))?;
            let api = slip.api()?;
            let bar = slip.out.steps_bar("rates", parts.len() as u64);
            let (mut loaded, mut unchanged) = (0, 0);
            for part in parts {
                let answer = api.send(Call::put_csv("/exchange-rates", part)).await?;
                slip.out.json_text(&answer.body);
                let told = crate::api::parse(&answer)?;
                loaded += told["loaded"].as_array().map_or(0, Vec::len);
                unchanged += told["unchanged"].as_u64().unwrap_or(0);
                bar.inc(1);
            }
            bar.finish_and_clear();
            slip.out.text(&format!("Days with new rates: {loaded}. Days that had these rates already: {unchanged}."));
            Ok(())
        }
        Rates::Show { date, currency } => {
            let currency = currency.map(|code| code.to_ascii_uppercase());
            let call = Call::get("/exchange-rates").query("date", date).query("currency", currency);
            slip.show(call, shown).await
        }
    }
}

/// The file in parts of at most [`DAYS`] days, each with the heading.
fn parts(csv: &str) -> Result<Vec<String>, String> {
    let mut lines = csv.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    let heading = lines.next().filter(|heading| heading.trim_start().to_ascii_lowercase().starts_with("date"));
    let heading = heading.ok_or("its first line is no heading such as Date,USD,JPY")?;
    let days: Vec<&str> = lines.collect();
    if days.is_empty() {
        return Err("it has no rates".to_owned());
    }
    Ok(days.chunks(DAYS).map(|days| format!("{heading}\n{}\n", days.join("\n"))).collect())
}

/// The rates of a day, one per row.
fn shown(day: &Value) -> String {
    let mut table = Table::new(&[("CURRENCY", Align::Left), ("RATE", Align::Right)]);
    for (code, rate) in day["rates"].as_object().into_iter().flatten() {
        table.row([code.clone(), rate.as_str().map_or_else(|| rate.to_string(), ToOwned::to_owned)]);
    }
    let head = format!("1 {} on {} ({})", text(day, "base"), text(day, "date"), text(day, "source"));
    format!("{head}\n{}", table.render("There are no rates."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_goes_in_parts_with_the_heading() {
        let days: Vec<String> = (0..950).map(|day| format!("day {day},1.08,N/A,")).collect();
        let parts = parts(&format!("\u{feff}Date,USD,JPY,\r\n{}\n\n", days.join("\r\n"))).unwrap();
        assert_eq!(parts.iter().map(|csv| csv.lines().count()).collect::<Vec<_>>(), [401, 401, 151]);
        assert!(parts.iter().all(|csv| csv.starts_with("Date,USD,JPY,\n")));
        assert!(super::parts("USD,1\n").is_err() && super::parts("Date,USD\n").is_err());
    }
}
