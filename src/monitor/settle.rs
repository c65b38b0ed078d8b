//! The start of a state, and accepting another branch.

use std::path::Path;

use super::event::{Details, Event, Kind};
use super::folder::Folder;
use super::source::Source;
use super::state::State;
use super::{MonitorError, MonitorSettings};
use crate::proofs::consistency::TreeHead;
use crate::proofs::{Checkpoint, ConsistencyProof, Receipt, Trusted};
use crate::wire::Status;

/// Opens the state for these nodes below `root`, or starts one. `trust` is what a person trusts for
/// the first start. Returns the event that tells of the start.
///
/// # Errors
/// If no node answers, the folder is in use or cannot be read, or `trust` does not fit.
pub async fn open<S: Source>(
    nodes: &[S],
    root: &Path,
    trust: &[Trusted],
    settings: &MonitorSettings,
    now: u64,
) -> Result<(State, Event, bool), MonitorError> {
    let addresses: Vec<_> = nodes.iter().map(Source::address).collect();
    if let Some(name) = State::genesis_of(root, &addresses) {
        return reopen(Folder::open(root, &name)?, trust, now);
    }
    let (node, status) = first_answer(nodes, trust).await?;
    let folder = match State::read(Folder::open(root, &status.genesis)?)? {
        Ok(state) => return reopen_state(state, trust, now),
        Err(folder) => folder,
    };
    let settled = if let Some(checkpoint) = trusted(node, &status, trust).await? {
        checkpoint
    } else {
        let index = status.tip.index.saturating_sub(settings.depth);
        line_of(node, &index.to_string()).await?
    };
    let mut state = State::new(folder, settled, now, status.network());
    state.kept.push(&settled, &node.address(), now);
    let origin = if trust.is_empty() {
        "trusted on first use"
    } else {
        "trusted as given"
    };
    let message = format!("block {} is settled, {origin}", settled.index);
    let event = started(&node.address(), &settled, message, now);
    state.append_events(&format!("{}\n", event.line()))?;
    state.write()?;
    Ok((state, event, true))
}

fn reopen(
    folder: Folder,
    trust: &[Trusted],
    now: u64,
) -> Result<(State, Event, bool), MonitorError> {
    let path = folder.path("settled");
    match State::read(folder)? {
        Ok(state) => reopen_state(state, trust, now),
        Err(_) => Err(MonitorError::State {
            path,
            source: std::io::ErrorKind::NotFound.into(),
        }),
    }
}

fn reopen_state(
    state: State,
    trust: &[Trusted],
    now: u64,
) -> Result<(State, Event, bool), MonitorError> {
    if !trust.is_empty() {
        let path = state.folder.path("");
        return Err(MonitorError::Usage(format!(
            "--trust is for the first start, and {} holds a state already",
            path.display()
        )));
    }
    let settled = state.settled;
    let message = format!("block {} is settled, from an earlier run", settled.index);
    Ok((state, started("", &settled, message, now), false))
}

fn started(node: &str, settled: &Checkpoint, message: String, now: u64) -> Event {
    Event::new(Kind::Start, node, now, message).with(Details::Settled {
        settled: settled.to_string(),
        gap: 0,
    })
}

/// Tells of the start of a monitor on an existing state.
///
/// # Errors
/// If the state cannot be written.
pub fn note_start(state: &mut State, event: &Event, now: u64) -> Result<(), MonitorError> {
    state.append_events(&format!("{}\n", event.line()))?;
    let settled = state.settled;
    state.kept.push(&settled, "at the start", now);
    state.write()
}

/// Returns the first node that answers, of the network that is trusted.
async fn first_answer<'a, S: Source>(
    nodes: &'a [S],
    trust: &[Trusted],
) -> Result<(&'a S, Status), MonitorError> {
    let mut error = None;
    for node in nodes {
        match node.status().await {
            Ok(status) if is_of_network(&status, trust) => return Ok((node, status)),
            Ok(status) => {
                let (address, genesis) = (node.address(), status.genesis);
                error.get_or_insert(MonitorError::Rejected(format!(
                    "{address} belongs to another network than what you trust (genesis {genesis})"
                )));
            }
            Err(failed) => error = Some(failed.into()),
        }
    }
    Err(error.unwrap_or_else(|| MonitorError::Usage("no node is named".to_owned())))
}

fn is_of_network(status: &Status, trust: &[Trusted]) -> bool {
    let is_other = |trust: &Trusted| matches!(trust, Trusted::Checkpoint(kept) if kept.genesis.to_string() != status.genesis);
    trust.is_empty() || !trust.iter().all(is_other)
}

/// Returns the highest checkpoint of the network among what is trusted. The node completes a bare
/// hash, if the block is sealed.
async fn trusted<S: Source>(
    node: &S,
    status: &Status,
    trust: &[Trusted],
) -> Result<Option<Checkpoint>, MonitorError> {
    let mut highest: Option<Checkpoint> = None;
    for trust in trust {
        let found = match trust {
            Trusted::Checkpoint(kept) if kept.genesis.to_string() == status.genesis => *kept,
            Trusted::Checkpoint(_) => continue,
            Trusted::Hash(hash) => {
                let name = hash.to_string();
                let kept = line_of(node, &name).await?;
                // The receipt of the block below it shows that its proof binds the root.
                let below = kept.index.saturating_sub(1).to_string();
                let file = node.receipts(&[below], &name).await?;
                let bound = Receipt::read(&file).and_then(|receipt| {
                    let (under, _) = receipt.check()?;
                    receipt.verify_against(&under, &[Trusted::Hash(*hash)])?;
                    Ok(receipt.root)
                });
                match bound {
                    Ok(root) => Checkpoint {
                        root,
                        hash: *hash,
                        ..kept
                    },
                    Err(error) => return Err(MonitorError::Rejected(error.to_string())),
                }
            }
        };
        if highest.is_none_or(|highest| highest.index < found.index) {
            highest = Some(found);
        }
    }
    Ok(highest)
}

async fn line_of<S: Source>(node: &S, at: &str) -> Result<Checkpoint, MonitorError> {
    let view = node.checkpoint(at).await?;
    let line = view.checkpoint.parse();
    line.map_err(|error| {
        let address = node.address();
        MonitorError::Rejected(format!("{address} sent no valid checkpoint: {error}"))
    })
}

/// Accepts the branch of whichever node has the block with this hash, and ends the alarms about the
/// history. Writes the event, and then the state.
///
/// # Errors
/// If no node has the block, or it is at another index than the settled one.
pub async fn accept<S: Source>(
    state: &mut State,
    nodes: &[S],
    hash: &str,
    now: u64,
) -> Result<Event, MonitorError> {
    let mut reason = None;
    for node in nodes {
        let address = node.address();
        let found =
            async { Ok::<_, MonitorError>((node.status().await?, line_of(node, hash).await?)) };
        let (status, line) = match found.await {
            Ok(found) => found,
            Err(error) => {
                reason.get_or_insert(error.to_string());
                continue;
            }
        };
        let settled = state.settled.index;
        let is_right = line.genesis == state.settled.genesis && line.hash.to_string() == hash;
        // A chain that ends below the settled index has no block there; its tip stands for it.
        let is_tip = status.tip.index < settled && line.index == status.tip.index;
        if !is_right || (line.index != settled && !is_tip) {
            reason = Some(format!(
                "block {} of {address} has this hash, and the settled block is {settled}",
                line.index
            ));
            continue;
        }
        return take(state, node, line, &status, now).await;
    }
    let reason = reason.unwrap_or_default();
    Err(MonitorError::Rejected(format!(
        "no node has block {hash} at index {}: {reason}",
        state.settled.index
    )))
}

async fn take<S: Source>(
    state: &mut State,
    node: &S,
    line: Checkpoint,
    status: &Status,
    now: u64,
) -> Result<Event, MonitorError> {
    let address = node.address();
    let message = format!("a person accepted block {} ({})", line.index, line.hash);
    let event = Event::new(Kind::Accepted, &address, now, message);
    let event = event.with(Details::Settled {
        settled: line.to_string(),
        gap: 0,
    });
    let above = last_continued(state, node, &line).await;
    state.append_events(&format!("{}\n", event.line()))?;
    state.kept.replace_from(above, now);
    state.kept.push(&line, &address, now);
    state
        .standing
        .retain(|standing| !standing.kind.is_about_history());
    // The old tips are no longer what the nodes are expected to continue.
    for tip in state.tips.values_mut() {
        (tip.index, tip.hash, tip.since) = (line.index, line.hash.to_string(), now);
    }
    state.network = status.network();
    (state.settled, state.settled_since) = (line, now);
    state.write()?;
    Ok(event)
}

/// Returns the index above the highest kept checkpoint that the accepted branch continues.
async fn last_continued<S: Source>(state: &State, node: &S, line: &Checkpoint) -> u64 {
    let kept = state.kept.checkpoints();
    let (mut low, mut high) = (0, kept.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let earlier = &kept[middle];
        let is_continued = earlier == line
            || earlier.index < line.index
                && match node
                    .consistency(earlier.index, &line.hash.to_string())
                    .await
                {
                    Ok(file) => ConsistencyProof::read(&file).is_ok_and(|proof| {
                        proof.from == TreeHead::from(earlier)
                            && proof.to == TreeHead::from(line)
                            && proof.check().is_ok()
                    }),
                    Err(_) => false,
                };
        if is_continued {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.checked_sub(1).map_or(0, |last| kept[last].index + 1)
}
