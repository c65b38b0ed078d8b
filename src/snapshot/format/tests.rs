//! Every format with random chains and damaged files, and compared with each other.

mod properties;

use std::collections::BTreeSet;

use super::*;
use crate::chain::{BlockHash, Link, MessageId, Timestamp};

/// A chain file as a whole.
type Content = (Vec<Block>, Vec<Message>);

fn written(format: Format, (blocks, pending): &Content) -> Vec<u8> {
    let mut writer = ChainWriter::new(format, Vec::new(), format.holds_pending()).unwrap();
    writer.push_all(blocks).unwrap();
    for message in pending.iter().filter(|_| format.holds_pending()) {
        writer.push_pending(message).unwrap();
    }
    writer.finish().unwrap()
}

fn content(bytes: &[u8]) -> Result<Content, ReadError> {
    let (mut blocks, mut pending) = (Vec::new(), Vec::new());
    read(bytes, |item| {
        match item {
            Item::Block(block) => blocks.push(block),
            Item::Pending(message) => pending.push(message),
        }
        Ok::<_, ReadError>(())
    })?;
    Ok((blocks, pending))
}

#[track_caller]
fn rejected(text: &str) -> String {
    content(text.as_bytes()).unwrap_err().to_string()
}

fn genesis() -> Content {
    (vec![Block::default_genesis()], Vec::new())
}

fn text(format: Format) -> String {
    String::from_utf8(written(format, &genesis())).unwrap()
}

const GENESIS_HASH: &str = "c0f0de3647e32b3b129e4ca3c329dd7584fa375366106b4c22c31c55f8c1ab94";

#[test]
fn files_have_the_expected_bytes() {
    let hex = hex::encode(written(Format::Bincode, &genesis()));
    let frame = hex::encode(crate::codec::encode_block(&genesis().0[0]));
    let length = format!("{:08x}", frame.len() / 2);
    assert_eq!(
        hex,
        format!("89636861696e0a01{length}{frame}0000000000000000")
    );

    let row = format!(
        "index,hash,previous_hash,timestamp_text,time,proof,seal,id,message\n\
         0,{GENESIS_HASH},,1581268484.244806,2020-02-09T17:14:44.244806Z,,,\
         324dc066e690437fa68e8afc810e9617,\
         This is the workload of the very first Block in this chain!\n"
    );
    assert_eq!(text(Format::Csv), row);

    let line = text(Format::Ndjson);
    assert!(line.starts_with(&format!("{{\"index\":0,\"hash\":\"{GENESIS_HASH}\",")));
    assert_eq!(
        text(Format::Json),
        format!(
            "{{\"blocks\": [\n{}\n],\n\"mempool\": []}}\n",
            line.trim_end()
        )
    );
    let mut array = ChainWriter::new(Format::Json, Vec::new(), false).unwrap();
    array.push_all(&genesis().0[..1]).unwrap();
    assert!(array.push_pending(&genesis().0[0].message).is_err());
    assert_eq!(
        array.finish().unwrap(),
        format!("[\n{}\n]\n", line.trim_end()).into_bytes()
    );
}

#[test]
fn cells_that_look_like_formulas_are_prefixed() {
    let mut chain = genesis();
    let formulas = [
        "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "\n=1", "'quoted", "''", "a=b",
    ];
    for (index, formula) in (1..).zip(formulas) {
        chain.0.push(Block {
            index,
            timestamp: Timestamp::integer(-5).unwrap(),
            message: Message::new(MessageId::from_bytes([1; 16]), formula.to_owned()).unwrap(),
            link: Some(Link {
                previous_hash: BlockHash::from_bytes([0; 32]),
                proof: "-7".parse().unwrap(),
            }),
        });
    }
    let bytes = written(Format::Csv, &chain);
    let mut cells = BTreeSet::new();
    for row in csv::Reader::from_reader(&bytes[..]).records() {
        cells.extend(row.unwrap().iter().map(str::to_owned));
    }
    assert!(cells.contains("'=1+1") && cells.contains("'-7") && cells.contains("'-5"));
    for cell in &cells {
        assert!(
            !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']),
            "{cell:?}"
        );
    }
    assert_eq!(content(&bytes).unwrap(), chain);
}

#[test]
fn a_wrong_hash_is_rejected() {
    for format in [Format::Json, Format::Ndjson, Format::Csv] {
        let changed = text(format).replace("very first", "very worst");
        let error = rejected(&changed);
        let expected = format!(
            "the block was changed: its content no longer matches its hash, which is \
             \"{GENESIS_HASH}\" here and "
        );
        assert!(error.contains("block 0, line "), "{error}");
        assert!(error.contains(&expected), "{error}");
        // Without a hash there is nothing to compare.
        let without = changed.replace(&format!("\"hash\":\"{GENESIS_HASH}\","), "");
        assert!(
            content(without.replace(GENESIS_HASH, "").as_bytes()).is_ok(),
            "{format:?}"
        );
    }
}

#[test]
fn the_text_of_a_time_determines_its_type() {
    let line = text(Format::Ndjson)
        .replace(&format!("\"hash\":\"{GENESIS_HASH}\","), "")
        .replace(
            "\"timestamp_text\":\"1581268484.244806\"",
            "\"timestamp_text\":\"7\"",
        );
    let (blocks, _) = content(line.as_bytes()).unwrap();
    assert_eq!(blocks[0].timestamp, Timestamp::integer(7).unwrap());
}

#[test]
fn errors_contain_their_place() {
    let line = text(Format::Ndjson);
    let two = format!("{line}{}", line.replace("\"index\":0", "\"index\":-1"));
    assert_eq!(
        rejected(&two),
        format!(
            "block 1, line 2, byte {}: not well-formed: invalid value: integer `-1`, expected u64",
            line.len()
        )
    );
    for (from, to, reason) in [
        (
            "\"proof\":null",
            "\"proof\":\"7\"",
            "breaks rule 1: the genesis block has proof 7",
        ),
        (
            "\"proof\":null",
            "\"proof\":7",
            "not well-formed: invalid type: integer `7`",
        ),
        (
            "\"proof\":null",
            "\"proof\":\"x\\u001b\"",
            "not well-formed: a proof is an integer",
        ),
        (
            "\"previous_hash\":null",
            "\"previous_hash\":\"\\u001b\"",
            "has previous hash \"\u{1b}\", expected none",
        ),
        (
            "\"id\":\"3",
            "\"id\":\"",
            "not well-formed: a message id is 32",
        ),
        (
            "\"timestamp_text\":\"1",
            "\"timestamp_text\":\"x",
            "not well-formed: the time is not a number",
        ),
        (
            "\"timestamp_text\"",
            "\"other\"",
            "not well-formed: missing field `timestamp_text`",
        ),
        ("\"message\":\"", "\"message\":\"\\ud800", "not readable: "),
        (
            "{\"index\"",
            "{\"index\":0,\"index\"",
            "duplicate field `index`",
        ),
    ] {
        let changed = line.replace(from, to);
        assert_ne!(changed, line);
        let error = rejected(&changed);
        assert!(
            error.starts_with("block 0, line 1, byte 0: ") && error.contains(reason),
            "{error}"
        );
    }
    let table = text(Format::Csv);
    for (changed, reason) in [
        (
            table.replace(",proof,", ",p,"),
            "line 1, byte 0: not readable: missing column `proof`",
        ),
        (table.replace("seal", "id"), "duplicate column `id`"),
        (format!("{table}1,2\n"), "block 1, line 3, byte "),
        (
            format!("{table}1,2\n"),
            "not readable: the row has 2 cells, the first one has 9",
        ),
        (
            table.replace("\n0,", "\n0x,"),
            r#"the index is "0x", expected an integer"#,
        ),
    ] {
        let error = rejected(&changed);
        assert!(error.contains(reason), "{error}");
    }
    assert!(rejected("index,id\n").contains("missing column"));
    assert!(
        rejected("{\"blocks\": [], \"mempool\": []}")
            .ends_with("not well-formed: the chain has no block")
    );
    assert!(rejected("{\"mempool\": []}").ends_with("not well-formed: the chain has no block"));
    assert!(rejected("{\"blocks\": [], \"more\": []}").contains("the chain has no block"));
    assert!(
        rejected(&format!("{}x", text(Format::Json)))
            .ends_with("unexpected data after the end of the chain")
    );
}

#[test]
fn invalid_frames_are_rejected() {
    let bytes = written(Format::Bincode, &genesis());
    let error = |bytes: &[u8]| content(bytes).unwrap_err().to_string();
    let mut newer = bytes.clone();
    newer[7] = 2;
    assert_eq!(
        error(&newer),
        "byte 7: not readable: the file has version 2, this program reads version 1"
    );
    let mut huge = bytes.clone();
    huge[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(
        error(&huge).starts_with("block 0, byte 8: not readable: a frame has 4294967295 bytes")
    );
    let longer = [&bytes[..], &[0]].concat();
    assert!(error(&longer).ends_with("unexpected data after the end of the chain"));
    let empty = [&frames::MAGIC[..], &[0; 8]].concat();
    assert!(error(&empty).ends_with("not well-formed: the chain has no block"));
}

#[test]
fn endless_values_are_rejected() {
    for start in [
        "{\"index\":\"",
        "[{\"index\":\"",
        "index,id,previous_hash,timestamp_text,proof,message\n\"",
    ] {
        let endless = start.as_bytes().chain(io::repeat(b'x').take(64 << 20));
        let error = read(endless, |_| Ok::<_, ReadError>(())).unwrap_err();
        assert!(error.to_string().contains("takes more than"), "{error}");
    }
}
