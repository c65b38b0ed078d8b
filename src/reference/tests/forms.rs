//! Spellings of JSON: accepted if the block stays the same, rejected with a reason otherwise.

use super::*;
use crate::chain::BlockHash;
use crate::reference::json::{ChainBody, JsonChainReader, read_messages, read_neighbours};

const ID: &str = "317b96608b39c0312031c84223d868c7";

fn genesis() -> String {
    String::from_utf8(chain_file("json_genesis")).unwrap()
}

/// The genesis block with one piece of its text replaced.
fn with(old: &str, new: &str) -> String {
    let text = genesis();
    assert_eq!(text.matches(old).count(), 1, "{old}");
    text.replace(old, new)
}

fn read(text: &str) -> Result<Vec<Block>, ReadError> {
    Format::Json.read(text.as_bytes())
}

#[test]
fn insignificant_differences_are_accepted() {
    let same = read(&genesis()).unwrap();
    let state = with("\"_index\"", "\"py/state\": {\"_index\"").replace("null}]", "null}}]");
    for text in [
        genesis().replace("\": ", "\":").replace(", \"", ",\""),
        genesis()
            .replace("\": ", "\"\t:\r\n")
            .replace(", \"", " , \""),
        with("\"_index\": 0", "\"_index\": -0"),
        with(
            "\"_index\": 0",
            "\"_index\": 7, \"_index\": \"x\", \"_index\": 0",
        ),
        with("1600000000.0", "1.6e9"),
        with("1600000000.0", "16E+8"),
        with(
            "1600000000.0",
            "1600000000.00000000000000000000000000000001",
        ),
        with("\"_index\"", "\"_\\u0069ndex\""),
        with("\"This is", "\"\\u0054his is"),
        with(
            "\"_index\"",
            "\"_x\": {\"a\": [1, {}, [], NaN, -Infinity, \"\\ud800\"]}, \"_index\"",
        ),
        with("\"_index\"", "\"__dict__\": {\"_index\": 5}, \"_index\""),
        with("\"_index\"", "\"\\udc00\": true, \"_index\""),
        with("\"_data\": {", "\"_data\": 5, \"_data\": {"),
        state,
    ] {
        assert_eq!(read(&text).unwrap(), same, "{text}");
    }
}

#[test]
fn the_message_is_not_changed() {
    for (json, text) in [
        ("\"\"", ""),
        (
            "\"\\ud83d\\ude00 \\/ \\b\\f\\n\\r\\t\\\\\\\"\"",
            "😀 / \u{8}\u{c}\n\r\t\\\"",
        ),
        ("\"é😀\u{7f}\"", "é😀\u{7f}"),
        ("\"\\u0000\\uFFFF\\u00e9\"", "\0\u{ffff}é"),
    ] {
        let read = read(&with(&quoted_genesis_text(), json)).unwrap();
        assert_eq!(read[0].message.text(), text);
    }
}

fn quoted_genesis_text() -> String {
    format!("\"{}\"", crate::chain::block::GENESIS_TEXT)
}

#[test]
fn the_type_of_a_time_is_kept() {
    let float = read(&genesis()).unwrap();
    let integer = read(&with("1600000000.0", "1600000000")).unwrap();
    assert_ne!(BlockHash::of(&float[0]), BlockHash::of(&integer[0]));
    assert_eq!(integer[0].timestamp.to_string(), "1600000000");
    let zero = read(&with("1600000000.0", "-0")).unwrap();
    assert_eq!(zero[0].timestamp.to_string(), "0");
    let zero = read(&with("1600000000.0", "-0.0")).unwrap();
    assert_eq!(zero[0].timestamp.to_string(), "-0.0");
    // Halfway between two doubles and a digit beyond: only exact rounding gets both.
    let text = "9007199254740993.0";
    let half = read(&with("1600000000.0", text)).unwrap();
    assert_eq!(half[0].timestamp.to_string(), "9007199254740992.0");
    let more = read(&with("1600000000.0", &format!("{text}{:0>400}", 1))).unwrap();
    assert_eq!(more[0].timestamp.to_string(), "9007199254740994.0");
}

#[track_caller]
fn assert_rejected(text: &str, expected: &str) {
    assert_eq!(read(text).unwrap_err().to_string(), expected, "{text}");
}

#[test]
fn other_formats_are_not_readable() {
    let block = "block 0, byte 1: not readable";
    let cases = [
        (
            "\u{feff}".to_owned() + &genesis(),
            "byte 0: not readable: the file starts with a byte order mark",
        ),
        (
            genesis() + "\u{0}",
            "byte 310: not readable: unexpected data after the end of the chain",
        ),
        (
            genesis() + " []",
            "byte 311: not readable: unexpected data after the end of the chain",
        ),
        (
            with("null}]", "null},]"),
            "block 1, byte 310: not readable: expected a blockchain.blockchain.block.Block object, found `]`",
        ),
        (
            with("null}]", "null,}]"),
            "block 0, byte 309: not readable: expected a key in quotes, found `}`",
        ),
        (
            with("null}]", "null} {}]"),
            "block 1, byte 310: not readable: expected a comma or the end of the list, found `{`",
        ),
        (
            with("1600000000.0", "01"),
            "block 0, byte 80: not readable: expected a comma or the end of the object, found `1`",
        ),
        (
            with("1600000000.0", "1."),
            "block 0, byte 81: not readable: expected a digit, found `,`",
        ),
        (
            with("1600000000.0", "+1"),
            "block 0, byte 79: not readable: expected a value, found `+`",
        ),
        (
            with("1600000000.0", "nul"),
            "block 0, byte 82: not readable: expected the word null, found `,`",
        ),
        (
            with("\"_index\": 0", "\"index\": 0"),
            "block 0, byte 61: not readable: the key \"index\" cannot be set",
        ),
        (
            with("\"_id\"", "\"id\""),
            "block 0, byte 157: not readable: the key \"id\" cannot be set",
        ),
        (
            with("This is", "\\x41"),
            "block 0, byte 207: not readable: unknown escape \\ and `x`",
        ),
        (
            with("This is", "\\u12g4"),
            "block 0, byte 207: not readable: expected four hex digits after \\u",
        ),
        (
            with("This is", "a\tb"),
            "block 0, byte 208: not readable: raw control character byte 0x09",
        ),
        (
            with(
                "\"py/object\": \"blockchain.blockchain.block.Block\"",
                "\"py/id\": 0, \"a\": 1",
            ),
            &format!("{block}: py/id next to other keys"),
        ),
        (
            with("\"_index\"", "\"py/state\": {}, \"_index\""),
            &format!("{block}: py/state next to other keys"),
        ),
        (
            "[null]".to_owned(),
            "block 0, byte 1: not readable: expected a blockchain.blockchain.block.Block object, found `n`",
        ),
        (
            "{}".to_owned(),
            "byte 0: not readable: expected a list of blocks, found `{`",
        ),
        (
            " \n".to_owned(),
            "byte 2: not readable: the file is truncated",
        ),
    ];
    for (text, expected) in cases {
        assert_rejected(&text, expected);
    }
    for bytes in [
        &b"\xff\xfe[\0"[..],
        b"[{\"\xff\": 1",
        b"[{\"\xed\xa0\x80\": 1",
    ] {
        assert!(Format::Json.read(bytes).is_err());
    }
}

#[test]
fn values_that_no_block_can_have_are_not_well_formed() {
    let cases = [
        (
            with("1600000000.0", "NaN"),
            "block 0, byte 79: not well-formed: the time is not a finite number",
        ),
        (
            with("1600000000.0", "-Infinity"),
            "block 0, byte 79: not well-formed: the time is not a finite number",
        ),
        (
            with("1600000000.0", "1e999"),
            "block 0, byte 79: not well-formed: the time is not a finite number",
        ),
        (
            with("\"_index\": 0", "\"_index\": 0e0"),
            "block 0, byte 62: not well-formed: the index is the number 0.0, expected an integer",
        ),
        (
            with("\"_index\": 0", "\"_index\": false"),
            "block 0, byte 62: not well-formed: the index is false, expected an integer",
        ),
        (
            with("\"_id\"", "\"_Id\""),
            "block 0, byte 102: not well-formed: the attribute `_id` is missing",
        ),
        (
            with("This is", "\\ud800"),
            "block 0, byte 206: not well-formed: the message is text with a lone surrogate, expected text",
        ),
        (
            with("This is", "\\ud800\\ud800\\udc00"),
            "block 0, byte 206: not well-formed: the message is text with a lone surrogate, expected text",
        ),
        (
            with("This is", "\\udc00"),
            "block 0, byte 206: not well-formed: the message is text with a lone surrogate, expected text",
        ),
        (
            with(&quoted_genesis_text(), "5"),
            "block 0, byte 206: not well-formed: the message is the number 5, expected text",
        ),
        (
            with(&quoted_genesis_text(), "null"),
            "block 0, byte 206: not well-formed: the message is none, expected text",
        ),
        (
            with(
                &quoted_genesis_text(),
                &format!("\"{}\"", "x".repeat(262_145)),
            ),
            "block 0, byte 206: not well-formed: the message has 262145 bytes, more than the 262144 a block may contain",
        ),
    ];
    for (text, expected) in cases {
        assert_rejected(&text, expected);
    }
}

/// A chain of three blocks whose last has `data`; `before` stands in the first block.
fn referring(before: &str, data: &str) -> String {
    let block = |index: u32, data: &str, more: &str| {
        format!(
            "{{\"py/object\": \"blockchain.blockchain.block.Block\", \"_index\": {index}{more}, \"_timestamp\": {index}, \"_data\": {data}, \"_proof\": null, \"_previous_hash\": null}}"
        )
    };
    let own = |text: &str| {
        format!(
            "{{\"py/object\": \"blockchain.blockchain.data.Data\", \"_id\": \"{ID}\", \"_message\": \"{text}\"}}"
        )
    };
    let (zero, one) = (block(0, &own("a"), before), block(1, &own("b"), ""));
    format!("[{zero}, {one}, {}]", block(2, data, ""))
}

#[test]
fn a_reference_to_an_earlier_message_is_followed() {
    // Objects are numbered as they begin: block 1, message 2, block 3, message 4.
    for (number, text) in [("2", "a"), ("4", "b")] {
        let blocks = read(&referring("", &format!("{{\"py/id\": {number}}}"))).unwrap();
        assert_eq!(blocks[2].message.text(), text);
        assert_eq!(blocks[2].message, blocks[usize::from(text == "b")].message);
    }
    let none = |number: &str| format!("py/id {number} is not one of the most recent messages");
    let positive = |found: &str| format!("py/id is {found}, expected a number from 1");
    let nested = "py/id after an unknown key with objects is not supported".to_owned();
    for (before, number, expected) in [
        ("", "1", none("1")),
        ("", "5", none("5")),
        ("", "99", none("99")),
        ("", "0", positive("the number 0")),
        ("", "-1", positive("the number -1")),
        ("", "2.0", positive("the number 2.0")),
        ("", "true", positive("true")),
        (", \"_x\": []", "4", nested.clone()),
        (", \"_x\": {\"y\": 1}", "4", nested.clone()),
    ] {
        let error = read(&referring(before, &format!("{{\"py/id\": {number}}}"))).unwrap_err();
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    // Attributes inside py/state count, too: block 1, state 2, message 3, block 4, message 5.
    let text = referring("", "{\"py/id\": 5}");
    let (first, rest) = text.split_once("}, {").unwrap();
    let first = first.replacen("\"_index\"", "\"py/state\": {\"_index\"", 1);
    let blocks = read(&format!("{first}}}}}, {{{rest}")).unwrap();
    assert_eq!(blocks[2].message.text(), "b");
}

#[test]
fn a_reference_to_an_earlier_block_breaks_rule_2() {
    let text = genesis().replace("}]", "}, {\"py/id\": 1}]");
    assert_eq!(
        read(&text).unwrap_err().to_string(),
        "block 1, byte 311: breaks rule 2: an earlier block is repeated here, expected index 1"
    );
}

#[test]
fn the_chain_in_a_response_is_read_while_it_arrives() {
    let body = std::fs::read(path("answer_4.json")).unwrap();
    let blocks: Result<Vec<Block>, _> = JsonChainReader::new(ChainBody::new(&body[..])).collect();
    let blocks = blocks.unwrap();
    assert_eq!(blocks.len(), 4);
    for pair in blocks.windows(2) {
        let previous = pair[1].link.as_ref().unwrap().previous_hash;
        assert_eq!(previous, BlockHash::of(&pair[0]));
    }
    let cut = JsonChainReader::new(ChainBody::new(&body[..900]))
        .last()
        .unwrap();
    let error = cut.unwrap_err().to_string();
    assert!(error.ends_with("the response is truncated"), "{error}");
}

#[test]
fn pending_messages_are_read_from_a_set_a_list_or_a_tuple() {
    let good = format!(
        r#"{{"py/object": "blockchain.blockchain.data.Data", "_id": "{ID}", "_message": "é"}}"#
    );
    let short = good.replace(ID, "1");
    for text in [
        format!("{{\"py/set\": [{good}, {short}, {{\"py/id\": 1}}, 5, {good}]}}"),
        format!(" [{good}, {short}, null, \"x\", {good}] "),
        format!("{{\"py/tuple\": [{good}, {short}, [], [], {good}]}}"),
    ] {
        let messages = read_messages(&text, 10).unwrap();
        assert_eq!(
            (messages.accepted.len(), messages.skipped),
            (2, 3),
            "{text}"
        );
        assert_eq!(messages.accepted[0].text(), "é");
        let messages = read_messages(&text, 1).unwrap();
        assert_eq!((messages.accepted.len(), messages.skipped), (1, 4));
    }
    assert_eq!(
        read_messages("{\"py/set\": []}", 10).unwrap(),
        read_messages("{}", 10).unwrap()
    );
    for wrong in [
        "",
        "null",
        "[",
        "[]x",
        "\"x\"",
        "{\"a\": []}",
        "{\"py/set\": [], \"py/set\": []}",
        "{\"py/set\": {}}",
        "[{}]",
        "[{\"py/object\": \"os.system\"}]",
        "[{\"py/reduce\": []}]",
    ] {
        assert!(read_messages(wrong, 10).is_err(), "{wrong}");
    }
}

#[test]
fn neighbours_are_read_as_host_and_port() {
    let text = r#"{"py/set": [{"py/tuple": ["127.0.0.1", 5001]}, {"py/tuple": ["h", "5"]}, ["h", 5],
        {"py/tuple": ["h", 99999]}, {"py/tuple": ["h", 0]}, {"py/tuple": ["h", 1, "x"]}, "h:1",
        {"py/tuple": ["", 1]}, {"py/tuple": []}, {"py/tuple": ["peer.example", 65535]}]}"#;
    let neighbours = read_neighbours(text, 10).unwrap();
    let expected = [
        ("127.0.0.1".to_owned(), 5001),
        ("peer.example".to_owned(), 65535),
    ];
    assert_eq!(neighbours.accepted, expected);
    assert_eq!(neighbours.skipped, 8);
    assert_eq!(read_neighbours(text, 1).unwrap().skipped, 9);
    for wrong in [
        "",
        "{\"py/set\": [{\"py/object\": \"x\"}]}",
        "5",
        "[{\"py/tuple\": 5}]",
    ] {
        assert!(read_neighbours(wrong, 10).is_err(), "{wrong}");
    }
}
