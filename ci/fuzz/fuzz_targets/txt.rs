#![no_main]

use danso_vocab::codec::history::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| danso_fuzz::read(Some(Format::Txt), bytes));
