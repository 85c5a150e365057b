//! A manifest as a stream of lines: one of them is in memory, however many there are.
//!
//! A line counts once it ends. What stands behind the last line's end is an addition that was cut off, or is being made
//! just now: it is passed over, unless it is a whole line that follows the one before it and lacks only its end.

use super::anchors::Anchors;
use super::line::{ManifestLine, digest, parse_line};
use super::reached::{End, Reached};
use crate::export::destination::{Destination, StoredFile};
use crate::export::error::ExportError;
use crate::export::layout::MANIFEST;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

const BUFFER: usize = 64 * 1024;

/// Reads a manifest's lines, oldest first.
pub(in crate::export) struct Lines<R = BufReader<Box<dyn StoredFile>>> {
    path: PathBuf,
    source: Option<R>,
    /// How many lines were read or skipped.
    number: usize,
    /// Where they end.
    bytes: u64,
    /// The digest of the last one.
    before: Option<String>,
    text: Vec<u8>,
}

/// A line of a manifest as it stands there.
#[derive(Debug)]
pub(in crate::export) struct Entry<'l, L = ManifestLine> {
    /// Counted from 1.
    pub(in crate::export) number: usize,
    /// How far the manifest reaches with it.
    pub(in crate::export) place: End,
    /// Without its line end.
    pub(in crate::export) text: &'l [u8],
    /// The digest of the line before it; `None` of the first one.
    pub(in crate::export) before: Option<String>,
    pub(in crate::export) line: L,
}

impl Lines {
    /// Opens the manifest; where there is none, it has no lines.
    pub(in crate::export) fn open(destination: &dyn Destination) -> Result<Lines, ExportError> {
        let path = destination.place(MANIFEST);
        let source = match destination.open(MANIFEST) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            file => Some(file.map_err(ExportError::io("read", &path))?),
        };
        Ok(Lines::of(path, source.map(|file| BufReader::with_capacity(BUFFER, file))))
    }

    /// Opens the manifest behind what the mirror remembers of it, and tells what that is; at its beginning where
    /// the manifest doesn't hold that.
    pub(in crate::export) fn behind(
        destination: &dyn Destination,
        anchors: &Anchors,
    ) -> Result<(Lines, Option<Reached>), ExportError> {
        let mut lines = Lines::open(destination)?;
        let Some(source) = &mut lines.source else { return Ok((lines, None)) };
        let file = source.get_mut();
        let fitting = anchors.fitting(|from, to| {
            let mut found = Vec::new();
            file.seek(SeekFrom::Start(from))?;
            file.take(to.saturating_sub(from)).read_to_end(&mut found)?;
            Ok(found)
        });
        let reached = fitting.map_err(ExportError::io("read", &lines.path))?.cloned();
        if let Some(end) = reached.as_ref().and_then(|reached| reached.end.clone()) {
            (lines.number, lines.bytes, lines.before) = (end.lines, end.bytes, Some(end.last_line));
        }
        source.seek(SeekFrom::Start(lines.bytes)).map_err(ExportError::io("read", &lines.path))?;
        Ok((lines, reached))
    }
}

impl<R: BufRead> Lines<R> {
    /// The lines that `source` holds, which stands at `path`.
    pub(in crate::export) fn of(path: PathBuf, source: Option<R>) -> Lines<R> {
        Lines { path, source, number: 0, bytes: 0, before: None, text: Vec::new() }
    }

    /// The next line; `None` behind the last one.
    ///
    /// # Errors
    /// When the file can't be read, or the line is not what this program writes behind the one before it.
    pub(in crate::export) fn next(&mut self) -> Result<Option<Entry<'_>>, ExportError> {
        let path = self.path.clone();
        let Some(Entry { number, place, text, before, line }) = self.next_found()? else { return Ok(None) };
        match line.and_then(|line| tied(line, before.as_deref())) {
            Ok(line) => Ok(Some(Entry { number, place, text, before, line })),
            Err(reason) => Err(ExportError::ManifestLine { path, line: number, reason }),
        }
    }

    /// The next line, whether or not it can be read and follows the one before it; `None` behind the last one.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(in crate::export) fn next_found(
        &mut self,
    ) -> Result<Option<Entry<'_, Result<ManifestLine, String>>>, ExportError> {
        let Some(source) = &mut self.source else { return Ok(None) };
        self.text.clear();
        source.read_until(b'\n', &mut self.text).map_err(ExportError::io("read", &self.path))?;
        let is_ended = self.text.pop_if(|byte| *byte == b'\n').is_some();
        if !is_ended && self.text.is_empty() {
            return Ok(None);
        }
        let line = parse_line(&self.text);
        if !is_ended && line.clone().and_then(|line| tied(line, self.before.as_deref())).is_err() {
            return Ok(None);
        }
        let digest = digest(&self.text);
        let last_from = self.bytes;
        self.number += 1;
        self.bytes += self.text.len() as u64 + 1;
        let before = self.before.replace(digest.clone());
        let place = End { bytes: self.bytes, lines: self.number, last_from, last_line: digest };
        Ok(Some(Entry { number: self.number, place, text: &self.text, before, line }))
    }
}

/// A line that carries the digest of the line before it. What the first one follows is left to the caller.
fn tied(line: ManifestLine, before: Option<&str>) -> Result<ManifestLine, String> {
    match before {
        Some(before) if line.previous.as_deref() != Some(before) => {
            Err("it is not tied to the line before it".to_owned())
        }
        _ => Ok(line),
    }
}
