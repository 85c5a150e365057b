//! The small files of a table with changes become large ones: the same rows in fewer files, in a commit that says that no data
//! changed, so that whoever follows the table reads nothing twice.

use super::actions::{Action, Add, Remove};
use super::clean_up::{remove_unnamed, tidy};
use super::data_file::{DataFile, Noted};
use super::export::open_own;
use super::log::TableLog;
use super::table::Table;
use crate::export::destination::Destination;
use crate::export::error::ExportError;
use crate::export::formats::{Cell, FileFacts};
use crate::export::joining::{Limits, Piece};
use crate::export::layout::Covers;
use crate::export::location::Location;
use crate::export::publish::CompactedFile;
use crate::export::readback::{Source, open_rows};
use crate::mirror::{Change, Snapshot};
use jiff::Timestamp;
use std::io::{self, ErrorKind};

/// Joins files of a table with changes. Returns what was joined, or with `is_dry` would be, and the paths of files that are
/// lost or damaged. A table that another program has written to is left as it is. Durable on return.
///
/// # Errors
/// As [`super::export_tables`].
pub(in crate::export) fn compact(
    snapshot: &Snapshot<'_>,
    (dir, table): (&Location, Table),
    limits: &Limits,
    is_dry: bool,
    (mirror_id, now): (&str, Timestamp),
) -> Result<(Vec<CompactedFile>, Vec<String>), ExportError> {
    let mut log = open_own(snapshot, dir, table, mirror_id)?;
    let noted = log.files.values().map(|file| Some((file.clone(), file.noted()?)));
    let Some(mut files) = noted.collect::<Option<Vec<_>>>() else { return Ok((Vec::new(), Vec::new())) };
    files.sort_by_key(|(_, noted)| noted.covers);
    let pieces: Vec<Piece> = files.iter().map(|(file, noted)| piece(file, noted)).collect();
    let (mut joined, mut damaged, mut actions) = (Vec::new(), Vec::new(), Vec::new());
    if !is_dry && limits.is_of_all() {
        remove_unnamed(&log)?;
    }
    for group in limits.groups(&pieces, 0) {
        let group = &files[group];
        let bad = damaged_of(&log, group)?;
        if !bad.is_empty() {
            damaged.extend(bad);
        } else if is_dry {
            joined.push(told(&table.to_string(), group, None));
        } else {
            let new = join(&log, group, (mirror_id, now))?;
            joined.push(told(&table.file(&new.path), group, Some(&new)));
            let at = now.as_millisecond();
            let gone = |(file, _): &(Add, Noted)| Remove { data_change: false, ..Remove::of(file, at) };
            actions.extend(group.iter().map(gone).map(Action::from));
            actions.push(Add { data_change: false, ..new }.into());
        }
    }
    if !actions.is_empty() {
        log.commit(("OPTIMIZE", false), actions, (mirror_id, None), now)?;
        tidy(&mut log, false, now)?;
    }
    Ok((joined, damaged))
}

fn piece(file: &Add, noted: &Noted) -> Piece {
    Piece {
        range: noted.range(),
        bytes: file.size.unsigned_abs(),
        written_at: Timestamp::from_millisecond(file.modification_time).ok(),
        form: Some((String::new(), noted.dialect())),
    }
}

fn damaged_of(log: &TableLog, group: &[(Add, Noted)]) -> Result<Vec<String>, ExportError> {
    let mut damaged = Vec::new();
    for (file, noted) in group {
        let path = log.table.file(&file.path);
        match Source::open(&*log.destination, &path).and_then(Source::finish) {
            Ok(found) if found == (file.size.unsigned_abs(), noted.sha256.clone()) => {}
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ExportError::io("read", &log.destination.place(&path))(error));
            }
            _ => damaged.push(path),
        }
    }
    Ok(damaged)
}

/// Writes the rows of these files into one.
fn join(
    log: &TableLog,
    group: &[(Add, Noted)],
    (mirror_id, now): (&str, Timestamp),
) -> Result<Add, ExportError> {
    let ranges = group.first().zip(group.last());
    let ((_, first), (_, last)) = ranges.ok_or_else(|| log.broken("no file is to be joined"))?;
    let covers = (first.covers.0, last.covers.1);
    let stream = log.table.stream;
    let facts =
        FileFacts { stream, mirror_id, first_seq: covers.0 + 1, last_seq: covers.1, is_snapshot: false };
    let version = log.next_version();
    let mut new = DataFile::begin(&*log.destination, log.table, version, &facts, first.dialect())?;
    for (file, noted) in group {
        copy(&*log.destination, &log.table.file(&file.path), (log.table, noted), &mut new)?;
    }
    new.joined = group.iter().map(|(_, noted)| noted.joined.max(1)).sum();
    new.rewritten = group.iter().map(|(_, noted)| noted.rewritten.unwrap_or(0)).sum();
    new.finish(covers, now)
}

fn copy(
    destination: &dyn Destination,
    path: &str,
    (table, noted): (Table, &Noted),
    new: &mut DataFile<'_>,
) -> Result<(), ExportError> {
    let failed = |error| ExportError::io("read", &destination.place(path))(error);
    let (first_seq, last_seq) = noted.range();
    let name = table.file_name(Covers::Changes { first_seq, last_seq });
    for row in open_rows(destination, path, name, noted.dialect()).map_err(failed)? {
        let row = row.map_err(|error| failed(io::Error::other(error.what)))?;
        let Some(Cell::Text(id)) = row.cells.first() else {
            return Err(failed(io::Error::other(format!("row {} has no id", row.number))));
        };
        let values = row.values(table.stream.columns());
        let (seq, op, observed_at) = (row.seq, row.op, row.observed_at.as_str());
        new.write(&Change { seq, op, observed_at, id, row: Some(&values) })?;
    }
    Ok(())
}

fn told(path: &str, group: &[(Add, Noted)], new: Option<&Add>) -> CompactedFile {
    CompactedFile {
        path: path.to_owned(),
        files: group.len() as u64,
        bytes_before: group.iter().map(|(file, _)| file.size.unsigned_abs()).sum(),
        bytes: new.map(|new| new.size.unsigned_abs()),
        rows: new.map(|_| group.iter().map(|(_, noted)| noted.rows).sum()),
    }
}
