//! What one reading of a customer's events tells about when they came.

use crate::record::{Record, Value, instant};
use serde::Deserialize;

/// How many events of one customer are learned from. Of a customer who has more, the reading tells the newest event alone.
const AT_MOST: usize = 10_000;

/// A customer who has no event for so many seconds and gets one then has come back. Who did will do so again sooner than
/// others.
const PAUSE: i64 = 14 * 86_400;

/// How often a customer has come back, as it is added to the newest event's kind.
const RETURNS: [&str; 3] = ["", " (back once)", " (back often)"];

/// The longest kind that is told apart from others, in bytes.
const LONGEST: usize = 100;

/// What kind of event it is: its type, and the status of its shipment where it has one, such as `InTransit/in_transit`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKind(Box<str>);

impl EventKind {
    /// Of a customer without any event.
    pub fn none() -> EventKind {
        EventKind("none".into())
    }

    /// As it stands in the mirror.
    pub fn named(name: &str) -> EventKind {
        EventKind(name.into())
    }

    /// The name in the mirror.
    pub fn name(&self) -> &str {
        &self.0
    }

    fn of(event: &Record) -> EventKind {
        let kind = event.text("type").unwrap_or("untyped");
        let status =
            event.text("properties").and_then(|json| serde_json::from_str::<Properties<'_>>(json).ok());
        let name = match status.and_then(|properties| properties.shipment?.status) {
            Some(status) => format!("{kind}/{status}"),
            None => kind.to_owned(),
        };
        match name.len() {
            0..=LONGEST => EventKind(name.into()),
            _ => EventKind::named("other"),
        }
    }
}

/// The one member of `properties` that is looked at. Where it has another shape, the type alone counts.
#[derive(Deserialize)]
struct Properties<'a> {
    #[serde(borrow)]
    shipment: Option<Shipment<'a>>,
}

#[derive(Deserialize)]
struct Shipment<'a> {
    status: Option<&'a str>,
}

/// A customer's newest event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestEvent {
    /// Its kind.
    pub kind: EventKind,
    /// When it came, in seconds since 1970. Of a customer without any event: since when there has been this customer.
    pub at: i64,
}

/// When a customer's events came to be at the vendor, as one reading of their list tells.
#[derive(Debug, Default)]
pub struct Sightings {
    events: Vec<NewestEvent>,
    is_incomplete: bool,
}

impl Sightings {
    /// Of these events, in any order.
    pub fn from_events(events: Vec<NewestEvent>) -> Sightings {
        Sightings { events, is_incomplete: false }
    }

    /// Notes an event of the list. One that doesn't tell when it came is left out.
    pub fn add(&mut self, event: &Record) {
        let created = event.created_at().and_then(instant).map(|at| at.as_second());
        let happened = event.values().find_map(|value| match value {
            Value::Integer(seconds) => Some(seconds),
            _ => None,
        });
        let Some(at) = created.or(happened) else { return };
        if self.events.len() >= AT_MOST {
            self.is_incomplete = true;
            // The list's order isn't known: the newest one is kept, and any other goes.
            let newest = self.events.iter().max_by_key(|event| event.at).cloned();
            self.events.clear();
            self.events.extend(newest);
        }
        self.events.push(NewestEvent { kind: EventKind::of(event), at });
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Leaves out what is said to come after `second`.
    pub fn forget_after(&mut self, second: i64) {
        self.events.retain(|event| event.at <= second);
    }

    /// The events by time, each with how often the customer had come back by then; the newest one alone where there were
    /// too many.
    pub(super) fn by_time(mut self) -> Vec<NewestEvent> {
        self.events.sort_by_key(|event| event.at);
        if self.is_incomplete {
            return self.events.pop().into_iter().collect();
        }
        let (mut returns, mut before) = (0, None);
        for NewestEvent { kind, at } in &mut self.events {
            returns += usize::from(before.is_some_and(|before| at.saturating_sub(before) >= PAUSE));
            before = Some(*at);
            if let Some(how_often) = RETURNS.get(returns.min(RETURNS.len() - 1)).filter(|_| returns > 0) {
                *kind = EventKind(format!("{}{how_often}", kind.name()).into());
            }
        }
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &str) -> Record {
        Record::event("c", json)
    }

    #[test]
    fn kinds() {
        for (json, expected) in [
            (r#"{"id":"e","type":"InTransit"}"#, "InTransit"),
            (r#"{"id":"e"}"#, "untyped"),
            (
                r#"{"id":"e","type":"X","properties":{"shipment":{"status":"delivered","a":[1]}}}"#,
                "X/delivered",
            ),
            (r#"{"id":"e","type":"X","properties":{"shipment":{"status":5}}}"#, "X"),
            (r#"{"id":"e","type":"X","properties":{"shipment":null}}"#, "X"),
            (r#"{"id":"e","type":"X","properties":[1]}"#, "X"),
        ] {
            assert_eq!(EventKind::of(&event(json)).name(), expected, "{json}");
        }
        let long = format!(r#"{{"id":"e","type":"{}"}}"#, "x".repeat(101));
        assert_eq!(EventKind::of(&event(&long)).name(), "other");
    }

    #[test]
    fn times_in_whatever_form_and_the_newest_of_them() {
        let mut sightings = Sightings::default();
        for json in [
            r#"{"id":"1","type":"b","created_at":"1970-01-01T00:01:40Z","timestamp":5}"#,
            r#"{"id":"2","type":"c","timestamp":200}"#,
            r#"{"id":"3","type":"a","created_at":"1970-01-01T01:00:50+01:00"}"#,
            r#"{"id":"4","type":"never"}"#,
            r#"{"id":"5","type":"never","created_at":"soon"}"#,
        ] {
            sightings.add(&event(json));
        }
        let events = sightings.by_time();
        let events: Vec<(&str, i64)> = events.iter().map(|event| (event.kind.name(), event.at)).collect();
        assert_eq!(events, [("a", 50), ("b", 100), ("c", 200)]);
    }

    #[test]
    fn too_many_events_take_no_memory_and_still_tell_the_newest() {
        let mut sightings = Sightings::default();
        for second in 0..25_000 {
            let at = if second == 3 { 1_000_000 } else { second };
            sightings.add(&event(&format!(r#"{{"id":"{second}","type":"t{second}","timestamp":{at}}}"#)));
        }
        assert!(sightings.events.len() <= AT_MOST);
        assert_eq!(sightings.by_time(), [NewestEvent { kind: EventKind::named("t3"), at: 1_000_000 }]);
    }

    #[test]
    fn customers_who_come_back_are_told_apart() {
        let event = |day: i64| NewestEvent { kind: EventKind::named("e"), at: day * 86_400 };
        let events = Sightings::from_events([40, 0, 1, 20, 21, 60].map(event).to_vec()).by_time();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.name()).collect();
        assert_eq!(kinds, ["e", "e", "e (back once)", "e (back once)", "e (back often)", "e (back often)"]);
    }
}
