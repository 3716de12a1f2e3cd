//! Fuzzes `http_parser`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway_fuzz::http_parser(data));
