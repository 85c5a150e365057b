//! What the consumers of an export folder have taken over: it need not be kept for them (`export.max_age`). It stands in a
//! file beside the manifest, so that it belongs to this folder alone, and so that noting it waits for no run: nobody else
//! writes that file.

use crate::export::destination::{self, read_whole};
use crate::export::error::ExportError;
use crate::export::formats::{Format, streams_and_formats};
use crate::export::layout::Kind;
use crate::export::location::Location;
use crate::export::manifest::{ManifestLine, newest_change};
use crate::record::Stream;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The file, beside the manifest: a JSON array of [`Acknowledgement`].
pub(in crate::export) const ACKNOWLEDGED: &str = "acknowledged.json";

/// Held by whoever reads and replaces that file in a local folder.
#[cfg(test)]
pub(in crate::export) const LOCK: &str = ".acknowledged.lock";

/// Up to which change a stream's files of one format were acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// `customers` or `events`.
    pub stream: String,
    /// `csv` or `ndjson`.
    pub format: String,
    /// The last change; never falls.
    pub through: i64,
}

/// Notes beside the manifest in `dir` that every file there up to change `through` was taken over, of this stream and this
/// format or of all. Durable on return. Needs neither the mirror nor its process lock, so that a consumer doesn't have to
/// wait for the end of a run; two at once wait for each other, and neither is lost.
///
/// # Errors
/// When nothing was exported there that far, or the folder can't be read or written.
pub fn acknowledge(
    dir: &Location,
    through: i64,
    stream: Option<Stream>,
    format: Option<Format>,
) -> Result<Vec<Acknowledgement>, ExportError> {
    let exported = newest_change(dir)?;
    if through > exported || through < 1 {
        return Err(ExportError::NotExported { through, exported });
    }
    let (destination, mut changed) = (destination::of(dir, Kind::Changes), Vec::new());
    let place = destination.place(ACKNOWLEDGED);
    let updated = destination.update(ACKNOWLEDGED, &mut |text| {
        let mut acknowledged = Acknowledged::parse(text, &place).map_err(io::Error::other)?;
        changed.clear();
        for (of, in_format) in streams_and_formats() {
            if stream.is_none_or(|only| only == of) && format.is_none_or(|only| only == in_format) {
                changed.push(acknowledged.raise(of, in_format, through).clone());
            }
        }
        let mut text = serde_json::to_vec_pretty(&acknowledged.0)?;
        text.push(b'\n');
        Ok(text)
    });
    match updated.map_err(io::Error::downcast::<ExportError>) {
        Ok(()) => Ok(changed),
        Err(Ok(damaged)) => Err(damaged),
        Err(Err(error)) => Err(ExportError::io("written", &place)(error)),
    }
}

/// What was acknowledged in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::export) struct Acknowledged(Vec<Acknowledgement>);

impl Acknowledged {
    /// Reads what was acknowledged in `dir`.
    pub(in crate::export) fn read(dir: &Location) -> Result<Acknowledged, ExportError> {
        let destination = destination::of(dir, Kind::Changes);
        let place = destination.place(ACKNOWLEDGED);
        let text = read_whole(&*destination, ACKNOWLEDGED).map_err(ExportError::io("read", &place))?;
        Acknowledged::parse(text, &place)
    }

    /// Takes what stands in the file, if there is one.
    fn parse(text: Option<Vec<u8>>, place: &Path) -> Result<Acknowledged, ExportError> {
        let Some(text) = text else { return Ok(Acknowledged::default()) };
        let damaged = |reason| ExportError::AcknowledgedDamaged { path: place.to_owned(), reason };
        serde_json::from_slice(&text).map(Acknowledged).map_err(damaged)
    }

    /// Whether the line's file was taken over.
    pub(in crate::export) fn covers(&self, line: &ManifestLine) -> bool {
        self.0.iter().any(|one| {
            (&one.stream, &one.format) == (&line.stream, &line.format) && one.through >= line.last_seq
        })
    }

    /// Up to which change files like the line's were taken over; 0 where none was.
    pub(in crate::export) fn through(&self, line: &ManifestLine) -> i64 {
        let is_it = |one: &&Acknowledgement| (&one.stream, &one.format) == (&line.stream, &line.format);
        self.0.iter().find(is_it).map_or(0, |one| one.through)
    }

    /// Notes this change, unless a later one was noted already. Returns what stands there then.
    fn raise(&mut self, stream: Stream, format: Format, through: i64) -> &Acknowledgement {
        let is_it = |one: &Acknowledgement| {
            (one.stream.as_str(), one.format.as_str()) == (stream.name(), format.name())
        };
        let at = self.0.iter().position(is_it).unwrap_or_else(|| {
            let (stream, format) = (stream.name().to_owned(), format.name().to_owned());
            self.0.push(Acknowledgement { stream, format, through });
            self.0.len() - 1
        });
        let one = &mut self.0[at];
        one.through = one.through.max(through);
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::manifest::sample;

    fn folder_with_changes(last: i64) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let line = serde_json::to_string(&sample("customers", "csv", 1, last)).unwrap();
        std::fs::write(dir.path().join("manifest.ndjson"), line + "\n").unwrap();
        dir
    }

    #[test]
    fn it_never_falls_and_each_stream_and_format_has_its_own() {
        let dir = folder_with_changes(9);
        let note = |through, stream, format| acknowledge(&dir.path().into(), through, stream, format);
        assert_eq!(note(5, None, None).unwrap().len(), Stream::ALL.len() * Format::ALL.len());
        let raised = note(7, Some(Stream::Events), Some(Format::Csv)).unwrap();
        assert_eq!((raised.len(), raised[0].through), (1, 7));
        assert_eq!(note(6, Some(Stream::Events), None).unwrap().iter().map(|one| one.through).max(), Some(7));
        let noted = Acknowledged::read(&dir.path().into()).unwrap();
        for (stream, format, last, expected) in [
            ("customers", "csv", 5, true),
            ("customers", "csv", 6, false),
            ("events", "csv", 7, true),
            ("events", "ndjson", 7, false),
            ("orders", "csv", 1, false),
        ] {
            assert_eq!(noted.covers(&sample(stream, format, 1, last)), expected, "{stream} {format} {last}");
        }
        for bad in [0, 10, -1] {
            assert!(matches!(note(bad, None, None), Err(ExportError::NotExported { exported: 9, .. })));
        }
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let dir = folder_with_changes(100);
        let note = |n: i64| {
            let (stream, format) = streams_and_formats().nth(n as usize % 4).unwrap();
            acknowledge(&dir.path().into(), n, Some(stream), Some(format)).unwrap();
        };
        std::thread::scope(|scope| {
            for from in 0..8 {
                scope.spawn(move || (1..=100).filter(|n| n % 8 == from).for_each(note));
            }
        });
        let noted = Acknowledged::read(&dir.path().into()).unwrap();
        let mut through: Vec<i64> = noted.0.iter().map(|one| one.through).collect();
        through.sort_unstable();
        assert_eq!(through, [97, 98, 99, 100]);
    }

    #[test]
    fn what_a_killed_one_left_is_removed_by_the_next() {
        let dir = folder_with_changes(9);
        std::fs::write(dir.path().join(format!(".{ACKNOWLEDGED}-a1b2c3d4.tmp")), "[").unwrap();
        acknowledge(&dir.path().into(), 9, None, None).unwrap();
        let destination = destination::of(&dir.path().into(), Kind::Changes);
        assert_eq!(destination::names(&*destination, ""), [LOCK, ACKNOWLEDGED, "manifest.ndjson"]);
    }

    #[test]
    fn a_file_that_is_no_longer_readable_is_named_and_left_alone() {
        let dir = folder_with_changes(9);
        std::fs::write(dir.path().join(ACKNOWLEDGED), "{").unwrap();
        let error = acknowledge(&dir.path().into(), 9, None, None).unwrap_err().to_string();
        assert!(error.contains("acknowledged.json is damaged"), "{error}");
        assert_eq!(std::fs::read(dir.path().join(ACKNOWLEDGED)).unwrap(), b"{");
    }
}
