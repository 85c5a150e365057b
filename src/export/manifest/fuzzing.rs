//! What holds for every text of a manifest.

use super::line::{digest, parse_line};
use super::lines::{Entry, Lines};
use super::rewrite::retied;
use crate::export::error::ExportError;
use std::path::PathBuf;

/// Tries a manifest: its lines, and the moving of their ties.
pub fn manifest(data: &[u8]) {
    let mut lines = Lines::of(PathBuf::from("manifest.ndjson"), Some(data));
    let (mut count, mut end, mut before) = (0, 0, None);
    loop {
        match lines.next() {
            Ok(Some(entry)) => {
                (count, end) = (count + 1, check_place(&entry, data, count, end));
                check_line(&entry);
                check_tie(&entry, before.as_ref());
                before = Some(digest(entry.text));
            }
            Ok(None) => return assert_eq!(end, data.len(), "text behind the last line"),
            Err(ExportError::ManifestLine { line, .. }) => return assert_eq!(line, count + 1),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Lines are counted, and their texts and ends tile the manifest. Returns the line's end.
fn check_place(entry: &Entry<'_>, data: &[u8], before: usize, from: usize) -> usize {
    let to = entry.end as usize;
    assert_eq!(entry.number, before + 1);
    let there = &data[from..to];
    assert_eq!(there.strip_suffix(b"\n").unwrap_or(there), entry.text);
    to
}

/// A line that is written again says the same.
fn check_line(entry: &Entry<'_>) {
    let written = serde_json::to_vec(&entry.line).map_err(|error| error.to_string());
    assert_eq!(written.and_then(|written| parse_line(&written)).as_ref(), Ok(&entry.line));
}

/// Tied to another line, nothing but its tie has changed; one that was not tied to the line before it is refused.
fn check_tie(entry: &Entry<'_>, before: Option<&String>) {
    let Some(before) = before else { return };
    let after = digest(b"another line");
    let Some(tied) = retied(entry, Some(&(before.clone(), after.clone()))) else { return };
    assert_eq!(entry.line.previous.as_ref(), Some(before));
    let mut expected = entry.line.clone();
    expected.previous = Some(after);
    assert_eq!(parse_line(&tied).as_ref(), Ok(&expected));
}
