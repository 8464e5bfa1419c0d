//! From scattered lines to printed rows: what stands side by side on paper belongs together.

use crate::page::{Page, Quad, TextLine};

/// What stands between the cells of a row when it is read as one text.
pub const GAP: &str = "  ";

/// One row as one text, of which every part knows where it stands.
#[derive(Debug, Clone)]
pub struct RowText<'a> {
    /// The cells from left to right with [`GAP`] between them.
    pub text: String,
    cells: Vec<Cell<'a>>,
}

/// A cell and the bytes it has in the text of its row.
#[derive(Debug, Clone)]
struct Cell<'a> {
    line: &'a TextLine,
    from: usize,
    to: usize,
}

impl<'a> RowText<'a> {
    /// Several cells, from left to right, as one text.
    pub fn new(lines: impl IntoIterator<Item = &'a TextLine>) -> Self {
        let mut row = Self { text: String::new(), cells: Vec::new() };
        for line in lines {
            if !row.text.is_empty() {
                row.text.push_str(GAP);
            }
            let from = row.text.len();
            row.text.push_str(&line.text);
            row.cells.push(Cell { line, from, to: row.text.len() });
        }
        row
    }

    /// The widest gap between neighbouring cells, in heights of the print.
    #[must_use]
    pub fn widest_gap(&self) -> f32 {
        let gap = |pair: &[Cell<'_>]| match pair {
            [a, b] => (b.line.quad.left() - a.line.quad.right()) / a.line.quad.height().max(1.0),
            _ => 0.0,
        };
        self.cells.windows(2).map(gap).fold(0.0, f32::max)
    }

    /// Text, place and confidence of the bytes `from..to`; `None` if no cell has part in them.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Option<(String, Quad, f32)> {
        let mut texts = Vec::new();
        let mut quads = Vec::new();
        let mut confidence = 1.0_f32;
        for cell in &self.cells {
            let (start, end) = (from.max(cell.from), to.min(cell.to));
            let Some(text) = (start < end).then(|| &self.text[start..end]) else { continue };
            let kept = text.trim();
            if kept.is_empty() {
                continue;
            }
            let start = start + (text.len() - text.trim_start().len());
            let first = self.text[cell.from..start].chars().count();
            texts.push(kept);
            quads.push(cell.line.part(first, first + kept.chars().count()));
            confidence = confidence.min(cell.line.confidence);
        }
        let quad = match quads.as_slice() {
            [one] => *one,
            many => Quad::around(many)?,
        };
        Some((texts.join(" "), quad, confidence))
    }
}

/// One printed row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Indices into [`Page::lines`], from left to right.
    pub cells: Vec<usize>,
    /// Its middle, in pixels from the top once the page is level.
    pub middle: f32,
    /// Its print's height.
    pub height: f32,
}

/// The rows of a page, from top to bottom.
#[derive(Debug)]
pub struct Layout<'a> {
    /// The page it is of.
    pub page: &'a Page,
    /// From top to bottom.
    pub rows: Vec<Row>,
}

impl<'a> Layout<'a> {
    /// Groups the lines of a page, tilted or not, into rows.
    #[must_use]
    pub fn new(page: &'a Page) -> Self {
        let (sin, cos) = tilt(page).sin_cos();
        let mut order: Vec<(f32, usize)> = page
            .lines
            .iter()
            .enumerate()
            .map(|(n, line)| {
                let centre = line.quad.centre();
                (centre.y * cos - centre.x * sin, n)
            })
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut rows: Vec<Row> = Vec::new();
        for (middle, n) in order {
            let line = &page.lines[n];
            let height = line.quad.height();
            let near = rows
                .iter_mut()
                .rev()
                .take(4)
                .filter(|row| {
                    (row.middle - middle).abs() < 0.5 * height.min(row.height)
                        && row.cells.iter().all(|&c| beside(&page.lines[c], line))
                })
                .min_by(|a, b| (a.middle - middle).abs().total_cmp(&(b.middle - middle).abs()));
            if let Some(row) = near {
                let count = row.cells.len() as f32;
                row.middle = (row.middle * count + middle) / (count + 1.0);
                row.height = (row.height * count + height) / (count + 1.0);
                row.cells.push(n);
            } else {
                rows.push(Row { cells: vec![n], middle, height });
            }
        }
        for row in &mut rows {
            row.cells.sort_by(|&a, &b| {
                let left = |n: usize| page.lines[n].quad.left();
                left(a).total_cmp(&left(b))
            });
        }
        rows.sort_by(|a, b| a.middle.total_cmp(&b.middle));
        Self { page, rows }
    }

    /// The lines of a row, from left to right.
    pub fn lines(&self, row: usize) -> impl Iterator<Item = &'a TextLine> + '_ {
        self.rows[row].cells.iter().map(|&n| &self.page.lines[n])
    }

    /// A row as one text that knows its places.
    #[must_use]
    pub fn row_text(&self, row: usize) -> RowText<'a> {
        RowText::new(self.lines(row))
    }

    /// All of a row's text.
    #[must_use]
    pub fn text(&self, row: usize) -> String {
        let parts: Vec<&str> = self.lines(row).map(|line| line.text.as_str()).collect();
        parts.join(" ")
    }

    /// The usual height of print on the page.
    #[must_use]
    pub fn usual_height(&self) -> f32 {
        median(self.page.lines.iter().map(|line| line.quad.height())).unwrap_or(1.0)
    }
}

/// Two lines can stand in one row only if neither is above the other.
fn beside(a: &TextLine, b: &TextLine) -> bool {
    let shared = a.quad.right().min(b.quad.right()) - a.quad.left().max(b.quad.left());
    shared < 0.4 * a.quad.width().min(b.quad.width())
}

/// The angle of the print, in radians; long lines tell it best.
fn tilt(page: &Page) -> f32 {
    let mut long: Vec<&TextLine> =
        page.lines.iter().filter(|line| line.quad.width() > 3.0 * line.quad.height()).collect();
    long.sort_by(|a, b| b.quad.width().total_cmp(&a.quad.width()));
    long.truncate(15);
    median(long.iter().map(|line| {
        let [tl, tr, ..] = line.quad.0;
        (tr.y - tl.y).atan2(tr.x - tl.x)
    }))
    .unwrap_or(0.0)
}

fn median(values: impl Iterator<Item = f32>) -> Option<f32> {
    let mut sorted: Vec<f32> = values.collect();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Point, Quad};

    fn page(lines: &[(&str, f32, f32, f32)], slope: f32) -> Page {
        let lines = lines
            .iter()
            .map(|&(text, left, right, top)| {
                let at = |x: f32, y: f32| Point::new(x, y + x * slope);
                TextLine::new(
                    text,
                    0.9,
                    Quad([at(left, top), at(right, top), at(right, top + 20.0), at(left, top + 20.0)]),
                )
            })
            .collect();
        Page::new(600.0, 800.0, lines)
    }

    #[test]
    fn label_and_amount_share_a_row_even_when_tilted() {
        let lines = [
            ("VAT", 10.0, 120.0, 100.0),
            ("1.00", 500.0, 560.0, 100.0),
            ("TOTAL", 10.0, 120.0, 124.0),
            ("9.00", 500.0, 560.0, 124.0),
            ("Thank you for your visit", 10.0, 560.0, 148.0),
        ];
        for slope in [0.0, 0.06, -0.06] {
            let page = page(&lines, slope);
            let layout = Layout::new(&page);
            let texts: Vec<String> = (0..layout.rows.len()).map(|n| layout.text(n)).collect();
            assert_eq!(texts, ["VAT 1.00", "TOTAL 9.00", "Thank you for your visit"], "slope {slope}");
        }
    }

    #[test]
    fn a_page_without_text_has_no_rows() {
        let page = page(&[], 0.0);
        assert!(Layout::new(&page).rows.is_empty());
    }
}
