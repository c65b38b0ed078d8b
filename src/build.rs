//! Tells the program its target, and in release builds the commit of its sources. Debug builds
//! leave the commit out, so that they are not repeated after each commit.

use std::path::Path;
use std::process::Command;

fn main() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    println!("cargo:rerun-if-changed=src/build.rs");
    println!("cargo:rustc-env=BLOCKCHAIN_TARGET={}", variable("TARGET"));
    if variable("PROFILE") != "release" {
        return;
    }
    let folder = variable("CARGO_MANIFEST_DIR");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(&folder)
            .args(arguments)
            .output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // A package inside another repository has nothing to do with its commits.
    let root = git(&["rev-parse", "--show-toplevel"]);
    let is_own = root.is_some_and(|root| {
        Path::new(&root).canonicalize().ok() == Path::new(&folder).canonicalize().ok()
    });
    if !is_own {
        return;
    }
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        println!("cargo:rustc-env=BLOCKCHAIN_COMMIT={commit}");
    }
    // This file changes whenever HEAD moves.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={log}");
    }
}
