//! The offline page that verifies receipts: one file that holds its scripts and styles, for
//! `blockchain receipt page`. It runs the same scripts as the page `/receipt`.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = concat!(
    include_str!("assets/base.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/inspector.css")
);

/// The scripts in an order in which each uses only those before it.
const SCRIPTS: [&str; 4] = [
    include_str!("assets/sha256.js"),
    include_str!("assets/chain.js"),
    include_str!("assets/receipt.js"),
    include_str!("assets/verifier.js"),
];

#[derive(Template)]
#[template(path = "verifier.html", config = "src/ui/askama.toml")]
struct VerifierPage {
    style: String,
    script: String,
    policy: String,
}

/// Returns the page. Its policy allows exactly the script and the style in it, by their hashes, and
/// no connection to anywhere.
///
/// # Panics
/// Never: rendering writes to memory.
pub fn page() -> String {
    let (style, script) = (format!("\n{STYLE}"), bundle());
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'",
        digest(&script),
        digest(&style)
    );
    VerifierPage {
        style,
        script,
        policy,
    }
    .render()
    .expect("the template writes to memory")
}

/// Joins the scripts into one, and removes import and export statements, because all scripts share
/// one scope.
fn bundle() -> String {
    let mut script = String::from("\n\"use strict\";\n");
    for line in SCRIPTS.iter().flat_map(|script| script.lines()) {
        if !line.starts_with("import ") {
            script.push_str(line.strip_prefix("export ").unwrap_or(line));
            script.push('\n');
        }
    }
    script
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_hashes_of_the_script_and_the_style() {
        let page = page();
        let between = |start: &str, end: &str| {
            let from = page.find(start).unwrap() + start.len();
            &page[from..from + page[from..].find(end).unwrap()]
        };
        let script = digest(between("<script type=\"module\">", "</script>"));
        let style = digest(between("<style>", "</style>"));
        let policy = between("http-equiv=\"Content-Security-Policy\" content=\"", "\"");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(
            policy.contains(&script) && policy.contains(&style),
            "{policy}"
        );
        assert!(!page.contains("import ") && !page.contains("\nexport "));
        assert!(!page.contains("src=\"") && !page.contains("href=\""));
    }
}
