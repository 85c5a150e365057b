//! What deliveries do to the mirror.

use super::*;
use crate::diff::{EventPlan, Trust};
use crate::mirror::{Doubts, Mirror, RunId, Stamp};
use crate::record::{Record, RowSet, Stream};
use crate::webhook::candidates;
use jiff::SignedDuration;
use tempfile::TempDir;

const STAMP: Stamp = Stamp { run: RunId(1), now: Timestamp::UNIX_EPOCH };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const EVENT: &str = r#"{"id":"e1","properties":{"shopify_order":{"id":"5555"}}}"#;

/// A mirror with customers c1 and c2, and event e1 of c1.
fn mirror() -> (TempDir, PathBuf, Mirror) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirror.db");
    let mut mirror = Mirror::open(&path).unwrap();
    let mut batch = mirror.batch().unwrap();
    let customers = ["c1", "c2"].map(|id| Record::customer(&format!(r#"{{"id":"{id}"}}"#)));
    let plan = EventPlan::of_turns(SignedDuration::MAX);
    batch
        .apply_parents(STAMP, Stream::Customers, &customers, Trust::Listed, &plan, &mut RowSet::default())
        .unwrap();
    batch
        .apply_children(
            STAMP,
            Stream::Events,
            "c1",
            &[Record::event("c1", EVENT)],
            Trust::Listed,
            &mut Doubts::default(),
        )
        .unwrap();
    batch.commit().unwrap();
    (folder, path, mirror)
}

fn take(writer: &mut HintWriter, bodies: &[&str], second: i64) -> Vec<Taken> {
    let bodies: Vec<Candidates> =
        bodies.iter().map(|body| candidates(body.as_bytes(), None).unwrap()).collect();
    writer.take(&bodies, at(second), &Turns::default()).unwrap()
}

/// The customers that are due for hints, with the times and the time of the oldest hint in seconds.
fn waiting(writer: &HintWriter) -> Vec<(String, i64, i64)> {
    let sql = "SELECT customer_id, times, unixepoch(first_at) FROM webhook_hints ORDER BY customer_id";
    let mut select = writer.connection.prepare(sql).unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn whom_a_delivery_is_about() {
    for (body, expected) in [
        (r#"{"customer_id":"c1"}"#, &["c1"][..]),
        (r#"{"customer_id":"c9"}"#, &["c9"]),
        (r#"{"event":{"id":"e1"}}"#, &["c1"]),
        (r#"{"event":{"id":"e1"},"customer":{"id":"c2"}}"#, &["c1", "c2"]),
        (r#"{"event":{"id":"e1"},"customer_id":"c9"}"#, &["c1", "c9"]),
        (r#"{"event":{"id":"e1"},"order":{"customer":{"id":777}}}"#, &["c1"]),
        (r#"{"order":{"customer":{"id":777}}}"#, &["777"]),
        (r#"{"order":{"customer":{"id":777}},"customer_id":"c2"}"#, &["c2"]),
        (r#"{"data":{"id":"c2"}}"#, &["c2"]),
        (r#"{"event":{"id":"e9"}}"#, &[]),
        (r#"{"customers":[{"id":"c8"},{"id":"c9"}]}"#, &["c8"]),
        ("[]", &[]),
    ] {
        let (_folder, path, _mirror) = mirror();
        let mut writer = HintWriter::open(&path).unwrap().unwrap();
        let taken = take(&mut writer, &[body], 1);
        let found: Vec<String> = waiting(&writer).into_iter().map(|(id, ..)| id).collect();
        assert_eq!(found, expected, "{body}");
        assert_eq!(taken, [if expected.is_empty() { Taken::Unmatched } else { Taken::Hinted }], "{body}");
    }
}

#[test]
fn an_order_that_a_delivery_names_is_found_by_the_next_run() {
    let (_folder, path, mut mirror) = mirror();
    let mut writer = HintWriter::open(&path).unwrap().unwrap();
    let order = |id: &str| format!(r#"{{"order":{{"id":{id}}}}}"#);
    let bodies = [order("\"5555\""), order("5555"), order("9999"), r#"{"order":{"number":1}}"#.to_owned()];
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    assert_eq!(
        take(&mut writer, &bodies, 1),
        [Taken::Hinted, Taken::Hinted, Taken::Hinted, Taken::Unmatched]
    );
    assert!(waiting(&writer).is_empty() && mirror.snapshot().unwrap().has_hints().unwrap());
    let mut batch = mirror.batch().unwrap();
    batch.find_orders(at(2)).unwrap();
    batch.commit().unwrap();
    let found: Vec<String> = waiting(&writer).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(found, ["c1"]);
    let hints = mirror.snapshot().unwrap().hints(9).unwrap();
    assert_eq!((hints.waiting, hints.unmatched), (1, 2));
}

#[test]
fn a_hint_that_comes_during_a_look_stays() {
    let (_folder, path, mut mirror) = mirror();
    let mut writer = HintWriter::open(&path).unwrap().unwrap();
    take(&mut writer, &[r#"{"customer_id":"c1"}"#, r#"{"customer_id":"c1"}"#, r#"{"customer_id":"c2"}"#], 1);
    assert_eq!(waiting(&writer), [("c1".into(), 2, 1), ("c2".into(), 1, 1)]);
    let mut batch = mirror.batch().unwrap();
    let mark = batch.hint_mark().unwrap().unwrap();
    batch.make_hinted_due(at(2)).unwrap();
    assert_eq!(batch.hinted(mark, false, 9).unwrap(), ["c1", "c2"]);
    batch.commit().unwrap();
    take(&mut writer, &[r#"{"customer_id":"c2"}"#], 3);
    let mut batch = mirror.batch().unwrap();
    let second = |waited: Option<SignedDuration>| waited.map(|waited| waited.as_secs());
    assert_eq!(second(batch.clear_hints("c1", mark, at(5)).unwrap()), Some(4));
    assert_eq!(second(batch.clear_hints("c2", mark, at(5)).unwrap()), Some(4));
    assert_eq!(second(batch.clear_hints("nobody", mark, at(5)).unwrap()), None);
    batch.commit().unwrap();
    assert_eq!(waiting(&writer), [("c2".into(), 1, 3)]);
    // What is gone gives its number to nobody.
    take(&mut writer, &[r#"{"customer_id":"c1"}"#], 6);
    assert!(mirror.batch().unwrap().hint_mark().unwrap().unwrap() > mark);
}

#[test]
fn hints_about_nobody_are_forgotten() {
    let (_folder, path, mut mirror) = mirror();
    let mut writer = HintWriter::open(&path).unwrap().unwrap();
    take(&mut writer, &[r#"{"customer_id":"c9"}"#, r#"{"customer_id":"c1"}"#], 0);
    for (hours, left) in [(23, 2), (25, 1)] {
        let mut batch = mirror.batch().unwrap();
        batch.make_hinted_due(at(hours * 3600)).unwrap();
        batch.commit().unwrap();
        assert_eq!(mirror.snapshot().unwrap().hints(9).unwrap().waiting, left);
    }
}

#[test]
fn shapes_that_tell_of_nobody_are_counted_and_bounded() {
    let (_folder, path, mut mirror) = mirror();
    let mut writer = HintWriter::open(&path).unwrap().unwrap();
    for n in 0..150 {
        let name: String = "abcdefghij".chars().cycle().skip(n % 10).take(2 + n / 10).collect();
        take(&mut writer, &[&format!(r#"{{"{name}":"private"}}"#), r#"{"order":{"number":1001}}"#], 1);
    }
    let hints = mirror.snapshot().unwrap().hints(3).unwrap();
    assert_eq!((hints.waiting, hints.unmatched, hints.oldest_at), (0, 300, None));
    let shapes: Vec<(&str, u64)> =
        hints.unmatched_shapes.iter().map(|shape| (shape.paths.as_str(), shape.times)).collect();
    assert_eq!(shapes[0], (r#"["order.number"]"#, 150));
    assert!(shapes[1].0 == r#"["(other)"]"# && shapes[1].1 >= 50, "{shapes:?}");
}

#[test]
fn a_mirror_that_is_yet_to_be_loaded_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirror.db");
    assert!(matches!(HintWriter::open(&path), Err(MirrorError::Missing { .. })));
    drop(Mirror::open(&path).unwrap());
    assert!(HintWriter::open(&path).unwrap().is_none());
}

#[test]
fn another_file_in_the_mirrors_place_is_noticed() {
    let (folder, path, _mirror) = mirror();
    let mut writer = HintWriter::open(&path).unwrap().unwrap();
    std::fs::rename(&path, folder.path().join("old.db")).unwrap();
    let body = candidates(br#"{"customer_id":"c1"}"#, None).unwrap();
    let refused = writer.take(std::slice::from_ref(&body), at(1), &Turns::default());
    assert!(matches!(refused, Err(MirrorError::Missing { .. })));
    assert_eq!(waiting(&writer), []);
}
