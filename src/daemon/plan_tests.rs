use super::super::missed::Past;
use super::*;
use jiff::tz::TimeZone;
use proptest::prelude::*;

const OK: Ended = Ended::Run(Outcome::Ok);
const FAILED: Ended = Ended::Run(Outcome::Failed);

/// A time on one day.
fn at(time: &str) -> Timestamp {
    format!("2026-03-01T{time}Z").parse().unwrap()
}

fn schedules(sync: &str, full: &str) -> Schedules {
    let read = |text: &str| (!text.is_empty()).then(|| Schedule::parse(text, TimeZone::UTC).unwrap());
    Schedules { sync: read(sync), full: read(full), jitter: Duration::ZERO }
}

/// A mirror whose runs came to their ends just then.
fn done_at(now: Timestamp) -> History {
    let past = Some(Past { started_at: now, complete: true });
    History { first: Some(now), sync: past, full: past }
}

fn plan(sync: &str, full: &str, now: &str) -> Plan {
    Plan::new(schedules(sync, full), &done_at(at(now)), at(now), fastrand::Rng::with_seed(1))
}

/// What happens to a plan, and what it has to answer.
enum Line {
    At(&'static str, &'static [Decision]),
    Ends(&'static str, Ended, Option<Decision>),
    Wakes(&'static str),
    /// A run is to follow hints then.
    Hint(&'static str),
}

use Decision::{Skip, Start};
use Kind::{Full, Hinted, Sync};
use Line::{At, Ends, Hint, Wakes};
use SkipReason::{Going, Held};

#[track_caller]
fn play(plan: &mut Plan, lines: &[Line]) {
    for (n, line) in lines.iter().enumerate() {
        match line {
            At(time, decisions) => assert_eq!(plan.decide(at(time)), *decisions, "line {n}, at {time}"),
            Ends(time, ended, skip) => assert_eq!(plan.ended(*ended, at(time)), *skip, "line {n}, at {time}"),
            Hint(due) => plan.hint(at(due)),
            Wakes(time) => assert_eq!(plan.wake_at(), Some(at(time)), "line {n}"),
        }
    }
}

#[test]
fn runs_when_due_and_not_before() {
    play(
        &mut plan("*/15 * * * *", "", "10:00:00"),
        &[
            Wakes("10:15:00"),
            At("10:14:59", &[]),
            At("10:15:00", &[Start(Sync)]),
            At("10:15:01", &[]),
            Ends("10:16:00", OK, None),
            At("10:16:00", &[]),
            Wakes("10:30:00"),
            // Woken late, as by a machine that slept: once.
            At("11:07:00", &[Start(Sync)]),
            Wakes("11:15:00"),
        ],
    );
}

#[test]
fn a_due_incremental_run_that_finds_one_going_is_skipped() {
    for going in ["", "10 10 * * *"] {
        let first = if going.is_empty() { Sync } else { Full };
        let mut plan = plan("*/15 * * * *", going, "10:00:00");
        if first == Full {
            play(&mut plan, &[At("10:10:00", &[Start(Full)]), At("10:15:00", &[Skip(Sync, Going)])]);
        } else {
            play(&mut plan, &[At("10:15:00", &[Start(Sync)])]);
        }
        play(
            &mut plan,
            &[
                At("10:30:00", &[Skip(Sync, Going)]),
                At("10:31:00", &[]),
                Ends("10:40:00", OK, None),
                At("10:40:00", &[]),
                At("10:45:00", &[Start(Sync)]),
            ],
        );
    }
}

#[test]
fn a_due_full_run_waits_for_its_turn() {
    play(
        &mut plan("*/15 * * * *", "20 10 * * *", "10:00:00"),
        &[
            At("10:15:00", &[Start(Sync)]),
            At("10:20:00", &[]),
            At("10:30:00", &[Skip(Sync, Going)]),
            Ends("10:33:00", FAILED, None),
            At("10:33:00", &[Start(Full)]),
            At("10:45:00", &[Skip(Sync, Going)]),
            // It brings what the failed run did not.
            Ends("10:50:00", OK, None),
            At("10:50:00", &[]),
            Wakes("11:00:00"),
        ],
    );
}

#[test]
fn a_full_run_does_not_wait_for_another_one() {
    play(
        &mut plan("", "*/10 * * * *", "10:00:00"),
        &[
            At("10:10:00", &[Start(Full)]),
            At("10:20:00", &[Skip(Full, Going)]),
            Ends("10:25:00", OK, None),
            At("10:25:00", &[]),
            At("10:30:00", &[Start(Full)]),
        ],
    );
}

#[test]
fn both_due_at_once() {
    play(
        &mut plan("0 * * * *", "0 * * * *", "10:00:00"),
        &[At("11:00:00", &[Skip(Sync, Going), Start(Full)]), Ends("11:01:00", OK, None), At("11:01:00", &[])],
    );
}

#[test]
fn missed_runs_are_caught_up_once() {
    let past = |time, complete| Some(Past { started_at: at(time), complete });
    let first = Some(at("00:00:00"));
    for (why, sync, full, expected) in [
        ("nothing was missed", past("10:00:00", true), past("03:00:00", true), vec![]),
        ("an incremental run", past("09:30:00", true), past("03:00:00", true), vec![Sync]),
        ("many of them", past("04:00:00", true), past("03:00:00", true), vec![Sync]),
        (
            "a full run, which brings what the other would",
            past("01:00:00", true),
            past("00:00:00", true),
            vec![Full],
        ),
        ("a full run alone", past("10:00:00", true), None, vec![Full]),
        ("one was cut off", past("10:00:00", false), past("03:00:00", true), vec![Sync]),
        ("a full run was cut off", past("10:00:00", true), past("03:00:00", false), vec![Full]),
    ] {
        let history = History { first, sync, full };
        let (now, random) = (at("10:07:00"), fastrand::Rng::with_seed(1));
        let mut plan = Plan::new(schedules("*/15 * * * *", "0 3 * * *"), &history, now, random);
        let mut started = Vec::new();
        while let [Start(kind)] = plan.decide(now)[..] {
            started.push(kind);
            plan.ended(OK, now);
        }
        assert_eq!(started, expected, "{why}");
        assert_eq!(plan.wake_at(), Some(at("10:15:00")), "{why}");
    }
}

#[test]
fn a_failed_run_is_tried_again_after_longer_and_longer_waits() {
    let mut plan = plan("0 0 * * *", "", "00:00:00");
    let mut now = "2026-03-02T00:00:00Z".parse().unwrap();
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(plan.decide(now), [Start(Sync)]);
        assert_eq!(plan.ended(FAILED, now), None);
        let again = plan.wake_at().unwrap();
        waits.push(again.duration_since(now).as_secs());
        now = again;
    }
    for (n, wait) in waits.iter().enumerate() {
        let bound = (30 << n).min(1800);
        assert!((bound / 2..=bound).contains(wait), "{waits:?}");
    }
    play(&mut plan, &[]);
    assert_eq!(plan.decide(now), [Start(Sync)]);
    assert_eq!(plan.ended(OK, now), None);
    assert_eq!(plan.wake_at(), Some("2026-03-03T00:00:00Z".parse().unwrap()));
}

#[test]
fn no_further_attempt_where_the_next_due_time_comes_first() {
    for ended in [FAILED, Ended::Broken] {
        play(
            &mut plan("*/5 * * * * *", "", "10:00:00"),
            &[
                At("10:00:05", &[Start(Sync)]),
                Ends("10:00:06", ended, None),
                Wakes("10:00:10"),
                At("10:00:09", &[]),
                At("10:00:10", &[Start(Sync)]),
            ],
        );
    }
}

#[test]
fn a_mirror_that_another_process_holds() {
    play(
        &mut plan("*/15 * * * *", "20 10 * * *", "10:00:00"),
        &[
            At("10:15:00", &[Start(Sync)]),
            Ends("10:15:00", Ended::Held, Some(Skip(Sync, Held))),
            At("10:19:00", &[]),
            At("10:20:00", &[Start(Full)]),
            Ends("10:20:00", Ended::Held, None),
            Wakes("10:20:15"),
            At("10:20:15", &[Start(Full)]),
        ],
    );
}

#[test]
fn stopped_and_incomplete_runs_are_left_to_the_next_due_time() {
    for outcome in [Outcome::Interrupted, Outcome::Incomplete] {
        play(
            &mut plan("*/15 * * * *", "", "10:00:00"),
            &[
                At("10:15:00", &[Start(Sync)]),
                Ends("10:16:00", Ended::Run(outcome), None),
                At("10:16:00", &[]),
                Wakes("10:30:00"),
            ],
        );
    }
}

#[test]
fn other_schedules_take_effect_at_once() {
    let mut plan = plan("0 * * * *", "30 10 * * *", "10:00:00");
    plan.reload(schedules("*/5 * * * *", "30 10 * * *"), at("10:01:00"));
    play(&mut plan, &[Wakes("10:05:00"), At("10:05:00", &[Start(Sync)])]);
    plan.reload(schedules("", "30 10 * * *"), at("10:06:00"));
    play(&mut plan, &[Ends("10:07:00", FAILED, None), Wakes("10:30:00")]);
    plan.reload(schedules("", ""), at("10:08:00"));
    assert_eq!((plan.wake_at(), plan.next()), (None, None));
}

#[test]
fn a_clock_that_is_put_back_gets_new_due_times() {
    let mut plan = plan("0 * * * *", "", "10:00:00");
    play(&mut plan, &[At("10:30:00", &[]), At("10:29:30", &[]), Wakes("11:00:00")]);
    play(&mut plan, &[At("05:30:00", &[]), Wakes("06:00:00")]);
}

#[test]
fn what_comes_next_is_told_with_further_attempts() {
    let mut plan = plan("0 * * * *", "30 11 * * *", "10:00:00");
    assert_eq!(plan.next(), Some((Sync, at("11:00:00"))));
    plan.decide(at("11:30:00"));
    assert_eq!(plan.going(), Some(Full));
    plan.ended(FAILED, at("11:31:00"));
    assert!(matches!(plan.next(), Some((Full, again)) if again < at("11:32:00")));
}

proptest! {
    /// Put off by less than the jitter and by less than the way to the next due time: no due time is lost.
    #[test]
    fn jitter_stays_within_its_bounds(seed: u64, jitter in 0_u64..1_000) {
        let schedules = Schedules { jitter: Duration::from_secs(jitter), ..schedules("*/5 * * * *", "") };
        let start = at("10:00:00");
        let mut plan = Plan::new(schedules, &done_at(start), start, fastrand::Rng::with_seed(seed));
        let mut fires = start;
        for _ in 0..20 {
            fires += SignedDuration::from_mins(5);
            let due = plan.wake_at().unwrap();
            prop_assert!(due >= fires && due.duration_since(fires).as_secs() < 300.min(jitter.max(1) as i64));
            prop_assert_eq!(plan.decide(due), [Start(Sync)]);
            plan.ended(OK, due);
        }
    }

    /// Whatever happens when, no run starts while one is going, and there is always something to wait for.
    #[test]
    fn runs_never_overlap(seed: u64, happenings in prop::collection::vec((0_i64..400, 0_usize..6), 1..80)) {
        let start = at("00:00:00");
        let random = fastrand::Rng::with_seed(seed);
        let mut plan =
            Plan::new(schedules("*/2 * * * *", "*/7 * * * *"), &History::default(), start, random);
        let (mut now, mut going) = (start, None);
        for (seconds, what) in happenings {
            now += SignedDuration::from_secs(seconds);
            let ends = [OK, FAILED, Ended::Broken, Ended::Held, Ended::Run(Outcome::Interrupted)];
            if let Some(&ended) = ends.get(what) {
                plan.ended(ended, now);
                going = None;
            }
            for decision in plan.decide(now) {
                if let Start(kind) = decision {
                    prop_assert_eq!(going.replace(kind), None);
                }
            }
            prop_assert_eq!(plan.going(), going);
            prop_assert!(plan.wake_at().is_some_and(|wake| wake > now));
        }
    }
}

#[test]
fn a_run_follows_hints_when_they_say() {
    play(
        &mut plan("", "", "10:00:00"),
        &[
            Hint("10:00:02"),
            Hint("10:00:03"),
            At("10:00:01", &[]),
            Wakes("10:00:02"),
            At("10:00:02", &[Start(Hinted)]),
            // What comes during the run waits for its end.
            Hint("10:00:05"),
            At("10:00:05", &[]),
            Ends("10:00:06", OK, None),
            At("10:00:06", &[Start(Hinted)]),
            Ends("10:00:07", OK, None),
            At("10:59:00", &[]),
        ],
    );
}

#[test]
fn the_schedule_does_not_suffer_from_hints() {
    play(
        &mut plan("*/15 * * * *", "30 10 * * *", "10:00:00"),
        &[
            Hint("10:14:59"),
            At("10:14:59", &[Start(Hinted)]),
            At("10:15:00", &[]),
            Ends("10:15:01", OK, None),
            At("10:15:01", &[Start(Sync)]),
            Hint("10:15:03"),
            At("10:15:03", &[]),
            Ends("10:16:00", OK, None),
            At("10:16:00", &[Start(Hinted)]),
            At("10:30:00", &[]),
            Ends("10:30:01", OK, None),
            At("10:30:01", &[Start(Full)]),
        ],
    );
}

#[test]
fn what_a_run_for_hints_left_is_tried_again() {
    let mut plan = plan("", "", "10:00:00");
    play(&mut plan, &[Hint("10:00:00"), At("10:00:00", &[Start(Hinted)]), Ends("10:00:00", FAILED, None)]);
    let first = plan.wake_at().unwrap();
    assert!(first >= at("10:00:15") && first <= at("10:00:30"), "{first}");
    // More hints don't hasten it.
    play(&mut plan, &[Hint("10:00:01"), At("10:00:02", &[]), At("10:00:30", &[Start(Hinted)])]);
    play(&mut plan, &[Ends("10:00:30", Ended::Run(Outcome::Incomplete), None)]);
    let second = plan.wake_at().unwrap();
    assert!(second >= at("10:01:00") && second <= at("10:01:30"), "{second}");
    play(&mut plan, &[At("10:01:30", &[Start(Hinted)]), Ends("10:01:31", Ended::Held, None)]);
    play(&mut plan, &[Wakes("10:01:46"), At("10:01:46", &[Start(Hinted)]), Ends("10:01:47", OK, None)]);
    assert_eq!(plan.wake_at(), None);
}
