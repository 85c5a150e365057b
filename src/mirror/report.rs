//! Sums over days and weeks, for the report.

use super::MirrorError;
use super::runs::Outcome;
use super::tables::stream_at;
use super::transaction::{Snapshot, utc_text};
use crate::record::Stream;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::OptionalExtension;
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

/// Changes of one stream on one day (UTC), by what happened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ChangeCount {
    /// Records that came.
    pub inserted: u64,
    /// Records that changed.
    pub updated: u64,
    /// Records that went.
    pub deleted: u64,
}

/// What happened in the mirror and at the shop.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Changes by day and stream.
    pub changes: BTreeMap<(Date, Stream), ChangeCount>,
    /// Events by week, counted from the one that holds the Monday before 1970, and type.
    pub events: BTreeMap<(i64, String), u64>,
}

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

    /// Changes of the mirror from `changed_since` on, and events that happened in the weeks from the one of `happened_since`
    /// to the one of `now`. Reads what came to the mirror since the earlier of the two: an event can't come before it
    /// happens.
    ///
    /// # Errors
    /// When the mirror can't be read, or [`MirrorError::Stopped`] where that was to take no longer.
    pub fn activity(
        &self,
        changed_since: Timestamp,
        happened_since: Timestamp,
        now: Timestamp,
    ) -> Result<Activity, MirrorError> {
        let mut activity = Activity::default();
        let changed_after = self.last_before(changed_since)?;
        let sql = "SELECT substr(observed_at, 1, 10), stream, op, count(*) FROM changes \
                   WHERE seq > ?1 AND NOT (stream = 'events' AND op = 'insert') GROUP BY 1, 2, 3";
        let mut select = self.transaction.prepare(sql)?;
        let mut rows = select.query([changed_after])?;
        while let Some(row) = rows.next()? {
            let (day, stream) = (date(&row.get::<_, String>(0)?)?, stream_at(row, 1)?);
            let count = activity.changes.entry((day, stream)).or_default();
            let (op, number) = (row.get::<_, String>(2)?, row.get::<_, i64>(3)? as u64);
            match op.as_str() {
                "insert" => count.inserted += number,
                "update" => count.updated += number,
                _ => count.deleted += number,
            }
        }
        self.inserted_events(&mut activity, (changed_after, happened_since), now)?;
        Ok(activity)
    }

    /// The events that came, by day, and those that happened, by week, in one reading: there may be millions.
    fn inserted_events(
        &self,
        activity: &mut Activity,
        (changed_after, happened_since): (i64, Timestamp),
        now: Timestamp,
    ) -> Result<(), MirrorError> {
        let weeks = week(happened_since.as_second())..=week(now.as_second());
        let mut days: BTreeMap<String, u64> = BTreeMap::new();
        let mut types: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
        let mut select = self.transaction.prepare(
            "SELECT inserted_seq, inserted_at, type, timestamp FROM events WHERE inserted_seq > ?1",
        )?;
        let mut rows = select.query([self.last_before(happened_since)?.min(changed_after)])?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            self.go_on(read)?;
            read += 1;
            if row.get::<_, i64>(0)? > changed_after {
                let at = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
                let day = at.get(..10).unwrap_or(at);
                match days.get_mut(day) {
                    Some(count) => *count += 1,
                    None => drop(days.insert(day.to_owned(), 1)),
                }
            }
            let Some(week) = row.get::<_, Option<i64>>(3)?.map(week).filter(|week| weeks.contains(week))
            else {
                continue;
            };
            let kind = row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)?.unwrap_or_default();
            match types.get_mut(kind) {
                Some(of_type) => *of_type.entry(week).or_default() += 1,
                None => drop(types.insert(kind.to_owned(), BTreeMap::from([(week, 1)]))),
            }
        }
        for (day, count) in days {
            activity.changes.entry((date(&day)?, Stream::Events)).or_default().inserted = count;
        }
        let weekly = types.into_iter().flat_map(|(kind, of_type)| {
            of_type.into_iter().map(move |(week, count)| ((week, kind.clone()), count))
        });
        activity.events = weekly.collect();
        Ok(())
    }

    /// How long the steps of orders took that were created at `since` or later.
    ///
    /// # Errors
    /// As [`Snapshot::activity`].
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

    /// The number of the newest change that was observed before `time`; 0: there is none. Changes are numbered in the order
    /// in which they are observed, so a search by halves finds it.
    fn last_before(&self, time: Timestamp) -> Result<i64, MirrorError> {
        let (time, mut low, mut high) = (utc_text(time), 0, self.head()?);
        let mut next = self
            .transaction
            .prepare("SELECT seq, observed_at FROM changes WHERE seq > ?1 ORDER BY seq LIMIT 1")?;
        while low < high {
            let middle = low + (high - low) / 2;
            let found = next
                .query_row([middle], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
                .optional()?;
            match found {
                Some((seq, at)) if at < time => low = seq,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

/// The week of a time in seconds since 1970, counted from the one that holds its beginning.
pub fn week(seconds: i64) -> i64 {
    seconds.saturating_add(BEFORE_1970).div_euclid(WEEK)
}

fn date(text: &str) -> Result<Date, MirrorError> {
    text.parse().map_err(|_| MirrorError::unreadable(format!("the day `{text}`")))
}
