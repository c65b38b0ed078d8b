//! Reads any bytes as a pickled chain file: nothing panics, and a chain that is read survives being
//! written and read again.

#![no_main]

use blockchain::chain::Block;
use blockchain::reference::pickle::{PickleChainReader, PickleChainWriter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read: Result<Vec<Block>, _> = PickleChainReader::new(bytes).collect();
    match read {
        Ok(blocks) => {
            let mut writer = PickleChainWriter::new(Vec::new());
            for block in &blocks {
                writer.push(block).expect("a Vec takes all");
            }
            let written = writer.finish().expect("a Vec takes all");
            let again: Result<Vec<Block>, _> = PickleChainReader::new(&written[..]).collect();
            assert_eq!(again.expect("what was written is read"), blocks);
        }
        Err(error) => {
            let place = error.location();
            assert!(place.offset <= bytes.len() as u64, "{error}");
            assert!(error.to_string().len() < 1000);
        }
    }
});
