//! The account that the sandbox serves: it begins as the seed says and changes as it is told.
//!
//! A record is kept as a few numbers and written out when it is asked for: 100,000 customers with
//! 500,000 events take some tens of megabytes.

use super::draw::{Draw, Purpose};
use super::fields::CustomerFields;
use super::generate::{CLOCK_START, CLOCK_STEP, Due, EventRow, Ordinal, Source};
use super::paging::{Index, Position};
use super::render::CustomerFacts;
use super::settings::Settings;
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

/// A customer as it is kept. Its place in the table is its number, which is never used again.
pub(super) struct CustomerRow {
    pub(super) id: Arc<str>,
    created: i64,
    pub(super) updated: i64,
    written: Option<Box<CustomerFields>>,
    plain: bool,
    /// Oldest first.
    pub(super) events: Vec<EventRow>,
    /// How many orders there were; the number of the next one.
    pub(super) orders: u32,
}

impl World {
    /// The world as the settings and their seed say.
    pub fn new(settings: &Settings) -> World {
        let source = Source { seed: settings.seed, awkward: settings.awkward };
        let mut under_way = BTreeSet::new();
        let rows: Vec<_> = (0..settings.customers as u32)
            .map(|slot| {
                let (row, due) = CustomerRow::of_start(source, slot, settings);
                under_way.extend(due.into_iter().map(|(at, ordinal)| Due { at, slot, ordinal }));
                Some(row)
            })
            .collect();
        let numbered = || rows.iter().flatten().zip(0_u32..);
        let state = State {
            by_id: numbered().map(|(row, slot)| (Arc::clone(&row.id), slot)).collect(),
            index: numbered().map(|(row, slot)| (row.position(settings), slot)).collect(),
            now: CLOCK_START,
            churn: Draw::new(settings.seed, Purpose::Churn, 0, 0),
            under_way,
            lived: Duration::ZERO,
            changes: 0,
            rows,
        };
        World { settings: settings.clone(), source, state: RwLock::new(state) }
    }

    /// What its clock shows.
    pub(super) fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.read().now.unsigned_abs())
    }

    /// Makes a customer; a field that isn't sent is null. Returns its id.
    pub fn create_customer(&self, fields: CustomerFields) -> String {
        self.insert(Some(fields))
    }

    /// Makes a customer as the seed says, odd ones among them, with an order. Returns its id.
    pub(super) fn create_drawn_customer(&self) -> String {
        self.insert(None)
    }

    fn insert(&self, fields: Option<CustomerFields>) -> String {
        let mut state = self.write();
        let now = state.tick();
        let serial = state.rows.len() as u64;
        let plain = fields.is_some();
        let id = if plain { self.source.new_customer_id(serial) } else { self.source.customer_id(serial) };
        let row = CustomerRow {
            id: Arc::from(id.as_str()),
            created: now,
            updated: now,
            written: fields.map(|fields| Box::new(fields.completed())),
            plain,
            events: Vec::new(),
            orders: 0,
        };
        state.by_id.insert(Arc::clone(&row.id), serial as u32);
        state.index.insert(row.position(&self.settings), serial as u32);
        state.rows.push(Some(row));
        if !plain {
            self.begin_order(&mut state, serial as u32);
        }
        id
    }

    /// Changes the fields that are sent and moves the customer's `updated_at`, even where nothing is sent.
    /// False where there is no such customer.
    pub fn update_customer(&self, id: &str, fields: CustomerFields) -> bool {
        let mut state = self.write();
        let Some(slot) = state.slot(id) else { return false };
        let now = state.tick();
        let State { rows, index, .. } = &mut *state;
        let Some(row) = rows[slot as usize].as_mut() else { return false };
        index.remove(&row.position(&self.settings));
        row.written.get_or_insert_default().merge(fields);
        row.updated = now;
        index.insert(row.position(&self.settings), slot);
        true
    }

    /// Deletes a customer and its events. False where there is no such customer.
    pub fn delete_customer(&self, id: &str) -> bool {
        let mut state = self.write();
        let Some(slot) = state.by_id.remove(id) else { return false };
        state.tick();
        let Some(row) = state.rows[slot as usize].take() else { return false };
        state.index.remove(&row.position(&self.settings));
        true
    }

    /// Adds an event, which is the customer's newest, and returns its id: the next one of an order that is under
    /// way, ahead of its time, else a new order's first. The customer's own `updated_at` stays (`api-contract`
    /// point 10) but for [`Settings::events_touch_customer`]. `None` where there is no such customer.
    pub fn add_event(&self, customer_id: &str) -> Option<String> {
        let mut state = self.write();
        let slot = state.slot(customer_id)?;
        state.tick();
        let ordinal = self.hasten(&mut state, slot)?;
        Some(event_id(self.source, u64::from(slot), ordinal))
    }

    /// Begins a new order of the customer, whatever else is under way. False where there is no such customer.
    pub(super) fn order(&self, customer_id: &str) -> bool {
        let mut state = self.write();
        let Some(slot) = state.slot(customer_id) else { return false };
        state.tick();
        self.begin_order(&mut state, slot).is_some()
    }

    /// Changes an event's content and moves its `updated_at`; the customer's own stays. False where there is
    /// no such event.
    pub fn revise_event(&self, customer_id: &str, event_id: &str) -> bool {
        let revised = self.with_customer(customer_id, |source, serial, row, now| {
            let at = row.find_event(source, serial, event_id)?;
            row.events[at].revision += 1;
            row.events[at].updated = now;
            Some(())
        });
        revised.flatten().is_some()
    }

    /// Deletes an event; the customer's `updated_at` stays. False where there is no such event.
    pub fn delete_event(&self, customer_id: &str, event_id: &str) -> bool {
        let deleted = self.with_customer(customer_id, |source, serial, row, _| {
            let at = row.find_event(source, serial, event_id)?;
            Some(row.events.remove(at))
        });
        deleted.flatten().is_some()
    }

    /// Gives the customer exactly `count` events: deletes its newest ones, or adds some at one instant, as
    /// [`World::add_event`] does. False where there is no such customer.
    pub fn set_event_count(&self, customer_id: &str, count: usize) -> bool {
        let mut state = self.write();
        let Some(slot) = state.slot(customer_id) else { return false };
        state.tick();
        let Some(row) = state.rows[slot as usize].as_mut() else { return false };
        row.events.truncate(count);
        for _ in row.events.len()..count {
            self.hasten(&mut state, slot);
        }
        true
    }

    /// The ids of all customers, in the order of the list.
    pub fn customer_ids(&self) -> Vec<String> {
        let state = self.read();
        let ids = state.index.keys().map(|place| place.id.to_string());
        if self.settings.order.descending() { ids.rev().collect() } else { ids.collect() }
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
        let mut out = String::new();
        self.source.push_account(&mut out);
        out
    }

    /// The customer's JSON, to the byte as the API serves it.
    pub fn customer_json(&self, id: &str) -> Option<String> {
        let state = self.read();
        let slot = state.slot(id)?;
        let mut out = String::with_capacity(300);
        self.push_customer(&state, slot, &mut out);
        Some(out)
    }

    /// The ids of a customer's events, in the order of the list; none where there is no such customer.
    pub fn event_ids(&self, customer_id: &str) -> Vec<String> {
        self.with_events(customer_id, |place, _| place.id.to_string())
    }

    /// A customer's events as JSON, to the byte as the API serves them, in the order of the list; none where
    /// there is no such customer.
    pub fn events_json(&self, customer_id: &str) -> Vec<String> {
        self.with_events(customer_id, |_, write| {
            let mut out = String::new();
            write(&mut out);
            out
        })
    }

    fn with_events<T>(&self, id: &str, each: impl Fn(&Position, &dyn Fn(&mut String)) -> T) -> Vec<T> {
        let state = self.read();
        let Some((slot, row)) = state.customer(id) else { return Vec::new() };
        let index = self.event_index(slot, row);
        let mut found: Vec<T> = index
            .iter()
            .map(|(place, at)| {
                let write = |out: &mut String| {
                    self.source.push_event(out, u64::from(slot), &row.events[*at as usize]);
                };
                each(place, &write)
            })
            .collect();
        if self.settings.order.descending() {
            found.reverse();
        }
        found
    }

    /// The list of a customer's events.
    pub(super) fn event_index(&self, slot: u32, row: &CustomerRow) -> Index {
        let order = self.settings.order;
        let place = |event: &EventRow| Position {
            sort: order.sort_key(event.created, event.updated),
            id: Arc::from(event_id(self.source, u64::from(slot), event.ordinal)),
        };
        row.events.iter().zip(0..).map(|(event, at)| (place(event), at)).collect()
    }

    /// Appends a living customer's JSON.
    pub(super) fn push_customer(&self, state: &State, slot: u32, out: &mut String) {
        let Some(row) = &state.rows[slot as usize] else { return };
        let facts = CustomerFacts {
            serial: u64::from(slot),
            id: &row.id,
            created: row.created,
            updated: row.updated,
            written: row.written.as_deref(),
            plain: row.plain,
        };
        self.source.push_customer(out, &facts);
    }

    fn with_customer<T>(
        &self,
        id: &str,
        change: impl FnOnce(Source, u64, &mut CustomerRow, i64) -> T,
    ) -> Option<T> {
        let mut state = self.write();
        let slot = state.slot(id)?;
        let now = state.tick();
        let row = state.rows[slot as usize].as_mut()?;
        Some(change(self.source, u64::from(slot), row, now))
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
    fn slot(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// The customer with that id and its number.
    pub(super) fn customer(&self, id: &str) -> Option<(u32, &CustomerRow)> {
        let slot = self.slot(id)?;
        Some((slot, self.rows[slot as usize].as_ref()?))
    }

    /// Where the customer with that id stands in the list.
    pub(super) fn position(&self, id: &str, settings: &Settings) -> Option<Position> {
        self.customer(id).map(|(_, row)| row.position(settings))
    }

    /// The nearest living customer from a drawn number on that `fits`.
    pub(super) fn draw_customer(&mut self, fits: impl Fn(&CustomerRow) -> bool) -> Option<(u32, String)> {
        let from = self.churn.below(self.rows.len() as u64) as usize;
        let slots = (from..self.rows.len()).chain(0..from);
        slots
            .filter_map(|slot| self.rows[slot].as_ref().map(|row| (slot, row)))
            .find(|(_, row)| fits(row))
            .map(|(slot, row)| (slot as u32, row.id.to_string()))
    }

    /// The id of one of a customer's events, drawn.
    pub(super) fn draw_event(&mut self, source: Source, slot: u32) -> Option<String> {
        let count = self.rows[slot as usize].as_ref()?.events.len();
        let at = self.churn.below(count as u64) as usize;
        let event = self.rows[slot as usize].as_ref()?.events.get(at)?;
        Some(event_id(source, u64::from(slot), event.ordinal))
    }

    fn tick(&mut self) -> i64 {
        self.now += CLOCK_STEP;
        self.now
    }
}

impl CustomerRow {
    /// A customer of the start, and what falls due of the orders that are under way.
    fn of_start(source: Source, slot: u32, settings: &Settings) -> (CustomerRow, Vec<(i64, Ordinal)>) {
        let serial = u64::from(slot);
        let (created, mut updated) = source.customer_times(serial);
        let past = source.past(serial, created, settings.events_per_customer);
        if let Some(newest) = past.events.last()
            && settings.events_touch_customer
        {
            updated = updated.max(newest.created);
        }
        let row = CustomerRow {
            id: Arc::from(source.customer_id(serial)),
            created,
            updated,
            written: None,
            plain: false,
            events: past.events,
            orders: past.orders,
        };
        (row, past.under_way)
    }

    pub(super) fn position(&self, settings: &Settings) -> Position {
        Position { sort: settings.order.sort_key(self.created, self.updated), id: Arc::clone(&self.id) }
    }

    fn find_event(&self, source: Source, serial: u64, id: &str) -> Option<usize> {
        let mut candidate = String::with_capacity(40);
        self.events.iter().position(|event| {
            candidate.clear();
            source.push_event_id(&mut candidate, serial, event.ordinal);
            candidate == id
        })
    }
}

fn event_id(source: Source, serial: u64, ordinal: Ordinal) -> String {
    let mut id = String::with_capacity(40);
    source.push_event_id(&mut id, serial, ordinal);
    id
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
