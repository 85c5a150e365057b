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

use super::manifest::{Manifest, ManifestLine, digest};
use super::plan::distinct;
use super::pruned::{self, Acknowledged, Front};
use super::snapshot::FOLDER;
use super::verify::{Kind, Source, file_name, in_folder};
use super::{ExportError, Format, Settings, file, incremental};
use crate::mirror::{ExportNote, Mirror};
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
pub(super) fn prune(
    mirror: &mut Mirror,
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<String>, ExportError> {
    let age = SignedDuration::try_from(settings.max_age).unwrap_or(SignedDuration::MAX);
    let Some(before) = now.checked_sub(age).ok().filter(|_| !settings.max_age.is_zero()) else {
        return Ok(Vec::new());
    };
    let changes = Manifest::read(&settings.dir)?;
    let snapshots = Manifest::read(&settings.dir.join(FOLDER))?;
    let mut whole =
        Whole { root: settings.dir.join(FOLDER), lines: &snapshots.lines, known: BTreeMap::new() };

    let acknowledged = pruned::read_acknowledged(&mirror.snapshot()?)?;
    let kept = newest(&changes.lines, &settings.formats);
    let of_changes = removable(&changes.lines, before, |n, line| {
        Ok(!kept.contains(&n) && (acknowledged.covers(line) || whole.reaches(line)?))
    })?;
    let of_snapshots = removable(&snapshots.lines, before, |n, line| whole.has_newer(n, line))?;

    let mut removed = Vec::new();
    for (kind, manifest, count) in
        [(Kind::Changes, changes, of_changes), (Kind::Snapshots, snapshots, of_snapshots)]
    {
        if count > 0 {
            removed.extend(remove_front(mirror, &settings.dir, kind, manifest, count)?);
        }
    }
    Ok(removed)
}

/// How many lines may go from the front. The last line always stays: the next one is tied to it.
fn removable(
    lines: &[ManifestLine],
    before: Timestamp,
    mut may_go: impl FnMut(usize, &ManifestLine) -> Result<bool, ExportError>,
) -> Result<usize, ExportError> {
    let is_old = |line: &ManifestLine| line.created_at.parse::<Timestamp>().is_ok_and(|at| at < before);
    let mut count = 0;
    while count + 1 < lines.len() && is_old(&lines[count]) && may_go(count, &lines[count])? {
        count += 1;
    }
    Ok(count)
}

/// The places of the newest line of each stream in these formats.
fn newest(lines: &[ManifestLine], formats: &[Format]) -> BTreeSet<usize> {
    let pairs =
        Stream::ALL.into_iter().flat_map(|stream| distinct(formats).into_iter().map(move |of| (stream, of)));
    pairs.filter_map(|(stream, format)| lines.iter().rposition(|line| is_of(line, stream, format))).collect()
}

fn is_of(line: &ManifestLine, stream: Stream, format: Format) -> bool {
    line.stream == stream.name() && line.format == format.name()
}

/// Which snapshots lie there whole; each is read at most once.
struct Whole<'l> {
    root: PathBuf,
    lines: &'l [ManifestLine],
    known: BTreeMap<usize, bool>,
}

impl Whole<'_> {
    /// Whether the newest snapshot of the file's stream and format holds what the file brings, and lies there whole.
    fn reaches(&mut self, line: &ManifestLine) -> Result<bool, ExportError> {
        match self.newest_like(line) {
            Some(n) => Ok(self.lines[n].last_seq >= line.last_seq && self.is_whole(n)?),
            None => Ok(false),
        }
    }

    /// Whether there is a newer snapshot than the n-th one, of its stream and format, that lies there whole.
    fn has_newer(&mut self, n: usize, line: &ManifestLine) -> Result<bool, ExportError> {
        match self.newest_like(line) {
            Some(newest) if newest > n => self.is_whole(newest),
            _ => Ok(false),
        }
    }

    fn newest_like(&self, line: &ManifestLine) -> Option<usize> {
        self.lines.iter().rposition(|other| (&other.stream, &other.format) == (&line.stream, &line.format))
    }

    fn is_whole(&mut self, n: usize) -> Result<bool, ExportError> {
        if let Some(known) = self.known.get(&n) {
            return Ok(*known);
        }
        let line = &self.lines[n];
        let path = self.root.join(&line.path);
        let whole = match Source::open(&path).and_then(Source::finish) {
            Ok((bytes, sha256)) => line.left_out == 0 && (bytes, &sha256) == (line.bytes, &line.sha256),
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(ExportError::io("read", &path)(error)),
        };
        self.known.insert(n, whole);
        Ok(whole)
    }
}

/// Removes the first `count` lines of a manifest with their files.
fn remove_front(
    mirror: &mut Mirror,
    dir: &Path,
    kind: Kind,
    mut manifest: Manifest,
    count: usize,
) -> Result<Vec<String>, ExportError> {
    let root = if kind == Kind::Changes { dir.to_owned() } else { dir.join(FOLDER) };
    note(mirror, &root, kind, &manifest, count)?;
    let gone = manifest.remove_front(count);
    manifest.announce(file::Unannounced::default())?;
    let paths = remove_files(&root, kind, &gone, &manifest.lines)?;
    if kind == Kind::Changes {
        incremental::bring_in_step(mirror, &manifest.lines)?;
    }
    Ok(paths.into_iter().map(|path| in_folder(kind, &path)).collect())
}

/// Notes what the first line that stays will follow.
pub(super) fn note(
    mirror: &mut Mirror,
    root: &Path,
    kind: Kind,
    manifest: &Manifest,
    count: usize,
) -> Result<(), ExportError> {
    let snapshot = mirror.snapshot()?;
    let mut fronts = pruned::read(&snapshot)?;
    drop(snapshot);
    let in_force = pruned::in_force(&fronts, &manifest.lines).cloned();
    let mut through: BTreeMap<(Stream, Format), i64> = BTreeMap::new();
    for (stream, format) in
        Stream::ALL.into_iter().flat_map(|stream| Format::ALL.map(|format| (stream, format)))
    {
        let earlier = in_force.as_ref().map_or(0, |front| front.through(stream, format));
        let now = manifest.lines[..count].iter().filter(|line| is_of(line, stream, format));
        let last = now.map(|line| line.last_seq).fold(earlier, i64::max);
        if last > 0 {
            through.insert((stream, format), last);
        }
    }
    let place = root.canonicalize().unwrap_or_else(|_| root.to_owned()).display().to_string();
    let is_snapshots = kind == Kind::Snapshots;
    // What a removal that was cut off had noted for this folder stands for nothing.
    fronts.retain(|front| {
        (front.dir != place || front.snapshots != is_snapshots) || Some(front) == in_force.as_ref()
    });
    let last = manifest.text_of(count).map(digest).unwrap_or_default();
    let through = through.into_iter().map(|((stream, format), last)| (stream, format, last));
    fronts.push(Front::new(&place, is_snapshots, &last, through));
    pruned::store(mirror, ExportNote::Pruned, &fronts)
}

/// Removes the files of these lines, but for those that a line that stays names too. Returns their paths.
fn remove_files(
    root: &Path,
    kind: Kind,
    gone: &[ManifestLine],
    stays: &[ManifestLine],
) -> Result<Vec<String>, ExportError> {
    let named: BTreeSet<&str> = stays.iter().map(|line| line.path.as_str()).collect();
    let mut removed = Vec::new();
    // A path that is none of ours is nobody's business here.
    for line in
        gone.iter().filter(|line| !named.contains(line.path.as_str()) && file_name(kind, line).is_ok())
    {
        match std::fs::remove_file(root.join(&line.path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            result => result.map_err(ExportError::io("removed", &root.join(&line.path)))?,
        }
        removed.push(line.path.clone());
    }
    for stream in Stream::ALL.into_iter().map(|stream| root.join(stream.name())) {
        if stream.is_dir() {
            file::sync_folder(&stream)?;
        }
    }
    Ok(removed)
}

impl Acknowledged {
    fn covers(&self, line: &ManifestLine) -> bool {
        let names = Stream::from_name(&line.stream).zip(Format::from_name(&line.format));
        names.is_some_and(|(stream, format)| self.through(stream, format) >= line.last_seq)
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::sample;
    use super::*;

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
        let count = |day: u32, keeps: &[usize]| {
            let before = format!("2024-05-{day:02}T12:00:00Z").parse().unwrap();
            removable(&lines, before, |n, _| Ok(!keeps.contains(&n))).unwrap()
        };
        assert_eq!([1, 2, 4, 5, 9].map(|day| count(day, &[])), [0, 2, 4, 4, 4]);
        assert_eq!([count(9, &[0]), count(9, &[1]), count(9, &[3])], [0, 1, 3]);
        assert_eq!(newest(&lines, &[Format::Csv]), BTreeSet::from([3, 4]));
        assert_eq!(newest(&lines, &[Format::Ndjson]), BTreeSet::new());
        let mut unreadable = lines.clone();
        unreadable[0].created_at = "long ago".to_owned();
        assert_eq!(removable(&unreadable, Timestamp::MAX, |_, _| Ok(true)).unwrap(), 0);
    }
}
