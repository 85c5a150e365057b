//! What messages say.

use super::super::disk::Disk;
use super::super::run_end::FaultKind;
use super::*;
use crate::daemon::plan::Kind;

fn end(outcome: Outcome) -> RunEnd {
    RunEnd {
        kind: Kind::Sync,
        run_id: Some(17),
        mirror_id: Some("m-1".to_owned()),
        outcome,
        fault: None,
        counts: Counts::default(),
        deletions_refused: None,
        drift: None,
        full_disks: Vec::new(),
    }
}

fn failed(kind: FaultKind, text: &str, hint: Option<&str>) -> RunEnd {
    let fault = Fault { kind, text: text.to_owned(), hint: hint.map(str::to_owned) };
    RunEnd { fault: Some(fault), ..end(Outcome::Failed) }
}

fn due(cause: Cause) -> Due {
    Due { cause, held_back: 0, in_a_row: 4, over: Vec::new() }
}

#[test]
fn texts_for_people() {
    let incomplete = |lists, records| {
        let mut counts = Counts::default();
        (counts.event_walks_failed, counts.rejected) = (lists, records);
        RunEnd { counts, ..end(Outcome::Incomplete) }
    };
    let disk = Disk { holds: "the exports", free: 1 << 29, size: 20 << 30 };
    for (due, end, expected) in [
        (
            Due { held_back: 3, ..due(Cause::RunFailed) },
            failed(FaultKind::Other, "the API failed (HTTP 503)", Some("Run again later.")),
            "incremental run 17 failed: the API failed (HTTP 503). Since the last message about this it happened 3 times \
             before. What to do: Run again later.",
        ),
        (
            due(Cause::RunFailed),
            RunEnd {
                run_id: None,
                ..failed(FaultKind::Other, "there is no API key. Give one:\n- set it", None)
            },
            "a run (incremental) failed: there is no API key. Give one: - set it.",
        ),
        (
            due(Cause::KeyRefused),
            failed(FaultKind::KeyRefused, "the API refused the key (HTTP 401)", Some("Check the key.")),
            "the API refused the key in incremental run 17. What to do: Check the key.",
        ),
        (
            due(Cause::Incomplete),
            incomplete(2, 1),
            "incremental run 17 is incomplete, and so were the 3 scheduled runs before it: the events of 2 customers could \
             not be read, and 1 records could not be taken. What to do: `malomo-mirror status` says what is missing and why.",
        ),
        (
            due(Cause::DeletionLimit),
            RunEnd {
                deletions_refused: Some("the list lacks 5 of 8".to_owned()),
                ..end(Outcome::Incomplete)
            },
            "incremental run 17 reached the limit on deletions: the list lacks 5 of 8.",
        ),
        (
            due(Cause::Drift),
            RunEnd { drift: Some((3, 300)), ..end(Outcome::Incomplete) },
            "the audit after incremental run 17 found 3 of 300 customers to differ from the API; what it found was put \
             right. What to do: `malomo-mirror status` shows the audit, the table audit_findings each record.",
        ),
        (
            due(Cause::DiskNearlyFull),
            RunEnd { full_disks: vec![disk], ..end(Outcome::Ok) },
            "the disk of the exports is nearly full: 0.5 of 20.0 GiB are free. What to do: free some space, or move the \
             mirror or the exports to a larger disk.",
        ),
        (
            Due { over: vec![Cause::RunFailed, Cause::KeyRefused], ..due(Cause::Recovered) },
            end(Outcome::Ok),
            "all is well again, incremental run 17 did everything. What was told before is over: a run failed, the key was \
             refused.",
        ),
    ] {
        let message = Message::of(&due, &end, "host-1", Timestamp::UNIX_EPOCH);
        assert_eq!(message.text, format!("malomo-mirror on host-1: {expected}"));
    }
}

#[test]
fn members_for_programs() {
    let (due, end) = (due(Cause::KeyRefused), failed(FaultKind::KeyRefused, "refused", Some("Check it.")));
    let json = serde_json::to_value(Message::of(&due, &end, "host-1", Timestamp::UNIX_EPOCH)).unwrap();
    for (member, expected) in [
        ("cause", "key_refused".into()),
        ("at", "1970-01-01T00:00:00Z".into()),
        ("host", "host-1".into()),
        ("mirror_id", "m-1".into()),
        ("run_id", 17.into()),
        ("mode", "incremental".into()),
        ("outcome", "failed".into()),
        ("held_back", 0.into()),
        ("hint", serde_json::Value::from("Check it.")),
    ] {
        assert_eq!(json[member], expected, "{member}");
    }
    assert_eq!(json["counts"]["requests"], 0);
}

/// None should come so far; if one does, it goes no further.
#[test]
fn addresses_and_keys_are_cut_out_at_the_last() {
    let end = failed(FaultKind::Other, "mail to anna@example.com with sk_live_abcdef", None);
    let due = due(Cause::RunFailed);
    for text in [Message::of(&due, &end, "h", Timestamp::UNIX_EPOCH).text, ping(&end)] {
        assert!(!text.contains("anna") && !text.contains("sk_live"), "{text}");
    }
}

#[test]
fn pings_say_why_in_a_line() {
    assert_eq!(
        ping(&failed(FaultKind::Other, "the API failed (HTTP 503)", None)),
        "incremental run 17 failed: the API failed (HTTP 503)"
    );
    assert_eq!(
        ping(&end(Outcome::Incomplete)),
        "incremental run 17 is incomplete: `malomo-mirror status` says what it lacks"
    );
}
