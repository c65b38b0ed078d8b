//! Idempotency keys of clients: for a day, a message is added only once under the same key.

use redb::ReadableTable;
use sha2::{Digest, Sha256};

use super::edit::Edit;
use super::error::{Rejection, StoreError};
use super::mempool::{Added, Addition};
use super::tables::{self, IdempotencyRecord};
use super::value;
use super::view::View;
use crate::chain::MessageId;

/// Lifetime of a key: a day.
const KEY_LIFETIME_MILLIS: u64 = 24 * 60 * 60 * 1000;

impl Addition {
    /// Returns the digest under which a client's key is stored.
    pub fn key_digest(key: &[u8]) -> [u8; 32] {
        Sha256::digest(key).into()
    }

    /// Returns the digest that identifies a text.
    pub fn text_digest(text: &str) -> [u8; 32] {
        Sha256::digest(text).into()
    }
}

impl View {
    /// Returns the result of an addition whose key was used before this view; `None` if it is new.
    pub fn added_under_key(
        &self,
        addition: &Addition,
    ) -> Result<Option<Result<Added, Rejection>>, StoreError> {
        self.read(|| {
            known(
                &self.transaction().open_table(tables::IDEMPOTENCY)?,
                addition,
            )
        })
    }
}

impl Edit<'_> {
    /// Returns the result of an addition whose key was used before; `None` if it is new.
    pub(super) fn added_under_key(
        &self,
        addition: &Addition,
    ) -> Result<Option<Result<Added, Rejection>>, StoreError> {
        known(&self.idempotency, addition)
    }

    /// Stores the id of an addition under its key.
    pub(super) fn remember_addition(
        &mut self,
        addition: &Addition,
        id: MessageId,
    ) -> Result<(), StoreError> {
        let Some(key) = &addition.key else {
            return Ok(());
        };
        if let Some(expired) = record(&self.idempotency, key)? {
            self.idempotency_by_time.remove((expired.at, key))?;
        }
        // Each new key removes up to two expired ones, which bounds the table without a task.
        for _ in 0..2 {
            let Some(oldest) = self.idempotency_by_time.first()? else {
                break;
            };
            let (time, key) = oldest.0.value();
            let key = *key;
            drop(oldest);
            if !is_expired(time, addition.arrived) {
                break;
            }
            self.idempotency.remove(&key)?;
            self.idempotency_by_time.remove((time, &key))?;
        }
        let known = IdempotencyRecord {
            id: *id.as_bytes(),
            text_digest: Addition::text_digest(addition.message.text()),
            at: addition.arrived,
        };
        self.idempotency.insert(key, &*value::encode(&known))?;
        self.idempotency_by_time.insert((known.at, key), ())?;
        Ok(())
    }
}

fn known(
    keys: &impl ReadableTable<&'static [u8; 32], &'static [u8]>,
    addition: &Addition,
) -> Result<Option<Result<Added, Rejection>>, StoreError> {
    let Some(key) = &addition.key else {
        return Ok(None);
    };
    let known = record(keys, key)?.filter(|known| !is_expired(known.at, addition.arrived));
    Ok(known.map(|known| {
        if known.text_digest != Addition::text_digest(addition.message.text()) {
            return Err(Rejection::KeyReused);
        }
        Ok(Added {
            id: MessageId::from_bytes(known.id),
            is_new: false,
        })
    }))
}

fn record(
    keys: &impl ReadableTable<&'static [u8; 32], &'static [u8]>,
    key: &[u8; 32],
) -> Result<Option<IdempotencyRecord>, StoreError> {
    let known = keys.get(key)?;
    known
        .map(|known| value::decode("idempotency", hex::encode(key), known.value()))
        .transpose()
}

/// Returns `true` if a key used at time `used` has expired at time `now`.
fn is_expired(used: u64, now: u64) -> bool {
    used.saturating_add(KEY_LIFETIME_MILLIS) <= now
}
