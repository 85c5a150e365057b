//! The files that a folder's manifests announce, written again without the erased rows.

use super::old_rows::rows_of;
use super::outcome::{Done, ErasedFile, ErasedFolder};
use super::remaining_rows::{Counts, RemainingRows};
use crate::export::destination;
use crate::export::error::ExportError;
use crate::export::formats::Format;
use crate::export::layout::{FileName, Kind, MANIFEST, in_folder};
use crate::export::location::Location;
use crate::export::manifest::{Lines, Manifest, ManifestLine, Reached, StagedFile};
use crate::export::provenance::open_own;
use crate::export::publish::{FileWriter, Origin};
use crate::mirror::{Erasure, Mirror, RunId};
use crate::record::Stream;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// So many files are written before they take the places of the old ones.
const FILES_AT_ONCE: usize = 64;

/// What the files of a folder are written again with.
pub(super) struct AnnouncedFiles<'f> {
    pub(super) rows: &'f RemainingRows<'f>,
    pub(super) dir: &'f Location,
    pub(super) erasure: &'f Erasure,
    /// How far the folder's files of changes reach.
    pub(super) reached: Reached,
}

impl AnnouncedFiles<'_> {
    /// Writes the affected files of one of the folder's manifests again, and notes it in `done`. Returns the names of all that
    /// it announces.
    pub(super) fn write_affected(
        &self,
        mirror: &mut Mirror,
        kind: Kind,
        done: &mut ErasedFolder,
    ) -> Result<BTreeSet<FileName>, ExportError> {
        let destination = destination::of(self.dir, kind);
        let (mut affected, mut announced) = (Vec::new(), BTreeSet::new());
        let mut lines = Lines::open(&*destination)?;
        while let Some(entry) = lines.next()? {
            done.searched += 1;
            announced.extend(FileName::of_path(&entry.line.path));
            if !self.is_affected(&entry.line) {
                continue;
            }
            if entry.line.erased_at.as_ref() == Some(&self.erasure.requested_at) {
                done.files.push(ErasedFile::announced(kind, &entry.line, Done::RewrittenBefore));
            } else if Format::from_name(&entry.line.format).is_none() {
                done.not_written.push(in_folder(kind, &entry.line.path));
            } else {
                affected.push((entry.number, entry.line));
            }
        }
        for lines in affected.chunks(FILES_AT_ONCE) {
            let lines = lines.iter().cloned().collect();
            done.files.extend(self.write_again(mirror, kind, &lines)?);
        }
        Ok(announced)
    }

    /// Whether the file may hold an erased row.
    fn is_affected(&self, line: &ManifestLine) -> bool {
        let Some(stream) = Stream::from_name(&line.stream) else { return false };
        let range = (if line.snapshot { 1 } else { line.first_seq }, line.last_seq);
        let end = self.end(stream, Format::from_name(&line.format));
        self.rows.erased.has_erased(stream, range) || self.rows.erased.has_ended(stream, range, end)
    }

    /// How far the newest file of this stream and format reaches.
    fn end(&self, stream: Stream, format: Option<Format>) -> i64 {
        format.map_or(0, |format| self.reached.position(stream, format))
    }

    /// Writes the files of these lines again, gives them their names, then replaces the manifest.
    fn write_again(
        &self,
        mirror: &mut Mirror,
        kind: Kind,
        lines: &BTreeMap<usize, ManifestLine>,
    ) -> Result<Vec<ErasedFile>, ExportError> {
        let own = mirror.id().to_owned();
        let mut manifest = open_own(&mirror.snapshot()?, self.dir, kind, &own)?;
        let destination = manifest.destination.clone();
        let (mut written, mut done) = (Vec::new(), Vec::new());
        for (number, line) in lines {
            let (file, records) = self.without_erased(&own, &manifest, (*number, line))?;
            written.push((*number, file, records));
        }
        // A file may be all that knows some rows of others. Should this be cut off, the next one has to know which it can
        // trust.
        for (_, StagedFile { line, .. }, _) in &written {
            manifest.reached.rewritten.entry(line.path.clone()).or_default().insert(line.sha256.clone());
        }
        manifest.note(mirror)?;
        let mut new = BTreeMap::new();
        for (number, StagedFile { file, line }, records) in written {
            file.replace(&*destination)?;
            let old = lines.get(&number);
            done.push(ErasedFile {
                records,
                bytes_before: old.map(|old| old.bytes),
                sha256_before: old.map(|old| old.sha256.clone()),
                ..ErasedFile::announced(kind, &line, Done::Rewritten)
            });
            new.insert(number, line);
        }
        manifest.replace(mirror, new)?;
        manifest.note(mirror)?;
        Ok(done)
    }

    /// A file without the erased rows, under a temporary name, and how many of them it had at most.
    fn without_erased(
        &self,
        mirror_id: &str,
        manifest: &Manifest,
        (number, old): (usize, &ManifestLine),
    ) -> Result<(StagedFile, u64), ExportError> {
        let destination = &*manifest.destination;
        let name = old.file_name(manifest.kind).map_err(|reason| ExportError::ManifestLine {
            path: destination.place(MANIFEST),
            line: number,
            reason,
        })?;
        let mut file = FileWriter::begin(destination, name, old.dialect(), mirror_id)?;
        let rewritten = manifest.reached.rewritten.get(&old.path);
        // What it says, or what an erasure that was cut off has put there.
        let is_it =
            |sha256: &str| old.sha256 == sha256 || rewritten.is_some_and(|digests| digests.contains(sha256));
        let open = || rows_of(destination, (&old.path, name, old.dialect()), is_it);
        let end = self.end(name.stream, Some(name.format));
        let Counts { records, left_out } =
            self.rows.of((name, end), open, false, &mut |change| file.write(change))?;
        let run = old.run_id.map(RunId);
        let origin = Origin::of(self.rows.snapshot, mirror_id, run, Timestamp::UNIX_EPOCH);
        let mut file = file.end()?.finish(&origin)?;
        file.line.created_at.clone_from(&old.created_at);
        file.line.repaired_at.clone_from(&old.repaired_at);
        file.line.joined = old.joined;
        file.line.erased_at = Some(self.erasure.requested_at.clone());
        file.line.left_out = left_out;
        Ok((file, records))
    }
}
