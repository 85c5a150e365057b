//! Changes that the world makes of its own accord while it is served, beside what falls due of orders under way.

use super::draw::Draw;
use super::fields::{CustomerField, CustomerFields};
use super::world::World;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A change to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A customer was made, with an order.
    CustomerCreated,
    /// One field of a customer was written.
    CustomerUpdated,
    /// A customer was deleted with its events.
    CustomerDeleted,
    /// A customer ordered something.
    OrderCreated,
    /// An event was revised.
    EventRevised,
    /// An event was deleted.
    EventDeleted,
}

/// How often each change happens, in a hundred. Nothing but these edits and deletions touches what has happened.
const SHARES: [(u64, Change); 6] = [
    (10, Change::CustomerCreated),
    (25, Change::CustomerUpdated),
    (5, Change::CustomerDeleted),
    (35, Change::OrderCreated),
    (15, Change::EventRevised),
    (10, Change::EventDeleted),
];

impl World {
    /// Makes the next change of the seeded sequence. `None` where the drawn change isn't possible, such as
    /// deleting from an empty world.
    pub fn churn(&self) -> Option<Change> {
        let (change, customer, event, text) = {
            let mut state = self.write();
            let change = draw_change(&mut state.churn);
            let needs_event = matches!(change, Change::EventRevised | Change::EventDeleted);
            let customer = state.draw_customer(|row| !needs_event || !row.events.is_empty());
            let event = match &customer {
                Some((slot, _)) if needs_event => state.draw_event(self.source, *slot),
                _ => None,
            };
            (change, customer.map(|(_, id)| id), event, state.churn.below(1_000_000))
        };
        let done = match (change, customer, event) {
            (Change::CustomerCreated, ..) => {
                self.create_drawn_customer();
                true
            }
            (Change::CustomerUpdated, Some(id), _) => {
                let field = CustomerField::ALL[text as usize % 4];
                self.update_customer(&id, CustomerFields::default().set(field, &written(field, text)))
            }
            (Change::CustomerDeleted, Some(id), _) => self.delete_customer(&id),
            (Change::OrderCreated, Some(id), _) => self.order(&id),
            (Change::EventRevised, Some(id), Some(event)) => self.revise_event(&id, &event),
            (Change::EventDeleted, Some(id), Some(event)) => self.delete_event(&id, &event),
            _ => false,
        };
        done.then_some(change)
    }
}

fn draw_change(draw: &mut Draw) -> Change {
    let mut number = draw.below(100);
    for (share, change) in SHARES {
        if number < share {
            return change;
        }
        number -= share;
    }
    Change::OrderCreated
}

fn written(field: CustomerField, number: u64) -> String {
    match field {
        CustomerField::Email => format!("moved.{number}@example.org"),
        CustomerField::PhoneNumber => format!("555-{:03}-{:04}", number / 1000, number % 1000),
        CustomerField::FirstName => format!("First{number}"),
        CustomerField::LastName => format!("Last{number}"),
    }
}

/// Lets the world live until told to stop.
pub(super) async fn run(world: Arc<World>, stop: CancellationToken) {
    // Slower changes leave the clock standing for a tenth of a second at most.
    let pulse = Duration::from_secs_f64((1.0 / world.settings.churn).clamp(0.001, 0.1));
    let mut beat = tokio::time::interval(pulse);
    let mut lived_until = tokio::time::Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            now = beat.tick() => {
                world.live(now.saturating_duration_since(lived_until));
                lived_until = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Settings;
    use std::collections::HashSet;

    #[test]
    fn churn_is_seeded_and_does_everything() {
        let settings = Settings { customers: 20, awkward: true, ..Settings::default() };
        let (one, two) = (World::new(&settings), World::new(&settings));
        let changes: Vec<_> = (0..300).map(|_| one.churn()).collect();
        assert_eq!(changes, (0..300).map(|_| two.churn()).collect::<Vec<_>>());
        assert_eq!(changes.iter().flatten().collect::<HashSet<_>>().len(), SHARES.len());
        assert_eq!(one.customer_ids(), two.customer_ids());
        for id in one.customer_ids() {
            assert_eq!(one.customer_json(&id), two.customer_json(&id));
            assert_eq!(one.events_json(&id), two.events_json(&id));
        }
    }

    #[test]
    fn an_empty_world_survives() {
        let world = World::new(&Settings { customers: 0, ..Settings::default() });
        for _ in 0..100 {
            world.churn();
        }
        assert!(world.customer_count() > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_world_changes_at_its_pace() {
        let settings = Settings { customers: 0, churn: 100.0, ..Settings::default() };
        let world = Arc::new(World::new(&settings));
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(Arc::clone(&world), stop.clone()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(world.customer_count() > 0);
        stop.cancel();
        running.await.unwrap();
    }
}
