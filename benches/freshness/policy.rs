//! Ways to choose whom to look at, and what comes of them.

use crate::RUNS_A_DAY;
use crate::world::{DAY, World};
use jiff::{SignedDuration, Timestamp};
use malomo_mirror::diff::EventPlan;
use malomo_mirror::diff::looks::{
    Choice, EventRates, Hazards, LastLook, LookedAt, NewestEvent, Sightings, UnseenTime,
};

/// Whom a run looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everybody as often as everybody else.
    Uniform,
    /// Where a look is worth most, by rates that are learned from the looks themselves, the first one among them.
    Learned,
    /// The same, by the rates of the whole world.
    TrueRates,
    /// Whoever has unseen events, those first that have waited longest.
    Future,
}

/// Every customer is looked at again after this time at the latest.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(14 * 24);

impl Policy {
    pub const ALL: [Policy; 4] = [Policy::Uniform, Policy::Learned, Policy::TrueRates, Policy::Future];

    pub fn name(self) -> &'static str {
        match self {
            Policy::Uniform => "uniform",
            Policy::Learned => "learned",
            Policy::TrueRates => "knows the true rates",
            Policy::Future => "knows the future",
        }
    }
}

pub struct Outcome {
    /// For how many seconds each event was unseen.
    pub unseen: Vec<i64>,
    pub looks: usize,
}

/// A customer as the mirror knows it.
struct Known {
    id: String,
    last: LastLook,
    /// How many events have been seen.
    events: usize,
}

struct Run<'w> {
    world: &'w World,
    policy: Policy,
    rates: EventRates,
    customers: Vec<Option<Known>>,
    unseen: Vec<i64>,
    looks: usize,
}

/// All of a customer's events by then, as their list gives them.
fn sightings(events: &[NewestEvent], now: i64) -> Sightings {
    Sightings::from_events(events.iter().take_while(|event| event.at <= now).cloned().collect())
}

pub fn simulate(world: &World, policy: Policy, looks_a_run: usize) -> Outcome {
    let rates = if policy == Policy::TrueRates { truth(world) } else { EventRates::default() };
    let customers = world.events.iter().map(|_| None).collect();
    let mut run = Run { world, policy, rates, customers, unseen: Vec::new(), looks: 0 };
    run.find_new(0);
    let mut turn = 0;
    for number in 1..=world.ends / DAY * RUNS_A_DAY {
        let now = number * DAY / RUNS_A_DAY;
        let due: Vec<usize> = if policy == Policy::Uniform {
            let first = turn;
            turn += looks_a_run;
            (first..turn).map(|turn| turn % world.events.len()).collect()
        } else {
            run.due(now, number as usize * looks_a_run)
        };
        for row in due {
            run.look(row, now);
        }
        // New customers are looked at in the run that finds them, whatever the policy.
        run.find_new(now);
    }
    Outcome { unseen: run.unseen, looks: run.looks }
}

impl Run<'_> {
    /// Whose turn it is, and as many others as make `looks` in all.
    fn due(&self, now: i64, looks: usize) -> Vec<usize> {
        let (plan, at) =
            (EventPlan::of_turns(MAX_AGE), |second| Timestamp::from_second(second).unwrap_or_default());
        let known = self.customers.iter().enumerate().filter_map(|(row, known)| Some((row, known.as_ref()?)));
        let (mut due, mut others) = (Vec::new(), Vec::new());
        for (row, known) in known {
            match plan.due(row as i64, &known.id, Some(at(known.last.at)), at(now)) {
                Some(_) => due.push(row),
                None => others.push((row, known)),
            }
        }
        let (mut choice, hazards) =
            (Choice::new(looks.saturating_sub(self.looks + due.len())), self.rates.hazards());
        for (row, known) in others {
            choice.offer(self.score(&hazards, row, known, now), row as i64 + 1);
        }
        let rows = choice.rows();
        due.extend((0..self.customers.len()).filter(|row| rows.contains(*row as i64 + 1)));
        due
    }

    fn score(&self, hazards: &Hazards, row: usize, known: &Known, now: i64) -> f64 {
        if self.policy == Policy::Future {
            let new = self.world.events[row][known.events..].iter().take_while(|event| event.at <= now);
            return new.map(|event| (now - event.at + 1) as f64).sum();
        }
        let LastLook { at, newest } = &known.last;
        hazards.urgency(LookedAt { at: *at, newest: Some((newest.kind.name(), newest.at)) }, now)
    }

    fn look(&mut self, row: usize, now: i64) {
        let Some(mut known) = self.customers[row].take() else { return };
        let events = &self.world.events[row];
        let by_now = events.partition_point(|event| event.at <= now);
        self.unseen.extend(events[known.events..by_now].iter().map(|event| now - event.at));
        self.looks += 1;
        (known.last, known.events) = (self.learn(Some(known.last), row, now), by_now);
        self.customers[row] = Some(known);
    }

    fn find_new(&mut self, now: i64) {
        for row in 0..self.customers.len() {
            let events = &self.world.events[row];
            if self.customers[row].is_none() && events.first().is_some_and(|first| first.at <= now) {
                let events = events.partition_point(|event| event.at <= now);
                let last = self.learn(None, row, now);
                self.customers[row] = Some(Known { id: row.to_string(), last, events });
            }
        }
    }

    fn learn(&mut self, before: Option<LastLook>, row: usize, now: i64) -> LastLook {
        let mut ignored = EventRates::default();
        let rates = if self.policy == Policy::Learned { &mut self.rates } else { &mut ignored };
        let list = sightings(&self.world.events[row], now);
        let (newest, _) = rates.learn(before.as_ref(), (list, now), now, &mut UnseenTime::default());
        LastLook { at: now, newest }
    }
}

/// The rates of the whole world, as somebody knows them who has seen everything.
fn truth(world: &World) -> EventRates {
    let mut rates = EventRates::default();
    for events in &world.events {
        rates.learn(None, (sightings(events, world.ends), 0), world.ends, &mut UnseenTime::default());
    }
    rates
}
