//! Customers in the mirror.

use super::customer_lookup::{Found, look_up, look_up_one};
use super::customer_rows::{bind, customer_columns, stored_customer, time};
use crate::diff::{EventPlan, Trust, Verdict, compare, is_same_customer};
use crate::mirror::transaction::{Batch, Snapshot, Stamp, utc_text};
use crate::mirror::{MirrorError, RowSet};
use crate::record::{Customer, Op, Stream};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use std::collections::HashSet;

/// What a page of customers did to the mirror.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CustomersApplied {
    /// New to the mirror.
    pub inserted: u64,
    /// Changed.
    pub updated: u64,
    /// Not marked in `seen` before.
    pub first_met: u64,
    /// Listed in an older version than the mirror's, which was kept: their row numbers; in a full sync, which asks for each of
    /// these alone, also in another version whose age can't be told.
    pub stale: Vec<i64>,
    /// Listed in another version than the mirror's, and taken although the times don't tell which one is newer.
    pub undated: Vec<String>,
    /// Whose events are to be looked at now; each customer once in a walk.
    pub due: Vec<String>,
}

impl std::ops::AddAssign for CustomersApplied {
    fn add_assign(&mut self, more: CustomersApplied) {
        self.inserted += more.inserted;
        self.updated += more.updated;
        self.first_met += more.first_met;
        self.stale.extend(more.stale);
        self.undated.extend(more.undated);
        self.due.extend(more.due);
    }
}

/// What a customer of the list would mean for the mirror, without writing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerPreview {
    /// What would be done with it.
    pub verdict: Verdict,
    /// The row's number, where the mirror has one.
    pub row: Option<i64>,
    /// Whether its events could not be read, or not since its last change.
    pub events_pending: bool,
    /// Whether its events would be looked at.
    pub due: bool,
}

/// A mirrored customer, by name only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredCustomer {
    /// The row's number; customers of a later page have no smaller place in any order that matters.
    pub row: i64,
    /// The vendor's identifier.
    pub id: String,
}

impl Batch<'_> {
    /// Takes customers into the mirror, in the order given. Rows that did not change are not written. Marks each
    /// customer in `seen`, and tells whose events are due by `plan`; an inserted or changed customer's always are.
    ///
    /// # Errors
    /// When the mirror can't be read or written: the batch is then to be dropped.
    pub fn apply_customers(
        &mut self,
        stamp: Stamp,
        customers: &[Customer],
        trust: Trust,
        plan: EventPlan,
        seen: &mut RowSet,
    ) -> Result<CustomersApplied, MirrorError> {
        let mut applied = CustomersApplied::default();
        let mut written = HashSet::new();
        for (customer, found) in customers.iter().zip(look_up(&self.transaction, customers)?) {
            let found = match written.contains(customer.id.as_str()) {
                // It stands on the page twice.
                true => look_up_one(&self.transaction, customer)?,
                false => found,
            };
            let (row, changed, checked_at) =
                self.apply_customer(stamp, customer, found, (trust, plan), &mut applied)?;
            if changed {
                written.insert(customer.id.as_str());
            }
            let first_time = seen.insert(row);
            applied.first_met += u64::from(first_time);
            if (first_time || changed) && plan.is_due(&customer.id, checked_at, stamp.now) {
                applied.due.push(customer.id.clone());
            }
        }
        Ok(applied)
    }

    /// How many of these customers the mirror holds, as far as ids and times of creation tell: another account's customers
    /// may have the same ids.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn known_customers(&self, customers: &[Customer]) -> Result<u64, MirrorError> {
        let mut known = 0;
        for (customer, found) in customers.iter().zip(look_up(&self.transaction, customers)?) {
            known += u64::from(match found {
                Found::Nothing => false,
                Found::Same { .. } => true,
                Found::Other(stored) => is_same_customer(&stored.customer, customer),
            });
        }
        Ok(known)
    }

    /// Whether the mirror holds this customer, in the sense of [`Batch::known_customers`].
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn is_known(&self, customer: &Customer) -> Result<bool, MirrorError> {
        Ok(self.known_customers(std::slice::from_ref(customer))? == 1)
    }

    /// Returns the customer's row, whether it was written, and when its events were last read.
    fn apply_customer(
        &mut self,
        stamp: Stamp,
        customer: &Customer,
        found: Found,
        (trust, plan): (Trust, EventPlan),
        applied: &mut CustomersApplied,
    ) -> Result<(i64, bool, Option<Timestamp>), MirrorError> {
        let stored = match found {
            Found::Nothing => {
                applied.inserted += 1;
                return Ok((self.insert_customer(stamp, customer)?, true, None));
            }
            Found::Same { row, events_checked_at } => return Ok((row, false, events_checked_at)),
            Found::Other(stored) => stored,
        };
        let will_be_asked_for = matches!(plan, EventPlan::Everybody { .. });
        match compare(Some(&stored.customer), customer, trust) {
            Verdict::Unchanged | Verdict::Insert => return Ok((stored.row, false, stored.events_checked_at)),
            Verdict::Stale => applied.stale.push(stored.row),
            Verdict::Undated if will_be_asked_for => applied.stale.push(stored.row),
            verdict @ (Verdict::Update | Verdict::Undated) => {
                if verdict == Verdict::Undated {
                    applied.undated.push(customer.id.clone());
                }
                applied.updated += 1;
                self.update_customer(stamp, stored.row, customer)?;
                return Ok((stored.row, true, None));
            }
        }
        Ok((stored.row, false, stored.events_checked_at))
    }

    /// Deletes a customer with all its events, each with its own change and the same evidence. Returns how many
    /// events went with it, `None` where the mirror has no such customer.
    ///
    /// # Errors
    /// When the mirror can't be read or written.
    pub fn delete_customer(
        &mut self,
        stamp: Stamp,
        id: &str,
        evidence: &str,
    ) -> Result<Option<u64>, MirrorError> {
        let known: Option<i64> = self
            .transaction
            .prepare_cached("SELECT rowid FROM customers WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let Some(row) = known else { return Ok(None) };
        let events = self.event_ids(id)?;
        self.delete_events(stamp, id, &events, evidence)?;
        self.log(stamp, Stream::Customers, Op::Delete, id, Some(evidence))?;
        self.transaction.prepare_cached("DELETE FROM customers WHERE rowid = ?1")?.execute([row])?;
        self.clear_event_failure(id)?;
        self.transaction.prepare_cached("DELETE FROM event_lists WHERE customer_id = ?1")?.execute([id])?;
        self.transaction
            .prepare_cached("DELETE FROM rejected WHERE stream = 'events' AND customer_id = ?1")?
            .execute([id])?;
        Ok(Some(events.len() as u64))
    }

    /// Notes that the events of a customer were read to their end, as of `at`.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn mark_events_checked(&mut self, customer_id: &str, at: Timestamp) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached("UPDATE customers SET events_checked_at = ?2 WHERE id = ?1")?
            .execute(params![customer_id, utc_text(at)])?;
        self.clear_event_failure(customer_id)
    }

    /// Notes that the events of a customer were read to their end, and that they are due again all the same.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn leave_events_due(&mut self, customer_id: &str) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "UPDATE customers SET events_checked_at = NULL WHERE id = ?1 AND events_checked_at IS NOT NULL",
            )?
            .execute([customer_id])?;
        self.clear_event_failure(customer_id)
    }

    /// Those of these customers whose events were last read to their end before `since`, or not at all.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn events_unread_since(
        &self,
        customers: Vec<String>,
        since: Timestamp,
    ) -> Result<Vec<String>, MirrorError> {
        let mut unread = Vec::new();
        for id in customers {
            let stored = stored_customer(&self.transaction, &id)?;
            let checked_at = stored.and_then(|stored| stored.events_checked_at);
            // The mirror keeps milliseconds.
            if checked_at.is_none_or(|at| at.as_millisecond() < since.as_millisecond()) {
                unread.push(id);
            }
        }
        Ok(unread)
    }

    /// Mirrored customers that `seen` lacks, in the order of their rows; at most `limit`, from those after row `after`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn customers_not_in(
        &self,
        seen: &RowSet,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MirroredCustomer>, MirrorError> {
        self.customers_where(after, limit, |row, _, _| !seen.contains(row))
    }

    /// The mirrored customers in `seen`, in the order of their rows; at most `limit`, from those after row `after`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn customers_in(
        &self,
        seen: &RowSet,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MirroredCustomer>, MirrorError> {
        self.customers_where(after, limit, |row, _, _| seen.contains(row))
    }

    /// The mirrored customers in `seen` whose events are due by `plan`, in the order of their rows; at most `limit`,
    /// from those after row `after`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn customers_due(
        &self,
        seen: &RowSet,
        plan: EventPlan,
        now: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MirroredCustomer>, MirrorError> {
        self.customers_where(after, limit, |row, id, checked_at| {
            seen.contains(row) && plan.is_due(id, checked_at, now)
        })
    }

    /// How many customers the mirror holds.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn customer_count(&self) -> Result<u64, MirrorError> {
        Ok(self
            .transaction
            .prepare_cached("SELECT count(*) FROM customers")?
            .query_row([], |row| row.get::<_, i64>(0))? as u64)
    }

    /// Keeps a customer whose record came and can't be taken as the mirror holds it, if it does: it is marked in `seen`.
    /// Returns whether its events are due by `plan`. If the record `is_new`, they are: nothing says what changed.
    ///
    /// # Errors
    /// When the mirror can't be read or written.
    pub fn keep_customer(
        &mut self,
        id: &str,
        is_new: bool,
        plan: EventPlan,
        now: Timestamp,
        seen: &mut RowSet,
    ) -> Result<bool, MirrorError> {
        let Some(stored) = stored_customer(&self.transaction, id)? else { return Ok(false) };
        if is_new {
            self.transaction
                .prepare_cached("UPDATE customers SET events_checked_at = NULL WHERE rowid = ?1")?
                .execute([stored.row])?;
        }
        let first_time = seen.insert(stored.row);
        let checked_at = stored.events_checked_at.filter(|_| !is_new);
        Ok((first_time || is_new) && plan.is_due(id, checked_at, now))
    }

    fn customers_where(
        &self,
        after: i64,
        limit: usize,
        keep: impl Fn(i64, &str, Option<Timestamp>) -> bool,
    ) -> Result<Vec<MirroredCustomer>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT rowid, id, events_checked_at FROM customers WHERE rowid > ?1 ORDER BY rowid",
        )?;
        let mut rows = select.query([after])?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            let (number, id) = (row.get(0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
            if keep(number, id, time(row, 2)?) {
                found.push(MirroredCustomer { row: number, id: id.to_owned() });
            }
        }
        Ok(found)
    }

    fn insert_customer(&mut self, stamp: Stamp, customer: &Customer) -> rusqlite::Result<i64> {
        let seq = self.log(stamp, Stream::Customers, Op::Insert, &customer.id, None)?;
        let mut insert = self.transaction.prepare_cached(concat!(
            "INSERT INTO customers (id, ",
            customer_columns!(),
            ", change_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        ))?;
        insert.insert(bind(&customer.id, customer, &seq))
    }

    /// A changed customer's events become due: nothing says what changed.
    fn update_customer(&mut self, stamp: Stamp, row: i64, customer: &Customer) -> rusqlite::Result<()> {
        let seq = self.log(stamp, Stream::Customers, Op::Update, &customer.id, None)?;
        let mut update = self.transaction.prepare_cached(concat!(
            "UPDATE customers SET (",
            customer_columns!(),
            ", change_seq) = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9), events_checked_at = NULL WHERE rowid = ?1"
        ))?;
        update.execute(bind(&row, customer, &seq))?;
        Ok(())
    }
}

impl Snapshot<'_> {
    /// What a listed customer would mean for the mirror.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn preview_customer(
        &self,
        customer: &Customer,
        plan: EventPlan,
        now: Timestamp,
    ) -> Result<CustomerPreview, MirrorError> {
        let stored = stored_customer(&self.transaction, &customer.id)?;
        let verdict = compare(stored.as_ref().map(|stored| &stored.customer), customer, Trust::Listed);
        let changed = matches!(verdict, Verdict::Insert | Verdict::Update | Verdict::Undated);
        let checked_at = stored.as_ref().and_then(|stored| stored.events_checked_at);
        Ok(CustomerPreview {
            verdict,
            row: stored.map(|stored| stored.row),
            events_pending: checked_at.is_none(),
            due: plan.is_due(&customer.id, checked_at.filter(|_| !changed), now),
        })
    }
}
