//! Tables for people: aligned on a terminal, and Markdown at the same time.

use std::fmt;

/// Rows of text under headings; columns after the first are aligned right.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with headings.
    #[must_use]
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_owned).to_vec()] }
    }

    /// Adds a row with as many cells as there are headings.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.rows[0].len());
        self.rows.push(cells.to_vec());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows[0].len();
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (n, row) in self.rows.iter().enumerate() {
            for (column, (cell, &wide)) in row.iter().zip(&widths).enumerate() {
                if column == 0 { write!(f, "| {cell:<wide$} |")? } else { write!(f, " {cell:>wide$} |")? }
            }
            writeln!(f)?;
            if n == 0 {
                for (column, &wide) in widths.iter().enumerate() {
                    let dashes = "-".repeat(wide);
                    if column == 0 { write!(f, "| {dashes} |")? } else { write!(f, " {}: |", &dashes[1..])? }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// A count of right ones among all that were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// How many were right.
    pub right: usize,
    /// How many there were.
    pub of: usize,
}

impl Share {
    /// Counts one more.
    pub fn count(&mut self, right: bool) {
        self.right += usize::from(right);
        self.of += 1;
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { right: self.right + other.right, of: self.of + other.of }
    }

    /// In per cent; nothing where nothing was asked for.
    #[must_use]
    pub fn percent(self) -> Option<f64> {
        (self.of > 0).then(|| 100.0 * self.right as f64 / self.of as f64)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent() {
            Some(percent) => write!(f, "{percent:.1} %"),
            None => f.write_str("–"),
        }
    }
}

/// The value below which `share` (0 to 1) of the values lie, by the nearest rank; nothing of nothing.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    // Ranks are far below 2^52: the cast is exact.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank between 0 and the last index")]
    let rank = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
    Some(sorted[rank])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_are_markdown() {
        let mut table = Table::new(["field", "right"]);
        table.row(["total".into(), "97.0 %".into()]);
        table.row(["größe".into(), "–".into()]);
        assert_eq!(
            table.to_string(),
            "| field |  right |\n| ----- | -----: |\n| total | 97.0 % |\n| größe |      – |\n"
        );
    }

    #[test]
    fn shares_and_quantiles() {
        let mut share = Share::default();
        assert_eq!(share.to_string(), "–");
        share.count(true);
        share.count(false);
        assert_eq!((share.percent(), share.to_string()), (Some(50.0), "50.0 %".into()));
        assert_eq!(share.and(Share { right: 2, of: 2 }), Share { right: 3, of: 4 });
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.95), Some(3.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
