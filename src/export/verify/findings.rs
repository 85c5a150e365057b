//! What is wrong with an export folder.

use crate::export::difference::Difference;
use crate::export::layout::Kind;
use std::collections::BTreeSet;

/// How many differences are named; the others are counted.
pub(super) const SHOWN: usize = 20;

/// Collects differences: the first ones by name, all of them by number.
#[derive(Debug, Default)]
pub(in crate::export) struct Findings {
    pub(super) shown: Vec<Difference>,
    pub(super) count: u64,
    /// What is wrong with a manifest itself, so that no file written anew would mend it.
    pub(in crate::export) of_manifests: u64,
    /// The manifest lines whose files are not as they should be.
    pub(in crate::export) damaged: BTreeSet<(Kind, usize)>,
    /// The manifest lines whose files hold rows that the change log contradicts.
    pub(super) contradicted: BTreeSet<(Kind, usize)>,
    /// Files of formats that other builds have.
    pub(super) unchecked: Vec<String>,
    pub(super) remarks: Vec<String>,
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

    /// Something about a table, or one of its files: no file that a repair would write again.
    #[cfg(feature = "lake")]
    pub(super) fn of_table(&mut self, difference: Difference) {
        self.add(difference);
    }

    /// Takes what was found of a table's file.
    #[cfg(feature = "lake")]
    pub(super) fn take(&mut self, found: Findings) {
        let unnamed = found.count - found.shown.len() as u64;
        found.shown.into_iter().for_each(|difference| self.add(difference));
        self.count += unnamed;
    }

    pub(super) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
