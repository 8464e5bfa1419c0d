//! From an analysis to a draft: which of the recognised fields is the merchant, the date, the amount, what the printed
//! text means, how sure that is, and where it stands.
//!
//! [`read`] is the one way from a Textract response to a [`Reading`]; the draft is [`Reading::details`], and what its
//! owner should look at first is [`Reading::review`].

mod amount;
mod arithmetic;
mod date;
mod fields;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use slipstream_events::{Currency, Doubt, ExpenseDetails, Money, ReadField, ReviewFinding};

pub use amount::parse_amount;
pub use arithmetic::Arithmetic;
pub use date::{Order, readings};

use crate::{
    analysis::{Analysis, ExpenseDocument},
    category::{self, Suggestion},
    details::tax_problem,
};
use fields::Pages;

/// The confidence from which a field needs no look, from 0 to 1.
pub const CONFIDENT: f32 = 0.8;
/// The most candidates that are kept of a field.
const MAX_CANDIDATES: usize = 5;

/// What a reading needs to know beside the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The currency meant where the receipt names none.
    pub currency: Option<Currency>,
    /// Today in the latest time zone (UTC+14): a receipt cannot be from a later date.
    pub latest_date: Date,
}

/// What was made out in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Every receipt in the file, in its order.
    pub receipts: Vec<ReadReceipt>,
    /// Which of them the draft was made of.
    pub drafted: usize,
    /// The suggested category.
    pub category: Suggestion,
    /// What the owner should look at; nothing, when the draft is ready.
    pub review: Vec<ReviewFinding>,
}

/// One receipt. Of each field every candidate, the best first; none where nothing was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadReceipt {
    /// The pages of the file it is on, from 1.
    pub pages: Vec<u32>,
    /// Who was paid.
    pub merchant: Vec<Candidate<String>>,
    /// When.
    pub date: Vec<Candidate<Date>>,
    /// How much.
    pub amount: Vec<Candidate<Money>>,
    /// The tax in it, all rates together.
    pub tax: Vec<Candidate<Money>>,
    /// Before tax, tip or rounding.
    pub subtotal: Vec<Candidate<Money>>,
    /// A tip.
    pub tip: Vec<Candidate<Money>>,
    /// A discount.
    pub discount: Vec<Candidate<Money>>,
    /// The receipt's own number.
    pub receipt_number: Vec<Candidate<String>>,
    /// Where the merchant is.
    pub address: Vec<Candidate<String>>,
    /// The things bought.
    pub items: Vec<Item>,
    /// What the prices of the things bought come to: a suggestion where no total is printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_total: Option<Money>,
    /// Whether the parts add up to the best amount.
    pub arithmetic: Arithmetic,
    /// Whether the currency is printed; otherwise the usual one was assumed.
    pub currency_printed: bool,
    /// The fields of which it shows more than one, each as sure as the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputed: Vec<ReadField>,
}

/// One answer for a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate<T> {
    /// What it means.
    pub value: T,
    /// From 0 to 1.
    pub confidence: f32,
    /// As printed.
    pub text: String,
    /// The printed label, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A box on a page, as ratios of the page's width and height.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the edges are what their names say")]
pub struct Place {
    /// From 1.
    pub page: u32,
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

/// A thing bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub description: String,
    /// How many, as printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// What one costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// What all of it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Where its row stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl ReadReceipt {
    /// How sure the least sure of merchant, date and amount is, from 0 to 1; 0 where one of them is missing.
    pub fn confidence(&self) -> f32 {
        let of = [
            self.merchant.first().map(|merchant| merchant.confidence),
            self.date.first().map(|date| date.confidence),
            self.amount.first().map(|amount| amount.confidence),
        ];
        of.into_iter().map(Option::unwrap_or_default).fold(1.0, f32::min)
    }
}

impl Reading {
    /// The receipt that the draft is made of.
    pub fn receipt(&self) -> &ReadReceipt {
        &self.receipts[self.drafted]
    }

    /// The draft.
    pub fn details(&self) -> ExpenseDetails {
        let receipt = self.receipt();
        let amount = value(&receipt.amount);
        // A tax that cannot be in the amount was misread; without an amount there is nothing to hold it against.
        let tax = value(&receipt.tax)
            .filter(|tax| amount.is_some_and(|amount| *tax != amount && tax_problem(*tax, amount).is_none()));
        ExpenseDetails {
            merchant: value(&receipt.merchant),
            date: value(&receipt.date),
            amount,
            tax,
            category: Some(self.category.category),
            ..ExpenseDetails::default()
        }
    }
}

fn value<T: Clone>(candidates: &[Candidate<T>]) -> Option<T> {
    candidates.first().map(|candidate| candidate.value.clone())
}

/// What was read; `None` when nothing in the file looks like a receipt.
pub fn read(analysis: &Analysis, context: Context) -> Option<Reading> {
    let receipts: Vec<ReadReceipt> = receipts(&analysis.expense_documents)
        .into_iter()
        .map(|pages| Pages(pages).read(context))
        .filter(|receipt: &ReadReceipt| {
            !(receipt.amount.is_empty() && receipt.date.is_empty() && receipt.items.is_empty())
        })
        .collect();
    let sure = |candidates: Option<f32>| candidates.unwrap_or_default();
    let evidence = |receipt: &ReadReceipt| {
        4.0 * sure(receipt.amount.first().map(|amount| amount.confidence))
            + 2.0 * sure(receipt.date.first().map(|date| date.confidence))
            + sure(receipt.merchant.first().map(|merchant| merchant.confidence))
    };
    // Of equals the first.
    let (drafted, receipt) =
        receipts.iter().enumerate().rev().max_by(|(_, a), (_, b)| evidence(a).total_cmp(&evidence(b)))?;
    let descriptions: Vec<&str> = receipt.items.iter().map(|item| item.description.as_str()).collect();
    let category = category::suggest(value(&receipt.merchant).as_deref(), &descriptions);
    let review = review(receipt, receipts.iter().filter(|receipt| !receipt.amount.is_empty()).count());
    Some(Reading { drafted, category, review, receipts })
}

/// The documents of each receipt. Pages that lead up to a total, and pages after it that name none, belong to it, unless
/// they name another merchant; so do pages that carry the same receipt number.
fn receipts(documents: &[ExpenseDocument]) -> Vec<Vec<&ExpenseDocument>> {
    let mut receipts: Vec<Vec<&ExpenseDocument>> = Vec::new();
    for document in documents.iter().filter(|document| !fields::is_blank(document)) {
        let belongs = receipts.last().is_some_and(|pages| {
            let (number, before) = (fields::number(document), pages.iter().find_map(|page| fields::number(page)));
            let complete = pages.iter().any(|page| fields::has_amount(page));
            let elsewhere = fields::merchant_key(document).is_some_and(|key| {
                pages.iter().find_map(|page| fields::merchant_key(page)).is_some_and(|of| of != key)
            });
            match (number, before) {
                (Some(number), Some(before)) => number == before,
                _ => !(elsewhere || (complete && fields::has_amount(document))),
            }
        });
        match receipts.last_mut() {
            Some(pages) if belongs => pages.push(document),
            _ => receipts.push(vec![document]),
        }
    }
    receipts
}

/// What the owner should look at before the draft is submitted.
fn review(receipt: &ReadReceipt, receipts: usize) -> Vec<ReviewFinding> {
    let mut found = Vec::new();
    let mut doubt = |field, doubt, is: bool| {
        if is {
            found.push(ReviewFinding { field, doubt });
        }
    };
    let unsure = |confidence: Option<f32>| confidence.is_some_and(|confidence| confidence < CONFIDENT);
    let merchant = receipt.merchant.first();
    doubt(ReadField::Merchant, Doubt::Missing, merchant.is_none());
    doubt(ReadField::Merchant, Doubt::Unsure, unsure(merchant.map(|merchant| merchant.confidence)));
    let date = receipt.date.first();
    let ambiguous = date.is_some_and(|date| receipt.date[1..].iter().any(|other| other.text == date.text));
    doubt(ReadField::Date, Doubt::Missing, date.is_none());
    doubt(ReadField::Date, Doubt::Ambiguous, ambiguous);
    doubt(ReadField::Date, Doubt::Unsure, !ambiguous && unsure(date.map(|date| date.confidence)));
    let amount = receipt.amount.first();
    doubt(ReadField::Amount, Doubt::Missing, amount.is_none());
    if let Some(amount) = amount {
        doubt(ReadField::Amount, Doubt::Unsure, amount.confidence < CONFIDENT);
        doubt(ReadField::Amount, Doubt::Arithmetic, receipt.arithmetic == Arithmetic::Contradicts);
        doubt(ReadField::Amount, Doubt::CurrencyAssumed, !receipt.currency_printed);
    }
    for field in [ReadField::Merchant, ReadField::Date, ReadField::Amount] {
        doubt(field, Doubt::Disagreement, receipt.disputed.contains(&field));
        // Of another receipt all three are other ones.
        doubt(field, Doubt::SeveralReceipts, receipts > 1);
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use jiff::civil::date as day;

    use super::*;
    use crate::analysis::{CurrencyDetection, Detection, Field, GroupProperty, LineItem, LineItemGroup};

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn field(name: &str, text: &str, confidence: f32) -> Field {
        Field {
            field_type: Detection { text: name.to_owned(), confidence, geometry: None },
            value_detection: Detection { text: text.to_owned(), confidence, geometry: None },
            ..Field::default()
        }
    }

    fn page(fields: &[(&str, &str)]) -> ExpenseDocument {
        let summary_fields = fields.iter().map(|(name, text)| field(name, text, 95.0)).collect();
        ExpenseDocument { summary_fields, ..ExpenseDocument::default() }
    }

    fn with_items(mut page: ExpenseDocument, items: &[(&str, &str)]) -> ExpenseDocument {
        let row = |(item, price): &(&str, &str)| LineItem {
            line_item_expense_fields: vec![field("ITEM", item, 95.0), field("PRICE", price, 95.0)],
        };
        page.line_item_groups.push(LineItemGroup { line_items: items.iter().map(row).collect() });
        page
    }

    fn file(pages: Vec<ExpenseDocument>) -> Option<Reading> {
        let context = Context { currency: Some(currency("EUR")), latest_date: day(2026, 11, 22) };
        read(&Analysis { expense_documents: pages }, context)
    }

    fn receipt(fields: &[(&str, &str)]) -> Reading {
        file(vec![page(fields)]).unwrap()
    }

    fn doubts(reading: &Reading, field: ReadField) -> Vec<Doubt> {
        reading.review.iter().filter(|finding| finding.field == field).map(|finding| finding.doubt).collect()
    }

    const GOOD: [(&str, &str); 5] = [
        ("VENDOR_NAME", "Harbour\nCoffee  Bar"),
        ("INVOICE_RECEIPT_DATE", "12 Mar 2026"),
        ("SUBTOTAL", "22,00"),
        ("TAX", "1,40"),
        ("TOTAL", "23,40 €"),
    ];

    fn good_but(name: &str, text: &str) -> Reading {
        receipt(&GOOD.map(|(known, value)| if known == name { (known, text) } else { (known, value) }))
    }

    fn good_and(more: &[(&str, &str)]) -> Reading {
        receipt(&[&GOOD[..], more].concat())
    }

    #[test]
    fn what_is_sure_and_adds_up_is_ready() {
        let reading = receipt(&GOOD);
        assert_eq!(reading.review, []);
        assert_eq!(reading.receipt().arithmetic, Arithmetic::Agrees);
        let details = reading.details();
        assert_eq!(details.merchant.as_deref(), Some("Harbour Coffee Bar"));
        assert_eq!(details.amount, Some(Money::new(2340, currency("EUR"))));
        assert_eq!(details.tax, Some(Money::new(140, currency("EUR"))));
        assert_eq!(details.date, Some(day(2026, 3, 12)));
        assert_eq!(details.category, Some(slipstream_events::Category::Meals));
        assert_eq!(crate::details::problems(&details), []);
        let json = serde_json::to_string(&reading).unwrap();
        assert_eq!(serde_json::from_str::<Reading>(&json).unwrap(), reading);
    }

    #[test]
    fn a_tax_that_cannot_be_in_the_amount_is_not_drafted() {
        for (total, tax) in [("-23,40 €", "1,40"), ("23,40 €", "-0,02"), ("23,40 €", "28,00"), ("23,40 €", "23,40")]
        {
            let reading = receipt(&[("VENDOR_NAME", "Harbour"), ("TAX", tax), ("TOTAL", total)]);
            let details = reading.details();
            assert_eq!((details.amount.is_some(), details.tax), (true, None), "{tax} in {total}");
            assert_eq!(crate::details::problems(&details), [], "{tax} in {total}");
        }
    }

    #[test]
    fn each_doubt_names_its_field() {
        use Doubt::{Ambiguous, Arithmetic, CurrencyAssumed, Disagreement, Missing, Unsure};
        use ReadField::{Amount, Date, Merchant};
        assert_eq!(doubts(&good_but("VENDOR_NAME", "---"), Merchant), [Missing]);
        assert_eq!(doubts(&good_but("INVOICE_RECEIPT_DATE", "soon"), Date), [Missing]);
        assert_eq!(doubts(&good_but("INVOICE_RECEIPT_DATE", "12.03.2027"), Date), [Missing], "still to come");
        assert_eq!(doubts(&good_but("TOTAL", "28,40 €"), Amount), [Arithmetic]);
        assert_eq!(doubts(&good_but("TOTAL", "23,40"), Amount), [CurrencyAssumed]);
        assert_eq!(doubts(&good_but("TOTAL", "CAD 23.40"), Amount), []);
        let dollars = good_but("TOTAL", "$23.40");
        assert_eq!(doubts(&dollars, Amount), [CurrencyAssumed], "many countries have dollars");
        assert_eq!(dollars.details().amount, Some(Money::new(2340, currency("USD"))));
        let rival = receipt(&[GOOD[0], GOOD[1], ("TOTAL", "23,40 €"), ("TOTAL", "25,40 €")]);
        assert_eq!(doubts(&rival, Amount), [Disagreement]);
        let canadian = [GOOD[0], ("INVOICE_RECEIPT_DATE", "03/04/2026"), ("TOTAL", "CAD 23.40")];
        assert_eq!(doubts(&receipt(&canadian), Date), [Ambiguous]);
        let faint = field("TOTAL", "9,00 €", 60.0);
        let faint = file(vec![ExpenseDocument { summary_fields: vec![faint], ..ExpenseDocument::default() }]).unwrap();
        assert_eq!(doubts(&faint, Amount), [Unsure]);
    }

    #[test]
    fn arithmetic_chooses_among_totals() {
        let reading = good_and(&[("TOTAL", "99,00 €")]);
        assert_eq!(reading.details().amount, Some(Money::new(2340, currency("EUR"))));
        assert_eq!(doubts(&reading, ReadField::Amount), []);
        let amounts: Vec<i64> = reading.receipt().amount.iter().map(|amount| amount.value.minor_units).collect();
        assert_eq!(amounts, [2340, 9900, 2200], "all are kept to choose from");
    }

    #[test]
    fn the_receipt_decides_what_comes_first_day_or_month() {
        let date = |fields: &[(&str, &str)]| {
            let reading = receipt(fields);
            (reading.details().date.unwrap(), doubts(&reading, ReadField::Date))
        };
        let open = ("INVOICE_RECEIPT_DATE", "03/04/2026");
        let total = ("TOTAL", "CAD 23.40");
        let shown = date(&[open, total, ("DUE_DATE", "04/17/2026")]);
        assert_eq!(shown, (day(2026, 3, 4), vec![]), "another date on it has the month first");
        assert_eq!(date(&[open, ("TOTAL", "EUR 23.40")]), (day(2026, 4, 3), vec![]));
        assert_eq!(date(&[open, ("TOTAL", "USD 23.40")]), (day(2026, 3, 4), vec![]));
        let both = receipt(&[open, total]);
        let candidates: Vec<Date> = both.receipt().date.iter().map(|date| date.value).collect();
        assert_eq!(candidates, [day(2026, 4, 3), day(2026, 3, 4)]);
        assert!(both.receipt().date.iter().all(|date| date.confidence < CONFIDENT));
    }

    #[test]
    fn several_rates_are_one_tax() {
        let tax = |taxes: &[(&str, &str)]| receipt(&[&[GOOD[0], GOOD[1]], taxes].concat()).details().tax;
        let eur = |minor_units| Some(Money::new(minor_units, currency("EUR")));
        let total = ("TOTAL", "23,40 €");
        assert_eq!(tax(&[("TAX", "0,70"), ("TAX", "1,90"), total]), eur(260));
        assert_eq!(tax(&[("TAX", "1,40"), ("TAX", "1,40"), total]), eur(140), "printed twice");
        let on_top = [("SUBTOTAL", "20,60"), ("TAX", "1,40"), ("TAX", "1,40"), total];
        assert_eq!(tax(&on_top), eur(280), "two rates that come to the same");
        let summed = [("SUBTOTAL", "20,80"), ("TAX", "0,70"), ("TAX", "1,90"), ("TAX", "2,60"), total];
        assert_eq!(tax(&summed), eur(260), "two rates and their sum");
        assert_eq!(tax(&[("TAX", "0,70"), ("TAX", "1,90"), ("TAX", "2,60"), total]), eur(260), "their sum is printed");
        assert_eq!(
            tax(&[("TAX", "1,40"), ("TAX", "0,00"), ("SUBTOTAL", "23,40"), total]),
            eur(140),
            "zero-rated goods"
        );
        assert_eq!(tax(&[("TAX", "0,00"), total]), None);
    }

    #[test]
    fn pages_of_one_receipt_are_one_and_receipts_of_one_file_are_several() {
        let first = with_items(page(&[("VENDOR_NAME", "Meta Legal")]), &[("Support", "20,00")]);
        let last =
            with_items(page(&[("INVOICE_RECEIPT_DATE", "12.03.2026"), ("TOTAL", "23,40 €")]), &[("Fee", "3,40")]);
        let analysis = |pages: Vec<ExpenseDocument>| {
            let pages = pages.into_iter().zip(1..).map(|(page, number)| {
                Analysis { expense_documents: vec![page] }.on_page(number).expense_documents.remove(0)
            });
            file(pages.collect()).unwrap()
        };
        let one = analysis(vec![first, ExpenseDocument::default(), last]);
        assert_eq!(one.review, []);
        assert_eq!(one.receipt().pages, [1, 3]);
        assert_eq!(one.receipt().arithmetic, Arithmetic::Agrees);
        let several = analysis(vec![page(&GOOD), page(&[("VENDOR_NAME", "Taxi"), ("TOTAL", "9,00 €")])]);
        assert_eq!(several.receipts.len(), 2);
        assert_eq!(several.drafted, 0, "the one that is known best");
        for field in [ReadField::Merchant, ReadField::Date, ReadField::Amount] {
            assert_eq!(doubts(&several, field), [Doubt::SeveralReceipts]);
        }
        let number = ("INVOICE_RECEIPT_ID", "4711");
        let carried = analysis(vec![page(&[number, ("TOTAL", "9,00 €")]), page(&[number, ("TOTAL", "23,40 €")])]);
        assert_eq!(carried.receipts.len(), 1, "the same number is the same receipt");
    }

    #[test]
    fn an_old_response_has_a_name_in_the_vendor_block_and_no_currency() {
        let mut name = field("NAME", "MEGA MARKET", 90.0);
        name.group_properties = vec![GroupProperty { types: vec!["VENDOR".to_owned()] }];
        let summary_fields = vec![field("NAME", "Jane Doe", 99.0), name, field("TOTAL", "7,50", 90.0)];
        let reading = file(vec![ExpenseDocument { summary_fields, ..ExpenseDocument::default() }]).unwrap();
        assert_eq!(reading.details().merchant.as_deref(), Some("MEGA MARKET"));
        assert_eq!(reading.details().amount, Some(Money::new(750, currency("EUR"))));
    }

    #[test]
    fn a_currency_that_was_guessed_is_said_to_be() {
        let mut total = field("TOTAL", "23.40", 95.0);
        total.currency = Some(CurrencyDetection { code: "SGD".to_owned(), confidence: Some(40.0) });
        let reading =
            file(vec![ExpenseDocument { summary_fields: vec![total], ..ExpenseDocument::default() }]).unwrap();
        assert_eq!(reading.details().amount, Some(Money::new(2340, currency("SGD"))));
        assert_eq!(doubts(&reading, ReadField::Amount), [Doubt::CurrencyAssumed]);
    }

    #[test]
    fn items_without_a_total_suggest_one() {
        let reading = file(vec![with_items(page(&[]), &[("Tea", "2,50"), ("Cake", "4,00")])]).unwrap();
        assert_eq!(reading.details().amount, None);
        assert_eq!(doubts(&reading, ReadField::Amount), [Doubt::Missing]);
        assert_eq!(reading.receipt().items_total, Some(Money::new(650, currency("EUR"))));
    }

    #[test]
    fn what_is_no_receipt_becomes_no_draft() {
        assert_eq!(file(vec![]), None);
        assert_eq!(file(vec![page(&[("OTHER", "hello")])]), None);
    }

    #[test]
    fn of_totals_that_are_both_proven_the_one_that_explains_more_is_paid() {
        let meal = [GOOD[0], GOOD[1], ("SUBTOTAL", "20,00 €"), ("TAX", "2,00"), ("GRATUITY", "3,00")];
        let reading = receipt(&[&meal[..], &[("TOTAL", "22,00 €"), ("TOTAL", "25,00 €")]].concat());
        assert_eq!(reading.details().amount, Some(Money::new(2500, currency("EUR"))));
        assert_eq!(reading.review, []);
    }

    #[test]
    fn fields_that_disagree_are_said_to() {
        let names = receipt(&[&GOOD[..], &[("VENDOR_NAME", "Northgate Books")]].concat());
        assert_eq!(doubts(&names, ReadField::Merchant), [Doubt::Disagreement]);
        let spelled = receipt(&[&GOOD[..], &[("VENDOR_NAME", "HARBOUR COFFEE BAR GMBH")]].concat());
        assert_eq!(doubts(&spelled, ReadField::Merchant), []);
        let dates = receipt(&[&GOOD[..], &[("INVOICE_RECEIPT_DATE", "14 Mar 2026")]].concat());
        assert_eq!(doubts(&dates, ReadField::Date), [Doubt::Disagreement]);
    }

    #[test]
    fn dollars_are_those_that_the_person_spends() {
        let mut total = field("TOTAL", "$23.40", 95.0);
        total.currency = Some(CurrencyDetection { code: "USD".to_owned(), confidence: None });
        let page = || ExpenseDocument {
            summary_fields: vec![total.clone(), field("INVOICE_RECEIPT_DATE", "03/04/2026", 95.0)],
            ..ExpenseDocument::default()
        };
        let read_by = |usual: &str| {
            let context = Context { currency: Some(currency(usual)), latest_date: day(2026, 11, 22) };
            read(&Analysis { expense_documents: vec![page()] }, context).unwrap()
        };
        let sydney = read_by("AUD");
        assert_eq!(sydney.details().amount, Some(Money::new(2340, currency("AUD"))));
        assert_eq!(sydney.details().date, Some(day(2026, 4, 3)));
        let berlin = read_by("EUR");
        assert_eq!(berlin.details().amount, Some(Money::new(2340, currency("USD"))));
        assert_eq!(doubts(&berlin, ReadField::Amount), [Doubt::CurrencyAssumed]);
        assert_eq!(doubts(&berlin, ReadField::Date), [Doubt::Ambiguous]);
    }

    #[test]
    fn pages_of_two_merchants_are_two_receipts_even_when_a_total_is_missing() {
        let first = page(&[("VENDOR_NAME", "Taxi Nord"), ("INVOICE_RECEIPT_DATE", "12.03.2026")]);
        let second = page(&[("VENDOR_NAME", "Hotel Seeblick"), ("TOTAL", "240,00 €")]);
        let reading = file(vec![first, second]).unwrap();
        assert_eq!(reading.receipts.len(), 2);
        assert_eq!(reading.details().merchant.as_deref(), Some("Hotel Seeblick"));
        assert_eq!(reading.details().date, None);
    }
}
