//! `field=value` on the command line: details of an expense, amounts, dates.

use jiff::civil::Date;
use serde_json::{Map, Value, json};
use slipstream_events::{Currency, Money};

use crate::failure::{Failure, Outcome};

/// The details that can be given.
pub(crate) const FIELDS: [&str; 11] = [
    "merchant",
    "date",
    "amount",
    "original_amount",
    "tax",
    "category",
    "paid_by",
    "cost_centre",
    "project",
    "note",
    "report",
];

/// An amount such as `12.34 EUR`; the currency may stand before it, or be left out where one is known.
///
/// # Errors
/// Says how an amount is written.
pub(crate) fn money(text: &str, known: Option<Currency>) -> Result<Money, String> {
    let is_code = |word: &&str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let words: Vec<&str> = text.split_whitespace().collect();
    let (number, code) = match words.as_slice() {
        [number] => (*number, None),
        [number, code] if is_code(code) => (*number, Some(*code)),
        [code, number] if is_code(code) => (*number, Some(*code)),
        _ => return Err(format!("`{text}` is no amount; write it as 12.34 EUR")),
    };
    let currency = match (code, known) {
        (Some(code), _) => code.to_ascii_uppercase().parse().map_err(|error| format!("{error}"))?,
        (None, Some(known)) => known,
        (None, None) => return Err(format!("`{text}` names no currency; write it as 12.34 EUR")),
    };
    Money::from_decimal(number, currency)
        .map_err(|error| format!("{error}; write it with a dot and without grouping, as 1234.50 {currency}"))
}

/// For clap: an amount with its currency.
///
/// # Errors
/// As [`money`].
pub(crate) fn amount(text: &str) -> Result<Money, String> {
    money(text, None)
}

/// For clap: a calendar date.
///
/// # Errors
/// Says how a date is written.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    date.ok_or_else(|| format!("`{text}` is no date; write it as 2026-03-12"))
}

/// For clap: a month.
///
/// # Errors
/// Says how a month is written.
pub(crate) fn month(text: &str) -> Result<String, String> {
    match date(&format!("{text}-01")) {
        Ok(_) if text.len() == 7 => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no month; write it as 2026-03")),
    }
}

/// For clap: words of the API are written with `_`, and typed with `-` as often.
///
/// # Errors
/// None.
pub(crate) fn word(text: &str) -> Result<String, String> {
    Ok(text.trim().to_ascii_lowercase().replace('-', "_"))
}

/// The details that `field=value` pairs name; an empty value takes the field away. `known` is the currency meant where
/// an amount names none.
///
/// # Errors
/// When a field or a value is none; names it.
pub(crate) fn details(pairs: &[String], known: Option<Currency>) -> Outcome<Value> {
    let mut details = Map::new();
    for pair in pairs {
        let Some((field, value)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("`{pair}` is no field=value, such as category=meals")));
        };
        let field = field.trim().replace('-', "_");
        let value = value.trim();
        if !FIELDS.contains(&field.as_str()) {
            return Err(Failure::usage(format!("there is no field `{field}`; there are {}", FIELDS.join(", "))));
        }
        let wrong = |message: String| Failure::usage(format!("{field}: {message}"));
        let parsed = match field.as_str() {
            _ if value.is_empty() => Value::Null,
            "amount" | "original_amount" | "tax" => json!(money(value, known).map_err(wrong)?),
            "date" => date(value).map_err(wrong)?.to_string().into(),
            "category" | "paid_by" => word(value).map_err(wrong)?.into(),
            _ => value.into(),
        };
        if details.insert(field.clone(), parsed).is_some() {
            return Err(Failure::usage(format!("{field} is given twice")));
        }
    }
    Ok(details.into())
}

/// A part of a split, `amount=12.00,category=meals,cost_centre=42`. A comma before anything else than `field=` belongs
/// to the value.
///
/// # Errors
/// When a field or a value is none; names it.
pub(crate) fn part(text: &str, known: Option<Currency>) -> Outcome<Value> {
    const PART: [&str; 6] = ["amount", "category", "cost_centre", "project", "note", "paid_by"];
    let mut pairs: Vec<String> = Vec::new();
    for piece in text.split(',') {
        let field = piece.split_once('=').map(|(field, _)| field.trim().replace('-', "_"));
        match (pairs.last_mut(), field) {
            (Some(last), field) if !field.as_deref().is_some_and(|field| FIELDS.contains(&field)) => {
                last.push(',');
                last.push_str(piece);
            }
            _ => pairs.push(piece.to_owned()),
        }
    }
    let part = details(&pairs, known)?;
    let members = part.as_object().cloned().unwrap_or_default();
    if let Some(other) = members.keys().find(|field| !PART.contains(&field.as_str())) {
        return Err(Failure::usage(format!("a part has no {other}; it has {}", PART.join(", "))));
    }
    if !members.get("amount").is_some_and(Value::is_object) {
        return Err(Failure::usage(format!("`{text}` has no amount; write it as amount=12.00,category=meals")));
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_write_them() {
        let eur = |minor_units| Ok(Money::new(minor_units, Currency::EUR));
        assert_eq!(amount("12.34 EUR"), eur(1234));
        assert_eq!(amount("eur -5"), eur(-500));
        assert_eq!(money("7.5", Some(Currency::EUR)), eur(750));
        assert_eq!(amount("1200 JPY").unwrap().minor_units, 1200);
        for (wrong, says) in [
            ("12.34", "names no currency"),
            ("12,34 EUR", "with a dot"),
            ("1.5 JPY", "0 decimals"),
            ("12 XXZ", "ISO 4217"),
            ("", "no amount"),
        ] {
            let message = amount(wrong).unwrap_err();
            assert!(message.contains(says), "{wrong}: {message}");
        }
    }

    #[test]
    fn dates_and_months_are_calendar_ones() {
        assert!(date("2026-02-28").is_ok() && month("2026-12").is_ok());
        for wrong in ["2026-02-30", "12.03.2026", "2026-3-1", "2026-03-12T10:00"] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
        for wrong in ["2026-13", "2026", "03-2026"] {
            assert!(month(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pairs_become_a_merge_patch() {
        let pairs = ["amount=23.40 EUR", "paid-by=company-card", "note=a=b, c", "project="].map(str::to_owned);
        assert_eq!(
            details(&pairs, None).unwrap(),
            json!({"amount": {"minor_units": 2340, "currency": "EUR"}, "paid_by": "company_card", "note": "a=b, c",
                "project": null})
        );
        for (wrong, says) in
            [("amount", "no field=value"), ("status=approved", "there is no field"), ("date=yesterday", "date:")]
        {
            let failure = details(&[wrong.to_owned()], None).unwrap_err();
            assert!(failure.message.contains(says), "{failure}");
            assert_eq!(failure.exit, crate::failure::Exit::Usage);
        }
    }

    #[test]
    fn parts_keep_commas_in_their_texts() {
        let text = "amount=12.00,note=lunch, with dessert,cost-centre=42";
        assert_eq!(
            part(text, Some(Currency::EUR)).unwrap(),
            json!({"amount": {"minor_units": 1200, "currency": "EUR"}, "note": "lunch, with dessert", "cost_centre": "42"})
        );
        assert!(part("category=meals", None).is_err());
        assert!(part("amount=1 EUR,merchant=x", None).unwrap_err().message.contains("a part has no merchant"));
    }
}
