//! The line that `systemctl status` shows.

use super::super::output::counted;
use super::run_history::LastRun;
use crate::daemon::Kind;
use crate::mirror::Mode;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What the daemon is at, what it did last and what comes next, on the clocks of the schedule's zone.
pub(super) fn status_line(
    going: Option<(Kind, Timestamp)>,
    last: Option<&LastRun>,
    next: Option<(Kind, Timestamp)>,
    zone: &TimeZone,
    now: Timestamp,
) -> String {
    let clock = |at| clock(at, zone, now);
    let mut line = match going {
        Some((Kind::Sync, since)) => format!("sync since {}", clock(since)),
        Some((Kind::Full, since)) => format!("full sync since {}", clock(since)),
        Some((Kind::Hinted, since)) => format!("sync of hinted customers since {}", clock(since)),
        None => "idle".to_owned(),
    };
    line.push_str(&match last {
        Some(last) => format!(
            "; last {} {} {}, {}",
            if last.mode == Mode::Full { "full sync" } else { "sync" },
            clock(last.started_at),
            last.outcome.name(),
            counted(last.customers, "customer")
        ),
        None => "; never ran".to_owned(),
    });
    line.push_str(&match next {
        Some((Kind::Sync | Kind::Hinted, at)) => format!("; next {}", clock(at)),
        Some((Kind::Full, at)) => format!("; next {} (full)", clock(at)),
        None => "; nothing scheduled".to_owned(),
    });
    line
}

/// The day only where it is another one, the seconds only where there are any to plan by.
fn clock(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let (shown, today) = (zone.to_datetime(at), zone.to_datetime(now).date());
    let format = match (shown.date() == today, at > now && shown.second() != 0) {
        (true, false) => "%H:%M",
        (true, true) => "%H:%M:%S",
        (false, false) => "%Y-%m-%d %H:%M",
        (false, true) => "%Y-%m-%d %H:%M:%S",
    };
    shown.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::Outcome;

    #[test]
    fn lines_for_people() {
        let at = |time: &str| -> Timestamp { format!("2026-03-01T{time}Z").parse().unwrap() };
        let last =
            |mode, outcome, customers| Some(LastRun { mode, outcome, started_at: at("13:15:02"), customers });
        let sync = last(Mode::Incremental, Outcome::Ok, 12034);
        for (going, last, next, expected) in [
            (None, None, None, "idle; never ran; nothing scheduled"),
            (
                None,
                sync.clone(),
                Some((Kind::Sync, at("13:30:00"))),
                "idle; last sync 14:15 ok, 12,034 customers; next 14:30",
            ),
            (
                Some((Kind::Full, at("13:16:40"))),
                last(Mode::Full, Outcome::Failed, 1),
                Some((Kind::Sync, at("13:30:05"))),
                "full sync since 14:16; last full sync 14:15 failed, 1 customer; next 14:30:05",
            ),
            (
                None,
                sync,
                Some((Kind::Full, at("23:00:00"))),
                "idle; last sync 14:15 ok, 12,034 customers; next 2026-03-02 00:00 (full)",
            ),
        ] {
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            assert_eq!(status_line(going, last.as_ref(), next, &zone, at("13:20:00")), expected);
        }
    }
}
