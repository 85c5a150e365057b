//! What can go wrong with an export.

use crate::export::difference::Difference;
use crate::export::location::Location;
use crate::masking::MaskingError;
use crate::mirror::{HistoryReach, MirrorError};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// An error of an export: what happened, where, and what to do. Whatever it is, no file was announced that isn't
/// there, and the next export goes on from the last announced one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The mirror can't be read or written.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// The key of a destination's profile can't be used.
    #[error(transparent)]
    Masking(#[from] MaskingError),
    /// The folder holds rows that were written by other rules.
    #[error(
        "{} holds files of {found}, and {own} is to be written there: their rows don't go together. Set the destination to \
         another folder, where the export starts from the first change, or set its profile as it was",
        dir
    )]
    OtherProfile {
        /// The export folder.
        dir: Location,
        /// Whose rules its files follow.
        found: String,
        /// Whose rules they were to follow.
        own: String,
    },
    /// A file or a folder of the export folder can't be read or written.
    #[error("{} can't be {action}{}", path.display(), remedy(source))]
    Io {
        /// What was tried, such as "written".
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A line of a manifest is not what this program writes.
    #[error(
        "{} can't be read at line {line}: {reason}; it was left as it is. Restore it from a backup, or set export.dir \
         to another folder, where the export starts from the first change", path.display()
    )]
    ManifestLine {
        /// The manifest.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The folder holds the exports of another mirror.
    #[error(
        "{} holds the exports of another mirror (mirror_id {found}, this one is {own}): set export.dir to another \
         folder, or move this one away",
        dir
    )]
    OtherMirror {
        /// The export folder.
        dir: Location,
        /// Whose exports they are.
        found: String,
        /// Who wanted to export.
        own: String,
    },
    /// A snapshot was asked for of a change that is still to come.
    #[error("there is no change {seq}: the mirror's newest one is {head}")]
    NoSuchChange {
        /// The number that was asked for.
        seq: i64,
        /// The mirror's newest change.
        head: i64,
    },
    /// A snapshot was asked for of a state that nobody knows any more.
    #[error(
        "the state of {stream} at change {seq} is not known: {why}. Ask for change {from} or a later one",
        stream = reach.stream, from = reach.from_seq,
        why = match reach.pruned {
            0 => "an earlier version of this program kept no history until then",
            _ => "mirror.history_max_age or retention.history has removed the versions of that time",
        }
    )]
    Forgotten {
        /// The change that was asked for.
        seq: i64,
        /// How far the history reaches.
        reach: HistoryReach,
    },
    /// The folder holds changes that the mirror doesn't know.
    #[error(
        "{} holds {stream} up to change {last_seq}, but the mirror ends at change {head_seq}: it was probably \
         restored from an older copy. Set export.dir to another folder, or move this one away; the export then starts \
         from the first change",
        dir
    )]
    AheadOfMirror {
        /// The export folder.
        dir: Location,
        /// The stream.
        stream: String,
        /// Up to where it was exported.
        last_seq: i64,
        /// The mirror's newest change.
        head_seq: i64,
    },
    /// A table of the folder can't be continued.
    #[error(
        "the table {} can't be continued: {reason}; it was left as it is. Restore it from a backup, or move its folder away: \
         the next export writes it anew", path.display()
    )]
    Table {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The folder holds other changes under the mirror's numbers.
    #[error(
        "{} holds changes in {path} that contradict the mirror's change log: the mirror was probably restored from an \
         older copy and has gone on from there, so that its numbers stand for other changes than the exported ones. Set \
         export.dir to a new folder, where the export starts from the first change, and load that from the beginning",
        dir
    )]
    Diverged {
        /// The export folder.
        dir: Location,
        /// The file, relative to it.
        path: String,
    },
    /// A manifest is broken, or the mirror contradicts itself: no file written again mends that.
    #[error(
        "{} can't be repaired from the mirror, and was left as it is:{}\nRestore manifest.ndjson from a backup, or set \
         export.dir to a new folder, where the export starts from the first change",
        dir,
        listed(what)
    )]
    NotMendable {
        /// The export folder.
        dir: Location,
        /// What is wrong, the first differences.
        what: Vec<Difference>,
    },
    /// The file with what consumers have acknowledged is not what this program writes.
    #[error(
        "{} is damaged: {reason}; it was left as it is. Remove it, and acknowledge again what consumers have taken over",
        path.display()
    )]
    AcknowledgedDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// More was acknowledged than was exported.
    #[error(
        "change {through} can't be acknowledged: {}; take the number from a manifest line's last_seq",
        match exported { 0 => "nothing was exported yet".to_owned(), to => format!("exports go from change 1 to {to}") }
    )]
    NotExported {
        /// The change that was named.
        through: i64,
        /// The newest one that was exported.
        exported: i64,
    },
    /// The first lines of a manifest are gone, and not by pruning.
    #[error(
        "the first lines of {} are gone: its first one follows a line that this mirror did not remove. Restore it from a \
         backup, or set export.dir to a new folder, where the export starts from the first change", path.display()
    )]
    FrontLost {
        /// The manifest.
        path: PathBuf,
    },
    /// The manifest's last line is another one than this mirror wrote.
    #[error(
        "{} was edited: where this mirror's last line ended stands something else. Restore it from a backup, or set \
         export.dir to a new folder, where the export starts from the first change", path.display()
    )]
    ManifestEdited {
        /// The manifest.
        path: PathBuf,
    },
    /// The manifest lacks lines, but their files lie there.
    #[error(
        "{} is gone or lost lines, but {file} is an export that it must have named: restore the manifest, or set export.dir \
         to another folder, or move this one away; the export then starts from the first change", manifest.display()
    )]
    ManifestLost {
        /// Where the manifest should be.
        manifest: PathBuf,
        /// Relative to the manifest's folder.
        file: String,
    },
}

impl ExportError {
    /// For `map_err`: the action failed at `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
        let path = path.to_owned();
        move |source| ExportError::Io { action, path, source }
    }

    /// With its causes, for where nobody asks for them: what an object store says is one of them, and what to do about it.
    pub fn with_causes(&self) -> String {
        let causes = std::iter::successors(self.source(), |&cause| cause.source());
        std::iter::once(self.to_string()).chain(causes.map(|cause| format!("; because: {cause}"))).collect()
    }
}

/// Each on a line of its own.
fn listed(differences: &[Difference]) -> String {
    differences.iter().map(|difference| format!("\n  {difference}")).collect()
}

/// What to do about the commonest reasons, as the end of a sentence.
fn remedy(error: &io::Error) -> &'static str {
    // An error of an object store says itself what to do.
    if is_of_store(error) {
        return "";
    }
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ": the disk is full; nothing was announced. Free some space or set export.dir to another disk, then run again"
        }
        ErrorKind::FileTooLarge => {
            ": it would be larger than this system or user may write; nothing was announced. Raise the limit or set \
             export.compression, then run again"
        }
        ErrorKind::PermissionDenied => ": make the folder writable for this user, or set export.dir",
        ErrorKind::ReadOnlyFilesystem => ": the file system is read-only; set export.dir to another folder",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            ": something else stands in its place; move it away, or set export.dir to another folder"
        }
        _ => ": check the disk and the folder's permissions, then run again",
    }
}

#[cfg(feature = "lake")]
fn is_of_store(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<crate::export::destination::StoreFault>())
}

#[cfg(not(feature = "lake"))]
fn is_of_store(_error: &io::Error) -> bool {
    false
}
