//! Reads batches on another thread while the caller processes the ones before.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::error::Error;

/// Maximum number of batches that were read and not processed yet.
const READ_AHEAD: usize = 4;

/// Runs `read`, which sends batches, and passes them to `each` until that returns `false` or fails;
/// sending fails from then on. Returns the result of `read`.
pub(super) fn read_ahead<T: Send, R: Send>(
    read: impl FnOnce(&SyncSender<T>) -> R + Send,
    mut each: impl FnMut(T) -> Result<bool, Error>,
) -> Result<R, Error> {
    let (sender, receiver) = sync_channel(READ_AHEAD);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(&sender));
        let mut processed = Ok(());
        for batch in receiver {
            match each(batch) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    processed = Err(error);
                    break;
                }
            }
        }
        // The receiver is dropped, which ends the reading.
        let read = reading
            .join()
            .map_err(|_| Error::failed("the reading thread panicked"))?;
        processed.map(|()| read)
    })
}
