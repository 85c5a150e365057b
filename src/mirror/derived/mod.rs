//! What is derived from events: the properties of each type with a view for it, orders, and parcels. It is brought up to date
//! after a run, beside its export.
//!
//! In: the number of the change through which it is up to date, and what changed since. Out: the tables behind the views, the views
//! themselves, and remarks for people.
//!
//! The mirror holds the state at that change as well as the present one: rows that are new, and versions that a change has
//! ended since. So properties are counted by what came and what went, and orders are put together anew for the customers whose
//! events came or went. If the process dies on the way, the next run does it again.

mod event_types;
mod known_views;
mod orders;
mod views;

pub use known_views::EventTypeView;

use super::Mirror;
use super::connection::{configure_beside, connect};
use super::error::MirrorError;
use super::transaction::{Batch, head};
use crate::derived::Properties;
use crate::record::RowSet;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;
use std::path::Path;

/// The key in `meta` of the change through which everything is up to date.
const THROUGH: &str = "derived_through";

/// So many customers' orders are put together in one transaction: others who write wait a fraction of a second.
const CUSTOMERS_AT_ONCE: usize = 5_000;

/// So many types of events are told apart.
const TYPES_AT_MOST: usize = 1_000;

/// Events that are new, as they stand now. Takes the change through which everything is up to date, as the next ones do.
const INSERTED: &str = "SELECT type, properties, customer_id FROM events WHERE inserted_seq > ?1";

/// Events that were there and are others now, as they stand now.
const UPDATED: &str = "SELECT event.type, event.properties, event.customer_id \
     FROM change_log AS line CROSS JOIN events AS event ON event.id = line.id \
     WHERE line.seq > ?1 AND line.stream = 'events' AND line.op = 'update' \
     AND event.change_seq = line.seq AND event.inserted_seq <= ?1";

/// Events that were there and are others now or gone, as they stood.
const ENDED: &str =
    "SELECT type, properties, customer_id FROM events_superseded WHERE end_seq > ?1 AND seq <= ?1";

/// Events that are being erased, as far as they were counted.
const ERASED: &str = "SELECT type, properties, customer_id FROM events \
     WHERE id IN (SELECT id FROM temp.erased WHERE stream = 'events') AND change_seq <= ?1";

/// The same of versions that were counted and have ended since.
const ERASED_ENDED: &str = "SELECT type, properties, customer_id FROM events_superseded \
     WHERE end_seq > ?1 AND seq <= ?1 AND (id IN (SELECT id FROM temp.erased WHERE stream = 'events') \
     OR customer_id IN (SELECT id FROM temp.persons))";

/// Customers that are new, and those that are gone.
const CUSTOMERS: &str = "SELECT inserted_seq FROM customers WHERE inserted_seq > ?1 \
     UNION ALL SELECT old.inserted_seq FROM customers_superseded AS old WHERE old.end_seq > ?1 \
     AND NOT EXISTS (SELECT 1 FROM customers AS now WHERE now.inserted_seq = old.inserted_seq)";

/// Brings what is derived from events in the mirror at `path` up to date, over a connection of its own: others go on reading
/// and writing meanwhile. Returns what a person should know of that, such as that a column holds texts from now on. It is durable
/// when this returns. `is_stopped` is asked from time to time; where it says so, the next call does what is left. One at a
/// time: the caller holds the mirror's process lock.
///
/// # Errors
/// When the mirror can't be opened, read or written.
pub fn derive_beside(
    path: &Path,
    now: Timestamp,
    is_stopped: impl Fn() -> bool,
) -> Result<Vec<String>, MirrorError> {
    let connection = connect(path)?;
    configure_beside(&connection).map_err(|source| MirrorError::open(path, source))?;
    Mirror::with(connection, path.to_owned())?.derive(now, is_stopped)
}

impl Mirror {
    fn derive(&mut self, now: Timestamp, is_stopped: impl Fn() -> bool) -> Result<Vec<String>, MirrorError> {
        let (through, head) = (through(&self.connection)?, head(&self.connection)?);
        if through == head {
            return Ok(Vec::new());
        }
        let changed = Changed::since(&self.connection, through)?;
        let are_first = !has_orders(&self.connection)?;
        let mut customers = changed.customers.iter().peekable();
        while customers.peek().is_some() {
            if is_stopped() {
                return Ok(Vec::new());
            }
            let mut batch = self.batch()?;
            batch.derive_orders(customers.by_ref().take(CUSTOMERS_AT_ONCE), are_first)?;
            batch.commit()?;
        }
        let mut batch = self.batch()?;
        let mut remarks = batch.derive_types(changed.types, now)?;
        batch.note_derived(head)?;
        batch.commit()?;
        if changed.of_further_types > 0 {
            remarks.push(format!(
                "{} changes are of events of further types than the {TYPES_AT_MOST} that are told apart at once: those types are \
                 in event_types, and their properties in event_properties, only as far as other runs bring them",
                changed.of_further_types
            ));
        }
        Ok(remarks)
    }
}

impl Batch<'_> {
    /// Takes events that are being erased out of what is counted: those that stand in `temp.erased`, and the versions of
    /// events that stood with a customer in `temp.persons`.
    pub(in crate::mirror) fn derive_without(&mut self, now: Timestamp) -> Result<(), MirrorError> {
        let through = through(&self.transaction)?;
        let mut changed = Changed::default();
        for sql in [ERASED, ERASED_ENDED] {
            let mut events = self.transaction.prepare(sql)?;
            let mut rows = events.query([through])?;
            while let Some(row) = rows.next()? {
                changed.count(row, -1)?;
            }
        }
        self.derive_types(changed.types, now).map(drop)
    }

    fn note_derived(&mut self, through: i64) -> rusqlite::Result<()> {
        let sql = "UPDATE meta SET value = ?2 WHERE key = ?1";
        self.transaction.execute(sql, (THROUGH, through.to_string())).map(drop)
    }
}

fn has_orders(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM order_facts)", [], |row| row.get(0))
}

fn through(connection: &Connection) -> rusqlite::Result<i64> {
    let value: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [THROUGH], |row| row.get(0))
        .optional()?;
    // A number that can't be read counts as none: then everything is derived anew.
    Ok(value.and_then(|value| value.parse().ok()).unwrap_or(0))
}

/// What came and went of the events of a type.
#[derive(Default)]
struct TypeChanges {
    properties: Properties,
    /// By how many events more there are.
    rows: i64,
    /// Whether any came.
    is_seen: bool,
}

/// What changed since everything was up to date.
#[derive(Default)]
struct Changed {
    types: HashMap<String, TypeChanges>,
    /// Whose orders may be others now.
    customers: RowSet,
    /// Events of types beyond those that are told apart.
    of_further_types: u64,
}

impl Changed {
    fn since(connection: &Connection, through: i64) -> Result<Changed, MirrorError> {
        let mut changed = Changed::default();
        let mut customers = connection.prepare(CUSTOMERS)?;
        let mut rows = customers.query([through])?;
        while let Some(row) = rows.next()? {
            changed.customers.insert(row.get(0)?);
        }
        for (sql, change) in [(INSERTED, 1), (UPDATED, 1), (ENDED, -1)] {
            let mut customer = Customer::new(connection)?;
            let mut events = connection.prepare(sql)?;
            let mut rows = events.query([through])?;
            while let Some(row) = rows.next()? {
                changed.count(row, change)?;
                // From the beginning on, every customer is new.
                if through > 0
                    && let Some(row) = customer.row(row)?
                {
                    changed.customers.insert(row);
                }
            }
        }
        Ok(changed)
    }

    fn count(&mut self, row: &Row<'_>, change: i64) -> Result<(), MirrorError> {
        let text = |column| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
        let Some(kind) = text(0)? else { return Ok(()) };
        if !self.types.contains_key(kind) {
            if self.types.len() >= TYPES_AT_MOST {
                self.of_further_types += 1;
                return Ok(());
            }
            self.types.insert(kind.to_owned(), TypeChanges::default());
        }
        if let Some(of_type) = self.types.get_mut(kind) {
            of_type.rows += change;
            of_type.is_seen |= change > 0;
            match text(1)? {
                Some(properties) if change > 0 => of_type.properties.came(properties),
                Some(properties) => of_type.properties.went(properties),
                None => {}
            }
        }
        Ok(())
    }
}

/// Finds customers' rows; one customer's events mostly stand together.
struct Customer<'c> {
    select: rusqlite::Statement<'c>,
    last: (String, Option<i64>),
}

impl Customer<'_> {
    fn new(connection: &Connection) -> rusqlite::Result<Customer<'_>> {
        let select = connection.prepare("SELECT inserted_seq FROM customers WHERE id = ?1")?;
        Ok(Customer { select, last: (String::new(), None) })
    }

    /// The row of the customer whom an event belongs to; `None` where the mirror doesn't have it.
    fn row(&mut self, event: &Row<'_>) -> rusqlite::Result<Option<i64>> {
        let id = event.get_ref(2)?.as_str()?;
        if self.last.0 != id {
            let row = self.select.query_row([id], |row| row.get(0)).optional()?;
            self.last = (id.to_owned(), row);
        }
        Ok(self.last.1)
    }
}
