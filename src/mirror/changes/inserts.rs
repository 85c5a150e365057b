//! A stream's rows by the changes that inserted them: for exports that keep them in slices of that order, and write a
//! slice anew once one of its rows has changed.

use super::values::{Change, columns, read_values, text};
use crate::mirror::{MirrorError, Snapshot};
use crate::record::{Op, Stream};
use rusqlite::params;

/// Where the values begin, behind the numbers of the insert and of the newest change, its time and the id.
const FIRST_VALUE: usize = 4;

impl Snapshot<'_> {
    /// Calls `each` with every row that a stream holds now and that a change after `after`, up to `through`, inserted:
    /// the number of that change, and the row as an insert that has the number and time of its newest change. In the
    /// order of their inserts.
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn rows_inserted<E: From<MirrorError>>(
        &self,
        stream: Stream,
        (after, through): (i64, i64),
        mut each: impl FnMut(i64, Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT t.inserted_seq, t.change_seq, coalesce(c.observed_at, t.inserted_at), t.id, {} FROM {stream} AS t \
             LEFT JOIN change_log AS c ON c.seq = t.change_seq AND t.change_seq <> t.inserted_seq \
             WHERE t.inserted_seq > ?1 AND t.inserted_seq <= ?2 ORDER BY t.inserted_seq",
            columns(stream, "t."),
        );
        let mut select = self.transaction.prepare_cached(&sql).map_err(MirrorError::from)?;
        let mut rows = select.query([after, through]).map_err(MirrorError::from)?;
        let mut read = 0;
        while let Some(row) = rows.next().map_err(MirrorError::from)? {
            self.go_on(read)?;
            read += 1;
            let values = read_values(row, stream, FIRST_VALUE)?;
            let (inserted, seq) =
                (row.get(0).map_err(MirrorError::from)?, row.get(1).map_err(MirrorError::from)?);
            let (observed_at, id) = (text(row, 2)?, text(row, 3)?);
            let change = Change { seq, op: Op::Insert, observed_at, id, row: Some(&values) };
            self.show(stream, change, |change| each(inserted, change))?;
        }
        Ok(())
    }

    /// How many rows a stream holds now that were inserted after that change.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn count_inserted(&self, stream: Stream, after: i64) -> Result<u64, MirrorError> {
        let sql = format!("SELECT count(*) FROM {stream} WHERE inserted_seq > ?1");
        let count: i64 = self.transaction.prepare_cached(&sql)?.query_row([after], |row| row.get(0))?;
        Ok(count as u64)
    }

    /// Which rows that a stream held at change `position` were updated or deleted since: the numbers of their inserts,
    /// in no order, the same one several times where a row changed several times. `None` where the versions of that
    /// time were pruned, so that nobody knows.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn inserts_touched(&self, stream: Stream, position: i64) -> Result<Option<Vec<i64>>, MirrorError> {
        let sql = format!(
            "SELECT old.inserted_seq FROM change_log AS c LEFT JOIN {stream}_superseded AS old ON old.end_seq = c.seq \
             WHERE c.seq > ?1 AND c.stream = ?2 AND c.op <> 'insert' AND coalesce(old.inserted_seq, 0) <= ?1"
        );
        let mut select = self.transaction.prepare_cached(&sql)?;
        let mut rows = select.query(params![position, stream.name()])?;
        let mut touched = Vec::new();
        while let Some(row) = rows.next()? {
            match row.get(0)? {
                Some(inserted) => touched.push(inserted),
                None => return Ok(None),
            }
        }
        Ok(Some(touched))
    }
}
