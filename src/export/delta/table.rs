//! Which tables there are, where they stand, and what their files are called. Pure.

use crate::export::formats::{Compression, Format};
use crate::export::layout::{Covers, FileName};
use crate::record::Stream;
use std::fmt;
use uuid::Uuid;

/// A table of an export folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) struct Table {
    pub(in crate::export) stream: Stream,
    pub(in crate::export) contents: Contents,
}

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) enum Contents {
    /// Every change: `STREAM_changes`.
    Changes,
    /// The current state: `STREAM`.
    State,
}

/// The table's folder, relative to the export folder; also its name.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.contents {
            Contents::Changes => write!(f, "{}_changes", self.stream),
            Contents::State => write!(f, "{}", self.stream),
        }
    }
}

/// The digits of a version in names.
const DIGITS: usize = 20;

impl Table {
    /// The folder of the log, relative to the export folder.
    pub(in crate::export) fn log(self) -> String {
        format!("{self}/_delta_log")
    }

    /// Where the table's files stand below its folder, with a `/` at the end. The folder of the state is that of the
    /// stream's other export files, so the table's have one of their own there, and whoever takes all files of that
    /// folder takes none of them.
    fn prefix(self) -> &'static str {
        match self.contents {
            Contents::Changes => "",
            Contents::State => "current/",
        }
    }

    /// The folder of the table's files, relative to the export folder.
    pub(super) fn data(self) -> String {
        format!("{self}/{}", self.prefix()).trim_end_matches('/').to_owned()
    }

    /// A new path for a file that is to be named by the commit of that version: relative to the table's folder. No
    /// other one is equal.
    pub(super) fn new_path(self, version: i64) -> String {
        format!("{}part-{version:0DIGITS$}-{}.parquet", self.prefix(), Uuid::new_v4())
    }

    /// The path of a file in [`Table::data`], where it has a name that [`Table::new_path`] gives.
    pub(super) fn own_path(self, name: &str) -> Option<String> {
        let (version, id) = name.strip_prefix("part-")?.strip_suffix(".parquet")?.split_at_checked(DIGITS)?;
        let is_ours = version.bytes().all(|byte| byte.is_ascii_digit())
            && id.strip_prefix('-').is_some_and(|id| Uuid::try_parse(id).is_ok());
        is_ours.then(|| format!("{}{name}", self.prefix()))
    }

    /// What a file of the table would be called among export files: for its stream and what it covers.
    pub(in crate::export) fn file_name(self, covers: Covers) -> FileName {
        FileName { stream: self.stream, covers, format: Format::Delta, compression: Compression::None }
    }

    /// A file of the table, relative to the export folder.
    pub(in crate::export) fn file(self, path: &str) -> String {
        format!("{self}/{path}")
    }

    /// Under which the table's `txn` actions stand: no other table's is equal, of whatever mirror.
    pub(super) fn app_id(self, mirror_id: &str) -> String {
        format!("{APPLICATION}{mirror_id}/{self}")
    }
}

/// How the application ids of this program begin.
pub(super) const APPLICATION: &str = "malomo-mirror/";

/// The file of a commit, in the log's folder.
pub(super) fn commit_name(version: i64) -> String {
    format!("{version:0DIGITS$}.json")
}

/// The file of a checkpoint, in the log's folder.
pub(super) fn checkpoint_name(version: i64) -> String {
    format!("{version:0DIGITS$}.checkpoint.parquet")
}

/// The file of the log that says which checkpoint is the newest.
pub(super) const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// A file of a log that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogFile {
    Commit(i64),
    Checkpoint(i64),
}

impl LogFile {
    /// What a name in the log's folder stands for; `None` for all else.
    pub(super) fn parse(name: &str) -> Option<LogFile> {
        let (version, kind) = name.split_at_checked(DIGITS)?;
        let version =
            version.bytes().all(|byte| byte.is_ascii_digit()).then(|| version.parse().ok()).flatten()?;
        match kind {
            ".json" => Some(LogFile::Commit(version)),
            ".checkpoint.parquet" => Some(LogFile::Checkpoint(version)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGES: Table = Table { stream: Stream::Events, contents: Contents::Changes };
    const STATE: Table = Table { stream: Stream::Customers, contents: Contents::State };

    #[test]
    fn names_are_read_as_they_are_given() {
        assert_eq!(
            (CHANGES.log(), CHANGES.data()),
            ("events_changes/_delta_log".into(), "events_changes".into())
        );
        assert_eq!((STATE.log(), STATE.data()), ("customers/_delta_log".into(), "customers/current".into()));
        assert_eq!(STATE.app_id("m"), "malomo-mirror/m/customers");
        for table in [CHANGES, STATE] {
            let path = table.new_path(12);
            let name = path.rsplit('/').next().unwrap();
            assert!(name.starts_with("part-00000000000000000012-"), "{path}");
            assert_eq!(table.own_path(name), Some(path.clone()));
            assert!(table.file(&path).starts_with(&table.data()));
        }
        for foreign in [
            "part-00000-8f0a2b6e-5d1c-4c2f-9f0e-1f2a3b4c5d6e-c000.snappy.parquet",
            "part-0000000000000000001x-8f0a2b6e-5d1c-4c2f-9f0e-1f2a3b4c5d6e.parquet",
            "part-00000000000000000012-8f0a2b6e.parquet",
            "part-00000000000000000012.parquet",
            "customers-000000000001-000000000005.parquet",
            "part-é",
            "",
        ] {
            assert_eq!(CHANGES.own_path(foreign), None, "{foreign}");
        }
        for version in [0, 7, i64::MAX] {
            assert_eq!(LogFile::parse(&commit_name(version)), Some(LogFile::Commit(version)));
            assert_eq!(LogFile::parse(&checkpoint_name(version)), Some(LogFile::Checkpoint(version)));
        }
        for other in [LAST_CHECKPOINT, "00000000000000000001.crc", "1.json", "99999999999999999999.json", "é"]
        {
            assert_eq!(LogFile::parse(other), None, "{other}");
        }
    }
}
