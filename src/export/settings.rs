//! Where exports go, and in which form: what the configuration says about them.

use super::error::ExportError;
use super::formats::{Compression, Dialect, Format};
use super::location::Location;
use crate::masking::{Masker, Profile};
use crate::mirror::Mirror;
use crate::record::Stream;
use std::sync::Arc;
use std::time::Duration;

/// The name of the first destination, that of `[export]`.
pub const FIRST: &str = "export";

/// Where exports go, and in which form: one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the destination is called: [`FIRST`], or the `name` of one of `[[destinations]]`.
    pub name: String,
    /// The export folder (`export.dir`, or the `url` of one of `[[destinations]]`); created where it doesn't exist.
    pub dir: Location,
    /// What is hidden from whoever reads the files; `None`: nothing.
    pub profile: Option<Profile>,
    /// The streams to export, each once: all of them to the first destination.
    pub streams: Vec<Stream>,
    /// The formats to write (`export.formats`). Each has a position of its own: one that is added later starts with
    /// the first change.
    pub formats: Vec<Format>,
    /// How new files are compressed (`export.compression`), but for formats that compress inside. May change from one export
    /// to the next.
    pub compression: Compression,
    /// Whether every value is written as the API gave it, also where common readers refuse the file for it
    /// (`export.exact`). May change from one export to the next.
    pub exact: bool,
    /// Whether CSV begins with a byte order mark (`export.csv_bom`). May change from one export to the next.
    pub csv_bom: bool,
    /// Whether text in CSV gets a `'` in front where a spreadsheet would take it for a formula
    /// (`export.csv_formula_guard`). May change from one export to the next.
    pub csv_formula_guard: bool,
    /// Files that are older are removed once nobody needs them (`export.max_age`); zero: never.
    pub max_age: Duration,
    /// Small files that are older are joined after an export (`export.compact_after`); zero: never.
    pub compact_after: Duration,
}

impl Settings {
    /// The formats of which it is known here how far they reach: that of files the mirror remembers, that of tables their logs
    /// say, which a store would have to be asked for.
    pub fn formats_in_sight(&self) -> impl Iterator<Item = Format> {
        let is_in_sight = |format: &Format| self.dir.folder().is_some() || !Format::TABLES.contains(format);
        self.formats.iter().copied().filter(is_in_sight)
    }

    /// Whether tables are written, too.
    #[cfg(feature = "lake")]
    pub(super) fn has_tables(&self) -> bool {
        self.formats.contains(&Format::Delta)
    }

    /// Has the mirror show what the destination's profile shows while `work` goes on.
    ///
    /// # Errors
    /// When the profile's key can't be read or made, and those of `work`.
    pub(super) fn seen<R>(
        &self,
        mirror: &mut Mirror,
        work: impl FnOnce(&mut Mirror) -> Result<R, ExportError>,
    ) -> Result<R, ExportError> {
        seen_through(mirror, self.profile.as_ref(), work)
    }

    /// How new files of a format are compressed as a whole.
    pub(super) fn compression(&self, format: Format) -> Compression {
        if format.takes(self.compression) { self.compression } else { Compression::None }
    }

    /// How the rows of new files of a format are written.
    pub(super) fn dialect(&self, format: Format) -> Dialect {
        let for_spreadsheets = format.is_for_spreadsheets();
        Dialect {
            old_layout: false,
            exact: self.exact,
            bom: for_spreadsheets && self.csv_bom,
            guarded: for_spreadsheets && self.csv_formula_guard,
        }
    }
}

/// Has the mirror show what a profile shows while `work` goes on.
///
/// # Errors
/// When the profile's key can't be read or made, and those of `work`.
pub(super) fn seen_through<R>(
    mirror: &mut Mirror,
    profile: Option<&Profile>,
    work: impl FnOnce(&mut Mirror) -> Result<R, ExportError>,
) -> Result<R, ExportError> {
    let masker = profile.map(Masker::open).transpose()?.map(Arc::new);
    let before = mirror.look_through(masker);
    let result = work(mirror);
    mirror.look_through(before);
    result
}
