//! What an export has to do, decided from the manifest's lines, the mirror and the names in the folders. Pure; all
//! results are sorted.

use super::name::{Covers, FileName, temporary_of};
use super::pruned::Front;
use super::{Format, ManifestLine};
use crate::record::Stream;

/// Why a folder is not exported to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal<'a> {
    /// A line of another mirror.
    OtherMirror(&'a ManifestLine),
    /// A line with changes that the mirror doesn't have.
    AheadOfMirror(&'a ManifestLine),
}

/// Whether these lines can be those of the mirror `mirror_id`, whose newest change is `head`.
pub(super) fn check<'a>(lines: &'a [ManifestLine], mirror_id: &str, head: i64) -> Result<(), Refusal<'a>> {
    if let Some(line) = lines.iter().find(|line| line.mirror_id != mirror_id) {
        return Err(Refusal::OtherMirror(line));
    }
    match lines.iter().find(|line| line.last_seq > head) {
        Some(line) => Err(Refusal::AheadOfMirror(line)),
        None => Ok(()),
    }
}

/// Up to which change a stream was exported in a format: the last one of its newest file; without one the last one that
/// was pruned, or 0.
pub(super) fn position(lines: &[ManifestLine], front: Option<&Front>, stream: Stream, format: Format) -> i64 {
    lines
        .iter()
        .rev()
        .find(|line| line.stream == stream.name() && line.format == format.name())
        .map_or_else(|| front.map_or(0, |front| front.through(stream, format)), |line| line.last_seq)
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
    lines: &[ManifestLine],
    front: Option<&Front>,
    head: i64,
    formats: &[Format],
) -> Vec<StreamPlan> {
    let streams = Stream::ALL.into_iter().map(|stream| {
        let outputs = distinct(formats)
            .into_iter()
            .map(|format| (format, position(lines, front, stream, format)))
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

/// What is in the folder of a stream and is not in the manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leftovers {
    /// Temporary files of a killed export.
    pub(super) temporary: Vec<String>,
    /// Complete files that were never announced.
    pub(super) unannounced: Vec<FileName>,
}

/// Finds what killed exports left among the `names` in the folder of `stream`. Only names that this program gives are
/// taken, and of them only those of the same kind (`snapshots` or changes).
pub(super) fn leftovers(
    names: &[String],
    stream: Stream,
    snapshots: bool,
    lines: &[ManifestLine],
) -> Leftovers {
    let ours = |name: &str| {
        FileName::parse(name)
            .filter(|name| name.stream == stream && matches!(name.covers, Covers::State { .. }) == snapshots)
    };
    let announced: std::collections::HashSet<&str> = lines.iter().map(|line| line.path.as_str()).collect();
    let mut found = Leftovers::default();
    for name in names {
        if let Some(name) = ours(name) {
            if !announced.contains(name.path().as_str()) {
                found.unannounced.push(name);
            }
        } else if temporary_of(name).and_then(ours).is_some() {
            found.temporary.push(name.clone());
        }
    }
    found.temporary.sort();
    found.unannounced.sort();
    found
}

/// Where the manifest has no line, a file that a killed first export can't have left: it proves that there was one.
/// A first export leaves files that start with change 1, and a first snapshot files of one state.
pub(super) fn proof_of_lost_manifest(unannounced: &[FileName]) -> Option<&FileName> {
    unannounced.iter().find(|name| match name.covers {
        Covers::Changes { first_seq, .. } => first_seq != 1,
        Covers::State { .. } => unannounced.iter().any(|other| other.covers != name.covers),
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
        ];
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
            assert_eq!(plan(&lines, None, head, &formats), expected, "{head} {formats:?}");
        }
        assert_eq!(plan(&[], None, 0, &Format::ALL), []);
        assert_eq!(plan(&[], None, 1, &[Csv]).len(), 2);
        assert_eq!(plan(&lines, None, 10, &Format::ALL)[1].after(), 0);
        // A format whose files were all pruned goes on where it was.
        let front = Front::new("d", false, "x", [(Events, Ndjson, 8), (Events, Csv, 3)]);
        assert_eq!(plan(&lines, Some(&front), 10, &Format::ALL)[1].outputs, [(Csv, 5), (Ndjson, 8)]);
    }

    #[test]
    fn folders_of_others_are_refused() {
        let lines = [sample("customers", "csv", 1, 5), sample("events", "csv", 1, 7)];
        assert_eq!(check(&lines, "m", 7), Ok(()));
        assert_eq!(check(&[], "m", 0), Ok(()));
        assert_eq!(check(&lines, "m", 6), Err(Refusal::AheadOfMirror(&lines[1])));
        assert_eq!(check(&lines, "n", 7), Err(Refusal::OtherMirror(&lines[0])));
    }

    #[test]
    fn only_our_own_unannounced_files_are_leftovers() {
        let lines = [sample("customers", "csv", 1, 5)];
        let names = [
            "customers-000000000001-000000000005.csv",
            "customers-000000000006-000000000009.csv.gz",
            "customers-000000000006-000000000009.ndjson",
            "customers-000000000006-000000000009.csv.bak",
            "customers-000000000009.csv",
            "events-000000000001-000000000009.csv",
            ".customers-000000000006-000000000009.csv-a1b2c3d4.tmp",
            ".events-000000000006-000000000009.csv-a1b2c3d4.tmp",
            ".customers-notes-a1b2c3d4.tmp",
            "README",
        ]
        .map(str::to_owned);
        let found = leftovers(&names, Customers, false, &lines);
        assert_eq!(found.temporary, [".customers-000000000006-000000000009.csv-a1b2c3d4.tmp"]);
        let unannounced: Vec<String> = found.unannounced.iter().map(FileName::to_string).collect();
        assert_eq!(
            unannounced,
            ["customers-000000000006-000000000009.csv.gz", "customers-000000000006-000000000009.ndjson"]
        );
        let found = leftovers(&names, Customers, true, &lines);
        assert_eq!(
            found.unannounced.iter().map(FileName::to_string).collect::<Vec<_>>(),
            [names[4].as_str()]
        );
    }

    #[test]
    fn a_lost_manifest_shows() {
        let parse =
            |names: &[&str]| names.iter().map(|name| FileName::parse(name).unwrap()).collect::<Vec<_>>();
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
