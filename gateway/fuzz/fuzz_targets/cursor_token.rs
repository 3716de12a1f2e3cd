//! Fuzzes `cursor_token`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway_fuzz::cursor_token(data));
