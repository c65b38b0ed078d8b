//! The genesis block of a network one wants to join, fetched from a neighbour and checked.

use std::time::Duration;

use tracing::{info, warn};

use super::error::SyncError;
use super::reference;
use crate::chain::check::check_genesis;
use crate::chain::{Block, BlockHash};
use crate::client::peer::Identity;
use crate::client::{NodeAddress, PeerClient};

/// Pause between two rounds of asking.
const PAUSE: Duration = Duration::from_secs(2);

/// Asks the neighbours, again and again, until one has the genesis block with this hash.
pub async fn fetch(client: &PeerClient, neighbours: &[NodeAddress], wanted: BlockHash) -> Block {
    info!(
        genesis = %wanted,
        "waiting for a neighbour with this genesis block; this node serves nothing until then"
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
                    warn!(%peer, %found, %wanted, "this neighbour has another genesis block");
                }
                Err(error) => warn!(%peer, %error, "this neighbour gives no genesis block"),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn first_block(client: &PeerClient, peer: &NodeAddress) -> Result<Block, SyncError> {
    match client.identify(peer).await? {
        Identity::Reference => reference::first_block(client, peer).await,
        Identity::Ours(_) => client
            .blocks(peer, 0, 1)
            .await?
            .pop()
            .ok_or_else(|| SyncError::Misbehaved("has no genesis block".to_owned())),
    }
}
