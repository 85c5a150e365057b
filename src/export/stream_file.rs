//! One export file while it is written: rows through the format and the compression to the disk.

use super::columns::columns;
use super::compression::Compressor;
use super::file::{Complete, Temporary};
use super::form::Form;
use super::format::RowWriter;
use super::manifest::ManifestLine;
use super::name::{Covers, FileName};
use super::sink::{Chunks, Sink};
use super::{ExportError, file};
use crate::mirror::{Change, RunId};
use jiff::Timestamp;
use std::path::Path;

/// Who exports, and when: stands on every manifest line.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) mirror_id: String,
    pub(super) run: Option<RunId>,
    pub(super) now: Timestamp,
}

/// A file that is being written. Dropped, it is gone.
pub(super) struct StreamFile {
    name: FileName,
    form: Form,
    sink: Sink,
    // Dropped after the sink, which still writes to it until then.
    temporary: Temporary,
    rows: u64,
}

/// A file that has all its rows and is on its way to the disk. Dropped, it is gone.
pub(super) struct Ending {
    name: FileName,
    form: Form,
    sink: Sink,
    temporary: Temporary,
    rows: u64,
}

/// A file that is complete under its temporary name, and the line that will announce it.
pub(super) struct Written {
    pub(super) file: Complete,
    pub(super) line: ManifestLine,
}

impl StreamFile {
    /// Begins a file below the manifest's folder `root`.
    pub(super) fn begin(root: &Path, name: FileName, form: Form) -> Result<StreamFile, ExportError> {
        let folder = root.join(name.stream.name());
        file::ensure_folder(&folder)?;
        let (temporary, disk) = Temporary::create(&folder, &name.to_string())?;
        let sink = Compressor::new(name.compression, disk)
            .and_then(|compressor| RowWriter::begin(name.format, name.stream, form, Chunks::new(compressor)))
            .and_then(Sink::begin)
            .map_err(ExportError::io("written", temporary.target()))?;
        Ok(StreamFile { name, form, sink, temporary, rows: 0 })
    }

    /// Adds a row.
    pub(super) fn write(&mut self, change: &Change<'_>) -> Result<(), ExportError> {
        self.rows += 1;
        self.sink.write(change).map_err(|source| ExportError::Io {
            action: "written",
            path: self.temporary.target().to_owned(),
            source,
        })
    }

    /// Adds no more rows: the file comes to its end meanwhile.
    pub(super) fn end(self) -> Result<Ending, ExportError> {
        let StreamFile { name, form, mut sink, temporary, rows } = self;
        sink.end().map_err(ExportError::io("written", temporary.target()))?;
        Ok(Ending { name, form, sink, temporary, rows })
    }
}

impl Ending {
    /// Waits for the file's end; its content is durable on return.
    pub(super) fn finish(self, origin: &Origin) -> Result<Written, ExportError> {
        let ended = self.sink.finish();
        let rewritten = ended.as_ref().map_or(0, |(_, rewritten)| *rewritten);
        let file = self.temporary.complete(ended.map(|(settled, _)| settled))?;
        let line = line(&self.name, (self.form, rewritten), self.rows, &file, origin);
        Ok(Written { file, line })
    }
}

fn line(
    name: &FileName,
    (form, rewritten): (Form, u64),
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
