//! What an export has to do, decided from the manifest's lines, the mirror and the names in the folders. Pure; all
//! results are sorted.

use super::name::{Covers, FileName};
use super::pruned::Front;
use super::{Format, ManifestLine};
use crate::record::Stream;
use std::collections::{BTreeMap, BTreeSet};

/// Why a folder is not exported to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A line of another mirror.
    OtherMirror,
    /// A line with changes that the mirror doesn't have.
    AheadOfMirror,
}

/// Whether this line can be one of the mirror `mirror_id`, whose newest change is `head`.
pub(super) fn check(line: &ManifestLine, mirror_id: &str, head: i64) -> Result<(), Refusal> {
    if line.mirror_id != mirror_id {
        return Err(Refusal::OtherMirror);
    }
    if line.last_seq > head { Err(Refusal::AheadOfMirror) } else { Ok(()) }
}

/// Up to which change a manifest names the files of each stream and format.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Positions(BTreeMap<(Stream, Format), i64>);

impl Positions {
    /// Takes the next line.
    pub(super) fn note(&mut self, line: &ManifestLine) {
        if let Some(key) = Stream::from_name(&line.stream).zip(Format::from_name(&line.format)) {
            self.0.insert(key, line.last_seq);
        }
    }

    /// The newest change that any of the files covers; 0 where there is none.
    pub(super) fn newest(&self) -> i64 {
        self.0.values().copied().max().unwrap_or(0)
    }

    /// Up to which change a stream was exported in a format: the last one of its newest file; without one the last one
    /// that was pruned, or 0.
    pub(super) fn of(&self, front: Option<&Front>, stream: Stream, format: Format) -> i64 {
        let pruned = || front.map_or(0, |front| front.through(stream, format));
        self.0.get(&(stream, format)).copied().unwrap_or_else(pruned)
    }
}

/// What is to be read for one stream, and who wants it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StreamPlan {
    pub(super) stream: Stream,
    /// The formats that are behind, each with its position: it wants the changes after that.
    pub(super) outputs: Vec<(Format, i64)>,
}

impl StreamPlan {
    /// The position from which the stream is to be read, so that every format gets what it wants.
    pub(super) fn after(&self) -> i64 {
        self.outputs.iter().map(|(_, position)| *position).min().unwrap_or(0)
    }
}

/// What may have changed since the last files; streams and formats that stand at `head` are left out.
pub(super) fn plan(
    positions: &Positions,
    front: Option<&Front>,
    head: i64,
    formats: &[Format],
) -> Vec<StreamPlan> {
    let streams = Stream::ALL.into_iter().map(|stream| {
        let outputs = distinct(formats)
            .into_iter()
            .map(|format| (format, positions.of(front, stream, format)))
            .filter(|(_, position)| *position < head)
            .collect();
        StreamPlan { stream, outputs }
    });
    streams.filter(|plan| !plan.outputs.is_empty()).collect()
}

/// The formats in their order, each once.
pub(super) fn distinct(formats: &[Format]) -> Vec<Format> {
    Format::ALL.into_iter().filter(|format| formats.contains(format)).collect()
}

/// Where the manifest has no line, a file that a killed first export can't have left: it proves that there was one.
/// A first export leaves files that start with change 1, and a first snapshot files of one state.
pub(super) fn proof_of_lost_manifest(unannounced: &BTreeSet<FileName>) -> Option<&FileName> {
    let any = unannounced.first().map(|name| name.covers);
    unannounced.iter().find(|name| match name.covers {
        Covers::Changes { first_seq, .. } => first_seq != 1,
        Covers::State { .. } => Some(name.covers) != any,
    })
}

#[cfg(test)]
mod tests {
    use super::super::manifest::sample;
    use super::*;
    use Format::{Csv, Ndjson};
    use Stream::{Customers, Events};

    #[test]
    fn each_stream_and_format_has_its_own_position() {
        let lines = [
            sample("customers", "csv", 1, 5),
            sample("events", "csv", 1, 5),
            sample("customers", "csv", 6, 9),
            sample("customers", "ndjson", 1, 9),
            sample("orders", "tsv", 1, 99),
        ];
        let mut positions = Positions::default();
        lines.iter().for_each(|line| positions.note(line));
        for (head, formats, expected) in [
            (9, vec![], vec![]),
            (9, vec![Csv], vec![(Events, vec![(Csv, 5)])]),
            (9, vec![Ndjson, Csv, Csv], vec![(Events, vec![(Csv, 5), (Ndjson, 0)])]),
            (10, vec![Csv], vec![(Customers, vec![(Csv, 9)]), (Events, vec![(Csv, 5)])]),
            (
                10,
                vec![Csv, Ndjson],
                vec![(Customers, vec![(Csv, 9), (Ndjson, 9)]), (Events, vec![(Csv, 5), (Ndjson, 0)])],
            ),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(stream, outputs)| StreamPlan { stream, outputs }).collect();
            assert_eq!(plan(&positions, None, head, &formats), expected, "{head} {formats:?}");
        }
        assert_eq!(plan(&Positions::default(), None, 0, &Format::ALL), []);
        assert_eq!(plan(&Positions::default(), None, 1, &[Csv]).len(), 2);
        assert_eq!(plan(&positions, None, 10, &Format::ALL)[1].after(), 0);
        // A format whose files were all pruned goes on where it was.
        let front = Front::new("d", false, "x", [(Events, Ndjson, 8), (Events, Csv, 3)]);
        assert_eq!(plan(&positions, Some(&front), 10, &Format::ALL)[1].outputs, [(Csv, 5), (Ndjson, 8)]);
    }

    #[test]
    fn folders_of_others_are_refused() {
        let line = sample("events", "csv", 1, 7);
        assert_eq!(check(&line, "m", 7), Ok(()));
        assert_eq!(check(&line, "m", 6), Err(Refusal::AheadOfMirror));
        assert_eq!(check(&line, "n", 7), Err(Refusal::OtherMirror));
        assert_eq!(check(&line, "n", 6), Err(Refusal::OtherMirror));
    }

    #[test]
    fn a_lost_manifest_shows() {
        let parse =
            |names: &[&str]| names.iter().map(|name| FileName::parse(name).unwrap()).collect::<BTreeSet<_>>();
        for (names, lost) in [
            (parse(&[]), false),
            (
                parse(&["events-000000000001-000000000009.csv", "events-000000000001-000000000009.ndjson"]),
                false,
            ),
            (parse(&["events-000000000001-000000000009.csv", "events-000000000010-000000000012.csv"]), true),
            (parse(&["events-000000000009.csv", "events-000000000009.ndjson"]), false),
            (parse(&["events-000000000009.csv", "events-000000000010.csv"]), true),
        ] {
            assert_eq!(proof_of_lost_manifest(&names).is_some(), lost, "{names:?}");
        }
    }
}
