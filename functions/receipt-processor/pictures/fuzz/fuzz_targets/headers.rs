//! The checks of headers, which run on every upload before anything else.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = slipstream_pictures::check(bytes);
});
