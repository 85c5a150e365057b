//! The account that is mirrored, with people in it who can be told from everything else: where one of their names
//! turns up, something leaked.

use crate::findings::Findings;
use crate::support::{Account, Place, Program, Server, Shared};
use serde_json::json;

pub use crate::support::echo::KEY;

/// Part of each personal value and of the key, and of nothing else.
pub const SECRETS: [&str; 5] = ["Zyxwvut", "Qponmlk", "@private.example", "555-0199", "neverToBeSeen"];

/// A customer of this account.
pub fn person(id: &str, note: &str, updated_at: &str) -> String {
    json!({
        "id": id, "email": format!("{id}@private.example"), "first_name": format!("Zyxwvut {note}"),
        "last_name": format!("Qponmlk {id}"), "phone_number": "555-0199", "created_at": "2024-01-01T00:00:00Z",
        "updated_at": updated_at, "nickname": "Zyxwvut", "balance": 1.50
    })
    .to_string()
}

/// So many customers with so many events each.
pub fn account(customers: usize, events: usize, page_size: usize) -> Account {
    let mut account = Account::of(customers, events, page_size);
    for (id, record) in &mut account.customers {
        *record = person(id, "as created", "2024-05-01T12:00:00Z");
    }
    for events in account.events.values_mut() {
        for event in events {
            *event = event.replace("fulfilled", "fulfilled for Zyxwvut").replace("\"order\"", "\"Qponmlk\"");
        }
    }
    account
}

/// Some customers changed, with a new event each, some new, some gone; `round` counts from 1.
pub fn change(account: &mut Account, luck: &mut fastrand::Rng, round: usize) {
    let ids: Vec<String> = account.customers.iter().map(|(id, _)| id.clone()).collect();
    let at = format!("2024-06-{round:02}T12:00:00Z");
    for id in luck.choose_multiple(ids.iter(), ids.len() / 4) {
        account.put(id, person(id, &format!("changed {round}"), &at));
        account.add_event(id, &format!("{id}-e-new-{round}"));
    }
    for id in luck.choose_multiple(ids.iter(), ids.len() / 10) {
        account.remove(id);
    }
    for n in 0..3 {
        let id = format!("new-{round}-{n}");
        account.add(&id, n);
        account.put(&id, person(&id, "new", &at));
    }
}

/// The program with this account's key.
pub fn program(place: &Place, base_url: &str) -> Program {
    place.program(base_url).key(KEY)
}

/// An account, and a mirror that a full sync has filled from it.
pub struct Mirrored {
    /// Begins with that sync.
    pub found: Findings,
    pub account: Shared,
    /// Serves the account until it is dropped.
    pub server: Server,
    pub place: Place,
    pub program: Program,
}

/// Mirrors an account in a new place.
pub async fn mirrored(account: Account) -> Mirrored {
    let mut found = Findings::of_a_try();
    let account = account.shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = program(&place, &server.base_url());
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    Mirrored { found, account, server, place, program }
}
