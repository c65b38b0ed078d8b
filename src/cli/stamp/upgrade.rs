//! `blockchain stamp upgrade`.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{add, receipt_of, wait, write};
use crate::cli::error::Error;
use crate::cli::files::expand;
use crate::cli::names;
use crate::cli::output::Output;
use crate::cli::receipt::read_proof_file;
use crate::cli::target::TargetArgs;
use crate::client::HttpClient;
use crate::proofs::Receipt;
use crate::proofs::stamp::{Carrier, Stamp, StampMessage};

/// Number of stamps that are written together.
const CHUNK: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct UpgradeArgs {
    /// Stamps, as written by `blockchain stamp`
    #[arg(value_name = "STAMP", required = true)]
    stamps: Vec<PathBuf>,
    /// Later block that proves them, named like a block in `get block`
    #[arg(long, value_name = "BLOCK", default_value = "tip", value_parser = names::block)]
    at: String,
    #[command(flatten)]
    node: TargetArgs,
}

/// Result of an upgrade.
#[derive(Debug, Serialize)]
struct Upgraded {
    stamps: usize,
}

impl fmt::Display for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} upgraded",
            crate::text::counted(self.stamps as u64, "stamp")
        )
    }
}

pub(super) async fn run(args: UpgradeArgs, output: &Output) -> Result<(), Error> {
    let client = args.node.client()?;
    // Files that were stamped together have the same receipt.
    let mut receipts: HashMap<String, Receipt> = HashMap::new();
    for paths in args.stamps.chunks(CHUNK) {
        let paths: Vec<_> = paths.iter().map(|path| expand(path)).collect();
        let mut stamps = Vec::with_capacity(paths.len());
        for path in &paths {
            let stamp = Stamp::read(&read_proof_file(path)?)
                .map_err(|error| Error::rejected(format!("{}: {error}", path.display())))?;
            let id = match (&stamp.carrier, stamp.carrier.block()) {
                (Carrier::Pending { id, .. }, _) => id.to_string(),
                (Carrier::Mined(_), block) => block
                    .map(|block| block.message.id().to_string())
                    .unwrap_or_default(),
            };
            let receipt = match receipts.get(&id) {
                Some(receipt) => receipt.clone(),
                None => get_receipt(&client, &stamp.carrier, &id, &args.at, path).await?,
            };
            receipts.insert(id, receipt.clone());
            stamps.push(upgrade(stamp, receipt, path, &client)?);
        }
        write::replace(&paths, |nth| stamps[nth].clone())?;
    }
    let stamps = args.stamps.len();
    output.print(&Upgraded { stamps })
}

/// Returns the receipt of the message of a stamp. A message that the node does not have was never
/// added, or was lost with a node; it is added.
async fn get_receipt(
    client: &HttpClient,
    carrier: &Carrier,
    id: &str,
    at: &str,
    path: &Path,
) -> Result<Receipt, Error> {
    if let Carrier::Pending { message, .. } = carrier {
        match client.message(id).await {
            Err(error) if error.is_not_found() => {
                // Only stamps are added: the file may come from anybody.
                message
                    .parse::<StampMessage>()
                    .map_err(|error| Error::rejected(format!("{}: {error}", path.display())))?;
                let id = add(client, id, message).await?;
                wait(client, &id).await?;
                return receipt_of(client, &id, at).await;
            }
            status => status.map(drop)?,
        }
    }
    receipt_of(client, id, at).await
}

/// Returns the stamp with a new receipt for the same message.
fn upgrade(
    stamp: Stamp,
    receipt: Receipt,
    path: &Path,
    client: &HttpClient,
) -> Result<Stamp, Error> {
    let carrier = Carrier::Mined(Box::new(receipt));
    let is_same = match (&stamp.carrier, carrier.block()) {
        (Carrier::Pending { message, .. }, Some(block)) => block.message.text() == message,
        (old, Some(block)) => old.block() == Some(block),
        (_, None) => false,
    };
    if !is_same {
        return Err(Error::rejected(format!(
            "{}: the chain of {} has another block or message than the stamp",
            path.display(),
            client.address()
        ))
        .hint("the stamp is unchanged; ask a node of the network where the files were stamped"));
    }
    Ok(Stamp { carrier, ..stamp })
}
