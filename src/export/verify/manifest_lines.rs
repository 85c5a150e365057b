//! What a manifest's lines say about each other and to the mirror's copy of them. Pure.

use super::chain::NumberedLine;
use super::findings::Findings;
use crate::export::difference::Difference;
use crate::export::formats::Format;
use crate::export::layout::{FileName, Kind, MANIFEST, in_folder};
use crate::export::manifest::Truncation;
use crate::mirror::ExportFile;
use crate::record::Stream;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A stream's files in one format.
pub(super) type StreamFormat = (Stream, Format);

/// Finds gaps and overlaps: the files of a stream and format begin where pruning ended, or with the first change, and each
/// begins where the one before it ended. Returns the retained range of each.
pub(super) fn tile(
    entries: &[(&NumberedLine, FileName)],
    truncation: Option<&Truncation>,
    findings: &mut Findings,
) -> BTreeMap<StreamFormat, (i64, i64)> {
    let mut ranges: BTreeMap<StreamFormat, (i64, i64)> = BTreeMap::new();
    for (entry, name) in entries {
        let (line, key) = (&entry.line, (name.stream, name.format));
        let pruned = truncation.map_or(0, |truncation| truncation.through(name.stream, name.format));
        let expected = ranges.get(&key).map_or(pruned, |(_, last)| *last) + 1;
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

/// Compares the lines with the mirror's copy. Returns the numbers of the lines that the copy doesn't know (yet): those of
/// an export that is under way or was cut off, unless the mirror is an older copy of itself.
pub(super) fn compare_with_copy(
    entries: &[NumberedLine],
    copy: &[ExportFile],
    truncation: Option<&Truncation>,
    findings: &mut Findings,
) -> BTreeSet<usize> {
    let mut unknown = BTreeSet::new();
    if entries.is_empty() && !copy.is_empty() {
        let what = format!(
            "it is gone or empty, but the mirror knows {} files of this folder: it was lost",
            copy.len()
        );
        findings.of_manifest(Difference::of_file(MANIFEST, what));
        return unknown;
    }
    let key = |file: &ExportFile| (file.stream.clone(), file.format.clone(), file.first_seq);
    let copied: BTreeMap<_, _> = copy.iter().map(|file| (key(file), file)).collect();
    let mut named = HashSet::new();
    for entry in entries {
        let found = entry.line.to_export_file();
        named.insert(key(&found));
        match copied.get(&key(&found)) {
            Some(file) if **file == found => {}
            Some(file) if entry.line.repaired_at.is_some() && found.created_at > file.created_at => {
                unknown.insert(entry.number);
            }
            Some(file) => differs_from_copy(entry, file, &found, findings),
            None => {
                unknown.insert(entry.number);
            }
        }
    }
    let pruned = |file: &ExportFile| {
        let names = Stream::from_name(&file.stream).zip(Format::from_name(&file.format));
        truncation
            .zip(names)
            .is_some_and(|(truncation, (stream, format))| file.last_seq <= truncation.through(stream, format))
    };
    for file in copy.iter().filter(|file| !named.contains(&key(file)) && !pruned(file)) {
        let what =
            format!("it no longer names {}, which the mirror knows: lines were lost or cut off", file.path);
        findings.of_manifest(Difference::of_file(MANIFEST, what));
    }
    unknown
}

fn differs_from_copy(entry: &NumberedLine, file: &ExportFile, found: &ExportFile, findings: &mut Findings) {
    let fields = [
        ("last_seq", file.last_seq != found.last_seq),
        ("path", file.path != found.path),
        ("rows", file.rows != found.rows),
        ("bytes", file.bytes != found.bytes),
        ("sha256", file.sha256 != found.sha256),
        ("created_at", file.created_at != found.created_at),
    ];
    let names: Vec<&str> = fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    let what = format!("not what the mirror noted when it exported: {}", names.join(", "));
    let difference = Difference::of_file(MANIFEST, what).at_line(entry.number);
    if file.last_seq == found.last_seq && file.path == found.path {
        // The file can be written anew, and its line with it.
        findings.of_file((Kind::Changes, entry.number), difference);
    } else {
        findings.of_manifest(difference);
    }
}

/// Lines that the copy doesn't know, before one that it knows: no export that was cut off leaves these.
pub(super) fn inserted(entries: &[NumberedLine], unknown: &BTreeSet<usize>, findings: &mut Findings) {
    let newest_known = entries
        .iter()
        .map(|entry| entry.number)
        .filter(|number| !unknown.contains(number))
        .max()
        .unwrap_or(0);
    let strays = entries.iter().filter(|entry| {
        unknown.contains(&entry.number) && entry.number < newest_known && entry.line.repaired_at.is_none()
    });
    for entry in strays {
        let what =
            format!("it names {}, which the mirror doesn't know", in_folder(Kind::Changes, &entry.line.path));
        findings.of_manifest(Difference::of_file(MANIFEST, what).at_line(entry.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::formats::columns;
    use crate::export::manifest::ManifestLine;
    use crate::export::manifest::sample;

    fn entries(lines: Vec<ManifestLine>) -> Vec<NumberedLine> {
        lines.into_iter().enumerate().map(|(n, line)| NumberedLine { number: n + 1, line }).collect()
    }

    fn line(stream: &str, first_seq: i64, last_seq: i64) -> ManifestLine {
        let columns = columns(Stream::from_name(stream).unwrap()).map(str::to_owned).collect();
        ManifestLine { columns, ..sample(stream, "csv", first_seq, last_seq) }
    }

    const NONE: [usize; 0] = [];

    fn tiled(lines: Vec<ManifestLine>, truncation: Option<&Truncation>) -> Vec<usize> {
        let entries = entries(lines);
        let named: Vec<_> =
            entries.iter().map(|entry| (entry, entry.line.file_name(Kind::Changes).unwrap())).collect();
        let mut findings = Findings::default();
        tile(&named, truncation, &mut findings);
        findings.shown.iter().map(|difference| difference.line.unwrap()).collect()
    }

    #[test]
    fn gaps_and_overlaps_are_found_for_each_stream() {
        assert_eq!(
            tiled(vec![line("customers", 1, 5), line("events", 1, 9), line("customers", 6, 9)], None),
            NONE
        );
        assert_eq!(tiled(vec![line("customers", 2, 5)], None), [1]);
        assert_eq!(tiled(vec![line("customers", 1, 5), line("customers", 7, 9)], None), [2]);
        assert_eq!(
            tiled(vec![line("customers", 1, 5), line("customers", 5, 9), line("customers", 10, 11)], None),
            [2]
        );
        let truncation = Truncation::new("d", false, "x", [(Stream::Customers, Format::Csv, 4)]);
        assert_eq!(tiled(vec![line("customers", 5, 9), line("events", 1, 2)], Some(&truncation)), NONE);
        assert_eq!(tiled(vec![line("customers", 6, 9)], Some(&truncation)), [1]);
    }

    #[test]
    fn the_copy_shows_what_a_chain_can_not() {
        let lines = vec![line("customers", 1, 5), line("events", 1, 5), line("customers", 6, 9)];
        let copy: Vec<ExportFile> = lines.iter().map(ManifestLine::to_export_file).collect();
        let compare = |lines: &[ManifestLine], truncation: Option<&Truncation>| {
            let mut findings = Findings::default();
            let entries = entries(lines.to_vec());
            let unknown = compare_with_copy(&entries, &copy, truncation, &mut findings);
            inserted(&entries, &unknown, &mut findings);
            (findings.of_manifests, findings.damaged.len(), unknown.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(compare(&lines, None), (0, 0, vec![]));
        // A cut-off tail, a lost manifest, a front that was pruned or not.
        assert_eq!(compare(&lines[..2], None), (1, 0, vec![]));
        assert_eq!(compare(&[], None), (1, 0, vec![]));
        assert_eq!(compare(&lines[1..], None), (1, 0, vec![]));
        let truncation = Truncation::new("d", false, "x", [(Stream::Customers, Format::Csv, 5)]);
        assert_eq!(compare(&lines[1..], Some(&truncation)), (0, 0, vec![]));
        // A newer line, one in the middle, other digests, another range.
        let mut newer = lines.clone();
        newer.push(line("events", 6, 9));
        assert_eq!(compare(&newer, None), (0, 0, vec![4]));
        newer.swap(2, 3);
        assert_eq!(compare(&newer, None), (1, 0, vec![3]));
        let mut edited = lines.clone();
        edited[1].sha256 = "11".to_owned();
        assert_eq!(compare(&edited, None), (0, 1, vec![]));
        edited[1].repaired_at = Some("2024-05-01T12:00:01.000Z".to_owned());
        edited[1].created_at = "2024-05-01T12:00:01.000Z".to_owned();
        assert_eq!(compare(&edited, None), (0, 0, vec![2]));
        edited[1].last_seq = 6;
        edited[1].repaired_at = None;
        assert_eq!(compare(&edited, None), (1, 0, vec![]));
    }
}
