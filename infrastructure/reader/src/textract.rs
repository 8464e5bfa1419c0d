//! The wire format: what `AnalyzeExpense` is asked and what it answers.
//!
//! Shapes and names follow the
//! [API reference](https://docs.aws.amazon.com/textract/latest/dg/API_AnalyzeExpense.html) and recorded answers.
//! Confidences are 0 to 100, places are shares of the page.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::extract::{self, Expense, Kind};
use crate::page::{Page, Quad, TextLine};

/// The request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AnalyzeExpenseRequest {
    /// What to read.
    pub document: Option<Document>,
}

/// A document by value; this service reads from no bucket.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    /// Base64.
    pub bytes: Option<String>,
}

/// The response.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AnalyzeExpenseResponse {
    /// How many pages were read.
    pub document_metadata: DocumentMetadata,
    /// One per receipt; always one here.
    pub expense_documents: Vec<ExpenseDocument>,
}

/// How many pages were read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DocumentMetadata {
    /// At least 1.
    pub pages: u32,
}

/// One receipt.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExpenseDocument {
    /// From 1.
    pub expense_index: u32,
    /// What stands once on a receipt.
    pub summary_fields: Vec<ExpenseField>,
    /// What stands once per thing bought.
    pub line_item_groups: Vec<LineItemGroup>,
    /// The page, its lines and words.
    pub blocks: Vec<Block>,
}

/// A table of line items.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LineItemGroup {
    /// From 1.
    pub line_item_group_index: u32,
    /// Its rows.
    pub line_items: Vec<LineItem>,
}

/// A row of a table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LineItem {
    /// `ITEM`, `PRICE`, `QUANTITY`, …, `EXPENSE_ROW`.
    pub line_item_expense_fields: Vec<ExpenseField>,
}

/// One thing found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExpenseField {
    /// What it is.
    pub r#type: ExpenseType,
    /// The words that say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_detection: Option<Detection>,
    /// Its value, as printed.
    pub value_detection: Detection,
    /// From 1.
    pub page_number: u32,
    /// Of an amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Whose name or address it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_properties: Vec<GroupProperty>,
}

/// What a field is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExpenseType {
    /// As `VENDOR_NAME`.
    pub text: String,
    /// 0 to 100.
    pub confidence: f32,
}

/// Text and where it stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Detection {
    /// As printed.
    pub text: String,
    /// Where.
    pub geometry: Geometry,
    /// 0 to 100.
    pub confidence: f32,
}

/// A currency.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Currency {
    /// ISO 4217.
    pub code: String,
    /// 0 to 100.
    pub confidence: f32,
}

/// Ties fields of one party together.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupProperty {
    /// `VENDOR`.
    pub types: Vec<String>,
    /// The same for all fields of the party.
    pub id: String,
}

/// A place, as shares of the page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Geometry {
    /// The upright rectangle around it.
    pub bounding_box: BoundingBox,
    /// Its corners, from the top left, clockwise.
    pub polygon: Vec<Corner>,
}

/// An upright rectangle.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BoundingBox {
    /// Share of the page's width.
    pub width: f32,
    /// Share of the page's height.
    pub height: f32,
    /// From the left edge.
    pub left: f32,
    /// From the top edge.
    pub top: f32,
}

/// A corner.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Corner {
    /// From the left edge.
    pub x: f32,
    /// From the top edge.
    pub y: f32,
}

/// The page, a line or a word.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Block {
    /// `PAGE`, `LINE` or `WORD`.
    pub block_type: &'static str,
    /// 0 to 100; a page has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// A page has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of words: always `PRINTED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_type: Option<&'static str>,
    /// Where.
    pub geometry: Geometry,
    /// Unique in the response.
    pub id: String,
    /// The lines of a page, the words of a line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relationships: Vec<Relationship>,
    /// From 1.
    pub page: u32,
}

/// Other blocks.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Relationship {
    /// Always `CHILD`.
    pub r#type: &'static str,
    /// Which.
    pub ids: Vec<String>,
}

impl AnalyzeExpenseResponse {
    /// What was read and extracted, as the wire has it.
    #[must_use]
    pub fn new(page: &Page, expense: &Expense) -> Self {
        let wire = Wire { page, expense, vendor: Uuid::new_v4().to_string() };
        let groups = if expense.items.is_empty() {
            Vec::new()
        } else {
            vec![LineItemGroup {
                line_item_group_index: 1,
                line_items: expense
                    .items
                    .iter()
                    .map(|item| LineItem {
                        line_item_expense_fields: item.fields.iter().map(|f| wire.field(f, false)).collect(),
                    })
                    .collect(),
            }]
        };
        Self {
            document_metadata: DocumentMetadata { pages: 1 },
            expense_documents: vec![ExpenseDocument {
                expense_index: 1,
                summary_fields: wire.summary(),
                line_item_groups: groups,
                blocks: wire.blocks(),
            }],
        }
    }
}

struct Wire<'a> {
    page: &'a Page,
    expense: &'a Expense,
    vendor: String,
}

impl Wire<'_> {
    /// Textract answers a party's data twice: in a group `VENDOR` as `NAME` and `ADDRESS` with the address's parts, and as
    /// `VENDOR_NAME` and `VENDOR_ADDRESS`.
    fn summary(&self) -> Vec<ExpenseField> {
        let of = |kind: Kind| self.expense.fields.iter().filter(move |f| f.kind == kind);
        let address = of(Kind::VendorAddress).map(|f| self.grouped("ADDRESS", f.confidence, &f.value));
        let believed = of(Kind::VendorAddress).map(|f| f.confidence).fold(1.0, f32::min);
        let parts = self.expense.address.iter().map(|(part, text)| self.grouped(part.name(), believed, text));
        let name = of(Kind::VendorName).map(|f| self.grouped("NAME", f.confidence, &f.value));
        let plain = self.expense.fields.iter().map(|f| self.field(f, f.kind.is_amount()));
        address.chain(parts).chain(name).chain(plain).collect()
    }

    /// A part of what is known of the vendor.
    fn grouped(&self, name: &str, confidence: f32, value: &extract::Text) -> ExpenseField {
        let group = GroupProperty { types: vec!["VENDOR".to_owned()], id: self.vendor.clone() };
        ExpenseField { group_properties: vec![group], ..self.expense_field(name, confidence, None, value) }
    }

    /// A field; the currency stands only at amounts of the summary.
    fn field(&self, field: &extract::Field, with_currency: bool) -> ExpenseField {
        let currency = self.expense.currency.as_ref().filter(|_| with_currency);
        ExpenseField {
            currency: currency.map(|c| Currency { code: c.code.to_owned(), confidence: percent(c.confidence) }),
            ..self.expense_field(field.kind.name(), field.confidence, field.label.as_ref(), &field.value)
        }
    }

    fn expense_field(
        &self,
        name: &str,
        confidence: f32,
        label: Option<&extract::Text>,
        value: &extract::Text,
    ) -> ExpenseField {
        ExpenseField {
            r#type: ExpenseType { text: name.to_owned(), confidence: percent(confidence) },
            label_detection: label.map(|l| self.detection(l)),
            // Reviewers are picked by this number: it must not be higher than what the field itself is believed.
            value_detection: Detection {
                confidence: percent(confidence.min(value.confidence)),
                ..self.detection(value)
            },
            page_number: 1,
            currency: None,
            group_properties: Vec::new(),
        }
    }

    fn detection(&self, found: &extract::Text) -> Detection {
        Detection {
            text: found.text.clone(),
            geometry: self.geometry(&found.quad),
            confidence: percent(found.confidence),
        }
    }

    fn geometry(&self, quad: &Quad) -> Geometry {
        let corners = self.page.on_picture(quad);
        let around = Quad(corners);
        let (left, top) = (around.left(), around.top());
        Geometry {
            bounding_box: BoundingBox { width: around.right() - left, height: around.bottom() - top, left, top },
            polygon: corners.iter().map(|p| Corner { x: p.x, y: p.y }).collect(),
        }
    }

    fn block(&self, kind: &'static str, quad: &Quad, said: Option<(String, f32)>) -> Block {
        let (text, confidence) = said.map_or((None, None), |(t, c)| (Some(t), Some(percent(c))));
        Block {
            block_type: kind,
            confidence,
            text,
            text_type: (kind == "WORD").then_some("PRINTED"),
            geometry: self.geometry(quad),
            id: Uuid::new_v4().to_string(),
            relationships: Vec::new(),
            page: 1,
        }
    }

    fn blocks(&self) -> Vec<Block> {
        let whole = Quad::upright(0.0, 0.0, self.page.width, self.page.height);
        let mut page = self.block("PAGE", &whole, None);
        let (mut lines, mut words) = (Vec::new(), Vec::new());
        for line in &self.page.lines {
            let mut block = self.block("LINE", &line.quad, Some((line.text.clone(), line.confidence)));
            let parts = self.words(line);
            block.relationships = children(&parts);
            lines.push(block);
            words.extend(parts);
        }
        page.relationships = children(&lines);
        let mut all = vec![page];
        all.extend(lines);
        all.extend(words);
        all
    }

    fn words(&self, line: &TextLine) -> Vec<Block> {
        let mut at = 0;
        let mut found = Vec::new();
        for word in line.text.split(' ') {
            let length = word.chars().count();
            if length > 0 {
                let quad = line.part(at, at + length);
                found.push(self.block("WORD", &quad, Some((word.to_owned(), line.confidence))));
            }
            at += length + 1;
        }
        found
    }
}

fn children(blocks: &[Block]) -> Vec<Relationship> {
    if blocks.is_empty() {
        return Vec::new();
    }
    vec![Relationship { r#type: "CHILD", ids: blocks.iter().map(|b| b.id.clone()).collect() }]
}

fn percent(share: f32) -> f32 {
    (share * 100.0).clamp(0.0, 100.0)
}
