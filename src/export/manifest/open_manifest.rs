//! A manifest that was read, and can be continued or shortened.

use super::line::{ManifestLine, digest};
use super::lines::{self, Entry, Lines};
use super::positions::Positions;
use super::replacement::Replacement;
use crate::export::error::ExportError;
use crate::export::layout::MANIFEST;
use crate::export::storage::{self, UnannouncedFiles, temporary_of};
use std::fs::File;
use std::path::{Path, PathBuf};

/// What an export has to know of a manifest that it has read.
pub(in crate::export) struct Manifest {
    folder: PathBuf,
    /// What was read: it stays the same when the name is given to another file.
    file: Option<File>,
    bytes: u64,
    /// Whether the last line has its end.
    is_ended: bool,
    /// Of the last line.
    digest: Option<String>,
    /// How many lines it has.
    pub(in crate::export) count: usize,
    /// The digest of the line that its first line follows, where that is not the first one ever.
    pub(in crate::export) follows: Option<String>,
    /// Up to where it names files.
    pub(in crate::export) positions: Positions,
}

impl Manifest {
    /// Reads the manifest in `folder`; one without lines where there is none.
    ///
    /// # Errors
    /// When it can't be read, or a line is not what this program writes.
    pub(in crate::export) fn read(folder: &Path) -> Result<Manifest, ExportError> {
        Manifest::read_with(folder, |_| Ok(()))
    }

    /// Reads the manifest in `folder`, and hands over each line on the way.
    ///
    /// # Errors
    /// As [`Manifest::read`], or when `each` fails: its error ends the reading.
    pub(in crate::export) fn read_with(
        folder: &Path,
        mut each: impl FnMut(&Entry<'_>) -> Result<(), ExportError>,
    ) -> Result<Manifest, ExportError> {
        let mut lines = Lines::open(folder)?;
        let (mut count, mut bytes, mut follows, mut last) = (0, 0, None, Vec::new());
        let mut positions = Positions::default();
        while let Some(entry) = lines.next()? {
            if entry.number == 1 {
                follows.clone_from(&entry.line.previous);
            }
            (count, bytes) = (entry.number, entry.end);
            last.clear();
            last.extend_from_slice(entry.text);
            positions.note(&entry.line);
            each(&entry)?;
        }
        let file = lines.into_file();
        let is_ended = file.as_ref().map_or(Ok(true), |file| lines::is_ended(file, bytes));
        let is_ended = is_ended.map_err(ExportError::io("read", &folder.join(MANIFEST)))?;
        let digest = (count > 0).then(|| digest(&last));
        Ok(Manifest { folder: folder.to_owned(), file, bytes, is_ended, digest, count, follows, positions })
    }

    /// Whether there was one, with lines or without.
    pub(in crate::export) fn exists(&self) -> bool {
        self.file.is_some()
    }

    /// Adds lines to the manifest on the disk, and ties them to it: see [`Replacement::announce`]. Returns them as they
    /// stand there.
    pub(in crate::export) fn append(
        &self,
        mut lines: Vec<ManifestLine>,
        files: UnannouncedFiles,
    ) -> Result<Vec<ManifestLine>, ExportError> {
        storage::ensure_folder(&self.folder)?;
        let mut new = self.copy_from(0)?;
        let mut previous = self.digest.clone();
        for line in &mut lines {
            line.previous = previous.take();
            previous = Some(new.line(line)?);
        }
        new.announce(files)?;
        Ok(lines)
    }

    /// Takes the lines before this byte away from the manifest on the disk.
    pub(in crate::export) fn remove_before(&self, byte: u64) -> Result<(), ExportError> {
        self.copy_from(byte)?.announce(UnannouncedFiles::default())
    }

    fn copy_from(&self, byte: u64) -> Result<Replacement<'_>, ExportError> {
        let mut new = Replacement::begin(&self.folder)?;
        if let Some(old) = &self.file {
            new.copy(old, byte, self.bytes)?;
        }
        if !self.is_ended {
            new.end_line()?;
        }
        Ok(new)
    }

    /// Removes temporary files of manifests that a killed export left. Returns their names.
    pub(in crate::export) fn clean_up(&self) -> Result<Vec<String>, ExportError> {
        let mut names = Vec::new();
        storage::each_name(&self.folder, |name| {
            if temporary_of(&name) == Some(MANIFEST) {
                names.push(name);
            }
            Ok(())
        })?;
        names.sort();
        names.iter().try_for_each(|name| storage::remove(&self.folder.join(name)))?;
        Ok(names)
    }
}

/// Every line of the manifest in `folder`.
#[cfg(test)]
pub(in crate::export) fn all(folder: &Path) -> Result<Vec<ManifestLine>, ExportError> {
    let mut lines = Vec::new();
    Manifest::read_with(folder, |entry| {
        lines.push(entry.line.clone());
        Ok(())
    })?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::super::line::sample;
    use super::*;

    fn add(dir: &Path, lines: Vec<ManifestLine>) -> Vec<ManifestLine> {
        Manifest::read(dir).unwrap().append(lines, UnannouncedFiles::default()).unwrap()
    }

    #[test]
    fn lines_are_chained_and_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let empty = Manifest::read(dir.path()).unwrap();
        assert_eq!((empty.count, empty.follows.is_none()), (0, true));
        let mut added = add(dir.path(), vec![sample("customers", "csv", 1, 5)]);
        added.extend(add(dir.path(), vec![sample("customers", "csv", 6, 9), sample("events", "csv", 1, 9)]));
        let read = all(dir.path()).unwrap();
        assert_eq!(read, added);
        let text = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        let digests: Vec<String> = text.lines().map(|line| digest(line.as_bytes())).collect();
        let previous: Vec<_> = read.iter().map(|line| line.previous.as_ref()).collect();
        assert_eq!(previous, [None, Some(&digests[0]), Some(&digests[1])]);
        assert_eq!(
            text.lines().next().unwrap(),
            "{\"stream\":\"customers\",\"format\":\"csv\",\
             \"path\":\"customers/customers-000000000001-000000000005.csv\",\"first_seq\":1,\"last_seq\":5,\"rows\":1,\
             \"bytes\":2,\"sha256\":\"00\",\"columns\":[\"_seq\"],\"created_at\":\"2024-05-01T12:00:00.000Z\",\
             \"run_id\":null,\"compression\":\"none\",\"mirror_id\":\"m\",\"previous\":null}"
        );
    }

    #[test]
    fn lines_of_others_stay_to_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        let line = serde_json::to_string(&sample("customers", "csv", 1, 5)).unwrap();
        // A newer program's field, other white space, and a lost line end.
        let line = line.replace("{\"stream\"", "{ \"new\": 1.50, \"stream\"");
        std::fs::write(dir.path().join(MANIFEST), &line).unwrap();
        let added = add(dir.path(), vec![sample("customers", "csv", 6, 9)]);
        let text = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        assert_eq!(text, format!("{line}\n{}\n", serde_json::to_string(&added[0]).unwrap()));
        assert_eq!(added[0].previous, Some(digest(line.as_bytes())));
    }

    /// What was read is what is carried on: an edit in between is neither taken over nor tied to.
    #[test]
    fn a_manifest_that_was_replaced_meanwhile_is_not_mixed_with_the_one_that_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(MANIFEST);
        add(dir.path(), vec![sample("customers", "csv", 1, 5)]);
        let (manifest, text) = (Manifest::read(dir.path()).unwrap(), std::fs::read(&path).unwrap());
        std::fs::write(dir.path().join("other"), "{}\n").unwrap();
        std::fs::rename(dir.path().join("other"), &path).unwrap();
        manifest.append(vec![sample("customers", "csv", 6, 9)], UnannouncedFiles::default()).unwrap();
        assert!(std::fs::read(&path).unwrap().starts_with(&text));
        assert_eq!(all(dir.path()).unwrap().len(), 2);
        // One that has become shorter in its place can't be.
        let manifest = Manifest::read(dir.path()).unwrap();
        std::fs::write(&path, &text).unwrap();
        let failed = manifest.append(vec![sample("customers", "csv", 10, 12)], UnannouncedFiles::default());
        assert!(matches!(failed, Err(ExportError::Io { action: "read", .. })));
        assert_eq!(std::fs::read(&path).unwrap(), text);
    }

    #[test]
    fn a_front_is_removed_to_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        add(dir.path(), (0..4).map(|n| sample("customers", "csv", 1 + 5 * n, 5 + 5 * n)).collect());
        let text = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        let mut ends = Vec::new();
        let manifest = Manifest::read_with(dir.path(), |entry| {
            ends.push(entry.end);
            Ok(())
        });
        manifest.unwrap().remove_before(ends[1]).unwrap();
        let left = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        assert_eq!(left.lines().collect::<Vec<_>>(), text.lines().skip(2).collect::<Vec<_>>());
        let manifest = Manifest::read(dir.path()).unwrap();
        assert_eq!(manifest.follows, Some(digest(text.lines().nth(1).unwrap().as_bytes())));
    }

    #[test]
    fn a_bad_line_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let good = serde_json::to_string(&sample("customers", "csv", 1, 5)).unwrap();
        let reversed = serde_json::to_string(&sample("customers", "csv", 5, 1)).unwrap();
        for bad in ["", "{", "[]", "\u{fffd}", &good[..good.len() - 1], &reversed] {
            let text = format!("{good}\n{bad}\n{good}\n");
            std::fs::write(dir.path().join(MANIFEST), &text).unwrap();
            let error = Manifest::read(dir.path()).err().unwrap();
            assert!(matches!(error, ExportError::ManifestLine { line: 2, .. }), "{bad}: {error}");
            assert!(error.to_string().contains("manifest.ndjson can't be read at line 2"), "{error}");
            assert_eq!(std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap(), text);
        }
    }

    /// Not a manifest without lines: what is added would stand behind an empty one.
    #[test]
    fn an_empty_line_alone_is_a_bad_line() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MANIFEST), "\n").unwrap();
        let error = Manifest::read(dir.path()).err().unwrap();
        assert!(matches!(error, ExportError::ManifestLine { line: 1, .. }), "{error}");
    }
}
