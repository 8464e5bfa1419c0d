//! How large an item is and what reading it costs
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).

use serde_json::Value;

use crate::Item;

/// What a read unit covers, in bytes.
const READ_UNIT: usize = 4096;

/// An item's size in bytes: the names and the values.
pub fn of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

fn of_value(typed: &Value) -> usize {
    let Some((kind, value)) = typed.as_object().and_then(|typed| typed.iter().next()) else { return 0 };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        // A byte for two digits, and one more.
        ("N", Value::String(number)) => number.chars().filter(char::is_ascii_digit).count().div_ceil(2) + 1,
        // Three bytes for a list or map, and one for each member.
        ("M", Value::Object(members)) => 3 + members.len() + of(members),
        ("L", Value::Array(values)) => 3 + values.len() + values.iter().map(of_value).sum::<usize>(),
        ("SS", Value::Array(values)) => values.iter().filter_map(Value::as_str).map(str::len).sum(),
        _ => 1,
    }
}

/// The read units of so many bytes read together.
pub fn read_units(bytes: usize, consistent: bool) -> f64 {
    let whole = u32::try_from(bytes.div_ceil(READ_UNIT).max(1)).map_or(f64::MAX, f64::from);
    if consistent { whole } else { whole / 2.0 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_are_those_of_the_rules() {
        let item = json!({"PK": {"S": "abc"}, "n": {"N": "-1234"}, "m": {"M": {"x": {"BOOL": true}}}});
        assert_eq!(of(item.as_object().unwrap()), (2 + 3) + (1 + 3) + (1 + 3 + 1 + 1 + 1));
    }

    #[test]
    fn units_are_rounded_up_once() {
        assert!((read_units(1, true) - 1.0).abs() < f64::EPSILON);
        assert!((read_units(4097, true) - 2.0).abs() < f64::EPSILON);
        assert!((read_units(4097, false) - 1.0).abs() < f64::EPSILON);
    }
}
