#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| malomo_mirror::fuzzing::delivery(data));
