//! What is told, and when.

use super::super::disk::Disk;
use super::super::run_end::Fault;
use super::*;
use crate::daemon::plan::Kind;
use crate::mirror::Counts;

fn at(time: &str) -> Timestamp {
    format!("2026-03-01T{time}Z").parse().unwrap()
}

fn end(kind: Kind, outcome: Outcome) -> RunEnd {
    RunEnd {
        kind,
        run_id: Some(1),
        mirror_id: None,
        outcome,
        fault: None,
        counts: Counts::default(),
        deletions_refused: None,
        drift: None,
        full_disks: Vec::new(),
    }
}

fn failed(kind: FaultKind) -> RunEnd {
    let fault = Fault { kind, text: "why".to_owned(), hint: None };
    RunEnd { fault: Some(fault), ..end(Kind::Sync, Outcome::Failed) }
}

fn ok() -> RunEnd {
    end(Kind::Sync, Outcome::Ok)
}

fn incomplete() -> RunEnd {
    end(Kind::Sync, Outcome::Incomplete)
}

fn on_a_full_disk() -> RunEnd {
    RunEnd { full_disks: vec![Disk { holds: "the mirror", free: 1, size: 100 }], ..ok() }
}

fn refused_deletions() -> RunEnd {
    RunEnd { deletions_refused: Some("too many".to_owned()), ..incomplete() }
}

fn drifted() -> RunEnd {
    RunEnd { drift: Some((1, 300)), ..end(Kind::Full, Outcome::Incomplete) }
}

/// What is told of runs that end at these times, each message with the number of those held back before it.
fn told(runs: &[(&str, RunEnd)]) -> Vec<String> {
    told_if(runs, |_| Delivery::Taken)
}

fn told_if(runs: &[(&str, RunEnd)], delivery: fn(&str) -> Delivery) -> Vec<String> {
    let (mut told, mut heard) = (Told::default(), Vec::new());
    for (time, end) in runs {
        // As if the daemon were started again after every run.
        let text = serde_json::to_string(&told).unwrap();
        told = serde_json::from_str(&text).unwrap();
        told.count(end);
        for due in told.due(end, at(time)) {
            let delivery = delivery(time);
            told.delivered(&due, delivery, at(time));
            if delivery == Delivery::Taken {
                let over: String = due.over.iter().map(|cause| format!(" {cause:?}")).collect();
                heard.push(format!("{time} {:?} {}{over}", due.cause, due.held_back));
            }
        }
    }
    heard
}

#[test]
fn each_cause_is_told() {
    for (end, expected) in [
        (failed(FaultKind::Other), "RunFailed 0"),
        (failed(FaultKind::KeyRefused), "KeyRefused 0"),
        (failed(FaultKind::DiskFull), "DiskNearlyFull 0"),
        (on_a_full_disk(), "DiskNearlyFull 0"),
        (refused_deletions(), "DeletionLimit 0"),
        (drifted(), "Drift 0"),
        (RunEnd { kind: Kind::Hinted, ..failed(FaultKind::Other) }, "RunFailed 0"),
    ] {
        assert_eq!(told(&[("10:00:00", end)]), [format!("10:00:00 {expected}")]);
    }
    for end in [ok(), incomplete(), end(Kind::Sync, Outcome::Interrupted)] {
        assert!(told(&[("10:00:00", end)]).is_empty());
    }
}

#[test]
fn a_cause_is_told_once_an_hour_and_the_next_message_counts_those_between() {
    let bad = || failed(FaultKind::Other);
    assert_eq!(
        told(&[
            ("10:00:00", bad()),
            ("10:15:00", bad()),
            // Another cause has its own hour.
            ("10:30:00", failed(FaultKind::KeyRefused)),
            ("10:59:59", bad()),
            ("11:00:00", bad()),
            ("12:00:00", bad()),
            // A clock that was put back by more than an hour.
            ("09:00:00", bad()),
        ]),
        [
            "10:00:00 RunFailed 0",
            "10:30:00 KeyRefused 0",
            "11:00:00 RunFailed 2",
            "12:00:00 RunFailed 0",
            "09:00:00 RunFailed 0"
        ]
    );
}

#[test]
fn the_third_incomplete_run_in_a_row_is_told() {
    let hinted = || end(Kind::Hinted, Outcome::Incomplete);
    let stopped = || end(Kind::Sync, Outcome::Interrupted);
    assert_eq!(
        told(&[
            ("10:00:00", incomplete()),
            ("10:15:00", incomplete()),
            ("10:30:00", ok()),
            ("10:45:00", incomplete()),
            // Neither counts nor interrupts the row.
            ("10:50:00", hinted()),
            ("10:51:00", stopped()),
            ("11:00:00", incomplete()),
            ("11:15:00", end(Kind::Full, Outcome::Incomplete)),
            ("11:30:00", incomplete()),
            ("12:15:00", incomplete()),
        ]),
        ["11:15:00 Incomplete 0", "12:15:00 Incomplete 1"]
    );
    // The limit on deletions is the reason, and told as such.
    let runs: Vec<_> = ["10:00:00", "11:00:00", "12:00:00"].map(|time| (time, refused_deletions())).into();
    assert!(told(&runs).iter().all(|message| message.contains("DeletionLimit")));
}

#[test]
fn what_is_over_is_told_once() {
    assert_eq!(
        told(&[
            ("10:00:00", failed(FaultKind::KeyRefused)),
            ("10:15:00", failed(FaultKind::Other)),
            // Only a scheduled run shows that everything is well.
            ("10:20:00", end(Kind::Hinted, Outcome::Ok)),
            ("10:30:00", ok()),
            ("10:45:00", ok()),
            // Held back, so nobody waits for word that it is over.
            ("10:50:00", failed(FaultKind::Other)),
            ("11:00:00", ok()),
            ("11:20:00", failed(FaultKind::Other)),
            ("11:25:00", ok()),
            // Not within an hour of the last such word.
            ("11:31:00", ok()),
        ]),
        [
            "10:00:00 KeyRefused 0",
            "10:15:00 RunFailed 0",
            "10:30:00 Recovered 0 RunFailed KeyRefused",
            "11:20:00 RunFailed 1",
            "11:31:00 Recovered 0 RunFailed"
        ]
    );
}

#[test]
fn what_lasts_is_not_over_while_it_is_found_and_drift_does_not_last() {
    assert_eq!(
        told(&[("10:00:00", on_a_full_disk()), ("10:15:00", on_a_full_disk()), ("10:30:00", ok())]),
        ["10:00:00 DiskNearlyFull 0", "10:30:00 Recovered 0 DiskNearlyFull"]
    );
    assert_eq!(told(&[("10:00:00", drifted()), ("10:15:00", ok())]), ["10:00:00 Drift 0"]);
}

#[test]
fn what_did_not_arrive_is_told_again_and_what_may_have_is_not() {
    let runs = || [("10:00:00", failed(FaultKind::Other)), ("10:15:00", failed(FaultKind::Other))];
    let lost = |time: &str| if time == "10:00:00" { Delivery::NotTaken } else { Delivery::Taken };
    assert_eq!(told_if(&runs(), lost), ["10:15:00 RunFailed 1"]);
    let unclear = |time: &str| if time == "10:00:00" { Delivery::Unclear } else { Delivery::Taken };
    assert!(told_if(&runs(), unclear).is_empty());
    // Word that it is over is not lost either.
    let runs = [("10:00:00", failed(FaultKind::Other)), ("10:15:00", ok()), ("10:30:00", ok())];
    let lost = |time: &str| if time == "10:15:00" { Delivery::NotTaken } else { Delivery::Taken };
    assert_eq!(told_if(&runs, lost), ["10:00:00 RunFailed 0", "10:30:00 Recovered 0 RunFailed"]);
}

#[test]
fn monitors_take_incomplete_runs_for_good_until_the_third() {
    let mut told = Told::default();
    let good: Vec<_> = [incomplete(), incomplete(), incomplete(), failed(FaultKind::Other), ok()]
        .iter()
        .chain(&[end(Kind::Sync, Outcome::Interrupted)])
        .map(|end| {
            told.count(end);
            told.is_good(end)
        })
        .collect();
    assert_eq!(good, [Some(true), Some(true), Some(false), Some(false), Some(true), None]);
}
