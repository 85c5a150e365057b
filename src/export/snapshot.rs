//! The export of the whole current state.

use super::manifest::Manifest;
use super::name::{Covers, FileName};
use super::stream_file::{Origin, StreamFile, Written};
use super::{ExportError, Exported, Format, Settings, incremental, plan, verify};
use crate::mirror::{Mirror, RunId, Snapshot};
use crate::record::Stream;
use jiff::Timestamp;
use std::path::Path;

/// Where snapshots stand in the export folder.
pub(super) const FOLDER: &str = "snapshots";

/// Writes every stream's rows as they are now, each as an insert with the number and time of its newest change, to
/// `DIR/snapshots`, and announces the files in the manifest there. An empty stream gives a file too. Positions of
/// [`super::export`] don't move. A snapshot of this very state that lies there in the same form is reported, not
/// written again. Blocks; the caller holds the mirror's process lock.
///
/// When this returns, files and manifest are durable.
///
/// # Errors
/// As [`super::export`].
pub fn export_snapshot(
    mirror: &mut Mirror,
    settings: &Settings,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<Exported, ExportError> {
    let origin = Origin { mirror_id: mirror.id().to_owned(), run, now };
    let snapshot = mirror.snapshot()?;
    let head_seq = snapshot.head()?;
    // A folder belongs to one mirror as a whole.
    let changes = Manifest::read(&settings.dir)?;
    incremental::check(&settings.dir, &changes.lines, &origin.mirror_id, head_seq)?;
    verify::check_unknown(&snapshot, &settings.dir, &changes.lines)?;
    let root = settings.dir.join(FOLDER);
    let mut manifest = Manifest::read(&root)?;
    incremental::check(&settings.dir, &manifest.lines, &origin.mirror_id, head_seq)?;
    let removed = incremental::clean_up(&root, &manifest, true)?;

    let (mut existing, mut written) = (Vec::new(), Vec::new());
    for stream in Stream::ALL {
        let mut missing = Vec::new();
        for format in plan::distinct(&settings.formats) {
            let covers = Covers::State { head_seq };
            let name = FileName { stream, covers, format, compression: settings.compression };
            let announced = manifest.lines.iter().rev().find(|line| line.path == name.path());
            let guarded = settings.csv_formula_guard && format == Format::Csv;
            let announced = announced.filter(|line| line.csv_formula_guard == guarded);
            match announced.filter(|line| lies_there(&root.join(&line.path), line.bytes)) {
                Some(line) => existing.push(line.clone()),
                None => missing.push(name),
            }
        }
        written.extend(write_stream(
            &snapshot,
            &root,
            stream,
            &missing,
            settings.csv_formula_guard,
            &origin,
        )?);
    }
    drop(snapshot);
    let files = incremental::publish(&mut manifest, written)?;
    let exported = Exported { head_seq, files, existing, removed, pruned: Vec::new(), not_pruned: None };
    Ok(exported.with_pruning(mirror, settings, now))
}

/// A file that was moved away since it was announced is written anew.
fn lies_there(path: &Path, bytes: u64) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.len() == bytes)
}

/// Reads a stream once, and writes it to a file for each name.
fn write_stream(
    snapshot: &Snapshot<'_>,
    root: &Path,
    stream: Stream,
    names: &[FileName],
    guarded: bool,
    origin: &Origin,
) -> Result<Vec<Written>, ExportError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut files: Vec<StreamFile> =
        names.iter().map(|name| StreamFile::begin(root, *name, guarded)).collect::<Result<_, _>>()?;
    snapshot.rows(stream, |change| files.iter_mut().try_for_each(|file| file.write(&change)))?;
    files.into_iter().map(|file| file.finish(origin)).collect()
}
