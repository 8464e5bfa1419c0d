//! From lines of text to the fields of a receipt. Pure: no models, no clock, no network.

pub mod amounts;
pub mod currency;
pub mod dates;
mod ids;
mod items;
pub mod labels;
mod totals;
mod vendor;
pub mod words;

use crate::layout::Layout;
use crate::page::{Page, Quad, TextLine};
use totals::Money;

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Who issued the receipt.
    VendorName,
    /// Where they are.
    VendorAddress,
    /// Their telephone number.
    VendorPhone,
    /// The day of the receipt, as printed.
    Date,
    /// The number of the receipt.
    ReceiptId,
    /// What was to be paid.
    Total,
    /// Before tax, tip or rounding.
    Subtotal,
    /// A tax in the total.
    Tax,
    /// A tip.
    Tip,
    /// A charge for service.
    ServiceCharge,
    /// A discount.
    Discount,
    /// The name of a thing bought.
    Item,
    /// What it cost.
    Price,
    /// How many of it.
    Quantity,
    /// A whole row of the table.
    Row,
}

impl Kind {
    /// Its name in Textract's answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VendorName => "VENDOR_NAME",
            Self::VendorAddress => "VENDOR_ADDRESS",
            Self::VendorPhone => "VENDOR_PHONE",
            Self::Date => "INVOICE_RECEIPT_DATE",
            Self::ReceiptId => "INVOICE_RECEIPT_ID",
            Self::Total => "TOTAL",
            Self::Subtotal => "SUBTOTAL",
            Self::Tax => "TAX",
            Self::Tip => "GRATUITY",
            Self::ServiceCharge => "SERVICE_CHARGE",
            Self::Discount => "DISCOUNT",
            Self::Item => "ITEM",
            Self::Price => "PRICE",
            Self::Quantity => "QUANTITY",
            Self::Row => "EXPENSE_ROW",
        }
    }

    /// Whether its value is an amount of money.
    #[must_use]
    pub fn is_amount(self) -> bool {
        matches!(
            self,
            Self::Total | Self::Subtotal | Self::Tax | Self::Tip | Self::ServiceCharge | Self::Discount | Self::Price
        )
    }
}

/// Text and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// As printed.
    pub text: String,
    /// Where.
    pub quad: Quad,
    /// Of the recogniser, 0 to 1.
    pub confidence: f32,
}

impl Text {
    fn whole(line: &TextLine) -> Self {
        Self { text: line.text.clone(), quad: line.quad, confidence: line.confidence }
    }

    /// The characters `from..to` of a line.
    fn part(line: &TextLine, from: usize, to: usize) -> Self {
        Self {
            text: line.text.chars().take(to).skip(from).collect(),
            quad: line.part(from, to),
            confidence: line.confidence,
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What it is.
    pub kind: Kind,
    /// That it is this, 0 to 1.
    pub confidence: f32,
    /// The words that say so.
    pub label: Option<Text>,
    /// Its value.
    pub value: Text,
}

/// A thing bought.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Name, price, quantity, the whole row.
    pub fields: Vec<Field>,
}

/// What a receipt says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expense {
    /// What stands once on a receipt; the best guess of each kind first.
    pub fields: Vec<Field>,
    /// The things bought.
    pub items: Vec<Item>,
    /// Of all amounts.
    pub currency: Option<currency::Found>,
}

impl Expense {
    /// The text of the best guess of a kind.
    #[must_use]
    pub fn value(&self, kind: Kind) -> Option<&str> {
        self.fields.iter().find(|f| f.kind == kind).map(|f| f.value.text.as_str())
    }
}

/// Everything that can be made out on a page.
#[must_use]
pub fn expense(page: &Page) -> Expense {
    let layout = Layout::new(page);
    let style = amounts::decimal_style(page.lines.iter().map(|l| l.text.as_str()));
    let money = Money::find(&layout, style);
    let first_amount_row =
        money.places.iter().filter(|p| p.amount.decimals == 2).map(|p| p.row).min().unwrap_or(layout.rows.len());
    let mut fields = vendor::fields(&layout, first_amount_row);
    fields.extend(dates::field(&layout));
    fields.extend(ids::field(&layout));
    fields.extend(money.fields());
    let amounts: Vec<&amounts::Amount> = money.places.iter().map(|p| &p.amount).collect();
    Expense { fields, items: items::find(&layout, &money), currency: currency::find(page, &amounts) }
}
