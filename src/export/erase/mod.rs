//! Export files without the rows of erased persons, as steps: each may be the last one before a power cut, and an
//! erasure that was cut off is done by the next one.
//!
//! A file whose range has an erased change is written again from the change log, and takes its own place: where a
//! file of changes had the person's row, it has the line `erase`, with tokens for keys and nothing else; a snapshot
//! lacks the row. What the mirror doesn't know any more of the others, such as versions that were pruned, is taken
//! over from the old file.
//!
//! The line of such a file has `erased_at`, and the lines behind it are tied to it anew. Beside these files go what
//! earlier repairs kept aside as `FILE.damaged`, and what killed exports left.

mod announced_files;
mod clean_up;
mod erased_changes;
mod old_rows;
mod outcome;
mod remaining_rows;
mod tables;

pub use outcome::{Done, ErasedFile, ErasedFolder};

use super::destination;
use super::erasures;
use super::error::ExportError;
use super::layout::Kind;
use super::location::Location;
use super::provenance::open_own;
use super::settings::seen_through;
use crate::masking::Profile;
use crate::mirror::{Erasure, Mirror};
use announced_files::AnnouncedFiles;
use clean_up::clean_up;
use erased_changes::ErasedChanges;
use jiff::Timestamp;
use remaining_rows::RemainingRows;

/// Writes every file of the export folder `dir` again that may hold rows of this erasure. Blocks; the caller holds
/// the mirror's process lock.
///
/// When this returns, files, manifests and what the mirror remembers of them are durable. Doing it again changes
/// nothing.
///
/// # Errors
/// When the folder can't be read or written, a manifest is broken or has lost lines, or the mirror can't be read or written.
pub fn erase(
    mirror: &mut Mirror,
    (dir, profile): (&Location, Option<&Profile>),
    erasure: &Erasure,
    now: Timestamp,
) -> Result<ErasedFolder, ExportError> {
    seen_through(mirror, profile, |mirror| erase_seen(mirror, dir, erasure, now))
}

fn erase_seen(
    mirror: &mut Mirror,
    dir: &Location,
    erasure: &Erasure,
    now: Timestamp,
) -> Result<ErasedFolder, ExportError> {
    let mut done = ErasedFolder { dir: dir.to_string(), ..ErasedFolder::default() };
    let mut reader = mirror.reader()?;
    let snapshot = reader.snapshot()?;
    let erased = ErasedChanges::of(&snapshot, erasure)?;
    let rows = RemainingRows { snapshot: &snapshot, history: snapshot.history()?, erased };
    let reached = open_own(&snapshot, dir, Kind::Changes, mirror.id())?.reached;
    let files = AnnouncedFiles { rows: &rows, dir, erasure, reached };
    for kind in [Kind::Changes, Kind::Snapshots] {
        let announced = files.write_affected(mirror, kind, &mut done)?;
        clean_up(mirror, (dir, kind), &rows.erased, &announced, &mut done)?;
    }
    tables::erase(&rows, dir, (mirror.id(), now), &mut done)?;
    if !rows.erased.is_empty() {
        erasures::write(&snapshot, &*destination::of(dir, Kind::Changes))?;
    }
    Ok(done)
}
