//! Orders that are under way: what falls due as time passes, and orders that begin.

use super::generate::CLOCK_START;
use super::rows::{Due, EventRow, Ordinal};
use super::webhooks::Topic;
use super::world::{State, World};
use std::time::Duration;

impl World {
    /// Lets so much real time pass: [`time_factor`](super::Settings::time_factor) times as much on the world's
    /// clock. Orders under way go on by their plans, and [`churn`](super::Settings::churn) changes a second
    /// are made. The world that comes out is the same for the same sum, however it is divided.
    pub fn live(&self, real: Duration) {
        let lived = {
            let mut state = self.write();
            state.lived += real;
            state.lived.as_secs_f64()
        };
        loop {
            let changes = self.read().changes + 1;
            let at = changes as f64 / self.settings.churn;
            if at > lived {
                break;
            }
            self.advance_to(self.clock_after(at));
            self.churn();
            self.write().changes = changes;
        }
        self.advance_to(self.clock_after(lived));
    }

    /// What the clock shows after so many seconds of real time, in milliseconds since 1970: whole seconds.
    fn clock_after(&self, seconds: f64) -> i64 {
        CLOCK_START + 1000 * (seconds * self.settings.time_factor).floor() as i64
    }

    /// Lets everything happen that falls due up to then. A clock that is ahead, because many changes moved
    /// it, stays, and what fell due before happens at what it shows: no event is younger than a later one.
    fn advance_to(&self, until: i64) {
        let mut state = self.write();
        while let Some(due) = state.under_way.first().copied().filter(|due| due.at <= until) {
            state.under_way.pop_first();
            state.now = state.now.max(due.at);
            self.happens(&mut state, due.slot, due.ordinal);
        }
        state.now = state.now.max(until);
    }

    /// Begins an order of a living customer now. Returns which event that is.
    pub(super) fn begin_order(&self, state: &mut State, slot: u32) -> Option<Ordinal> {
        let row = state.rows[slot as usize].as_mut()?;
        let ordinal = Ordinal { order: row.orders, step: 0 };
        row.orders += 1;
        self.happens(state, slot, ordinal);
        Some(ordinal)
    }

    /// Brings a living customer's next event now, ahead of its time: of an order that is under way, else of a
    /// new one. Returns which event that is.
    pub(super) fn hasten(&self, state: &mut State, slot: u32) -> Option<Ordinal> {
        let Some(due) = state.under_way.iter().find(|due| due.slot == slot).copied() else {
            return self.begin_order(state, slot);
        };
        state.under_way.remove(&due);
        self.happens(state, slot, due.ordinal);
        Some(due.ordinal)
    }

    /// Adds the event to its customer's, now, and lets the next one of its order fall due by the plan. Nothing
    /// happens where the customer is gone.
    fn happens(&self, state: &mut State, slot: u32, ordinal: Ordinal) {
        let now = state.now;
        let Some(row) = state.rows[slot as usize].as_mut() else { return };
        let event = EventRow { ordinal, revision: 0, created: now, updated: now };
        row.events.push(event);
        self.tell_of_event(Topic::EventCreated, &row.id, || self.source.event(u64::from(slot), &event));
        if self.settings.events_touch_customer {
            state.touch(slot, self.settings.order);
        }
        let plan = self.source.plan(u64::from(slot), ordinal.order);
        if let Some(wait) = plan.wait_after(ordinal.step as usize) {
            state.under_way.insert(Due {
                at: now + 1000 * i64::from(wait),
                slot,
                ordinal: Ordinal { step: ordinal.step + 1, ..ordinal },
            });
        }
    }
}

#[cfg(test)]
#[path = "under_way_tests.rs"]
mod tests;
