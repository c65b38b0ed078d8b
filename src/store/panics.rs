//! Panics of the database engine: damaged pages can cause them.
//!
//! A panic becomes an error that names it. Only one case is beyond that: the engine panics again
//! while it cleans up after the first time, which ends the process; whoever runs the process is
//! told just before ([`watch`]).

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use tracing::debug;

use super::error::StoreError;

/// What a panic of this thread would lead to.
#[derive(Default)]
enum Scope {
    /// It is nothing of the store's.
    #[default]
    Foreign,
    /// It becomes an error.
    Guarded,
    /// There was one with this text already, and its clean-up is under way.
    Unwinding(String),
}

thread_local! {
    static SCOPE: Cell<Scope> = const { Cell::new(Scope::Foreign) };
}

/// Runs a piece of work on the database; a panic in the engine becomes an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let outside = SCOPE.replace(Scope::Guarded);
    // Whatever the work touched is dropped or never used again after a panic.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    SCOPE.set(outside);
    outcome.unwrap_or_else(|panic| Err(StoreError::corrupt(text(&*panic))))
}

/// Keeps quiet about panics that become errors, but for the log at level debug. `last` is called
/// with the damage that is about to abort the process, and should end it in order.
pub fn watch(last: impl Fn(StoreError) + Send + Sync + 'static) {
    let report = take_hook();
    set_hook(Box::new(move |panic| match SCOPE.take() {
        Scope::Foreign => report(panic),
        Scope::Guarded => {
            debug!(%panic, "the database engine gave up");
            SCOPE.set(Scope::Unwinding(text(panic.payload()).to_owned()));
        }
        Scope::Unwinding(first) => {
            last(StoreError::corrupt(first));
            report(panic);
        }
    }));
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the database engine gave up")
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

    /// As a damaged page in the list of free pages made the engine do.
    #[test]
    fn a_panic_while_cleaning_up_after_one_ends_the_process_in_order() {
        if std::env::var_os(CHILD).is_some() {
            watch(|error| {
                writeln!(std::io::stderr(), "error: {error}").unwrap();
                exit(3);
            });
            let once: Result<(), _> = guarded(|| panic!("once is an error"));
            assert!(once.is_err());
            let _: Result<(), _> = guarded(|| {
                let _cleaned_up = Poisoned;
                panic!("the first time");
            });
            unreachable!("two panics at once abort");
        }
        let name = "store::panics::tests::\
                    a_panic_while_cleaning_up_after_one_ends_the_process_in_order";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let told = String::from_utf8(child.stderr).unwrap();
        assert_eq!(child.status.code(), Some(3), "{told}");
        assert_eq!(told, "error: the database is damaged: the first time\n");
    }
}
