//! A result in a file of its own: whoever reads it sees the one before or the whole new one.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file on its way to its name. Dropped before it is finished, it is removed.
pub(super) struct WholeFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl WholeFile {
    /// Begins a file that is to be at `path`, with this mode less what the umask takes.
    ///
    /// # Errors
    /// When its folder isn't there, or takes no file.
    pub(super) fn begin(path: &Path, mode: u32) -> io::Result<WholeFile> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        let file = builder
            .prefix(".malomo-mirror-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        Ok(WholeFile { file, path: path.to_owned() })
    }

    /// Gives it its name; what was written is durable then.
    ///
    /// # Errors
    /// When it can't be written or named; then it is removed.
    pub(super) fn finish(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(self.path).map(drop).map_err(|error| error.error)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
