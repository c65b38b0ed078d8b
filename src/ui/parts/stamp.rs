//! The message of a stamp, which stands for files.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::proofs::stamp::StampMessage;
use crate::ui::format;

/// A stamp in words.
#[derive(Debug, Template)]
#[template(path = "parts/stamp.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct StampSummary {
    base: String,
    /// Number of files that were stamped together.
    files: u64,
    /// Root of the tree over them.
    root: String,
}

impl HtmlSafe for StampSummary {}

impl StampSummary {
    /// Returns `None` for a message that is not exactly a stamp.
    pub(in crate::ui) fn of(base: &str, message: &str) -> Option<Self> {
        let stamp: StampMessage = message.parse().ok()?;
        Some(Self {
            base: base.to_owned(),
            files: stamp.files,
            root: hex::encode(stamp.root),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exact_stamp_is_shown_as_one() {
        let root = "ab".repeat(32);
        let show = |text: &str| StampSummary::of("/x", text).map(|stamp| stamp.render().unwrap());
        let html = show(&format!("blockchain-stamp/1 sha256 1200 {root}")).unwrap();
        for text in ["Stamp of 1,200 files", &root, "href=\"/x/receipt\""] {
            assert!(html.contains(text), "{text} {html}");
        }
        let html = show(&format!("blockchain-stamp/1 sha256 1 {root}")).unwrap();
        assert!(html.contains("Stamp of 1 file<"), "{html}");
        assert!(show(&format!("blockchain-stamp/1 sha256 01 {root}")).is_none());
        assert!(show("<script>alert(1)</script>").is_none());
    }
}
