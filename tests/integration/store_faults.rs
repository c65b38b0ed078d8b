//! The store on a disk that fails: whatever call fails, and however much of the last writes a
//! power cut takes along, nothing acknowledged is lost and nothing stands there by halves.
//!
//! Each run does the same work on a disk that fails at another call. Then the database is opened
//! on what a kill leaves and on what power cuts leave. By default some calls are tried;
//! `STORE_FAULTS=all` tries every call (minutes). [`damage`] is about files that
//! changed behind the store's back.

mod damage;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use blockchain::chain::{Block, Message};
use blockchain::store::{
    Addition, Operation, PageLimit, State, Store, StoreError, View, integrity,
};

use crate::support_store::disk::{Disk, Errno, Fault};
use crate::support_store::{Dice, Kind, Maker, OPEN_NETWORK, listener};

const STEPS: u64 = 100;
const EVERYTHING: PageLimit = PageLimit {
    count: usize::MAX,
    bytes: usize::MAX,
};

type Heard = Receiver<Result<Arc<State>, StoreError>>;

/// Whether the long form is asked for.
fn all() -> bool {
    std::env::var("STORE_FAULTS").is_ok_and(|form| form == "all")
}

/// Work on a store, and what it answered.
struct Work {
    dice: Dice,
    /// Every block that was acknowledged.
    chain: Maker,
    /// Every message that was acknowledged.
    added: Vec<Message>,
    mined: usize,
    /// What was asked for last, without success: it may be there or not.
    open_adds: Vec<Message>,
    open_blocks: Vec<Block>,
}

impl Work {
    fn new() -> Self {
        Self {
            dice: Dice::new(1),
            chain: Maker::new(&[Block::documented_genesis()]),
            added: Vec::new(),
            mined: 0,
            open_adds: Vec::new(),
            open_blocks: Vec::new(),
        }
    }

    /// Works until something fails.
    fn run(&mut self, store: &Store) -> Result<(), StoreError> {
        for step in 0..STEPS {
            if step % 4 < 2 {
                self.add(store)?;
            } else {
                self.append(store)?;
            }
        }
        Ok(())
    }

    /// Adds some messages at once; they may share a commit.
    fn add(&mut self, store: &Store) -> Result<(), StoreError> {
        let (sender, answers) = channel();
        for nth in 0..=self.dice.below(4) {
            let message = self.dice.message();
            self.open_adds.push(message.clone());
            let sender = sender.clone();
            let key = Some(Addition::key_digest(message.id().as_bytes())).filter(|_| nth == 0);
            let addition = Addition {
                message: message.clone(),
                key,
                arrived: 1,
            };
            let reply = Box::new(move |answer| sender.send((message, answer)).unwrap());
            store.submit(Operation::Add(addition, reply))?;
        }
        drop(sender);
        let mut failed = None;
        for (message, answer) in answers {
            match answer {
                Ok(added) => {
                    assert_eq!((added.id, added.is_new), (message.id(), true));
                    self.open_adds.retain(|open| *open != message);
                    self.added.push(message);
                }
                Err(error) => failed = Some(error),
            }
        }
        // A reply that is dropped unanswered means the store is closed.
        let unanswered = (!self.open_adds.is_empty()).then_some(StoreError::Closed);
        failed.or(unanswered).map_or(Ok(()), Err)
    }

    /// Mines up to three of the oldest messages.
    fn append(&mut self, store: &Store) -> Result<(), StoreError> {
        let (parent, mut longer) = (self.chain.tip().hash, self.chain.clone());
        let waiting = &self.added[self.mined..];
        let count = waiting.len().min(1 + self.dice.position(3));
        for message in &waiting[..count] {
            let kind = [Kind::Open, Kind::Sealed][self.dice.position(2)];
            longer.mine(message.clone(), kind);
        }
        self.open_blocks = longer.above(self.chain.blocks.len());
        let blocks = self.open_blocks.clone();
        store.write(|reply| Operation::Append(parent, blocks, reply))?;
        self.open_blocks.clear();
        self.mined += count;
        self.chain = longer;
        Ok(())
    }

    /// Checks that a store opened on what was left holds all that was acknowledged, and nothing
    /// that was never asked for.
    fn check(&self, view: &View) {
        let report = integrity::check_all(view, |_, _| {}).unwrap();
        let blocks = view.blocks(0, EVERYTHING).unwrap();
        let with_open = [&self.chain.blocks[..], &self.open_blocks].concat();
        assert!(
            blocks == self.chain.blocks || blocks == with_open,
            "{} blocks",
            blocks.len()
        );
        let pending = view.pending_from(0, EVERYTHING).unwrap();
        let pending: Vec<_> = pending.into_iter().map(|pending| pending.message).collect();
        assert_eq!(
            (report.blocks, report.pending),
            (blocks.len() as u64, pending.len() as u64)
        );
        let known =
            |message: &Message| self.added.contains(message) || self.open_adds.contains(message);
        assert!(
            pending.iter().all(known),
            "a message waits that nobody added"
        );
        let held = |message: &&Message| {
            let mined = blocks.iter().any(|block| block.message == **message);
            mined ^ pending.contains(message)
        };
        let held = self.added.iter().filter(held).count();
        assert_eq!(held, self.added.len(), "messages that are held once");
    }
}

fn open(disk: &Disk) -> Result<(Store, Heard), StoreError> {
    let (listener, heard) = listener();
    let genesis = Block::documented_genesis();
    let store = Store::with_backend(disk.clone(), &genesis, OPEN_NETWORK, listener)?;
    Ok((store, heard))
}

/// A disk with a database that was closed.
fn prepared() -> Disk {
    let disk = Disk::default();
    open(&disk).unwrap().0.close().unwrap();
    disk
}

/// After a failure nothing is written any more, and the listener knows why.
fn check_ended(store: &Store, heard: &Heard, first: &StoreError) {
    assert!(!matches!(first, StoreError::Refused(_)), "{first:?}");
    for _ in 0..3 {
        let addition = Addition {
            message: Dice::new(3).message(),
            key: None,
            arrived: 1,
        };
        let answer = store.write(|reply| Operation::Add(addition, reply));
        assert!(matches!(answer, Err(StoreError::Closed)), "{answer:?}");
    }
    let last = heard.try_iter().last().unwrap();
    let told = last.expect_err("the listener heard of a commit last");
    assert!(matches!(told, StoreError::Engine(_)), "{told:?}");
}

/// Works on a disk that fails, and looks at what is left.
fn fail_at(fault: Fault, cuts: u64) {
    let disk = prepared();
    disk.set_fault(Some(fault));
    let mut work = Work::new();
    if let Ok((store, heard)) = open(&disk) {
        match work.run(&store) {
            Ok(()) => {
                // Only the end of the run is left to fail.
                let _ = store.close();
            }
            Err(error) => {
                check_ended(&store, &heard, &error);
                assert!(
                    store.close().is_err(),
                    "{fault:?}: closed as if nothing had been"
                );
            }
        }
    }
    let mut dice = Dice::new(fault.call);
    let mut images = vec![disk.image()];
    images.extend((0..cuts).map(|_| disk.image_after_power_cut(&mut dice)));
    for image in images {
        let left = Disk::holding(image);
        let (store, _heard) = open(&left).unwrap();
        work.check(&store.view().unwrap());
        let message = dice.message();
        let addition = Addition {
            message,
            key: None,
            arrived: 1,
        };
        store
            .write(|reply| Operation::Add(addition, reply))
            .unwrap();
        store.close().unwrap();
        assert!(open(&left).unwrap().0.stopped_cleanly());
    }
}

#[test]
fn nothing_acknowledged_is_lost_whatever_call_fails() {
    let disk = prepared();
    disk.set_fault(None);
    let (store, _heard) = open(&disk).unwrap();
    let mut work = Work::new();
    work.run(&store).unwrap();
    store.close().unwrap();
    let calls = disk.calls();
    work.check(&open(&disk).unwrap().0.view().unwrap());
    assert!(work.chain.blocks.len() > 60 && work.added.len() > 100 && calls > 500);

    let ways = [
        (true, Errno::InputOutput),
        (false, Errno::InputOutput),
        (true, Errno::NoSpace),
        (false, Errno::NoSpace),
    ];
    let fault = |call, way: usize| {
        let (lasting, errno) = ways[way];
        Fault {
            call,
            lasting,
            errno,
        }
    };
    if all() {
        for call in 0..calls {
            fail_at(fault(call, usize::try_from(call).unwrap() % ways.len()), 4);
        }
        return;
    }
    let mut dice = Dice::new(2);
    // The first calls are those of opening, the last those of closing.
    let ends = (0..calls).step_by(3).take(4).chain(calls - 8..calls);
    let sample: Vec<_> = ends.chain((0..28).map(|_| dice.below(calls))).collect();
    for (nth, call) in sample.into_iter().enumerate() {
        fail_at(fault(call, nth % ways.len()), 2);
    }
}
