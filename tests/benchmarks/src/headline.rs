//! The one table of `docs/reading.md`: what is to be reached, and what is.

use crate::{
    rendered,
    report::{Share, Table},
    scans, thumbnails,
};

/// What stands where nothing was measured.
const NOT_MEASURED: &str = "not measured";

/// Everything measured in one run; what there was no data or program for is absent.
#[derive(Debug, Default)]
pub struct Measured {
    /// Held-out scans.
    pub scans: Option<scans::Scores>,
    /// The reader's peak of resident memory after the scans, in MB.
    pub memory: Option<f64>,
    /// The same scans as phone photos.
    pub photos: Option<scans::Scores>,
    /// Rendered receipts.
    pub items: Option<rendered::Scores>,
    /// What the comparison of thumbnails printed.
    pub thumbnails: Option<String>,
}

impl Measured {
    /// Figure, floor, aim, what was measured, and over how much.
    #[must_use]
    pub fn table(&self) -> Table {
        let scans = self.scans.as_ref();
        let seconds = scans.and_then(scans::Scores::seconds);
        let tally = self.items.as_ref().map(|scores| scores.items);
        let over_scans = |text: String| (text, "held-out scans".to_owned());
        let mut table = Table::new(["figure", "floor", "aim", "measured", "over"]);
        for (figure, floor, aim, measured) in [
            ("scans, all four fields exact", "85 %", "90 %", scans.map(|s| fields(s.all()))),
            ("scans, total", "95 %", "98 %", scans.map(|s| fields(s.field("total")))),
            ("scans, date", "97 %", "99 %", scans.map(|s| fields(s.field("date")))),
            ("phone photos, all four", "75 %", "85 %", self.photos.as_ref().map(|s| fields(s.all()))),
            (
                "line items, F1",
                "80 %",
                "92 %",
                tally.map(|t| (format!("{:.1} %", 100.0 * t.f1()), format!("{} lines", t.printed))),
            ),
            ("seconds per scan, median", "2.0", "1.0", seconds.map(|(m, _)| over_scans(format!("{m:.2}")))),
            ("seconds per scan, p95", "–", "–", seconds.map(|(_, p)| over_scans(format!("{p:.2}")))),
            ("resident memory, peak", "300 MB", "–", self.memory.map(|mb| over_scans(format!("{mb:.0} MB")))),
            (
                "thumbnail of 12 MP, to sharp",
                "1.5 ×",
                "1.0 ×",
                self.thumbnails
                    .as_deref()
                    .and_then(thumbnails::ratio)
                    .map(|r| (format!("{r} ×"), "one core".to_owned())),
            ),
            // Needs the whole system: `cargo local demo` tells each receipt's time.
            ("end of upload → draft, 12 MP", "4 s", "2 s", None),
        ] {
            let (measured, over) = measured.unwrap_or((NOT_MEASURED.to_owned(), "–".to_owned()));
            table.row([figure.to_owned(), floor.to_owned(), aim.to_owned(), measured, over]);
        }
        table
    }
}

fn fields(share: Share) -> (String, String) {
    (share.to_string(), format!("{} fields", share.of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_data_is_told() {
        let table = Measured::default().table().to_string();
        assert_eq!(table.matches(NOT_MEASURED).count(), 10, "{table}");
    }

    #[test]
    fn each_figure_stands_beside_its_floor() {
        let measured = Measured {
            memory: Some(251.6),
            items: Some(rendered::Scores::default()),
            thumbnails: Some("ratio to sharp, median of rounds: 0.93, CPU 0.75\n".to_owned()),
            ..Measured::default()
        };
        let table = measured.table().to_string();
        let cells = |figure: &str| -> Vec<String> {
            let row = table.lines().find(|line| line.contains(figure)).unwrap_or_default();
            row.split('|').map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
        };
        assert_eq!(cells("memory")[1..4], ["300 MB", "–", "252 MB"], "{table}");
        assert_eq!(cells("thumbnail")[1..4], ["1.5 ×", "1.0 ×", "0.93 ×"], "{table}");
        assert_eq!(cells("F1")[3..], ["0.0 %", "0 lines"], "{table}");
    }
}
