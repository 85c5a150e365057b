//! What is wrong with an export folder.

use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// How many differences are named; the others are counted.
pub(super) const SHOWN: usize = 20;

/// Something that is not as it should be. Names files, numbers, identifiers and columns, never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Relative to the export folder.
    pub file: String,
    /// The line of a manifest, counted from 1.
    pub line: Option<usize>,
    /// The row of a file, counted from 1 without the header line.
    pub row: Option<u64>,
    /// The change.
    pub seq: Option<i64>,
    /// The record, as the change log names it.
    pub id: Option<String>,
    /// What differs.
    pub what: String,
}

impl Difference {
    pub(super) fn of_file(file: &str, what: impl Into<String>) -> Difference {
        Difference { file: file.to_owned(), line: None, row: None, seq: None, id: None, what: what.into() }
    }

    pub(super) fn at_line(self, line: usize) -> Difference {
        Difference { line: Some(line), ..self }
    }

    pub(super) fn at_row(self, row: u64) -> Difference {
        Difference { row: Some(row), ..self }
    }

    pub(super) fn of_change(self, seq: i64) -> Difference {
        Difference { seq: Some(seq), ..self }
    }

    pub(super) fn of_record(self, id: &str) -> Difference {
        Difference { id: Some(id.to_owned()), ..self }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(row) = self.row {
            write!(f, " row {row}")?;
        }
        if let Some(seq) = self.seq {
            write!(f, ", change {seq}")?;
        }
        if let Some(id) = &self.id {
            write!(f, " of {id:?}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Which of the two manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::export) enum Kind {
    /// `manifest.ndjson`: the files with the changes.
    Changes,
    /// `snapshots/manifest.ndjson`.
    Snapshots,
}

/// Collects differences: the first ones by name, all of them by number.
#[derive(Debug, Default)]
pub(in crate::export) struct Findings {
    pub(in crate::export) shown: Vec<Difference>,
    pub(in crate::export) count: u64,
    /// What is wrong with a manifest itself, so that no file written anew would mend it.
    pub(in crate::export) of_manifests: u64,
    /// The manifest lines whose files are not as they should be.
    pub(in crate::export) damaged: BTreeSet<(Kind, usize)>,
    /// The manifest lines whose files hold rows that the change log contradicts.
    pub(in crate::export) contradicted: BTreeSet<(Kind, usize)>,
    pub(in crate::export) remarks: Vec<String>,
}

impl Findings {
    fn add(&mut self, difference: Difference) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(difference);
        }
    }

    /// Something about a manifest.
    pub(super) fn of_manifest(&mut self, difference: Difference) {
        self.of_manifests += 1;
        self.add(difference);
    }

    /// Something about the file of a manifest line.
    pub(super) fn of_file(&mut self, line: (Kind, usize), difference: Difference) {
        self.damaged.insert(line);
        self.add(difference);
    }

    pub(super) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_where_it_is() {
        let difference = Difference::of_file("events/e.csv", "label is not what the mirror holds");
        assert_eq!(
            difference.clone().at_row(3).of_change(9).of_record("e\"1").to_string(),
            "events/e.csv row 3, change 9 of \"e\\\"1\": label is not what the mirror holds"
        );
        assert_eq!(
            difference.at_line(2).to_string(),
            "events/e.csv line 2: label is not what the mirror holds"
        );
    }

    #[test]
    fn the_first_are_named_and_all_are_counted() {
        let mut findings = Findings::default();
        for n in 0..50 {
            findings.of_file((Kind::Changes, n % 2), Difference::of_file("f", n.to_string()));
        }
        findings.of_manifest(Difference::of_file("m", "x"));
        assert_eq!((findings.shown.len(), findings.count, findings.of_manifests), (SHOWN, 51, 1));
        assert_eq!((findings.damaged.len(), findings.shown[0].what.as_str()), (2, "0"));
    }
}
