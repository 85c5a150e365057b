//! A file of a local folder on its way: under a temporary name beside its place, synced while it grows, then renamed.

use super::new_file::abandoned;
use super::{Staged, Upload, written_by_others};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use tempfile::TempPath;

/// Readable by owner and group, whatever the umask.
pub(super) const FILE_MODE: u32 = 0o640;

/// A growing file is synced each time that it has grown by so many bytes.
const STRIDE: u64 = 16 * 1024 * 1024;

/// A temporary file beside its place.
pub(super) struct LocalUpload {
    file: File,
    temporary: TempPath,
    target: PathBuf,
    bytes: u64,
    syncing: Option<Syncing>,
}

impl LocalUpload {
    pub(super) fn new(file: File, temporary: TempPath, target: PathBuf) -> LocalUpload {
        LocalUpload { file, temporary, target, bytes: 0, syncing: None }
    }
}

impl Write for LocalUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        let strides = self.bytes / STRIDE;
        self.bytes += written as u64;
        if self.bytes / STRIDE > strides {
            let syncing = match self.syncing.take() {
                Some(syncing) => syncing,
                None => Syncing::begin(self.file.try_clone()?)?,
            };
            self.syncing.insert(syncing).sync();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl LocalUpload {
    pub(super) fn complete(self) -> io::Result<LocalStaged> {
        self.syncing.map_or(Ok(()), Syncing::end)?;
        self.file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        self.file.sync_all()?;
        Ok(LocalStaged { temporary: self.temporary, target: self.target })
    }
}

impl Upload for LocalUpload {
    fn finish(self: Box<Self>) -> io::Result<Box<dyn Staged>> {
        Ok(Box::new(self.complete()?))
    }
}

/// Syncs a file while it grows, so that the disk is at work all the time and the file's end has little to wait for.
struct Syncing {
    wanted: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Syncing {
    fn begin(file: File) -> io::Result<Syncing> {
        let (wanted, each) = sync_channel(1);
        let sync = move || each.iter().try_for_each(|()| file.sync_data());
        let thread = thread::Builder::new().name("export-sync".to_owned()).spawn(sync)?;
        Ok(Syncing { wanted, thread })
    }

    /// Doesn't wait: where the disk lags behind, one sync stands for several.
    fn sync(&self) {
        // One that has failed says so at the end.
        let _ = self.wanted.try_send(());
    }

    /// The system tells of a write that failed once, to whoever syncs next: what was told here counts for the file.
    fn end(self) -> io::Result<()> {
        drop(self.wanted);
        self.thread.join().unwrap_or_else(|_| Err(abandoned()))
    }
}

/// A complete file under its temporary name.
pub(super) struct LocalStaged {
    temporary: TempPath,
    target: PathBuf,
}

#[cfg(feature = "lake")]
impl LocalStaged {
    /// Gives it its name, unless a file of that name is there. Returns whether it did.
    pub(super) fn publish_new(self) -> io::Result<bool> {
        match self.temporary.persist_noclobber(&self.target) {
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            persisted => persisted.map(|()| true).map_err(|error| error.error),
        }
    }
}

impl Staged for LocalStaged {
    /// Somebody who writes the other file at this very moment is not noticed.
    fn publish(self: Box<Self>, expected: Option<u64>) -> io::Result<()> {
        if let Some(expected) = expected
            && self.target.metadata()?.len() != expected
        {
            return Err(written_by_others());
        }
        self.temporary.persist(&self.target).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    fn upload(file: File) -> LocalUpload {
        let temporary = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        LocalUpload::new(file, temporary, PathBuf::new())
    }

    #[test]
    fn a_large_file_is_synced_while_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let mut upload = upload(File::create(dir.path().join("f")).unwrap());
        let block = vec![b'x'; 1 << 20];
        (0..40).for_each(|_| upload.write_all(&block).unwrap());
        assert!(upload.syncing.is_some());
        Box::new(upload).finish().unwrap();
        assert_eq!(dir.path().join("f").metadata().unwrap().len(), 40 << 20);
    }

    /// What can't be synced, such as a pipe, is no export, whatever the last sync says.
    #[test]
    fn a_sync_that_fails_on_the_way_is_told_at_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let reading = thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        let mut upload = upload(File::from(OwnedFd::from(writer)));
        upload.write_all(&vec![b'x'; STRIDE as usize]).unwrap();
        assert!(upload.syncing.take().unwrap().end().is_err());
        drop(upload);
        assert_eq!(reading.join().unwrap().unwrap(), STRIDE);
    }
}
