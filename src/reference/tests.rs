//! Tests of both formats with files of the reference miner, with damaged files, and with each other.

mod forms;
mod golden;
mod hostile;
mod odd;
mod programs;
mod round_trip;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ReadError, json, pickle};
use crate::chain::Block;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Pickle,
}

impl Format {
    const BOTH: [Self; 2] = [Self::Json, Self::Pickle];

    fn of(name: &str) -> Self {
        let file = name.rsplit('/').next().unwrap();
        if file.starts_with("json") {
            Self::Json
        } else {
            Self::Pickle
        }
    }

    fn read(self, bytes: &[u8]) -> Result<Vec<Block>, ReadError> {
        match self {
            Self::Json => json::JsonChainReader::new(bytes).collect(),
            Self::Pickle => pickle::PickleChainReader::new(bytes).collect(),
        }
    }

    fn write(self, blocks: &[Block]) -> Vec<u8> {
        match self {
            Self::Json => {
                let mut writer = json::JsonChainWriter::new(Vec::new());
                for block in blocks {
                    writer.push(block).unwrap();
                }
                writer.finish().unwrap()
            }
            Self::Pickle => {
                let mut writer = pickle::PickleChainWriter::new(Vec::new());
                for block in blocks {
                    writer.push(block).unwrap();
                }
                writer.finish().unwrap()
            }
        }
    }
}

fn path(name: &str) -> String {
    format!(
        "{}/tests/fixtures/chains/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn chain_file(name: &str) -> Vec<u8> {
    let path = path(&format!("{name}.chain"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn table<T: DeserializeOwned>(name: &str) -> BTreeMap<String, T> {
    serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
}

/// Results of the reference miner for a chain.
#[derive(Debug, Deserialize)]
struct Expected {
    sha256: String,
    length: usize,
    holds_to_difficulty: u8,
    #[serde(default)]
    block_hashes: Vec<String>,
    blocks_as: Option<String>,
}

/// A chain that the reference miner rejects, or accepts although it is unusual.
#[derive(Debug, Deserialize)]
struct Odd {
    difficulty: u8,
    block_hashes: Option<Vec<String>>,
}
