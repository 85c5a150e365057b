//! What holds for every text of a manifest.

use super::manifest::{Manifest, ManifestLine, digest, parse_line, sample};
use std::collections::BTreeMap;
use std::path::Path;

/// Tries a manifest: its lines, and each way to change it.
pub fn manifest(data: &[u8]) {
    let lines = match Manifest::of(Path::new("exports"), data.to_vec()) {
        Ok(manifest) => manifest.lines,
        Err(super::ExportError::ManifestLine { line, .. }) => {
            let count = data.split(|byte| *byte == b'\n').count();
            assert!((1..=count).contains(&line), "line {line} of {count}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    for line in &lines {
        let written = serde_json::to_vec(line).map_err(|error| error.to_string());
        assert_eq!(written.and_then(|written| parse_line(&written)).as_ref(), Ok(line));
    }
    let again = || read(data.to_vec());
    check_add(again(), &lines);
    check_remove(again(), &lines);
    check_replace(again(), &lines);
}

fn read(text: Vec<u8>) -> Manifest {
    Manifest::of(Path::new("exports"), text).unwrap_or_else(|error| panic!("{error}"))
}

/// The manifest as the next program reads it.
fn read_again(manifest: &Manifest) -> Manifest {
    let count = manifest.lines.len();
    assert!(manifest.text_of(count + 1).is_none_or(<[u8]>::is_empty), "text behind the last line");
    let text: Vec<&[u8]> = (1..=count).map(|number| manifest.text_of(number).unwrap_or_default()).collect();
    read(text.join(&b'\n'))
}

/// A line that is added stands behind the others, and is tied to the last of them.
fn check_add(mut manifest: Manifest, lines: &[ManifestLine]) {
    let last = manifest.text_of(lines.len()).map(digest);
    let added = ManifestLine { previous: last, ..sample("events", "csv", 1, 2) };
    manifest.add(added.clone()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read_again(&manifest).lines, [lines, &[added]].concat());
}

/// Lines that are taken away are the first ones, and the others stay.
fn check_remove(mut manifest: Manifest, lines: &[ManifestLine]) {
    for count in 0..=lines.len() {
        let removed = manifest.remove_front(count.min(1));
        assert_eq!(removed, lines[count.saturating_sub(1)..count]);
        assert_eq!(read_again(&manifest).lines, lines[count..]);
    }
}

/// Of the lines that are not replaced, `previous` alone may change, and the chain behind the replaced one is whole.
fn check_replace(mut manifest: Manifest, lines: &[ManifestLine]) {
    let (Some(middle), number) = (lines.get(lines.len() / 2), lines.len() / 2 + 1) else { return };
    let replacement = ManifestLine { rows: middle.rows ^ 1, ..middle.clone() };
    if manifest.replace(BTreeMap::from([(number, replacement)])).is_err() {
        assert_eq!(manifest.lines, lines, "refused, so nothing has changed");
        return;
    }
    let after = read_again(&manifest).lines;
    assert_eq!(after, manifest.lines);
    assert_eq!(after.len(), lines.len());
    for (n, (new, old)) in after.iter().zip(lines).enumerate() {
        let rows = if n + 1 == number { old.rows ^ 1 } else { old.rows };
        assert_eq!(*new, ManifestLine { rows, previous: new.previous.clone(), ..old.clone() });
        if n >= number {
            assert_eq!(new.previous, manifest.text_of(n).map(digest));
        }
    }
}
