//! The mirror's copy of the manifest of each export folder, for `status`. It follows the manifest: where they differ, an
//! export, a pruning or a repair was cut off, or the folder is new to the mirror.

use super::line::ManifestLine;
use super::lines::Lines;
use crate::export::error::ExportError;
use crate::export::layout::{Covers, FileName};
use crate::mirror::{FolderExports, Mirror, MirrorError, Snapshot};
use std::path::{Component, Path, PathBuf};

/// The name under which the mirror knows an export folder: its absolute path, without symbolic links as far as it exists.
pub fn folder_name(dir: &Path) -> String {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let mut missing = PathBuf::new();
    for above in absolute.ancestors() {
        if let Ok(found) = above.canonicalize() {
            return plain(&found.join(missing)).display().to_string();
        }
        missing = Path::new(above.file_name().unwrap_or_default()).join(missing);
    }
    absolute.display().to_string()
}

/// Without the slash at the end that joining with an empty path gives.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// The copy of the manifest in `dir`.
pub(in crate::export) fn of<'s>(
    snapshot: &'s Snapshot<'_>,
    dir: &Path,
) -> Result<FolderExports<'s>, MirrorError> {
    snapshot.exports_of(&folder_name(dir))
}

/// Compares a manifest with its copy, line by line.
pub(in crate::export) struct Comparison<'s> {
    copy: FolderExports<'s>,
    same: u64,
    other: u64,
}

impl<'s> Comparison<'s> {
    pub(in crate::export) fn with(copy: FolderExports<'s>) -> Comparison<'s> {
        Comparison { copy, same: 0, other: 0 }
    }

    /// Takes the next line. Returns whether the copy knows a file of its range.
    pub(in crate::export) fn knows(&mut self, line: &ManifestLine) -> Result<bool, MirrorError> {
        let found = self.copy.file(&line.stream, &line.format, line.first_seq)?;
        let known = found.as_ref().is_some_and(|file| file.last_seq == line.last_seq);
        match found.is_some_and(|file| file == line.to_export_file()) {
            true => self.same += 1,
            false => self.other += 1,
        }
        Ok(known)
    }

    /// Whether the copy says what the lines said, and nothing else, and of this folder by name.
    pub(in crate::export) fn is_in_step(&self) -> Result<bool, MirrorError> {
        let is_named = self.same == 0 || self.copy.is_named();
        Ok(is_named && self.other == 0 && self.same == self.copy.count()?)
    }
}

/// Whether a copy that is in step knows the file.
pub(in crate::export) fn knows_file(copy: &FolderExports<'_>, name: &FileName) -> Result<bool, MirrorError> {
    let Covers::Changes { first_seq, .. } = name.covers else { return Ok(false) };
    let found = copy.file(name.stream.name(), name.format.name(), first_seq)?;
    Ok(found.is_some_and(|file| file.path == name.path()))
}

/// Makes the copy say what the manifest in `dir` says. Writes nothing where it does.
pub(in crate::export) fn bring_in_step(mirror: &mut Mirror, dir: &Path) -> Result<(), ExportError> {
    let snapshot = mirror.snapshot()?;
    let mut comparison = Comparison::with(of(&snapshot, dir)?);
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
pub(in crate::export) fn write_anew(mirror: &mut Mirror, dir: &Path) -> Result<(), ExportError> {
    let folder = folder_name(dir);
    let mut batch = mirror.batch()?;
    batch.clear_exports(&folder)?;
    let mut lines = Lines::open(dir)?;
    while let Some(entry) = lines.next()? {
        batch.add_export(&folder, &entry.line.to_export_file())?;
    }
    Ok(batch.commit()?)
}

/// Adds files that were announced in `dir`.
pub(in crate::export) fn add(
    mirror: &mut Mirror,
    dir: &Path,
    lines: &[ManifestLine],
) -> Result<(), ExportError> {
    if lines.is_empty() {
        return Ok(());
    }
    let folder = folder_name(dir);
    let mut batch = mirror.batch()?;
    lines.iter().try_for_each(|line| batch.add_export(&folder, &line.to_export_file()))?;
    Ok(batch.commit()?)
}

/// Takes away files that the manifest in `dir` no longer names.
pub(in crate::export) fn forget<'n>(
    mirror: &mut Mirror,
    dir: &Path,
    names: impl IntoIterator<Item = &'n FileName>,
) -> Result<(), ExportError> {
    let folder = folder_name(dir);
    let mut batch = mirror.batch()?;
    for name in names {
        if let Covers::Changes { first_seq, .. } = name.covers {
            let key = (name.stream.name(), name.format.name(), first_seq);
            batch.forget_export(&folder, key, &name.path())?;
        }
    }
    Ok(batch.commit()?)
}

#[cfg(test)]
mod tests {
    use super::super::line::sample;
    use super::*;

    #[test]
    fn a_folder_has_one_name_however_it_is_written_and_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        let name = real.join("a/b").display().to_string();
        for other in ["a/b", "a/b/", "link/a/b", "link/link/a/./b"] {
            assert_eq!(folder_name(&real.join(other)), name, "{other}");
        }
        std::fs::create_dir_all(real.join("a/b")).unwrap();
        for other in ["a/b", "link/a/b/", "a/../a/b"] {
            assert_eq!(folder_name(&real.join(other)), name, "{other}");
        }
    }

    #[test]
    fn the_copy_is_in_step_where_it_says_the_same_and_nothing_else() {
        let lines = [
            sample("customers", "csv", 1, 5),
            sample("events", "csv", 1, 5),
            sample("customers", "csv", 6, 9),
        ];
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("exports");
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let compare = |mirror: &mut Mirror, lines: &[ManifestLine]| {
            let snapshot = mirror.snapshot().unwrap();
            let mut comparison = Comparison::with(of(&snapshot, &dir).unwrap());
            let known: Vec<bool> = lines.iter().map(|line| comparison.knows(line).unwrap()).collect();
            (known, comparison.is_in_step().unwrap())
        };
        assert_eq!(compare(&mut mirror, &[]), (vec![], true));
        add(&mut mirror, &dir, &lines).unwrap();
        assert_eq!(compare(&mut mirror, &lines), (vec![true; 3], true));
        assert_eq!(compare(&mut mirror, &lines[1..]), (vec![true; 2], false));
        // Of another range is unknown, of another content is not.
        let mut others = lines.clone();
        others[1].sha256 = "11".to_owned();
        others[2].last_seq = 10;
        assert_eq!(compare(&mut mirror, &others), (vec![true, true, false], false));

        let name = FileName::of_path(&lines[0].path).unwrap();
        let knows = |mirror: &mut Mirror| {
            let snapshot = mirror.snapshot().unwrap();
            knows_file(&of(&snapshot, &dir).unwrap(), &name).unwrap()
        };
        assert!(knows(&mut mirror));
        forget(&mut mirror, &dir, [&name]).unwrap();
        assert!(!knows(&mut mirror));
        assert_eq!(compare(&mut mirror, &lines[1..]), (vec![true; 2], true));
    }
}
