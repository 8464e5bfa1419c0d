//! The things bought: rows between the head and the sums, joined where one thing is printed on several.
//!
//! Tills print a thing in many manners: words and amount in a row; `2 x 3.50` above, below or in front of them; the
//! seller's number on a row of its own; a table whose columns stand in any order. Each row is taken apart by itself
//! ([`row`]), rows are joined ([`joined`]), and arithmetic tells how well that went: what was bought comes to the sum
//! that is printed below.

mod columns;
mod joined;
mod row;

use super::amounts::Decimal;
use super::confidence::{self, ItemSigns};
use super::dates;
use super::ids;
use super::labels::Label;
use super::totals::Money;
use super::vendor;
use super::words::{fold, letters_and_digits};
use super::{Field, Item, Kind, Text};
use crate::layout::Layout;
use columns::{Column, Headings};
use joined::{Joined, Reduction};
use row::{Parsed, Span, Style, makes};

/// What was bought.
#[derive(Debug, Default)]
pub(super) struct Bought {
    /// From top to bottom.
    pub items: Vec<Item>,
    /// What was taken off single things, below them.
    pub reductions: Vec<Field>,
    /// The rows of these.
    pub reduced: Vec<usize>,
    /// What all of it comes to in thousandths, if that is a sum printed below.
    pub agreed: Option<i64>,
}

/// What was bought, from top to bottom.
pub(super) fn find(layout: &Layout<'_>, money: &Money<'_>, decimal: Decimal) -> Bought {
    let style = Style { decimal, decimals: money.decimals, refund: money.refund };
    let headings = Headings::find(layout);
    let rows: Vec<Parsed<'_>> = (0..layout.rows.len()).map(|n| Parsed::new(layout, n, style, &headings)).collect();
    let Some(begin) = begin(layout, &rows, &headings) else { return Bought::default() };
    let (ends, likeliest) = ends(&rows, money, begin);
    let read = |end: usize| joined::join(layout, &rows[begin..end], style, &headings);
    // Where the sums begin is told by a sum that the things above it come to.
    let found = ends.iter().find_map(|&end| {
        let (things, reductions) = read(end);
        let sum = sum(&things, &reductions);
        (!things.is_empty() && money.comes_to(sum, end)).then_some((things, reductions, Some(sum)))
    });
    let (things, reductions, agreed) = found.unwrap_or_else(|| {
        let (things, reductions) = read(likeliest);
        (things, reductions, None)
    });
    let fields = Fields { layout, headings: &headings, style, agrees: agreed.is_some() };
    Bought {
        items: things.iter().filter_map(|thing| fields.item(thing)).collect(),
        reductions: reductions.iter().filter_map(|r| fields.reduction(r)).collect(),
        reduced: reductions.iter().map(|r| r.row.row).collect(),
        agreed,
    }
}

fn sum(things: &[Joined<'_, '_>], reductions: &[Reduction<'_, '_>]) -> i64 {
    let prices: i64 = things.iter().map(|t| t.price.1.thousandths).sum();
    let less: i64 = reductions.iter().map(|r| r.price.thousandths.abs()).sum();
    prices - less
}

/// The first row that can be a thing: below the table's heading, or below the last row of the head.
fn begin(layout: &Layout<'_>, rows: &[Parsed<'_>], headings: &Headings) -> Option<usize> {
    let priced = |p: &Parsed<'_>| p.price.is_some() && !is_head(layout, p);
    let first = rows.iter().position(|p| priced(p) && p.row > headings.row.unwrap_or(0))?;
    let above = match headings.row {
        Some(row) if row < first => Some(row),
        _ => (0..first).rev().find(|&n| is_head(layout, &rows[n])),
    };
    Some(above.map_or(0, |n| n + 1))
}

/// Whether a row belongs to the head: a date, a label with a colon, the issuer's data, a rule.
fn is_head(layout: &Layout<'_>, parsed: &Parsed<'_>) -> bool {
    let text = &parsed.text.text;
    let (letters, digits) = letters_and_digits(text);
    let date = layout.lines(parsed.row).any(|line| !dates::find(&line.text).is_empty() || dates::has_time(&line.text));
    let nothing = letters + digits < 2;
    let only_code = parsed.code.is_some_and(|(from, to)| parsed.str((from, to)) == text.trim() && !text.contains('-'));
    // `Cashier: Ann`, but not `10384756: Soap  2.50`.
    let labelled = text.split_once(':').is_some_and(|(label, _)| letters_and_digits(label).0 >= 3);
    // `Till` … `9`
    let pair = parsed.price.is_none()
        && parsed.code.is_none()
        && parsed.text.widest_gap() > joined::WIDE
        && text.split("  ").next().is_some_and(|first| letters_and_digits(first).0 > 1);
    let number = parsed.price.is_none() && ids::is_said(&parsed.text);
    date || nothing
        || pair
        || number
        || labelled && parsed.price.is_none()
        || vendor::stops_head(text) && parsed.count.is_none() && !only_code
}

/// The rows at which the things can end: those that a label calls a sum, a tax or a payment; and the likeliest.
fn ends(rows: &[Parsed<'_>], money: &Money<'_>, begin: usize) -> (Vec<usize>, usize) {
    let priced = rows.iter().skip(begin).position(|p| p.price.is_some()).map_or(rows.len(), |n| n + begin);
    let mut found: Vec<(bool, usize)> = money
        .labelled
        .iter()
        .filter(|l| l.row >= priced && l.is_money(money.decimals))
        .filter_map(|l| match l.kind {
            Label::Total(weight) => Some((weight >= 40, l.row)),
            Label::Subtotal | Label::Rounding | Label::Tax => Some((true, l.row)),
            Label::Tip | Label::Service | Label::Tender | Label::Change => Some((false, l.row)),
            Label::Discount | Label::Other | Label::Balance => None,
        })
        .collect();
    found.sort_by_key(|&(_, row)| row);
    // The things of a receipt without a single label end where it does.
    let likeliest = found.iter().find(|(sure, _)| *sure).map_or(rows.len(), |&(_, row)| row);
    let mut ends: Vec<usize> = found.into_iter().map(|(_, row)| row).collect();
    ends.push(rows.len());
    ends.dedup();
    ends.truncate(12);
    (ends, likeliest)
}

struct Fields<'a, 'b> {
    layout: &'b Layout<'a>,
    headings: &'b Headings,
    style: Style,
    agrees: bool,
}

impl Fields<'_, '_> {
    fn item(&self, thing: &Joined<'_, '_>) -> Option<Item> {
        let texts: Vec<Text> = thing.words.iter().filter_map(|&(row, span)| text(row, span)).collect();
        let words = Text::stacked(&texts.iter().collect::<Vec<_>>())?;
        let made = thing.count.is_some_and(|(_, count)| makes(&count, thing.price.1.thousandths, self.style));
        let signs = ItemSigns { sum_agrees: self.agrees, product_agrees: made, headed: self.headings.row.is_some() };
        let field = |kind: Kind, column: Column, value: Text| Field {
            kind,
            confidence: confidence::item(signs, value.confidence),
            label: self.headings.of(column).cloned(),
            value,
        };
        let mut fields = vec![field(Kind::Item, Column::Item, words)];
        let price = text(thing.price.0, thing.price.1.span)?;
        fields.push(field(Kind::Price, Column::Price, price));
        if let Some((row, count)) = thing.count {
            fields.extend(text(row, count.quantity.span).map(|t| field(Kind::Quantity, Column::Quantity, t)));
            fields.extend(count.unit.and_then(|u| text(row, u.span)).map(|t| field(Kind::UnitPrice, Column::Unit, t)));
        } else if let Some((row, unit)) = thing.unit {
            fields.extend(text(row, unit.span).map(|t| field(Kind::UnitPrice, Column::Unit, t)));
        }
        let code = thing.code.and_then(|(row, span)| text(row, span));
        fields.extend(code.map(|t| field(Kind::ProductCode, Column::Code, t)));
        fields.extend(self.whole(thing).map(|t| Field {
            kind: Kind::Row,
            confidence: confidence::item(signs, t.confidence),
            label: None,
            value: t,
        }));
        Some(Item { fields })
    }

    /// All the rows of a thing as one text.
    fn whole(&self, thing: &Joined<'_, '_>) -> Option<Text> {
        let texts: Vec<Text> = thing
            .rows
            .iter()
            .filter_map(|&row| {
                let whole = self.layout.row_text(row);
                whole.part(0, whole.text.len()).map(Text::of)
            })
            .collect();
        Text::stacked(&texts.iter().collect::<Vec<_>>())
    }

    fn reduction(&self, found: &Reduction<'_, '_>) -> Option<Field> {
        let value = text(found.row, found.price.span)?;
        let signs = ItemSigns { sum_agrees: self.agrees, product_agrees: false, headed: false };
        let confidence = confidence::item(signs, value.confidence);
        let label = found.row.words.and_then(|span| text(found.row, span));
        Some(Field { kind: Kind::Discount, confidence, label, value })
    }
}

fn text(row: &Parsed<'_>, span: Span) -> Option<Text> {
    row.text.part(span.0, span.1).map(Text::of)
}

/// Whether a text names nothing: rules, headings of groups, counts.
fn says_nothing(text: &str) -> bool {
    fold(text).len() < 2
}
