//! Whole receipts as text with places, from several countries: what extraction makes of them.

use slipstream_reader::extract::{Expense, Kind, expense};
use slipstream_reader::page::{Page, Quad, TextLine};

/// A receipt drawn with characters: ten pixels per column, thirty per row; two or more spaces part cells.
fn receipt(drawn: &str) -> Expense {
    let mut lines = Vec::new();
    for (row, text) in drawn.lines().enumerate() {
        let top = row as f32 * 30.0;
        let mut column = 0;
        for cell in text.split("  ") {
            let width = cell.chars().count();
            let words = cell.trim();
            if !words.is_empty() {
                let indent = cell.chars().count() - cell.trim_start().chars().count();
                let left = (column + indent) as f32 * 10.0;
                let right = left + words.chars().count() as f32 * 10.0;
                lines.push(TextLine::new(words, 0.98, Quad::upright(left, top, right, top + 24.0)));
            }
            column += width + 2;
        }
    }
    expense(&Page::new(500.0, drawn.lines().count() as f32 * 30.0, lines))
}

fn expect(found: &Expense, expected: &[(Kind, &str)]) {
    for (kind, value) in expected {
        assert_eq!(found.value(*kind), Some(*value), "{kind:?} in {:#?}", found.fields);
    }
}

#[test]
fn german_restaurant_with_tip() {
    let found = receipt(
        "        Gasthaus zum Löwen\n\
         \u{20}       Marktplatz 3\n\
         \u{20}       79098 Freiburg\n\
         \u{20}       Tel. 0761 445566\n\
         Rechnung Nr. 2025-1187\n\
         12.03.2025  20:41\n\
         2 x Pils  7,80\n\
         Wiener Schnitzel  1.218,90\n\
         Zwischensumme  1.226,70\n\
         MwSt 19%  195,86\n\
         Trinkgeld  3,30\n\
         Zu zahlen EUR  1.230,00\n",
    );
    expect(
        &found,
        &[
            (Kind::VendorName, "Gasthaus zum Löwen"),
            (Kind::VendorAddress, "Marktplatz 3\n79098 Freiburg"),
            (Kind::Date, "12.03.2025"),
            (Kind::ReceiptId, "2025-1187"),
            (Kind::Subtotal, "1.226,70"),
            (Kind::Tax, "195,86"),
            (Kind::Tip, "3,30"),
            (Kind::Total, "1.230,00"),
        ],
    );
    assert_eq!(found.currency.map(|c| c.code), Some("EUR"));
    assert_eq!(found.items.len(), 2);
    assert_eq!(found.items[1].fields[0].value.text, "Wiener Schnitzel");
    assert_eq!(found.items[1].fields[1].value.text, "1.218,90");
}

#[test]
fn the_tax_is_not_the_amount_that_is_taxed() {
    let found = receipt(
        "    GOLDEN FIELD MARKET\n\
         03/28/2026  12:14\n\
         COFFEE BEANS  47.54\n\
         APPLES  126.32\n\
         SUBTOTAL  173.86\n\
         SALES TAX 7.5% ON 47.54  3.57\n\
         TOTAL USD  177.43\n",
    );
    expect(&found, &[(Kind::Subtotal, "173.86"), (Kind::Tax, "3.57"), (Kind::Total, "177.43")]);
    let table = receipt(
        "    Teehaus Morgen\n\
         12.03.2026\n\
         Sencha  53,50\n\
         Summe EUR  53,50\n\
         MwSt 7%  50,00  3,50  53,50\n",
    );
    expect(&table, &[(Kind::Tax, "3,50"), (Kind::Total, "53,50")]);
}

#[test]
fn the_total_after_rounding_wins() {
    let found = receipt(
        "    KEDAI MAKAN SDN BHD (123456-X)\n\
         \u{20}   NO 8, JALAN SATU 7/2,\n\
         \u{20}   56000 KUALA LUMPUR\n\
         DATE: 25/12/2018\n\
         NASI LEMAK  13.58\n\
         TOTAL  13.58\n\
         ROUNDING ADJ  0.02\n\
         ROUNDED TOTAL (RM)  13.60\n\
         CASH  20.00\n\
         CHANGE  6.40\n",
    );
    expect(
        &found,
        &[
            (Kind::VendorName, "KEDAI MAKAN SDN BHD"),
            (Kind::VendorAddress, "NO 8, JALAN SATU 7/2,\n56000 KUALA LUMPUR"),
            (Kind::Date, "25/12/2018"),
            (Kind::Total, "13.60"),
        ],
    );
    assert_eq!(found.currency.map(|c| c.code), Some("MYR"));
}

#[test]
fn rounding_without_a_label_for_the_result() {
    let found = receipt("SHOP LTD\nTOTAL  41.48\nROUNDING  0.02\nCARD  41.50\nTHANK YOU\n");
    expect(&found, &[(Kind::Total, "41.50")]);
}

#[test]
fn swiss_rounding_with_apostrophes() {
    let found = receipt("Berghotel AG\nTotal CHF  1'204.52\nRundung  -0.02\nTotal gerundet CHF  1'204.50\n");
    assert_eq!(found.currency.map(|c| c.code), Some("CHF"));
    assert!(found.value(Kind::Total).is_some_and(|t| t.contains("1'204.50")), "{:#?}", found.fields);
}

#[test]
fn french_cafe() {
    let found = receipt(
        "      Café du Marché\n\
         \u{20}     14 rue de la République\n\
         \u{20}     69002 Lyon\n\
         Le 7 mars 2025 à 12:05\n\
         Formule midi  17,50\n\
         Total HT  15,91\n\
         TVA 10,00 %  1,59\n\
         Total TTC  17,50 €\n",
    );
    expect(
        &found,
        &[
            (Kind::VendorName, "Café du Marché"),
            (Kind::VendorAddress, "14 rue de la République\n69002 Lyon"),
            (Kind::Date, "7 mars 2025"),
            (Kind::Subtotal, "15,91"),
            (Kind::Tax, "1,59"),
            (Kind::Total, "17,50 €"),
        ],
    );
}

#[test]
fn polish_fiscal_receipt() {
    let found = receipt(
        "    Sklep Zielony Sp. z o.o.\n\
         \u{20}   ul. Długa 5\n\
         \u{20}   31-147 Kraków\n\
         \u{20}   NIP 676-000-11-22\n\
         2025-02-03  nr wydr. 004512\n\
         Chleb  6,40\n\
         SUMA PTU  0,30\n\
         SUMA PLN  6,40\n",
    );
    expect(
        &found,
        &[
            (Kind::VendorName, "Sklep Zielony Sp. z o.o."),
            (Kind::VendorAddress, "ul. Długa 5\n31-147 Kraków"),
            (Kind::Date, "2025-02-03"),
            (Kind::Total, "6,40"),
        ],
    );
    assert_eq!(found.currency.map(|c| c.code), Some("PLN"));
}

#[test]
fn nothing_readable_means_no_fields() {
    let found = receipt("");
    assert!(found.fields.is_empty() && found.items.is_empty() && found.currency.is_none());
}
