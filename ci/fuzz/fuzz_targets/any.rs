#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| danso_fuzz::read(None, bytes));
