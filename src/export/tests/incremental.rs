//! Which ranges and snapshots are written.

use super::replay::files;
use super::world::{Put, World};
use crate::export::formats::{Compression, Format};
use crate::export::publish::Exported;

#[test]
fn ranges_tile_though_both_streams_share_the_numbers() {
    let mut world = World::new();
    world.settings.formats = vec![Format::Csv];
    assert_eq!(world.export().unwrap().files, []);
    // From the first export on there is a manifest, also where nothing was to be written.
    assert_eq!(files(world.dir()), ["manifest.ndjson"]);
    assert_eq!(std::fs::read(world.dir().join("manifest.ndjson")).unwrap(), b"");
    assert!(world.verified().ok);
    world.customer("a", "1");
    world.export().unwrap();
    world.put(&Put::Event("e".to_owned(), "a".to_owned(), None));
    world.export().unwrap();
    world.customer("a", "2");
    let exported = world.export().unwrap();
    assert_eq!((exported.head_seq, exported.files[0].run_id), (3, Some(7)));
    assert_eq!(
        world.announced(),
        [
            "customers/customers-000000000001-000000000001.csv",
            "events/events-000000000001-000000000002.csv",
            "customers/customers-000000000002-000000000003.csv",
        ]
    );
    world.assert_good();
    let before = std::fs::read(world.dir().join("manifest.ndjson")).unwrap();
    assert_eq!(
        world.export().unwrap(),
        Exported {
            head_seq: 3,
            files: vec![],
            again: None,
            existing: vec![],
            removed: vec![],
            pruned: vec![],
            tables: vec![],
            not_pruned: None,
            compacted: Vec::new(),
            not_compacted: None
        }
    );
    assert_eq!(std::fs::read(world.dir().join("manifest.ndjson")).unwrap(), before);
    // A format that comes later starts from the first change.
    world.settings.formats = vec![Format::Csv, Format::Ndjson];
    let files = world.export().unwrap().files;
    let ranges: Vec<_> = files.iter().map(|f| (f.format.as_str(), f.first_seq, f.last_seq, f.rows)).collect();
    assert_eq!(ranges, [("ndjson", 1, 3, 1), ("ndjson", 1, 3, 1)]);
    world.assert_good();
}

#[test]
fn a_snapshot_is_written_once_for_each_state_and_form() {
    let mut world = World::new();
    let files_of =
        |exported: &Exported| exported.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    world.settings.formats = vec![Format::Csv];
    let empty = world.snapshot().unwrap();
    assert_eq!(files_of(&empty), ["customers/customers-000000000000.csv", "events/events-000000000000.csv"]);
    assert!(empty.files.iter().all(|file| file.snapshot && file.rows == 0 && file.bytes > 0));
    world.customer("a", "1");
    world.customer("a", "2");
    let first = world.snapshot().unwrap();
    assert_eq!(files_of(&first), ["customers/customers-000000000002.csv", "events/events-000000000002.csv"]);
    assert_eq!((first.files[0].first_seq, first.files[0].last_seq, first.files[0].rows), (1, 2, 1));
    let again = world.snapshot().unwrap();
    assert_eq!((again.files, again.existing), (vec![], first.files));
    world.settings.compression = Compression::Zstd;
    assert_eq!(world.snapshot().unwrap().files.len(), 2);
    std::fs::remove_file(world.dir().join("snapshots/customers/customers-000000000002.csv.zst")).unwrap();
    std::fs::write(world.dir().join("snapshots/events/events-000000000001.csv"), "half").unwrap();
    let repaired = world.snapshot().unwrap();
    assert_eq!(files_of(&repaired), ["customers/customers-000000000002.csv.zst"]);
    assert_eq!(
        (repaired.existing.len(), repaired.removed.as_slice()),
        (1, ["events/events-000000000001.csv".to_owned()].as_slice())
    );
    // Positions don't move.
    assert_eq!(world.export().unwrap().files[0].first_seq, 1);
}
