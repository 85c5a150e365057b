//! Several folders, lost folders, folders of others.

use super::replay::files;
use super::world::{STAMP, World};
use crate::export::ExportError;
use crate::export::formats::Compression;
use crate::export::publish::{Again, export, export_snapshot};
use crate::export::retention::acknowledge;
use crate::export::verify::verify;
use crate::mirror::Mirror;
use std::path::Path;

/// A folder that was exported to once changes nothing of what is known of the first one, not even for a while.
#[test]
fn positions_belong_to_a_folder() {
    let mut world = World::new();
    world.customer("a", "1");
    world.export().unwrap();
    world.customer("b", "1");
    let first = world.settings.dir.clone();
    let (copied, verified) = (world.copied(), world.verified());
    world.settings.dir = world.folder.path().join("elsewhere");
    assert_eq!(world.export().unwrap().files.len(), 2);
    acknowledge(&world.settings.dir, 2, None, None).unwrap();
    assert_eq!((world.verified().ranges[0].last_seq, world.copied().len()), (2, 2));
    // A folder that was never exported to is no good one, and says where the exports are.
    world.settings.dir = world.folder.path().join("mistyped");
    let nothing = verify(&mut world.mirror, &world.settings.dir).unwrap();
    assert!(!nothing.ok && nothing.differences[0].what.contains("elsewhere"), "{nothing:?}");

    world.settings.dir = first;
    assert_eq!((world.copied(), world.verified()), (copied, verified));
    let exported = world.export().unwrap();
    assert_eq!((exported.files.len(), exported.files[0].first_seq), (2, 2));
    world.assert_good();
    // What was acknowledged there was not acknowledged here.
    assert_eq!(world.export_at(100).pruned, Vec::<String>::new());
}

/// A mirror that an older version exported from doesn't know to which folder: until the next export there, the list stands for
/// any folder, then for the one in whose manifest it was met again.
#[test]
fn a_folder_that_lost_its_files_gets_them_again_and_that_is_told() {
    let mut world = World::new();
    world.customer("a", "1");
    assert_eq!(world.export().unwrap().again, None);
    let dir = world.dir().to_owned();
    let old = dir.with_extension("old");
    let copied = |from: &Path, to: &Path| {
        let done = std::process::Command::new("cp").arg("-r").args([from, to]).status();
        assert!(done.unwrap().success());
    };
    copied(&dir, &old);
    world.customer("b", "1");
    world.customer("c", "1");
    assert_eq!(world.export().unwrap().again, None);
    // Moved away, with something new since.
    std::fs::rename(&dir, dir.with_extension("new")).unwrap();
    world.customer("d", "1");
    assert_eq!(world.export().unwrap().again, Some(Again { first_seq: 1, last_seq: 3 }));
    world.assert_good();
    // An older copy was put back, with nothing new since.
    std::fs::remove_dir_all(&dir).unwrap();
    copied(&old, &dir);
    assert_eq!(world.export().unwrap().again, Some(Again { first_seq: 2, last_seq: 4 }));
    world.assert_good();
    // The folder that was moved goes on under its new name, as if nothing had been.
    world.settings.dir = dir.with_extension("new");
    let exported = world.export().unwrap();
    assert_eq!((exported.again, exported.files[0].first_seq), (None, 4));
    world.assert_good();
}

#[test]
fn a_list_of_an_older_version_is_taken_over_by_its_folder() {
    let mut world = World::new();
    world.customer("a", "1");
    world.export().unwrap();
    let connection = rusqlite::Connection::open(world.mirror.path()).unwrap();
    assert_eq!(connection.execute("UPDATE export_files SET folder = ''", []).unwrap(), 2);
    assert_eq!((world.copied().len(), world.verified().remarks.len()), (2, 0));
    let first = world.settings.dir.clone();
    world.settings.dir = world.folder.path().join("elsewhere");
    world.settings.compression = Compression::Gzip;
    world.export().unwrap();
    world.settings.dir = first;
    world.settings.compression = Compression::None;
    assert_eq!((world.copied().len(), world.verified().remarks.len()), (2, 0));
    world.customer("b", "1");
    world.export().unwrap();
    assert_eq!((world.copied().len(), world.verified().remarks.len()), (4, 0));
    let left: i64 = connection
        .query_row("SELECT count(*) FROM export_files WHERE folder = ''", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn folders_that_are_not_this_mirrors_are_refused_and_left_alone() {
    let mut world = World::new();
    world.customer("a", "1");
    world.customer("a", "2");
    world.export().unwrap();
    let before = files(world.dir());

    let other = world.folder.path().join("other.db");
    let mut other = Mirror::open(&other).unwrap();
    for result in [
        export(&mut other, &world.settings, None, STAMP.now),
        export_snapshot(&mut other, &world.settings, None, STAMP.now),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, ExportError::OtherMirror { .. }), "{error}");
        assert!(error.to_string().contains("set export.dir to another folder"), "{error}");
    }
    // The same mirror as it was before its second change.
    let manifest = world.dir().join("manifest.ndjson");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"last_seq\":2", "\"last_seq\":9")).unwrap();
    assert!(matches!(world.export(), Err(ExportError::AheadOfMirror { last_seq: 9, head_seq: 2, .. })));
    assert_eq!(files(world.dir()), before);

    // A lost manifest: the files of a second export prove that there was one.
    std::fs::write(&manifest, text).unwrap();
    world.customer("a", "3");
    world.export().unwrap();
    std::fs::write(&manifest, "").unwrap();
    assert!(matches!(world.export(), Err(ExportError::ManifestLost { .. })));
    std::fs::remove_file(&manifest).unwrap();
    let before = files(world.dir());
    assert!(matches!(world.export(), Err(ExportError::ManifestLost { .. })));
    assert_eq!(files(world.dir()), before);
}
