//! `reader read FILE…`: what the reader makes of files, for people: a table, the response, or boxes on the picture.
//!
//! Files of every kind that can be uploaded are taken, and made pictures of as the receipt processor does it.

mod annotate;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use slipstream_reader::textract::AnalyzeExpenseResponse;
use slipstream_reader::{Engine, ReadPage as _, extract};

/// What to read, and how to show it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Pictures or PDFs
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Prints the AnalyzeExpense response, one for each page
    #[arg(long)]
    json: bool,
    /// Draws the boxes of what was found on the picture; further pages get a number behind the name
    #[arg(long, value_name = "OUT.png")]
    annotate: Option<PathBuf>,
    /// The folder with the two ONNX models; by default `models` beside this program
    #[arg(long)]
    models: Option<PathBuf>,
}

/// Reads every file; one that cannot be read is told in a line and does not hold up the others.
pub fn run(arguments: &Arguments) -> ExitCode {
    let engine = match load(arguments.models.as_deref()) {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("reader: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut pages = 0;
    let mut whole = true;
    for file in &arguments.files {
        if let Err(error) = read(&engine, file, arguments, &mut pages) {
            eprintln!("reader: {}: {error:#}", file.display());
            whole = false;
        }
    }
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn load(models: Option<&Path>) -> anyhow::Result<Engine> {
    let folder = match models {
        Some(folder) => folder.to_owned(),
        None => std::env::current_exe()?.parent().context("this program has no folder")?.join("models"),
    };
    Ok(Engine::load(&folder)?)
}

/// Reads one file; `pages` counts over all files, for the names of annotated pictures.
fn read(engine: &Engine, file: &Path, arguments: &Arguments, pages: &mut usize) -> anyhow::Result<()> {
    let bytes = fs::read(file).context("cannot be read")?;
    let prepared =
        slipstream_pictures::prepare(&bytes).map_err(|reason| anyhow!("{}", reason.as_str().replace('_', " ")))?;
    let shown = prepared.pages.len();
    for (n, picture) in prepared.pages.iter().enumerate() {
        let page = engine.read_page(&picture.reading)?;
        let response = AnalyzeExpenseResponse::new(&page, &extract::expense(&page));
        *pages += 1;
        if arguments.json {
            println!("{}", serde_json::to_string_pretty(&response)?);
        } else {
            let place = if prepared.page_count > 1 {
                format!(", page {} of {}", n + 1, prepared.page_count)
            } else {
                String::new()
            };
            println!("{}{place}\n\n{}", file.display(), table::shown(&response));
        }
        if let Some(out) = &arguments.annotate {
            let out = numbered(out, *pages);
            let annotated = annotate::drawn(&picture.reading, &response)?;
            annotated.save_with_format(&out, image::ImageFormat::Png).with_context(|| format!("{}", out.display()))?;
        }
    }
    if usize::try_from(prepared.page_count).is_ok_and(|all| all > shown) {
        eprintln!("reader: {}: only the first {shown} of {} pages are read", file.display(), prepared.page_count);
    }
    Ok(())
}

/// `out.png`, `out-2.png`, `out-3.png`.
fn numbered(out: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return out.to_owned();
    }
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let extension = out.extension().map_or(String::new(), |e| format!(".{}", e.to_string_lossy()));
    out.with_file_name(format!("{stem}-{number}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_pages_get_a_number() {
        let name = |n| numbered(Path::new("a/out.png"), n);
        assert_eq!(name(1), Path::new("a/out.png"));
        assert_eq!(name(3), Path::new("a/out-3.png"));
        assert_eq!(numbered(Path::new("boxes"), 2), Path::new("boxes-2"));
    }
}
