//! Damaged and hostile files: an error or a chain, never a panic, in bounded memory and time.

use std::io::{self, Read};

use proptest::prelude::*;

use super::*;

const SMALL: [&str; 5] = [
    "json_3",
    "pickle_3",
    "pickle_proto0",
    "pickle_proto1",
    "pickle_proto3",
];

#[test]
fn a_file_truncated_at_any_byte_is_not_readable() {
    for name in SMALL {
        let bytes = chain_file(name);
        for end in 0..bytes.len() {
            let error = Format::of(name).read(&bytes[..end]).unwrap_err();
            assert!(
                matches!(error, ReadError::NotReadable { .. }),
                "{name} {end}: {error}"
            );
            assert!(
                error.location().offset <= end as u64,
                "{name} {end}: {error}"
            );
        }
    }
}

#[test]
fn changing_any_single_byte_never_panics() {
    for name in SMALL {
        let mut bytes = chain_file(name);
        for at in 0..bytes.len() {
            let right = bytes[at];
            for wrong in [right ^ 1, right ^ 0x80, b'"'] {
                bytes[at] = wrong;
                check(Format::of(name), &bytes);
            }
            bytes[at] = right;
        }
    }
}

/// Reads a file, and asserts that the result can be written and read again.
fn check(format: Format, bytes: &[u8]) {
    match format.read(bytes) {
        Ok(blocks) => assert!(format.read(&format.write(&blocks)).unwrap() == blocks),
        Err(error) => assert!(error.to_string().len() < 1000),
    }
}

#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        any::<Vec<u8>>(),
        proptest::sample::select(vec![
            "null",
            "true",
            "NaN",
            "-Infinity",
            "-0",
            "1e400",
            "[",
            "{",
            "\"py/id\": 2",
            "\\ud800",
            "\\u00e9",
            "\"\"",
            ", ",
            "\u{feff}",
            "(",
            ")\u{81}",
            "}(u",
            "b",
            "t",
            "0",
            "h\u{7}",
        ])
        .prop_map(|piece| piece
            .chars()
            .map(|c| u8::try_from(c).unwrap_or(b'?'))
            .collect()),
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<usize>(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<usize>(), 1_usize..400).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<usize>(), any::<usize>(), 1_usize..400)
            .prop_map(|(from, to, count)| Change::Repeat(from, to, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let place = |at: usize| at % (bytes.len() + 1);
    match change {
        Change::Set(at, byte) => {
            let at = place(*at);
            if let Some(old) = bytes.get_mut(at) {
                *old = *byte;
            }
        }
        Change::Insert(at, piece) => {
            let at = place(*at);
            bytes.splice(at..at, piece.iter().copied());
        }
        Change::Remove(at, count) => {
            let at = place(*at);
            bytes.drain(at..(at + count).min(bytes.len()));
        }
        Change::Repeat(from, to, count) => {
            let (from, to) = (place(*from), place(*to));
            let piece = bytes[from..(from + count).min(bytes.len())].to_vec();
            bytes.splice(to..to, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_damage_gives_an_error_or_a_chain(
        name in proptest::sample::select(&SMALL[..]),
        changes in proptest::collection::vec(change(), 1..4),
    ) {
        let mut bytes = chain_file(name);
        for change in &changes {
            apply(&mut bytes, change);
        }
        check(Format::of(name), &bytes);
    }

    #[test]
    fn any_bytes_give_an_error(bytes: Vec<u8>) {
        for format in Format::BOTH {
            prop_assert!(format.read(&bytes).is_err());
        }
    }
}

/// Returns the reason for rejecting these bytes, without the location.
fn reason(format: Format, bytes: &[u8]) -> String {
    let text = format.read(bytes).unwrap_err().to_string();
    text.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn deep_nesting_is_rejected() {
    let deep = |open: &str| open.repeat(1_000_000);
    for (text, expected) in [
        (
            deep("["),
            "not readable: expected a blockchain.blockchain.block.Block object, found `[`",
        ),
        (
            format!("[{{\"x\": {}", deep("[")),
            "not readable: nested deeper than 64 levels",
        ),
        (
            format!("[{}", deep("{\"x\": ")),
            "not readable: nested deeper than 64 levels",
        ),
        (
            format!("[{}", deep("{\"_data\": ")),
            "not readable: nested deeper than 64 levels",
        ),
    ] {
        assert_eq!(reason(Format::Json, text.as_bytes()), expected);
    }
    for (bytes, expected) in [
        (deep("("), "not readable: nested deeper than 64 marks"),
        (
            deep("]"),
            "not readable: more than 65536 values on the stack",
        ),
        (
            deep("}"),
            "not readable: more than 65536 values on the stack",
        ),
        (deep("(]"), "not readable: nested deeper than 64 marks"),
        (deep("]a"), "not readable: the stack is empty"),
        (
            format!("]{}", deep("]a")),
            "not readable: expected a block, found a list",
        ),
        (
            deep("N"),
            "not readable: more than 65536 values on the stack",
        ),
        (
            format!("(l{}", deep("(dV_data\n(ds")),
            "not readable: more than 65536 values on the stack",
        ),
    ] {
        assert_eq!(reason(Format::Pickle, bytes.as_bytes()), expected);
    }
}

#[test]
fn false_lengths_and_numbers_allocate_no_memory() {
    let cases: [(&[u8], &str); 14] = [
        (
            b"\x80\x04X\xff\xff\xff\xff",
            "not well-formed: a text of 4294967295 bytes, more than the 262144 a block may contain",
        ),
        (
            b"\x80\x04X\x00\x00\x04\x00abc",
            "not readable: the file is truncated",
        ),
        (
            b"\x80\x04\x8b\xff\xff\xff\xff",
            "not readable: an integer of 4294967295 bytes",
        ),
        (
            b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff]",
            "not readable: a frame of 18446744073709551615 bytes",
        ),
        (
            b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x0f]",
            "not readable: the file is truncated",
        ),
        (
            b"\x80\x04\x95\x02\0\0\0\0\0\0\0K\x01K\x01",
            "not readable: the file is truncated",
        ),
        (
            b"\x80\x04\x95\x01\0\0\0\0\0\0\0K\x01.",
            "not readable: the frame ends inside an instruction, at byte 12",
        ),
        (
            b"\x80\x04\x95\x09\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0",
            "not readable: a frame inside a frame",
        ),
        (
            b"]r\xff\xff\xff\xffj\xfe\xff\xff\xff",
            "not readable: object 4294967294 is not in the memo",
        ),
        (
            b"]p4294967296\n",
            "not readable: \"4294967296\" is not a memo number",
        ),
        (b"]p-1\n", "not readable: \"-1\" is not a memo number"),
        (
            b"]r\x00\x02\x00\x00r\xff\x01\x00\x00",
            "not readable: memo number 511 is lower than the one before",
        ),
        (b"h\x05", "not readable: object 5 is not in the memo"),
        (b"\x80\x06].", "not readable: protocol 6 is not supported"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(reason(Format::Pickle, bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn only_the_known_names_are_allowed() {
    let cases: [(&[u8], &str); 9] = [
        (
            b"cos\nsystem\n(S'id'\ntR.",
            "not readable: the name \"os.system\" is not allowed",
        ),
        (
            b"\x80\x04\x8c\x05posix\x8c\x06system\x93",
            "not readable: the name \"posix.system\" is not allowed",
        ),
        (
            b"cblockchain.blockchain.data\nuuid4\n)R.",
            "not readable: the name \"blockchain.blockchain.data.uuid4\" is not allowed",
        ),
        (
            b"cos\n_reconstructor\n",
            "not readable: the name \"os._reconstructor\" is not allowed",
        ),
        (
            b"c__builtin__\nobject\n)\x81.",
            "not readable: expected a block or a message to be created",
        ),
        (
            b"cblockchain.blockchain.data\nData\n)R.",
            "not readable: expected a block or a message to be created",
        ),
        (
            b"ccopy_reg\n_reconstructor\n)R.",
            "not readable: expected a block or a message to be created",
        ),
        (
            b"S'text'\n.",
            "not readable: the instruction `S` is not allowed",
        ),
        (b"]2", "not readable: the instruction `2` is not allowed"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(reason(Format::Pickle, bytes), expected);
    }
    for tag in [
        "reduce", "function", "type", "repr", "set", "tuple", "b64", "newargs", "",
    ] {
        let expected = format!("not readable: the tag \"py/{tag}\" is not allowed");
        let block = chain_file("json_genesis");
        let block = str::from_utf8(&block).unwrap();
        let outside = block.replace("\"_index\"", &format!("\"py/{tag}\": 1, \"_index\""));
        assert_eq!(
            reason(Format::Json, outside.as_bytes()),
            format!("{expected} here")
        );
        let inside = block.replace(
            "\"_index\"",
            &format!("\"x\": [{{\"py/{tag}\": 1}}], \"_index\""),
        );
        assert_eq!(reason(Format::Json, inside.as_bytes()), expected);
    }
}

#[test]
fn an_endless_block_is_rejected() {
    let cases: [(&str, u8, &str); 4] = [
        (
            "[",
            b' ',
            "not readable: one block takes more than 4194304 bytes",
        ),
        (
            "[{\"",
            b'x',
            "not readable: one block takes more than 4194304 bytes",
        ),
        (
            "[{\"_message\": 1",
            b'1',
            "not readable: one block takes more than 4194304 bytes",
        ),
        (
            "[{\"_message\": \"\\u0041",
            b'y',
            "not readable: one block takes more than 4194304 bytes",
        ),
    ];
    for (start, byte, expected) in cases {
        let source = start.as_bytes().chain(io::repeat(byte));
        let error = json::JsonChainReader::new(source)
            .next()
            .unwrap()
            .unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
    }
    let source = b"V".chain(io::repeat(b'x'));
    let error = pickle::PickleChainReader::new(source)
        .next()
        .unwrap()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("a line of more than 3145728 bytes"),
        "{error}"
    );
}
