//! The mirror's copy of the manifest, for `status`. It follows the manifest: where they differ, an export, a pruning or a
//! repair was cut off, or the folder is new to the mirror.

use super::ExportError;
use super::manifest::{Lines, ManifestLine};
use super::name::{Covers, FileName};
use crate::mirror::{Mirror, MirrorError, Snapshot};
use std::path::Path;

/// Compares a manifest with its copy, line by line.
pub(super) struct Comparison<'s> {
    snapshot: &'s Snapshot<'s>,
    same: u64,
    other: u64,
}

impl<'s> Comparison<'s> {
    pub(super) fn with(snapshot: &'s Snapshot<'s>) -> Comparison<'s> {
        Comparison { snapshot, same: 0, other: 0 }
    }

    /// Takes the next line. Returns whether the copy knows a file of its range.
    pub(super) fn knows(&mut self, line: &ManifestLine) -> Result<bool, MirrorError> {
        let found = self.snapshot.export_file(&line.stream, &line.format, line.first_seq)?;
        let known = found.as_ref().is_some_and(|file| file.last_seq == line.last_seq);
        match found.is_some_and(|file| file == line.to_export_file()) {
            true => self.same += 1,
            false => self.other += 1,
        }
        Ok(known)
    }

    /// Whether the copy says what the lines said, and nothing else.
    pub(super) fn is_in_step(&self) -> Result<bool, MirrorError> {
        Ok(self.other == 0 && self.same == self.snapshot.export_count()?)
    }
}

/// Whether a copy that is in step knows the file.
pub(super) fn knows_file(snapshot: &Snapshot<'_>, name: &FileName) -> Result<bool, MirrorError> {
    let Covers::Changes { first_seq, .. } = name.covers else { return Ok(false) };
    let found = snapshot.export_file(name.stream.name(), name.format.name(), first_seq)?;
    Ok(found.is_some_and(|file| file.path == name.path()))
}

/// Makes the copy say what the manifest in `dir` says. Writes nothing where it does.
pub(super) fn bring_in_step(mirror: &mut Mirror, dir: &Path) -> Result<(), ExportError> {
    let snapshot = mirror.snapshot()?;
    let mut comparison = Comparison::with(&snapshot);
    let mut lines = Lines::open(dir)?;
    while let Some(entry) = lines.next()? {
        comparison.knows(&entry.line)?;
    }
    if comparison.is_in_step()? {
        return Ok(());
    }
    drop(snapshot);
    write_anew(mirror, dir)
}

/// Writes the whole copy anew, from the manifest in `dir`.
pub(super) fn write_anew(mirror: &mut Mirror, dir: &Path) -> Result<(), ExportError> {
    let mut batch = mirror.batch()?;
    batch.clear_exports()?;
    let mut lines = Lines::open(dir)?;
    while let Some(entry) = lines.next()? {
        batch.add_export(&entry.line.to_export_file())?;
    }
    Ok(batch.commit()?)
}

/// Adds files that were announced.
pub(super) fn add(mirror: &mut Mirror, lines: &[ManifestLine]) -> Result<(), ExportError> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut batch = mirror.batch()?;
    lines.iter().try_for_each(|line| batch.add_export(&line.to_export_file()))?;
    Ok(batch.commit()?)
}

/// Takes away files that the manifest no longer names.
pub(super) fn forget<'n>(
    mirror: &mut Mirror,
    names: impl IntoIterator<Item = &'n FileName>,
) -> Result<(), ExportError> {
    let mut batch = mirror.batch()?;
    for name in names {
        if let Covers::Changes { first_seq, .. } = name.covers {
            batch.forget_export(name.stream.name(), name.format.name(), first_seq, &name.path())?;
        }
    }
    Ok(batch.commit()?)
}

#[cfg(test)]
mod tests {
    use super::super::manifest::sample;
    use super::*;

    #[test]
    fn the_copy_is_in_step_where_it_says_the_same_and_nothing_else() {
        let lines = [
            sample("customers", "csv", 1, 5),
            sample("events", "csv", 1, 5),
            sample("customers", "csv", 6, 9),
        ];
        let folder = tempfile::tempdir().unwrap();
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let compare = |mirror: &mut Mirror, lines: &[ManifestLine]| {
            let snapshot = mirror.snapshot().unwrap();
            let mut comparison = Comparison::with(&snapshot);
            let known: Vec<bool> = lines.iter().map(|line| comparison.knows(line).unwrap()).collect();
            (known, comparison.is_in_step().unwrap())
        };
        assert_eq!(compare(&mut mirror, &[]), (vec![], true));
        add(&mut mirror, &lines).unwrap();
        assert_eq!(compare(&mut mirror, &lines), (vec![true; 3], true));
        assert_eq!(compare(&mut mirror, &lines[1..]), (vec![true; 2], false));
        // Of another range is unknown, of another content is not.
        let mut others = lines.clone();
        others[1].sha256 = "11".to_owned();
        others[2].last_seq = 10;
        assert_eq!(compare(&mut mirror, &others), (vec![true, true, false], false));

        let name = FileName::of_path(&lines[0].path).unwrap();
        let knows = |mirror: &mut Mirror| knows_file(&mirror.snapshot().unwrap(), &name).unwrap();
        assert!(knows(&mut mirror));
        forget(&mut mirror, [&name]).unwrap();
        assert!(!knows(&mut mirror));
        assert_eq!(compare(&mut mirror, &lines[1..]), (vec![true; 2], true));
    }
}
