//! From an analysis to a draft: which of the recognised fields is the merchant, the date, the amount, and what the
//! printed text means.

use jiff::civil::Date;
use slipstream_events::{Currency, ExpenseDetails, Money};

use crate::{
    analysis::{Analysis, ExpenseDocument, Field},
    category, details,
};

/// What a reading needs to know beside the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The currency meant where the receipt names none.
    pub currency: Option<Currency>,
    /// Today in the latest time zone (UTC+14): a receipt cannot be from a later date.
    pub latest_date: Date,
}

/// What was read of a receipt; `None` when nothing on it looks like one.
pub fn draft(analysis: &Analysis, context: Context) -> Option<ExpenseDetails> {
    let document = analysis.expense_documents.iter().max_by_key(|document| evidence(document))?;
    let currency = currency(document).or(context.currency);
    let amount = amount(document, currency);
    let merchant = merchant(document);
    let date = date(document, currency, context.latest_date);
    if amount.is_none() && date.is_none() && document.line_item_groups.is_empty() {
        return None;
    }
    let tax = amount.and_then(|amount| tax(document, amount));
    let category = category::suggest(merchant.as_deref(), &items(document));
    Some(ExpenseDetails { merchant, date, amount, tax, category: Some(category), ..ExpenseDetails::default() })
}

fn evidence(document: &ExpenseDocument) -> usize {
    let count = |name: &str| usize::from(of_type(document, name).next().is_some());
    4 * count("TOTAL") + 2 * count("INVOICE_RECEIPT_DATE") + count("VENDOR_NAME") + count("NAME")
}

fn of_type<'a>(document: &'a ExpenseDocument, name: &'a str) -> impl Iterator<Item = &'a Field> {
    document.summary_fields.iter().filter(move |field| field.field_type.text == name)
}

/// The surest first.
fn by_confidence<'a>(fields: impl Iterator<Item = &'a Field>) -> Vec<&'a Field> {
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by(|a, b| b.value_detection.confidence.total_cmp(&a.value_detection.confidence));
    fields
}

/// The vendor's name on one line: `VENDOR_NAME`, or a `NAME` in the vendor's block.
fn merchant(document: &ExpenseDocument) -> Option<String> {
    let vendor_block = |field: &&Field| {
        field.group_properties.iter().any(|group| group.types.iter().any(|kind| kind.starts_with("VENDOR")))
    };
    let names = by_confidence(of_type(document, "VENDOR_NAME"));
    let block = by_confidence(of_type(document, "NAME").filter(vendor_block));
    names.into_iter().chain(block).find_map(|field| {
        let name: String = field.value_detection.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let name: String =
            name.chars().filter(|c| !c.is_control()).take(details::MAX_MERCHANT).collect::<String>().trim().to_owned();
        name.chars().any(char::is_alphabetic).then_some(name)
    })
}

/// The total, or where there is none what was paid, or the subtotal.
fn amount(document: &ExpenseDocument, currency: Option<Currency>) -> Option<Money> {
    let currency = currency?;
    ["TOTAL", "AMOUNT_DUE", "AMOUNT_PAID", "SUBTOTAL"].into_iter().find_map(|name| {
        by_confidence(of_type(document, name))
            .into_iter()
            .find_map(|field| parse_amount(&field.value_detection.text, currency))
            .filter(|amount| amount.minor_units != 0)
    })
}

/// All taxes together, where they are less than the amount.
fn tax(document: &ExpenseDocument, amount: Money) -> Option<Money> {
    let mut parts: Vec<i64> = of_type(document, "TAX")
        .filter_map(|field| parse_amount(&field.value_detection.text, amount.currency))
        .map(|tax| tax.minor_units)
        .collect();
    parts.dedup();
    let sum: i64 = parts.iter().sum();
    (!parts.is_empty() && sum.abs() < amount.minor_units.abs()).then_some(Money::new(sum, amount.currency))
}

fn currency(document: &ExpenseDocument) -> Option<Currency> {
    let detected = document.summary_fields.iter().filter_map(|field| field.currency.as_ref());
    let code =
        detected.max_by(|a, b| a.confidence.total_cmp(&b.confidence)).and_then(|currency| currency.code.parse().ok());
    let amounts = || AMOUNTS.iter().flat_map(|name| of_type(document, name));
    let label = |field: &Field| field.label_detection.as_ref().and_then(|label| currency_in(&label.text));
    code.or_else(|| amounts().find_map(|field| currency_in(&field.value_detection.text).or_else(|| label(field))))
}

/// The fields that hold money; only there do three capitals mean a currency.
const AMOUNTS: [&str; 5] = ["TOTAL", "AMOUNT_DUE", "AMOUNT_PAID", "SUBTOTAL", "TAX"];

/// A currency that the text names by its code or by a symbol that only one currency has.
fn currency_in(text: &str) -> Option<Currency> {
    let code = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| word.len() == 3 && word.bytes().all(|b| b.is_ascii_uppercase()))
        .find_map(|word| word.parse().ok());
    let symbol = || {
        [('€', "EUR"), ('£', "GBP"), ('₹', "INR"), ('₩', "KRW"), ('₺', "TRY")]
            .into_iter()
            .find(|(symbol, _)| text.contains(*symbol))
            .and_then(|(_, code)| code.parse().ok())
    };
    code.or_else(symbol)
}

fn items(document: &ExpenseDocument) -> Vec<String> {
    document
        .line_item_groups
        .iter()
        .flat_map(|group| &group.line_items)
        .flat_map(|item| &item.line_item_expense_fields)
        .filter(|field| matches!(field.field_type.text.as_str(), "ITEM" | "EXPENSE_ROW"))
        .map(|field| field.value_detection.text.clone())
        .collect()
}

/// What a printed amount means. The last separator is the decimal one when as many digits follow it as the
/// currency has decimals; otherwise separators group thousands.
pub fn parse_amount(text: &str, currency: Currency) -> Option<Money> {
    let trailing_minus =
        |text: &str| text.strip_suffix('-').is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_digit()));
    let negative =
        text.trim_start().starts_with(['-', '−', '(']) || trailing_minus(text.trim_end()) || text.contains("-$");
    let printed: String = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'' | '’')).collect();
    let printed = printed.trim_matches(|c: char| !c.is_ascii_digit());
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let exponent = currency.exponent() as usize;
    let (whole, fraction) = match printed.rfind(['.', ',']) {
        Some(at) if exponent > 0 && (printed.len() - at - 1 == exponent || printed.len() - at - 1 < 3) => {
            (digits(&printed[..at]), digits(&printed[at + 1..]))
        }
        _ => (digits(printed), String::new()),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { &whole };
    let decimal = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
    let money = Money::from_decimal(&decimal, currency).ok()?;
    Some(if negative { Money::new(-money.minor_units, currency) } else { money })
        .filter(|money| money.minor_units.abs() <= details::MAX_MINOR_UNITS)
}

fn date(document: &ExpenseDocument, currency: Option<Currency>, latest: Date) -> Option<Date> {
    let month_first = currency.is_some_and(|currency| currency.code() == "USD");
    let candidates = by_confidence(of_type(document, "INVOICE_RECEIPT_DATE").chain(of_type(document, "ORDER_DATE")));
    candidates.into_iter().find_map(|field| parse_date(&field.value_detection.text, month_first, latest))
}

/// The months' names, by their first letters, in English, German, French, Spanish and Malay.
const MONTHS: [&[&str]; 12] = [
    &["jan", "ene"],
    &["feb", "fév", "fev"],
    &["mar", "mär", "mac", "mrz"],
    &["apr", "avr", "abr"],
    &["may", "mai", "mei"],
    &["jun", "juin"],
    &["jul", "juil"],
    &["aug", "aoû", "aou", "ago", "ogo"],
    &["sep"],
    &["oct", "okt", "out"],
    &["nov"],
    &["dec", "dez", "déc", "dic", "dis"],
];

fn month(word: &str) -> Option<i8> {
    let word = word.to_lowercase();
    // Two names begin alike but for their length: juin and juillet.
    let longest = MONTHS
        .iter()
        .zip(1i8..)
        .flat_map(|(names, number)| names.iter().map(move |name| (*name, number)))
        .filter(|(name, _)| word.starts_with(name))
        .max_by_key(|(name, _)| name.len());
    longest.map(|(_, number)| number)
}

/// What a printed date means. `month_first` decides only where the numbers leave it open. A date after `latest` is
/// not one.
pub fn parse_date(text: &str, month_first: bool, latest: Date) -> Option<Date> {
    let is_time = |word: &&str| word.contains(':') && word.chars().all(|c| c.is_ascii_digit() || c == ':');
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace().filter(|word| !is_time(word)) {
        let mut previous = None;
        for c in word.chars() {
            let kind = (c.is_ascii_digit(), c.is_alphabetic());
            match parts.last_mut() {
                Some(last) if previous == Some(kind) && kind != (false, false) => last.push(c),
                _ if kind != (false, false) => parts.push(c.to_string()),
                _ => {}
            }
            previous = Some(kind);
        }
    }
    let year = |text: &str| -> Option<i16> {
        let year: i16 = text.parse().ok()?;
        match text.len() {
            2 => Some(2000 + year),
            4 if (1990..2100).contains(&year) => Some(year),
            _ => None,
        }
    };
    let make = |year: Option<i16>, month: Option<i8>, day: Option<i8>| {
        Date::new(year?, month?, day?).ok().filter(|date| *date <= latest)
    };
    let number = |text: &str| text.parse::<i8>().ok();
    let found = parts.windows(3).find_map(|window| {
        let [a, b, c] = window else { return None };
        if a.len() == 4 && year(a).is_some() {
            return make(year(a), number(b).or_else(|| month(b)), number(c));
        }
        if let Some(month) = month(b) {
            return make(year(c), Some(month), number(a));
        }
        if let Some(month) = month(a) {
            return make(year(c), Some(month), number(b));
        }
        let day_first = make(year(c), number(b), number(a));
        let american = make(year(c), number(a), number(b));
        if month_first { american.or(day_first) } else { day_first.or(american) }
    });
    found.or_else(|| {
        // 20260312, as some tills print it.
        let part = parts.iter().find(|part| part.len() == 8)?;
        make(year(part.get(..4)?), number(part.get(4..6)?), number(part.get(6..)?))
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date as day;

    use super::*;
    use crate::analysis::{CurrencyDetection, Detection, GroupProperty};

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn latest() -> Date {
        day(2026, 11, 22)
    }

    fn field(name: &str, text: &str, confidence: f32) -> Field {
        Field {
            field_type: Detection { text: name.to_owned(), confidence, geometry: None },
            value_detection: Detection { text: text.to_owned(), confidence, geometry: None },
            ..Field::default()
        }
    }

    fn receipt(fields: Vec<Field>) -> Analysis {
        Analysis { expense_documents: vec![ExpenseDocument { summary_fields: fields, ..ExpenseDocument::default() }] }
    }

    fn context() -> Context {
        Context { currency: Some(currency("EUR")), latest_date: latest() }
    }

    #[test]
    fn printed_amounts() {
        for (text, code, minor_units) in [
            ("$1,234.56", "USD", 123_456),
            ("1.234,56 €", "EUR", 123_456),
            ("1'234.50", "CHF", 123_450),
            ("CHF 7.-", "CHF", 700),
            ("6,510", "JPY", 6510),
            ("¥ 6510", "JPY", 6510),
            ("1.500", "KWD", 1500),
            ("12", "EUR", 1200),
            ("12,5", "EUR", 1250),
            ("1,234", "EUR", 123_400),
            ("-3.20", "USD", -320),
            ("3.20-", "USD", -320),
            ("RM 9.00", "MYR", 900),
        ] {
            assert_eq!(parse_amount(text, currency(code)), Some(Money::new(minor_units, currency(code))), "{text}");
        }
        for text in ["", "EUR", "n/a", "..", "99999999999999999999"] {
            assert_eq!(parse_amount(text, currency("EUR")), None, "{text}");
        }
    }

    #[test]
    fn printed_dates() {
        for (text, month_first, expected) in [
            ("12.03.2026", false, day(2026, 3, 12)),
            ("03/28/2026", false, day(2026, 3, 28)),
            ("12/07/2019", true, day(2019, 12, 7)),
            ("12/07/2019", false, day(2019, 7, 12)),
            ("2026-03-12", true, day(2026, 3, 12)),
            ("12 MAR 25", false, day(2025, 3, 12)),
            ("Mar 12, 2025", false, day(2025, 3, 12)),
            ("12. März 2026", false, day(2026, 3, 12)),
            ("3 juin 2026", false, day(2026, 6, 3)),
            ("3 juillet 2026", false, day(2026, 7, 3)),
            ("20260312", false, day(2026, 3, 12)),
            ("DATE: 12/03/26 14:05:11", false, day(2026, 3, 12)),
            ("14:05 12/03/26", false, day(2026, 3, 12)),
            ("12MAR2026", false, day(2026, 3, 12)),
        ] {
            assert_eq!(parse_date(text, month_first, latest()), Some(expected), "{text}");
        }
        for text in ["", "31.02.2026", "12.03.2027", "12:03:20", "1.2", "hello 2026"] {
            assert_eq!(parse_date(text, false, latest()), None, "{text}");
        }
    }

    #[test]
    fn a_receipt_becomes_a_draft() {
        let mut total = field("TOTAL", "$23.40", 98.0);
        total.currency = Some(CurrencyDetection { code: "USD".to_owned(), confidence: 90.0 });
        let read = draft(
            &receipt(vec![
                field("VENDOR_NAME", "Harbour\nCoffee  Bar", 97.0),
                total,
                field("TOTAL", "$99.00", 40.0),
                field("TAX", "1.40", 90.0),
                field("INVOICE_RECEIPT_DATE", "03/04/2026", 99.0),
            ]),
            context(),
        )
        .unwrap();
        assert_eq!(read.merchant.as_deref(), Some("Harbour Coffee Bar"));
        assert_eq!(read.amount, Some(Money::new(2340, currency("USD"))));
        assert_eq!(read.tax, Some(Money::new(140, currency("USD"))));
        assert_eq!(read.date, Some(day(2026, 3, 4)));
        assert_eq!(crate::details::problems(&read), []);
    }

    #[test]
    fn an_old_response_has_a_name_in_the_vendor_block_and_no_currency() {
        let mut name = field("NAME", "MEGA MARKET", 90.0);
        name.group_properties = vec![GroupProperty { types: vec!["VENDOR".to_owned()] }];
        let read =
            draft(&receipt(vec![field("NAME", "Jane Doe", 99.0), name, field("TOTAL", "7,50", 90.0)]), context());
        let read = read.unwrap();
        assert_eq!(read.merchant.as_deref(), Some("MEGA MARKET"));
        assert_eq!(read.amount, Some(Money::new(750, currency("EUR"))));
    }

    #[test]
    fn three_capitals_are_a_currency_only_beside_an_amount() {
        let named = |vendor, total| {
            let fields = vec![field("VENDOR_NAME", vendor, 90.0), field("TOTAL", total, 90.0)];
            draft(&receipt(fields), context()).unwrap().amount.unwrap().currency
        };
        assert_eq!(named("THE CUP", "7.50"), currency("EUR"));
        assert_eq!(named("THE CUP", "CHF 7.50"), currency("CHF"));
    }

    #[test]
    fn what_is_no_receipt_becomes_no_draft() {
        assert_eq!(draft(&Analysis::default(), context()), None);
        assert_eq!(draft(&receipt(vec![field("OTHER", "hello", 90.0)]), context()), None);
    }
}
