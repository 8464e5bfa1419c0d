//! The checks of headers, which run on every upload before anything else.
#![no_main]

libfuzzer_sys::fuzz_target!(init: slipstream_fuzz::start("headers"), |bytes: &[u8]| {
    slipstream_fuzz::watch(bytes, |bytes| {
        let _ = slipstream_pictures::check(bytes);
    });
});
