//! Audits in the mirror.

use super::*;
use crate::diff::looks::Signal;
use crate::diff::{EventPlan, Trust};
use crate::mirror::transaction::utc_text;
use crate::mirror::{Counts, Mirror, Mode, Outcome, Stamp};
use crate::record::{Record, RowSet};
use std::collections::BTreeSet;

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + 86_400 * day).unwrap()
}

fn run(mirror: &mut Mirror, day: i64) -> RunId {
    let mut batch = mirror.batch().unwrap();
    let run = batch.begin_run(Mode::Incremental, at(day)).unwrap();
    batch.finish_run(run, at(day), Outcome::Failed, &Counts::default(), &[], None).unwrap();
    batch.commit().unwrap();
    run
}

fn audit(run_id: RunId) -> Audit {
    Audit {
        run_id,
        finished_at: utc_text(at(0)),
        changed_since: utc_text(at(0)),
        seed: i64::MIN,
        population: 100,
        sampled: 20,
        audited: 19,
        drifted: 2,
        lagging: 3,
        events_compared: 4,
        drift: Drift(Drift::kinds().zip(5..).collect()),
        undocumented_only: 10,
        upper_bound: 30,
        confidence: 0.95,
        drift_limit: 0.1,
    }
}

fn gone(id: &str) -> AuditFinding {
    AuditFinding {
        stream: Stream::Customers,
        id: id.to_owned(),
        customer_id: id.to_owned(),
        kind: Kind::Surplus,
        standing: Standing::ChangedSince,
    }
}

#[test]
fn every_customer_is_drawn_once_by_a_sample_of_all_and_the_seed_tells_which() {
    let folder = tempfile::tempdir().unwrap();
    let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
    let run = run(&mut mirror, 0);
    let ids: BTreeSet<String> = (0..50).map(|n| format!("c-{:02}", n * 7 % 50)).collect();
    let customers: Vec<Record> =
        ids.iter().map(|id| Record::customer(&format!("{{\"id\":\"{id}\"}}"))).collect();
    let mut batch = mirror.batch().unwrap();
    let plan = EventPlan::Everybody { walk_started_at: at(0), signal: Signal::Full };
    let stamp = Stamp { run, now: at(0) };
    let seen = &mut RowSet::default();
    batch.apply_parents(stamp, Stream::Customers, &customers, Trust::Listed, &plan, seen).unwrap();
    // Gaps among the rows' numbers make no difference.
    batch.delete_parent(stamp, Stream::Customers, "c-10", "gone").unwrap();
    let all = batch.draw_parents(Stream::Customers, 1_000, 7).unwrap();
    assert_eq!((all.population, all.ids.len()), (49, 49));
    assert_eq!(all.ids.iter().cloned().collect::<BTreeSet<_>>().len(), 49);
    let some = batch.draw_parents(Stream::Customers, 10, 7).unwrap();
    assert_eq!((some.population, some.ids.len()), (49, 10));
    assert_eq!(batch.draw_parents(Stream::Customers, 10, 7).unwrap(), some);
    assert_ne!(batch.draw_parents(Stream::Customers, 10, 8).unwrap(), some);
    assert_eq!(batch.draw_parents(Stream::Customers, 0, 7).unwrap().ids, Vec::<String>::new());
}

#[test]
fn an_audit_is_read_as_it_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
    assert_eq!(mirror.snapshot().unwrap().last_audit().unwrap(), None);
    let (first, second) = (run(&mut mirror, 0), run(&mut mirror, 1));
    let mut batch = mirror.batch().unwrap();
    batch.record_audit(&audit(first), &[gone("a")]).unwrap();
    assert!(!batch.was_found_gone(first, Stream::Customers, "a").unwrap());
    assert!(batch.was_found_gone(second, Stream::Customers, "a").unwrap());
    assert!(!batch.was_found_gone(second, Stream::Customers, "b").unwrap());
    batch.commit().unwrap();
    assert_eq!(mirror.snapshot().unwrap().last_audit().unwrap(), Some(audit(first)));
}

#[test]
fn audits_are_forgotten_with_their_runs_but_for_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
    let runs: Vec<RunId> = (0..4).map(|day| run(&mut mirror, day)).collect();
    let mut batch = mirror.batch().unwrap();
    for run in &runs[..3] {
        batch.record_audit(&audit(*run), &[gone("a")]).unwrap();
    }
    assert_eq!(batch.forget_runs(at(10), at(10)).unwrap(), 3);
    let left = |sql: &str| batch.transaction.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(left("SELECT group_concat(run_id) FROM audits"), runs[2].to_string());
    assert_eq!(left("SELECT group_concat(run_id) FROM audit_findings"), runs[2].to_string());
}
