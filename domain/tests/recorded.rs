//! The draft that is made of each recorded response of Amazon Textract, held against the one that was looked over.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use slipstream_domain::{analysis::Analysis, details, reading};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/textract")
}

fn context() -> reading::Context {
    reading::Context { currency: Some("EUR".parse().unwrap()), latest_date: jiff::civil::date(2026, 11, 22) }
}

#[test]
fn every_recorded_response_makes_the_draft_that_was_looked_over() {
    let folder = folder();
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let analysis: Analysis = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let read = reading::read(&analysis, context()).unwrap();
        let draft = serde_json::to_string_pretty(&read.details()).unwrap();
        let printed =
            format!("{{\"draft\": {draft},\n\"reading\": {}}}\n", serde_json::to_string_pretty(&read).unwrap());
        let kept = folder.join("drafts").join(path.file_name().unwrap());
        if std::env::var_os("UPDATE_DRAFTS").is_some() {
            fs::create_dir_all(kept.parent().unwrap()).unwrap();
            fs::write(&kept, &printed).unwrap();
        }
        let kept = fs::read_to_string(&kept).unwrap_or_else(|error| panic!("{}: {error}", kept.display()));
        assert_eq!(printed, kept, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// Whatever stands in the fields of a response: it is read or not, and what is read is a valid draft.
fn holds(analysis: &Analysis) {
    let Some(read) = reading::read(analysis, context()) else { return };
    assert_eq!(details::problems(&read.details()), []);
    let json = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<reading::Reading>(&json).unwrap(), read);
}

proptest! {
    #[test]
    fn any_two_amounts_make_a_valid_draft_or_none(
        total in "[-(]?[0-9]{1,4}[,.][0-9]{2}[-)]? ?(€|EUR|USD)?",
        tax in "[-(]?[0-9]{1,4}[,.][0-9]{2}[-)]? ?(€|EUR|USD)?",
    ) {
        let field = |name: &str, text: &str| serde_json::json!({
            "Type": { "Text": name, "Confidence": 95.0 },
            "ValueDetection": { "Text": text, "Confidence": 95.0 },
        });
        let response = serde_json::json!({ "ExpenseDocuments": [
            { "SummaryFields": [field("TOTAL", &total), field("TAX", &tax)] },
        ] });
        holds(&serde_json::from_value(response).unwrap());
    }

    #[test]
    fn any_text_in_any_field_makes_a_valid_draft_or_none(
        name in prop_oneof!["TOTAL", "TAX", "SUBTOTAL", "VENDOR_NAME", "INVOICE_RECEIPT_DATE", "DISCOUNT"],
        text in prop_oneof![
            ".{0,24}",
            "[-(]?[€$A-Z ]{0,4}[0-9 .,'’]{0,16}[-)A-Z%]{0,3}",
            "[0-9]{1,4}[-/. ][0-9A-Za-zäû]{1,9}[-/. ,][0-9]{1,4}",
        ],
        confidence in 0.0f32..=100.0,
    ) {
        let field = |name: &str, text: &str| serde_json::json!({
            "Type": { "Text": name, "Confidence": confidence },
            "ValueDetection": { "Text": text, "Confidence": confidence },
        });
        let fields = [field(&name, &text), field("TOTAL", "12.34"), field("TAX", "99999999999.99")];
        let response = serde_json::json!({ "ExpenseDocuments": [{ "SummaryFields": fields }] });
        holds(&serde_json::from_value(response).unwrap());
    }

    #[test]
    fn a_damaged_response_is_no_response_or_a_response(at in 0usize..7000, byte in any::<u8>()) {
        let mut response = fs::read(folder().join("sample2.json")).unwrap();
        let at = at % response.len();
        response[at] = byte;
        if let Ok(analysis) = serde_json::from_slice(&response) {
            holds(&analysis);
        }
    }
}
