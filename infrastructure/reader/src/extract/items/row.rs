//! One printed row of the things bought, taken apart: code, words, quantity, price of one, amount.

use std::sync::LazyLock;

use regex::Regex;

use super::columns::{Column, Headings};
use crate::extract::amounts::{self, Amount, Decimal, SIGNS};
use crate::extract::labels::{Label, label};
use crate::extract::words::letters_and_digits;
use crate::layout::{Layout, RowText};
use crate::page::Quad;

/// Bytes of a row's text.
pub(super) type Span = (usize, usize);

/// A number in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub span: Span,
    pub thousandths: i64,
    decimals: usize,
    signed: bool,
}

/// How many, and what one costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub quantity: Number,
    pub unit: Option<Number>,
}

/// A row taken apart.
#[derive(Debug, Clone)]
pub(super) struct Parsed<'a> {
    pub row: usize,
    pub text: RowText<'a>,
    /// What names the thing.
    pub words: Option<Span>,
    /// The line's amount.
    pub price: Option<Number>,
    pub count: Option<Count>,
    /// A price of one without a quantity.
    pub unit: Option<Number>,
    /// A whole number in front of the words, which may be a quantity; and whether an `x` says so.
    pub front: Option<(Number, bool)>,
    /// The seller's number of the thing.
    pub code: Option<Span>,
    /// What the words say of an amount.
    pub label: Option<Label>,
    pub style: Style,
}

/// What is the same for all rows of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub decimal: Decimal,
    /// How many decimals amounts have.
    pub decimals: usize,
    /// Whether money is given back.
    pub refund: bool,
}

static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)(?P<q>-?\d{{1,4}}(?:[.,]\d{{1,3}})?)\s*(?P<m>kg|g|lbs?|oz|l|ltrs?|lit(?:er|re)?s?|pcs?|stk|st|hrs?|h|uds?|u|units?|nights?|nächte|nuits?|noches?)?\.?\s*(?:[x×*@]|à)\s*(?P<u>(?:{SIGNS}\s?|[P₱])?(?:\d{{1,3}}(?:[.,' ]\d{{3}})+[.,]\d{{2,3}}|\d+[.,]\s?\d{{2,3}}|\d{{1,3}}(?:[.,]\d{{3}})+|\d+)(?:\s?(?:{SIGNS}))?)(?P<per>\s*/\s*[a-z]{{1,5}}\.?)?"
    ))
    .expect("a constant pattern")
});
static FRONT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?P<q>\d{1,3}(?:[.,]\d{1,3})?)(?P<x>\s*[x×*]\s*|\s*(?:stk|pcs?)\.?\s+|\s+)(?P<w>[^\s\d.,x×*@-])")
        .expect("a constant pattern")
});
static BEHIND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\s(?:[x×*]\s?(?P<q>\d{1,2}))$").expect("a constant pattern"));
static CODE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?P<code>[A-Z]{0,3}\d[\d-]{4,})(?:\s|$)").expect("a constant pattern"));
/// Eight to fourteen digits, as article numbers (GTIN) have.
static LAST_CODE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[A-Za-z]\S*\s+(?P<code>\d{8,14})\s*$").expect("a constant pattern"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?:^|\s)(?P<n>(?:{SIGNS}\s?)?-?\d{{1,3}}(?:[.,']\d{{3}})*(?:[.,]\d{{1,3}})?|\d{{1,6}}(?:[.,]\d{{1,3}})?)(?:\s|$)"))
        .expect("a constant pattern")
});
/// What may follow an amount: a tax letter or code, a rate, a star.
static TRAILING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*\(?(?:[A-Za-z*#+]{1,3}\d?|\d|[A-Z]?\s?\d{1,2}(?:[.,]\d)?\s?%)?\)?\s*$")
        .expect("a constant pattern")
});

impl<'a> Parsed<'a> {
    /// Takes a row apart.
    pub fn new(layout: &Layout<'a>, row: usize, style: Style, headings: &Headings) -> Self {
        let text = layout.row_text(row);
        let mut parsed = Self {
            row,
            text,
            words: None,
            price: None,
            count: None,
            unit: None,
            front: None,
            code: None,
            label: None,
            style,
        };
        let whole = parsed.text.text.clone();
        let times = times(&whole, style);
        parsed.price = price(&whole, style, times.map(|(_, span)| span));
        let end = parsed.price.map_or(whole.len(), |p| p.span.0);
        let mut taken: Vec<Span> = parsed.price.map(|p| (p.span.0, whole.len())).into_iter().collect();
        if let Some((count, span)) = times.filter(|(count, span)| span.1 <= end && parsed.believes(count, style)) {
            parsed.count = Some(count);
            taken.push(span);
        } else {
            taken.extend(parsed.by_columns(end, style, headings));
        }
        parsed.take_front(end, &mut taken);
        parsed.take_last_code(&mut taken);
        parsed.words = words(&whole, &taken);
        parsed.take_behind();
        parsed.label = parsed.words.and_then(|(from, to)| label(&whole[from..to]));
        parsed
    }

    /// The text of a span.
    pub fn str(&self, (from, to): Span) -> &str {
        &self.text.text[from..to]
    }

    /// Where a span stands.
    pub fn quad(&self, (from, to): Span) -> Option<Quad> {
        self.text.part(from, to).map(|(_, quad, _)| quad)
    }

    /// A multiplication is believed if it says an amount or if it makes the line's: `2 x 3.50`, not `5 x 60` of a screw.
    fn believes(&self, count: &Count, style: Style) -> bool {
        let Some(unit) = count.unit else { return false };
        unit.signed
            || unit.decimals > 0 && unit.decimals >= style.decimals
            || self.price.is_some_and(|price| makes(count, price.thousandths, style))
            || style.decimals == 0 && unit.decimals == 0 && self.price.is_none() && unit.thousandths >= 10_000
    }

    /// Quantity and price of one among the numbers that stand apart in front of the amount. Answers their spans.
    fn by_columns(&mut self, end: usize, style: Style, headings: &Headings) -> Vec<Span> {
        let Some(price) = self.price else { return Vec::new() };
        let numbers = standing_numbers(&self.text.text[..end], style);
        for quantity in &numbers {
            for unit in numbers.iter().filter(|u| u.span != quantity.span) {
                let count = Count { quantity: *quantity, unit: Some(*unit) };
                if unit.is_money(style) && quantity.may_count() && self.makes_line(&count, price, &numbers, style) {
                    self.count = Some(count);
                    return numbers
                        .iter()
                        .filter(|n| n.span.0 >= quantity.span.0.min(unit.span.0))
                        .map(|n| n.span)
                        .collect();
                }
            }
        }
        let apart = |n: &&Number| self.stands_apart(n.span);
        let under = |n: &&Number, column| self.quad(n.span).and_then(|q| headings.over(&q)) == Some(column);
        let mut spans = Vec::new();
        let unit =
            numbers.iter().rev().filter(apart).find(|n| n.is_money(style) && !under(n, Column::Discount)).copied();
        let counts = |n: &&Number| n.may_count() && n.decimals != style.decimals.max(1) && n.thousandths < 1_000_000;
        let by_heading =
            numbers.iter().filter(|n| headings.has(Column::Quantity) && under(n, Column::Quantity)).find(counts);
        let quantity = by_heading.or_else(|| numbers.iter().rev().filter(apart).find(counts)).copied();
        spans.extend(unit.map(|n| n.span));
        spans.extend(quantity.map(|n| n.span));
        self.unit = unit;
        self.count = quantity.map(|quantity| Count { quantity, unit });
        spans
    }

    /// Whether quantity and price of one make the amount, less what a third column takes off.
    fn makes_line(&self, count: &Count, price: Number, numbers: &[Number], style: Style) -> bool {
        let less = |n: &Number| {
            Some(n.span) != count.unit.map(|u| u.span) && n.span != count.quantity.span && n.is_money(style)
        };
        makes(count, price.thousandths, style)
            || numbers.iter().filter(|n| less(n)).any(|n| makes(count, price.thousandths + n.thousandths, style))
    }

    /// Whether a span is a cell of its own.
    fn stands_apart(&self, (from, to): Span) -> bool {
        let text = &self.text.text;
        let before = from == 0 || text[..from].ends_with("  ");
        before
            && (to == text.len()
                || text[to..].starts_with("  ")
                || text[to..].trim_start().starts_with(|c: char| c.is_ascii_digit()))
    }

    /// A code, then a number, in front of the words.
    fn take_front(&mut self, end: usize, taken: &mut Vec<Span>) {
        let text = &self.text.text[..end];
        let mut from = text.len() - text.trim_start().len();
        if let Some(code) = CODE.captures(&text[from..]).and_then(|hit| hit.name("code")) {
            let span = (from + code.start(), from + code.end());
            if !taken.iter().any(|t| t.0 < span.1 && span.0 < t.1) {
                self.code = Some(span);
                taken.push(span);
                from = span.1 + text[span.1..].len() - text[span.1..].trim_start().len();
            }
        }
        let Some(hit) = FRONT.captures(&text[from..]) else { return };
        let (Some(q), Some(x), Some(w)) = (hit.name("q"), hit.name("x"), hit.name("w")) else { return };
        let span = (from + q.start(), from + q.end());
        if taken.iter().any(|t| t.0 < span.1 && span.0 < t.1) || !w.as_str().starts_with(|c: char| c.is_alphabetic()) {
            return;
        }
        let Some((thousandths, decimals)) = amounts::value(q.as_str(), Decimal::Point) else { return };
        if thousandths > 0 && (decimals == 0 || decimals == 3) {
            let number = Number { span, thousandths, decimals, signed: false };
            self.front = Some((number, !x.as_str().trim().is_empty()));
        }
    }

    /// A code behind the words of a row without an amount.
    fn take_last_code(&mut self, taken: &mut Vec<Span>) {
        if self.price.is_some() || self.code.is_some() {
            return;
        }
        let Some(code) = LAST_CODE.captures(&self.text.text).and_then(|hit| hit.name("code")) else { return };
        let span = (code.start(), code.end());
        self.code = Some(span);
        taken.push(span);
    }

    /// Believes the number in front: the words begin behind it.
    pub fn accept_front(&mut self) {
        let Some(((number, _), (from, to))) = self.front.take().zip(self.words) else { return };
        if self.count.is_none() {
            self.count = Some(Count { quantity: number, unit: self.unit });
        }
        if (from..to).contains(&number.span.0) {
            let rest =
                self.text.text[number.span.1..to].trim_start_matches(|c: char| c.is_whitespace() || ".×*".contains(c));
            let rest = rest
                .strip_prefix(['x', 'X'])
                .filter(|r| r.starts_with(' ') || self.text.text[number.span.1..].starts_with(['x', 'X']))
                .unwrap_or(rest);
            self.words = trimmed(&self.text.text, (to - rest.len(), to));
        }
    }

    /// `Cappuccino x2`.
    fn take_behind(&mut self) {
        let Some((from, to)) = self.words.filter(|_| self.count.is_none()) else { return };
        let Some(hit) = BEHIND.captures(&self.text.text[from..to]) else { return };
        let (Some(whole), Some(q)) = (hit.get(0), hit.name("q")) else { return };
        let Ok(pieces) = q.as_str().parse::<i64>() else { return };
        if (1..=50).contains(&pieces) {
            let span = (from + q.start(), from + q.end());
            let quantity = Number { span, thousandths: pieces * 1000, decimals: 0, signed: false };
            self.count = Some(Count { quantity, unit: None });
            self.words = trimmed(&self.text.text, (from, from + whole.start()));
        }
    }
}

impl Number {
    fn is_money(self, style: Style) -> bool {
        self.signed || self.decimals == style.decimals || style.decimals == 0 && self.decimals == 0
    }

    /// Whether it can say how many: a whole number, or a weight.
    fn may_count(self) -> bool {
        !self.signed && self.thousandths > 0
    }
}

/// Whether quantity times price of one is the amount, rounded to the smallest coin.
pub(super) fn makes(count: &Count, price: i64, style: Style) -> bool {
    let Some(unit) = count.unit else { return false };
    let product = i128::from(count.quantity.thousandths) * i128::from(unit.thousandths) / 1000;
    let coin = match style.decimals {
        0 => 1000,
        2 => 10,
        _ => 1,
    };
    (product - i128::from(price)).abs() <= coin
}

/// The multiplication in a row: what it counts and where it stands.
fn times(text: &str, style: Style) -> Option<(Count, Span)> {
    TIMES.captures_iter(text).find_map(|hit| {
        let (whole, q, u) = (hit.get(0)?, hit.name("q")?, hit.name("u")?);
        let before = text[..q.start()].chars().next_back();
        let after = text[whole.end()..].chars().next();
        if before.is_some_and(|c| c.is_alphanumeric() || ".,'".contains(c))
            || after.is_some_and(|c| c.is_alphanumeric() || c == '%')
        {
            return None;
        }
        let mut quantity = number(q.as_str(), q.start(), style)?;
        let mut unit = number(u.as_str(), u.start(), style)?;
        // `3,50 x 2`
        if quantity.decimals == style.decimals
            && style.decimals > 0
            && unit.decimals == 0
            && !unit.signed
            && hit.name("m").is_none()
        {
            (quantity, unit) = (unit, quantity);
        }
        // A weight has its point even where amounts have a comma.
        if let Some(three) = q.as_str().split_once(['.', ',']).filter(|(_, d)| d.len() == 3) {
            quantity.thousandths = format!("{}{}", three.0, three.1).parse().ok()?;
        }
        (quantity.thousandths != 0).then_some((Count { quantity, unit: Some(unit) }, (whole.start(), whole.end())))
    })
}

fn number(printed: &str, at: usize, style: Style) -> Option<Number> {
    let digits = printed.trim_matches(|c: char| !c.is_ascii_digit());
    let (thousandths, decimals) = amounts::value(&digits.replace(' ', ""), style.decimal)?;
    let signed = printed.chars().any(|c| c.is_alphabetic() || "€$£¥".contains(c));
    let negative = printed.trim_start().starts_with('-');
    let thousandths = if negative { -thousandths } else { thousandths };
    Some(Number { span: (at, at + printed.trim_end().len()), thousandths, decimals, signed })
}

/// The numbers with white space on both sides, from left to right.
fn standing_numbers(text: &str, style: Style) -> Vec<Number> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(hit) = NUMBER.captures_at(text, from).and_then(|hit| hit.name("n")) {
        found.extend(number(hit.as_str(), hit.start(), style));
        from = hit.end();
    }
    found
}

/// The line's amount: the last one, behind which there is nothing but a tax letter.
fn price(text: &str, style: Style, times: Option<Span>) -> Option<Number> {
    let bytes = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let amounts: Vec<Amount> = amounts::find(text, style.decimal);
    let found = amounts.iter().rev().find(|a| {
        let whole = style.decimals == 0 && a.decimals == 0;
        a.decimals == style.decimals && a.decimals > 0 || a.sign.is_some() || whole
    })?;
    let (from, to) = (bytes(found.start), bytes(found.end));
    // Behind an amount without decimals anything may be meant, so that it has to end the row.
    let alone = text[to..].trim().is_empty();
    if times.is_some_and(|t| from < t.1 && t.0 < to)
        || !TRAILING.is_match(&text[to..])
        || style.decimals == 0 && found.sign.is_none() && !alone
    {
        return None;
    }
    // A whole number at the end of words, `Block 5`, is no amount: those stand apart.
    if style.decimals == 0 && found.sign.is_none() && from > 0 && !text[..from].ends_with("  ") {
        return None;
    }
    Some(Number {
        span: (from, to),
        thousandths: found.thousandths,
        decimals: found.decimals,
        signed: found.sign.is_some(),
    })
}

/// The piece with most letters of what is not taken.
fn words(text: &str, taken: &[Span]) -> Option<Span> {
    let mut spans = taken.to_vec();
    spans.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for (start, end) in spans.into_iter().chain([(text.len(), text.len())]) {
        if start > from {
            pieces.push((from, start));
        }
        from = from.max(end);
    }
    pieces
        .into_iter()
        .filter_map(|span| trimmed(text, span))
        .filter(|&(from, to)| letters_and_digits(&text[from..to]).0 >= 2)
        .max_by_key(|&(from, to)| letters_and_digits(&text[from..to]).0)
}

/// Without white space and stray signs around it.
fn trimmed(text: &str, (from, to): Span) -> Option<Span> {
    let piece = &text[from..to];
    let kept = piece
        .trim_start_matches(|c: char| c.is_whitespace() || "-*•·=_.:;,|>#@".contains(c))
        .trim_end_matches(|c: char| c.is_whitespace() || "-•·=_:;,|<@".contains(c));
    let start = from + piece.find(kept)?;
    (!kept.is_empty()).then_some((start, start + kept.len()))
}
