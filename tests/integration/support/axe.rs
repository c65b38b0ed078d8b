//! The accessibility checker axe-core, from npm.

use std::process::{Command, Stdio};

use serde_json::json;

use super::webdriver::Browser;

const PACKAGE: &str = "axe-core@4.10.3";

/// The script of axe-core.
pub(crate) struct Axe {
    script: String,
}

impl Axe {
    /// Downloads the package, or returns the reason why that is not possible.
    pub(crate) fn download() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program)
                .args(arguments)
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .output()
                .map_err(|error| format!("{program}: {error}"))?;
            if output.status.success() {
                return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
            }
            let error = String::from_utf8_lossy(&output.stderr);
            Err(format!("{program}: {}", error.lines().next().unwrap_or("")))
        };
        let options = ["--silent", "--fetch-retries=1", "--fetch-timeout=20000"];
        let archive = run("npm", &[&["pack", PACKAGE], &options[..]].concat())?;
        run("tar", &["xzf", &archive, "package/axe.min.js"])?;
        let script = std::fs::read_to_string(folder.path().join("package/axe.min.js"));
        script
            .map(|script| Self { script })
            .map_err(|error| error.to_string())
    }

    /// Asserts that the page of a browser has no violation, in the light and in the dark theme.
    /// Nothing moves: a fade would be checked in the middle.
    #[track_caller]
    pub(crate) fn assert_accessible(&self, browser: &Browser, page: &str) {
        for scheme in ["light", "dark"] {
            let media = json!({"features": [
                {"name": "prefers-reduced-motion", "value": "reduce"},
                {"name": "prefers-color-scheme", "value": scheme}
            ]});
            browser.command("Emulation.setEmulatedMedia", &media);
            self.check(browser, &format!("{page}, {scheme}"));
        }
        browser.command("Emulation.setEmulatedMedia", &json!({"features": []}));
    }

    #[track_caller]
    fn check(&self, browser: &Browser, page: &str) {
        let run = "return axe.run(document, {resultTypes: ['violations']}).then(({violations}) =>
            violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(' ')}`))";
        let script = format!("if (!window.axe) {{ {} }}\n{run}", self.script);
        let violations = browser.run(&script);
        assert_eq!(violations, json!([]), "{page}");
    }
}
