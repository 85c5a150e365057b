//! What is removed from a folder, and what stays.

use super::replay::assert_announced;
use super::world::{STAMP, World};
use crate::export::ExportError;
use crate::export::formats::Format;
use crate::export::manifest;
use crate::export::publish::export;
use crate::export::repair::repair;
use crate::export::retention::acknowledge;
use crate::export::verify::verify;
use crate::record::Stream;
use jiff::Timestamp;
use std::time::Duration;

#[test]
fn old_files_go_once_a_snapshot_stands_for_them() {
    let mut world = World::new();
    world.settings.formats = vec![Format::Csv];
    for n in 0..4 {
        world.customer(&format!("c{n}"), "1");
        world.export_at(n);
    }
    // However old: nobody has them otherwise.
    assert_eq!(world.export_at(100).pruned, Vec::<String>::new());
    // A snapshot of another format is none for this one, and neither is a damaged one.
    world.settings.formats = vec![Format::Ndjson];
    world.snapshot_at(100);
    world.settings.formats = vec![Format::Csv];
    assert_eq!(world.export_at(100).pruned, Vec::<String>::new());
    let snapshot = world.snapshot_at(100);
    // Pruning is part of every export; the newest file stays.
    let expected = [(1, 1), (2, 2), (3, 3)].map(|(a, b)| format!("customers/customers-{a:012}-{b:012}.csv"));
    assert_eq!(snapshot.pruned, expected);
    let verified = world.verified();
    assert_eq!((verified.ranges[0].first_seq, verified.ranges[0].last_seq), (4, 4));
    assert_eq!(verified.ranges[0].base.as_deref(), Some("snapshots/customers/customers-000000000004.csv"));
    assert_announced(&world.dir().join("snapshots"));
    assert_eq!((world.unknown_lines(), world.newest()), (0, world.announced()));
    // Runs go on, the chain and the ranges hold, and what is not old stays.
    world.customer("c0", "2");
    let exported = world.export_at(100);
    assert_eq!(exported.files[0].first_seq, 5);
    assert_eq!(exported.pruned, ["customers/customers-000000000004-000000000004.csv"]);
    // A snapshot that is damaged, or doesn't reach as far, stands for nothing.
    world.customer("c5", "2");
    world.export_at(105);
    assert_eq!(world.export_at(112).pruned, Vec::<String>::new());
    world.snapshot_at(102);
    let damaged = world.dir().join("snapshots/customers/customers-000000000006.csv");
    let good = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, good.to_ascii_uppercase()).unwrap();
    assert_eq!(world.export_at(112).pruned, Vec::<String>::new());
    std::fs::write(&damaged, good).unwrap();
    assert!(
        world.export_at(112).pruned.contains(&"customers/customers-000000000005-000000000005.csv".to_owned())
    );
    assert_eq!(world.ranges(), [(6, 6)]);
    world.customer("c6", "2");
    world.export_at(112);
    world.customer("c7", "2");
    world.export_at(112);
    // A manifest whose front was cut off otherwise is no such thing.
    let manifest = world.dir().join("manifest.ndjson");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.split_once('\n').unwrap().1).unwrap();
    assert!(!verify(&mut world.mirror, &world.settings).unwrap().ok);
    let error = export(&mut world.mirror, &world.settings, None, STAMP.now).unwrap_err();
    assert!(matches!(error, ExportError::FrontLost { .. }), "{error}");
}

#[test]
fn old_files_go_once_they_are_acknowledged() {
    let mut world = World::new();
    world.settings.formats = vec![Format::Csv, Format::Ndjson];
    for n in 0..3 {
        world.customer(&format!("c{n}"), "1");
        world.export_at(n);
    }
    for bad in [0, 4, -1] {
        assert!(matches!(
            acknowledge(&world.settings.dir, bad, None, None),
            Err(ExportError::NotExported { exported: 3, .. })
        ));
    }
    // Both formats are written by turns: where one may not go, nothing behind it may.
    acknowledge(&world.settings.dir, 2, Some(Stream::Customers), Some(Format::Ndjson)).unwrap();
    assert_eq!(world.export_at(100).pruned, Vec::<String>::new());
    acknowledge(&world.settings.dir, 1, Some(Stream::Customers), Some(Format::Csv)).unwrap();
    assert_eq!(world.export_at(100).pruned.len(), 2);
    let all = acknowledge(&world.settings.dir, 2, None, None).unwrap();
    assert_eq!((all.len(), all[0].through), (Stream::ALL.len() * Format::ALL.len(), 2));
    // It never falls.
    let through = acknowledge(&world.settings.dir, 1, None, Some(Format::Csv)).unwrap()[0].through;
    assert_eq!(through, 2);
    assert_eq!(world.export_at(100).pruned.len(), 2);
    assert_eq!(world.ranges(), [(3, 3), (3, 3)]);
    let remarks = world.verified().remarks;
    assert!(remarks.len() == 2 && remarks[0].contains("acknowledged"), "{remarks:?}");
    // A file that was lost is repaired as before.
    let lost = world.announced()[0].clone();
    std::fs::remove_file(world.dir().join(&lost)).unwrap();
    let repaired = repair(&mut world.mirror, &world.settings, Timestamp::from_second(101).unwrap()).unwrap();
    assert!(repaired.verified.ok && repaired.files[0].as_before);
    // A format that is not written any more goes as a whole, and when it comes back it goes on where it was.
    world.settings.formats = vec![Format::Csv];
    world.customer("c9", "1");
    world.export_at(120);
    acknowledge(&world.settings.dir, 4, None, None).unwrap();
    assert_eq!(world.export_at(200).pruned.len(), 2);
    assert_eq!(world.ranges(), [(4, 4)]);
    world.settings.formats = vec![Format::Csv, Format::Ndjson];
    world.customer("c9", "2");
    let files = world.export_at(200).files;
    let first: Vec<_> = files.iter().map(|file| (file.format.as_str(), file.first_seq)).collect();
    assert_eq!(first, [("csv", 5), ("ndjson", 4)]);
    world.verified();
}

#[test]
fn old_snapshots_go_once_there_is_a_newer_one() {
    let mut world = World::new();
    world.settings.formats = vec![Format::Csv];
    world.settings.max_age = Duration::from_secs(10);
    for (second, name) in [(0, "1"), (5, "2"), (30, "3")] {
        world.customer("c", name);
        let pruned = world.snapshot_at(second).pruned;
        // In the third, both streams' first and second ones are old; the ones of this moment stand for them.
        assert_eq!(pruned.len(), if second == 30 { 4 } else { 0 });
    }
    let left = manifest::all(&world.dir().join("snapshots")).unwrap();
    assert_eq!(left.iter().map(|line| line.last_seq).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(world.snapshot_at(60).pruned, Vec::<String>::new());
    assert_announced(&world.dir().join("snapshots"));
    world.export().unwrap();
    world.verified();
}

#[test]
fn nothing_but_our_own_leftovers_is_removed() {
    let mut world = World::new();
    world.customer("a", "1");
    world.export().unwrap();
    let others =
        ["customers/notes.txt", "customers/customers-1-2.csv", "events-000000000001-000000000009.csv"];
    for name in others {
        std::fs::write(world.dir().join(name), "mine").unwrap();
    }
    std::fs::write(world.dir().join("customers/customers-000000000002-000000000009.csv.gz"), "half").unwrap();
    let removed = world.export().unwrap().removed;
    assert_eq!(removed, ["customers/customers-000000000002-000000000009.csv.gz"]);
    for name in others {
        assert!(world.dir().join(name).exists(), "{name}");
    }
}

/// A compaction that was cut off leaves such files; what the manifest names stays.
#[test]
fn what_overlaps_the_exported_ranges_is_told_and_removed() {
    let mut world = World::new();
    world.settings.formats = vec![Format::Csv];
    for n in 0..3 {
        world.customer(&format!("c{n}"), "1");
        world.export().unwrap();
    }
    let within = "customers/customers-000000000001-000000000002.csv";
    let beyond = "events/events-000000000001-000000000003.csv";
    std::fs::create_dir_all(world.dir().join("events")).unwrap();
    [within, beyond].iter().for_each(|path| std::fs::write(world.dir().join(path), "half").unwrap());
    let remarks = world.verified().remarks;
    assert!(remarks.len() == 2 && remarks.iter().any(|remark| remark.starts_with(within)), "{remarks:?}");
    assert_eq!(world.export().unwrap().removed, [beyond, within]);
    world.assert_good();
}
