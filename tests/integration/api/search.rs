//! `/api/v1/search`: by index, hash, id, date and text.

use blockchain::chain::{Block, BlockHash, Message, MessageId};
use blockchain::wire::{SearchField, SearchPage, SingleBlock};

use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind};
use crate::support::http::{percent_encode, request};
use crate::support::in_process_node::InProcessNode;
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;

type Hits = Vec<(SearchField, Option<u64>)>;

fn page(address: std::net::SocketAddr, query: &str, before: Option<u64>) -> SearchPage {
    let before = before.map_or(String::new(), |before| format!("&before={before}"));
    let target = format!("/api/v1/search?q={}{before}", percent_encode(query));
    let response = request(address, "GET", &target, &[], &[]).unwrap();
    response.expect(200).json()
}

fn hits(page: &SearchPage) -> Hits {
    let index = |block: &blockchain::wire::Block| block.index;
    let hits = page.hits.iter();
    hits.map(|hit| (hit.field, hit.block.as_ref().map(index)))
        .collect()
}

/// A node with these texts above the genesis.
fn with_texts<T: AsRef<str>>(texts: &[T]) -> (InProcessNode, ChainBuilder) {
    let node = InProcessNode::start(OPEN_NETWORK);
    let (mut builder, mut rng) = (
        ChainBuilder::new(&[Block::default_genesis()]),
        SeededRng::new(7),
    );
    for text in texts {
        let message = Message::new(rng.id(), text.as_ref().to_owned()).unwrap();
        builder.mine(message, ProofKind::Open);
    }
    node.append(&builder.above(1));
    (node, builder)
}

#[test]
fn a_block_is_found_by_index_hash_date_and_text() {
    let (node, builder) = with_texts(&["First", "the second", "Ärger <b>", "the FIRST again 2"]);
    let find = |query: &str| hits(&page(node.address, query, None));
    let hash = |index: usize| BlockHash::of(&builder.blocks[index]).to_string();
    assert_eq!(
        find("2"),
        [(SearchField::Index, Some(2)), (SearchField::Text, Some(4))]
    );
    assert_eq!(find("99"), []);
    assert_eq!(find("99999999999999999999999"), []);
    assert_eq!(find(&hash(3)), [(SearchField::Hash, Some(3))]);
    assert_eq!(find(&hash(3)[..6]), [(SearchField::Hash, Some(3))]);
    assert_eq!(
        find(&format!(" {} ", hash(3).to_uppercase())),
        find(&hash(3))
    );
    assert_eq!(find(&hash(3)[..5]), []);
    // As pages print them: a short hash, a number, an id of another spelling.
    assert_eq!(find(&format!("{}…", &hash(3)[..10])), find(&hash(3)));
    assert_eq!(find("#3"), [(SearchField::Index, Some(3))]);
    // The genesis is of 2020-02-09T17:14:44.244806Z, each block a second later.
    for (date, index) in [
        ("2020-02-09", Some(0)),
        ("2020-02-09T17:14:44.244806Z", Some(0)),
        ("2020-02-09T17:14:44.244807Z", Some(1)),
        ("2020-02-09T18:14:48+01:00", Some(4)),
        ("1900-01-01", Some(0)),
        ("2020-02-10", None),
    ] {
        let expected: Hits = index
            .map(|index| (SearchField::Date, Some(index)))
            .into_iter()
            .collect();
        assert_eq!(find(date), expected, "{date}");
    }
    assert_eq!(
        find("first"),
        [
            (SearchField::Text, Some(4)),
            (SearchField::Text, Some(1)),
            (SearchField::Text, Some(0)),
        ]
    );
    assert_eq!(find("ärger <B>"), [(SearchField::Text, Some(3))]);
    assert_eq!(find("nowhere"), []);
}

#[test]
fn a_message_is_found_by_its_id_wherever_it_is() {
    let (node, builder) = with_texts(&["one"]);
    let find = |id: &MessageId| {
        let found = page(node.address, &id.to_string(), None);
        let id = found.hits.first().map(|hit| hit.message_id.clone());
        (hits(&found), id)
    };
    let mined = builder.blocks[1].message.id();
    let (found, id) = find(&mined);
    assert_eq!(found, [(SearchField::Id, Some(1))]);
    assert_eq!(id, Some(mined.to_string()));
    // A pending message gets a new id if a block has another text under its id.
    let mut rng = SeededRng::new(3);
    let pending = Message::new(rng.id(), "waits".to_owned()).unwrap();
    let restore = vec![(pending.clone(), 0)];
    node.node
        .write(|reply| blockchain::store::Operation::Restore(restore, reply))
        .unwrap();
    assert_eq!(find(&pending.id()).0, [(SearchField::Id, None)]);
    let mut builder = builder;
    let taker = Message::new(pending.id(), "takes the id".to_owned()).unwrap();
    builder.mine(taker, ProofKind::Open);
    node.append(&builder.above(2));
    let (found, id) = find(&pending.id());
    assert_eq!(found, [(SearchField::Id, None)]);
    assert_eq!(id, Some(pending.renamed().id().to_string()));
    assert_eq!(find(&rng.id()).0, []);
}

#[test]
fn a_text_search_continues_where_it_stopped() {
    let texts: Vec<_> = (1..=450).map(|index| format!("text {index}")).collect();
    let (node, _maker) = with_texts(&texts);
    let (mut found, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = page(node.address, "TEXT", before);
        assert!(page.hits.len() <= 100);
        found.extend(hits(&page).into_iter().map(|(_, index)| index.unwrap()));
        pages += 1;
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    assert!(found.iter().copied().eq((1..=450).rev()), "{found:?}");
    assert!(pages >= 5);
    assert_eq!(hits(&page(node.address, "text 1", Some(0))), []);
    let beyond = page(node.address, "text 450", Some(u64::MAX));
    assert_eq!(hits(&beyond), [(SearchField::Text, Some(450))]);
}

#[test]
fn invalid_searches_are_rejected() {
    let node = TestNode::start(&["--threads", "0"]);
    let long = format!("?q={}", "x".repeat(257));
    for query in ["", "?q=", "?q=a&q=b", "?q=a&before=-1", "?text=a", &long] {
        let response = node.get(&format!("/api/v1/search{query}"));
        response.expect_error(400, "bad_request");
    }
    let exact = format!("/api/v1/search?q={}", "x".repeat(256));
    node.get(&exact).expect(200);
    for hostile in ["%00", "%ff", "%F0%9F", "%25", "-1", "0x10", "%E2%80%AE"] {
        node.get(&format!("/api/v1/search?q={hostile}")).expect(200);
    }
}

#[test]
fn two_local_searches_run_at_a_time() {
    // None of the long texts matches, so that each search takes the whole time.
    let texts = vec!["x".repeat(60_000); 400];
    let (node, _maker) = with_texts(&texts);
    let rejected = std::thread::scope(|scope| {
        let ask = || {
            let target = "/api/v1/search?q=y";
            let responses = (0..5).map(|_| request(node.address, "GET", target, &[], &[]).unwrap());
            let mut rejected = 0;
            for response in responses {
                if response.status == 429 {
                    response.expect_error(429, "too_many_requests");
                    rejected += 1;
                }
            }
            rejected
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<u32>()
    });
    assert!((1..=28).contains(&rejected), "{rejected}");
    page(node.address, "y", None);
}

#[test]
fn a_hash_prefix_finds_a_block_unless_it_is_ambiguous() {
    let (node, builder) = with_texts(&vec!["x"; 10_000]);
    let get = |name: &str| {
        let target = format!("/api/v1/blocks/{name}");
        request(node.address, "GET", &target, &[], &[]).unwrap()
    };
    let hash = |block: &Block| BlockHash::of(block).to_string();
    let mut hashes: Vec<_> = builder.blocks.iter().map(hash).collect();
    let (index, seventh) = (7, hashes[7].clone());
    for name in [&seventh[..12], &seventh.to_uppercase()] {
        let found: SingleBlock = get(name).expect(200).json();
        assert_eq!(found.block.index, index, "{name}");
    }
    get("abcde").expect_error(400, "bad_request");
    // Decimal digits are an index, even if the hash of another block begins with them.
    let decimal = |hash: &&String| hash[..6].bytes().all(|byte| byte.is_ascii_digit());
    let decimal = hashes.iter().find(decimal).unwrap();
    get(&decimal[..6]).expect_error(404, "not_found");
    // A number as long as the short hashes in lists is never an index.
    let printed = |hash: &&String| hash[..12].bytes().all(|byte| byte.is_ascii_digit());
    let printed = hashes.iter().find(printed).unwrap();
    let found: SingleBlock = get(&printed[..12]).expect(200).json();
    assert_eq!(&found.block.hash, printed);
    get("ffffffffffffffff0").expect_error(404, "not_found");
    hashes.sort();
    let two = hashes.windows(2).find(|two| two[0][..6] == two[1][..6]);
    let two = two.expect("of so many hashes two begin with the same 24 bits");
    let ambiguous = get(&two[0][..6]);
    let body = String::from_utf8(ambiguous.body.clone()).unwrap();
    ambiguous.expect_error(409, "ambiguous");
    assert!(body.contains(&two[0]) && body.contains(&two[1]), "{body}");
    let found: SingleBlock = get(&two[0][..16]).expect(200).json();
    assert_eq!(found.block.hash, two[0]);
}
