//! Where an interrupted walk of a parents' list goes on.

use crate::mirror::transaction::{Batch, utc_text};
use crate::mirror::{MirrorError, Mode};
use crate::record::{RowSet, Stream};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

/// A walk of a parents' list after its last stored page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// When the walk began, in the first of the runs that it took.
    pub started_at: Timestamp,
    /// The API that was walked.
    pub base_url: String,
    /// The request for the next page, in the API client's own form.
    pub cursor: String,
    /// Pages stored so far.
    pub pages: u64,
    /// Records on them.
    pub records: u64,
    /// Of these, records that were new to the mirror. A walk that was cut off may have brought more.
    pub inserted: u64,
    /// The records that stood on them.
    pub seen: RowSet,
}

impl Batch<'_> {
    /// Keeps a walk's checkpoint, with the rows of the same batch; replaces the one before it.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn save_checkpoint(
        &mut self,
        stream: Stream,
        mode: Mode,
        checkpoint: &Checkpoint,
    ) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO checkpoints (stream, mode, started_at, base_url, cursor, pages, customers, inserted, \
                 seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                stream.name(),
                mode.name(),
                utc_text(checkpoint.started_at),
                checkpoint.base_url,
                checkpoint.cursor,
                checkpoint.pages as i64,
                checkpoint.records as i64,
                checkpoint.inserted as i64,
                checkpoint.seen.to_bytes(),
            ])?;
        Ok(())
    }

    /// How many of a stream's rows the mirror has had since before the walk that began at `started_at`, in whichever runs it
    /// took. None where the run that began it is no longer known.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn rows_before_walk(&self, stream: Stream, started_at: Timestamp) -> Result<u64, MirrorError> {
        let mut select = self.transaction.prepare_cached(&format!(
            "SELECT count(*) FROM {stream} WHERE inserted_run < (SELECT min(id) FROM sync_runs WHERE started_at = ?1)"
        ))?;
        Ok(select.query_row([utc_text(started_at)], |row| row.get::<_, i64>(0))? as u64)
    }

    /// Forgets a walk's checkpoint: it came to its end, or has to start again.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn drop_checkpoint(&mut self, stream: Stream, mode: Mode) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached("DELETE FROM checkpoints WHERE stream = ?1 AND mode = ?2")?
            .execute([stream.name(), mode.name()])?;
        Ok(())
    }

    /// The checkpoint of the interrupted walk of this list and mode, if there is one.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn checkpoint(&self, stream: Stream, mode: Mode) -> Result<Option<Checkpoint>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT started_at, base_url, cursor, pages, customers, inserted, seen FROM checkpoints \
             WHERE stream = ?1 AND mode = ?2",
        )?;
        let found = select
            .query_row([stream.name(), mode.name()], |row| {
                let started_at: String = row.get(0)?;
                let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
                let seen = RowSet::from_bytes(row.get_ref(6)?.as_blob()?);
                let checkpoint = Checkpoint {
                    started_at: Timestamp::UNIX_EPOCH,
                    base_url: row.get(1)?,
                    cursor: row.get(2)?,
                    pages: count(3)?,
                    records: count(4)?,
                    inserted: count(5)?,
                    seen: RowSet::default(),
                };
                Ok((started_at, seen, checkpoint))
            })
            .optional()?;
        let Some((started_at, seen, checkpoint)) = found else { return Ok(None) };
        let started_at =
            started_at.parse().map_err(|_| MirrorError::unreadable("a checkpoint's started_at"))?;
        let seen = seen.ok_or_else(|| MirrorError::unreadable("a checkpoint's seen"))?;
        Ok(Some(Checkpoint { started_at, seen, ..checkpoint }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{EventPlan, Trust};
    use crate::mirror::{Mirror, Stamp};
    use crate::record::Record;
    use jiff::SignedDuration;

    #[test]
    fn rows_of_a_walk_are_those_of_its_first_run_and_later_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        for (second, ids) in [(1, &["a", "b", "c"][..]), (2, &["d"]), (3, &["e"])] {
            let mut batch = mirror.batch().unwrap();
            let stamp = Stamp { run: batch.begin_run(Mode::Full, at(second)).unwrap(), now: at(9) };
            let records: Vec<Record> =
                ids.iter().map(|id| Record::customer(&format!("{{\"id\":\"{id}\"}}"))).collect();
            let (plan, mut seen) = (EventPlan::of_turns(SignedDuration::MAX), RowSet::default());
            batch.apply_parents(stamp, Stream::Customers, &records, Trust::Listed, &plan, &mut seen).unwrap();
            batch.commit().unwrap();
        }
        let batch = mirror.batch().unwrap();
        for (second, rows) in [(1, 0), (2, 3), (3, 4), (4, 0)] {
            assert_eq!(batch.rows_before_walk(Stream::Customers, at(second)).unwrap(), rows, "{second}");
        }
    }
}
