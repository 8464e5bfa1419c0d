//! The draft that is made of each recorded response of Amazon Textract, held against the one that was looked over.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]

use std::{fs, path::PathBuf};

use slipstream_domain::{analysis::Analysis, reading};

#[test]
fn every_recorded_response_makes_the_draft_that_was_looked_over() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/textract");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let analysis: Analysis = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let context =
            reading::Context { currency: Some("EUR".parse().unwrap()), latest_date: jiff::civil::date(2026, 11, 22) };
        let read = reading::read(&analysis, context).unwrap();
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
