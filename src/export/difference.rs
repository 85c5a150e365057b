//! One thing that is wrong with an export folder.

use serde::Serialize;
use std::fmt;

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
}
