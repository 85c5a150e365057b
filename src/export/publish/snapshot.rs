//! The export of the whole current state.

use super::file_writer::{ClosingFile, FileWriter, Origin};
use super::outcome::{Exported, tables};
use super::plan::distinct;
use crate::export::destination::Destination;
use crate::export::error::ExportError;
use crate::export::layout::{Covers, FileName, Kind};
use crate::export::manifest::{Lines, ManifestLine};
use crate::export::provenance::open_own;
use crate::export::retention::remove_orphans;
use crate::export::settings::Settings;
use crate::mirror::{Mirror, RunId, Snapshot};
use crate::record::Stream;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Writes every stream's rows, as they are now or were at an earlier point, each as an insert with the number and time of its
/// newest change by then, to `DIR/snapshots`, and announces the files in the manifest there. An empty stream gives a file
/// too. A table with the current state is written as a whole, where tables are written and the state is the current one.
/// Positions of [`super::export()`] don't move. A snapshot of this very state that lies there in the same form is reported, not
/// written again. Blocks; the caller holds the mirror's process lock.
///
/// When this returns, files, manifest and what the mirror remembers of it are durable.
///
/// # Errors
/// As [`super::export()`]; and when the state of that point is not known.
pub fn export_snapshot(
    mirror: &mut Mirror,
    settings: &Settings,
    as_of: AsOf,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<Exported, ExportError> {
    settings.seen(mirror, |mirror| write_snapshot(mirror, settings, as_of, run, now))
}

fn write_snapshot(
    mirror: &mut Mirror,
    settings: &Settings,
    as_of: AsOf,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<Exported, ExportError> {
    let own = mirror.id().to_owned();
    let snapshot = mirror.snapshot()?;
    let origin = Origin::of(&snapshot, &own, run, now);
    let head_seq = as_of.seq(&snapshot)?;
    // A folder belongs to one mirror as a whole.
    open_own(&snapshot, &settings.dir, Kind::Changes, &origin.mirror_id)?.check_unedited()?;
    let mut manifest = open_own(&snapshot, &settings.dir, Kind::Snapshots, &origin.mirror_id)?;
    manifest.check_unedited()?;
    let destination = manifest.destination.clone();
    let (mut wanted, mut announced) = (Wanted::of(settings, head_seq), BTreeSet::new());
    let mut lines = Lines::open(&*destination)?;
    while let Some(entry) = lines.next()? {
        wanted.note(&entry.line);
        announced.extend(FileName::of_path(&entry.line.path));
    }
    let removed = remove_orphans(&manifest, |name| announced.contains(name))?;

    let (mut existing, mut ending) = (Vec::new(), Vec::new());
    for &stream in &settings.streams {
        let (there, missing) = wanted.of_stream(stream, &*destination)?;
        existing.extend(there);
        ending.extend(write_stream(
            &snapshot,
            &*destination,
            (stream, head_seq),
            &missing,
            settings,
            &origin,
        )?);
    }
    drop(snapshot);
    let written = ending.into_iter().map(|file| file.finish(&origin)).collect::<Result<_, _>>()?;
    let files = manifest.announce(written)?;
    manifest.note(mirror)?;
    let tables = if as_of == AsOf::Now { tables(mirror, settings, true, now)? } else { Vec::new() };
    let exported = Exported {
        head_seq,
        files,
        tables,
        again: None,
        existing,
        removed,
        pruned: Vec::new(),
        not_pruned: None,
        compacted: Vec::new(),
        not_compacted: None,
    };
    Ok(exported.with_pruning(mirror, settings, now))
}

/// Which state a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// The current one.
    Now,
    /// The one that this change made.
    Change(i64),
    /// The one that the mirror had at this time.
    Time(Timestamp),
}

impl AsOf {
    /// The newest change that the state has in it.
    fn seq(self, snapshot: &Snapshot<'_>) -> Result<i64, ExportError> {
        let head = snapshot.head()?;
        let seq = match self {
            AsOf::Now => return Ok(head),
            AsOf::Change(seq) if (0..=head).contains(&seq) => seq,
            AsOf::Change(seq) => return Err(ExportError::NoSuchChange { seq, head }),
            AsOf::Time(time) => snapshot.head_at(time)?,
        };
        let reaches = snapshot.history_reach()?;
        // The one that reaches least far back, so that what its error advises works.
        match reaches.into_iter().max_by_key(|reach| reach.from_seq).filter(|reach| reach.from_seq > seq) {
            Some(reach) => Err(ExportError::Forgotten { seq, reach }),
            None => Ok(seq),
        }
    }
}

/// The files of a snapshot, each with the newest line that announces it.
struct Wanted<'s> {
    files: Vec<(FileName, Option<ManifestLine>)>,
    settings: &'s Settings,
}

impl Wanted<'_> {
    fn of(settings: &Settings, head_seq: i64) -> Wanted<'_> {
        let names = settings.streams.iter().flat_map(|&stream| {
            distinct(&settings.formats).into_iter().map(move |format| FileName {
                stream,
                covers: Covers::State { head_seq },
                format,
                compression: settings.compression(format),
            })
        });
        Wanted { files: names.map(|name| (name, None)).collect(), settings }
    }

    /// Takes the manifest's next line.
    fn note(&mut self, line: &ManifestLine) {
        let name = FileName::of_path(&line.path);
        if let Some((_, newest)) = self.files.iter_mut().find(|(wanted, _)| Some(*wanted) == name) {
            *newest = Some(line.clone());
        }
    }

    /// A stream's files that lie there in this form already, and the others.
    fn of_stream(
        &self,
        stream: Stream,
        destination: &dyn Destination,
    ) -> Result<(Vec<ManifestLine>, Vec<FileName>), ExportError> {
        let (mut there, mut missing) = (Vec::new(), Vec::new());
        for (name, newest) in self.files.iter().filter(|(name, _)| name.stream == stream) {
            let dialect = self.settings.dialect(name.format);
            let newest = newest.as_ref().filter(|line| line.dialect() == dialect);
            // A file that was moved away since it was announced is written anew.
            let size = destination.size(&name.path());
            let size = size.map_err(ExportError::io("read", &destination.place(&name.path())))?;
            match newest.filter(|line| size == Some(line.bytes)) {
                Some(line) => there.push(line.clone()),
                None => missing.push(*name),
            }
        }
        Ok((there, missing))
    }
}

/// Reads a stream once, and writes it to a file for each name.
fn write_stream(
    snapshot: &Snapshot<'_>,
    destination: &dyn Destination,
    (stream, as_of): (Stream, i64),
    names: &[FileName],
    settings: &Settings,
    origin: &Origin,
) -> Result<Vec<ClosingFile>, ExportError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let begin = |name: &FileName| {
        FileWriter::begin(destination, *name, settings.dialect(name.format), &origin.mirror_id)
    };
    let mut files: Vec<FileWriter> = names.iter().map(begin).collect::<Result<_, _>>()?;
    snapshot.rows(stream, as_of, |change| files.iter_mut().try_for_each(|file| file.write(&change)))?;
    files.into_iter().map(FileWriter::end).collect()
}
