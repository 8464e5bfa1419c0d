//! Whether confidence means something: of the answers given with 90 to 95 %, about so many should be right.

use std::collections::BTreeMap;

use crate::report::{Share, Table, quantile};

/// The lower bounds of the bins, in per cent; the last ends at 100.
const BINS: [f64; 7] = [0.0, 50.0, 70.0, 80.0, 90.0, 95.0, 98.0];

/// Every answer given: how sure the reader was, and whether it was right.
#[derive(Debug, Clone, Default)]
pub struct Reliability {
    fields: BTreeMap<&'static str, Vec<(f64, bool)>>,
}

impl Reliability {
    /// Adds an answer; a missing one has no confidence and does not count here.
    pub fn add(&mut self, field: &'static str, confidence: f64, right: bool) {
        // The reader's numbers come from an f32: 97.99999 is 98.
        let confidence = (confidence * 100.0).round() / 100.0;
        self.fields.entry(field).or_default().push((confidence, right));
    }

    /// Adds all answers of another.
    pub fn extend(&mut self, other: Self) {
        for (field, answers) in other.fields {
            self.fields.entry(field).or_default().extend(answers);
        }
    }

    /// How many answers a field has in each bin, and the share of right ones.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(["confidence", "answers", "right", "by field: right/answers"]);
        for (n, low) in BINS.iter().enumerate() {
            let high = BINS.get(n + 1).copied();
            let within = |c: f64| c >= *low && high.is_none_or(|high| c < high);
            let mut whole = Share::default();
            let mut parts = Vec::new();
            for (field, answers) in &self.fields {
                let mut share = Share::default();
                answers.iter().filter(|(c, _)| within(*c)).for_each(|(_, right)| share.count(*right));
                whole = whole.and(share);
                if share.of > 0 {
                    parts.push(format!("{field} {}/{}", share.right, share.of));
                }
            }
            let range = format!("{low:.0} to {:.0}", high.unwrap_or(100.0));
            table.row([range, whole.of.to_string(), whole.to_string(), parts.join(", ")]);
        }
        table
    }

    /// The median confidence of right and of wrong answers, per field and over all.
    #[must_use]
    pub fn medians(&self) -> Table {
        let mut table = Table::new(["field", "median where right", "median where wrong", "wrong answers"]);
        let all: Vec<(f64, bool)> = self.fields.values().flatten().copied().collect();
        for (field, answers) in self.fields.iter().map(|(f, a)| (*f, a)).chain([("all", &all)]) {
            let of =
                |right: bool| -> Vec<f64> { answers.iter().filter(|(_, r)| *r == right).map(|(c, _)| *c).collect() };
            let shown = |values: &[f64]| quantile(values, 0.5).map_or("–".to_owned(), |c| format!("{c:.0}"));
            table.row([field.to_owned(), shown(&of(true)), shown(&of(false)), of(false).len().to_string()]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_take_each_answer_once() {
        let mut seen = Reliability::default();
        for (confidence, right) in
            [(0.0, false), (49.9, false), (50.0, true), (97.9, true), (97.999_99, true), (100.0, false)]
        {
            seen.add("total", confidence, right);
        }
        let mut more = Reliability::default();
        more.add("date", 100.0, true);
        seen.extend(more);
        let table = seen.table().to_string();
        let rows: Vec<Vec<&str>> = table.lines().skip(2).map(|r| r.split('|').map(str::trim).collect()).collect();
        let counts: Vec<&str> = rows.iter().map(|r| r[2]).collect();
        assert_eq!(counts, ["2", "1", "0", "0", "0", "1", "3"], "{table}");
        assert_eq!(rows[6][3..5], ["66.7 %", "date 1/1, total 1/2"], "{table}");
        assert!(
            seen.medians().to_string().contains("| total |                 98 |                 50 |             3 |"),
            "{}",
            seen.medians()
        );
    }
}
