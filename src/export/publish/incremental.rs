//! The export of what changed, as steps: each may be the last one before a power cut.

use super::announce::announce;
use super::file_writer::{FileWriter, Origin, StagedFile};
use super::outcome::{Again, Exported};
use super::plan::{self, StreamPlan};
use crate::export::error::ExportError;
use crate::export::formats::Format;
use crate::export::layout::{Covers, FileName, Kind, MANIFEST};
use crate::export::manifest::{Manifest, Positions, Truncation, mirror_copy, truncation};
use crate::export::provenance::read_own;
use crate::export::retention::remove_orphans;
use crate::export::settings::Settings;
use crate::mirror::{Change, ExportFile, Mirror, RunId, Snapshot};
use crate::record::Stream;
use jiff::Timestamp;
use std::path::Path;

/// Writes for each stream and format a file with the changes since the last one, where there are any, and announces
/// them in the manifest. Everything is read from one state of the mirror, once for all streams and formats, and
/// memory grows neither with the number of rows nor with that of the manifest's lines. Blocks; the caller holds the mirror's process lock.
///
/// When this returns, the files, the manifest and the mirror's copy of it are durable; a manifest is there even if there was
/// nothing to write. Exporting again without a change in between writes nothing, neither to the folder nor to the mirror.
///
/// # Errors
/// When the folder can't be written, holds the exports of another mirror, of a newer state of this one or of a future that
/// this one lost when it was restored from an older copy, its manifest can't be read, or the mirror can't be read or
/// written. Nothing is announced then, except where only the mirror's copy could not be written: the next export brings it
/// in step.
pub fn export(
    mirror: &mut Mirror,
    settings: &Settings,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<Exported, ExportError> {
    let Opened { manifest, truncation, copy_in_step, lost } = open(mirror, &settings.dir)?;
    let removed = clean_up(mirror, &settings.dir, &manifest, copy_in_step)?;
    if !copy_in_step {
        mirror_copy::write_anew(mirror, &settings.dir)?;
    }
    let (head_seq, written) = write(mirror, settings, &manifest.positions, truncation.as_ref(), run, now)?;
    let files = announce(&manifest, written)?;
    mirror_copy::add(mirror, &settings.dir, &files)?;
    let again = lost.filter(|lost| files.iter().any(|file| file.first_seq <= lost.last_seq));
    let (existing, pruned) = (Vec::new(), Vec::new());
    let exported = Exported { head_seq, files, again, existing, removed, pruned, not_pruned: None };
    Ok(exported.with_pruning(mirror, settings, now))
}

/// A manifest that is this mirror's as it is now.
struct Opened {
    manifest: Manifest,
    /// What was pruned from it.
    truncation: Option<Truncation>,
    /// Whether the mirror's copy says what it says.
    copy_in_step: bool,
    /// What the copy knows and the manifest no longer does.
    lost: Option<Again>,
}

/// Reads the manifest, and refuses one that is not of this mirror as it is now.
fn open(mirror: &mut Mirror, dir: &Path) -> Result<Opened, ExportError> {
    let own = mirror.id().to_owned();
    let snapshot = mirror.snapshot()?;
    let (manifest, copy_in_step) = read_own(&snapshot, dir, &own)?;
    let truncations = truncation::read(&snapshot)?;
    let truncation = truncation::in_force(&truncations, manifest.follows.as_deref()).cloned();
    if truncation.is_none() && manifest.follows.is_some() {
        return Err(ExportError::FrontLost { path: dir.join(MANIFEST) });
    }
    let lost =
        if copy_in_step { None } else { lost(&snapshot, dir, &manifest.positions, truncation.as_ref())? };
    Ok(Opened { manifest, truncation, copy_in_step, lost })
}

/// The changes that were exported to `dir`, by the mirror's copy, and that its manifest knows nothing of. Each step of an export
/// and of a pruning leaves none: the folder was emptied, or an older copy of it was put back.
fn lost(
    snapshot: &Snapshot<'_>,
    dir: &Path,
    positions: &Positions,
    truncation: Option<&Truncation>,
) -> Result<Option<Again>, ExportError> {
    let copy = mirror_copy::of(snapshot, dir)?;
    if !copy.is_named() {
        return Ok(None);
    }
    let lost = |file: ExportFile| {
        let (stream, format) = Stream::from_name(&file.stream).zip(Format::from_name(&file.format))?;
        let first_seq = positions.of(truncation, stream, format) + 1;
        (first_seq <= file.last_seq).then_some(Again { first_seq, last_seq: file.last_seq })
    };
    let each = copy.newest()?.into_iter().filter_map(lost);
    Ok(each.reduce(|a, b| Again {
        first_seq: a.first_seq.min(b.first_seq),
        last_seq: a.last_seq.max(b.last_seq),
    }))
}

/// Removes what killed exports left. A file that a copy in step knows stands in the manifest.
fn clean_up(
    mirror: &mut Mirror,
    dir: &Path,
    manifest: &Manifest,
    copy_in_step: bool,
) -> Result<Vec<String>, ExportError> {
    let snapshot = mirror.snapshot()?;
    let copy = mirror_copy::of(&snapshot, dir)?;
    remove_orphans(dir, manifest, Kind::Changes, |name| {
        Ok(copy_in_step && mirror_copy::knows_file(&copy, name)?)
    })
}

/// Writes what is new under temporary names, all from one state of the mirror. Returns the newest change's number too.
pub(in crate::export) fn write(
    mirror: &mut Mirror,
    settings: &Settings,
    positions: &Positions,
    truncation: Option<&Truncation>,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<(i64, Vec<StagedFile>), ExportError> {
    let origin = Origin { mirror_id: mirror.id().to_owned(), run, now };
    let snapshot = mirror.snapshot()?;
    let head = snapshot.head()?;
    let plans = plan::plan(positions, truncation, head, &settings.formats);
    let files = write_changes(&snapshot, settings, &plans, head)?;
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
    fn write(&mut self, change: &Change<'_>, settings: &Settings, head: i64) -> Result<(), ExportError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let covers = Covers::Changes { first_seq: self.position + 1, last_seq: head };
                let (stream, format, compression) = (self.stream, self.format, settings.compression);
                let name = FileName { stream, covers, format, compression };
                none.insert(FileWriter::begin(&settings.dir, name, settings.dialect(format))?)
            }
        };
        file.write(change)
    }
}

/// Reads the changes once, and hands each row to the formats of its stream that don't have it.
fn write_changes(
    snapshot: &Snapshot<'_>,
    settings: &Settings,
    plans: &[StreamPlan],
    head: i64,
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
        outputs.iter_mut().filter(lacks_it).try_for_each(|output| output.write(&change, settings, head))
    })?;
    Ok(outputs.into_iter().filter_map(|output| output.file).collect())
}
