//! What is printed: answers on stdout, everything else on stderr.

use std::{
    io::{BufRead, ErrorKind, IsTerminal, Write},
    sync::{Arc, OnceLock},
};

use indicatif::{MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    failure::{Failure, Outcome},
    http::Answer,
};

/// How wide lines are at most.
pub(crate) const WIDTH: usize = 80;

/// How answers are shown.
#[derive(Clone)]
pub(crate) struct Out {
    /// As the API gave them, one per line.
    pub(crate) json: bool,
    bars: MultiProgress,
    /// Why stdout takes no more.
    closed: Arc<OnceLock<ErrorKind>>,
}

impl Out {
    /// Progress bars are hidden where stderr is no terminal.
    pub(crate) fn new(json: bool) -> Self {
        Self { json, bars: MultiProgress::new(), closed: Arc::default() }
    }

    /// An answer: for programs as it came, for people as `text` says.
    pub(crate) fn answer(&self, answer: &Answer, text: impl FnOnce() -> String) {
        if self.json {
            self.json_text(&answer.body);
        } else {
            self.text(&text());
        }
    }

    /// JSON, if it is wanted: one value per line, so that several answers are JSON Lines.
    pub(crate) fn json_text(&self, json: &str) {
        if self.json && !json.trim().is_empty() {
            self.print(&one_line(json.trim()));
        }
    }

    /// Text for people; nothing if JSON is wanted.
    pub(crate) fn text(&self, text: &str) {
        if !self.json && !text.is_empty() {
            self.print(&clean_lines(text.trim_end_matches('\n')));
        }
    }

    fn print(&self, text: &str) {
        self.bars.suspend(|| {
            if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
                self.closed.get_or_init(|| error.kind());
            }
        });
    }

    /// Why stdout takes no more, if it does not. Whoever reads may have seen enough, as `head` does: then a list ends, but
    /// what acts on several things goes on.
    pub(crate) fn closed(&self) -> Option<ErrorKind> {
        self.closed.get().copied()
    }

    /// A remark beside the answers.
    pub(crate) fn note(&self, text: &str) {
        // Without a stderr nobody wants remarks.
        self.bars.suspend(|| drop(writeln!(std::io::stderr().lock(), "{}", clean_lines(text))));
    }

    /// A failure; programs get the problem document as well.
    pub(crate) fn failure(&self, about: Option<&str>, failure: &Failure) {
        let about = about.map(|about| format!("{about}: ")).unwrap_or_default();
        self.note(&format!("error: {about}{}", failure.message));
        if let Some(problem) = &failure.problem {
            self.json_text(&problem.to_string());
        }
    }

    /// A bar for so many bytes.
    pub(crate) fn bytes_bar(&self, label: &str, length: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{prefix:24!} {bar:24} {bytes:>10}/{total_bytes:<10} {msg}");
        self.bar(label, length, style)
    }

    /// A bar for so many steps.
    pub(crate) fn steps_bar(&self, label: &str, length: u64) -> ProgressBar {
        self.bar(label, length, ProgressStyle::with_template("{prefix:24!} {bar:24} {pos:>4}/{len:<4} {msg}"))
    }

    fn bar(
        &self,
        label: &str,
        length: u64,
        style: Result<ProgressStyle, indicatif::style::TemplateError>,
    ) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(length).with_finish(ProgressFinish::AndClear));
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(clean(label));
        bar
    }
}

/// Whether a person can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a person for a line.
///
/// # Errors
/// When nobody can answer.
pub(crate) fn ask(question: &str) -> Outcome<String> {
    let mut line = String::new();
    let mut stderr = std::io::stderr().lock();
    let read = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let read = read.and_then(|()| std::io::stdin().lock().read_line(&mut line));
    read.map_err(|error| Failure::failed(format!("nothing can be asked here: {error}")))?;
    Ok(line.trim().to_owned())
}

/// Text from elsewhere, without what would steer the terminal or reorder the line.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_steering(c) { ' ' } else { c }).collect()
}

/// The same, with lines kept.
pub(crate) fn clean_lines(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && is_steering(c) { ' ' } else { c }).collect()
}

/// JSON on one line. What would steer the terminal can stand in its strings only, where an escape means the same.
fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // Between the members of a pretty-printed answer.
            '\n' | '\r' | '\t' => line.push(' '),
            c if is_steering(c) => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line
}

fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Cut to so many columns.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut width = 0;
    let kept = text.chars().take_while(|c| {
        width += c.width().unwrap_or(0);
        width < columns
    });
    format!("{}…", kept.collect::<String>())
}

/// Broken into lines of at most so many columns, at spaces.
pub(crate) fn wrapped(text: &str, indent: &str) -> String {
    let columns = WIDTH - indent.width();
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.width() + 1 + word.width() > columns {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.iter().map(|line| format!("{indent}{line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table of at most [`WIDTH`] columns: the last column gives way. A row may have a second line, for an id.
#[derive(Debug, Default)]
pub(crate) struct Table {
    heads: Vec<(&'static str, Option<Align>)>,
    rows: Vec<(Vec<String>, Option<String>)>,
}

impl Table {
    /// With these columns.
    pub(crate) fn new(heads: &[(&'static str, Align)]) -> Self {
        Self { heads: heads.iter().map(|(head, align)| (*head, Some(*align))).collect(), rows: Vec::new() }
    }

    /// One more row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push((cells.iter().map(|cell| clean(cell)).collect(), None));
    }

    /// One more row with a line below it.
    pub(crate) fn row_with<const N: usize>(&mut self, cells: [String; N], below: String) {
        self.row(cells);
        if let Some(row) = self.rows.last_mut() {
            row.1 = Some(clean(&below));
        }
    }

    /// The lines; `empty` if there is no row.
    pub(crate) fn render(&self, empty: &str) -> String {
        if self.rows.is_empty() {
            return empty.to_owned();
        }
        let mut widths: Vec<usize> = self.heads.iter().map(|(head, _)| head.width()).collect();
        for (cells, _) in &self.rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.width());
            }
        }
        // Fitting: the last column first, then whichever is widest.
        let gaps = 2 * widths.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(WIDTH);
        if let Some(last) = widths.last_mut() {
            let given = excess.min(last.saturating_sub(12));
            *last -= given;
            excess -= given;
        }
        while excess > 0 {
            let Some(widest) = widths.iter_mut().max() else { break };
            *widest -= 1;
            excess -= 1;
        }
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| (*head).to_owned()).collect();
        let mut lines = vec![self.line(&heads, &widths)];
        for (cells, below) in &self.rows {
            lines.push(self.line(cells, &widths));
            lines.extend(below.as_ref().map(|below| format!("  {}", cut(below, WIDTH - 2))));
        }
        lines.join("\n")
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.heads) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let cell = cut(cell, *width);
            let space = " ".repeat(width.saturating_sub(cell.width()));
            match align {
                Some(Align::Right) => line.extend([space, cell]),
                _ => line.extend([cell, space]),
            }
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit_eighty_columns_in_any_script() {
        let mut table = Table::new(&[("DATE", Align::Left), ("AMOUNT", Align::Right), ("MERCHANT", Align::Left)]);
        table.row_with(["2026-03-12".into(), "23.40 EUR".into(), "本格ラーメン専門店".repeat(9)], "exp_1".into());
        table.row(["2026-03-13".into(), "1.00 EUR".into(), "Café".into()]);
        let text = table.render("nothing");
        for line in text.lines() {
            assert!(line.width() <= WIDTH, "{line}");
        }
        assert!(text.contains("2026-03-13   1.00 EUR  Café"), "{text}");
        assert!(text.contains("…\n  exp_1\n"), "{text}");

        let mut wide = Table::new(&[("A", Align::Left), ("B", Align::Left), ("C", Align::Left)]);
        wide.row(["a".repeat(60), "b".repeat(60), "c".repeat(60)]);
        assert!(wide.render("").lines().all(|line| line.width() <= WIDTH));
        assert_eq!(Table::new(&[]).render("nothing"), "nothing");
    }

    #[test]
    fn text_from_elsewhere_does_not_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a [2Jb c d");
        assert_eq!(clean_lines("a\nb\u{7}"), "a\nb ");
        // In JSON the value stays what it is.
        let json = serde_json::json!({ "merchant": "a\u{9b}31mb\u{202e}c\u{7f}" });
        let line = one_line(&serde_json::to_string_pretty(&json).unwrap());
        assert!(!line.chars().any(is_steering), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), json);
    }

    #[test]
    fn long_text_is_broken_at_spaces() {
        let text = wrapped(&"word ".repeat(40), "    ");
        assert!(
            text.lines().count() > 2 && text.lines().all(|line| line.width() <= WIDTH && line.starts_with("    w"))
        );
    }
}
