//! What was pruned from the front of manifests, as the mirror remembers it: so that the first line that is left can still
//! be tied to the one before it, and a stream of which no line is left goes on where it was.

use super::{Format, ManifestLine};
use crate::mirror::{ExportNote, MirrorError, Snapshot};
use crate::record::Stream;
use serde::{Deserialize, Serialize};

/// A front that was removed, or was going to be when the power failed: it counts only for a manifest whose first line
/// follows its last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Front {
    /// The manifest's folder.
    pub(super) dir: String,
    /// Whether that holds snapshots.
    pub(super) snapshots: bool,
    /// Of the last removed line.
    pub(super) digest: String,
    /// Up to which change each stream and format was removed, in all.
    through: Vec<Through>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Through {
    stream: String,
    format: String,
    last_seq: i64,
}

impl Front {
    #[cfg(test)]
    pub(super) fn new(
        dir: &str,
        snapshots: bool,
        digest: &str,
        through: impl IntoIterator<Item = (Stream, Format, i64)>,
    ) -> Front {
        let through = through.into_iter().map(|(stream, format, last_seq)| Through {
            stream: stream.name().to_owned(),
            format: format.name().to_owned(),
            last_seq,
        });
        Front { dir: dir.to_owned(), snapshots, digest: digest.to_owned(), through: through.collect() }
    }

    /// Up to which change a stream's files of a format were removed; 0 where none was.
    pub(super) fn through(&self, stream: Stream, format: Format) -> i64 {
        let found = self
            .through
            .iter()
            .find(|through| through.stream == stream.name() && through.format == format.name());
        found.map_or(0, |through| through.last_seq)
    }
}

/// The front that was removed from the manifest with these lines.
pub(super) fn in_force<'f>(fronts: &'f [Front], lines: &[ManifestLine]) -> Option<&'f Front> {
    let previous = lines.first()?.previous.as_deref()?;
    fronts.iter().find(|front| front.digest == previous)
}

/// The fronts that the mirror remembers, oldest first.
pub(super) fn read(snapshot: &Snapshot<'_>) -> Result<Vec<Front>, MirrorError> {
    match snapshot.export_note(ExportNote::Pruned)? {
        None => Ok(Vec::new()),
        Some(text) => serde_json::from_str(&text)
            .map_err(|_| MirrorError::Unreadable { what: "export_pruned in its table meta".to_owned() }),
    }
}
