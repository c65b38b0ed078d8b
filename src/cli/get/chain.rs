//! `blockchain get chain`: prints blocks as they arrive.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;

use crate::chain::History;
use crate::cli::error::Error;
use crate::cli::output::{Output, Preview, bar, escape, stdout, write_json};
use crate::cli::source::{ChainSource, running};
use crate::client::HttpClient;
use crate::wire::{Block, BlockRenderer};

/// Prints the chain of a node, or its newest blocks.
pub(super) async fn run(
    client: HttpClient,
    newest: Option<u64>,
    output: &Output,
) -> Result<(), Error> {
    let mut printer = Printer {
        is_json: output.is_json(),
        is_first: true,
        out: stdout(),
    };
    match ChainSource::of_node(client).await? {
        ChainSource::Running(client) => {
            let length = client.status().await?.length;
            let first = newest.map_or(0, |newest| length.saturating_sub(newest));
            let bar = bar(Some(length - first), "blocks");
            running::for_each_page(&client, first..length, |page| {
                bar.inc(page.len() as u64);
                page.iter().try_for_each(|block| printer.print(block))?;
                Ok(true)
            })
            .await?;
            bar.finish_and_clear();
        }
        source => {
            let mut renderer = BlockRenderer::above(History::default(), None);
            // The length of a reference miner's chain is known only at its end.
            let mut kept = VecDeque::new();
            let bar = bar(None, "blocks");
            source
                .for_each_page(|page, _| {
                    bar.inc(page.len() as u64);
                    for block in page.iter().map(|block| renderer.render(block)) {
                        let Some(newest) = newest else {
                            printer.print(&block)?;
                            continue;
                        };
                        kept.push_back(block);
                        if kept.len() as u64 > newest {
                            kept.pop_front();
                        }
                    }
                    Ok(true)
                })
                .await?;
            bar.finish_and_clear();
            kept.iter().try_for_each(|block| printer.print(block))?;
        }
    }
    printer.finish()
}

/// Prints blocks one by one, as lines or as a JSON array.
struct Printer<W> {
    is_json: bool,
    is_first: bool,
    out: W,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, block: &Block) -> Result<(), Error> {
        if self.is_json {
            let separator: &[u8] = if self.is_first { b"[\n" } else { b",\n" };
            self.out.write_all(separator).map_err(Error::stdout)?;
            write_json(&mut self.out, block)?;
        } else {
            writeln!(self.out, "{}", escape(&Line(block).to_string())).map_err(Error::stdout)?;
        }
        self.is_first = false;
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.is_json {
            let end: &[u8] = if self.is_first { b"[]\n" } else { b"\n]\n" };
            self.out.write_all(end).map_err(Error::stdout)?;
        }
        self.out.flush().map_err(Error::stdout)
    }
}

/// A block as a line of a list.
pub(super) struct Line<'a>(pub(super) &'a Block);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = self.0;
        let time = block.time.as_deref().unwrap_or(&block.timestamp_text);
        let seal = block.seal.as_deref().unwrap_or("genesis");
        let (hash, text) = (
            block.hash.get(..12).unwrap_or_default(),
            Preview(&block.data.message),
        );
        write!(
            f,
            "{:>8}  {hash}  {time:<27}  {seal:<7}  {text}",
            block.index
        )
    }
}
