//! The end of a run.

use std::io;

use redb::StorageBackend;

use super::*;

/// Storage that cannot be closed.
#[derive(Debug)]
struct Unclosable(InMemoryBackend);

impl StorageBackend for Unclosable {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_failure_to_close_the_file_is_reported() {
    let (backend, genesis) = (Unclosable(InMemoryBackend::new()), Block::default_genesis());
    let store = Store::with_backend(backend, &genesis, NETWORK, Box::new(|_| {})).unwrap();
    assert!(matches!(store.close(), Err(StoreError::Engine(_))));
}
