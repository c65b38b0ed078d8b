//! Checkpoints, receipts and consistency proofs of a node.

use reqwest::Method;

use super::{ClientError, HttpClient};
use crate::wire::CheckpointView;

impl HttpClient {
    /// `GET /api/v1/checkpoint`.
    pub async fn checkpoint(&self, at: &str) -> Result<CheckpointView, ClientError> {
        let request = self.request(Method::GET, "/api/v1/checkpoint");
        self.json(request.query(&[("at", at)])).await
    }

    /// `GET /api/v1/blocks/{block}/receipt`, as the bytes of the file.
    pub async fn block_receipt(&self, block: &str, at: &str) -> Result<Vec<u8>, ClientError> {
        let path = format!("/api/v1/blocks/{block}/receipt");
        let request = self.request(Method::GET, &path);
        self.send(request.query(&[("at", at)])).await
    }

    /// `GET /api/v1/messages/{id}/receipt`, as the bytes of the file.
    pub async fn message_receipt(&self, id: &str, at: &str) -> Result<Vec<u8>, ClientError> {
        let path = format!("/api/v1/messages/{id}/receipt");
        let request = self.request(Method::GET, &path);
        self.send(request.query(&[("at", at)])).await
    }

    /// `GET /api/v1/receipts`: several blocks in one file.
    pub async fn receipts(&self, blocks: &[String], at: &str) -> Result<Vec<u8>, ClientError> {
        let blocks = blocks.iter().map(|block| ("block", &**block));
        let query: Vec<_> = blocks.chain([("at", at)]).collect();
        let request = self.request(Method::GET, "/api/v1/receipts");
        self.send(request.query(&query)).await
    }

    /// `GET /api/v1/consistency`, as the bytes of the file.
    pub async fn consistency(&self, from: u64, to: &str) -> Result<Vec<u8>, ClientError> {
        let query = [("from", &*from.to_string()), ("to", to)];
        let request = self.request(Method::GET, "/api/v1/consistency");
        self.send(request.query(&query)).await
    }
}
