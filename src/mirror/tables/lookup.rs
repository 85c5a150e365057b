//! What the mirror holds of the records on a page of a parents' list.
//!
//! A list mostly has its records in the same order as before, which is the order of the table's rows. So one record is
//! looked up by its id, and the next rows of the table are compared with the next records of the page for as long as they
//! agree: a step instead of a search, without keeping anything in memory between pages.

use super::records::{Stored, holds, noted_at, read_stored, statements};
use crate::mirror::MirrorError;
use crate::record::{Record, Stream};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

/// After this many departures from the table's order, the rest of the page is looked up by id.
const DEPARTURES: u32 = 3;

/// What the mirror holds of one record.
pub(in crate::mirror) enum Found {
    /// Nothing.
    Nothing,
    /// The very same content.
    Same {
        /// The row's number.
        row: i64,
        /// As in [`Stored`].
        noted_at: Option<Timestamp>,
    },
    /// Other content.
    Other(Stored),
}

impl Found {
    fn row(&self) -> Option<i64> {
        match self {
            Found::Nothing => None,
            Found::Same { row, .. } | Found::Other(Stored { row, .. }) => Some(*row),
        }
    }
}

/// Looks up each of `records`, which are of one stream; the answers stand in the same order.
pub(in crate::mirror) fn look_up(
    connection: &Connection,
    stream: Stream,
    records: &[Record],
) -> Result<Vec<Found>, MirrorError> {
    let mut found = Vec::with_capacity(records.len());
    let mut behind = connection.prepare_cached(&statements(stream).behind)?;
    let mut departures = 0;
    while let Some(record) = records.get(found.len()) {
        let one = look_up_one(connection, record)?;
        let row = one.row();
        found.push(one);
        let Some(row) = row.filter(|_| departures < DEPARTURES) else { continue };
        let mut rows = behind.query([row])?;
        while let Some(record) = records.get(found.len())
            && let Some(row) = rows.next()?
            && row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)? == Some(record.id())
        {
            found.push(compare(row, record)?);
        }
        departures += 1;
    }
    Ok(found)
}

/// Looks up one record by its id.
pub(in crate::mirror) fn look_up_one(connection: &Connection, record: &Record) -> Result<Found, MirrorError> {
    let mut select = connection.prepare_cached(&statements(record.stream()).by_id)?;
    let found = select.query_row([record.id()], |row| compare(row, record)).optional()?;
    Ok(found.unwrap_or(Found::Nothing))
}

/// Compares where the row stands: most are the same, and none of their texts is copied then.
fn compare(row: &Row<'_>, record: &Record) -> rusqlite::Result<Found> {
    if holds(row, record)? {
        return Ok(Found::Same { row: row.get(0)?, noted_at: noted_at(row, record.stream())? });
    }
    Ok(Found::Other(read_stored(row, record.stream())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{EventPlan, Trust};
    use crate::mirror::{Mirror, RunId, Stamp};
    use crate::record::RowSet;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    fn plan() -> EventPlan {
        EventPlan::of_turns(SignedDuration::from_hours(1))
    }

    fn customer(number: usize, name: &str) -> Record {
        let record = serde_json::json!({"id": format!("c{number}"), "first_name": name});
        Record::customer(&record.to_string())
    }

    fn describe(found: &Found) -> (Option<i64>, &'static str) {
        let kind = match found {
            Found::Nothing => "nothing",
            Found::Same { .. } => "same",
            Found::Other(_) => "other",
        };
        (found.row(), kind)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// In whatever order a page comes, with strangers and repetitions on it.
        #[test]
        fn a_page_is_found_as_its_customers_are(
            page in prop::collection::vec((0usize..40, prop::bool::weighted(0.2)), 0..60), sorted in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
            let mut batch = mirror.batch().unwrap();
            let stamp = Stamp { run: RunId(1), now: Timestamp::UNIX_EPOCH };
            let held: Vec<Record> = (0..30).map(|number| customer(number, "Ann")).collect();
            batch.apply_parents(stamp, Stream::Customers, &held, Trust::Listed, &plan(), &mut RowSet::default()).unwrap();
            let mut page = page;
            if sorted {
                page.sort_unstable();
            }
            let page: Vec<Record> =
                page.iter().map(|(number, changed)| customer(*number, if *changed { "Bea" } else { "Ann" })).collect();
            let together = look_up(&batch.transaction, Stream::Customers, &page).unwrap();
            prop_assert_eq!(together.len(), page.len());
            for (found, customer) in together.iter().zip(&page) {
                let alone = look_up_one(&batch.transaction, customer).unwrap();
                prop_assert_eq!(describe(found), describe(&alone));
            }
        }
    }

    #[test]
    fn a_customer_that_stands_on_a_page_twice_is_compared_with_what_was_just_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let mut batch = mirror.batch().unwrap();
        let stamp = Stamp { run: RunId(1), now: Timestamp::UNIX_EPOCH };
        let mut apply = |page: &[Record]| {
            let applied = batch.apply_parents(
                stamp,
                Stream::Customers,
                page,
                Trust::Listed,
                &plan(),
                &mut RowSet::default(),
            );
            let applied = applied.unwrap();
            (applied.rows.inserted, applied.rows.updated, applied.due.len())
        };
        let (ann, bea, other) = (customer(1, "Ann"), customer(1, "Bea"), customer(2, "Cay"));
        assert_eq!(apply(&[ann.clone(), other.clone(), ann.clone()]), (2, 0, 2));
        assert_eq!(apply(&[bea.clone(), other.clone(), bea.clone()]), (0, 1, 2));
        assert_eq!(apply(&[ann.clone(), bea, ann]), (0, 3, 3));
    }
}
