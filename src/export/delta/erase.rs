//! Tables without the rows of erased persons. What holds them is written again and committed, and then everything that an
//! earlier version of the table had is removed from the disk: its files, and its log, whose statistics quote values.

use super::actions::{Action, Add, Remove};
use super::clean_up::{forget_earlier_versions, others};
use super::data_file::{DataFile, Origin};
use super::export::{State, open_own};
use super::log::TableLog;
use super::state_table;
use super::table::{Contents, Table};
use crate::export::error::ExportError;
use crate::export::formats::{Dialect, FileFacts};
use crate::export::location::Location;
use crate::mirror::{Change, Snapshot};
use crate::record::Stream;
use jiff::Timestamp;

/// Takes the rows of a file of changes, but for what was erased.
pub(in crate::export) type EachRow<'r> = dyn FnMut(&Change<'_>) -> Result<(), ExportError> + 'r;

/// What an erasure needs to know of the rows of tables.
pub(in crate::export) trait Rows {
    /// Whether one of the stream's changes with these numbers was erased.
    fn has_erased(&self, stream: Stream, range: (i64, i64)) -> bool;

    /// Hands over what such a file of changes is to have.
    fn changes(&self, table: Table, old: &OldFile<'_>, write: &mut EachRow<'_>) -> Result<(), ExportError>;
}

/// A file with changes, as the log has it.
pub(in crate::export) struct OldFile<'f> {
    /// The first and the last change that it covers.
    pub(in crate::export) range: (i64, i64),
    /// Relative to the export folder.
    pub(in crate::export) path: String,
    /// Its digest.
    pub(in crate::export) sha256: &'f str,
    /// Whether it may have several changes of a record, since it was joined from several files.
    pub(in crate::export) is_joined: bool,
}

/// A file that went from a table.
pub(in crate::export) struct Gone {
    /// Relative to the export folder.
    pub(in crate::export) path: String,
    /// Its size and its digest, where the log says so.
    pub(in crate::export) was: Option<(u64, String)>,
}

/// What was done to a table.
pub(in crate::export) struct ErasedTable {
    /// How many files it had.
    pub(in crate::export) searched: u64,
    /// Those that went, and the files of its log.
    pub(in crate::export) gone: Vec<Gone>,
    /// Files in its folders that have no name of this program's: nobody looked into them. Relative to the export folder.
    pub(in crate::export) others: Vec<String>,
}

/// Writes the files of a table again that may hold erased rows, and removes whatever belonged to an earlier version of it.
/// `None` where there is no such table, or nothing of its stream was erased. Durable on return. Doing it again changes no row.
///
/// # Errors
/// As [`super::export_tables`].
pub(in crate::export) fn erase(
    snapshot: &Snapshot<'_>,
    dir: &Location,
    table: Table,
    rows: &dyn Rows,
    (mirror_id, now): (&str, Timestamp),
) -> Result<Option<ErasedTable>, ExportError> {
    if !rows.has_erased(table.stream, (1, i64::MAX)) {
        return Ok(None);
    }
    let mut log = open_own(snapshot, dir, table, mirror_id)?;
    if log.version.is_none() {
        return Ok(None);
    }
    let mut before: Vec<Add> = log.files.values().cloned().collect();
    before.sort_by_key(|file| file.noted().map(|noted| noted.covers));
    let is_exact = before.iter().filter_map(Add::noted).any(|noted| noted.rewritten.is_none());
    let dialect = Dialect { old_layout: false, exact: is_exact, bom: false, guarded: false };
    let origin = Origin { mirror_id: mirror_id.to_owned(), now, dialect };
    match table.contents {
        Contents::Changes => write_changes(&mut log, rows, &before, &origin)?,
        Contents::State if rows.has_erased(table.stream, (1, log.position(mirror_id))) => {
            drop(state_table::update(snapshot, &mut log, Vec::new(), State::Whole, &origin)?);
        }
        Contents::State => {}
    }
    let removed = forget_earlier_versions(&mut log)?;
    let was = |path: &str| {
        let file = before.iter().find(|file| table.file(&file.path) == path)?;
        Some((file.size.unsigned_abs(), file.noted()?.sha256))
    };
    let gone = removed.into_iter().map(|path| Gone { was: was(&path), path }).collect();
    Ok(Some(ErasedTable { searched: before.len() as u64, gone, others: others(&log)? }))
}

fn write_changes(
    log: &mut TableLog,
    rows: &dyn Rows,
    before: &[Add],
    origin: &Origin,
) -> Result<(), ExportError> {
    let (table, destination, version) = (log.table, log.destination.clone(), log.next_version());
    let mut actions: Vec<Action> = Vec::new();
    for old in before {
        let noted =
            old.noted().ok_or_else(|| log.broken(format!("another program wrote its {}", old.path)))?;
        let (first_seq, last_seq) = noted.range();
        if !rows.has_erased(table.stream, (first_seq, last_seq)) {
            continue;
        }
        let mirror_id = origin.mirror_id.as_str();
        let facts = FileFacts { stream: table.stream, mirror_id, first_seq, last_seq, is_snapshot: false };
        let mut file = DataFile::begin(&*destination, table, version, &facts, noted.dialect())?;
        let (range, path, sha256) = ((first_seq, last_seq), table.file(&old.path), noted.sha256.as_str());
        let as_it_is = OldFile { range, path, sha256, is_joined: noted.joined > 0 };
        rows.changes(table, &as_it_is, &mut |change| file.write(change))?;
        file.joined = noted.joined;
        actions.push(Remove::of(old, origin.now.as_millisecond()).into());
        actions.push(file.finish(noted.covers, origin.now)?.into());
    }
    if !actions.is_empty() {
        let reached = (&*origin.mirror_id, Some(log.position(&origin.mirror_id)));
        log.commit(("DELETE", false), actions, reached, origin.now)?;
    }
    Ok(())
}
