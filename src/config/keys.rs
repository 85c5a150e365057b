//! The keys with their defaults: what `config.toml.example` says.
//!
//! The file that users begin with is the program's own list of keys, so that the two can't differ.

use super::value;
use std::sync::LazyLock;
use toml::Value;
use toml::de::DeTable;

const EXAMPLE: &str = include_str!("../../config.toml.example");

#[derive(Debug)]
pub(super) struct Key {
    /// Its dotted path.
    pub(super) path: String,
    /// Of the type that all its values have.
    pub(super) default: Value,
}

impl Key {
    /// Whether its value is a secret: nobody is shown more of it than where it leads.
    pub(super) fn is_secret(&self) -> bool {
        self.path.starts_with("notify.url")
    }

    /// The table it stands in, and its name there.
    pub(super) fn section_and_name(&self) -> (&str, &str) {
        self.path.rsplit_once('.').unwrap_or(("", &self.path))
    }
}

/// Every key, in the order of the example.
pub(super) static ALL: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let text = uncommented(EXAMPLE);
    let (document, _) = DeTable::parse_recoverable(&text);
    let members = value::members(document.get_ref(), "", |_| true);
    let key = |(path, _, given)| Some(Key { path, default: value::of_document(given)? });
    members.into_iter().filter_map(key).collect()
});

/// The example with every key in effect: no space follows the `#` in front of a key, as one does in front of prose.
fn uncommented(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

pub(super) fn find(path: &str) -> Option<&'static Key> {
    ALL.iter().find(|key| key.path == path)
}

/// Whether `path` is a table that holds keys, directly or further down.
pub(super) fn is_section(path: &str) -> bool {
    ALL.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, Origin};

    fn load(text: &str) -> Result<Config, crate::config::ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), &Environment::new([], folder.path().to_owned()), &[])
    }

    #[test]
    fn the_example_parses_to_the_defaults_as_it_stands_and_uncommented() {
        assert!(DeTable::parse_recoverable(&uncommented(EXAMPLE)).1.is_empty());
        let config = load(EXAMPLE).unwrap();
        assert!(ALL.iter().all(|key| config.origin(&key.path) == Some(&Origin::Default)));
        let config = load(&uncommented(EXAMPLE)).unwrap();
        for (key, setting) in ALL.iter().zip(&config.settings) {
            assert_eq!((&key.path, Some(&key.default)), (&setting.key.path, setting.value.as_ref()));
            assert!(matches!(setting.origin, Origin::File { .. }), "{}", key.path);
        }
    }

    #[test]
    fn every_key_of_the_example_is_read() {
        for key in ALL.iter() {
            let found = load(&format!("{} = {{}}\n", key.path)).expect_err(&key.path).to_string();
            assert!(found.contains(&format!("`{}`: expected ", key.path)), "{found}");
        }
    }

    #[test]
    fn every_key_is_described_and_lines_are_short() {
        let lines: Vec<&str> = EXAMPLE.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1].starts_with('#') && !pair[1].starts_with("# ")) {
            assert!(pair[0].starts_with("# "), "{} has no comment", pair[1]);
        }
        assert!(lines.iter().all(|line| line.chars().count() <= 100));
    }
}
