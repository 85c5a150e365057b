//! Records that could not be taken: set aside with their raw text, never dropped in silence.

use super::MirrorError;
use super::batch::{Batch, Stamp, utc_text};
use crate::record::Stream;
use rusqlite::params;
use sha2::{Digest, Sha256};

/// A record that could not be taken.
#[derive(Debug, Clone, Copy)]
pub struct RejectedRecord<'a> {
    /// The stream that it belongs to.
    pub stream: Stream,
    /// In whose event list it stood.
    pub customer_id: Option<&'a str>,
    /// Its id, where it has one.
    pub record_id: Option<&'a str>,
    /// Why it was rejected, without its content.
    pub reason: &'a str,
    /// The record as the API gave it.
    pub raw: &'a str,
}

impl Batch<'_> {
    /// Sets a record aside; one that was set aside before keeps its first time.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn set_aside(&mut self, stamp: Stamp, record: RejectedRecord<'_>) -> Result<(), MirrorError> {
        self.nothing_rejected = false;
        self.transaction
            .prepare_cached(
                "INSERT INTO rejected (digest, stream, customer_id, record_id, reason, raw, first_seen_at, run_id) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT (digest) DO UPDATE SET run_id = excluded.run_id, reason = excluded.reason",
            )?
            .execute(params![
                digest(&record),
                record.stream.name(),
                record.customer_id,
                record.record_id,
                record.reason,
                record.raw,
                utc_text(stamp.now),
                stamp.run.0
            ])?;
        Ok(())
    }

    /// Forgets what was set aside and did not come again: of the customer list, or of one customer's events, after
    /// the run of `stamp` has walked it to its end.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_rejected(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        customer_id: Option<&str>,
    ) -> Result<(), MirrorError> {
        if self.nothing_rejected {
            return Ok(());
        }
        self.transaction
            .prepare_cached("DELETE FROM rejected WHERE stream = ?1 AND customer_id IS ?2 AND run_id <> ?3")?
            .execute(params![stream.name(), customer_id, stamp.run.0])?;
        Ok(())
    }
}

fn digest(record: &RejectedRecord<'_>) -> String {
    let mut hasher = Sha256::new();
    for part in [record.stream.name(), record.customer_id.unwrap_or(""), record.raw] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
