//! Real scans with four known fields, as SROIE (ICDAR 2019) has them: plain, or made into phone photos.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::{
    answer::Answer,
    reader::Reader,
    reliability::Reliability,
    report::{Share, Table, quantile},
    rules,
    split::Part,
};

/// The four fields: the label's name, and Textract's.
pub const FIELDS: [(&str, &str); 4] =
    [("company", "VENDOR_NAME"), ("address", "VENDOR_ADDRESS"), ("date", "INVOICE_RECEIPT_DATE"), ("total", "TOTAL")];

/// Companies this alike are told beside the exact ones.
const ALIKE: f64 = 0.9;

/// One line of `labels.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub struct Label {
    /// The file's name.
    pub image: String,
    company: Option<String>,
    address: Option<String>,
    date: Option<String>,
    total: Option<String>,
}

impl Label {
    fn of(&self, field: &str) -> Option<&str> {
        let value = match field {
            "company" => &self.company,
            "address" => &self.address,
            "date" => &self.date,
            _ => &self.total,
        };
        value.as_deref().filter(|v| !v.is_empty())
    }
}

/// The labels of a part.
///
/// # Errors
/// When the file cannot be read.
pub fn labels(receipts: &Path, part: Part, only: Option<usize>) -> Result<Vec<Label>> {
    let path = receipts.join("labels.jsonl");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let all: Vec<Label> =
        text.lines().filter(|l| !l.trim().is_empty()).map(serde_json::from_str).collect::<serde_json::Result<_>>()?;
    let mut chosen: Vec<Label> = all.into_iter().filter(|label| part.has(&label.image)).collect();
    chosen.truncate(only.unwrap_or(usize::MAX));
    if chosen.is_empty() {
        bail!("{} has no receipts of this part", path.display());
    }
    Ok(chosen)
}

/// Where the files are, and what becomes of one before it is sent.
#[derive(Debug, Clone)]
pub enum Pictures {
    /// The scan itself, byte by byte.
    Scans(PathBuf),
    /// A photo, made upright and smaller as the receipt processor does it.
    Photos(PathBuf),
}

impl Pictures {
    fn file(&self, name: &str) -> Result<Vec<u8>> {
        let (Self::Scans(folder) | Self::Photos(folder)) = self;
        let path = folder.join(name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if matches!(self, Self::Scans(_)) {
            return Ok(bytes);
        }
        match slipstream_pictures::prepare(&bytes) {
            Ok(prepared) => {
                let page = prepared.pages.into_iter().next().with_context(|| format!("{name} has no page"))?;
                Ok(page.reading)
            }
            Err(reason) => bail!("{name} cannot be prepared: {reason:?}"),
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Scores {
    fields: [Share; 4],
    similar_company: Share,
    seconds: Vec<f64>,
    failed: usize,
    /// How sure the reader was of each answer.
    pub reliability: Reliability,
}

/// Whether a field's answer is right.
#[must_use]
pub fn is_right(field: &str, answer: &str, label: &str) -> bool {
    match field {
        "total" => match (rules::amount(answer), rules::amount(label)) {
            (Some(a), Some(b)) => rules::same_amount(a, b),
            _ => false,
        },
        "date" => rules::calendar(answer).is_some_and(|day| Some(day) == rules::calendar(label)),
        _ => rules::same_text(answer, label),
    }
}

impl Scores {
    /// Reads and scores every receipt; `answers` gets each beside its label, as JSON lines.
    ///
    /// # Errors
    /// When a file is missing or the reader has died.
    pub async fn measure(
        reader: &mut Reader,
        pictures: &Pictures,
        labels: &[Label],
        mut answers: Option<fs::File>,
    ) -> Result<Self> {
        let mut scores = Self::default();
        for (n, label) in labels.iter().enumerate() {
            let reply = reader.read(&pictures.file(&label.image)?).await?;
            scores.seconds.push(reply.seconds);
            let answer = match reply.answer {
                Ok(response) => Answer::new(&response),
                Err(refusal) => {
                    scores.failed += 1;
                    eprintln!("\n{}: {refusal}", label.image);
                    Answer::default()
                }
            };
            let row = scores.count(label, &answer);
            if let Some(file) = &mut answers {
                writeln!(file, "{row}")?;
            }
            eprint!("\r{}/{} ", n + 1, labels.len());
        }
        eprintln!();
        Ok(scores)
    }

    fn count(&mut self, label: &Label, answer: &Answer) -> serde_json::Value {
        let mut row = json!({"image": label.image});
        for ((field, kind), share) in FIELDS.into_iter().zip(&mut self.fields) {
            let Some(expected) = label.of(field) else { continue };
            let found = answer.first(&[kind]);
            let right = found.is_some_and(|found| is_right(field, &found.text, expected));
            share.count(right);
            if let Some(found) = found {
                self.reliability.add(field, found.confidence, right);
            }
            if field == "company" {
                let text = found.map_or(String::new(), |f| rules::spaced(&f.text));
                self.similar_company.count(rules::similarity(&text, &rules::spaced(expected)) >= ALIKE);
            }
            row[field] = json!({
                "right": right,
                "answer": found.map(|f| &f.text),
                "label": expected,
                "confidence": found.map(|f| f.confidence),
            });
        }
        row
    }

    /// All four fields together, the headline.
    #[must_use]
    pub fn all(&self) -> Share {
        self.fields.iter().fold(Share::default(), |sum, share| sum.and(*share))
    }

    /// One field.
    #[must_use]
    pub fn field(&self, name: &str) -> Share {
        FIELDS.iter().zip(self.fields).find(|((field, _), _)| *field == name).map(|(_, s)| s).unwrap_or_default()
    }

    /// The median, and what 95 of 100 receipts stay below.
    #[must_use]
    pub fn seconds(&self) -> Option<(f64, f64)> {
        Some((quantile(&self.seconds, 0.5)?, quantile(&self.seconds, 0.95)?))
    }

    /// Everything as a table.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(["field", "right", "of"]);
        for ((field, _), share) in FIELDS.iter().zip(self.fields) {
            table.row([(*field).to_owned(), share.to_string(), share.of.to_string()]);
        }
        let all = self.all();
        table.row(["all four".to_owned(), all.to_string(), all.of.to_string()]);
        let similar = self.similar_company;
        table.row(["company at 0.9 similarity".to_owned(), similar.to_string(), similar.of.to_string()]);
        table.row(["refused".to_owned(), self.failed.to_string(), self.seconds.len().to_string()]);
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(json: serde_json::Value) -> Label {
        serde_json::from_value(json).expect("a label")
    }

    #[test]
    fn counts_only_what_the_label_has() {
        let label = label(
            json!({"image": "1.jpg", "company": "Kranich GmbH", "date": "12/03/2025", "total": "4.50", "address": ""}),
        );
        let response = json!({"ExpenseDocuments": [{"SummaryFields": [
            {"Type": {"Text": "VENDOR_NAME"}, "ValueDetection": {"Text": "KRANICH GMBH.", "Confidence": 91.0}},
            {"Type": {"Text": "VENDOR_ADDRESS"}, "ValueDetection": {"Text": "Quittenweg 1", "Confidence": 50.0}},
            {"Type": {"Text": "INVOICE_RECEIPT_DATE"}, "ValueDetection": {"Text": "12.03.25", "Confidence": 95.0}},
        ]}]});
        let mut scores = Scores::default();
        let row = scores.count(&label, &Answer::new(&response));
        assert_eq!(scores.field("company"), Share { right: 1, of: 1 });
        assert_eq!(scores.field("address"), Share::default());
        assert_eq!(scores.field("date"), Share { right: 1, of: 1 });
        assert_eq!(scores.field("total"), Share { right: 0, of: 1 });
        assert_eq!(scores.all(), Share { right: 2, of: 3 });
        assert_eq!((&row["total"]["right"], &row["total"]["answer"]), (&json!(false), &json!(null)));
    }
}
