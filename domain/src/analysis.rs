//! The response of Textract's `AnalyzeExpense`, as far as a draft is made from it.
//!
//! The names and shapes are Textract's (<https://docs.aws.amazon.com/textract/latest/dg/API_AnalyzeExpense.html>).
//! Every part may be absent: older responses have no `Currency`.

use serde::{Deserialize, Serialize};

/// A whole response.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Analysis {
    /// One for each receipt found in the document.
    pub expense_documents: Vec<ExpenseDocument>,
}

impl Analysis {
    /// The analysis of one page of a file as that of the page `page`, counted from 1.
    #[must_use]
    pub fn on_page(mut self, page: i32) -> Self {
        for document in &mut self.expense_documents {
            let items = document.line_item_groups.iter_mut().flat_map(|group| &mut group.line_items);
            let cells = items.flat_map(|item| &mut item.line_item_expense_fields);
            for field in document.summary_fields.iter_mut().chain(cells) {
                field.page_number = Some(page);
            }
        }
        self
    }
}

/// One receipt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExpenseDocument {
    /// What is said once: vendor, date, totals.
    pub summary_fields: Vec<Field>,
    /// The tables of items.
    pub line_item_groups: Vec<LineItemGroup>,
}

/// One table of items.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LineItemGroup {
    /// Its rows.
    pub line_items: Vec<LineItem>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LineItem {
    /// Its cells.
    pub line_item_expense_fields: Vec<Field>,
}

/// One recognised field.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Field {
    /// What it is, such as `TOTAL`.
    #[serde(rename = "Type")]
    pub field_type: Detection,
    /// The printed label, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_detection: Option<Detection>,
    /// The printed value.
    pub value_detection: Detection,
    /// The currency of an amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<CurrencyDetection>,
    /// Which block it belongs to: `VENDOR`, `RECEIVER_BILL_TO` and so on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_properties: Vec<GroupProperty>,
    /// The page it is on, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_number: Option<i32>,
}

/// A recognised text and how sure the reader is of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Detection {
    /// As printed.
    pub text: String,
    /// From 0 to 100.
    pub confidence: f32,
    /// Where it is, as ratios of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Geometry>,
}

/// Where something is on the page.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Geometry {
    /// The upright box around it.
    pub bounding_box: BoundingBox,
}

/// A box, as ratios of the page's width and height.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub struct BoundingBox {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

/// A recognised currency.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CurrencyDetection {
    /// The ISO 4217 code.
    pub code: String,
    /// From 0 to 100; not every response has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
}

/// Which block of the document a field belongs to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GroupProperty {
    /// The blocks' names.
    pub types: Vec<String>,
}
