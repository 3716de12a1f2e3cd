//! Fuzzes `json_publish`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway_fuzz::json_publish(data));
