//! The charts of runs, changes, events and orders.

use super::chart::{Chart, Layout, PATTERNS, Series};
use super::numbers::{count, day_and_time, span};
use super::{DAYS, Report, WEEKS};
use crate::mirror::{BEFORE_1970, EventWeeks, OrderSteps, Outcome, WEEK, week};
use crate::record::Stream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use maud::{Markup, html};

/// What the page says in place of charts that take too long.
const TOO_MUCH: &str = "There was too much to count in the time that this page may take.";

pub(super) fn runs(report: &Report) -> Markup {
    let days = Days::until(report.now);
    let of = |outcomes: &[Outcome], number: fn(&crate::mirror::RunDay) -> f64| {
        days.sums(
            report
                .run_days
                .iter()
                .filter(|day| outcomes.contains(&day.outcome))
                .map(|day| (day.day, number(day))),
        )
    };
    let all = [Outcome::Ok, Outcome::Incomplete, Outcome::Failed, Outcome::Interrupted, Outcome::Running];
    let runs = |name: &str, outcomes: &[Outcome]| series(name, of(outcomes, |day| day.runs as f64));
    let mut longest = vec![0.0f64; days.0.len()];
    for day in &report.run_days {
        if let Some(place) = days.place(day.day) {
            longest[place] = longest[place].max(day.longest_seconds / 60.0);
        }
    }
    let again = of(&all, |day| day.retries as f64);
    let first = of(&all, |day| day.requests.saturating_sub(day.retries) as f64);
    let chart = |id, title, about: &str, series| Chart {
        id,
        title,
        about: about.to_owned(),
        of: "day (UTC)",
        columns: days.names(),
        series,
        layout: Layout::Stacked,
    };
    html! {
        div.grid {
            (chart("runs", "Runs a day, by outcome", "Runs of the last 30 days. Those that follow webhooks are left out.", vec![
                runs("ok", &[Outcome::Ok]),
                runs("incomplete", &[Outcome::Incomplete]),
                runs("failed", &[Outcome::Failed]),
                runs("interrupted or under way", &[Outcome::Interrupted, Outcome::Running]),
            ]).figure())
            (chart("longest", "Longest run of each day", "In minutes, from a run's start to its end.", vec![
                series("minutes", longest),
            ]).figure())
            (chart("requests", "Requests a day", "Requests sent to the API, and those that had to be sent again because \
                it refused them, failed or did not answer.", vec![
                series("sent", first),
                series("sent again", again),
            ]).figure())
            (newest(report))
        }
    }
}

/// The newest few runs, beside the charts.
fn newest(report: &Report) -> Markup {
    if report.newest_runs.is_empty() {
        return html! {};
    }
    html! {
        div.card {
            h3 { "The newest runs" }
            div.scroll.low role="region" tabindex="0" aria-label="The newest runs, as a table" {
                table {
                    thead { tr {
                        th scope="col" { "run" }
                        th scope="col" { "mode" }
                        th scope="col" { "outcome" }
                        th scope="col" { "began" }
                        th.number scope="col" { "took" }
                        th.number scope="col" { "requests" }
                        th.number scope="col" { "changes" }
                    } }
                    tbody {
                        @for run in &report.newest_runs {
                            tr {
                                th scope="row" { (run.run_id) }
                                td { (run.mode.name()) }
                                td { (outcome(run.outcome)) }
                                td.time { (day_and_time(&run.started_at, &report.zone)) }
                                td.number { (run.seconds.map_or_else(|| "—".to_owned(), span)) }
                                td.number { (count(run.requests)) }
                                td.number { (count(run.changes)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// With a mark that tells outcomes apart at a glance.
fn outcome(outcome: Outcome) -> Markup {
    let mark = match outcome {
        Outcome::Ok => "✓",
        Outcome::Failed => "✕",
        Outcome::Incomplete => "△",
        Outcome::Interrupted | Outcome::Running => "…",
    };
    html! { span.mark aria-hidden="true" { (mark) } (outcome.name()) }
}

pub(super) fn changes(report: &Report) -> Markup {
    let days = Days::until(report.now);
    let chart = |stream: Stream| {
        let of_stream = || report.changes.iter().filter(move |((_, found), _)| *found == stream);
        let named = |name: &str, number: fn(&crate::mirror::ChangeCount) -> u64| {
            series(name, days.sums(of_stream().map(|((day, _), changes)| (*day, number(changes) as f64))))
        };
        Chart {
            id: &format!("changes-{stream}"),
            title: &format!("Changes of {stream} a day"),
            about: format!("Changes of {stream} that reached the mirror in the last 30 days."),
            of: "day (UTC)",
            columns: days.names(),
            series: vec![
                named("inserted", |changes| changes.inserted),
                named("updated", |changes| changes.updated),
                named("deleted", |changes| changes.deleted),
            ],
            layout: Layout::Stacked,
        }
        .figure()
    };
    html! {
        div.grid {
            @for stream in Stream::ALL { (chart(stream)) }
        }
    }
}

pub(super) fn events(report: &Report) -> Markup {
    let Some(events) = &report.events else { return html! { p.card { (TOO_MUCH) } } };
    let last = week(report.now.as_second());
    let weeks: Vec<i64> = (last + 1 - i64::from(WEEKS)..=last).collect();
    let chart = Chart {
        id: "events",
        title: "Events by type and week",
        about: "When events happened at the shop, by the Monday with which the week began (UTC). The most frequent types \
                have a pattern of their own."
            .to_owned(),
        of: "week of",
        columns: weeks.iter().map(|week| monday(*week)).collect(),
        series: types(events, &weeks),
        layout: Layout::Stacked,
    };
    let types = by_number(events);
    html! {
        div.grid {
            (chart.figure())
            @if !types.is_empty() {
                div.card {
                    h3 { "Types by number" }
                    div.scroll.low role="region" tabindex="0" aria-label="Types of events by number, as a table" {
                        table {
                            thead { tr { th scope="col" { "type" } th.number scope="col" { "events" } } }
                            tbody {
                                @for (name, events) in types.iter().take(MOST_TYPES) {
                                    tr { th scope="row" { (type_name(name)) } td.number { (count(*events)) } }
                                }
                            }
                        }
                    }
                    @if types.len() > MOST_TYPES { p.soft { "and " (types.len() - MOST_TYPES) " further types" } }
                }
            }
        }
    }
}

/// Types that are listed one by one.
const MOST_TYPES: usize = 100;

fn type_name(name: &str) -> &str {
    if name.is_empty() { "without a type" } else { name }
}

/// The types, the most frequent first.
fn by_number(events: &EventWeeks) -> Vec<(&str, u64)> {
    let mut types: Vec<(&str, u64)> =
        events.iter().map(|(kind, weeks)| (kind.as_str(), weeks.values().sum())).collect();
    types.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
    types
}

/// The most frequent types, and the rest together.
fn types(events: &EventWeeks, weeks: &[i64]) -> Vec<Series> {
    let names: Vec<&str> = by_number(events).into_iter().map(|(name, _)| name).collect();
    let own = if names.len() > PATTERNS { PATTERNS - 1 } else { names.len() };
    let of = |names: &[&str]| -> Vec<f64> {
        let of_week = |week: &i64| names.iter().filter_map(|name| events[*name].get(week)).sum::<u64>();
        weeks.iter().map(|week| of_week(week) as f64).collect()
    };
    let mut all: Vec<Series> = names[..own].iter().map(|name| series(type_name(name), of(&[name]))).collect();
    if own < names.len() {
        all.push(series(&format!("{} others", names.len() - own), of(&names[own..])));
    }
    all
}

pub(super) fn orders(report: &Report) -> Markup {
    let Some(steps) = &report.orders else { return html! { p.card { (TOO_MUCH) } } };
    let chart = Chart {
        id: "orders",
        title: "How long the steps of orders took",
        about: format!(
            "{} orders that were created in the last {WEEKS} weeks, each step by its length. Orders without one of the two \
             times of a step don't count there.",
            count(steps.orders)
        ),
        of: "length",
        columns: OrderSteps::LENGTHS.map(|(name, _)| name.to_owned()).into(),
        series: steps
            .steps
            .iter()
            .map(|step| series(step.name, step.by_length.map(|n| n as f64).into()))
            .collect(),
        layout: Layout::Beside,
    };
    html! {
        div.grid {
            (chart.figure())
            div.card {
                h3 { "In the middle, and for nine in ten" }
                div.scroll role="region" tabindex="0" aria-label="How long the steps took, as a table" {
                    table {
                        thead { tr {
                            th scope="col" { "step" }
                            th.number scope="col" { "orders" }
                            th.number scope="col" { "half within" }
                            th.number scope="col" { "9 in 10 within" }
                        } }
                        tbody {
                            @for step in &steps.steps {
                                tr {
                                    th scope="row" { (step.name) }
                                    td.number { (count(step.orders)) }
                                    td.number { (step.median_seconds.map_or_else(|| "—".to_owned(), |s| span(s as f64))) }
                                    td.number { (step.p90_seconds.map_or_else(|| "—".to_owned(), |s| span(s as f64))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn series(name: &str, values: Vec<f64>) -> Series {
    Series { name: name.to_owned(), values }
}

/// The Monday of a week.
fn monday(week: i64) -> String {
    let began = Timestamp::from_second(week * WEEK - BEFORE_1970).unwrap_or_default();
    TimeZone::UTC.to_datetime(began).strftime("%m-%d").to_string()
}

/// The days that a chart shows, oldest first.
struct Days(Vec<Date>);

impl Days {
    fn until(now: Timestamp) -> Days {
        let today = TimeZone::UTC.to_datetime(now).date();
        let ago = |days: i32| today.checked_sub(Span::new().days(days)).unwrap_or(today);
        Days((0..DAYS).rev().map(ago).collect())
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|day| day.strftime("%m-%d").to_string()).collect()
    }

    fn place(&self, day: Date) -> Option<usize> {
        self.0.binary_search(&day).ok()
    }

    fn sums(&self, numbers: impl Iterator<Item = (Date, f64)>) -> Vec<f64> {
        let mut sums = vec![0.0; self.0.len()];
        for (day, number) in numbers {
            if let Some(place) = self.place(day) {
                sums[place] += number;
            }
        }
        sums
    }
}
