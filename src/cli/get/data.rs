//! `blockchain get data`: prints the pending messages.

use std::fmt;

use serde::Serialize;

use crate::cli::error::Error;
use crate::cli::output::{Output, Preview};
use crate::cli::source::{ChainSource, running};
use crate::client::HttpClient;
use crate::wire::{MempoolPage, Message};

/// Prints the pending messages of a node.
pub(super) async fn run(client: HttpClient, output: &Output) -> Result<(), Error> {
    match ChainSource::of_node(client).await? {
        ChainSource::Running(client) => output.print(&Data(running::mempool(&client).await?)),
        source => {
            let messages: Vec<_> = source.pending().await?.iter().map(Message::from).collect();
            output.print(&ReferenceData {
                count: messages.len(),
                messages,
            })
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Data(MempoolPage);

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pending", self.0.count)?;
        for pending in &self.0.messages {
            write!(
                f,
                "\n{}  {:>7.1} s  {}",
                pending.id,
                pending.age,
                Preview(&pending.message)
            )?;
        }
        Ok(())
    }
}

/// The pending messages of a reference miner, which does not tell their ages.
#[derive(Serialize)]
struct ReferenceData {
    count: usize,
    messages: Vec<Message>,
}

impl fmt::Display for ReferenceData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pending", self.count)?;
        for message in &self.messages {
            write!(f, "\n{}  {}", message.id, Preview(&message.message))?;
        }
        Ok(())
    }
}
