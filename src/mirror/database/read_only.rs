//! A connection for those who only read, and may be allowed no more than that.

use super::BUSY_TIMEOUT;
use super::location::{is_there, real};
use crate::mirror::MirrorError;
use crate::paths::beside;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The mirror's file, which has to be there.
pub(in crate::mirror) fn find(path: &Path) -> Result<PathBuf, MirrorError> {
    if !is_there(path)? {
        return Err(MirrorError::Missing { path: path.to_owned() });
    }
    real(path).map_err(|source| MirrorError::Forbidden { path: path.to_owned(), source })
}

/// Opens the database and reads a first time.
pub(in crate::mirror) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).and_then(ready)
}

/// Has SQLite keep the plan of a statement for every value that is bound to it. It would otherwise prepare a statement with a
/// range of numbers anew each time, at several times the cost of its execution.
pub(in crate::mirror) fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn ready(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    plan_once(&connection)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// SQLite's word for a file that may not be read is that it can't be opened; and so it is for the files beside it that
/// a reader needs, where they are not there and this user may not create them.
pub(in crate::mirror) fn explain(path: &Path, error: rusqlite::Error) -> MirrorError {
    let lacks_side_files = || ["-wal", "-shm"].iter().any(|ending| !beside(path, ending).exists());
    match File::open(path) {
        Err(source) if source.kind() == ErrorKind::PermissionDenied => {
            MirrorError::Forbidden { path: path.to_owned(), source }
        }
        // Who may only read can't roll back what was cut off.
        Ok(_) if may_not_create(&error) && beside(path, "-journal").exists() => {
            MirrorError::NotReady { path: path.to_owned() }
        }
        Ok(_) if may_not_create(&error) && lacks_side_files() => {
            MirrorError::NoSideFiles { path: path.to_owned(), source: error }
        }
        _ => MirrorError::open(path, error),
    }
}

fn may_not_create(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}
