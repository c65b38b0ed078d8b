//! Reading on a thread of its own, so that reading and what is done with it go side by side.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::error::Error;

/// How many batches wait between the two.
const WAITING: usize = 4;

/// Runs `read`, which sends batches, and hands them to `each` until that says no. Sending fails when
/// nobody wants the rest. Returns what `read` returns.
pub(super) fn read_ahead<T: Send, R: Send>(
    read: impl FnOnce(&SyncSender<T>) -> R + Send,
    mut each: impl FnMut(T) -> Result<bool, Error>,
) -> Result<R, Error> {
    let (sender, receiver) = sync_channel(WAITING);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(&sender));
        let mut taken = Ok(());
        for batch in receiver {
            match each(batch) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    taken = Err(error);
                    break;
                }
            }
        }
        // The receiver is gone now, which stops the reading.
        let read = reading
            .join()
            .map_err(|_| Error::failed("reading broke off".to_owned()))?;
        taken.map(|()| read)
    })
}
