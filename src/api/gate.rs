//! How many requests are in flight (`api-contract` point 13): a limit that is halved when the API asks for
//! less and grows again slowly, and a pause for everybody where the API says how long.

use crate::observe::{Event, Observer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// What an attempt says about the load that the API bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// It answered: any status that is neither of the others.
    Borne,
    /// 429 or 503; with a usable `Retry-After`, everybody waits that long.
    Throttled(Option<Duration>),
    /// Anything else, which says nothing about the load but ends a row of successes.
    Unknown,
}

/// The limit's rise and fall: additive increase, multiplicative decrease. Pure.
#[derive(Debug)]
struct Limit {
    now: usize,
    max: usize,
    /// Raised with each cut. What started before a cut says nothing about the limit after it.
    generation: u64,
    /// Successes in a row since the last change.
    row: usize,
}

impl Limit {
    fn new(max: usize) -> Limit {
        let max = max.max(1);
        Limit { now: max, max, generation: 0, row: 0 }
    }

    /// Takes what a request of `generation` says; whether the limit changed.
    fn learn(&mut self, generation: u64, load: Load) -> bool {
        if generation != self.generation {
            return false;
        }
        match load {
            Load::Throttled(_) => {
                let before = self.now;
                self.now = (self.now / 2).max(1);
                self.generation += 1;
                self.row = 0;
                self.now != before
            }
            Load::Borne if self.now < self.max => {
                self.row += 1;
                let raise = self.row >= self.now;
                if raise {
                    self.now += 1;
                    self.row = 0;
                }
                raise
            }
            Load::Borne => false,
            Load::Unknown => {
                self.row = 0;
                false
            }
        }
    }
}

struct State {
    limit: Limit,
    /// Slots that are still in use but are to be withdrawn, after a cut.
    owed: usize,
    paused_until: Option<Instant>,
}

/// Lets at most so many requests pass at once, first come, first served.
pub(super) struct Gate {
    slots: Semaphore,
    state: Mutex<State>,
    observer: Arc<dyn Observer>,
}

impl Gate {
    pub(super) fn new(max: usize, observer: Arc<dyn Observer>) -> Gate {
        let limit = Limit::new(max.min(Semaphore::MAX_PERMITS));
        Gate {
            slots: Semaphore::new(limit.now),
            state: Mutex::new(State { limit, owed: 0, paused_until: None }),
            observer,
        }
    }

    /// Waits for a slot, and for the end of a pause. Dropping the future or the slot gives it back.
    pub(super) async fn enter(&self) -> Slot<'_> {
        // The semaphore is never closed: acquiring does not fail.
        let permit = self.slots.acquire().await.ok();
        let mut slot = Slot { gate: self, permit, generation: 0 };
        loop {
            let pause = {
                let state = self.state();
                slot.generation = state.limit.generation;
                state.paused_until.filter(|until| *until > Instant::now())
            };
            match pause {
                Some(until) => sleep_until(until).await,
                None => return slot,
            }
        }
    }

    fn learn(&self, generation: u64, load: Load) {
        let changed = {
            let mut state = self.state();
            if let Load::Throttled(Some(pause)) = load {
                let until = Instant::now().checked_add(pause);
                state.paused_until = state.paused_until.max(until);
            }
            let before = state.limit.now;
            let changed = state.limit.learn(generation, load).then_some(state.limit.now);
            match changed {
                Some(now) if now < before => {
                    state.owed += before - now;
                    state.owed -= self.slots.forget_permits(state.owed);
                }
                Some(_) if state.owed > 0 => state.owed -= 1,
                Some(_) => self.slots.add_permits(1),
                None => {}
            }
            changed
        };
        if let Some(limit) = changed {
            self.observer.observe(&Event::ConcurrencyChanged { limit });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one request in flight.
pub(super) struct Slot<'a> {
    gate: &'a Gate,
    permit: Option<SemaphorePermit<'a>>,
    generation: u64,
}

impl Slot<'_> {
    /// Gives the slot back and tells the gate how it went.
    pub(super) fn leave(self, load: Load) {
        self.gate.learn(self.generation, load);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
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
    use proptest::prelude::*;
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
        assert_eq!(room(&gate).await, 4);
        gate.enter().await.leave(Load::Throttled(None));
        gate.enter().await.leave(Load::Throttled(None));
        gate.enter().await.leave(Load::Throttled(None));
        assert_eq!(room(&gate).await, 1);
        assert_eq!(*limits.0.lock().unwrap(), [4, 2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_of_successes_raises_by_one_up_to_the_maximum() {
        let gate = gate(4);
        gate.enter().await.leave(Load::Throttled(None));
        for expected in [2, 3, 3, 3, 4, 4, 4, 4, 4] {
            assert_eq!(gate.state().limit.now, expected);
            gate.enter().await.leave(Load::Borne);
            if expected == 2 {
                gate.enter().await.leave(Load::Borne);
            }
        }
        assert_eq!(room(&gate).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_ends_the_row() {
        let gate = gate(4);
        gate.enter().await.leave(Load::Throttled(None));
        for load in [Load::Borne, Load::Unknown, Load::Borne] {
            gate.enter().await.leave(load);
        }
        assert_eq!(gate.state().limit.now, 2);
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

    proptest! {
        #[test]
        fn the_limit_stays_between_one_and_its_maximum(
            max in 0usize..40,
            steps in prop::collection::vec((0u64..3, 0u8..3), 0..300),
        ) {
            let mut limit = Limit::new(max);
            for (age, load) in steps {
                let generation = limit.generation.saturating_sub(age);
                let load = [Load::Borne, Load::Throttled(None), Load::Unknown][usize::from(load)];
                let before = limit.now;
                let changed = limit.learn(generation, load);
                prop_assert_eq!(changed, limit.now != before);
                prop_assert!((1..=max.max(1)).contains(&limit.now));
                prop_assert!(limit.now <= before + 1);
            }
        }
    }
}
