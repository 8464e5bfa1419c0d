//! `cargo measure`: every figure of `docs/reading.md`. See the library for how.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use slipstream_benchmarks::{
    python::Python,
    reader::Reader,
    rendered,
    report::Table,
    scans::{self, Pictures},
    split::{FIRST_HELD_OUT_SEED, Part},
    thumbnails,
};
use slipstream_local::compile::Checkout;

/// Measures how receipts are read: share of right fields, line items, confidence, seconds, memory.
#[derive(Debug, Parser)]
#[command(name = "cargo measure", bin_name = "cargo measure")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    all: All,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything, as one table with what is to be reached (the default)
    All(All),
    /// The four fields of labelled scans
    Reading(Reading),
    /// Line items and all other fields of receipts drawn here
    Items(Items),
    /// Thumbnails beside sharp and libvips
    Thumbnails,
}

#[derive(Debug, Args)]
struct All {
    /// A folder with `labels.jsonl` and the scans in `sroie/`
    #[arg(long, value_name = "DIR")]
    receipts: Option<PathBuf>,
    /// The seed of the phone photos made of these scans
    #[arg(long, value_name = "SEED", default_value_t = 101)]
    phone: u32,
    #[command(flatten)]
    items: Seeded,
}

#[derive(Debug, Args)]
struct Seeded {
    /// The seed of the receipts to draw; from 100 up they are held out
    #[arg(long, default_value_t = 101)]
    seed: u32,
    /// How many to draw
    #[arg(long, default_value_t = 210)]
    count: usize,
}

#[derive(Debug, Args)]
struct Reading {
    /// A folder with `labels.jsonl` and the scans in `sroie/`
    #[arg(long, value_name = "DIR")]
    receipts: PathBuf,
    /// Which receipts: those to tune on, or those held out (the first digit of the SHA-256 of the file's name is odd)
    #[arg(long, value_enum, default_value_t = Part::HeldOut)]
    part: Part,
    /// Makes phone photos of them first
    #[arg(long, value_name = "SEED")]
    phone: Option<u32>,
    /// Only the first so many
    #[arg(long, value_name = "N")]
    only: Option<usize>,
    /// Writes every answer beside its label, as JSON lines; only of receipts that are not held out
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Items {
    #[command(flatten)]
    drawn: Seeded,
    /// Writes every wrong answer beside its label, as JSON lines; only of seeds that are not held out
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let checkout = Checkout::find().await?;
    match cli.command.unwrap_or(Command::All(cli.all)) {
        Command::All(all) => self::all(&checkout, &all).await,
        Command::Reading(reading) => self::reading(&checkout, &reading).await,
        Command::Items(items) => self::items(&checkout, &items).await,
        Command::Thumbnails => {
            let told = thumbnails::compare(&checkout).await?;
            print!("{}", told.context("there is no tests/benchmarks/thumbnails/compare")?);
            Ok(())
        }
    }
}

async fn reading(checkout: &Checkout, asked: &Reading) -> Result<()> {
    if asked.answers.is_some() && asked.part != Part::Dev {
        bail!("answers of held-out receipts are not to be looked at: --answers goes with --part dev");
    }
    let answers = created(asked.answers.as_ref())?;
    let labels = scans::labels(&asked.receipts, asked.part, asked.only)?;
    let pictures = pictures(checkout, &asked.receipts, &labels, asked.phone).await?;
    let mut reader = Reader::start(checkout).await?;
    let scores = scans::Scores::measure(&mut reader, &pictures, &labels, answers).await?;
    let kind = asked.phone.map_or("scans".to_owned(), |seed| format!("phone photos, seed {seed}"));
    println!("{} {kind} ({})\n\n{}", labels.len(), asked.part, scores.table());
    if let Some((median, p95)) = scores.seconds() {
        println!("Seconds per receipt: median {median:.2}, p95 {p95:.2}. {}\n", memory(&reader));
    }
    println!("{}\n{}", scores.reliability.table(), scores.reliability.medians());
    Ok(())
}

async fn items(checkout: &Checkout, asked: &Items) -> Result<()> {
    if asked.answers.is_some() && asked.drawn.seed >= FIRST_HELD_OUT_SEED {
        bail!(
            "answers of held-out seeds are not to be looked at: --answers goes with seeds below {FIRST_HELD_OUT_SEED}"
        );
    }
    let answers = created(asked.answers.as_ref())?;
    let folder = Python::prepare(checkout).await?.receipts(asked.drawn.seed, asked.drawn.count).await?;
    let mut reader = Reader::start(checkout).await?;
    let scores = rendered::Scores::measure(&mut reader, &folder, answers).await?;
    println!("Seed {}: {}. {}\n", asked.drawn.seed, scores.summary(), memory(&reader));
    println!("{}\n{}", scores.items_table(), scores.table());
    println!("{}\n{}", scores.reliability.table(), scores.reliability.medians());
    Ok(())
}

fn created(path: Option<&PathBuf>) -> Result<Option<fs::File>> {
    path.map(|path| fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))).transpose()
}

async fn pictures(
    checkout: &Checkout,
    receipts: &std::path::Path,
    labels: &[scans::Label],
    phone: Option<u32>,
) -> Result<Pictures> {
    let scans = receipts.join("sroie");
    let Some(seed) = phone else { return Ok(Pictures::Scans(scans)) };
    let names: Vec<String> = labels.iter().map(|label| label.image.clone()).collect();
    Ok(Pictures::Photos(Python::prepare(checkout).await?.photos(&scans, &names, seed).await?))
}

fn memory(reader: &Reader) -> String {
    reader.peak_memory().map_or("Peak memory: not told here.".to_owned(), |mb| format!("Peak memory: {mb:.0} MB."))
}

const NOT_MEASURED: &str = "not measured";

async fn all(checkout: &Checkout, asked: &All) -> Result<()> {
    let mut table = Table::new(["figure", "floor", "aim", "measured", "over"]);
    let mut row = |figure: &str, floor: &str, aim: &str, measured: Option<(String, String)>| {
        let (measured, over) = measured.unwrap_or((NOT_MEASURED.to_owned(), "–".to_owned()));
        table.row([figure.to_owned(), floor.to_owned(), aim.to_owned(), measured, over]);
    };
    let mut reliability = None;
    let (mut scanned, mut photographed) = (None, None);
    let mut missing = Vec::new();
    let mut reader = Reader::start(checkout).await?;
    if let Some(receipts) = &asked.receipts {
        let labels = scans::labels(receipts, Part::HeldOut, None)?;
        let plain = pictures(checkout, receipts, &labels, None).await?;
        let scores = scans::Scores::measure(&mut reader, &plain, &labels, None).await?;
        let peak = reader.peak_memory();
        reliability = Some((scores.reliability.table(), scores.reliability.medians()));
        scanned = Some((scores, peak));
        let photos = pictures(checkout, receipts, &labels, Some(asked.phone)).await?;
        photographed = Some(scans::Scores::measure(&mut reader, &photos, &labels, None).await?);
    } else {
        missing.push("scans and phone photos (give --receipts DIR)");
    }
    let drawn = Python::prepare(checkout).await?.receipts(asked.items.seed, asked.items.count).await?;
    let items = rendered::Scores::measure(&mut reader, &drawn, None).await?;
    let share = |share: slipstream_benchmarks::report::Share| (share.to_string(), format!("{} fields", share.of));
    let of_scans = |name: &str| scanned.as_ref().map(|(scores, _)| share(scores.field(name)));
    row("scans, all four fields exact", "85 %", "90 %", scanned.as_ref().map(|(s, _)| share(s.all())));
    row("scans, total", "95 %", "98 %", of_scans("total"));
    row("scans, date", "97 %", "99 %", of_scans("date"));
    row("phone photos, all four", "75 %", "85 %", photographed.as_ref().map(|s| share(s.all())));
    let tally = items.items;
    row(
        "line items, F1",
        "80 %",
        "92 %",
        Some((format!("{:.1} %", 100.0 * tally.f1()), format!("{} lines", tally.printed))),
    );
    let seconds = scanned.as_ref().and_then(|(s, _)| s.seconds());
    row("seconds per scan, median", "2.0", "1.0", seconds.map(|(m, _)| (format!("{m:.2}"), "held-out scans".into())));
    row("seconds per scan, p95", "–", "–", seconds.map(|(_, p)| (format!("{p:.2}"), "held-out scans".into())));
    let peak = scanned.as_ref().and_then(|(_, peak)| *peak);
    row("resident memory, peak", "300 MB", "–", peak.map(|mb| (format!("{mb:.0} MB"), "held-out scans".into())));
    println!("{table}");
    if let Some((bins, medians)) = reliability {
        println!("Confidence (scans):\n\n{bins}\n{medians}");
    }
    println!("Line items: {}\n\n{}\n{}", items.summary(), items.items_table(), items.table());
    match thumbnails::compare(checkout).await? {
        Some(told) => println!("Thumbnails (floor 1.5 × sharp, aim 1.0 ×):\n\n{told}"),
        None => missing.push("thumbnails (tests/benchmarks/thumbnails/compare is not there)"),
    }
    missing.push("end of upload → draft (`cargo local demo` tells)");
    println!("Not measured: {}.", missing.join("; "));
    Ok(())
}
