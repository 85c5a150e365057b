//! Files that appear complete or not at all: written under a temporary name beside their place, synced, renamed, and
//! the folder synced. Also the folders they stand in.

use super::folder::sync_folder;
use super::temporary_name::{RANDOM_CHARACTERS, TEMPORARY_SUFFIX, temporary_prefix};
use crate::export::error::ExportError;
use crate::failpoint::{self, Place};
use crate::ownership::adopt;
use sha2::{Digest, Sha256};
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use tempfile::TempPath;

pub(super) const FILE_MODE: u32 = 0o640;
const BUFFER: usize = 64 * 1024;

/// A growing file is synced each time that it has grown by so many bytes.
const STRIDE: u64 = 16 * 1024 * 1024;

/// Bytes on their way to the disk, counted and digested as they will lie there.
pub(in crate::export) struct Digested {
    file: File,
    sha256: Sha256,
    bytes: u64,
    syncing: Option<Syncing>,
}

impl Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
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

/// The error of a file whose writing came to no end.
pub(in crate::export) fn abandoned() -> io::Error {
    io::Error::other("its writing was given up")
}

/// What a temporary file's content is written to.
pub(in crate::export) type FileContent = BufWriter<Digested>;

/// The way to a file.
pub(in crate::export) fn to(file: File) -> FileContent {
    BufWriter::with_capacity(BUFFER, Digested { file, sha256: Sha256::new(), bytes: 0, syncing: None })
}

/// A temporary file beside its place. Dropped, it is removed.
pub(in crate::export) struct TemporaryFile {
    temporary: TempPath,
    target: PathBuf,
}

/// A temporary file that is complete and on the disk. Dropped, it is removed.
pub(in crate::export) struct CompleteFile {
    temporary: TempPath,
    target: PathBuf,
    /// Its size.
    pub(in crate::export) bytes: u64,
    /// Of its content, lower-case hex.
    pub(in crate::export) sha256: String,
}

impl TemporaryFile {
    /// Begins a file that is to stand at `folder/name`. The folder exists.
    pub(in crate::export) fn create(
        folder: &Path,
        name: &str,
    ) -> Result<(TemporaryFile, FileContent), ExportError> {
        let target = folder.join(name);
        let failed = |source| ExportError::Io { action: "created", path: target.clone(), source };
        let (file, temporary) = tempfile::Builder::new()
            .prefix(&temporary_prefix(name))
            .rand_bytes(RANDOM_CHARACTERS)
            .suffix(TEMPORARY_SUFFIX)
            .tempfile_in(folder)
            .and_then(|file| adopt(file.as_file(), folder).map(|()| file))
            .map_err(failed)?
            .into_parts();
        Ok((TemporaryFile { temporary, target }, to(file)))
    }

    /// Where the file is to stand.
    pub(in crate::export) fn target(&self) -> &Path {
        &self.target
    }

    /// Takes the end of the file's content, which is durable under its temporary name.
    pub(in crate::export) fn complete(
        self,
        settled: io::Result<FinishedContent>,
    ) -> Result<CompleteFile, ExportError> {
        let FinishedContent { bytes, sha256 } = settled.map_err(ExportError::io("written", &self.target))?;
        Ok(CompleteFile { temporary: self.temporary, target: self.target, bytes, sha256 })
    }
}

/// Content that is on the disk as a whole.
pub(in crate::export) struct FinishedContent {
    bytes: u64,
    sha256: String,
}

/// Ends a file's content: when this returns, it is durable, readable by owner and group, whatever the umask.
pub(in crate::export) fn finish_content(disk: FileContent) -> io::Result<FinishedContent> {
    let Digested { file, sha256, bytes, syncing } = disk.into_inner().map_err(|error| error.into_error())?;
    syncing.map_or(Ok(()), Syncing::end)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.sync_all()?;
    Ok(FinishedContent { bytes, sha256: hex(&sha256.finalize()) })
}

impl CompleteFile {
    /// Gives the file its name. Durable once the folder is synced.
    pub(in crate::export) fn publish(self) -> Result<PathBuf, ExportError> {
        failpoint::reached(Place::BeforeRename);
        match self.temporary.persist(&self.target) {
            Ok(()) => Ok(self.target),
            Err(error) => {
                Err(ExportError::Io { action: "given its name", path: self.target, source: error.error })
            }
        }
    }
}

/// Files with their names that are not announced yet. Dropped before [`UnannouncedFiles::keep`], they are removed, as far
/// as that is possible; what stays is found by the next export.
#[derive(Default)]
pub(in crate::export) struct UnannouncedFiles(Vec<PathBuf>);

impl UnannouncedFiles {
    /// Publishes complete files and syncs their folders.
    pub(in crate::export) fn publish(
        files: impl IntoIterator<Item = CompleteFile>,
    ) -> Result<UnannouncedFiles, ExportError> {
        let mut published = UnannouncedFiles::default();
        for file in files {
            published.0.push(file.publish()?);
        }
        let mut folders: Vec<&Path> = published.0.iter().filter_map(|path| path.parent()).collect();
        folders.dedup();
        folders.into_iter().try_for_each(sync_folder)?;
        Ok(published)
    }

    /// They are announced: they stay.
    pub(in crate::export) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for UnannouncedFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            // An error is being reported already; the next export removes what could not be removed here.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Lower-case hex.
pub(in crate::export) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::folder::{ensure_folder, names};
    use super::super::temporary_name::temporary_of;
    use super::*;
    use std::os::fd::OwnedFd;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_appears_complete_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        ensure_folder(&folder).unwrap();
        ensure_folder(&folder).unwrap();
        let (temporary, mut disk) = TemporaryFile::create(&folder, "f.csv").unwrap();
        disk.write_all(b"abc").unwrap();
        let found = names(&folder).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(temporary_of(&found[0]), Some("f.csv"));
        let complete = temporary.complete(finish_content(disk)).unwrap();
        assert_eq!(complete.bytes, 3);
        assert_eq!(complete.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(!folder.join("f.csv").exists());
        UnannouncedFiles::publish([complete]).unwrap().keep();
        assert_eq!(names(&folder).unwrap(), ["f.csv"]);
        assert_eq!(mode(&folder.join("f.csv")), 0o640);
    }

    #[test]
    fn a_large_file_is_synced_while_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = to(File::create(dir.path().join("f")).unwrap());
        let block = vec![b'x'; 1 << 20];
        (0..40).for_each(|_| disk.write_all(&block).unwrap());
        disk.flush().unwrap();
        assert!(disk.get_ref().syncing.is_some());
        assert_eq!(finish_content(disk).unwrap().bytes, 40 << 20);
    }

    /// What can't be synced, such as a pipe, is no export, whatever the last sync says.
    #[test]
    fn a_sync_that_fails_on_the_way_is_told_at_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let reading = thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        let mut digested = to(File::from(OwnedFd::from(writer))).into_inner().ok().unwrap();
        digested.write_all(&vec![b'x'; STRIDE as usize]).unwrap();
        assert!(digested.syncing.take().unwrap().end().is_err());
        drop(digested);
        assert_eq!(reading.join().unwrap().unwrap(), STRIDE);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(TemporaryFile::create(dir.path(), "f").unwrap());
        let (temporary, disk) = TemporaryFile::create(dir.path(), "f").unwrap();
        drop(temporary.complete(finish_content(disk)).unwrap());
        let (temporary, disk) = TemporaryFile::create(dir.path(), "f").unwrap();
        drop(UnannouncedFiles::publish([temporary.complete(finish_content(disk)).unwrap()]).unwrap());
        assert!(names(dir.path()).unwrap().is_empty());
    }
}
