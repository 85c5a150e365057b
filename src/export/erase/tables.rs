//! A folder's tables without the erased rows.

#[cfg(feature = "lake")]
use super::old_rows::rows_of;
#[cfg(feature = "lake")]
use super::outcome::ErasedFile;
use super::outcome::ErasedFolder;
use super::remaining_rows::RemainingRows;
#[cfg(feature = "lake")]
use crate::export::delta;
use crate::export::destination;
use crate::export::error::ExportError;
#[cfg(feature = "lake")]
use crate::export::formats::Dialect;
#[cfg(feature = "lake")]
use crate::export::layout::Covers;
use crate::export::layout::Kind;
use crate::export::location::Location;
use crate::record::Stream;
use jiff::Timestamp;

/// Writes the tables' files with such rows again, and notes it in `done`. `own` is the mirror's id.
#[cfg(feature = "lake")]
pub(super) fn erase(
    rows: &RemainingRows<'_>,
    dir: &Location,
    (own, now): (&str, Timestamp),
    done: &mut ErasedFolder,
) -> Result<(), ExportError> {
    let of_tables = RowsOfTables { rows, dir };
    for contents in [delta::Contents::Changes, delta::Contents::State] {
        for stream in Stream::ALL {
            let table = delta::Table { stream, contents };
            let erased = delta::erase(rows.snapshot, dir, table, &of_tables, (own, now))?;
            let Some(erased) = erased else { continue };
            done.searched += erased.searched;
            done.others.extend(erased.others);
            done.files.extend(erased.gone.into_iter().map(|gone| {
                let (bytes, sha256) = gone.was.unzip();
                ErasedFile::removed(gone.path, bytes, sha256)
            }));
        }
    }
    Ok(())
}

/// Tables that a build with the feature `lake` has written are told of.
#[cfg(not(feature = "lake"))]
pub(super) fn erase(
    rows: &RemainingRows<'_>,
    dir: &Location,
    _: (&str, Timestamp),
    done: &mut ErasedFolder,
) -> Result<(), ExportError> {
    let destination = destination::of(dir, Kind::Changes);
    for stream in Stream::ALL.into_iter().filter(|stream| rows.erased.has_erased(*stream, (1, i64::MAX))) {
        for table in [format!("{stream}_changes"), stream.to_string()] {
            let (log, mut is_there) = (format!("{table}/_delta_log"), false);
            destination
                .each_name(&log, &mut |_| is_there = true)
                .map_err(ExportError::io("listed", &destination.place(&log)))?;
            done.not_written.extend(is_there.then_some(table));
        }
    }
    Ok(())
}

#[cfg(feature = "lake")]
struct RowsOfTables<'r> {
    rows: &'r RemainingRows<'r>,
    dir: &'r Location,
}

#[cfg(feature = "lake")]
impl delta::Rows for RowsOfTables<'_> {
    fn has_erased(&self, stream: Stream, range: (i64, i64)) -> bool {
        self.rows.erased.has_erased(stream, range)
    }

    fn changes(
        &self,
        table: delta::Table,
        old: &delta::OldFile<'_>,
        write: &mut delta::EachRow<'_>,
    ) -> Result<(), ExportError> {
        let (first_seq, last_seq) = old.range;
        let name = table.file_name(Covers::Changes { first_seq, last_seq });
        let destination = destination::of(self.dir, Kind::Changes);
        // Tables keep what the mirror has forgotten of others.
        let end = 0;
        let dialect = Dialect { old_layout: false, exact: true, bom: false, guarded: false };
        let is_it = |sha256: &str| sha256 == old.sha256;
        let open = || rows_of(&*destination, (&old.path, name, dialect), is_it);
        self.rows.of((name, end), open, old.is_joined, write).map(drop)
    }
}
