//! One writer: a lock on a file beside the mirror. The system frees it when its holder ends, however it ends.
//!
//! The lock stands beside the file that all links lead to, so that every name of a mirror is locked at once. (Hard links
//! can't be followed: a file with several names is no mirror, see [`super::Unusable`]. The database file itself can't
//! be locked either: closing any handle on it would drop the locks that SQLite holds in this process, fcntl(2).)

use super::database::{prepared, real};
use super::{Mirror, MirrorError};
use crate::ownership::adopt;
use crate::paths::{beside, folder_of};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Who holds the mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// What it runs, such as `sync --full`.
    pub command: String,
    /// Since when: UTC, ISO 8601.
    pub since: String,
}

/// Why the lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("another run holds this mirror{}: wait for its end", describe(holder.as_ref()))]
    Held {
        /// Who, if it could be read.
        holder: Option<Holder>,
    },
    /// The lock file can't be used.
    #[error("the lock file {} can't be used: {}", path.display(), remedy(source))]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// There can be no mirror at that place.
    #[error(transparent)]
    Place(#[from] MirrorError),
}

/// What to do about the commonest reasons.
fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "the disk is full; free some space and run again"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only; make it writable, or set mirror.path to another one"
        }
        _ => "make its folder writable for this user",
    }
}

fn describe(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| {
        format!(" (`{}`, process {}, since {})", holder.command, holder.pid, holder.since)
    })
}

/// Who holds the mirror at `mirror`, by the lock file's word; `None` if nobody does, or if the process named there
/// has ended. Takes no lock, so that it stands in nobody's way.
pub fn holder(mirror: &Path) -> Option<Holder> {
    let lock = beside(&real(mirror).ok()?, LOCK);
    let holder = read_holder(&mut File::open(lock).ok()?)?;
    let lives = Path::new("/proc").join(holder.pid.to_string()).exists();
    lives.then_some(holder)
}

/// The right to write a mirror, until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    mirror: PathBuf,
}

/// How the lock file's name ends.
const LOCK: &str = ".lock";

impl RunLock {
    /// Takes the lock of the mirror at `mirror`, in `MIRROR.lock` beside the file that links lead to, and notes there who
    /// holds it. Does not wait.
    ///
    /// # Errors
    /// When another process holds it, the lock file can't be created, or there can be no mirror at that place.
    pub fn acquire(mirror: &Path, command: &str, now: Timestamp) -> Result<RunLock, LockError> {
        let mirror = prepared(mirror)?;
        let path = beside(&mirror, LOCK);
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut file = open(&path, folder_of(&mirror)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { holder: read_holder(&mut file) }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let since = crate::mirror::transaction::utc_text(now);
        let holder = Holder { pid: std::process::id(), command: command.to_owned(), since };
        write_holder(&mut file, &holder).map_err(failed)?;
        Ok(RunLock { file, mirror })
    }

    /// The mirror that is locked.
    pub(super) fn mirror(&self) -> &Path {
        &self.mirror
    }

    /// Opens the mirror that is locked, for writing: the very file, wherever links lead by now.
    ///
    /// # Errors
    /// As [`Mirror::open`].
    pub fn open_mirror(&self) -> Result<Mirror, MirrorError> {
        Mirror::open(&self.mirror)
    }
}

impl Drop for RunLock {
    /// Empties the file: a name in it would outlive its holder. The lock itself goes with the file's handle.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

fn open(path: &Path, folder: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o640);
    match options.clone().create_new(true).open(path) {
        Ok(created) => adopt(&created, folder).map(|()| created),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_holder(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(holder)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_depends_on_the_reason() {
        for (kind, expected) in [
            (ErrorKind::StorageFull, "the disk is full; free some space and run again"),
            (ErrorKind::PermissionDenied, "make its folder writable for this user"),
        ] {
            let error = LockError::Io { path: PathBuf::from("m.lock"), source: kind.into() };
            assert_eq!(error.to_string(), format!("the lock file m.lock can't be used: {expected}"));
        }
    }

    #[test]
    fn every_name_is_locked_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink(at("real/mirror.db"), at("link.db")).unwrap();
        let lock = |name: &str| RunLock::acquire(&at(name), "sync", Timestamp::UNIX_EPOCH);
        // The link leads to nothing yet.
        let first = lock("link.db").unwrap();
        std::os::unix::fs::symlink("real", at("folder")).unwrap();
        let names = ["link.db", "real/mirror.db", "folder/mirror.db", "real/../real/mirror.db"];
        let refused = || {
            for name in names {
                assert!(matches!(lock(name), Err(LockError::Held { holder: Some(_) })), "{name}");
                assert_eq!(holder(&at(name)).unwrap().command, "sync", "{name}");
            }
        };
        refused();
        let mirror = first.open_mirror().unwrap();
        assert_eq!(mirror.path(), at("real/mirror.db").canonicalize().unwrap());
        refused();
        drop(first);
        for name in names {
            assert!(lock(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = folder.path().join("deep/mirror.db");
        assert_eq!(holder(&mirror), None);
        let first = RunLock::acquire(&mirror, "sync --full", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(holder(&mirror).unwrap().command, "sync --full");
        let second = RunLock::acquire(&mirror, "sync", Timestamp::UNIX_EPOCH).unwrap_err();
        let expected = format!(
            "another run holds this mirror (`sync --full`, process {}, since 1970-01-01T00:00:00.000Z): \
             wait for its end",
            std::process::id()
        );
        assert_eq!(second.to_string(), expected);
        drop(first);
        assert_eq!(holder(&mirror), None);
        assert!(RunLock::acquire(&mirror, "sync", Timestamp::UNIX_EPOCH).is_ok());
    }
}
