//! Files that are joined: a replay gives the same, from the front and from the middle.

use super::replay::{ReadRow, Rows, mirrored, read_file};
use super::world::{Put, STAMP, World, puts, readable_rows};
use crate::export::compaction::{Compacted, compact};
use crate::export::formats::Format;
use crate::export::joining::Joining;
use crate::export::manifest::{self, ManifestLine};
use crate::export::repair::repair;
use crate::export::retention::acknowledge;
use crate::record::Stream;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

impl World {
    fn compact(&mut self, joining: Joining) -> Compacted {
        compact(&mut self.mirror, &self.settings, joining, false, STAMP.now).unwrap()
    }

    fn lines_of(&self, stream: Stream, format: Format) -> Vec<ManifestLine> {
        let is_it = |line: &ManifestLine| line.key() == Some((stream, format));
        manifest::all(self.dir()).unwrap().into_iter().filter(is_it).collect()
    }

    /// What a consumer holds that had come to change `from` with `rows`, and takes what is behind that.
    fn went_on(&self, stream: Stream, format: Format, from: i64, mut rows: Rows) -> Rows {
        for line in self.lines_of(stream, format).iter().filter(|line| line.last_seq > from) {
            for ReadRow { op, id, fields, .. } in
                read_file(self.dir(), line).into_iter().filter(|row| row.seq > from)
            {
                match op.as_str() {
                    "delete" => drop(rows.remove(&id)),
                    _ => drop(rows.insert(id, fields)),
                }
            }
        }
        rows
    }
}

/// Up to which change a consumer has come, and what it holds of each stream and format.
type Consumer = (i64, BTreeMap<(Stream, Format), Rows>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens between exports, with or without what the mirror remembers of old versions: once files are joined, a
    /// replay gives the mirror, consumers in the middle go on, and every file is what the manifest says.
    #[test]
    fn a_replay_gives_the_same(changes in prop::collection::vec(puts(), 1..50), forgets in any::<bool>()) {
        let mut world = World::new();
        let mut consumers: Vec<Consumer> = Vec::new();
        world.customer("first", "1");
        world.customer("first", "2");
        for change in &changes {
            let Put::Export(..) = change else {
                world.put(change);
                continue;
            };
            let head = world.export().unwrap().head_seq;
            let keys = Stream::ALL.into_iter().flat_map(|stream| Format::ALL.iter().map(move |format| (stream, *format)));
            let held = keys.map(|(stream, format)| ((stream, format), world.went_on(stream, format, 0, Rows::new())));
            consumers.push((head, held.collect()));
        }
        world.export().unwrap();
        if forgets {
            world.forget_history();
        }
        let before: usize = manifest::all(world.dir()).unwrap().len();
        let done = world.compact(Joining::All);
        prop_assert_eq!(&done.damaged, &Vec::<String>::new());
        let joined: u64 = done.files.iter().map(|file| file.files).sum();
        let lines = manifest::all(world.dir()).unwrap();
        prop_assert_eq!(lines.len(), before - joined as usize + done.files.len());
        prop_assert_eq!(lines.iter().map(|line| line.joined).sum::<u64>(), joined);
        world.assert_good();
        prop_assert_eq!(world.compact(Joining::All), Compacted::default());
        for stream in Stream::ALL {
            for format in Format::ALL.iter().copied() {
                let now = readable_rows(mirrored(&mut world.mirror, stream, format == Format::Ndjson), stream);
                for (from, held) in &consumers {
                    let held = held.get(&(stream, format)).cloned().unwrap_or_default();
                    let gone_on = world.went_on(stream, format, *from, held);
                    prop_assert!(readable_rows(gone_on, stream) == now, "{} {:?} from {}", stream, format, from);
                }
            }
        }
        // The export goes on behind them.
        world.customer("first", "3");
        world.export().unwrap();
        world.assert_good();
        world.verified();
    }
}

#[test]
fn many_exports_become_a_file_for_each_stream_and_format() {
    let mut world = World::new();
    world.settings.formats = vec![Format::Csv, Format::Ndjson];
    for n in 0..60 {
        world.customer(&format!("c{}", n % 40), &n.to_string());
        world.put(&Put::Event(format!("e{n}"), "c1".to_owned(), None));
        world.export().unwrap();
    }
    assert_eq!(manifest::all(world.dir()).unwrap().len(), 240);
    assert_eq!(
        compact(&mut world.mirror, &world.settings, Joining::All, true, STAMP.now).unwrap().files.len(),
        4
    );
    assert_eq!(manifest::all(world.dir()).unwrap().len(), 240);
    let done = world.compact(Joining::All);
    assert_eq!(done.files.iter().map(|file| file.files).collect::<Vec<_>>(), [60; 4]);
    world.assert_good();
    let verified = world.verified();
    assert_eq!((verified.ranges.len(), verified.remarks), (4, vec![]));
}

#[test]
fn a_joined_file_is_repaired_pruned_and_acknowledged_like_others() {
    let mut world = World::new();
    for n in 1..=6 {
        world.customer("a", &n.to_string());
        world.customer(&format!("b{n}"), "1");
        let exported = world.export().unwrap();
        if n == 3 {
            acknowledge(&world.settings.dir, exported.head_seq, None, None).unwrap();
        }
    }
    // A damaged file is left alone, and told.
    let lines = world.lines_of(Stream::Customers, Format::Csv);
    let (damaged, whole) = (world.dir().join(&lines[4].path), lines[4].clone());
    let bytes = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, "x").unwrap();
    let done = world.compact(Joining::All);
    assert_eq!(done.damaged, vec![whole.path.clone()]);
    let ranges = |world: &World| {
        let lines = world.lines_of(Stream::Customers, Format::Csv);
        lines.iter().map(|line| (line.first_seq, line.last_seq)).collect::<Vec<_>>()
    };
    // Nothing is joined across what was acknowledged.
    assert_eq!(ranges(&world), [(1, 6), (7, 8), (9, 10), (11, 12)]);
    std::fs::write(&damaged, bytes).unwrap();
    world.verified();
    assert_eq!(world.compact(Joining::OlderThan(Duration::from_secs(1))), Compacted::default());
    world.compact(Joining::All);
    assert_eq!(ranges(&world), [(1, 6), (7, 12)]);
    for line in manifest::all(world.dir()).unwrap() {
        let path = world.dir().join(&line.path);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let repaired = repair(&mut world.mirror, &world.settings, STAMP.now).unwrap();
        assert!(repaired.verified.ok && repaired.files[0].as_before, "{repaired:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{}", line.path);
    }
    let pruned = world.export_at(100).pruned;
    assert!(pruned.contains(&"customers/customers-000000000001-000000000006.csv".to_owned()), "{pruned:?}");
    assert_eq!(ranges(&world), [(7, 12)]);
    world.verified();
}
