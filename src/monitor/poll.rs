//! One poll of one node.

use std::time::Duration;

use super::checks::{Extension, check_blocks, check_receipt, judge_extension};
use super::recent::{MAX_BLOCKS, Recent};
use super::source::Source;
use crate::chain::MessageId;
use crate::client::ClientError;
use crate::proofs::Checkpoint;
use crate::wire::{Block, NetworkStatus, Status};

/// Number of tries of a poll.
const TRIES: u32 = 3;

/// Time between two tries.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Maximum number of new blocks fetched in a poll.
const MAX_NEW_BLOCKS: usize = 10_000;

/// Maximum number of blocks of a page.
pub(super) const PAGE: usize = 1000;

/// State before the poll.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The checkpoint to extend.
    pub settled: &'a Checkpoint,
    /// The rules of the network.
    pub network: &'a NetworkStatus,
    /// The newest blocks seen.
    pub recent: &'a Recent,
    /// Number of older blocks to check.
    pub sample: usize,
    /// A block whose receipt did not hold before.
    pub suspect: Option<u64>,
}

/// Outcome of a poll.
#[derive(Debug)]
pub enum PollOutcome {
    /// The node extends the settled checkpoint.
    Extends(Extends),
    /// The node is at an older block of the kept chain, or at no known one.
    Shorter {
        /// Index of its tip.
        index: u64,
        /// Hash of its tip.
        hash: String,
    },
    /// The node has another history than the settled checkpoint.
    Rewrite {
        /// Its checkpoint at the settled index.
        offered: Option<Checkpoint>,
        /// Its tip.
        tip: (u64, String),
    },
    /// The node contradicts itself or the rules.
    Contradiction {
        /// The reason.
        reason: String,
        /// The response that shows it.
        response: Vec<u8>,
        /// The block whose receipt does not hold.
        block: Option<u64>,
    },
    /// The node did not answer.
    Unreachable(String),
    /// The node belongs to another network.
    OtherNetwork(String),
}

/// A node that extends the settled checkpoint.
#[derive(Debug)]
pub struct Extends {
    /// Its tip, as the consistency proof proved it.
    pub tip: Checkpoint,
    /// Blocks that were not known, lowest first.
    pub blocks: Vec<Block>,
    /// Number of new blocks below those that were not fetched.
    pub gap: u64,
    /// `true` if messages are pending.
    pub is_pending: bool,
}

/// A try that may be repeated.
enum Try {
    Done(PollOutcome),
    /// The node may have changed between two requests, or is not answering. The outcome stands if
    /// that happens again.
    Again(PollOutcome),
}

/// Polls a node.
pub async fn poll<S: Source>(node: &S, known: Known<'_>) -> PollOutcome {
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(node, known).await {
            Try::Done(outcome) => return outcome,
            Try::Again(outcome) if tries == TRIES => return outcome,
            Try::Again(_) => tokio::time::sleep(RETRY_DELAY).await,
        }
    }
}

async fn attempt<S: Source>(node: &S, known: Known<'_>) -> Try {
    let status = match node.status().await {
        Ok(status) => status,
        Err(error) => return Try::Again(PollOutcome::Unreachable(error.to_string())),
    };
    // Difficulty and seal rule are no criterion: an import guesses them. Blocks are checked by those
    // that were kept.
    if status.genesis != known.network.genesis {
        let reason = format!("its genesis block is {}", status.genesis);
        return Try::Done(PollOutcome::OtherNetwork(reason));
    }
    let mut extends = match extension(node, known, &status).await {
        Ok(extends) => extends,
        Err(done) => return done,
    };
    if let Err(done) = new_blocks(node, known, &mut extends).await {
        return done;
    }
    match sample(node, known).await {
        Ok(()) => Try::Done(PollOutcome::Extends(extends)),
        Err(done) => done,
    }
}

/// Asks whether the tip of a node continues the settled checkpoint.
async fn extension<S: Source>(node: &S, known: Known<'_>, status: &Status) -> Result<Extends, Try> {
    let settled = known.settled;
    let (index, hash) = (status.tip.index, &*status.tip.hash);
    let extends = |tip| Extends {
        tip,
        blocks: Vec::new(),
        gap: 0,
        is_pending: status.mempool.count > 0,
    };
    if index < settled.index {
        let hash = hash.to_owned();
        return Err(Try::Done(PollOutcome::Shorter { index, hash }));
    }
    if index == settled.index {
        let view = node.checkpoint(&index.to_string()).await;
        let view = view.map_err(|error| failed(&error, "checkpoint"))?;
        let offered = view.checkpoint.parse::<Checkpoint>();
        return match offered {
            Ok(offered) if offered == *settled => Ok(extends(offered)),
            Ok(offered) if offered.index == index => Err(Try::Done(PollOutcome::Rewrite {
                offered: Some(offered),
                tip: (index, hash.to_owned()),
            })),
            _ => Err(Try::Done(PollOutcome::Contradiction {
                reason: format!("it sent no checkpoint of block {index}"),
                response: view.checkpoint.into_bytes(),
                block: None,
            })),
        };
    }
    let file = node.consistency(settled.index, hash).await;
    let file = file.map_err(|error| failed(&error, "consistency proof"))?;
    match judge_extension(&file, settled, (index, hash)) {
        Extension::Extends(tip) => Ok(extends(tip)),
        Extension::OtherHistory(offered) => Err(Try::Done(PollOutcome::Rewrite {
            offered: Some(offered),
            tip: (index, hash.to_owned()),
        })),
        Extension::Invalid(reason) => Err(Try::Done(PollOutcome::Contradiction {
            reason,
            response: file,
            block: None,
        })),
    }
}

/// Judges a failed request after the node has stated its tip.
fn failed(error: &ClientError, what: &str) -> Try {
    let reason = format!("it states its tip and sends no {what}: {error}");
    Try::Again(if is_answer(error) {
        PollOutcome::Contradiction {
            reason,
            response: Vec::new(),
            block: None,
        }
    } else {
        PollOutcome::Unreachable(reason)
    })
}

/// Returns `true` if the node itself answered, and not that it is overloaded.
fn is_answer(error: &ClientError) -> bool {
    match error {
        ClientError::Rejected { status: 503, .. } => error.is_damage(),
        ClientError::Rejected { status, .. } => *status != 429,
        ClientError::Malformed { .. } => true,
        _ => false,
    }
}

/// Fetches and checks the blocks that are not known yet.
async fn new_blocks<S: Source>(
    node: &S,
    known: Known<'_>,
    extends: &mut Extends,
) -> Result<(), Try> {
    let (recent, tip) = (known.recent, &extends.tip);
    let is_first = recent.iter().next().is_none();
    let limit = if is_first { MAX_BLOCKS } else { MAX_NEW_BLOCKS };
    let mut wanted = tip.hash.to_string();
    let mut next = Some(tip.index);
    let mut blocks: Vec<Block> = Vec::new();
    'pages: while let Some(from) = next
        && recent.get(&wanted).is_none()
        && blocks.len() < limit
    {
        let guess = recent.iter().map(|block| block.index).max();
        let missing = from.saturating_sub(guess.unwrap_or(0)).max(1);
        let page = usize::try_from(missing).unwrap_or(PAGE).min(PAGE);
        let page = page.min(limit - blocks.len());
        let page = node.blocks_down(from, page).await;
        let page = page.map_err(|error| failed(&error, "blocks"))?.blocks;
        if page.is_empty() {
            return Err(inconsistent(from, &[]));
        }
        for block in page {
            if recent.get(&wanted).is_some() || blocks.len() == limit {
                break 'pages;
            }
            if block.hash != wanted || Some(block.index) != next {
                return Err(inconsistent(block.index, std::slice::from_ref(&block)));
            }
            next = block.index.checked_sub(1);
            wanted = block.previous_hash.clone().unwrap_or_default();
            blocks.push(block);
        }
    }
    blocks.reverse();
    let parent = recent.get(&wanted);
    check_blocks(parent, &blocks, known.network, |_, _| {}).map_err(|reason| {
        Try::Done(PollOutcome::Contradiction {
            reason,
            response: super::recent::ndjson(&blocks).into_bytes(),
            block: None,
        })
    })?;
    if let Some(last) = blocks.last()
        && last.history_root != hex::encode(tip.root)
    {
        return Err(Try::Done(PollOutcome::Contradiction {
            reason: format!(
                "block {} states another history root than was proven",
                last.index
            ),
            response: super::recent::ndjson(&blocks).into_bytes(),
            block: None,
        }));
    }
    if parent.is_none() && !is_first {
        extends.gap = next.map_or(0, |next| {
            let seen = recent.iter().map(|block| block.index).max().unwrap_or(0);
            (next + 1).saturating_sub(seen + 1)
        });
    }
    extends.blocks = blocks;
    Ok(())
}

fn inconsistent(index: u64, blocks: &[Block]) -> Try {
    Try::Again(PollOutcome::Contradiction {
        reason: format!("its blocks around block {index} are not those that its tip continues"),
        response: super::recent::ndjson(blocks).into_bytes(),
        block: None,
    })
}

/// Checks the content of random older blocks.
async fn sample<S: Source>(node: &S, known: Known<'_>) -> Result<(), Try> {
    let settled = known.settled;
    let mut indexes: Vec<u64> = known.suspect.into_iter().collect();
    if known.sample as u64 >= settled.index {
        indexes.extend(0..settled.index);
    } else {
        indexes.extend((0..known.sample).map(|_| random() % settled.index));
    }
    indexes.retain(|index| *index < settled.index);
    indexes.sort_unstable();
    indexes.dedup();
    for indexes in indexes.chunks(MAX_SAMPLE) {
        let names: Vec<_> = indexes.iter().map(ToString::to_string).collect();
        let file = node.receipts(&names, &settled.hash.to_string()).await;
        let outcome = match &file {
            Ok(file) => check_receipt(file, settled, indexes),
            Err(error) if is_answer(error) => Err(error.to_string()),
            // The node is busy. The next poll asks again.
            Err(error) => {
                return match known.suspect {
                    None => Ok(()),
                    Some(_) => Err(Try::Again(PollOutcome::Unreachable(error.to_string()))),
                };
            }
        };
        let Err(reason) = outcome else { continue };
        if let [index] = indexes {
            let again = file.is_err();
            let outcome = PollOutcome::Contradiction {
                reason: format!("it cannot prove the content of block {index}: {reason}"),
                response: file.unwrap_or_default(),
                block: Some(*index),
            };
            return Err(if again {
                Try::Again(outcome)
            } else {
                Try::Done(outcome)
            });
        }
        // The response about several blocks does not say which of them fails.
        for index in indexes {
            let alone = Known {
                sample: 0,
                suspect: Some(*index),
                ..known
            };
            Box::pin(sample(node, alone)).await?;
        }
    }
    Ok(())
}

/// Maximum number of blocks in one receipt.
const MAX_SAMPLE: usize = 100;

/// Returns a random number.
fn random() -> u64 {
    let id = MessageId::random();
    // The bytes between have bits that are the same in every id.
    let (mut number, bytes) = ([0; 8], id.as_bytes());
    number[..4].copy_from_slice(&bytes[..4]);
    number[4..].copy_from_slice(&bytes[12..]);
    u64::from_le_bytes(number)
}
