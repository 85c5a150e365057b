//! An export file on its way from the disk: counted and digested as it lies there, unpacked, taken apart into rows.

use crate::export::destination::{Destination, StoredFile};
use crate::export::error::ExportError;
use crate::export::formats::{Dialect, Rows, Unreadable, decompressor};
use crate::export::layout::FileName;
use crate::hex::hex;
use crate::mirror::ExportFile;
use sha2::{Digest, Sha256};
use std::io::{self, Read};

const BUFFER: usize = 64 * 1024;

/// A file's bytes, counted and digested as they pass.
pub(in crate::export) struct Source {
    file: Box<dyn StoredFile>,
    sha256: Sha256,
    bytes: u64,
}

impl Source {
    pub(in crate::export) fn open(destination: &dyn Destination, name: &str) -> io::Result<Source> {
        Ok(Source { file: destination.open(name)?, sha256: Sha256::new(), bytes: 0 })
    }

    /// Reads what nobody has read, and returns the size and the digest of the whole, lower-case hex.
    pub(in crate::export) fn finish(mut self) -> io::Result<(u64, String)> {
        let mut buffer = vec![0; BUFFER];
        while self.read(&mut buffer)? > 0 {}
        Ok((self.bytes, hex(&self.sha256.finalize())))
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.sha256.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Whether the file lies there as it was announced. Reads the whole file.
pub(in crate::export) fn is_as_announced(
    destination: &dyn Destination,
    file: &ExportFile,
) -> io::Result<bool> {
    let (bytes, sha256) = Source::open(destination, &file.path)?.finish()?;
    Ok((bytes, &sha256) == (file.bytes, &file.sha256))
}

/// Whether the file lies there as it was announced; a lost one doesn't. Reads the whole file.
///
/// # Errors
/// When it can't be read.
pub(in crate::export) fn is_whole(
    destination: &dyn Destination,
    file: &ExportFile,
) -> Result<bool, ExportError> {
    match is_as_announced(destination, file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        read => read.map_err(ExportError::io("read", &destination.place(&file.path))),
    }
}

/// Begins to read the rows of a file of that name and dialect.
pub(in crate::export) fn read_rows<'s>(
    source: &'s mut Source,
    name: FileName,
    dialect: Dialect,
) -> Result<Rows<'s>, Unreadable> {
    let plain = decompressor(name.compression, source)
        .map_err(|error| Unreadable { row: 0, what: format!("it can't be unpacked: {error}") })?;
    name.format.rows(plain, name.stream, dialect)
}

/// Begins to read the rows of a file of that name, path and dialect, which says why where it can't be decoded.
pub(in crate::export) fn open_rows(
    destination: &dyn Destination,
    path: &str,
    name: FileName,
    dialect: Dialect,
) -> io::Result<Rows<'static>> {
    let plain = decompressor(name.compression, destination.open(path)?)?;
    name.format.rows(plain, name.stream, dialect).map_err(|error| io::Error::other(error.what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::destination;
    use crate::export::layout::Kind;

    #[test]
    fn the_whole_file_is_digested_however_much_of_it_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let destination = destination::of(&dir.path().into(), Kind::Changes);
        let content = vec![b'x'; 3 * BUFFER + 7];
        std::fs::write(dir.path().join("f"), &content).unwrap();
        for read in [0, 1, BUFFER + 1] {
            let mut source = Source::open(&*destination, "f").unwrap();
            source.read_exact(&mut vec![0; read]).unwrap();
            let (bytes, sha256) = source.finish().unwrap();
            assert_eq!((bytes, sha256), (content.len() as u64, hex(&Sha256::digest(&content))));
        }
        assert!(Source::open(&*destination, "").is_err());
        assert!(Source::open(&*destination, "absent").is_err());
    }
}
