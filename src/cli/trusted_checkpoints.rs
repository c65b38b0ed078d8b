//! Checks that a chain contains the trusted checkpoints of its network.

use super::error::{Error, ErrorKind};
use super::trust::{self, Trust};
use crate::chain::{BlockHash, History, Passed};
use crate::client::{ClientError, HttpClient};
use crate::proofs::consistency::TreeHead;
use crate::proofs::{Checkpoint, ConsistencyProof, Trusted};

/// A trusted checkpoint that is not in the chain.
#[derive(Debug)]
pub(super) struct MissingCheckpoint {
    /// Index of the block.
    pub(super) index: u64,
    /// Description, with the origin of the checkpoint.
    pub(super) message: String,
}

/// Trusted checkpoints, compared with the blocks of a chain as it is read.
pub(super) struct TrustedCheckpoints {
    /// By descending index, so that the next one is the last.
    remaining: Vec<(Checkpoint, Trust)>,
    history: History,
    found: u64,
    missing: Option<MissingCheckpoint>,
}

impl TrustedCheckpoints {
    /// Reads the values of `--checkpoint`.
    pub(super) fn read(values: &[String]) -> Result<Self, Error> {
        let mut remaining = Vec::new();
        for trust in trust::read_all(values)? {
            match trust.trusted {
                Trusted::Checkpoint(checkpoint) => remaining.push((checkpoint, trust)),
                Trusted::Hash(hash) => {
                    let text = format!("{hash} is a hash, and --checkpoint takes a checkpoint");
                    return Err(Error::usage(text).hint("get one with \"blockchain checkpoint\""));
                }
            }
        }
        remaining.sort_by_key(|(checkpoint, _)| std::cmp::Reverse(checkpoint.index));
        Ok(Self {
            remaining,
            history: History::default(),
            found: 0,
            missing: None,
        })
    }

    /// Compares the next block with the checkpoints at its index.
    pub(super) fn push(&mut self, passed: &Passed<'_, '_>) {
        let index = passed.block.index;
        if index == 0 {
            self.missing = self.retain_network(passed.hash).err();
        }
        while let Some((kept, _)) = self.remaining.last()
            && kept.index == index
        {
            let is_same = kept.hash == passed.hash && kept.root == self.history.root();
            let Some((_, trust)) = self.remaining.pop() else {
                return;
            };
            if is_same {
                self.found += 1;
            } else {
                self.missing
                    .get_or_insert_with(|| other_block(index, &trust));
            }
        }
        // Above the last checkpoint, no history root is needed.
        if !self.remaining.is_empty() {
            self.history.append(&passed.hash, |_, _| {});
        }
    }

    /// Discards the checkpoints of other networks; there must be one of this network.
    fn retain_network(&mut self, genesis: BlockHash) -> Result<(), MissingCheckpoint> {
        let before = self.remaining.len();
        self.remaining.retain(|(kept, _)| kept.genesis == genesis);
        if before > 0 && self.remaining.is_empty() {
            return Err(MissingCheckpoint {
                index: 0,
                message: format!("no kept checkpoint is of this network (genesis {genesis})"),
            });
        }
        Ok(())
    }

    /// Returns the number of checkpoints found in the chain, or the first that is not there.
    pub(super) fn finish(mut self) -> Result<u64, MissingCheckpoint> {
        if let Some((kept, trust)) = self.remaining.pop() {
            self.missing
                .get_or_insert_with(|| ends_below(kept.index, &trust));
        }
        match self.missing {
            Some(missing) => Err(missing),
            None => Ok(self.found),
        }
    }

    /// Requests the proof that the tip of a node continues each checkpoint of its network, one
    /// request each.
    pub(super) async fn ask(
        mut self,
        client: &HttpClient,
    ) -> Result<Result<u64, MissingCheckpoint>, Error> {
        let genesis = client.status().await?.genesis;
        let genesis = genesis
            .parse()
            .map_err(|_| Error::failed("the node sends a genesis hash that is invalid"))?;
        if let Err(missing) = self.retain_network(genesis) {
            return Ok(Err(missing));
        }
        let mut found = 0;
        for (kept, trust) in self.remaining.iter().rev() {
            let is_contained = match client.consistency(kept.index, "tip").await {
                // Its earlier end must be the kept block: a proof that ends there is an old one.
                Ok(file) => ConsistencyProof::read(&file)
                    .is_ok_and(|proof| proof.from == TreeHead::from(kept) && proof.check().is_ok()),
                // The tip is at the checkpoint itself.
                Err(ClientError::Rejected { status: 400, .. }) => {
                    let view = client.checkpoint(&kept.index.to_string()).await?;
                    view.checkpoint == kept.to_string()
                }
                Err(error) if error.is_not_found() => {
                    return Ok(Err(ends_below(kept.index, trust)));
                }
                Err(error) => return Err(ErrorKind::from(error).into()),
            };
            if !is_contained {
                return Ok(Err(other_block(kept.index, trust)));
            }
            found += 1;
        }
        Ok(Ok(found))
    }
}

fn ends_below(index: u64, trust: &Trust) -> MissingCheckpoint {
    let origin = &trust.origin;
    MissingCheckpoint {
        index,
        message: format!("the chain ends below this kept block ({origin})"),
    }
}

fn other_block(index: u64, trust: &Trust) -> MissingCheckpoint {
    let origin = &trust.origin;
    MissingCheckpoint {
        index,
        message: format!("the chain has another block than the kept one ({origin})"),
    }
}
