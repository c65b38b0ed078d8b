//! Handmade pickles that Python would not write: some are accepted, the others rejected.

use super::*;
use crate::chain::Message;

const DATA: &str = "cblockchain.blockchain.data\nData\n)\u{81}}(V_id\n\
    V00112233445566778899aabbccddeeff\nV_message\nVtext\nub";

/// The genesis block with these instructions for the message and for a further attribute.
fn genesis(data: &str, further: &str) -> String {
    format!(
        "cblockchain.blockchain.block\nBlock\n)\u{81}}}(V_index\nI0\nV_timestamp\nF1.5\n\
         V_data\n{data}V_proof\nNV_previous_hash\nN{further}ub"
    )
}

/// Reads a program whose characters are its bytes.
fn read(program: &str) -> Result<Vec<Block>, ReadError> {
    let byte = |character| u8::try_from(character).unwrap();
    let bytes: Vec<u8> = program.chars().map(byte).collect();
    Format::Pickle.read(&bytes)
}

fn reason(program: &str) -> String {
    let text = read(program).unwrap_err().to_string();
    text.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn unknown_attributes_are_skipped() {
    let same = read(&format!("]({}e.", genesis(DATA, ""))).unwrap();
    assert_eq!(same[0].message.text(), "text");
    let inner = genesis(DATA, "");
    for further in [
        "V_x\nN".to_owned(),
        "I5\n\u{88}".to_owned(),
        "V_x\n](I1\n](I2\nee".to_owned(),
        "V_x\n}V_index\nI7\ns".to_owned(),
        "V_x\n(I1\nI2\nt".to_owned(),
        // Blocks inside another block do not belong to the chain.
        format!("V_x\n{inner}"),
        format!("V_x\n]({inner}{inner}e"),
        format!("V_x\n({inner}t"),
        // Of duplicate keys, the last one counts.
        format!("V_data\n{DATA}"),
    ] {
        let program = format!("]({}e.", genesis(DATA, &further));
        assert_eq!(read(&program).unwrap(), same, "{program}");
    }
    for program in [
        format!("]{}a.", genesis(DATA, "")),
        format!("(l{}a.", genesis(DATA, "")),
        format!("\u{80}\u{2}]p0\n{}p1\na.", genesis(DATA, "")),
    ] {
        assert_eq!(read(&program).unwrap(), same, "{program}");
    }
}

#[test]
fn other_values_than_a_list_of_blocks_are_rejected() {
    let block = genesis(DATA, "");
    for (program, expected) in [
        (
            format!("{block}."),
            "not readable: expected a list of blocks, found a block",
        ),
        (
            format!("({block}t."),
            "not readable: expected a list of blocks, found a tuple",
        ),
        (
            format!("]({block}t."),
            "not readable: a block that is not appended to the chain",
        ),
        (
            format!("]({block}."),
            "not readable: expected a list of blocks, found a block",
        ),
        (format!("](({block}ee."), "not readable: the stack is empty"),
        (format!("]{block}(a."), "not readable: the stack is empty"),
        (
            format!("](I1\n{block}e."),
            "not readable: expected a block, found the number 1",
        ),
        (
            format!("]({DATA}e."),
            "not readable: expected a block, found a message",
        ),
        (
            format!("]{block}Nb."),
            "not readable: expected an object and its attributes",
        ),
        (
            "]}a.".to_owned(),
            "not readable: expected a block, found a dictionary",
        ),
        (
            "](V_x\nu.".to_owned(),
            "not readable: expected a dictionary",
        ),
        (
            "}(V_x\nu.".to_owned(),
            "not readable: a key without a value",
        ),
        (
            "(I1\nl.".to_owned(),
            "not readable: a list or dictionary with initial items",
        ),
        (".".to_owned(), "not readable: the pickle holds nothing"),
        ("]e.".to_owned(), "not readable: there is no mark"),
        (
            "]I0x\n.".to_owned(),
            "not readable: \"0x\" is not an integer",
        ),
        ("]Fone\n.".to_owned(), "not readable: expected a number"),
    ] {
        assert_eq!(reason(&program), expected, "{program:?}");
    }
}

#[test]
fn a_reference_to_an_object_of_the_wrong_class_is_rejected() {
    let again = |data: &str| format!("]{}p1\na{}a.", genesis(DATA, ""), genesis(data, ""));
    assert_eq!(
        reason(&format!("]{}p1\nag1\na.", genesis(DATA, ""))),
        "breaks rule 2: an earlier block is repeated here, expected index 1"
    );
    assert_eq!(
        reason(&again("g1\n")),
        "not well-formed: the data is a block, expected a message"
    );
    assert_eq!(
        reason(&again("N")),
        "not well-formed: the data is none, expected a message"
    );
    assert_eq!(
        reason(&again("I01\n")),
        "not well-formed: the data is true, expected a message"
    );
    let kept = format!("{DATA}p7\n");
    let twice = format!("]{}a{}a.", genesis(&kept, ""), genesis("g7\n", ""));
    let messages: Vec<Message> = read(&twice)
        .unwrap()
        .into_iter()
        .map(|block| block.message)
        .collect();
    assert_eq!(messages[0], messages[1]);
}
