//! All that is made of an upload.
#![no_main]

libfuzzer_sys::fuzz_target!(init: slipstream_fuzz::start("prepare"), |bytes: &[u8]| {
    slipstream_fuzz::watch(bytes, |bytes| drop(slipstream_pictures::prepare(bytes)));
});
