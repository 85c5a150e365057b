//! The webhooks of the sandbox's account, and what is to be delivered to them.

use super::answer::Refusal;
use super::draw::{Draw, Purpose};
use super::lists::Page;
use super::paging::{Index, Position, Side};
use super::text::{object, quoted, times};
use super::world::World;
use crate::webhook::Key;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// The tokens of the list of webhooks are those of no customer's list.
const LIST: u64 = u64::MAX;

/// Deliveries that may wait to be sent; older ones are lost then.
const OUTBOX: usize = 100_000;

/// What a webhook may be about. The documentation names the first one; the others are as likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    EventCreated,
    EventUpdated,
    EventDeleted,
    CustomerCreated,
    CustomerUpdated,
    CustomerDeleted,
}

impl Topic {
    const ALL: [Topic; 6] = [
        Topic::EventCreated,
        Topic::EventUpdated,
        Topic::EventDeleted,
        Topic::CustomerCreated,
        Topic::CustomerUpdated,
        Topic::CustomerDeleted,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Topic::EventCreated => "events:created",
            Topic::EventUpdated => "events:updated",
            Topic::EventDeleted => "events:deleted",
            Topic::CustomerCreated => "customers:created",
            Topic::CustomerUpdated => "customers:updated",
            Topic::CustomerDeleted => "customers:deleted",
        }
    }

    fn from_name(name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// A webhook. `Debug` is left out: it holds the secret.
struct Webhook {
    id: String,
    /// Counted from 0, in the order in which they were made.
    number: u32,
    url: String,
    topic: Topic,
    is_active: bool,
    key: Option<Key>,
    /// Milliseconds since 1970.
    created: i64,
    updated: i64,
}

impl Webhook {
    fn json(&self) -> String {
        object(&[
            format!(r#""active":{}"#, self.is_active),
            format!(r#""id":{}"#, quoted(&self.id)),
            format!(r#""topic":"{}""#, self.topic.name()),
            format!(r#""url":{}"#, quoted(&self.url)),
            times(self.created, self.updated, 0),
        ])
    }
}

/// What a write of a webhook sends.
struct Fields {
    url: Option<String>,
    topic: Option<Topic>,
    is_active: Option<bool>,
    /// `Some(None)`: from now on deliveries aren't signed.
    key: Option<Option<Key>>,
}

impl Fields {
    fn of(body: &[u8], anywhere: bool) -> Result<Fields, Refusal> {
        let refused = |message: String| Refusal::new(400, "invalid_body", message);
        let members: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|_| refused("the body must be one JSON object".to_owned()))?;
        let text = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(refused(format!("`{name}` must be a string"))),
        };
        let is_active = match members.get("active") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(active)) => Some(*active),
            Some(_) => return Err(refused("`active` must be true or false".to_owned())),
        };
        let url = text("url")?;
        if let Some(url) = &url {
            check_url(url, anywhere).map_err(refused)?;
        }
        let topic = text("topic")?.map(|name| {
            Topic::from_name(&name).ok_or_else(|| refused("`topic` is none of the topics".to_owned()))
        });
        let secret = text("secret")?.map(|secret| Some(Key::new(&SecretString::from(secret))));
        let is_taken_away = matches!(members.get("secret"), Some(Value::Null));
        Ok(Fields {
            url,
            topic: topic.transpose()?,
            is_active,
            key: if is_taken_away { Some(None) } else { secret },
        })
    }
}

/// A sandbox is for trying things out: what it makes up isn't sent to other machines by mistake.
fn check_url(text: &str, anywhere: bool) -> Result<(), String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or("`url` must be an http or https URL")?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match is_loopback || anywhere {
        true => Ok(()),
        false => {
            Err("this sandbox delivers to loopback addresses only; start it with --webhook-anywhere to \
                      have it deliver to others"
                .to_owned())
        }
    }
}

/// Something to be delivered to one webhook.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) url: String,
    pub(super) topic: &'static str,
    pub(super) webhook: String,
    pub(super) body: Arc<str>,
    pub(super) signature: Option<String>,
    /// Counted from 0; chance is drawn by it.
    pub(super) number: u64,
}

/// What became of the deliveries so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Deliveries that were due, one for each webhook that a change is about.
    pub due: u64,
    /// Of these, those that are not sent and given up yet.
    pub pending: u64,
    /// Of these, lost on purpose.
    pub lost: u64,
    /// Requests sent, repetitions and forgeries among them.
    pub attempts: u64,
    /// Requests answered with 2xx.
    pub taken: u64,
    /// Requests with a false signature.
    pub forged: u64,
    /// Old deliveries that were sent once more.
    pub replayed: u64,
    /// Deliveries that were given up after the last attempt.
    pub given_up: u64,
}

/// Webhooks, and what waits to be delivered to them.
pub(super) struct Post {
    state: Mutex<State>,
    pub(super) counts: watch::Sender<DeliveryCounts>,
    pub(super) news: Notify,
}

#[derive(Default)]
struct State {
    webhooks: Vec<Webhook>,
    /// How many were made.
    made: u32,
    outbox: VecDeque<Letter>,
    letters: u64,
}

impl Default for Post {
    fn default() -> Post {
        Post { state: Mutex::default(), counts: watch::Sender::default(), news: Notify::new() }
    }
}

impl Post {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts into the outbox what has just happened. `body` is called only if a webhook is about it.
    pub(super) fn tell(&self, topic: Topic, body: impl FnOnce() -> String) {
        let State { webhooks, outbox, letters, .. } = &mut *self.state();
        let mut about =
            webhooks.iter().filter(|webhook| webhook.is_active && webhook.topic == topic).peekable();
        if about.peek().is_none() {
            return;
        }
        let body: Arc<str> = body().into();
        let before = outbox.len();
        for webhook in about {
            outbox.push_back(Letter {
                url: webhook.url.clone(),
                topic: topic.name(),
                webhook: webhook.id.clone(),
                body: body.clone(),
                signature: webhook.key.as_ref().map(|key| key.sign(body.as_bytes())),
                number: *letters,
            });
            *letters += 1;
        }
        let due = (outbox.len() - before) as u64;
        let overflowing = outbox.len().saturating_sub(OUTBOX);
        outbox.drain(..overflowing);
        self.counts.send_modify(|counts| {
            counts.due += due;
            counts.pending += due - overflowing as u64;
            counts.lost += overflowing as u64;
        });
        self.news.notify_one();
    }

    pub(super) fn next_letter(&self) -> Option<Letter> {
        self.state().outbox.pop_front()
    }

    /// Whether deliveries to a webhook are still wanted.
    pub(super) fn wants(&self, id: &str) -> bool {
        self.state().webhooks.iter().any(|webhook| webhook.id == id && webhook.is_active)
    }
}

impl World {
    /// A page of webhooks, in the order in which they were made.
    pub(super) fn webhook_page(&self, cursor: Option<(Side, &str)>) -> Result<Page, Refusal> {
        let state = self.post.state();
        let place = |webhook: &Webhook| Position {
            sort: self.settings.order.sort_key(webhook.created, webhook.updated),
            id: Arc::from(webhook.id.as_str()),
        };
        let index: Index = state.webhooks.iter().map(|webhook| (place(webhook), webhook.number)).collect();
        let by_id = |id: &str| state.webhooks.iter().find(|webhook| webhook.id == id).map(place);
        let json =
            |number: u32| state.webhooks.iter().find(|webhook| webhook.number == number).map(Webhook::json);
        self.page(&index, LIST, cursor, by_id, json)
    }

    pub(super) fn webhook(&self, id: &str) -> Result<String, Refusal> {
        let state = self.post.state();
        let webhook = state.webhooks.iter().find(|webhook| webhook.id == id);
        webhook.map(Webhook::json).ok_or_else(|| Refusal::not_found("webhook"))
    }

    pub(super) fn create_webhook(&self, body: &[u8]) -> Result<String, Refusal> {
        let fields = Fields::of(body, self.settings.webhook_anywhere)?;
        let missing = |name| Refusal::new(400, "invalid_body", format!("`{name}` is missing"));
        let (url, topic) =
            (fields.url.ok_or_else(|| missing("url"))?, fields.topic.ok_or_else(|| missing("topic"))?);
        let now = self.tick();
        let state = &mut *self.post.state();
        let number = state.made;
        state.made += 1;
        let webhook = Webhook {
            id: Draw::new(self.settings.seed, Purpose::WebhookId, u64::from(number), 0).uuid().to_string(),
            number,
            url,
            topic,
            is_active: fields.is_active.unwrap_or(true),
            key: fields.key.flatten(),
            created: now,
            updated: now,
        };
        let json = webhook.json();
        state.webhooks.push(webhook);
        Ok(json)
    }

    pub(super) fn update_webhook(&self, id: &str, body: &[u8]) -> Result<String, Refusal> {
        let fields = Fields::of(body, self.settings.webhook_anywhere)?;
        let now = self.tick();
        let mut state = self.post.state();
        let webhook = state.webhooks.iter_mut().find(|webhook| webhook.id == id);
        let webhook = webhook.ok_or_else(|| Refusal::not_found("webhook"))?;
        webhook.url = fields.url.unwrap_or_else(|| webhook.url.clone());
        webhook.topic = fields.topic.unwrap_or(webhook.topic);
        webhook.is_active = fields.is_active.unwrap_or(webhook.is_active);
        webhook.key = fields.key.unwrap_or_else(|| webhook.key.clone());
        webhook.updated = now;
        Ok(webhook.json())
    }

    pub(super) fn delete_webhook(&self, id: &str) -> Result<(), Refusal> {
        let mut state = self.post.state();
        let at = state.webhooks.iter().position(|webhook| webhook.id == id);
        state.webhooks.remove(at.ok_or_else(|| Refusal::not_found("webhook"))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{CustomerFields, Settings};

    const HOOK: &str = r#"{"url":"http://127.0.0.1:1/","topic":"events:created","secret":"private"}"#;

    fn world() -> World {
        World::new(&Settings { customers: 3, ..Settings::default() })
    }

    #[test]
    fn the_secret_is_never_given_back() {
        let world = world();
        let made: Value = serde_json::from_str(&world.create_webhook(HOOK.as_bytes()).unwrap()).unwrap();
        let id = made["id"].as_str().unwrap();
        let updated = world.update_webhook(id, br#"{"active":false,"secret":"private too"}"#).unwrap();
        assert!(updated.contains(r#""active":false"#), "{updated}");
        let page = world.webhook_page(None).unwrap().json;
        assert!(page.contains(id) && !format!("{made}{updated}{page}").contains("private"));
        world.delete_webhook(id).unwrap();
        assert_eq!(world.delete_webhook(id).unwrap_err().status, 404);
        assert_eq!(world.webhook(id).unwrap_err().status, 404);
        assert_eq!(world.webhook_page(None).unwrap().json, "[]");
    }

    #[test]
    fn bodies_that_are_refused() {
        let world = world();
        for body in [
            "",
            "[]",
            r#"{"topic":"events:created"}"#,
            r#"{"url":"http://127.0.0.1:1/"}"#,
            r#"{"url":"http://127.0.0.1:1/","topic":"events"}"#,
            r#"{"url":"http://127.0.0.1:1/","topic":"events:created","active":1}"#,
            r#"{"url":"https://example.com/","topic":"events:created"}"#,
            r#"{"url":"http://localhost.example.com/","topic":"events:created"}"#,
            r#"{"url":"ftp://127.0.0.1/","topic":"events:created"}"#,
        ] {
            assert_eq!(world.create_webhook(body.as_bytes()).unwrap_err().status, 400, "{body}");
        }
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            let body = format!(r#"{{"url":"http://{host}:1/","topic":"events:created"}}"#);
            world.create_webhook(body.as_bytes()).unwrap();
        }
    }

    #[test]
    fn what_happens_is_put_into_the_outbox_once_for_each_webhook() {
        let world = world();
        let ids = world.customer_ids();
        world.add_event(&ids[0]);
        world.create_webhook(HOOK.as_bytes()).unwrap();
        world.create_webhook(HOOK.replace("events:created", "customers:deleted").as_bytes()).unwrap();
        let event = world.add_event(&ids[1]).unwrap();
        world.revise_event(&ids[1], &event);
        world.create_customer(CustomerFields::default());
        world.delete_customer(&ids[2]);
        let letters: Vec<Letter> = std::iter::from_fn(|| world.post.next_letter()).collect();
        assert_eq!(
            letters.iter().map(|letter| letter.topic).collect::<Vec<_>>(),
            ["events:created", "customers:deleted"]
        );
        assert!(letters[0].body.contains(&event) && letters[0].body.contains(&ids[1]), "{letters:?}");
        assert!(letters[1].body.contains(&ids[2]), "{letters:?}");
        let key = Key::new(&SecretString::from("private"));
        for letter in &letters {
            assert!(
                key.verify(letter.body.as_bytes(), letter.signature.as_ref().unwrap().as_bytes()).is_some()
            );
        }
        assert_eq!(world.post.counts.borrow().due, 2);
    }
}
