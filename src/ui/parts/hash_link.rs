//! A hash: a colour bar and the first digits. Equal hashes are recognised by their colours.

use askama::Template;
use askama::filters::HtmlSafe;

/// Number of digits shown of a short hash.
const SHORT_DIGITS: usize = 10;

/// Number of cells of a colour bar. Each cell shows 8 of the 64 digits.
const CELLS: usize = 8;

/// A hash that links to its block.
#[derive(Clone, Debug, Template)]
#[template(path = "parts/hash.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct HashLink {
    base: String,
    full: String,
}

impl HtmlSafe for HashLink {}

impl HashLink {
    pub(in crate::ui) fn new(base: &str, hash: &str) -> Self {
        Self {
            base: base.to_owned(),
            full: hash.to_owned(),
        }
    }

    /// Returns all digits.
    pub(in crate::ui) fn full(&self) -> &str {
        &self.full
    }

    /// Returns the first digits.
    pub(in crate::ui) fn short(&self) -> &str {
        self.full.get(..SHORT_DIGITS).unwrap_or(&self.full)
    }

    /// Returns the colour bar alone.
    pub(in crate::ui) fn colour_bar(&self) -> ColourBar {
        ColourBar::of(&self.full)
    }
}

/// The colour bar of a hash.
#[derive(Debug, Template)]
#[template(path = "parts/colour_bar.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct ColourBar {
    cells: Vec<Cell>,
}

impl HtmlSafe for ColourBar {}

#[derive(Debug)]
struct Cell {
    x: usize,
    colour: String,
}

impl ColourBar {
    /// `chain.js` draws the same colours.
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
    fn a_hash_shows_its_first_digits_and_colours() {
        let html = HashLink::new("/x", &"0a".repeat(32)).render().unwrap();
        assert!(html.contains("href=\"/x/block/0a0a"), "{html}");
        assert_eq!(html.matches("<rect").count(), CELLS);
        let odd = HashLink::new("", "<b>é").render().unwrap();
        assert!(!odd.contains("<b>") && !odd.contains("<rect"), "{odd}");
    }
}
