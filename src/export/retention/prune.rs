//! Old export files are removed (`export.max_age`), as steps: each may be the last one before a power cut.
//!
//! **What may go.** A file with changes that is older than the limit, once nobody needs it to come to the mirror's state:
//! a snapshot of the same stream and format lies there whole that reaches at least as far, or its consumer has
//! acknowledged it ([`super::acknowledge()`]). A snapshot that is older than the limit, once a newer one of the same stream
//! and format lies there whole. Only from the front of a manifest, so that the ranges that are left still tile; and the
//! newest file of each configured format stays, so that an export always knows where it is. So does every file of a format
//! that this build lacks, and what stands behind it.
//!
//! **In which order.** The mirror notes what the manifest is going to be, with the digest of the last line that is going to be
//! removed; then the manifest is replaced; then the files are removed; then the mirror notes that it is so. So a manifest
//! never names a file that isn't there, and its first line can always be tied to the one before it. Files that a power cut
//! leaves are removed by the next export, like those that were never announced.

use super::acknowledge::Acknowledged;
use crate::export::destination::Destination;
use crate::export::error::ExportError;
use crate::export::formats::{Format, streams_and_formats};
use crate::export::layout::{FileName, Kind, in_folder};
use crate::export::manifest::{End, Front, Lines, Manifest, ManifestLine, Reached};
use crate::export::provenance::open_own;
use crate::export::readback::is_whole;
use crate::export::settings::Settings;
use crate::mirror::{ExportFile, Mirror};
use crate::record::Stream;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

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
    let own = mirror.id().to_owned();
    let snapshot = mirror.snapshot()?;
    let [mut changes, mut snapshots] = [
        open_own(&snapshot, &settings.dir, Kind::Changes, &own)?,
        open_own(&snapshot, &settings.dir, Kind::Snapshots, &own)?,
    ];
    drop(snapshot);
    snapshots.check_unedited()?;
    let acknowledged = Acknowledged::read(&settings.dir)?;
    let (destination, newest) = (&*snapshots.destination, &snapshots.reached);
    let mut whole = WholeSnapshots { destination, newest, known: BTreeMap::new() };

    let expired = ExpiredLines::find(&changes, before, |line| {
        let kept = is_newest(&changes.reached, line)
            && line.key().is_some_and(|(_, format)| settings.formats.contains(&format));
        let is_known = line.key().is_some();
        Ok(is_known && !kept && (acknowledged.covers(line) || whole.reaches(line)?))
    })?;
    let expired_snapshots =
        ExpiredLines::find(&snapshots, before, |line| Ok(line.key().is_some() && whole.has_newer(line)?))?;

    let mut removed = expired.remove(mirror, &mut changes)?;
    removed.extend(expired_snapshots.remove(mirror, &mut snapshots)?);
    Ok(removed)
}

/// Whether a line names the newest file of its stream and format. A file that was written twice has two lines.
fn is_newest(reached: &Reached, line: &ManifestLine) -> bool {
    reached.newest_of(&line.stream, &line.format) == Some(&line.to_export_file())
}

/// Which snapshots lie there whole; each is read at most once.
struct WholeSnapshots<'l> {
    destination: &'l dyn Destination,
    newest: &'l Reached,
    known: BTreeMap<String, bool>,
}

impl WholeSnapshots<'_> {
    /// Whether the newest snapshot of the file's stream and format holds what the file brings, and lies there whole.
    fn reaches(&mut self, line: &ManifestLine) -> Result<bool, ExportError> {
        match self.newest.newest_of(&line.stream, &line.format) {
            Some(newest) => Ok(newest.last_seq >= line.last_seq && self.is_whole(newest)?),
            None => Ok(false),
        }
    }

    /// Whether there is a newer snapshot than this one, of its stream and format, that lies there whole.
    fn has_newer(&mut self, line: &ManifestLine) -> Result<bool, ExportError> {
        match self.newest.newest_of(&line.stream, &line.format) {
            Some(newest) if !is_newest(self.newest, line) => self.is_whole(newest),
            _ => Ok(false),
        }
    }

    fn is_whole(&mut self, file: &ExportFile) -> Result<bool, ExportError> {
        if let Some(known) = self.known.get(&file.path) {
            return Ok(*known);
        }
        let whole = is_whole(self.destination, file)? && file.left_out == 0;
        self.known.insert(file.path.clone(), whole);
        Ok(whole)
    }
}

/// The lines at the front of a manifest that are going to be removed.
pub(in crate::export) struct ExpiredLines {
    /// Where they end; `None` where there is none.
    end: Option<End>,
    /// Up to which change files of each stream and format are removed.
    through: BTreeMap<(Stream, Format), i64>,
    /// Their files. Paths that this program doesn't give are left out, and files that a line that stays names too.
    files: BTreeSet<FileName>,
}

impl ExpiredLines {
    /// The old lines that nobody needs. The last line always stays: the next one is tied to it.
    fn find(
        manifest: &Manifest,
        before: Timestamp,
        mut may_go: impl FnMut(&ManifestLine) -> Result<bool, ExportError>,
    ) -> Result<ExpiredLines, ExportError> {
        let is_old = |line: &ManifestLine| line.created_at.parse::<Timestamp>().is_ok_and(|at| at < before);
        let count = manifest.reached.end.as_ref().map_or(0, |end| end.lines);
        ExpiredLines::while_expired(manifest, |number, line| {
            Ok(number < count && is_old(line) && may_go(line)?)
        })
    }

    /// The lines up to the first one that has to stay.
    pub(in crate::export) fn while_expired(
        manifest: &Manifest,
        mut is_expired: impl FnMut(usize, &ManifestLine) -> Result<bool, ExportError>,
    ) -> Result<ExpiredLines, ExportError> {
        let mut expired = ExpiredLines { end: None, through: BTreeMap::new(), files: BTreeSet::new() };
        let (mut lines, mut is_at_front) = (Lines::open(&*manifest.destination)?, true);
        while let Some(entry) = lines.next()? {
            is_at_front = is_at_front && is_expired(entry.number, &entry.line)?;
            if !is_at_front {
                FileName::of_path(&entry.line.path).map(|name| expired.files.remove(&name));
                if expired.files.is_empty() {
                    break;
                }
                continue;
            }
            expired.end = Some(entry.place);
            if let Some(key) = entry.line.key() {
                let last = expired.through.entry(key).or_default();
                *last = entry.line.last_seq.max(*last);
            }
            expired.files.extend(entry.line.file_name(manifest.kind));
        }
        Ok(expired)
    }

    /// Removes the lines with their files. Returns the files' paths, relative to the export folder.
    fn remove(self, mirror: &mut Mirror, manifest: &mut Manifest) -> Result<Vec<String>, ExportError> {
        if self.end.is_none() {
            return Ok(Vec::new());
        }
        self.remove_lines(mirror, manifest)?;
        let removed = self.remove_files(manifest)?;
        manifest.note(mirror)?;
        Ok(removed)
    }

    /// Takes the lines away.
    pub(in crate::export) fn remove_lines(
        &self,
        mirror: &mut Mirror,
        manifest: &mut Manifest,
    ) -> Result<(), ExportError> {
        let Some(end) = &self.end else { return Ok(()) };
        let through = streams_and_formats().filter_map(|(stream, format)| {
            let earlier = manifest.reached.pruned(stream, format);
            let last = self.through.get(&(stream, format)).copied().unwrap_or(0).max(earlier);
            (last > 0).then_some((stream, format, last))
        });
        let front = Front::new(&end.last_line, through);
        manifest.remove_front(mirror, end, front)
    }

    fn remove_files(&self, manifest: &Manifest) -> Result<Vec<String>, ExportError> {
        let (destination, mut removed) = (&manifest.destination, Vec::new());
        for path in self.files.iter().map(FileName::path) {
            let was_there = destination.remove(&path);
            if was_there.map_err(ExportError::io("removed", &destination.place(&path)))? {
                removed.push(in_folder(manifest.kind, &path));
            }
        }
        Stream::ALL.into_iter().try_for_each(|stream| manifest.settle(stream.name()))?;
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::manifest::{digest, sample};

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
        let folder = tempfile::tempdir().unwrap();
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let mut write = |lines: &[ManifestLine]| {
            let (mut text, mut previous) = (String::new(), None);
            for line in lines {
                let line = serde_json::to_string(&ManifestLine { previous, ..line.clone() }).unwrap();
                previous = Some(digest(line.as_bytes()));
                text += &(line + "\n");
            }
            std::fs::write(folder.path().join("manifest.ndjson"), text).unwrap();
            Manifest::open(&mirror.snapshot().unwrap(), &folder.path().into(), Kind::Changes, |_| Ok(()))
                .unwrap()
        };
        let manifest = write(&lines);
        let count = |day: u32, keeps: &[usize]| {
            let before = format!("2024-05-{day:02}T12:00:00Z").parse().unwrap();
            let kept: Vec<&str> = keeps.iter().map(|number| lines[number - 1].path.as_str()).collect();
            let may_go = |line: &ManifestLine| Ok(!kept.contains(&line.path.as_str()));
            let expired = ExpiredLines::find(&manifest, before, may_go).unwrap();
            expired.end.map_or(0, |end| end.lines)
        };
        assert_eq!([1, 2, 4, 5, 9].map(|day| count(day, &[])), [0, 2, 4, 4, 4]);
        assert_eq!([count(9, &[1]), count(9, &[2]), count(9, &[4])], [0, 1, 3]);
        let newest = lines.iter().filter(|line| is_newest(&manifest.reached, line));
        assert_eq!(newest.map(|line| line.first_seq).collect::<Vec<_>>(), [6, 10]);
        let mut unreadable = lines.clone();
        unreadable[0].created_at = "long ago".to_owned();
        let manifest = write(&unreadable);
        let expired = ExpiredLines::find(&manifest, Timestamp::MAX, |_| Ok(true)).unwrap();
        assert!(expired.end.is_none());
    }
}
