//! What an audit found, for people and for the log.

use super::output::{count, counted, row};
use crate::diff::audit::Standing;
use crate::mirror::{Audit, AuditFinding};
use crate::sync::Audited;

/// Records and customers that are named in a summary.
const NAMED: usize = 10;

pub(super) fn log(audited: &Audited) {
    let audit = &audited.audit;
    for found in drift(audited).take(NAMED * 10) {
        tracing::warn!(
            run_id = audit.run_id.0,
            stream = found.stream.name(),
            id = found.id,
            customer_id = found.customer_id,
            kind = found.kind.name(),
            "the mirror had drifted from the API"
        );
    }
    tracing::info!(
        run_id = audit.run_id.0,
        population = audit.population,
        sampled = audit.sampled,
        audited = audit.audited,
        drifted = audit.drifted,
        lagging = audit.lagging,
        events_compared = audit.events_compared,
        drift = kinds(audit),
        undocumented_only = audit.undocumented_only,
        upper_bound = audit.upper_bound,
        seed = audit.seed,
        "audit ended"
    );
}

fn drift(audited: &Audited) -> impl Iterator<Item = &AuditFinding> {
    audited.findings.iter().filter(|found| found.standing == Standing::Drift)
}

pub(super) fn summary(audited: &Audited) -> String {
    let audit = &audited.audit;
    let mut text = row("audit", result(audit)) + &row("", bound(audit));
    for found in drift(audited).take(NAMED) {
        let AuditFinding { stream, id, customer_id, kind, .. } = found;
        let of = if id == customer_id { String::new() } else { format!(" of customer {customer_id}") };
        text += &row("drift", format_args!("{stream} {id}{of}: {}", kind.name()));
    }
    for unread in audited.unread.iter().take(NAMED) {
        text += &row("unaudited", format_args!("customer {}: {}", unread.customer_id, unread.error));
    }
    text
}

pub(super) fn status(audit: Option<&Audit>) -> String {
    match audit {
        None => "\nlast audit\n  none yet: `sync --audit N`, or sync.audit for the daemon's full syncs\n"
            .to_owned(),
        Some(audit) => format!(
            "\nlast audit\n  at the end of run {}, {}: {}\n  {}\n",
            audit.run_id,
            audit.finished_at,
            result(audit),
            bound(audit)
        ),
    }
}

fn result(audit: &Audit) -> String {
    let mut text = format!(
        "{} of {} read again one by one, with {}: ",
        count(audit.audited),
        counted(audit.population, "customer"),
        counted(audit.events_compared, "event")
    );
    match audit.drifted {
        0 => text.push_str("no drift"),
        drifted => text.push_str(&format!("{} drifted ({})", count(drifted), kinds(audit))),
    }
    if audit.lagging > 0 {
        text.push_str(&format!(", {} changed at the API since the run read them", count(audit.lagging)));
    }
    if audit.audited < audit.sampled {
        text.push_str(&format!(", {} more could not be compared", count(audit.sampled - audit.audited)));
    }
    text
}

fn kinds(audit: &Audit) -> String {
    let found = audit.drift.counts().filter(|(_, _, number)| *number > 0);
    let found: Vec<String> =
        found.map(|(stream, kind, number)| format!("{stream}: {} {}", count(number), kind.name())).collect();
    found.join(", ")
}

/// The sample tells of customers that the mirror has; only those can be drawn.
fn bound(audit: &Audit) -> String {
    let share = 100.0 * audit.upper_bound as f64 / audit.population.max(1) as f64;
    if audit.audited == audit.population {
        return "that is every customer that the mirror has".to_owned();
    }
    format!(
        "with {:.0} % confidence at most {} of the mirror's {} differed ({share:.2} %)",
        100.0 * audit.confidence,
        count(audit.upper_bound),
        counted(audit.population, "customer")
    )
}
