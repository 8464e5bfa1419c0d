//! What is printed: answers on stdout, remarks and failures on stderr.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::failure::Failure;

/// A meaning, said by a colour where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tone {
    /// Nothing of note.
    Plain,
    /// Beside the point.
    Faint,
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// Wrong.
    Bad,
}

/// How answers are shown.
#[derive(Debug, Clone)]
pub(crate) struct Out {
    /// As JSON, one value a line.
    pub(crate) json: bool,
    colours: bool,
}

impl Out {
    /// Coloured where stdout is a terminal and nobody said otherwise (<https://no-color.org>).
    pub(crate) fn new(json: bool) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, colours: !json && !unwanted && std::io::stdout().is_terminal() }
    }

    /// An answer: for programs as it is, for people as `text` says.
    pub(crate) fn answer(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        let text = if self.json { escaped(value) } else { steadied(&text()) };
        if !text.is_empty() {
            // Whoever closed the pipe has seen enough; what is being done is done all the same.
            let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'));
        }
    }

    /// A remark beside the answers.
    pub(crate) fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", clean_lines(text));
    }

    /// A failure.
    pub(crate) fn failure(&self, failure: &Failure) {
        if !failure.message.is_empty() {
            self.note(&format!("error: {}", failure.message));
        }
    }

    /// The text in its colour.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        match tone.code() {
            Some(code) if self.colours => format!("{code}{text}{UNPAINTED}"),
            _ => text.to_owned(),
        }
    }
}

impl Tone {
    /// What begins its colour in a terminal.
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Faint => Some("\u{1b}[2m"),
            Self::Good => Some("\u{1b}[32m"),
            Self::Warning => Some("\u{1b}[33m"),
            Self::Bad => Some("\u{1b}[31m"),
        }
    }
}

/// What ends a colour.
const UNPAINTED: &str = "\u{1b}[0m";

/// JSON without characters that would steer a terminal: strings alone can have any, and JSON can escape them.
fn escaped(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let escape = |c: char| if is_steering(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// Lines without what would steer the terminal, but for colours.
fn steadied(text: &str) -> String {
    let tones = [Tone::Faint, Tone::Good, Tone::Warning, Tone::Bad];
    let codes: Vec<&str> = tones.into_iter().filter_map(Tone::code).chain([UNPAINTED]).collect();
    let mut steady = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = codes.iter().find(|code| rest.starts_with(**code));
        let (kept, next) = rest.split_at(code.map_or(c.len_utf8(), |code| code.len()));
        steady.push_str(if code.is_none() && c != '\n' && is_steering(c) { " " } else { kept });
        rest = next;
    }
    steady
}

/// Text from elsewhere, on one line and without what would steer the terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_steering(c) { ' ' } else { c }).collect()
}

fn clean_lines(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && is_steering(c) { ' ' } else { c }).collect()
}

fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// So many things: `1 message`, `2 messages`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Left-aligned columns, each as wide as it must be. Operators copy ids out of it: nothing is cut.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<(Vec<String>, Tone)>,
}

impl Table {
    /// With these headings.
    pub(crate) fn new<const N: usize>(heads: [&str; N]) -> Self {
        Self { rows: vec![(heads.map(str::to_owned).to_vec(), Tone::Faint)] }
    }

    /// One more row.
    pub(crate) fn row<const N: usize>(&mut self, tone: Tone, cells: [String; N]) {
        self.rows.push((cells.iter().map(|cell| clean(cell)).collect(), tone));
    }

    /// The lines.
    pub(crate) fn render(&self, out: &Out) -> String {
        let columns = self.rows.first().map_or(0, |(cells, _)| cells.len());
        let width = |at: usize| self.rows.iter().filter_map(|(cells, _)| cells.get(at)).map(|cell| cell.width()).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| {
                let space = " ".repeat(width.saturating_sub(cell.width()));
                format!("{cell}{space}")
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(|(cells, tone)| out.paint(*tone, &line(cells))).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_carry_no_escapes_from_elsewhere() {
        let mut table = Table::new(["QUEUE", "COUNT"]);
        table.row(Tone::Bad, ["notifications".into(), "2".into()]);
        table.row(Tone::Plain, ["a\u{1b}[2Jb".into(), "12".into()]);
        let plain = table.render(&Out { json: false, colours: false });
        assert_eq!(plain, "QUEUE          COUNT\nnotifications  2\na [2Jb         12");
        let answer = steadied("\u{1b}[31mred\u{1b}[0m\n\u{1b}]0;title\u{7}\u{202e}x");
        assert_eq!(answer, "\u{1b}[31mred\u{1b}[0m\n ]0;title  x");
        let json = escaped(&["\u{1b}\u{9b}\u{202e}ä"]);
        assert_eq!(json, r#"["\u001b\u009b\u202eä"]"#);
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), ["\u{1b}\u{9b}\u{202e}ä"]);
        let coloured = table.render(&Out { json: false, colours: true });
        assert!(coloured.contains("\u{1b}[31mnotifications  2\u{1b}[0m"), "{coloured}");
    }
}
