//! What the mirror holds of the customers on a page.
//!
//! A list mostly has customers in the same order as before, which is the order of the table's rows. So one customer is
//! looked up by its id, and the next rows of the table are compared with the next customers of the page for as long as they
//! agree: a step instead of a search, without keeping anything in memory between pages.

use super::customer_rows::{Stored, by_id, read_customer, select_customers, time};
use crate::mirror::MirrorError;
use crate::record::Customer;
use jiff::Timestamp;
use rusqlite::{Connection, Row};

/// After this many departures from the table's order, the rest of the page is looked up by id.
const DEPARTURES: u32 = 3;

/// What the mirror holds of one customer.
pub(in crate::mirror) enum Found {
    /// Nothing.
    Nothing,
    /// The very same content.
    Same {
        /// The row's number.
        row: i64,
        /// When its events were last read.
        events_checked_at: Option<Timestamp>,
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

/// Looks up each of `customers`; the answers stand in the same order.
pub(in crate::mirror) fn look_up(
    connection: &Connection,
    customers: &[Customer],
) -> Result<Vec<Found>, MirrorError> {
    let mut found = Vec::with_capacity(customers.len());
    let mut behind = connection.prepare_cached(select_customers!("rowid > ?1 ORDER BY rowid"))?;
    let mut departures = 0;
    while let Some(customer) = customers.get(found.len()) {
        let one = look_up_one(connection, customer)?;
        let row = one.row();
        found.push(one);
        let Some(row) = row.filter(|_| departures < DEPARTURES) else { continue };
        let mut rows = behind.query([row])?;
        while let Some(customer) = customers.get(found.len())
            && let Some(row) = rows.next()?
            && text(row, 1)? == Some(&customer.id)
        {
            found.push(compare(row, customer)?);
        }
        departures += 1;
    }
    Ok(found)
}

/// Looks up one customer by its id.
pub(in crate::mirror) fn look_up_one(
    connection: &Connection,
    customer: &Customer,
) -> Result<Found, MirrorError> {
    let found = by_id(connection, &customer.id, |row| compare(row, customer))?;
    Ok(found.unwrap_or(Found::Nothing))
}

/// Compares where the row stands: most are the same, and none of their texts is copied then.
fn compare(row: &Row<'_>, customer: &Customer) -> rusqlite::Result<Found> {
    let Customer { id: _, email, first_name, last_name, phone_number, created_at, updated_at, extra } =
        customer;
    let given = [email, first_name, last_name, phone_number, created_at, updated_at, extra];
    for (column, given) in (2..).zip(given) {
        if text(row, column)? != given.as_deref() {
            return Ok(Found::Other(read_customer(row)?));
        }
    }
    Ok(Found::Same { row: row.get(0)?, events_checked_at: time(row, 9)? })
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<Option<&'r str>> {
    Ok(row.get_ref(column)?.as_str_or_null()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{EventPlan, Trust};
    use crate::mirror::{Mirror, RowSet, RunId, Stamp};
    use jiff::SignedDuration;
    use proptest::prelude::*;

    const PLAN: EventPlan = EventPlan::Due { max_age: SignedDuration::from_hours(1) };

    fn customer(number: usize, name: &str) -> Customer {
        let record = serde_json::json!({"id": format!("c{number}"), "first_name": name});
        Customer::decode(&record.to_string()).unwrap()
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
            let held: Vec<Customer> = (0..30).map(|number| customer(number, "Ann")).collect();
            batch.apply_customers(stamp, &held, Trust::Listed, PLAN, &mut RowSet::default()).unwrap();
            let mut page = page;
            if sorted {
                page.sort_unstable();
            }
            let page: Vec<Customer> =
                page.iter().map(|(number, changed)| customer(*number, if *changed { "Bea" } else { "Ann" })).collect();
            let together = look_up(&batch.transaction, &page).unwrap();
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
        let mut apply = |page: &[Customer]| {
            let applied = batch.apply_customers(stamp, page, Trust::Listed, PLAN, &mut RowSet::default());
            let applied = applied.unwrap();
            (applied.inserted, applied.updated, applied.due.len())
        };
        let (ann, bea, other) = (customer(1, "Ann"), customer(1, "Bea"), customer(2, "Cay"));
        assert_eq!(apply(&[ann.clone(), other.clone(), ann.clone()]), (2, 0, 2));
        assert_eq!(apply(&[bea.clone(), other.clone(), bea.clone()]), (0, 1, 2));
        assert_eq!(apply(&[ann.clone(), bea, ann]), (0, 3, 3));
    }
}
