//! The answer of the analysis service: it is no answer, or one of which a valid draft is made or none.
#![no_main]

use slipstream_domain::{
    analysis::Analysis,
    details,
    reading::{self, Context, Reading},
};

fn look(bytes: &[u8]) {
    let Ok(analysis) = serde_json::from_slice::<Analysis>(bytes) else { return };
    for currency in [None, "EUR".parse().ok()] {
        let context = Context { currency, latest_date: jiff::civil::date(2026, 11, 22) };
        let Some(read) = reading::read(&analysis, context) else { continue };
        assert_eq!(details::problems(&read.details()), []);
        let json = serde_json::to_string(&read).expect("a reading is written as JSON");
        let again: Reading = serde_json::from_str(&json).expect("a reading is read again");
        assert_eq!(again, read);
    }
}

libfuzzer_sys::fuzz_target!(init: slipstream_fuzz::start("response"), |bytes: &[u8]| {
    slipstream_fuzz::watch(bytes, look);
});
