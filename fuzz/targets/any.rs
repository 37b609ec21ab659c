#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| earmark_fuzz::sound::decode(data));
