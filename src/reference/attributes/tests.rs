//! Values that a block can hold, and the errors that name the others.

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "attributes may be missing")]
fn located(value: Value<'_>) -> Option<Located<'_>> {
    Some(Located { at: 7, value })
}

fn text(value: &str) -> Option<Located<'_>> {
    located(Value::Text(value.into()))
}

fn integer(value: &str) -> Option<Located<'_>> {
    located(Value::Integer(value.into()))
}

fn block<'a>(
    index: Option<Located<'a>>,
    time: Option<Located<'a>>,
    proof: Option<Located<'a>>,
    previous_hash: Option<Located<'a>>,
) -> BlockAttributes<'a> {
    let message = Message::new(MessageId::from_bytes([1; 16]), String::new()).unwrap();
    BlockAttributes {
        index,
        timestamp: time,
        message: Some(Ok(message)),
        proof,
        previous_hash,
    }
}

#[test]
fn values_that_no_block_can_have_break_a_named_rule() {
    let hash = "a".repeat(64);
    let upper = hash.to_uppercase();
    let none = || located(Value::None);
    let time = || integer("1");
    let cases = [
        (
            0,
            "-1",
            none(),
            none(),
            "breaks rule 1: the genesis block has index -1, expected 0",
        ),
        (
            0,
            "18446744073709551616",
            none(),
            none(),
            "breaks rule 1: the genesis block has index 18446744073709551616, expected 0",
        ),
        (
            0,
            "0",
            integer("5"),
            none(),
            "breaks rule 1: the genesis block has proof 5, expected none",
        ),
        (
            0,
            "0",
            integer("5"),
            text(""),
            "breaks rule 1: the genesis block has proof 5, expected none",
        ),
        (
            0,
            "0",
            none(),
            text(&hash),
            "breaks rule 1: the genesis block has previous hash \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", expected none",
        ),
        (
            3,
            "-3",
            integer("5"),
            text(&hash),
            "breaks rule 2: the index is -3, expected 3",
        ),
        (
            3,
            "4",
            none(),
            text(&hash),
            "breaks rule 2: the index is 4, expected 3",
        ),
        (
            3,
            "3",
            integer("5"),
            none(),
            "breaks rule 3: there is no previous hash",
        ),
        (
            3,
            "3",
            none(),
            text("x\u{7}"),
            "breaks rule 3: the previous hash is \"x\u{7}\", expected 64 lower-case hex digits",
        ),
        (
            3,
            "3",
            integer("5"),
            text(&upper),
            "breaks rule 3: the previous hash is \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", expected 64 lower-case hex digits",
        ),
        (
            3,
            "3",
            integer("5"),
            integer("5"),
            "breaks rule 3: the previous hash is the number 5, expected 64 lower-case hex digits",
        ),
        (
            3,
            "3",
            none(),
            text(&hash),
            "breaks rule 4: there is no proof",
        ),
    ];
    for (position, index, proof, previous, expected) in cases {
        let error = block(integer(index), time(), proof, previous)
            .into_block(0, position)
            .unwrap_err();
        assert_eq!(error.to_string(), format!("byte 7: {expected}"));
        let ReadError::Rule { violation, .. } = error else {
            panic!("{expected}")
        };
        assert!(expected.contains(&format!("rule {}", violation.rule())));
    }
}

#[test]
fn values_of_another_type_are_not_well_formed() {
    let none = || located(Value::None);
    let zero = || integer("0");
    let cases = [
        (
            located(Value::Float(1.0)),
            zero(),
            none(),
            "the index is the number 1.0, expected an integer",
        ),
        (
            located(Value::Boolean(true)),
            zero(),
            none(),
            "the index is true, expected an integer",
        ),
        (None, zero(), none(), "the attribute `_index` is missing"),
        (
            zero(),
            located(Value::Float(f64::NAN)),
            none(),
            "the time is not a finite number",
        ),
        (
            zero(),
            integer("9007199254740993"),
            none(),
            "the integer time is beyond ±2^53",
        ),
        (
            zero(),
            text("1"),
            none(),
            "the time is the text \"1\", expected a number",
        ),
        (
            zero(),
            none(),
            none(),
            "the time is none, expected a number",
        ),
        (
            zero(),
            zero(),
            text("28"),
            "the proof is the text \"28\", expected an integer or none",
        ),
        (
            zero(),
            zero(),
            located(Value::Float(28.0)),
            "the proof is the number 28.0, expected an integer or none",
        ),
        (
            zero(),
            zero(),
            located(Value::Other("a list")),
            "the proof is a list, expected an integer or none",
        ),
    ];
    for (index, time, proof, expected) in cases {
        let error = block(index, time, proof, none())
            .into_block(7, 0)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("byte 7: not well-formed: {expected}")
        );
    }
    let digits = "9".repeat(4301);
    let error = block(zero(), zero(), integer(&digits), none()).into_block(7, 0);
    assert_eq!(
        error.unwrap_err().to_string(),
        "byte 7: not well-formed: the proof has too many digits"
    );
}

#[test]
fn a_message_has_an_id_and_a_text() {
    let id = "0123456789abcdef0123456789abcdef";
    let message = |id, text| MessageAttributes { id, text }.into_message(9);
    assert!(message(text(id), text("x")).is_ok());
    let long = "x".repeat(256 * 1024 + 1);
    let cases = [
        (
            None,
            text("x"),
            "9: not well-formed: the attribute `_id` is missing",
        ),
        (
            text(id),
            None,
            "9: not well-formed: the attribute `_message` is missing",
        ),
        (
            text("AB"),
            text("x"),
            "7: not well-formed: the id is the text \"AB\", expected 32 lower-case hex digits",
        ),
        (
            located(Value::None),
            text("x"),
            "7: not well-formed: the id is none, expected 32 lower-case hex digits",
        ),
        (
            text(id),
            integer("5"),
            "7: not well-formed: the message is the number 5, expected text",
        ),
        (
            text(id),
            located(Value::LoneSurrogate),
            "7: not well-formed: the message is text with a lone surrogate, expected text",
        ),
        (
            text(id),
            text(&long),
            "7: not well-formed: the message has 262145 bytes, more than the 262144 a block may contain",
        ),
    ];
    for (id, text, expected) in cases {
        let error = message(id, text).unwrap_err();
        assert_eq!(error.to_string(), format!("byte {expected}"));
    }
}
