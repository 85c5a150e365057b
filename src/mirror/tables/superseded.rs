//! Versions of rows that a change has ended.

use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Snapshot, utc_text};
use crate::record::Stream;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

/// How many versions are forgotten in one transaction: readers and the disk never wait long for it.
const FORGOTTEN_AT_ONCE: usize = 5_000;

/// How far back the history of a stream reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryReach {
    /// The stream.
    pub stream: Stream,
    /// Every state of it from this change on is known; 0: every one.
    pub from_seq: i64,
    /// Superseded versions that were removed for their age.
    pub pruned: u64,
    /// When some last were: UTC, ISO 8601.
    pub pruned_at: Option<String>,
}

impl Batch<'_> {
    /// Forgets superseded versions that ended before `before`, some thousands at a time; returns how many. None: all of
    /// them are gone. Current versions stay whatever their age, and so does the change log.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_history(&mut self, now: Timestamp, before: Timestamp) -> Result<u64, MirrorError> {
        let mut forgotten = 0;
        for stream in Stream::ALL {
            let Some((through, count)) = self.versions_that_ended(stream, before)? else { continue };
            self.transaction
                .execute(&format!("DELETE FROM {stream}_superseded WHERE end_seq <= ?1"), [through])?;
            self.transaction.execute(
                "UPDATE history_reach SET from_seq = max(from_seq, ?2), pruned = pruned + ?3, pruned_at = ?4 WHERE stream = ?1",
                params![stream.name(), through, count as i64, utc_text(now)],
            )?;
            forgotten += count;
        }
        Ok(forgotten)
    }

    /// The oldest versions, as far as they ended before `before`: the change that ended the last of them, and how many.
    fn versions_that_ended(
        &self,
        stream: Stream,
        before: Timestamp,
    ) -> Result<Option<(i64, u64)>, MirrorError> {
        let mut select = self.transaction.prepare_cached(&format!(
            "SELECT old.end_seq, ending.observed_at FROM {stream}_superseded AS old \
             CROSS JOIN change_log AS ending ON ending.seq = old.end_seq ORDER BY old.end_seq"
        ))?;
        let (mut rows, before, mut found) = (select.query([])?, utc_text(before), None);
        // They end in the order of their changes, so nothing behind the first one that is too young is looked at.
        for count in 1..=FORGOTTEN_AT_ONCE as u64 {
            let Some(row) = rows.next()? else { break };
            if row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)? >= before.as_str() {
                break;
            }
            found = Some((row.get(0)?, count));
        }
        Ok(found)
    }
}

impl Snapshot<'_> {
    /// The number of the newest change that was observed at `time` or before; 0: there is none.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn head_at(&self, time: Timestamp) -> Result<i64, MirrorError> {
        let sql = "SELECT seq FROM changes WHERE observed_at <= ?1 ORDER BY seq DESC LIMIT 1";
        let found = self.transaction.query_row(sql, [utc_text(time)], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(0))
    }

    /// How far back each stream's history reaches.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn history_reach(&self) -> Result<Vec<HistoryReach>, MirrorError> {
        let mut select = self
            .transaction
            .prepare_cached("SELECT from_seq, pruned, pruned_at FROM history_reach WHERE stream = ?1")?;
        let reach = |stream: Stream| {
            select.query_row([stream.name()], |row| {
                let pruned = row.get::<_, i64>(1)? as u64;
                Ok(HistoryReach { stream, from_seq: row.get(0)?, pruned, pruned_at: row.get(2)? })
            })
        };
        Ok(Stream::ALL.into_iter().map(reach).collect::<rusqlite::Result<_>>()?)
    }

    /// Whether the history reaches back to the stream's state that this change made, so that [`Snapshot::rows`] has it.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn knows_state(&self, stream: Stream, seq: i64) -> Result<bool, MirrorError> {
        Ok(self.history_reach()?.iter().all(|reach| reach.stream != stream || reach.from_seq <= seq))
    }
}
