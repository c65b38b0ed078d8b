//! A hash as pages show it: its first digits behind a ribbon of colours, so that two equal hashes
//! are seen to be equal from the back of the room.

use askama::Template;
use askama::filters::HtmlSafe;

/// Digits of a short hash.
const SHORT: usize = 10;

/// Cells of a ribbon; each shows 8 of the 64 digits.
const CELLS: usize = 8;

/// A hash that leads to its block.
#[derive(Clone, Debug, Template)]
#[template(path = "parts/hash.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct Hash {
    base: String,
    full: String,
}

impl HtmlSafe for Hash {}

impl Hash {
    pub(in crate::ui) fn new(base: &str, hash: &str) -> Self {
        Self {
            base: base.to_owned(),
            full: hash.to_owned(),
        }
    }

    /// All digits.
    pub(in crate::ui) fn full(&self) -> &str {
        &self.full
    }

    /// The first digits.
    pub(in crate::ui) fn short(&self) -> &str {
        self.full.get(..SHORT).unwrap_or(&self.full)
    }

    /// The colours alone.
    pub(in crate::ui) fn ribbon(&self) -> Ribbon {
        Ribbon::of(&self.full)
    }
}

/// The colours of a hash.
#[derive(Debug, Template)]
#[template(path = "parts/ribbon.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct Ribbon {
    cells: Vec<Cell>,
}

impl HtmlSafe for Ribbon {}

#[derive(Debug)]
struct Cell {
    x: usize,
    colour: String,
}

impl Ribbon {
    /// The script of the workbench draws the same.
    fn of(hash: &str) -> Self {
        let cell = |cell: usize| {
            let digits = hash.get(cell * 8..cell * 8 + 8)?;
            let value = u32::from_str_radix(digits, 16).ok()?;
            let (hue, light) = (value % 360, 38 + value / 360 % 30);
            Some(Cell {
                x: cell * 4,
                colour: format!("hsl({hue} 62% {light}%)"),
            })
        };
        Self {
            cells: (0..CELLS).filter_map(cell).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_shows_its_start_and_its_colours() {
        let html = Hash::new("/x", &"0a".repeat(32)).render().unwrap();
        assert!(html.contains("href=\"/x/block/0a0a"), "{html}");
        assert_eq!(html.matches("<rect").count(), CELLS);
        let odd = Hash::new("", "<b>é").render().unwrap();
        assert!(!odd.contains("<b>") && !odd.contains("<rect"), "{odd}");
    }
}
