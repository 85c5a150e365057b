//! The text of a manifest: its lines, and the chain of digests that ties each to the one before it. Pure.

use super::findings::Findings;
use crate::export::difference::Difference;
use crate::export::manifest::{ManifestLine, digest, parse_line};

/// A line of a manifest with its number, counted from 1.
#[derive(Debug, Clone)]
pub(super) struct NumberedLine {
    pub(super) number: usize,
    pub(super) line: ManifestLine,
}

/// Takes a manifest apart. Lines that can't be read, and places where the chain is broken, are found; the lines that can
/// be read go on. `file` names the manifest; `fronts` are the digests of lines that pruning removed from a manifest's
/// front: the first line may follow one of them.
pub(super) fn read(
    text: &[u8],
    file: &str,
    truncations: &[&str],
    findings: &mut Findings,
) -> Vec<NumberedLine> {
    let mut entries = Vec::new();
    if text.is_empty() {
        return entries;
    }
    let found = |what: String| Difference::of_file(file, what);
    let lines: Vec<&[u8]> = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n').collect();
    if !text.ends_with(b"\n") {
        findings.of_manifest(
            found("the last line has no end: it was cut off or edited".to_owned()).at_line(lines.len()),
        );
    }
    let mut before: Option<String> = None;
    for (n, bytes) in lines.into_iter().enumerate() {
        let number = n + 1;
        match parse_line(bytes) {
            Ok(line) => {
                if let Some(what) = broken(number, line.previous.as_deref(), before.as_deref(), truncations) {
                    findings.of_manifest(found(what).at_line(number));
                }
                entries.push(NumberedLine { number, line });
            }
            Err(reason) => findings.of_manifest(found(format!("can't be read: {reason}")).at_line(number)),
        }
        before = Some(digest(bytes));
    }
    entries
}

fn broken(
    number: usize,
    previous: Option<&str>,
    before: Option<&str>,
    truncations: &[&str],
) -> Option<String> {
    match (before, previous) {
        (None, None) => None,
        (None, Some(previous)) if truncations.contains(&previous) => None,
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
    use crate::export::manifest::sample;

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

    fn found(lines: &[String], truncations: &[&str]) -> Vec<usize> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        found_in(&text, truncations)
    }

    fn found_in(text: &str, truncations: &[&str]) -> Vec<usize> {
        let mut findings = Findings::default();
        read(text.as_bytes(), "manifest.ndjson", truncations, &mut findings);
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
        // Swapped, inserted, cut off in the middle of a line.
        let mut swapped = whole.clone();
        swapped.swap(1, 2);
        assert_eq!(found(&swapped, &[]), [2, 3, 4]);
        let mut inserted = whole.clone();
        inserted.insert(3, whole[0].clone());
        assert_eq!(found(&inserted, &[]), [4, 5]);
        let text = whole.join("\n");
        assert_eq!(found_in(&text[..text.len() - 9], &[]), [5, 5]);
        assert_eq!(found_in(&text, &[]), [5]);
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
