//! The folders that export files stand in.

use crate::export::error::ExportError;
use crate::ownership::adopt;
use std::fs::{DirBuilder, DirEntry, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

const FOLDER_MODE: u32 = 0o750;

/// Makes the names in a folder durable.
pub(in crate::export) fn sync_folder(folder: &Path) -> Result<(), ExportError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(ExportError::io("synced", folder))
}

/// Creates a folder with those above it, where they don't exist, for owner and group only. Durable on return.
///
/// # Errors
/// When one of them can't be created.
pub fn ensure_folder(folder: &Path) -> Result<(), ExportError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure_folder(parent)?;
    let created = DirBuilder::new().mode(FOLDER_MODE).create(folder);
    match created.and_then(|()| adopt(&File::open(folder)?, parent)) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(source) => Err(ExportError::Io { action: "created", path: folder.to_owned(), source }),
        Ok(()) => sync_folder(parent),
    }
}

/// Hands over the names of the regular files in a folder, in no order; none where there is no folder. Names that are no
/// UTF-8 are not ours and left out.
pub(in crate::export) fn each_name(
    folder: &Path,
    mut each: impl FnMut(String) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(ExportError::io("listed", folder))?,
    };
    for entry in entries {
        if let Some(name) = file_name(entry).map_err(ExportError::io("listed", folder))? {
            each(name)?;
        }
    }
    Ok(())
}

fn file_name(entry: io::Result<DirEntry>) -> io::Result<Option<String>> {
    let entry = entry?;
    Ok(if entry.file_type()?.is_file() { entry.file_name().into_string().ok() } else { None })
}

/// The names that [`each_name`] hands over, sorted.
#[cfg(test)]
pub(in crate::export) fn names(folder: &Path) -> Result<Vec<String>, ExportError> {
    let mut names = Vec::new();
    each_name(folder, |name| {
        names.push(name);
        Ok(())
    })?;
    names.sort();
    Ok(names)
}

/// Removes a file.
pub(in crate::export) fn remove(path: &Path) -> Result<(), ExportError> {
    std::fs::remove_file(path).map_err(ExportError::io("removed", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_place_of_a_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("customers");
        std::fs::write(&place, "x").unwrap();
        let error = ensure_folder(&place).unwrap_err().to_string();
        assert!(error.contains("customers can't be created: something else stands in its place"), "{error}");
    }
}
