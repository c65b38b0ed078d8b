//! Random chains in both formats, and sources that return their bytes in pieces.

use std::io::{self, Read};

use proptest::prelude::*;

use super::*;
use crate::chain::{BlockHash, Link, Message, MessageId, Timestamp};

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        any::<f64>().prop_filter_map("not finite", |seconds| Timestamp::float(seconds).ok()),
        (-(1_i64 << 53)..=1 << 53).prop_map(|seconds| Timestamp::integer(seconds).unwrap()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        2 => any::<char>().prop_map(String::from),
        2 => "[a-zé]?",
        1 => (65_000_usize..66_000).prop_map(|length| "x".repeat(length)),
        1 => (200_usize..300).prop_map(|length| "\u{1}".repeat(length)),
    ]
}

fn link() -> impl Strategy<Value = Option<Link>> {
    let proof = "0|-?[1-9][0-9]{0,3}|-?[1-9][0-9]{0,99}|-?[1-9][0-9]{600,4299}";
    let link = (any::<[u8; 32]>(), proof).prop_map(|(hash, proof)| Link {
        previous_hash: BlockHash::from_bytes(hash),
        proof: proof.parse().unwrap(),
    });
    proptest::option::weighted(0.9, link)
}

pub(super) fn block() -> impl Strategy<Value = Block> {
    (any::<u64>(), time(), any::<[u8; 16]>(), text(), link()).prop_map(
        |(index, timestamp, id, text, link)| Block {
            index,
            timestamp,
            message: Message::new(MessageId::from_bytes(id), text).unwrap(),
            link,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_blocks_survive_both_formats(blocks in proptest::collection::vec(block(), 1..12)) {
        for format in Format::BOTH {
            let bytes = format.write(&blocks);
            prop_assert_eq!(&format.read(&bytes).unwrap(), &blocks);
            prop_assert!(format != Format::Json || bytes.is_ascii());
        }
    }
}

/// Gives a few bytes at a time, with interruptions between.
struct Dripping<'a> {
    bytes: &'a [u8],
    calls: usize,
}

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(7) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = (self.calls % 5 + 1).min(self.bytes.len()).min(buffer.len());
        let (now, later) = self.bytes.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}

#[test]
fn bytes_may_arrive_in_any_chunks() {
    for name in ["json_odd", "json_times", "pickle_odd", "pickle_proto0"] {
        let bytes = chain_file(name);
        let source = Dripping {
            bytes: &bytes,
            calls: 0,
        };
        let blocks: Result<Vec<Block>, ReadError> = match Format::of(name) {
            Format::Json => json::JsonChainReader::new(source).collect(),
            Format::Pickle => pickle::PickleChainReader::new(source).collect(),
        };
        assert_eq!(
            blocks.unwrap(),
            Format::of(name).read(&bytes).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn an_error_of_the_source_is_not_a_damaged_file() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    let json = json::JsonChainReader::new(Failing)
        .next()
        .unwrap()
        .unwrap_err();
    let pickle = pickle::PickleChainReader::new(Failing)
        .next()
        .unwrap()
        .unwrap_err();
    for error in [json, pickle] {
        assert!(matches!(error, ReadError::Io { .. }), "{error}");
    }
}

#[test]
fn every_size_of_a_batch_reads_back() {
    let blocks = Format::Json.read(&chain_file("json_odd")).unwrap();
    let chain: Vec<Block> = blocks.iter().cycle().take(2001).cloned().collect();
    for length in [1, 2, 999, 1000, 1001, 2000, 2001] {
        for format in Format::BOTH {
            let bytes = format.write(&chain[..length]);
            assert!(
                format.read(&bytes).unwrap() == chain[..length],
                "{format:?} {length}"
            );
        }
    }
    assert_eq!(Format::Json.write(&[]), b"[]");
    assert_eq!(
        Format::Pickle.write(&[]),
        chain_file("tolerated/pickle_empty_list")
    );
}
