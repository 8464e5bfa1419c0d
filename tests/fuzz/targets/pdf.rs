//! The PDF path: whatever it is, it is looked at as a PDF.
#![no_main]

libfuzzer_sys::fuzz_target!(init: slipstream_fuzz::start("pdf"), |bytes: &[u8]| {
    let document = if bytes.starts_with(b"%PDF-") { bytes.to_vec() } else { [b"%PDF-1.7\n", bytes].concat() };
    slipstream_fuzz::watch(&document, |document| drop(slipstream_pictures::prepare(document)));
});
