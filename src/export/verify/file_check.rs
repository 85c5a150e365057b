//! One file is read as a whole: its bytes against the manifest, its rows against the change log and the mirror.

use super::checked_file::{CheckedFile, RowCounts};
use super::findings::Findings;
use super::{change_rows, snapshot_rows};
use crate::export::destination::Destination;
use crate::export::difference::Difference;
use crate::export::layout::Kind;
use crate::export::readback::{Source, is_as_announced, read_rows};
use crate::mirror::{History, MirrorError};
use std::io::ErrorKind;

/// Reads the whole file, and judges its bytes by the manifest and its rows by the change log and the mirror.
///
/// # Errors
/// When the mirror can't be read.
pub(super) fn check_file(
    mut file: CheckedFile<'_>,
    destination: &dyn Destination,
    history: &History<'_>,
    findings: &mut Findings,
) -> Result<RowCounts, MirrorError> {
    let key = (file.kind, file.entry.number);
    let mut source = match Source::open(destination, &file.line().path) {
        Ok(source) => source,
        Err(error) => {
            let what = match error.kind() {
                ErrorKind::NotFound => "it is gone".to_owned(),
                _ => format!("it can't be opened: {error}"),
            };
            findings.of_file(key, file.difference(what));
            return Ok(RowCounts::default());
        }
    };
    let is_read = !file.name.format.trusts_files()
        || is_as_announced(destination, &file.line().to_export_file()).unwrap_or(false);
    let counts = match is_read {
        true => check_rows(&mut file, &mut source, history)?,
        // What is wrong with its bytes is told below.
        false => RowCounts::default(),
    };
    for difference in check_bytes(&file, source, &counts) {
        findings.of_file(key, difference);
    }
    if file.contradicted {
        findings.contradicted.insert(key);
    }
    let unnamed = file.count - file.differences.len() as u64;
    file.differences.into_iter().for_each(|difference| findings.of_file(key, difference));
    findings.count += unnamed;
    Ok(counts)
}

fn check_rows(
    file: &mut CheckedFile<'_>,
    source: &mut Source,
    history: &History<'_>,
) -> Result<RowCounts, MirrorError> {
    let rows = match read_rows(source, file.name, file.dialect()) {
        Ok(rows) => rows,
        Err(error) => {
            let difference = file.difference(error.what);
            file.differs(difference);
            return Ok(RowCounts::default());
        }
    };
    match file.kind {
        Kind::Changes => change_rows::judge(file, rows, history),
        Kind::Snapshots => snapshot_rows::judge(file, rows, history),
    }
}

/// What the manifest says otherwise about the file as a whole.
fn check_bytes(file: &CheckedFile<'_>, source: Source, counts: &RowCounts) -> Vec<Difference> {
    let line = file.line();
    let (bytes, sha256) = match source.finish() {
        Ok(found) => found,
        Err(error) => return vec![file.difference(format!("it can't be read: {error}"))],
    };
    let mut found = Vec::new();
    if bytes != line.bytes {
        found.push(file.difference(format!("it has {bytes} bytes, the manifest says {}", line.bytes)));
    }
    if sha256 != line.sha256 {
        found.push(file.difference("its SHA-256 is not the manifest's"));
    }
    if counts.whole && counts.rows != line.rows {
        found.push(file.difference(format!("it has {} rows, the manifest says {}", counts.rows, line.rows)));
    }
    if line.rewritten.is_some_and(|said| counts.rewritten > said) {
        found.push(file.difference(format!(
            "it has {} rewritten values or more, the manifest says {}",
            counts.rewritten,
            line.rewritten.unwrap_or(0)
        )));
    }
    if counts.whole && counts.left_out != line.left_out {
        found.push(file.difference(format!(
            "it lacks {} changes that later files bring, the manifest says {}",
            counts.left_out, line.left_out
        )));
    }
    found
}
