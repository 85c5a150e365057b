//! The account that the sandbox serves: it begins as the seed says and changes as it is told.
//!
//! A record is kept as a few numbers and written out when it is asked for: 100,000 customers with
//! 500,000 events take some tens of megabytes.

use super::draw::{Draw, Purpose};
use super::fields::CustomerFields;
use super::generate::{CLOCK_START, CLOCK_STEP, Source};
use super::paging::{Index, Position};
use super::rows::{CustomerRow, Due, EventRow};
use super::settings::{Order, Settings};
use super::text::quoted;
use super::webhooks::{Post, Topic};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A seeded, deterministic account with customers and their events, which may be changed while it is served.
///
/// Its clock begins on 2025-01-01, with some orders under way, and shows whole seconds. It moves by one second with
/// each change, so that no two have the same time, and as [`World::live`] is told; whatever the time of day.
pub struct World {
    pub(super) settings: Settings,
    pub(super) source: Source,
    state: RwLock<State>,
    pub(super) post: Post,
}

/// What changes.
pub(super) struct State {
    pub(super) rows: Vec<Option<CustomerRow>>,
    by_id: HashMap<Arc<str>, u32>,
    pub(super) index: Index,
    pub(super) now: i64,
    pub(super) churn: Draw,
    pub(super) under_way: BTreeSet<Due>,
    /// The real time that has passed for it.
    pub(super) lived: Duration,
    /// How many changes it made in that time.
    pub(super) changes: u64,
}

impl World {
    /// The world as the settings and their seed say.
    pub fn new(settings: &Settings) -> World {
        let source = Source { seed: settings.seed, awkward: settings.awkward };
        let mut state = State {
            rows: Vec::with_capacity(settings.customers),
            by_id: HashMap::with_capacity(settings.customers),
            index: Index::new(),
            now: CLOCK_START,
            churn: Draw::new(settings.seed, Purpose::Churn, 0, 0),
            under_way: BTreeSet::new(),
            lived: Duration::ZERO,
            changes: 0,
        };
        for slot in 0..settings.customers as u32 {
            let (row, due) = source.customer_of_start(slot, settings);
            state.under_way.extend(due);
            state.add(row, settings.order);
        }
        World { settings: settings.clone(), source, state: RwLock::new(state), post: Post::default() }
    }

    /// What its clock shows.
    pub(super) fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.read().now.unsigned_abs())
    }

    /// Makes a customer; a field that isn't sent is null. Returns its id.
    pub fn create_customer(&self, fields: CustomerFields) -> String {
        let mut state = self.write();
        let (slot, id) = self.add_customer(&mut state, Some(Box::new(fields)));
        self.tell_of_customer(&state, Topic::CustomerCreated, slot);
        id.to_string()
    }

    /// Makes a customer as the seed says, odd ones among them, with an order.
    pub(super) fn create_drawn_customer(&self) {
        let mut state = self.write();
        let (slot, _) = self.add_customer(&mut state, None);
        self.tell_of_customer(&state, Topic::CustomerCreated, slot);
        self.begin_order(&mut state, slot);
    }

    fn add_customer(&self, state: &mut State, written: Option<Box<CustomerFields>>) -> (u32, Arc<str>) {
        let (now, plain) = (state.tick(), written.is_some());
        let id: Arc<str> = self.source.customer_id(state.rows.len() as u64, plain).into();
        let row = CustomerRow {
            id: Arc::clone(&id),
            created: now,
            updated: now,
            written,
            plain,
            events: Vec::new(),
            orders: 0,
        };
        (state.add(row, self.settings.order), id)
    }

    /// Changes the fields that are sent and moves the customer's `updated_at`, even where nothing is sent.
    /// False where there is no such customer.
    pub fn update_customer(&self, id: &str, fields: CustomerFields) -> bool {
        let updated = self.with_customer(id, |state, slot| {
            if let Some(row) = &mut state.rows[slot as usize] {
                row.written.get_or_insert_default().merge(fields);
            }
            state.touch(slot, self.settings.order);
            self.tell_of_customer(state, Topic::CustomerUpdated, slot);
        });
        updated.is_some()
    }

    /// Deletes a customer and its events. False where there is no such customer.
    pub fn delete_customer(&self, id: &str) -> bool {
        let deleted = self.with_customer(id, |state, slot| {
            state.by_id.remove(id);
            if let Some(row) = state.rows[slot as usize].take() {
                state.index.remove(&row.position(self.settings.order));
            }
            self.post.tell(Topic::CustomerDeleted, || format!(r#"{{"customer":{{"id":{}}}}}"#, quoted(id)));
        });
        deleted.is_some()
    }

    /// Adds an event, which is the customer's newest, and returns its id: the next one of an order that is under
    /// way, ahead of its time, else a new order's first. The customer's own `updated_at` stays (`api-contract`
    /// point 10) but for [`Settings::events_touch_customer`]. `None` where there is no such customer.
    pub fn add_event(&self, customer_id: &str) -> Option<String> {
        let added = self.with_customer(customer_id, |state, slot| (slot, self.hasten(state, slot)));
        let (slot, ordinal) = added?;
        Some(self.source.event_id(u64::from(slot), ordinal?))
    }

    /// Begins a new order of the customer, whatever else is under way. False where there is no such customer.
    pub(super) fn order(&self, customer_id: &str) -> bool {
        self.with_customer(customer_id, |state, slot| self.begin_order(state, slot)).flatten().is_some()
    }

    /// Changes an event's content and moves its `updated_at`; the customer's own stays. False where there is
    /// no such event.
    pub fn revise_event(&self, customer_id: &str, event_id: &str) -> bool {
        self.with_event(customer_id, event_id, |slot, events, at, now| {
            events[at].revision += 1;
            events[at].updated = now;
            self.tell_of_event(Topic::EventUpdated, customer_id, || {
                self.source.event(u64::from(slot), &events[at])
            });
        })
    }

    /// Deletes an event; the customer's `updated_at` stays. False where there is no such event.
    pub fn delete_event(&self, customer_id: &str, event_id: &str) -> bool {
        self.with_event(customer_id, event_id, |_, events, at, _| {
            events.remove(at);
            self.tell_of_event(Topic::EventDeleted, customer_id, || {
                format!(r#"{{"id":{}}}"#, quoted(event_id))
            });
        })
    }

    /// Gives the customer exactly `count` events: deletes its newest ones, or adds some at one instant, as
    /// [`World::add_event`] does. False where there is no such customer.
    pub fn set_event_count(&self, customer_id: &str, count: usize) -> bool {
        let set = self.with_customer(customer_id, |state, slot| {
            let Some(row) = &mut state.rows[slot as usize] else { return };
            row.events.truncate(count);
            for _ in row.events.len()..count {
                self.hasten(state, slot);
            }
        });
        set.is_some()
    }

    /// The ids of all customers, in the order of the list.
    pub fn customer_ids(&self) -> Vec<String> {
        let ids = self.read();
        self.settings.order.arranged(ids.index.keys().map(|place| place.id.to_string()))
    }

    /// How many customers there are.
    pub fn customer_count(&self) -> usize {
        self.read().index.len()
    }

    /// How many events all customers have together.
    pub fn event_count(&self) -> usize {
        self.read().rows.iter().flatten().map(|row| row.events.len()).sum()
    }

    /// The account's JSON, to the byte as the API serves it.
    pub fn account_json(&self) -> String {
        self.source.account()
    }

    /// The customer's JSON, to the byte as the API serves it.
    pub fn customer_json(&self, id: &str) -> Option<String> {
        let state = self.read();
        let (slot, row) = state.living(id)?;
        Some(self.source.customer(u64::from(slot), row))
    }

    /// The ids of a customer's events, in the order of the list; none where there is no such customer.
    pub fn event_ids(&self, customer_id: &str) -> Vec<String> {
        self.events(customer_id, |place, _, _| place.id.to_string())
    }

    /// A customer's events as JSON, to the byte as the API serves them, in the order of the list; none where
    /// there is no such customer.
    pub fn events_json(&self, customer_id: &str) -> Vec<String> {
        self.events(customer_id, |_, serial, event| self.source.event(serial, event))
    }

    fn events<T>(&self, customer_id: &str, each: impl Fn(&Position, u64, &EventRow) -> T) -> Vec<T> {
        let state = self.read();
        let Some((slot, row)) = state.living(customer_id) else { return Vec::new() };
        let index = self.event_index(slot, row);
        let found = index.iter().map(|(place, at)| each(place, u64::from(slot), &row.events[*at as usize]));
        self.settings.order.arranged(found)
    }

    /// The list of a customer's events.
    pub(super) fn event_index(&self, slot: u32, row: &CustomerRow) -> Index {
        let place = |event: &EventRow| Position {
            sort: self.settings.order.sort_key(event.created, event.updated),
            id: self.source.event_id(u64::from(slot), event.ordinal).into(),
        };
        row.events.iter().zip(0..).map(|(event, at)| (place(event), at)).collect()
    }

    /// Changes something about a living customer; the clock moves on first.
    fn with_customer<T>(&self, id: &str, change: impl FnOnce(&mut State, u32) -> T) -> Option<T> {
        let mut state = self.write();
        let (slot, _) = state.living(id)?;
        state.tick();
        Some(change(&mut state, slot))
    }

    /// Puts into the outbox what happened to a living customer. What a body looks like is not documented.
    fn tell_of_customer(&self, state: &State, topic: Topic, slot: u32) {
        let Some(row) = &state.rows[slot as usize] else { return };
        let customer = || format!(r#"{{"customer":{}}}"#, self.source.customer(u64::from(slot), row));
        self.post.tell(topic, customer);
    }

    /// Puts into the outbox what happened to a customer's event.
    pub(super) fn tell_of_event(&self, topic: Topic, customer_id: &str, event: impl FnOnce() -> String) {
        let body = || format!(r#"{{"event":{},"customer":{{"id":{}}}}}"#, event(), quoted(customer_id));
        self.post.tell(topic, body);
    }

    /// Moves the clock on, and returns what it shows.
    pub(super) fn tick(&self) -> i64 {
        self.write().tick()
    }

    /// Changes one of the events of a customer: gets the customer's number, all events, its place among them, and what the
    /// clock shows. False where there is no such event.
    fn with_event(
        &self,
        customer_id: &str,
        event_id: &str,
        change: impl FnOnce(u32, &mut Vec<EventRow>, usize, i64),
    ) -> bool {
        let changed = self.with_customer(customer_id, |state, slot| {
            let events = &mut state.rows[slot as usize].as_mut()?.events;
            let id = |event: &EventRow| self.source.event_id(u64::from(slot), event.ordinal);
            let at = events.iter().position(|event| id(event) == event_id)?;
            change(slot, events, at, state.now);
            Some(())
        });
        changed.flatten().is_some()
    }

    // A panic elsewhere leaves no record half changed, so that a poisoned lock may be used on.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("customers", &self.customer_count()).finish_non_exhaustive()
    }
}

impl State {
    /// The customer with that id and its number.
    pub(super) fn living(&self, id: &str) -> Option<(u32, &CustomerRow)> {
        let slot = *self.by_id.get(id)?;
        Some((slot, self.rows[slot as usize].as_ref()?))
    }

    /// Where the customer with that id stands in the list.
    pub(super) fn position(&self, id: &str, order: Order) -> Option<Position> {
        self.living(id).map(|(_, row)| row.position(order))
    }

    /// Moves a living customer's `updated_at` to now, and with it the customer in the list.
    pub(super) fn touch(&mut self, slot: u32, order: Order) {
        let Some(row) = self.rows[slot as usize].as_mut() else { return };
        self.index.remove(&row.position(order));
        row.updated = self.now;
        self.index.insert(row.position(order), slot);
    }

    /// The nearest living customer from a drawn number on that `fits`.
    pub(super) fn draw_customer(&mut self, fits: impl Fn(&CustomerRow) -> bool) -> Option<(u32, String)> {
        let from = self.churn.below(self.rows.len() as u64) as usize;
        let mut slots = (from..self.rows.len()).chain(0..from);
        slots.find_map(|slot| {
            let row = self.rows[slot].as_ref().filter(|row| fits(row))?;
            Some((slot as u32, row.id.to_string()))
        })
    }

    /// The id of one of a customer's events, drawn.
    pub(super) fn draw_event(&mut self, source: Source, slot: u32) -> Option<String> {
        let events = &self.rows[slot as usize].as_ref()?.events;
        let event = events.get(self.churn.below(events.len() as u64) as usize)?;
        Some(source.event_id(u64::from(slot), event.ordinal))
    }

    fn add(&mut self, row: CustomerRow, order: Order) -> u32 {
        let slot = self.rows.len() as u32;
        self.by_id.insert(Arc::clone(&row.id), slot);
        self.index.insert(row.position(order), slot);
        self.rows.push(Some(row));
        slot
    }

    fn tick(&mut self) -> i64 {
        self.now += CLOCK_STEP;
        self.now
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
