//! The text of a manifest: its lines, and the chain of digests that ties each to the one before it. Pure.

use super::findings::Findings;
use crate::export::difference::Difference;
use crate::export::error::ExportError;
use crate::export::manifest::{End, Lines, ManifestLine};
use std::path::PathBuf;

/// A line of a manifest with its number, counted from 1.
#[derive(Debug, Clone)]
pub(super) struct NumberedLine {
    pub(super) number: usize,
    pub(super) line: ManifestLine,
    /// How far the manifest reaches with it.
    pub(super) place: End,
}

/// Takes a manifest apart. Lines that can't be read, and places where the chain is broken, are found; the lines that can
/// be read go on. `file` names the manifest; `is_front` says whether pruning removed the line with that digest, so that the
/// first line may follow it.
///
/// # Errors
/// None: the text is in memory.
pub(super) fn read(
    text: &[u8],
    file: &str,
    is_front: impl Fn(&str) -> bool,
    findings: &mut Findings,
) -> Result<Vec<NumberedLine>, ExportError> {
    let mut entries = Vec::new();
    let found = |what: String| Difference::of_file(file, what);
    let mut lines = Lines::of(PathBuf::from(file), Some(text));
    let mut end = 0;
    while let Some(entry) = lines.next_found()? {
        let number = entry.number;
        end = entry.place.bytes;
        match entry.line {
            Ok(line) => {
                let tie = (entry.before.as_deref(), line.previous.as_deref());
                if let Some(what) = broken(number, tie, &is_front) {
                    findings.of_manifest(found(what).at_line(number));
                }
                entries.push(NumberedLine { number, line, place: entry.place });
            }
            Err(reason) => findings.of_manifest(found(format!("can't be read: {reason}")).at_line(number)),
        }
    }
    if end < text.len() as u64 {
        findings.remark(format!(
            "{file} ends in the middle of a line: an export is under way or was cut off; the next one takes that away"
        ));
    }
    Ok(entries)
}

/// What is wrong with a line's tie: the digest of the line before it, and the one that it carries.
fn broken(
    number: usize,
    tie: (Option<&str>, Option<&str>),
    is_front: impl Fn(&str) -> bool,
) -> Option<String> {
    match tie {
        (None, None) => None,
        (None, Some(previous)) if is_front(previous) => None,
        (None, Some(_)) => {
            Some("it follows a line that is gone: the manifest's first lines were lost".to_owned())
        }
        (Some(before), Some(previous)) if before == previous => None,
        (Some(_), _) => Some(format!(
            "it is not tied to line {}: that line was edited, or lines were lost, added or moved here",
            number - 1
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::manifest::{digest, sample};

    const NONE: [usize; 0] = [];

    /// A chain of five lines.
    fn lines() -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for n in 0..5 {
            let mut line = sample("customers", "csv", 1 + 10 * n, 10 + 10 * n);
            line.previous = lines.last().map(|line| digest(line.as_bytes()));
            lines.push(serde_json::to_string(&line).unwrap());
        }
        lines
    }

    fn found(lines: &[String], fronts: &[&str]) -> Vec<usize> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        found_in(&text, fronts)
    }

    fn found_in(text: &str, fronts: &[&str]) -> Vec<usize> {
        let mut findings = Findings::default();
        read(text.as_bytes(), "manifest.ndjson", |front| fronts.contains(&front), &mut findings).unwrap();
        assert_eq!(findings.of_manifests, findings.count);
        findings.shown.iter().map(|difference| difference.line.unwrap()).collect()
    }

    #[test]
    fn what_was_done_to_a_manifest_shows_with_its_line() {
        let whole = lines();
        assert_eq!(found(&whole, &[]), NONE);
        assert_eq!(found_in("", &[]), NONE);
        // Edited.
        let mut edited = whole.clone();
        edited[2] = edited[2].replace("\"rows\":1", "\"rows\":2");
        assert_eq!(found(&edited, &[]), [4]);
        // Lost.
        for n in 0..4 {
            let mut lost = whole.clone();
            lost.remove(n);
            assert_eq!(found(&lost, &[]), [n + 1], "{n}");
        }
        // Swapped, inserted.
        let mut swapped = whole.clone();
        swapped.swap(1, 2);
        assert_eq!(found(&swapped, &[]), [2, 3, 4]);
        let mut inserted = whole.clone();
        inserted.insert(3, whole[0].clone());
        assert_eq!(found(&inserted, &[]), [4, 5]);
        // A last line without its end is no line yet, or one that lacks only that: an addition that was cut off.
        let text = whole.join("\n");
        assert_eq!(
            (found_in(&text[..text.len() - 9], &[]), found_in(&text, &[])),
            (NONE.into(), NONE.into())
        );
        // Something else.
        let mut garbage = whole;
        garbage[1] = "{}".to_owned();
        assert_eq!(found(&garbage, &[]), [2, 3]);
    }

    #[test]
    fn a_front_that_was_pruned_is_no_loss() {
        let whole = lines();
        let removed = digest(whole[1].as_bytes());
        assert_eq!(found(&whole[2..], &[&removed]), NONE);
        assert_eq!(found(&whole[2..], &["another"]), [1]);
        assert_eq!(found(&whole[3..], &[&removed]), [1]);
    }
}
