//! `blockchain export`: writes a chain to a file of any format.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::error::Error;
use super::files::{Files, expand, replaceable};
use super::output::{Output, bar, stdout};
use super::signals::Signals;
use super::source::ChainSource;
use super::target::TargetArgs;
use crate::chain::Message;
use crate::fs::{folder_of, open_regular, persist, sync_folder};
use crate::snapshot::digest::DigestFile;
use crate::snapshot::files::Hashed;
use crate::snapshot::format::{ChainWriter, Format};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Folder of a running or stopped node; without it, the node at --host and --port is asked
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
    #[command(flatten)]
    node: TargetArgs,
    /// Format to write (default: json)
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Include the pending messages, which import restores (bincode and json only)
    #[arg(long, alias = "with_mempool")]
    with_mempool: bool,
    /// File to write (default: standard output); its SHA-256 is written beside it, to NAME.hash for
    /// NAME.chain and to FILE.sha256 otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A format to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// JSON of the reference miner
    Chain,
    /// Pickle of the reference miner
    Pickle,
    /// Compact binary format of this program
    Bincode,
    /// Array of block objects
    Json,
    /// One block object per line
    Ndjson,
    /// One row per block, for spreadsheets
    Csv,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Chain => Self::Chain,
            FormatArg::Pickle => Self::Pickle,
            FormatArg::Bincode => Self::Bincode,
            FormatArg::Json => Self::Json,
            FormatArg::Ndjson => Self::Ndjson,
            FormatArg::Csv => Self::Csv,
        }
    }
}

pub(super) async fn run(args: ExportArgs, output: &Output, signals: Signals) -> Result<(), Error> {
    let format = match args.format {
        Some(format) if output.is_json() && format != FormatArg::Json => {
            let name = Format::from(format).name();
            return Err(Error::usage(format!(
                "--json and --format {name} cannot be used together"
            )));
        }
        Some(format) => format.into(),
        None => Format::Json,
    };
    let file = args.output.filter(|path| path.as_os_str() != "-");
    let named = file.as_deref().and_then(named_format);
    let is_default = args.format.is_none() && !output.is_json();
    if let Some(name) = named.filter(|name| is_default && *name != format.name()) {
        return Err(Error::usage(format!(
            "the name of the file says {name}, and no --format is given"
        ))
        .hint(format!("add --format {name}, or --format json")));
    }
    if args.with_mempool && !format.holds_pending() {
        let name = format.name();
        return Err(
            Error::usage(format!("the format {name} cannot hold pending messages"))
                .hint("use --with-mempool with --format bincode or json"),
        );
    }
    if format.is_binary() && file.is_none() && io::stdout().is_terminal() {
        let name = format.name();
        return Err(
            Error::usage(format!("{name} is a binary format, not for a terminal"))
                .hint("write to a file with --output, or to a pipe"),
        );
    }
    if format == Format::Csv && file.is_none() && io::stdout().is_terminal() {
        return Err(
            Error::usage("csv holds messages unescaped, so it is not for a terminal")
                .hint("write to a file with --output, or to a pipe"),
        );
    }
    let source = match &args.db {
        Some(folder) => ChainSource::in_folder(&Files::of_database(&expand(folder))?).await?,
        None => ChainSource::of_node(args.node.client()?).await?,
    };
    let export = Export {
        source,
        format,
        with_mempool: args.with_mempool,
        signals,
    };
    match &file {
        Some(path) => export.to_file(&replaceable(path)?).await,
        None => export.to(stdout(), "standard output").await.map(drop),
    }
}

/// Returns the format that the extension of a file names.
fn named_format(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?;
    let formats = FormatArg::value_variants().iter().copied();
    let mut names = formats.map(|format| Format::from(format).name());
    names.find(|name| name.eq_ignore_ascii_case(extension))
}

struct Export {
    source: ChainSource,
    format: Format,
    with_mempool: bool,
    signals: Signals,
}

impl Export {
    /// Writes a file that appears under its name only when it is complete.
    async fn to_file(&self, path: &Path) -> Result<(), Error> {
        let Some(hash_file) = DigestFile::of(path) else {
            return Err(Error::usage(format!(
                "{} is the name of a file for the hash of an export",
                path.display()
            ))
            .hint("choose another name"));
        };
        let hash_path = replaceable(hash_file.path())?;
        remove_leftovers(path);
        let name = path.display().to_string();
        let hashed = Hashed {
            out: io::BufWriter::new(self.temporary_beside(path)?),
            digest: Sha256::new(),
        };
        let hashed = self.to(hashed, &name).await?;
        let file = hashed
            .out
            .into_inner()
            .map_err(|error| Error::file(path, error.into_error()))?;
        let mut hash = self.temporary_beside(path)?;
        let digest = hex::encode(hashed.digest.finalize());
        hash.write_all(&hash_file.content(&digest))
            .map_err(|source| Error::file(&hash_path, source))?;
        let folder = folder_of(path);
        self.signals.finish(|| {
            persist(file, path).map_err(|source| Error::file(path, source))?;
            persist(hash, &hash_path).map_err(|source| Error::file(&hash_path, source))?;
            sync_folder(folder).map_err(|source| Error::file(folder, source))
        })
    }

    /// Creates a file to be renamed later, with the permissions of any new file. It is locked, so
    /// that no other export removes it as a leftover.
    fn temporary_beside(&self, path: &Path) -> Result<NamedTempFile, Error> {
        let folder = folder_of(path);
        let make = || loop {
            let file = tempfile::Builder::new()
                .prefix(&unfinished_prefix(path))
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(folder)?;
            // A file system without locks rejects this; there, no leftover is ever removed.
            let _ = file.as_file().lock();
            // An export that starts at this moment may have locked and removed the file first.
            if file.path().exists() {
                return Ok(file);
            }
        };
        let made = self.signals.create(make);
        made.map_err(|source| Error::file(folder, source))
    }

    async fn to<W: Write>(&self, out: W, name: &str) -> Result<W, Error> {
        let failed = |source| Error::io(name, source);
        // Read before the chain, so that a message mined in between is in the chain.
        let mut pending = if self.with_mempool {
            self.source.pending().await?
        } else {
            Vec::new()
        };
        let pending_ids: HashSet<_> = pending.iter().map(Message::id).collect();
        let mut mined = HashSet::new();
        let mut writer = ChainWriter::new(self.format, out, self.with_mempool).map_err(failed)?;
        let progress = bar(Some(0), "blocks");
        self.source
            .for_each_page(|page, length| {
                progress.set_length(length);
                progress.inc(page.len() as u64);
                let ids = page.iter().map(|block| block.message.id());
                mined.extend(ids.filter(|id| pending_ids.contains(id)));
                writer.push_all(&page).map_err(failed)?;
                Ok(true)
            })
            .await?;
        progress.finish_and_clear();
        pending.retain(|message| !mined.contains(&message.id()));
        for message in &pending {
            writer.push_pending(message).map_err(failed)?;
        }
        writer.finish().map_err(failed)
    }
}

/// Returns the prefix of the names of unfinished exports to a file. A long name is truncated, so that
/// the result fits the file system.
fn unfinished_prefix(path: &Path) -> OsString {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let mut prefix = OsString::from(".");
    prefix.push(OsStr::from_bytes(&name[..name.len().min(100)]));
    prefix.push(".export-");
    prefix
}

/// Removes the leftovers of killed exports to the same file. Running exports lock their files.
fn remove_leftovers(path: &Path) {
    let prefix = unfinished_prefix(path);
    let entries = fs::read_dir(folder_of(path));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.as_bytes().starts_with(prefix.as_bytes()) {
            continue;
        }
        let is_leftover = open_regular(&entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if is_leftover {
            // A leftover that cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}
