//! Finds what has been kept for long enough (`[retention]`). Nothing here writes.

use super::erased::Expired;
use crate::diff::Expiry;
use crate::mirror::MirrorError;
use crate::mirror::changes::successors;
use crate::mirror::transaction::{Snapshot, utc_text};
use crate::record::{IdSet, Instant, Stream, instant};
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

/// Versions that ended before a time: their stream, their records, the changes that began and that ended them, and when. Those
/// that were forgotten already may stand in export files.
fn ended() -> String {
    format!(
        "SELECT version.stream, version.id, version.seq, version.next, ending.observed_at FROM ({}) AS version \
         CROSS JOIN change_log AS ending ON ending.seq = version.next WHERE ending.observed_at < ?1 \
         AND NOT EXISTS (SELECT 1 FROM change_log AS line WHERE line.seq = version.seq AND line.op IN ('delete', 'erase')) \
         AND NOT EXISTS (SELECT 1 FROM erased_changes AS e WHERE e.seq = version.seq)",
        successors()
    )
}

/// What has expired.
pub(super) enum Found<'f> {
    /// An event, with its customer's id.
    Event(&'f str, Option<&'f str>),
    /// A customer, whose events go with it.
    Customer(&'f str),
    /// A version of a record that stays.
    Version(EndedVersion<'f>),
}

/// A version of a record.
pub(super) struct EndedVersion<'v> {
    pub(super) stream: Stream,
    pub(super) id: &'v str,
    /// The change that began it.
    pub(super) seq: i64,
    /// The change that ended it.
    pub(super) ended_by: i64,
}

/// What has expired by a rule.
#[derive(Default)]
struct Tally {
    ids: IdSet,
    /// Of customers, the events that go with them and have not expired by themselves.
    events: IdSet,
    versions: u64,
    times: Option<(Instant, Instant)>,
}

impl Tally {
    fn add(&mut self, id: &str, last: Instant) {
        self.ids.insert(id);
        self.add_time(last);
    }

    fn add_time(&mut self, last: Instant) {
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
/// handed over only if they have expired by themselves, and of what goes no versions are. Keeps eight bytes in memory for
/// each record found, and for each customer with young events.
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
            customers.events.insert(id);
        }
        Ok(())
    })?;
    count_versions(connection, &mut events, &mut customers)?;
    let mut history = Tally::default();
    if let Some(before) = expiry.history_before {
        each_ended(connection, before, |version, ended_at| {
            let goes_anyway = match version.stream.parent() {
                None => customers.ids.contains(version.id),
                Some(_) => events.ids.contains(version.id) || customers.events.contains(version.id),
            };
            if goes_anyway {
                return Ok(());
            }
            history.versions += 1;
            instant(ended_at).into_iter().for_each(|at| history.add_time(at));
            each(Found::Version(version))
        })?;
    }
    let told = [
        events.told("retention.events", 0, events.ids.len() as u64),
        customers.told(
            "retention.inactive_customers",
            customers.ids.len() as u64,
            customers.events.len() as u64,
        ),
        history.told("retention.history", 0, 0),
    ];
    Ok(told.into_iter().flatten().collect())
}

fn each_ended(
    connection: &Connection,
    before: Timestamp,
    mut each: impl FnMut(EndedVersion<'_>, &str) -> Result<(), MirrorError>,
) -> Result<(), MirrorError> {
    let mut select = connection.prepare(&ended())?;
    let mut rows = select.query([utc_text(before)])?;
    while let Some(row) = rows.next()? {
        let stream = text(row, 0)?.and_then(Stream::from_name);
        let stream = stream.ok_or_else(|| MirrorError::unreadable("a change's stream"))?;
        let id = text(row, 1)?.unwrap_or_default();
        let version = EndedVersion { stream, id, seq: row.get(2)?, ended_by: row.get(3)? };
        each(version, text(row, 4)?.unwrap_or_default())?;
    }
    Ok(())
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
