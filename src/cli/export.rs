//! `blockchain export`: writes a chain.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use clap::Args;
use sha2::{Digest, Sha256};

use super::NodeArgs;
use super::error::Error;
use super::output::{Output, bar, escape_json, stdout};
use super::source::{Files, Source};
use crate::chain::History;
use crate::wire::Describer;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Folder of a node, running or stopped; without it a running node is asked
    #[arg(long, value_name = "DIR", conflicts_with_all = ["host", "port"])]
    db: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
    /// Write to a file, and its SHA-256 to a file beside it with the ending .hash
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: ExportArgs, output: &Output) -> Result<(), Error> {
    if !output.is_json() {
        return Err(Error::usage("say in which format: --json"));
    }
    let source = match &args.db {
        Some(folder) => Source::in_folder(&Files::in_folder(&super::node::expand(folder))).await?,
        None => Source::Running(args.node.client()?),
    };
    let Some(path) = &args.output else {
        let mut stdout = stdout();
        let written = write_array(&source, &mut stdout, "the standard output").await;
        return written.and_then(|()| {
            stdout
                .flush()
                .map_err(|source| Error::io("the standard output", source))
        });
    };
    let name = path.display().to_string();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(std::path::Path::new("."));
    // Complete or not there: an interrupted export must not look like one.
    let file = tempfile::Builder::new()
        // As readable as any file this user makes.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|source| Error::file(folder, source))?;
    let mut hashed = Hashed {
        out: io::BufWriter::new(file),
        digest: Sha256::new(),
    };
    write_array(&source, &mut hashed, &name).await?;
    let file = hashed
        .out
        .into_inner()
        .map_err(|error| Error::file(path, error.into_error()))?;
    file.as_file()
        .sync_all()
        .map_err(|source| Error::file(path, source))?;
    file.persist(path)
        .map_err(|error| Error::file(path, error.error))?;
    let hash_path = path.with_extension("hash");
    std::fs::write(&hash_path, hex::encode(hashed.digest.finalize()))
        .map_err(|source| Error::file(&hash_path, source))
}

/// Writes an array of plain block objects, one a line.
async fn write_array(source: &Source, out: &mut impl Write, name: &str) -> Result<(), Error> {
    let failed = |source| Error::io(name, source);
    let progress = bar(Some(0), "blocks");
    let mut describer = Describer::above(History::default(), None);
    source
        .for_each(|block, length| {
            progress.set_length(length);
            progress.set_position(block.index + 1);
            out.write_all(if block.index == 0 { b"[\n" } else { b",\n" })
                .map_err(failed)?;
            let json = serde_json::to_string(&describer.describe(&block))
                .map_err(|error| failed(error.into()))?;
            out.write_all(escape_json(&json).as_bytes()).map_err(failed)
        })
        .await?;
    progress.finish_and_clear();
    out.write_all(b"\n]\n").map_err(failed)
}

/// Hashes what passes through.
struct Hashed<W> {
    out: W,
    digest: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
