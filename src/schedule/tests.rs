//! Case tables, and the comparison with an independent implementation of crontab.

mod against_croner;
mod clock_changes;

use super::*;
use jiff::Timestamp;

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, TimeZone::get(zone).unwrap()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next instants after `from`, each asked from the one before it.
fn run(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = schedule(expression, zone);
    std::iter::successors(schedule.next_after(at(from)), |&last| schedule.next_after(last))
        .take(count)
        .map(|instant| instant.to_string())
        .collect()
}

fn refusal(expression: &str) -> String {
    Schedule::parse(expression, TimeZone::UTC).expect_err(expression).to_string()
}

#[test]
fn crontab_s_meaning() {
    // 2026-01-01 is a Thursday.
    for (expression, next) in [
        ("* * * * *", "2026-01-01T00:01:00Z"),
        ("* * * * * *", "2026-01-01T00:00:01Z"),
        ("*/10 * * * * *", "2026-01-01T00:00:10Z"),
        ("*/15 * * * *", "2026-01-01T00:15:00Z"),
        ("5-59/15 * * * *", "2026-01-01T00:05:00Z"),
        ("0 3 * * 0", "2026-01-04T03:00:00Z"),
        ("0 3 * * 7", "2026-01-04T03:00:00Z"),
        ("0 3 * * SUN", "2026-01-04T03:00:00Z"),
        ("0 3 * * 1", "2026-01-05T03:00:00Z"),
        ("0 3 * * mon-FRI", "2026-01-01T03:00:00Z"),
        ("0 3 * * 6-7", "2026-01-03T03:00:00Z"),
        ("0 3 * * FRI-MON", "2026-01-02T03:00:00Z"),
        ("0 3 * * 7-2", "2026-01-04T03:00:00Z"),
        ("0 3 1 FEB *", "2026-02-01T03:00:00Z"),
        ("0 3 1 nov-feb *", "2026-01-01T03:00:00Z"),
        ("0 22-2 * * *", "2026-01-01T01:00:00Z"),
        ("0 22-2/2 * * *", "2026-01-01T02:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("@annually", "2027-01-01T00:00:00Z"),
        ("@monthly", "2026-02-01T00:00:00Z"),
        ("@weekly", "2026-01-04T00:00:00Z"),
        ("@daily", "2026-01-02T00:00:00Z"),
        ("@Midnight", "2026-01-02T00:00:00Z"),
        ("@hourly", "2026-01-01T01:00:00Z"),
        ("  0\t3  * * *  ", "2026-01-01T03:00:00Z"),
    ] {
        assert_eq!(run(expression, "UTC", "2026-01-01T00:00:00Z", 1), [next], "{expression}");
    }
}

#[test]
fn either_day_is_enough_where_both_are_restricted() {
    // The 13th, or a Friday.
    assert_eq!(
        run("0 0 13 * FRI", "UTC", "2026-01-08T00:00:00Z", 3),
        ["2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"]
    );
    // A field that starts with `*` restricts nothing by itself: both must match.
    assert_eq!(
        run("0 0 */2 * FRI", "UTC", "2026-01-01T00:00:00Z", 3),
        ["2026-01-09T00:00:00Z", "2026-01-23T00:00:00Z", "2026-02-13T00:00:00Z"]
    );
    assert_eq!(
        run("0 0 1 * */2", "UTC", "2026-01-01T00:00:00Z", 2),
        ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]
    );
}

#[test]
fn wrapping_ranges_are_their_lists() {
    for (range, list) in [
        ("0 0 * * FRI-MON", "0 0 * * 0,1,5,6"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * 0-7", "0 0 * * 0,1,2,3,4,5,6"),
        ("0 0 * * 5-1/2", "0 0 * * 5,0"),
        ("50-10/5 * * * *", "0,5,10,50,55 * * * *"),
        ("0 0 30-2 * *", "0 0 1,2,30,31 * *"),
        ("0 0 1 OCT-MAR/2 *", "0 0 1 10,12,2 *"),
    ] {
        let from = "2026-01-01T00:00:00Z";
        assert_eq!(run(range, "UTC", from, 20), run(list, "UTC", from, 20), "{range}");
    }
}

#[test]
fn rare_days_are_found_and_impossible_ones_refused() {
    assert_eq!(run("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1), ["2104-02-29T00:00:00Z"]);
    // A 29 February that is a Sunday, across a century without one: 40 years.
    assert_eq!(run("0 0 29 2 */7", "UTC", "2088-03-01T00:00:00Z", 1), ["2128-02-29T00:00:00Z"]);
    for expression in ["0 0 31 2 *", "0 0 30,31 FEB *", "0 0 31 4,6,9,11 *"] {
        assert!(refusal(expression).contains("never fires"), "{expression}");
    }
    // With a day of the week it fires on that.
    assert_eq!(run("0 0 31 2 MON", "UTC", "2026-01-01T00:00:00Z", 1), ["2026-02-02T00:00:00Z"]);
    let end = schedule("0 0 1 1 *", "UTC").next_after(at("9999-06-01T00:00:00Z"));
    assert_eq!(end, None);
}

#[test]
fn refusals_name_the_field_and_what_is_allowed() {
    for (expression, parts) in [
        ("", &["0 fields", "five"][..]),
        ("* * * *", &["4 fields"]),
        ("* * * * * * *", &["7 fields"]),
        ("60 * * * *", &["minute `60`", "60 is out of range", "0-59"]),
        ("* 24 * * *", &["hour `24`", "0-23"]),
        ("* * 0 * *", &["day of month `0`", "1-31"]),
        ("* * * 13 *", &["month `13`", "JAN-DEC"]),
        ("* * * * 8", &["day of week `8`", "0-7"]),
        ("* * * MON *", &["month `MON`", "`MON` is no value"]),
        ("* * * * JAN", &["day of week `JAN`"]),
        ("60 * * * * *", &["second `60`"]),
        ("1,,2 * * * *", &["minute `1,,2`", "empty place"]),
        ("*/0 * * * *", &["the step `0`"]),
        ("*/x * * * *", &["the step `x`"]),
        ("*/ * * * *", &["the step ``"]),
        ("5/15 * * * *", &["write `5-59/15` or `*/15`"]),
        ("+5 * * * *", &["`+5` is no value"]),
        ("-5 * * * *", &["minute `-5`"]),
        ("1-2-3 * * * *", &["minute `1-2-3`"]),
        ("* * L * *", &["day of month `L`"]),
        ("* * ? * *", &["day of month `?`"]),
        ("99999999999 * * * *", &["minute `99999999999`"]),
        ("@reboot", &["names no time"]),
        ("@fortnightly", &["`@fortnightly`", "@hourly"]),
    ] {
        let message = refusal(expression);
        assert!(parts.iter().all(|part| message.contains(part)), "{expression}: {message}");
    }
}

#[test]
fn a_time_in_the_spring_gap_runs_once_after_it() {
    // Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC.
    assert_eq!(
        run("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    // Several fixed times of the gap run together with 03:00.
    assert_eq!(
        run("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:45:00Z", 3),
        ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"]
    );
    // Lord Howe Island goes forward by half an hour, 2026-10-04 at 02:00 (15:30 UTC).
    assert_eq!(
        run("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 2),
        ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]
    );
    // Beirut goes forward at midnight: the day begins at 01:00 (22:00 UTC).
    assert_eq!(run("@daily", "Asia/Beirut", "2026-03-28T12:00:00Z", 1), ["2026-03-28T22:00:00Z"]);
    // Samoa left out 30 December 2011.
    assert_eq!(
        run("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z", 2),
        ["2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]
    );
}

#[test]
fn a_time_that_stands_twice_runs_the_first_time() {
    // Berlin, 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC.
    assert_eq!(
        run("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    assert_eq!(
        run("0,30 2,3 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 3),
        ["2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"]
    );
    // Asked from inside the second pass, where the clock shows 02:10 again.
    assert_eq!(run("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1), ["2026-10-26T01:30:00Z"]);
}

#[test]
fn strictly_after_on_whole_seconds() {
    let noon = schedule("0 12 * * *", "UTC");
    for (after, next) in [
        ("2026-01-01T11:59:59.999999999Z", "2026-01-01T12:00:00Z"),
        ("2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z"),
        ("2026-01-01T12:00:00.000000001Z", "2026-01-02T12:00:00Z"),
    ] {
        assert_eq!(noon.next_after(at(after)), Some(at(next)), "{after}");
    }
}
