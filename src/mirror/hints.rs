//! Takes the hints of webhooks into the mirror, over a connection of its own: deliveries have to be answered within seconds,
//! whether or not a run is under way.
//!
//! It writes `webhook_hints` and `webhook_unmatched` and nothing else, so it needs no [`RunLock`](super::RunLock). It doesn't
//! touch a mirror that nothing was loaded into yet, because a first load puts another file in its place.

use super::connection::{configure, connect};
use super::database::{migrations, read_only};
use super::error::MirrorError;
use super::first_load::is_empty;
use super::transaction::utc_text;
use super::turns::Turns;
use crate::failpoint::{self, Place};
use crate::webhook::Candidates;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Customers that one delivery may hint at.
const CUSTOMERS_AT_MOST: usize = 16;

/// Shapes of deliveries that told of nobody which are told apart.
const SHAPES_AT_MOST: i64 = 100;

/// Deliveries that may wait for a run to find the orders that they name.
const ORDERS_AT_MOST: i64 = 10_000;

/// How often and how soon the write lock is tried again: for four seconds in all. The vendor gives up after ten.
const TRIES: i32 = 2_000;
const RETRY: Duration = Duration::from_millis(2);

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It made customers due, or found them due; or it names an order, and the next run finds out whose.
    Hinted,
    /// It tells of no customer.
    Unmatched,
}

/// The connection over which hints are written.
pub struct HintWriter {
    connection: Connection,
    path: PathBuf,
    /// Which file it is, in case somebody puts another one in its place.
    file: (u64, u64),
}

impl HintWriter {
    /// Opens the mirror at `path` for hints; `None` while nothing was loaded into it. Creates and migrates nothing.
    ///
    /// # Errors
    /// When there is no mirror, it can't be opened, or has another schema version than this program's.
    pub fn open(path: &Path) -> Result<Option<HintWriter>, MirrorError> {
        let path = read_only::find(path)?;
        let failed = |source| MirrorError::open(&path, source);
        let reader = read_only::connect(&path).map_err(failed)?;
        migrations::check_current(&reader, &path)?;
        if is_empty(&reader).map_err(failed)? {
            return Ok(None);
        }
        drop(reader);
        let file = identity(&path).ok_or_else(|| MirrorError::Missing { path: path.clone() })?;
        let mut connection = connect(&path)?;
        configure(&connection).map_err(failed)?;
        connection.busy_handler(Some(try_again)).map_err(failed)?;
        Ok(Some(HintWriter { connection, path, file }))
    }

    /// Takes what deliveries tell, all of them in one transaction; the answers stand in the same order. Durable on return.
    /// A customer that is due already stays so, and its row tells of the newer hint.
    ///
    /// # Errors
    /// When the mirror is locked for too long, can't be written, or another file has taken its place. Nothing was taken
    /// then, and the writer is to be dropped.
    pub fn take(
        &mut self,
        deliveries: &[Candidates],
        now: Timestamp,
        turns: &Turns,
    ) -> Result<Vec<Taken>, MirrorError> {
        let _turn = turns.ask();
        let begun = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate);
        let taking = Taking { transaction: begun?, now: utc_text(now), number: None };
        // Under the lock: nobody may exchange the file between this and the commit but by hand.
        if identity(&self.path) != Some(self.file) {
            return Err(MirrorError::Missing { path: self.path.clone() });
        }
        taking.take(deliveries)
    }
}

fn try_again(tries: i32) -> bool {
    std::thread::sleep(RETRY);
    tries < TRIES
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// One transaction.
struct Taking<'c> {
    transaction: Transaction<'c>,
    now: String,
    /// What hints of this transaction are numbered with.
    number: Option<i64>,
}

impl Taking<'_> {
    fn take(mut self, deliveries: &[Candidates]) -> Result<Vec<Taken>, MirrorError> {
        let taken = deliveries.iter().map(|found| self.delivery(found)).collect::<Result<_, _>>()?;
        failpoint::reached(Place::BeforeHintCommit);
        self.transaction.commit()?;
        failpoint::reached(Place::AfterHintCommit);
        Ok(taken)
    }

    fn delivery(&mut self, found: &Candidates) -> rusqlite::Result<Taken> {
        let customers = self.customers(found)?;
        if customers.is_empty() {
            if self.order(found)? {
                return Ok(Taken::Hinted);
            }
            unmatched(&self.transaction, &json_array(&found.paths), &self.now)?;
            return Ok(Taken::Unmatched);
        }
        for customer in customers {
            self.hint(&customer)?;
        }
        Ok(Taken::Hinted)
    }

    /// Those whom the mirror knows by what the delivery names. A customer that it doesn't know may be new. But a shop's own
    /// system has identifiers for its customers, too, which mostly are numbers: they count where nothing else is known.
    fn customers(&self, found: &Candidates) -> rusqlite::Result<Vec<String>> {
        let mut customers = Vec::new();
        let mut add = |id: String| {
            if !customers.contains(&id) && customers.len() < CUSTOMERS_AT_MOST {
                customers.push(id);
            }
        };
        let mut strangers = Vec::new();
        for id in &found.customers {
            if self.is_customer(id)? { add(id.clone()) } else { strangers.push(id) }
        }
        for id in &found.others {
            if let Some(owner) = self.owner(id)? {
                add(owner);
            } else if self.is_customer(id)? {
                add(id.clone());
            }
        }
        let is_number = |id: &str| id.bytes().all(|byte| byte.is_ascii_digit());
        let stranger = strangers.iter().find(|id| !is_number(id));
        let is_known = !customers.is_empty();
        let stranger = stranger.or(strangers.first().filter(|_| !is_known));
        // Where a customer is known by its name, nobody else is meant.
        let is_named = found.customers.iter().any(|id| customers.contains(id));
        customers.extend(stranger.filter(|_| !is_named).map(|id| (*id).clone()));
        Ok(customers)
    }

    fn is_customer(&self, id: &str) -> rusqlite::Result<bool> {
        let mut select = self.transaction.prepare_cached("SELECT 1 FROM customers WHERE id = ?1")?;
        select.exists([id])
    }

    /// The customer whom an event belongs to.
    fn owner(&self, event: &str) -> rusqlite::Result<Option<String>> {
        let mut select = self.transaction.prepare_cached("SELECT customer_id FROM events WHERE id = ?1")?;
        select.query_row([event], |row| row.get(0)).optional()
    }

    fn hint(&mut self, customer: &str) -> rusqlite::Result<()> {
        let number = match self.number {
            Some(number) => number,
            None => *self.number.insert(next_number(&self.transaction)?),
        };
        hint(&self.transaction, customer, &self.now, number)
    }

    /// Leaves it to the next run to find the orders that a delivery names; `false` if it names none, or too many wait.
    fn order(&self, found: &Candidates) -> rusqlite::Result<bool> {
        if found.orders.is_empty() {
            return Ok(false);
        }
        let insert = "INSERT INTO webhook_orders (order_ids, paths, at) SELECT ?1, ?2, ?3 \
                      WHERE (SELECT count(*) FROM webhook_orders) < ?4";
        let ids = json_array(&found.orders);
        let inserted = self.transaction.prepare_cached(insert)?.execute(params![
            ids,
            json_array(&found.paths),
            self.now,
            ORDERS_AT_MOST
        ])?;
        Ok(inserted > 0)
    }
}

/// Texts as a JSON array.
fn json_array(texts: &[String]) -> String {
    serde_json::Value::from(texts.to_vec()).to_string()
}

/// The number of the next hint.
pub(super) fn next_number(connection: &Connection) -> rusqlite::Result<i64> {
    let next = "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'webhook_hint_number' \
                RETURNING CAST(value AS INTEGER)";
    connection.query_row(next, [], |row| row.get(0))
}

/// Makes a customer due.
pub(super) fn hint(connection: &Connection, customer: &str, at: &str, number: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO webhook_hints (customer_id, first_at, newest_at, times, number) VALUES (?1, ?2, ?2, 1, ?3) \
             ON CONFLICT (customer_id) DO UPDATE SET newest_at = excluded.newest_at, times = times + 1, \
             number = excluded.number",
        )?
        .execute(params![customer, at, number])?;
    Ok(())
}

/// Counts a delivery that tells of nobody, by where its values stood.
pub(super) fn unmatched(connection: &Connection, paths: &str, at: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO webhook_unmatched (paths, times, first_at, last_at) \
             SELECT CASE WHEN EXISTS (SELECT 1 FROM webhook_unmatched WHERE paths = ?1) \
                           OR (SELECT count(*) FROM webhook_unmatched) < ?3 THEN ?1 ELSE '[\"(other)\"]' END, 1, ?2, ?2 \
             WHERE true \
             ON CONFLICT (paths) DO UPDATE SET times = times + 1, last_at = excluded.last_at",
        )?
        .execute(params![paths, at, SHAPES_AT_MOST])?;
    Ok(())
}

#[cfg(test)]
#[path = "hints_tests.rs"]
mod tests;
