//! Exports of a real mirror into a real folder: what consumers rely on, and what a power cut leaves.

use super::manifest::{self, Manifest};
use super::prune::Gone;
use super::replay::{Fields, Rows, assert_announced, files, mirrored, read_file, replayed};
use super::verify::Kind;
use super::*;
use crate::diff::{EventPlan, Trust};
use crate::mirror::{Mirror, RowSet, RunId, Stamp};
use crate::record::{ColumnKind, Customer, Event, Stream};
use jiff::Timestamp;
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct World {
    folder: TempDir,
    mirror: Mirror,
    settings: Settings,
}

const STAMP: Stamp = Stamp { run: RunId(7), now: Timestamp::UNIX_EPOCH };

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let dir = folder.path().join("out/exports");
        let settings = Settings {
            dir,
            formats: Format::ALL.to_vec(),
            compression: Compression::None,
            exact: false,
            csv_bom: false,
            csv_formula_guard: false,
            max_age: Duration::ZERO,
        };
        World { folder, mirror, settings }
    }

    fn put(&mut self, change: &Put) {
        let mut batch = self.mirror.batch().unwrap();
        match change {
            Put::Customer(id, text) => {
                let customer = Customer {
                    id: id.clone(),
                    email: text.clone(),
                    first_name: text.as_ref().map(|text| format!(" {text}")),
                    last_name: Some(String::new()),
                    phone_number: None,
                    created_at: None,
                    updated_at: text.clone(),
                    extra: text
                        .as_ref()
                        .map(|text| format!("{{\"x\":\r\n12.30,\"t\":{}}}", serde_json::json!(text))),
                };
                let plan = EventPlan::Everybody { walk_started_at: STAMP.now };
                batch
                    .apply_customers(STAMP, &[customer], Trust::Alone, plan, &mut RowSet::default())
                    .unwrap();
            }
            Put::Event(id, customer_id, text) => {
                let event = Event {
                    id: id.clone(),
                    customer_id: customer_id.clone(),
                    kind: text.clone(),
                    label: Some("\"".to_owned()),
                    link_back_url: None,
                    timestamp: text.as_ref().map(|text| text.len() as i64 - 3),
                    properties: text.as_ref().map(|text| {
                        format!("[{},{{\"n\":1e{}}},\"\\ud83d\"]", serde_json::json!(text), text.len() * 100)
                    }),
                    created_at: None,
                    updated_at: None,
                    extra: Some("{\"n\":12345678901234567890}".to_owned()),
                };
                batch.apply_events(STAMP, customer_id, &[event], Trust::Alone).unwrap();
            }
            Put::NoCustomer(id) => {
                batch.delete_customer(STAMP, id, "test").unwrap();
            }
            Put::NoEvent(id) => {
                if let Some(event) = batch.audited_event(id).unwrap() {
                    let ids = std::slice::from_ref(id);
                    batch.delete_events(STAMP, &event.customer_id, ids, "test").unwrap();
                }
            }
            Put::Export(..) => {}
        }
        batch.commit().unwrap();
    }

    fn customer(&mut self, id: &str, text: &str) {
        self.put(&Put::Customer(id.to_owned(), Some(text.to_owned())));
    }

    fn export(&mut self) -> Result<Exported, ExportError> {
        export(&mut self.mirror, &self.settings, Some(RunId(7)), STAMP.now)
    }

    fn snapshot(&mut self) -> Result<Exported, ExportError> {
        export_snapshot(&mut self.mirror, &self.settings, None, STAMP.now)
    }

    fn dir(&self) -> &Path {
        &self.settings.dir
    }

    fn copied(&mut self) -> Vec<String> {
        let snapshot = self.mirror.snapshot().unwrap();
        let copy = copy::of(&snapshot, &self.settings.dir).unwrap();
        copy.all().unwrap().into_iter().map(|file| file.path).collect()
    }

    fn announced(&self) -> Vec<String> {
        manifest::all(self.dir()).unwrap().into_iter().map(|line| line.path).collect()
    }

    /// What must hold after every export.
    fn assert_good(&mut self) {
        let dir = self.settings.dir.clone();
        assert_announced(&dir);
        for stream in Stream::ALL {
            for format in self.settings.formats.clone() {
                // Some of the files may be exact, others not: made readable, all say what the mirror does.
                let expected =
                    readable_rows(mirrored(&mut self.mirror, stream, format == Format::Ndjson), stream);
                assert!(
                    readable_rows(replayed(&dir, stream, format), stream) == expected,
                    "{stream} {format:?}"
                );
            }
        }
        let (mut copied, mut announced) = (self.copied(), self.announced());
        copied.sort();
        announced.sort();
        assert_eq!(copied, announced);
    }
}

#[derive(Debug, Clone)]
enum Put {
    Customer(String, Option<String>),
    Event(String, String, Option<String>),
    NoCustomer(String),
    NoEvent(String),
    Export(Vec<Format>, Compression, [bool; 3]),
}

fn puts() -> impl Strategy<Value = Put> {
    let id = || prop::sample::select(vec!["a", "b", "c,\"\r\n", " d", "=1+1"]).prop_map(str::to_owned);
    let text = || prop::option::of("|[a,\"\r\n\t\0 é😀=]{0,5}|[0-9]{17,24}|.{0,20}");
    let formats = prop::sample::subsequence(Format::ALL.to_vec(), 0..=2);
    prop_oneof![
        4 => (id(), text()).prop_map(|(id, text)| Put::Customer(id, text)),
        4 => (id(), id(), text()).prop_map(|(id, customer, text)| Put::Event(id, customer, text)),
        2 => id().prop_map(Put::NoCustomer),
        2 => id().prop_map(Put::NoEvent),
        2 => (formats, prop::sample::select(Compression::ALL.to_vec()), any::<[bool; 3]>())
            .prop_map(|(formats, compression, form)| Put::Export(formats, compression, form)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens between exports, and however formats and compression change: all files replayed give the
    /// mirror, and so does a snapshot.
    #[test]
    fn replay_gives_the_mirror(changes in prop::collection::vec(puts(), 1..40)) {
        let mut world = World::new();
        for change in &changes {
            if let Put::Export(formats, compression, form) = change {
                [world.settings.csv_formula_guard, world.settings.exact, world.settings.csv_bom] = *form;
                world.settings.formats = formats.clone();
                world.settings.compression = *compression;
                world.export().unwrap();
            } else {
                world.put(change);
            }
        }
        world.settings.formats = Format::ALL.to_vec();
        world.export().unwrap();
        world.assert_good();
        prop_assert_eq!(world.export().unwrap().files, vec![]);
        let snapshots = world.snapshot().unwrap().files;
        let verified = verify(&mut world.mirror, &world.settings.dir).unwrap();
        prop_assert_eq!(verified.differences, vec![]);
        for line in snapshots {
            let (stream, one_line) = (Stream::from_name(&line.stream).unwrap(), line.format == "ndjson");
            let rows = read_file(&world.dir().join("snapshots"), &line);
            prop_assert!(rows.iter().all(|row| row.op == "insert"));
            let rows = rows.into_iter().map(|row| (row.id, row.fields)).collect();
            let expected = mirrored(&mut world.mirror, stream, one_line);
            let expected = if line.rewritten.is_none() { expected } else { readable_rows(expected, stream) };
            prop_assert!(expected == rows);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whichever bit of whichever file or manifest is turned over: it shows, and a repair never says that all is well
    /// where it is not. But for a manifest's last line, to which no other is tied: of its fields the run alone, and of a
    /// snapshot's also the time, stand nowhere else.
    #[test]
    fn a_flipped_bit_is_found(
        changes in prop::collection::vec(puts(), 5..30),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8), 4),
    ) {
        let mut world = World::new();
        for change in &changes {
            match change {
                Put::Export(_, compression, _) => {
                    world.settings.compression = *compression;
                    world.export().unwrap();
                }
                change => world.put(change),
            }
        }
        world.customer("always one", "1");
        world.export().unwrap();
        world.snapshot().unwrap();
        let dir = world.settings.dir.clone();
        let names = files(&dir);
        for (name, at, bit) in flips {
            let path = dir.join(name.get(&names));
            let good = std::fs::read(&path).unwrap();
            let is_manifest = path.ends_with("manifest.ndjson");
            let end = match good.strip_suffix(b"\n").filter(|_| is_manifest) {
                Some(lines) => lines.iter().rposition(|byte| *byte == b'\n').unwrap_or(0),
                None => good.len(),
            };
            if end == 0 {
                continue;
            }
            let mut bad = good.clone();
            *bad.get_mut(at.index(end)).unwrap() ^= 1u8 << bit;
            std::fs::write(&path, &bad).unwrap();
            match verify(&mut world.mirror, &dir) {
                Ok(verified) => prop_assert!(!verified.ok, "{} {}", path.display(), at.index(end)),
                // A manifest that is another mirror's, or of a later state, is refused as a whole.
                Err(error) => prop_assert!(is_manifest, "{error}"),
            }
            if let Ok(repaired) = repair(&mut world.mirror, &world.settings, STAMP.now) {
                prop_assert!(repaired.verified.ok);
            }
            std::fs::write(&path, good).unwrap();
            if verify(&mut world.mirror, &dir).is_ok_and(|verified| !verified.ok) {
                // The manifest has moved on to what was repaired.
                prop_assert!(repair(&mut world.mirror, &world.settings, STAMP.now).unwrap().verified.ok);
            }
        }
    }
}

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
            not_pruned: None
        }
    );
    assert_eq!(std::fs::read(world.dir().join("manifest.ndjson")).unwrap(), before);
    // A format that comes later starts from the first change.
    world.settings.formats = Format::ALL.to_vec();
    let files = world.export().unwrap().files;
    let ranges: Vec<_> = files.iter().map(|f| (f.format.as_str(), f.first_seq, f.last_seq, f.rows)).collect();
    assert_eq!(ranges, [("ndjson", 1, 3, 1), ("ndjson", 1, 3, 1)]);
    world.assert_good();
}

/// A power cut after each step of an export, then a change, then the next export.
#[test]
fn a_cut_after_any_step_loses_nothing_and_announces_nothing_twice() {
    for steps in 0..=3 {
        let mut world = World::new();
        world.customer("a", "1");
        world.export().unwrap();
        world.customer("a", "2");
        world.put(&Put::Event("e".to_owned(), "a".to_owned(), None));
        let left = world.cut_short(steps);
        world.customer("b", "3");
        let exported = world.export().unwrap();
        assert_eq!(exported.removed.len(), left, "{steps}");
        world.assert_good();
    }
}

impl World {
    /// Does the first `steps` steps of an export, without the clean-up that errors and drops would do: writing,
    /// naming, announcing. Returns how many files the next export has to remove.
    fn cut_short(&mut self, steps: usize) -> usize {
        if steps == 0 {
            return 0;
        }
        let dir = self.settings.dir.clone();
        let before = (files(&dir), std::fs::read(dir.join("manifest.ndjson")).unwrap());
        let manifest = Manifest::read(&dir).unwrap();
        let (_, written) =
            incremental::write(&mut self.mirror, &self.settings, &manifest.positions, None, None, STAMP.now)
                .unwrap();
        let count = written.len();
        if steps == 1 {
            written.into_iter().for_each(|written| std::mem::forget(written.file));
            std::fs::write(dir.join(".manifest.ndjson-a1b2c3d4.tmp"), "{").unwrap();
            return count + 1;
        }
        incremental::publish(&manifest, written).unwrap();
        if steps == 2 {
            std::fs::write(dir.join("manifest.ndjson"), before.1).unwrap();
            assert_eq!(files(&dir).len(), before.0.len() + count);
            return count;
        }
        assert_ne!(self.copied().len(), self.announced().len());
        0
    }
}

/// A power cut after each step of a repair: writing, naming, announcing. The next repair ends as one alone would have.
#[test]
fn a_repair_that_was_cut_off_is_done_by_the_next_one() {
    for steps in 0..=3 {
        let mut world = World::new();
        world.customer("a", "1");
        world.customer("b", "1");
        world.export().unwrap();
        world.customer("a", "2");
        world.export().unwrap();
        let lost = world.announced()[0].clone();
        std::fs::write(world.dir().join(&lost), "damaged").unwrap();
        world.cut_repair_short(steps);
        let dir = world.settings.dir.clone();
        if steps == 3 {
            // Only the mirror's own list is behind, which is no difference.
            let verified = verify(&mut world.mirror, &dir).unwrap();
            assert!(verified.ok && verified.remarks.len() == 2, "{verified:?}");
        } else {
            assert!(!verify(&mut world.mirror, &dir).unwrap().ok);
        }
        let done = repair(&mut world.mirror, &world.settings, Timestamp::from_second(2).unwrap()).unwrap();
        assert!(done.verified.ok, "{steps}: {:?}", done.verified.differences);
        assert_eq!(done.verified.ranges[0].left_out, 1, "{steps}");
        assert_eq!(std::fs::read(dir.join(format!("{lost}.damaged"))).unwrap(), b"damaged", "{steps}");
        world.customer("c", "3");
        world.export().unwrap();
        assert!(!files(&dir).iter().any(|name| name.ends_with(".tmp")), "{steps}");
        let verified = verify(&mut world.mirror, &dir).unwrap();
        assert!(verified.ok && verified.remarks.len() == 1, "{steps}: {verified:?}");
        std::fs::remove_file(dir.join(format!("{lost}.damaged"))).unwrap();
        world.assert_good();
    }
}

impl World {
    fn cut_repair_short(&mut self, steps: usize) {
        let (dir, kind) = (self.settings.dir.clone(), Kind::Changes);
        let lines = manifest::numbered(&dir, &[1].into()).unwrap();
        let mut reader = Mirror::open_read_only(self.mirror.path()).unwrap();
        let now = Timestamp::from_second(1).unwrap();
        let written = repair::write(&mut reader, &dir, kind, &lines, now).unwrap();
        if steps == 0 {
            return;
        }
        if steps == 1 {
            return written.into_iter().for_each(|(_, written)| std::mem::forget(written.file));
        }
        let (_, lines) = repair::publish(&dir, kind, &lines, written).unwrap();
        if steps == 3 {
            manifest::replace(&dir, lines).unwrap();
        }
    }
}

impl World {
    /// Exports at that second; files that are older than ten seconds are to go.
    fn export_at(&mut self, second: i64) -> Exported {
        self.settings.max_age = Duration::from_secs(10);
        let at = Timestamp::from_second(second).unwrap();
        let exported = export(&mut self.mirror, &self.settings, None, at).unwrap();
        assert_eq!(exported.not_pruned, None);
        exported
    }

    fn snapshot_at(&mut self, second: i64) -> Exported {
        export_snapshot(&mut self.mirror, &self.settings, None, Timestamp::from_second(second).unwrap())
            .unwrap()
    }

    #[track_caller]
    fn verified(&mut self) -> Verified {
        let verified = verify(&mut self.mirror, &self.settings.dir).unwrap();
        assert_eq!(verified.differences, vec![]);
        verified
    }

    fn ranges(&mut self) -> Vec<(i64, i64)> {
        self.verified().ranges.iter().map(|range| (range.first_seq, range.last_seq)).collect()
    }
}

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
    assert_announced(&world.settings.dir.join("snapshots"));
    assert_eq!(world.announced(), world.copied());
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
    let damaged = world.settings.dir.join("snapshots/customers/customers-000000000006.csv");
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
    assert!(!verify(&mut world.mirror, &world.settings.dir).unwrap().ok);
    let error = export(&mut world.mirror, &world.settings, None, STAMP.now).unwrap_err();
    assert!(matches!(error, ExportError::FrontLost { .. }), "{error}");
}

#[test]
fn old_files_go_once_they_are_acknowledged() {
    let mut world = World::new();
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
    assert_eq!((all.len(), all[0].through), (4, 2));
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
    world.settings.formats = Format::ALL.to_vec();
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

/// A power cut after each step of a pruning: noting, replacing the manifest, removing files.
#[test]
fn a_pruning_that_was_cut_off_is_ended_by_the_next_export() {
    for steps in 1..=3 {
        let mut world = World::new();
        world.settings.formats = vec![Format::Csv];
        for n in 0..4 {
            world.customer(&format!("c{n}"), "1");
            world.export().unwrap();
        }
        acknowledge(&world.settings.dir, 4, None, None).unwrap();
        let dir = world.settings.dir.clone();
        let first = dir.join(&world.announced()[0]);
        let mut gone = Gone::while_going(&dir, Kind::Changes, |number, _| Ok(number <= 2)).unwrap();
        gone.note(&mut world.mirror).unwrap();
        if steps > 1 {
            gone.replace_manifest().unwrap();
            if steps > 2 {
                std::fs::remove_file(first).unwrap();
            }
        }
        assert_eq!(world.ranges(), [(if steps > 1 { 3 } else { 1 }, 4)], "{steps}");
        world.customer("c9", "1");
        let exported = world.export().unwrap();
        assert_eq!(exported.removed.len(), [0, 2, 1][steps - 1], "{steps}");
        assert_announced(&dir);
        assert_eq!(
            (world.announced(), world.verified().remarks.len()),
            (world.copied(), usize::from(steps > 1))
        );
        // And it goes on from there.
        world.export_at(100);
        assert_eq!(world.ranges(), [(5, 5)], "{steps}");
        assert_announced(&dir);
    }
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

/// Rows as files have them whose values were made readable.
fn readable_rows(rows: Rows, stream: Stream) -> Rows {
    let made = |kind, text: &str| readable::readable(kind, text).into_owned();
    let row = |(id, fields): (String, Fields)| {
        let columns = stream.columns().iter().zip(fields);
        let fields = columns.map(|(column, field)| field.map(|field| made(column.kind, &field)));
        (made(ColumnKind::Text, &id), fields.collect())
    };
    rows.into_iter().map(row).collect()
}

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

/// Files and lines of an older version stay what they are: they verify, come back byte for byte, and later files of today's
/// layout follow them.
#[test]
fn files_of_an_older_layout_are_verified_and_repaired_as_what_they_are() {
    let mut world = World::new();
    world.customer("a", "1\0");
    world.put(&Put::Event("e".to_owned(), "a".to_owned(), Some("1".to_owned())));
    world.put(&Put::NoEvent("e".to_owned()));
    let dir = world.settings.dir.clone();
    world.export_as_an_older_version_would();
    let old: Vec<(String, Vec<u8>)> = world
        .announced()
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(dir.join(path)).unwrap()))
        .collect();
    let texts: Vec<String> = old.iter().map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap()).collect();
    assert!(texts[0].starts_with("_seq,_op,") && texts[0].contains('\0'), "{texts:?}");
    assert!(texts[3].ends_with("\"id\":\"e\"}\n"), "{texts:?}");
    let manifest = std::fs::read_to_string(dir.join("manifest.ndjson")).unwrap();
    assert!(["layout", "rewritten", "csv_bom"].iter().all(|name| !manifest.contains(name)), "{manifest}");

    world.customer("b", "\0");
    world.export().unwrap();
    world.assert_good();
    world.verified();
    let lines = manifest::all(&dir).unwrap();
    let forms: Vec<_> = lines[4..].iter().map(|line| (line.layout, line.rewritten)).collect();
    assert_eq!(forms, [(2, Some(4)), (2, Some(4))]);
    for (path, _) in &old {
        std::fs::remove_file(dir.join(path)).unwrap();
    }
    let repaired = repair(&mut world.mirror, &world.settings, STAMP.now).unwrap();
    assert!(repaired.verified.ok && repaired.files.iter().all(|file| file.as_before), "{repaired:?}");
    for (path, bytes) in &old {
        assert_eq!(&std::fs::read(dir.join(path)).unwrap(), bytes);
    }
}

impl World {
    fn export_as_an_older_version_would(&mut self) {
        let dir = self.settings.dir.clone();
        let form = form::Form { old_layout: true, exact: true, bom: false, guarded: false };
        let origin =
            stream_file::Origin { mirror_id: self.mirror.id().to_owned(), run: None, now: STAMP.now };
        let snapshot = self.mirror.snapshot().unwrap();
        let covers = name::Covers::Changes { first_seq: 1, last_seq: snapshot.head().unwrap() };
        let mut written = Vec::new();
        for stream in Stream::ALL {
            for format in Format::ALL {
                let name = name::FileName { stream, covers, format, compression: Compression::None };
                let mut file = stream_file::StreamFile::begin(&dir, name, form).unwrap();
                snapshot.changes(&[(stream, 0)], |_, change| file.write(&change)).unwrap();
                written.push(file.end().unwrap().finish(&origin).unwrap());
            }
        }
        drop(snapshot);
        incremental::publish(&Manifest::read(&dir).unwrap(), written).unwrap();
    }
}

/// The manifest says what was announced, whatever the mirror's copy of it lacks or has too much.
#[test]
fn what_is_left_over_is_judged_by_the_manifest_not_by_its_copy() {
    let mut world = World::new();
    world.settings.formats = vec![Format::Csv];
    for n in 0..3 {
        world.customer(&format!("c{n}"), "1");
        world.export().unwrap();
    }
    let lines = manifest::all(world.dir()).unwrap();
    let name = super::name::FileName::of_path(&lines[1].path).unwrap();
    let dir = world.settings.dir.clone();
    copy::forget(&mut world.mirror, &dir, [&name]).unwrap();
    assert_eq!(world.export().unwrap().removed, Vec::<String>::new());
    world.assert_good();

    let stray = "events/events-000000000001-000000000003.csv";
    std::fs::create_dir_all(world.dir().join("events")).unwrap();
    std::fs::write(world.dir().join(stray), "half").unwrap();
    let known = ManifestLine { path: stray.to_owned(), stream: "events".to_owned(), ..lines[2].clone() };
    copy::add(&mut world.mirror, &dir, &[ManifestLine { first_seq: 1, ..known }]).unwrap();
    assert_eq!(world.export().unwrap().removed, [stray]);
    world.assert_good();
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

#[test]
fn a_failing_write_leaves_nothing_behind() {
    let mut world = World::new();
    world.customer("a", "1");
    world.put(&Put::Event("e".to_owned(), "a".to_owned(), None));
    // Customers are written when events fail.
    std::fs::create_dir_all(world.dir()).unwrap();
    std::fs::write(world.dir().join("events"), "in the way").unwrap();
    let error = world.export().unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(files(world.dir()), ["events"]);
    std::fs::remove_file(world.dir().join("events")).unwrap();
    world.export().unwrap();
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

const INSIDE: &str = "MALOMO_MIRROR_TEST_ARGUMENT";

/// What [`in_own_process`] was given, in that process.
fn inside() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// Runs a test again in a process of its own, after shell commands whose effect belongs to a whole process.
fn in_own_process(test: &str, shell: &str, argument: &Path) {
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{shell}; exec \"$0\" --exact export::scenarios::{test}"))
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, argument)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// The system takes no more bytes in the middle of a file, as on a full disk.
#[test]
fn a_file_that_the_disk_does_not_take_leaves_nothing_behind() {
    let Some(path) = inside() else {
        let mut world = World::new();
        for n in 0..300 {
            world.customer(&format!("{n}"), &"x".repeat(1_000));
        }
        let test = "a_file_that_the_disk_does_not_take_leaves_nothing_behind";
        // 256 blocks of at most 1024 bytes; with the signal ignored, writing more is an error.
        in_own_process(test, "trap '' XFSZ; ulimit -f 256", world.mirror.path());
        assert!(files(world.dir()).is_empty());
        world.export().unwrap();
        return world.assert_good();
    };
    let dir = path.with_file_name("out").join("exports");
    let settings = Settings {
        dir,
        formats: Format::ALL.to_vec(),
        compression: Compression::None,
        exact: false,
        csv_bom: false,
        csv_formula_guard: false,
        max_age: Duration::ZERO,
    };
    let error =
        export(&mut Mirror::open(&path).unwrap(), &settings, None, STAMP.now).unwrap_err().to_string();
    assert!(error.contains("json can't be written") || error.contains("csv can't be written"), "{error}");
    assert!(error.contains("nothing was announced"), "{error}");
    assert!(files(&settings.dir).is_empty());
}

#[test]
fn only_owner_and_group_can_read_what_is_exported() {
    if inside().is_none() {
        let test = "only_owner_and_group_can_read_what_is_exported";
        return in_own_process(test, "umask 0", Path::new("."));
    }
    let mut world = World::new();
    world.customer("a", "1");
    world.export().unwrap();
    world.snapshot().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let found = files(world.dir());
    assert!(found.len() > 4);
    for name in found {
        let path = world.dir().join(name);
        assert_eq!(mode(&path), 0o640, "{}", path.display());
        assert_eq!(mode(path.parent().unwrap()), 0o750, "{}", path.display());
    }
}
