//! Fetches the genesis block of a network to join from a neighbour, and checks it.

use std::time::Duration;

use tracing::{info, warn};

use super::error::{Misbehaviour, SyncError};
use super::reference;
use crate::chain::check::check_genesis;
use crate::chain::{Block, BlockHash};
use crate::client::peer::Identity;
use crate::client::{NodeAddress, PeerClient};

/// Delay between two rounds of requests.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Asks the neighbours in turn until one has the genesis block with this hash.
pub async fn fetch(client: &PeerClient, neighbours: &[NodeAddress], wanted: BlockHash) -> Block {
    let asked: Vec<_> = neighbours.iter().map(ToString::to_string).collect();
    info!(
        neighbours = asked.join(","),
        genesis = %wanted,
        "waiting for a neighbour with this genesis block; the API starts when it is fetched. If none \
         of them has it, stop this node and name others"
    );
    loop {
        for peer in neighbours {
            match first_block(client, peer).await {
                Ok(block) if BlockHash::of(&block) == wanted && check_genesis(&block).is_ok() => {
                    info!(%peer, genesis = %wanted, "genesis block fetched");
                    return block;
                }
                Ok(block) => {
                    let found = BlockHash::of(&block);
                    warn!(%peer, %found, %wanted, "neighbour has a different genesis block");
                }
                Err(error) => {
                    warn!(%peer, %error, "cannot fetch the genesis block from the neighbour");
                }
            }
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

async fn first_block(client: &PeerClient, peer: &NodeAddress) -> Result<Block, SyncError> {
    match client.identify(peer).await? {
        Identity::Reference => reference::first_block(client, peer).await,
        Identity::Ours(_) => client
            .blocks(peer, 0, 1)
            .await?
            .pop()
            .ok_or(Misbehaviour::NoGenesis.into()),
    }
}
