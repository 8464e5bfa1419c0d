//! The heading of a table of things bought: what its columns hold.

use crate::extract::Text;
use crate::extract::words::{fold, says_any};
use crate::layout::Layout;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Item,
    Quantity,
    Unit,
    Price,
    Code,
    Discount,
}

/// A column's heading.
#[derive(Debug, Clone)]
pub(super) struct Heading {
    pub column: Column,
    pub text: Text,
}

/// The headings of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct Headings {
    /// The row that has them.
    pub row: Option<usize>,
    list: Vec<Heading>,
}

// Folded as `words::fold` does; English, German, French, Spanish, Malay.
const WORDS: &[(Column, &[&str])] = &[
    (
        Column::Unit,
        &[
            "unit price",
            "u price",
            "u p",
            "price each",
            "each",
            "per unit",
            "einzelpreis",
            "e preis",
            "einzel",
            "stuckpreis",
            "p u",
            "prix unit",
            "prix unitaire",
            "pu ttc",
            "pu",
            "pu ht",
            "p unit",
            "precio unit",
            "precio unitario",
            "pvp",
            "harga seunit",
            "harga unit",
            "rate",
            "price unit",
        ],
    ),
    (
        Column::Quantity,
        &[
            "qty", "quantity", "quant", "menge", "anz", "anzahl", "qte", "quantite", "cant", "cantidad", "uds",
            "kuantiti", "ktt", "pcs", "nights", "hours", "stk",
        ],
    ),
    (
        Column::Item,
        &[
            "item",
            "items",
            "description",
            "descriptions",
            "desc",
            "article",
            "product",
            "details",
            "particulars",
            "artikel",
            "bezeichnung",
            "leistung",
            "beschreibung",
            "designation",
            "libelle",
            "descripcion",
            "articulo",
            "concepto",
            "producto",
            "perkara",
            "butiran",
            "keterangan",
        ],
    ),
    (Column::Code, &["code", "art nr", "item no", "sku", "artikelnr", "kod", "pos", "no", "nr"]),
    (Column::Discount, &["disc", "discount", "disc%", "disc %", "rabatt", "remise", "dto", "diskaun"]),
    (
        Column::Price,
        &[
            "amount",
            "amt",
            "total",
            "line total",
            "betrag",
            "gesamt",
            "gesamtpreis",
            "g preis",
            "summe",
            "montant",
            "importe",
            "amaun",
            "jumlah",
            "total rm",
            "amount rm",
            "amt rm",
            "ttc",
            "summe eur",
            "betrag eur",
            "jumlah rm",
        ],
    ),
];
/// `Price` is the price of one where another column has the line's amount, else it is that amount.
const PRICES: &[&str] = &["price", "preis", "prix", "precio", "harga", "price rm", "harga rm", "preis eur"];

impl Headings {
    /// The first row that is a heading: it names at least two columns and holds no digits.
    pub fn find(layout: &Layout<'_>) -> Self {
        (0..layout.rows.len()).find_map(|n| Self::in_row(layout, n)).unwrap_or_default()
    }

    fn in_row(layout: &Layout<'_>, n: usize) -> Option<Self> {
        let row = layout.row_text(n);
        if row.text.chars().any(|c| c.is_ascii_digit()) || row.text.contains(':') {
            return None;
        }
        let mut list = Vec::new();
        for (from, to) in cells(&row.text) {
            let folded = fold(&row.text[from..to]);
            let known = |words: &[&str]| words.contains(&folded.as_str());
            let column = WORDS
                .iter()
                .find(|(_, words)| known(words))
                .map(|(column, _)| *column)
                .or_else(|| known(PRICES).then_some(Column::Unit));
            if let (Some(column), Some(part)) = (column, row.part(from, to)) {
                list.push(Heading { column, text: Text::of(part) });
            }
        }
        if let Some(price) = (!list.iter().any(|h| h.column == Column::Price))
            .then(|| list.iter_mut().rfind(|h| h.column == Column::Unit))
            .flatten()
        {
            price.column = Column::Price;
        }
        let kinds = |column| list.iter().any(|h: &Heading| h.column == column);
        let table = kinds(Column::Price) && (kinds(Column::Item) || kinds(Column::Quantity))
            || kinds(Column::Item) && kinds(Column::Quantity);
        (list.len() >= 2 && table).then_some(Self { row: Some(n), list })
    }

    /// The heading of a column.
    pub fn of(&self, column: Column) -> Option<&Text> {
        self.list.iter().find(|h| h.column == column).map(|h| &h.text)
    }

    /// Whether the table says how many.
    pub fn has(&self, column: Column) -> bool {
        self.of(column).is_some()
    }

    /// Whether the quantities stand left of the descriptions.
    pub fn quantity_first(&self) -> bool {
        let left = |column| self.of(column).map(|t| t.quad.left());
        left(Column::Quantity).zip(left(Column::Item)).is_some_and(|(q, i)| q < i)
    }

    /// The column whose heading stands over the middle of a value.
    pub fn over(&self, value: &crate::page::Quad) -> Option<Column> {
        let middle = value.centre().x;
        let distance = |h: &&Heading| {
            let quad = &h.text.quad;
            if (quad.left()..=quad.right()).contains(&middle) {
                0.0
            } else {
                (quad.left() - value.left()).abs().min((quad.right() - value.right()).abs())
            }
        };
        self.list.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|h| h.column)
    }
}

/// The cells of a row, and the words of a cell that holds several headings.
fn cells(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    for cell in text.split("  ") {
        let end = start + cell.len();
        let whole = fold(cell);
        let one = WORDS.iter().any(|(_, words)| words.contains(&whole.as_str())) || PRICES.contains(&whole.as_str());
        if one
            || !says_any(
                &whole,
                &["qty", "amount", "price", "total", "item", "description", "menge", "preis", "betrag"],
            )
        {
            found.push((start, end));
        } else {
            let mut at = start;
            for word in cell.split(' ') {
                found.push((at, at + word.len()));
                at += word.len() + 1;
            }
        }
        start = end + 2;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Page, Quad, TextLine};

    fn headings(cells: &[(&str, f32, f32)]) -> Headings {
        let lines = cells
            .iter()
            .map(|&(t, left, right)| TextLine::new(t, 0.98, Quad::upright(left, 0.0, right, 20.0)))
            .collect();
        let page = Page::new(500.0, 100.0, lines);
        Headings::find(&Layout::new(&page))
    }

    #[test]
    fn columns_by_their_words() {
        let found = headings(&[
            ("Qty", 0.0, 40.0),
            ("Description", 60.0, 180.0),
            ("U/P", 300.0, 340.0),
            ("Amount", 420.0, 500.0),
        ]);
        assert!(found.quantity_first());
        assert_eq!(found.over(&Quad::upright(310.0, 30.0, 345.0, 50.0)), Some(Column::Unit));
        assert_eq!(found.over(&Quad::upright(450.0, 30.0, 500.0, 50.0)), Some(Column::Price));
        let found = headings(&[("Artikel Menge Preis", 0.0, 300.0), ("Betrag", 420.0, 500.0)]);
        assert!(found.has(Column::Quantity) && found.has(Column::Unit) && found.has(Column::Price));
    }

    #[test]
    fn the_only_price_is_the_lines() {
        let found = headings(&[("Item", 0.0, 60.0), ("Price", 440.0, 500.0)]);
        assert!(found.has(Column::Price) && !found.has(Column::Unit));
        assert!(headings(&[("Total", 0.0, 60.0), ("Cash", 440.0, 500.0)]).row.is_none());
    }
}
