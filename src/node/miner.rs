//! The miner: mines blocks with the pending messages.
//!
//! It works in batches, each one call on a blocking thread: it claims the oldest unclaimed messages
//! ([`queue`]) and mines them one above the other, until the batch ends or the miner is stopped.
//! The blocks are submitted to the writer of the store, and the next batch is mined above them
//! while their commit is in flight. If the chain has moved meanwhile, the writer rejects the blocks
//! and the miner restarts from the committed tip. Messages leave the mempool only when their block
//! is committed.

mod queue;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::queue::MiningQueue;
use super::settings::{
    BATCH_TIME, MAX_IN_FLIGHT_COMMITS, MINING_RETRY_DELAY, ProofMode, RENEWAL_INTERVAL,
};
use super::{Node, Signal};
use crate::chain::{Block, BlockHash, History, Message, Proof, Tip, seal};
use crate::pow::{Difficulty, Digits, Outcome, Search, sealed_width};
use crate::store::{Operation, Rejection, StoreError};

/// The block to mine on: the committed tip, or a block mined above it whose commit is in flight.
#[derive(Clone, Debug)]
pub struct MiningTip {
    /// The parent of the next block.
    pub tip: Tip,
    /// History tree over all blocks up to the tip.
    pub history: History,
}

/// Parameters of a proof search.
#[derive(Clone, Copy, Debug)]
pub struct MiningParams<'a> {
    /// Kind of proofs to mine.
    pub proof: ProofMode,
    /// Difficulty of the proofs.
    pub difficulty: Difficulty,
    /// Number of search threads.
    pub threads: NonZeroUsize,
    /// Set to stop the search.
    pub stop: &'a AtomicBool,
    /// Counter of the candidates tried.
    pub tries: &'a AtomicU64,
}

impl MiningTip {
    /// Mines on a chain with this tip and history.
    pub fn new(tip: Tip, history: History) -> Self {
        Self { tip, history }
    }

    /// Mines a block with `message` at the time `now` and advances to it. Returns `None` if the
    /// search was stopped or exhausted its digits; a later time starts a different search.
    pub fn mine(&mut self, message: Message, now: f64, params: &MiningParams<'_>) -> Option<Block> {
        let timestamp = self.tip.timestamp.next(now);
        let mut start = String::new();
        if params.proof == ProofMode::Sealed {
            start = seal::commitment(
                self.tip.index + 1,
                &self.tip.hash,
                &self.history.root(),
                &message,
                timestamp.seconds(),
            );
        }
        let prefix = [self.tip.proof_text(), start.as_bytes()].concat();
        let (digits, width) = match params.proof {
            ProofMode::Open => (Digits::Natural, 0),
            ProofMode::Sealed => {
                let width = sealed_width(prefix.len());
                (Digits::Fixed(width), usize::from(width))
            }
        };
        let search = Search {
            prefix: &prefix,
            digits,
            difficulty: params.difficulty,
            threads: params.threads,
            stop: params.stop,
            tries: params.tries,
        };
        let Outcome::Found(counter) = search.run() else {
            return None;
        };
        let proof = Proof::try_from(format!("{start}{counter:0width$}")).ok()?;
        let block = self.tip.successor(message, timestamp, proof);
        self.tip = Tip::of(&block);
        self.history.append(&self.tip.hash, |_, _| {});
        Some(block)
    }
}

/// Nice value added to mining threads.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Result of one batch.
struct MinedBatch {
    mining_tip: MiningTip,
    queue: MiningQueue,
    blocks: Vec<Block>,
    /// Sequence numbers of the messages in the blocks.
    claimed: Vec<u64>,
}

/// Commit of mined blocks in flight.
struct InFlightCommit {
    tip: BlockHash,
    claimed: Vec<u64>,
    answer: oneshot::Receiver<Result<(), StoreError>>,
}

/// Mines until the node shuts down.
pub async fn run(node: Arc<Node>, shutdown: CancellationToken) -> Result<(), StoreError> {
    let Some(threads) = node.settings.threads else {
        info!("mining is disabled");
        return Ok(());
    };
    wait_for_neighbours(&node, &shutdown).await;
    let mut signal = node.subscribe();
    let mut in_flight = VecDeque::new();
    let mut queue = MiningQueue::default();
    // Kept while only our own blocks are connected.
    let mut kept: Option<MiningTip> = None;
    while !shutdown.is_cancelled() {
        if node.space_shortage().is_some() {
            sleep(MINING_RETRY_DELAY, &shutdown).await;
            continue;
        }
        signal.borrow_and_update();
        let is_committed = |mining: &MiningTip| mining.tip.hash == node.state().tip.hash;
        let usable = kept
            .take()
            .filter(|mining| !in_flight.is_empty() || is_committed(mining));
        let mining_tip = if let Some(mining_tip) = usable {
            mining_tip
        } else {
            await_commits(&mut in_flight, &mut queue, 0, &shutdown).await?;
            queue.reset();
            let state = node.state();
            MiningTip::new(state.tip.clone(), state.history.clone())
        };
        let parent = mining_tip.tip.hash;
        let known = [node.state().tip.hash, parent]
            .into_iter()
            .chain(in_flight.iter().map(|commit: &InFlightCommit| commit.tip))
            .collect();
        let work = (mining_tip, queue);
        let batch = mine_batch(&node, work, known, threads, &mut signal, &shutdown).await?;
        let (mining_tip, blocks, claimed) = (batch.mining_tip, batch.blocks, batch.claimed);
        queue = batch.queue;
        if blocks.is_empty() {
            if await_commits(&mut in_flight, &mut queue, 0, &shutdown).await? {
                wait_for_messages(&node, &queue, &mut signal, &shutdown).await;
                // An empty queue starts over from all pending messages.
                kept = (!queue.is_empty()).then_some(mining_tip);
            }
            continue;
        }
        let tip = mining_tip.tip.hash;
        match node.submit(|reply| Operation::Append(parent, blocks, reply)) {
            Ok(answer) => in_flight.push_back(InFlightCommit {
                tip,
                claimed,
                answer,
            }),
            Err(error) => return Err(error),
        }
        if await_commits(&mut in_flight, &mut queue, MAX_IN_FLIGHT_COMMITS, &shutdown).await? {
            kept = Some(mining_tip);
        }
    }
    Ok(())
}

/// Waits until at most `max` commits are in flight. Returns `false` after a rejection: then no
/// commit is in flight, the claimed messages are back in the queue, and the miner must restart from
/// the committed tip.
async fn await_commits(
    in_flight: &mut VecDeque<InFlightCommit>,
    queue: &mut MiningQueue,
    max: usize,
    shutdown: &CancellationToken,
) -> Result<bool, StoreError> {
    let mut rejected = None;
    while in_flight.len() > if rejected.is_some() { 0 } else { max } {
        let Some(oldest) = in_flight.pop_front() else {
            break;
        };
        match oldest.answer.await.unwrap_or(Err(StoreError::Closed)) {
            Ok(()) => {}
            // The first rejection is the cause; those of the blocks above it only follow from it.
            Err(StoreError::Rejected(rejection)) => {
                queue.release(oldest.claimed);
                rejected.get_or_insert(rejection);
            }
            Err(error) => return Err(error),
        }
    }
    let Some(rejection) = rejected else {
        return Ok(true);
    };
    match rejection {
        Rejection::StaleTip => debug!("the tip changed; mining on the new one"),
        rejection => {
            warn!(reason = %rejection, "the store rejected mined blocks");
            sleep(MINING_RETRY_DELAY, shutdown).await;
        }
    }
    Ok(false)
}

/// Mines one batch on a blocking thread. It is stopped when the tip changes to one that is not in
/// `known`, when its timestamp must be renewed, or when the node shuts down.
async fn mine_batch(
    node: &Arc<Node>,
    (mut mining_tip, mut queue): (MiningTip, MiningQueue),
    known: Vec<BlockHash>,
    threads: NonZeroUsize,
    signal: &mut watch::Receiver<Signal>,
    shutdown: &CancellationToken,
) -> Result<MinedBatch, StoreError> {
    let stop = Arc::new(AtomicBool::new(false));
    let is_sealing = node.settings.proof == ProofMode::Sealed;
    let renewal = tokio::time::sleep(RENEWAL_INTERVAL);
    tokio::pin!(renewal);
    let mut work = {
        let (node, stop) = (Arc::clone(node), Arc::clone(&stop));
        tokio::task::spawn_blocking(move || {
            let mine = || mine_pending(&node, &mut mining_tip, &mut queue, threads, &stop);
            let (blocks, claimed) = with_low_priority(mine)?;
            Ok(MinedBatch {
                mining_tip,
                queue,
                blocks,
                claimed,
            })
        })
    };
    loop {
        tokio::select! {
            done = &mut work => {
                node.mining.active.store(false, Ordering::Relaxed);
                return done.unwrap_or_else(|error| {
                    Err(StoreError::interrupted("a mining batch", &error))
                });
            }
            // An open search does not depend on the timestamp; restarting it would lose its
            // progress.
            () = &mut renewal, if is_sealing && !renewal.is_elapsed() => {
                stop.store(true, Ordering::Relaxed);
            }
            () = shutdown.cancelled(), if !stop.load(Ordering::Relaxed) => {
                stop.store(true, Ordering::Relaxed);
            }
            changed = signal.changed(), if !stop.load(Ordering::Relaxed) => {
                if changed.is_err() || !known.contains(&node.state().tip.hash) {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Runs `work` on a new thread with low priority, so that mining only uses idle processor time. The
/// priority of a pooled thread could not be raised again.
fn with_low_priority<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let run = || {
        // On other systems, nice values apply to whole processes.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(NICENESS);
        work()
    };
    let joined = std::thread::scope(|scope| scope.spawn(run).join());
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Mines the messages that are ready, one above the other. Returns the blocks and the sequence
/// numbers of their messages.
fn mine_pending(
    node: &Node,
    mining_tip: &mut MiningTip,
    queue: &mut MiningQueue,
    threads: NonZeroUsize,
    stop: &AtomicBool,
) -> Result<(Vec<Block>, Vec<u64>), StoreError> {
    queue.fill(&node.view()?, node.clock().millis())?;
    let (mut blocks, mut claimed) = (Vec::new(), Vec::new());
    if queue.first().is_none() {
        return Ok((blocks, claimed));
    }
    node.mining.active.store(true, Ordering::Relaxed);
    let params = MiningParams {
        proof: node.settings.proof,
        difficulty: node.state().network.difficulty,
        threads,
        stop,
        tries: &node.mining.tries,
    };
    let (started, tries) = (Instant::now(), node.mining.tries.load(Ordering::Relaxed));
    while let Some(message) = queue.first() {
        let now = node.clock().seconds();
        let Some(block) = mining_tip.mine(message.clone(), now, &params) else {
            break;
        };
        claimed.extend(queue.claim_first());
        blocks.push(block);
        if started.elapsed() >= BATCH_TIME {
            break;
        }
    }
    let tries = node.mining.tries.load(Ordering::Relaxed) - tries;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    node.note_hash_rate(tries as f64 / started.elapsed().as_secs_f64().max(1e-9));
    debug!(blocks = blocks.len(), tries, "mined");
    Ok((blocks, claimed))
}

/// Waits for the chain of the neighbours if this node has only a genesis block and accepts open
/// proofs. In such a network, a chain of its own might not even share the genesis block.
async fn wait_for_neighbours(node: &Node, shutdown: &CancellationToken) {
    let is_new = || {
        let state = node.state();
        state.length() == 1 && state.network.sealed_from.is_none()
    };
    let mut is_logged = false;
    while is_new() && !node.peers.first_round_ended() && !shutdown.is_cancelled() {
        if !is_logged {
            info!("waiting for the neighbours before mining");
            is_logged = true;
        }
        sleep(Duration::from_millis(100), shutdown).await;
    }
    if is_logged && !node.peers.has_response() {
        warn!("no neighbour has answered; mining without them");
    }
}

/// Sleeps until a message is pending. If messages are pending but deferred, sleeps until the first
/// is due or the state changes.
async fn wait_for_messages(
    node: &Node,
    queue: &MiningQueue,
    signal: &mut watch::Receiver<Signal>,
    shutdown: &CancellationToken,
) {
    if queue.first().is_none()
        && let Some(wait) = queue.time_until_due(node.clock().millis())
    {
        tokio::select! {
            () = tokio::time::sleep(wait + Duration::from_millis(1)) => {}
            _ = signal.changed() => {}
            () = shutdown.cancelled() => {}
        }
    }
    while node.state().mempool_count() == 0 {
        tokio::select! {
            changed = signal.changed() => if changed.is_err() { return },
            () = shutdown.cancelled() => return,
        }
    }
}

async fn sleep(duration: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        () = shutdown.cancelled() => {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn work_has_low_priority_and_its_caller_keeps_its_own() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        assert_eq!(with_low_priority(own), (before + NICENESS).min(19));
        assert_eq!(own(), before);
    }
}
