//! How many requests are in flight, and how fast they follow each other (`api-contract` point 13): what `limit` says
//! is held here, together with a pause for everybody where the API says how long.

use super::limit::{Learned, Limit, Load, Pace, Ticket};
use crate::observe::{Event, Observer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

struct State {
    limit: Limit,
    in_flight: usize,
    /// When the next request may start, where their rate is limited.
    next_at: Option<Instant>,
    /// Slots that are still in use but are to be withdrawn, after a cut.
    owed: usize,
    paused_until: Option<Instant>,
}

/// Lets at most so many requests pass at once, first come, first served.
pub(super) struct Gate {
    slots: Semaphore,
    /// Tells those who wait for their turn that it is decided anew.
    repaced: Notify,
    state: Mutex<State>,
    observer: Arc<dyn Observer>,
}

impl Gate {
    pub(super) fn new(max: usize, observer: Arc<dyn Observer>) -> Gate {
        let limit = Limit::new(max.min(Semaphore::MAX_PERMITS));
        Gate {
            slots: Semaphore::new(limit.concurrency()),
            repaced: Notify::new(),
            state: Mutex::new(State { limit, in_flight: 0, next_at: None, owed: 0, paused_until: None }),
            observer,
        }
    }

    /// Starts from what another run has learned, unless this one has learned something by itself.
    pub(super) fn expect(&self, learned: Learned) {
        self.change(|state| state.limit.expect(learned, Instant::now()));
    }

    /// What was learned, if the API ever asked for less than was wanted of it.
    pub(super) fn learned(&self) -> Option<Learned> {
        self.state().limit.learned()
    }

    /// Waits for a slot, for the end of a pause, and for its turn where the rate is limited. Dropping the future or
    /// the slot gives it back.
    pub(super) async fn enter(&self) -> Slot<'_> {
        // The semaphore is never closed: acquiring does not fail.
        let permit = self.slots.acquire().await.ok();
        let mut slot = Slot { gate: self, permit, ticket: None };
        let mut turn = None;
        loop {
            let (until, repaced) = {
                let mut state = self.state();
                let now = Instant::now();
                let Some(until) = state.wait(&mut turn, now) else {
                    state.in_flight += 1;
                    let in_flight = state.in_flight;
                    slot.ticket = Some(state.limit.start(in_flight, now));
                    drop(state);
                    return slot;
                };
                (until, self.repaced.notified())
            };
            tokio::select! {
                () = sleep_until(until) => {}
                () = repaced => {}
            }
        }
    }

    /// The server takes no more than so many requests at once over its connection.
    pub(super) fn lower_to(&self, streams: usize) {
        self.change(|state| state.limit.lower_to(streams, Instant::now()));
    }

    fn learn(&self, ticket: Ticket, load: Load) {
        let now = Instant::now();
        self.change(|state| {
            if let Some(pause) = state.limit.learn(ticket, load, now) {
                state.paused_until = state.paused_until.max(now.checked_add(pause));
            }
        });
    }

    /// Changes the limit, and the slots with it.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let changed = {
            let mut state = self.state();
            let (before, pace) = (state.limit.concurrency(), state.limit.pace());
            change(&mut state);
            if state.limit.pace() != pace {
                state.next_at = None;
                self.repaced.notify_waiters();
            }
            let after = state.limit.concurrency();
            if after < before {
                state.owed += before - after;
                state.owed -= self.slots.forget_permits(state.owed);
            }
            for _ in before..after {
                if state.owed > 0 {
                    state.owed -= 1;
                } else {
                    self.slots.add_permits(1);
                }
            }
            (before != after).then_some(after)
        };
        if let Some(limit) = changed {
            self.observer.observe(&Event::ConcurrencyChanged { limit });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a request may start, and at which pace of the limit that was decided.
type Turn = (Pace, Instant);

impl State {
    /// Until when a request has to wait before it may start; what it waits for may change meanwhile.
    fn wait(&mut self, turn: &mut Option<Turn>, now: Instant) -> Option<Instant> {
        let pause = self.paused_until.filter(|until| *until > now);
        let pace = self.limit.pace();
        if pause.is_none() && turn.is_none_or(|(decided_at, _)| decided_at != pace) {
            *turn = self.take_turn(now).map(|at| (pace, at));
        }
        pause.or(turn.map(|(_, at)| at).filter(|at| *at > now))
    }

    /// When a request may start, where their rate is limited; the next one may an interval later.
    fn take_turn(&mut self, now: Instant) -> Option<Instant> {
        let interval = self.limit.interval()?;
        let turn = self.next_at.map_or(now, |next| next.max(now));
        self.next_at = turn.checked_add(interval);
        Some(turn)
    }
}

/// The right to have one request in flight.
pub(super) struct Slot<'a> {
    gate: &'a Gate,
    permit: Option<SemaphorePermit<'a>>,
    /// `None` while it waits.
    ticket: Option<Ticket>,
}

impl Slot<'_> {
    /// Gives the slot back and tells the gate how it went.
    pub(super) fn leave(self, load: Load) {
        if let Some(ticket) = self.ticket {
            self.gate.learn(ticket, load);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if self.ticket.take().is_some() {
            state.in_flight -= 1;
        }
        match self.permit.take() {
            Some(permit) if state.owed > 0 => {
                state.owed -= 1;
                permit.forget();
            }
            permit => drop(permit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Unobserved;
    use std::time::Duration;
    use tokio::time::timeout;

    #[derive(Default)]
    struct Limits(Mutex<Vec<usize>>);

    impl Observer for Limits {
        fn observe(&self, event: &Event<'_>) {
            if let Event::ConcurrencyChanged { limit } = event {
                self.0.lock().unwrap().push(*limit);
            }
        }
    }

    fn gate(max: usize) -> Gate {
        Gate::new(max, Arc::new(Unobserved))
    }

    /// How many can enter at this moment.
    async fn room(gate: &Gate) -> usize {
        let mut slots = Vec::new();
        while let Ok(slot) = timeout(Duration::from_millis(1), gate.enter()).await {
            slots.push(slot);
        }
        slots.len()
    }

    /// All requests that can be in flight are refused.
    async fn throttle_all(gate: &Gate, count: usize) {
        let mut wave = Vec::new();
        for _ in 0..count {
            wave.push(gate.enter().await);
        }
        for slot in wave.into_iter().rev() {
            slot.leave(Load::Throttled(None));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_limit_enter() {
        assert_eq!(room(&gate(3)).await, 3);
        assert_eq!(room(&gate(0)).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_wave_of_429_cuts_once() {
        let limits = Arc::new(Limits::default());
        let gate = Gate::new(8, limits.clone());
        let mut wave = Vec::new();
        for _ in 0..8 {
            wave.push(gate.enter().await);
        }
        for slot in wave {
            slot.leave(Load::Throttled(None));
        }
        gate.enter().await.leave(Load::Borne);
        assert_eq!(room(&gate).await, 4);
        gate.enter().await.leave(Load::Throttled(None));
        // One alone tells nothing of how many are too many.
        gate.enter().await.leave(Load::Throttled(None));
        gate.enter().await.leave(Load::Borne);
        assert_eq!(room(&gate).await, 2);
        gate.enter().await.leave(Load::Throttled(None));
        assert_eq!(room(&gate).await, 1);
        assert_eq!(*limits.0.lock().unwrap(), [4, 2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_word_of_how_long_one_asks_until_it_is_let_through() {
        let gate = gate(8);
        let start = Instant::now();
        let mut refused_after = Vec::new();
        gate.enter().await.leave(Load::Throttled(None));
        for _ in 0..6 {
            gate.enter().await.leave(Load::Throttled(None));
            refused_after.push(start.elapsed().as_millis());
        }
        assert_eq!(refused_after, [0, 100, 200, 300, 450, 675]);
        // The others wait for turns far apart; when the one is let through, all of them go on.
        let one = gate.enter().await;
        let others = async { tokio::join!(gate.enter(), gate.enter(), gate.enter()) };
        let (_, others) =
            tokio::join!(async { one.leave(Load::Borne) }, timeout(Duration::from_millis(200), others));
        assert!(others.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_of_successes_raises_by_one_up_to_the_ceiling() {
        let gate = gate(8);
        throttle_all(&gate, 8).await;
        for expected in [4, 4, 4, 4, 5, 5, 5, 5, 5, 6] {
            assert_eq!(gate.state().limit.concurrency(), expected);
            gate.enter().await.leave(Load::Borne);
        }
        tokio::time::advance(Duration::from_secs(30)).await;
        for _ in 0..20 {
            gate.enter().await.leave(Load::Borne);
        }
        assert_eq!(room(&gate).await, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn few_streams_are_asked_for_no_more_until_later() {
        let gate = gate(8);
        for (streams, expected) in [(2, 2), (5, 2), (0, 1)] {
            gate.lower_to(streams);
            assert_eq!(room(&gate).await, expected);
        }
        for _ in 0..20 {
            gate.enter().await.leave(Load::Borne);
        }
        assert_eq!(gate.state().limit.concurrency(), 1);
        tokio::time::advance(Duration::from_secs(30)).await;
        gate.enter().await.leave(Load::Borne);
        assert_eq!(gate.state().limit.concurrency(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_ends_the_row() {
        let gate = gate(4);
        gate.enter().await.leave(Load::Throttled(None));
        for load in [Load::Borne, Load::Unknown, Load::Borne] {
            gate.enter().await.leave(load);
        }
        assert_eq!(gate.state().limit.concurrency(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody_back() {
        let gate = gate(4);
        let early = gate.enter().await;
        gate.enter().await.leave(Load::Throttled(Some(Duration::from_secs(30))));
        early.leave(Load::Throttled(Some(Duration::from_secs(5))));
        let start = Instant::now();
        let both = async { tokio::join!(gate.enter(), gate.enter()) };
        let (a, b) = timeout(Duration::from_secs(60), both).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 30);
        drop((a, b));
        assert_eq!(room(&gate).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_futures_and_slots_lose_nothing() {
        let gate = gate(2);
        let (first, second) = (gate.enter().await, gate.enter().await);
        assert!(timeout(Duration::from_secs(1), gate.enter()).await.is_err());
        drop(first);
        assert!(timeout(Duration::from_secs(1), gate.enter()).await.is_ok());
        second.leave(Load::Throttled(Some(Duration::from_secs(60))));
        assert!(timeout(Duration::from_secs(1), gate.enter()).await.is_err());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(room(&gate).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn first_come_first_served() {
        let gate = gate(1);
        let holder = gate.enter().await;
        let order = Mutex::new(Vec::new());
        let wait = async |n: u32| {
            let _slot = gate.enter().await;
            order.lock().unwrap().push(n);
        };
        tokio::join!(wait(1), wait(2), wait(3), async { drop(holder) });
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }
}
