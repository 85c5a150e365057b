//! A Parquet file of a table while it is written, and what the log says of it.

use super::actions::Add;
use super::statistics::statistics;
use super::table::Table;
use crate::export::destination::{Destination, NewFile};
use crate::export::error::ExportError;
use crate::export::formats::{Dialect, FileFacts, Format, RowWriter};
use crate::mirror::Change;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Whose table it is, and when it is written.
#[derive(Debug, Clone)]
pub(in crate::export) struct Origin {
    pub(in crate::export) mirror_id: String,
    pub(in crate::export) now: Timestamp,
    /// How rows are written.
    pub(in crate::export) dialect: Dialect,
}

/// A file that is being written. If it is dropped, it is removed.
pub(super) struct DataFile<'d> {
    destination: &'d dyn Destination,
    table: Table,
    /// Relative to the table's folder.
    path: String,
    dialect: Dialect,
    rows: RowWriter<NewFile>,
    place: PathBuf,
    /// How many rows there are, and of them the newest change.
    pub(super) count: u64,
    newest: (i64, String),
    /// Where its rows come from files: of how many, and how many of their values had been rewritten.
    pub(super) joined: u64,
    pub(super) rewritten: u64,
}

impl<'d> DataFile<'d> {
    /// Begins a file that is to be named by the commit of that version.
    pub(super) fn begin(
        destination: &'d dyn Destination,
        table: Table,
        version: i64,
        facts: &FileFacts<'_>,
        dialect: Dialect,
    ) -> Result<DataFile<'d>, ExportError> {
        let path = table.new_path(version);
        let name = table.file(&path);
        let place = destination.place(&name);
        let file = NewFile::begin(destination, &name)?;
        let rows = RowWriter::begin(Format::Delta, facts, dialect, file);
        let rows = rows.map_err(ExportError::io("written", &place))?;
        Ok(DataFile {
            destination,
            table,
            path,
            dialect,
            rows,
            place,
            count: 0,
            newest: (0, String::new()),
            joined: 0,
            rewritten: 0,
        })
    }

    /// Adds a row.
    pub(super) fn write(&mut self, change: &Change<'_>) -> Result<(), ExportError> {
        self.count += 1;
        if change.seq > self.newest.0 {
            self.newest = (change.seq, change.observed_at.to_owned());
        }
        self.rows.write(change).map_err(|source| ExportError::io("written", &self.place)(source))
    }

    /// Ends the file and gives it its name; durable on return. `covers` are the changes that the log is to say it has:
    /// those behind the first number, up to the second.
    pub(super) fn finish(self, covers: (i64, i64), now: Timestamp) -> Result<Add, ExportError> {
        let failed = |error| ExportError::io("written", &self.place)(error);
        let (file, rewritten) = self.rows.finish().map_err(failed)?;
        let complete = file.finish().map_err(failed)?;
        let (bytes, sha256) = (complete.bytes, complete.sha256.clone());
        let (folder, name) = (complete.folder().to_owned(), self.table.file(&self.path));
        complete.publish(None)?;
        self.destination.settle(&folder).map_err(failed)?;
        let (stats, rows) = statistics(self.destination, &name, self.table.stream)
            .map_err(ExportError::io("read", &self.place))?;
        debug_assert_eq!(rows, self.count);
        let rewritten = (!self.dialect.exact).then_some(rewritten + self.rewritten);
        let noted = Noted { covers, newest: self.newest, rows, sha256, rewritten, joined: self.joined };
        Ok(Add {
            path: self.path,
            partition_values: BTreeMap::new(),
            size: bytes as i64,
            modification_time: now.as_millisecond(),
            data_change: true,
            stats: Some(stats),
            tags: Some(noted.to_tags()),
        })
    }
}

/// What this program notes of a file in the `tags` of its [`Add`], which the protocol leaves to writers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) struct Noted {
    /// Of changes: the file has those behind the first number, up to the second. Of the state: it has the rows whose
    /// inserts are these.
    pub(in crate::export) covers: (i64, i64),
    /// The newest change in it, and when the mirror took that.
    pub(in crate::export) newest: (i64, String),
    /// How many rows.
    pub(in crate::export) rows: u64,
    /// Lower-case hex.
    pub(in crate::export) sha256: String,
    /// How many values were rewritten for readers' sake; `None` where every one is exact.
    pub(in crate::export) rewritten: Option<u64>,
    /// Of how many files its rows were copied; 0 where an export wrote them. Such a file of changes may have several of a
    /// record.
    pub(in crate::export) joined: u64,
}

const TAGS: &str = "malomo_mirror.";

impl Noted {
    fn to_tags(&self) -> BTreeMap<String, Option<String>> {
        let mut tags = vec![
            ("after_seq", self.covers.0.to_string()),
            ("through_seq", self.covers.1.to_string()),
            ("newest_seq", self.newest.0.to_string()),
            ("newest_observed_at", self.newest.1.clone()),
            ("rows", self.rows.to_string()),
            ("sha256", self.sha256.clone()),
        ];
        tags.extend(self.rewritten.map(|count| ("rewritten", count.to_string())));
        tags.extend((self.joined > 0).then(|| ("joined", self.joined.to_string())));
        tags.into_iter().map(|(name, value)| (format!("{TAGS}{name}"), Some(value))).collect()
    }

    /// Of changes: the first and the last that the file covers.
    pub(in crate::export) fn range(&self) -> (i64, i64) {
        (self.covers.0 + 1, self.covers.1)
    }

    /// How its rows are written.
    pub(super) fn dialect(&self) -> Dialect {
        Dialect { old_layout: false, exact: self.rewritten.is_none(), bom: false, guarded: false }
    }

    /// Of no file.
    pub(in crate::export) fn of_nothing() -> Noted {
        let (newest, sha256) = ((0, String::new()), String::new());
        Noted { covers: (0, 0), newest, rows: 0, sha256, rewritten: None, joined: 0 }
    }

    fn of_tags(tags: &BTreeMap<String, Option<String>>) -> Option<Noted> {
        let tag = |name: &str| tags.get(&format!("{TAGS}{name}")).and_then(Option::as_deref);
        let number = |name: &str| tag(name)?.parse().ok();
        Some(Noted {
            covers: (number("after_seq")?, number("through_seq")?),
            newest: (number("newest_seq")?, tag("newest_observed_at")?.to_owned()),
            rows: tag("rows")?.parse().ok()?,
            sha256: tag("sha256")?.to_owned(),
            rewritten: tag("rewritten").map(str::parse).transpose().ok()?,
            joined: tag("joined").map(str::parse).transpose().ok()?.unwrap_or(0),
        })
    }
}

impl Add {
    /// What this program noted of the file; `None` where another program wrote it.
    pub(in crate::export) fn noted(&self) -> Option<Noted> {
        self.tags.as_ref().and_then(Noted::of_tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_comes_back() {
        for (rewritten, joined) in [(None, 0), (Some(0), 0), (Some(3), 7)] {
            let newest = (9, "2024-05-01T12:00:00.120Z".to_owned());
            let noted =
                Noted { covers: (4, 12), newest, rows: 5, sha256: "ab".to_owned(), rewritten, joined };
            assert_eq!(Noted::of_tags(&noted.to_tags()), Some(noted.clone()));
            let mut lacking = noted.to_tags();
            lacking.remove("malomo_mirror.sha256");
            assert_eq!(Noted::of_tags(&lacking), None);
        }
    }
}
