//! A small account that a hand-made server answers from, honestly unless a test has it otherwise.

use super::server::{Asked, Reply, Server, decoded};
use super::state::State;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Customers and their events, as the API's JSON.
#[derive(Clone, Default)]
pub struct Account {
    pub page_size: usize,
    /// Id and record, in the order of the list.
    pub customers: Vec<(String, String)>,
    /// By the customer's id, in the order of the list.
    pub events: BTreeMap<String, Vec<String>>,
}

impl Account {
    /// `customers` customers, `c-01` and on, with `events` events each; every value tells its record.
    pub fn of(customers: usize, events: usize, page_size: usize) -> Account {
        let mut account = Account { page_size, ..Account::default() };
        for n in 1..=customers {
            account.add(&format!("c-{n:02}"), events);
        }
        account
    }

    /// A further customer, at the list's end.
    pub fn add(&mut self, id: &str, events: usize) {
        self.customers.push((id.to_owned(), customer(id, "First", "2024-05-01T12:00:00Z")));
        for n in 1..=events {
            self.add_event(id, &format!("{id}-e-{n}"));
        }
    }

    /// Another record in place of a customer's.
    pub fn put(&mut self, id: &str, record: String) {
        let found = self.customers.iter_mut().find(|(found, _)| found == id).unwrap();
        found.1 = record;
    }

    pub fn add_event(&mut self, customer: &str, id: &str) {
        self.events.entry(customer.to_owned()).or_default().push(event(id, "2024-05-01T12:00:00Z"));
    }

    /// Without this customer and its events.
    pub fn remove(&mut self, id: &str) {
        self.customers.retain(|(found, _)| found != id);
        self.events.remove(id);
    }

    pub fn state(&self) -> State {
        let mut state = State::default();
        for (id, record) in &self.customers {
            state.add_customer(record);
            for event in self.events.get(id).into_iter().flatten() {
                state.add_event(id, event);
            }
        }
        state
    }

    /// The honest answer. Pages go on by a `Link` header, so that a walk makes one request a page.
    pub fn answer(&self, asked: &Asked) -> Reply {
        let segments: Vec<String> = asked.path.split('/').skip(1).map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let missing = || Reply::error(404, "not_found", "there is no such record");
        let record =
            |id: &str| self.customers.iter().find(|(found, _)| found == id).map(|(_, record)| record);
        match (asked.method.as_str(), &segments[..]) {
            ("GET", ["customers"]) => self
                .page(asked, &self.customers.iter().map(|(_, record)| record.as_str()).collect::<Vec<_>>()),
            ("GET", ["customers", id]) => record(id).map_or_else(missing, |record| Reply::json(200, record)),
            ("GET", ["customers", id, "events"]) if record(id).is_some() => {
                let events = self.events.get(*id).into_iter().flatten();
                self.page(asked, &events.map(String::as_str).collect::<Vec<_>>())
            }
            _ => missing(),
        }
    }

    fn page(&self, asked: &Asked, records: &[&str]) -> Reply {
        let from: usize = match asked.parameter("next") {
            None => 0,
            Some(token) => token.strip_prefix("at-").and_then(|at| at.parse().ok()).unwrap_or(usize::MAX),
        };
        if from > records.len() {
            return Reply::error(400, "invalid_cursor", "the cursor is none of this list's");
        }
        let to = records.len().min(from + self.page_size);
        let reply = Reply::json(200, &format!("[{}]", records[from..to].join(",")));
        if to == records.len() {
            return reply;
        }
        reply.with_header("Link", &format!("<{}?next=at-{to}>; rel=\"next\"", asked.path))
    }

    /// To be changed while a server answers from it.
    pub fn shared(self) -> Shared {
        Shared(Arc::new(Mutex::new(self)))
    }
}

/// A customer's record with every documented field.
pub fn customer(id: &str, first_name: &str, updated_at: &str) -> String {
    json!({
        "id": id, "email": format!("{id}@example.com"), "first_name": first_name, "last_name": format!("Last of {id}"),
        "phone_number": "555-555-5555", "created_at": "2024-01-01T00:00:00Z", "updated_at": updated_at
    })
    .to_string()
}

/// An event's record with every documented field.
pub fn event(id: &str, updated_at: &str) -> String {
    json!({
        "id": id, "type": "ShopifyOrderFulfilled", "label": format!("Order {id} fulfilled"),
        "link_back_url": "https://shop.example.com/1", "properties": {"order": id}, "timestamp": 1714564800,
        "created_at": "2024-05-01T12:00:00Z", "updated_at": updated_at
    })
    .to_string()
}

/// An account that a server and a test share.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Account>>);

impl Shared {
    /// A server that tells when its first request has arrived (first notify), and answers it when told to (second).
    pub async fn serve_holding_the_first(&self) -> (Server, Arc<Notify>, Arc<Notify>) {
        let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (arriving, going, answering) = (arrived.clone(), go.clone(), self.clone());
        let server = Server::start(move |asked: Asked| {
            let (arrived, go, account) = (arriving.clone(), going.clone(), answering.clone());
            async move {
                if asked.number == 1 {
                    arrived.notify_one();
                    go.notified().await;
                }
                account.lock().answer(&asked)
            }
        })
        .await;
        (server, arrived, go)
    }

    pub fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap()
    }

    pub fn state(&self) -> State {
        self.lock().state()
    }

    /// A server that answers honestly.
    pub async fn serve(&self) -> Server {
        self.serve_but(|_| None).await
    }

    /// A server that answers honestly, except where `twist` has another answer.
    pub async fn serve_but(&self, twist: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Server {
        let account = self.clone();
        Server::answering(move |asked| twist(asked).unwrap_or_else(|| account.lock().answer(asked))).await
    }
}
