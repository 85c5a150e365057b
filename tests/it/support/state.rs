//! A set of customers and events, wherever it was read from.

use super::json::{CUSTOMER, Cell, EVENT, Kind, Row, members, object, row_of_record};
use super::place::Place;
use malomo_mirror::sandbox::World;
use std::collections::BTreeMap;

/// Rows by their id.
pub type Rows = BTreeMap<String, Row>;

#[derive(Clone, Default, PartialEq, Eq)]
pub struct State {
    pub customers: Rows,
    pub events: Rows,
}

impl State {
    /// What a sandbox serves.
    pub fn of_world(world: &World) -> State {
        let mut state = State::default();
        for id in world.customer_ids() {
            state.add_customer(&world.customer_json(&id).unwrap());
            for event in world.events_json(&id) {
                state.add_event(&id, &event);
            }
        }
        state
    }

    /// What a mirror holds.
    pub fn of_mirror(place: &Place) -> State {
        State { customers: table(place, "customers", &CUSTOMER), events: table(place, "events", &EVENT) }
    }

    pub fn add_customer(&mut self, record: &str) {
        insert(&mut self.customers, row_of_record(&CUSTOMER, "", record));
    }

    pub fn add_event(&mut self, customer_id: &str, record: &str) {
        insert(&mut self.events, row_of_record(&EVENT, customer_id, record));
    }

    pub fn stream_mut(&mut self, stream: &str) -> &mut Rows {
        match stream {
            "customers" => &mut self.customers,
            "events" => &mut self.events,
            other => panic!("no stream {other}"),
        }
    }
}

fn insert(rows: &mut Rows, row: Row) {
    let id = row["id"].text().to_owned();
    assert!(rows.insert(id.clone(), row).is_none(), "{id} stands twice");
}

fn table(place: &Place, name: &str, columns: &[(&str, Kind)]) -> Rows {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut rows = Rows::new();
    for mut row in place.query(&format!("SELECT {} FROM {name}", names.join(", "))) {
        if let Cell::Text(extra) = &row["extra"] {
            let extra = object(&members(extra));
            row.insert("extra".to_owned(), Cell::Text(extra));
        }
        insert(&mut rows, row);
    }
    rows
}
