//! Up to which change a manifest names the files of each stream and format.

use super::line::ManifestLine;
use super::truncation::Truncation;
use crate::export::formats::Format;
use crate::record::Stream;
use std::collections::BTreeMap;

/// Up to which change a manifest names the files of each stream and format.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::export) struct Positions(BTreeMap<(Stream, Format), i64>);

impl Positions {
    /// Takes the next line.
    pub(in crate::export) fn note(&mut self, line: &ManifestLine) {
        if let Some(key) = line.key() {
            self.0.insert(key, line.last_seq);
        }
    }

    /// The newest change that any of the files covers; 0 where there is none.
    pub(in crate::export) fn newest(&self) -> i64 {
        self.0.values().copied().max().unwrap_or(0)
    }

    /// Up to which change a stream was exported in a format: the last one of its newest file; without one the last one
    /// that was pruned, or 0.
    pub(in crate::export) fn of(
        &self,
        truncation: Option<&Truncation>,
        stream: Stream,
        format: Format,
    ) -> i64 {
        let pruned = || truncation.map_or(0, |truncation| truncation.through(stream, format));
        self.0.get(&(stream, format)).copied().unwrap_or_else(pruned)
    }
}
