//! Kept checkpoints: every one of the network must lie in the chain that is verified.

use super::error::{Error, ErrorKind};
use super::trust::{self, Trust};
use crate::chain::{BlockHash, History, Passed};
use crate::client::{ClientError, HttpClient};
use crate::proofs::consistency::End;
use crate::proofs::{Checkpoint, ConsistencyProof, Trusted};

/// A kept checkpoint that is not in the chain.
#[derive(Debug)]
pub(super) struct NotKept {
    /// Index of the block.
    pub(super) index: u64,
    pub(super) problem: String,
}

/// The checkpoints that a chain is held against, as the chain is read.
pub(super) struct Kept {
    /// By falling index, so that the next one is the last.
    waiting: Vec<(Checkpoint, Trust)>,
    history: History,
    found: u64,
    finding: Option<NotKept>,
}

impl Kept {
    /// Reads the values of `--checkpoint`.
    pub(super) fn read(values: &[String]) -> Result<Self, Error> {
        let mut waiting = Vec::new();
        for trust in trust::read_all(values)? {
            match trust.trusted {
                Trusted::Checkpoint(checkpoint) => waiting.push((checkpoint, trust)),
                Trusted::Hash(hash) => {
                    let text = format!("{hash} is a hash, and --checkpoint takes a checkpoint");
                    return Err(Error::usage(text).hint("get one with \"blockchain checkpoint\""));
                }
            }
        }
        waiting.sort_by_key(|(checkpoint, _)| std::cmp::Reverse(checkpoint.index));
        Ok(Self {
            waiting,
            history: History::default(),
            found: 0,
            finding: None,
        })
    }

    /// Holds the next block of the chain against what is kept of it.
    pub(super) fn push(&mut self, passed: &Passed<'_, '_>) {
        let index = passed.block.index;
        if index == 0 {
            self.finding = self.retain_network(passed.hash).err();
        }
        while let Some((kept, _)) = self.waiting.last()
            && kept.index == index
        {
            let is_same = kept.hash == passed.hash && kept.root == self.history.root();
            let Some((_, trust)) = self.waiting.pop() else {
                return;
            };
            if is_same {
                self.found += 1;
            } else {
                self.finding
                    .get_or_insert_with(|| other_block(index, &trust));
            }
        }
        // Nothing above the last checkpoint is asked for.
        if !self.waiting.is_empty() {
            self.history.append(&passed.hash, |_, _| {});
        }
    }

    /// Discards the checkpoints of other networks; there must be one of this network.
    fn retain_network(&mut self, genesis: BlockHash) -> Result<(), NotKept> {
        let before = self.waiting.len();
        self.waiting.retain(|(kept, _)| kept.genesis == genesis);
        if before > 0 && self.waiting.is_empty() {
            return Err(NotKept {
                index: 0,
                problem: format!("no kept checkpoint is of this network (genesis {genesis})"),
            });
        }
        Ok(())
    }

    /// Returns the number of checkpoints found in the chain, or the first that is not there.
    pub(super) fn finish(mut self) -> Result<u64, NotKept> {
        if let Some((kept, trust)) = self.waiting.pop() {
            self.finding
                .get_or_insert_with(|| ends_below(kept.index, &trust));
        }
        match self.finding {
            Some(finding) => Err(finding),
            None => Ok(self.found),
        }
    }

    /// Requests the proof that the tip of a node continues each checkpoint of its network, one
    /// request each.
    pub(super) async fn ask(mut self, client: &HttpClient) -> Result<Result<u64, NotKept>, Error> {
        let genesis = client.status().await?.genesis;
        let genesis = genesis
            .parse()
            .map_err(|_| Error::failed("the node sends a genesis hash that is invalid"))?;
        if let Err(finding) = self.retain_network(genesis) {
            return Ok(Err(finding));
        }
        let mut found = 0;
        for (kept, trust) in self.waiting.iter().rev() {
            let holds = match client.consistency(kept.index, "tip").await {
                // Its earlier end must be the kept block: a proof that ends there is an old one.
                Ok(file) => ConsistencyProof::read(&file)
                    .is_ok_and(|proof| proof.from == End::from(kept) && proof.check().is_ok()),
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
            if !holds {
                return Ok(Err(other_block(kept.index, trust)));
            }
            found += 1;
        }
        Ok(Ok(found))
    }
}

fn ends_below(index: u64, trust: &Trust) -> NotKept {
    let origin = &trust.origin;
    NotKept {
        index,
        problem: format!("the chain ends below this kept block ({origin})"),
    }
}

fn other_block(index: u64, trust: &Trust) -> NotKept {
    let origin = &trust.origin;
    NotKept {
        index,
        problem: format!("the chain has another block than the kept one ({origin})"),
    }
}
