//! Queries that have a name. Their texts stand in `schema/queries`: a line that says what they answer, a line for each
//! parameter, and the statement.

macro_rules! named {
    ($($name:literal),+ $(,)?) => {
        &[$(NamedQuery { name: $name, text: include_str!(concat!("../../schema/queries/", $name, ".sql")) }),+]
    };
}

/// Every named query, in the order in which people are shown them.
pub const QUERIES: &[NamedQuery] = named![
    "repeat-purchases",
    "orders-by-month",
    "order-value",
    "delivery-times",
    "quiet-customers",
    "customer-at",
    "email-changes",
    "deleted-customers",
    "changes-of-a-day",
    "behind",
];

/// A query that has a name.
pub struct NamedQuery {
    /// Its name.
    pub name: &'static str,
    text: &'static str,
}

impl NamedQuery {
    /// The query of that name.
    pub fn of(name: &str) -> Option<&'static NamedQuery> {
        QUERIES.iter().find(|query| query.name == name)
    }

    /// The statement alone.
    pub fn sql(&self) -> &'static str {
        let comments: usize =
            self.text.split_inclusive('\n').take_while(|line| line.starts_with("--")).map(str::len).sum();
        self.text[comments..].trim_end()
    }

    /// What it answers.
    pub fn about(&self) -> &'static str {
        self.comments().next().unwrap_or_default()
    }

    /// Each parameter, with the colon, and what it means.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.comments().skip(1).filter_map(|line| line.split_once("  "))
    }

    fn comments(&self) -> impl Iterator<Item = &'static str> {
        self.text.lines().map_while(|line| line.strip_prefix("-- "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_query_tells_what_it_is_and_is_short() {
        for query in QUERIES {
            assert!(!query.about().is_empty() && !query.sql().contains("--"), "{}", query.name);
            assert!(query.sql().lines().count() <= 6, "{}", query.name);
            for (name, about) in query.parameters() {
                assert!(query.sql().contains(name) && !about.is_empty(), "{}: {name}", query.name);
            }
            let told: Vec<&str> = query.parameters().map(|(name, _)| name).collect();
            let words = query.sql().split(|c: char| !(c.is_alphanumeric() || c == ':'));
            for name in words.filter(|word| word.starts_with(':')) {
                assert!(told.contains(&name), "{}: {name}", query.name);
            }
        }
    }
}
