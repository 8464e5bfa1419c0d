//! Who issued the receipt, and where.
//!
//! The head of a receipt says it: a name, sometimes a registration number, then an address, then telephone, tax numbers
//! and the receipt's own data. Shape and the words of many languages decide; no list of shops.

mod address;
mod contact;
mod name;
mod parts;
mod regions;
mod tax_ids;
mod vocabulary;

use super::confidence::{self, AddressSigns, NameSigns};
use super::words::letters_and_digits;
use super::{Field, Kind, Text};
use crate::layout::{Layout, RowText};
use crate::page::{Quad, TextLine};
use address::{ADDRESS_LABEL, address_end, address_start, begins_address, begins_as_street, has_postcode};
use name::{Name, has_form, name};
pub use parts::Part;

/// A row of the head: side by side print of the same size, as one.
struct HeadRow<'a> {
    text: String,
    lines: Vec<&'a TextLine>,
    height: f32,
    top: f32,
    bottom: f32,
}

impl HeadRow<'_> {
    fn confidence(&self) -> f32 {
        self.lines.iter().map(|l| l.confidence).fold(1.0, f32::min)
    }

    fn quad(&self) -> Option<Quad> {
        match self.lines.as_slice() {
            [one] => Some(one.quad),
            many => Quad::around(many.iter().map(|l| &l.quad)),
        }
    }
}

/// Whether a row says something of the receipt or its issuer that is neither name nor address nor a thing bought.
pub(super) fn stops_head(text: &str) -> bool {
    address::stops(text)
}

/// All that is said of the issuer, and the parts of the address.
pub(super) fn fields(layout: &Layout<'_>, first_amount_row: usize) -> (Vec<Field>, Vec<(Part, Text)>) {
    let head = head(layout, first_amount_row);
    let start = (0..head.len()).find(|&n| begins_address(&head, n));
    let name = name(&head, start);
    let mut fields = Vec::new();
    let after = name.as_ref().map_or(0, |name| name.to);
    let start = start.filter(|&s| s >= after).or_else(|| (after..head.len()).find(|&n| begins_address(&head, n)));
    if let Some(Name { from, to, text, margin }) = name {
        let signs =
            |read| NameSigns { read, form: has_form(&text), margin, addressed: start.is_some_and(|s| s <= to + 2) };
        fields.extend(field(&head[from..to], Kind::VendorName, text.clone(), |read| confidence::name(signs(read))));
    }
    let mut parts = Vec::new();
    if let Some(start) = start {
        let start = address_start(&head, start, after);
        let end = address_end(&head, start);
        let text = head[start..end].iter().map(|r| r.text.trim()).collect::<Vec<_>>().join("\n");
        let text = ADDRESS_LABEL.replace(&text, "").into_owned();
        let signs = |read| AddressSigns {
            read,
            postcode: has_postcode(&text),
            begins: begins_as_street(&text),
            bounded: head.get(end).is_none_or(|next| stops_head(&next.text)),
            glued: is_glued(&text),
        };
        fields.extend(field(&head[start..end], Kind::VendorAddress, text.clone(), |read| {
            confidence::address(signs(read))
        }));
        let rows: Vec<RowText<'_>> = head[start..end].iter().map(|r| RowText::new(r.lines.iter().copied())).collect();
        parts = parts::parts(&rows);
        if !parts.is_empty() {
            parts.extend(fields.last().map(|f| (Part::Block, f.value.clone())));
        }
    }
    fields.extend(contact::phone(layout));
    fields.extend(contact::url(layout));
    fields.extend(tax_ids::fields(layout));
    (fields, parts)
}

fn field(rows: &[HeadRow<'_>], kind: Kind, text: String, sure: impl Fn(f32) -> f32) -> Option<Field> {
    let confidence = rows.iter().map(HeadRow::confidence).fold(1.0, f32::min);
    let quads: Vec<Quad> = rows.iter().filter_map(HeadRow::quad).collect();
    let quad = match quads.as_slice() {
        [one] => *one,
        many => Quad::around(many)?,
    };
    Some(Field { kind, confidence: sure(confidence), label: None, value: Text { text, quad, confidence } })
}

/// A single sign apart from a long text is dirt or the edge of the paper.
fn drop_stray(group: &mut Vec<&TextLine>) {
    let [.., text, last] = group.as_slice() else { return };
    let gap = last.quad.left() - text.quad.right();
    if last.text.trim().chars().count() == 1 && text.text.chars().count() > 10 && gap > 0.6 * text.quad.height() {
        group.pop();
    }
}

/// Whether a word is so long that the recogniser must have lost a space.
fn is_glued(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| word.chars().count() > 13)
}

/// The rows above the first amount, at most 18.
fn head<'a>(layout: &Layout<'a>, first_amount_row: usize) -> Vec<HeadRow<'a>> {
    let mut rows = Vec::new();
    for row in layout.rows.iter().take(first_amount_row.clamp(9, 18)) {
        // Stamps and handwriting beside the print are of another size or far away.
        let mut groups: Vec<Vec<&TextLine>> = Vec::new();
        for &n in &row.cells {
            let line = &layout.page.lines[n];
            let joins = groups.last().and_then(|g| g.last()).is_some_and(|last| {
                let (a, b) = (last.quad.height(), line.quad.height());
                line.quad.left() - last.quad.right() < 1.5 * a.min(b) && a.max(b) < 1.6 * a.min(b)
            });
            match groups.last_mut() {
                Some(group) if joins => group.push(line),
                _ => groups.push(vec![line]),
            }
        }
        for group in &mut groups {
            drop_stray(group);
        }
        let longest = groups.into_iter().max_by_key(|g| g.iter().map(|l| letters_and_digits(&l.text).0).sum::<usize>());
        let Some(lines) = longest else { continue };
        let text = lines.iter().map(|l| l.text.trim()).collect::<Vec<_>>().join(" ");
        let height = lines.iter().map(|l| l.quad.height()).fold(0.0, f32::max);
        let (top, bottom) = (
            lines.iter().map(|l| l.quad.top()).fold(f32::MAX, f32::min),
            lines.iter().map(|l| l.quad.bottom()).fold(0.0, f32::max),
        );
        rows.push(HeadRow { text, lines, height, top, bottom });
    }
    rows
}
