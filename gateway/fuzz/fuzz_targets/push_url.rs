//! Fuzzes `push_url`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway_fuzz::push_url(data));
