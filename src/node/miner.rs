//! The miner: makes blocks of the messages that wait.
//!
//! It works in pieces, each one call on a thread that may block: it takes the oldest messages it
//! has not claimed yet ([`queue`]) and mines them one above the other, for a moment or until it is
//! told to stop. The blocks go to the store's writer, and the next piece goes on above them while
//! they are being committed. If the chain has moved meanwhile the writer refuses them, and the
//! miner starts again from what is committed: messages leave the mempool only with their block.

mod queue;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::queue::MiningQueue;
use super::settings::{BATCH_TIME, MAX_IN_FLIGHT_COMMITS, ProofMode, RENEWAL, RETRY};
use super::{Node, Signal};
use crate::chain::{Block, BlockHash, History, Message, Proof, Tip, seal};
use crate::pow::{Difficulty, Digits, Outcome, Search, sealed_width};
use crate::store::{Operation, StoreError};

/// Where the next block goes: above the last block the miner made, committed or not.
#[derive(Clone, Debug)]
pub struct MiningTip {
    /// The block below.
    pub tip: Tip,
    /// The tree over all blocks up to it.
    pub history: History,
}

/// How to search for proofs.
#[derive(Clone, Copy, Debug)]
pub struct MiningParams<'a> {
    /// Which proofs to make.
    pub proof: ProofMode,
    /// Zeros they must have.
    pub difficulty: Difficulty,
    /// Threads to search with.
    pub threads: NonZeroUsize,
    /// Set to give up.
    pub stop: &'a AtomicBool,
    /// Counts the candidates tried.
    pub tries: &'a std::sync::atomic::AtomicU64,
}

impl MiningTip {
    /// Above a chain with this tip and history.
    pub fn new(tip: Tip, history: History) -> Self {
        Self { tip, history }
    }

    /// Makes the block that carries `message` at the time `now` and moves onto it; none if told
    /// to stop, or if the digits ran out: a later time makes a new search.
    pub fn mine(&mut self, message: Message, now: f64, effort: &MiningParams<'_>) -> Option<Block> {
        let timestamp = self.tip.timestamp.next(now);
        let mut start = String::new();
        if effort.proof == ProofMode::Sealed {
            start = seal::commitment(
                self.tip.index + 1,
                &self.tip.hash,
                &self.history.root(),
                &message,
                timestamp.seconds(),
            );
        }
        let prefix = [self.tip.proof_text(), start.as_bytes()].concat();
        let (digits, width) = match effort.proof {
            ProofMode::Open => (Digits::Natural, 0),
            ProofMode::Sealed => {
                let width = sealed_width(prefix.len());
                (Digits::Fixed(width), usize::from(width))
            }
        };
        let search = Search {
            prefix: &prefix,
            digits,
            difficulty: effort.difficulty,
            threads: effort.threads,
            stop: effort.stop,
            tries: effort.tries,
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

/// How much nicer than others a thread is that mines.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// What a piece of work came to.
struct MinedBatch {
    front: MiningTip,
    queue: MiningQueue,
    blocks: Vec<Block>,
    /// Sequence numbers of the messages that the blocks carry.
    claimed: Vec<u64>,
}

/// Blocks under way to the disk.
struct InFlightCommit {
    tip: BlockHash,
    claimed: Vec<u64>,
    answer: oneshot::Receiver<Result<(), StoreError>>,
}

/// Mines until the node shuts down.
pub async fn run(node: Arc<Node>, shutdown: CancellationToken) -> Result<(), StoreError> {
    let Some(threads) = node.settings.threads else {
        info!("this node does not mine");
        return Ok(());
    };
    wait_for_neighbours(&node, &shutdown).await;
    let mut signal = node.subscribe();
    let mut in_flight = VecDeque::new();
    let mut queue = MiningQueue::default();
    // Kept as long as nothing but our own blocks is put on the chain.
    let mut front: Option<MiningTip> = None;
    while !shutdown.is_cancelled() {
        if node.lack_of_space().is_some() {
            sleep(RETRY, &shutdown).await;
            continue;
        }
        signal.borrow_and_update();
        let is_tip = |front: &MiningTip| front.tip.hash == node.state().tip.hash;
        let kept = front.take();
        let kept = kept.filter(|front| !in_flight.is_empty() || is_tip(front));
        let above = if let Some(front) = kept {
            front
        } else {
            settle(&mut in_flight, &mut queue, 0, &shutdown).await?;
            queue.reset();
            let state = node.state();
            MiningTip::new(state.tip.clone(), state.history.clone())
        };
        let base = above.tip.hash;
        let known = [node.state().tip.hash, base]
            .into_iter()
            .chain(in_flight.iter().map(|way: &InFlightCommit| way.tip))
            .collect();
        let work = (above, queue);
        let piece = mine_batch(&node, work, known, threads, &mut signal, &shutdown).await?;
        let (after, blocks, claimed) = (piece.front, piece.blocks, piece.claimed);
        queue = piece.queue;
        if blocks.is_empty() {
            if settle(&mut in_flight, &mut queue, 0, &shutdown).await? {
                wait_for_messages(&node, &queue, &mut signal, &shutdown).await;
                // An empty queue starts over, from all that is pending.
                front = (!queue.is_empty()).then_some(after);
            }
            continue;
        }
        let tip = after.tip.hash;
        match node.submit(|reply| Operation::Append(base, blocks, reply)) {
            Ok(answer) => in_flight.push_back(InFlightCommit {
                tip,
                claimed,
                answer,
            }),
            Err(StoreError::Overloaded) => {
                queue.release(claimed);
                continue;
            }
            Err(error) => return Err(error),
        }
        if settle(&mut in_flight, &mut queue, MAX_IN_FLIGHT_COMMITS, &shutdown).await? {
            front = Some(after);
        }
    }
    Ok(())
}

/// Waits until at most `left` commits are under way. Says whether all went well; if not, none is
/// under way any more, their messages are back in the queue, and the miner starts again from what
/// is committed.
async fn settle(
    in_flight: &mut VecDeque<InFlightCommit>,
    queue: &mut MiningQueue,
    left: usize,
    shutdown: &CancellationToken,
) -> Result<bool, StoreError> {
    let mut refused = None;
    while in_flight.len() > if refused.is_some() { 0 } else { left } {
        let Some(oldest) = in_flight.pop_front() else {
            break;
        };
        match oldest.answer.await.unwrap_or(Err(StoreError::Closed)) {
            Ok(()) => {}
            // The first rejection is the cause; the blocks above it cannot but follow.
            Err(StoreError::Rejected(rejection)) => {
                queue.release(oldest.claimed);
                refused.get_or_insert(rejection);
            }
            Err(error) => return Err(error),
        }
    }
    let Some(rejection) = refused else {
        return Ok(true);
    };
    match rejection {
        crate::store::Rejection::StaleTip => debug!("the chain moved, mining again from its tip"),
        rejection => {
            warn!(%rejection, "mined blocks were refused");
            sleep(RETRY, shutdown).await;
        }
    }
    Ok(false)
}

/// One piece of work on a thread that may block. It is told to stop when the chain moves to a tip
/// not in `known`, when its time is up or when the node shuts down.
async fn mine_batch(
    node: &Arc<Node>,
    (mut front, mut queue): (MiningTip, MiningQueue),
    known: Vec<BlockHash>,
    threads: NonZeroUsize,
    signal: &mut watch::Receiver<Signal>,
    shutdown: &CancellationToken,
) -> Result<MinedBatch, StoreError> {
    let stop = Arc::new(AtomicBool::new(false));
    let is_sealing = node.settings.proof == ProofMode::Sealed;
    let renewal = tokio::time::sleep(RENEWAL);
    tokio::pin!(renewal);
    let mut work = {
        let (node, stop) = (Arc::clone(node), Arc::clone(&stop));
        tokio::task::spawn_blocking(move || {
            let mine = || mine_pending(&node, &mut front, &mut queue, threads, &stop);
            let (blocks, claimed) = with_low_priority(mine)?;
            Ok(MinedBatch {
                front,
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
                    Err(StoreError::interrupted("a piece of mining", &error))
                });
            }
            // An open search does not depend on the time: begun again, it would never end.
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

/// Runs `work` on a thread of its own, to which all others of the machine are preferred: mining
/// takes what they leave. A pooled thread could not be given back its priority.
fn with_low_priority<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let run = || {
        // Elsewhere this is a matter of whole processes.
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
    front: &mut MiningTip,
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
    let effort = MiningParams {
        proof: node.settings.proof,
        difficulty: node.state().network.difficulty,
        threads,
        stop,
        tries: &node.mining.tries,
    };
    let (started, tries) = (Instant::now(), node.mining.tries.load(Ordering::Relaxed));
    while let Some(message) = queue.first() {
        let now = node.clock().seconds();
        let Some(block) = front.mine(message.clone(), now, &effort) else {
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

/// A node that accepts open proofs and has only a genesis block joins the chain its neighbours
/// have before it makes one of its own: there, two chains may have nothing in common.
async fn wait_for_neighbours(node: &Node, shutdown: &CancellationToken) {
    let is_new = || {
        let state = node.state();
        state.length() == 1 && state.network.sealed_from.is_none()
    };
    let mut is_told = false;
    while is_new() && !node.peers.first_round_ended() && !shutdown.is_cancelled() {
        if !is_told {
            info!("mining begins when the neighbours have answered");
            is_told = true;
        }
        sleep(Duration::from_millis(100), shutdown).await;
    }
    if is_told && !node.peers.has_answer() {
        warn!("no neighbour has answered; mining begins all the same");
    }
}

/// Sleeps until a message waits, without using the processor; if one does but is left to others for
/// a while, until then or until something changes.
async fn wait_for_messages(
    node: &Node,
    queue: &MiningQueue,
    signal: &mut watch::Receiver<Signal>,
    shutdown: &CancellationToken,
) {
    if queue.first().is_none()
        && let Some(wait) = queue.wait(node.clock().millis())
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
    fn work_has_low_priority_and_whoever_waits_for_it_keeps_its_own() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        assert_eq!(with_low_priority(own), (before + NICENESS).min(19));
        assert_eq!(own(), before);
    }
}
