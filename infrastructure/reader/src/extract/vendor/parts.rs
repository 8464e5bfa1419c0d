//! The parts of an address, as Textract names them: street, city, state, postcode, country.

use std::sync::LazyLock;

use regex::Regex;

use super::regions::{COUNTRIES, REGIONS, STATE_CODES};
use crate::extract::Text;
use crate::extract::words::fold;
use crate::layout::RowText;

/// A part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything above the line of the city.
    Street,
    /// The town.
    City,
    /// State, province or region.
    State,
    /// The postcode.
    ZipCode,
    /// The country.
    Country,
    /// The whole block.
    Block,
}

impl Part {
    /// Its name in Textract's answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Street => "STREET",
            Self::City => "CITY",
            Self::State => "STATE",
            Self::ZipCode => "ZIP_CODE",
            Self::Country => "COUNTRY",
            Self::Block => "ADDRESS_BLOCK",
        }
    }
}

static ZIP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[\s,.])(?P<zip>(?:[A-Z]{1,2}-)?\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|(?:[A-Z]{1,2}-)?\d{4}(?:\s?[A-Z]{2})?)(?:$|[\s,.])")
        .expect("a constant pattern")
});

/// The parts of the address in these rows. Without a postcode there is only the block: the rest would be a guess.
pub(super) fn parts(rows: &[RowText<'_>]) -> Vec<(Part, Text)> {
    let mut found = Vec::new();
    let Some((at, zip)) = rows.iter().enumerate().rev().find_map(|(n, row)| {
        let hits = ZIP.captures_iter(&row.text).filter_map(|hit| hit.name("zip"));
        hits.last().map(|m| (n, (m.start(), m.end())))
    }) else {
        return found;
    };
    let row = &rows[at];
    push(&mut found, Part::ZipCode, row, zip.0, zip.1);
    let after = (zip.1, row.text.len());
    // The town stands behind the postcode (Europe, Asia), else in front of it (America, Australia, Britain).
    let behind = row.text[after.0..].chars().any(char::is_alphabetic);
    if behind {
        let (city, rest) = split_at_comma(row, after);
        push(&mut found, Part::City, row, city.0, city.1);
        regions(&mut found, row, rest);
        street(&mut found, &rows[..at], Some((row, (0, zip.0))));
    } else {
        let line = (0, zip.0);
        let start = before_city(row, line);
        let state = state_code(row, line);
        push(&mut found, Part::City, row, start, state.map_or(line.1, |s| s.0));
        if let Some((from, to)) = state {
            push(&mut found, Part::State, row, from, to);
        }
        street(&mut found, &rows[..at], (start > 0).then_some((row, (0, start))));
    }
    for row in &rows[at + 1..] {
        regions(&mut found, row, (0, row.text.len()));
    }
    found
}

/// Adds a part if anything is left of it without its commas.
fn push(found: &mut Vec<(Part, Text)>, part: Part, row: &RowText<'_>, from: usize, to: usize) {
    let text = &row.text[from..to];
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | '-'));
    if trimmed.chars().any(char::is_alphanumeric) {
        let start = from + text.find(trimmed).unwrap_or(0);
        found.extend(row.part(start, start + trimmed.len()).map(|t| (part, Text::of(t))));
    }
}

/// The town and what follows it, in bytes.
fn split_at_comma(row: &RowText<'_>, (from, to): (usize, usize)) -> ((usize, usize), (usize, usize)) {
    let skip = row.text[from..to].len() - row.text[from..to].trim_start_matches([',', ' ', '.']).len();
    let from = from + skip;
    match row.text[from..to].find(',') {
        Some(comma) => ((from, from + comma), (from + comma, to)),
        None => ((from, to), (to, to)),
    }
}

/// Regions and countries among the pieces between commas.
fn regions(found: &mut Vec<(Part, Text)>, row: &RowText<'_>, (from, to): (usize, usize)) {
    let mut start = from;
    for piece in row.text[from..to].split(',') {
        let folded = fold(piece);
        let end = start + piece.len();
        if COUNTRIES.contains(&folded.as_str()) {
            push(found, Part::Country, row, start, end);
        } else if REGIONS.contains(&folded.as_str()) || STATE_CODES.contains(&piece.trim()) {
            push(found, Part::State, row, start, end);
        }
        start = (end + 1).min(to);
    }
}

/// The state's code at the end of `Springfield, IL`.
fn state_code(row: &RowText<'_>, (from, to): (usize, usize)) -> Option<(usize, usize)> {
    let text = row.text[from..to].trim_end_matches([' ', ',', '.']);
    let start = text.rfind([' ', ',']).map_or(0, |at| at + 1);
    STATE_CODES.contains(&&text[start..]).then_some((from + start, from + text.len()))
}

/// Where the town begins when a street stands in the same row: behind the last comma but the state's.
fn before_city(row: &RowText<'_>, (from, to): (usize, usize)) -> usize {
    let end = state_code(row, (from, to)).map_or(to, |s| s.0);
    let text = row.text[from..end].trim_end_matches([' ', ',', '.']);
    text.rfind(',').map_or(from, |at| from + at + 1)
}

/// The rows above the town's, and what stands before it in its row.
fn street(found: &mut Vec<(Part, Text)>, rows: &[RowText<'_>], rest: Option<(&RowText<'_>, (usize, usize))>) {
    let mut pieces: Vec<(Part, Text)> = Vec::new();
    for row in rows {
        push(&mut pieces, Part::Street, row, 0, row.text.len());
    }
    if let Some((row, (from, to))) = rest {
        push(&mut pieces, Part::Street, row, from, to);
    }
    let texts: Vec<&Text> = pieces.iter().map(|(_, text)| text).collect();
    if let Some(whole) = Text::stacked(&texts) {
        found.insert(0, (Part::Street, whole));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Quad, TextLine};

    fn read(rows: &[&str]) -> Vec<(Part, String)> {
        let lines: Vec<TextLine> =
            rows.iter().map(|t| TextLine::new(*t, 0.98, Quad::upright(0.0, 0.0, 300.0, 20.0))).collect();
        let rows: Vec<RowText<'_>> = lines.iter().map(|line| RowText::new([line])).collect();
        parts(&rows).into_iter().map(|(part, text)| (part, text.text)).collect()
    }

    #[test]
    fn the_town_behind_the_postcode() {
        assert_eq!(
            read(&["14 rue de la République", "69002 Lyon", "France"]),
            [
                (Part::Street, "14 rue de la République".to_owned()),
                (Part::ZipCode, "69002".to_owned()),
                (Part::City, "Lyon".to_owned()),
                (Part::Country, "France".to_owned()),
            ]
        );
        let found = read(&["NO 8, JALAN SATU 7/2,", "TAMAN DUA, 56000 KAJANG, SELANGOR."]);
        assert_eq!(found[0], (Part::Street, "NO 8, JALAN SATU 7/2\nTAMAN DUA".to_owned()));
        assert!(found.contains(&(Part::State, "SELANGOR".to_owned())), "{found:?}");
    }

    #[test]
    fn the_town_before_the_postcode() {
        assert_eq!(
            read(&["120 Harbor Street", "Portsmouth, NH 03801"]),
            [
                (Part::Street, "120 Harbor Street".to_owned()),
                (Part::ZipCode, "03801".to_owned()),
                (Part::City, "Portsmouth".to_owned()),
                (Part::State, "NH".to_owned()),
            ]
        );
        let found = read(&["9 Mill Lane, York, YO1 7HU"]);
        assert_eq!(found[0], (Part::Street, "9 Mill Lane".to_owned()));
        assert!(found.contains(&(Part::City, "York".to_owned())), "{found:?}");
    }

    #[test]
    fn without_a_postcode_nothing_is_guessed() {
        assert!(read(&["Hauptstraße 12", "Hof 3"]).is_empty());
    }
}
