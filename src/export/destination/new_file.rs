//! A new file as an export writes it: buffered, counted and digested on its way to any destination.

use super::{Destination, Staged, Upload, folder_of};
use crate::export::error::ExportError;
use crate::failpoint::{self, Place};
use crate::hex::hex;
use sha2::{Digest, Sha256};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

const BUFFER: usize = 64 * 1024;

/// A file that is being written. Dropped before it is finished, it is removed.
pub(in crate::export) struct NewFile {
    name: String,
    place: PathBuf,
    content: BufWriter<Digested>,
}

/// Bytes on their way, counted and digested as they will lie there.
struct Digested {
    upload: Box<dyn Upload>,
    sha256: Sha256,
    bytes: u64,
}

impl Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.upload.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.upload.flush()
    }
}

impl NewFile {
    /// Begins a file that is to have this name.
    pub(in crate::export) fn begin(
        destination: &dyn Destination,
        name: &str,
    ) -> Result<NewFile, ExportError> {
        let place = destination.place(name);
        let upload = destination.put(name).map_err(ExportError::io("created", &place))?;
        let digested = Digested { upload, sha256: Sha256::new(), bytes: 0 };
        Ok(NewFile { name: name.to_owned(), place, content: BufWriter::with_capacity(BUFFER, digested) })
    }

    /// Ends its content, which is durable on return, under no final name.
    pub(in crate::export) fn finish(self) -> io::Result<CompleteFile> {
        let Digested { upload, sha256, bytes } =
            self.content.into_inner().map_err(|error| error.into_error())?;
        let (staged, sha256) = (upload.finish()?, hex(&sha256.finalize()));
        Ok(CompleteFile { name: self.name, place: self.place, staged, bytes, sha256 })
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.content.flush()
    }
}

/// A file that is complete and durable under no final name. Dropped, it is removed.
pub(in crate::export) struct CompleteFile {
    name: String,
    place: PathBuf,
    staged: Box<dyn Staged>,
    /// Its size.
    pub(in crate::export) bytes: u64,
    /// Of its content, lower-case hex.
    pub(in crate::export) sha256: String,
}

impl CompleteFile {
    /// Gives it its name; with `expected`, only in the place of a file of that size. Durable once its folder is settled.
    pub(in crate::export) fn publish(self, expected: Option<u64>) -> Result<(), ExportError> {
        failpoint::reached(Place::BeforeRename);
        self.staged.publish(expected).map_err(ExportError::io("given its name", &self.place))
    }

    /// Gives it its name, in the place of another file. Durable on return.
    pub(in crate::export) fn replace(self, destination: &dyn Destination) -> Result<(), ExportError> {
        let folder = self.folder().to_owned();
        self.publish(None)?;
        destination.settle(&folder).map_err(ExportError::io("synced", &destination.place(&folder)))
    }

    /// The folder that is to be settled then.
    pub(in crate::export) fn folder(&self) -> &str {
        folder_of(&self.name)
    }
}

/// The error of a file whose writing came to no end.
pub(in crate::export) fn abandoned() -> io::Error {
    io::Error::other("its writing was given up")
}
