//! The hints of webhooks, as runs and `status` see them. [`HintWriter`](crate::mirror::HintWriter) writes them.

use crate::mirror::MirrorError;
use crate::mirror::hints::{hint, next_number, unmatched};
use crate::mirror::transaction::{Batch, Snapshot, utc_text};
use crate::record::{RowSet, Stream};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::collections::HashMap;

/// A hint about a customer that neither the mirror nor the API comes to know is forgotten after this time: the vendor's own
/// attempts at a delivery end then, too.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The newest events among which an order is sought that a delivery names. Whoever hears of an order hears of it while it is
/// under way; to go through all events would take long, and an index of orders would cost every event.
const ORDERS_SOUGHT_IN: i64 = 200_000;

/// How far hints had come at some moment: the number of the newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HintMark(i64);

/// The hints that no run has followed yet, and the deliveries that told of nobody.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Hints {
    /// Customers that are due for hints.
    pub waiting: u64,
    /// When the oldest of these hints came: UTC, ISO 8601.
    pub oldest_at: Option<String>,
    /// Deliveries that told of no customer that can be found.
    pub unmatched: u64,
    /// What these looked like, the most frequent first.
    pub unmatched_shapes: Vec<UnmatchedShape>,
}

/// What deliveries looked like that told of no customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmatchedShape {
    /// Where the body's values stood, as a JSON array.
    pub paths: String,
    /// How many looked like this.
    pub times: u64,
    /// When the newest one came: UTC, ISO 8601.
    pub last_at: String,
}

impl Batch<'_> {
    /// Finds the customers of the orders that deliveries have named, among the newest events, and hints at them. What isn't
    /// found is counted as telling of nobody.
    ///
    /// # Errors
    /// When the mirror can't be read or written.
    pub fn find_orders(&mut self, now: Timestamp) -> Result<(), MirrorError> {
        let mut select = self.transaction.prepare_cached("SELECT delivery, paths, at FROM webhook_orders")?;
        let waiting = select
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<Vec<(i64, String, String)>>>()?;
        drop(select);
        if waiting.is_empty() {
            return Ok(());
        }
        let mut select = self.transaction.prepare(
            "SELECT DISTINCT delivery, customer_id FROM \
             (SELECT customer_id, CASE WHEN json_valid(properties) THEN properties ->> '$.shopify_order.id' END AS id \
              FROM events ORDER BY inserted_seq DESC LIMIT ?1) AS newest \
             JOIN (SELECT delivery, value FROM webhook_orders, json_each(order_ids)) AS named \
             ON named.value = CAST(newest.id AS TEXT)",
        )?;
        let mut rows = select.query([ORDERS_SOUGHT_IN])?;
        let mut customers: HashMap<i64, Vec<String>> = HashMap::new();
        while let Some(row) = rows.next()? {
            customers.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        drop(rows);
        drop(select);
        let number = next_number(&self.transaction)?;
        for (delivery, paths, at) in waiting {
            match customers.get(&delivery) {
                Some(customers) => {
                    customers.iter().try_for_each(|id| hint(&self.transaction, id, &at, number))?;
                }
                None => unmatched(&self.transaction, &paths, &utc_text(now))?,
            }
        }
        self.transaction.execute("DELETE FROM webhook_orders", [])?;
        Ok(())
    }

    /// How far the hints have come; `None` where none waits.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn hint_mark(&self) -> Result<Option<HintMark>, MirrorError> {
        let newest: Option<i64> =
            self.transaction.query_row("SELECT max(number) FROM webhook_hints", [], |row| row.get(0))?;
        Ok(newest.map(HintMark))
    }

    /// Makes the mirrored customers due that hints wait for, so that whatever run comes next looks at them, and forgets old
    /// hints about customers that nobody knows.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn make_hinted_due(&mut self, now: Timestamp) -> Result<(), MirrorError> {
        if let Ok(before) = now.checked_sub(FORGOTTEN_AFTER) {
            self.transaction.execute(
                "DELETE FROM webhook_hints WHERE newest_at < ?1 \
                 AND NOT EXISTS (SELECT 1 FROM customers WHERE id = customer_id)",
                [utc_text(before)],
            )?;
        }
        self.transaction.execute(
            "UPDATE customers SET events_checked_at = NULL \
             WHERE id IN (SELECT customer_id FROM webhook_hints) AND events_checked_at IS NOT NULL",
            [],
        )?;
        Ok(())
    }

    /// The customers that hints up to `mark` wait for, those whose newest hint is oldest first; at most `limit`.
    /// `unmirrored`: only those that the mirror doesn't hold.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn hinted(&self, mark: HintMark, unmirrored: bool, limit: usize) -> Result<Vec<String>, MirrorError> {
        let mut select = self.transaction.prepare(
            "SELECT customer_id FROM webhook_hints WHERE number <= ?1 \
             AND (NOT ?2 OR NOT EXISTS (SELECT 1 FROM customers WHERE id = customer_id)) ORDER BY number LIMIT ?3",
        )?;
        let ids = select.query_map(params![mark.0, unmirrored, limit as i64], |row| row.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes the hints about a customer away that had come at `mark`, because it was looked at since. A newer one stays.
    /// Returns how long the oldest of them had waited, if there was any.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn clear_hints(
        &mut self,
        customer_id: &str,
        mark: HintMark,
        now: Timestamp,
    ) -> Result<Option<SignedDuration>, MirrorError> {
        let first_at: Option<String> = self
            .transaction
            .prepare_cached("SELECT first_at FROM webhook_hints WHERE customer_id = ?1")?
            .query_row([customer_id], |row| row.get(0))
            .optional()?;
        let Some(first_at) = first_at else { return Ok(None) };
        let cleared = self
            .transaction
            .prepare_cached("DELETE FROM webhook_hints WHERE customer_id = ?1 AND number <= ?2")?
            .execute(params![customer_id, mark.0])?;
        if cleared == 0 {
            // What came meanwhile waits from then on.
            self.transaction
                .prepare_cached(
                    "UPDATE webhook_hints SET first_at = newest_at, times = 1 WHERE customer_id = ?1",
                )?
                .execute([customer_id])?;
        }
        Ok(first_at.parse::<Timestamp>().ok().map(|at| now.duration_since(at).max(SignedDuration::ZERO)))
    }
}

impl Snapshot<'_> {
    /// Whether any hint waits.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn has_hints(&self) -> Result<bool, MirrorError> {
        let any = "SELECT 1 FROM webhook_hints UNION ALL SELECT 1 FROM webhook_orders";
        Ok(self.transaction.prepare_cached(any)?.exists([])?)
    }

    /// The hints that wait, and the deliveries that told of nobody, with at most `shapes` of their shapes.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn hints(&self, shapes: usize) -> Result<Hints, MirrorError> {
        let count = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(|n| n.max(0) as u64);
        let mut hints = self.transaction.query_row(
            "SELECT count(*), min(first_at), (SELECT coalesce(sum(times), 0) FROM webhook_unmatched) FROM webhook_hints",
            [],
            |row| {
                let (waiting, unmatched) = (count(row, 0)?, count(row, 2)?);
                Ok(Hints { waiting, oldest_at: row.get(1)?, unmatched, unmatched_shapes: Vec::new() })
            },
        )?;
        let mut select = self.transaction.prepare(
            "SELECT paths, times, last_at FROM webhook_unmatched ORDER BY times DESC, paths LIMIT ?1",
        )?;
        let rows = select.query_map([shapes as i64], |row| {
            Ok(UnmatchedShape { paths: row.get(0)?, times: count(row, 1)?, last_at: row.get(2)? })
        })?;
        hints.unmatched_shapes = rows.collect::<rusqlite::Result<_>>()?;
        Ok(hints)
    }
}

/// The rows of those customers that hints wait for.
pub(super) fn hinted_rows(connection: &Connection, stream: Stream) -> Result<RowSet, MirrorError> {
    let sql = format!("SELECT rowid FROM {stream} WHERE id IN (SELECT customer_id FROM webhook_hints)");
    let mut select = connection.prepare_cached(&sql)?;
    let mut found = select.query([])?;
    let mut rows = RowSet::default();
    while let Some(row) = found.next()? {
        rows.insert(row.get(0)?);
    }
    Ok(rows)
}
