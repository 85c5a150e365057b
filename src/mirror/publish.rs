//! A copy of the mirror with the current rows as a profile shows them, for those who must not see the original.
//!
//! One file without side files. It takes the place of an earlier copy when it is complete, so that whoever reads the
//! earlier one goes on reading that, and whoever opens the name finds a whole one.

use super::connection::Mirror;
use super::error::MirrorError;
use super::transaction::Snapshot;
use crate::masking::FULL;
use crate::ownership::adopt;
use crate::paths::{beside, folder_of};
use crate::record::{Column, ColumnKind, Stream, Value};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use serde::Serialize;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// By which a copy is known: `MMpc`.
const APPLICATION_ID: i32 = 0x4d4d_7063;

/// How the name of a copy ends that isn't complete.
const UNFINISHED: &str = "-unfinished";

/// A copy that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// Where it is.
    pub path: PathBuf,
    /// The profile that it shows.
    pub profile: String,
    /// The newest change in it.
    pub head_seq: i64,
    /// Rows of each stream, in the order of [`Stream::ALL`].
    pub rows: Vec<PublishedRows>,
    /// Its size.
    pub bytes: u64,
}

/// How many rows of a stream a copy has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedRows {
    /// The stream.
    pub stream: Stream,
    /// Its rows.
    pub rows: u64,
}

impl Mirror {
    /// Writes the current rows, as the profile shows them through which this is seen, into a database at `path`, which is
    /// replaced if it is such a copy. A new file can be read by its owner and its group; one that takes another's place is
    /// as open as that. Durable on return.
    ///
    /// # Errors
    /// When something else stands there, another process writes the copy, the file can't be written or the mirror can't be
    /// read. What stood there is then as it was.
    pub fn publish(&mut self, path: &Path, now: Timestamp) -> Result<Published, MirrorError> {
        let failed = |reason| MirrorError::Publish { path: path.to_owned(), reason };
        let mirror_id = self.id().to_owned();
        let snapshot = self.snapshot()?;
        let profile = snapshot.masker().map_or(FULL, |masker| masker.name()).to_owned();
        let about =
            [("mirror_id", mirror_id), ("published_at", format!("{now:.3}")), ("profile", profile.clone())];
        let mode = replaceable(path).map_err(failed)?;
        let new = beside(path, UNFINISHED);
        let file = reserve(&new, mode.unwrap_or(0o640)).map_err(failed)?;
        let written = snapshot.write_copy(path, &new, &about).and_then(|(head_seq, rows)| {
            file.sync_all().map_err(failed)?;
            let bytes = file.metadata().map_err(failed)?.len();
            std::fs::rename(&new, path).map_err(failed)?;
            File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(failed)?;
            Ok(Published { path: path.to_owned(), profile, head_seq, rows, bytes })
        });
        if written.is_err() {
            // What is left is written over by the next one.
            let _ = std::fs::remove_file(&new);
        }
        written
    }
}

impl Snapshot<'_> {
    fn write_copy(
        &self,
        path: &Path,
        new: &Path,
        about: &[(&str, String)],
    ) -> Result<(i64, Vec<PublishedRows>), MirrorError> {
        let of_copy = |error: rusqlite::Error| MirrorError::Publish {
            path: path.to_owned(),
            reason: io::Error::other(error),
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let copy = Connection::open_with_flags(new, flags).map_err(of_copy)?;
        // Until it is complete, nobody reads it.
        copy.execute_batch(&format!(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA application_id = {APPLICATION_ID}; BEGIN"
        ))
        .map_err(of_copy)?;
        let (head, mut counted) = (self.head()?, Vec::new());
        for stream in Stream::ALL {
            copy.execute_batch(&table(stream)).map_err(of_copy)?;
            let places = vec!["?"; stream.columns().len() + 2].join(", ");
            let sql = format!("INSERT INTO {stream} VALUES ({places})");
            let (mut insert, mut rows) = (copy.prepare(&sql).map_err(of_copy)?, 0);
            self.rows(stream, head, |change| {
                let values = change.row.unwrap_or_default().iter().copied();
                let more = [Value::Integer(change.seq), Value::Text(change.observed_at)];
                rows += 1;
                insert.execute(params_from_iter(values.chain(more))).map(drop).map_err(of_copy)
            })?;
            counted.push(PublishedRows { stream, rows });
            drop(insert);
            copy.execute_batch(&indexes(stream)).map_err(of_copy)?;
        }
        copy.execute_batch(
            "CREATE TABLE about (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
        )
        .map_err(of_copy)?;
        let rules = self.masker().map_or("", |masker| masker.rules()).to_owned();
        let of_state = [("profile_rules", rules), ("head_seq", head.to_string())];
        for (key, value) in about.iter().chain(&of_state) {
            copy.execute("INSERT INTO about VALUES (?1, ?2)", [key, value.as_str()]).map_err(of_copy)?;
        }
        copy.execute_batch("COMMIT; PRAGMA optimize").map_err(of_copy)?;
        copy.close().map_err(|(_, error)| of_copy(error))?;
        Ok((head, counted))
    }
}

/// A table with a stream's columns, and behind them the change that made the row what it is.
fn table(stream: Stream) -> String {
    let column = |column: &Column| {
        let kind = if column.kind == ColumnKind::Integer { "INTEGER" } else { "TEXT" };
        format!("{} {kind}", column.name)
    };
    let columns: Vec<String> = stream.columns().iter().map(column).collect();
    format!(
        "CREATE TABLE {stream} ({}, change_seq INTEGER NOT NULL, changed_at TEXT NOT NULL) STRICT",
        columns.join(", ")
    )
}

fn indexes(stream: Stream) -> String {
    let of_parent = stream.parent().map(|parent| {
        let key = stream.parent_key();
        format!("; CREATE INDEX {stream}_of_{} ON {stream} ({key})", parent.singular())
    });
    format!("CREATE UNIQUE INDEX {stream}_id ON {stream} (id){}", of_parent.unwrap_or_default())
}

/// The mode of the copy that stands there; `None` where nothing does.
fn replaceable(path: &Path) -> io::Result<Option<u32>> {
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let application = Connection::open_with_flags(path, flags)
        .and_then(|copy| copy.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0)));
    match application {
        Ok(APPLICATION_ID) => Ok(Some(found.permissions().mode() & 0o777)),
        _ => Err(io::Error::other("it is no copy of a mirror, and was left as it is; name another file")),
    }
}

/// Takes the name for this process alone, and an empty file there.
fn reserve(path: &Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(mode).open(path)?;
    let busy = || io::Error::other("another process is writing it; try again when that has ended");
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Between the two, the other process may have given the file its name.
    let (own, there) = (file.metadata()?, std::fs::metadata(path));
    if there.ok().is_none_or(|there| (there.dev(), there.ino()) != (own.dev(), own.ino())) {
        return Err(busy());
    }
    file.set_len(0)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    adopt(&file, folder_of(path))?;
    Ok(file)
}
