//! Reads any bytes as a receipt file: nothing panics, and an accepted file is written again byte for
//! byte.

#![no_main]

use blockchain::proofs::Receipt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Receipt::read(bytes) {
        Ok(receipt) => {
            let written = receipt.to_json().expect("it is as large as what was read");
            assert_eq!(written.as_bytes(), bytes);
            let _ = receipt.check();
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 4000 && text.chars().all(|c| !c.is_control()));
        }
    }
});
