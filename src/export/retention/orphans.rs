//! Orphaned files: what killed exports leave in the folders, temporary files as well as complete ones that were never
//! announced.

use crate::export::error::ExportError;
use crate::export::layout::{Covers, FileName, Kind, MANIFEST};
use crate::export::manifest::{Lines, Manifest, ManifestLine};
use crate::export::storage::{self, temporary_of};
use crate::record::Stream;
use std::collections::BTreeSet;
use std::path::Path;

/// What lies in the folders and is not known to stand in the manifest. Only names that this program gives are taken, and of
/// them only those of the manifest's kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::export) struct Orphans {
    /// Temporary files, relative to the manifest's folder.
    pub(in crate::export) temporary: BTreeSet<String>,
    /// Complete files.
    pub(in crate::export) unannounced: BTreeSet<FileName>,
}

impl Orphans {
    /// Looks through the folders below `root`. Files that are `known` to be announced are passed over: of the others each
    /// takes some memory.
    pub(in crate::export) fn find(
        root: &Path,
        kind: Kind,
        mut known: impl FnMut(&FileName) -> Result<bool, ExportError>,
    ) -> Result<Orphans, ExportError> {
        let mut found = Orphans::default();
        for stream in Stream::ALL {
            storage::each_name(&root.join(stream.name()), |name| match place_of(&name, stream, kind) {
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
    pub(in crate::export) fn announced(&mut self, line: &ManifestLine) {
        if let Some(name) = FileName::of_path(&line.path) {
            self.unannounced.remove(&name);
        }
    }

    /// The paths of all, relative to the manifest's folder.
    pub(in crate::export) fn paths(&self) -> impl Iterator<Item = String> {
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
pub(in crate::export) fn remove_orphans(
    root: &Path,
    manifest: &Manifest,
    kind: Kind,
    known: impl FnMut(&FileName) -> Result<bool, ExportError>,
) -> Result<Vec<String>, ExportError> {
    let mut found = Orphans::find(root, kind, known)?;
    if !found.unannounced.is_empty() {
        let mut lines = Lines::open(root)?;
        while let Some(entry) = lines.next()? {
            found.announced(&entry.line);
        }
    }
    if manifest.count == 0
        && let Some(name) = proof_of_lost_manifest(&found.unannounced)
    {
        return Err(ExportError::ManifestLost { manifest: root.join(MANIFEST), file: name.path() });
    }
    let mut removed = manifest.clean_up()?;
    for path in found.paths() {
        storage::remove(&root.join(&path))?;
        removed.push(path);
    }
    Ok(removed)
}

/// Where the manifest has no line, a file that a killed first export can't have left: it proves that there was one.
/// A first export leaves files that start with change 1, and a first snapshot files of one state.
fn proof_of_lost_manifest(unannounced: &BTreeSet<FileName>) -> Option<&FileName> {
    let any = unannounced.first().map(|name| name.covers);
    unannounced.iter().find(|name| match name.covers {
        Covers::Changes { first_seq, .. } => first_seq != 1,
        Covers::State { .. } => Some(name.covers) != any,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::manifest::sample;

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
        let paths = |found: &Orphans| found.paths().collect::<Vec<_>>();
        let ours = [names[6], names[0], names[1], names[2]].map(|name| format!("customers/{name}"));

        let mut found = Orphans::find(dir.path(), Kind::Changes, |_| Ok(false)).unwrap();
        assert_eq!(paths(&found), ours);
        found.announced(&ManifestLine { path: ours[1].replace("customers/", "events/"), ..line() });
        assert_eq!(paths(&found), ours);
        found.announced(&line());
        assert_eq!(paths(&found), [&ours[0], &ours[2], &ours[3]].map(String::clone));
        let first = FileName::parse(names[0]).unwrap();
        assert_eq!(Orphans::find(dir.path(), Kind::Changes, |name| Ok(*name == first)).unwrap(), found);
        let found = Orphans::find(dir.path(), Kind::Snapshots, |_| Ok(false)).unwrap();
        assert_eq!(paths(&found), [format!("customers/{}", names[4])]);
    }

    fn line() -> ManifestLine {
        sample("customers", "csv", 1, 5)
    }

    #[test]
    fn a_lost_manifest_shows() {
        let parse =
            |names: &[&str]| names.iter().map(|name| FileName::parse(name).unwrap()).collect::<BTreeSet<_>>();
        for (names, lost) in [
            (parse(&[]), false),
            (
                parse(&["events-000000000001-000000000009.csv", "events-000000000001-000000000009.ndjson"]),
                false,
            ),
            (parse(&["events-000000000001-000000000009.csv", "events-000000000010-000000000012.csv"]), true),
            (parse(&["events-000000000009.csv", "events-000000000009.ndjson"]), false),
            (parse(&["events-000000000009.csv", "events-000000000010.csv"]), true),
        ] {
            assert_eq!(proof_of_lost_manifest(&names).is_some(), lost, "{names:?}");
        }
    }
}
