//! A connection for those who only read, and may be allowed no more than that.

use super::{BUSY_TIMEOUT, MirrorError};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

/// Whether there is a file at all; a folder that this user can't look into is not an empty one.
pub(super) fn exists(path: &Path) -> Result<(), MirrorError> {
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(MirrorError::Missing { path: path.to_owned() }),
        Err(source) => Err(MirrorError::Forbidden { path: path.to_owned(), source }),
    }
}

/// Opens the database and reads a first time.
///
/// A reader needs the shared-memory file beside the database. While a run or the daemon is at work, it is there.
/// Where it is not, SQLite creates it; where this user may not do that, nobody is writing either, and the database
/// file alone holds everything: it is then read without locks.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match Connection::open_with_flags(path, flags).and_then(ready) {
        Err(error) if may_not_create(&error) && !super::upkeep::wal_path(path).exists() => {
            let uri = immutable(path);
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI).and_then(ready)
        }
        connected => connected,
    }
}

fn ready(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn may_not_create(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// sqlite.org/uri.html: what has a meaning in a URI is written as a percent sign and two digits.
fn immutable(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = "file:".to_owned();
    // A relative path would be taken from the same folder; an absolute one begins with a slash.
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// SQLite's word for a file that may not be read is that it can't be opened.
pub(super) fn explain(path: &Path, error: rusqlite::Error) -> MirrorError {
    match File::open(path) {
        Err(source) if source.kind() == ErrorKind::PermissionDenied => {
            MirrorError::Forbidden { path: path.to_owned(), source }
        }
        _ => MirrorError::open(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mirror;
    use super::*;

    #[test]
    fn odd_names_stand_in_a_uri_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["mirror.db", "a b.db", "50%.db", "what?.db", "#1.db", "ä&c=d.db", "file:x.db"] {
            let path = folder.path().join(name);
            let id = Mirror::open(&path).unwrap().id().to_owned();
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let connection = Connection::open_with_flags(immutable(&path), flags).unwrap();
            let found: String = connection
                .query_row("SELECT value FROM meta WHERE key = 'mirror_id'", [], |row| row.get(0))
                .unwrap();
            assert_eq!(found, id, "{name}");
        }
    }
}
