//! What holds for every text of a manifest.

use super::line::{digest, parse_line};
use super::lines::{Entry, Lines};
use super::rewrite::retied;
use crate::export::error::ExportError;
use std::path::PathBuf;

/// Tries a manifest: its lines, and the moving of their ties.
pub fn manifest(data: &[u8]) {
    let mut lines = Lines::of(PathBuf::from("manifest.ndjson"), Some(data));
    let (mut count, mut end) = (0, 0);
    loop {
        match lines.next() {
            Ok(Some(entry)) => {
                (count, end) = (count + 1, check_place(&entry, data, count, end));
                check_line(&entry);
                check_tie(&entry);
            }
            // What stands behind the last line has no end.
            Ok(None) => return assert!(!data.get(end..).unwrap_or_default().contains(&b'\n')),
            Err(ExportError::ManifestLine { line, .. }) => return assert_eq!(line, count + 1),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Lines are counted, and their texts and ends tile the manifest. Returns the line's end.
fn check_place(entry: &Entry<'_>, data: &[u8], before: usize, from: usize) -> usize {
    let to = entry.place.bytes as usize;
    assert_eq!((entry.number, entry.place.lines), (before + 1, before + 1));
    assert_eq!(entry.place.last_from as usize, from);
    let there = &data[from..to.min(data.len())];
    assert_eq!(there.strip_suffix(b"\n").unwrap_or(there), entry.text);
    assert_eq!(entry.place.last_line, digest(entry.text));
    to
}

/// A line that is written again says the same.
fn check_line(entry: &Entry<'_>) {
    let written = serde_json::to_vec(&entry.line).map_err(|error| error.to_string());
    assert_eq!(written.and_then(|written| parse_line(&written)).as_ref(), Ok(&entry.line));
}

/// Tied to another line, nothing but its tie has changed.
fn check_tie(entry: &Entry<'_>) {
    if entry.before.is_none() {
        return;
    }
    assert_eq!(entry.line.previous, entry.before);
    let after = digest(b"another line");
    let Some(tied) = retied(entry, Some(&after)) else { return };
    let mut expected = entry.line.clone();
    expected.previous = Some(after);
    assert_eq!(parse_line(&tied).as_ref(), Ok(&expected));
}
