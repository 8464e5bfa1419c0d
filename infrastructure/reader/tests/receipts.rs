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

/// Name, quantity, price of one, amount.
type Bought<'a> = (String, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn items(found: &Expense) -> Vec<Bought<'_>> {
    let of =
        |n: usize, kind: Kind| found.items[n].fields.iter().find(|f| f.kind == kind).map(|f| f.value.text.as_str());
    (0..found.items.len())
        .map(|n| {
            let name = of(n, Kind::Item).unwrap_or_default().replace('\n', " ");
            (name, of(n, Kind::Quantity), of(n, Kind::UnitPrice), of(n, Kind::Price))
        })
        .collect()
}

fn all(found: &Expense, kind: Kind) -> Vec<&str> {
    found.fields.iter().filter(|f| f.kind == kind).map(|f| f.value.text.as_str()).collect()
}

#[test]
fn a_supermarket_with_counts_below_weights_discounts_and_two_rates() {
    let found = receipt(
        "      Frischemarkt Birkenhof GmbH\n\
         \u{20}     Lindenstraße 4\n\
         \u{20}     50667 Köln\n\
         \u{20}     Tel. 0221 445566\n\
         \u{20}     USt-IdNr. DE123456789\n\
         12.03.2025 17:40                Bon-Nr. 4711\n\
         Milch 3,5% 1L                        2,58 B\n\
         \u{20} 2 x 1,29\n\
         Tomaten                              1,56 B\n\
         \u{20} 0,522 kg x 2,99 /kg\n\
         Spülmittel                           2,00 A\n\
         \u{20} Rabatt                         -0,50\n\
         SUMME EUR                            5,64\n\
         Bar                                 10,00\n\
         Rückgeld                             4,36\n\
         MwSt        Netto      Steuer      Brutto\n\
         A 19%        1,26       0,24        1,50\n\
         B 7%         3,87       0,27        4,14\n",
    );
    expect(
        &found,
        &[
            (Kind::VendorName, "Frischemarkt Birkenhof GmbH"),
            (Kind::VendorPhone, "0221 445566"),
            (Kind::TaxPayerId, "DE123456789"),
            (Kind::VatNumber, "DE123456789"),
            (Kind::ReceiptId, "4711"),
            (Kind::Total, "5,64"),
            (Kind::AmountPaid, "10,00"),
            (Kind::Discount, "-0,50"),
        ],
    );
    assert_eq!(all(&found, Kind::Tax), ["0,24", "0,27"]);
    assert_eq!(
        items(&found),
        [
            ("Milch 3,5% 1L".to_owned(), Some("2"), Some("1,29"), Some("2,58")),
            ("Tomaten".to_owned(), Some("0,522"), Some("2,99"), Some("1,56")),
            ("Spülmittel".to_owned(), None, None, Some("2,00")),
        ]
    );
    // Everything adds up, so that the items are all but sure.
    assert!(found.items.iter().all(|i| i.fields[0].confidence > 0.9), "{:#?}", found.items);
}

#[test]
fn a_table_with_headings_wrapped_names_and_a_service_charge() {
    let found = receipt(
        "      Harbour Grill\n\
         \u{20}     18 Quay Street\n\
         \u{20}     Singapore 049999\n\
         15/03/2025 20:10\n\
         Qty  Description        Price      Amount\n\
         2    Grilled Salmon     24.00       48.00\n\
         \u{20}    with Vegetables\n\
         1    Lime Juice          6.50        6.50\n\
         Subtotal                            54.50\n\
         Service Charge 10%                   5.45\n\
         GST 9%                               5.40\n\
         TOTAL                              $65.35\n\
         VISA ****1234                       65.35\n",
    );
    expect(
        &found,
        &[
            (Kind::Subtotal, "54.50"),
            (Kind::ServiceCharge, "5.45"),
            (Kind::Tax, "5.40"),
            (Kind::Total, "$65.35"),
            (Kind::AmountPaid, "65.35"),
        ],
    );
    assert_eq!(found.currency.map(|c| c.code), Some("SGD"));
    assert_eq!(
        items(&found),
        [
            ("Grilled Salmon with Vegetables".to_owned(), Some("2"), Some("24.00"), Some("48.00")),
            ("Lime Juice".to_owned(), Some("1"), Some("6.50"), Some("6.50")),
        ]
    );
    let label = found.items[0].fields[0].label.as_ref().map(|l| l.text.as_str());
    assert_eq!(label, Some("Description"));
}

#[test]
fn numbers_of_things_on_rows_of_their_own_and_a_discount_on_the_whole() {
    let found = receipt(
        "      Quincaillerie du Pont\n\
         \u{20}     12 rue des Forges\n\
         \u{20}     69002 Lyon\n\
         Ticket n° 2025-118        07/03/2025\n\
         10384756\n\
         Ampoule LED E27                      7,90\n\
         20475811\n\
         Mastic silicone\n\
         \u{20}  2 x 4,50                        9,00\n\
         Sous-total                          16,90\n\
         Remise 10%                          -1,69\n\
         Total TTC                         15,21 €\n\
         dont TVA 20%                         2,54\n\
         Carte bancaire                      15,21\n",
    );
    expect(
        &found,
        &[
            (Kind::ReceiptId, "2025-118"),
            (Kind::Subtotal, "16,90"),
            (Kind::Discount, "-1,69"),
            (Kind::Total, "15,21 €"),
            (Kind::Tax, "2,54"),
            (Kind::AmountPaid, "15,21"),
        ],
    );
    assert_eq!(
        items(&found),
        [
            ("Ampoule LED E27".to_owned(), None, None, Some("7,90")),
            ("Mastic silicone".to_owned(), Some("2"), Some("4,50"), Some("9,00")),
        ]
    );
    let code = |n: usize| found.items[n].fields.iter().find(|f| f.kind == Kind::ProductCode).map(|f| &*f.value.text);
    assert_eq!((code(0), code(1)), (Some("10384756"), Some("20475811")));
}

#[test]
fn a_tip_after_the_net_total_and_suggestions_that_count_for_nothing() {
    let found = receipt(
        "      Copper Kettle Diner\n\
         \u{20}     2937 Harbor Blvd\n\
         \u{20}     Boise, ID 83799\n\
         Check # 5581      08/14/2025  19:22\n\
         2x Iced Tea                          7.00\n\
         1x Club Sandwich                    14.50\n\
         Net total                           21.50\n\
         Sales Tax 6%                         1.29\n\
         Gratuity                             4.00\n\
         Total to pay                        26.79\n\
         Suggested tip 20%                    4.30\n",
    );
    expect(
        &found,
        &[
            (Kind::VendorAddress, "2937 Harbor Blvd\nBoise, ID 83799"),
            (Kind::Subtotal, "21.50"),
            (Kind::Tax, "1.29"),
            (Kind::Tip, "4.00"),
            (Kind::Total, "26.79"),
        ],
    );
    assert_eq!(all(&found, Kind::Tip), ["4.00"]);
    assert_eq!(found.currency.map(|c| c.code), Some("USD"));
    assert_eq!(
        items(&found),
        [
            ("Iced Tea".to_owned(), Some("2"), None, Some("7.00")),
            ("Club Sandwich".to_owned(), Some("1"), None, Some("14.50")),
        ]
    );
}

#[test]
fn money_given_back_is_negative() {
    let found = receipt(
        "      Marktladen Sonne\n\
         \u{20}     GUTSCHRIFT\n\
         12.03.2025 10:15\n\
         Müsli Früchte\n\
         \u{20} -2 x 4,89                       -9,78\n\
         Gesamtbetrag EUR                    -9,78\n\
         Bar ausgezahlt                      -9,78\n",
    );
    expect(&found, &[(Kind::Total, "-9,78")]);
    assert_eq!(items(&found), [("Müsli Früchte".to_owned(), Some("-2"), Some("4,89"), Some("-9,78"))]);
}

#[test]
fn amounts_without_decimals_and_with_three() {
    let yen = receipt(
        "      Hoshikawa Coffee\n\
         \u{20}     Kita-ku, Osaka 530-0001\n\
         2025/03/12  09:10\n\
         Blend Coffee                           ¥450\n\
         Cheese Toast                           ¥600\n\
         TOTAL                                ¥1,050\n\
         Cash                                 ¥2,000\n\
         Change                                 ¥950\n",
    );
    expect(&yen, &[(Kind::Total, "¥1,050"), (Kind::AmountPaid, "¥2,000")]);
    assert_eq!(yen.items.len(), 2);
    let dinar = receipt(
        "      Pearl Market\n\
         \u{20}     Kuwait City 13000\n\
         12/03/2025  09:10\n\
         Bread                                 0.250\n\
         Dates 1kg                             1.750\n\
         TOTAL                              KD 2.000\n",
    );
    expect(&dinar, &[(Kind::Total, "KD 2.000")]);
    assert_eq!(dinar.currency.map(|c| c.code), Some("KWD"));
    assert_eq!(dinar.items.len(), 2);
}

#[test]
fn an_invoice_with_two_days_and_a_date_that_nothing_settles() {
    let invoice = receipt(
        "      Birkenau Systems Ltd\n\
         \u{20}     9 Mill Lane, York, YO1 7HU\n\
         Invoice No: INV-2025-077\n\
         Invoice date                     05/03/2025\n\
         Due date                         19/03/2025\n\
         Consulting                           400.00\n\
         VAT 20%                               80.00\n\
         Total due                           £480.00\n",
    );
    expect(
        &invoice,
        &[
            (Kind::ReceiptId, "INV-2025-077"),
            (Kind::Date, "05/03/2025"),
            (Kind::DueDate, "19/03/2025"),
            (Kind::Total, "£480.00"),
            (Kind::Tax, "80.00"),
        ],
    );
    let sure = |found: &Expense| found.fields.iter().find(|f| f.kind == Kind::Date).map_or(0.0, |f| f.confidence);
    assert!(sure(&invoice) > 0.9, "the other day settles it: {}", sure(&invoice));
    let open = receipt("SHOP\nDate: 05/03/2025  10:11\nThing  4.00\nTotal  4.00\n");
    assert!(sure(&open) <= 0.5, "either number can be the month: {}", sure(&open));
}

#[test]
fn an_address_ends_with_its_region_and_not_with_the_telephone() {
    let found = receipt(
        "      KEDAI BUKU MAJU SDN BHD\n\
         \u{20}     (123456-X)\n\
         \u{20}     LOT 8, JALAN SATU 7/2,\n\
         \u{20}     46000 PETALING JAYA\n\
         \u{20}     SELANGOR DARUL EHSAN\n\
         \u{20}     TEL: 03-8076 3535\n\
         Pen                                  2.00\n\
         TOTAL                             RM 2.00\n",
    );
    let address = "LOT 8, JALAN SATU 7/2,\n46000 PETALING JAYA\nSELANGOR DARUL EHSAN";
    expect(&found, &[(Kind::VendorAddress, address), (Kind::VendorPhone, "03-8076 3535")]);
    let parts: Vec<(&str, &str)> = found.address.iter().map(|(p, t)| (p.name(), t.text.as_str())).collect();
    assert_eq!(
        parts,
        [
            ("STREET", "LOT 8, JALAN SATU 7/2"),
            ("ZIP_CODE", "46000"),
            ("CITY", "PETALING JAYA"),
            ("STATE", "SELANGOR DARUL EHSAN"),
            ("ADDRESS_BLOCK", address),
        ]
    );
}

#[test]
fn counts_above_their_things_and_codes_behind_them() {
    let above = receipt(
        "      Corner Shop\n\
         12/31/2025  09:10\n\
         2 x 1.50\n\
         Oat Bar                               3.00\n\
         Water                                 1.20\n\
         TOTAL                                $4.20\n",
    );
    assert_eq!(
        items(&above),
        [("Oat Bar".to_owned(), Some("2"), Some("1.50"), Some("3.00")), ("Water".to_owned(), None, None, Some("1.20")),]
    );
    let behind = receipt(
        "      Corner Shop\n\
         12/31/2025  09:10\n\
         Cheese Curls 55g       04000008188423\n\
         2 X P21.50/Unit                      43.00 V\n\
         Brown Sugar                          72.00 V\n\
         04800016666407\n\
         TOTAL                               115.00\n",
    );
    assert_eq!(
        items(&behind),
        [
            ("Cheese Curls 55g".to_owned(), Some("2"), Some("P21.50"), Some("43.00")),
            ("Brown Sugar".to_owned(), None, None, Some("72.00")),
        ]
    );
}
