//! `blockchain receipt verify`.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{BlockOutput, EntryOutput, other_kind, read_proof_file};
use crate::cli::error::Error;
use crate::cli::output::{Output, escape};
use crate::cli::trust::{self, Origin, Trust};
use crate::client::{HttpClient, NodeAddress};
use crate::proofs::{ConsistencyProof, NotProven, Receipt, Trusted, Verified};

#[derive(Debug, Args)]
pub(super) struct ReceiptVerifyArgs {
    /// Receipt file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

/// The options that say what is trusted.
#[derive(Debug, Args)]
pub(in crate::cli) struct TrustArgs {
    /// Trusted hash of a sealed block, checkpoint, or file of checkpoints; repeatable
    #[arg(long, value_name = "HASH|LINE|FILE")]
    trust: Vec<String>,
    /// Consistency proof from a trusted checkpoint to the block that proves the receipt; repeatable
    #[arg(long, value_name = "FILE")]
    via: Vec<PathBuf>,
    /// Node whose chain is trusted
    #[arg(long, value_name = "HOST:PORT")]
    node: Option<NodeAddress>,
}

/// The verdict on a receipt.
#[derive(Serialize)]
pub(in crate::cli) struct ReceiptVerdict {
    pub(in crate::cli) proven: bool,
    by: Option<&'static str>,
    reason: Option<&'static str>,
    message: Option<String>,
    under: Option<BlockOutput>,
    entries: Vec<EntryOutput>,
    #[serde(skip)]
    link: Option<TrustLink>,
}

/// The link between a receipt and something trusted.
struct TrustLink {
    origin: Origin,
    is_itself: bool,
    /// The hash authenticates the block itself, but not the blocks before it.
    lacks_root: bool,
}

pub(super) async fn run(args: ReceiptVerifyArgs, output: &Output) -> Result<(), Error> {
    let trust = args.trust.read()?;
    let file = read_proof_file(&args.file)?;
    let receipt = Receipt::read(&file);
    let is_receipt = receipt.is_ok();
    let mut verdict = judge(receipt, &args.trust, trust).await?;
    if let Some(kind) = other_kind(&file).filter(|_| !is_receipt) {
        verdict.message = Some(format!(
            "the file holds {kind}, not a receipt; name the file that \"blockchain receipt get\" wrote"
        ));
    }
    output.print_verdict(&verdict, verdict.proven)
}

impl TrustArgs {
    /// Reads what is trusted, except a node.
    pub(in crate::cli) fn read(&self) -> Result<Vec<Trust>, Error> {
        if self.trust.is_empty() && self.node.is_none() {
            return Err(Error::usage("say what you trust with --trust or --node").hint(
            "--trust takes the hash of a sealed block or a checkpoint that you got from your own \
             node (\"blockchain checkpoint\"), never from the sender of the receipt",
        ));
        }
        trust::read_all(&self.trust)
    }
}

/// Returns the verdict on a receipt, as it was read. The errors say that it could not be judged.
pub(in crate::cli) async fn judge(
    receipt: Result<Receipt, NotProven>,
    args: &TrustArgs,
    mut trust: Vec<Trust>,
) -> Result<ReceiptVerdict, Error> {
    let checked = receipt.and_then(|receipt| {
        let (under, entries) = receipt.check()?;
        Ok((receipt, under, entries))
    });
    let (receipt, under, entries) = match checked {
        Ok(checked) => checked,
        Err(error) => return Ok(ReceiptVerdict::not_proven(&error.into())),
    };
    if let Err(report) = follow(&args.via, &mut trust)? {
        return Ok(ReceiptVerdict::not_proven(&report));
    }
    if let Some(address) = &args.node {
        trust.extend(ask(address, under.index).await?);
    }
    let trusted: Vec<_> = trust.iter().map(|trust| trust.trusted).collect();
    Ok(match receipt.verify_against(&under, &trusted) {
        Ok(at) => ReceiptVerdict::proven(&receipt, &under, &entries, &trust[at]),
        Err(error) => {
            let mut report = NotProvenReport::from(error);
            if report.reason == "not_trusted" {
                report.advise(&under, &entries, &trust);
            }
            ReceiptVerdict::not_proven(&report)
        }
    })
}

/// Adds the other ends of consistency proofs whose one end is trusted, in whatever order they were
/// named.
fn follow(paths: &[PathBuf], trust: &mut Vec<Trust>) -> Result<Result<(), NotProvenReport>, Error> {
    let mut proofs = Vec::new();
    for path in paths {
        match ConsistencyProof::read(&read_proof_file(path)?) {
            Ok(proof) => proofs.push((path, proof)),
            Err(error) => return Ok(Err(NotProvenReport::via(path, &error))),
        }
    }
    while !proofs.is_empty() {
        let kept = trust::checkpoints(trust);
        let before = proofs.len();
        let mut failed = None;
        proofs.retain(|(path, proof)| match proof.verify(&kept) {
            Ok(other) => {
                trust.push(Trust {
                    trusted: Trusted::Checkpoint(other),
                    origin: Origin::Via((*path).clone()),
                });
                false
            }
            Err(error) => {
                failed = Some(NotProvenReport::via(path, &error));
                true
            }
        });
        if let (Some(report), true) = (failed, proofs.len() == before) {
            return Ok(Err(report));
        }
    }
    Ok(Ok(()))
}

/// Asks a node for the checkpoint of its block at `index`; none if its chain is shorter.
async fn ask(address: &NodeAddress, index: u64) -> Result<Option<Trust>, Error> {
    let client = HttpClient::new(address.clone())?;
    let view = match client.checkpoint(&index.to_string()).await {
        Err(error) if error.is_not_found() => return Ok(None),
        view => view?,
    };
    let checkpoint = view.checkpoint.parse();
    let checkpoint = checkpoint.map_err(|error| {
        Error::failed(format!(
            "{address} gives a checkpoint that is invalid: {error}"
        ))
    })?;
    Ok(Some(Trust {
        trusted: Trusted::Checkpoint(checkpoint),
        origin: Origin::Node(address.to_string()),
    }))
}

/// Reason why a receipt is not proven.
struct NotProvenReport {
    reason: &'static str,
    message: String,
}

impl NotProvenReport {
    /// Returns the report on a consistency proof with no trusted end.
    fn via(path: &Path, error: &NotProven) -> Self {
        Self {
            reason: "not_trusted",
            message: format!("{}: {error}", path.display()),
        }
    }
}

impl NotProvenReport {
    /// Adds how to get the receipt under a checkpoint that the reader has.
    fn advise(&mut self, under: &Verified, entries: &[Verified], trust: &[Trust]) {
        let newest = entries.last().map_or(under.index, |entry| entry.index);
        let kept = trust::checkpoints(trust);
        let kept = kept.iter().map(|kept| kept.index);
        if let Some(kept) = kept.filter(|kept| *kept >= newest).min() {
            let _ = write!(
                self.message,
                "; you keep block {kept}: ask for the receipt under that block (--at {kept}), or \
                 for the consistency proof between the two (--via)"
            );
        }
    }
}

impl From<NotProven> for NotProvenReport {
    fn from(error: NotProven) -> Self {
        Self {
            reason: error.reason(),
            message: error.to_string(),
        }
    }
}

impl ReceiptVerdict {
    fn not_proven(report: &NotProvenReport) -> Self {
        Self {
            proven: false,
            by: None,
            reason: Some(report.reason),
            message: Some(report.message.clone()),
            under: None,
            entries: Vec::new(),
            link: None,
        }
    }

    fn proven(receipt: &Receipt, under: &Verified, entries: &[Verified], by: &Trust) -> Self {
        let is_hash = matches!(by.trusted, Trusted::Hash(_));
        let is_sealed = under.seal == Some(crate::chain::Seal::Sealed);
        Self {
            proven: true,
            by: Some(match (&by.origin, by.trusted) {
                (Origin::Node(_), _) => "node",
                (_, Trusted::Hash(_)) => "hash",
                (_, Trusted::Checkpoint(_)) => "checkpoint",
            }),
            reason: None,
            message: None,
            under: Some(BlockOutput::new(&receipt.under, under)),
            entries: EntryOutput::all(receipt, under, entries),
            link: Some(TrustLink {
                origin: by.origin.clone(),
                is_itself: entries.is_empty(),
                lacks_root: is_hash && !is_sealed,
            }),
        }
    }
}

impl fmt::Display for ReceiptVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(link), Some(under), Some(by)) = (&self.link, &self.under, self.by) else {
            let message = self.message.as_deref().unwrap_or_default();
            return write!(f, "NOT PROVEN: {}", escape(message));
        };
        let by = if by == "hash" { "hash" } else { "checkpoint" };
        let origin = link.origin.to_string();
        writeln!(
            f,
            "PROVEN by the {by} of block {} ({})",
            under.index,
            escape(&origin)
        )?;
        for entry in &self.entries {
            writeln!(f, "{entry}")?;
        }
        if link.is_itself {
            writeln!(
                f,
                "The receipt contains no later block, so this block can still be disconnected."
            )?;
        }
        if link.lacks_root {
            writeln!(f, "Its hash does not authenticate the blocks before it.")?;
        }
        write!(
            f,
            "Not proven: the author, the accuracy of the timestamp, and that \
             this is still the best chain."
        )
    }
}
