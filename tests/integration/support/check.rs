//! The full check of a database, as `verify --db` runs it.

use std::path::Path;

use blockchain::chain::Checker;
use blockchain::store::integrity::{Audit, IntegrityReport};
use blockchain::store::{PageLimit, StoppedStore, StoreError, View};

const PAGE: PageLimit = PageLimit {
    count: 1000,
    bytes: 4 * 1024 * 1024,
};

/// Checks the engine's checksums and the whole content of the database of a stopped node.
pub(crate) fn check_file(path: &Path) -> Result<IntegrityReport, StoreError> {
    let mut stopped = StoppedStore::open(path)?;
    stopped.check_checksums()?;
    check_all(&stopped.view()?)
}

/// Checks every block by the rules of its network, and every other table against the blocks.
pub(crate) fn check_all(view: &View) -> Result<IntegrityReport, StoreError> {
    let mut audit = Audit::new(view)?;
    let network = view.network()?;
    let mut checker = Checker::new(network.difficulty, network.sealed_from);
    while checker.next_index() < audit.length() {
        let page = view.blocks(checker.next_index(), PAGE)?;
        audit.measure(&page);
        let pushed = checker.push_all(&page, |passed| {
            audit.push(&passed);
            passed.acceptable
        });
        if let Err(invalid) = pushed {
            audit.finish()?;
            let what = invalid.to_string();
            return Err(StoreError::Corrupt { what });
        }
    }
    audit.finish()
}
