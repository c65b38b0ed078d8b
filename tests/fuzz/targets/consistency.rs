//! Reads any bytes as a consistency proof file: nothing panics, and an accepted file is written again
//! byte for byte.

#![no_main]

use blockchain::proofs::ConsistencyProof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match ConsistencyProof::read(bytes) {
        Ok(proof) => {
            assert_eq!(proof.to_json().as_bytes(), bytes);
            let _ = proof.check();
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 4000 && text.chars().all(|c| !c.is_control()));
        }
    }
});
