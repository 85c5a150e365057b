//! One pass over a folder: manifests, files, counts; again where the folder moved meanwhile.

use super::chain::{self, NumberedLine};
use super::checked_file::{CheckedFile, RowCounts};
use super::file_check::check_file;
use super::findings::Findings;
use super::manifest_lines::{self, StreamFormat};
use super::report::{CheckedTable, Range, SnapshotFile, Verified};
#[cfg(feature = "lake")]
use super::tables::TableLogs;
use crate::export::destination::{self, read_whole};
use crate::export::difference::Difference;
use crate::export::error::ExportError;
use crate::export::formats::Format;
use crate::export::layout::{FileName, Kind, MANIFEST, in_folder};
use crate::export::location::Location;
use crate::export::manifest::{Anchors, Reached};
use crate::export::provenance;
use crate::export::retention::Orphans;
use crate::export::settings::Settings;
use crate::mirror::{History, Mirror, Snapshot};
#[cfg(not(feature = "lake"))]
use crate::record::Stream;
use std::collections::{BTreeMap, BTreeSet};

/// How often everything is verified again where the manifests move.
const ATTEMPTS: usize = 3;

/// A verification with what a repair has to know.
pub(in crate::export) struct Examined {
    pub(in crate::export) verified: Verified,
    pub(in crate::export) findings: Findings,
}

/// Verifies the settings' export folder of this mirror, which may have been opened read-only. Reads every file; writes
/// nothing.
///
/// # Errors
/// When the folder or the mirror can't be read, the folder is another mirror's, or this mirror was restored from an older
/// copy than the one that exported. What is wrong with the files is no error: see [`Verified::differences`].
pub fn verify(mirror: &mut Mirror, settings: &Settings) -> Result<Verified, ExportError> {
    settings.seen(mirror, |mirror| Ok(examine(mirror, &settings.dir)?.verified))
}

pub(in crate::export) fn examine(mirror: &mut Mirror, dir: &Location) -> Result<Examined, ExportError> {
    let mut attempts = 1;
    loop {
        let (examined, texts) = attempt(mirror, dir)?;
        if examined.verified.ok || attempts == ATTEMPTS || texts == Texts::read(dir)? {
            return Ok(examined);
        }
        attempts += 1;
    }
}

/// Both manifests as they lie there; empty where there is none.
#[derive(PartialEq, Eq)]
struct Texts {
    changes: Vec<u8>,
    snapshots: Vec<u8>,
}

impl Texts {
    fn read(dir: &Location) -> Result<Texts, ExportError> {
        let read = |kind| {
            let destination = destination::of(dir, kind);
            let text = read_whole(&*destination, MANIFEST);
            text.map(Option::unwrap_or_default).map_err(ExportError::io("read", &destination.place(MANIFEST)))
        };
        Ok(Texts { changes: read(Kind::Changes)?, snapshots: read(Kind::Snapshots)? })
    }
}

/// The manifests and the tables' logs are read before the transaction begins: whatever they name is in the state that it sees.
fn attempt(mirror: &mut Mirror, dir: &Location) -> Result<(Examined, Texts), ExportError> {
    let (mirror_id, texts) = (mirror.id().to_owned(), Texts::read(dir)?);
    #[cfg(feature = "lake")]
    let tables = TableLogs::read(dir);
    #[cfg(not(feature = "lake"))]
    let tables = tables_of_other_builds(dir)?;
    let snapshot = mirror.snapshot()?;
    Ok((Verification::new(&snapshot, dir, mirror_id)?.run(&texts, tables)?, texts))
}

/// Tables of the folder, which this build can't read: their folders, relative to the export folder.
#[cfg(not(feature = "lake"))]
type TableLogs = Vec<String>;

#[cfg(not(feature = "lake"))]
fn tables_of_other_builds(dir: &Location) -> Result<TableLogs, ExportError> {
    let destination = destination::of(dir, Kind::Changes);
    let mut found = Vec::new();
    for table in Stream::ALL.iter().flat_map(|stream| [format!("{stream}_changes"), stream.to_string()]) {
        let (log, mut is_there) = (format!("{table}/_delta_log"), false);
        let listed = destination.each_name(&log, &mut |name| is_there |= name.ends_with(".json"));
        listed.map_err(ExportError::io("listed", &destination.place(&log)))?;
        found.extend(Some(table).filter(|_| is_there));
    }
    Ok(found)
}

/// One pass over one state of the mirror.
struct Verification<'v> {
    snapshot: &'v Snapshot<'v>,
    dir: &'v Location,
    mirror_id: String,
    head: i64,
    findings: Findings,
}

impl<'v> Verification<'v> {
    fn new(
        snapshot: &'v Snapshot<'v>,
        dir: &'v Location,
        mirror_id: String,
    ) -> Result<Verification<'v>, ExportError> {
        let (head, findings) = (snapshot.head()?, Findings::default());
        Ok(Verification { snapshot, dir, mirror_id, head, findings })
    }

    fn run(mut self, texts: &Texts, tables: TableLogs) -> Result<Examined, ExportError> {
        let anchors = Anchors::read(self.snapshot, self.dir, Kind::Changes)?;
        let (changes, unknown) = self.lines(Kind::Changes, &texts.changes, &anchors)?;
        let of_snapshots = Anchors::read(self.snapshot, self.dir, Kind::Snapshots)?;
        let (snapshot_lines, _) = self.lines(Kind::Snapshots, &texts.snapshots, &of_snapshots)?;
        if changes.is_empty() && anchors.own_reached().is_none() && tables.is_empty() {
            self.look_elsewhere(&anchors);
        }
        let follows = changes.first().and_then(|entry| entry.line.previous.as_deref());
        let front = follows.and_then(|follows| anchors.front(follows));
        let pruned = Reached { fronts: front.cloned().into_iter().collect(), ..Reached::default() };
        let named = self.named(Kind::Changes, &changes);
        let tiled =
            manifest_lines::tile(&named, |stream, format| pruned.pruned(stream, format), &mut self.findings);
        let named_snapshots = self.named(Kind::Snapshots, newest_of_each_path(&snapshot_lines));

        let history = self.snapshot.history()?;
        let mut ranges = self.examine_changes(&history, &named, &tiled)?;
        let snapshots = self.examine_snapshots(&history, &named_snapshots, &tiled, &pruned)?;
        #[cfg(feature = "lake")]
        let tables = tables.examine(
            self.dir,
            (&self.mirror_id, self.head),
            (&history, self.snapshot.masker()),
            &mut self.findings,
        )?;
        #[cfg(not(feature = "lake"))]
        let tables = {
            self.findings.unchecked.extend(tables);
            Vec::new()
        };
        self.check_not_restored(&changes, &unknown)?;
        for range in ranges.iter_mut().filter(|range| range.first_seq > 1) {
            self.find_base(range, &snapshots);
        }
        self.remark_on_strays(Kind::Changes, &changes)?;
        self.remark_on_strays(Kind::Snapshots, &snapshot_lines)?;
        // A manifest that was edited is none that merely runs ahead of the mirror.
        if !unknown.is_empty() && self.findings.of_manifests == 0 {
            self.findings.remark(format!(
                "the mirror does not know {} of the manifest's lines yet: an export is under way or was cut off, and the \
                 next one notes them",
                unknown.len()
            ));
        }
        Ok(self.result(ranges, snapshots, tables))
    }

    /// A manifest's lines, and the numbers of those that the mirror doesn't remember.
    fn lines(
        &mut self,
        kind: Kind,
        text: &[u8],
        anchors: &Anchors,
    ) -> Result<(Vec<NumberedLine>, BTreeSet<usize>), ExportError> {
        let (name, before) = (in_folder(kind, MANIFEST), self.findings.of_manifests);
        let is_front = |digest: &str| anchors.front(digest).is_some();
        let lines = chain::read(text, &name, is_front, &mut self.findings)?;
        self.check_owner(&lines)?;
        let (text, is_chain) = ((kind, text), self.findings.of_manifests == before);
        let unknown =
            manifest_lines::compare_with_anchors(&lines, text, anchors, is_chain, &mut self.findings);
        let unknown = unknown.map_err(ExportError::io("read", &self.dir.join(&name)))?;
        Ok((lines, unknown))
    }

    /// A folder that nothing was exported to is no mistake, unless the mirror was exported to another one.
    fn look_elsewhere(&mut self, anchors: &Anchors) {
        let others: Vec<&str> = anchors.others().collect();
        if !others.is_empty() {
            let what = format!(
                "nothing was exported to this folder yet, but to {}: export.dir, or the url of the destination, was changed since",
                others.join(", ")
            );
            self.findings.of_manifest(Difference::of_file(MANIFEST, what));
        }
    }

    /// Where the chain is whole, a line that this mirror can't have written is no accident of the folder's.
    fn check_owner(&mut self, entries: &[NumberedLine]) -> Result<(), ExportError> {
        let check = |entry: &NumberedLine| {
            provenance::check_line(self.dir, &entry.line, &self.mirror_id, self.head)?;
            provenance::check_profile(self.dir, entry.line.shown_by(), self.snapshot.masker())
        };
        match entries.iter().try_for_each(check) {
            Err(error) if self.findings.of_manifests == 0 => Err(error),
            Err(error) => {
                self.findings.of_manifest(Difference::of_file(MANIFEST, error.to_string()));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The lines with the names of their files, without those that name none of ours, or one that other builds write.
    fn named<'e>(
        &mut self,
        kind: Kind,
        entries: impl IntoIterator<Item = &'e NumberedLine>,
    ) -> Vec<(&'e NumberedLine, FileName)> {
        let mut named = Vec::new();
        for entry in entries {
            if Format::of_other_builds(&entry.line.format).is_some() {
                self.findings.unchecked.push(in_folder(kind, &entry.line.path));
                continue;
            }
            match entry.line.file_name(kind) {
                Ok(name) => named.push((entry, name)),
                Err(what) => {
                    let file = in_folder(kind, MANIFEST);
                    self.findings.of_manifest(Difference::of_file(&file, what).at_line(entry.number));
                }
            }
        }
        named
    }

    fn examine_changes(
        &mut self,
        history: &History<'_>,
        named: &[(&NumberedLine, FileName)],
        tiled: &BTreeMap<StreamFormat, (i64, i64)>,
    ) -> Result<Vec<Range>, ExportError> {
        let destination = destination::of(self.dir, Kind::Changes);
        let mut ranges = Vec::new();
        for ((stream, format), &(first_seq, last_seq)) in tiled {
            let before = self.findings.count;
            let mut total = RowCounts::default();
            let mut files = 0;
            for (entry, name) in
                named.iter().filter(|(_, name)| (name.stream, name.format) == (*stream, *format))
            {
                let file = CheckedFile::new(Kind::Changes, entry, *name, last_seq);
                let counts = check_file(file, &*destination, history, &mut self.findings)?;
                if counts.left_out > 0 {
                    self.findings.remark(format!(
                        "{} was repaired: the older versions of {} gone; later files bring what became of them",
                        entry.line.path,
                        if counts.left_out == 1 { "1 row are".to_owned() } else { format!("{} rows are", counts.left_out) }
                    ));
                }
                files += 1;
                total.rows += counts.rows;
                total.current += counts.current;
                total.left_out += counts.left_out;
            }
            let held = history.rows_changed_in(*stream, (first_seq, last_seq))?;
            if self.findings.count == before && held != total.current {
                let what = format!(
                    "it holds {held} rows whose newest change is among {first_seq} to {last_seq}, but its change log \
                     accounts for {}",
                    total.current
                );
                self.findings.of_manifest(Difference::of_file(&format!("the mirror's table {stream}"), what));
            }
            ranges.push(Range {
                stream: stream.name().to_owned(),
                format: format.name().to_owned(),
                first_seq,
                last_seq,
                files,
                rows: total.rows,
                left_out: total.left_out,
                base: None,
            });
        }
        Ok(ranges)
    }

    fn examine_snapshots(
        &mut self,
        history: &History<'_>,
        named: &[(&NumberedLine, FileName)],
        tiled: &BTreeMap<StreamFormat, (i64, i64)>,
        pruned: &Reached,
    ) -> Result<Vec<SnapshotFile>, ExportError> {
        let destination = destination::of(self.dir, Kind::Snapshots);
        let mut files = Vec::new();
        for (entry, name) in named {
            let pruned = || pruned.pruned(name.stream, name.format);
            let end = tiled.get(&(name.stream, name.format)).map_or_else(pruned, |(_, last)| *last);
            let file = CheckedFile::new(Kind::Snapshots, entry, *name, end);
            let counts = check_file(file, &*destination, history, &mut self.findings)?;
            let path = in_folder(Kind::Snapshots, &entry.line.path);
            if counts.left_out > 0 {
                self.findings.remark(format!(
                    "{path} was repaired: it lacks {} rows that have changed since; later files bring them",
                    counts.left_out
                ));
            }
            files.push(SnapshotFile {
                path,
                stream: entry.line.stream.clone(),
                format: entry.line.format.clone(),
                last_seq: entry.line.last_seq,
                rows: counts.rows,
            });
        }
        Ok(files)
    }

    /// Lines that the mirror doesn't know and whose rows its change log contradicts: another future than this mirror's.
    fn check_not_restored(
        &self,
        entries: &[NumberedLine],
        unknown: &BTreeSet<usize>,
    ) -> Result<(), ExportError> {
        if self.findings.of_manifests > 0 {
            return Ok(());
        }
        let contradicted =
            |entry: &&NumberedLine| self.findings.contradicted.contains(&(Kind::Changes, entry.number));
        match entries.iter().filter(|entry| unknown.contains(&entry.number)).find(contradicted) {
            Some(entry) => {
                Err(ExportError::Diverged { dir: self.dir.to_owned(), path: entry.line.path.clone() })
            }
            None => Ok(()),
        }
    }

    fn find_base(&mut self, range: &mut Range, snapshots: &[SnapshotFile]) {
        let fits = |file: &&SnapshotFile| {
            file.stream == range.stream && file.format == range.format && file.last_seq >= range.first_seq - 1
        };
        range.base = snapshots.iter().filter(fits).map(|file| file.path.clone()).next_back();
        if range.base.is_none() {
            self.findings.remark(format!(
                "the {} files of {} up to change {} were removed after they were acknowledged; no snapshot stands for \
                 them",
                range.format,
                range.stream,
                range.first_seq - 1
            ));
        }
    }

    /// Files that look like exports and that no manifest names.
    fn remark_on_strays(&mut self, kind: Kind, lines: &[NumberedLine]) -> Result<(), ExportError> {
        let named: BTreeSet<FileName> =
            lines.iter().filter_map(|entry| FileName::of_path(&entry.line.path)).collect();
        let found = Orphans::find(&*destination::of(self.dir, kind), kind, |name| named.contains(name))?;
        for path in found.paths() {
            self.findings.remark(format!(
                "{} stands in no manifest: it was left by an export that was cut off, and is not to be read",
                in_folder(kind, &path)
            ));
        }
        Ok(())
    }

    fn result(self, ranges: Vec<Range>, snapshots: Vec<SnapshotFile>, tables: Vec<CheckedTable>) -> Examined {
        let of_tables = tables.iter().map(|table| table.files);
        let files =
            ranges.iter().map(|range| range.files).chain(of_tables).sum::<u64>() + snapshots.len() as u64;
        let rows = ranges.iter().map(|range| range.rows).chain(snapshots.iter().map(|file| file.rows));
        let rows = rows.chain(tables.iter().map(|table| table.rows)).sum();
        let verified = Verified {
            dir: self.dir.to_owned(),
            mirror_id: self.mirror_id,
            head_seq: self.head,
            ok: self.findings.count == 0 && self.findings.unchecked.is_empty(),
            files,
            rows,
            ranges,
            snapshots,
            tables,
            difference_count: self.findings.count,
            differences: self.findings.shown.clone(),
            unchecked: self.findings.unchecked.clone(),
            remarks: self.findings.remarks.clone(),
        };
        Examined { verified, findings: self.findings }
    }
}

/// A snapshot that was written anew under its old name has two lines: the newer one counts.
fn newest_of_each_path(entries: &[NumberedLine]) -> Vec<&NumberedLine> {
    let newest: BTreeMap<&str, usize> =
        entries.iter().map(|entry| (entry.line.path.as_str(), entry.number)).collect();
    entries.iter().filter(|entry| newest[entry.line.path.as_str()] == entry.number).collect()
}
