//! The export of what changed, as steps: each may be the last one before a power cut.

use super::file::{self, Unannounced};
use super::manifest::{MANIFEST, Manifest};
use super::name::{Covers, FileName};
use super::plan::{self, Refusal, StreamPlan};
use super::pruned::{self, Front};
use super::stream_file::{Origin, StreamFile, Written};
use super::{ExportError, Exported, Format, ManifestLine, Settings};
use crate::failpoint::{self, Place};
use crate::mirror::{ExportFile, Mirror, RunId, Snapshot};
use crate::record::Stream;
use jiff::Timestamp;
use std::path::Path;

/// Writes for each stream and format a file with the changes since the last one, where there are any, and announces
/// them in the manifest. Everything is read from one state of the mirror; a stream is read once for all formats, and
/// memory doesn't grow with the number of rows. Blocks; the caller holds the mirror's process lock.
///
/// When this returns, the files, the manifest and the mirror's copy of it are durable. Exporting again without a
/// change in between writes nothing, neither to the folder nor to the mirror.
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
    let (mut manifest, front) = open(mirror, &settings.dir)?;
    let removed = clean_up(&settings.dir, &manifest, false)?;
    bring_in_step(mirror, &manifest.lines)?;
    let (head_seq, written) = write(mirror, settings, &manifest.lines, front.as_ref(), run, now)?;
    let files = publish(&mut manifest, written)?;
    record(mirror, &files)?;
    let (existing, pruned) = (Vec::new(), Vec::new());
    let exported = Exported { head_seq, files, existing, removed, pruned, not_pruned: None };
    Ok(exported.with_pruning(mirror, settings, now))
}

/// Reads the manifest with the front that was pruned from it, and refuses one that is not of this mirror as it is now.
fn open(mirror: &mut Mirror, dir: &Path) -> Result<(Manifest, Option<Front>), ExportError> {
    let own = mirror.id().to_owned();
    let snapshot = mirror.snapshot()?;
    let (head, fronts) = (snapshot.head()?, pruned::read(&snapshot)?);
    let manifest = Manifest::read(dir)?;
    check(dir, &manifest.lines, &own, head)?;
    super::verify::check_unknown(&snapshot, dir, &manifest.lines)?;
    let front = pruned::in_force(&fronts, &manifest.lines).cloned();
    if front.is_none() && manifest.lines.first().is_some_and(|line| line.previous.is_some()) {
        return Err(ExportError::FrontLost { path: dir.join(MANIFEST) });
    }
    Ok((manifest, front))
}

/// Refuses a manifest that is not of this mirror as it is now.
pub(super) fn check(dir: &Path, lines: &[ManifestLine], own: &str, head_seq: i64) -> Result<(), ExportError> {
    let dir = dir.to_owned();
    plan::check(lines, own, head_seq).map_err(|refusal| match refusal {
        Refusal::OtherMirror(line) => {
            ExportError::OtherMirror { dir, found: line.mirror_id.clone(), own: own.to_owned() }
        }
        Refusal::AheadOfMirror(line) => {
            ExportError::AheadOfMirror { dir, stream: line.stream.clone(), last_seq: line.last_seq, head_seq }
        }
    })
}

/// Removes what killed exports left below `root`: temporary files, and files that were never announced and whose range
/// would overlap the next one's. Returns their paths relative to `root`.
pub(super) fn clean_up(
    root: &Path,
    manifest: &Manifest,
    snapshots: bool,
) -> Result<Vec<String>, ExportError> {
    let mut found = Vec::new();
    for stream in Stream::ALL {
        let names = file::names(&root.join(stream.name()))?;
        found.push((stream, plan::leftovers(&names, stream, snapshots, &manifest.lines)));
    }
    if manifest.lines.is_empty() {
        let unannounced: Vec<FileName> =
            found.iter().flat_map(|(_, found)| found.unannounced.clone()).collect();
        if let Some(name) = plan::proof_of_lost_manifest(&unannounced) {
            return Err(ExportError::ManifestLost { manifest: root.join(MANIFEST), file: name.path() });
        }
    }
    let mut removed = manifest.clean_up()?;
    for (stream, found) in found {
        removed.extend(found.temporary.iter().map(|name| format!("{stream}/{name}")));
        removed.extend(found.unannounced.iter().map(FileName::path));
    }
    let in_streams = removed.iter().filter(|path| path.contains('/'));
    in_streams.map(|path| root.join(path)).try_for_each(|path| file::remove(&path))?;
    Ok(removed)
}

/// Makes the mirror's copy say what the manifest says. Writes nothing where it does.
pub(super) fn bring_in_step(mirror: &mut Mirror, lines: &[ManifestLine]) -> Result<(), ExportError> {
    let mut announced: Vec<ExportFile> = lines.iter().map(ManifestLine::to_export_file).collect();
    announced.sort_by(|a, b| (&a.stream, &a.format, a.first_seq).cmp(&(&b.stream, &b.format, b.first_seq)));
    let copied = mirror.snapshot()?.exports()?;
    if copied != announced {
        let mut batch = mirror.batch()?;
        batch.replace_exports(&announced)?;
        batch.commit()?;
    }
    Ok(())
}

/// Writes what is new under temporary names, all from one state of the mirror. Returns the newest change's number too.
pub(super) fn write(
    mirror: &mut Mirror,
    settings: &Settings,
    lines: &[ManifestLine],
    front: Option<&Front>,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<(i64, Vec<Written>), ExportError> {
    let origin = Origin { mirror_id: mirror.id().to_owned(), run, now };
    let snapshot = mirror.snapshot()?;
    let head = snapshot.head()?;
    let mut written = Vec::new();
    for plan in plan::plan(lines, front, head, &settings.formats) {
        for file in write_stream(&snapshot, settings, &plan, head)? {
            written.push(file.finish(&origin)?);
        }
    }
    Ok((head, written))
}

/// A format of a stream that is behind, and its file once there is a row for it.
struct Output {
    format: Format,
    position: i64,
    file: Option<StreamFile>,
}

/// Reads a stream once, and hands each row to the formats that don't have it.
fn write_stream(
    snapshot: &Snapshot<'_>,
    settings: &Settings,
    plan: &StreamPlan,
    head: i64,
) -> Result<Vec<StreamFile>, ExportError> {
    let mut outputs: Vec<Output> = plan
        .outputs
        .iter()
        .map(|(format, position)| Output { format: *format, position: *position, file: None })
        .collect();
    snapshot.changes(plan.stream, plan.after(), |change| {
        for output in outputs.iter_mut().filter(|output| output.position < change.seq) {
            let file = match &mut output.file {
                Some(file) => file,
                none => {
                    let covers = Covers::Changes { first_seq: output.position + 1, last_seq: head };
                    let (format, compression) = (output.format, settings.compression);
                    let name = FileName { stream: plan.stream, covers, format, compression };
                    none.insert(StreamFile::begin(&settings.dir, name, settings.csv_formula_guard)?)
                }
            };
            file.write(&change)?;
        }
        Ok::<(), ExportError>(())
    })?;
    Ok(outputs.into_iter().filter_map(|output| output.file).collect())
}

/// Gives complete files their names, then announces them. Returns their lines. Without files nothing is written.
pub(super) fn publish(
    manifest: &mut Manifest,
    written: Vec<Written>,
) -> Result<Vec<ManifestLine>, ExportError> {
    if written.is_empty() {
        return Ok(Vec::new());
    }
    let known = manifest.lines.len();
    let (files, lines): (Vec<_>, Vec<_>) =
        written.into_iter().map(|written| (written.file, written.line)).unzip();
    let files = Unannounced::publish(files)?;
    lines.into_iter().try_for_each(|line| manifest.add(line))?;
    failpoint::reached(Place::BeforeManifest);
    manifest.announce(files)?;
    failpoint::reached(Place::BeforeCopy);
    Ok(manifest.lines[known..].to_vec())
}

/// Adds announced files to the mirror's copy.
fn record(mirror: &mut Mirror, files: &[ManifestLine]) -> Result<(), ExportError> {
    if files.is_empty() {
        return Ok(());
    }
    let mut batch = mirror.batch()?;
    files.iter().try_for_each(|line| batch.add_export(&line.to_export_file()))?;
    Ok(batch.commit()?)
}
