//! How far a manifest reaches: what an export has to know of its lines, without reading them all.

use super::line::{ManifestLine, digest};
use crate::export::formats::Format;
use crate::mirror::ExportFile;
use crate::record::Stream;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far a manifest reaches. The mirror keeps it as JSON in its table `export_folders`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::export) struct Reached {
    /// Where the lines end; `None` where there is no line, or an older version noted only the newest files.
    pub(in crate::export) end: Option<End>,
    /// The newest file of each stream and format, sorted by these.
    pub(in crate::export) files: Vec<ExportFile>,
    /// The profile of the newest line, and what its rules are known by; `None`: no profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::export) profile: Option<(String, String)>,
    /// What was pruned from the front of the manifest: none or one, but several where an older version noted them.
    pub(in crate::export) fronts: Vec<Front>,
    /// By path, digests of files that take the places of old ones before the manifest says so: until then, what lies there
    /// is what the line says, or has one of these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::export) rewritten: BTreeMap<String, BTreeSet<String>>,
}

/// The end of a manifest's lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::export) struct End {
    /// Where the next line begins, in bytes; behind the last line's end, also where that is missing.
    pub(in crate::export) bytes: u64,
    /// How many lines there are.
    pub(in crate::export) lines: usize,
    /// Where the last line begins.
    pub(in crate::export) last_from: u64,
    /// The last line's digest.
    pub(in crate::export) last_line: String,
}

/// Lines that were removed from the front of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::export) struct Front {
    /// The digest of the last removed line: the first line that is left carries it.
    pub(in crate::export) last_line: String,
    /// Up to which change each stream and format was removed, in all.
    pub(in crate::export) through: Vec<Through>,
}

/// Up to which change the files of a stream and format were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::export) struct Through {
    stream: String,
    format: String,
    last_seq: i64,
}

impl Front {
    pub(in crate::export) fn new(
        last_line: &str,
        through: impl IntoIterator<Item = (Stream, Format, i64)>,
    ) -> Front {
        let through = through.into_iter().map(|(stream, format, last_seq)| Through {
            stream: stream.name().to_owned(),
            format: format.name().to_owned(),
            last_seq,
        });
        Front { last_line: last_line.to_owned(), through: through.collect() }
    }
}

impl Reached {
    /// Takes the next line, which ends there.
    pub(in crate::export) fn take(&mut self, end: End, line: &ManifestLine) {
        self.end = Some(end);
        self.profile = line.shown_by();
        let file = line.to_export_file();
        let key = (&file.stream, &file.format);
        match self.files.binary_search_by(|one| (&one.stream, &one.format).cmp(&key)) {
            Ok(at) => self.files[at] = file,
            Err(at) => self.files.insert(at, file),
        }
    }

    /// Takes the next line, which stands behind the last one with that text, given without its end.
    pub(in crate::export) fn add(&mut self, text: &[u8], line: &ManifestLine) {
        let (last_from, lines) = self.end.as_ref().map_or((0, 0), |end| (end.bytes, end.lines));
        let bytes = last_from + text.len() as u64 + 1;
        self.take(End { bytes, lines: lines + 1, last_from, last_line: digest(text) }, line);
    }

    /// The newest file of a stream and format, by their names.
    pub(in crate::export) fn newest_of(&self, stream: &str, format: &str) -> Option<&ExportFile> {
        self.files.iter().find(|file| (file.stream.as_str(), file.format.as_str()) == (stream, format))
    }

    /// Up to which change a stream was exported in a format: the last one of its newest file; without one the last one
    /// that was pruned, or 0.
    pub(in crate::export) fn position(&self, stream: Stream, format: Format) -> i64 {
        let newest = self.newest_of(stream.name(), format.name());
        newest.map_or_else(|| self.pruned(stream, format), |file| file.last_seq)
    }

    /// Up to which change a stream's files of a format were pruned; 0 where none was.
    pub(in crate::export) fn pruned(&self, stream: Stream, format: Format) -> i64 {
        let is_it = |one: &&Through| (&*one.stream, &*one.format) == (stream.name(), format.name());
        let through = self.fronts.iter().flat_map(|front| &front.through);
        through.filter(is_it).map(|one| one.last_seq).max().unwrap_or(0)
    }

    /// The files that were known then and that are beyond what the manifest reaches now.
    pub(in crate::export) fn lacks<'e>(&self, earlier: &'e Reached) -> impl Iterator<Item = &'e ExportFile> {
        earlier.files.iter().filter(|file| {
            let names = Stream::from_name(&file.stream).zip(Format::from_name(&file.format));
            names.is_some_and(|(stream, format)| self.position(stream, format) < file.last_seq)
        })
    }
}
