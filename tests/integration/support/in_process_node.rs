//! A node within the test, with the API in front of it and without a miner: the test hands blocks
//! and branches to its store.

use std::net::SocketAddr;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use blockchain::api::admission::Access;
use blockchain::api::server::serve;
use blockchain::chain::Block;
use blockchain::clock::SystemClock;
use blockchain::node::settings::{PeerSettings, ProofMode, Settings};
use blockchain::node::{Executor, Node};
use blockchain::store::{Adoption, Network, Operation, Store};

/// A node and what it runs on.
pub(crate) struct InProcessNode {
    pub(crate) node: Arc<Node>,
    pub(crate) address: SocketAddr,
    runtime: Runtime,
    shutdown: CancellationToken,
    folder: TempDir,
}

impl InProcessNode {
    /// A node whose chain is the default genesis block.
    pub(crate) fn start(network: Network) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.redb");
        Store::create(&path, &Block::default_genesis(), network).unwrap();
        Self::on(folder)
    }

    fn on(folder: TempDir) -> Self {
        let runtime = Runtime::new().unwrap();
        let settings = Settings {
            threads: None,
            proof: ProofMode::Sealed,
            snapshot: None,
            peers: PeerSettings::default(),
            add_rate: None,
        };
        let path = folder.path().join("node.redb");
        let node = Arc::new(
            Node::open(&path, 0, settings, Arc::new(SystemClock), Executor::Pool).unwrap(),
        );
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let (access, api) = (Access::default(), Arc::clone(&node));
        runtime.spawn(serve(listener, api, access, shutdown.clone()));
        Self {
            node,
            address,
            runtime,
            shutdown,
            folder,
        }
    }

    /// Stops it and starts it again on the same folder.
    pub(crate) fn again(self) -> Self {
        self.shutdown.cancel();
        // Dropping the runtime drops everything that still holds the node.
        drop(self.runtime);
        Arc::try_unwrap(self.node).ok().unwrap().close().unwrap();
        Self::on(self.folder)
    }

    /// Appends blocks to its chain.
    #[track_caller]
    pub(crate) fn append(&self, blocks: &[Block]) {
        let parent = self.node.state().tip.hash;
        let blocks = blocks.to_vec();
        self.node
            .write(|reply| Operation::Append(parent, blocks, reply))
            .unwrap();
    }

    /// Lets the node switch to a branch.
    #[track_caller]
    pub(crate) fn adopt(&self, branch: &[Block]) {
        let blocks = branch.to_vec();
        self.node
            .write(|reply| Operation::Stage(1, blocks, reply))
            .unwrap();
        let adoption = Adoption {
            branch: 1,
            source: "neighbour.example:12345".to_owned(),
            at: 1_700_000_000_000,
            max_reorg: u64::MAX,
            max_replaceable_genesis_length: 0,
        };
        self.node
            .write(|reply| Operation::Adopt(adoption, reply))
            .unwrap();
    }
}
