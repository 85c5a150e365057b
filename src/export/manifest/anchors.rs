//! What the mirror remembers of manifests: how far each one reached when this mirror last wrote it. An export reads only
//! what stands behind that point; a manifest that doesn't hold it any more has lost lines, or was edited.
//!
//! A manifest that holds a point of another folder is that folder's under a new name: it was moved or copied.

use super::line::digest_of_ended;
use super::reached::{Front, Reached};
use crate::export::error::ExportError;
use crate::export::layout::Kind;
use crate::export::location::Location;
use crate::mirror::{ExportFolder, Mirror, MirrorError, Snapshot};
use std::io;
use std::path::{Component, Path, PathBuf};

/// The name under which the mirror knows an export folder: its address; of a local one the absolute path, without symbolic
/// links as far as it exists.
pub(in crate::export) fn folder_name(dir: &Location) -> String {
    dir.folder().map_or_else(|| dir.to_string(), name_of_path)
}

fn name_of_path(dir: &Path) -> String {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let mut missing = PathBuf::new();
    for above in absolute.ancestors() {
        if let Ok(found) = above.canonicalize() {
            return plain(&found.join(missing)).display().to_string();
        }
        missing = Path::new(above.file_name().unwrap_or_default()).join(missing);
    }
    absolute.display().to_string()
}

/// Without the slash at the end that joining with an empty path gives.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// What is remembered of the manifests of one kind.
pub(in crate::export) struct Anchors {
    kind: Kind,
    /// The folder's own name.
    folder: String,
    /// Of all folders; of this one, or of an unknown one that an older version exported to, first.
    known: Vec<Anchor>,
    /// Whether what an older version noted of an unknown folder was of this one.
    is_taken_over: bool,
}

/// What is remembered of one manifest.
#[derive(Debug, PartialEq, Eq)]
struct Anchor {
    /// Empty where an older version noted no folder.
    folder: String,
    reached: Reached,
    /// How far the manifest is going to reach that is being put in its place: one of the two lies there.
    planned: Option<Reached>,
}

impl Anchors {
    /// Reads what is remembered, for the export folder `dir`.
    pub(in crate::export) fn read(
        snapshot: &Snapshot<'_>,
        dir: &Location,
        kind: Kind,
    ) -> Result<Anchors, MirrorError> {
        let folder = folder_name(dir);
        let mut known = Vec::new();
        for row in snapshot.export_folders(kind.name())? {
            let (reached, planned) = (decoded(&row.reached)?, row.planned.as_deref().map(decoded));
            known.push(Anchor { folder: row.folder, reached, planned: planned.transpose()? });
        }
        known.sort_by_key(|anchor| (anchor.folder != folder, !anchor.folder.is_empty()));
        Ok(Anchors { kind, folder, known, is_taken_over: false })
    }

    /// What is remembered of this folder's own manifest. Where nothing is, that of an unknown folder may be meant.
    fn own(&self) -> Option<&Anchor> {
        self.known.first().filter(|first| first.folder == self.folder || first.folder.is_empty())
    }

    /// How far the folder's own manifest reached.
    pub(in crate::export) fn own_reached(&self) -> Option<&Reached> {
        self.own().map(|own| &own.reached)
    }

    /// Whether what is remembered is surely of this folder.
    pub(in crate::export) fn is_named(&self) -> bool {
        self.own().is_some_and(|own| own.folder == self.folder)
    }

    /// Looks whether what an older version exported to an unknown folder was exported to this one, whose manifest reaches that
    /// far: it is this folder's from the next [`Anchors::store`] on.
    pub(in crate::export) fn take_over(&mut self, reached: &Reached) {
        let unnamed = self.own_reached().filter(|_| !self.is_named());
        self.is_taken_over = unnamed.is_some_and(|unnamed| unnamed.files == reached.files);
    }

    /// The other folders that were exported to.
    pub(in crate::export) fn others(&self) -> impl Iterator<Item = &str> {
        let names = self.known.iter().map(|anchor| anchor.folder.as_str());
        names.filter(|name| !name.is_empty() && *name != self.folder)
    }

    /// What was remembered of a manifest's front whose first line follows the line with that digest.
    pub(in crate::export) fn front(&self, follows: &str) -> Option<&Front> {
        self.states().flat_map(|reached| &reached.fronts).find(|front| front.last_line == follows)
    }

    fn states(&self) -> impl Iterator<Item = &Reached> {
        self.known.iter().flat_map(|anchor| [Some(&anchor.reached), anchor.planned.as_ref()]).flatten()
    }

    /// How far a manifest reached that holds what is remembered of it. `text` gives its bytes from one place to another,
    /// or to its end where that comes first.
    pub(in crate::export) fn fitting(
        &self,
        mut text: impl FnMut(u64, u64) -> io::Result<Vec<u8>>,
    ) -> io::Result<Option<&Reached>> {
        for reached in self.states() {
            if let Some(end) = &reached.end {
                let found = text(end.last_from, end.bytes)?;
                if digest_of_ended(&found) == end.last_line {
                    return Ok(Some(reached));
                }
            }
        }
        Ok(None)
    }

    /// Has the mirror remember that the folder's manifest reaches that far, or is going to. Durable on return; writes nothing
    /// where that is remembered already.
    pub(in crate::export) fn store(
        &mut self,
        mirror: &mut Mirror,
        reached: &Reached,
        planned: Option<&Reached>,
    ) -> Result<(), ExportError> {
        let anchor =
            Anchor { folder: self.folder.clone(), reached: reached.clone(), planned: planned.cloned() };
        // A manifest without lines is nothing to remember.
        if reached.end.is_none() || self.own() == Some(&anchor) {
            return Ok(());
        }
        let row = ExportFolder {
            folder: self.folder.clone(),
            reached: encoded(reached)?,
            planned: planned.map(encoded).transpose()?,
        };
        let mut batch = mirror.batch()?;
        batch.note_export_folder(self.kind.name(), &row)?;
        if self.is_taken_over {
            batch.forget_export_folder(self.kind.name(), "")?;
        }
        batch.commit()?;
        self.known.retain(|known| known.folder != self.folder);
        self.known.insert(0, anchor);
        Ok(())
    }
}

fn decoded(text: &str) -> Result<Reached, MirrorError> {
    serde_json::from_str(text).map_err(|_| unusable())
}

fn encoded(reached: &Reached) -> Result<String, MirrorError> {
    serde_json::to_string(reached).map_err(|_| unusable())
}

fn unusable() -> MirrorError {
    MirrorError::Unreadable { what: "a row of its table export_folders".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_name_however_it_is_written_and_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        let name = real.join("a/b").display().to_string();
        for other in ["a/b", "a/b/", "link/a/b", "link/link/a/./b"] {
            assert_eq!(name_of_path(&real.join(other)), name, "{other}");
        }
        std::fs::create_dir_all(real.join("a/b")).unwrap();
        for other in ["a/b", "link/a/b/", "a/../a/b"] {
            assert_eq!(name_of_path(&real.join(other)), name, "{other}");
        }
    }
}
