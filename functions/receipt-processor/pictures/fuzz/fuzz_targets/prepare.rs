//! All that is made of an upload.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // A panic inside of a library is caught by the product; without this it would end the run.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let _ = slipstream_pictures::prepare(bytes);
    }
);
