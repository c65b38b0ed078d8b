use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::*;
use crate::chain::{Block, MessageId};
use crate::node::miner::{MiningParams, MiningTip};
use crate::node::settings::ProofMode;
use crate::pow::Difficulty;
use crate::store::{Addition, Network, Operation, Store};

/// A mining queue over a store in memory, on a clock that the test sets.
struct TestMiner {
    store: Store,
    queue: MiningQueue,
    /// Milliseconds since the epoch.
    now: u64,
}

impl TestMiner {
    fn new() -> Self {
        let network = Network {
            difficulty: Difficulty::MIN,
            sealed_from: Some(1),
        };
        let genesis = Block::default_genesis();
        let store = Store::in_memory(&genesis, network);
        Self {
            store: store.unwrap(),
            queue: MiningQueue::default(),
            now: 1_800_000_000_000,
        }
    }

    fn message(text: &str) -> Message {
        Message::new(MessageId::random(), text.to_owned()).unwrap()
    }

    fn add(&self, text: &str) {
        let addition = Addition {
            message: Self::message(text),
            key: None,
            arrived: self.now,
        };
        self.store
            .write(|reply| Operation::Add(addition, reply))
            .unwrap();
    }

    fn learn(&self, texts: &[&str]) {
        let messages = texts.iter().map(|text| Self::message(text)).collect();
        let learned = self
            .store
            .write(|reply| Operation::Learn(messages, self.now, reply));
        assert_eq!(learned.unwrap(), texts.len() as u64);
    }

    fn fill(&mut self) {
        self.queue
            .fill(&self.store.view().unwrap(), self.now)
            .unwrap();
    }

    /// Claims at most `max` messages, and returns them with their sequence numbers.
    fn claim(&mut self, max: usize) -> (Vec<Message>, Vec<u64>) {
        self.fill();
        let mut claimed = (Vec::new(), Vec::new());
        while claimed.0.len() < max
            && let Some(message) = self.queue.first()
        {
            claimed.0.push(message.clone());
            claimed.1.extend(self.queue.claim_first());
        }
        claimed
    }

    fn texts(&mut self, max: usize) -> Vec<String> {
        let (messages, _) = self.claim(max);
        messages.iter().map(|m| m.text().to_owned()).collect()
    }

    /// Mines messages and waits for the commit.
    fn commit(&self, messages: Vec<Message>) {
        let state = self.store.state();
        let mut mining_tip = MiningTip::new(state.tip.clone(), state.history.clone());
        let params = MiningParams {
            proof: ProofMode::Sealed,
            difficulty: Difficulty::MIN,
            threads: NonZeroUsize::MIN,
            stop: &AtomicBool::new(false),
            tries: &AtomicU64::new(0),
        };
        let mined = messages
            .into_iter()
            .map(|message| mining_tip.mine(message, 0.0, &params).unwrap())
            .collect();
        let parent = state.tip.hash;
        self.store
            .write(|reply| Operation::Append(parent, mined, reply))
            .unwrap();
    }

    fn position(&self, text: &str) -> Option<u64> {
        let view = self.store.view().unwrap();
        let length = self.store.state().length();
        (0..length).find(|index| view.block(*index).unwrap().unwrap().message.text() == text)
    }
}

#[test]
fn a_learned_message_is_mined_before_a_local_one_that_arrives_two_seconds_later() {
    let mut miner = TestMiner::new();
    // More arrives than is mined, so that something is pending at every moment.
    for round in 0..80_u64 {
        (0..4).for_each(|_| miner.add("steady"));
        if round % 7 == 0 {
            miner.learn(&[&format!("learned in {round}")]);
        }
        if round % 7 == 1 {
            miner.add(&format!("local in {round}"));
        }
        let (messages, _) = miner.claim(3);
        miner.commit(messages);
        miner.now += 100;
    }
    while miner.store.state().mempool_count() > 0 {
        let (messages, _) = miner.claim(1000);
        miner.commit(messages);
        miner.now += 100;
    }
    for learned in (0..56).step_by(7) {
        // 2.2 s later.
        let later = miner
            .position(&format!("local in {}", learned + 22))
            .unwrap();
        let position = miner.position(&format!("learned in {learned}")).unwrap();
        assert!(
            position < later,
            "learned in {learned}: {position}, {later}"
        );
    }
}

#[test]
fn a_message_of_a_peer_is_deferred_for_a_second() {
    let mut miner = TestMiner::new();
    miner.learn(&["learned"]);
    miner.add("local");
    assert_eq!(miner.texts(9), ["local"]);
    miner.now += 999;
    assert_eq!(miner.texts(9), [""; 0]);
    assert_eq!(
        miner.queue.time_until_due(miner.now),
        Some(Duration::from_millis(1))
    );
    miner.now += 1;
    assert_eq!(miner.texts(9), ["learned"]);
    assert!(miner.queue.is_empty());
}

#[test]
fn setting_the_clock_back_delays_no_message() {
    let mut miner = TestMiner::new();
    miner.learn(&["before"]);
    assert_eq!(miner.texts(9), [""; 0]);
    miner.now -= 3_600_000;
    // A later message has an earlier due time, and does not hide it.
    miner.learn(&["after"]);
    assert_eq!(miner.texts(9), ["before"]);
    miner.now += 1000;
    assert_eq!(miner.texts(9), ["after"]);
    miner.learn(&["years ahead"]);
    miner.now -= 1;
    assert_eq!(miner.texts(9), ["years ahead"]);
}

#[test]
fn many_deferred_messages_neither_hide_a_local_one_nor_are_read_again() {
    let mut miner = TestMiner::new();
    let texts: Vec<_> = (0..20_000).map(|number| number.to_string()).collect();
    for page in texts.chunks(1000) {
        let page: Vec<_> = page.iter().map(String::as_str).collect();
        miner.learn(&page);
    }
    miner.add("local");
    assert_eq!(miner.texts(9), ["local"]);
    let (next, deferred) = (miner.queue.next, miner.queue.deferred.len());
    assert_eq!((next, deferred), (20_001, 20_000));
    miner.queue.reset();
    miner.add("another");
    assert_eq!(miner.texts(9), ["another"]);
    assert_eq!(miner.queue.next, 20_002);
    miner.now += 1000;
    let mut mined = Vec::new();
    while !miner.queue.is_empty() {
        mined.extend(miner.texts(1000));
    }
    assert_eq!(mined, texts);
}

#[test]
fn a_message_is_claimed_again_only_if_its_block_is_rejected() {
    let mut miner = TestMiner::new();
    for text in ["one", "two", "three", "four"] {
        miner.add(text);
    }
    let (messages, claimed) = miner.claim(2);
    // Nothing is committed, so all four are pending; the chain does not move.
    assert_eq!(miner.texts(1), ["three"]);
    // Another node mines the first of them, and the rest comes back.
    miner.commit(messages[..1].to_vec());
    miner.queue.release(claimed);
    miner.queue.reset();
    assert_eq!(miner.texts(9), ["two", "four"]);
}

#[test]
fn an_empty_queue_starts_over_from_all_pending_messages() {
    let mut miner = TestMiner::new();
    miner.add("claimed and lost");
    assert_eq!(miner.texts(9), ["claimed and lost"]);
    assert_eq!(miner.texts(9), [""; 0]);
    miner.queue.reset();
    assert_eq!(miner.texts(9), ["claimed and lost"]);
}

#[test]
fn the_size_of_a_batch_is_bounded() {
    let mut miner = TestMiner::new();
    let text = "x".repeat(200 * 1024);
    (0..50).for_each(|_| miner.add(&text));
    miner.fill();
    let max = BATCH_BYTES + text.len();
    assert!((BATCH_BYTES..=max).contains(&miner.queue.ready_bytes));
    let mut count = 0;
    while miner.queue.claim_first().is_some() {
        count += 1;
        miner.fill();
    }
    assert_eq!((count, miner.queue.ready_bytes), (50, 0));
}
