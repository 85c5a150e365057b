//! What an export has to do, decided from how far the manifest reaches and the mirror's newest change. Pure; all
//! results are sorted.

use crate::export::formats::Format;
use crate::export::manifest::Reached;
use crate::record::Stream;

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
pub(super) fn plan(reached: &Reached, head: i64, streams: &[Stream], formats: &[Format]) -> Vec<StreamPlan> {
    let streams = streams.iter().map(|&stream| {
        let outputs = distinct(formats)
            .into_iter()
            .map(|format| (format, reached.position(stream, format)))
            .filter(|(_, position)| *position < head)
            .collect();
        StreamPlan { stream, outputs }
    });
    streams.filter(|plan| !plan.outputs.is_empty()).collect()
}

/// The formats in their order, each once.
pub(super) fn distinct(formats: &[Format]) -> Vec<Format> {
    Format::ALL.iter().copied().filter(|format| formats.contains(format)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::manifest::{End, Front, sample};
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
        let mut reached = Reached::default();
        let end = End { bytes: 0, lines: 0, last_from: 0, last_line: String::new() };
        lines.iter().for_each(|line| reached.take(end.clone(), line));
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
            assert_eq!(plan(&reached, head, &Stream::ALL, &formats), expected, "{head} {formats:?}");
        }
        assert_eq!(plan(&Reached::default(), 0, &Stream::ALL, Format::ALL), []);
        assert_eq!(plan(&Reached::default(), 1, &Stream::ALL, &[Csv]).len(), 2);
        assert_eq!(plan(&reached, 10, &Stream::ALL, &[Csv, Ndjson])[1].after(), 0);
        // A format whose files were all pruned goes on where it was.
        reached.fronts.push(Front::new("x", [(Events, Ndjson, 8), (Events, Csv, 3)]));
        assert_eq!(plan(&reached, 10, &Stream::ALL, &[Csv, Ndjson])[1].outputs, [(Csv, 5), (Ndjson, 8)]);
    }
}
