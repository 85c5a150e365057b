//! Lost and damaged files, written again from the mirror, as steps: each may be the last one before a power cut, and a
//! repair that was cut off is done by the next one.
//!
//! **What comes back.** The change log still knows every change of a file's range, and the mirror still holds a record as
//! its newest change left it, and the versions that later changes ended. So a file comes back as it was, byte for byte,
//! as far back as the mirror's history reaches; deletes always come back. Of a record that has changed since, and whose
//! version of that time was pruned or never kept, the change is left out: a newer one stands in a later file, so that a
//! replay still gives the mirror. For that to be so, what is not yet exported is exported first. The manifest line says how
//! many changes were left out, and when.
//!
//! **How it shows.** The line of a file whose bytes are others than before has `repaired_at`, and the lines behind it are
//! tied to it anew. A damaged file that can't come back as a whole is kept beside the new one as `FILE.damaged`.

use crate::export::destination::{self, Destination};
use crate::export::error::ExportError;
use crate::export::formats::{Dialect, Format};
use crate::export::layout::{Covers, FileName, Kind, MANIFEST, in_folder};
use crate::export::location::Location;
use crate::export::manifest::{self, ManifestLine, StagedFile};
use crate::export::provenance::open_own;
use crate::export::publish::{self, FileWriter, Origin};
use crate::export::settings::Settings;
use crate::export::verify::{Examined, Verified, examine};
use crate::mirror::{Change, History, Logged, Mirror, MirrorError, Snapshot};
use crate::record::Op;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a repair did; also the JSON result of `export repair`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// The files that were lost or damaged, in the order of the manifests.
    pub files: Vec<RepairedFile>,
    /// What was not yet exported, and had to be first; paths are relative to the export folder.
    pub exported: Vec<ManifestLine>,
    /// The folder after the repair.
    pub verified: Verified,
}

/// A file that was written again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepairedFile {
    /// Relative to the export folder.
    pub path: String,
    /// Whether it has the very bytes that the manifest named before, so that the manifest stayed as it was.
    pub as_before: bool,
    /// Its rows.
    pub rows: u64,
    /// Changes that could not be brought back: newer ones of the same records stand in later files.
    pub left_out: u64,
    /// Where the damaged file was kept, relative to the export folder.
    pub kept: Option<String>,
}

impl Repaired {
    /// Whether every file holds again what it held.
    pub fn is_complete(&self) -> bool {
        self.files.iter().all(|file| file.left_out == 0 || file.as_before)
    }
}

/// Verifies the export folder, writes every lost or damaged file again, and verifies it once more. Blocks; the caller holds
/// the mirror's process lock.
///
/// When this returns, files, manifests and what the mirror remembers of them are durable. Repairing again changes nothing.
///
/// # Errors
/// As [`super::export()`] and [`super::verify()`]; and when a manifest itself is broken, which no file written again mends.
pub fn repair(mirror: &mut Mirror, settings: &Settings, now: Timestamp) -> Result<Repaired, ExportError> {
    settings.seen(mirror, |mirror| repair_seen(mirror, settings, now))
}

fn repair_seen(mirror: &mut Mirror, settings: &Settings, now: Timestamp) -> Result<Repaired, ExportError> {
    let mut reader = mirror.reader()?;
    let Examined { verified, findings } = examine(&mut reader, &settings.dir)?;
    if findings.of_manifests > 0 {
        return Err(ExportError::NotMendable { what: verified.differences, dir: settings.dir.clone() });
    }
    if findings.damaged.is_empty() {
        return Ok(Repaired { files: Vec::new(), exported: Vec::new(), verified });
    }
    let exported = export_first(mirror, settings, &findings.damaged, now)?;
    let mut files = Vec::new();
    for kind in [Kind::Changes, Kind::Snapshots] {
        let damaged = findings.damaged.iter().filter(|(of, _)| *of == kind).map(|(_, number)| *number);
        files.extend(mend(mirror, &mut reader, &settings.dir, kind, &damaged.collect(), now)?);
    }
    let verified = examine(&mut reader, &settings.dir)?.verified;
    Ok(Repaired { files, exported, verified })
}

/// Exports what is new in every format that has to be repaired, so that what is left out has a newer change in a later file.
fn export_first(
    mirror: &mut Mirror,
    settings: &Settings,
    damaged: &BTreeSet<(Kind, usize)>,
    now: Timestamp,
) -> Result<Vec<ManifestLine>, ExportError> {
    let mut formats = settings.formats.clone();
    for kind in [Kind::Changes, Kind::Snapshots] {
        let numbers = damaged.iter().filter(|(of, _)| *of == kind).map(|(_, number)| *number).collect();
        let lines = manifest::numbered(&settings.dir, kind, &numbers)?;
        formats.extend(lines.values().filter_map(|line| Format::from_name(&line.format)));
    }
    // The last line may be one of those that were edited and are going to be mended.
    let manifest = publish::open(mirror, &settings.dir)?;
    let settings = Settings { formats, ..settings.clone() };
    Ok(publish::export_behind(manifest, mirror, &settings, None, now)?.files)
}

/// Writes the files of these lines again, gives them their names, then replaces the manifest where a line has changed.
fn mend(
    mirror: &mut Mirror,
    reader: &mut Mirror,
    dir: &Location,
    kind: Kind,
    numbers: &BTreeSet<usize>,
    now: Timestamp,
) -> Result<Vec<RepairedFile>, ExportError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let old = manifest::numbered(dir, kind, numbers)?;
    let written = write(reader, dir, kind, &old, now)?;
    let (repaired, lines) = publish(&*destination::of(dir, kind), kind, &old, written)?;
    if !lines.is_empty() {
        let own = mirror.id().to_owned();
        let mut manifest = open_own(&mirror.snapshot()?, dir, kind, &own)?;
        manifest.replace(mirror, lines)?;
        manifest.note(mirror)?;
    }
    Ok(repaired)
}

/// The files of these lines under temporary names, all from one state of the mirror, with the lines' numbers.
pub(super) fn write(
    reader: &mut Mirror,
    dir: &Location,
    kind: Kind,
    lines: &BTreeMap<usize, ManifestLine>,
    now: Timestamp,
) -> Result<Vec<(usize, StagedFile)>, ExportError> {
    let own = reader.id().to_owned();
    let snapshot = reader.snapshot()?;
    let origin = Origin::of(&snapshot, &own, None, now);
    let reached = open_own(&snapshot, dir, Kind::Changes, &origin.mirror_id)?.reached;
    let history = snapshot.history()?;
    let (destination, mut written) = (destination::of(dir, kind), Vec::new());
    for (number, line) in lines {
        let name = line.file_name(kind).map_err(|reason| ExportError::ManifestLine {
            path: destination.place(MANIFEST),
            line: *number,
            reason,
        })?;
        let end = reached.position(name.stream, name.format);
        let form = (line.dialect(), &*origin.mirror_id);
        let (file, left_out) = rewrite(&*destination, name, form, (&snapshot, &history), end)?;
        let mut file = file.end()?.finish(&origin)?;
        file.line.repaired_at = Some(file.line.created_at.clone());
        file.line.erased_at.clone_from(&line.erased_at);
        file.line.joined = line.joined;
        file.line.left_out = left_out;
        written.push((*number, file));
    }
    Ok(written)
}

/// Writes what the file held, as far as the mirror knows it. Returns how many changes were left out.
fn rewrite(
    destination: &dyn Destination,
    name: FileName,
    (dialect, mirror_id): (Dialect, &str),
    (snapshot, history): (&Snapshot<'_>, &History<'_>),
    end: i64,
) -> Result<(FileWriter, u64), ExportError> {
    let mut file = FileWriter::begin(destination, name, dialect, mirror_id)?;
    let (range, as_inserts) = match name.covers {
        Covers::State { head_seq } if snapshot.knows_state(name.stream, head_seq)? => {
            snapshot.rows(name.stream, head_seq, |change| file.write(&change))?;
            return Ok((file, 0));
        }
        Covers::Changes { first_seq, last_seq } => ((first_seq, last_seq), false),
        Covers::State { head_seq } => ((1, head_seq), true),
    };
    let mut left_out = 0;
    history.changes(name.stream, range, |logged| {
        if !history.is_exported_by(name.stream, &logged, range.1)? {
            return Ok(());
        }
        match what_to_write(&logged, end, as_inserts)? {
            Write::Nothing => Ok(()),
            Write::Row(change) => file.write(&change),
            Write::LeftOut => {
                left_out += 1;
                Ok(())
            }
        }
    })?;
    Ok((file, left_out))
}

#[derive(Debug, PartialEq, Eq)]
enum Write<'a> {
    Nothing,
    Row(Change<'a>),
    LeftOut,
}

/// What stands for a change that was exported in a file that is written again: `end` is the end of the newest file.
fn what_to_write<'a>(logged: &Logged<'a>, end: i64, as_inserts: bool) -> Result<Write<'a>, MirrorError> {
    let change = logged.change;
    match (change.op, change.row) {
        (op, _) if as_inserts && op.ends_record() => Ok(Write::Nothing),
        (_, Some(_)) if as_inserts => Ok(Write::Row(Change { op: Op::Insert, ..change })),
        (_, Some(_)) => Ok(Write::Row(change)),
        (_, None) if !logged.is_newest_up_to(end) => Ok(Write::LeftOut),
        (_, None) => {
            let what = format!("no record for its change {}, the newest of that record,", change.seq);
            Err(MirrorError::Unreadable { what })
        }
    }
}

/// Gives the files their names. Returns what was done, and the lines that are to replace the old ones in the manifest.
pub(super) fn publish(
    destination: &dyn Destination,
    kind: Kind,
    old: &BTreeMap<usize, ManifestLine>,
    written: Vec<(usize, StagedFile)>,
) -> Result<(Vec<RepairedFile>, BTreeMap<usize, ManifestLine>), ExportError> {
    let (mut repaired, mut lines) = (Vec::new(), BTreeMap::new());
    for (number, StagedFile { file, line }) in written {
        let as_before = old.get(&number).is_some_and(|old| is_same(old, &line));
        let place = destination.place(&line.path);
        // One that an earlier repair moved aside stays: what stands in its place now is newer and holds less.
        let kept = line.left_out > 0
            && destination
                .keep_aside(&line.path, &format!("{}.damaged", line.path))
                .map_err(ExportError::io("moved aside", &place))?;
        file.replace(destination)?;
        repaired.push(RepairedFile {
            path: in_folder(kind, &line.path),
            as_before,
            rows: line.rows,
            left_out: line.left_out,
            kept: kept.then(|| format!("{}.damaged", in_folder(kind, &line.path))),
        });
        if !as_before {
            lines.insert(number, line);
        }
    }
    Ok((repaired, lines))
}

/// Whether the manifest's line is true of the file again.
fn is_same(old: &ManifestLine, new: &ManifestLine) -> bool {
    (old.bytes, &old.sha256, old.rows, old.left_out) == (new.bytes, &new.sha256, new.rows, new.left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Value;

    #[test]
    fn what_is_gone_is_left_out_only_where_a_later_file_has_a_newer_change() {
        let values = [Value::Text("a")];
        let change = |op, row| Change { seq: 5, op, observed_at: "t", id: "a", row };
        let logged = |op, next, row| Logged { change: change(op, row), next, row_seq: None };
        let row = Some(&values[..]);
        for (logged, as_inserts, expected) in [
            (logged(Op::Update, None, row), false, Write::Row(change(Op::Update, row))),
            (logged(Op::Update, None, row), true, Write::Row(change(Op::Insert, row))),
            (logged(Op::Insert, Some(12), None), false, Write::LeftOut),
            (logged(Op::Insert, Some(20), None), true, Write::LeftOut),
            (logged(Op::Delete, Some(12), row), false, Write::Row(change(Op::Delete, row))),
            (logged(Op::Delete, None, row), false, Write::Row(change(Op::Delete, row))),
            (logged(Op::Delete, None, row), true, Write::Nothing),
        ] {
            assert_eq!(what_to_write(&logged, 20, as_inserts).unwrap(), expected, "{logged:?}");
        }
        assert!(what_to_write(&logged(Op::Insert, Some(21), None), 20, false).is_err());
        assert!(what_to_write(&logged(Op::Insert, None, None), 20, false).is_err());
    }
}
