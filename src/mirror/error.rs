//! What can go wrong with the mirror.

use super::database::Unusable;
use rusqlite::ErrorCode;
use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// An error of the mirror: what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// There is no file.
    #[error("there is no mirror at {}: run `malomo-mirror sync` first, or set mirror.path", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is not for this user to read.
    #[error("the mirror {} is not readable for this user: run this as root, or as a member of its group", path.display())]
    Forbidden {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file or its folder can't be created.
    #[error("the mirror {} can't be created: {}", path.display(), where_else(source))]
    Create {
        /// Where it was to be.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Something that can't be a mirror's file.
    #[error("mirror.path {} {what}", path.display())]
    Unusable {
        /// Where it is.
        path: PathBuf,
        /// What it is, and what to do.
        what: Unusable,
    },
    /// This user may read the mirror, but needs files beside it that are not there.
    #[error(
        "the mirror {0} can't be opened by this user: the files {0}-wal and {0}-shm are not there, and this user may \
         not create them. Every run leaves them there: have `malomo-mirror sync` run by its owner. A copy made with \
         `VACUUM INTO` needs none", path.display()
    )]
    NoSideFiles {
        /// The mirror.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// Nothing is in the file yet, or what a run had begun to write there is half done.
    #[error(
        "the mirror {} is not ready: a run is creating it, or was cut off while it did. Try again in a moment; if it stays \
         so, run `malomo-mirror sync`, which puts it right", path.display()
    )]
    NotReady {
        /// The mirror.
        path: PathBuf,
    },
    /// The file can't be opened as a database.
    #[error("the mirror {} can't be opened{}", path.display(), remedy(source))]
    Open {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A database of something else.
    #[error("{} is a SQLite database, but not a mirror of this program: set mirror.path to another file", path.display())]
    NotAMirror {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error(
        "the mirror {} has schema version {found}; this program knows versions up to {known}: install a newer \
         malomo-mirror, or set mirror.path to another file", path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An older program wrote it, and it was opened for reading.
    #[error(
        "the mirror {} has the older schema version {found}: run `malomo-mirror sync` once, which brings it to version \
         {known}", path.display()
    )]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this program reads.
        known: i64,
    },
    /// A migration failed; the mirror is as it was before it.
    #[error(
        "the mirror's schema could not be brought to version {version}; it is unchanged{}",
        remedy(source)
    )]
    Migration {
        /// The version that was to be reached.
        version: i64,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The key file of erasures can't be used.
    #[error("the key file of erasures {} can't be used: {reason}", path.display())]
    ErasureKey {
        /// The file.
        path: PathBuf,
        /// The system's reason, or what is wrong with it.
        reason: std::io::Error,
    },
    /// The key file of erasures is gone, so that nobody knows who must not come back.
    #[error(
        "the key file {} is gone, by which the mirror knows whom it must not take in again: put it back from a backup, or \
         give that protection up with `malomo-mirror erase --allow-return-all`", path.display()
    )]
    ErasureKeyLost {
        /// Where it was.
        path: PathBuf,
    },
    /// A copy can't be written.
    #[error("the copy {} can't be written: {reason}", path.display())]
    Publish {
        /// Where it was to be.
        path: PathBuf,
        /// The system's reason, or SQLite's.
        reason: std::io::Error,
    },
    /// A statement failed; its transaction is undone.
    #[error("the mirror could not be read or written{}", remedy(source))]
    Sqlite {
        /// SQLite's reason.
        #[from]
        source: rusqlite::Error,
    },
    /// Somebody wanted the program to stop.
    #[error("stopped before everything was read from the mirror; the next run or export goes on from there")]
    Stopped,
    /// Something in the mirror is not as this program writes it.
    #[error("the mirror holds {what} that this program can't read: was it edited by hand?")]
    Unreadable {
        /// The thing.
        what: String,
    },
}

/// Whether an error, of a mirror or of any file, comes from a disk that has no room left, or none for this user.
pub fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|cause| {
        let of_a_file = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let of_sqlite = cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        matches!(of_a_file, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
            || of_sqlite == Some(ErrorCode::DiskFull)
    })
}

/// What to do about the commonest reasons why a file can't be created.
fn where_else(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotADirectory => "a part of its path is no folder; set mirror.path to another one",
        ErrorKind::InvalidFilename => {
            "its name or path is too long for this system; set mirror.path to a shorter one"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "the disk is full; free some space and run again"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only; make it writable, or set mirror.path to another one"
        }
        ErrorKind::PermissionDenied => {
            "make its folder writable for this user, or set mirror.path to another one"
        }
        _ => {
            "see that its folder can be written and its links lead somewhere, or set mirror.path to another one"
        }
    }
}

impl MirrorError {
    pub(super) fn open(path: &Path, source: rusqlite::Error) -> MirrorError {
        MirrorError::Open { path: path.to_owned(), source }
    }

    pub(super) fn unreadable(what: impl Into<String>) -> MirrorError {
        MirrorError::Unreadable { what: what.into() }
    }
}

/// What to do about SQLite's commonest errors, as the end of a sentence.
fn remedy(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            ": the file is no SQLite database, or a first sync has just put another one in its place: try again, or set \
             mirror.path to another file"
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            ": it is damaged; move it away and run `malomo-mirror sync --full`, or restore a backup"
        }
        Some(ErrorCode::DiskFull) => {
            ": the disk is full; nothing that was committed is lost, free some space and run again"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ": it is not writable for this user",
        Some(ErrorCode::CannotOpen) => ": check that its folder exists and that this user may write there",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ": another program has kept it locked for writing; it must only be read"
        }
        Some(ErrorCode::SystemIoFailure) => {
            ": the disk failed to read or write; nothing that was committed is lost"
        }
        _ => "",
    }
}
