//! Whom a delivery's body may be about. Its shape is undocumented, so every place is looked at, and every identifier in it
//! that the mirror may know.

use serde_json::Value;
use std::collections::BTreeSet;

/// Identifiers of one kind that are looked at in a body. A body that names more is about none of them in particular.
const AT_MOST: usize = 64;

/// Paths that are kept of a body that tells of nobody.
const PATHS_AT_MOST: usize = 64;

/// The longest member name that is kept of a path, and the most digits in it: longer ones may be somebody's data.
const NAME_AT_MOST: usize = 40;
const DIGITS_AT_MOST: usize = 2;

/// The longest identifier that is looked at. The vendor's are UUIDs, but any text may be one.
const ID_AT_MOST: usize = 256;

/// What a body tells. All texts are as they stand there; numbers are their digits.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// What the body calls a customer's identifier: each `customer_id`, and the `id` of each `customer`. Those that stand
    /// least deep come first. A delivery about customers (by its topic) has its record's own `id` in front of them.
    pub customers: Vec<String>,
    /// Every other identifier: an event's may be among them, or one of a customer that isn't called so.
    pub others: Vec<String>,
    /// Of these, what the body calls an order's identifier: each `…order_id`, and the `id` of each `order` or `…_order`.
    pub orders: Vec<String>,
    /// Whether it tells when its record was last changed. Two deliveries of different changes then differ.
    pub is_dated: bool,
    /// Where its values stand, such as `event.customer.id`, sorted; `[]` stands for any place in an array, and `*` for a name
    /// that may be more than a name. Holds none of the values.
    pub paths: Vec<String>,
}

/// What the body tells; `None` if it isn't JSON. `topic` is the delivery's, such as `events:created`.
pub fn candidates(body: &[u8], topic: Option<&str>) -> Option<Candidates> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let mut found = Found::default();
    if topic.is_some_and(|topic| topic.starts_with("customer")) {
        let records = [Some(&body), body.get("data")];
        let own = records.into_iter().flatten().find_map(|record| id(record.get("id")?));
        found.customers.extend(own.map(|id| (0, id)));
    }
    found.look(&body, None, &mut Vec::new());
    // By depth; within one depth in the order of the names that lead there.
    found.customers.sort_by_key(|(depth, _)| *depth);
    let customers = distinct(found.customers.into_iter().map(|(_, id)| id));
    let mut others = distinct(found.others.into_iter());
    others.retain(|id| !customers.contains(id));
    let orders = distinct(found.orders.into_iter());
    let paths = found.paths.into_iter().collect();
    Some(Candidates { customers, others, orders, is_dated: found.is_dated, paths })
}

#[derive(Default)]
struct Found {
    /// With the depth at which each stands.
    customers: Vec<(usize, String)>,
    others: Vec<String>,
    orders: Vec<String>,
    is_dated: bool,
    paths: BTreeSet<String>,
}

impl Found {
    /// `name` is what the value is called; `path` leads to it.
    fn look(&mut self, value: &Value, name: Option<&str>, path: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (member, value) in members {
                    self.member(name, member, value, path.len());
                    path.push(shown(member));
                    self.look(value, Some(member), path);
                    path.pop();
                }
            }
            Value::Array(items) => {
                path.push("[]".to_owned());
                // The items of `customers` are customers.
                let name = name.map(|name| name.strip_suffix('s').unwrap_or(name));
                items.iter().for_each(|item| self.look(item, name, path));
                path.pop();
            }
            _ if self.paths.len() < PATHS_AT_MOST => {
                self.paths.insert(path.join("."));
            }
            _ => {}
        }
    }

    /// A member of an object that is called `of`.
    fn member(&mut self, of: Option<&str>, name: &str, value: &Value, depth: usize) {
        self.is_dated |= name == "updated_at" && value.is_string();
        if name != "id" && !name.ends_with("_id") {
            return;
        }
        let Some(id) = id(value) else { return };
        let is_customer = name == "customer_id" || (name == "id" && of == Some("customer"));
        if is_customer && self.customers.len() < AT_MOST {
            self.customers.push((depth, id));
        } else if self.others.len() < AT_MOST {
            let is_order = |name: &str| name == "order" || name.ends_with("_order");
            let of_order = name == "id" && of.is_some_and(is_order);
            if of_order || name.strip_suffix("_id").is_some_and(is_order) {
                self.orders.push(id.clone());
            }
            self.others.push(id);
        }
    }
}

fn id(value: &Value) -> Option<String> {
    let id = match value {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    (!id.is_empty() && id.len() <= ID_AT_MOST).then_some(id)
}

fn distinct(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct = Vec::new();
    for id in ids {
        if !distinct.contains(&id) {
            distinct.push(id);
        }
    }
    distinct
}

/// A member's name as it may be kept: objects may have addresses or numbers for names.
fn shown(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let is_name = !name.is_empty() && name.len() <= NAME_AT_MOST && digits <= DIGITS_AT_MOST;
    if is_name && name.chars().all(is_plain) { name.to_owned() } else { "*".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str, topic: &str) -> Option<(Vec<String>, Vec<String>)> {
        candidates(body.as_bytes(), Some(topic)).map(|found| (found.customers, found.others))
    }

    #[test]
    fn customers_and_other_identifiers_in_bodies() {
        let cases: [(&str, &str, &[&str], &[&str]); 17] = [
            ("named", r#"{"customer_id":"c1"}"#, &["c1"], &[]),
            ("a record of its own", r#"{"customer":{"id":"c1","email":"a@example.com"}}"#, &["c1"], &[]),
            ("deep", r#"{"data":{"event":{"customer":{"id":"c1"}}}}"#, &["c1"], &[]),
            ("an event", r#"{"id":"e1","type":"InTransit"}"#, &[], &["e1"]),
            ("an event in an envelope", r#"{"data":{"event":{"id":"e1"}}}"#, &[], &["e1"]),
            (
                "an event and its customer",
                r#"{"event":{"id":"e1"},"customer":{"id":"c1"}}"#,
                &["c1"],
                &["e1"],
            ),
            ("by another name", r#"{"event_id":"e1","order_id":"o1"}"#, &[], &["e1", "o1"]),
            (
                "the shop's own customer stands deeper",
                r#"{"order":{"shopify":{"customer":{"id":7}}},"customer_id":"c1"}"#,
                &["c1", "7"],
                &[],
            ),
            ("numbers", r#"{"customer_id":12345678901234567890}"#, &["12345678901234567890"], &[]),
            ("many", r#"{"customers":[{"id":"c1"},{"id":"c2"},{"id":"c1"}]}"#, &["c1", "c2"], &[]),
            ("a list of events", r#"[{"id":"e1"},{"id":"e2"},{"id":"e1"}]"#, &[], &["e1", "e2"]),
            ("both names for one", r#"{"id":"c1","customer_id":"c1"}"#, &["c1"], &[]),
            ("nobody", r#"{"order":{"number":1001}}"#, &[], &[]),
            ("empty", r#"{"customer_id":"","id":""}"#, &[], &[]),
            ("of other types", r#"{"customer_id":null,"customer":"c1","id":{"a":1}}"#, &[], &[]),
            ("no object", "17", &[], &[]),
            ("a name that only begins so", r#"{"customer_identity":"x","idle":"y"}"#, &[], &[]),
        ];
        for (what, body, customers, others) in cases {
            let (found_customers, found_others) = found(body, "events:created").unwrap();
            assert_eq!(
                (&found_customers[..], &found_others[..]),
                (&owned(customers)[..], &owned(others)[..]),
                "{what}"
            );
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_delivery_about_customers_has_its_own_record() {
        for (body, topic, customers) in [
            (r#"{"id":"c1","email":"a@example.com"}"#, "customers:updated", vec!["c1"]),
            (r#"{"data":{"id":"c1"}}"#, "customers:created", vec!["c1"]),
            (r#"{"id":"c1"}"#, "events:created", vec![]),
            (r#"{"id":"d1","customer":{"id":"c1"}}"#, "customers:deleted", vec!["d1", "c1"]),
        ] {
            assert_eq!(found(body, topic).unwrap().0, customers, "{body} {topic}");
        }
    }

    #[test]
    fn what_is_no_json_tells_nothing() {
        let deep = "[".repeat(100_000);
        for body in ["", "{", "customer_id=c1", "{} {}", "\u{feff}{}", &deep] {
            assert_eq!(found(body, "events:created"), None, "{:.20}", body);
        }
    }

    #[test]
    fn a_body_is_dated_by_its_record() {
        for (body, expected) in [
            (r#"{"event":{"id":"e1","updated_at":"2026-03-01T10:00:00Z"}}"#, true),
            (r#"{"customer_id":"c1"}"#, false),
            (r#"{"customer_id":"c1","updated_at":null}"#, false),
            (r#"{"event":{"timestamp":1700000000}}"#, false),
        ] {
            assert_eq!(candidates(body.as_bytes(), None).unwrap().is_dated, expected, "{body}");
        }
    }

    #[test]
    fn paths_hold_no_values() {
        let body = r#"{"order":{"name":"Ann","lines":[{"price":1.5},{"price":2}],"tags":[],"line_2":null},
                       "ann@example.com":true,"5555555555":1,"a":{"0f8fad5b-d9cb-469f-a165-70867728950e":2}}"#;
        let paths = candidates(body.as_bytes(), None).unwrap().paths;
        assert_eq!(paths, ["*", "a.*", "order.line_2", "order.lines.[].price", "order.name"]);
    }

    #[test]
    fn a_large_body_costs_little() {
        let ids: Vec<String> = (0..50_000).map(|n| format!(r#"{{"id":"e{n}","k{n}":1}}"#)).collect();
        let found = candidates(format!("[{}]", ids.join(",")).as_bytes(), None).unwrap();
        assert!(found.others.len() <= AT_MOST && found.paths.len() <= PATHS_AT_MOST);
    }
}
