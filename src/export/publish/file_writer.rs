//! One export file while it is written: rows through the format and the compression to the disk.

use super::background_writer::{BackgroundWriter, Chunks};
use crate::export::error::ExportError;
use crate::export::formats::{Compressor, Dialect, RowWriter, columns};
use crate::export::layout::{Covers, FileName};
use crate::export::manifest::ManifestLine;
use crate::export::storage::{self, Complete, Temporary};
use crate::mirror::{Change, RunId};
use jiff::Timestamp;
use std::path::Path;

/// Who exports, and when: stands on every manifest line.
#[derive(Debug, Clone)]
pub(in crate::export) struct Origin {
    pub(in crate::export) mirror_id: String,
    pub(in crate::export) run: Option<RunId>,
    pub(in crate::export) now: Timestamp,
}

/// A file that is being written. Dropped, it is gone.
pub(in crate::export) struct FileWriter {
    name: FileName,
    form: Dialect,
    sink: BackgroundWriter,
    // Dropped after the sink, which still writes to it until then.
    temporary: Temporary,
    rows: u64,
}

/// A file that has all its rows and is on its way to the disk. Dropped, it is gone.
pub(in crate::export) struct ClosingFile {
    name: FileName,
    form: Dialect,
    sink: BackgroundWriter,
    temporary: Temporary,
    rows: u64,
}

/// A file that is complete under its temporary name, and the line that will announce it.
pub(in crate::export) struct StagedFile {
    pub(in crate::export) file: Complete,
    pub(in crate::export) line: ManifestLine,
}

impl FileWriter {
    /// Begins a file below the manifest's folder `root`.
    pub(in crate::export) fn begin(
        root: &Path,
        name: FileName,
        form: Dialect,
    ) -> Result<FileWriter, ExportError> {
        let folder = root.join(name.stream.name());
        storage::ensure_folder(&folder)?;
        let (temporary, disk) = Temporary::create(&folder, &name.to_string())?;
        let sink = Compressor::new(name.compression, disk)
            .and_then(|compressor| RowWriter::begin(name.format, name.stream, form, Chunks::new(compressor)))
            .and_then(BackgroundWriter::begin)
            .map_err(ExportError::io("written", temporary.target()))?;
        Ok(FileWriter { name, form, sink, temporary, rows: 0 })
    }

    /// Adds a row.
    pub(in crate::export) fn write(&mut self, change: &Change<'_>) -> Result<(), ExportError> {
        self.rows += 1;
        self.sink.write(change).map_err(|source| ExportError::Io {
            action: "written",
            path: self.temporary.target().to_owned(),
            source,
        })
    }

    /// Adds no more rows: the file comes to its end meanwhile.
    pub(in crate::export) fn end(self) -> Result<ClosingFile, ExportError> {
        let FileWriter { name, form, mut sink, temporary, rows } = self;
        sink.end().map_err(ExportError::io("written", temporary.target()))?;
        Ok(ClosingFile { name, form, sink, temporary, rows })
    }
}

impl ClosingFile {
    /// Waits for the file's end; its content is durable on return.
    pub(in crate::export) fn finish(self, origin: &Origin) -> Result<StagedFile, ExportError> {
        let ended = self.sink.finish();
        let rewritten = ended.as_ref().map_or(0, |(_, rewritten)| *rewritten);
        let file = self.temporary.complete(ended.map(|(settled, _)| settled))?;
        let line = line(&self.name, (self.form, rewritten), self.rows, &file, origin);
        Ok(StagedFile { file, line })
    }
}

fn line(
    name: &FileName,
    (form, rewritten): (Dialect, u64),
    rows: u64,
    file: &Complete,
    origin: &Origin,
) -> ManifestLine {
    let (first_seq, last_seq, snapshot) = match name.covers {
        Covers::Changes { first_seq, last_seq } => (first_seq, last_seq, false),
        Covers::State { head_seq } => (1, head_seq, true),
    };
    ManifestLine {
        stream: name.stream.name().to_owned(),
        format: name.format.name().to_owned(),
        path: name.path(),
        first_seq,
        last_seq,
        rows,
        bytes: file.bytes,
        sha256: file.sha256.clone(),
        columns: columns(name.stream).map(str::to_owned).collect(),
        created_at: format!("{:.3}", origin.now),
        run_id: origin.run.map(|run| run.0),
        compression: name.compression.name().to_owned(),
        mirror_id: origin.mirror_id.clone(),
        previous: None,
        repaired_at: None,
        left_out: 0,
        layout: form.layout(),
        rewritten: (!form.exact).then_some(rewritten),
        csv_bom: form.bom,
        csv_formula_guard: form.guarded,
        snapshot,
    }
}
