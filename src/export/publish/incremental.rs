//! The export of what changed, as steps: each may be the last one before a power cut.

use super::file_writer::{FileWriter, Origin};
use super::outcome::{Again, Exported, tables};
use super::plan::{self, StreamPlan};
use crate::export::destination::Destination;
use crate::export::error::ExportError;
use crate::export::formats::Format;
use crate::export::layout::{Covers, FileName, Kind};
use crate::export::location::Location;
use crate::export::manifest::{Manifest, ManifestLine, StagedFile};
use crate::export::provenance::open_own;
use crate::export::retention::{remove_orphans, remove_unnamed};
use crate::export::settings::Settings;
use crate::mirror::{Change, Mirror, RunId, Snapshot};
use crate::record::Stream;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Writes for each stream and format a file with the changes since the last one, where there are any, and announces
/// them in the manifest. Everything is read from one state of the mirror, once for all streams and formats, and
/// neither memory nor time grows with the manifest's lines. Blocks; the caller holds the mirror's process lock.
///
/// When this returns, the files, the manifest and what the mirror remembers of it are durable; a manifest is there even if
/// there was nothing to write. Exporting again without a change in between writes nothing, neither to the folder nor to the
/// mirror.
///
/// # Errors
/// When the folder can't be written, holds the exports of another mirror, of a newer state of this one or of a future that
/// this one lost when it was restored from an older copy, its manifest can't be read, has lost lines or was edited, or the
/// mirror can't be read or written. Nothing is announced then, except where only the mirror could not be written: the next
/// export notes what is missing there.
pub fn export(
    mirror: &mut Mirror,
    settings: &Settings,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<Exported, ExportError> {
    settings.seen(mirror, |mirror| {
        let manifest = open(mirror, &settings.dir)?;
        manifest.check_unedited()?;
        export_behind(manifest, mirror, settings, run, now)
    })
}

/// Opens the manifest of the export folder `dir`, and refuses one that is not of this mirror as it is now.
pub(in crate::export) fn open(mirror: &mut Mirror, dir: &Location) -> Result<Manifest, ExportError> {
    let own = mirror.id().to_owned();
    open_own(&mirror.snapshot()?, dir, Kind::Changes, &own)
}

/// Exports what is not in the manifest, as [`export`] does.
pub(in crate::export) fn export_behind(
    mut manifest: Manifest,
    mirror: &mut Mirror,
    settings: &Settings,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<Exported, ExportError> {
    let reached = &manifest.reached;
    let mut covered = BTreeMap::new();
    let mut removed = remove_orphans(&manifest, |name| {
        let (first, last) = name.covers.range();
        let (pruned, position) =
            (reached.pruned(name.stream, name.format), reached.position(name.stream, name.format));
        let is_announced = pruned < last && last <= position;
        if is_announced {
            *covered.entry((name.stream, name.format)).or_insert(pruned - position) += last + 1 - first;
        }
        is_announced
    })?;
    // Ranges tile: where they overlap, a compaction was cut off, and only the manifest says which files count.
    if covered.values().any(|more| *more > 0) {
        removed.extend(remove_unnamed(&manifest)?);
    }
    let (head_seq, written) = write(mirror, settings, &manifest, run, now)?;
    let files = manifest.announce(written)?;
    manifest.note(mirror)?;
    let tables = tables(mirror, settings, false, now)?;
    let again = again(&manifest, &files);
    let (existing, pruned) = (Vec::new(), Vec::new());
    let exported = Exported {
        head_seq,
        files,
        tables,
        again,
        existing,
        removed,
        pruned,
        not_pruned: None,
        compacted: Vec::new(),
        not_compacted: None,
    };
    Ok(exported.with_pruning(mirror, settings, now))
}

/// The changes that the folder had lost, as far as they were exported again: it was emptied, or an older copy of it was put
/// back.
fn again(manifest: &Manifest, files: &[ManifestLine]) -> Option<Again> {
    let again = manifest.lost.iter().filter_map(|lost| {
        let is_it = |file: &&ManifestLine| (&file.stream, &file.format) == (&lost.stream, &lost.format);
        let file = files.iter().find(is_it)?;
        Some(Again { first_seq: file.first_seq, last_seq: lost.last_seq })
    });
    again.reduce(|a, b| Again {
        first_seq: a.first_seq.min(b.first_seq),
        last_seq: a.last_seq.max(b.last_seq),
    })
}

/// Writes what is new under temporary names, all from one state of the mirror. Returns the newest change's number too.
pub(in crate::export) fn write(
    mirror: &mut Mirror,
    settings: &Settings,
    manifest: &Manifest,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<(i64, Vec<StagedFile>), ExportError> {
    let own = mirror.id().to_owned();
    let snapshot = mirror.snapshot()?;
    let origin = Origin::of(&snapshot, &own, run, now);
    let head = snapshot.head()?;
    let plans = plan::plan(&manifest.reached, head, &settings.streams, &settings.formats);
    let files =
        write_changes(&snapshot, settings, &*manifest.destination, &plans, (head, &origin.mirror_id))?;
    drop(snapshot);
    let ending = files.into_iter().map(FileWriter::end).collect::<Result<Vec<_>, _>>()?;
    let written = ending.into_iter().map(|file| file.finish(&origin)).collect::<Result<_, _>>()?;
    Ok((head, written))
}

/// A format of a stream that is behind, and its file once there is a row for it.
struct Output {
    stream: Stream,
    format: Format,
    position: i64,
    file: Option<FileWriter>,
}

impl Output {
    fn write(
        &mut self,
        change: &Change<'_>,
        settings: &Settings,
        destination: &dyn Destination,
        (head, mirror_id): (i64, &str),
    ) -> Result<(), ExportError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let covers = Covers::Changes { first_seq: self.position + 1, last_seq: head };
                let (stream, format, compression) =
                    (self.stream, self.format, settings.compression(self.format));
                let name = FileName { stream, covers, format, compression };
                none.insert(FileWriter::begin(destination, name, settings.dialect(format), mirror_id)?)
            }
        };
        file.write(change)
    }
}

/// Reads the changes once, and hands each row to the formats of its stream that don't have it.
fn write_changes(
    snapshot: &Snapshot<'_>,
    settings: &Settings,
    destination: &dyn Destination,
    plans: &[StreamPlan],
    origin: (i64, &str),
) -> Result<Vec<FileWriter>, ExportError> {
    let outputs_of = |plan: &StreamPlan| {
        let stream = plan.stream;
        let output = move |(format, position)| Output { stream, format, position, file: None };
        plan.outputs.clone().into_iter().map(output)
    };
    let mut outputs: Vec<Output> = plans.iter().flat_map(outputs_of).collect();
    let wanted: Vec<_> = plans.iter().map(|plan| (plan.stream, plan.after())).collect();
    snapshot.changes(&wanted, |stream, change| {
        let lacks_it = |output: &&mut Output| output.stream == stream && output.position < change.seq;
        let mut lacking = outputs.iter_mut().filter(lacks_it);
        lacking.try_for_each(|output| output.write(&change, settings, destination, origin))
    })?;
    Ok(outputs.into_iter().filter_map(|output| output.file).collect())
}
