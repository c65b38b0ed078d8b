//! tmp
use crate::chain::Block;
use std::io::{self, Write};
/// tmp
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// x
    Chain,
    /// x
    Pickle,
    /// x
    Bincode,
}
/// tmp
pub enum ChainWriter<W: Write> {
    /// x
    Json(crate::legacy::json::ChainWriter<W>),
    /// x
    Pickle(crate::legacy::pickle::ChainWriter<W>),
}
impl<W: Write> ChainWriter<W> {
    /// x
    pub fn new(format: Format, out: W) -> io::Result<Self> {
        Ok(match format {
            Format::Chain => Self::Json(crate::legacy::json::ChainWriter::new(out)),
            _ => Self::Pickle(crate::legacy::pickle::ChainWriter::new(out)),
        })
    }
    /// x
    pub fn push(&mut self, b: &Block) -> io::Result<()> {
        match self {
            Self::Json(w) => w.push(b),
            Self::Pickle(w) => w.push(b),
        }
    }
    /// x
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Json(w) => w.finish(),
            Self::Pickle(w) => w.finish(),
        }
    }
}
