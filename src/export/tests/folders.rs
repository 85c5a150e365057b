//! Several folders, lost folders, folders of others.

use super::replay::files;
use super::world::{STAMP, World};
use crate::export::ExportError;
use crate::export::formats::{Compression, Format};
use crate::export::publish::{Again, AsOf, export, export_snapshot};
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
    let first = world.dir().to_owned();
    let (newest, verified) = (world.newest(), world.verified());
    world.settings.dir = world.folder.path().join("elsewhere").into();
    assert_eq!(world.export().unwrap().files.len(), Format::ALL.len());
    acknowledge(&world.settings.dir, 2, None, None).unwrap();
    assert_eq!((world.verified().ranges[0].last_seq, world.newest().len()), (2, Format::ALL.len()));
    // A folder that was never exported to is no good one, and says where the exports are.
    world.settings.dir = world.folder.path().join("mistyped").into();
    let nothing = verify(&mut world.mirror, &world.settings).unwrap();
    assert!(!nothing.ok && nothing.differences[0].what.contains("elsewhere"), "{nothing:?}");

    world.settings.dir = first.into();
    assert_eq!((world.newest(), world.verified()), (newest, verified));
    let exported = world.export().unwrap();
    assert_eq!((exported.files.len(), exported.files[0].first_seq), (Format::ALL.len(), 2));
    world.assert_good();
    // What was acknowledged there was not acknowledged here.
    assert_eq!(world.export_at(100).pruned, Vec::<String>::new());
}

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
    // The same, where that copy was exported to under its own name: what is lost counts by this folder's name.
    let world_dir = std::mem::replace(&mut world.settings.dir, old.clone().into());
    assert_eq!(world.export().unwrap().again, None);
    world.settings.dir = world_dir;
    world.customer("e", "1");
    world.export().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    copied(&old, &dir);
    assert!(!verify(&mut world.mirror, &world.settings).unwrap().ok);
    assert_eq!(world.export().unwrap().again, Some(Again { first_seq: 5, last_seq: 5 }));
    world.assert_good();
    // The folder that was moved goes on under its new name, as if nothing had been.
    world.settings.dir = dir.with_extension("new").into();
    let exported = world.export().unwrap();
    assert_eq!((exported.again, exported.files[0].first_seq), (None, 4));
    world.assert_good();
}

/// A mirror that an older version exported from doesn't know to which folder: until the next export there, what it remembers
/// stands for any folder, then for the one in whose manifest it was met again.
#[test]
fn what_an_older_version_noted_is_taken_over_by_its_folder() {
    let mut world = World::new();
    world.customer("a", "1");
    world.export().unwrap();
    let connection = rusqlite::Connection::open(world.mirror.path()).unwrap();
    let older = "UPDATE export_folders SET folder = '', reached = json_set(reached, '$.end', NULL)";
    assert_eq!(connection.execute(older, []).unwrap(), 1);
    assert_eq!((world.newest().len(), world.verified().remarks.len()), (Format::ALL.len(), 1));
    let first = world.dir().to_owned();
    world.settings.dir = world.folder.path().join("elsewhere").into();
    world.settings.compression = Compression::Gzip;
    assert_eq!(world.export().unwrap().again, None);
    world.settings.dir = first.into();
    world.settings.compression = Compression::None;
    assert_eq!((world.newest().len(), world.verified().remarks.len()), (Format::ALL.len(), 1));
    world.customer("b", "1");
    let exported = world.export().unwrap();
    assert_eq!((exported.again, exported.files[0].first_seq), (None, 2));
    assert_eq!((world.newest().len(), world.verified().remarks.len()), (Format::ALL.len(), 0));
    let left = "SELECT count(*) FROM export_folders WHERE folder = ''";
    assert_eq!(connection.query_row(left, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    // The folder is known, but how far its manifest reached is not: what was lost shows all the same.
    connection.execute("UPDATE export_folders SET reached = json_set(reached, '$.end', NULL)", []).unwrap();
    let manifest = world.dir().join("manifest.ndjson");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.split_inclusive('\n').next().unwrap()).unwrap();
    assert!(!verify(&mut world.mirror, &world.settings).unwrap().ok);
    assert!(matches!(world.export(), Err(ExportError::ManifestLost { .. })));
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
        export_snapshot(&mut other, &world.settings, AsOf::Now, None, STAMP.now),
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

    // An edited one, and a lost one whose files lie there.
    std::fs::write(&manifest, text.replace("\"run_id\":7", "\"run_id\":8")).unwrap();
    assert!(matches!(world.export(), Err(ExportError::ManifestLine { .. })));
    let edited = text.rsplit_once("\"run_id\":7").unwrap();
    std::fs::write(&manifest, format!("{}\"run_id\":8{}", edited.0, edited.1)).unwrap();
    assert!(matches!(world.export(), Err(ExportError::ManifestEdited { .. })));
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
