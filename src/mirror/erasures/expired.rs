//! Finds what has been kept for long enough (`[retention]`). Nothing here writes.

use super::erased::Expired;
use crate::diff::Expiry;
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Snapshot, utc_text};
use crate::record::{IdSet, Instant};
use jiff::Timestamp;
use rusqlite::{Connection, Row};

/// Each event as it stands now: its id, its customer's, its times, and a time that stands for these where they aren't known.
const EVENTS: &str = "SELECT id, customer_id, created_at, updated_at, NULL FROM events";

/// The same of customers whose events are known: read to their end, and without one that could not be taken.
const CUSTOMERS: &str = "SELECT id, id, created_at, updated_at, NULL FROM customers WHERE events_checked_at IS NOT NULL \
     AND NOT EXISTS (SELECT 1 FROM rejected WHERE stream = 'events' AND customer_id = customers.id AND outcome = 'rejected')";

/// Each event that was deleted: the version that ended then. Of one whose versions are forgotten nobody knows the times; but
/// it is no younger than its deletion.
const DELETED_EVENTS: &str = "SELECT line.id, coalesce(old.customer_id, line.customer_id), old.created_at, old.updated_at, \
     iif(old.end_seq IS NULL, line.observed_at, NULL) \
     FROM change_log AS line LEFT JOIN events_superseded AS old ON old.end_seq = line.seq \
     WHERE line.stream = 'events' AND line.op = 'delete' AND NOT EXISTS (SELECT 1 FROM events AS now WHERE now.id = line.id) \
     AND NOT EXISTS (SELECT 1 FROM change_log AS later WHERE later.stream = 'events' AND later.op = 'delete' \
         AND later.id = line.id AND later.seq > line.seq)";

/// The same of customers.
const DELETED_CUSTOMERS: &str = "SELECT line.id, line.id, old.created_at, old.updated_at, \
     iif(old.end_seq IS NULL, line.observed_at, NULL) \
     FROM change_log AS line LEFT JOIN customers_superseded AS old ON old.end_seq = line.seq \
     WHERE line.stream = 'customers' AND line.op = 'delete' \
     AND NOT EXISTS (SELECT 1 FROM customers AS now WHERE now.id = line.id) \
     AND NOT EXISTS (SELECT 1 FROM change_log AS later WHERE later.stream = 'customers' AND later.op = 'delete' \
         AND later.id = line.id AND later.seq > line.seq)";

/// A record that has expired.
pub(super) enum Found<'f> {
    /// An event, with its customer's id.
    Event(&'f str, Option<&'f str>),
    /// A customer, whose events go with it.
    Customer(&'f str),
}

/// What has expired by a rule.
#[derive(Default)]
struct Tally {
    ids: IdSet,
    /// Of customers, the events that go with them and have not expired by themselves.
    events: u64,
    versions: u64,
    times: Option<(Instant, Instant)>,
}

impl Tally {
    fn add(&mut self, id: &str, last: Instant) {
        self.ids.insert(id);
        let (oldest, newest) = self.times.unwrap_or((last, last));
        self.times = Some((oldest.min(last), newest.max(last)));
    }

    /// `None`: nothing has.
    fn told(&self, rule: &str, customers: u64, events: u64) -> Option<Expired> {
        let (oldest, newest) = self.times?;
        let time = |at: Instant| Timestamp::from_microsecond(at.as_microsecond()).ok().map(utc_text);
        let (oldest, newest, versions) = (time(oldest), time(newest), self.versions);
        Some(Expired { rule: rule.to_owned(), customers, events, versions, oldest, newest })
    }
}

/// Finds what has expired, by rule, and hands each record over, customers first. The events of a customer who has expired are
/// handed over only if they have expired by themselves. Keeps eight bytes in memory for each record found, and for each
/// customer with young events.
pub(super) fn find(
    connection: &Connection,
    expiry: &Expiry,
    mut each: impl FnMut(Found<'_>) -> Result<(), MirrorError>,
) -> Result<Vec<Expired>, MirrorError> {
    let (mut events, mut customers) = (Tally::default(), Tally::default());
    if expiry.inactive_before.is_some() {
        let mut active = IdSet::default();
        each_row(connection, &[EVENTS, DELETED_EVENTS], |row, times| {
            if let (true, Some(customer)) = (expiry.keeps_customer(times), text(row, 1)?) {
                active.insert(customer);
            }
            Ok(())
        })?;
        each_row(connection, &[CUSTOMERS, DELETED_CUSTOMERS], |row, times| {
            let id = text(row, 0)?.unwrap_or_default();
            if let Some(last) = expiry.of_customer(times).filter(|_| !active.contains(id)) {
                customers.add(id, last);
                each(Found::Customer(id))?;
            }
            Ok(())
        })?;
    }
    each_row(connection, &[EVENTS, DELETED_EVENTS], |row, times| {
        let (id, customer) = (text(row, 0)?.unwrap_or_default(), text(row, 1)?);
        if let Some(last) = expiry.of_event(times) {
            events.add(id, last);
            each(Found::Event(id, customer))?;
        } else if customer.is_some_and(|customer| customers.ids.contains(customer)) {
            customers.events += 1;
        }
        Ok(())
    })?;
    count_versions(connection, &mut events, &mut customers)?;
    let told = [
        events.told("retention.events", 0, events.ids.len() as u64),
        customers.told("retention.inactive_customers", customers.ids.len() as u64, customers.events),
    ];
    Ok(told.into_iter().flatten().collect())
}

/// Counts the earlier versions that go with what was found.
fn count_versions(
    connection: &Connection,
    events: &mut Tally,
    customers: &mut Tally,
) -> Result<(), MirrorError> {
    let mut select = connection.prepare("SELECT id, customer_id FROM events_superseded")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if events.ids.contains(text(row, 0)?.unwrap_or_default()) {
            events.versions += 1;
        } else if customers.ids.contains(text(row, 1)?.unwrap_or_default()) {
            customers.versions += 1;
        }
    }
    let mut select = connection.prepare("SELECT id FROM customers_superseded")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        customers.versions += u64::from(customers.ids.contains(text(row, 0)?.unwrap_or_default()));
    }
    Ok(())
}

/// Hands over the rows of these queries, each with the times by which it is judged.
fn each_row(
    connection: &Connection,
    queries: &[&str],
    mut each: impl FnMut(&Row<'_>, [Option<&str>; 2]) -> Result<(), MirrorError>,
) -> Result<(), MirrorError> {
    for sql in queries {
        let mut select = connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let times = match text(row, 4)? {
                Some(deleted_at) => [Some(deleted_at), None],
                None => [text(row, 2)?, text(row, 3)?],
            };
            each(row, times)?;
        }
    }
    Ok(())
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r str>, MirrorError> {
    Ok(row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?)
}

impl Snapshot<'_> {
    /// What has expired, by rule; empty where nothing has.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn expired(&self, expiry: &Expiry) -> Result<Vec<Expired>, MirrorError> {
        find(&self.transaction, expiry, |_| Ok(()))
    }
}
