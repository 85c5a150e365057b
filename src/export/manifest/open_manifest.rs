//! A manifest that was read as far as it is new, and can be continued, shortened or mended.

use super::anchors::Anchors;
use super::line::ManifestLine;
use super::lines::{Entry, Lines};
use super::reached::Reached;
use crate::export::destination::{self, Destination, temporaries_of};
use crate::export::error::ExportError;
use crate::export::layout::{DATA_PACKAGE, ERASURES, Kind, MANIFEST};
use crate::export::location::Location;
use crate::mirror::{ExportFile, Mirror, MirrorError, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A manifest, and what the mirror remembers of it.
///
/// What changes it is done in this order, so that a power cut after any step leaves a manifest that can be told from one that
/// lost lines. Lines are added at its end, then the mirror remembers how far it reaches. A manifest that takes the place of
/// another is written beside it, then the mirror remembers what is planned, then it is put there, then the mirror remembers
/// that.
pub(in crate::export) struct Manifest {
    pub(in crate::export) kind: Kind,
    /// Where it stands; paths in it are names there.
    pub(in crate::export) destination: Arc<dyn Destination>,
    pub(super) anchors: Anchors,
    /// The file's size when it was read; `None` where there was none.
    pub(super) found: Option<u64>,
    /// How far it reaches.
    pub(in crate::export) reached: Reached,
    /// The files that were exported to this folder, as the mirror remembers, and that the manifest doesn't reach.
    pub(in crate::export) lost: Vec<ExportFile>,
    /// Whether the manifest reaches as far as the mirror remembers, but with another last line there.
    pub(in crate::export) is_edited: bool,
}

impl Manifest {
    /// Reads what the manifest of the export folder `dir` has behind the point that the mirror remembers, and hands over each
    /// of these lines. Where it doesn't hold that point, all lines are read.
    ///
    /// # Errors
    /// When it or the mirror can't be read, a line is not what this program writes, or lines were removed from its front and
    /// not by pruning; or when `each` fails: its error ends the reading.
    pub(in crate::export) fn open(
        snapshot: &Snapshot<'_>,
        dir: &Location,
        kind: Kind,
        mut each: impl FnMut(&Entry<'_>) -> Result<(), ExportError>,
    ) -> Result<Manifest, ExportError> {
        let (destination, mut anchors) = (destination::of(dir, kind), Anchors::read(snapshot, dir, kind)?);
        let path = destination.place(MANIFEST);
        let found = destination.size(MANIFEST).map_err(ExportError::io("read", &path))?;
        let (mut lines, fitting) = Lines::behind(&*destination, &anchors)?;
        let fits = fitting.is_some();
        let (mut reached, mut follows) = (fitting.unwrap_or_default(), None);
        while let Some(entry) = lines.next()? {
            if entry.number == 1 {
                follows.clone_from(&entry.line.previous);
            }
            reached.take(entry.place.clone(), &entry.line);
            each(&entry)?;
        }
        if let Some(follows) = follows {
            let front = anchors.front(&follows).ok_or(ExportError::FrontLost { path })?;
            reached.fronts.push(front.clone());
        }
        anchors.take_over(&reached);
        let (mut lost, mut is_edited) = (Vec::new(), false);
        if let Some(own) = anchors.own_reached().filter(|_| anchors.is_named()) {
            // Also where it holds the point of another folder: then an older copy of that was put here.
            lost.extend(reached.lacks(own).cloned());
            is_edited = !fits && lost.is_empty() && own.end.is_some();
        }
        Ok(Manifest { kind, destination, anchors, found, reached, lost, is_edited })
    }

    /// Refuses a manifest that was edited.
    pub(in crate::export) fn check_unedited(&self) -> Result<(), ExportError> {
        match self.is_edited {
            true => Err(ExportError::ManifestEdited { path: self.path() }),
            false => Ok(()),
        }
    }

    /// Where it stands, for messages.
    pub(in crate::export) fn path(&self) -> PathBuf {
        self.destination.place(MANIFEST)
    }

    /// Has the mirror remember how far it reaches. Durable on return; writes nothing where it does already.
    pub(in crate::export) fn note(&mut self, mirror: &mut Mirror) -> Result<(), ExportError> {
        self.anchors.store(mirror, &self.reached, None)
    }

    /// Removes temporary files of what stands beside files that a killed export left. Returns their names.
    pub(in crate::export) fn clean_up(&self) -> Result<Vec<String>, ExportError> {
        let mut left = Vec::new();
        for name in [MANIFEST, DATA_PACKAGE, ERASURES] {
            let found = temporaries_of(&*self.destination, name);
            left.extend(found.map_err(ExportError::io("listed", &self.destination.place("")))?);
        }
        for name in &left {
            self.destination
                .remove(name)
                .map_err(ExportError::io("removed", &self.destination.place(name)))?;
        }
        Ok(left)
    }
}

/// The lines with these numbers, counted from 1, of the manifest of that kind in `dir`.
pub(in crate::export) fn numbered(
    dir: &Location,
    kind: Kind,
    numbers: &BTreeSet<usize>,
) -> Result<BTreeMap<usize, ManifestLine>, ExportError> {
    let mut found = BTreeMap::new();
    let mut lines = Lines::open(&*destination::of(dir, kind))?;
    while let Some(entry) = lines.next()? {
        if numbers.contains(&entry.number) {
            found.insert(entry.number, entry.line);
        }
    }
    Ok(found)
}

/// The newest change that a file of the manifest in `dir` covers; 0 where there is none.
pub(in crate::export) fn newest_change(dir: &Location) -> Result<i64, ExportError> {
    let (mut lines, mut newest) = (Lines::open(&*destination::of(dir, Kind::Changes))?, 0);
    while let Some(entry) = lines.next()? {
        newest = entry.line.last_seq.max(newest);
    }
    Ok(newest)
}

/// The newest files that were exported to the folder `dir`, one of each stream and format, sorted by these: what the mirror
/// remembers, and what the manifest has behind it. Where the manifest can't be read or is another one, what the mirror
/// remembers counts alone; `export verify` says what is wrong. So it does for an object store, which is not asked: this
/// answers at once.
///
/// # Errors
/// When the mirror can't be read.
pub fn newest_files(snapshot: &Snapshot<'_>, dir: &Location) -> Result<Vec<ExportFile>, MirrorError> {
    let anchors = Anchors::read(snapshot, dir, Kind::Changes)?;
    let local = dir.folder().map(|_| Lines::behind(&*destination::of(dir, Kind::Changes), &anchors));
    let Some(Ok((mut lines, Some(mut reached)))) = local else {
        return Ok(anchors.own_reached().map(|own| own.files.clone()).unwrap_or_default());
    };
    while let Ok(Some(entry)) = lines.next() {
        reached.take(entry.place, &entry.line);
    }
    Ok(reached.files)
}
