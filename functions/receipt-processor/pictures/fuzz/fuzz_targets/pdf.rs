//! The PDF path: whatever it is, it is looked at as a PDF.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // A panic inside of a library is caught by the product; without this it would end the run.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let document = if bytes.starts_with(b"%PDF-") { bytes.to_vec() } else { [b"%PDF-1.7\n", bytes].concat() };
        let _ = slipstream_pictures::prepare(&document);
    }
);
