//! Names for views and columns, made of what the API calls things.

use std::collections::HashSet;

/// The longest name that is made. SQLite has no bound of its own, but other databases cut names off behind 63 bytes.
const LONGEST: usize = 63;

/// The name in snake_case: `ShopifyOrderCreated` and `Shopify order-created` are `shopify_order_created`, and `HTTPStatus2` is
/// `http_status2`. Holds only lower-case letters of the Latin alphabet, digits, and single underscores between them; empty where
/// the name has none of these.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let letters: Vec<char> = name.chars().collect();
    for (n, letter) in letters.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| letters[n]);
        let begins_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                let ends_acronym = letters.get(n + 1).is_some_and(char::is_ascii_lowercase);
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && ends_acronym)
            });
        let is_gap = begins_word || !letter.is_ascii_alphanumeric();
        if is_gap && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        if letter.is_ascii_alphanumeric() {
            snake.push(letter.to_ascii_lowercase());
        }
    }
    snake.truncate(snake.trim_end_matches('_').len());
    snake
}

/// Names that stand beside each other and have to differ.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Takes these as given.
    pub fn with(taken: impl IntoIterator<Item = String>) -> Names {
        Names { taken: taken.into_iter().collect() }
    }

    /// A name in snake_case that nothing else has: where another one has it, with `_2` behind it, or the next number that is
    /// free. One that would begin with a digit begins with an underscore; `otherwise` stands in for a name with no letter or
    /// digit in it.
    pub fn add(&mut self, prefix: &str, name: &str, otherwise: &str) -> String {
        let snake = snake_case(name);
        let mut plain = format!("{prefix}{}", if snake.is_empty() { otherwise } else { &snake });
        plain.truncate(LONGEST);
        if plain.starts_with(|first: char| first.is_ascii_digit()) {
            plain.insert(0, '_');
        }
        let mut found = plain.clone();
        for number in 2.. {
            if self.taken.insert(found.clone()) {
                break;
            }
            let suffix = format!("_{number}");
            let stem = plain.get(..LONGEST - suffix.len()).unwrap_or(&plain);
            found = format!("{stem}{suffix}");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_in_snake_case() {
        for (name, expected) in [
            ("ShopifyOrderCreated", "shopify_order_created"),
            ("InTransit", "in_transit"),
            ("shopify_order", "shopify_order"),
            ("total price (USD)", "total_price_usd"),
            ("HTTPStatus", "http_status"),
            ("orderID", "order_id"),
            ("step2Done", "step2_done"),
            ("__a--b__", "a_b"),
            ("Größe", "gr_e"),
            ("客户", ""),
            ("1st", "1st"),
        ] {
            assert_eq!(snake_case(name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_are_taken_get_a_number() {
        let mut names = Names::with(["label".to_owned()]);
        let added = ["label", "Label", "客户", "9 lives", "ok"].map(|name| names.add("", name, "property"));
        assert_eq!(added, ["label_2", "label_3", "property", "_9_lives", "ok"]);
        assert_eq!(names.add("event_", "InTransit", "other"), "event_in_transit");
    }

    proptest! {
        #[test]
        fn names_differ_and_need_no_quotes(given in prop::collection::vec(".{0,80}", 0..20)) {
            let mut names = Names::default();
            let added: Vec<String> = given.iter().map(|name| names.add("", name, "x")).collect();
            let distinct: HashSet<&String> = added.iter().collect();
            prop_assert_eq!(distinct.len(), added.len());
            for name in added {
                let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                prop_assert!(!name.is_empty() && name.len() <= LONGEST + 1 && name.chars().all(is_plain));
                prop_assert!(!name.starts_with(|c: char| c.is_ascii_digit()));
            }
        }
    }
}
