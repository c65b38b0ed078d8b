use redb::backends::InMemoryBackend;

use super::edit::EditResult;
use super::mempool::{MAX_BYTES, MAX_COUNT};
use super::*;
use crate::chain::message::MAX_TEXT_BYTES;
use crate::chain::{Block, InvalidBlock, Message, MessageId, Proof, Tip};
use crate::pow::{self, Difficulty};

const NETWORK: Network = Network {
    difficulty: Difficulty::MIN,
    sealed_from: None,
};

const DAY: u64 = 24 * 60 * 60 * 1000;

pub(crate) fn message(id: u8, text: &str) -> Message {
    Message::new(MessageId::from_bytes([id; 16]), text.to_owned()).unwrap()
}

/// Returns a chain of open blocks with these messages above the default genesis block.
pub(crate) fn chain(messages: &[Message]) -> Vec<Block> {
    let mut blocks = vec![Block::default_genesis()];
    for message in messages {
        let tip = Tip::of(&blocks[blocks.len() - 1]);
        let fits = |proof: &Proof| pow::zeros(tip.proof_text(), proof.as_bytes()) > 0;
        let proof = (0..u64::MAX).map(Proof::from).find(fits).unwrap();
        let time = tip.timestamp.next(0.0);
        blocks.push(tip.successor(message.clone(), time, proof));
    }
    blocks
}

/// A database in memory that is changed in single commits.
pub(crate) struct TestDatabase {
    pub(crate) engine: Engine,
    pub(crate) state: State,
}

impl TestDatabase {
    /// Creates a database with a chain of these messages.
    pub(crate) fn new(messages: &[Message]) -> Self {
        let (engine, blocks) = (
            Engine::on_backend(InMemoryBackend::new()).unwrap(),
            chain(messages),
        );
        initialise(&engine, &blocks[0], NETWORK).unwrap();
        let state = State::load(&View::new(&engine, None).unwrap()).unwrap();
        let mut database = Self { engine, state };
        let parent = database.state.tip.hash;
        database
            .change(|edit| edit.append(&parent, &blocks[1..]))
            .unwrap();
        database
    }

    pub(crate) fn change<T>(
        &mut self,
        work: impl FnOnce(&mut Edit<'_>) -> EditResult<T>,
    ) -> Result<T, Rejection> {
        let txn = self.engine.begin_write().unwrap();
        let mut edit = Edit::open(&txn, self.state.clone()).unwrap();
        let outcome = work(&mut edit).unwrap();
        self.state = edit.finish().unwrap();
        txn.commit().unwrap();
        outcome
    }

    pub(crate) fn add(
        &mut self,
        message: Message,
        key: Option<[u8; 32]>,
        arrived: u64,
    ) -> Result<Added, Rejection> {
        let addition = Addition {
            message,
            key,
            arrived,
        };
        self.change(|edit| edit.add(&addition))
    }

    /// Adopts a chain with these messages from index 1 upwards.
    pub(crate) fn adopt(&mut self, messages: &[Message]) -> Result<ReorgRecord, Rejection> {
        self.adopt_branch(&chain(messages)[1..])
    }

    /// Adopts a branch.
    pub(crate) fn adopt_branch(&mut self, branch: &[Block]) -> Result<ReorgRecord, Rejection> {
        let adoption = Adoption {
            branch: 1,
            source: "peer".to_owned(),
            at: 0,
            max_reorg: u64::MAX,
            max_replaceable_genesis_length: 1,
        };
        self.change(|edit| {
            edit.stage(1, branch)?;
            edit.adopt(&adoption)
        })
    }

    pub(crate) fn view(&self) -> View {
        View::new(&self.engine, None).unwrap()
    }

    fn pending(&self) -> Vec<Message> {
        let limit = PageLimit {
            count: usize::MAX,
            bytes: usize::MAX,
        };
        let pending = self.view().pending_from(0, limit).unwrap();
        pending.into_iter().map(|pending| pending.message).collect()
    }
}

#[test]
fn a_key_is_valid_for_a_day() {
    let mut database = TestDatabase::new(&[]);
    let (key, first) = (Addition::key_digest(b"key"), message(1, "text"));
    let added = database.add(first.clone(), Some(key), 0).unwrap();
    assert!(added.is_new && added.id == first.id());
    let again = database
        .add(message(2, "text"), Some(key), DAY - 1)
        .unwrap();
    assert_eq!(
        again,
        Added {
            id: first.id(),
            is_new: false
        }
    );
    assert_eq!(
        database.add(message(3, "other"), Some(key), 1),
        Err(Rejection::KeyReused)
    );
    assert_eq!(database.pending(), [first]);

    database.add(message(4, "x"), Some([4; 32]), DAY).unwrap();
    let after = database.add(message(5, "text"), Some(key), DAY).unwrap();
    assert_eq!(
        after,
        Added {
            id: message(5, "").id(),
            is_new: true
        }
    );
}

#[test]
fn a_full_mempool_accepts_only_messages_returned_by_a_reorg() {
    let fill: [fn(&mut Edit<'_>); 2] = [
        |edit| edit.state.totals.mempool_count = MAX_COUNT,
        |edit| edit.state.totals.mempool_bytes = MAX_BYTES - 3,
    ];
    for fill in fill {
        let mut database = TestDatabase::new(&[message(1, "mine")]);
        database
            .change(|edit| {
                fill(edit);
                Ok(Ok(()))
            })
            .unwrap();
        let (count, bytes) = (
            database.state.mempool_count(),
            database.state.mempool_bytes(),
        );
        let rejected = Err(Rejection::MempoolFull { count, bytes });
        assert_eq!(database.add(message(2, "four"), None, 0), rejected);
        let reorg = database.adopt(&[message(3, "b"), message(4, "c")]).unwrap();
        assert_eq!(
            (reorg.returned, database.pending()),
            (1, vec![message(1, "mine")])
        );
    }
}

#[test]
fn the_longest_message_is_stored_and_mined() {
    let mut database = TestDatabase::new(&[]);
    let longest = message(1, &"é".repeat(MAX_TEXT_BYTES / 2));
    database.add(longest.clone(), None, 0).unwrap();
    assert_eq!(
        database.pending().as_slice(),
        std::slice::from_ref(&longest)
    );
    let (parent, blocks) = (database.state.tip.hash, chain(&[longest]));
    database
        .change(|edit| edit.append(&parent, &blocks[1..]))
        .unwrap();
    assert_eq!(database.view().tip_block().unwrap(), blocks[1]);
}

#[test]
fn messages_on_the_new_branch_are_not_returned_to_the_mempool() {
    let (a, b, c) = (message(1, "a"), message(2, "b"), message(3, "c"));
    let mut database = TestDatabase::new(&[a.clone(), b.clone(), c.clone()]);
    let new = [c, message(4, "d"), a, message(5, "e")];
    let reorg = database.adopt(&new).unwrap();
    assert_eq!(
        (reorg.disconnected, reorg.connected, reorg.returned),
        (3, 4, 1)
    );
    assert_eq!(database.pending(), [b]);
}

#[test]
fn a_message_whose_id_a_block_takes_is_found_by_the_old_id() {
    let (mine, theirs) = (message(1, "mine"), message(1, "theirs"));
    let moved = mine.renamed();
    let mut pending = TestDatabase::new(&[]);
    pending.add(mine.clone(), None, 0).unwrap();
    let parent = pending.state.tip.hash;
    let blocks = chain(std::slice::from_ref(&theirs));
    pending
        .change(|edit| edit.append(&parent, &blocks[1..]))
        .unwrap();

    let mut mined = TestDatabase::new(std::slice::from_ref(&mine));
    mined.adopt(&[theirs, message(2, "x")]).unwrap();
    for database in [pending, mined] {
        assert_eq!(
            database.view().renamed(&mine.id()).unwrap(),
            Some(moved.id())
        );
        assert_eq!(database.pending().as_slice(), std::slice::from_ref(&moved));
    }
}

#[test]
fn a_message_with_a_taken_id_gets_a_new_id() {
    let (mine, theirs) = (message(1, "mine"), message(1, "theirs"));
    // The other message is added while mine is pending, so it gets another id, which the result
    // names.
    let mut database = TestDatabase::new(&[]);
    database.add(mine.clone(), None, 0).unwrap();
    let added = database.add(theirs.clone(), None, 0).unwrap();
    assert_eq!(added.id, theirs.renamed().id());
    assert_eq!(database.view().renamed(&mine.id()).unwrap(), None);
    // The other message is mined above mine, and returns to the mempool when its block is
    // disconnected.
    let mut database = TestDatabase::new(&[mine.clone(), theirs.clone()]);
    database
        .adopt(&[mine.clone(), message(2, "x"), message(3, "y")])
        .unwrap();
    assert_eq!(database.pending(), [theirs.renamed()]);
    assert_eq!(database.view().renamed(&mine.id()).unwrap(), None);
}

#[test]
fn an_invalid_block_is_named_by_its_position() {
    let mut database = TestDatabase::new(&[]);
    let (parent, mut blocks) = (
        database.state.tip.hash,
        chain(&[message(1, "a"), message(2, "b")]),
    );
    blocks[2].index = 77;
    let rejected = database.change(|edit| edit.append(&parent, &blocks[1..]));
    assert!(
        matches!(
            rejected,
            Err(Rejection::Invalid(InvalidBlock { index: 2, .. }))
        ),
        "{rejected:?}"
    );
    assert_eq!(database.state.length(), 1);
}

mod close;
mod derived;
mod disconnected;
mod full_disk;
mod peers;
mod renames;

#[test]
fn a_bare_file_name_is_in_the_working_directory() {
    assert_eq!(folder_of(Path::new("node.redb")), Path::new("."));
    assert_eq!(folder_of(Path::new("/a/node.redb")), Path::new("/a"));
}

#[test]
fn a_file_cut_short_is_damaged_and_a_failing_disk_is_not() {
    let io = |kind: io::ErrorKind| StoreError::from(redb::Error::Io(kind.into()));
    assert!(matches!(
        io(io::ErrorKind::UnexpectedEof),
        StoreError::Corrupt { .. }
    ));
    assert!(matches!(
        io(io::ErrorKind::InvalidData),
        StoreError::Corrupt { .. }
    ));
    assert!(matches!(
        io(io::ErrorKind::StorageFull),
        StoreError::Engine(_)
    ));
}

#[test]
fn a_file_that_cannot_be_opened_is_not_called_damaged() {
    let path = Path::new("/srv/chain/node.redb");
    for (code, reason) in [
        (rustix::io::Errno::ACCESS, "Permission denied"),
        (rustix::io::Errno::ROFS, "Read-only file system"),
        (rustix::io::Errno::IO, "Input/output error"),
    ] {
        let source = || io::Error::from_raw_os_error(code.raw_os_error());
        // At opening, and at the first read or lock.
        let read = StoreError::from(redb::Error::Io(source())).opening(path);
        for error in [StoreError::opening_file(path, source()), read] {
            let text = "the database /srv/chain/node.redb cannot be opened";
            assert_eq!(error.to_string(), text);
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains(reason), "{cause}");
        }
    }
    let damage = StoreError::missing("meta", "schema").opening(path);
    let text = "the database is damaged: /srv/chain/node.redb: table meta, key schema: missing";
    assert_eq!(damage.to_string(), text);
}

#[test]
fn a_panic_of_the_writer_is_reported_and_closes_the_store() {
    let (sender, errors) = std::sync::mpsc::channel();
    let listener: Listener = Box::new(move |outcome| {
        if let Err(error) = outcome {
            sender.send(error.clone()).unwrap();
        }
    });
    let (backend, genesis) = (InMemoryBackend::new(), Block::default_genesis());
    let store = Store::with_backend(backend, &genesis, NETWORK, listener).unwrap();
    let panics = Operation::DropBranch(1, Box::new(|_| panic!("on purpose")));
    store.submit(panics).unwrap();
    let error = errors.recv().unwrap();
    assert!(matches!(error, StoreError::Interrupted { .. }), "{error:?}");
    let later = store.write(|reply| Operation::DropBranch(2, reply));
    assert!(matches!(later, Err(StoreError::Closed)), "{later:?}");
}

#[test]
fn a_panic_of_the_engine_is_damage_with_its_text() {
    let damage = catch_engine_panic::<()>(|| panic!("page 3 is {}", "odd")).unwrap_err();
    assert_eq!(damage.to_string(), "the database is damaged: page 3 is odd");
}

#[test]
fn an_expired_key_can_be_used_again() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let mut database = TestDatabase::new(&[]);
    let key = Some([7; 32]);
    let first = database.add(message(1, "first"), key, 5).unwrap();
    assert_eq!(
        database.add(message(2, "first"), key, 4 + DAY).unwrap().id,
        first.id
    );
    assert_eq!(
        database.add(message(3, "other"), key, 4 + DAY),
        Err(Rejection::KeyReused)
    );
    let second = database.add(message(4, "other"), key, 5 + DAY).unwrap();
    assert!(second.is_new);
    // The old row was replaced, so purging does not remove the new key.
    database
        .add(message(5, "more"), Some([8; 32]), 6 + DAY)
        .unwrap();
    assert_eq!(
        database.add(message(6, "other"), key, 7 + DAY).unwrap().id,
        second.id
    );
}
