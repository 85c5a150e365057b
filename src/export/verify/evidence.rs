//! Whether manifest lines that the mirror doesn't know can be its own. An export that was cut off between the manifest
//! and the mirror's list leaves such lines, and so does another folder's manifest when the configuration goes back to it:
//! they agree with the change log. A mirror that was restored from an older copy, and has gone on from there, meets lines
//! of its lost future: their numbers stand for other changes.

use super::super::ExportError;
use super::super::form::Form;
use super::super::manifest::ManifestLine;
use super::finding::Kind;
use super::listed::file_name;
use super::row::{Row, head_differences};
use super::source::{Rows, Source};
use crate::mirror::Snapshot;
use std::collections::BTreeMap;
use std::path::Path;

/// The newest lines that the mirror's list doesn't know, one of each stream and format: where the numbers of such a file
/// stand for the same changes, those of older files do too.
#[derive(Debug, Default)]
pub(in crate::export) struct Unknown(BTreeMap<(String, String), ManifestLine>);

impl Unknown {
    /// Takes the next line that the list doesn't know.
    pub(in crate::export) fn note(&mut self, line: &ManifestLine) {
        self.0.insert((line.stream.clone(), line.format.clone()), line.clone());
    }

    /// Refuses lines that the change log contradicts. Reads their files.
    ///
    /// # Errors
    /// When a line is none of this mirror's, or the mirror can't be read.
    pub(in crate::export) fn check(&self, snapshot: &Snapshot<'_>, dir: &Path) -> Result<(), ExportError> {
        for line in self.0.values() {
            if contradicts(snapshot, dir, line)? {
                return Err(ExportError::Diverged { dir: dir.to_owned(), path: line.path.clone() });
            }
        }
        Ok(())
    }
}

/// Whether the change log speaks against a line: by the rows of its file where that lies there whole, else by time, since
/// no file is older than its newest change.
fn contradicts(snapshot: &Snapshot<'_>, dir: &Path, line: &ManifestLine) -> Result<bool, ExportError> {
    if is_whole(dir, line) {
        return rows_contradict(snapshot, dir, line);
    }
    let observed = snapshot.observed_at(line.last_seq)?;
    Ok(observed.is_none_or(|at| at > line.created_at))
}

fn is_whole(dir: &Path, line: &ManifestLine) -> bool {
    file_name(Kind::Changes, line).is_ok()
        && Source::open(&dir.join(&line.path))
            .and_then(Source::finish)
            .is_ok_and(|(bytes, sha256)| (bytes, &sha256) == (line.bytes, &line.sha256))
}

fn rows_contradict(snapshot: &Snapshot<'_>, dir: &Path, line: &ManifestLine) -> Result<bool, ExportError> {
    let path = dir.join(&line.path);
    let Ok(name) = file_name(Kind::Changes, line) else { return Ok(true) };
    let mut source = Source::open(&path).map_err(ExportError::io("read", &path))?;
    let form = Form::of_line(line);
    let rows = Rows::begin(&mut source, name, form);
    // A file that is what its line says and can't be read is no accident of this folder's.
    let Ok(mut rows) = rows else { return Ok(true) };
    let mut next: Result<Option<Row>, _> = rows.next();
    let mut contradicted = false;
    snapshot.log(name.stream, (line.first_seq, line.last_seq), |change| {
        if let Ok(Some(row)) = &next
            && row.seq <= change.seq
        {
            contradicted |= row.seq < change.seq || !head_differences(row, &change, false, form).is_empty();
            next = rows.next();
        }
        Ok::<(), ExportError>(())
    })?;
    // What is left has numbers that the log doesn't have.
    Ok(contradicted || !matches!(next, Ok(None)))
}
