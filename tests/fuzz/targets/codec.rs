//! Decodes any bytes as a stored block: nothing panics, and a decoded block survives being encoded and
//! decoded again.

#![no_main]

use blockchain::codec::{decode_block, encode_block};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(block) = decode_block(bytes) {
        let again = decode_block(&encode_block(&block)).expect("what was encoded is decoded");
        assert_eq!(again, block);
    }
});
