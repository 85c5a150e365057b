//! What changes the world, and what that does to it.

use super::*;
use crate::record::{Record, instant};
use crate::sandbox::{CustomerField, Order};

fn world(order: Order) -> World {
    World::new(&Settings { customers: 100, awkward: true, order, ..Settings::default() })
}

fn everything(world: &World) -> Vec<String> {
    let ids = world.customer_ids();
    ids.iter()
        .flat_map(|id| [vec![world.customer_json(id).unwrap()], world.events_json(id)].concat())
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_world() {
    assert_eq!(everything(&world(Order::Id)), everything(&world(Order::Id)));
    let other = World::new(&Settings { seed: 2, customers: 100, ..Settings::default() });
    assert_ne!(other.customer_ids(), world(Order::CreatedAsc).customer_ids());
}

#[test]
fn edits_show_up_and_move_updated_at() {
    let world = world(Order::UpdatedDesc);
    let id = world.customer_ids()[50].clone();
    let before = Record::customer(&world.customer_json(&id).unwrap());
    assert!(world.update_customer(&id, CustomerFields::default().set(CustomerField::FirstName, "New\n\"")));
    let after = Record::customer(&world.customer_json(&id).unwrap());
    assert_eq!(after.text("first_name"), Some("New\n\""));
    assert_eq!((after.text("email"), after.created_at()), (before.text("email"), before.created_at()));
    assert!(instant(after.updated_at().unwrap()) > instant(before.updated_at().unwrap()));
    assert_eq!(world.customer_ids()[0], id);
    assert!(!world.update_customer("nobody", CustomerFields::default()));
}

#[test]
fn customers_come_and_go() {
    let world = world(Order::CreatedAsc);
    let id = world.create_customer(CustomerFields::default().set(CustomerField::Email, "new@example.com"));
    assert_eq!(world.customer_ids().last(), Some(&id));
    let customer = Record::customer(&world.customer_json(&id).unwrap());
    assert_eq!((customer.text("email"), customer.text("last_name")), (Some("new@example.com"), None));
    assert!(world.delete_customer(&id));
    assert!(!world.delete_customer(&id));
    assert_eq!(world.customer_json(&id), None);
    assert_eq!(world.customer_count(), 100);
    assert_ne!(world.create_customer(CustomerFields::default()), id);
}

#[test]
fn events_change_without_their_customer() {
    let world = world(Order::CreatedAsc);
    let id = world.customer_ids()[7].clone();
    let customer = world.customer_json(&id);
    assert!(world.set_event_count(&id, 0) && world.event_ids(&id).is_empty());
    let first = world.add_event(&id).unwrap();
    let second = world.add_event(&id).unwrap();
    assert_eq!(world.event_ids(&id), [first.clone(), second.clone()]);
    let before = world.events_json(&id);
    assert!(world.revise_event(&id, &first));
    let after = world.events_json(&id);
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);
    assert_eq!(Record::event(&id, &after[0]).id(), first);
    assert!(world.delete_event(&id, &first) && !world.delete_event(&id, &first));
    assert_eq!(world.event_ids(&id), [second]);
    assert!(world.set_event_count(&id, 1000) && world.event_ids(&id).len() == 1000);
    assert!(world.set_event_count(&id, 1) && world.event_ids(&id).len() == 1);
    assert_eq!(world.customer_json(&id), customer);
    assert_eq!(world.add_event("nobody"), None);
}

#[test]
fn ids_are_unique() {
    let world = world(Order::Id);
    let mut ids: Vec<String> = world.customer_ids().iter().flat_map(|id| world.event_ids(id)).collect();
    let count = ids.len();
    assert_eq!(count, world.event_count());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
