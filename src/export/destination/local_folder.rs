//! A folder of a local file system.
//!
//! A file is written under a temporary name beside its place, synced while it grows, renamed, and its folder synced. Files are
//! for owner and group only, and belong to the folder's owner where root writes.

use super::local_upload::{FILE_MODE, LocalUpload};
use super::temporary_name::{RANDOM_CHARACTERS, TEMPORARY_SUFFIX, temporary_prefix};
use super::{
    AppendFailed, Destination, StoredFile, Upload, folder_of, read_whole, temporaries_of, written_by_others,
};
use crate::export::error::ExportError;
use crate::failpoint::{self, Place};
use crate::ownership::adopt;
use std::fs::{DirBuilder, DirEntry, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const FOLDER_MODE: u32 = 0o750;

/// A folder of a local file system, which need not exist yet.
pub(super) struct LocalFolder(PathBuf);

impl LocalFolder {
    pub(super) fn new(root: &Path) -> LocalFolder {
        LocalFolder(root.to_owned())
    }

    fn upload(&self, name: &str) -> io::Result<LocalUpload> {
        let (folder, target) = (self.0.join(folder_of(name)), self.0.join(name));
        create_folder(&folder)?;
        let file_name = name.rsplit_once('/').map_or(name, |(_, name)| name);
        let (file, temporary) = tempfile::Builder::new()
            .prefix(&temporary_prefix(file_name))
            .rand_bytes(RANDOM_CHARACTERS)
            .suffix(TEMPORARY_SUFFIX)
            .tempfile_in(&folder)
            .and_then(|file| adopt(file.as_file(), &folder).map(|()| file))?
            .into_parts();
        Ok(LocalUpload::new(file, temporary, target))
    }

    /// Opens a file for writing, and creates it where it is missing. Returns whether it was.
    fn open_or_create(&self, name: &str) -> io::Result<(File, bool)> {
        let path = self.0.join(name);
        let mut options = OpenOptions::new();
        match options.write(true).mode(FILE_MODE).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return Ok((opened?, false)),
        }
        let folder = self.0.join(folder_of(name));
        create_folder(&folder)?;
        match options.create_new(true).open(&path) {
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Ok((OpenOptions::new().write(true).open(&path)?, false))
            }
            created => {
                let created = created?;
                created.set_permissions(Permissions::from_mode(FILE_MODE))?;
                adopt(&created, &folder)?;
                Ok((created, true))
            }
        }
    }

    fn open_to_append(&self, name: &str, found: u64) -> Result<(File, bool), AppendFailed> {
        let failed = |error| AppendFailed { error, is_undone: true };
        let opened = match found {
            0 => self.open_or_create(name),
            _ => OpenOptions::new().write(true).open(self.0.join(name)).map(|file| (file, false)),
        };
        let (file, is_new) = opened.map_err(failed)?;
        match file.metadata().map_err(failed)?.len() == found {
            true => Ok((file, is_new)),
            false => Err(AppendFailed { error: written_by_others(), is_undone: false }),
        }
    }
}

impl Destination for LocalFolder {
    fn place(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.clone() } else { self.0.join(name) }
    }

    fn put(&self, name: &str) -> io::Result<Box<dyn Upload>> {
        Ok(Box::new(self.upload(name)?))
    }

    #[cfg(feature = "lake")]
    fn create(&self, name: &str, content: &[u8]) -> io::Result<bool> {
        let mut upload = self.upload(name)?;
        upload.write_all(content)?;
        let created = upload.complete()?.publish_new()?;
        self.settle(folder_of(name))?;
        Ok(created)
    }

    fn append(&self, name: &str, found: u64, at: u64, bytes: &[u8]) -> Result<(), AppendFailed> {
        let failed = |is_undone| move |error| AppendFailed { error, is_undone };
        let (file, is_new) = self.open_to_append(name, found)?;
        if let Err(error) = write_at(&file, at, bytes) {
            let undone = file.set_len(at).and_then(|()| file.sync_all());
            return Err(AppendFailed { error, is_undone: undone.is_ok() });
        }
        if is_new { self.settle(folder_of(name)).map_err(failed(false)) } else { Ok(()) }
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        let file = File::open(self.0.join(name))?;
        match file.metadata()?.is_file() {
            true => Ok(Box::new(file)),
            false => Err(io::Error::other("it is no regular file")),
        }
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        match self.0.join(name).metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => found.map(|found| found.is_file().then_some(found.len())),
        }
    }

    /// Names that are no UTF-8 are not ours and left out.
    fn each_name(&self, folder: &str, each: &mut dyn FnMut(String)) -> io::Result<()> {
        match std::fs::read_dir(self.0.join(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            entries => {
                for entry in entries? {
                    file_name(&entry?)?.into_iter().for_each(&mut *each);
                }
                Ok(())
            }
        }
    }

    fn remove(&self, name: &str) -> io::Result<bool> {
        match std::fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    fn keep_aside(&self, name: &str, aside: &str) -> io::Result<bool> {
        let (path, aside) = (self.0.join(name), self.0.join(aside));
        if aside.exists() || !path.exists() {
            return Ok(aside.exists());
        }
        std::fs::rename(path, aside).map(|()| true)
    }

    fn settle(&self, folder: &str) -> io::Result<()> {
        match sync_folder(&self.0.join(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            settled => settled,
        }
    }

    /// Holds a lock meanwhile: that of the file `.NAME.lock` beside it, without the name's extension.
    fn update(
        &self,
        name: &str,
        change: &mut dyn FnMut(Option<Vec<u8>>) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let (lock, _) = self.open_or_create(&format!(".{stem}.lock"))?;
        lock.lock()?;
        let changed = change(read_whole(self, name)?)?;
        // Of somebody who was killed: whoever lives has the lock.
        temporaries_of(self, name)?.iter().try_for_each(|left| self.remove(left).map(drop))?;
        let mut upload = Box::new(self.upload(name)?);
        upload.write_all(&changed)?;
        upload.finish()?.publish(None)?;
        self.settle("")
    }
}

fn write_at(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.set_len(at)?;
    failpoint::reached_after(Place::HalfManifest, || {
        let _ = file.write_all_at(&bytes[..bytes.len() / 2], at);
    });
    file.write_all_at(bytes, at)?;
    file.sync_all()
}

fn file_name(entry: &DirEntry) -> io::Result<Option<String>> {
    Ok(if entry.file_type()?.is_file() { entry.file_name().into_string().ok() } else { None })
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all())
}

/// Creates a folder with those above it, where they don't exist, for owner and group only. Durable on return.
///
/// # Errors
/// When one of them can't be created.
pub fn ensure_folder(folder: &Path) -> Result<(), ExportError> {
    create_folder(folder).map_err(ExportError::io("created", folder))
}

fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(parent)?;
    let created = DirBuilder::new().mode(FOLDER_MODE).create(folder);
    match created.and_then(|()| adopt(&File::open(folder)?, parent)) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{contract, faulty};
    use super::*;

    /// A folder that doesn't exist yet.
    fn fresh() -> (tempfile::TempDir, LocalFolder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = LocalFolder::new(&dir.path().join("a/b"));
        (dir, folder)
    }

    #[test]
    fn a_local_folder_keeps_the_contract() {
        contract::keeps_it(fresh);
    }

    #[test]
    fn a_local_folder_keeps_the_contract_through_faults() {
        faulty::keeps_it(fresh);
    }

    #[test]
    fn files_and_folders_are_for_owner_and_group_alone() {
        let (_dir, folder) = fresh();
        let mode = |name: &str| folder.place(name).metadata().unwrap().permissions().mode() & 0o7777;
        let mut upload = folder.put("events/f").unwrap();
        upload.write_all(b"x").unwrap();
        upload.finish().unwrap().publish(None).unwrap();
        assert!(folder.append("m", 0, 0, b"x").is_ok());
        assert_eq!([mode("events/f"), mode("m"), mode("events"), mode("")], [0o640, 0o640, 0o750, 0o750]);
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("customers");
        std::fs::write(&place, "x").unwrap();
        let error = ensure_folder(&place).unwrap_err().to_string();
        assert!(error.contains("customers can't be created: something else stands in its place"), "{error}");
    }
}
