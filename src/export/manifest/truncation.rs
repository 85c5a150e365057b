//! What the mirror remembers about truncated manifests: which lines were removed from their front, so that the first line
//! that is left can still be tied to the one before it.

use crate::export::error::ExportError;
use crate::export::formats::Format;
use crate::mirror::{Mirror, MirrorError, Snapshot};
use crate::record::Stream;
use serde::{Deserialize, Serialize};

/// Lines that were removed from the front of a manifest, or were going to be when the power failed: this counts only for a
/// manifest whose first line follows the last removed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::export) struct Truncation {
    /// The manifest's folder.
    pub(in crate::export) dir: String,
    /// Whether that holds snapshots.
    pub(in crate::export) snapshots: bool,
    /// Of the last removed line.
    pub(in crate::export) digest: String,
    /// Up to which change each stream and format was removed, in all.
    through: Vec<Through>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Through {
    stream: String,
    format: String,
    last_seq: i64,
}

impl Truncation {
    pub(in crate::export) fn new(
        dir: &str,
        snapshots: bool,
        digest: &str,
        through: impl IntoIterator<Item = (Stream, Format, i64)>,
    ) -> Truncation {
        let through = through.into_iter().map(|(stream, format, last_seq)| Through {
            stream: stream.name().to_owned(),
            format: format.name().to_owned(),
            last_seq,
        });
        Truncation { dir: dir.to_owned(), snapshots, digest: digest.to_owned(), through: through.collect() }
    }

    /// Up to which change a stream's files of a format were removed; 0 where none was.
    pub(in crate::export) fn through(&self, stream: Stream, format: Format) -> i64 {
        let is_it = |one: &&Through| one.stream == stream.name() && one.format == format.name();
        self.through.iter().find(is_it).map_or(0, |one| one.last_seq)
    }
}

/// The front that was removed from the manifest whose first line follows the one with this digest.
pub(in crate::export) fn in_force<'f>(
    truncations: &'f [Truncation],
    follows: Option<&str>,
) -> Option<&'f Truncation> {
    let previous = follows?;
    truncations.iter().find(|truncation| truncation.digest == previous)
}

/// The fronts that the mirror remembers, oldest first.
pub(in crate::export) fn read(snapshot: &Snapshot<'_>) -> Result<Vec<Truncation>, MirrorError> {
    match snapshot.export_fronts()? {
        None => Ok(Vec::new()),
        Some(text) => serde_json::from_str(&text).map_err(|_| unusable()),
    }
}

/// Notes fronts in the mirror. Durable on return.
pub(in crate::export) fn store(mirror: &mut Mirror, truncations: &[Truncation]) -> Result<(), ExportError> {
    let text = serde_json::to_string(truncations).map_err(|_| unusable())?;
    let mut batch = mirror.batch()?;
    batch.note_export_fronts(&text)?;
    Ok(batch.commit()?)
}

fn unusable() -> MirrorError {
    MirrorError::Unreadable { what: "a row about removed exports in its table meta".to_owned() }
}
