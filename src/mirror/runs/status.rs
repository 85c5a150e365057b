//! What the mirror tells about itself.

use crate::mirror::MirrorError;
use crate::mirror::tables::stream_at;
use crate::mirror::transaction::Snapshot;
use crate::record::Stream;
use serde::Serialize;

/// How current a stream is; the `freshness` view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Freshness {
    /// The stream.
    pub stream: Stream,
    /// Rows that the mirror holds.
    pub row_count: u64,
    /// The newest change, 0 while there is none.
    pub last_change_seq: i64,
    /// When an incremental or full sync last ended `ok`: UTC, ISO 8601.
    pub last_sync_ok_at: Option<String>,
    /// When a full sync last ended `ok`: UTC, ISO 8601.
    pub last_full_ok_at: Option<String>,
    /// Of events, for how long those of the last seven days had been at the vendor when the mirror took them: the mean.
    pub unseen_mean_seconds: Option<f64>,
    /// What 95 in 100 of these times stay below.
    pub unseen_p95_seconds: Option<i64>,
}

/// A parent whose children could not be read, such as a customer whose events could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventFailure {
    /// The parent's stream.
    pub stream: Stream,
    /// Its id.
    pub customer_id: String,
    /// The newest run that failed.
    pub run_id: i64,
    /// UTC, ISO 8601.
    pub failed_at: String,
    /// Why.
    pub error: String,
}

impl Snapshot<'_> {
    /// How current each stream is.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn freshness(&self) -> Result<Vec<Freshness>, MirrorError> {
        let mut select = self.transaction.prepare(
            "SELECT stream, row_count, coalesce(last_change_seq, 0), last_sync_ok_at, last_full_ok_at, \
             unseen_mean_seconds, unseen_p95_seconds FROM freshness \
             ORDER BY stream",
        )?;
        let streams = select
            .query_map([], |row| {
                Ok(Freshness {
                    stream: stream_at(row, 0)?,
                    row_count: row.get::<_, i64>(1)? as u64,
                    last_change_seq: row.get(2)?,
                    last_sync_ok_at: row.get(3)?,
                    last_full_ok_at: row.get(4)?,
                    unseen_mean_seconds: row.get(5)?,
                    unseen_p95_seconds: row.get(6)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        Ok(streams)
    }

    /// Parents whose children could not be read, newest failure first; at most `limit`, and how many there are.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_failures(&self, limit: usize) -> Result<(Vec<EventFailure>, u64), MirrorError> {
        let count: i64 =
            self.transaction.query_row("SELECT count(*) FROM event_failures", [], |row| row.get(0))?;
        let mut select = self.transaction.prepare(
            "SELECT stream, customer_id, run_id, failed_at, error FROM event_failures \
             ORDER BY failed_at DESC, stream, customer_id LIMIT ?1",
        )?;
        let failures = select
            .query_map([limit as i64], |row| {
                Ok(EventFailure {
                    stream: stream_at(row, 0)?,
                    customer_id: row.get(1)?,
                    run_id: row.get(2)?,
                    failed_at: row.get(3)?,
                    error: row.get(4)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        Ok((failures, count as u64))
    }
}
