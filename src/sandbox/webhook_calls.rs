//! What the calls of the webhook resource do to the world.

use super::answer::Refusal;
use super::lists::Page;
use super::paging::Side;
use super::world::World;

/// The tokens of the list of webhooks are those of no customer's list.
const LIST: u64 = u64::MAX;

impl World {
    /// A page of webhooks.
    pub(super) fn webhook_page(&self, cursor: Option<(Side, &str)>) -> Result<Page, Refusal> {
        let index = self.post.index(self.settings.order);
        let by_id = |id: &str| index.keys().find(|place| &*place.id == id).cloned();
        self.page(&index, LIST, cursor, by_id, |number| self.post.json_of(number))
    }

    pub(super) fn webhook(&self, id: &str) -> Result<String, Refusal> {
        self.post.json(id)
    }

    pub(super) fn create_webhook(&self, body: &[u8]) -> Result<String, Refusal> {
        self.post.create(self.settings.seed, self.tick(), self.settings.webhook_anywhere, body)
    }

    pub(super) fn update_webhook(&self, id: &str, body: &[u8]) -> Result<String, Refusal> {
        self.post.update(id, self.tick(), self.settings.webhook_anywhere, body)
    }

    pub(super) fn delete_webhook(&self, id: &str) -> Result<(), Refusal> {
        self.post.delete(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::webhooks::Letter;
    use crate::sandbox::{CustomerFields, Settings};
    use crate::webhook::Key;
    use secrecy::SecretString;
    use serde_json::Value;

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
