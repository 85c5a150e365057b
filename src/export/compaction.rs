//! Small files with changes are joined into larger ones, as steps: each may be the last one before a power cut.
//!
//! **What is joined.** Neighbours of one stream and format, in one form, that lie there whole, up to 128 MiB. Nothing is
//! joined across a change that was acknowledged ([`super::acknowledge()`]), so that a consumer who has come that far meets no
//! row again; and where `export.max_age` is set, no file takes in more than a tenth of that time, so that it goes about when
//! its parts would have gone.
//!
//! **What it holds.** What an export of the whole range would have written at its end: each record's newest change in it. So
//! it is a file like any other: a replay gives the same, and verify, repair, pruning and erasures know nothing of it. A
//! consumer in the middle of its range passes the rows that it has, by `_seq`, and goes on. Rows come from the mirror;
//! versions that it no longer has, from the files that are joined.
//!
//! **In which order.** The new files are written and get their names; then the manifest is replaced, with one line in the
//! place of the first of those that are joined; then the old files are removed. What a power cut leaves is in no manifest, and
//! the next export or compaction removes it.

#[cfg(feature = "lake")]
use crate::export::delta;
use crate::export::destination::Destination;
use crate::export::error::ExportError;
use crate::export::formats::{Row, Rows};
use crate::export::joining::{Joining, Limits, Piece};
use crate::export::layout::{Covers, FileName, Kind};
use crate::export::manifest::{Lines, Manifest, ManifestLine, StagedFile, numbered};
use crate::export::provenance::open_own;
use crate::export::publish::{CompactedFile, Exported, FileWriter, Origin};
use crate::export::readback::{is_whole, open_rows};
use crate::export::retention::{Acknowledged, remove_unnamed};
use crate::export::settings::Settings;
use crate::mirror::{Change, History, Mirror, RunId};
use crate::record::Stream;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What a compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// The joined files.
    pub files: Vec<CompactedFile>,
    /// Files that are lost or damaged, and were left as they are: relative to the export folder.
    pub damaged: Vec<String>,
}

/// Joins files of the settings' export folder. With `is_dry`, says what would be joined, and writes nothing. Blocks; the
/// caller holds the mirror's process lock.
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
    settings.seen(mirror, |mirror| compact_seen(mirror, settings, joining, is_dry, now))
}

fn compact_seen(
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
    let mut compacted = Compacted::default();
    let groups = groups(&manifest, settings, &limits)?;
    tables(mirror, settings, &limits, is_dry, now, &mut compacted)?;
    // Who asks for it by hand wants the end of one that was killed, also where that had nothing left to join.
    if !is_dry && (limits.is_of_all() || !groups.is_empty()) {
        remove_unnamed(&manifest)?;
    }
    if groups.is_empty() {
        return Ok(compacted);
    }
    let mut reader = mirror.reader()?;
    let snapshot = reader.snapshot()?;
    let history = snapshot.history()?;
    let destination = manifest.destination.clone();
    let (mut lines, mut dropped, mut old) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for numbers in &groups {
        let found = numbered(&settings.dir, Kind::Changes, numbers)?;
        for group in whole(&*destination, found, &mut compacted.damaged)? {
            let Some((name, first, last)) = joined_name(&group) else { continue };
            if is_dry {
                compacted.files.push(told(&name, &group, None));
                continue;
            }
            let StagedFile { file, line } =
                join(&*destination, &history, (&own, name), (first, last), &group)?;
            file.replace(&*destination)?;
            compacted.files.push(told(&name, &group, Some(&line)));
            let (first, others) = group.split_first().unzip();
            lines.extend(first.map(|(number, _)| (*number, line)));
            dropped.extend(others.into_iter().flatten().map(|(number, _)| *number));
            old.extend(group.into_iter().map(|(_, line)| line.path));
        }
    }
    if lines.is_empty() {
        return Ok(compacted);
    }
    manifest.join(mirror, lines, &dropped)?;
    for path in old {
        destination.remove(&path).map_err(ExportError::io("removed", &destination.place(&path)))?;
    }
    Stream::ALL.into_iter().try_for_each(|stream| manifest.settle(stream.name()))?;
    manifest.note(mirror)?;
    Ok(compacted)
}

/// Joins what is older than `settings.compact_after`, where that isn't zero, and notes in `exported` what was done. What fails
/// is noted as well: the export's files are announced whether or not that works.
pub fn compact_aged(mirror: &mut Mirror, settings: &Settings, exported: &mut Exported, now: Timestamp) {
    if settings.compact_after.is_zero() {
        return;
    }
    match compact(mirror, settings, Joining::OlderThan(settings.compact_after), false, now) {
        Ok(Compacted { files, damaged }) => {
            exported.compacted = files;
            exported.not_compacted = damaged.first().map(|path| format!("{path} is lost or damaged"));
        }
        Err(error) => exported.not_compacted = Some(error.with_causes()),
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
type Numbered = (usize, ManifestLine);

/// The numbers of the lines whose files become one each.
fn groups(
    manifest: &Manifest,
    settings: &Settings,
    limits: &Limits,
) -> Result<Vec<BTreeSet<usize>>, ExportError> {
    let acknowledged = Acknowledged::read(&settings.dir)?;
    let mut of_key: BTreeMap<_, (i64, Vec<usize>, Vec<Piece>)> = BTreeMap::new();
    let mut lines = Lines::open(&*manifest.destination)?;
    while let Some(entry) = lines.next()? {
        let Some(key) = entry.line.key().filter(|_| entry.line.file_name(Kind::Changes).is_ok()) else {
            continue;
        };
        let (through, numbers, pieces) = of_key.entry(key).or_default();
        *through = acknowledged.through(&entry.line);
        numbers.push(entry.number);
        pieces.push(piece(&entry.line));
    }
    let groups = of_key.into_values().flat_map(|(through, numbers, pieces)| {
        let groups = limits.groups(&pieces, through);
        groups.into_iter().map(move |group| numbers[group].iter().copied().collect())
    });
    Ok(groups.collect())
}

/// Runs of several files that lie there whole; a damaged one stays between two.
fn whole(
    destination: &dyn Destination,
    lines: BTreeMap<usize, ManifestLine>,
    damaged: &mut Vec<String>,
) -> Result<Vec<Vec<Numbered>>, ExportError> {
    let mut runs: Vec<Vec<Numbered>> = vec![Vec::new()];
    for one in lines {
        if !is_whole(destination, &one.1.to_export_file())? {
            damaged.push(one.1.path);
            runs.push(Vec::new());
        } else if let Some(run) = runs.last_mut() {
            run.push(one);
        }
    }
    runs.retain(|run| run.len() > 1);
    Ok(runs)
}

fn piece(line: &ManifestLine) -> Piece {
    Piece {
        range: (line.first_seq, line.last_seq),
        bytes: line.bytes,
        written_at: line.created_at.parse().ok(),
        form: (line.left_out == 0).then(|| (line.compression.clone(), line.dialect())),
    }
}

/// The name of the file that these become, with the first and the last of their lines.
fn joined_name(group: &[Numbered]) -> Option<(FileName, &ManifestLine, &ManifestLine)> {
    let ((_, first), (_, last)) = (group.first()?, group.last()?);
    let covers = Covers::Changes { first_seq: first.first_seq, last_seq: last.last_seq };
    Some((FileName { covers, ..first.file_name(Kind::Changes).ok()? }, first, last))
}

fn told(name: &FileName, group: &[Numbered], line: Option<&ManifestLine>) -> CompactedFile {
    CompactedFile {
        path: name.path(),
        files: group.len() as u64,
        bytes_before: group.iter().map(|(_, line)| line.bytes).sum(),
        bytes: line.map(|line| line.bytes),
        rows: line.map(|line| line.rows),
    }
}

/// The file of that name that a group becomes, under a temporary name.
fn join(
    destination: &dyn Destination,
    history: &History<'_>,
    (mirror_id, name): (&str, FileName),
    (first, last): (&ManifestLine, &ManifestLine),
    group: &[Numbered],
) -> Result<StagedFile, ExportError> {
    let (range, columns) = (name.covers.range(), name.stream.columns());
    let mut file = FileWriter::begin(destination, name, first.dialect(), mirror_id)?;
    let mut old = OldRows { destination, files: group.iter(), rows: None };
    history.changes(name.stream, range, |logged| {
        let change = logged.change;
        if !history.is_exported_by(name.stream, &logged, range.1)? {
            Ok(())
        } else if change.row.is_some() {
            file.write(&change)
        } else {
            let row = old.find(change.seq)?;
            file.write(&Change { op: row.op, row: Some(&row.values(columns)), ..change })
        }
    })?;
    let run = last.run_id.map(RunId);
    let origin = Origin {
        mirror_id: mirror_id.to_owned(),
        run,
        now: Timestamp::UNIX_EPOCH,
        profile: first.shown_by(),
    };
    let mut file = file.end()?.finish(&origin)?;
    file.line.created_at.clone_from(&last.created_at);
    file.line.erased_at = group.iter().filter_map(|(_, line)| line.erased_at.clone()).max();
    file.line.joined = group.iter().map(|(_, line)| line.joined.max(1)).sum();
    Ok(file)
}

/// The rows of the files that are joined, in the order of their numbers.
struct OldRows<'g> {
    destination: &'g dyn Destination,
    files: std::slice::Iter<'g, Numbered>,
    rows: Option<(&'g ManifestLine, Rows<'static>)>,
}

impl OldRows<'_> {
    /// The row with this number, which is greater than those that were asked for before.
    ///
    /// # Errors
    /// When the file that covers it can't be read, or lacks it.
    fn find(&mut self, seq: i64) -> Result<Row, ExportError> {
        while self.rows.as_ref().is_none_or(|(line, _)| line.last_seq < seq) {
            let Some((_, line)) = self.files.next() else { break };
            let Ok(name) = line.file_name(Kind::Changes) else { continue };
            let rows = open_rows(self.destination, &line.path, name, line.dialect());
            self.rows =
                Some((line, rows.map_err(ExportError::io("read", &self.destination.place(&line.path)))?));
        }
        let path = self.rows.as_ref().map_or("", |(line, _)| &line.path);
        let failed =
            |what: String| ExportError::io("read", &self.destination.place(path))(io::Error::other(what));
        let rows = self.rows.iter_mut().flat_map(|(_, rows)| rows);
        for row in rows {
            match row {
                Ok(row) if row.seq < seq => {}
                Ok(row) if row.seq == seq => return Ok(row),
                Ok(_) => break,
                Err(error) => return Err(failed(error.what)),
            }
        }
        Err(failed(format!("it has no row of change {seq}, and the mirror no longer knows that version")))
    }
}
