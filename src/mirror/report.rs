//! Sums over days and weeks, for the report.

use super::MirrorError;
use super::runs::Outcome;
use super::tables::stream_at;
use super::transaction::{Snapshot, utc_text};
use crate::record::Stream;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// The runs of one day (UTC) that ended, or will end, in one way.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDay {
    /// When they began.
    pub day: Date,
    /// How they ended.
    pub outcome: Outcome,
    /// How many.
    pub runs: u64,
    /// Requests that they sent.
    pub requests: u64,
    /// Of these, sent again after a refusal or a fault.
    pub retries: u64,
    /// Seconds that the longest of them took.
    pub longest_seconds: f64,
}

/// Changes of one stream on one day (UTC), by what happened; from the table `change_days`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ChangeCount {
    /// Records that came.
    pub inserted: u64,
    /// Records that changed.
    pub updated: u64,
    /// Records that went.
    pub deleted: u64,
}

/// Events by type, and by week, counted from the one that holds the beginning of 1970.
pub type EventWeeks = BTreeMap<String, BTreeMap<i64, u64>>;

/// How long the steps of orders took.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderSteps {
    /// Orders that were looked at.
    pub orders: u64,
    /// From an order's creation to its delivery.
    pub steps: Vec<OrderStep>,
}

/// How long one step took.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderStep {
    /// Such as `created to fulfilled`.
    pub name: &'static str,
    /// Orders that have both times.
    pub orders: u64,
    /// By [`OrderSteps::LENGTHS`].
    pub by_length: [u64; OrderSteps::LENGTHS.len()],
    /// Half of the orders took at most so many seconds.
    pub median_seconds: Option<u32>,
    /// Nine in ten took at most so many.
    pub p90_seconds: Option<u32>,
}

impl OrderSteps {
    /// The lengths that are told apart: their names, and the seconds that they stay below.
    pub const LENGTHS: [(&'static str, u32); 8] = [
        ("< 1 h", 3_600),
        ("< 4 h", 4 * 3_600),
        ("< 12 h", 12 * 3_600),
        ("< 1 d", 86_400),
        ("< 2 d", 2 * 86_400),
        ("< 4 d", 4 * 86_400),
        ("< 7 d", 7 * 86_400),
        ("more", u32::MAX),
    ];
}

impl OrderStep {
    /// Sums up how many seconds the step took for each order.
    fn of(name: &'static str, mut seconds: Vec<u32>) -> OrderStep {
        let mut by_length = [0; OrderSteps::LENGTHS.len()];
        for seconds in &seconds {
            let place = OrderSteps::LENGTHS.iter().position(|(_, below)| seconds < below);
            by_length[place.unwrap_or(by_length.len() - 1)] += 1;
        }
        seconds.sort_unstable();
        let within = |share: f64| {
            let place = ((seconds.len() as f64 * share).ceil() as usize).saturating_sub(1);
            seconds.get(place).copied()
        };
        let (median_seconds, p90_seconds) = (within(0.5), within(0.9));
        OrderStep { name, orders: seconds.len() as u64, by_length, median_seconds, p90_seconds }
    }
}

/// The seconds of a week.
pub const WEEK: i64 = 7 * 86_400;

/// 1970 began on a Thursday: so many seconds of its first week, which began on a Monday, were over.
pub const BEFORE_1970: i64 = 3 * 86_400;

/// The steps of an order: what each is called, and the columns with its two times.
const ORDER_STEPS: [(&str, usize, usize); 3] =
    [("created to fulfilled", 0, 1), ("fulfilled to shipped", 1, 2), ("shipped to delivered", 2, 3)];

impl Snapshot<'_> {
    /// Runs that began at `since` or later, by day and outcome, but for those that followed webhooks: of these most are
    /// forgotten after a day.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn run_days(&self, since: Timestamp) -> Result<Vec<RunDay>, MirrorError> {
        let mut select = self.transaction.prepare(
            "SELECT substr(started_at, 1, 10), outcome, count(*), sum(requests), sum(retries), \
             coalesce(max((julianday(finished_at) - julianday(started_at)) * 86400.0), 0.0) \
             FROM sync_runs WHERE started_at >= ?1 AND mode <> 'hinted' GROUP BY 1, 2 ORDER BY 1, 2",
        )?;
        let mut rows = select.query([utc_text(since)])?;
        let mut days = Vec::new();
        while let Some(row) = rows.next()? {
            let day: String = row.get(0)?;
            days.push(RunDay {
                day: date(&day)?,
                outcome: row.get(1)?,
                runs: row.get::<_, i64>(2)? as u64,
                requests: row.get::<_, i64>(3)? as u64,
                retries: row.get::<_, i64>(4)? as u64,
                longest_seconds: row.get(5)?,
            });
        }
        Ok(days)
    }

    /// Changes by day and stream, from `since` on.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn change_days(&self, since: Date) -> Result<BTreeMap<(Date, Stream), ChangeCount>, MirrorError> {
        let mut select =
            self.transaction.prepare("SELECT day, stream, op, changes FROM change_days WHERE day >= ?1")?;
        let mut rows = select.query([since.to_string()])?;
        let mut days: BTreeMap<(Date, Stream), ChangeCount> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let count = days.entry((date(&row.get::<_, String>(0)?)?, stream_at(row, 1)?)).or_default();
            let (op, changes) = (row.get::<_, String>(2)?, row.get::<_, i64>(3)? as u64);
            match op.as_str() {
                "insert" => count.inserted = changes,
                "update" => count.updated = changes,
                "delete" => count.deleted = changes,
                // What an erased record's changes were is not known any more.
                _ => {}
            }
        }
        Ok(days)
    }

    /// Events by type and the week in which they happened, from the week of `since` to that of `now`. Reads what came to the
    /// mirror since then: an event can't come before it happens.
    ///
    /// # Errors
    /// When the mirror can't be read, or [`MirrorError::Stopped`] where it was to take no longer.
    pub fn event_weeks(&self, since: Timestamp, now: Timestamp) -> Result<EventWeeks, MirrorError> {
        let weeks = week(since.as_second())..=week(now.as_second());
        // Clocks may differ by as much as a day. Where nothing came since then, there is nothing to be read.
        let first = "SELECT min(first_seq) FROM change_days WHERE day >= date(?1, '-1 day')";
        let first: Option<i64> = self.transaction.query_row(first, [utc_text(since)], |row| row.get(0))?;
        let Some(first) = first else { return Ok(EventWeeks::new()) };
        let mut select =
            self.transaction.prepare("SELECT type, timestamp FROM events WHERE inserted_seq >= ?1")?;
        let mut rows = select.query([first])?;
        let mut types: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
        let mut read = 0;
        while let Some(row) = rows.next()? {
            self.go_on(read)?;
            read += 1;
            let Some(week) = row.get::<_, Option<i64>>(1)?.map(week).filter(|week| weeks.contains(week))
            else {
                continue;
            };
            let kind = row.get_ref(0)?.as_str_or_null().map_err(rusqlite::Error::from)?.unwrap_or_default();
            match types.get_mut(kind) {
                Some(of_type) => *of_type.entry(week).or_default() += 1,
                None => drop(types.insert(kind.to_owned(), BTreeMap::from([(week, 1)]))),
            }
        }
        Ok(types)
    }

    /// How long the steps of orders took that were created at `since` or later.
    ///
    /// # Errors
    /// As [`Snapshot::event_weeks`].
    pub fn order_steps(&self, since: Timestamp) -> Result<OrderSteps, MirrorError> {
        let sql = "SELECT created, fulfilled, shipped, delivered FROM order_facts WHERE created >= ?1";
        let mut select = self.transaction.prepare(sql)?;
        let mut rows = select.query([since.as_second()])?;
        let mut seconds = ORDER_STEPS.map(|_| Vec::new());
        let mut orders = 0;
        while let Some(row) = rows.next()? {
            self.go_on(orders)?;
            orders += 1;
            for (place, (_, from, to)) in ORDER_STEPS.into_iter().enumerate() {
                let (from, to): (Option<i64>, Option<i64>) = (row.get(from)?, row.get(to)?);
                if let Some((from, to)) = from.zip(to) {
                    // Clocks differ: what seems to end before it began took no time.
                    seconds[place].push(u32::try_from((to - from).max(0)).unwrap_or(u32::MAX));
                }
            }
        }
        let steps = ORDER_STEPS.into_iter().zip(seconds);
        let steps = steps.map(|((name, ..), seconds)| OrderStep::of(name, seconds)).collect();
        Ok(OrderSteps { orders: orders as u64, steps })
    }
}

/// The week of a time in seconds since 1970, counted from the one that holds its beginning.
pub fn week(seconds: i64) -> i64 {
    seconds.saturating_add(BEFORE_1970).div_euclid(WEEK)
}

fn date(text: &str) -> Result<Date, MirrorError> {
    text.parse().map_err(|_| MirrorError::unreadable(format!("the day `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::Mirror;
    use std::sync::Arc;

    /// A mirror with these rows, and the folder that it lies in.
    fn mirror(rows: &str) -> (tempfile::TempDir, Mirror) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        drop(Mirror::open(&path).unwrap());
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(rows).unwrap();
        let mirror = Mirror::open(&path).unwrap();
        (folder, mirror)
    }

    fn at(day: &str) -> Timestamp {
        format!("2026-{day}T12:00:00Z").parse().unwrap()
    }

    #[test]
    fn weeks_begin_on_mondays() {
        for (day, same) in [
            ("1969-12-29", 0),
            ("1970-01-04", 0),
            ("1970-01-05", 1),
            ("2026-03-01", 2930),
            ("2026-03-02", 2931),
        ] {
            let seconds = format!("{day}T00:00:00Z").parse::<Timestamp>().unwrap().as_second();
            assert_eq!((week(seconds), week(seconds + 86_399)), (same, same), "{day}");
        }
    }

    #[test]
    fn runs_are_summed_up_by_day_and_outcome() {
        let (_folder, mut mirror) = mirror(
            "INSERT INTO sync_runs (mode, started_at, finished_at, outcome, requests, retries) VALUES
             ('incremental', '2026-02-27T23:00:00.000Z', '2026-02-27T23:10:00.000Z', 'ok', 100, 1),
             ('incremental', '2026-02-28T01:00:00.000Z', '2026-02-28T01:01:00.000Z', 'ok', 10, 1),
             ('full', '2026-02-28T03:00:00.000Z', '2026-02-28T04:00:00.000Z', 'ok', 20, 2),
             ('hinted', '2026-02-28T03:00:00.000Z', '2026-02-28T09:00:00.000Z', 'ok', 7, 0),
             ('incremental', '2026-02-28T05:00:00.000Z', NULL, 'interrupted', 5, 5);",
        );
        let days = mirror.snapshot().unwrap().run_days("2026-02-28T00:00:00Z".parse().unwrap()).unwrap();
        let told: Vec<_> = days
            .iter()
            .map(|day| (day.outcome, day.runs, day.requests, day.retries, day.longest_seconds.round()))
            .collect();
        assert_eq!(told, [(Outcome::Interrupted, 1, 5, 5, 0.0), (Outcome::Ok, 2, 30, 3, 3_600.0)]);
    }

    #[test]
    fn changes_and_events_are_summed_up_by_day_and_week() {
        let (_folder, mut mirror) = mirror(
            "INSERT INTO change_days (day, stream, op, changes, first_seq, last_seq) VALUES
             ('2025-06-01', 'events', 'insert', 1, 1, 1),
             ('2026-02-28', 'events', 'insert', 3, 2, 4), ('2026-02-28', 'events', 'delete', 2, 5, 6);
             INSERT INTO events (id, customer_id, type, timestamp, inserted_seq, change_seq) VALUES
             ('old', 'c', 'A', unixepoch('2026-02-26'), 1, 1),
             ('monday', 'c', 'A', unixepoch('2026-02-23'), 2, 2),
             ('sunday', 'c', 'A', unixepoch('2026-03-01 23:59:59'), 3, 3),
             ('untyped', 'c', NULL, unixepoch('2026-02-15'), 4, 4),
             ('early', 'c', 'A', unixepoch('2020-01-01'), 5, 5), ('never', 'c', 'A', NULL, 6, 6);",
        );
        let snapshot = mirror.snapshot().unwrap();
        let days = snapshot.change_days("2026-02-01".parse().unwrap()).unwrap();
        let expected = ChangeCount { inserted: 3, updated: 0, deleted: 2 };
        assert_eq!(days, BTreeMap::from([(("2026-02-28".parse().unwrap(), Stream::Events), expected)]));
        let weeks = snapshot.event_weeks(at("02-08"), at("03-01")).unwrap();
        let expected = [("", vec![(2928, 1)]), ("A", vec![(2930, 2)])];
        let expected = expected.map(|(kind, weeks)| (kind.to_owned(), weeks.into_iter().collect()));
        // What came before the time that is looked at is not read.
        assert_eq!(weeks, BTreeMap::from(expected));
        assert!(snapshot.event_weeks(at("06-01"), at("06-02")).unwrap().is_empty());
        drop(snapshot);
        mirror.halt_when(Arc::new(|| true));
        let stopped = mirror.snapshot().unwrap().event_weeks(at("02-08"), at("03-01"));
        assert!(matches!(stopped, Err(MirrorError::Stopped)), "{stopped:?}");
    }

    #[test]
    fn steps_of_orders_are_told_by_their_length() {
        let order = |created: &str, fulfilled: &str, shipped: &str| {
            format!("(1, 0, unixepoch('{created}'), {fulfilled}, {shipped}, 1, 0, 1)")
        };
        let seconds = |time: &str| format!("unixepoch('{time}')");
        let rows = [
            order("2026-02-20", &seconds("2026-02-20 00:30:00"), "NULL"),
            order("2026-02-20", &seconds("2026-02-21 12:00:00"), &seconds("2026-02-21 11:00:00")),
            order("2025-02-20", &seconds("2025-02-21"), "NULL"),
        ];
        let (_folder, mut mirror) = mirror(&format!(
            "INSERT INTO order_facts (customer_row, is_open, created, fulfilled, shipped, event_count, issue_count,              shipment_count) VALUES {}",
            rows.join(", ")
        ));
        let told = mirror.snapshot().unwrap().order_steps(at("02-01")).unwrap();
        assert_eq!(told.orders, 2);
        let step = &told.steps[0];
        assert_eq!((step.orders, step.by_length), (2, [1, 0, 0, 0, 1, 0, 0, 0]));
        assert_eq!((step.median_seconds, step.p90_seconds), (Some(1_800), Some(129_600)));
        // Clocks differ: it seems to have been shipped before it was fulfilled.
        assert_eq!((told.steps[1].orders, told.steps[1].median_seconds), (1, Some(0)));
        assert_eq!((told.steps[2].orders, told.steps[2].median_seconds), (0, None));
    }
}
