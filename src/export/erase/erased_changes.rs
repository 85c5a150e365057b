//! Which changes an erasure takes from export files.

use crate::export::error::ExportError;
use crate::mirror::{Erasure, Snapshot};
use crate::record::Stream;

/// The changes of each stream that are to go.
pub(super) struct ErasedChanges {
    /// Those that were erased, in their order.
    erased: Vec<Vec<i64>>,
    /// Those that began a version that has expired, in their order, each with the one that ended it.
    ended: Vec<Vec<(i64, i64)>>,
}

impl ErasedChanges {
    pub(super) fn of(snapshot: &Snapshot<'_>, erasure: &Erasure) -> Result<ErasedChanges, ExportError> {
        let (mut erased, mut ended) = (Vec::new(), Vec::new());
        for stream in Stream::ALL {
            erased.push(snapshot.erased_changes(erasure.id, stream)?);
            ended.push(snapshot.ended_versions(erasure.id, stream)?);
        }
        Ok(ErasedChanges { erased, ended })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.erased.iter().all(Vec::is_empty) && self.ended.iter().all(Vec::is_empty)
    }

    fn erased(&self, stream: Stream) -> &[i64] {
        self.erased.get(stream.index()).map_or(&[], Vec::as_slice)
    }

    fn ended(&self, stream: Stream) -> &[(i64, i64)] {
        self.ended.get(stream.index()).map_or(&[], Vec::as_slice)
    }

    /// Whether one of the changes of this range was erased.
    pub(super) fn has_erased(&self, stream: Stream, (first, last): (i64, i64)) -> bool {
        let erased = self.erased(stream);
        erased.get(erased.partition_point(|seq| *seq < first)).is_some_and(|seq| *seq <= last)
    }

    /// Whether a file of this range has a version that has expired and whose successor stands in a later file, up to `end`.
    pub(super) fn has_ended(&self, stream: Stream, (first, last): (i64, i64), end: i64) -> bool {
        let ended = self.ended(stream);
        let begun = ended.get(ended.partition_point(|(seq, _)| *seq < first)..).unwrap_or_default();
        let mut begun = begun.iter().take_while(|(seq, _)| *seq <= last);
        begun.any(|(_, ended_by)| (last + 1..=end).contains(ended_by))
    }

    /// Whether a file of this range that nobody announces may hold anything that is to go.
    pub(super) fn may_hold(&self, stream: Stream, range: (i64, i64)) -> bool {
        let ended = self.ended(stream);
        let is_in_range = |(seq, _): &(i64, i64)| (range.0..=range.1).contains(seq);
        self.has_erased(stream, range) || ended.iter().any(is_in_range)
    }

    /// Whether this change began a version that has expired and that a change up to `end` ended.
    fn is_ended(&self, stream: Stream, seq: i64, end: i64) -> bool {
        let ended = self.ended(stream);
        let found = ended.binary_search_by_key(&seq, |(seq, _)| *seq).ok().and_then(|at| ended.get(at));
        found.is_some_and(|(_, ended_by)| *ended_by <= end)
    }

    /// Whether this change is to go from a file, where the stream's files reach as far as `end`.
    pub(super) fn is_gone(&self, stream: Stream, seq: i64, end: i64) -> bool {
        self.has_erased(stream, (seq, seq)) || self.is_ended(stream, seq, end)
    }
}
