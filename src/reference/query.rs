//! Decoding of query strings and paths as the reference miner's server does it.

/// Returns the first value of the parameter `name` in a query string. `+` becomes a space; a `%`
/// without two hex digits is kept; bytes that are not UTF-8 stay percent-encoded, in upper case.
pub fn value(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key, true) == name).then(|| decode(value, true))
    })
}

/// Decodes a path for an error message.
pub fn decode_path(path: &str) -> String {
    decode(path, false)
}

fn decode(text: &str, plus_is_blank: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let mut byte = [0];
        match *first {
            b'%' if after.len() >= 2 && hex::decode_to_slice(&after[..2], &mut byte).is_ok() => {
                bytes.push(byte[0]);
                rest = &after[2..];
            }
            b'+' if plus_is_blank => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        for byte in chunk.invalid() {
            decoded.push('%');
            decoded.push_str(&hex::encode_upper([*byte]));
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_wins_and_case_matters() {
        assert_eq!(value("message=a&message=b", "message").unwrap(), "a");
        assert_eq!(value("Message=a", "message"), None);
        assert_eq!(value("x=1&message=", "message").unwrap(), "");
        assert_eq!(value("message", "message").unwrap(), "");
        assert_eq!(value("m%65ssage=a", "message").unwrap(), "a");
        assert_eq!(value("", "message"), None);
    }

    #[test]
    fn escapes_are_decoded_as_by_the_reference_miner() {
        let decoded = |text| value(&format!("message={text}"), "message").unwrap();
        assert_eq!(decoded("a+b%2Bc%20d"), "a b+c d");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%4"), "%zz%4");
        assert_eq!(decoded("%C3%A9%ff%fex"), "é%FF%FEx");
        assert_eq!(decoded("a;b=c"), "a;b=c");
        assert_eq!(decode_path("a+b%20c/%C3%A9"), "a+b c/é");
    }
}
