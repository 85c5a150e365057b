//! One export file while it is written: rows through the format and the compression to the disk.

use super::background_writer::BackgroundWriter;
use crate::export::destination::{CompleteFile, Destination, NewFile};
use crate::export::error::ExportError;
use crate::export::formats::{Compressor, Dialect, FileFacts, RowWriter};
use crate::export::layout::{Covers, FileName};
use crate::export::manifest::{ManifestLine, StagedFile};
use crate::mirror::{Change, RunId, Snapshot};
use jiff::Timestamp;
use std::path::PathBuf;

/// Who exports, and when: stands on every manifest line.
#[derive(Debug, Clone)]
pub(in crate::export) struct Origin {
    pub(in crate::export) mirror_id: String,
    pub(in crate::export) run: Option<RunId>,
    pub(in crate::export) now: Timestamp,
    /// The name of the profile by which rows are hidden, and what its rules are known by.
    pub(in crate::export) profile: Option<(String, String)>,
}

impl Origin {
    /// Of what is read of this state of the mirror.
    pub(in crate::export) fn of(
        snapshot: &Snapshot<'_>,
        mirror_id: &str,
        run: Option<RunId>,
        now: Timestamp,
    ) -> Origin {
        let profile = snapshot.masker().map(|masker| (masker.name().to_owned(), masker.rules().to_owned()));
        Origin { mirror_id: mirror_id.to_owned(), run, now, profile }
    }
}

/// A file that is being written. If it is dropped, it is removed.
pub(in crate::export) struct FileWriter {
    name: FileName,
    dialect: Dialect,
    writer: BackgroundWriter,
    /// For messages.
    place: PathBuf,
    rows: u64,
}

/// A file that has all its rows and is on its way to the disk. If it is dropped, it is removed.
pub(in crate::export) struct ClosingFile(FileWriter);

impl FileWriter {
    /// Begins a file.
    pub(in crate::export) fn begin(
        destination: &dyn Destination,
        name: FileName,
        dialect: Dialect,
        mirror_id: &str,
    ) -> Result<FileWriter, ExportError> {
        let place = destination.place(&name.path());
        let file = NewFile::begin(destination, &name.path())?;
        let writer = Compressor::new(name.compression, file)
            .and_then(|compressor| {
                RowWriter::begin(name.format, &facts(&name, mirror_id), dialect, compressor)
            })
            .and_then(BackgroundWriter::begin)
            .map_err(ExportError::io("written", &place))?;
        Ok(FileWriter { name, dialect, writer, place, rows: 0 })
    }

    /// Adds a row.
    pub(in crate::export) fn write(&mut self, change: &Change<'_>) -> Result<(), ExportError> {
        self.rows += 1;
        self.writer.write(change).map_err(|source| ExportError::io("written", &self.place)(source))
    }

    /// Adds no more rows: the file comes to its end meanwhile.
    pub(in crate::export) fn end(mut self) -> Result<ClosingFile, ExportError> {
        self.writer.end().map_err(ExportError::io("written", &self.place))?;
        Ok(ClosingFile(self))
    }
}

impl ClosingFile {
    /// Waits for the file's end; its content is durable on return.
    pub(in crate::export) fn finish(self, origin: &Origin) -> Result<StagedFile, ExportError> {
        let FileWriter { name, dialect, writer, place, rows } = self.0;
        let (file, rewritten) = writer.finish().map_err(ExportError::io("written", &place))?;
        let line = line(&name, (dialect, rewritten), rows, &file, origin);
        Ok(StagedFile { file, line })
    }
}

fn facts<'a>(name: &FileName, mirror_id: &'a str) -> FileFacts<'a> {
    let (first_seq, last_seq, is_snapshot) = match name.covers {
        Covers::Changes { first_seq, last_seq } => (first_seq, last_seq, false),
        Covers::State { head_seq } => (1, head_seq, true),
    };
    FileFacts { stream: name.stream, mirror_id, first_seq, last_seq, is_snapshot }
}

fn line(
    name: &FileName,
    (dialect, rewritten): (Dialect, u64),
    rows: u64,
    file: &CompleteFile,
    origin: &Origin,
) -> ManifestLine {
    let facts = facts(name, &origin.mirror_id);
    ManifestLine {
        stream: name.stream.name().to_owned(),
        format: name.format.name().to_owned(),
        path: name.path(),
        first_seq: facts.first_seq,
        last_seq: facts.last_seq,
        rows,
        bytes: file.bytes,
        sha256: file.sha256.clone(),
        columns: name.format.columns(name.stream),
        created_at: format!("{:.3}", origin.now),
        run_id: origin.run.map(|run| run.0),
        compression: name.compression.name().to_owned(),
        mirror_id: origin.mirror_id.clone(),
        previous: None,
        profile: origin.profile.as_ref().map(|(name, _)| name.clone()),
        profile_rules: origin.profile.as_ref().map(|(_, rules)| rules.clone()),
        erased_at: None,
        joined: 0,
        repaired_at: None,
        left_out: 0,
        layout: dialect.layout(),
        rewritten: (!dialect.exact).then_some(rewritten),
        csv_bom: dialect.bom,
        csv_formula_guard: dialect.guarded,
        snapshot: facts.is_snapshot,
    }
}
