//! Single lines of a manifest written anew, as a repair does.

use super::line::{ManifestLine, digest};
use super::lines::{Entry, Lines};
use super::replacement::Replacement;
use crate::export::error::ExportError;
use crate::export::layout::MANIFEST;
use crate::export::storage::UnannouncedFiles;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The lines with these numbers, counted from 1.
pub(in crate::export) fn numbered(
    folder: &Path,
    numbers: &BTreeSet<usize>,
) -> Result<BTreeMap<usize, ManifestLine>, ExportError> {
    let mut found = BTreeMap::new();
    let mut lines = Lines::open(folder)?;
    while let Some(entry) = lines.next()? {
        if numbers.contains(&entry.number) {
            found.insert(entry.number, entry.line);
        }
    }
    Ok(found)
}

/// Puts other lines in the place of those with these numbers, counted from 1, in the manifest on the disk, and ties the
/// lines behind them to them. All other lines stay to the byte but for their `previous`.
///
/// # Errors
/// When a line is not tied to the one before it: then nothing has changed.
pub(in crate::export) fn replace(
    folder: &Path,
    mut lines: BTreeMap<usize, ManifestLine>,
) -> Result<(), ExportError> {
    let mut new = Replacement::begin(folder)?;
    let mut old = Lines::open(folder)?;
    let mut before: Option<(String, String)> = None;
    while let Some(entry) = old.next()? {
        let after = if let Some(mut line) = lines.remove(&entry.number) {
            line.previous = match &before {
                Some((_, new)) => Some(new.clone()),
                None => entry.line.previous.clone(),
            };
            new.line(&line)?
        } else {
            let tied = retied(&entry, before.as_ref()).ok_or_else(|| ExportError::ManifestLine {
                path: folder.join(MANIFEST),
                line: entry.number,
                reason: "it is not tied to the line before it".to_owned(),
            })?;
            new.text(&tied)?;
            digest(&tied)
        };
        before = Some((digest(entry.text), after));
    }
    new.announce(UnannouncedFiles::default())
}

/// A line with its `previous` moved from the first of these digests to the second; `None` where it is not that.
pub(super) fn retied<'l>(entry: &Entry<'l>, before: Option<&(String, String)>) -> Option<Cow<'l, [u8]>> {
    let Some((old, new)) = before.filter(|(old, new)| old != new) else { return Some(entry.text.into()) };
    let text = std::str::from_utf8(entry.text).ok()?;
    let (front, back) = text.split_once(old.as_str())?;
    let moved = !back.contains(old.as_str()) && entry.line.previous.as_ref() == Some(old);
    moved.then(|| format!("{front}{new}{back}").into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::super::line::sample;
    use super::super::open_manifest::{Manifest, all};
    use super::*;
    use crate::export::storage;

    #[test]
    fn lines_behind_a_replaced_one_are_tied_anew_and_otherwise_stay_to_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        let lines = (0..4).map(|n| sample("customers", "csv", 1 + 5 * n, 5 + 5 * n)).collect();
        Manifest::read(dir.path()).unwrap().append(lines, UnannouncedFiles::default()).unwrap();
        // A newer program's field on the last line.
        let text = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        let (front, last) = text.split_at(text.trim_end().rfind('\n').unwrap() + 1);
        let text = format!("{front}{}", last.replacen('{', "{\"new\":1.50,", 1));
        std::fs::write(dir.path().join(MANIFEST), &text).unwrap();
        let old = numbered(dir.path(), &[1, 2].into()).unwrap();
        let line = ManifestLine { rows: 0, repaired_at: Some("t".to_owned()), ..old[&2].clone() };
        replace(dir.path(), BTreeMap::from([(2, line)])).unwrap();

        let after = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        let (before, after): (Vec<&str>, Vec<&str>) = (text.lines().collect(), after.lines().collect());
        assert_eq!((after.len(), after[0]), (4, before[0]));
        let read = all(dir.path()).unwrap();
        for n in 1..4 {
            assert_eq!(read[n].previous, Some(digest(after[n - 1].as_bytes())));
        }
        assert_eq!((read[1].rows, read[1].repaired_at.as_deref()), (0, Some("t")));
        let old_tie = read[3].previous.clone().unwrap();
        assert_eq!(after[3].replace(&old_tie, ""), before[3].replace(&digest(before[2].as_bytes()), ""));
        assert!(after[3].contains("\"new\":1.50"));
        // A chain that is broken behind it is not tied anew.
        let broken = text.replace("\"first_seq\":6", "\"first_seq\":7");
        std::fs::write(dir.path().join(MANIFEST), &broken).unwrap();
        let line = ManifestLine { rows: 0, ..old[&1].clone() };
        let error = replace(dir.path(), BTreeMap::from([(1, line)])).unwrap_err();
        assert!(matches!(error, ExportError::ManifestLine { line: 3, .. }), "{error}");
        assert_eq!(std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap(), broken);
        assert_eq!(storage::names(dir.path()).unwrap(), [MANIFEST]);
    }
}
