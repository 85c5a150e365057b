//! Where requests wait for their turn: first come, first served.

use super::controller::{Controller, Ticket};
use super::{Learned, Outcome};
use crate::observe::{Event, Observer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

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
            let start_at = {
                let State { controller, in_flight } = &mut *self.state();
                let now = Instant::now();
                let has_place = *in_flight < controller.concurrency();
                let start_at = controller.next_start().filter(|at| *at > now);
                if has_place && start_at.is_none() {
                    *in_flight += 1;
                    let ticket = controller.start(*in_flight, now);
                    return Permit { admission: self, ticket };
                }
                start_at.filter(|_| has_place)
            };
            match start_at {
                Some(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
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
