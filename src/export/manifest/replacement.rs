//! A manifest that is going to stand in another one's place: written as a stream beside it, then put there atomically.

use super::line::{ManifestLine, digest};
use super::lines::Entry;
use super::reached::End;
use crate::export::error::ExportError;
use crate::export::layout::MANIFEST;
use crate::export::storage::{self, CompleteFile, FileContent, TemporaryFile};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A manifest under its temporary name. Dropped before it is put in its place, it is gone.
pub(super) struct Replacement {
    temporary: TemporaryFile,
    disk: FileContent,
    bytes: u64,
    lines: usize,
}

impl Replacement {
    pub(super) fn begin(folder: &Path) -> Result<Replacement, ExportError> {
        let (temporary, disk) = TemporaryFile::create(folder, MANIFEST)?;
        Ok(Replacement { temporary, disk, bytes: 0, lines: 0 })
    }

    /// Takes over the old manifest's bytes with these numbers, counted from 0. It has `found` bytes; where these are fewer, its
    /// last line's end is missing.
    pub(super) fn copy(&mut self, from: u64, to: u64, found: u64) -> Result<(), ExportError> {
        let wanted = to.min(found).saturating_sub(from);
        let copied = File::open(self.temporary.target())
            .and_then(|mut old| old.seek(SeekFrom::Start(from)).map(|_| old))
            .and_then(|old| io::copy(&mut old.take(wanted), &mut self.disk))
            .map_err(ExportError::io("written", self.temporary.target()))?;
        if copied != wanted {
            let shorter = io::Error::other("it has become shorter while it was read");
            return Err(ExportError::io("read", self.temporary.target())(shorter));
        }
        if found < to { self.write(b"\n") } else { Ok(()) }
    }

    /// Writes a line of ours. Returns how far the manifest reaches then.
    pub(super) fn line(&mut self, line: &ManifestLine) -> Result<End, ExportError> {
        let text = serde_json::to_vec(line)
            .map_err(|error| ExportError::io("written", self.temporary.target())(error.into()))?;
        self.text(&text)
    }

    /// Writes an old line as it is, but for the digest of the line before it.
    pub(super) fn retied(&mut self, entry: &Entry<'_>, previous: Option<&str>) -> Result<End, ExportError> {
        let text = retied(entry, previous).ok_or_else(|| ExportError::ManifestLine {
            path: self.temporary.target().to_owned(),
            line: entry.number,
            reason: "its tie to the line before it stands there more than once".to_owned(),
        })?;
        self.text(&text)
    }

    fn text(&mut self, text: &[u8]) -> Result<End, ExportError> {
        self.write(text)?;
        self.write(b"\n")?;
        let last_from = self.bytes;
        self.lines += 1;
        self.bytes += text.len() as u64 + 1;
        Ok(End { bytes: self.bytes, lines: self.lines, last_from, last_line: digest(text) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.disk.write_all(bytes).map_err(ExportError::io("written", self.temporary.target()))
    }

    /// Ends it. Durable under its temporary name on return.
    pub(super) fn complete(self) -> Result<CompleteFile, ExportError> {
        self.temporary.complete(storage::finish_content(self.disk))
    }
}

/// A line's text with another `previous`; `None` where it can't be told in the text.
pub(super) fn retied<'l>(entry: &Entry<'l>, previous: Option<&str>) -> Option<Cow<'l, [u8]>> {
    let (Some(old), Some(new)) = (entry.line.previous.as_deref(), previous) else {
        return Some(entry.text.into());
    };
    if old == new {
        return Some(entry.text.into());
    }
    let (front, back) = std::str::from_utf8(entry.text).ok()?.split_once(old)?;
    (!back.contains(old)).then(|| format!("{front}{new}{back}").into_bytes().into())
}
