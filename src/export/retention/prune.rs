//! Old export files are removed (`export.max_age`), as steps: each may be the last one before a power cut.
//!
//! **What may go.** A file with changes that is older than the limit, once nobody needs it to come to the mirror's state:
//! a snapshot of the same stream and format lies there whole that reaches at least as far, or its consumer has
//! acknowledged it ([`super::acknowledge()`]). A snapshot that is older than the limit, once a newer one of the same stream
//! and format lies there whole. Only from the front of a manifest, so that the ranges that are left still tile; and the
//! newest file of each configured format stays, so that an export always knows where it is.
//!
//! **In which order.** The mirror notes the digest of the last line that is going to be removed; then the manifest is
//! replaced; then the files are removed; then the mirror's copy is brought in step. So a manifest never names a file that
//! isn't there, and its first line can always be tied to the one before it. Files that a power cut leaves are removed by
//! the next export, like those that were never announced.

use super::acknowledge::Acknowledged;
use crate::export::error::ExportError;
use crate::export::formats::{Format, streams_and_formats};
use crate::export::layout::{FOLDER, FileName, Kind, in_folder};
use crate::export::manifest::{
    self, Entry, Lines, Manifest, ManifestLine, Truncation, mirror_copy, truncation,
};
use crate::export::readback::is_as_announced;
use crate::export::settings::Settings;
use crate::export::storage;
use crate::mirror::Mirror;
use crate::record::Stream;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Removes what is older than `settings.max_age` and needed by nobody. Returns the files that were removed, relative to
/// the export folder. Reads the newest snapshot of a stream and format as a whole where that has to stand for older
/// files. Blocks; the caller holds the mirror's process lock.
///
/// # Errors
/// When a folder or the mirror can't be read or written. What was not removed then is removed by a later call.
pub(in crate::export) fn prune(
    mirror: &mut Mirror,
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<String>, ExportError> {
    let age = SignedDuration::try_from(settings.max_age).unwrap_or(SignedDuration::MAX);
    let Some(before) = now.checked_sub(age).ok().filter(|_| !settings.max_age.is_zero()) else {
        return Ok(Vec::new());
    };
    let snapshots = settings.dir.join(FOLDER);
    let (newest, newest_snapshots) = (NewestLines::read(&settings.dir)?, NewestLines::read(&snapshots)?);
    let acknowledged = Acknowledged::read(&settings.dir)?;
    let mut whole = WholeSnapshots { root: &snapshots, newest: &newest_snapshots, known: BTreeMap::new() };

    let of_changes = ExpiredLines::find(&settings.dir, Kind::Changes, before, &newest, |number, line| {
        let kept = newest.is_of_one(number, &settings.formats);
        Ok(!kept && (acknowledged.covers(line) || whole.reaches(line)?))
    })?;
    let of_snapshots =
        ExpiredLines::find(&snapshots, Kind::Snapshots, before, &newest_snapshots, |number, line| {
            whole.has_newer(number, line)
        })?;

    let mut removed = Vec::new();
    for expired in [of_changes, of_snapshots].into_iter().filter(|expired| expired.count > 0) {
        removed.extend(expired.remove(mirror)?);
    }
    Ok(removed)
}

/// The newest line of each stream and format, with its number.
struct NewestLines {
    count: usize,
    lines: BTreeMap<(String, String), (usize, ManifestLine)>,
}

impl NewestLines {
    fn read(folder: &Path) -> Result<NewestLines, ExportError> {
        let mut newest = NewestLines { count: 0, lines: BTreeMap::new() };
        let mut lines = Lines::open(folder)?;
        while let Some(Entry { number, line, .. }) = lines.next()? {
            newest.count = number;
            newest.lines.insert((line.stream.clone(), line.format.clone()), (number, line));
        }
        Ok(newest)
    }

    fn like(&self, line: &ManifestLine) -> Option<&(usize, ManifestLine)> {
        self.lines.get(&(line.stream.clone(), line.format.clone()))
    }

    /// Whether the line with this number is the newest one of a stream in one of these formats.
    fn is_of_one(&self, number: usize, formats: &[Format]) -> bool {
        let is_written =
            |line: &ManifestLine| line.key().is_some_and(|(_, format)| formats.contains(&format));
        self.lines.values().any(|(newest, line)| *newest == number && is_written(line))
    }
}

/// Which snapshots lie there whole; each is read at most once.
struct WholeSnapshots<'l> {
    root: &'l Path,
    newest: &'l NewestLines,
    known: BTreeMap<usize, bool>,
}

impl WholeSnapshots<'_> {
    /// Whether the newest snapshot of the file's stream and format holds what the file brings, and lies there whole.
    fn reaches(&mut self, line: &ManifestLine) -> Result<bool, ExportError> {
        match self.newest.like(line) {
            Some((number, newest)) => Ok(newest.last_seq >= line.last_seq && self.is_whole(*number, newest)?),
            None => Ok(false),
        }
    }

    /// Whether there is a newer snapshot than the one with this number, of its stream and format, that lies there whole.
    fn has_newer(&mut self, number: usize, line: &ManifestLine) -> Result<bool, ExportError> {
        match self.newest.like(line) {
            Some((newer, newest)) if *newer > number => self.is_whole(*newer, newest),
            _ => Ok(false),
        }
    }

    fn is_whole(&mut self, number: usize, line: &ManifestLine) -> Result<bool, ExportError> {
        if let Some(known) = self.known.get(&number) {
            return Ok(*known);
        }
        let whole = match is_as_announced(self.root, line) {
            Ok(whole) => whole && line.left_out == 0,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(ExportError::io("read", &self.root.join(&line.path))(error)),
        };
        self.known.insert(number, whole);
        Ok(whole)
    }
}

/// The lines at the front of a manifest that are going to be removed.
pub(in crate::export) struct ExpiredLines {
    root: PathBuf,
    kind: Kind,
    /// How many lines.
    count: usize,
    /// Where the first line that stays begins, in bytes.
    end: u64,
    /// Of the last removed line.
    digest: String,
    /// Up to which change files of each stream and format are removed.
    through: BTreeMap<(Stream, Format), i64>,
    /// Their files. Paths that this program doesn't give are left out.
    files: BTreeSet<FileName>,
}

impl ExpiredLines {
    /// The old lines that nobody needs. The last line always stays: the next one is tied to it.
    fn find(
        root: &Path,
        kind: Kind,
        before: Timestamp,
        newest: &NewestLines,
        mut may_go: impl FnMut(usize, &ManifestLine) -> Result<bool, ExportError>,
    ) -> Result<ExpiredLines, ExportError> {
        let is_old = |line: &ManifestLine| line.created_at.parse::<Timestamp>().is_ok_and(|at| at < before);
        ExpiredLines::while_expired(root, kind, |number, line| {
            Ok(number < newest.count && is_old(line) && may_go(number, line)?)
        })
    }

    /// The lines up to the first one that has to stay.
    pub(in crate::export) fn while_expired(
        root: &Path,
        kind: Kind,
        mut is_expired: impl FnMut(usize, &ManifestLine) -> Result<bool, ExportError>,
    ) -> Result<ExpiredLines, ExportError> {
        let (digest, through, files) = (String::new(), BTreeMap::new(), BTreeSet::new());
        let mut expired =
            ExpiredLines { root: root.to_owned(), kind, count: 0, end: 0, digest, through, files };
        let mut lines = Lines::open(root)?;
        while let Some(Entry { number, end, text, line }) = lines.next()? {
            if !is_expired(number, &line)? {
                break;
            }
            (expired.count, expired.end, expired.digest) = (number, end, manifest::digest(text));
            if let Some(key) = line.key() {
                let last = expired.through.entry(key).or_default();
                *last = line.last_seq.max(*last);
            }
            expired.files.extend(line.file_name(kind));
        }
        Ok(expired)
    }

    /// Removes the lines with their files. Returns the files' paths, relative to the export folder.
    fn remove(mut self, mirror: &mut Mirror) -> Result<Vec<String>, ExportError> {
        self.note(mirror)?;
        self.replace_manifest()?;
        let removed = self.remove_files()?;
        if self.kind == Kind::Changes {
            mirror_copy::forget(mirror, &self.root, &self.files)?;
        }
        Ok(removed)
    }

    /// Notes what the first line that stays will follow.
    pub(in crate::export) fn note(&self, mirror: &mut Mirror) -> Result<(), ExportError> {
        let mut lines = Lines::open(&self.root)?;
        let follows = lines.next()?.and_then(|entry| entry.line.previous);
        let mut truncations = truncation::read(&mirror.snapshot()?)?;
        let in_force = truncation::in_force(&truncations, follows.as_deref()).cloned();
        let through = streams_and_formats().filter_map(|(stream, format)| {
            let earlier = in_force.as_ref().map_or(0, |truncation| truncation.through(stream, format));
            let last = self.through.get(&(stream, format)).copied().unwrap_or(0).max(earlier);
            (last > 0).then_some((stream, format, last))
        });
        let place = self.root.canonicalize().unwrap_or_else(|_| self.root.clone()).display().to_string();
        let is_snapshots = self.kind == Kind::Snapshots;
        let truncation = Truncation::new(&place, is_snapshots, &self.digest, through);
        // What a removal that was cut off had noted for this folder stands for nothing.
        truncations.retain(|truncation| {
            (truncation.dir != place || truncation.snapshots != is_snapshots)
                || Some(truncation) == in_force.as_ref()
        });
        truncations.push(truncation);
        truncation::store(mirror, &truncations)
    }

    /// Takes the lines away. Files that a line that stays names too are none of those that go any more.
    pub(in crate::export) fn replace_manifest(&mut self) -> Result<(), ExportError> {
        let manifest = Manifest::read_with(&self.root, |entry| {
            if entry.number > self.count
                && let Some(name) = FileName::of_path(&entry.line.path)
            {
                self.files.remove(&name);
            }
            Ok(())
        })?;
        manifest.remove_before(self.end)
    }

    fn remove_files(&self) -> Result<Vec<String>, ExportError> {
        let mut removed = Vec::new();
        for name in &self.files {
            let path = self.root.join(name.path());
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                result => result.map_err(ExportError::io("removed", &path))?,
            }
            removed.push(in_folder(self.kind, &name.path()));
        }
        for stream in Stream::ALL.into_iter().map(|stream| self.root.join(stream.name())) {
            if stream.is_dir() {
                storage::sync_folder(&stream)?;
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::manifest::sample;

    fn aged(stream: &str, format: &str, (first, last): (i64, i64), day: u32) -> ManifestLine {
        ManifestLine {
            created_at: format!("2024-05-{day:02}T12:00:00.000Z"),
            ..sample(stream, format, first, last)
        }
    }

    #[test]
    fn only_a_front_of_old_lines_that_may_go_is_removed() {
        let lines = [
            aged("customers", "csv", (1, 5), 1),
            aged("events", "csv", (1, 5), 1),
            aged("customers", "csv", (6, 9), 3),
            aged("events", "csv", (6, 9), 3),
            aged("customers", "csv", (10, 12), 5),
        ];
        let dir = tempfile::tempdir().unwrap();
        let write = |lines: &[ManifestLine]| {
            let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
            std::fs::write(dir.path().join("manifest.ndjson"), text).unwrap();
            NewestLines::read(dir.path()).unwrap()
        };
        let newest = write(&lines);
        let count = |day: u32, keeps: &[usize]| {
            let before = format!("2024-05-{day:02}T12:00:00Z").parse().unwrap();
            let may_go = |number, _: &ManifestLine| Ok(!keeps.contains(&number));
            ExpiredLines::find(dir.path(), Kind::Changes, before, &newest, may_go).unwrap().count
        };
        assert_eq!([1, 2, 4, 5, 9].map(|day| count(day, &[])), [0, 2, 4, 4, 4]);
        assert_eq!([count(9, &[1]), count(9, &[2]), count(9, &[4])], [0, 1, 3]);
        let kept = |formats: &[Format]| (1..=5).filter(|n| newest.is_of_one(*n, formats)).collect::<Vec<_>>();
        assert_eq!((kept(&[Format::Csv]), kept(&[Format::Ndjson])), (vec![4, 5], vec![]));
        let mut unreadable = lines.clone();
        unreadable[0].created_at = "long ago".to_owned();
        let newest = write(&unreadable);
        let expired =
            ExpiredLines::find(dir.path(), Kind::Changes, Timestamp::MAX, &newest, |_, _| Ok(true)).unwrap();
        assert_eq!(expired.count, 0);
    }
}
