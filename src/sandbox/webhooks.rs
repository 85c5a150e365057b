//! The webhooks of the sandbox's account, and what is to be delivered to them.

use super::answer::Refusal;
use super::draw::{Draw, Purpose};
use super::paging::{Index, Position};
use super::settings::Order;
use super::text::{object, quoted, times};
use crate::webhook::Key;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

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
    fn position(&self, order: Order) -> Position {
        Position { sort: order.sort_key(self.created, self.updated), id: Arc::from(self.id.as_str()) }
    }

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

    /// Where the webhooks stand in a list of that order, each with its number.
    pub(super) fn index(&self, order: Order) -> Index {
        let place = |webhook: &Webhook| (webhook.position(order), webhook.number);
        self.state().webhooks.iter().map(place).collect()
    }

    /// The JSON of the webhook of that number.
    pub(super) fn json_of(&self, number: u32) -> Option<String> {
        self.state().webhooks.iter().find(|webhook| webhook.number == number).map(Webhook::json)
    }

    /// The JSON of the webhook with that id.
    pub(super) fn json(&self, id: &str) -> Result<String, Refusal> {
        let state = self.state();
        let webhook = state.webhooks.iter().find(|webhook| webhook.id == id);
        webhook.map(Webhook::json).ok_or_else(|| Refusal::not_found("webhook"))
    }

    /// Makes a webhook at `now`; `anywhere`: also one on another machine. Returns its JSON.
    pub(super) fn create(&self, seed: u64, now: i64, anywhere: bool, body: &[u8]) -> Result<String, Refusal> {
        let fields = Fields::of(body, anywhere)?;
        let missing = |name| Refusal::new(400, "invalid_body", format!("`{name}` is missing"));
        let (url, topic) =
            (fields.url.ok_or_else(|| missing("url"))?, fields.topic.ok_or_else(|| missing("topic"))?);
        let state = &mut *self.state();
        let number = state.made;
        state.made += 1;
        let webhook = Webhook {
            id: Draw::new(seed, Purpose::WebhookId, u64::from(number), 0).uuid().to_string(),
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

    /// Changes what is sent of a webhook. Returns its JSON.
    pub(super) fn update(&self, id: &str, now: i64, anywhere: bool, body: &[u8]) -> Result<String, Refusal> {
        let fields = Fields::of(body, anywhere)?;
        let mut state = self.state();
        let webhook = state.webhooks.iter_mut().find(|webhook| webhook.id == id);
        let webhook = webhook.ok_or_else(|| Refusal::not_found("webhook"))?;
        webhook.url = fields.url.unwrap_or_else(|| webhook.url.clone());
        webhook.topic = fields.topic.unwrap_or(webhook.topic);
        webhook.is_active = fields.is_active.unwrap_or(webhook.is_active);
        webhook.key = fields.key.unwrap_or_else(|| webhook.key.clone());
        webhook.updated = now;
        Ok(webhook.json())
    }

    pub(super) fn delete(&self, id: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        let at = state.webhooks.iter().position(|webhook| webhook.id == id);
        state.webhooks.remove(at.ok_or_else(|| Refusal::not_found("webhook"))?);
        Ok(())
    }

    /// Whether deliveries to a webhook are still wanted.
    pub(super) fn wants(&self, id: &str) -> bool {
        self.state().webhooks.iter().any(|webhook| webhook.id == id && webhook.is_active)
    }
}
