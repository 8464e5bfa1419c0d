//! The candidates for each field of one receipt.

use jiff::civil::Date;
use slipstream_events::{Currency, Money, ReadField};

use super::{
    Arithmetic, Candidate, Context, Item, MAX_CANDIDATES, Order, Place, ReadReceipt,
    amount::{Printed, currency_in, parse_amount, shares_symbol},
    arithmetic::Parts,
    date::readings,
};
use crate::{
    analysis::{Detection, ExpenseDocument, Field, LineItem},
    details, merchant,
    text::one_line,
};

/// The fields that can hold what was paid, the best first, and how much each speaks for it: cash handed over and
/// subtotals are often other sums.
const AMOUNTS: [(&str, f32); 4] = [("TOTAL", 1.0), ("AMOUNT_DUE", 0.95), ("AMOUNT_PAID", 0.7), ("SUBTOTAL", 0.6)];
/// The fields that hold money; only there do three capitals mean a currency.
const MONEY: [&str; 8] =
    ["TOTAL", "AMOUNT_DUE", "AMOUNT_PAID", "SUBTOTAL", "TAX", "GRATUITY", "SERVICE_CHARGE", "DISCOUNT"];
/// The most that a date is trusted whose day and month can be exchanged.
const AMBIGUOUS: f32 = 0.5;
/// A currency that was found with less is a guess, from 0 to 100.
const CURRENCY_CONFIDENCE: f32 = 60.0;
/// The most items that are kept of a receipt.
const MAX_ITEMS: usize = 200;

/// Whether nothing was found on a page.
pub(super) fn is_blank(document: &ExpenseDocument) -> bool {
    document.summary_fields.is_empty() && document.line_item_groups.iter().all(|group| group.line_items.is_empty())
}

/// Whether a page names what was paid.
pub(super) fn has_amount(document: &ExpenseDocument) -> bool {
    let paid = ["TOTAL", "AMOUNT_DUE", "AMOUNT_PAID"];
    document.summary_fields.iter().any(|field| paid.contains(&field.field_type.text.as_str()))
}

/// The number that the issuer gave the receipt.
pub(super) fn number(document: &ExpenseDocument) -> Option<String> {
    let field = document.summary_fields.iter().find(|field| field.field_type.text == "INVOICE_RECEIPT_ID")?;
    Some(one_line(&field.value_detection.text)).filter(|number| !number.is_empty())
}

/// The key of the merchant that a page names.
pub(super) fn merchant_key(document: &ExpenseDocument) -> Option<String> {
    Pages(vec![document]).merchant().first().map(|name| merchant::key(&name.value))
}

/// The pages of one receipt.
pub(super) struct Pages<'a>(pub(super) Vec<&'a ExpenseDocument>);

impl<'a> Pages<'a> {
    /// Everything that is kept of it.
    pub(super) fn read(&self, context: Context) -> ReadReceipt {
        let (currency, currency_printed) = self.currency(context);
        let items: Vec<Item> = self.rows().filter_map(|row| item(row, currency)).take(MAX_ITEMS).collect();
        let prices: Vec<i64> = items.iter().filter_map(|item| item.price).map(|price| price.minor_units).collect();
        let items_total = currency
            .filter(|_| !prices.is_empty())
            .map(|currency| Money::new(prices.iter().fold(0, |sum, price| sum.saturating_add(*price)), currency));
        let money = |name: &str| currency.map_or_else(Vec::new, |currency| self.money(name, currency));
        let (subtotal, tip, discount) = (money("SUBTOTAL"), money("GRATUITY"), money("DISCOUNT"));
        let minor_units = |found: &[Candidate<Money>]| found.first().map(|found| found.value.minor_units);
        let mut parts = Parts {
            items: items_total.map(|total| total.minor_units),
            subtotal: minor_units(&subtotal),
            tax: 0,
            tip: minor_units(&tip).unwrap_or_default(),
            service: minor_units(&money("SERVICE_CHARGE")).unwrap_or_default(),
            discount: discount.iter().fold(0, |sum, part| sum.saturating_add(part.value.minor_units.abs())),
        };
        let tax = self.tax(money("TAX"), &mut parts, currency);
        let (amount, disputed_amount) =
            currency.map_or_else(|| (Vec::new(), false), |currency| self.amount(currency, &parts));
        let arithmetic = amount.first().map_or(Arithmetic::NothingToCheck, |amount| parts.check(amount.value));
        let mut pages: Vec<u32> = self.fields().map(page).chain(self.rows().filter_map(row_page)).collect();
        pages.sort_unstable();
        pages.dedup();
        let (merchant, date) = (self.merchant(), self.date(currency, currency_printed, context));
        let disputed = [
            (ReadField::Merchant, disputed_names(&merchant)),
            (ReadField::Date, disputed_dates(&date)),
            (ReadField::Amount, disputed_amount),
        ];
        let disputed = disputed.into_iter().filter(|(_, is)| *is).map(|(field, _)| field).collect();
        ReadReceipt {
            pages,
            merchant: told(merchant),
            date: told(date),
            amount: told(amount),
            tax: told(tax),
            subtotal: told(subtotal),
            tip: told(tip),
            discount: told(discount),
            receipt_number: told(self.texts("INVOICE_RECEIPT_ID")),
            address: told(self.texts("VENDOR_ADDRESS")),
            items,
            items_total,
            arithmetic,
            currency_printed,
            disputed,
        }
    }

    fn fields(&self) -> impl Iterator<Item = &'a Field> + '_ {
        self.0.iter().flat_map(|document| &document.summary_fields)
    }

    fn of_type<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'a Field> + 'b {
        self.fields().filter(move |field| field.field_type.text == name)
    }

    fn rows(&self) -> impl Iterator<Item = &'a LineItem> + '_ {
        self.0.iter().flat_map(|document| &document.line_item_groups).flat_map(|group| &group.line_items)
    }

    /// The currency, and whether the receipt tells it.
    fn currency(&self, context: Context) -> (Option<Currency>, bool) {
        let detected = self.fields().filter_map(|field| field.currency.as_ref());
        let confidence = |confidence: Option<f32>| confidence.unwrap_or_default();
        let best = detected.max_by(|a, b| confidence(a.confidence).total_cmp(&confidence(b.confidence)));
        let detected = best.and_then(|best| Some((best.code.parse::<Currency>().ok()?, confidence(best.confidence))));
        if let Some((currency, confidence)) = detected
            && confidence >= CURRENCY_CONFIDENCE
        {
            return (Some(currency), true);
        }
        let labels = |name: &str| ["TOTAL", "AMOUNT_DUE", "SUBTOTAL"].contains(&name);
        let in_label = |field: &Field| {
            let label = field.label_detection.as_ref().filter(|_| labels(&field.field_type.text))?;
            currency_in(&label.text)
        };
        let amounts = || MONEY.iter().flat_map(|name| self.of_type(name));
        let printed: Vec<Printed> = amounts()
            .filter_map(|field| currency_in(&field.value_detection.text).or_else(|| in_label(field)))
            .collect();
        let exact = printed.iter().find_map(|printed| match printed {
            Printed::Exactly(currency) => Some(*currency),
            Printed::Likely(_) => None,
        });
        let likely = printed.iter().find_map(|printed| match printed {
            Printed::Likely(currency) => Some(*currency),
            Printed::Exactly(_) => None,
        });
        // A code without a confidence is what the symbol means most often.
        let likely = likely.or(detected.map(|(currency, _)| currency));
        match (exact, likely, context.currency) {
            (Some(currency), ..) => (Some(currency), true),
            // A dollar sign means the dollars that the person usually spends.
            (None, Some(likely), Some(usual)) if shares_symbol(usual, likely) => (Some(usual), true),
            (None, likely, usual) => (likely.or(usual), false),
        }
    }

    /// The amounts of the fields of one type.
    fn money(&self, name: &str, currency: Currency) -> Vec<Candidate<Money>> {
        let found = self.of_type(name).filter_map(|field| {
            let value = parse_amount(&field.value_detection.text, currency)?;
            Some(candidate(field, value))
        });
        sorted(found.collect())
    }

    /// What was paid: the candidate that most of the other figures lead to, or else the surest; and whether another one
    /// has as much for it.
    fn amount(&self, currency: Currency, parts: &Parts) -> (Vec<Candidate<Money>>, bool) {
        let mut found: Vec<(Option<usize>, Candidate<Money>)> = Vec::new();
        for (name, weight) in AMOUNTS {
            for mut candidate in self.money(name, currency) {
                candidate.confidence *= weight;
                if candidate.value.minor_units == 0 || found.iter().any(|(_, known)| known.value == candidate.value) {
                    continue;
                }
                // A subtotal adds up to itself.
                let proven = parts.explains(candidate.value).filter(|_| name != "SUBTOTAL");
                if proven.is_some() && parts.are_several() {
                    candidate.confidence += (1.0 - candidate.confidence) / 2.0;
                }
                found.push((proven, candidate));
            }
        }
        found.sort_by(|(a_proven, a), (b_proven, b)| {
            let rank = |proven: Option<usize>, candidate: &Candidate<Money>| {
                let proofs = proven.map_or(0, |parts| u8::try_from(parts + 1).unwrap_or(u8::MAX));
                candidate.confidence + PROOF * f32::from(proofs)
            };
            rank(*b_proven, b).total_cmp(&rank(*a_proven, a))
        });
        let disputed = found.split_first().is_some_and(|((best_proof, best), others)| {
            let rivals = |(proof, other): &(Option<usize>, Candidate<Money>)| {
                proof >= best_proof && best.confidence - other.confidence < CLOSE
            };
            others.iter().any(rivals)
        });
        (found.into_iter().map(|(_, candidate)| candidate).collect(), disputed)
    }

    /// The taxes of all rates together. A receipt may print a tax twice, in the totals and in a table of rates: what
    /// leads from the subtotal to the total decides, or else equal amounts count once.
    fn tax(
        &self,
        found: Vec<Candidate<Money>>,
        parts: &mut Parts,
        currency: Option<Currency>,
    ) -> Vec<Candidate<Money>> {
        let Some(currency) = currency else { return found };
        let found: Vec<Candidate<Money>> = found.into_iter().filter(|tax| tax.value.minor_units != 0).collect();
        let sum =
            |found: &[Candidate<Money>]| found.iter().fold(0i64, |sum, tax| sum.saturating_add(tax.value.minor_units));
        let mut distinct: Vec<Candidate<Money>> = Vec::new();
        for tax in &found {
            if !distinct.iter().any(|known| known.value == tax.value) {
                distinct.push(tax.clone());
            }
        }
        let totals = self.money("TOTAL", currency);
        let leads = |tax: i64| {
            let subtotal = parts.subtotal?;
            let leads = Parts { subtotal: Some(subtotal), tax, ..Parts::default() };
            totals
                .iter()
                .any(|total| tax != 0 && leads.explains(total.value).is_some_and(|used| used > 0))
                .then_some(tax)
        };
        // A tax that is the sum of the others is their sum, printed.
        let printed_sum = || {
            let whole = sum(&distinct);
            let of_others = |tax: &&Candidate<Money>| distinct.len() > 2 && tax.value.minor_units * 2 == whole;
            distinct.iter().find(of_others).map(|tax| tax.value.minor_units)
        };
        let single = || found.iter().find_map(|tax| leads(tax.value.minor_units));
        let chosen = leads(sum(&found))
            .or_else(|| leads(sum(&distinct)))
            .or_else(single)
            .or_else(printed_sum)
            .unwrap_or(sum(&distinct));
        parts.tax = chosen;
        if chosen == 0 {
            return Vec::new();
        }
        if let Some(printed) = found.iter().position(|tax| tax.value.minor_units == chosen) {
            let mut candidates = vec![found[printed].clone()];
            candidates.extend(distinct.into_iter().filter(|tax| tax.value.minor_units != chosen));
            return candidates;
        }
        let Some(first) = distinct.first() else { return Vec::new() };
        let confidence = distinct.iter().map(|tax| tax.confidence).fold(1.0, f32::min);
        let text = distinct.iter().map(|tax| tax.text.as_str()).collect::<Vec<_>>().join(" + ");
        vec![Candidate { value: Money::new(chosen, currency), confidence, text, ..first.clone() }]
    }

    /// Every date of the receipt's own, each with every meaning that the receipt leaves open.
    fn date(&self, currency: Option<Currency>, printed: bool, context: Context) -> Vec<Candidate<Date>> {
        let dates = |name: &'static str| self.of_type(name);
        let all = || ["INVOICE_RECEIPT_DATE", "ORDER_DATE", "DELIVERY_DATE", "DUE_DATE"].into_iter().flat_map(dates);
        // Another date on the same receipt may leave one order only.
        let shown = all().find_map(|field| match readings(&field.value_detection.text, Date::MAX).as_slice() {
            [(_, order @ (Order::DayFirst | Order::MonthFirst))] => Some(*order),
            _ => None,
        });
        // The order that is usual where the currency is spent decides only if that is printed; else it stands first.
        let usual = currency.and_then(usual_order);
        let order = shown.or(usual.filter(|_| printed));
        let mut found: Vec<Candidate<Date>> = Vec::new();
        for name in ["INVOICE_RECEIPT_DATE", "ORDER_DATE"] {
            let mut of_type = Vec::new();
            for field in dates(name) {
                let mut meant = readings(&field.value_detection.text, context.latest_date);
                if let Some(order) = order
                    && meant.iter().any(|(_, other)| *other == order)
                {
                    meant.retain(|(_, other)| *other == order);
                }
                meant.sort_by_key(|(_, other)| Some(*other) != usual);
                let open = meant.len() > 1;
                for (date, _) in meant {
                    let mut candidate = candidate(field, date);
                    if open {
                        candidate.confidence = candidate.confidence.min(AMBIGUOUS);
                    }
                    of_type.push(candidate);
                }
            }
            found.extend(sorted(of_type));
        }
        distinct(found)
    }

    /// The vendor's name on one line: `VENDOR_NAME`, or a `NAME` in the vendor's block; the uppermost of the surest.
    fn merchant(&self) -> Vec<Candidate<String>> {
        let vendor = |field: &&Field| {
            field.group_properties.iter().any(|group| group.types.iter().any(|kind| kind.starts_with("VENDOR")))
        };
        let block = self.of_type("NAME").filter(vendor);
        let names = self.of_type("VENDOR_NAME").chain(block).filter_map(|field| {
            let name = one_line(&field.value_detection.text);
            let name = name.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | ')' | '!' | '*'));
            let name: String = name.trim().chars().take(details::MAX_MERCHANT).collect();
            name.chars().any(char::is_alphabetic).then(|| candidate(field, name))
        });
        distinct(sorted(names.collect()))
    }

    fn texts(&self, name: &str) -> Vec<Candidate<String>> {
        let found = self.of_type(name).filter_map(|field| {
            let text: String = one_line(&field.value_detection.text).chars().take(details::MAX_MERCHANT).collect();
            (!text.is_empty()).then(|| candidate(field, text))
        });
        distinct(sorted(found.collect()))
    }
}

/// How much more an amount counts for each part that leads to it.
const PROOF: f32 = 0.3;
/// Two candidates that are nearly as sure as each other disagree.
const CLOSE: f32 = 0.1;

/// Whether two names are as sure as each other and not spellings of one.
fn disputed_names(candidates: &[Candidate<String>]) -> bool {
    let Some((best, others)) = candidates.split_first() else { return false };
    let key = merchant::key(&best.value);
    let same = |other: &str| key.contains(other) || other.contains(&key);
    others.iter().any(|other| best.confidence - other.confidence < CLOSE && !same(&merchant::key(&other.value)))
}

/// Whether two printed dates are as sure as each other. One that can be read in two ways is another matter.
fn disputed_dates(candidates: &[Candidate<Date>]) -> bool {
    let Some((best, others)) = candidates.split_first() else { return false };
    others.iter().any(|other| other.text != best.text && best.confidence - other.confidence < CLOSE)
}

/// The order of day and month where a currency is spent; `None` where both are usual.
fn usual_order(currency: Currency) -> Option<Order> {
    const DAY_FIRST: [&str; 22] = [
        "EUR", "GBP", "CHF", "MYR", "SGD", "AUD", "NZD", "INR", "IDR", "THB", "VND", "DKK", "NOK", "PLN", "CZK", "BRL",
        "MXN", "TRY", "ILS", "AED", "RON", "BGN",
    ];
    match currency.code() {
        "USD" | "PHP" => Some(Order::MonthFirst),
        code if DAY_FIRST.contains(&code) => Some(Order::DayFirst),
        _ => None,
    }
}

fn item(row: &LineItem, currency: Option<Currency>) -> Option<Item> {
    let cell = |name: &str| row.line_item_expense_fields.iter().find(|field| field.field_type.text == name);
    let text = |name: &str| Some(one_line(&cell(name)?.value_detection.text)).filter(|text| !text.is_empty());
    let money = |name: &str| parse_amount(&cell(name)?.value_detection.text, currency?);
    let description = text("ITEM").or_else(|| text("EXPENSE_ROW"))?;
    Some(Item {
        description: description.chars().take(details::MAX_MERCHANT).collect(),
        quantity: text("QUANTITY").map(|quantity| quantity.chars().take(details::MAX_CODE).collect()),
        unit_price: money("UNIT_PRICE"),
        price: money("PRICE"),
        place: cell("EXPENSE_ROW").or_else(|| cell("ITEM")).and_then(place),
    })
}

fn candidate<T>(field: &Field, value: T) -> Candidate<T> {
    let sure = |detection: &Detection| detection.confidence.clamp(0.0, 100.0) / 100.0;
    Candidate {
        value,
        confidence: sure(&field.field_type).min(sure(&field.value_detection)),
        text: one_line(&field.value_detection.text),
        label: field.label_detection.as_ref().map(|label| one_line(&label.text)).filter(|label| !label.is_empty()),
        place: place(field),
    }
}

fn page(field: &Field) -> u32 {
    field.page_number.and_then(|page| u32::try_from(page).ok()).filter(|page| *page > 0).unwrap_or(1)
}

fn row_page(row: &LineItem) -> Option<u32> {
    row.line_item_expense_fields.first().map(page)
}

fn place(field: &Field) -> Option<Place> {
    let bounds = field.value_detection.geometry.as_ref()?.bounding_box;
    let share = |ratio: f32| (ratio.clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0;
    Some(Place {
        page: page(field),
        left: share(bounds.left),
        top: share(bounds.top),
        width: share(bounds.width),
        height: share(bounds.height),
    })
}

/// The candidates that are kept, their confidence to a hundredth.
fn told<T>(candidates: Vec<Candidate<T>>) -> Vec<Candidate<T>> {
    let hundredth = |confidence: f32| (confidence * 100.0).round() / 100.0;
    let told = candidates.into_iter().take(MAX_CANDIDATES);
    told.map(|candidate| Candidate { confidence: hundredth(candidate.confidence), ..candidate }).collect()
}

/// The surest first; of equals the uppermost.
fn sorted<T>(mut candidates: Vec<Candidate<T>>) -> Vec<Candidate<T>> {
    let height = |place: &Option<Place>| place.map_or((u32::MAX, 0.0), |place| (place.page, place.top));
    candidates.sort_by(|a, b| {
        let ((a_page, a_top), (b_page, b_top)) = (height(&a.place), height(&b.place));
        b.confidence.total_cmp(&a.confidence).then(a_page.cmp(&b_page)).then(a_top.total_cmp(&b_top))
    });
    candidates
}

/// Each value once, by its best candidate.
fn distinct<T: PartialEq>(candidates: Vec<Candidate<T>>) -> Vec<Candidate<T>> {
    let mut kept: Vec<Candidate<T>> = Vec::new();
    for candidate in candidates {
        if !kept.iter().any(|known| known.value == candidate.value) {
            kept.push(candidate);
        }
    }
    kept
}
