//! Two states that have to be the same.

use super::place::Place;
use super::readable::as_exported;
use super::replay::{formats, replay};
use super::state::{Rows, State};

/// Asserts that both hold the same rows, field by field.
#[track_caller]
pub fn assert_same(expected: &State, found: &State, where_found: &str) {
    let mut differences = difference("customers", &expected.customers, &found.customers);
    differences.extend(difference("events", &expected.events, &found.events));
    let shown = differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ");
    assert!(
        differences.is_empty(),
        "{} rows of {where_found} are not as they should be:\n  {shown}",
        differences.len()
    );
}

fn difference(stream: &str, expected: &Rows, found: &Rows) -> Vec<String> {
    let mut differences = Vec::new();
    for (id, row) in expected {
        match found.get(id) {
            None => differences.push(format!("{stream} {id:?}: missing")),
            Some(other) if other != row => {
                let fields = row.iter().filter(|(name, cell)| other.get(*name) != Some(cell));
                let fields = fields
                    .map(|(name, cell)| format!("{name}: expected {cell:?}, found {:?}", other.get(name)));
                differences.push(format!("{stream} {id:?}: {}", fields.collect::<Vec<_>>().join("; ")));
            }
            Some(_) => {}
        }
    }
    let strays = found.keys().filter(|id| !expected.contains_key(*id));
    differences.extend(strays.map(|id| format!("{stream} {id:?}: should not be there")));
    differences
}

/// Asserts that the mirror holds this state, and that the exports replay to it in each of their formats.
#[track_caller]
pub fn assert_everything_equals(expected: &State, place: &Place) {
    assert_same(expected, &State::of_mirror(place), "the mirror");
    assert_totals_are_true(place);
    let (formats, expected) = (formats(place), as_exported(expected, place));
    assert!(!formats.is_empty() || expected == State::default(), "nothing was exported");
    for format in formats {
        let found = as_exported(&replay(place, &format), place);
        assert_same(&expected, &found, &format!("the {format} exports"));
    }
}

/// Asserts that what the mirror says of its streams is what counting gives.
#[track_caller]
pub fn assert_totals_are_true(place: &Place) {
    for stream in ["customers", "events"] {
        let differing = place.query(&format!(
            "SELECT * FROM freshness WHERE stream = '{stream}' AND (row_count <> (SELECT count(*) FROM {stream}) \
             OR last_change_seq IS NOT (SELECT max(seq) FROM changes WHERE stream = '{stream}'))"
        ));
        assert!(differing.is_empty(), "{differing:?}");
    }
}

/// Asserts that each day's changes are counted as they stand in the log.
#[track_caller]
pub fn assert_days_are_true(place: &Place) {
    let logged = "SELECT substr(observed_at, 1, 10) AS day, stream, op, count(*) AS changes, min(seq) AS first_seq, \
                  max(seq) AS last_seq FROM changes GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    assert_eq!(place.query(logged), place.query("SELECT * FROM change_days ORDER BY day, stream, op"));
}

/// Asserts that what is derived from events counts the events that are there.
#[track_caller]
pub fn assert_derived_is_true(place: &Place) {
    let types =
        "SELECT * FROM event_types AS t WHERE row_count <> (SELECT count(*) FROM events WHERE type = t.type)";
    assert!(place.query(types).is_empty(), "{:?}", place.query(types));
    let customers = "SELECT c.id, f.event_count FROM customers AS c LEFT JOIN customer_facts AS f ON f.id = c.inserted_seq \
                     WHERE coalesce(f.event_count, 0) <> (SELECT count(*) FROM events AS e WHERE e.customer_id = c.id)";
    assert!(place.query(customers).is_empty(), "{:?}", place.query(customers));
    let strays = "SELECT (SELECT count(*) FROM customer_facts WHERE id NOT IN (SELECT inserted_seq FROM customers)) + \
                  (SELECT count(*) FROM order_facts WHERE customer_row NOT IN (SELECT id FROM customer_facts)) + \
                  (SELECT count(*) FROM shipment_facts WHERE order_row NOT IN (SELECT id FROM order_facts))";
    assert_eq!(place.number(strays), 0);
}

/// Asserts that every run that came to an end counted the very changes that stand under its number.
#[track_caller]
pub fn assert_counts_are_true(place: &Place) {
    for stream in ["customers", "events"] {
        for (op, counted) in [("insert", "inserted"), ("update", "updated"), ("delete", "deleted")] {
            let differing = place.query(&format!(
                "SELECT id, {stream}_{counted} AS counted, (SELECT count(*) FROM changes WHERE run_id = sync_runs.id \
                 AND stream = '{stream}' AND op = '{op}') AS logged FROM sync_runs \
                 WHERE finished_at IS NOT NULL AND counted <> logged"
            ));
            assert!(differing.is_empty(), "{stream} {counted}: {differing:?}");
        }
    }
}
