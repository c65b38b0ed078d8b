//! `blockchain stamp upgrade`.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::timeout;

use super::message::{add, receipt_of, wait};
use super::write;
use crate::cli::error::{Error, ErrorKind};
use crate::cli::files::expand;
use crate::cli::names;
use crate::cli::output::{Output, warn};
use crate::cli::receipt::read_proof_file;
use crate::cli::target::TargetArgs;
use crate::client::{ClientError, HttpClient};
use crate::proofs::Receipt;
use crate::proofs::stamp::{Carrier, Stamp, StampMessage};
use crate::text::counted;

/// Maximum time to wait until a pending message is mined.
const MAX_MINING_TIME: Duration = Duration::from_secs(10);

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
        write!(f, "{} upgraded", counted(self.stamps as u64, "stamp"))
    }
}

pub(super) async fn run(args: UpgradeArgs, output: &Output) -> Result<(), Error> {
    let mut upgrade = Upgrade {
        client: args.node.client()?,
        at: args.at,
        receipts: HashMap::new(),
    };
    let count = args.stamps.len();
    let mut upgraded = 0;
    for paths in args.stamps.chunks(CHUNK) {
        let (mut done, mut stamps, mut outcome) = (Vec::new(), Vec::new(), Ok(()));
        for path in paths.iter().map(|path| expand(path)) {
            match upgrade.upgraded(&path).await {
                Ok(stamp) => {
                    stamps.push(stamp);
                    done.push(path);
                }
                // A bad file says nothing about the others.
                Err(error) if count > 1 && error.is_of_file() => warn_of(&error),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        write::replace(&done, |nth| stamps[nth].clone())?;
        upgraded += done.len();
        outcome?;
    }
    output.print(&Upgraded { stamps: upgraded })?;
    if upgraded == count {
        return Ok(());
    }
    let failed = count - upgraded;
    Err(Error::rejected(format!(
        "stamps not upgraded: {failed} of {count}"
    )))
}

/// An upgrade of stamps at one node.
struct Upgrade {
    client: HttpClient,
    /// Block that is to prove them.
    at: String,
    /// Receipts by the text of their message, or the reason why there is none: files that were stamped
    /// together have the same one, and each request may wait.
    receipts: HashMap<String, Result<Receipt, String>>,
}

impl Upgrade {
    /// Returns the stamp in a file with a new receipt for the same message.
    async fn upgraded(&mut self, path: &Path) -> Result<Stamp, Error> {
        let rejected = |reason: &dyn Display| {
            let path = path.display();
            Error::rejected(format!("{path}: {reason}"))
        };
        let stamp = Stamp::read(&read_proof_file(path)?).map_err(|error| rejected(&error))?;
        let (id, message) = match (&stamp.carrier, stamp.carrier.block()) {
            (Carrier::Pending { id, message }, _) => (id.to_string(), message.clone()),
            (Carrier::Mined(_), Some(block)) => {
                let message = &block.message;
                (message.id().to_string(), message.text().to_owned())
            }
            (Carrier::Mined(_), None) => return Err(rejected(&"it has no block")),
        };
        // The file may come from anybody, and a message that is no stamp proves no file.
        let parsed = message.parse::<StampMessage>();
        parsed.map_err(|error| rejected(&error))?;
        let receipt = if let Some(receipt) = self.receipts.get(&message) {
            receipt.clone()
        } else {
            let receipt = match self.get_receipt(&stamp.carrier, id, &message).await {
                Ok(receipt) => Ok(receipt),
                Err(error) => match &*error.kind {
                    ErrorKind::Failed(_)
                    | ErrorKind::Client(ClientError::Rejected {
                        status: 404 | 409, ..
                    }) => Err(error.kind.to_string()),
                    _ => return Err(error),
                },
            };
            self.receipts.insert(message, receipt.clone());
            receipt
        };
        let receipt = receipt.map_err(|reason| rejected(&reason))?;
        let carrier = Carrier::Mined(Box::new(receipt));
        let (old, new) = (stamp.carrier.block(), carrier.block());
        if is_settled(&stamp.carrier) && old != new {
            let address = self.client.address();
            let reason = format!("the chain of {address} has its message in another block");
            return Err(rejected(&reason).hint(
                "the stamp is unchanged; ask a node of the network where the files were stamped",
            ));
        }
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            let (path, old, new) = (path.display(), old.index, new.index);
            warn(&format!(
                "{path}: block {old} was replaced, and its message mined again in block {new}"
            ));
        }
        Ok(Stamp { carrier, ..stamp })
    }

    /// Returns the receipt of the message of a stamp. The message of a pending stamp that the node
    /// does not have was never added, or was lost with a node; it is added.
    async fn get_receipt(
        &self,
        carrier: &Carrier,
        id: String,
        message: &str,
    ) -> Result<Receipt, Error> {
        let client = &self.client;
        if is_settled(carrier) {
            return receipt_of(client, &id, message, &self.at).await;
        }
        let known = match client.message(&id).await {
            Err(error) if error.is_not_found() => None,
            // Another message may have the id; the node then keeps this one under another id.
            status => Some(status?).filter(|status| status.message == message),
        };
        let id = match (known, carrier) {
            (Some(status), _) => status.id,
            (None, Carrier::Pending { .. }) => add(client, &id, message).await?,
            (None, Carrier::Mined(_)) => {
                let address = client.address();
                let reason = format!("{address} does not have its message");
                return Err(Error::failed(reason));
            }
        };
        // Without a miner, the request below answers that the message is pending.
        if let Ok(waited) = timeout(MAX_MINING_TIME, wait(client, &id, message)).await {
            waited?;
        }
        receipt_of(client, &id, message, &self.at).await
    }
}

/// Returns `true` if a stamp has a block below another one. A block that was the tip may have been
/// replaced since, and its message mined again.
fn is_settled(carrier: &Carrier) -> bool {
    matches!(carrier, Carrier::Mined(receipt) if !receipt.entries.is_empty())
}

/// Prints an error with its remedy as a warning.
fn warn_of(error: &Error) {
    let lines = error.lines();
    let texts: Vec<_> = lines.iter().map(|(_, text)| &**text).collect();
    warn(&texts.join("; "));
}
