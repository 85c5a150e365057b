//! How far each stream was exported to a folder.

#[cfg(feature = "lake")]
use crate::export::delta;
use crate::export::location::Location;
use crate::export::manifest::newest_files;
use crate::mirror::{ExportFile, MirrorError, Snapshot};

/// The newest files of the folder `dir`, one of each stream and format: those that a manifest announces, and those of tables;
/// `own` is the mirror's id.
///
/// # Errors
/// As [`newest_files`].
pub fn newest_exports(
    snapshot: &Snapshot<'_>,
    dir: &Location,
    own: &str,
) -> Result<Vec<ExportFile>, MirrorError> {
    let mut newest = newest_files(snapshot, dir)?;
    newest.extend(newest_of_tables(dir, own));
    Ok(newest)
}

/// The newest files of the tables with the changes in the folder `dir`, one of each stream, as [`newest_files`] has those of
/// other formats; `own` is the mirror's id. Read from the tables' logs, and from their newest commits alone. A table that
/// can't be read, or is another mirror's, is left out; `export verify` says what is wrong. Of tables in a store nothing is
/// said: whoever wants to see how things stand doesn't wait for it.
pub fn newest_of_tables(dir: &Location, own: &str) -> Vec<ExportFile> {
    #[cfg(feature = "lake")]
    if dir.folder().is_some() {
        return delta::newest(dir, own);
    }
    let _ = (dir, own);
    Vec::new()
}
