//! Limits on peers: their half of the mempool, and the reorgs they can cause.

use super::*;

fn numbered(number: u32, bytes: usize) -> Message {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    Message::new(MessageId::from_bytes(id), "x".repeat(bytes)).unwrap()
}

impl TestDatabase {
    fn learn(&mut self, messages: Vec<Message>) -> u64 {
        self.change(|edit| edit.learn(messages, 0).map(Ok)).unwrap()
    }

    fn check_counts(&self) {
        integrity::check_counts(&self.view(), &self.state).unwrap();
    }
}

#[test]
fn messages_that_are_held_are_neither_learned_again_nor_replaced() {
    let mut database = TestDatabase::new(&[message(1, "mined")]);
    database.add(message(2, "mine"), None, 0).unwrap();
    let offered = [
        message(1, "mined"),
        message(1, "other"),
        message(2, "other"),
        message(3, "new"),
        message(3, "newer"),
    ];
    assert_eq!(database.learn(offered.to_vec()), 1);
    let texts: Vec<_> = database
        .pending()
        .iter()
        .map(|m| m.text().to_owned())
        .collect();
    assert_eq!(texts, ["mine", "new"]);
    assert_eq!(database.state.totals.learned_count, 1);
    database.check_counts();
}

#[test]
fn learned_messages_fill_half_and_are_evicted_for_clients() {
    let mut database = TestDatabase::new(&[]);
    let half = u32::try_from(MAX_BYTES / 2 / MAX_TEXT_BYTES as u64).unwrap();
    let offered = (0..half + 5).map(|n| numbered(n, MAX_TEXT_BYTES)).collect();
    assert_eq!(database.learn(offered), u64::from(half));
    for n in 0..half {
        let own = numbered(1000 + n, MAX_TEXT_BYTES);
        database.add(own, None, 0).unwrap();
    }
    assert_eq!(database.state.mempool_bytes(), MAX_BYTES);
    let own = numbered(5000, MAX_TEXT_BYTES - 1);
    database.add(own.clone(), None, 0).unwrap();
    assert_eq!(database.state.totals.learned_count, u64::from(half) - 1);
    let pending = database.pending();
    assert!(pending.contains(&own) && pending.contains(&numbered(0, MAX_TEXT_BYTES)));
    assert!(!pending.contains(&numbered(half - 1, MAX_TEXT_BYTES)));
    database.check_counts();
    for n in 1..half {
        database
            .add(numbered(6000 + n, MAX_TEXT_BYTES), None, 0)
            .unwrap();
    }
    assert_eq!(database.state.totals.learned_count, 0);
    let rejected = database.add(numbered(9000, MAX_TEXT_BYTES), None, 0);
    assert!(matches!(rejected, Err(Rejection::MempoolFull { .. })));
    database.check_counts();
}

#[test]
fn a_mined_message_no_longer_counts_as_learned() {
    let mut database = TestDatabase::new(&[]);
    assert_eq!(database.learn(vec![message(1, "x"), message(2, "y")]), 2);
    let (parent, blocks) = (database.state.tip.hash, chain(&[message(1, "x")]));
    database
        .change(|edit| edit.append(&parent, &blocks[1..]))
        .unwrap();
    assert_eq!(database.state.totals.learned_count, 1);
    assert_eq!(database.state.totals.learned_bytes, 1);
    database.check_counts();
}

#[test]
fn a_reorg_that_is_too_deep_is_rejected() {
    let mut database = TestDatabase::new(&[message(1, "a"), message(2, "b")]);
    let branch = chain(&[message(3, "c"), message(4, "d"), message(5, "e")]);
    let mut adoption = Adoption {
        branch: 1,
        source: "peer".to_owned(),
        at: 0,
        max_reorg: 1,
        max_replaceable_genesis_length: 0,
    };
    let offer = |database: &mut TestDatabase, from: usize, adoption: &Adoption| {
        database.change(|edit| {
            edit.stage(1, &branch[from..])?;
            edit.adopt(adoption)
        })
    };
    let too_deep = Rejection::TooDeep { depth: 2, limit: 1 };
    assert_eq!(offer(&mut database, 1, &adoption).unwrap_err(), too_deep);
    // From the genesis block it disconnects three blocks and replaces the genesis block.
    adoption.max_reorg = 3;
    let fixed = offer(&mut database, 0, &adoption).unwrap_err();
    assert_eq!(fixed, Rejection::GenesisFixed);
    let record = offer(&mut database, 1, &adoption).unwrap();
    assert_eq!(
        (record.disconnected, record.disconnected_blocks.len()),
        (2, 2)
    );
    assert_eq!(record.disconnected_blocks[1].message, [2; 16]);
}

#[test]
fn neighbours_are_kept() {
    let mut database = TestDatabase::new(&[]);
    let record = |address: &str, status| NeighbourRecord {
        address: address.to_owned(),
        status,
    };
    let kept = [
        record("a:1", NeighbourStatus::Learned),
        record("b:2", NeighbourStatus::Removed),
    ];
    database
        .change(|edit| edit.set_neighbours(&kept).map(Ok))
        .unwrap();
    assert_eq!(database.view().neighbours().unwrap(), kept);
    database
        .change(|edit| edit.set_neighbours(&kept[1..]).map(Ok))
        .unwrap();
    assert_eq!(database.view().neighbours().unwrap(), kept[1..]);
}
