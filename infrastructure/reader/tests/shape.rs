//! The answer's shape beside Textract's: which keys there are, how they nest, and what kind of value each has. The
//! schema is written down from recorded answers of `AnalyzeExpense` and its
//! [API reference](https://docs.aws.amazon.com/textract/latest/dg/API_ExpenseField.html).

use serde_json::{Value, json};
use slipstream_reader::extract::expense;
use slipstream_reader::page::{Page, Quad, TextLine};
use slipstream_reader::textract::AnalyzeExpenseResponse;

/// What may stand at a place: a text, a number, a list of one shape, or an object whose keys are needed unless they end
/// with `?`. `ref` names one of [`shapes`].
fn shapes() -> Value {
    json!({
        "response": { "DocumentMetadata": { "Pages": "number" }, "ExpenseDocuments": [{ "ref": "document" }] },
        "document": {
            "ExpenseIndex": "number",
            "SummaryFields": [{ "ref": "field" }],
            "LineItemGroups": [{
                "LineItemGroupIndex": "number",
                "LineItems": [{ "LineItemExpenseFields": [{ "ref": "field" }] }]
            }],
            "Blocks": [{ "ref": "block" }]
        },
        "field": {
            "Type": { "Text": "text", "Confidence": "number" },
            "LabelDetection?": { "ref": "detection" },
            "ValueDetection": { "ref": "detection" },
            "PageNumber": "number",
            "Currency?": { "Code": "text", "Confidence?": "number" },
            "GroupProperties?": [{ "Types": ["text"], "Id": "text" }]
        },
        "detection": { "Text": "text", "Geometry": { "ref": "geometry" }, "Confidence": "number" },
        "geometry": {
            "BoundingBox": { "Width": "number", "Height": "number", "Left": "number", "Top": "number" },
            "Polygon": [{ "X": "number", "Y": "number" }]
        },
        "block": {
            "BlockType": "text",
            "Confidence?": "number",
            "Text?": "text",
            "TextType?": "text",
            "Geometry": { "ref": "geometry" },
            "Id": "text",
            "Relationships?": [{ "Type": "text", "Ids": ["text"] }],
            "Page?": "number"
        }
    })
}

/// Every place at which `value` is not of the shape.
fn differences(value: &Value, shape: &Value, shapes: &Value, path: &str, found: &mut Vec<String>) {
    match shape {
        Value::String(kind) => {
            if !(kind == "text" && value.is_string() || kind == "number" && value.is_number()) {
                found.push(format!("{path} is no {kind}: {value}"));
            }
        }
        Value::Array(of) => match value.as_array() {
            Some(list) => list.iter().for_each(|v| differences(v, &of[0], shapes, &format!("{path}[]"), found)),
            None => found.push(format!("{path} is no list: {value}")),
        },
        Value::Object(keys) if keys.contains_key("ref") => {
            let name = keys["ref"].as_str().expect("a name");
            differences(value, &shapes[name], shapes, path, found);
        }
        Value::Object(keys) => {
            let Some(object) = value.as_object() else {
                found.push(format!("{path} is no object: {value}"));
                return;
            };
            for (key, shape) in keys {
                let name = key.trim_end_matches('?');
                match object.get(name) {
                    Some(inner) => differences(inner, shape, shapes, &format!("{path}.{name}"), found),
                    None if key.ends_with('?') => {}
                    None => found.push(format!("{path}.{name} is missing")),
                }
            }
            let known = |key: &String| keys.contains_key(key) || keys.contains_key(&format!("{key}?"));
            found.extend(object.keys().filter(|k| !known(k)).map(|k| format!("{path}.{k} is not Textract's")));
        }
        _ => found.push(format!("{path}: the schema itself is wrong")),
    }
}

fn answer() -> Value {
    let line = |text: &str, left: f32, row: f32, right: f32| {
        TextLine::new(text, 0.99, Quad::upright(left, row * 30.0, right, row * 30.0 + 22.0))
    };
    let lines = vec![
        line("Gasthaus Adler GmbH", 100.0, 1.0, 300.0),
        line("Hauptstraße 12", 120.0, 2.0, 280.0),
        line("70173 Stuttgart", 120.0, 3.0, 280.0),
        line("Tel. 0711 123456", 120.0, 4.0, 280.0),
        line("USt-IdNr. DE123456789", 120.0, 5.0, 330.0),
        line("12.03.2025 19:30", 20.0, 6.0, 200.0),
        line("Menge", 20.0, 7.0, 70.0),
        line("Artikel", 90.0, 7.0, 160.0),
        line("Betrag", 320.0, 7.0, 380.0),
        line("2", 20.0, 8.0, 30.0),
        line("Maultaschen", 90.0, 8.0, 200.0),
        line("25,80", 320.0, 8.0, 380.0),
        line("Summe EUR", 20.0, 9.0, 140.0),
        line("25,80", 320.0, 9.0, 380.0),
        line("MwSt 19%", 20.0, 10.0, 140.0),
        line("4,12", 330.0, 10.0, 380.0),
        line("Bar", 20.0, 11.0, 60.0),
        line("30,00", 330.0, 11.0, 380.0),
        line("Rückgeld", 20.0, 12.0, 110.0),
        line("4,20", 330.0, 12.0, 380.0),
    ];
    let page = Page::new(400.0, 600.0, lines);
    serde_json::to_value(AnalyzeExpenseResponse::new(&page, &expense(&page))).expect("is JSON")
}

#[test]
fn the_answer_has_textracts_keys_and_no_others() {
    let (answer, shapes) = (answer(), shapes());
    let mut found = Vec::new();
    differences(&answer, &shapes["response"], &shapes, "", &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn types_groups_labels_and_currencies_stand_where_textract_has_them() {
    let answer = answer();
    let document = &answer["ExpenseDocuments"][0];
    let fields = document["SummaryFields"].as_array().expect("fields");
    let types: Vec<&str> = fields.iter().filter_map(|f| f["Type"]["Text"].as_str()).collect();
    for expected in [
        "ADDRESS",
        "STREET",
        "CITY",
        "ZIP_CODE",
        "ADDRESS_BLOCK",
        "NAME",
        "VENDOR_NAME",
        "VENDOR_ADDRESS",
        "VENDOR_PHONE",
        "TAX_PAYER_ID",
        "VENDOR_VAT_NUMBER",
        "INVOICE_RECEIPT_DATE",
        "TOTAL",
        "TAX",
        "AMOUNT_PAID",
        "OTHER",
    ] {
        assert!(types.contains(&expected), "{expected} in {types:?}");
    }
    for field in fields {
        let kind = field["Type"]["Text"].as_str().expect("a type");
        let grouped = ["ADDRESS", "STREET", "CITY", "STATE", "ZIP_CODE", "COUNTRY", "NAME", "ADDRESS_BLOCK"];
        assert_eq!(field.get("GroupProperties").is_some(), grouped.contains(&kind), "{kind}");
        let money = ["TOTAL", "SUBTOTAL", "TAX", "AMOUNT_PAID", "GRATUITY", "DISCOUNT"];
        assert_eq!(field.get("Currency").is_some(), money.contains(&kind), "{kind}");
        if kind == "OTHER" {
            assert!(field.get("LabelDetection").is_some(), "what has no name is told by its label");
        }
    }
    let ids: Vec<&Value> = fields.iter().filter_map(|f| f["GroupProperties"][0].get("Id")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "one vendor, one group: {ids:?}");

    let items = document["LineItemGroups"][0]["LineItems"][0]["LineItemExpenseFields"].as_array().expect("fields");
    let types: Vec<&str> = items.iter().filter_map(|f| f["Type"]["Text"].as_str()).collect();
    assert_eq!(types, ["ITEM", "PRICE", "QUANTITY", "EXPENSE_ROW"]);
    assert_eq!(items[0]["LabelDetection"]["Text"], "Artikel");
    assert!(items.iter().all(|f| f.get("Currency").is_none()));
}

#[test]
fn blocks_refer_to_blocks_that_are_there() {
    let answer = answer();
    let blocks = answer["ExpenseDocuments"][0]["Blocks"].as_array().expect("blocks");
    let ids: Vec<&str> = blocks.iter().filter_map(|b| b["Id"].as_str()).collect();
    let children = |b: &Value| -> Vec<String> {
        let list = b["Relationships"].as_array().cloned().unwrap_or_default();
        list.iter()
            .flat_map(|r| r["Ids"].as_array().cloned().unwrap_or_default())
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    let mut told = 0;
    for block in blocks {
        let below = children(block);
        assert!(below.iter().all(|id| ids.contains(&id.as_str())));
        assert_eq!(below.is_empty(), block["BlockType"] == "WORD", "{block}");
        told += below.len();
    }
    // All but the page are somebody's child, and only once.
    assert_eq!(told, blocks.len() - 1);
}
