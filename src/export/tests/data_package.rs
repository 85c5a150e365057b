//! The data package beside the manifest.

use super::world::World;
use crate::dictionary::printers::data_package;
use crate::export::formats::Format;
use crate::record::Stream;
use serde_json::Value;
use std::path::PathBuf;

fn path(world: &World) -> PathBuf {
    world.dir().join("datapackage.json")
}

#[test]
fn it_is_there_once_something_was_exported_and_is_written_again_only_where_it_differs() {
    let mut world = World::new();
    world.export().unwrap();
    assert!(!path(&world).exists(), "there was nothing to export");
    world.customer("a", "1");
    world.export().unwrap();
    let first = std::fs::metadata(path(&world)).unwrap().modified().unwrap();
    assert_eq!(std::fs::read_to_string(path(&world)).unwrap(), data_package());
    world.customer("a", "2");
    world.export().unwrap();
    assert_eq!(std::fs::metadata(path(&world)).unwrap().modified().unwrap(), first);
    for damaged in [Some("{"), None] {
        match damaged {
            Some(text) => std::fs::write(path(&world), text).unwrap(),
            None => std::fs::remove_file(path(&world)).unwrap(),
        }
        world.verified();
        world.customer("a", "3");
        world.customer("a", damaged.unwrap_or("4"));
        world.export().unwrap();
        assert_eq!(std::fs::read_to_string(path(&world)).unwrap(), data_package());
    }
    world.snapshot().unwrap();
    let of_snapshots = world.dir().join("snapshots/datapackage.json");
    assert_eq!(std::fs::read_to_string(of_snapshots).unwrap(), data_package());
    world.verified();
}

#[test]
fn one_that_a_killed_export_left_is_removed() {
    let mut world = World::new();
    world.customer("a", "1");
    world.export().unwrap();
    let left = world.dir().join(".datapackage.json-a1b2c3d4.tmp");
    std::fs::write(&left, "{").unwrap();
    let exported = world.export().unwrap();
    assert_eq!(exported.removed, [".datapackage.json-a1b2c3d4.tmp"]);
    assert!(!left.exists());
}

#[test]
fn it_describes_the_columns_that_files_have() {
    let package: Value = serde_json::from_str(&data_package()).unwrap();
    for (n, stream) in Stream::ALL.into_iter().enumerate() {
        let fields = package["streams"][n]["schema"]["fields"].as_array().unwrap();
        let names: Vec<&str> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(names, Format::Csv.columns(stream), "{stream}");
    }
}
