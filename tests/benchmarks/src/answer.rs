//! What an `AnalyzeExpense` response says, by the types that Textract documents.

use serde_json::Value;

/// One field: its text, how sure the reader is of it (0 to 100), the words that name it, its currency.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The value as printed.
    pub text: String,
    /// 0 to 100.
    pub confidence: f64,
    /// The label as printed, or nothing.
    pub label: String,
    /// ISO 4217, where the answer names one.
    pub currency: Option<String>,
}

/// A line item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Item {
    /// `ITEM`.
    pub description: String,
    /// `QUANTITY`.
    pub quantity: Option<String>,
    /// `UNIT_PRICE`.
    pub unit_price: Option<String>,
    /// `PRICE`.
    pub price: Option<String>,
}

/// The first expense document of a response.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    fields: Vec<(String, Found)>,
    /// The line items of all its tables.
    pub items: Vec<Item>,
}

impl Answer {
    /// Takes a response apart; what it lacks is absent here.
    #[must_use]
    pub fn new(response: &Value) -> Self {
        let document = &response["ExpenseDocuments"][0];
        let fields = each(&document["SummaryFields"]).filter_map(field).collect();
        let items = each(&document["LineItemGroups"])
            .flat_map(|group| each(&group["LineItems"]))
            .map(|item| {
                let of = |kind: &str| {
                    let mut fields = each(&item["LineItemExpenseFields"]).filter_map(field);
                    fields.find(|(name, _)| name == kind).map(|(_, found)| found.text)
                };
                Item {
                    description: of("ITEM").unwrap_or_default(),
                    quantity: of("QUANTITY"),
                    unit_price: of("UNIT_PRICE"),
                    price: of("PRICE"),
                }
            })
            .collect();
        Self { fields, items }
    }

    /// The first field of one of these types that has a value.
    #[must_use]
    pub fn first(&self, kinds: &[&str]) -> Option<&Found> {
        self.all(kinds).next()
    }

    /// Every field of these types that has a value, in order.
    pub fn all(&self, kinds: &[&str]) -> impl Iterator<Item = &Found> {
        self.fields
            .iter()
            .filter(|(kind, found)| kinds.contains(&kind.as_str()) && !found.text.is_empty())
            .map(|(_, f)| f)
    }
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn field(field: &Value) -> Option<(String, Found)> {
    let text = |value: &Value| value["Text"].as_str().unwrap_or_default().to_owned();
    let value = &field["ValueDetection"];
    Some((
        field["Type"]["Text"].as_str()?.to_owned(),
        Found {
            text: text(value),
            confidence: value["Confidence"].as_f64().unwrap_or_default(),
            label: text(&field["LabelDetection"]),
            currency: field["Currency"]["Code"].as_str().map(str::to_owned),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_document_apart() {
        let response = serde_json::json!({"ExpenseDocuments": [{
            "SummaryFields": [
                {"Type": {"Text": "TOTAL"}, "ValueDetection": {"Text": "", "Confidence": 1.0}},
                {"Type": {"Text": "TOTAL"}, "LabelDetection": {"Text": "Summe"}, "ValueDetection": {"Text": "4,50", "Confidence": 97.5}, "Currency": {"Code": "EUR"}},
            ],
            "LineItemGroups": [{"LineItems": [{"LineItemExpenseFields": [
                {"Type": {"Text": "ITEM"}, "ValueDetection": {"Text": "Tea"}},
                {"Type": {"Text": "PRICE"}, "ValueDetection": {"Text": "4,50"}},
            ]}]}],
        }, {"SummaryFields": [{"Type": {"Text": "TAX"}, "ValueDetection": {"Text": "1"}}]}]});
        let answer = Answer::new(&response);
        let total =
            Found { text: "4,50".into(), confidence: 97.5, label: "Summe".into(), currency: Some("EUR".into()) };
        assert_eq!(answer.first(&["TOTAL"]), Some(&total));
        assert_eq!(answer.first(&["TAX"]), None);
        assert_eq!(answer.items, [Item { description: "Tea".into(), price: Some("4,50".into()), ..Item::default() }]);
        assert_eq!(Answer::new(&Value::Null), Answer::default());
    }
}
