//! What killed exports leave in the folders: temporary files, and complete files that were never announced.

use super::manifest::{Lines, MANIFEST, Manifest, ManifestLine};
use super::name::{Covers, FileName, temporary_of};
use super::verify::Kind;
use super::{ExportError, file, plan};
use crate::record::Stream;
use std::collections::BTreeSet;
use std::path::Path;

/// What lies in the folders and is not known to stand in the manifest. Only names that this program gives are taken, and of
/// them only those of the manifest's kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leftovers {
    /// Temporary files, relative to the manifest's folder.
    pub(super) temporary: BTreeSet<String>,
    /// Complete files.
    pub(super) unannounced: BTreeSet<FileName>,
}

impl Leftovers {
    /// Looks through the folders below `root`. Files that are `known` to be announced are passed over: of the others each
    /// takes some memory.
    pub(super) fn find(
        root: &Path,
        kind: Kind,
        mut known: impl FnMut(&FileName) -> Result<bool, ExportError>,
    ) -> Result<Leftovers, ExportError> {
        let mut found = Leftovers::default();
        for stream in Stream::ALL {
            file::each_name(&root.join(stream.name()), |name| match place_of(&name, stream, kind) {
                Some(Place::File(name)) if known(&name)? => Ok(()),
                Some(Place::File(name)) => {
                    found.unannounced.insert(name);
                    Ok(())
                }
                Some(Place::Temporary) => {
                    found.temporary.insert(format!("{stream}/{name}"));
                    Ok(())
                }
                None => Ok(()),
            })?;
        }
        Ok(found)
    }

    /// Takes away what this line announces.
    pub(super) fn announced(&mut self, line: &ManifestLine) {
        if let Some(name) = FileName::of_path(&line.path) {
            self.unannounced.remove(&name);
        }
    }

    /// The paths of all, relative to the manifest's folder.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.temporary.iter().cloned().chain(self.unannounced.iter().map(FileName::path))
    }
}

enum Place {
    File(FileName),
    Temporary,
}

/// What a name in the folder of `stream` stands for; `None` where it is none of ours.
fn place_of(name: &str, stream: Stream, kind: Kind) -> Option<Place> {
    let ours = |name: &str| {
        let is_state = |name: &FileName| matches!(name.covers, Covers::State { .. });
        FileName::parse(name)
            .filter(|name| name.stream == stream && is_state(name) == (kind == Kind::Snapshots))
    };
    match ours(name) {
        Some(name) => Some(Place::File(name)),
        None => temporary_of(name).and_then(ours).map(|_| Place::Temporary),
    }
}

/// Removes what killed exports left below `root`: temporary files, and files that were never announced and whose range
/// would overlap the next one's. Returns their paths relative to `root`. `known`: files that surely stand in the
/// manifest.
pub(super) fn clean_up(
    root: &Path,
    manifest: &Manifest,
    kind: Kind,
    known: impl FnMut(&FileName) -> Result<bool, ExportError>,
) -> Result<Vec<String>, ExportError> {
    let mut found = Leftovers::find(root, kind, known)?;
    if !found.unannounced.is_empty() {
        let mut lines = Lines::open(root)?;
        while let Some(entry) = lines.next()? {
            found.announced(&entry.line);
        }
    }
    if manifest.count == 0
        && let Some(name) = plan::proof_of_lost_manifest(&found.unannounced)
    {
        return Err(ExportError::ManifestLost { manifest: root.join(MANIFEST), file: name.path() });
    }
    let mut removed = manifest.clean_up()?;
    for path in found.paths() {
        file::remove(&root.join(&path))?;
        removed.push(path);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::super::manifest::sample;
    use super::*;

    #[test]
    fn only_our_own_unannounced_files_are_leftovers() {
        let names = [
            "customers-000000000001-000000000005.csv",
            "customers-000000000006-000000000009.csv.gz",
            "customers-000000000006-000000000009.ndjson",
            "customers-000000000006-000000000009.csv.bak",
            "customers-000000000009.csv",
            "events-000000000001-000000000009.csv",
            ".customers-000000000006-000000000009.csv-a1b2c3d4.tmp",
            ".events-000000000006-000000000009.csv-a1b2c3d4.tmp",
            ".customers-notes-a1b2c3d4.tmp",
            "README",
        ];
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("customers");
        std::fs::create_dir(&folder).unwrap();
        names.iter().for_each(|name| std::fs::write(folder.join(name), "").unwrap());
        let paths = |found: &Leftovers| found.paths().collect::<Vec<_>>();
        let ours = [names[6], names[0], names[1], names[2]].map(|name| format!("customers/{name}"));

        let mut found = Leftovers::find(dir.path(), Kind::Changes, |_| Ok(false)).unwrap();
        assert_eq!(paths(&found), ours);
        found.announced(&ManifestLine { path: ours[1].replace("customers/", "events/"), ..line() });
        assert_eq!(paths(&found), ours);
        found.announced(&line());
        assert_eq!(paths(&found), [&ours[0], &ours[2], &ours[3]].map(String::clone));
        let first = FileName::parse(names[0]).unwrap();
        assert_eq!(Leftovers::find(dir.path(), Kind::Changes, |name| Ok(*name == first)).unwrap(), found);
        let found = Leftovers::find(dir.path(), Kind::Snapshots, |_| Ok(false)).unwrap();
        assert_eq!(paths(&found), [format!("customers/{}", names[4])]);
    }

    fn line() -> ManifestLine {
        sample("customers", "csv", 1, 5)
    }
}
