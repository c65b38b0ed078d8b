//! The parameters of a network that are kept in the database.

use super::error::StoreError;
use super::tables::NetworkRecord;
use crate::pow::Difficulty;

/// Difficulty and seal rule of a network; with the genesis block they identify it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Minimum number of trailing zeros of every proof.
    pub difficulty: Difficulty,
    /// First index that must be sealed; `None` if open proofs are accepted everywhere.
    pub sealed_from: Option<u64>,
}

impl Network {
    pub(super) fn to_record(self) -> NetworkRecord {
        NetworkRecord {
            difficulty: self.difficulty.get(),
            sealed_from: self.sealed_from,
        }
    }

    pub(super) fn from_record(record: NetworkRecord) -> Result<Self, StoreError> {
        let difficulty = Difficulty::new(record.difficulty)
            .map_err(|error| StoreError::corrupt(format!("table meta, key network: {error}")))?;
        Ok(Self {
            difficulty,
            sealed_from: record.sealed_from,
        })
    }
}
