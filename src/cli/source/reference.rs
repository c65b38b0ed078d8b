//! Reads the chain and the pending messages of a reference miner through its endpoints.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::chain::{Block, Message};
use crate::cli::error::Error;
use crate::client::{HttpTransport, NodeAddress, PeerClient, PeerError, read_blocking};
use crate::node::settings::DEFAULT_MAX_CHAIN_BYTES;
use crate::reference::ReadError;
use crate::reference::json::{ChainBody, JsonChainReader};
use crate::store::PageLimit;

/// A client of one reference miner.
#[derive(Clone)]
pub(in crate::cli) struct ReferenceMiner {
    client: PeerClient,
    address: NodeAddress,
}

/// Reason why a chain could not be read.
enum ReadFailure {
    Request(PeerError),
    Chain(ReadError),
}

impl From<PeerError> for ReadFailure {
    fn from(error: PeerError) -> Self {
        Self::Request(error)
    }
}

impl ReferenceMiner {
    pub(super) fn new(address: NodeAddress) -> Result<Self, Error> {
        let transport = HttpTransport::new().map_err(Error::failed)?;
        // A command does not listen, so it advertises no address.
        let client = PeerClient::new(Arc::new(transport), String::new());
        Ok(Self { client, address })
    }

    /// Passes its blocks to `each` in pages until that returns `false`.
    pub(super) async fn for_each_page(
        &self,
        mut each: impl FnMut(Vec<Block>, u64) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let body = self
            .client
            .chain(&self.address, DEFAULT_MAX_CHAIN_BYTES)
            .await;
        let body = body.map_err(|error| self.failed(&error))?;
        let (sender, mut pages) = mpsc::channel(2);
        let reading = read_blocking(body, move |reader| {
            let (mut page, mut bytes) = (Vec::new(), 0);
            for block in JsonChainReader::new(ChainBody::new(reader)) {
                let block = block.map_err(ReadFailure::Chain)?;
                bytes += block.message.text().len();
                page.push(block);
                if page.len() == PageLimit::SCAN.count || bytes >= PageLimit::SCAN.bytes {
                    bytes = 0;
                    if sender.blocking_send(std::mem::take(&mut page)).is_err() {
                        return Ok(());
                    }
                }
            }
            // The receiver may be gone.
            let _ = sender.blocking_send(page);
            Ok(())
        });
        let consuming = async {
            let mut length = 0;
            while let Some(page) = pages.recv().await {
                length += page.len() as u64;
                if !each(page, length)? {
                    break;
                }
            }
            drop(pages);
            Ok::<_, Error>(())
        };
        let (read, consumed) = tokio::join!(reading, consuming);
        consumed?;
        read.map_err(|failure| match failure {
            ReadFailure::Request(error) => self.failed(&error),
            ReadFailure::Chain(
                error @ (ReadError::Rule { .. }
                | ReadError::NotWellFormed { .. }
                | ReadError::Changed { .. }),
            ) => Error::rejected(format!(
                "the chain of the reference miner at {} is not valid: {error}",
                self.address
            )),
            // A response that is not a chain says nothing about the chain.
            ReadFailure::Chain(error) => Error::failed(format!(
                "the response of {} to /chain cannot be read: {error}",
                self.address
            )),
        })
    }

    /// Returns its pending messages.
    pub(super) async fn pending(&self) -> Result<Vec<Message>, Error> {
        let pending = self.client.data(&self.address).await;
        pending.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &PeerError) -> Error {
        Error::failed(format!(
            "cannot read from the reference miner at {}: {error}",
            self.address
        ))
    }
}
