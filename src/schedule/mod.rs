//! Schedules: crontab(5) expressions and when they fire next.
//!
//! An expression has five fields (minute, hour, day of month, month, day of week); six mean leading seconds.
//! Names (`JAN`, `mon`), lists, ranges (also ones that wrap, `FRI-MON`), steps, `0` and `7` for Sunday and
//! `@hourly` and its kin are understood as crontab(5) describes them.
//!
//! Readings, where implementations differ:
//! - *Days.* Where day of month and day of week are both restricted, a day matches if **either** does. A field that
//!   starts with `*` counts as unrestricted, so `*/2` in one of them means that **both** must match: what
//!   Vixie cron and its descendants do, and what crontab(5) of Debian and cronie says ("do not start with *").
//! - *Wildcards*, where the clock is put forward or back. An expression whose minute or hour field has a step (`*/15`,
//!   `0-59/15`) or holds every value (`*`, `@hourly`) runs whenever the clock shows a time that matches: times that the
//!   clock leaves out don't run, times that it shows twice run twice. So `*/15` keeps to every fifteen minutes of real
//!   time. cron(8) of Debian and cronie does the same with fields that start with `*`; a step over a range written out
//!   means the same set of times, so it is treated alike here.
//! - *Fixed times*, all others, run once. Those inside the gap of a clock that goes forward run together, at the first
//!   instant after it; one that stands twice because the clock goes back runs the first time. That is cron(8)'s rule
//!   for changes of less than three hours; here it holds for every change that a time zone makes.
//!
//! Everything here is pure: the instant comes in as an argument.

mod error;
mod expression;
mod field;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod next;

pub use error::ScheduleError;

use expression::Parsed;
use jiff::tz::TimeZone;

/// When something runs: an expression in a time zone. It is known to fire.
#[derive(Debug, Clone)]
pub struct Schedule {
    expression: String,
    zone: TimeZone,
    parsed: Parsed,
}

/// The rest follows from these.
impl PartialEq for Schedule {
    fn eq(&self, other: &Schedule) -> bool {
        self.expression == other.expression && self.zone == other.zone
    }
}

impl Schedule {
    /// Reads an expression, to be evaluated on the clocks of `zone`.
    ///
    /// # Errors
    /// When it is no crontab(5) expression, or names only days that no calendar has (`0 0 31 2 *`).
    pub fn parse(expression: &str, zone: TimeZone) -> Result<Schedule, ScheduleError> {
        let expression = expression.trim();
        let parsed = expression::parse(expression)?;
        let schedule = Schedule { expression: expression.to_owned(), zone, parsed };
        if schedule.ever_fires() {
            Ok(schedule)
        } else {
            Err(ScheduleError::NeverFires { expression: expression.to_owned() })
        }
    }

    /// The expression as it was given, without surrounding space.
    pub fn expression(&self) -> &str {
        &self.expression
    }
}

#[cfg(test)]
mod tests;
