//! Panics of the database engine, which damaged pages can cause.
//!
//! A panic is converted to an error with its text. The exception is a second panic while the first
//! one unwinds, which aborts the process; a hook runs just before ([`install_hook`]).

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use tracing::debug;

use super::error::StoreError;

/// Handling of a panic on this thread.
#[derive(Default)]
enum PanicHandling {
    /// It does not concern the store: the previous hook reports it.
    #[default]
    Default,
    /// It is converted to an error.
    Guarded,
    /// A panic with this text is unwinding already; another one aborts the process.
    Unwinding(String),
}

thread_local! {
    static HANDLING: Cell<PanicHandling> = const { Cell::new(PanicHandling::Default) };
}

/// Runs work on the database, and converts a panic of the engine to an error.
pub(crate) fn catch_engine_panic<T>(
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let outside = HANDLING.replace(PanicHandling::Guarded);
    // Everything that the work touched is dropped or unused after a panic.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    HANDLING.set(outside);
    outcome.unwrap_or_else(|panic| Err(StoreError::corrupt(text(&*panic))))
}

/// Installs a panic hook that logs converted panics at level debug only. `on_abort` is called with
/// the damage that is about to abort the process, and should exit the process.
pub fn install_hook(on_abort: impl Fn(StoreError) + Send + Sync + 'static) {
    let report = take_hook();
    set_hook(Box::new(move |panic| match HANDLING.take() {
        PanicHandling::Default => report(panic),
        PanicHandling::Guarded => {
            debug!(%panic, "the database engine panicked");
            HANDLING.set(PanicHandling::Unwinding(text(panic.payload()).to_owned()));
        }
        PanicHandling::Unwinding(first) => {
            on_abort(StoreError::corrupt(first));
            report(panic);
        }
    }));
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the database engine panicked")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, exit};

    use super::*;

    const CHILD: &str = "BLOCKCHAIN_TEST_PANICS";

    struct Poisoned;

    impl Drop for Poisoned {
        fn drop(&mut self) {
            panic!("the second time");
        }
    }

    /// A damaged page in the list of free pages caused this in the engine.
    #[test]
    fn a_panic_during_unwinding_runs_the_abort_handler() {
        if std::env::var_os(CHILD).is_some() {
            install_hook(|error| {
                writeln!(std::io::stderr(), "error: {error}").unwrap();
                exit(3);
            });
            let once: Result<(), _> = catch_engine_panic(|| panic!("once is an error"));
            assert!(once.is_err());
            let _: Result<(), _> = catch_engine_panic(|| {
                let _cleaned_up = Poisoned;
                panic!("the first time");
            });
            unreachable!("two panics at once abort");
        }
        let name = "store::panics::tests::\
                    a_panic_during_unwinding_runs_the_abort_handler";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let stderr = String::from_utf8(child.stderr).unwrap();
        assert_eq!(child.status.code(), Some(3), "{stderr}");
        assert_eq!(stderr, "error: the database is damaged: the first time\n");
    }
}
