//! Manifests on the disk, and what the mirror remembers of them.

use super::announce::StagedFile;
use super::line::{ManifestLine, digest, sample};
use super::lines::Lines;
use super::open_manifest::{Manifest, newest_files, numbered};
use super::reached::Front;
use crate::export::destination::{self, NewFile};
use crate::export::error::ExportError;
use crate::export::layout::{DATA_PACKAGE, Kind, MANIFEST};
use crate::mirror::Mirror;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Every line of the manifest in `folder`.
pub(in crate::export) fn all(folder: &Path) -> Result<Vec<ManifestLine>, ExportError> {
    let (mut lines, mut found) = (Lines::open(&*destination::of(&folder.into(), Kind::Changes))?, Vec::new());
    while let Some(entry) = lines.next()? {
        found.push(entry.line);
    }
    Ok(found)
}

/// Adds lines, each with an empty file.
fn announce(
    manifest: &mut Manifest,
    lines: impl IntoIterator<Item = ManifestLine>,
) -> Result<Vec<ManifestLine>, ExportError> {
    let staged = |line: ManifestLine| {
        let file = NewFile::begin(&*manifest.destination, &line.path).unwrap().finish().unwrap();
        StagedFile { file, line }
    };
    let staged = lines.into_iter().map(staged).collect();
    manifest.announce(staged)
}

/// An export folder and a mirror.
struct Place {
    _folder: TempDir,
    mirror: Mirror,
    dir: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let dir = folder.path().join("exports");
        std::fs::create_dir(&dir).unwrap();
        Place { _folder: folder, mirror, dir }
    }

    fn with(lines: impl IntoIterator<Item = ManifestLine>) -> Place {
        let mut place = Place::new();
        place.add(lines);
        place
    }

    fn open(&mut self) -> Result<Manifest, ExportError> {
        Manifest::open(&self.mirror.snapshot().unwrap(), &self.dir.clone().into(), Kind::Changes, |_| Ok(()))
    }

    /// Adds lines, and has the mirror remember that.
    fn add(&mut self, lines: impl IntoIterator<Item = ManifestLine>) -> Vec<ManifestLine> {
        let mut manifest = self.open().unwrap();
        let added = announce(&mut manifest, lines).unwrap();
        manifest.note(&mut self.mirror).unwrap();
        added
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.dir.join(MANIFEST)).unwrap()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.dir.join(MANIFEST), text).unwrap();
    }

    /// How many lines are read: those behind what the mirror remembers, or all.
    fn read(&mut self) -> usize {
        let mut count = 0;
        Manifest::open(&self.mirror.snapshot().unwrap(), &self.dir.clone().into(), Kind::Changes, |_| {
            count += 1;
            Ok(())
        })
        .unwrap();
        count
    }

    fn newest(&mut self) -> Vec<i64> {
        let files = newest_files(&self.mirror.snapshot().unwrap(), &self.dir.clone().into()).unwrap();
        files.iter().map(|file| file.last_seq).collect()
    }
}

/// Files of five changes each.
fn five(numbers: std::ops::Range<i64>) -> Vec<ManifestLine> {
    numbers.map(|n| sample("customers", "csv", 1 + 5 * n, 5 + 5 * n)).collect()
}

#[test]
fn lines_are_chained_and_read_as_they_were_written() {
    let mut place = Place::new();
    assert_eq!(place.open().unwrap().found, None);
    let mut added = place.add(five(0..1));
    added.extend(place.add([sample("customers", "csv", 6, 9), sample("events", "csv", 1, 9)]));
    let read = all(&place.dir).unwrap();
    assert_eq!(read, added);
    let text = place.text();
    let digests: Vec<String> = text.lines().map(|line| digest(line.as_bytes())).collect();
    let previous: Vec<_> = read.iter().map(|line| line.previous.as_ref()).collect();
    assert_eq!(previous, [None, Some(&digests[0]), Some(&digests[1])]);
    assert_eq!(
        text.lines().next().unwrap(),
        "{\"stream\":\"customers\",\"format\":\"csv\",\
         \"path\":\"customers/customers-000000000001-000000000005.csv\",\"first_seq\":1,\"last_seq\":5,\"rows\":1,\
         \"bytes\":2,\"sha256\":\"00\",\"columns\":[\"_seq\"],\"created_at\":\"2024-05-01T12:00:00.000Z\",\
         \"run_id\":null,\"compression\":\"none\",\"mirror_id\":\"m\",\"previous\":null}"
    );
    // Only what the mirror doesn't remember is read.
    assert_eq!((place.read(), place.newest()), (0, vec![9, 9]));
    announce(&mut place.open().unwrap(), five(2..4)).unwrap();
    assert_eq!((place.read(), place.newest()), (2, vec![20, 9]));
    place.open().unwrap().note(&mut place.mirror).unwrap();
    assert_eq!(place.read(), 0);
}

#[test]
fn lines_of_others_stay_to_the_byte() {
    let mut place = Place::new();
    let line = serde_json::to_string(&sample("customers", "csv", 1, 5)).unwrap();
    // A newer program's field, other white space, and a lost line end.
    let line = line.replace("{\"stream\"", "{ \"new\": 1.50, \"stream\"");
    place.write(&line);
    let added = place.add(five(1..2));
    assert_eq!(place.text(), format!("{line}\n{}\n", serde_json::to_string(&added[0]).unwrap()));
    assert_eq!(added[0].previous, Some(digest(line.as_bytes())));
}

/// Wherever a write of three lines ended: what is whole counts, the rest goes.
#[test]
fn an_addition_that_was_cut_off_counts_as_far_as_its_lines_are_whole() {
    let mut place = Place::with(five(0..1));
    let before = place.text().len();
    announce(&mut place.open().unwrap(), five(1..4)).unwrap();
    let whole = place.text();
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at).collect();
    for cut in before..=whole.len() {
        place.write(&whole[..cut]);
        let count = ends.iter().filter(|end| **end <= cut).count();
        let mut manifest = place.open().unwrap();
        assert_eq!(manifest.reached.files[0].last_seq, 5 * count as i64, "{cut}");
        assert!(manifest.lost.is_empty() && !manifest.is_edited, "{cut}");
        let next = count as i64;
        announce(&mut manifest, five(next..next + 1)).unwrap();
        assert_eq!(all(&place.dir).unwrap().len(), count + 1, "{cut}");
        assert!(
            place.text().starts_with(&whole[..ends[count - 1]]) && place.text().ends_with("}\n"),
            "{cut}"
        );
    }
}

#[test]
fn what_was_lost_or_edited_shows_and_what_was_moved_goes_on() {
    let mut place = Place::with(five(0..3));
    let (whole, dir) = (place.text(), place.dir.clone());
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for (text, lost, is_edited) in [
        (String::new(), 15, false),
        (lines[..2].concat(), 15, false),
        (whole[..whole.len() - 2].to_owned(), 15, false),
        (whole.replace("\"last_seq\":15,\"rows\":1", "\"last_seq\":15,\"rows\":2"), 0, true),
        (whole.clone(), 0, false),
    ] {
        place.write(&text);
        let manifest = place.open().unwrap();
        let found = manifest.lost.iter().map(|file| file.last_seq).sum::<i64>();
        assert_eq!((found, manifest.is_edited), (lost, is_edited), "{text}");
        // Who only looks is told what the mirror remembers.
        assert_eq!(place.newest(), [15]);
    }
    place.dir = dir.with_extension("moved");
    std::fs::rename(&dir, &place.dir).unwrap();
    assert_eq!(place.read(), 0);
    place.add(five(3..4));
    assert_eq!((place.newest(), place.read()), (vec![20], 0));
}

#[test]
fn a_manifest_that_somebody_else_wrote_meanwhile_is_left_alone() {
    let mut place = Place::with(five(0..1));
    let mut manifest = place.open().unwrap();
    place.add(five(1..2));
    let text = place.text();
    let failed = announce(&mut manifest, five(1..2));
    assert!(matches!(failed, Err(ExportError::Io { action: "written", .. })));
    assert_eq!(place.text(), text);
}

#[test]
fn a_front_is_removed_to_the_byte() {
    let mut place = Place::with(five(0..4));
    let text = place.text();
    let end = {
        let mut lines = Lines::open(&*destination::of(&place.dir.clone().into(), Kind::Changes)).unwrap();
        lines.next().unwrap();
        lines.next().unwrap().unwrap().place
    };
    let front = Front::new(&end.last_line, []);
    let mut manifest = place.open().unwrap();
    manifest.remove_front(&mut place.mirror, &end, front.clone()).unwrap();
    let left = place.text();
    assert_eq!(left.lines().collect::<Vec<_>>(), text.lines().skip(2).collect::<Vec<_>>());
    // Whichever of the two lies there is known, also where the power failed before that was noted.
    for text in [&left, &text, &left] {
        place.write(text);
        assert_eq!((place.read(), place.newest()), (0, vec![20]));
    }
    assert_eq!(place.open().unwrap().reached.fronts, [front]);
    place.open().unwrap().note(&mut place.mirror).unwrap();
    place.write(&text);
    assert!(place.open().unwrap().is_edited);
    // Found without what was remembered of its end, the front is known still.
    place.write(&(left.clone() + &left[left.find('\n').unwrap() + 1..]));
    assert!(matches!(place.open(), Err(ExportError::ManifestLine { line: 3, .. })));
    let (_, rest) = left.split_once('\n').unwrap();
    place.write(rest);
    assert!(matches!(place.open(), Err(ExportError::FrontLost { .. })));
}

#[test]
fn lines_behind_a_replaced_one_are_tied_anew_and_otherwise_stay_to_the_byte() {
    let mut place = Place::with(five(0..4));
    // A newer program's field on the last line.
    let text = place.text();
    let (front, last) = text.split_at(text.trim_end().rfind('\n').unwrap() + 1);
    let text = format!("{front}{}", last.replacen('{', "{\"new\":1.50,", 1));
    place.write(&text);
    let old = numbered(&place.dir.clone().into(), Kind::Changes, &[1, 2].into()).unwrap();
    let line = ManifestLine { rows: 0, repaired_at: Some("t".to_owned()), ..old[&2].clone() };
    let mut manifest = place.open().unwrap();
    manifest.replace(&mut place.mirror, BTreeMap::from([(2, line)])).unwrap();
    manifest.note(&mut place.mirror).unwrap();
    assert_eq!(place.read(), 0);

    let after = place.text();
    let (before, after): (Vec<&str>, Vec<&str>) = (text.lines().collect(), after.lines().collect());
    assert_eq!((after.len(), after[0]), (4, before[0]));
    let read = all(&place.dir).unwrap();
    for n in 1..4 {
        assert_eq!(read[n].previous, Some(digest(after[n - 1].as_bytes())));
    }
    assert_eq!((read[1].rows, read[1].repaired_at.as_deref()), (0, Some("t")));
    let old_tie = read[3].previous.clone().unwrap();
    assert_eq!(after[3].replace(&old_tie, ""), before[3].replace(&digest(before[2].as_bytes()), ""));
    assert!(after[3].contains("\"new\":1.50"));
    // A chain that is broken behind it is not tied anew.
    let mut manifest = place.open().unwrap();
    let broken = text.replace("\"first_seq\":6", "\"first_seq\":7");
    place.write(&broken);
    let line = ManifestLine { rows: 0, ..old[&1].clone() };
    let error = manifest.replace(&mut place.mirror, BTreeMap::from([(1, line)])).unwrap_err();
    assert!(matches!(error, ExportError::ManifestLine { line: 3, .. }), "{error}");
    assert_eq!(place.text(), broken);
    assert_eq!(
        destination::names(&*destination::of(&place.dir.clone().into(), Kind::Changes), ""),
        [DATA_PACKAGE, MANIFEST]
    );
}

#[test]
fn a_bad_line_is_named_and_left_alone() {
    let mut place = Place::new();
    let good = serde_json::to_string(&sample("customers", "csv", 1, 5)).unwrap();
    let reversed = serde_json::to_string(&sample("customers", "csv", 5, 1)).unwrap();
    for bad in ["", "{", "[]", "\u{fffd}", &good[..good.len() - 1], &reversed, &good] {
        let text = format!("{good}\n{bad}\n{good}\n");
        place.write(&text);
        let error = place.open().err().unwrap();
        assert!(matches!(error, ExportError::ManifestLine { line: 2, .. }), "{bad}: {error}");
        assert!(error.to_string().contains("manifest.ndjson can't be read at line 2"), "{error}");
        assert_eq!(place.text(), text);
    }
    // An empty line alone is no manifest without lines: what is added would stand behind it.
    place.write("\n");
    let error = place.open().err().unwrap();
    assert!(matches!(error, ExportError::ManifestLine { line: 1, .. }), "{error}");
}
