//! From lines of text to the fields of a receipt. Pure: no models, no clock, no network.

pub mod amounts;
mod confidence;
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
pub use vendor::Part;

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Who issued the receipt.
    VendorName,
    /// Where they are.
    VendorAddress,
    /// Their telephone number.
    VendorPhone,
    /// Their web address.
    VendorUrl,
    /// A tax number of theirs, of whatever kind.
    TaxPayerId,
    /// Their number for value added tax.
    VatNumber,
    /// Their number for goods and services tax.
    GstNumber,
    /// Their Australian business number.
    AbnNumber,
    /// Their Indian permanent account number.
    PanNumber,
    /// The day of the receipt, as printed.
    Date,
    /// The day by which to pay.
    DueDate,
    /// The number of the receipt.
    ReceiptId,
    /// What was to be paid.
    Total,
    /// Before tax, tip or rounding.
    Subtotal,
    /// A tax in the total, one for each rate.
    Tax,
    /// A tip.
    Tip,
    /// A charge for service.
    ServiceCharge,
    /// A discount on the whole.
    Discount,
    /// What the customer gave.
    AmountPaid,
    /// What is still to be paid.
    AmountDue,
    /// What was open before.
    PriorBalance,
    /// An amount with a label that has no name of its own: change, rounding.
    Other,
    /// The name of a thing bought.
    Item,
    /// What it cost, all pieces together.
    Price,
    /// What one of it cost.
    UnitPrice,
    /// How many of it.
    Quantity,
    /// Its number with the seller.
    ProductCode,
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
            Self::VendorUrl => "VENDOR_URL",
            Self::TaxPayerId => "TAX_PAYER_ID",
            Self::VatNumber => "VENDOR_VAT_NUMBER",
            Self::GstNumber => "VENDOR_GST_NUMBER",
            Self::AbnNumber => "VENDOR_ABN_NUMBER",
            Self::PanNumber => "VENDOR_PAN_NUMBER",
            Self::Date => "INVOICE_RECEIPT_DATE",
            Self::DueDate => "DUE_DATE",
            Self::ReceiptId => "INVOICE_RECEIPT_ID",
            Self::Total => "TOTAL",
            Self::Subtotal => "SUBTOTAL",
            Self::Tax => "TAX",
            Self::Tip => "GRATUITY",
            Self::ServiceCharge => "SERVICE_CHARGE",
            Self::Discount => "DISCOUNT",
            Self::AmountPaid => "AMOUNT_PAID",
            Self::AmountDue => "AMOUNT_DUE",
            Self::PriorBalance => "PRIOR_BALANCE",
            Self::Other => "OTHER",
            Self::Item => "ITEM",
            Self::Price => "PRICE",
            Self::UnitPrice => "UNIT_PRICE",
            Self::Quantity => "QUANTITY",
            Self::ProductCode => "PRODUCT_CODE",
            Self::Row => "EXPENSE_ROW",
        }
    }

    /// Whether its value is an amount of money in the receipt's currency.
    #[must_use]
    pub fn is_amount(self) -> bool {
        matches!(
            self,
            Self::Total
                | Self::Subtotal
                | Self::Tax
                | Self::Tip
                | Self::ServiceCharge
                | Self::Discount
                | Self::AmountPaid
                | Self::AmountDue
                | Self::PriorBalance
                | Self::Price
                | Self::UnitPrice
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
    /// What `RowText::part` answers.
    fn of((text, quad, confidence): (String, Quad, f32)) -> Self {
        Self { text, quad, confidence }
    }

    fn whole(line: &TextLine) -> Self {
        Self { text: line.text.clone(), quad: line.quad, confidence: line.confidence }
    }

    /// Texts under each other as one.
    fn stacked(texts: &[&Self]) -> Option<Self> {
        let text = texts.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join("\n");
        let confidence = texts.iter().map(|t| t.confidence).fold(1.0, f32::min);
        let quad = match texts {
            [one] => one.quad,
            many => Quad::around(many.iter().map(|t| &t.quad))?,
        };
        Some(Self { text, quad, confidence })
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
    /// The parts of the issuer's address.
    pub address: Vec<(Part, Text)>,
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
    let (mut fields, address) = vendor::fields(&layout, first_amount_row);
    fields.extend(ids::field(&layout));
    let amounts: Vec<&amounts::Amount> = money.places.iter().map(|p| &p.amount).collect();
    let currency = currency::find(page, &amounts);
    fields.extend(dates::fields(&layout, currency.as_ref().map(|c| c.code)));
    let bought = items::find(&layout, &money, style);
    fields.extend(money.fields(&bought));
    fields.extend(bought.reductions);
    Expense { fields, items: bought.items, address, currency }
}
