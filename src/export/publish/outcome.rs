//! What an export did.

#[cfg(feature = "lake")]
use crate::export::delta;
use crate::export::error::ExportError;
#[cfg(feature = "lake")]
use crate::export::formats::Format;
use crate::export::manifest::ManifestLine;
use crate::export::retention::prune;
use crate::export::settings::Settings;
use crate::export::table_commit::TableCommit;
use crate::mirror::Mirror;
use jiff::Timestamp;
use serde::Serialize;

/// What an export did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The number of the newest change in the state of the mirror that was read; 0 where there was none.
    pub head_seq: i64,
    /// The files that were written, as the manifest names them; empty when there was nothing new. Paths are relative
    /// to the manifest's folder: the export folder, or `snapshots` in it.
    pub files: Vec<ManifestLine>,
    /// The commits to the folder's tables; empty where there was nothing new, or no tables are written.
    pub tables: Vec<TableCommit>,
    /// What had been exported to this folder and was no longer there, so that it was exported again.
    pub again: Option<Again>,
    /// Snapshots of this very state that lay there already and were left as they are.
    pub existing: Vec<ManifestLine>,
    /// What a killed export had left behind and was removed now: paths relative to the manifest's folder.
    pub removed: Vec<String>,
    /// What was old and needed by nobody, and was removed: paths relative to the export folder.
    pub pruned: Vec<String>,
    /// Why something that is old could not be removed; a later export tries again.
    pub not_pruned: Option<String>,
    /// Small files that were joined.
    pub compacted: Vec<CompactedFile>,
    /// Why small files could not be joined; a later export tries again.
    pub not_compacted: Option<String>,
}

/// Files that were joined, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompactedFile {
    /// The new file, relative to the export folder.
    pub path: String,
    /// How many files it takes the place of.
    pub files: u64,
    /// Their size.
    pub bytes_before: u64,
    /// Its own size; `None` where nothing was written.
    pub bytes: Option<u64>,
    /// Its rows; `None` where nothing was written.
    pub rows: Option<u64>,
}

/// Changes that were exported to a folder a second time, since it had lost them: it was emptied, an older copy of it was put
/// back, or another file system stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Again {
    /// The first one.
    pub first_seq: i64,
    /// The last one.
    pub last_seq: i64,
}

/// Brings the folder's tables up to date, where they are written; with `is_whole` those with the state alone, as a whole.
///
/// # Errors
/// As [`super::export()`].
pub(super) fn tables(
    mirror: &mut Mirror,
    settings: &Settings,
    is_whole: bool,
    now: Timestamp,
) -> Result<Vec<TableCommit>, ExportError> {
    #[cfg(feature = "lake")]
    if settings.has_tables() {
        let state = if is_whole { delta::State::Whole } else { delta::State::Merged };
        let dialect = settings.dialect(Format::Delta);
        let origin = delta::Origin { mirror_id: mirror.id().to_owned(), now, dialect };
        return delta::export_tables(mirror, settings, state, &origin);
    }
    let _ = (mirror, settings, is_whole, now);
    Ok(Vec::new())
}

impl Exported {
    /// Removes what is old. The files of the export are announced whether or not that works.
    pub(super) fn with_pruning(
        mut self,
        mirror: &mut Mirror,
        settings: &Settings,
        now: Timestamp,
    ) -> Exported {
        match prune(mirror, settings, now) {
            Ok(pruned) => self.pruned = pruned,
            Err(error) => self.not_pruned = Some(error.with_causes()),
        }
        self
    }
}
