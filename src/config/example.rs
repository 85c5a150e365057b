//! `config.toml.example`, written from the table of keys.

use super::keys;
use std::fmt::Write;

const WIDTH: usize = 100;

const INTRODUCTION: &str = "The configuration of malomo-mirror. Every key stands here with its default; \
    remove the # in front of a line to change it. This file is read from --config FILE, else \
    $MALOMO_MIRROR_CONFIG, else ./config.toml, else /etc/malomo-mirror/config.toml. Environment variables win \
    over it (MALOMO_MIRROR__API__BASE_URL for base_url in [api]), and flags over those. Durations are written \
    like 250ms, 30s, 1h30m or 7d. `malomo-mirror config check` tells what is wrong, `malomo-mirror config \
    show` what is in effect and why.";

/// The text of `config.toml.example`: every key with its meaning and its default, commented out. It parses to
/// the defaults as it stands, and also with every key uncommented.
pub fn example() -> String {
    let mut text = comment(INTRODUCTION);
    for &(section, about) in keys::SECTIONS {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}[{section}]\n", comment(about));
        for key in keys::ALL.iter().filter(|key| key.section_and_name().0 == section) {
            let name = key.section_and_name().1;
            let _ = write!(text, "\n{}#{name} = {}\n", comment(key.doc()), key.default().to_toml());
        }
    }
    text
}

/// Prose as comment lines.
fn comment(prose: &str) -> String {
    let mut text = String::new();
    let mut line = String::from("#");
    for word in prose.split_whitespace() {
        if line.len() > 1 && line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, Origin};
    use std::collections::BTreeSet;
    use std::path::Path;

    const FILE: &str = include_str!("../../config.toml.example");

    /// The example with the `#` taken from every line where no space follows it.
    fn uncommented() -> String {
        FILE.lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect()
    }

    fn load(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let environment = Environment::new([], folder.path().to_owned());
        Config::load(Some(Path::new(&path)), &environment, &[]).unwrap()
    }

    #[test]
    fn the_file_is_what_the_table_of_keys_says() {
        assert!(FILE == example(), "config.toml.example is out of step; it should be:\n{}", example());
    }

    #[test]
    fn every_key_and_nothing_else_stands_in_it_with_its_default() {
        let table: toml::Table = uncommented().parse().unwrap();
        let mut found = BTreeSet::new();
        let mut open = vec![(String::new(), table)];
        while let Some((prefix, table)) = open.pop() {
            for (name, value) in table {
                let path = format!("{prefix}{name}");
                match value {
                    toml::Value::Table(inner) => open.push((format!("{path}."), inner)),
                    value => {
                        let key = keys::find(&path).unwrap_or_else(|| panic!("{path} is no key"));
                        assert_eq!(value, key.default().to_toml(), "{path}");
                        found.insert(key.path());
                    }
                }
            }
        }
        assert_eq!(found, keys::ALL.iter().map(|key| key.path()).collect());
    }

    #[test]
    fn it_parses_to_the_defaults_as_it_stands_and_uncommented() {
        assert!(keys::ALL.iter().all(|key| load(FILE).origin(key.path()) == Some(&Origin::Default)));
        let config = load(&uncommented());
        for key in keys::ALL {
            assert!(matches!(config.origin(key.path()), Some(Origin::File { .. })), "{}", key.path());
            assert_eq!(config.settings.get(key.path()).unwrap().value, key.default(), "{}", key.path());
        }
    }
}
