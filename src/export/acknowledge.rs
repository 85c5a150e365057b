//! What the consumers of exports have taken over: it need not be kept for them (`export.max_age`).

use super::pruned;
use super::{ExportError, Format};
use crate::mirror::{ExportNote, Mirror};
use crate::record::Stream;
use serde::Serialize;

/// Up to which change a stream's files of one format were acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acknowledgement {
    /// `customers` or `events`.
    pub stream: String,
    /// `csv` or `ndjson`.
    pub format: String,
    /// The last change; never falls.
    pub through: i64,
}

/// Notes in the mirror that every file up to change `through` was taken over, of this stream and this format or of all.
/// Durable on return. Needs no process lock: a consumer doesn't have to wait for the end of a run.
///
/// # Errors
/// When nothing was exported that far, or the mirror can't be written.
pub fn acknowledge(
    mirror: &mut Mirror,
    through: i64,
    stream: Option<Stream>,
    format: Option<Format>,
) -> Result<Vec<Acknowledgement>, ExportError> {
    let snapshot = mirror.snapshot()?;
    let exported = snapshot.newest_exports()?.iter().map(|file| file.last_seq).max().unwrap_or(0);
    let mut acknowledged = pruned::read_acknowledged(&snapshot)?;
    drop(snapshot);
    if through > exported || through < 1 {
        return Err(ExportError::NotExported { through, exported });
    }
    let mut changed = Vec::new();
    for (stream, format) in
        Stream::ALL.into_iter().filter(|of| stream.is_none_or(|only| only == *of)).flat_map(|stream| {
            Format::ALL
                .into_iter()
                .filter(|of| format.is_none_or(|only| only == *of))
                .map(move |of| (stream, of))
        })
    {
        let through = acknowledged.through(stream, format).max(through);
        acknowledged.set(stream, format, through);
        let (stream, format) = (stream.name().to_owned(), format.name().to_owned());
        changed.push(Acknowledgement { stream, format, through });
    }
    pruned::store(mirror, ExportNote::Acknowledged, &acknowledged)?;
    Ok(changed)
}
