use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::*;
use crate::chain::{Block, MessageId};
use crate::node::miner::{MiningParams, MiningTip};
use crate::node::settings::ProofMode;
use crate::pow::Difficulty;
use crate::store::{Addition, Network, Operation, Store};

/// A miner without threads or tasks, on a clock that the test sets.
struct Bench {
    store: Store,
    queue: MiningQueue,
    /// Milliseconds since the epoch.
    now: u64,
}

impl Bench {
    fn new() -> Self {
        let network = Network {
            difficulty: Difficulty::MIN,
            sealed_from: Some(1),
        };
        let genesis = Block::documented_genesis();
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

    /// Claims at most so many messages, and returns what they say and their sequence numbers.
    fn claim(&mut self, most: usize) -> (Vec<Message>, Vec<u64>) {
        self.fill();
        let mut claimed = (Vec::new(), Vec::new());
        while claimed.0.len() < most
            && let Some(message) = self.queue.first()
        {
            claimed.0.push(message.clone());
            claimed.1.extend(self.queue.claim_first());
        }
        claimed
    }

    fn texts(&mut self, most: usize) -> Vec<String> {
        let (messages, _) = self.claim(most);
        messages.iter().map(|m| m.text().to_owned()).collect()
    }

    /// Mines messages and waits for the commit.
    fn commit(&self, messages: Vec<Message>) {
        let state = self.store.state();
        let mut front = MiningTip::new(state.tip.clone(), state.history.clone());
        let effort = MiningParams {
            proof: ProofMode::Sealed,
            difficulty: Difficulty::MIN,
            threads: NonZeroUsize::MIN,
            stop: &AtomicBool::new(false),
            tries: &AtomicU64::new(0),
        };
        let mined = messages
            .into_iter()
            .map(|message| front.mine(message, 0.0, &effort).unwrap())
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
    let mut bench = Bench::new();
    // More arrives than is mined, so that something is pending at every moment.
    for round in 0..80_u64 {
        (0..4).for_each(|_| bench.add("steady"));
        if round % 7 == 0 {
            bench.learn(&[&format!("learned in {round}")]);
        }
        if round % 7 == 1 {
            bench.add(&format!("local in {round}"));
        }
        let (messages, _) = bench.claim(3);
        bench.commit(messages);
        bench.now += 100;
    }
    while bench.store.state().mempool_count() > 0 {
        let (messages, _) = bench.claim(1000);
        bench.commit(messages);
        bench.now += 100;
    }
    for learned in (0..56).step_by(7) {
        // 2.2 s later.
        let later = bench
            .position(&format!("local in {}", learned + 22))
            .unwrap();
        let position = bench.position(&format!("learned in {learned}")).unwrap();
        assert!(
            position < later,
            "learned in {learned}: {position}, {later}"
        );
    }
}

#[test]
fn a_message_of_a_peer_is_left_to_others_for_a_second() {
    let mut bench = Bench::new();
    bench.learn(&["learned"]);
    bench.add("local");
    assert_eq!(bench.texts(9), ["local"]);
    bench.now += 999;
    assert_eq!(bench.texts(9), [""; 0]);
    assert_eq!(bench.queue.wait(bench.now), Some(Duration::from_millis(1)));
    bench.now += 1;
    assert_eq!(bench.texts(9), ["learned"]);
    assert!(bench.queue.is_empty());
}

#[test]
fn a_clock_that_is_set_back_holds_up_no_message() {
    let mut bench = Bench::new();
    bench.learn(&["before"]);
    assert_eq!(bench.texts(9), [""; 0]);
    bench.now -= 3_600_000;
    // A younger one is first in the order of times, and does not hide it.
    bench.learn(&["after"]);
    assert_eq!(bench.texts(9), ["before"]);
    bench.now += 1000;
    assert_eq!(bench.texts(9), ["after"]);
    bench.learn(&["years ahead"]);
    bench.now -= 1;
    assert_eq!(bench.texts(9), ["years ahead"]);
}

#[test]
fn many_deferred_messages_neither_hide_a_local_one_nor_are_read_again() {
    let mut bench = Bench::new();
    let texts: Vec<_> = (0..20_000).map(|number| number.to_string()).collect();
    for page in texts.chunks(1000) {
        let page: Vec<_> = page.iter().map(String::as_str).collect();
        bench.learn(&page);
    }
    bench.add("local");
    assert_eq!(bench.texts(9), ["local"]);
    let (next, deferred) = (bench.queue.next, bench.queue.deferred.len());
    assert_eq!((next, deferred), (20_001, 20_000));
    bench.queue.reset();
    bench.add("another");
    assert_eq!(bench.texts(9), ["another"]);
    assert_eq!(bench.queue.next, 20_002);
    bench.now += 1000;
    let mut mined = Vec::new();
    while !bench.queue.is_empty() {
        mined.extend(bench.texts(1000));
    }
    assert_eq!(mined, texts);
}

#[test]
fn what_is_claimed_is_not_claimed_again_unless_its_block_is_refused() {
    let mut bench = Bench::new();
    for text in ["one", "two", "three", "four"] {
        bench.add(text);
    }
    let (messages, claimed) = bench.claim(2);
    // Nothing is committed, so all four are pending; the chain does not move.
    assert_eq!(bench.texts(1), ["three"]);
    // Another node mines the first of them, and the rest comes back.
    bench.commit(messages[..1].to_vec());
    bench.queue.release(claimed);
    bench.queue.reset();
    assert_eq!(bench.texts(9), ["two", "four"]);
}

#[test]
fn an_empty_queue_starts_over_from_all_that_is_pending() {
    let mut bench = Bench::new();
    bench.add("claimed and lost");
    assert_eq!(bench.texts(9), ["claimed and lost"]);
    assert_eq!(bench.texts(9), [""; 0]);
    bench.queue.reset();
    assert_eq!(bench.texts(9), ["claimed and lost"]);
}

#[test]
fn a_batch_holds_no_more_bytes_than_it_may() {
    let mut bench = Bench::new();
    let text = "x".repeat(200 * 1024);
    (0..50).for_each(|_| bench.add(&text));
    bench.fill();
    let most = BATCH_BYTES + text.len();
    assert!((BATCH_BYTES..=most).contains(&bench.queue.ready_bytes));
    let mut count = 0;
    while bench.queue.claim_first().is_some() {
        count += 1;
        bench.fill();
    }
    assert_eq!((count, bench.queue.ready_bytes), (50, 0));
}
