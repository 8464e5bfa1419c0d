//! `cargo measure`: every figure of `docs/reading.md`. See the library for how.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use slipstream_benchmarks::{
    headline::Measured,
    python::Python,
    reader::Reader,
    rendered,
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

async fn all(checkout: &Checkout, asked: &All) -> Result<()> {
    let mut measured = Measured::default();
    let mut reader = Reader::start(checkout).await?;
    if let Some(receipts) = &asked.receipts {
        let labels = scans::labels(receipts, Part::HeldOut, None)?;
        let plain = pictures(checkout, receipts, &labels, None).await?;
        measured.scans = Some(scans::Scores::measure(&mut reader, &plain, &labels, None).await?);
        measured.memory = reader.peak_memory();
        let photos = pictures(checkout, receipts, &labels, Some(asked.phone)).await?;
        measured.photos = Some(scans::Scores::measure(&mut reader, &photos, &labels, None).await?);
    }
    let drawn = Python::prepare(checkout).await?.receipts(asked.items.seed, asked.items.count).await?;
    measured.items = Some(rendered::Scores::measure(&mut reader, &drawn, None).await?);
    drop(reader);
    let compared = thumbnails::compare(checkout).await;
    let thumbnails = thumbnails::section(&compared);
    measured.thumbnails = compared.ok().flatten();

    println!("{}", measured.table());
    if let Some(scans) = &measured.scans {
        let confidence = &scans.reliability;
        println!("Scans (held out):\n\n{}\n{}\n{}", scans.table(), confidence.table(), confidence.medians());
    } else {
        println!("Scans and phone photos are not measured: give --receipts DIR.\n");
    }
    if let Some(photos) = &measured.photos {
        println!("Phone photos (held out, seed {}):\n\n{}", asked.phone, photos.table());
    }
    if let Some(items) = &measured.items {
        println!("Rendered receipts, seed {}: {}\n", asked.items.seed, items.summary());
        println!("{}\n{}", items.items_table(), items.table());
    }
    println!("{thumbnails}");
    println!("From upload to draft is not measured here: `cargo local demo` tells the time of each receipt.");
    Ok(())
}
