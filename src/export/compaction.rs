//! Small files with changes are joined into larger ones, as steps: each may be the last one before a power cut.
//!
//! **What is joined.** Neighbours of one stream and format, in one form, that lie there whole, up to 128 MiB. Nothing is
//! joined across a change that was acknowledged ([`super::acknowledge()`]), so that a consumer who has come that far meets no row
//! again; and where `export.max_age` is set, no file takes in more than a tenth of that time, so that it goes about
//! when its parts would have gone.
//!
//! **What it holds.** What an export of the whole range would have written at its end: each record's newest change in it. So it
//! is a file like any other: a replay gives the same, and verify, repair, pruning and erasures know nothing of it. A
//! consumer in the middle of its range passes the rows that it has, by `_seq`, and goes on. Rows come from the mirror; versions
//! that it no longer has, from the files that are joined.
//!
//! **In which order.** The new files are written and get their names; then the manifest is replaced, with one line in the place of
//! the first of those that are joined; then the old files are removed. What a power cut leaves is in no manifest, and the next
//! export removes it.

#[cfg(feature = "lake")]
use crate::export::delta;
use crate::export::destination::Destination;
use crate::export::error::ExportError;
use crate::export::formats::{Row, Rows};
use crate::export::joining::{Joining, Limits, Piece};
use crate::export::layout::{Covers, FileName, Kind};
use crate::export::manifest::{Lines, Manifest, ManifestLine, StagedFile};
use crate::export::provenance::open_own;
use crate::export::publish::{CompactedFile, Exported, FileWriter, Origin};
use crate::export::readback::{is_as_announced, open_rows};
use crate::export::retention::{Acknowledged, remove_unnamed};
use crate::export::settings::Settings;
use crate::mirror::{Change, History, Mirror, RunId};
use crate::record::Stream;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

/// What a compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// The joined files.
    pub files: Vec<CompactedFile>,
    /// Files that are lost or damaged, and were left as they are: relative to the export folder.
    pub damaged: Vec<String>,
}

/// Joins files of the settings' export folder. With `is_dry`, says what would be joined, and writes nothing. Blocks; the caller
/// holds the mirror's process lock.
///
/// When this returns, files, manifest and what the mirror remembers of it are durable. Doing it again changes nothing.
///
/// # Errors
/// When the folder or the mirror can't be read or written, or the manifest is broken, edited or has lost lines.
pub fn compact(
    mirror: &mut Mirror,
    settings: &Settings,
    joining: Joining,
    is_dry: bool,
    now: Timestamp,
) -> Result<Compacted, ExportError> {
    let own = mirror.id().to_owned();
    let mut manifest = open_own(&mirror.snapshot()?, &settings.dir, Kind::Changes, &own)?;
    manifest.check_unedited()?;
    let limits = Limits::of(settings.max_age, joining, now);
    if !is_dry {
        remove_unnamed(&manifest)?;
    }
    let mut compacted = Compacted::default();
    let groups = groups(&manifest, settings, &limits, &mut compacted.damaged)?;
    tables(mirror, settings, &limits, is_dry, now, &mut compacted)?;
    if is_dry || groups.is_empty() {
        let planned = |group: &Vec<Numbered>| Some(told(&joined_name(group)?, group, None));
        compacted.files.extend(groups.iter().filter_map(planned));
        return Ok(compacted);
    }
    let mut reader = Mirror::open_read_only(mirror.path())?;
    let snapshot = reader.snapshot()?;
    let history = snapshot.history()?;
    let destination = manifest.destination.clone();
    let (mut lines, mut dropped, mut old) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for group in &groups {
        let Some((name, StagedFile { file, line })) = join(&*destination, &history, &own, group)? else {
            compacted.damaged.extend(group.iter().map(|one| one.line.path.clone()));
            continue;
        };
        let folder = file.folder().to_owned();
        file.publish(None)?;
        destination.settle(&folder).map_err(ExportError::io("synced", &destination.place(&folder)))?;
        compacted.files.push(told(&name, group, Some(&line)));
        let (first, others) = group.split_first().unzip();
        lines.extend(first.map(|first| (first.number, line)));
        dropped.extend(others.into_iter().flatten().map(|one| one.number));
        old.extend(group.iter().map(|one| one.line.path.clone()));
    }
    manifest.join(mirror, lines, &dropped)?;
    for path in old {
        destination.remove(&path).map_err(ExportError::io("removed", &destination.place(&path)))?;
    }
    Stream::ALL.into_iter().try_for_each(|stream| manifest.settle(stream.name()))?;
    manifest.note(mirror)?;
    Ok(compacted)
}

/// Joins what is older than `settings.compact_after`, where that isn't zero, and notes in `exported` what was done. What fails is
/// noted as well: the export's files are announced whether or not that works.
pub fn compact_aged(mirror: &mut Mirror, settings: &Settings, exported: &mut Exported, now: Timestamp) {
    if settings.compact_after.is_zero() {
        return;
    }
    match compact(mirror, settings, Joining::OlderThan(settings.compact_after), false, now) {
        Ok(Compacted { files, damaged }) => {
            exported.compacted = files;
            exported.not_compacted = damaged.first().map(|path| format!("{path} is lost or damaged"));
        }
        Err(error) => exported.not_compacted = Some(error.to_string()),
    }
}

/// Joins the files of tables with changes, where tables are written.
fn tables(
    mirror: &mut Mirror,
    settings: &Settings,
    limits: &Limits,
    is_dry: bool,
    now: Timestamp,
    compacted: &mut Compacted,
) -> Result<(), ExportError> {
    #[cfg(feature = "lake")]
    if settings.has_tables() {
        let own = mirror.id().to_owned();
        let snapshot = mirror.snapshot()?;
        for &stream in &settings.streams {
            let table = delta::Table { stream, contents: delta::Contents::Changes };
            let (files, damaged) =
                delta::compact(&snapshot, (&settings.dir, table), limits, is_dry, (&own, now))?;
            compacted.files.extend(files);
            compacted.damaged.extend(damaged);
        }
    }
    let _ = (mirror, settings, limits, is_dry, now, compacted);
    Ok(())
}

/// A line of the manifest, with its number, counted from 1.
#[derive(Debug, Clone)]
struct Numbered {
    number: usize,
    line: ManifestLine,
}

/// The files that become one each.
fn groups(
    manifest: &Manifest,
    settings: &Settings,
    limits: &Limits,
    damaged: &mut Vec<String>,
) -> Result<Vec<Vec<Numbered>>, ExportError> {
    let acknowledged = Acknowledged::read(&settings.dir)?;
    let mut of_key: BTreeMap<_, Vec<Numbered>> = BTreeMap::new();
    let mut lines = Lines::open(&*manifest.destination)?;
    while let Some(entry) = lines.next()? {
        if entry.line.key().is_some() && entry.line.file_name(Kind::Changes).is_ok() {
            let key = (entry.line.stream.clone(), entry.line.format.clone());
            of_key.entry(key).or_default().push(Numbered { number: entry.number, line: entry.line });
        }
    }
    let mut groups = Vec::new();
    for lines in of_key.into_values() {
        let pieces: Vec<Piece> = lines.iter().map(|one| piece(&one.line)).collect();
        let through = lines.first().map_or(0, |one| acknowledged.through(&one.line));
        for group in limits.groups(&pieces, through) {
            // Only what is whole is joined; a damaged file stays between two.
            let mut whole: Vec<Numbered> = Vec::new();
            for one in &lines[group] {
                if is_whole(&*manifest.destination, &one.line)? {
                    whole.push(one.clone());
                } else {
                    damaged.push(one.line.path.clone());
                    groups.push(std::mem::take(&mut whole));
                }
            }
            groups.push(whole);
        }
    }
    groups.retain(|group| group.len() > 1);
    Ok(groups)
}

fn piece(line: &ManifestLine) -> Piece {
    Piece {
        range: (line.first_seq, line.last_seq),
        bytes: line.bytes,
        written_at: line.created_at.parse().ok(),
        form: (line.left_out == 0).then(|| (line.compression.clone(), line.dialect())),
    }
}

fn is_whole(destination: &dyn Destination, line: &ManifestLine) -> Result<bool, ExportError> {
    match is_as_announced(destination, &line.to_export_file()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        read => read.map_err(ExportError::io("read", &destination.place(&line.path))),
    }
}

/// The name of the file that these become.
fn joined_name(group: &[Numbered]) -> Option<FileName> {
    let (first, last) = (group.first()?, group.last()?);
    let covers = Covers::Changes { first_seq: first.line.first_seq, last_seq: last.line.last_seq };
    Some(FileName { covers, ..first.line.file_name(Kind::Changes).ok()? })
}

fn told(name: &FileName, group: &[Numbered], line: Option<&ManifestLine>) -> CompactedFile {
    CompactedFile {
        path: name.path(),
        files: group.len() as u64,
        bytes_before: group.iter().map(|one| one.line.bytes).sum(),
        bytes: line.map(|line| line.bytes),
        rows: line.map(|line| line.rows),
    }
}

/// The file that a group becomes, under a temporary name; `None` where the mirror and the files together don't know a row any
/// more.
fn join(
    destination: &dyn Destination,
    history: &History<'_>,
    mirror_id: &str,
    group: &[Numbered],
) -> Result<Option<(FileName, StagedFile)>, ExportError> {
    let (Some(first), Some(last), Some(name)) = (group.first(), group.last(), joined_name(group)) else {
        return Ok(None);
    };
    let (range, columns) = ((first.line.first_seq, last.line.last_seq), name.stream.columns());
    let mut file = FileWriter::begin(destination, name, first.line.dialect(), mirror_id)?;
    let mut old = OldRows { destination, files: group.iter(), rows: None };
    let mut is_known = true;
    history.changes(name.stream, range, |logged| {
        let change = logged.change;
        if !is_known || !logged.is_newest_up_to(range.1) {
            return Ok(());
        }
        if change.row.is_some() {
            return file.write(&change);
        }
        match old.find(change.seq)? {
            Some(row) => file.write(&Change { op: row.op, row: Some(&row.values(columns)), ..change }),
            None => {
                is_known = false;
                Ok::<(), ExportError>(())
            }
        }
    })?;
    if !is_known {
        return Ok(None);
    }
    let run = last.line.run_id.map(RunId);
    let origin = Origin { mirror_id: mirror_id.to_owned(), run, now: Timestamp::UNIX_EPOCH };
    let mut file = file.end()?.finish(&origin)?;
    let newest =
        |of: fn(&ManifestLine) -> &Option<String>| group.iter().filter_map(|one| of(&one.line).clone()).max();
    file.line.created_at.clone_from(&last.line.created_at);
    file.line.erased_at = newest(|line| &line.erased_at);
    file.line.joined = group.iter().map(|one| one.line.joined.max(1)).sum();
    Ok(Some((name, file)))
}

/// The rows of the files that are joined, in the order of their numbers.
struct OldRows<'g> {
    destination: &'g dyn Destination,
    files: std::slice::Iter<'g, Numbered>,
    rows: Option<(i64, Rows<'static>)>,
}

impl OldRows<'_> {
    /// The row with this number, which is greater than those that were asked for before; `None` where no file has it.
    fn find(&mut self, seq: i64) -> Result<Option<Row>, ExportError> {
        while self.rows.as_ref().is_none_or(|(last, _)| *last < seq) {
            let Some(Numbered { line, .. }) = self.files.next() else { return Ok(None) };
            let Ok(name) = line.file_name(Kind::Changes) else { continue };
            let rows = open_rows(self.destination, &line.path, name, line.dialect());
            let rows = rows.map_err(ExportError::io("read", &self.destination.place(&line.path)))?;
            self.rows = Some((line.last_seq, rows));
        }
        let rows = self.rows.iter_mut().flat_map(|(_, rows)| rows);
        Ok(rows.map_while(Result::ok).find(|row| row.seq >= seq).filter(|row| row.seq == seq))
    }
}
