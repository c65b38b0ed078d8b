//! Sources of checkpoints and proofs: a node, or the database of a stopped one.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;

use super::error::Error;
use super::files::{Files, expand};
use super::names::Name;
use super::source::ChainSource;
use super::target::TargetArgs;
use crate::api::find::{FindError, find_block};
use crate::chain::{Block, MessageId};
use crate::client::HttpClient;
use crate::proofs::{ConsistencyProof, NotProven, Receipt, entries};
use crate::store::{StoppedStore, View};
use crate::wire::{CheckpointView, Lookup, MessageState};

/// The options that select the chain.
#[derive(Debug, Args)]
pub(super) struct ProofSourceArgs {
    /// Folder of a running or stopped node; without it, the node at --host and --port is asked
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
    #[command(flatten)]
    node: TargetArgs,
}

/// A source of proofs.
pub(super) enum ProofSource {
    Stopped {
        _store: StoppedStore,
        view: View,
        folder: PathBuf,
    },
    Node(HttpClient),
}

impl ProofSourceArgs {
    pub(super) async fn open(&self) -> Result<ProofSource, Error> {
        let Some(folder) = &self.db else {
            return Ok(ProofSource::Node(self.node.client()?));
        };
        let files = Files::of_database(&expand(folder))?;
        match ChainSource::in_folder(&files).await? {
            ChainSource::Stopped {
                _store: store,
                view,
            } => Ok(ProofSource::Stopped {
                _store: store,
                view,
                folder: files.folder,
            }),
            ChainSource::Running(client) => Ok(ProofSource::Node(client)),
            ChainSource::Reference(_) => {
                Err(Error::failed("reference miners do not support proofs"))
            }
        }
    }
}

impl ProofSource {
    /// Returns the address of the node, or the folder of the stopped one.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Node(client) => client.address().to_string(),
            Self::Stopped { folder, .. } => folder.display().to_string(),
        }
    }

    /// Returns the option by which `verify` reads the same chain.
    pub(super) fn verify_option(&self) -> String {
        let option = match self {
            Self::Node(_) => "--node",
            Self::Stopped { .. } => "--db",
        };
        format!("{option} {}", self.name())
    }

    /// Returns the checkpoint of the block named `at`.
    pub(super) async fn checkpoint(&self, at: &str) -> Result<CheckpointView, Error> {
        match self {
            Self::Node(client) => Ok(client.checkpoint(at).await?),
            Self::Stopped { view, .. } => {
                let block = find(view, at)?;
                let tip = view.tip_block()?.index;
                Ok(CheckpointView::new(&view.checkpoint(&block)?, &block, tip))
            }
        }
    }

    /// Returns a receipt for the messages and blocks with these names, under the block `at`, and
    /// the bytes of its file. The proof has been verified.
    pub(super) async fn receipt(
        &self,
        names: &[Name],
        at: &str,
    ) -> Result<(Receipt, Vec<u8>), Error> {
        let file = match self {
            Self::Node(client) => receipt_of_node(client, names, at).await?,
            Self::Stopped { view, .. } => receipt_of_view(view, names, at)?.into_bytes(),
        };
        let receipt = Receipt::read(&file).and_then(|receipt| {
            receipt.check()?;
            Ok(receipt)
        });
        Ok((receipt.map_err(|error| wrong(&error))?, file))
    }

    /// Returns the proof that the block `to` continues the block with index `from`, as the bytes
    /// of its file. The proof has been verified.
    pub(super) async fn consistency(&self, from: u64, to: &str) -> Result<Vec<u8>, Error> {
        let file = match self {
            Self::Node(client) => client.consistency(from, to).await?,
            Self::Stopped { view, .. } => {
                let lower = view.block(from)?;
                let lower = lower.ok_or_else(|| no_such_block(view, &from.to_string()))?;
                let (from, to) = (lower, find(view, to)?);
                if from.index >= to.index {
                    let (from, to) = (from.index, to.index);
                    let text = format!("block {from} is not below block {to}");
                    return Err(Error::rejected(text));
                }
                view.consistency_proof(&from, &to)?.to_json().into_bytes()
            }
        };
        let proof = ConsistencyProof::read(&file).and_then(|proof| proof.check());
        proof.map_err(|error| wrong(&error))?;
        Ok(file)
    }
}

fn wrong(error: &NotProven) -> Error {
    Error::failed(format!("the proof is invalid: {error}"))
        .hint("check the chain with \"blockchain verify\"")
}

async fn receipt_of_node(client: &HttpClient, names: &[Name], at: &str) -> Result<Vec<u8>, Error> {
    if let [name] = names {
        return Ok(match name {
            Name::Message(id) => client.message_receipt(&id.to_string(), at).await?,
            Name::Block(name) => client.block_receipt(name, at).await?,
        });
    }
    let mut blocks = Vec::with_capacity(names.len());
    for name in names {
        blocks.push(match name {
            Name::Block(name) => name.clone(),
            Name::Message(id) => {
                let status = client.message(&id.to_string()).await?;
                let block = status.block.filter(|_| status.state == MessageState::Mined);
                block.ok_or_else(|| pending(id))?.index.to_string()
            }
        });
    }
    // A block may be named twice, by its index and by its message.
    let mut seen = HashSet::new();
    blocks.retain(|block| seen.insert(block.clone()));
    Ok(client.receipts(&blocks, at).await?)
}

fn receipt_of_view(view: &View, names: &[Name], at: &str) -> Result<String, Error> {
    let under = find(view, at)?;
    let mut blocks = Vec::with_capacity(names.len());
    for name in names {
        blocks.push(match name {
            Name::Block(name) => find(view, name)?,
            Name::Message(id) => {
                let id = view.current_id(*id)?;
                match view.block_of_message(&id)? {
                    Some(block) => block,
                    None if view.pending(&id)?.is_some() => return Err(pending(&id)),
                    None => return Err(Error::rejected(format!("there is no message {id}"))),
                }
            }
        });
    }
    let blocks = entries(&under, blocks).map_err(Error::rejected)?;
    let receipt = view.receipt(under, blocks)?;
    receipt.to_json().ok_or_else(|| {
        Error::rejected("the receipt would be larger than any reader accepts")
            .hint("name fewer blocks")
    })
}

fn pending(id: &MessageId) -> Error {
    Error::rejected(format!("message {id} is pending: it is in no block yet"))
        .hint("wait until it is mined")
}

fn no_such_block(view: &View, name: &str) -> Error {
    let tip = match (name.parse::<u64>(), view.tip_block()) {
        (Ok(_), Ok(tip)) => format!(": the tip is block {}", tip.index),
        _ => String::new(),
    };
    Error::rejected(format!("there is no block {name}{tip}"))
}

/// Returns the block that a text names: `tip`, an index, a hash or the beginning of one.
fn find(view: &View, name: &str) -> Result<Block, Error> {
    match find_block(view, &Lookup::block_name(name)) {
        Ok(Some(block)) => Ok(block),
        Ok(None) => Err(no_such_block(view, name)),
        Err(error @ FindError::Invalid) => Err(Error::usage(format!("{name:?}: {error}"))),
        Err(error @ FindError::Ambiguous(_)) => Err(Error::rejected(error)),
        Err(FindError::Store(error)) => Err(error.into()),
    }
}
