//! A manifest that was read as far as it is new, and can be continued, shortened or mended.

use super::anchors::Anchors;
use super::line::{ManifestLine, digest};
use super::lines::{Entry, Lines};
use super::reached::{End, Front, Reached};
use super::replacement::Replacement;
use crate::export::error::ExportError;
use crate::export::layout::{FileName, Kind, MANIFEST, root};
use crate::export::storage::{self, UnannouncedFiles, temporary_of};
use crate::mirror::{ExportFile, Mirror, MirrorError, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A manifest, and what the mirror remembers of it.
///
/// What changes it is done in this order, so that a power cut after any step leaves a manifest that can be told from one that
/// lost lines. Lines are added at its end, then the mirror remembers how far it reaches. A manifest that takes the place of
/// another is written beside it, then the mirror remembers what is planned, then it is put there, then the mirror remembers
/// that.
pub(in crate::export) struct Manifest {
    root: PathBuf,
    anchors: Anchors,
    /// The file's size when it was read; `None` where there was none.
    found: Option<u64>,
    /// How far it reaches.
    pub(in crate::export) reached: Reached,
    /// The files that were exported to this folder, as the mirror remembers, and that the manifest doesn't reach.
    pub(in crate::export) lost: Vec<ExportFile>,
    /// Whether the manifest reaches as far as the mirror remembers, but with another last line there.
    pub(in crate::export) is_edited: bool,
}

impl Manifest {
    /// Reads what the manifest of the export folder `dir` has behind the point that the mirror remembers, and hands over each
    /// of these lines. Where it doesn't hold that point, all lines are read.
    ///
    /// # Errors
    /// When it or the mirror can't be read, a line is not what this program writes, or lines were removed from its front and
    /// not by pruning; or when `each` fails: its error ends the reading.
    pub(in crate::export) fn open(
        snapshot: &Snapshot<'_>,
        dir: &Path,
        kind: Kind,
        mut each: impl FnMut(&Entry<'_>) -> Result<(), ExportError>,
    ) -> Result<Manifest, ExportError> {
        let (root, mut anchors) = (root(dir, kind), Anchors::read(snapshot, dir, kind)?);
        let (mut lines, fitting) = Lines::behind(&root, &anchors)?;
        let (found, fits) = (lines.file_size()?, fitting.is_some());
        let (mut reached, mut follows) = (fitting.unwrap_or_default(), None);
        while let Some(entry) = lines.next()? {
            if entry.number == 1 {
                follows.clone_from(&entry.line.previous);
            }
            reached.take(entry.place.clone(), &entry.line);
            each(&entry)?;
        }
        if let Some(follows) = follows {
            let front =
                anchors.front(&follows).ok_or(ExportError::FrontLost { path: root.join(MANIFEST) })?;
            reached.fronts.push(front.clone());
        }
        anchors.take_over(&reached);
        let (mut lost, mut is_edited) = (Vec::new(), false);
        if let Some(own) = anchors.own_reached().filter(|_| !fits && anchors.is_named()) {
            lost.extend(reached.lacks(own).cloned());
            is_edited = lost.is_empty() && own.end.is_some();
        }
        Ok(Manifest { root, anchors, found, reached, lost, is_edited })
    }

    /// Refuses a manifest that was edited.
    pub(in crate::export) fn check_unedited(&self) -> Result<(), ExportError> {
        match self.is_edited {
            true => Err(ExportError::ManifestEdited { path: self.path() }),
            false => Ok(()),
        }
    }

    /// The folder that it stands in, to which its paths are relative.
    pub(in crate::export) fn root(&self) -> &Path {
        &self.root
    }

    /// Where it stands.
    pub(in crate::export) fn path(&self) -> PathBuf {
        self.root.join(MANIFEST)
    }

    /// Whether there was one, with lines or without.
    pub(in crate::export) fn exists(&self) -> bool {
        self.found.is_some()
    }

    /// Adds lines at the end of the manifest on the disk with a single write, ties them to it, and takes away what stands
    /// behind its last line's end. Durable on return. Returns the lines as they stand there. The files that they announce stay
    /// from then on; where nothing could be added, they are removed.
    ///
    /// # Errors
    /// When it can't be written, or has changed since it was read.
    pub(in crate::export) fn append(
        &mut self,
        mut lines: Vec<ManifestLine>,
        files: UnannouncedFiles,
    ) -> Result<Vec<ManifestLine>, ExportError> {
        storage::ensure_folder(&self.root)?;
        let (path, mut text, mut reached) = (self.path(), Vec::new(), self.reached.clone());
        let end = reached.end.as_ref().map_or(0, |end| end.bytes);
        let found = self.found.unwrap_or(0);
        if found < end {
            text.push(b'\n');
        }
        let from = end - text.len() as u64;
        for line in &mut lines {
            line.previous = reached.end.as_ref().map(|end| end.last_line.clone());
            let begin = text.len();
            serde_json::to_writer(&mut text, line)
                .map_err(|error| ExportError::io("written", &path)(error.into()))?;
            let last_line = digest(&text[begin..]);
            text.push(b'\n');
            let lines = reached.end.as_ref().map_or(0, |end| end.lines) + 1;
            let (bytes, last_from) = (from + text.len() as u64, from + begin as u64);
            reached.take(End { bytes, lines, last_from, last_line }, line);
        }
        match storage::append(&path, found, from, &text) {
            Ok(()) => files.keep(),
            Err(failed) => {
                if !failed.is_undone {
                    // The manifest may name them.
                    files.keep();
                }
                return Err(failed.error);
            }
        }
        (self.found, self.reached) = (Some(from + text.len() as u64), reached);
        Ok(lines)
    }

    /// Has the mirror remember how far it reaches. Durable on return; writes nothing where it does already.
    pub(in crate::export) fn note(&mut self, mirror: &mut Mirror) -> Result<(), ExportError> {
        self.anchors.store(mirror, &self.reached, None)
    }

    /// Takes the lines away that end there, with the files `removed`.
    pub(in crate::export) fn remove_front(
        &mut self,
        mirror: &mut Mirror,
        (end, front): (&End, Front),
        removed: &BTreeSet<FileName>,
    ) -> Result<(), ExportError> {
        let mut new = Replacement::begin(&self.root)?;
        let old = self.reached.end.as_ref();
        new.copy(end.bytes, old.map_or(end.bytes, |old| old.bytes), self.found.unwrap_or(0))?;
        let is_removed =
            |file: &ExportFile| FileName::of_path(&file.path).is_some_and(|name| removed.contains(&name));
        let reached = Reached {
            end: old.map(|old| End {
                bytes: old.bytes - end.bytes,
                lines: old.lines - end.lines,
                last_from: old.last_from - end.bytes,
                last_line: old.last_line.clone(),
            }),
            files: self.reached.files.iter().filter(|file| !is_removed(file)).cloned().collect(),
            fronts: vec![front],
        };
        self.replace_by(mirror, new, reached)
    }

    /// Puts other lines in the place of those with these numbers, counted from 1, and ties the lines behind them to them. All
    /// other lines stay to the byte but for their `previous`.
    ///
    /// # Errors
    /// When a line is not tied to the one before it: then nothing has changed.
    pub(in crate::export) fn replace(
        &mut self,
        mirror: &mut Mirror,
        mut lines: BTreeMap<usize, ManifestLine>,
    ) -> Result<(), ExportError> {
        let (mut new, mut old) = (Replacement::begin(&self.root)?, Lines::open(&self.root)?);
        let mut reached = Reached { fronts: self.reached.fronts.clone(), ..Reached::default() };
        while let Some(entry) = old.next()? {
            let previous = match &reached.end {
                Some(end) => Some(end.last_line.clone()),
                None => entry.line.previous.clone(),
            };
            let (end, line) = match lines.remove(&entry.number) {
                Some(line) => {
                    let line = ManifestLine { previous, ..line };
                    (new.line(&line)?, line)
                }
                None => (new.retied(&entry, previous.as_deref())?, entry.line),
            };
            reached.take(end, &line);
        }
        self.replace_by(mirror, new, reached)
    }

    fn replace_by(
        &mut self,
        mirror: &mut Mirror,
        new: Replacement,
        reached: Reached,
    ) -> Result<(), ExportError> {
        let new = new.complete()?;
        self.anchors.store(mirror, &self.reached, Some(&reached))?;
        self.found = Some(new.bytes);
        new.publish()?;
        storage::sync_folder(&self.root)?;
        self.reached = reached;
        Ok(())
    }

    /// Removes temporary files of manifests that a killed export left. Returns their names.
    pub(in crate::export) fn clean_up(&self) -> Result<Vec<String>, ExportError> {
        let mut names = Vec::new();
        storage::each_name(&self.root, |name| {
            if temporary_of(&name) == Some(MANIFEST) {
                names.push(name);
            }
            Ok(())
        })?;
        names.sort();
        names.iter().try_for_each(|name| storage::remove(&self.root.join(name)))?;
        Ok(names)
    }
}

/// The lines with these numbers, counted from 1, of the manifest in `root`.
pub(in crate::export) fn numbered(
    root: &Path,
    numbers: &BTreeSet<usize>,
) -> Result<BTreeMap<usize, ManifestLine>, ExportError> {
    let mut found = BTreeMap::new();
    let mut lines = Lines::open(root)?;
    while let Some(entry) = lines.next()? {
        if numbers.contains(&entry.number) {
            found.insert(entry.number, entry.line);
        }
    }
    Ok(found)
}

/// The newest change that a file of the manifest in `dir` covers; 0 where there is none.
pub(in crate::export) fn newest_change(dir: &Path) -> Result<i64, ExportError> {
    let (mut lines, mut newest) = (Lines::open(dir)?, 0);
    while let Some(entry) = lines.next()? {
        newest = entry.line.last_seq.max(newest);
    }
    Ok(newest)
}

/// The newest files that were exported to the folder `dir`, one of each stream and format, sorted by these: what the mirror
/// remembers, and what the manifest has behind it. Where the manifest can't be read or is another one, what the mirror
/// remembers counts alone; `export verify` says what is wrong.
///
/// # Errors
/// When the mirror can't be read.
pub fn newest_files(snapshot: &Snapshot<'_>, dir: &Path) -> Result<Vec<ExportFile>, MirrorError> {
    let anchors = Anchors::read(snapshot, dir, Kind::Changes)?;
    let Ok((mut lines, Some(mut reached))) = Lines::behind(&root(dir, Kind::Changes), &anchors) else {
        return Ok(anchors.own_reached().map(|own| own.files.clone()).unwrap_or_default());
    };
    while let Ok(Some(entry)) = lines.next() {
        reached.take(entry.place, &entry.line);
    }
    Ok(reached.files)
}
