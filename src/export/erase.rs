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
use crate::export::error::ExportError;
use crate::export::formats::{Dialect, Format, Row};
use crate::export::layout::{Covers, FileName, Kind, MANIFEST, in_folder};
use crate::export::location::Location;
use crate::export::manifest::{Lines, ManifestLine, Reached, StagedFile, folder_name};
use crate::export::provenance::open_own;
use crate::export::publish::{FileWriter, Origin};
use crate::export::readback::{Source, is_as_announced, open_rows};
use crate::export::retention::remove_orphans;
use crate::mirror::{Change, Erasure, History, Logged, Mirror, Snapshot};
use crate::record::{Op, Stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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
    dir: &Location,
    erasure: &Erasure,
    now: Timestamp,
) -> Result<ErasedFolder, ExportError> {
    let mut done = ErasedFolder { dir: dir.to_string(), ..ErasedFolder::default() };
    let mut reader = Mirror::open_read_only(mirror.path())?;
    let snapshot = reader.snapshot()?;
    let mut erased = Vec::new();
    for stream in Stream::ALL {
        erased.push(snapshot.erased_changes(erasure.id, stream)?);
    }
    let mut ended = Vec::new();
    for stream in Stream::ALL {
        ended.push(snapshot.ended_versions(erasure.id, stream)?);
    }
    let reached = open_own(&snapshot, dir, Kind::Changes, mirror.id())?.reached;
    let work =
        Work { snapshot: &snapshot, history: snapshot.history()?, dir, erasure, erased, ended, reached };
    for kind in [Kind::Changes, Kind::Snapshots] {
        work.of_kind(mirror, kind, &mut done)?;
    }
    tables(&work, mirror.id(), now, &mut done)?;
    Ok(done)
}

#[cfg(feature = "lake")]
fn tables(work: &Work<'_>, own: &str, now: Timestamp, done: &mut ErasedFolder) -> Result<(), ExportError> {
    for contents in [delta::Contents::Changes, delta::Contents::State] {
        for stream in Stream::ALL {
            let table = delta::Table { stream, contents };
            let erased = delta::erase(work.snapshot, work.dir, table, work, (own, now))?;
            let Some((searched, gone)) = erased else { continue };
            done.searched += searched;
            done.files.extend(gone.into_iter().map(|gone| {
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

/// The export folders that may hold something: every one that the mirror has exported to, as it remembers them, and these. A
/// folder of this machine that was configured and isn't there is none.
///
/// # Errors
/// When the mirror can't be read.
pub fn known_folders(mirror: &mut Mirror, configured: &[Location]) -> Result<BTreeSet<String>, ExportError> {
    let snapshot = mirror.snapshot()?;
    let mut folders = BTreeSet::new();
    for kind in [Kind::Changes, Kind::Snapshots] {
        let known = snapshot.export_folders(kind.name())?;
        folders.extend(known.into_iter().map(|one| one.folder).filter(|folder| !folder.is_empty()));
    }
    let is_there = |dir: &&Location| dir.folder().is_none_or(Path::exists);
    folders.extend(configured.iter().filter(is_there).map(folder_name));
    Ok(folders)
}

/// Has the mirror remember all that the manifests of the folder `dir` announce, so that a file is known to be its own also
/// where the log says something else of it from now on.
///
/// # Errors
/// As [`super::export()`].
pub fn note(mirror: &mut Mirror, dir: &Location) -> Result<(), ExportError> {
    for kind in [Kind::Changes, Kind::Snapshots] {
        let own = mirror.id().to_owned();
        let mut manifest = open_own(&mirror.snapshot()?, dir, kind, &own)?;
        if manifest.reached.end.is_some() {
            manifest.note(mirror)?;
        }
    }
    Ok(())
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
        (first_seq, last_seq): (i64, i64),
        path: &str,
        write: &mut delta::EachRow<'_>,
    ) -> Result<(), ExportError> {
        let name = table.file_name(Covers::Changes { first_seq, last_seq });
        let destination = destination::of(self.dir, Kind::Changes);
        // Tables keep what the mirror has forgotten of others.
        let end = 0;
        let old_rows = |wanted: &_| {
            let dialect = Dialect { old_layout: false, exact: true, bom: false, guarded: false };
            read_wanted(&*destination, path, name, dialect, wanted)
        };
        self.rows((name, end), old_rows, write).map(drop)
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

    /// Writes the files of these lines again, gives them their names, then replaces the manifest.
    fn write_again(
        &self,
        mirror: &mut Mirror,
        kind: Kind,
        lines: &BTreeMap<usize, ManifestLine>,
    ) -> Result<Vec<ErasedFile>, ExportError> {
        let destination = destination::of(self.dir, kind);
        let (mut written, mut done) = (Vec::new(), Vec::new());
        for (number, line) in lines {
            let (file, records) = self.without_erased(mirror.id(), &*destination, kind, (*number, line))?;
            written.push((*number, file, records));
        }
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
        let own = mirror.id().to_owned();
        let mut manifest = open_own(&mirror.snapshot()?, self.dir, kind, &own)?;
        manifest.replace(mirror, new)?;
        manifest.note(mirror)?;
        Ok(done)
    }

    /// A file without the erased rows, under a temporary name, and how many of them it had at most.
    fn without_erased(
        &self,
        mirror_id: &str,
        destination: &dyn Destination,
        kind: Kind,
        (number, old): (usize, &ManifestLine),
    ) -> Result<(StagedFile, u64), ExportError> {
        let name = old.file_name(kind).map_err(|reason| ExportError::ManifestLine {
            path: destination.place(MANIFEST),
            line: number,
            reason,
        })?;
        let mut file = FileWriter::begin(destination, name, old.dialect(), mirror_id)?;
        let old_rows = |wanted: &_| rows_of(destination, name, old, wanted);
        let end = self.end(name.stream, Some(name.format));
        let Counts { records, left_out } =
            self.rows((name, end), old_rows, &mut |change| file.write(change))?;
        let run = old.run_id.map(crate::mirror::RunId);
        let origin = Origin { mirror_id: mirror_id.to_owned(), run, now: Timestamp::UNIX_EPOCH };
        let mut file = file.end()?.finish(&origin)?;
        file.line.created_at.clone_from(&old.created_at);
        file.line.repaired_at.clone_from(&old.repaired_at);
        file.line.joined = old.joined;
        file.line.erased_at = Some(self.erasure.requested_at.clone());
        file.line.left_out = left_out;
        Ok((file, records))
    }

    /// Hands over the rows that such a file is to have; `old_rows` reads these of the file as it is. Versions that have
    /// expired are left out where their successors stand in later files, which reach as far as `end`.
    fn rows(
        &self,
        (name, end): (FileName, i64),
        old_rows: impl FnOnce(&BTreeSet<i64>) -> BTreeMap<i64, Row>,
        write: &mut dyn FnMut(&Change<'_>) -> Result<(), ExportError>,
    ) -> Result<Counts, ExportError> {
        let mut counts = Counts::default();
        let is_snapshot = match name.covers {
            Covers::State { head_seq } if self.snapshot.knows_state(name.stream, head_seq)? => {
                self.each_row(name, |logged| {
                    counts.records += u64::from(logged.change.op == Op::Erase);
                    Ok(())
                })?;
                // In the order in which a repair writes it.
                self.snapshot.rows(name.stream, head_seq, |change| write(&change))?;
                return Ok(counts);
            }
            covers => matches!(covers, Covers::State { .. }),
        };
        // Of most files the mirror knows every row; only of the others the old file is read.
        let unknown = self.unknown_rows(name, end)?;
        let mut kept = if unknown.is_empty() { BTreeMap::new() } else { old_rows(&unknown) };
        self.each_row(name, |logged| {
            let change = logged.change;
            let has_expired = self.is_ended(name.stream, change.seq, end);
            counts.records += u64::from(has_expired || self.is_erased(name.stream, change.seq));
            match (change.row, kept.remove(&change.seq)) {
                (Some(_), _) if is_snapshot && change.op == Op::Erase => Ok(()),
                (Some(_), _) if is_snapshot => write(&Change { op: Op::Insert, ..change }),
                (Some(_), _) => write(&change),
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

    /// The changes that have a row in such a file, in their order.
    fn each_row(
        &self,
        name: FileName,
        mut each: impl FnMut(&Logged<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let (range, is_snapshot) = (name.covers.range(), matches!(name.covers, Covers::State { .. }));
        self.history.changes(name.stream, range, |logged| {
            let is_there =
                logged.is_newest_up_to(range.1) && !(is_snapshot && logged.change.op == Op::Delete);
            if is_there { each(&logged) } else { Ok(()) }
        })
    }

    /// Those that the mirror can't tell any more, but for those that are to go.
    fn unknown_rows(&self, name: FileName, end: i64) -> Result<BTreeSet<i64>, ExportError> {
        let mut unknown = BTreeSet::new();
        self.each_row(name, |logged| {
            let seq = logged.change.seq;
            let is_gone = self.is_erased(name.stream, seq) || self.is_ended(name.stream, seq, end);
            if logged.change.row.is_none() && !is_gone {
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

/// These rows of a file as it lies there; none where it isn't what its line says. The file is ours and has been read whole, so
/// that what can't be decoded is left out.
fn rows_of(
    destination: &dyn Destination,
    name: FileName,
    line: &ManifestLine,
    wanted: &BTreeSet<i64>,
) -> BTreeMap<i64, Row> {
    if !is_as_announced(destination, &line.to_export_file()).unwrap_or(false) {
        return BTreeMap::new();
    }
    read_wanted(destination, &line.path, name, line.dialect(), wanted)
}

fn read_wanted(
    destination: &dyn Destination,
    path: &str,
    name: FileName,
    dialect: Dialect,
    wanted: &BTreeSet<i64>,
) -> BTreeMap<i64, Row> {
    let Ok(rows) = open_rows(destination, path, name, dialect) else { return BTreeMap::new() };
    rows.flatten().filter(|row| wanted.contains(&row.seq)).map(|row| (row.seq, row)).collect()
}
