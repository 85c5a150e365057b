//! The search for the next time: on the calendar and the clock of the zone, then as an instant.

use super::Schedule;
use cron::TimeUnitSpec;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The Gregorian calendar repeats after 400 years, weekdays included: a day that none of them has never comes.
const CALENDAR_CYCLE_YEARS: i16 = 400;
/// More seconds than any clock was ever put back at once (a day, at the date line): so many times at most lie
/// behind the instant asked from although the clock shows them ahead.
const LONGEST_FOLD_SECONDS: u32 = 2 * 24 * 60 * 60;

impl Schedule {
    /// The first instant strictly after `after` at which it fires, always a whole second; `None` only near
    /// the end of the calendar, in the year 9999. The instants of successive calls ascend, so a loop over
    /// them ends. The search is bounded.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        if self.parsed.is_wildcard { self.next_shown(after) } else { self.next_once(after) }
    }

    /// The next instant at which the clock shows a matching time, however often it shows it.
    ///
    /// Between two changes of the clock its times ascend, and the first match on it is the next one. A change matters
    /// only where it comes before that match; and the match found is still the first one after the change unless the
    /// clock then shows an earlier time than was searched from, or has already left the match out.
    fn next_shown(&self, after: Timestamp) -> Option<Timestamp> {
        let mut offset = self.zone.to_offset(after);
        let mut searched_from = next_second(offset.to_datetime(after))?;
        let mut found = self.next_on_clock(searched_from)?;
        for change in self.zone.following(after) {
            let instant = offset.to_timestamp(found).ok()?;
            if instant < change.timestamp() {
                return Some(instant);
            }
            offset = change.offset();
            let shown = offset.to_datetime(change.timestamp());
            if shown < searched_from || shown > found {
                found = self.next_on_clock(shown)?;
            }
            searched_from = shown;
        }
        offset.to_timestamp(found).ok()
    }

    /// The next instant, where each time of the calendar runs once.
    fn next_once(&self, after: Timestamp) -> Option<Timestamp> {
        let clock = self.zone.to_datetime(after);
        let mut candidate = clock.with().subsec_nanosecond(0).build().ok()?;
        // Instants ascend with the clock's times, so the first that lies ahead is the next one. In the second
        // pass of an autumn hour the first candidates lie behind: they ran in the first pass.
        for _ in 0..LONGEST_FOLD_SECONDS {
            let time = self.next_on_clock(candidate)?;
            let instant = first_instant(&self.zone, time)?;
            if instant > after {
                return Some(instant);
            }
            candidate = next_second(time)?;
        }
        None
    }

    /// Whether any day matches at all.
    pub(super) fn ever_fires(&self) -> bool {
        self.next_day(jiff::civil::date(2000, 1, 1)).is_some()
    }

    /// The first time at or after `from` that matches, whether the zone has it or not.
    fn next_on_clock(&self, from: DateTime) -> Option<DateTime> {
        let day = self.next_day(from.date())?;
        if day == from.date() {
            match self.next_time(from.time()) {
                Some(time) => return Some(day.to_datetime(time)),
                None => return self.next_on_clock(day.tomorrow().ok()?.to_datetime(Time::midnight())),
            }
        }
        Some(day.to_datetime(self.next_time(Time::midnight())?))
    }

    /// The first matching day at or after `from`, within one cycle of the calendar.
    fn next_day(&self, from: Date) -> Option<Date> {
        let end = from.year().saturating_add(CALENDAR_CYCLE_YEARS);
        let mut day = from;
        while day.year() <= end {
            if !self.parsed.sets.months().includes(day.month().unsigned_abs().into()) {
                day = day.last_of_month().tomorrow().ok()?;
            } else if self.day_matches(day) {
                return Some(day);
            } else {
                day = day.tomorrow().ok()?;
            }
        }
        None
    }

    fn day_matches(&self, date: Date) -> bool {
        let day = self.parsed.sets.days_of_month().includes(date.day().unsigned_abs().into());
        let weekday = date.weekday().to_sunday_one_offset().unsigned_abs().into();
        let weekday = self.parsed.sets.days_of_week().includes(weekday);
        if self.parsed.either_day { day || weekday } else { day && weekday }
    }

    /// The first matching time of day at or after `from`.
    fn next_time(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) =
            (unsigned(from.hour()), unsigned(from.minute()), unsigned(from.second()));
        let this_hour = self.parsed.sets.hours().includes(hour);
        if this_hour
            && self.parsed.sets.minutes().includes(minute)
            && let Some(second) = at_or_after(self.parsed.sets.seconds(), second)
        {
            return time(hour, minute, second);
        }
        let first_second = at_or_after(self.parsed.sets.seconds(), 0)?;
        if this_hour && let Some(minute) = at_or_after(self.parsed.sets.minutes(), minute + 1) {
            return time(hour, minute, first_second);
        }
        let first_minute = at_or_after(self.parsed.sets.minutes(), 0)?;
        time(at_or_after(self.parsed.sets.hours(), hour + 1)?, first_minute, first_second)
    }
}

/// The whole second after `time`, which may have a fraction.
fn next_second(time: DateTime) -> Option<DateTime> {
    let second = time.with().subsec_nanosecond(0).build().ok()?;
    second.checked_add(jiff::SignedDuration::from_secs(1)).ok()
}

fn at_or_after(set: &impl TimeUnitSpec, least: u32) -> Option<u32> {
    set.iter().find(|&value| value >= least)
}

fn unsigned(part: i8) -> u32 {
    part.unsigned_abs().into()
}

fn time(hour: u32, minute: u32, second: u32) -> Option<Time> {
    let part = |value: u32| i8::try_from(value).ok();
    Time::new(part(hour)?, part(minute)?, part(second)?, 0).ok()
}

/// The first instant at which the clocks of `zone` show `time`, or the first after the gap that swallows it.
fn first_instant(zone: &TimeZone, time: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        AmbiguousOffset::Gap { before, after } => {
            // Read with the offset after the gap, the time lies before the change; with the one before it,
            // at or after the change. So the change is the one between the two.
            let (earlier, later) = (after.to_timestamp(time).ok()?, before.to_timestamp(time).ok()?);
            let change = zone
                .following(earlier)
                .map(|change| (change.timestamp(), change.offset()))
                .take_while(|&(instant, _)| instant <= later)
                .find(|&(_, offset)| offset == after);
            Some(change.map_or(later, |(instant, _)| instant))
        }
    }
}
