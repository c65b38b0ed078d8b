//! The message of stamps at a node. An answer about another message is an error: a node is not
//! trusted to give the right receipt.

use std::time::{Duration, Instant};

use crate::cli::error::{Error, ErrorKind};
use crate::client::{ClientError, HttpClient};
use crate::proofs::Receipt;
use crate::wire::MessageState;

/// Interval between requests for the state of the message.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum time to wait for a block above the one with the message: many times what a block needs
/// to reach all nodes of a network.
const MAX_SETTLE_TIME: Duration = Duration::from_secs(1);

/// Adds the message of stamps, unless the node has it. Returns its id, which is `id` unless another
/// message has that.
pub(super) async fn add(client: &HttpClient, id: &str, message: &str) -> Result<String, Error> {
    let added = match client.add_lines(message, None, true).await {
        Err(error) if error.is_unsupported() => {
            return Err(
                Error::failed(format!("{} cannot stamp files", client.address()))
                    .hint("stamp the files at a node of this program, of this version or later"),
            );
        }
        added => added?,
    };
    let added = added.ids.unwrap_or_default().pop();
    Ok(added.unwrap_or_else(|| id.to_owned()))
}

/// Returns `true` if the message may have been added.
pub(super) fn is_unknown_outcome(error: &Error) -> bool {
    matches!(
        *error.kind,
        ErrorKind::Client(ClientError::OutcomeUnknown { .. })
    )
}

/// Waits until a message is mined, and a short time for a block above its own: the tip could still
/// be replaced.
pub(super) async fn wait(client: &HttpClient, id: &str, message: &str) -> Result<(), Error> {
    let mut mined_at = None;
    loop {
        let status = client.message(id).await?;
        if status.message != message {
            return Err(has_other_message(client, id));
        }
        if status.state == MessageState::Mined {
            let mined_at = *mined_at.get_or_insert_with(Instant::now);
            if status.confirmations > 1 || mined_at.elapsed() >= MAX_SETTLE_TIME {
                return Ok(());
            }
        } else {
            mined_at = None;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Returns the receipt of a mined message under the block `at`.
pub(super) async fn receipt_of(
    client: &HttpClient,
    id: &str,
    message: &str,
    at: &str,
) -> Result<Receipt, Error> {
    let file = client.message_receipt(id, at).await?;
    let receipt = Receipt::read(&file).and_then(|receipt| {
        receipt.check()?;
        Ok(receipt)
    });
    let receipt = receipt.map_err(|error| {
        Error::failed(format!(
            "{} sent an invalid receipt: {error}",
            client.address()
        ))
    })?;
    let block = match &receipt.entries[..] {
        [] => &receipt.under,
        [entry] => &entry.block,
        _ => {
            let address = client.address();
            let text = format!("{address} sent a receipt for several blocks");
            return Err(Error::failed(text));
        }
    };
    if block.message.text() == message {
        Ok(receipt)
    } else {
        Err(has_other_message(client, id))
    }
}

fn has_other_message(client: &HttpClient, id: &str) -> Error {
    Error::failed(format!(
        "{} has another message under the id {id}",
        client.address()
    ))
}
