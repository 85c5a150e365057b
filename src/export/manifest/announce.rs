//! Complete files become part of the export: they get their names, then the manifest names them.

use super::line::ManifestLine;
use super::open_manifest::Manifest;
use crate::export::data_package;
use crate::export::destination::{CompleteFile, Destination};
use crate::export::error::ExportError;
use crate::export::layout::MANIFEST;
use crate::failpoint::{self, Place};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A file that is complete under no final name, and the line that will announce it.
pub(in crate::export) struct StagedFile {
    pub(in crate::export) file: CompleteFile,
    pub(in crate::export) line: ManifestLine,
}

/// Files with their names that are not announced yet. Dropped before [`Unannounced::keep`], they are removed, as far as that
/// is possible; what stays is found by the next export.
struct Unannounced {
    destination: Arc<dyn Destination>,
    names: Vec<String>,
}

impl Unannounced {
    fn keep(mut self) {
        self.names.clear();
    }
}

impl Drop for Unannounced {
    fn drop(&mut self) {
        for name in &self.names {
            // An error is being reported already; the next export removes what could not be removed here.
            let _ = self.destination.remove(name);
        }
    }
}

impl Manifest {
    /// Gives complete files their names, then adds their lines at the manifest's end with a single write, tied to it; what
    /// stood behind its last line's end is taken away. Durable on return. Returns the lines as they stand there. Without files
    /// nothing is written, but for a manifest without lines where there was none. With files, the data package is put
    /// there before they get their names.
    ///
    /// # Errors
    /// When a file can't get its name, or the manifest can't be written or has changed since it was read. Then nothing is
    /// announced, and the files are removed.
    pub(in crate::export) fn announce(
        &mut self,
        written: Vec<StagedFile>,
    ) -> Result<Vec<ManifestLine>, ExportError> {
        if written.is_empty() && self.found.is_some() {
            return Ok(Vec::new());
        }
        if !written.is_empty() {
            data_package::keep_current(&*self.destination)?;
        }
        let mut files = Unannounced { destination: self.destination.clone(), names: Vec::new() };
        let (mut lines, mut folders) = (Vec::new(), BTreeSet::new());
        for StagedFile { file, line } in written {
            folders.insert(file.folder().to_owned());
            file.publish(None)?;
            files.names.push(line.path.clone());
            lines.push(line);
        }
        folders.iter().try_for_each(|folder| self.settle(folder))?;
        failpoint::reached(Place::BeforeManifest);
        self.append(&mut lines, files)?;
        failpoint::reached(Place::BeforeAnchor);
        Ok(lines)
    }

    fn append(&mut self, lines: &mut [ManifestLine], files: Unannounced) -> Result<(), ExportError> {
        let (path, mut text, mut reached) = (self.path(), Vec::new(), self.reached.clone());
        let (found, end) = (self.found.unwrap_or(0), reached.end.as_ref().map_or(0, |end| end.bytes));
        if found < end {
            // The last line lacks its end.
            text.push(b'\n');
        }
        let at = end - text.len() as u64;
        for line in lines {
            line.previous = reached.end.as_ref().map(|end| end.last_line.clone());
            let begin = text.len();
            let encoded = serde_json::to_writer(&mut text, line);
            encoded.map_err(|error| ExportError::io("written", &path)(error.into()))?;
            reached.add(&text[begin..], line);
            text.push(b'\n');
        }
        match self.destination.append(MANIFEST, found, at, &text) {
            Ok(()) => files.keep(),
            Err(failed) => {
                if !failed.is_undone {
                    // The manifest may name them.
                    files.keep();
                }
                return Err(ExportError::io("written", &path)(failed.error));
            }
        }
        (self.found, self.reached) = (Some(at + text.len() as u64), reached);
        Ok(())
    }

    /// Makes durable which names a folder has.
    pub(in crate::export) fn settle(&self, folder: &str) -> Result<(), ExportError> {
        let place = self.destination.place(folder);
        self.destination.settle(folder).map_err(ExportError::io("synced", &place))
    }
}
