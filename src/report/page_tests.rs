//! The page, from a report that was made up.

use super::*;
use crate::mirror::{ChangeCount, Freshness, Mode, OrderStep, OrderSteps, Outcome, RunDay, week};
use crate::record::Stream;
use crate::report::{ExportLine, Outlook, RunLine, Trouble};
use jiff::SignedDuration;
use jiff::civil::date;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn stream(stream: Stream, rows: u64) -> Freshness {
    let at = (rows > 0).then(|| "2026-03-01T11:55:00.000Z".to_owned());
    Freshness {
        stream,
        row_count: rows,
        last_change_seq: rows as i64,
        last_sync_ok_at: at.clone(),
        last_full_ok_at: at,
        unseen_mean_seconds: None,
        unseen_p95_seconds: None,
    }
}

fn steps(orders: u64) -> OrderSteps {
    let step = |name| OrderStep {
        name,
        orders,
        by_length: [0, orders, 0, 0, 0, 0, 0, 0],
        median_seconds: (orders > 0).then_some(7_200),
        p90_seconds: (orders > 0).then_some(9_000),
    };
    OrderSteps { orders, steps: vec![step("created to fulfilled"), step("fulfilled to shipped")] }
}

/// Of a mirror that holds nothing yet.
fn empty() -> Report {
    Report {
        now: now(),
        zone: TimeZone::UTC,
        mirror_id: "m-1".to_owned(),
        version: "0.1.0",
        is_account_in_doubt: false,
        is_running: false,
        streams: vec![stream(Stream::Customers, 0), stream(Stream::Events, 0)],
        last_error: None,
        newest_runs: Vec::new(),
        run_days: Vec::new(),
        changes: BTreeMap::new(),
        events: Some(BTreeMap::new()),
        orders: Some(steps(0)),
        exports: Vec::new(),
        plan: Outlook {
            next_sync: "2026-03-01T12:15:00Z".parse().ok(),
            next_full: None,
            interval: Some(SignedDuration::from_mins(15)),
            events_max_age: SignedDuration::from_hours(24),
            runs_in_a_day: 96,
            has_webhooks: false,
            hints_waiting: 0,
        },
    }
}

fn filled() -> Report {
    let day = date(2026, 2, 28);
    let changes = ChangeCount { inserted: 1_500, updated: 20, deleted: 3 };
    let types = ["ShopifyOrderCreated", "<script>alert(1)</script>", "", "a", "b", "c", "d", "e", "f"];
    let this_week = week(now().as_second());
    let events = types.iter().zip(1..);
    let events = events.map(|(kind, n)| ((*kind).to_owned(), BTreeMap::from([(this_week, 1_000 - 100 * n)])));
    let run_day =
        |outcome| RunDay { day, outcome, runs: 90, requests: 5_000, retries: 12, longest_seconds: 95.0 };
    Report {
        streams: vec![stream(Stream::Customers, 1_000), stream(Stream::Events, 5_000)],
        newest_runs: vec![RunLine {
            run_id: 7,
            mode: Mode::Incremental,
            outcome: Outcome::Ok,
            started_at: "2026-03-01T11:50:00.000Z".to_owned(),
            seconds: Some(42.0),
            requests: 120,
            changes: 17,
        }],
        run_days: vec![run_day(Outcome::Ok), run_day(Outcome::Failed)],
        changes: BTreeMap::from([((day, Stream::Customers), changes), ((day, Stream::Events), changes)]),
        events: Some(events.collect()),
        orders: Some(steps(9)),
        exports: vec![ExportLine {
            stream: "events".to_owned(),
            format: "csv".to_owned(),
            exported_to: 5_000,
            newest_change: 5_000,
            at: Some("2026-03-01T11:56:00.000Z".to_owned()),
        }],
        ..empty()
    }
}

fn trouble(outcome: Outcome, ok_since: Option<i64>) -> Option<Trouble> {
    Some(Trouble {
        run_id: 6,
        mode: Mode::Full,
        outcome,
        at: "2026-03-01T10:00:00.000Z".to_owned(),
        error: "GET /customers/c-17/events: the API failed (HTTP 500)".to_owned(),
        what_to_do: Some("Run again later.".to_owned()),
        ok_since,
    })
}

#[test]
fn an_empty_mirror_has_a_sensible_page() {
    let page = page(&empty());
    for text in [
        "Not filled yet",
        "There is nothing to show for this time.",
        "None is recorded.",
        "Nothing is exported.",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("class=\"chart\"") && !page.contains("NaN"), "{page}");
}

#[test]
fn a_filled_one_has_every_chart_with_its_table() {
    let page = page(&filled());
    assert_eq!(page.matches("class=\"chart\"").count(), 7);
    assert_eq!(page.matches("The numbers").count(), 7);
    assert!(page.contains(">Current<") && page.contains("up to date"));
    // Seven patterns: six types of their own, and the rest together.
    assert!(page.contains("3 others") && page.contains("without a type"));
    assert!(!page.contains("NaN"));
}

#[test]
fn names_from_outside_stay_text_and_nothing_is_loaded() {
    let page = page(&filled());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"));
    for from_outside in ["http://", "https://", " src=", "@import", " style=", "onload"] {
        assert!(!page.contains(from_outside), "{from_outside}");
    }
}

#[test]
fn who_can_not_see_it_finds_the_way() {
    let page = page(&filled());
    for landmark in [
        "<html lang=\"en\">",
        "<header>",
        "<nav aria-label",
        "<main id=\"main\">",
        "<footer>",
        "class=\"skip\"",
    ] {
        assert_eq!(page.matches(landmark).count(), 1, "{landmark}");
    }
    assert_eq!((page.matches("<h1>").count(), page.matches("<h2 ").count()), (1, 8));
    for chart in page.split("<svg class=\"chart\"").skip(1) {
        let head = &chart[..chart.find('>').unwrap()];
        assert!(head.contains("role=\"img\"") && head.contains("aria-labelledby"), "{head}");
        assert!(chart.contains("<title>") && chart.contains("<desc>"));
    }
    // What is referred to by its id is there, once.
    for reference in
        page.split("aria-labelledby=\"").skip(1).flat_map(|rest| rest.split('"').next().unwrap().split(' '))
    {
        assert_eq!(page.matches(&format!("id=\"{reference}\"")).count(), 1, "{reference}");
    }
}

#[test]
fn the_first_thing_said_is_what_matters() {
    let old = |report: &mut Report| {
        for stream in &mut report.streams {
            stream.last_sync_ok_at = Some("2026-03-01T10:00:00.000Z".to_owned());
        }
    };
    let said = |change: &dyn Fn(&mut Report)| {
        let mut report = filled();
        change(&mut report);
        let verdict = verdict(&report);
        (verdict.standing, verdict.short)
    };
    for (change, expected) in [
        (&(|_: &mut Report| {}) as &dyn Fn(&mut Report), (Standing::Good, "Current")),
        (&|report| report.last_error = trouble(Outcome::Failed, Some(7)), (Standing::Good, "Current")),
        (&|report| report.last_error = trouble(Outcome::Failed, None), (Standing::Bad, "Needs a look")),
        (
            &|report| report.last_error = trouble(Outcome::Incomplete, None),
            (Standing::Warning, "Needs a look"),
        ),
        (&|report| report.is_account_in_doubt = true, (Standing::Bad, "In doubt")),
        (&|report| old(report), (Standing::Warning, "Behind")),
        (
            &|report| {
                old(report);
                report.plan.interval = None;
            },
            (Standing::Good, "Current"),
        ),
        (&|report| report.exports[0].exported_to = 1, (Standing::Warning, "Current, exports behind")),
    ] {
        assert_eq!(said(change), expected);
    }
}

#[test]
fn an_error_is_told_without_whose_it_was() {
    let page = page(&Report { last_error: trouble(Outcome::Failed, None), ..filled() });
    assert!(page.contains("GET /customers/{id}/events: the API failed") && !page.contains("c-17"));
    assert!(page.contains("Run again later."));
}

#[test]
fn what_takes_too_long_is_left_out_in_words() {
    let page = page(&Report { events: None, orders: None, ..filled() });
    assert_eq!(page.matches("too much to count").count(), 2);
}
