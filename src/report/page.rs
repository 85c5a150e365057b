//! The page, section by section.

use super::chart::patterns;
use super::numbers::{clock, count, span};
use super::verdict::{Standing, verdict};
use super::without_ids::without_ids;
use super::{Report, activity};
use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("report.css");

/// The `style-src` that a server may send with the page: its own style sheet and no other.
pub static CONTENT_SECURITY_POLICY_STYLE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(STYLE))));

/// The sections: their anchors, their names in the list of contents, and their headings.
const SECTIONS: [(&str, &str, &str); 8] = [
    ("current", "Is it current?", "Is it current?"),
    ("error", "Last error", "The last error"),
    ("runs-section", "Runs", "Runs of the last 30 days"),
    ("changes", "Changes", "Changes of the last 30 days"),
    ("events-section", "Events", "Events of the last 12 weeks"),
    ("orders-section", "Orders", "Orders"),
    ("exports", "Exports", "Exports"),
    ("next", "What comes next", "What comes next"),
];

/// The page as HTML: one file, in UTF-8.
pub fn page(report: &Report) -> String {
    let contents: [Markup; 8] = [
        current(report),
        last_error(report),
        activity::runs(report),
        activity::changes(report),
        activity::events(report),
        activity::orders(report),
        exports(report),
        next(report),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { "malomo-mirror: " (verdict(report).short) }
                // Without it browsers ask for an icon.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "To the content" }
                (patterns())
                header {
                    h1 { "The mirror at a glance" }
                    p.soft {
                        "Read " time datetime=(report.now.to_string()) { (clock(report.now, &report.zone)) }
                        " (" (report.zone.iana_name().unwrap_or("local time")) "), mirror " (report.mirror_id)
                    }
                    (verdict_box(report))
                }
                nav aria-label="Sections" {
                    ul { @for (anchor, name, _) in SECTIONS { li { a href={ "#" (anchor) } { (name) } } } }
                }
                main id="main" {
                    @for ((anchor, _, heading), content) in SECTIONS.iter().zip(contents) {
                        section aria-labelledby=(anchor) {
                            h2 id=(anchor) { (heading) }
                            (content)
                        }
                    }
                }
                footer {
                    p {
                        "malomo-mirror " (report.version) ". This page holds counts, numbers of runs and types of events, and \
                        nothing of any customer. `malomo-mirror status` says more."
                    }
                }
            }
        }
    };
    page.into_string()
}

fn verdict_box(report: &Report) -> Markup {
    let verdict = verdict(report);
    // Told apart by shape as well: a tick, a triangle, a cross in an octagon.
    let (class, shape) = match verdict.standing {
        Standing::Good => ("good", "M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0M8 12.5l3 3 5.5-6.5"),
        Standing::Warning => ("warn", "M12 3.5 22 20.5H2zM12 10v4.5M12 17.3v.2"),
        Standing::Bad => ("bad", "M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8zM9 9l6 6M15 9l-6 6"),
    };
    html! {
        div class={ "verdict " (class) } role="status" {
            svg viewBox="0 0 24 24" aria-hidden="true" { path d=(shape) {} }
            div {
                strong { (verdict.short) }
                span { (verdict.long) }
            }
        }
    }
}

/// A table in a card, which scrolls by itself where the window is narrow.
fn table(label: &str, head: &[(&str, bool)], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.card {
            div.scroll role="region" tabindex="0" aria-label=(label) {
                table {
                    thead { tr {
                        @for (name, is_number) in head { th.number[*is_number] scope="col" { (name) } }
                    } }
                    tbody {
                        @for row in rows {
                            tr {
                                @for (n, cell) in row.iter().enumerate() {
                                    @if n == 0 { th scope="row" { (cell) } }
                                    @else { td.number[head.get(n).is_some_and(|(_, is_number)| *is_number)] { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

fn ago(at: Option<&str>, report: &Report) -> Markup {
    let Some(at) = at else { return text("never") };
    let Ok(time) = at.parse::<Timestamp>() else { return text(at) };
    let age = span(report.now.duration_since(time).as_secs_f64());
    // Where there is little room, the time of day is left out.
    html! {
        time datetime=(at) { (age) " ago" span.roomy { ", " (clock(time, &report.zone)) } }
    }
}

fn current(report: &Report) -> Markup {
    let rows: Vec<Vec<Markup>> = report
        .streams
        .iter()
        .map(|stream| {
            vec![
                text(stream.stream.name()),
                text(count(stream.row_count)),
                ago(stream.last_sync_ok_at.as_deref(), report),
                ago(stream.last_full_ok_at.as_deref(), report),
                text(count(stream.last_change_seq.max(0) as u64)),
            ]
        })
        .collect();
    let head = [
        ("stream", false),
        ("rows", true),
        ("last complete run", false),
        ("last full run", false),
        ("newest change", true),
    ];
    let unseen =
        report.streams.iter().find_map(|stream| stream.unseen_mean_seconds.zip(stream.unseen_p95_seconds));
    html! {
        (table("How current each stream is", &head, &rows))
        @match unseen {
            Some((mean, p95)) => p {
                "New events of the last 7 days had been at the shop's account for " strong { (span(mean)) }
                " in the mean when the mirror took them, and 95 in 100 for at most "
                strong { (if p95 == i64::MAX { "more than 30 d".to_owned() } else { span(p95 as f64) }) } "."
            },
            None => p.soft { "For how long new events were unseen is known once runs have found some." },
        }
    }
}

fn last_error(report: &Report) -> Markup {
    let Some(trouble) = &report.last_error else {
        return html! { p.card { "None is recorded." } };
    };
    html! {
        div.card {
            dl {
                dt { "run" }
                dd { (trouble.run_id) " (" (trouble.mode.name()) ", " (trouble.outcome.name()) "), " (ago(Some(&trouble.at), report)) }
                dt { "what happened" }
                dd { (without_ids(&trouble.error)) }
                @if let Some(what_to_do) = &trouble.what_to_do {
                    dt { "what to do" }
                    dd { (what_to_do) }
                }
                dt { "since then" }
                dd {
                    @match trouble.ok_since {
                        Some(run) => { "run " (run) " did everything" }
                        None => { "no run has done everything" }
                    }
                }
            }
        }
    }
}

fn exports(report: &Report) -> Markup {
    if report.exports.is_empty() {
        return html! { p.card { "Nothing is exported." } };
    }
    let rows: Vec<Vec<Markup>> = report
        .exports
        .iter()
        .map(|export| {
            let behind = (export.newest_change - export.exported_to).max(0) as u64;
            vec![
                text(&export.stream),
                text(&export.format),
                text(count(export.exported_to.max(0) as u64)),
                text(if behind == 0 { "up to date".to_owned() } else { format!("{} behind", count(behind)) }),
                ago(export.at.as_deref(), report),
            ]
        })
        .collect();
    let head = [
        ("stream", false),
        ("format", false),
        ("exported to change", true),
        ("change numbers", false),
        ("newest file", false),
    ];
    table("How far exports have come", &head, &rows)
}

fn next(report: &Report) -> Markup {
    let plan = &report.plan;
    let due = |at: Option<Timestamp>| match at {
        Some(at) => {
            format!("{}, in {}", clock(at, &report.zone), span(at.duration_since(report.now).as_secs_f64()))
        }
        None => "never: nothing is scheduled".to_owned(),
    };
    let new = plan.interval.map(|interval| span(interval.as_secs_f64()));
    html! {
        div.card {
            dl {
                dt { "next incremental run" }
                dd { (due(plan.next_sync)) ", where the daemon runs; " (plan.runs_in_a_day) " in the next 24 hours" }
                dt { "next full run" }
                dd { (due(plan.next_full)) }
                dt { "events of new and changed customers" }
                dd {
                    @match new {
                        Some(every) => { "are seen by the next run, one of which comes every " (every) }
                        None => { "are seen by the next run by hand" }
                    }
                }
                dt { "events of everybody else" }
                dd {
                    @if plan.events_max_age.is_zero() { "are seen by every run" }
                    @else {
                        "are seen at the latest when " (span(plan.events_max_age.as_secs_f64()))
                        " have passed and the next run has ended (sync.events_max_age); most are seen sooner"
                    }
                }
                dt { "webhooks" }
                dd {
                    @if plan.has_webhooks {
                        "are listened for; " (count(plan.hints_waiting)) " customers wait for a run that follows them"
                    } @else { "are not listened for" }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
