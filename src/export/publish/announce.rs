//! Complete files become part of the export: they get their names, then the manifest names them.

use super::file_writer::StagedFile;
use crate::export::error::ExportError;
use crate::export::manifest::{Manifest, ManifestLine};
use crate::export::storage::UnannouncedFiles;
use crate::failpoint::{self, Place};

/// Gives complete files their names, then announces them. Returns their lines. Without files nothing is written, but for a
/// manifest without lines where there was none.
pub(in crate::export) fn announce(
    manifest: &mut Manifest,
    written: Vec<StagedFile>,
) -> Result<Vec<ManifestLine>, ExportError> {
    if written.is_empty() && manifest.exists() {
        return Ok(Vec::new());
    }
    let (files, lines): (Vec<_>, Vec<_>) =
        written.into_iter().map(|written| (written.file, written.line)).unzip();
    let files = UnannouncedFiles::publish(files)?;
    failpoint::reached(Place::BeforeManifest);
    let lines = manifest.append(lines, files)?;
    failpoint::reached(Place::BeforeAnchor);
    Ok(lines)
}
