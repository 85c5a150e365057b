//! Which runs were missed while no daemon was running.

use crate::schedule::Schedule;
use jiff::Timestamp;

/// A run of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// When it began.
    pub started_at: Timestamp,
    /// Whether it reached its end, even if something was missing from its result.
    pub complete: bool,
}

/// What the mirror has recorded about earlier runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// When the oldest recorded run began; `None`: there was none.
    pub first: Option<Timestamp>,
    /// The newest incremental run.
    pub sync: Option<Past>,
    /// The newest full run.
    pub full: Option<Past>,
}

impl History {
    /// The newest run that did the work of an incremental one; full runs do it, too.
    pub(super) fn newest_sync(&self) -> Option<Past> {
        self.sync.into_iter().chain(self.full).max_by_key(|past| past.started_at)
    }
}

/// Whether a run has to be made up for: `newest` did not reach its end, or another run has fallen due since it began, or
/// the mirror never had a run. If there was no run of this kind yet, those count that fell due since the mirror's `first`
/// run began.
pub(super) fn missed(
    schedule: &Schedule,
    newest: Option<Past>,
    first: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let since = match (newest, first) {
        (Some(past), _) if !past.complete => return true,
        (Some(past), _) => past.started_at,
        (None, Some(first)) => first,
        (None, None) => return true,
    };
    schedule.next_after(since).is_some_and(|due| due <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn at(time: &str) -> Timestamp {
        format!("2026-03-0{time}Z").parse().unwrap()
    }

    #[test]
    fn what_counts_as_missed() {
        let daily = Schedule::parse("0 3 * * *", TimeZone::UTC).unwrap();
        let done = |time| Some(Past { started_at: at(time), complete: true });
        let cut_off = |time| Some(Past { started_at: at(time), complete: false });
        let first = Some(at("1T12:00:00"));
        for (why, newest, first, now, expected) in [
            ("a new mirror", None, None, "1T12:00:00", true),
            ("done at its time", done("2T03:00:00"), first, "3T02:59:59", false),
            ("done late", done("2T11:00:00"), first, "3T02:59:59", false),
            ("due while the machine was off", done("2T03:00:00"), first, "3T09:00:00", true),
            ("due this very moment", done("2T03:00:00"), first, "3T03:00:00", true),
            ("days ago", done("2T03:00:00"), first, "9T09:00:00", true),
            ("cut off", cut_off("2T03:00:00"), first, "2T04:00:00", true),
            ("never, but not due since the first run", None, first, "2T02:59:59", false),
            ("never, and due since the first run", None, first, "2T03:00:00", true),
            ("the clock went back", done("9T03:00:00"), first, "2T04:00:00", false),
        ] {
            assert_eq!(missed(&daily, newest, first, at(now)), expected, "{why}");
        }
    }

    #[test]
    fn a_full_run_does_what_an_incremental_one_does() {
        let past = |time, complete| Some(Past { started_at: at(time), complete });
        let history =
            History { first: None, sync: past("2T03:00:00", true), full: past("3T03:00:00", false) };
        assert_eq!(history.newest_sync(), history.full);
        assert_eq!(History { full: None, ..history }.newest_sync(), history.sync);
        assert_eq!(History::default().newest_sync(), None);
    }
}
