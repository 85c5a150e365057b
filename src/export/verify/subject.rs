//! One file under examination.

use super::chain::Entry;
use super::finding::{Difference, Findings, Kind};
use super::source::{Rows, Source};
use super::{changes, state};
use crate::export::ManifestLine;
use crate::export::form::Form;
use crate::export::name::FileName;
use crate::mirror::{History, MirrorError};
use crate::record::Stream;
use std::io::ErrorKind;
use std::path::Path;

/// How many rows of one file are named, so that one bad file doesn't hide the others.
const SHOWN_OF_A_FILE: usize = 5;

/// A file, and what was found out about its rows.
pub(super) struct Subject<'f> {
    pub(super) kind: Kind,
    pub(super) entry: &'f Entry,
    pub(super) name: FileName,
    /// Up to which change the stream was exported in this format.
    pub(super) chain_end: i64,
    differences: Vec<Difference>,
    count: u64,
    contradicted: bool,
}

/// What a file's rows come to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) struct Tally {
    /// Rows that were read.
    pub(in crate::export) rows: u64,
    /// Rows that the mirror holds to this day as they stand there.
    pub(in crate::export) current: u64,
    /// Changes that a repair left out, since a newer one of the same record stands in a later file.
    pub(in crate::export) left_out: u64,
    /// Values that were rewritten for readers' sake, in rows of which the mirror knows what the API gave.
    pub(in crate::export) rewritten: u64,
    /// Whether the rows could be read to their end.
    pub(in crate::export) whole: bool,
}

impl<'f> Subject<'f> {
    pub(super) fn new(kind: Kind, entry: &'f Entry, name: FileName, chain_end: i64) -> Subject<'f> {
        Subject { kind, entry, name, chain_end, differences: Vec::new(), count: 0, contradicted: false }
    }

    pub(super) fn line(&self) -> &ManifestLine {
        &self.entry.line
    }

    /// How its rows are written, by the line's word.
    pub(super) fn form(&self) -> Form {
        Form::of_line(self.line())
    }

    pub(super) fn stream(&self) -> Stream {
        self.name.stream
    }

    /// A difference of this file, to be told where in it and what.
    pub(super) fn difference(&self, what: impl Into<String>) -> Difference {
        Difference::of_file(&in_folder(self.kind, &self.line().path), what)
    }

    /// Takes a difference of a row.
    pub(super) fn differs(&mut self, difference: Difference) {
        self.count += 1;
        if self.differences.len() < SHOWN_OF_A_FILE {
            self.differences.push(difference);
        }
    }

    /// Takes a row that the change log contradicts.
    pub(super) fn contradicted(&mut self, difference: Difference) {
        self.contradicted = true;
        self.differs(difference);
    }

    /// Reads the whole file, and judges its bytes by the manifest and its rows by the change log and the mirror.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub(super) fn examine(
        mut self,
        root: &Path,
        history: &History<'_>,
        findings: &mut Findings,
    ) -> Result<Tally, MirrorError> {
        let key = (self.kind, self.entry.number);
        let mut source = match Source::open(&root.join(&self.line().path)) {
            Ok(source) => source,
            Err(error) => {
                let what = match error.kind() {
                    ErrorKind::NotFound => "it is gone".to_owned(),
                    _ => format!("it can't be opened: {error}"),
                };
                findings.of_file(key, self.difference(what));
                return Ok(Tally::default());
            }
        };
        let tally = self.judge(&mut source, history)?;
        for difference in self.judge_bytes(source, &tally) {
            findings.of_file(key, difference);
        }
        if self.contradicted {
            findings.contradicted.insert(key);
        }
        let unnamed = self.count - self.differences.len() as u64;
        self.differences.into_iter().for_each(|difference| findings.of_file(key, difference));
        findings.count += unnamed;
        Ok(tally)
    }

    fn judge(&mut self, source: &mut Source, history: &History<'_>) -> Result<Tally, MirrorError> {
        let rows = match Rows::begin(source, self.name, self.form()) {
            Ok(rows) => rows,
            Err(error) => {
                let difference = self.difference(error.what);
                self.differs(difference);
                return Ok(Tally::default());
            }
        };
        match self.kind {
            Kind::Changes => changes::judge(self, rows, history),
            Kind::Snapshots => state::judge(self, rows, history),
        }
    }

    /// What the manifest says otherwise about the file as a whole.
    fn judge_bytes(&self, source: Source, tally: &Tally) -> Vec<Difference> {
        let line = self.line();
        let (bytes, sha256) = match source.finish() {
            Ok(found) => found,
            Err(error) => return vec![self.difference(format!("it can't be read: {error}"))],
        };
        let mut found = Vec::new();
        if bytes != line.bytes {
            found.push(self.difference(format!("it has {bytes} bytes, the manifest says {}", line.bytes)));
        }
        if sha256 != line.sha256 {
            found.push(self.difference("its SHA-256 is not the manifest's"));
        }
        if tally.whole && tally.rows != line.rows {
            found.push(
                self.difference(format!("it has {} rows, the manifest says {}", tally.rows, line.rows)),
            );
        }
        if line.rewritten.is_some_and(|said| tally.rewritten > said) {
            found.push(self.difference(format!(
                "it has {} rewritten values or more, the manifest says {}",
                tally.rewritten,
                line.rewritten.unwrap_or(0)
            )));
        }
        if tally.whole && tally.left_out != line.left_out {
            found.push(self.difference(format!(
                "it lacks {} changes that later files bring, the manifest says {}",
                tally.left_out, line.left_out
            )));
        }
        found
    }
}

/// A path of a manifest, relative to the export folder.
pub(in crate::export) fn in_folder(kind: Kind, path: &str) -> String {
    match kind {
        Kind::Changes => path.to_owned(),
        Kind::Snapshots => format!("snapshots/{path}"),
    }
}
