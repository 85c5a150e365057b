//! The table with every change: each export appends what is new.

use super::actions::Action;
use super::data_file::{DataFile, Origin};
use super::log::TableLog;
use crate::export::error::ExportError;
use crate::export::formats::FileFacts;
use crate::export::table_commit::TableCommit;
use crate::mirror::Snapshot;

/// Appends the changes that the table lacks, where there are any, as one file and one commit. A table that isn't there
/// is created, with no rows where the stream has had no change. Durable on return.
pub(super) fn append(
    snapshot: &Snapshot<'_>,
    log: &mut TableLog,
    begin: Vec<Action>,
    origin: &Origin,
) -> Result<Option<TableCommit>, ExportError> {
    let (table, stream, head) = (log.table, log.table.stream, snapshot.head()?);
    let (position, version) = (log.position(&origin.mirror_id), log.next_version());
    let destination = log.destination.clone();
    let (first_seq, mirror_id) = (position + 1, origin.mirror_id.as_str());
    let facts = FileFacts { stream, mirror_id, first_seq, last_seq: head, is_snapshot: false };
    let mut file: Option<DataFile<'_>> = None;
    snapshot.changes(&[(stream, position)], |_, change| {
        let file = match &mut file {
            Some(file) => file,
            none => none.insert(DataFile::begin(&*destination, table, version, &facts, origin.dialect)?),
        };
        file.write(&change)
    })?;
    if file.is_none() && begin.is_empty() {
        return Ok(None);
    }
    let rows = file.as_ref().map_or(0, |file| file.count);
    let add = file.map(|file| file.finish((position, head), origin.now)).transpose()?;
    let reached = add.as_ref().map(|_| head);
    let mut actions = begin;
    actions.extend(add.map(Action::from));
    let version = log.commit(("WRITE", true), actions, (mirror_id, reached), origin.now)?;
    let last_seq = log.position(mirror_id);
    Ok(Some(TableCommit { table: table.to_string(), version, last_seq, rows }))
}
