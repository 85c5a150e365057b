//! Delta tables: what they hold after every export, and what becomes of them where something was done to them.

use super::world::{Put, STAMP, World, puts};
use crate::export::compaction::{Compacted, compact};
use crate::export::delta::{Contents, Table, TableLog};
use crate::export::erase::erase;
use crate::export::formats::{Cell, Compression, Dialect, Format, Row};
use crate::export::joining::Joining;
use crate::export::layout::{Covers, FileName, Kind};
use crate::export::publish::Exported;
use crate::export::readback::open_rows;
use crate::export::verify::verify;
use crate::export::{ExportError, destination};
use crate::mirror::{Asked, ErasureKey, Identifier};
use crate::record::{Op, Stream};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const DAY: i64 = 24 * 60 * 60;

fn world() -> World {
    let mut world = World::new();
    world.settings.formats = vec![Format::Delta];
    world
}

impl World {
    fn log(&self, table: &str) -> TableLog {
        let all = Stream::ALL.into_iter().flat_map(|stream| {
            [Contents::Changes, Contents::State].map(|contents| Table { stream, contents })
        });
        let table = all.into_iter().find(|known| known.to_string() == table).unwrap();
        TableLog::open(destination::of(&self.settings.dir, Kind::Changes), table).unwrap()
    }

    /// The files in one of the table's folders.
    fn listed(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.dir().join(folder)).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        let mut names: Vec<String> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn commit(&self, table: &str, version: i64) -> (PathBuf, Vec<Value>) {
        let path = self.dir().join(format!("{table}/_delta_log/{version:020}.json"));
        let text = fs::read_to_string(&path).unwrap();
        (path, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    fn differences(&mut self) -> Vec<String> {
        let verified = verify(&mut self.mirror, &self.settings).unwrap();
        assert_eq!(verified.ok, verified.differences.is_empty());
        verified.differences.iter().map(ToString::to_string).collect()
    }
}

fn versions(exported: &Exported) -> Vec<(&str, i64, i64, u64)> {
    let commits = exported.tables.iter();
    commits.map(|commit| (commit.table.as_str(), commit.version, commit.last_seq, commit.rows)).collect()
}

fn member<'v>(actions: &'v [Value], name: &str) -> Vec<&'v Value> {
    actions.iter().filter_map(|action| action.get(name)).collect()
}

#[test]
fn each_export_is_a_commit_where_something_has_changed() {
    let mut world = world();
    let first = world.export().unwrap();
    let created = [
        ("customers_changes", 0, 0, 0),
        ("events_changes", 0, 0, 0),
        ("customers", 0, 0, 0),
        ("events", 0, 0, 0),
    ];
    assert_eq!((versions(&first), first.files.len()), (created.to_vec(), 0));
    world.customer("a", "x");
    world.customer("b", "y");
    let second = world.export().unwrap();
    assert_eq!(versions(&second), [("customers_changes", 1, 2, 2), ("customers", 1, 2, 2)]);
    assert_eq!(versions(&world.export().unwrap()), []);
    world.customer("a", "z");
    world.put(&Put::NoCustomer("b".to_owned()));
    assert_eq!(versions(&world.export().unwrap()), [("customers_changes", 2, 4, 2), ("customers", 2, 4, 1)]);
    let tables = world.verified().tables;
    let counts: Vec<_> = tables.iter().map(|table| (table.table.as_str(), table.files, table.rows)).collect();
    assert_eq!(
        counts,
        [("customers_changes", 2, 4), ("events_changes", 0, 0), ("customers", 1, 1), ("events", 0, 0)]
    );

    let (_, actions) = world.commit("customers", 2);
    assert_eq!((member(&actions, "remove").len(), member(&actions, "add").len()), (1, 1));
    let txn = member(&actions, "txn")[0];
    assert_eq!(
        (&txn["version"], txn["appId"].as_str()),
        (&json!(4), Some(format!("malomo-mirror/{}/customers", world.mirror.id()).as_str()))
    );
    let stats: Value = serde_json::from_str(member(&actions, "add")[0]["stats"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&stats["numRecords"], &stats["minValues"]["_seq"], &stats["maxValues"]["_seq"]),
        (&json!(1), &json!(3), &json!(3))
    );
    assert_eq!((&stats["nullCount"]["id"], &stats["nullCount"]["phone_number"]), (&json!(0), &json!(1)));
    assert_eq!(stats["minValues"]["_observed_at"], "1970-01-01T00:00:00.000Z");

    // All values of a table of the state have one form.
    world.settings.exact = true;
    assert_eq!(versions(&world.export().unwrap()), [("customers", 3, 4, 1)]);
    world.settings.exact = false;
    assert_eq!(versions(&world.export().unwrap()).len(), 1);
    world.verified();

    // Other formats beside it, in the same folders; and a snapshot writes the state as a whole.
    world.settings.formats = [Format::ALL, Format::TABLES].concat();
    let exported = world.export().unwrap();
    assert_eq!((exported.files.len(), versions(&exported)), (Format::ALL.len(), vec![]));
    let snapshot = world.snapshot().unwrap();
    assert_eq!(versions(&snapshot), [("customers", 5, 4, 1), ("events", 1, 4, 0)]);
    assert_eq!(world.verified().tables.len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens between exports, both kinds of table hold what the mirror does: what `verify` compares.
    #[test]
    fn tables_follow_the_mirror(puts in prop::collection::vec(puts(), 1..40)) {
        let mut world = world();
        for put in &puts {
            world.put(put);
            if let Put::Export(_, _, dialect) = put {
                world.settings.exact = dialect[0];
                let head = world.export().unwrap().head_seq;
                let tables = world.verified().tables;
                prop_assert_eq!(tables.len(), 4);
                // Nothing has happened behind their positions.
                prop_assert!(tables.iter().all(|table| table.last_seq <= head));
            }
        }
        world.export().unwrap();
        let held: Vec<u64> = world.mirror.snapshot().unwrap().freshness().unwrap().iter().map(|of| of.row_count).collect();
        let rows: Vec<u64> = world.verified().tables[2..].iter().map(|table| table.rows).collect();
        prop_assert_eq!(rows, held);
        let again = world.export().unwrap();
        prop_assert_eq!(versions(&again), []);
    }
}

#[test]
fn every_tenth_commit_has_a_checkpoint_and_what_is_old_goes() {
    let mut world = world();
    for n in 0..25 {
        world.customer("a", &n.to_string());
        world.export_at(n);
    }
    let checkpoints = |world: &World| {
        let names = world.listed("customers/_delta_log").into_iter();
        names.filter(|name| name.contains("checkpoint.")).collect::<Vec<_>>()
    };
    assert_eq!(checkpoints(&world), [10, 20].map(|n| format!("{n:020}.checkpoint.parquet")));
    let pointer = fs::read(world.dir().join("customers/_delta_log/_last_checkpoint")).unwrap();
    let pointer: Value = serde_json::from_slice(&pointer).unwrap();
    // Protocol, metaData, txn, one file, and twenty that count no more.
    assert_eq!(pointer, json!({"version": 20, "size": 24}));

    // What a checkpoint says is what the commits say.
    let with = world.log("customers");
    for name in checkpoints(&world) {
        fs::rename(world.dir().join("customers/_delta_log").join(&name), world.folder.path().join(&name))
            .unwrap();
    }
    let without = world.log("customers");
    assert_eq!((with.version, with.position(world.mirror.id())), (Some(24), 25));
    assert_eq!((without.version, without.position(world.mirror.id())), (Some(24), 25));
    let plain = |log: &TableLog| {
        log.files.values().map(|file| (file.path.clone(), file.size, file.noted())).collect::<Vec<_>>()
    };
    assert_eq!(plain(&with), plain(&without));
    for name in checkpoints(&world) {
        fs::remove_file(world.dir().join("customers/_delta_log").join(name)).unwrap();
    }
    for n in [10, 20] {
        let name = format!("{n:020}.checkpoint.parquet");
        fs::rename(world.folder.path().join(&name), world.dir().join("customers/_delta_log").join(&name))
            .unwrap();
    }

    // A killed export's files, complete or not, and files of others.
    let (killed, data) = (world.log("customers"), world.dir().join("customers/current"));
    let own = killed.files.values().next().unwrap().path.replace("current/", "");
    let orphan = own.replace(&own[5..25], "00000000000000000099");
    for name in [&orphan, &format!(".{orphan}-a1b2c3d4.tmp"), &"part-00000-c000.snappy.parquet".to_owned()] {
        fs::write(data.join(name), "x").unwrap();
    }
    assert_eq!(world.listed("customers/current").len(), 25 + 3);
    world.customer("a", "a day later");
    world.export_at(DAY + 10);
    world.snapshot_at(DAY + 10);
    // Those that counted no more since the tenth second or a later one, the one that counts, and the other program's.
    let left = world.listed("customers/current");
    assert_eq!(left.len(), 17 + 1 + 1, "{left:?}");
    assert!(!left.contains(&orphan) && left.iter().any(|name| name.contains("snappy")));

    // The log's own files stay for a month, and as long as the next checkpoint needs them.
    assert_eq!(world.commit("customers", 0).1.len(), 5);
    world.customer("a", "much later");
    world.export_at(31 * DAY);
    world.snapshot_at(31 * DAY);
    let log = world.listed("customers/_delta_log");
    assert_eq!(log.first().unwrap(), &format!("{:020}.checkpoint.parquet", 20));
    assert_eq!(world.verified().tables[2].rows, 1);
    assert_eq!(world.listed("customers/current").len(), 2 + 1 + 1);
}

#[test]
fn what_was_done_to_a_table_is_found() {
    let mut world = world();
    for n in 0..3 {
        world.customer(&n.to_string(), "x");
        world.export().unwrap();
    }
    assert_eq!(world.differences(), Vec::<String>::new());
    for table in ["customers_changes", "customers"] {
        let log = world.log(table);
        for file in log.files.values() {
            let path = world.dir().join(table).join(&file.path);
            let good = fs::read(&path).unwrap();
            for bad in [None, Some(good[..good.len() / 2].to_vec()), Some([&good[..], b"x"].concat())] {
                match bad {
                    None => fs::remove_file(&path).unwrap(),
                    Some(bad) => fs::write(&path, bad).unwrap(),
                }
                let found = world.differences();
                assert!(
                    !found.is_empty() && found.iter().all(|found| found.contains(&file.path)),
                    "{found:?}"
                );
            }
            fs::write(&path, good).unwrap();
        }
    }
    // A file that another one stands for.
    let (path, actions) = world.commit("customers_changes", 2);
    let text = fs::read_to_string(&path).unwrap();
    let (_, first) = world.commit("customers_changes", 1);
    let path_of = |actions: &[Value]| member(actions, "add")[0]["path"].as_str().unwrap().to_owned();
    let swapped = text.replace(&path_of(&actions), &path_of(&first));
    fs::write(&path, swapped).unwrap();
    assert!(!world.differences().is_empty());
    for (bad, said) in
        [("", "its files end with change 2, its log says 3"), ("nonsense", "its commit 2 can't be read")]
    {
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("\"add\"")).collect();
        fs::write(&path, if bad.is_empty() { lines.join("\n") } else { bad.to_owned() }).unwrap();
        let found = world.differences();
        assert!(found.iter().any(|found| found.contains(said)), "{said}: {found:?}");
    }
    fs::write(&path, &text).unwrap();
    // A commit in the middle.
    let (first, _) = world.commit("customers_changes", 1);
    fs::rename(&first, world.folder.path().join("aside")).unwrap();
    assert!(world.differences()[0].contains("its commit 1 is gone"));
    assert!(matches!(world.export(), Err(ExportError::Table { .. })));
    fs::rename(world.folder.path().join("aside"), first).unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());

    // Away with it: the next export writes it anew.
    fs::remove_dir_all(world.dir().join("customers_changes")).unwrap();
    assert_eq!(versions(&world.export().unwrap()), [("customers_changes", 0, 3, 3)]);
    assert_eq!(world.differences(), Vec::<String>::new());
}

/// A folder with tables alone is no empty one, also where files were exported elsewhere.
#[test]
fn tables_may_stand_alone() {
    let mut world = world();
    world.customer("a", "x");
    let tables = std::mem::replace(&mut world.settings.dir, world.folder.path().join("files").into());
    world.settings.formats = vec![Format::Csv];
    world.export().unwrap();
    (world.settings.dir, world.settings.formats) = (tables, vec![Format::Delta]);
    assert_eq!(world.differences().len(), 1);
    world.export().unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn other_programs_are_noticed() {
    let mut world = world();
    world.customer("a", "x");
    world.export().unwrap();
    let add = json!({"add": {"path": "part-00000.snappy.parquet", "partitionValues": {}, "size": 1, "modificationTime": 0,
                             "dataChange": false, "unknown": {"member": 1}}});
    for table in ["customers_changes", "customers"] {
        let (path, _) = world.commit(table, 0);
        fs::write(path.with_file_name(format!("{:020}.json", 1)), format!("{add}\n")).unwrap();
    }
    let found = world.differences();
    assert!(found[0].contains("customers_changes: its log names part-00000.snappy.parquet"), "{found:?}");
    // Changes go on behind it; the state is written as a whole, as nobody knows what that file has.
    world.customer("b", "y");
    assert_eq!(versions(&world.export().unwrap()), [("customers_changes", 2, 2, 1), ("customers", 2, 2, 2)]);
    assert_eq!(world.differences().len(), 1);

    // What it can't continue is left as it is.
    let (path, _) = world.commit("customers", 2);
    let raised = path.with_file_name(format!("{:020}.json", 3));
    fs::write(&raised, "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7}}\n").unwrap();
    let error = world.export().unwrap_err().to_string();
    assert!(error.contains("raised its protocol to reader version 3 and writer version 7"), "{error}");
}

#[test]
fn tables_of_other_mirrors_and_other_futures_are_refused() {
    let (mut own, mut other) = (world(), world());
    own.customer("a", "x");
    own.export().unwrap();
    other.customer("a", "x");
    // The manifest stands for nothing where no file was exported.
    fs::rename(own.dir().join("customers"), {
        fs::create_dir_all(other.dir()).unwrap();
        other.dir().join("customers")
    })
    .unwrap();
    assert!(matches!(other.export(), Err(ExportError::OtherMirror { .. })));
    assert!(other.differences()[0].contains("of another mirror"), "{:?}", other.differences());

    // An older copy of the mirror, without the last change, and then with another one.
    let mut world = world();
    world.customer("a", "x");
    world.export().unwrap();
    let path = world.dir().join("customers_changes/_delta_log").join(format!("{:020}.json", 0));
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, expected) in [
        ("\"version\":1,", "\"version\":2,", "up to change 2, but the mirror ends at change 1"),
        ("newest_observed_at\":\"1970", "newest_observed_at\":\"1971", "contradict the mirror's change log"),
    ] {
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = world.export().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn columns_are_added_to_a_table_that_is_there() {
    let mut world = world();
    world.customer("a", "x");
    world.export().unwrap();
    for table in ["customers_changes", "customers"] {
        let (path, _) = world.commit(table, 0);
        let text = fs::read_to_string(&path).unwrap();
        let column = "{\\\"metadata\\\":{},\\\"name\\\":\\\"extra\\\",\\\"nullable\\\":true,\\\"type\\\":\\\"string\\\"}";
        assert!(text.contains(column));
        fs::write(&path, text.replace(&format!(",{column}"), "")).unwrap();
    }
    assert_eq!(versions(&world.export().unwrap()), [("customers_changes", 1, 1, 0), ("customers", 1, 1, 1)]);
    for table in ["customers_changes", "customers"] {
        let (_, actions) = world.commit(table, 1);
        assert!(member(&actions, "metaData")[0]["schemaString"].as_str().unwrap().contains("\"extra\""));
        assert_eq!(
            member(&actions, "metaData")[0]["id"],
            member(&world.commit(table, 0).1, "metaData")[0]["id"]
        );
    }
    assert_eq!(world.differences(), Vec::<String>::new());
}

impl World {
    /// The rows of a table with changes, by their numbers.
    fn rows(&self, stream: Stream) -> Vec<Row> {
        let log = self.log(&format!("{stream}_changes"));
        let destination = destination::of(&self.settings.dir, Kind::Changes);
        let covers = Covers::Changes { first_seq: 1, last_seq: i64::MAX };
        let name = FileName { stream, covers, format: Format::Delta, compression: Compression::None };
        let dialect = Dialect { old_layout: false, exact: false, bom: false, guarded: false };
        let mut rows: Vec<Row> = Vec::new();
        for path in log.files.keys() {
            let path = log.table.file(path);
            rows.extend(open_rows(&*destination, &path, name, dialect).unwrap().map(Result::unwrap));
        }
        rows.sort_by_key(|row| row.seq);
        rows.into_iter().map(|row| Row { number: 0, ..row }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Joined files have the same rows, in a commit that changes no data.
    #[test]
    fn fewer_files_have_the_same_rows(changes in prop::collection::vec(puts(), 1..50)) {
        let mut world = world();
        world.customer("first", "1");
        world.export().unwrap();
        for change in &changes {
            match change {
                Put::Export(_, _, [exact, ..]) => {
                    world.settings.exact = *exact;
                    world.export().unwrap();
                }
                change => world.put(change),
            }
        }
        world.customer("first", "2");
        world.export().unwrap();
        let before = Stream::ALL.map(|stream| world.rows(stream));
        let versions = Stream::ALL.map(|stream| world.log(&format!("{stream}_changes")).version);
        let done = compact(&mut world.mirror, &world.settings, Joining::All, false, STAMP.now).unwrap();
        prop_assert_eq!(&done.damaged, &Vec::<String>::new());
        prop_assert_eq!(Stream::ALL.map(|stream| world.rows(stream)), before);
        prop_assert_eq!(world.differences(), Vec::<String>::new());
        for (stream, before) in Stream::ALL.into_iter().zip(versions) {
            let table = format!("{stream}_changes");
            let version = world.log(&table).version;
            if version != before {
                let (_, actions) = world.commit(&table, version.unwrap());
                let changed = [member(&actions, "add"), member(&actions, "remove")].concat();
                prop_assert!(changed.len() > 2 && changed.iter().all(|action| action["dataChange"] == json!(false)));
            }
        }
        let again = compact(&mut world.mirror, &world.settings, Joining::All, false, STAMP.now).unwrap();
        prop_assert_eq!(again, Compacted::default());
        world.customer("first", "3");
        world.export().unwrap();
        prop_assert_eq!(world.differences(), Vec::<String>::new());
    }
}

#[test]
fn a_damaged_file_of_a_table_is_not_joined() {
    let mut world = world();
    for n in 0..3 {
        world.customer("a", &n.to_string());
        world.export().unwrap();
    }
    let name = world.listed("customers_changes").pop().unwrap();
    let path = world.dir().join("customers_changes").join(&name);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let done = compact(&mut world.mirror, &world.settings, Joining::All, false, STAMP.now).unwrap();
    assert_eq!((done.files.len(), done.damaged), (0, vec![format!("customers_changes/{name}")]));
    fs::write(&path, &bytes).unwrap();
    let done = compact(&mut world.mirror, &world.settings, Joining::All, false, STAMP.now).unwrap();
    assert_eq!((done.files[0].files, done.files[0].rows, done.damaged), (3, Some(3), vec![]));
    world.verified();
}

/// What lies there unnamed once it was killed before or behind its commit, be it that nothing is left to join.
#[test]
fn a_compaction_that_was_killed_is_ended_by_the_next() {
    let mut world = world();
    world.settings.formats = vec![Format::Csv, Format::Delta];
    world.customer("a", "1");
    world.export().unwrap();
    let name = world.listed("customers_changes").pop().unwrap();
    let unnamed = "customers_changes/part-00000000000000000001-6f4ee6a5-8b26-4b2f-a0b6-8a3a6cd0b0a4.parquet";
    let left = [unnamed, "customers/customers-000000000001-000000000009.csv"];
    for path in left {
        fs::copy(world.dir().join("customers_changes").join(&name), world.dir().join(path)).unwrap();
    }
    let dry = compact(&mut world.mirror, &world.settings, Joining::All, true, STAMP.now).unwrap();
    assert!(dry == Compacted::default() && left.iter().all(|path| world.dir().join(path).exists()));
    let done = compact(&mut world.mirror, &world.settings, Joining::All, false, STAMP.now).unwrap();
    assert_eq!(done, Compacted::default());
    assert!(!left.iter().any(|path| world.dir().join(path).exists()));
    world.verified();
}

/// Others keep their older changes in a joined file; of the persons no change is left, however often somebody is erased.
#[test]
fn an_erasure_leaves_the_older_changes_of_others_in_a_joined_file() {
    for forgets in [false, true] {
        let mut world = world();
        for text in ["1", "2", "3"] {
            for id in ["a", "b", "c"] {
                world.customer(id, text);
            }
            world.export().unwrap();
        }
        compact(&mut world.mirror, &world.settings, Joining::All, false, STAMP.now).unwrap();
        if forgets {
            world.forget_history();
        }
        let before = world.rows(Stream::Customers);
        assert_eq!(before.len(), 9);
        let key = ErasureKey::read_or_create(world.mirror.path()).unwrap();
        let other = "customers_changes/_delta_log/00000000000000000001.crc";
        fs::write(world.dir().join(other), "").unwrap();
        let mut gone = Vec::new();
        for (id, numbers) in [("a", [1, 4, 7]), ("c", [3, 6, 9])] {
            gone.extend(numbers);
            let asked = Asked { identifier: Identifier::Id, value: id.to_owned() };
            world.mirror.erase(&key, &[asked], None, STAMP.now).unwrap();
            let erasure = world.mirror.snapshot().unwrap().unended_erasures().unwrap().pop().unwrap();
            let done = erase(&mut world.mirror, (&world.settings.dir, None), &erasure, STAMP.now).unwrap();
            assert_eq!(done.others, [other]);
            let rows = world.rows(Stream::Customers);
            assert_eq!(rows.len(), 9, "{forgets}");
            for (row, old) in rows.iter().zip(&before) {
                match gone.contains(&row.seq) {
                    true => assert_eq!((row.op, row.cells.get(1)), (Op::Erase, Some(&Cell::Null)), "{row:?}"),
                    false => assert_eq!(row, old, "{forgets}"),
                }
            }
            let log = world.log("customers_changes");
            assert_eq!(log.files.values().map(|file| file.noted().unwrap().joined).max(), Some(3));
            assert_eq!(world.differences(), Vec::<String>::new());
        }
    }
}
