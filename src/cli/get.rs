//! `blockchain get`: queries a node.

mod chain;
mod data;
mod neighbours;
mod reference;
mod reorgs;
mod search;

use std::fmt;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::Error;
use super::names;
use super::output::{Output, escape};
use super::source::ChainSource;
use super::target::TargetArgs;
use crate::chain::MessageId;
use crate::client::HttpClient;
use crate::text::{Span, counted};
use crate::wire::{MessageState, MessageStatus, SingleBlock, Status};

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    #[command(subcommand)]
    command: GetCommand,
}

#[derive(Debug, Subcommand)]
enum GetCommand {
    /// Print the chain, oldest block first
    Chain {
        /// Print only the newest N blocks
        #[arg(long, value_name = "N")]
        newest: Option<u64>,
        #[command(flatten)]
        node: TargetArgs,
    },
    /// Print one block
    Block {
        /// Index, hash, start of a hash (at least 6 digits) or `tip`; up to 11 decimal digits are
        /// always an index
        #[arg(value_name = "BLOCK", value_parser = names::block)]
        name: String,
        #[command(flatten)]
        node: TargetArgs,
    },
    /// Print one message with its state and confirmations
    Message {
        /// ID of the message
        #[arg(value_parser = names::message_id)]
        id: MessageId,
        #[command(flatten)]
        node: TargetArgs,
    },
    /// Print the pending messages
    Data {
        #[command(flatten)]
        node: TargetArgs,
    },
    /// Print the neighbours of the node and their state
    Neighbours {
        #[command(flatten)]
        node: TargetArgs,
    },
    /// Find blocks and messages by index, hash, ID, date or words of the text
    Search {
        /// Words, or a phrase in quotation marks
        text: String,
        /// Continue a text search below this block
        #[arg(long, value_name = "INDEX")]
        before: Option<u64>,
        #[command(flatten)]
        node: TargetArgs,
    },
    /// Print the reorgs of the node, latest first
    Reorgs {
        /// Number of the first reorg to print (default: the latest)
        #[arg(long, value_name = "NUMBER")]
        from: Option<u64>,
        #[command(flatten)]
        node: TargetArgs,
    },
    /// Print the status of the node
    Status {
        #[command(flatten)]
        node: TargetArgs,
    },
}

pub(super) async fn run(args: GetArgs, output: &Output) -> Result<(), Error> {
    match args.command {
        GetCommand::Chain { newest, node } => chain::run(node.client()?, newest, output).await,
        GetCommand::Block { name, node } => block(node.client()?, &name, output).await,
        GetCommand::Message { id, node } => message(node.client()?, id, output).await,
        GetCommand::Data { node } => data::run(node.client()?, output).await,
        GetCommand::Neighbours { node } => neighbours::run(&node.client()?, output).await,
        GetCommand::Search { text, before, node } => {
            search::run(&node.client()?, &text, before, output).await
        }
        GetCommand::Reorgs { from, node } => reorgs::run(&node.client()?, from, output).await,
        GetCommand::Status { node } => output.print(&StatusView(node.client()?.status().await?)),
    }
}

async fn block(client: HttpClient, name: &str, output: &Output) -> Result<(), Error> {
    let found = match client.block(name).await {
        Err(error) if error.is_reference() => {
            let source = ChainSource::of_node(client).await?;
            let found = reference::block(&source, name).await?;
            found.ok_or_else(|| Error::rejected("there is no such block"))?
        }
        found => found?,
    };
    output.print(&BlockView(found))
}

async fn message(client: HttpClient, id: MessageId, output: &Output) -> Result<(), Error> {
    let found = match client.message(&id.to_string()).await {
        Err(error) if error.is_reference() => {
            let source = ChainSource::of_node(client).await?;
            let found = reference::message(&source, id).await?;
            found.ok_or_else(|| Error::rejected("there is no such message"))?
        }
        found => found?,
    };
    output.print(&MessageView(found))
}

#[derive(Serialize)]
#[serde(transparent)]
struct BlockView(SingleBlock);

impl fmt::Display for BlockView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SingleBlock {
            block,
            confirmations,
        } = &self.0;
        let none = || "none".to_owned();
        writeln!(f, "index          {}", block.index)?;
        writeln!(f, "hash           {}", block.hash)?;
        writeln!(
            f,
            "previous hash  {}",
            block.previous_hash.clone().unwrap_or_else(none)
        )?;
        writeln!(
            f,
            "time           {}",
            block.time.as_deref().unwrap_or(&block.timestamp_text)
        )?;
        writeln!(
            f,
            "proof          {}",
            block.proof.clone().unwrap_or_else(none)
        )?;
        writeln!(
            f,
            "seal           {}",
            block.seal.clone().unwrap_or_else(none)
        )?;
        writeln!(
            f,
            "zeros          {}",
            block
                .difficulty
                .map_or_else(none, |zeros| zeros.to_string())
        )?;
        writeln!(f, "history root   {}", block.history_root)?;
        writeln!(f, "confirmations  {confirmations}")?;
        writeln!(f, "message id     {}", block.data.id)?;
        write!(f, "message        {}", escape(&block.data.message))
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct MessageView(MessageStatus);

impl fmt::Display for MessageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = &self.0;
        writeln!(f, "id             {}", status.id)?;
        if let Some(old) = &status.renamed_from {
            writeln!(f, "renamed from   {old} (another message took that id)")?;
        }
        match (status.state, &status.block) {
            (MessageState::Mined, Some(block)) => {
                writeln!(f, "state          mined in block {}", block.index)?;
                writeln!(f, "confirmations  {}", status.confirmations)?;
            }
            _ => match status.waiting {
                Some(waiting) => writeln!(f, "state          pending for {waiting:.1} s")?,
                None => writeln!(f, "state          pending")?,
            },
        }
        write!(f, "message        {}", escape(&status.message))
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct StatusView(Status);

impl fmt::Display for StatusView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = &self.0;
        let mining = &status.mining;
        writeln!(
            f,
            "version     {} (protocol {})",
            escape(&status.version),
            status.protocol
        )?;
        writeln!(f, "node id     {}", escape(&status.node_id))?;
        if let Some(name) = &status.name {
            writeln!(f, "name        {}", escape(name))?;
        }
        if let Some(title) = &status.title {
            writeln!(f, "title       {}", escape(title))?;
        }
        writeln!(f, "genesis     {}", escape(&status.genesis))?;
        writeln!(
            f,
            "tip         block {} {}",
            status.tip.index,
            escape(&status.tip.hash)
        )?;
        writeln!(
            f,
            "chain       {}, {} of them sealed",
            counted(status.length, "block"),
            status.sealed
        )?;
        writeln!(f, "difficulty  {}", status.difficulty)?;
        match status.sealed_from {
            Some(from) => writeln!(f, "seal rule   every block from {from} on must be sealed")?,
            None => writeln!(f, "seal rule   none: open proofs are accepted")?,
        }
        writeln!(
            f,
            "mempool     {}, {}",
            counted(status.mempool.count, "message"),
            counted(status.mempool.bytes, "byte")
        )?;
        let active = if mining.active { "searching" } else { "idle" };
        writeln!(
            f,
            "mining      {active}, {}, {} proofs, {:.1} MH/s",
            counted(mining.threads as u64, "thread"),
            escape(&status.proof_mode),
            mining.hash_rate / 1e6
        )?;
        let sync = &status.sync;
        let (known, answering) = (sync.neighbours, sync.answering);
        writeln!(f, "neighbours  {known} known, {answering} answering")?;
        if let Some(source) = &sync.fetching_from {
            let target = sync.target.unwrap_or(status.length);
            let source = escape(source);
            writeln!(
                f,
                "sync        fetching from {source}, {} of {}",
                status.length,
                counted(target, "block")
            )?;
        }
        if status.closed {
            writeln!(f, "access      closed: only named neighbours take part")?;
        }
        for difference in &sync.differences {
            writeln!(f, "differs     {}", escape(difference))?;
        }
        writeln!(f, "reorgs      {}", status.reorgs)?;
        write!(f, "uptime      {}", Span(status.uptime))?;
        for warning in &status.warnings {
            write!(f, "\nwarning     {}", escape(warning))?;
        }
        Ok(())
    }
}
