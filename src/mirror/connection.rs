//! The open mirror.

use super::database::{BUSY_TIMEOUT, migrations, prepared, read_only};
use super::error::MirrorError;
use super::tombstones::Tombstones;
use super::transaction::{Batch, Halt, Snapshot};
use crate::diff::{EventPlan, Expiry};
use crate::masking::Masker;
use crate::ownership::adopt;
use crate::paths::folder_of;
use rusqlite::{Connection, ErrorCode, FileControl, OpenFlags};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How soon the switch to a write-ahead log is tried again while somebody else uses the database.
const WAL_RETRY: Duration = Duration::from_millis(10);

/// The connection that owns a mirror.
pub struct Mirror {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    id: String,
    halt: Option<Halt>,
    /// What is shown of rows; `None`: all of them.
    masker: Option<Arc<Masker>>,
    /// Who must not come back; `None`: nobody was ever erased, or the mirror is open for reading only.
    pub(super) tombstones: Option<Tombstones>,
    /// What is not to come in, because it has expired.
    expiry: Expiry,
    /// While it is being filled for the first time, under another name than `path`: the plan of the run that does.
    pub(super) loading: Option<EventPlan>,
}

impl Mirror {
    /// Opens the mirror at `path` for writing; creates it and its folder where they don't exist, and brings an older
    /// schema up to date. The file is created readable by owner and group only, whatever the umask.
    ///
    /// Whoever migrates a mirror must be the only one to write it: [`super::RunLock::open_mirror`] sees to that.
    ///
    /// # Errors
    /// When the file can't be opened or created, is no mirror, is corrupt, or was written by a newer version.
    pub fn open(path: &Path) -> Result<Mirror, MirrorError> {
        let path = prepared(path)?;
        Mirror::end_interrupted_load(&path)?;
        create_private(&path)?;
        let connection = connect(&path)?;
        // Somebody else's database is left as it is, its journal mode included.
        migrations::version(&connection, &path)?;
        configure(&connection).map_err(|source| MirrorError::open(&path, source))?;
        migrations::migrate(&connection, &path)?;
        let tombstones = Tombstones::read(&connection, &path)?;
        Ok(Mirror { tombstones, ..Mirror::with(connection, path)? })
    }

    /// Opens an existing mirror for reading only. Works while another process writes, and for a user who may read the
    /// mirror but write nothing.
    ///
    /// # Errors
    /// When there is no mirror at `path`, it can't be read, is no mirror, or has another schema version than this
    /// program's.
    pub fn open_read_only(path: &Path) -> Result<Mirror, MirrorError> {
        match Mirror::open_reader(path) {
            // A first load has put another file in its place meanwhile.
            Err(MirrorError::Open { source, .. })
                if source.sqlite_error_code() == Some(ErrorCode::NotADatabase) =>
            {
                Mirror::open_reader(path)
            }
            opened => opened,
        }
    }

    fn open_reader(path: &Path) -> Result<Mirror, MirrorError> {
        let path = read_only::find(path)?;
        let connection = read_only::connect(&path).map_err(|source| read_only::explain(&path, source))?;
        migrations::check_current(&connection, &path)?;
        Mirror::with(connection, path)
    }

    pub(super) fn with(connection: Connection, path: PathBuf) -> Result<Mirror, MirrorError> {
        let id = connection
            .query_row("SELECT value FROM meta WHERE key = 'mirror_id'", [], |row| row.get(0))
            .map_err(|source| MirrorError::open(&path, source))?;
        Ok(Mirror {
            connection,
            path,
            id,
            halt: None,
            masker: None,
            tombstones: None,
            expiry: Expiry::default(),
            loading: None,
        })
    }

    /// From now on, readings of many rows end with [`MirrorError::Stopped`] soon after `halt` says so.
    pub fn halt_when(&mut self, halt: Halt) {
        self.halt = Some(halt);
    }

    /// From now on, records that the mirror lacks and that have expired are not taken.
    pub fn keep_expired_out(&mut self, expiry: Expiry) {
        self.expiry = expiry;
    }

    /// From now on, snapshots show of rows and changes what the profile shows; `None`: all of them. Returns by which one
    /// they did before.
    pub fn look_through(&mut self, masker: Option<Arc<Masker>>) -> Option<Arc<Masker>> {
        std::mem::replace(&mut self.masker, masker)
    }

    /// Opens the mirror once more, for reading only, with the same profile.
    ///
    /// # Errors
    /// As [`Mirror::open_read_only`].
    pub fn reader(&self) -> Result<Mirror, MirrorError> {
        Ok(Mirror { masker: self.masker.clone(), ..Mirror::open_read_only(&self.path)? })
    }

    /// Where the mirror is: an absolute path without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The mirror's own identifier, given once when it was created.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Reads anew who must not come back.
    pub(super) fn read_tombstones(&mut self) -> Result<(), MirrorError> {
        self.tombstones = Tombstones::read(&self.connection, &self.path)?;
        Ok(())
    }

    /// Begins a write transaction.
    ///
    /// # Errors
    /// When the database is locked by another writer for too long, or can't be written.
    pub fn batch(&mut self) -> Result<Batch<'_>, MirrorError> {
        Batch::begin(&mut self.connection, self.loading.is_some(), self.tombstones.as_ref(), self.expiry)
    }

    /// Begins a read transaction: one state of the mirror until it is dropped.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn snapshot(&mut self) -> Result<Snapshot<'_>, MirrorError> {
        Snapshot::begin(&mut self.connection, self.halt.clone(), self.masker.clone())
    }
}

/// A connection that writes. `path` is a real one.
pub(super) fn connect(path: &Path) -> Result<Connection, MirrorError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        read_only::plan_once(&connection)?;
        // The last one to close a mirror would take away the files beside it that end in -wal and -shm. Who may read
        // them, but create nothing here, can open the mirror only while they are there.
        let mut keep = 1;
        connection.file_control(None::<&str>, FileControl::PersistWal(&mut keep))?;
        Ok(connection)
    });
    opened.map_err(|source| MirrorError::open(path, source))
}

/// Switches the database to a write-ahead log, which it then keeps.
///
/// For this, SQLite turns a read lock into a write lock. If another connection has a lock, it refuses at once, without
/// the busy timeout, because two that waited for each other would wait for ever. Trying again takes the locks anew.
fn enter_wal_mode(connection: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && began.elapsed() < BUSY_TIMEOUT =>
            {
                thread::sleep(WAL_RETRY);
            }
            result => return result,
        }
    }
}

/// Makes the settings of a mirror in use.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    enter_wal_mode(connection)?;
    configure_writing(connection)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // In pages: a first sync changes the same index pages again and again; the later they are copied home, the fewer
    // times that happens.
    connection.pragma_update(None, "wal_autocheckpoint", 16_000)?;
    // After a long-running reader let go, the WAL file shrinks back to this size; when the last one closes, to nothing.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
}

/// Makes the settings of a mirror that is being filled: nobody else looks at it, what its indexes are sorted with doesn't stay
/// in memory, and rows that are added one behind the other need few pages at hand. Sorting takes as much memory as the cache.
pub(super) fn configure_to_load(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
    configure_writing(connection)?;
    connection.pragma_update(None, "cache_size", -5_000)?;
    connection.pragma_update(None, "temp_store", "FILE")
}

/// Makes the settings of a connection that writes beside the one that owns the mirror, with less memory than that one.
pub(super) fn configure_beside(connection: &Connection) -> rusqlite::Result<()> {
    configure_writing(connection)?;
    connection.pragma_update(None, "cache_size", -4_000)
}

fn configure_writing(connection: &Connection) -> rusqlite::Result<()> {
    // The foreign key is there for readers of the schema; this SQLite is built to enforce it.
    connection.pragma_update(None, "foreign_keys", false)?;
    // Exports name changes by their number. A commit that a power cut could take back would let a number stand for
    // two different changes, so each commit is synced.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -12_000)?;
    // The names of streams and operations that are written here are the program's own. SQLite would build a little
    // tree of the allowed ones for each line of the change log, which takes as long as writing it.
    connection.pragma_update(None, "ignore_check_constraints", true)
}

/// SQLite gives WAL and shared-memory files the mode of the database file.
fn create_private(path: &Path) -> Result<(), MirrorError> {
    let failed = |source| MirrorError::Create { path: path.to_owned(), source };
    match OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Ok(file) => adopt(&file, folder_of(path)).map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}
