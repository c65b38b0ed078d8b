//! The requests to a node.

use crate::client::{ClientError, HttpClient};
use crate::wire::{BlockPage, CheckpointView, Status};

/// A node that can be asked.
#[expect(async_fn_in_trait, reason = "the monitor polls on one task")]
pub trait Source {
    /// Returns the address, as the user wrote it.
    fn address(&self) -> String;
    /// `GET /status`.
    async fn status(&self) -> Result<Status, ClientError>;
    /// `GET /checkpoint?at=`.
    async fn checkpoint(&self, at: &str) -> Result<CheckpointView, ClientError>;
    /// `GET /consistency?from=&to=`.
    async fn consistency(&self, from: u64, to: &str) -> Result<Vec<u8>, ClientError>;
    /// `GET /receipts?block=&at=`.
    async fn receipts(&self, blocks: &[String], at: &str) -> Result<Vec<u8>, ClientError>;
    /// `GET /blocks`, oldest first.
    async fn blocks(&self, from: u64, limit: usize) -> Result<BlockPage, ClientError>;
    /// `GET /blocks`, newest first.
    async fn blocks_down(&self, from: u64, limit: usize) -> Result<BlockPage, ClientError>;
}

impl Source for HttpClient {
    fn address(&self) -> String {
        HttpClient::address(self).to_string()
    }

    async fn status(&self) -> Result<Status, ClientError> {
        HttpClient::status(self).await
    }

    async fn checkpoint(&self, at: &str) -> Result<CheckpointView, ClientError> {
        HttpClient::checkpoint(self, at).await
    }

    async fn consistency(&self, from: u64, to: &str) -> Result<Vec<u8>, ClientError> {
        HttpClient::consistency(self, from, to).await
    }

    async fn receipts(&self, blocks: &[String], at: &str) -> Result<Vec<u8>, ClientError> {
        HttpClient::receipts(self, blocks, at).await
    }

    async fn blocks(&self, from: u64, limit: usize) -> Result<BlockPage, ClientError> {
        HttpClient::blocks(self, from, limit).await
    }

    async fn blocks_down(&self, from: u64, limit: usize) -> Result<BlockPage, ClientError> {
        HttpClient::blocks_down(self, Some(from), limit).await
    }
}
