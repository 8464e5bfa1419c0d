//! Receipts that `receipts.py` draws: everything printed on them is known, line items above all.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Found},
    matching::{self, Printed, Tally},
    reader::Reader,
    reliability::Reliability,
    report::{Share, Table, quantile},
    rules::{self, Amount},
};

/// One line of the generator's `labels.jsonl`; see there for what each means.
#[derive(Debug, Clone, Deserialize)]
pub struct Label {
    image: String,
    template: String,
    currency: String,
    vendor: String,
    address: Option<String>,
    phone: Option<String>,
    tax_id: Option<String>,
    receipt_id: Option<String>,
    date: String,
    date_ambiguous: bool,
    subtotal: Option<String>,
    discount: Option<String>,
    service_charge: Option<String>,
    tip: Option<String>,
    taxes: Vec<Tax>,
    total: String,
    amount_paid: Option<String>,
    items: Vec<Item>,
    item_discounts: Vec<Reduction>,
}

#[derive(Debug, Clone, Deserialize)]
struct Tax {
    amount: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Item {
    description: String,
    quantity: String,
    price: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Reduction {
    amount: String,
}

/// How an answer is compared with its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The same text by the rules of published benchmarks.
    Text,
    /// The same letters and digits: telephone numbers and ids are grouped at will.
    Solid,
    /// The same amount to half a cent; a reduction may carry its minus or not.
    Amount,
    /// The same day; a date that is printed ambiguously may be read either way.
    Date,
}

/// The fields beside items, taxes and currency: name, rule, Textract's types.
const FIELDS: [(&str, Rule, &[&str]); 12] = [
    ("total", Rule::Amount, &["TOTAL"]),
    ("date", Rule::Date, &["INVOICE_RECEIPT_DATE"]),
    ("vendor", Rule::Text, &["VENDOR_NAME"]),
    ("address", Rule::Text, &["VENDOR_ADDRESS"]),
    ("subtotal", Rule::Amount, &["SUBTOTAL"]),
    ("discount", Rule::Amount, &["DISCOUNT"]),
    ("service charge", Rule::Amount, &["SERVICE_CHARGE"]),
    ("tip", Rule::Amount, &["GRATUITY", "TIP"]),
    ("amount paid", Rule::Amount, &["AMOUNT_PAID"]),
    ("phone", Rule::Solid, &["VENDOR_PHONE"]),
    (
        "tax id",
        Rule::Solid,
        &["TAX_PAYER_ID", "VENDOR_VAT_NUMBER", "VENDOR_GST_NUMBER", "VENDOR_ABN_NUMBER", "VENDOR_PAN_NUMBER"],
    ),
    ("receipt id", Rule::Solid, &["INVOICE_RECEIPT_ID"]),
];

impl Label {
    fn of(&self, field: &str) -> Option<&str> {
        match field {
            "total" => Some(&self.total),
            "date" => Some(&self.date),
            "vendor" => Some(&self.vendor),
            "address" => self.address.as_deref(),
            "subtotal" => self.subtotal.as_deref(),
            "discount" => self.discount.as_deref(),
            "service charge" => self.service_charge.as_deref(),
            "tip" => self.tip.as_deref(),
            "amount paid" => self.amount_paid.as_deref(),
            "phone" => self.phone.as_deref(),
            "tax id" => self.tax_id.as_deref(),
            _ => self.receipt_id.as_deref(),
        }
    }

    /// The decimals of its currency, as its total has them.
    fn decimals(&self) -> usize {
        self.total.split_once('.').map_or(0, |(_, fraction)| fraction.len())
    }

    fn is_right(&self, rule: Rule, answer: &str, expected: &str) -> bool {
        let amount = |text: &str| rules::amount_with(text, self.decimals());
        match rule {
            Rule::Text => rules::same_text(answer, expected),
            Rule::Solid => rules::solid(answer) == rules::solid(expected),
            Rule::Amount => match (amount(answer), decimal(expected)) {
                (Some(a), Some(b)) => rules::same_amount(a, b),
                _ => false,
            },
            Rule::Date => {
                let Some(day) = rules::calendar(expected) else { return false };
                // Textract answers dates as printed: which reading is meant, the domain decides from the rest.
                rules::readings(answer).contains(&day)
            }
        }
    }
}

/// A label's decimal string.
fn decimal(text: &str) -> Option<Amount> {
    rules::amount_with(text, 3)
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Scores {
    /// Line items of all receipts together.
    pub items: Tally,
    templates: BTreeMap<String, (Tally, Share)>,
    fields: BTreeMap<&'static str, Field>,
    receipts: usize,
    seconds: Vec<f64>,
    refused: usize,
    /// How sure the reader was of each answer.
    pub reliability: Reliability,
}

#[derive(Debug, Clone, Copy, Default)]
struct Field {
    /// Among those printed.
    right: Share,
    /// Answered where nothing is printed.
    invented: usize,
}

impl Scores {
    /// Reads and scores the receipts of a folder; `answers` gets each beside its label, as JSON lines.
    ///
    /// # Errors
    /// When a file cannot be read or the reader has died.
    pub async fn measure(reader: &mut Reader, folder: &Path, mut answers: Option<fs::File>) -> Result<Self> {
        let path = folder.join("labels.jsonl");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let labels: Vec<Label> = text.lines().map(serde_json::from_str).collect::<serde_json::Result<_>>()?;
        let mut scores = Self::default();
        for (n, label) in labels.iter().enumerate() {
            let reply = reader.read(&fs::read(folder.join(&label.image))?).await?;
            scores.seconds.push(reply.seconds);
            let answer = match reply.answer {
                Ok(response) => Answer::new(&response),
                Err(refusal) => {
                    scores.refused += 1;
                    eprintln!("\n{}: {refusal}", label.image);
                    Answer::default()
                }
            };
            let row = scores.count(label, &answer);
            if let Some(file) = &mut answers {
                writeln!(file, "{row}")?;
            }
            eprint!("\r{}/{} ", n + 1, labels.len());
        }
        eprintln!();
        Ok(scores)
    }

    fn count(&mut self, label: &Label, answer: &Answer) -> Value {
        self.receipts += 1;
        let mut row = json!({"image": label.image, "template": label.template});
        for (name, rule, kinds) in FIELDS {
            let found = answer.first(kinds);
            let expected = label.of(name);
            let right = match (found, expected) {
                (Some(found), Some(expected)) => self.judge(label, name, rule, found, expected),
                (None, _) => false,
                (Some(_), None) => {
                    // Discounts under single items may be told as one.
                    let told = name == "discount" && !label.item_discounts.is_empty();
                    self.fields.entry(name).or_default().invented += usize::from(!told);
                    false
                }
            };
            if expected.is_some() {
                self.fields.entry(name).or_default().right.count(right);
            }
            if name == "date" && label.date_ambiguous {
                self.fields.entry("date, of those ambiguous").or_default().right.count(right);
            }
            if !right && (expected.is_some() || found.is_some()) {
                row[name] = json!({"answer": found.map(|f| &f.text), "label": expected});
            }
        }
        self.count_currency(label, answer);
        self.count_taxes(label, answer, &mut row);
        self.count_items(label, answer, &mut row);
        row
    }

    fn judge(&mut self, label: &Label, name: &'static str, rule: Rule, found: &Found, expected: &str) -> bool {
        let signless = |text: &str| text.replace(['-', '−'], "");
        let right = label.is_right(rule, &found.text, expected)
            || (name == "discount" && label.is_right(rule, &signless(&found.text), &signless(expected)));
        self.reliability.add(name, found.confidence, right);
        right
    }

    fn count_currency(&mut self, label: &Label, answer: &Answer) {
        let said = answer.all(&["TOTAL", "SUBTOTAL", "TAX", "AMOUNT_PAID"]).find_map(|f| f.currency.as_deref());
        self.fields.entry("currency").or_default().right.count(said == Some(label.currency.as_str()));
    }

    fn count_taxes(&mut self, label: &Label, answer: &Answer, row: &mut Value) {
        let mut read: Vec<Amount> =
            answer.all(&["TAX"]).filter_map(|f| rules::amount_with(&f.text, label.decimals())).collect();
        let mut missed = 0;
        for tax in &label.taxes {
            let at = decimal(&tax.amount).and_then(|t| read.iter().position(|&r| rules::same_amount(r, t)));
            if let Some(at) = at {
                read.swap_remove(at);
            }
            missed += usize::from(at.is_none());
            self.fields.entry("tax, each rate").or_default().right.count(at.is_some());
        }
        self.fields.entry("tax, each rate").or_default().invented += read.len();
        if missed + read.len() > 0 {
            let texts: Vec<&str> = answer.all(&["TAX"]).map(|f| f.text.as_str()).collect();
            row["taxes"] = json!({
                "answer": texts, "label": label.taxes.iter().map(|t| &t.amount).collect::<Vec<_>>()
            });
        }
    }

    fn count_items(&mut self, label: &Label, answer: &Answer, row: &mut Value) {
        let printed: Vec<Printed> = label
            .items
            .iter()
            .filter_map(|i| {
                Some(Printed {
                    description: i.description.clone(),
                    quantity: rules::quantity(&i.quantity)?,
                    price: decimal(&i.price)?,
                })
            })
            .collect();
        let reductions: Vec<Amount> = label.item_discounts.iter().filter_map(|d| decimal(&d.amount)).collect();
        let tally = matching::tally(&answer.items, &printed, &reductions, label.decimals());
        self.items = self.items.and(tally);
        let (items, whole) = self.templates.entry(label.template.clone()).or_default();
        *items = items.and(tally);
        whole.count(tally.matched == tally.printed && tally.read == tally.printed);
        if tally.matched < tally.printed || tally.read > tally.printed {
            let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
            let read: Vec<String> = answer
                .items
                .iter()
                .map(|i| format!("{} × {} = {}", or(&i.quantity), i.description, or(&i.price)))
                .collect();
            let label: Vec<String> =
                label.items.iter().map(|i| format!("{} × {} = {}", i.quantity, i.description, i.price)).collect();
            row["items"] = json!({"answer": read, "label": label});
        }
    }

    /// How exact each field is, and how often it was answered where nothing is printed.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(["field", "right where printed", "of", "answered where not printed"]);
        for (name, field) in &self.fields {
            table.row([
                (*name).to_owned(),
                field.right.to_string(),
                field.right.of.to_string(),
                field.invented.to_string(),
            ]);
        }
        table
    }

    /// The line items by layout.
    #[must_use]
    pub fn items_table(&self) -> Table {
        let mut table = Table::new(["layout", "F1", "precision", "recall", "lines", "receipts with every line right"]);
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let mut every = Share::default();
        let row = |name: &str, tally: Tally, whole: Share| {
            [
                name.to_owned(),
                percent(tally.f1()),
                percent(tally.precision()),
                percent(tally.recall()),
                tally.printed.to_string(),
                whole.to_string(),
            ]
        };
        for (name, (tally, whole)) in &self.templates {
            every = every.and(*whole);
            table.row(row(name, *tally, *whole));
        }
        table.row(row("all", self.items, every));
        table
    }

    /// How many, how long.
    #[must_use]
    pub fn summary(&self) -> String {
        let seconds = |share| quantile(&self.seconds, share).unwrap_or_default();
        format!(
            "{} receipts, {} refused; seconds per receipt: median {:.2}, p95 {:.2}",
            self.receipts,
            self.refused,
            seconds(0.5),
            seconds(0.95)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> Label {
        serde_json::from_value(json!({
            "image": "1.jpg", "template": "cafe", "currency": "EUR", "vendor": "Café Kranich", "address": null,
            "phone": "030 000 1234", "tax_id": null, "receipt_id": "7", "date": "2025-06-05", "date_ambiguous": true,
            "subtotal": null, "discount": "1.00", "service_charge": null, "tip": null,
            "taxes": [{"rate": "19", "amount": "0.80"}, {"rate": "7", "amount": "0.10"}],
            "total": "4.00", "amount_paid": "4.00",
            "items": [{"description": "Tee", "quantity": "2", "unit_price": "2.50", "price": "5.00"}],
            "item_discounts": [],
        }))
        .expect("a label")
    }

    fn answer(fields: &[(&str, &str)], items: &Value) -> Answer {
        let fields: Vec<Value> = fields
            .iter()
            .map(|(kind, text)| {
                json!({
                    "Type": {"Text": kind}, "ValueDetection": {"Text": text, "Confidence": 90.0},
                    "Currency": {"Code": "EUR"},
                })
            })
            .collect();
        Answer::new(&json!({"ExpenseDocuments": [{"SummaryFields": fields, "LineItemGroups": [{"LineItems": items}]}]}))
    }

    fn right(scores: &Scores, field: &str) -> (usize, usize, usize) {
        let field = scores.fields[field];
        (field.right.right, field.right.of, field.invented)
    }

    #[test]
    fn each_field_by_its_rule() {
        let item = json!([{"LineItemExpenseFields": [
            {"Type": {"Text": "ITEM"}, "ValueDetection": {"Text": "TEE"}},
            {"Type": {"Text": "QUANTITY"}, "ValueDetection": {"Text": "2 x"}},
            {"Type": {"Text": "PRICE"}, "ValueDetection": {"Text": "5,00 A"}},
        ]}]);
        let fields = [
            ("TOTAL", "4,00 €"),
            ("INVOICE_RECEIPT_DATE", "06/05/2025"),
            ("VENDOR_NAME", "CAFÉ KRANICH"),
            ("VENDOR_PHONE", "(030) 0001234"),
            ("DISCOUNT", "-1,00"),
            ("SUBTOTAL", "3,10"),
            ("TAX", "0,80"),
            ("TAX", "0,90"),
        ];
        let mut scores = Scores::default();
        scores.count(&label(), &answer(&fields, &item));
        for field in ["total", "date", "date, of those ambiguous", "vendor", "phone", "discount", "currency"] {
            assert_eq!(right(&scores, field), (1, 1, 0), "{field}");
        }
        assert_eq!(right(&scores, "subtotal"), (0, 0, 1), "answered, though not printed");
        assert_eq!(right(&scores, "amount paid"), (0, 1, 0), "printed, though not answered");
        assert_eq!(right(&scores, "tax, each rate"), (1, 2, 1));
        assert_eq!(scores.items, Tally { matched: 1, read: 1, printed: 1 });
    }

    #[test]
    fn nothing_answered_is_nothing_right() {
        let mut scores = Scores::default();
        scores.count(&label(), &Answer::default());
        assert_eq!(right(&scores, "total"), (0, 1, 0));
        assert_eq!(right(&scores, "currency"), (0, 1, 0));
        assert_eq!(scores.items, Tally { matched: 0, read: 0, printed: 1 });
    }
}
