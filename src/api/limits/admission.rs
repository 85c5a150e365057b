//! Where requests wait for their turn: first come, first served.

use super::Outcome;
use super::controller::{Controller, Ticket};
use crate::observe::{Event, Observer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Lets requests start as the limits allow.
pub(in crate::api) struct Admission {
    /// Held by the one request whose turn is next; the others wait for it in their order.
    turn: tokio::sync::Mutex<()>,
    /// Tells that one that the limits or the requests in flight have changed.
    changed: Notify,
    controller: Mutex<Controller>,
    observer: Arc<dyn Observer>,
}

impl Admission {
    /// No more than `max` requests are ever in flight; 0 counts as 1.
    pub(in crate::api) fn new(max: usize, observer: Arc<dyn Observer>) -> Admission {
        let controller = Mutex::new(Controller::new(max));
        Admission { turn: tokio::sync::Mutex::default(), changed: Notify::new(), controller, observer }
    }

    /// Waits until a request may start. Dropping the future gives its turn to the next one, dropping the permit its place.
    pub(in crate::api) async fn enter(&self) -> Permit<'_> {
        let _turn = self.turn.lock().await;
        loop {
            let admitted = self.limits().admit(Instant::now());
            match admitted {
                Ok(ticket) => return Permit { admission: self, ticket, outcome: Outcome::Unknown },
                Err(None) => self.changed.notified().await,
                Err(Some(at)) => drop(timeout_at(at, self.changed.notified()).await),
            }
        }
    }

    /// Changes the limits, tells whoever waits, and reports it if another number of requests may be in flight.
    pub(in crate::api) fn change(&self, change: impl FnOnce(&mut Controller, Instant)) {
        let mut limits = self.limits();
        let before = limits.concurrency.limit;
        change(&mut limits, Instant::now());
        let limit = limits.concurrency.limit;
        drop(limits);
        self.changed.notify_one();
        if limit != before {
            self.observer.observe(&Event::ConcurrencyChanged { limit });
        }
    }

    /// What the API bears, as far as it has shown.
    pub(in crate::api) fn limits(&self) -> MutexGuard<'_, Controller> {
        self.controller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one request in flight.
pub(in crate::api) struct Permit<'a> {
    admission: &'a Admission,
    ticket: Ticket,
    outcome: Outcome,
}

impl Permit<'_> {
    /// Gives the place back and tells what became of the request.
    pub(in crate::api) fn finish(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.admission.change(|controller, now| controller.finish(self.ticket, self.outcome, now));
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
