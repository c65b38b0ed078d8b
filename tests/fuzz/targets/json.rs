//! Reads any bytes as a JSON chain file and as responses of a reference miner: nothing panics, and a
//! chain that is read survives being written and read again.

#![no_main]

use blockchain::chain::Block;
use blockchain::reference::json::{
    ChainBody, JsonChainWriter, JsonChainReader, read_messages, read_neighbours,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read: Result<Vec<Block>, _> = JsonChainReader::new(bytes).collect();
    match read {
        Ok(blocks) => {
            let mut writer = JsonChainWriter::new(Vec::new());
            for block in &blocks {
                writer.push(block).expect("a Vec takes all");
            }
            let written = writer.finish().expect("a Vec takes all");
            let again: Result<Vec<Block>, _> = JsonChainReader::new(&written[..]).collect();
            assert_eq!(again.expect("what was written is read"), blocks);
        }
        Err(error) => {
            let place = error.location();
            assert!(place.offset <= bytes.len() as u64, "{error}");
            assert!(error.to_string().len() < 1000);
        }
    }
    let _ = JsonChainReader::new(ChainBody::new(bytes)).last();
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = read_messages(text, 10);
        let _ = read_neighbours(text, 10);
    }
});
