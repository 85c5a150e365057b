//! A fresh folder with a mirror and exports.

use super::json::{Cell, Row};
use super::program::Program;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder of its own, gone when dropped.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        // Found before any configuration that this machine may have.
        std::fs::write(folder.path().join("config.toml"), "").unwrap();
        Place { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn mirror(&self) -> PathBuf {
        self.path().join("mirror.db")
    }

    pub fn exports(&self) -> PathBuf {
        self.path().join("exports")
    }

    /// The binary, set up for this folder and that API: a good key, no long waits between attempts, none before an event is
    /// deleted, and nobody looked at before their turn.
    pub fn program(&self, base_url: &str) -> Program {
        Program::new(self.path())
            .set(&format!("mirror.path={}", self.mirror().display()))
            .set(&format!("export.dir={}", self.exports().display()))
            .set(&format!("api.base_url={base_url}"))
            .set("api.backoff_base=1ms")
            .set("api.backoff_max=5ms")
            .set("sync.deletion_wait=0s")
            .set("sync.event_budget=0")
            .key("sk_test")
    }

    /// The rows that a query brings from the mirror, opened read-only as an analyst would.
    pub fn query(&self, sql: &str) -> Vec<Row> {
        query(&self.mirror(), sql)
    }

    /// The integer that a query brings.
    pub fn number(&self, sql: &str) -> i64 {
        let rows = self.query(sql);
        rows[0].values().next().unwrap().integer()
    }

    /// The text that a query brings.
    pub fn text(&self, sql: &str) -> String {
        let rows = self.query(sql);
        let row = rows.first().unwrap_or_else(|| panic!("no row: {sql}"));
        row.values().next().unwrap().text().to_owned()
    }

    /// Everything in the mirror, except the record of runs: what "no row was written" is about.
    pub fn contents(&self) -> Vec<(String, Vec<Row>)> {
        let tables = self.query(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('sync_runs', 'sqlite_sequence') \
             ORDER BY name",
        );
        tables
            .iter()
            .map(|row| {
                let name = row["name"].text().to_owned();
                let rows =
                    self.query(&format!("SELECT rowid AS row_number, * FROM \"{name}\" ORDER BY rowid"));
                (name, rows)
            })
            .collect()
    }
}

/// The rows that a query brings from the database at `path`.
pub fn query(path: &Path, sql: &str) -> Vec<Row> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let mut select = connection.prepare(sql).unwrap();
    let names: Vec<String> = select.column_names().map(str::to_owned).collect();
    let rows = select.query_map([], |row| {
        names.iter().enumerate().map(|(n, name)| Ok((name.clone(), cell(row.get_ref(n)?)))).collect()
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Text(number.to_string()),
        ValueRef::Text(text) => Cell::Text(std::str::from_utf8(text).unwrap().to_owned()),
        ValueRef::Blob(bytes) => Cell::Text(format!("{bytes:?}")),
    }
}
