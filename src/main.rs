//! The `blockchain` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    blockchain::cli::run()
}
