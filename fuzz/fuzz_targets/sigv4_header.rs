#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fogbank_fuzz::sigv4_header(data));
