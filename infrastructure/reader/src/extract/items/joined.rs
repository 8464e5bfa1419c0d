//! Joins rows that belong to one thing bought.

use super::columns::Headings;
use super::row::{Count, Number, Parsed, Span, Style, makes};
use super::says_nothing;
use crate::extract::labels::{Label, is_weak_discount};
use crate::extract::words::{fold, says_any};
use crate::layout::Layout;
use crate::page::Quad;

/// A thing with all that its rows say of it.
#[derive(Debug)]
pub(super) struct Joined<'a, 'b> {
    /// Rows and what they add to its name.
    pub words: Vec<(&'b Parsed<'a>, Span)>,
    pub price: (&'b Parsed<'a>, Number),
    pub count: Option<(&'b Parsed<'a>, Count)>,
    pub unit: Option<(&'b Parsed<'a>, Number)>,
    pub code: Option<(&'b Parsed<'a>, Span)>,
    /// From top to bottom.
    pub rows: Vec<usize>,
}

/// What was taken off the thing above it.
#[derive(Debug)]
pub(super) struct Reduction<'a, 'b> {
    pub row: &'b Parsed<'a>,
    pub price: Number,
}

/// A gap between cells, in heights of the print, that no name has within it.
pub(super) const WIDE: f32 = 2.5;

/// Words of amounts between the things that are none, folded.
const NOT_BOUGHT: &[&str] = &[
    "saved",
    "save",
    "saving",
    "savings",
    "points",
    "ersparnis",
    "gespart",
    "sparen",
    "economise",
    "ahorrado",
    "jimat",
    "suggested",
    "qty",
    "quantity",
    "supplies",
    "deposit",
];

/// What a row can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Words and an amount.
    Full,
    /// An amount without words.
    Priced,
    /// Words without an amount.
    Named,
    /// Only how many at what price, or only the seller's number.
    Detail,
    /// Takes something off.
    Less,
    /// Nothing of use.
    Blank,
}

fn role(p: &Parsed<'_>) -> Role {
    let refund = p.style.refund;
    let named = p.words.is_some_and(|span| !says_nothing(p.str(span)));
    match (p.price, named) {
        (Some(price), _) if price.thousandths == 0 && !named => Role::Blank,
        (Some(price), true)
            if p.label == Some(Label::Discount)
                && (price.thousandths < 0 || refund || !is_weak_discount(&p.text.text)) =>
        {
            Role::Less
        }
        (Some(_), true) if p.label == Some(Label::Other) && says_any(&fold(&p.text.text), NOT_BOUGHT) => Role::Blank,
        // Where nothing is given back on the whole, what is negative takes something off.
        (Some(price), true) if price.thousandths < 0 && !refund => Role::Less,
        (Some(_), true) => Role::Full,
        (Some(price), false) if price.thousandths < 0 && !refund => Role::Less,
        (Some(_), false) => Role::Priced,
        (None, _) if p.count.is_some_and(|c| c.unit.is_some()) && p.words.is_none_or(|s| s.1 - s.0 <= 4) => {
            Role::Detail
        }
        (None, true) if p.count.is_some_and(|c| c.unit.is_some()) => Role::Detail,
        // A label and its value far apart: `Till` … `9`.
        (None, true) if p.text.widest_gap() > WIDE && p.code.is_none() => Role::Blank,
        (None, true) => Role::Named,
        (None, false) if p.code.is_some() => Role::Detail,
        (None, false) => Role::Blank,
    }
}

/// The things in these rows, and what is taken off some of them.
pub(super) fn join<'a, 'b>(
    layout: &Layout<'a>,
    rows: &'b [Parsed<'a>],
    style: Style,
    headings: &Headings,
) -> (Vec<Joined<'a, 'b>>, Vec<Reduction<'a, 'b>>)
where
    'a: 'b,
{
    let mut joiner = Joiner {
        things: Vec::new(),
        reductions: Vec::new(),
        waiting: Vec::new(),
        room: room(layout, rows),
        style,
        details_first: details_first(rows, style),
        front: takes_front(rows, headings),
    };
    for row in rows {
        joiner.take(row);
    }
    joiner.give_back();
    (joiner.things, joiner.reductions)
}

/// How far right words go: a row of words that ends there goes on in the next.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Beside an amount.
    priced: f32,
    /// In a row without one.
    free: f32,
}

fn room(layout: &Layout<'_>, rows: &[Parsed<'_>]) -> Room {
    let right = |p: &Parsed<'_>| p.words.and_then(|span| p.quad(span)).map_or(0.0, |q| q.right());
    let widest = rows.iter().filter(|p| p.price.is_some() || p.count.is_none()).map(right).fold(0.0, f32::max);
    let print = || layout.page.lines.iter().map(|l| &l.quad);
    let (left, end) = (print().map(Quad::left).fold(f32::MAX, f32::min), print().map(Quad::right).fold(0.0, f32::max));
    // Short names tell nothing of the room there was.
    let width = (end - left).max(0.0);
    Room { priced: widest, free: widest.clamp(left + 0.65 * width, left + 0.85 * width) }
}

/// Whether `2 x 3.50` and numbers of things stand above what they belong to.
fn details_first(rows: &[Parsed<'_>], style: Style) -> bool {
    let (mut first, mut last) = (0, 0);
    for (n, p) in rows.iter().enumerate().filter(|(_, p)| role(p) == Role::Detail) {
        let Some(count) = p.count else { continue };
        let fits = |other: Option<&Parsed<'_>>| {
            other
                .filter(|o| role(o) == Role::Full)
                .and_then(|o| o.price)
                .is_some_and(|price| makes(&count, price.thousandths, style))
        };
        first += usize::from(fits(rows.get(n + 1)));
        last += usize::from(n > 0 && fits(rows.get(n - 1)));
    }
    if first + last > 0 {
        return first > last;
    }
    // Without arithmetic the first row of the table tells.
    rows.iter().map(role).find(|r| *r != Role::Blank) == Some(Role::Detail)
}

/// Whether whole numbers in front of words say how many: an `x` says so, or nearly every row has one.
fn takes_front(rows: &[Parsed<'_>], headings: &Headings) -> bool {
    let priced = || {
        rows.iter().filter(|p| matches!(role(p), Role::Full | Role::Named) && p.label.is_none() && p.price.is_some())
    };
    let with = priced().filter(|p| p.front.is_some()).count();
    with > 0 && (headings.quantity_first() || 5 * with >= 4 * priced().count())
}

struct Joiner<'a, 'b> {
    things: Vec<Joined<'a, 'b>>,
    reductions: Vec<Reduction<'a, 'b>>,
    /// Rows that wait for the amount they belong to.
    waiting: Vec<&'b Parsed<'a>>,
    room: Room,
    style: Style,
    details_first: bool,
    front: bool,
}

impl<'a: 'b, 'b> Joiner<'a, 'b> {
    fn take(&mut self, p: &'b Parsed<'a>) {
        match role(p) {
            Role::Blank => {}
            Role::Less if self.things.is_empty() => {}
            Role::Less => {
                self.give_back();
                if let Some(price) = p.price {
                    self.reductions.push(Reduction { row: p, price });
                }
            }
            Role::Named => self.waiting.push(p),
            Role::Detail if self.details_first => {
                self.give_back();
                self.waiting.push(p);
            }
            Role::Detail => {
                // Words may wait for this very row: `Soap` above `2 x 1.20`, the amount further on.
                if self.waiting.iter().any(|w| role(w) == Role::Named) && self.continues_last() {
                    self.give_back();
                }
                match self.things.last_mut() {
                    Some(thing) if self.waiting.is_empty() => thing.add_detail(p, self.style),
                    _ => self.waiting.push(p),
                }
            }
            Role::Full => {
                let waiting = self.split_waiting(p);
                self.finish(waiting, p);
            }
            Role::Priced => {
                let waiting = std::mem::take(&mut self.waiting);
                if waiting.iter().any(|w| role(w) == Role::Named) {
                    let waiting = self.names_of(waiting);
                    self.finish(waiting, p);
                } else if let Some(thing) = self.things.last_mut() {
                    thing.add_detail(p, self.style);
                }
            }
        }
    }

    /// Whether the words that wait go on with the thing above rather than begin a new one.
    fn continues_last(&self) -> bool {
        let (Some(thing), Some(first)) = (self.things.last(), self.waiting.first()) else { return false };
        let Some(&(above, span)) = thing.words.last() else { return false };
        first.row == above.row + 1 && self.wraps((above, span), first)
    }

    /// Whether the words below would not have fitted behind those above.
    fn wraps(&self, (above, span): (&Parsed<'_>, Span), below: &Parsed<'_>) -> bool {
        let (Some(upper), Some(lower)) = (above.quad(span), below.words.and_then(|s| below.quad(s))) else {
            return false;
        };
        let text = below.words.map_or("", |s| below.str(s));
        // A unit or the rest of a word alone names nothing.
        let measure = text.starts_with(|c: char| c.is_ascii_digit()) && below.front.is_none();
        if text.starts_with(char::is_lowercase) || measure || text.chars().count() <= 4 {
            return true;
        }
        let letters = text.chars().count().max(1) as f32;
        let first = text.split(' ').next().unwrap_or_default().chars().count() as f32;
        upper.right() + lower.width() / letters * (first + 1.0)
            > if above.price.is_some() { self.room.priced } else { self.room.free }
    }

    /// Words that wait before a row with words of its own: what goes on with the thing above is given to it, what begins
    /// this one is answered, the rest (headings of groups) is dropped.
    fn split_waiting(&mut self, p: &'b Parsed<'a>) -> Vec<&'b Parsed<'a>> {
        let waiting = std::mem::take(&mut self.waiting);
        let (details, named): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|w| role(w) == Role::Detail);
        let mut upwards = true;
        let mut kept = Vec::new();
        for w in named {
            let above =
                self.things.last().and_then(|t| t.words.last().copied()).filter(|(row, _)| row.row + 1 == w.row);
            if upwards && above.is_some_and(|above| self.wraps(above, w)) {
                self.extend_last(w);
                continue;
            }
            upwards = false;
            kept.push(w);
        }
        let goes_on = |w: &&Parsed<'a>| {
            let below = w.row + 1 == p.row;
            below && w.words.is_some_and(|span| self.wraps((w, span), p))
        };
        let kept: Vec<_> = kept.last().copied().filter(goes_on).into_iter().collect();
        details.into_iter().chain(kept).collect()
    }

    /// Of the words above an amount without words: those that belong to it.
    fn names_of(&mut self, waiting: Vec<&'b Parsed<'a>>) -> Vec<&'b Parsed<'a>> {
        let mut kept: Vec<&'b Parsed<'a>> = Vec::new();
        for w in waiting {
            if role(w) == Role::Detail {
                kept.push(w);
                continue;
            }
            let above = kept.iter().rev().find_map(|k| k.words.map(|span| (*k, span)));
            match above {
                Some(above) if self.wraps(above, w) => kept.push(w),
                // Another name: what waited before it was a heading, or goes on with the thing above.
                Some(_) => {
                    kept.retain(|k| role(k) == Role::Detail);
                    kept.push(w);
                }
                None => kept.push(w),
            }
        }
        kept
    }

    fn extend_last(&mut self, w: &'b Parsed<'a>) {
        if let (Some(thing), Some(span)) = (self.things.last_mut(), w.words) {
            thing.words.push((w, span));
            thing.rows.push(w.row);
        }
    }

    /// What waits and cannot belong to anything below goes on with the thing above, or is dropped.
    fn give_back(&mut self) {
        for w in std::mem::take(&mut self.waiting) {
            let above =
                self.things.last().and_then(|t| t.words.last().copied()).filter(|(row, _)| row.row + 1 == w.row);
            if role(w) == Role::Detail {
                if let Some(thing) = self.things.last_mut() {
                    thing.add_detail(w, self.style);
                }
            } else if above.is_some_and(|above| self.wraps(above, w)) {
                self.extend_last(w);
            }
        }
    }

    /// Makes a thing of an amount's row and what waited for it.
    fn finish(&mut self, waiting: Vec<&'b Parsed<'a>>, p: &'b Parsed<'a>) {
        let Some(price) = p.price else { return };
        let mut thing =
            Joined { words: Vec::new(), price: (p, price), count: None, unit: None, code: None, rows: Vec::new() };
        for w in waiting.into_iter().chain([p]) {
            thing.rows.push(w.row);
            let counted = self.counted(w);
            thing.count = thing.count.or(counted.map(|(count, _)| (w, count)));
            thing.unit = thing.unit.or(w.unit.map(|unit| (w, unit)));
            thing.code = thing.code.or(w.code.map(|code| (w, code)));
            let span = counted.map_or(w.words, |(_, words)| words);
            if role(w) != Role::Detail || w.count.is_none() {
                thing.words.extend(span.map(|span| (w, span)));
            }
        }
        if !thing.words.is_empty() {
            self.things.push(thing);
        }
    }

    /// A row's quantity, and its words without it.
    fn counted(&self, p: &Parsed<'a>) -> Option<(Count, Option<Span>)> {
        let believed = p.front.is_some_and(|(_, marked)| marked || self.front);
        if p.count.is_none() && believed {
            let mut accepted = p.clone();
            accepted.accept_front();
            return accepted.count.map(|count| (count, accepted.words));
        }
        p.count.map(|count| (count, p.words))
    }
}

impl<'a, 'b> Joined<'a, 'b> {
    /// What a row without words says of the thing above it.
    fn add_detail(&mut self, p: &'b Parsed<'a>, style: Style) {
        let fits = p.count.is_some_and(|count| makes(&count, self.price.1.thousandths, style));
        if p.count.is_some() && (self.count.is_none() || fits) {
            self.count = p.count.map(|count| (p, count));
            self.rows.push(p.row);
        }
        if let (None, Some(code)) = (self.code, p.code) {
            self.code = Some((p, code));
            self.rows.push(p.row);
        }
        self.rows.sort_unstable();
        self.rows.dedup();
    }
}
