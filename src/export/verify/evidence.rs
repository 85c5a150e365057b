//! Whether manifest lines that the mirror doesn't know can be its own. An export that was cut off between the manifest
//! and the mirror's list leaves such lines, and so does another folder's manifest when the configuration goes back to it:
//! they agree with the change log. A mirror that was restored from an older copy, and has gone on from there, meets lines
//! of its lost future: their numbers stand for other changes.

use super::super::manifest::ManifestLine;
use super::super::{ExportError, columns};
use super::finding::Kind;
use super::listed::file_name;
use super::row::{Row, head_differences};
use super::source::{Rows, Source};
use crate::mirror::{ExportFile, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Refuses lines that the mirror's list doesn't know and that its change log contradicts. Of each stream and format the
/// newest unknown file is read: where its numbers stand for the same changes, those of older files do too.
///
/// # Errors
/// When a line is none of this mirror's, or the mirror can't be read.
pub(in crate::export) fn check_unknown(
    snapshot: &Snapshot<'_>,
    dir: &Path,
    lines: &[ManifestLine],
) -> Result<(), ExportError> {
    for line in newest_unknown(lines, &snapshot.exports()?) {
        if contradicts(snapshot, dir, line)? {
            return Err(ExportError::Diverged { dir: dir.to_owned(), path: line.path.clone() });
        }
    }
    Ok(())
}

/// The newest line of each stream and format whose range the mirror's list lacks.
fn newest_unknown<'l>(lines: &'l [ManifestLine], copy: &[ExportFile]) -> Vec<&'l ManifestLine> {
    let known: BTreeSet<(&str, &str, i64, i64)> = copy
        .iter()
        .map(|file| (file.stream.as_str(), file.format.as_str(), file.first_seq, file.last_seq))
        .collect();
    let unknown = lines.iter().filter(|line| {
        !known.contains(&(line.stream.as_str(), line.format.as_str(), line.first_seq, line.last_seq))
    });
    let newest: BTreeMap<(&str, &str), &ManifestLine> =
        unknown.map(|line| ((line.stream.as_str(), line.format.as_str()), line)).collect();
    newest.into_values().collect()
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
    let names: Vec<&str> = columns::columns(name.stream).collect();
    let rows =
        Rows::begin(&mut source, name.stream, name.format, name.compression, line.csv_formula_guard, &names);
    // A file that is what its line says and can't be read is no accident of this folder's.
    let Ok(mut rows) = rows else { return Ok(true) };
    let mut next: Result<Option<Row>, _> = rows.next();
    let mut contradicted = false;
    snapshot.log(name.stream, (line.first_seq, line.last_seq), |change| {
        if let Ok(Some(row)) = &next
            && row.seq <= change.seq
        {
            contradicted |= row.seq < change.seq || !head_differences(row, &change, false).is_empty();
            next = rows.next();
        }
        Ok::<(), ExportError>(())
    })?;
    // What is left has numbers that the log doesn't have.
    Ok(contradicted || !matches!(next, Ok(None)))
}

#[cfg(test)]
mod tests {
    use super::super::super::manifest::sample;
    use super::*;

    #[test]
    fn of_each_stream_and_format_the_newest_unknown_line_is_looked_at() {
        let lines = [
            sample("customers", "csv", 1, 5),
            sample("events", "csv", 1, 5),
            sample("customers", "csv", 6, 9),
            sample("customers", "csv", 10, 12),
            sample("customers", "ndjson", 1, 12),
        ];
        let copy: Vec<ExportFile> = lines.iter().map(ManifestLine::to_export_file).collect();
        let unknown = |copy: &[ExportFile]| -> Vec<(&str, i64)> {
            newest_unknown(&lines, copy)
                .into_iter()
                .map(|line| (line.format.as_str(), line.first_seq))
                .collect()
        };
        assert_eq!(unknown(&copy), []);
        assert_eq!(unknown(&copy[..2]), [("csv", 10), ("ndjson", 1)]);
        assert_eq!(unknown(&[]), [("csv", 10), ("ndjson", 1), ("csv", 1)]);
        // Another range from the same change on is unknown too.
        let shorter = ExportFile { last_seq: 11, ..copy[3].clone() };
        assert_eq!(
            unknown(&[copy[0].clone(), copy[1].clone(), copy[2].clone(), shorter, copy[4].clone()]),
            [("csv", 10)]
        );
    }
}
