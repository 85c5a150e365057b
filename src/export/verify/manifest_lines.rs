//! What a manifest's lines say about each other, and to what the mirror remembers of them. Pure.

use super::chain::NumberedLine;
use super::findings::Findings;
use crate::export::difference::Difference;
use crate::export::formats::Format;
use crate::export::layout::{FileName, Kind, MANIFEST, in_folder};
use crate::export::manifest::{Anchors, ManifestLine, Reached};
use crate::record::Stream;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// A stream's files in one format.
pub(super) type StreamFormat = (Stream, Format);

/// Finds gaps and overlaps: the files of a stream and format begin where pruning ended, or with the first change, and each
/// begins where the one before it ended. Returns the retained range of each.
pub(super) fn tile(
    entries: &[(&NumberedLine, FileName)],
    pruned: impl Fn(Stream, Format) -> i64,
    findings: &mut Findings,
) -> BTreeMap<StreamFormat, (i64, i64)> {
    let mut ranges: BTreeMap<StreamFormat, (i64, i64)> = BTreeMap::new();
    for (entry, name) in entries {
        let (line, key) = (&entry.line, (name.stream, name.format));
        let before = ranges.get(&key).map_or_else(|| pruned(name.stream, name.format), |(_, last)| *last);
        let expected = before + 1;
        if line.first_seq != expected {
            let what = if line.first_seq > expected { "a gap" } else { "an overlap" };
            let what = format!("{what}: it begins with change {}, not {expected}", line.first_seq);
            findings.of_manifest(Difference::of_file(MANIFEST, what).at_line(entry.number));
        }
        let range = ranges.entry(key).or_insert((line.first_seq, 0));
        range.1 = range.1.max(line.last_seq);
    }
    ranges
}

/// Compares a manifest's lines with what the mirror remembers of it. Where they are no chain, that tells what was edited.
/// Returns the numbers of the lines behind what is remembered: those of an export that is under way or was cut off, unless
/// the mirror is an older copy of itself.
pub(super) fn compare_with_anchors(
    entries: &[NumberedLine],
    (kind, text): (Kind, &[u8]),
    anchors: &Anchors,
    is_chain: bool,
    findings: &mut Findings,
) -> io::Result<BTreeSet<usize>> {
    let fitting = anchors.fitting(|from, to| {
        let to = text.len().min(to as usize);
        Ok(text.get(from as usize..to).unwrap_or_default().to_vec())
    })?;
    if anchors.is_named() || fitting.is_none() {
        differs(entries, kind, anchors, is_chain && fitting.is_none(), findings);
    }
    let end = fitting.and_then(|reached| reached.end.as_ref()).map_or(0, |end| end.bytes);
    Ok(entries.iter().filter(|entry| entry.place.bytes > end).map(|entry| entry.number).collect())
}

/// Says what a manifest lacks of what is remembered of it, and, where it is to hold that point, whether it does.
fn differs(
    entries: &[NumberedLine],
    kind: Kind,
    anchors: &Anchors,
    is_to_hold: bool,
    findings: &mut Findings,
) {
    let Some(own) = anchors.own_reached() else { return };
    let found = |what: String| Difference::of_file(&in_folder(kind, MANIFEST), what);
    let follows = entries.first().and_then(|first| first.line.previous.as_deref());
    let front = follows.and_then(|follows| anchors.front(follows)).cloned();
    let mut reached = Reached { fronts: front.into_iter().collect(), ..Reached::default() };
    entries.iter().for_each(|entry| reached.take(entry.place.clone(), &entry.line));
    let Some(last) = entries.last() else {
        if !own.files.is_empty() {
            findings.of_manifest(found(
                "it is gone or empty, but the mirror remembers exports to this folder: it was lost"
                    .to_owned(),
            ));
        }
        return;
    };
    let mut is_all_there = true;
    for file in reached.lacks(own) {
        let what =
            format!("it no longer names {}, which the mirror knows: lines were lost or cut off", file.path);
        findings.of_manifest(found(what));
        is_all_there = false;
    }
    let Some(end) = own.end.as_ref().filter(|_| is_to_hold && is_all_there) else { return };
    let number = end.lines.min(last.number);
    let what = "not what the mirror noted when it exported: it, or a line before it, was edited".to_owned();
    let difference = found(what).at_line(number);
    let is_file_edited = |line: &ManifestLine| {
        let now = line.to_export_file();
        own.newest_of(&line.stream, &line.format).is_some_and(|noted| {
            (&noted.path, noted.last_seq) == (&now.path, now.last_seq)
                && (noted.rows, noted.bytes, &noted.sha256) != (now.rows, now.bytes, &now.sha256)
        })
    };
    match entries.iter().find(|entry| entry.number == number) {
        // The file can be written anew, and its line with it.
        Some(entry) if is_file_edited(&entry.line) => findings.of_file((kind, number), difference),
        _ => findings.of_manifest(difference),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::manifest::{End, sample};

    fn entries(lines: Vec<ManifestLine>) -> Vec<NumberedLine> {
        let place = End { bytes: 0, lines: 0, last_from: 0, last_line: String::new() };
        let numbered = |(n, line)| NumberedLine { number: n + 1, line, place: place.clone() };
        lines.into_iter().enumerate().map(numbered).collect()
    }

    fn line(stream: &str, first_seq: i64, last_seq: i64) -> ManifestLine {
        let columns = Format::Csv.columns(Stream::from_name(stream).unwrap());
        ManifestLine { columns, ..sample(stream, "csv", first_seq, last_seq) }
    }

    const NONE: [usize; 0] = [];

    fn tiled(lines: Vec<ManifestLine>, pruned: i64) -> Vec<usize> {
        let entries = entries(lines);
        let named: Vec<_> =
            entries.iter().map(|entry| (entry, entry.line.file_name(Kind::Changes).unwrap())).collect();
        let mut findings = Findings::default();
        let pruned_of = |stream, _| if stream == Stream::Customers { pruned } else { 0 };
        tile(&named, pruned_of, &mut findings);
        findings.shown.iter().map(|difference| difference.line.unwrap()).collect()
    }

    #[test]
    fn gaps_and_overlaps_are_found_for_each_stream() {
        assert_eq!(
            tiled(vec![line("customers", 1, 5), line("events", 1, 9), line("customers", 6, 9)], 0),
            NONE
        );
        assert_eq!(tiled(vec![line("customers", 2, 5)], 0), [1]);
        assert_eq!(tiled(vec![line("customers", 1, 5), line("customers", 7, 9)], 0), [2]);
        assert_eq!(
            tiled(vec![line("customers", 1, 5), line("customers", 5, 9), line("customers", 10, 11)], 0),
            [2]
        );
        assert_eq!(tiled(vec![line("customers", 5, 9), line("events", 1, 2)], 4), NONE);
        assert_eq!(tiled(vec![line("customers", 6, 9)], 4), [1]);
    }
}
