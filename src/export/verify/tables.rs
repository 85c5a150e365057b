//! The tables of a folder: each one's log, its files by what the log notes of them, and their rows as those of other
//! exports.

use super::chain::NumberedLine;
use super::checked_file::{CheckedFile, RowCounts};
use super::file_check::check_file;
use super::findings::Findings;
use super::report::CheckedTable;
use super::snapshot_rows;
use crate::export::delta::{Contents, Noted, Table, TableLog};
use crate::export::destination::{self, Destination};
use crate::export::difference::Difference;
use crate::export::error::ExportError;
use crate::export::formats::{Compression, Format, LAYOUT, Rows, Unreadable};
use crate::export::layout::{Covers, FileName, Kind};
use crate::export::location::Location;
use crate::export::manifest::{End, ManifestLine};
use crate::export::provenance::check_profile;
use crate::export::readback::is_as_announced;
use crate::masking::Masker;
use crate::mirror::{History, MirrorError};
use crate::record::Stream;
use std::io::{BufReader, ErrorKind};
use std::sync::Arc;

/// The logs of a folder's tables, or why they can't be read.
pub(super) struct TableLogs(Vec<(Table, Result<TableLog, ExportError>)>);

impl TableLogs {
    /// Reads them all.
    pub(super) fn read(dir: &Location) -> TableLogs {
        let contents = [Contents::Changes, Contents::State];
        let tables =
            contents.into_iter().flat_map(|contents| Stream::ALL.map(|stream| Table { stream, contents }));
        let read = |table| (table, TableLog::open(destination::of(dir, Kind::Changes), table));
        TableLogs(tables.map(read).collect())
    }

    /// Whether no table is there.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, log)| log.as_ref().is_ok_and(|log| log.version.is_none()))
    }

    /// Checks every table that is there. `own` is the mirror, `head` its newest change.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub(super) fn examine(
        self,
        dir: &Location,
        (own, head): (&str, i64),
        (history, masker): (&History<'_>, Option<&Masker>),
        findings: &mut Findings,
    ) -> Result<Vec<CheckedTable>, MirrorError> {
        let before = findings.count;
        let mut checked = Vec::new();
        for (table, log) in self.0 {
            let log = match log {
                Ok(log) => log,
                Err(error) => {
                    findings.of_table(Difference::of_file(&table.to_string(), error.with_causes()));
                    continue;
                }
            };
            let Some(version) = log.version else { continue };
            if let Err(error) = check_profile(dir, log.profile(), masker) {
                findings.of_table(Difference::of_file(&table.to_string(), error.to_string()));
                continue;
            }
            let destination = destination::of(dir, Kind::Changes);
            let mut table = TableCheck { log: &log, own, destination, history, findings };
            let rows = table.check(head)?;
            checked.push(CheckedTable {
                table: log.table.to_string(),
                version,
                last_seq: log.position(own),
                files: log.files.len() as u64,
                rows,
            });
        }
        if findings.count > before {
            findings.remark(
                "`export repair` leaves tables as they are: one with the current state is written anew by `export \
                 --snapshot`, one with the changes by the next export after its folder was moved away",
            );
        }
        Ok(checked)
    }
}

struct TableCheck<'c> {
    log: &'c TableLog,
    own: &'c str,
    destination: Arc<dyn Destination>,
    history: &'c History<'c>,
    findings: &'c mut Findings,
}

impl TableCheck<'_> {
    /// Checks the table; says how many rows it has.
    fn check(&mut self, head: i64) -> Result<u64, MirrorError> {
        let position = self.log.position(self.own);
        let is_ours = self.log.reaches(self.own) || self.log.files.is_empty();
        if !is_ours || position > head {
            self.differs(match is_ours {
                true => format!("it reaches to change {position}, the mirror to {head}"),
                false => "it is the table of another mirror or of another program".to_owned(),
            });
            return Ok(0);
        }
        let mut files = Vec::new();
        for file in self.log.files.values() {
            match file.noted() {
                Some(noted) => files.push(self.line(&file.path, file.size.unsigned_abs(), noted)),
                None => self.differs(format!("its log names {}, which another program wrote", file.path)),
            }
        }
        files.sort_by_key(|entry| entry.line.first_seq);
        match self.log.table.contents {
            Contents::Changes => self.check_changes(&files, position),
            Contents::State => self.check_state(&files, position),
        }
    }

    fn differs(&mut self, what: impl Into<String>) {
        self.findings.of_table(Difference::of_file(&self.log.table.to_string(), what));
    }

    /// A file as a manifest would name it.
    fn line(&self, path: &str, bytes: u64, noted: Noted) -> NumberedLine {
        let table = self.log.table;
        let (first_seq, last_seq) = noted.range();
        let line = ManifestLine {
            stream: table.stream.name().to_owned(),
            format: Format::Delta.name().to_owned(),
            path: table.file(path),
            first_seq,
            last_seq,
            rows: noted.rows,
            bytes,
            sha256: noted.sha256,
            columns: Format::Delta.columns(table.stream),
            created_at: String::new(),
            run_id: None,
            compression: Compression::None.name().to_owned(),
            profile: None,
            profile_rules: None,
            mirror_id: self.own.to_owned(),
            previous: None,
            joined: noted.joined,
            repaired_at: None,
            erased_at: None,
            left_out: 0,
            layout: LAYOUT,
            rewritten: noted.rewritten,
            csv_bom: false,
            csv_formula_guard: false,
            snapshot: false,
        };
        let place = End { bytes: 0, lines: 0, last_from: 0, last_line: String::new() };
        NumberedLine { number: 0, line, place }
    }

    fn name(&self, covers: Covers) -> FileName {
        self.log.table.file_name(covers)
    }

    fn check_changes(&mut self, files: &[NumberedLine], position: i64) -> Result<u64, MirrorError> {
        let (before, mut reached) = (self.findings.count, 0);
        let mut total = RowCounts::default();
        for entry in files {
            let (first_seq, last_seq) = (entry.line.first_seq, entry.line.last_seq);
            if first_seq != reached + 1 {
                self.differs(format!("its files go on with change {first_seq} behind change {reached}"));
            }
            reached = last_seq;
            let name = self.name(Covers::Changes { first_seq, last_seq });
            let file = CheckedFile::new(Kind::Changes, entry, name, position);
            let mut found = Findings::default();
            let counts = check_file(file, &*self.destination, self.history, &mut found)?;
            self.findings.take(found);
            total.rows += counts.rows;
            total.current += counts.current;
        }
        if reached != position {
            self.differs(format!("its files end with change {reached}, its log says {position}"));
        }
        let held = self.history.rows_changed_in(self.log.table.stream, (1, position))?;
        if self.findings.count == before && held != total.current {
            self.differs(format!(
                "the mirror holds {held} rows whose newest change is among 1 to {position}, its rows account for {}",
                total.current
            ));
        }
        Ok(total.rows)
    }

    /// All files at once: together they have to hold what a snapshot does.
    fn check_state(&mut self, files: &[NumberedLine], position: i64) -> Result<u64, MirrorError> {
        let before = self.findings.count;
        for entry in files {
            let what = match is_as_announced(&*self.destination, &entry.line.to_export_file()) {
                Ok(true) => continue,
                Ok(false) => "its size or SHA-256 is not the one that the log notes".to_owned(),
                Err(error) if error.kind() == ErrorKind::NotFound => "it is gone".to_owned(),
                Err(error) => format!("it can't be read: {error}"),
            };
            self.findings.of_table(Difference::of_file(&entry.line.path, what));
        }
        let said: u64 = files.iter().map(|entry| entry.line.rows).sum();
        // What its reader would trust is not what was written.
        if self.findings.count > before {
            return Ok(said);
        }
        let whole = NumberedLine {
            line: ManifestLine {
                path: self.log.table.to_string(),
                last_seq: position,
                rewritten: files.iter().map(|entry| entry.line.rewritten).sum(),
                ..self.line("", 0, Noted::of_nothing()).line
            },
            ..self.line("", 0, Noted::of_nothing())
        };
        let name = self.name(Covers::State { head_seq: position });
        let mut file = CheckedFile::new(Kind::Changes, &whole, name, position);
        let counts = snapshot_rows::judge(&mut file, self.rows(files), self.history)?;
        let unnamed = file.count - file.differences.len() as u64;
        file.differences.into_iter().for_each(|difference| self.findings.of_table(difference));
        self.findings.count += unnamed;
        if counts.whole && counts.rows != said {
            self.differs(format!("it has {} rows, its log notes {said}", counts.rows));
        }
        Ok(counts.rows)
    }

    /// The rows of all files, each opened when it is its turn.
    fn rows(&self, files: &[NumberedLine]) -> Rows<'static> {
        let (destination, stream) = (self.destination.clone(), self.log.table.stream);
        let files: Vec<_> =
            files.iter().map(|entry| (entry.line.path.clone(), entry.line.dialect())).collect();
        Box::new(files.into_iter().flat_map(move |(path, dialect)| -> Rows<'static> {
            let opened = destination.open(&path).map_err(|error| error.to_string());
            let rows = opened
                .map_err(|what| Unreadable { row: 0, what })
                .and_then(|file| Format::Delta.rows(Box::new(BufReader::new(file)), stream, dialect));
            match rows {
                Ok(rows) => rows,
                Err(error) => Box::new(std::iter::once(Err(error))),
            }
        }))
    }
}
