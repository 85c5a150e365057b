//! A manifest as a stream of lines: one of them is in memory, however many there are.

use super::line::{ManifestLine, parse_line};
use crate::export::error::ExportError;
use crate::export::layout::MANIFEST;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

const BUFFER: usize = 64 * 1024;

/// Reads a manifest's lines, oldest first.
pub(in crate::export) struct Lines<R = BufReader<File>> {
    path: PathBuf,
    source: Option<R>,
    number: usize,
    end: u64,
    text: Vec<u8>,
}

/// A line of a manifest as it stands there.
#[derive(Debug)]
pub(in crate::export) struct Entry<'l> {
    /// Counted from 1.
    pub(in crate::export) number: usize,
    /// Where the next line begins, in bytes.
    pub(in crate::export) end: u64,
    /// Without its line end.
    pub(in crate::export) text: &'l [u8],
    pub(in crate::export) line: ManifestLine,
}

impl Lines {
    /// Opens the manifest in `folder`; where there is none, it has no lines.
    pub(in crate::export) fn open(folder: &Path) -> Result<Lines, ExportError> {
        let path = folder.join(MANIFEST);
        let source = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            file => Some(file.map_err(ExportError::io("read", &path))?),
        };
        Ok(Lines::of(path, source.map(|file| BufReader::with_capacity(BUFFER, file))))
    }

    /// The file that is being read, for whoever wants its bytes afterwards; `None` where there is none.
    pub(in crate::export) fn into_file(self) -> Option<File> {
        self.source.map(BufReader::into_inner)
    }
}

impl<R: BufRead> Lines<R> {
    /// The lines that `source` holds, which stands at `path`.
    pub(in crate::export) fn of(path: PathBuf, source: Option<R>) -> Lines<R> {
        Lines { path, source, number: 0, end: 0, text: Vec::new() }
    }

    /// The next line; `None` behind the last one.
    ///
    /// # Errors
    /// When the file can't be read, or the line is not what this program writes.
    pub(in crate::export) fn next(&mut self) -> Result<Option<Entry<'_>>, ExportError> {
        let Some(source) = &mut self.source else { return Ok(None) };
        self.text.clear();
        let read = source.read_until(b'\n', &mut self.text).map_err(ExportError::io("read", &self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.end += read as u64;
        let text = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
        match parse_line(text) {
            Ok(line) => Ok(Some(Entry { number: self.number, end: self.end, text, line })),
            Err(reason) => {
                Err(ExportError::ManifestLine { path: self.path.clone(), line: self.number, reason })
            }
        }
    }
}

/// Whether a file's last byte ends a line; an empty file needs no end.
pub(in crate::export) fn is_ended(file: &File, bytes: u64) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let mut last = [b'\n'];
    if bytes > 0 {
        file.read_exact_at(&mut last, bytes - 1)?;
    }
    Ok(last == [b'\n'])
}
