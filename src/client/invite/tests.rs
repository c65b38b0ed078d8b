use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<InviteCode, InvalidCode> {
    text.parse()
}

fn hash(byte: u8) -> BlockHash {
    BlockHash::from_bytes([byte; 32])
}

#[test]
fn a_code_names_addresses_genesis_difficulty_and_seal_rule() {
    let code = parse("192.168.1.20+[fe::1]:9+Pc-7.local:80/c0c0c0c0/d6/s1").unwrap();
    let addresses: Vec<_> = code.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        ["192.168.1.20:12345", "[fe::1]:9", "pc-7.local:80"]
    );
    let genesis = code.genesis().unwrap();
    assert!(genesis.matches(&hash(0xc0)) && !genesis.matches(&hash(0xc1)));
    assert_eq!(code.difficulty(), Difficulty::new(6).ok());
    assert_eq!(code.seal_rule(), Some(SealRule::From(1)));
    assert!(code.is_complete());
    for (text, printed) in [
        ("host:12345/C0C0C0C0/SO/D7", "host/c0c0c0c0/d7/so"),
        ("http://Host:80/", "host:80"),
        ("a+b+A:12345+b", "a+b"),
        ("::1/c0c0c0c0", "[::1]/c0c0c0c0"),
        (" host\n", "host"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), printed, "{text}");
    }
}

#[test]
fn a_prefix_of_less_than_32_digits_is_marked_short() {
    let prefix = GenesisPrefix::of(&hash(7), 8);
    let weakness = prefix.weakness().unwrap();
    assert!(weakness.contains("good in a classroom"), "{weakness}");
    assert!(weakness.contains("2^32 hashes"), "{weakness}");
    assert_eq!(GenesisPrefix::of(&hash(7), 32).weakness(), None);
    assert_eq!(GenesisPrefix::of(&hash(7), 1).to_string().len(), 8);
}

#[test]
fn an_invalid_code_is_rejected_and_hardly_quoted() {
    let digits = "9".repeat(100_000);
    for (text, reason) in [
        (String::new(), "is empty"),
        ("/c0c0c0c0".to_owned(), "is empty"),
        ("a\u{1b}[2J/c0c0c0c0".to_owned(), "has no '\\u{1b}'"),
        ("a b".to_owned(), "has no ' '"),
        ("[fe80::1%eth0]/c0c0c0c0".to_owned(), "has no '%'"),
        ("a_b/c0c0c0c0".to_owned(), "has no '_'"),
        ("ä".to_owned(), "has no 'ä'"),
        ("a+/c0c0c0c0".to_owned(), "invalid address"),
        ("a:0/c0c0c0c0".to_owned(), "invalid address"),
        ("127.1/c0c0c0c0".to_owned(), "write 127.0.0.1"),
        ("https://a".to_owned(), "invalid address"),
        ("a/c0c0c0c".to_owned(), "is not the beginning"),
        ("a//d5".to_owned(), "is not the beginning"),
        ("a/d5".to_owned(), "is not the beginning"),
        (format!("a/{}", "c".repeat(65)), "is not the beginning"),
        ("a/c0c0c0cg".to_owned(), "is not the beginning"),
        ("a/c0c0c0c0/d0".to_owned(), "neither a difficulty"),
        ("a/c0c0c0c0/d65".to_owned(), "neither a difficulty"),
        ("a/c0c0c0c0/d+5".to_owned(), "neither a difficulty"),
        ("a/c0c0c0c0/d".to_owned(), "neither a difficulty"),
        ("a/c0c0c0c0/x1".to_owned(), "neither a difficulty"),
        ("a/c0c0c0c0//d5".to_owned(), "neither a difficulty"),
        ("a/c0c0c0c0/s-1".to_owned(), "neither a difficulty"),
        (format!("a/c0c0c0c0/s{}", u128::MAX), "neither a difficulty"),
        (
            format!("a/c0c0c0c0/d{}", "9".repeat(900)),
            "neither a difficulty",
        ),
        (format!("a/c0c0c0c0/d{digits}"), "has 100012 bytes"),
        (
            "a/c0c0c0c0/d5/d6".to_owned(),
            "two parts that begin with 'd'",
        ),
        (
            "a/c0c0c0c0/s1/so".to_owned(),
            "two parts that begin with 's'",
        ),
        (
            (0..17)
                .map(|n| format!("a{n}"))
                .collect::<Vec<_>>()
                .join("+"),
            "17 addresses",
        ),
        (
            format!("{}/c0c0c0c0", vec!["a"; 600].join("+")),
            "has 1208 bytes",
        ),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(reason), "{text:.40}: {error}");
        assert!(error.len() < 250, "{error}");
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn only_addresses_for_codes_become_one() {
    let new = |names: &[&str]| {
        let addresses = names.iter().map(|name| name.parse().unwrap()).collect();
        InviteCode::new(addresses, &hash(1), 32, Difficulty::MIN, None)
    };
    assert_eq!(new(&[]), Err(InvalidCode::Empty));
    let host = "a_b:1".parse().unwrap();
    assert_eq!(new(&["a_b:1"]), Err(InvalidCode::Host(host)));
    let long: Vec<_> = (0..16).map(|n| format!("{n}{}", ".a".repeat(60))).collect();
    let long: Vec<_> = long.iter().map(String::as_str).collect();
    assert!(matches!(new(&long), Err(InvalidCode::TooLong(_))));
}

fn addresses() -> impl Strategy<Value = Vec<NodeAddress>> {
    let host = prop_oneof![
        "[a-z][a-z0-9-]{0,9}(\\.[a-z]{1,5}){0,2}",
        any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
    ];
    let address = (host, prop_oneof![Just(DEFAULT_PORT), 1..u16::MAX])
        .prop_filter_map("an address", |(host, port)| {
            NodeAddress::new(&host, port).ok()
        });
    vec(address, 1..=MAX_ADDRESSES).prop_map(distinct)
}

fn codes() -> impl Strategy<Value = InviteCode> {
    let rule = prop_oneof![Just(SealRule::Open), any::<u64>().prop_map(SealRule::From)];
    let genesis = (any::<[u8; 32]>(), MIN_GENESIS_DIGITS..=64)
        .prop_map(|(hash, digits)| GenesisPrefix::of(&BlockHash::from_bytes(hash), digits));
    let difficulty = (1..=64_u8).prop_map(|zeros| Difficulty::new(zeros).unwrap());
    let rest = option::of((genesis, option::of(difficulty), option::of(rule)));
    (addresses(), rest).prop_map(|(addresses, rest)| {
        let (genesis, difficulty, seal_rule) = match rest {
            Some((genesis, difficulty, rule)) => (Some(genesis), difficulty, rule),
            None => (None, None, None),
        };
        InviteCode {
            addresses,
            genesis,
            difficulty,
            seal_rule,
        }
    })
}

proptest! {
    #[test]
    fn every_code_is_read_back_in_either_case(code in codes()) {
        let text = code.to_string();
        prop_assert!(text.chars().all(is_allowed), "{text}");
        prop_assert_eq!(parse(&text), Ok(code.clone()));
        prop_assert_eq!(parse(&text.to_ascii_uppercase()), Ok(code));
    }

    #[test]
    fn any_text_is_rejected_or_read_back(text in "[a-fA-F0-9.:/+\\[\\]dsoDSO-]{0,80}|\\PC{0,40}") {
        if let Ok(code) = parse(&text) {
            prop_assert_eq!(parse(&code.to_string()), Ok(code));
        }
    }
}
