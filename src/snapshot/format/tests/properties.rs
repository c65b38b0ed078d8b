//! Random chains in every format: complete, truncated and changed.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn message() -> impl Strategy<Value = Message> {
    // Starts of formulas, quotes, separators and line breaks are more frequent than in random text.
    let text = prop_oneof![
        any::<String>(),
        "[=+@'\t\r\n\",;-]{0,4}[a-z\"',\r\n]{0,8}",
        "(\\PC|\u{0}|\u{1b}|\u{202e}|\u{feff}){0,20}",
    ];
    (any::<[u8; 16]>(), text)
        .prop_map(|(id, text)| Message::new(MessageId::from_bytes(id), text).unwrap())
}

/// Blocks with links that need not hold: files keep what they are given.
fn chain() -> impl Strategy<Value = Content> {
    let time = prop_oneof![
        any::<f64>().prop_filter_map("finite", |seconds| Timestamp::float(seconds).ok()),
        (-(1_i64 << 53)..=1 << 53).prop_map(|seconds| Timestamp::integer(seconds).unwrap()),
    ];
    let link = (any::<[u8; 32]>(), "0|-?[1-9][0-9]{0,120}").prop_map(|(hash, proof)| Link {
        previous_hash: BlockHash::from_bytes(hash),
        proof: proof.parse().unwrap(),
    });
    let blocks = proptest::collection::vec((time, message(), link), 1..6);
    let blocks = blocks.prop_map(|parts| {
        (0..)
            .zip(parts)
            .map(|(index, (timestamp, message, link))| Block {
                index,
                timestamp,
                message,
                link: (index > 0).then_some(link),
            })
            .collect()
    });
    (blocks, proptest::collection::vec(message(), 0..3))
}

const STARTS: [&[u8]; 8] = [
    b"",
    b"[{",
    b"{\"index\":0,",
    b"{\"blocks\":[",
    b"index,id\n",
    &frames::MAGIC,
    b"\x80\x04]",
    b"index,previous_hash,timestamp_text,proof,id,message\n",
];

proptest! {
    #[test]
    fn every_format_gives_back_the_same_chain(chain in chain()) {
        for format in Format::ALL {
            let bytes = written(format, &chain);
            prop_assert_eq!(ChainReader::new(&bytes[..]).unwrap().format(), format);
            let (blocks, pending) = content(&bytes).unwrap();
            prop_assert_eq!(&blocks, &chain.0, "{:?}", format);
            if format.holds_pending() {
                prop_assert_eq!(&pending, &chain.1, "{:?}", format);
            }
            prop_assert_eq!(written(format, &(blocks, pending)), bytes);
        }
    }

    #[test]
    fn a_plain_array_is_detected_in_any_spacing_and_order(
        chain in chain(), blank in "[ \t\r\n]{0,3}", sorted: bool,
    ) {
        let bytes = written(Format::Json, &(chain.0.clone(), Vec::new()));
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let mut text = format!("{blank}{{{blank}\"blocks\"{blank}:{blank}[");
        for (nth, block) in value["blocks"].as_array().unwrap().iter().enumerate() {
            let mut pairs: Vec<_> = block.as_object().unwrap().iter().collect();
            if !sorted {
                pairs.reverse();
            }
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{blank}\"{key}\"{blank}:{blank}{value}{blank}"))
                .collect();
            text.extend((nth > 0).then_some(","));
            text.extend([&blank, "{", &pairs.join(","), "}", &blank]);
        }
        text.extend(["]", &blank, "}", &blank]);
        let read = content(text.as_bytes()).unwrap();
        prop_assert_eq!(&read.0, &chain.0);
        let array = &text[text.find('[').unwrap()..=text.rfind(']').unwrap()];
        prop_assert_eq!(&content(array.as_bytes()).unwrap().0, &chain.0);
    }

    #[test]
    fn a_truncated_file_is_never_read_as_another_chain(chain in chain(), at: Index) {
        for format in Format::ALL {
            let bytes = written(format, &chain);
            let end = at.index(bytes.len());
            match content(&bytes[..end]) {
                Err(_) => {}
                // Only whitespace or whole lines are missing.
                Ok((blocks, _)) if matches!(format, Format::Ndjson | Format::Csv) => {
                    prop_assert!(chain.0.starts_with(&blocks));
                }
                Ok((blocks, _)) => {
                    prop_assert_eq!(blocks, chain.0.clone(), "{:?}", format);
                    prop_assert!(bytes[end..].trim_ascii().is_empty());
                }
            }
        }
    }

    #[test]
    fn changed_bytes_never_panic_and_plain_formats_notice(
        chain in chain(), at: Index, change in 1..=255_u8,
    ) {
        for format in Format::ALL {
            let mut bytes = written(format, &chain);
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            if let Ok((blocks, _)) = content(&bytes)
                && matches!(format, Format::Json | Format::Ndjson)
            {
                // The hash of the block binds every field that is read.
                prop_assert_eq!(blocks.len(), chain.0.len());
                let same = blocks.iter().zip(&chain.0).filter(|(a, b)| a == b).count();
                // The name of the key `hash` itself may be what was changed.
                prop_assert!(same + 1 >= chain.0.len());
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes: Vec<u8>,
        start in proptest::sample::select(&STARTS),
    ) {
        let _ = content(&[start, &bytes].concat());
    }
}
