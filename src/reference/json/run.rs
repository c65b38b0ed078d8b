//! Finds the end of a run of unescaped text in a JSON string.

/// Returns the number of bytes before the first quote, backslash or control character. Compares eight
/// bytes at a time, because most of a chain file is text.
pub(super) fn run_length(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // Only the lowest bit that `below` sets is exact, because a borrow affects higher bytes.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = equal(word, b'"') | equal(word, b'\\') | below(word, b' ');
        if found != 0 {
            return Some(8 * place + found.trailing_zeros() as usize / 8);
        }
    }
    let end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    let found = rest.iter().position(end)?;
    Some(bytes.len() - rest.len() + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
    fn a_run_ends_where_a_bytewise_search_ends(
            bytes in proptest::collection::vec(prop_oneof![
                any::<u8>(), 0x1e_u8..0x24, 0x5a_u8..0x5e, 0x7e_u8..0x84, 0x9e_u8..0xa4
            ], 0..40),
        ) {
            let end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            prop_assert_eq!(run_length(&bytes), bytes.iter().position(end));
        }
    }
}
