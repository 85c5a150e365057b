//! Additions to a file that readers may have open: with a single write, durable, and taken back where that fails.

use super::atomic_file::FILE_MODE;
use super::folder::sync_folder;
use crate::export::error::ExportError;
use crate::failpoint::{self, Place};
use crate::ownership::adopt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

/// An addition that failed.
pub(in crate::export) struct AppendFailed {
    pub(in crate::export) error: ExportError,
    /// Whether the file surely ends where the addition was to begin.
    pub(in crate::export) is_undone: bool,
}

/// Writes `text` at the byte `from` of a file that has `found` bytes; what stands behind that byte is taken away. Creates the
/// file where `found` is 0 and there is none. Durable on return.
///
/// # Errors
/// When the file has another size, or can't be written. The addition is taken back then, as far as that is possible.
pub(in crate::export) fn append(path: &Path, found: u64, from: u64, text: &[u8]) -> Result<(), AppendFailed> {
    let failed =
        |is_undone, source| AppendFailed { error: ExportError::io("written", path)(source), is_undone };
    let file = open(path, found).map_err(|error| failed(true, error))?;
    if let Err(error) = write(&file, from, text) {
        let undone = file.set_len(from).and_then(|()| file.sync_all());
        return Err(failed(undone.is_ok(), error));
    }
    match path.parent().filter(|_| found == 0) {
        Some(folder) => sync_folder(folder).map_err(|error| AppendFailed { error, is_undone: false }),
        None => Ok(()),
    }
}

fn open(path: &Path, found: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = match options.write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && found == 0 => {
            let created = options.create_new(true).open(path)?;
            created.set_permissions(Permissions::from_mode(FILE_MODE))?;
            adopt(&created, path.parent().unwrap_or(Path::new(".")))?;
            created
        }
        opened => opened?,
    };
    if file.metadata()?.len() == found {
        Ok(file)
    } else {
        Err(io::Error::other("somebody else has written it since it was read"))
    }
}

fn write(file: &File, from: u64, text: &[u8]) -> io::Result<()> {
    file.set_len(from)?;
    failpoint::reached_after(Place::HalfManifest, || {
        let _ = file.write_all_at(&text[..text.len() / 2], from);
    });
    file.write_all_at(text, from)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_stands_where_it_was_to_and_nothing_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        assert!(append(&path, 0, 0, b"ab\n").is_ok());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, FILE_MODE);
        assert!(append(&path, 3, 2, b"\ncd").is_ok());
        assert!(append(&path, 5, 3, b"e\n").is_ok());
        assert_eq!(std::fs::read(&path).unwrap(), b"ab\ne\n");
        // Somebody else was here.
        let failed = append(&path, 4, 4, b"x").unwrap_err();
        assert!(failed.is_undone);
        assert_eq!(std::fs::read(&path).unwrap(), b"ab\ne\n");
        assert!(append(&dir.path().join("gone"), 1, 1, b"x").is_err());
    }
}
