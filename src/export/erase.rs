//! Export files without the rows of erased persons, as steps: each may be the last one before a power cut, and an
//! erasure that was cut off is done by the next one.
//!
//! A file whose range has an erased change is written again from the change log, and takes its own place: where a
//! file of changes had the person's row, it has the line `erase`, with tokens for keys and nothing else; a snapshot
//! lacks the row. What the mirror doesn't know any more of the others, such as versions that were pruned, is taken
//! over from the old file.
//!
//! The line of such a file has `erased_at`, and the lines behind it are tied to it anew. Beside these files go what
//! earlier repairs kept aside as `FILE.damaged`, and what killed exports left.

#[cfg(feature = "lake")]
use crate::export::delta;
use crate::export::destination::{self, Destination};
use crate::export::erasures;
use crate::export::error::ExportError;
use crate::export::formats::{Dialect, Format, Row, Rows};
use crate::export::layout::{Covers, FileName, Kind, MANIFEST, in_folder};
use crate::export::location::Location;
use crate::export::manifest::{Lines, Manifest, ManifestLine, Reached, StagedFile, folder_name};
use crate::export::provenance::open_own;
use crate::export::publish::{FileWriter, Origin};
use crate::export::readback::{Source, open_rows};
use crate::export::retention::remove_orphans;
use crate::export::settings::{Settings, seen_through};
use crate::masking::Profile;
use crate::mirror::{Change, Erasure, History, Logged, Mirror, Snapshot};
use crate::record::{Op, Stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::path::Path;

/// So many files are written before they take the places of the old ones.
const FILES_AT_ONCE: usize = 64;

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It was written again, without the person.
    Rewritten,
    /// It was removed.
    Removed,
    /// It had been written again before this erasure was cut off.
    RewrittenBefore,
}

/// A file that held something of an erased person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedFile {
    /// Relative to the export folder.
    pub path: String,
    /// What was done to it.
    pub done: Done,
    /// Rows of the person that it had.
    pub records: u64,
    /// Its size before, and the digest, lower-case hex; `None` where that isn't known any more.
    pub bytes_before: Option<u64>,
    /// As above.
    pub sha256_before: Option<String>,
    /// Its size now, and the digest; `None` where it is gone.
    pub bytes: Option<u64>,
    /// As above.
    pub sha256: Option<String>,
}

/// What was done in an export folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedFolder {
    /// Where it is.
    pub dir: String,
    /// How many files its manifests name.
    pub searched: u64,
    /// The files that were changed.
    pub files: Vec<ErasedFile>,
    /// Files that may hold the person, and that this build can't write: of formats that it doesn't have.
    pub not_written: Vec<String>,
    /// Files that the manifests don't name and that have no name of this program's: nobody looked into them.
    pub others: Vec<String>,
}

/// Writes every file of the export folder `dir` again that may hold rows of this erasure. Blocks; the caller holds
/// the mirror's process lock.
///
/// When this returns, files, manifests and what the mirror remembers of them are durable. Doing it again changes
/// nothing.
///
/// # Errors
/// When the folder can't be read or written, a manifest is broken or has lost lines, or the mirror can't be read or written.
pub fn erase(
    mirror: &mut Mirror,
    (dir, profile): (&Location, Option<&Profile>),
    erasure: &Erasure,
    now: Timestamp,
) -> Result<ErasedFolder, ExportError> {
    seen_through(mirror, profile, |mirror| erase_seen(mirror, dir, erasure, now))
}

fn erase_seen(
    mirror: &mut Mirror,
    dir: &Location,
    erasure: &Erasure,
    now: Timestamp,
) -> Result<ErasedFolder, ExportError> {
    let mut done = ErasedFolder { dir: dir.to_string(), ..ErasedFolder::default() };
    let mut reader = mirror.reader()?;
    let snapshot = reader.snapshot()?;
    let (mut erased, mut ended) = (Vec::new(), Vec::new());
    for stream in Stream::ALL {
        erased.push(snapshot.erased_changes(erasure.id, stream)?);
        ended.push(snapshot.ended_versions(erasure.id, stream)?);
    }
    let reached = open_own(&snapshot, dir, Kind::Changes, mirror.id())?.reached;
    let work =
        Work { snapshot: &snapshot, history: snapshot.history()?, dir, erasure, erased, ended, reached };
    for kind in [Kind::Changes, Kind::Snapshots] {
        work.of_kind(mirror, kind, &mut done)?;
    }
    tables(&work, mirror.id(), now, &mut done)?;
    if work.erased.iter().any(|seqs| !seqs.is_empty()) || work.ended.iter().any(|ended| !ended.is_empty()) {
        erasures::write(&snapshot, &*destination::of(dir, Kind::Changes))?;
    }
    Ok(done)
}

#[cfg(feature = "lake")]
fn tables(work: &Work<'_>, own: &str, now: Timestamp, done: &mut ErasedFolder) -> Result<(), ExportError> {
    for contents in [delta::Contents::Changes, delta::Contents::State] {
        for stream in Stream::ALL {
            let table = delta::Table { stream, contents };
            let erased = delta::erase(work.snapshot, work.dir, table, work, (own, now))?;
            let Some(erased) = erased else { continue };
            done.searched += erased.searched;
            done.others.extend(erased.others);
            done.files.extend(erased.gone.into_iter().map(|gone| {
                let (bytes, sha256) = gone.was.unzip();
                removed(gone.path, bytes, sha256)
            }));
        }
    }
    Ok(())
}

/// Tables that a build with the feature `lake` has written are told of.
#[cfg(not(feature = "lake"))]
fn tables(work: &Work<'_>, _own: &str, _now: Timestamp, done: &mut ErasedFolder) -> Result<(), ExportError> {
    let destination = destination::of(work.dir, Kind::Changes);
    for stream in Stream::ALL.into_iter().filter(|stream| work.has_erased(*stream, (1, i64::MAX))) {
        for table in [format!("{stream}_changes"), stream.to_string()] {
            let (log, mut is_there) = (format!("{table}/_delta_log"), false);
            destination
                .each_name(&log, &mut |_| is_there = true)
                .map_err(ExportError::io("listed", &destination.place(&log)))?;
            done.not_written.extend(is_there.then_some(table));
        }
    }
    Ok(())
}

/// The export folders that may hold something, with their profiles: every one that the mirror has exported to, as it
/// remembers them, and these. A folder of this machine that was configured and isn't there is none.
///
/// # Errors
/// When the mirror can't be read.
pub fn known_folders<'c>(
    mirror: &mut Mirror,
    configured: &'c [Settings],
) -> Result<BTreeMap<String, Option<&'c Profile>>, ExportError> {
    let snapshot = mirror.snapshot()?;
    let mut folders = BTreeMap::new();
    for kind in [Kind::Changes, Kind::Snapshots] {
        let known = snapshot.export_folders(kind.name())?;
        let known = known.into_iter().map(|one| (one.folder, None));
        folders.extend(known.filter(|(folder, _)| !folder.is_empty()));
    }
    let is_there = |one: &&Settings| one.dir.folder().is_none_or(Path::exists);
    folders
        .extend(configured.iter().filter(is_there).map(|one| (folder_name(&one.dir), one.profile.as_ref())));
    Ok(folders)
}

/// Has the mirror remember all that the manifests of the folder `dir` announce, so that a file is known to be its own also
/// where the log says something else of it from now on.
///
/// # Errors
/// As [`super::export()`].
pub fn note(mirror: &mut Mirror, dir: &Location, profile: Option<&Profile>) -> Result<(), ExportError> {
    seen_through(mirror, profile, |mirror| {
        for kind in [Kind::Changes, Kind::Snapshots] {
            let own = mirror.id().to_owned();
            let mut manifest = open_own(&mirror.snapshot()?, dir, kind, &own)?;
            if manifest.reached.end.is_some() {
                manifest.note(mirror)?;
            }
        }
        Ok(())
    })
}

/// What writing a file again came to.
#[derive(Debug, Default)]
struct Counts {
    /// Erased rows that it may have had.
    records: u64,
    /// Rows of others that nobody knows any more.
    left_out: u64,
}

struct Work<'w> {
    snapshot: &'w Snapshot<'w>,
    history: History<'w>,
    dir: &'w Location,
    erasure: &'w Erasure,
    /// The erased changes of each stream, in their order.
    erased: Vec<Vec<i64>>,
    /// The versions of each stream's records that have expired, in the order of the changes that began them, each with the one
    /// that ended it.
    ended: Vec<Vec<(i64, i64)>>,
    /// How far the folder's files reach.
    reached: Reached,
}

#[cfg(feature = "lake")]
impl delta::Rows for Work<'_> {
    fn has_erased(&self, stream: Stream, range: (i64, i64)) -> bool {
        Work::has_erased(self, stream, range)
    }

    fn changes(
        &self,
        table: delta::Table,
        old: &delta::OldFile<'_>,
        write: &mut delta::EachRow<'_>,
    ) -> Result<(), ExportError> {
        let (first_seq, last_seq) = old.range;
        let name = table.file_name(Covers::Changes { first_seq, last_seq });
        let destination = destination::of(self.dir, Kind::Changes);
        // Tables keep what the mirror has forgotten of others.
        let end = 0;
        let dialect = Dialect { old_layout: false, exact: true, bom: false, guarded: false };
        let is_it = |sha256: &str| sha256 == old.sha256;
        let open = || rows_of(&*destination, (&old.path, name, dialect), is_it);
        self.rows((name, end), open, old.is_joined, write).map(drop)
    }
}

impl Work<'_> {
    fn of_kind(&self, mirror: &mut Mirror, kind: Kind, done: &mut ErasedFolder) -> Result<(), ExportError> {
        let destination = destination::of(self.dir, kind);
        let (mut affected, mut announced) = (Vec::new(), BTreeSet::new());
        let mut lines = Lines::open(&*destination)?;
        while let Some(entry) = lines.next()? {
            done.searched += 1;
            announced.extend(FileName::of_path(&entry.line.path));
            if !self.is_affected(&entry.line) {
                continue;
            }
            if entry.line.erased_at.as_ref() == Some(&self.erasure.requested_at) {
                done.files.push(rewritten_before(kind, &entry.line));
            } else if Format::from_name(&entry.line.format).is_none() {
                done.not_written.push(in_folder(kind, &entry.line.path));
            } else {
                affected.push((entry.number, entry.line));
            }
        }
        for lines in affected.chunks(FILES_AT_ONCE) {
            let lines = lines.iter().cloned().collect();
            done.files.extend(self.write_again(mirror, kind, &lines)?);
        }
        self.clear(mirror, kind, &announced, done)
    }

    /// Whether the file may hold an erased row.
    fn is_affected(&self, line: &ManifestLine) -> bool {
        let Some(stream) = Stream::from_name(&line.stream) else { return false };
        let range = (if line.snapshot { 1 } else { line.first_seq }, line.last_seq);
        let end = self.end(stream, Format::from_name(&line.format));
        self.has_erased(stream, range) || self.has_ended(stream, range, end)
    }

    /// How far the newest file of this stream and format reaches.
    fn end(&self, stream: Stream, format: Option<Format>) -> i64 {
        format.map_or(0, |format| self.reached.position(stream, format))
    }

    /// Whether a file of this range has a version that has expired and whose successor stands in a later file, up to `end`.
    fn has_ended(&self, stream: Stream, (first, last): (i64, i64), end: i64) -> bool {
        let ended = self.ended.get(stream.index()).map_or(&[][..], Vec::as_slice);
        let begun = ended.get(ended.partition_point(|(seq, _)| *seq < first)..).unwrap_or_default();
        let mut begun = begun.iter().take_while(|(seq, _)| *seq <= last);
        begun.any(|(_, ended_by)| (last + 1..=end).contains(ended_by))
    }

    /// Whether a file of this range that nobody announces may hold anything that is to go.
    fn may_hold(&self, stream: Stream, range: (i64, i64)) -> bool {
        let ended = self.ended.get(stream.index()).map_or(&[][..], Vec::as_slice);
        let is_in_range = |(seq, _): &(i64, i64)| (range.0..=range.1).contains(seq);
        self.has_erased(stream, range) || ended.iter().any(is_in_range)
    }

    /// Whether this is such a version.
    fn is_ended(&self, stream: Stream, seq: i64, end: i64) -> bool {
        let ended = self.ended.get(stream.index()).map_or(&[][..], Vec::as_slice);
        let found = ended.binary_search_by_key(&seq, |(seq, _)| *seq).ok().and_then(|at| ended.get(at));
        found.is_some_and(|(_, ended_by)| *ended_by <= end)
    }

    fn has_erased(&self, stream: Stream, (first, last): (i64, i64)) -> bool {
        let erased = self.erased.get(stream.index()).map_or(&[][..], Vec::as_slice);
        erased.get(erased.partition_point(|seq| *seq < first)).is_some_and(|seq| *seq <= last)
    }

    fn is_erased(&self, stream: Stream, seq: i64) -> bool {
        self.has_erased(stream, (seq, seq))
    }

    /// Whether this change is to go, as one that was erased or as such a version.
    fn is_gone(&self, stream: Stream, seq: i64, end: i64) -> bool {
        self.is_erased(stream, seq) || self.is_ended(stream, seq, end)
    }

    /// Writes the files of these lines again, gives them their names, then replaces the manifest.
    fn write_again(
        &self,
        mirror: &mut Mirror,
        kind: Kind,
        lines: &BTreeMap<usize, ManifestLine>,
    ) -> Result<Vec<ErasedFile>, ExportError> {
        let own = mirror.id().to_owned();
        let mut manifest = open_own(&mirror.snapshot()?, self.dir, kind, &own)?;
        let destination = manifest.destination.clone();
        let (mut written, mut done) = (Vec::new(), Vec::new());
        for (number, line) in lines {
            let (file, records) = self.without_erased(&own, &manifest, (*number, line))?;
            written.push((*number, file, records));
        }
        // A file may be all that knows some rows of others. Should this be cut off, the next one has to know which it can trust.
        for (_, StagedFile { line, .. }, _) in &written {
            manifest.reached.rewritten.entry(line.path.clone()).or_default().insert(line.sha256.clone());
        }
        manifest.note(mirror)?;
        let mut new = BTreeMap::new();
        for (number, StagedFile { file, line }, records) in written {
            file.replace(&*destination)?;
            let old = lines.get(&number);
            done.push(ErasedFile {
                path: in_folder(kind, &line.path),
                done: Done::Rewritten,
                records,
                bytes_before: old.map(|old| old.bytes),
                sha256_before: old.map(|old| old.sha256.clone()),
                bytes: Some(line.bytes),
                sha256: Some(line.sha256.clone()),
            });
            new.insert(number, line);
        }
        manifest.replace(mirror, new)?;
        manifest.note(mirror)?;
        Ok(done)
    }

    /// A file without the erased rows, under a temporary name, and how many of them it had at most.
    fn without_erased(
        &self,
        mirror_id: &str,
        manifest: &Manifest,
        (number, old): (usize, &ManifestLine),
    ) -> Result<(StagedFile, u64), ExportError> {
        let destination = &*manifest.destination;
        let name = old.file_name(manifest.kind).map_err(|reason| ExportError::ManifestLine {
            path: destination.place(MANIFEST),
            line: number,
            reason,
        })?;
        let mut file = FileWriter::begin(destination, name, old.dialect(), mirror_id)?;
        let rewritten = manifest.reached.rewritten.get(&old.path);
        // What it says, or what an erasure that was cut off has put there.
        let is_it =
            |sha256: &str| old.sha256 == sha256 || rewritten.is_some_and(|digests| digests.contains(sha256));
        let open = || rows_of(destination, (&old.path, name, old.dialect()), is_it);
        let end = self.end(name.stream, Some(name.format));
        let Counts { records, left_out } =
            self.rows((name, end), open, false, &mut |change| file.write(change))?;
        let run = old.run_id.map(crate::mirror::RunId);
        let origin = Origin::of(self.snapshot, mirror_id, run, Timestamp::UNIX_EPOCH);
        let mut file = file.end()?.finish(&origin)?;
        file.line.created_at.clone_from(&old.created_at);
        file.line.repaired_at.clone_from(&old.repaired_at);
        file.line.joined = old.joined;
        file.line.erased_at = Some(self.erasure.requested_at.clone());
        file.line.left_out = left_out;
        Ok((file, records))
    }

    /// Hands over the rows that such a file is to have; `open` begins to read those of the file as it is, where they are
    /// wanted: of most files the mirror knows every row. A joined file of a table (`has_older`) has older changes as well.
    /// Versions that have expired are left out where their successors stand in later files, which reach as far as `end`.
    fn rows(
        &self,
        (name, end): (FileName, i64),
        open: impl FnOnce() -> Option<Rows<'static>>,
        has_older: bool,
        write: &mut dyn FnMut(&Change<'_>) -> Result<(), ExportError>,
    ) -> Result<Counts, ExportError> {
        let range = match name.covers {
            Covers::Changes { first_seq, last_seq } => (first_seq, last_seq),
            Covers::State { head_seq } => return self.rows_of_state((name, end), head_seq, open, write),
        };
        let (mut counts, mut old) = (Counts::default(), OldRows { open: Some(open), rows: None });
        self.history.changes(name.stream, range, |logged| {
            let change = logged.change;
            let is_wanted = self.history.is_exported_by(name.stream, &logged, range.1)?;
            let is_gone = self.is_gone(name.stream, change.seq, end);
            let is_unknown = change.row.is_none() && !is_gone && is_wanted;
            let kept = if is_unknown || has_older { old.find(change.seq) } else { None };
            if !is_wanted && kept.is_none() {
                return Ok(());
            }
            counts.records += u64::from(is_gone);
            match (change.row, kept) {
                (Some(_), _) => write(&change),
                (None, Some(row)) if !is_gone => {
                    write(&Change { op: row.op, row: Some(&row.values(name.stream.columns())), ..change })
                }
                (None, _) => {
                    counts.left_out += 1;
                    Ok(())
                }
            }
        })?;
        Ok(counts)
    }

    /// As [`Work::rows`], of a snapshot. Where the mirror no longer knows that state, it comes in the order of its changes,
    /// whatever the order of the old file.
    fn rows_of_state(
        &self,
        (name, end): (FileName, i64),
        head_seq: i64,
        open: impl FnOnce() -> Option<Rows<'static>>,
        write: &mut dyn FnMut(&Change<'_>) -> Result<(), ExportError>,
    ) -> Result<Counts, ExportError> {
        let mut counts = Counts::default();
        if self.snapshot.knows_state(name.stream, head_seq)? {
            self.each_of_state(name.stream, head_seq, |logged| {
                counts.records += u64::from(logged.change.op == Op::Erase);
                Ok(())
            })?;
            // In the order in which a repair writes it.
            self.snapshot.rows(name.stream, head_seq, |change| write(&change))?;
            return Ok(counts);
        }
        let unknown = self.unknown_of_state(name.stream, head_seq, end)?;
        let rows = if unknown.is_empty() { None } else { open() };
        let wanted = rows.into_iter().flatten().flatten().filter(|row| unknown.contains(&row.seq));
        let mut kept: BTreeMap<i64, Row> = wanted.map(|row| (row.seq, row)).collect();
        self.each_of_state(name.stream, head_seq, |logged| {
            let change = logged.change;
            counts.records += u64::from(self.is_gone(name.stream, change.seq, end));
            match (change.row, kept.remove(&change.seq)) {
                (Some(_), _) if change.op == Op::Erase => Ok(()),
                (Some(_), _) => write(&Change { op: Op::Insert, ..change }),
                (None, Some(row)) => {
                    write(&Change { op: row.op, row: Some(&row.values(name.stream.columns())), ..change })
                }
                (None, None) => {
                    counts.left_out += 1;
                    Ok(())
                }
            }
        })?;
        Ok(counts)
    }

    /// The changes that have a row in the state as of a change, in their order.
    fn each_of_state(
        &self,
        stream: Stream,
        head_seq: i64,
        mut each: impl FnMut(&Logged<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        self.history.changes(stream, (1, head_seq), |logged| {
            let is_there = logged.is_newest_up_to(head_seq) && logged.change.op != Op::Delete;
            if is_there { each(&logged) } else { Ok(()) }
        })
    }

    /// Those of them that the mirror can't tell any more, but for those that are to go.
    fn unknown_of_state(
        &self,
        stream: Stream,
        head_seq: i64,
        end: i64,
    ) -> Result<BTreeSet<i64>, ExportError> {
        let mut unknown = BTreeSet::new();
        self.each_of_state(stream, head_seq, |logged| {
            let seq = logged.change.seq;
            if logged.change.row.is_none() && !self.is_gone(stream, seq, end) {
                unknown.insert(seq);
            }
            Ok(())
        })?;
        Ok(unknown)
    }

    /// Removes what killed exports left, and damaged files that were kept aside. Notes which files nobody knows.
    fn clear(
        &self,
        mirror: &mut Mirror,
        kind: Kind,
        announced: &BTreeSet<FileName>,
        done: &mut ErasedFolder,
    ) -> Result<(), ExportError> {
        let own = mirror.id().to_owned();
        let manifest = open_own(&mirror.snapshot()?, self.dir, kind, &own)?;
        let destination = &*manifest.destination;
        let mut gone = Vec::new();
        for stream in Stream::ALL {
            let listed = destination.each_name(stream.name(), &mut |name| {
                let path = format!("{stream}/{name}");
                match name.strip_suffix(DAMAGED).and_then(FileName::parse) {
                    Some(of) if self.may_hold(stream, of.covers.range()) => gone.push(path),
                    Some(_) => {}
                    None if FileName::parse(&name).is_some()
                        || destination::temporary_of(&name).is_some() => {}
                    None => done.others.push(in_folder(kind, &path)),
                }
            });
            listed.map_err(ExportError::io("listed", &destination.place(stream.name())))?;
        }
        gone.sort();
        done.others.sort();
        for path in gone {
            done.files.push(self.remove(destination, kind, &path)?);
        }
        let left = remove_orphans(&manifest, |name| announced.contains(name))?;
        done.files.extend(left.into_iter().map(|path| removed(in_folder(kind, &path), None, None)));
        Stream::ALL.into_iter().try_for_each(|stream| manifest.settle(stream.name()))
    }

    fn remove(
        &self,
        destination: &dyn Destination,
        kind: Kind,
        path: &str,
    ) -> Result<ErasedFile, ExportError> {
        let place = destination.place(path);
        let source = Source::open(destination, path).and_then(Source::finish);
        let (bytes, sha256) = source.map_err(ExportError::io("read", &place))?;
        destination.remove(path).map_err(ExportError::io("removed", &place))?;
        Ok(removed(in_folder(kind, path), Some(bytes), Some(sha256)))
    }
}

/// How the names of damaged files end that a repair kept.
const DAMAGED: &str = ".damaged";

fn removed(path: String, bytes_before: Option<u64>, sha256_before: Option<String>) -> ErasedFile {
    ErasedFile {
        path,
        done: Done::Removed,
        records: 0,
        bytes_before,
        sha256_before,
        bytes: None,
        sha256: None,
    }
}

fn rewritten_before(kind: Kind, line: &ManifestLine) -> ErasedFile {
    ErasedFile {
        path: in_folder(kind, &line.path),
        done: Done::RewrittenBefore,
        records: 0,
        bytes_before: None,
        sha256_before: None,
        bytes: Some(line.bytes),
        sha256: Some(line.sha256.clone()),
    }
}

/// Begins to read the rows of a file as it lies there; `None` where its digest says that it isn't the one that is meant, or
/// it can't be read.
fn rows_of(
    destination: &dyn Destination,
    (path, name, dialect): (&str, FileName, Dialect),
    is_it: impl FnOnce(&str) -> bool,
) -> Option<Rows<'static>> {
    let (_, sha256) = Source::open(destination, path).and_then(Source::finish).ok()?;
    is_it(&sha256).then(|| open_rows(destination, path, name, dialect).ok()).flatten()
}

/// The rows of a file with changes, which are read once one is asked for. The file is ours and whole, so that what can't be
/// decoded is left out.
struct OldRows<O> {
    open: Option<O>,
    rows: Option<Peekable<Rows<'static>>>,
}

impl<O: FnOnce() -> Option<Rows<'static>>> OldRows<O> {
    /// The row with this number, which is greater than those that were asked for before.
    fn find(&mut self, seq: i64) -> Option<Row> {
        if let Some(open) = self.open.take() {
            self.rows = open().map(Rows::peekable);
        }
        let rows = self.rows.as_mut()?;
        let is_up_to = |row: &Result<Row, _>| row.as_ref().is_ok_and(|row| row.seq <= seq);
        std::iter::from_fn(|| rows.next_if(is_up_to)).flatten().find(|row| row.seq == seq)
    }
}
