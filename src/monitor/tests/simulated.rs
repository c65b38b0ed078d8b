//! A simulated node that serves any chain, and can lie.

use std::cell::{Cell, RefCell};

use crate::chain::history::{NodeHash, node_count};
use crate::chain::{
    Block, BlockHash, Checker, History, Message, MessageId, Proof, Timestamp, seal,
};
use crate::client::{ClientError, NodeAddress};
use crate::monitor::source::Source;
use crate::pow::{self, Difficulty};
use crate::proofs::{Checkpoint, ConsistencyProof, Receipt, tree};
use crate::wire::{self, BlockPage, BlockRenderer, CheckpointView, Status};

/// A sealed chain of difficulty 1.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) blocks: Vec<Block>,
}

impl Chain {
    /// A chain of `length` blocks.
    pub(crate) fn new(length: usize) -> Self {
        let mut chain = Self {
            blocks: vec![Block::default_genesis()],
        };
        chain.grow_to(length, 0);
        chain
    }

    /// Another chain that shares the first `common` blocks.
    pub(crate) fn forked(&self, common: usize, length: usize) -> Self {
        let mut chain = Self {
            blocks: self.blocks[..common].to_vec(),
        };
        chain.grow_to(length, 1);
        chain
    }

    /// Mines blocks until the chain has `length` blocks.
    pub(crate) fn grow_to(&mut self, length: usize, branch: u32) {
        let mut checker = Checker::new(Difficulty::MIN, Some(1));
        checker.push_all(&self.blocks, |_| Ok(())).unwrap();
        while self.blocks.len() < length {
            let tip = checker.tip().unwrap().clone();
            let root = checker.history().root();
            let text = format!("message {} of branch {branch}", tip.index + 1);
            let message = Message::new(MessageId::random(), text).unwrap();
            let time = tip.timestamp.seconds() + 0.5;
            let commitment = seal::commitment(tip.index + 1, &tip.hash, &root, &message, time);
            let proof: Proof = (0..u64::MAX)
                .map(|nonce| format!("{commitment}{nonce}"))
                .find(|proof| {
                    pow::proof_is_valid(tip.proof_text(), proof.as_bytes(), Difficulty::MIN)
                })
                .unwrap()
                .parse()
                .unwrap();
            let block = tip.successor(message, Timestamp::float(time).unwrap(), proof);
            checker.push(&block).unwrap();
            self.blocks.push(block);
        }
    }

    pub(crate) fn rendered(&self) -> Vec<wire::Block> {
        let mut renderer = BlockRenderer::above(History::default(), None);
        self.blocks
            .iter()
            .map(|block| renderer.render(block))
            .collect()
    }

    pub(crate) fn hash(&self, index: usize) -> String {
        BlockHash::of(&self.blocks[index]).to_string()
    }

    pub(crate) fn tip(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    /// The nodes of the history tree.
    fn nodes(&self) -> Vec<NodeHash> {
        let mut nodes = Vec::new();
        let mut history = History::default();
        for block in &self.blocks {
            history.append(&BlockHash::of(block), |_, node| nodes.push(*node));
        }
        assert_eq!(nodes.len() as u64, node_count(self.blocks.len() as u64));
        nodes
    }

    pub(crate) fn checkpoint(&self, index: u64) -> Checkpoint {
        let nodes = self.nodes();
        let at = usize::try_from(index).unwrap();
        Checkpoint {
            genesis: BlockHash::of(&self.blocks[0]),
            index,
            hash: BlockHash::of(&self.blocks[at]),
            root: tree::root(index, |position| {
                Ok::<_, ()>(nodes[usize::try_from(position).unwrap()])
            })
            .unwrap(),
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        match name.parse::<usize>() {
            Ok(index) => (index < self.blocks.len()).then_some(index),
            Err(_) => (0..self.blocks.len()).find(|index| self.hash(*index) == name),
        }
    }
}

/// A node with a chain of the test's choice.
#[derive(Debug)]
pub(crate) struct SimulatedNode {
    name: &'static str,
    pub(crate) chain: RefCell<Chain>,
    pub(crate) is_silent: Cell<bool>,
    /// Number of pending messages.
    pub(crate) pending: Cell<u64>,
    /// Changes the files of proofs.
    pub(crate) alter: Cell<fn(&str, String) -> String>,
}

impl SimulatedNode {
    pub(crate) fn new(name: &'static str, chain: &Chain) -> Self {
        Self {
            name,
            chain: RefCell::new(chain.clone()),
            is_silent: Cell::new(false),
            pending: Cell::new(0),
            alter: Cell::new(|_, file| file),
        }
    }

    fn rejected(&self, status: u16) -> ClientError {
        ClientError::Rejected {
            address: self.name.parse().unwrap(),
            status,
            code: String::new(),
            message: "rejected".to_owned(),
            retry_after: None,
            id: None,
        }
    }

    fn found(&self, name: &str) -> Result<usize, ClientError> {
        self.chain
            .borrow()
            .find(name)
            .ok_or_else(|| self.rejected(404))
    }

    fn node_at(nodes: &[NodeHash]) -> impl FnMut(u64) -> Result<NodeHash, ClientError> {
        |position| Ok(nodes[usize::try_from(position).unwrap()])
    }
}

impl Source for &SimulatedNode {
    fn address(&self) -> String {
        self.name.to_owned()
    }

    async fn status(&self) -> Result<Status, ClientError> {
        if self.is_silent.get() {
            let address: NodeAddress = self.name.parse().unwrap();
            return Err(ClientError::TimedOut { address });
        }
        let chain = self.chain.borrow();
        let tip = chain.blocks.last().unwrap();
        let json = serde_json::json!({
            "version": "0", "protocol": 1, "node_id": "0", "genesis": chain.hash(0),
            "tip": {"index": tip.index, "hash": BlockHash::of(tip).to_string(), "timestamp": 0},
            "length": tip.index + 1, "sealed": tip.index, "difficulty": 1, "sealed_from": 1,
            "proof_mode": "sealed", "warnings": [],
            "mempool": {"count": self.pending.get(), "bytes": 0, "next_sequence": 0},
            "mining": {"active": false, "threads": 0, "tries": 0, "hash_rate": 0.0},
            "sync": {"neighbours": 0, "answering": 0, "fetching_from": null, "target": null,
                "differences": []},
            "reorgs": 0, "uptime": 1.0,
        });
        Ok(serde_json::from_value(json).unwrap())
    }

    async fn checkpoint(&self, at: &str) -> Result<CheckpointView, ClientError> {
        let index = self.found(at)?;
        let chain = self.chain.borrow();
        let checkpoint = chain.checkpoint(index as u64);
        Ok(CheckpointView::new(
            &checkpoint,
            &chain.blocks[index],
            chain.tip(),
        ))
    }

    async fn consistency(&self, from: u64, to: &str) -> Result<Vec<u8>, ClientError> {
        let to = self.found(to)?;
        let from = self.found(&from.to_string())?;
        if from >= to {
            return Err(self.rejected(400));
        }
        let chain = self.chain.borrow();
        let end = |index: usize| (index as u64, BlockHash::of(&chain.blocks[index]));
        let nodes = chain.nodes();
        let proof = ConsistencyProof::create(end(from), end(to), SimulatedNode::node_at(&nodes))?;
        Ok(self.alter.get()("consistency", proof.to_json()).into_bytes())
    }

    async fn receipts(&self, blocks: &[String], at: &str) -> Result<Vec<u8>, ClientError> {
        let under = self.found(at)?;
        let chain = self.chain.borrow();
        let found = blocks
            .iter()
            .map(|name| self.found(name).map(|at| chain.blocks[at].clone()));
        let mut found: Vec<_> = found.collect::<Result<_, _>>()?;
        found.retain(|block| block.index < under as u64);
        let nodes = chain.nodes();
        let under = chain.blocks[under].clone();
        let receipt = Receipt::create(under, found, SimulatedNode::node_at(&nodes))?;
        Ok(self.alter.get()("receipts", receipt.to_json().unwrap()).into_bytes())
    }

    async fn blocks(&self, from: u64, limit: usize) -> Result<BlockPage, ClientError> {
        let blocks = self.chain.borrow().rendered().into_iter();
        let blocks = blocks.skip(usize::try_from(from).unwrap()).take(limit);
        Ok(BlockPage {
            blocks: blocks.collect(),
            next: None,
        })
    }

    async fn blocks_down(&self, from: u64, limit: usize) -> Result<BlockPage, ClientError> {
        let blocks = self.chain.borrow().rendered().into_iter().rev();
        let blocks = blocks.skip_while(|block| block.index > from).take(limit);
        Ok(BlockPage {
            blocks: blocks.collect(),
            next: None,
        })
    }
}
