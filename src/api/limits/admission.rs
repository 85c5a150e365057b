//! Where requests wait for their turn: first come, first served.

use super::controller::{Controller, Ticket};
use super::{Learned, Outcome};
use crate::observe::{Event, Observer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// A place comes free with a notification only.
const UNTIL_NOTIFIED: Duration = Duration::from_secs(3600);

/// Lets requests start as the limits allow.
pub(in crate::api) struct Admission {
    /// Held by the one request whose turn is next; the others wait for it in their order.
    turn: tokio::sync::Mutex<()>,
    /// Tells that one that the limits or the requests in flight have changed.
    changed: Notify,
    state: Mutex<State>,
    observer: Arc<dyn Observer>,
}

struct State {
    controller: Controller,
    in_flight: usize,
}

impl Admission {
    /// No more than `max` requests are ever in flight; 0 counts as 1.
    pub(in crate::api) fn new(max: usize, observer: Arc<dyn Observer>) -> Admission {
        let state = Mutex::new(State { controller: Controller::new(max), in_flight: 0 });
        Admission { turn: tokio::sync::Mutex::default(), changed: Notify::new(), state, observer }
    }

    /// Starts from what another run has learned, unless this one has learned something by itself.
    pub(in crate::api) fn expect(&self, learned: Learned) {
        self.change(|controller| controller.expect(learned, Instant::now()));
    }

    /// What was learned, if the API ever asked for less than was wanted of it.
    pub(in crate::api) fn learned(&self) -> Option<Learned> {
        self.state().controller.learned()
    }

    /// The server takes no more than so many requests at once over its connection.
    pub(in crate::api) fn lower_to(&self, streams: usize) {
        self.change(|controller| controller.lower_to(streams, Instant::now()));
    }

    /// Waits until a request may start. Dropping the future gives its turn to the next one, dropping the permit its place.
    pub(in crate::api) async fn enter(&self) -> Permit<'_> {
        let _turn = self.turn.lock().await;
        loop {
            let until = {
                let State { controller, in_flight } = &mut *self.state();
                let now = Instant::now();
                let start_at = controller.next_start().unwrap_or(now);
                if *in_flight >= controller.concurrency() {
                    now + UNTIL_NOTIFIED
                } else if start_at > now {
                    start_at
                } else {
                    *in_flight += 1;
                    return Permit { admission: self, ticket: controller.start(*in_flight, now) };
                }
            };
            let _ = timeout_at(until, self.changed.notified()).await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Controller)) {
        let (before, after) = {
            let controller = &mut self.state().controller;
            let before = controller.concurrency();
            change(controller);
            (before, controller.concurrency())
        };
        self.changed.notify_one();
        if before != after {
            self.observer.observe(&Event::ConcurrencyChanged { limit: after });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one request in flight.
pub(in crate::api) struct Permit<'a> {
    admission: &'a Admission,
    ticket: Ticket,
}

impl Permit<'_> {
    /// Gives the place back and tells what became of the request.
    pub(in crate::api) fn finish(self, outcome: Outcome) {
        self.admission.change(|controller| controller.finish(self.ticket, outcome, Instant::now()));
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.admission.state().in_flight -= 1;
        self.admission.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Unobserved;
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

    fn admission(max: usize) -> Admission {
        Admission::new(max, Arc::new(Unobserved))
    }

    async fn enter(admission: &Admission, count: usize) -> Vec<Permit<'_>> {
        let mut permits = Vec::new();
        for _ in 0..count {
            permits.push(admission.enter().await);
        }
        permits
    }

    /// How many can enter at this moment.
    async fn room(admission: &Admission) -> usize {
        let mut permits = Vec::new();
        while let Ok(permit) = timeout(Duration::from_millis(1), admission.enter()).await {
            permits.push(permit);
        }
        permits.len()
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_limit_enter() {
        assert_eq!(room(&admission(3)).await, 3);
        assert_eq!(room(&admission(0)).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wave_of_refusals_cuts_once_and_is_told() {
        let limits = Arc::new(Limits::default());
        let admission = Admission::new(8, limits.clone());
        for permit in enter(&admission, 8).await {
            permit.finish(Outcome::Throttled(None));
        }
        assert_eq!(*limits.0.lock().unwrap(), [4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_after_holds_everybody_back() {
        let admission = admission(4);
        let early = admission.enter().await;
        admission.enter().await.finish(Outcome::Throttled(Some(Duration::from_secs(30))));
        early.finish(Outcome::Throttled(Some(Duration::from_secs(5))));
        let start = Instant::now();
        let both = async { tokio::join!(admission.enter(), admission.enter()) };
        let permits = timeout(Duration::from_secs(60), both).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 30);
        drop(permits);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_retry_after_pauses_grow_until_a_request_is_accepted() {
        let admission = admission(8);
        let (start, mut refused_after) = (Instant::now(), Vec::new());
        for _ in 0..6 {
            admission.enter().await.finish(Outcome::Throttled(None));
            refused_after.push(start.elapsed().as_millis());
        }
        assert_eq!(refused_after, [0, 100, 300, 700, 1_500, 3_100]);
        admission.enter().await.finish(Outcome::Accepted);
        let next = timeout(Duration::from_millis(1), admission.enter()).await;
        next.unwrap().finish(Outcome::Throttled(None));
        let next = timeout(Duration::from_millis(101), admission.enter()).await;
        assert!(next.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn futures_and_permits_that_are_dropped_lose_nothing() {
        let admission = admission(2);
        let (first, second) = (admission.enter().await, admission.enter().await);
        assert!(timeout(Duration::from_secs(1), admission.enter()).await.is_err());
        drop(first);
        assert!(timeout(Duration::from_secs(1), admission.enter()).await.is_ok());
        second.finish(Outcome::Throttled(Some(Duration::from_secs(60))));
        assert!(timeout(Duration::from_secs(1), admission.enter()).await.is_err());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(room(&admission).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn first_come_first_served() {
        let admission = admission(1);
        let holder = admission.enter().await;
        let order = Mutex::new(Vec::new());
        let wait = async |n: u32| {
            let _permit = admission.enter().await;
            order.lock().unwrap().push(n);
        };
        // The one whose turn is next gives up: the others keep their order.
        let gives_up = timeout(Duration::from_millis(1), admission.enter());
        let free = async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            drop(holder);
        };
        let (given_up, ..) = tokio::join!(gives_up, wait(1), wait(2), wait(3), free);
        assert!(given_up.is_err());
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }
}
