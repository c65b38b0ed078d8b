//! `blockchain stamp upgrade`.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::files::write_stamp;
use super::receipt_of;
use crate::cli::error::Error;
use crate::cli::files::expand;
use crate::cli::names;
use crate::cli::output::Output;
use crate::cli::receipt::read_proof_file;
use crate::cli::target::NodeArgs;
use crate::client::HttpClient;
use crate::proofs::Receipt;
use crate::proofs::stamp::{Carrier, Stamp};

#[derive(Debug, Args)]
pub(super) struct UpgradeArgs {
    /// Stamps, as written by `blockchain stamp`
    #[arg(value_name = "STAMP", required = true)]
    stamps: Vec<PathBuf>,
    /// Later block that proves them, named like a block in `get block`
    #[arg(long, value_name = "BLOCK", default_value = "tip", value_parser = names::block)]
    at: String,
    #[command(flatten)]
    node: NodeArgs,
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
    for path in &args.stamps {
        let path = expand(path);
        let stamp = Stamp::read(&read_proof_file(&path)?)
            .map_err(|error| Error::rejected(format!("{}: {error}", path.display())))?;
        let id = match &stamp.carrier {
            Carrier::Pending { id, .. } => id.to_string(),
            Carrier::Mined(_) => stamp
                .carrier
                .block()
                .map(|block| block.message.id().to_string())
                .unwrap_or_default(),
        };
        let receipt = match receipts.get(&id) {
            Some(receipt) => receipt.clone(),
            None => receipt_of(&client, &id, &args.at).await?,
        };
        receipts.insert(id, receipt.clone());
        upgrade(stamp, receipt, &path, &client)?;
    }
    let stamps = args.stamps.len();
    output.print(&Upgraded { stamps })
}

/// Replaces the receipt of a stamp by one for the same message.
fn upgrade(stamp: Stamp, receipt: Receipt, path: &Path, client: &HttpClient) -> Result<(), Error> {
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
    write_stamp(&Stamp { carrier, ..stamp }, path, true)
}
