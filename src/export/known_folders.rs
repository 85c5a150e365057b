//! Which folders the mirror has exported to, and that it knows their files.

use super::error::ExportError;
use super::layout::Kind;
use super::location::Location;
use super::manifest::folder_name;
use super::provenance::open_own;
use super::settings::{Settings, seen_through};
use crate::masking::Profile;
use crate::mirror::Mirror;
use std::collections::BTreeMap;
use std::path::Path;

/// The export folders that may hold something, with their profiles: every one that the mirror has exported to, as it
/// remembers them, and these. A folder of this machine that was configured and isn't there is none.
///
/// # Errors
/// When the mirror can't be read.
pub fn known_folders<'c>(
    mirror: &mut Mirror,
    configured: &'c [Settings],
) -> Result<BTreeMap<String, Option<&'c Profile>>, ExportError> {
    let snapshot = mirror.snapshot()?;
    let mut folders = BTreeMap::new();
    for kind in [Kind::Changes, Kind::Snapshots] {
        let known = snapshot.export_folders(kind.name())?;
        let known = known.into_iter().map(|one| (one.folder, None));
        folders.extend(known.filter(|(folder, _)| !folder.is_empty()));
    }
    let is_there = |one: &&Settings| one.dir.folder().is_none_or(Path::exists);
    folders
        .extend(configured.iter().filter(is_there).map(|one| (folder_name(&one.dir), one.profile.as_ref())));
    Ok(folders)
}

/// Has the mirror remember all that the manifests of the folder `dir` announce, so that a file is known to be its own also
/// where the log says something else of it from now on.
///
/// # Errors
/// As [`super::export()`].
pub fn note(mirror: &mut Mirror, dir: &Location, profile: Option<&Profile>) -> Result<(), ExportError> {
    seen_through(mirror, profile, |mirror| {
        for kind in [Kind::Changes, Kind::Snapshots] {
            let own = mirror.id().to_owned();
            let mut manifest = open_own(&mirror.snapshot()?, dir, kind, &own)?;
            if manifest.reached.end.is_some() {
                manifest.note(mirror)?;
            }
        }
        Ok(())
    })
}
