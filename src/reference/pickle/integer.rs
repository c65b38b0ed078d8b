//! Converts integers of any size between decimal text and two's complement, little-endian.

use std::fmt::Write;

/// Number of decimal digits converted at once.
const CHUNK: usize = 9;
const CHUNK_VALUE: u64 = 1_000_000_000;

/// Converts checked decimal text to the shortest two's complement encoding.
pub(super) fn to_bytes(text: &str) -> Vec<u8> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits.as_bytes()),
        None => (false, text.as_bytes()),
    };
    let mut limbs: Vec<u32> = Vec::with_capacity(digits.len() / CHUNK + 1);
    let head = digits.len() % CHUNK;
    for chunk in std::iter::once(&digits[..head]).chain(digits[head..].chunks(CHUNK)) {
        let value = chunk
            .iter()
            .fold(0, |value, digit| 10 * value + u64::from(digit & 15));
        let mut carry = value;
        for limb in &mut limbs {
            carry += u64::from(*limb) * CHUNK_VALUE;
            *limb = low(carry);
            carry >>= 32;
        }
        if carry > 0 {
            limbs.push(low(carry));
        }
    }
    let mut bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    bytes.push(0);
    if negative {
        negate(&mut bytes);
    }
    let sign = if negative { 0xff } else { 0 };
    while let [.., before, last] = bytes[..] {
        if last != sign || (before ^ sign) & 0x80 != 0 {
            break;
        }
        bytes.pop();
    }
    bytes
}

/// Converts two's complement bytes to decimal text. No bytes are 0.
pub(super) fn to_text(bytes: &[u8]) -> String {
    let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut magnitude = bytes.to_vec();
    if negative {
        negate(&mut magnitude);
    }
    let mut limbs: Vec<u32> = magnitude
        .chunks(4)
        .map(|chunk| {
            let value = chunk.iter().rev();
            value.fold(0, |value, byte| value << 8 | u32::from(*byte))
        })
        .collect();
    let mut chunks = Vec::new();
    loop {
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        if limbs.is_empty() {
            break;
        }
        let mut rest = 0;
        for limb in limbs.iter_mut().rev() {
            let value = rest << 32 | u64::from(*limb);
            *limb = low(value / CHUNK_VALUE);
            rest = value % CHUNK_VALUE;
        }
        chunks.push(rest);
    }
    let mut text = String::with_capacity(chunks.len() * CHUNK + 1);
    if negative {
        text.push('-');
    }
    text += &chunks.pop().unwrap_or(0).to_string();
    for chunk in chunks.iter().rev() {
        // Writing into a String cannot fail.
        let _ = write!(text, "{chunk:09}");
    }
    text
}

fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "returns the lower half")]
fn low(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encodings_are_the_shortest_that_keep_the_sign() {
        for (text, hex) in [
            ("0", "00"),
            ("127", "7f"),
            ("128", "8000"),
            ("-128", "80"),
            ("-129", "7fff"),
            ("-1", "ff"),
            ("-256", "00ff"),
            ("255", "ff00"),
            ("2147483648", "0000008000"),
            ("-2147483649", "ffffff7fff"),
            ("18446744073709551616", "000000000000000001"),
            ("1000000000", "00ca9a3b"),
        ] {
            assert_eq!(hex::encode(to_bytes(text)), hex, "{text}");
            assert_eq!(to_text(&hex::decode(hex).unwrap()), text);
        }
        assert_eq!(to_text(&[]), "0");
        assert_eq!(to_text(&[1, 0, 0, 0, 0, 0]), "1");
        assert_eq!(to_text(&[0xff, 0xff, 0xff]), "-1");
    }

    proptest! {
        #[test]
        fn integers_match_those_of_the_machine(value: i128) {
            let text = value.to_string();
            let bytes = to_bytes(&text);
            prop_assert!(value.to_le_bytes().starts_with(&bytes[..bytes.len().min(16)]));
            prop_assert_eq!(to_text(&value.to_le_bytes()), text);
        }

        #[test]
        fn any_integer_reads_back(text in "-?[1-9][0-9]{0,400}") {
            prop_assert_eq!(to_text(&to_bytes(&text)), text);
        }
    }
}
