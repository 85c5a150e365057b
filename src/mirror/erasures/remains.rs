//! Where the tables still hold a text, and the mirror's file without what was deleted from it.

use crate::mirror::transaction::Snapshot;
use crate::mirror::{Mirror, MirrorError};
use rusqlite::types::ValueRef;
use std::time::Duration;

impl Mirror {
    /// From now on, what is deleted is overwritten with zeros.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn delete_securely(&mut self) -> Result<(), MirrorError> {
        // The pragma answers with the new setting.
        Ok(self.connection.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?)
    }

    /// Writes the file anew from what its tables hold, so that no deleted byte is left in it, and empties the
    /// write-ahead log. Waits at most so long for readers of an older state, who need the log. Returns whether the
    /// log is empty.
    ///
    /// # Errors
    /// When the mirror can't be written, or there is no room for a second copy of it.
    pub fn forget_deleted(&mut self, wait: Duration) -> Result<bool, MirrorError> {
        self.connection.flush_prepared_statement_cache();
        // Else the copy would be made in memory.
        self.connection.pragma_update(None, "temp_store", "FILE")?;
        let written = self.connection.execute_batch("VACUUM");
        self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        written?;
        self.connection.busy_timeout(wait)?;
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        self.connection.busy_timeout(crate::mirror::database::BUSY_TIMEOUT)?;
        Ok(!busy?)
    }
}

impl Snapshot<'_> {
    /// Hands over every text and blob of every table, with the table's and the column's name.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn each_text(&self, mut each: impl FnMut(&str, &str, &[u8])) -> Result<(), MirrorError> {
        let mut select =
            self.transaction.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
        let tables: Vec<String> = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for table in tables {
            let mut select =
                self.transaction.prepare(&format!("SELECT * FROM \"{}\"", table.replace('"', "\"\"")))?;
            let columns: Vec<String> = select.column_names().map(str::to_owned).collect();
            let mut rows = select.query([])?;
            let mut read = 0;
            while let Some(row) = rows.next()? {
                self.go_on(read)?;
                read += 1;
                for (n, column) in columns.iter().enumerate() {
                    if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(n)? {
                        each(&table, column, bytes);
                    }
                }
            }
        }
        Ok(())
    }
}
