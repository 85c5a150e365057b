//! A manifest that is going to stand in another one's place: written as a stream beside it, then put there atomically.

use super::line::{ManifestLine, digest};
use crate::export::error::ExportError;
use crate::export::layout::MANIFEST;
use crate::export::storage::{self, FileContent, TemporaryFile, UnannouncedFiles};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A manifest under its temporary name. Dropped before [`Replacement::announce`], it is gone.
pub(super) struct Replacement<'m> {
    folder: &'m Path,
    temporary: TemporaryFile,
    disk: FileContent,
    line: Vec<u8>,
}

impl<'m> Replacement<'m> {
    pub(super) fn begin(folder: &'m Path) -> Result<Replacement<'m>, ExportError> {
        let (temporary, disk) = TemporaryFile::create(folder, MANIFEST)?;
        Ok(Replacement { folder, temporary, disk, line: Vec::new() })
    }

    /// Takes over the old manifest's bytes with these numbers, counted from 0.
    pub(super) fn copy(&mut self, mut old: &File, from: u64, to: u64) -> Result<(), ExportError> {
        let wanted = to.saturating_sub(from);
        let copied = old
            .seek(SeekFrom::Start(from))
            .and_then(|_| io::copy(&mut old.take(wanted), &mut self.disk))
            .map_err(ExportError::io("written", self.temporary.target()))?;
        if copied == wanted {
            return Ok(());
        }
        let shorter = io::Error::other("it has become shorter while it was read");
        Err(ExportError::io("read", self.temporary.target())(shorter))
    }

    /// Writes a line as it is, given without its end.
    pub(super) fn text(&mut self, line: &[u8]) -> Result<(), ExportError> {
        self.bytes(line)?;
        self.end_line()
    }

    pub(super) fn end_line(&mut self) -> Result<(), ExportError> {
        self.bytes(b"\n")
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.disk.write_all(bytes).map_err(ExportError::io("written", self.temporary.target()))
    }

    /// Writes a line of ours. Returns its digest.
    pub(super) fn line(&mut self, line: &ManifestLine) -> Result<String, ExportError> {
        let mut text = std::mem::take(&mut self.line);
        text.clear();
        serde_json::to_writer(&mut text, line)
            .map_err(|error| ExportError::io("written", self.temporary.target())(error.into()))?;
        self.text(&text)?;
        let digest = digest(&text);
        self.line = text;
        Ok(digest)
    }

    /// Puts it in the old one's place, atomically and durably. The files that it announces for the first time stay
    /// from then on; when it can't be put there, they are removed.
    pub(super) fn announce(self, files: UnannouncedFiles) -> Result<(), ExportError> {
        self.temporary.complete(storage::finish_content(self.disk))?.publish()?;
        // From here on the manifest names them, even if the power fails before its folder is synced.
        files.keep();
        storage::sync_folder(self.folder)
    }
}
