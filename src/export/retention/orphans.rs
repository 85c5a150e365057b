//! Orphaned files: what killed exports leave in the folders, temporary files as well as complete ones that were never
//! announced.

use crate::export::destination::{Destination, temporary_of};
use crate::export::error::ExportError;
use crate::export::layout::{Covers, FileName, Kind};
use crate::export::manifest::{Lines, Manifest, Reached};
use crate::record::Stream;
use std::collections::BTreeSet;

/// What lies in the folders and stands in no manifest. Only names that this program gives are taken, and of them only those of
/// the manifest's kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::export) struct Orphans {
    /// Temporary files, relative to the manifest's folder.
    pub(in crate::export) temporary: BTreeSet<String>,
    /// Complete files.
    pub(in crate::export) unannounced: BTreeSet<FileName>,
}

impl Orphans {
    /// Looks through the streams' folders.
    pub(in crate::export) fn find(
        destination: &dyn Destination,
        kind: Kind,
        mut is_announced: impl FnMut(&FileName) -> bool,
    ) -> Result<Orphans, ExportError> {
        let mut found = Orphans::default();
        for stream in Stream::ALL {
            let listed =
                destination.each_name(stream.name(), &mut |name| match place_of(&name, stream, kind) {
                    Some(Place::File(name)) if !is_announced(&name) => drop(found.unannounced.insert(name)),
                    Some(Place::Temporary) => drop(found.temporary.insert(format!("{stream}/{name}"))),
                    _ => {}
                });
            listed.map_err(ExportError::io("listed", &destination.place(stream.name())))?;
        }
        Ok(found)
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

/// Removes what killed exports left beside the manifest: temporary files, and files that were never announced and whose
/// range would overlap the next one's. Returns their paths relative to the manifest's folder.
///
/// # Errors
/// When a file lies there that proves that the manifest has lost lines, or a folder can't be read or written.
pub(in crate::export) fn remove_orphans(
    manifest: &Manifest,
    is_announced: impl FnMut(&FileName) -> bool,
) -> Result<Vec<String>, ExportError> {
    let destination = &*manifest.destination;
    let found = Orphans::find(destination, manifest.kind, is_announced)?;
    let is_lost = |name: &&FileName| manifest.lost.iter().any(|file| file.path == name.path());
    let lost = found.unannounced.iter().find(is_lost);
    if let Some(name) = lost.or_else(|| proof_of_lost_lines(&found.unannounced, &manifest.reached)) {
        return Err(ExportError::ManifestLost { manifest: manifest.path(), file: name.path() });
    }
    let mut removed = manifest.clean_up()?;
    for path in found.paths() {
        destination.remove(&path).map_err(ExportError::io("removed", &destination.place(&path)))?;
        removed.push(path);
    }
    Ok(removed)
}

/// As [`remove_orphans`], by the lines of the whole manifest.
pub(in crate::export) fn remove_unnamed(manifest: &Manifest) -> Result<Vec<String>, ExportError> {
    let (mut lines, mut named) = (Lines::open(&*manifest.destination)?, BTreeSet::new());
    while let Some(entry) = lines.next()? {
        named.extend(FileName::of_path(&entry.line.path));
    }
    remove_orphans(manifest, |name| named.contains(name))
}

/// A file that a killed export can't have left: it proves that the manifest had more lines. A killed export leaves files that
/// start with the next change; a killed first snapshot files of one state.
fn proof_of_lost_lines<'n>(unannounced: &'n BTreeSet<FileName>, reached: &Reached) -> Option<&'n FileName> {
    let any = unannounced.first().map(|name| name.covers);
    unannounced.iter().find(|name| match name.covers {
        Covers::Changes { first_seq, .. } => first_seq > reached.position(name.stream, name.format) + 1,
        Covers::State { .. } => reached.end.is_none() && Some(name.covers) != any,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::destination;

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

        let find = |kind, announced: &[&str]| {
            let is_announced = |name: &FileName| announced.contains(&name.to_string().as_str());
            Orphans::find(&*destination::of(&dir.path().into(), Kind::Changes), kind, is_announced).unwrap()
        };
        assert_eq!(paths(&find(Kind::Changes, &[])), ours);
        assert_eq!(
            paths(&find(Kind::Changes, &names[..1])),
            [&ours[0], &ours[2], &ours[3]].map(String::clone)
        );
        assert_eq!(paths(&find(Kind::Snapshots, &[])), [format!("customers/{}", names[4])]);
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
            assert_eq!(proof_of_lost_lines(&names, &Reached::default()).is_some(), lost, "{names:?}");
        }
    }
}
