//! The layers, put one over the other and checked against the table of keys.

use super::key::{Declared, Key};
use super::keys;
use super::nearest;
use super::problem::{Origin, Problem};
use super::value::{self, Value};
use std::collections::BTreeMap;
use toml::de::DeValue;

/// Names under which people look for a place for the API key. There is none in the configuration.
const NAMES_OF_THE_KEY: &[&str] =
    &["api.key", "api.api_key", "api.secret", "api.secret_key", "api.token", "api_key"];

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The effective value of every key.
#[derive(Debug, Clone)]
pub(super) struct Settings(BTreeMap<&'static str, Setting>);

impl Settings {
    fn defaults() -> Settings {
        let default = |key: &&'static dyn Declared| {
            (key.path(), Setting { value: key.default(), origin: Origin::Default })
        };
        Settings(keys::ALL.iter().map(default).collect())
    }

    pub(super) fn get(&self, path: &str) -> Option<&Setting> {
        self.0.get(path)
    }

    /// What the value of `key` means. Cannot fail for settings that `Layers` let through.
    pub(super) fn read<T>(&self, key: &Key<T>) -> Result<T, Box<Problem>> {
        let setting = self
            .get(key.path)
            .cloned()
            .unwrap_or_else(|| Setting { value: Declared::default(key), origin: Origin::Default });
        (key.read)(&setting.value).map_err(|refusal| {
            Box::new(Problem::Unexpected {
                origin: setting.origin,
                key: key.path.to_owned(),
                expected: key.expected.to_owned(),
                found: value::for_message(&setting.value.to_toml().to_string()),
                why: refusal.why,
            })
        })
    }
}

/// Takes the layers one by one, the weakest first, and collects what is wrong with each.
pub(super) struct Layers {
    settings: Settings,
    problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn new() -> Layers {
        Layers { settings: Settings::defaults(), problems: Vec::new() }
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Sets `path` from a variable or a flag; `None` is text that is not UTF-8.
    pub(super) fn set_text(&mut self, path: &str, text: Option<&str>, origin: Origin) {
        let Some(key) = self.known(path, &origin) else { return };
        let value = text.and_then(|text| Value::from_text(text, &key.default()));
        let found = match text {
            Some("") => "nothing".to_owned(),
            Some(text) => value::for_message(&format!("{text:?}")),
            None => "text that is not UTF-8".to_owned(),
        };
        self.set(key, value, found, origin);
    }

    /// Sets `path` from the file.
    pub(super) fn set_toml(&mut self, path: &str, given: &DeValue<'_>, origin: Origin) {
        let Some(key) = self.known(path, &origin) else { return };
        self.set(key, Value::from_toml(given, &key.default()), value::describe(given), origin);
    }

    /// The settings, or everything that is wrong.
    pub(super) fn finish(self) -> Result<Settings, Vec<Problem>> {
        if self.problems.is_empty() { Ok(self.settings) } else { Err(self.problems) }
    }

    fn known(&mut self, path: &str, origin: &Origin) -> Option<&'static dyn Declared> {
        let key = keys::find(path);
        if key.is_none() {
            self.report_unknown(path, origin.clone());
        }
        key
    }

    fn report_unknown(&mut self, path: &str, origin: Origin) {
        let key = path.to_owned();
        if NAMES_OF_THE_KEY.contains(&path) {
            return self.report(Problem::KeyInConfiguration { origin, key });
        }
        if value::may_hold_key(path) {
            return self.report(Problem::HiddenName { origin });
        }
        let nearest = nearest::known_path(path).map(|known| match origin {
            Origin::Environment { .. } => super::key::variable_of(known),
            _ => known.to_owned(),
        });
        self.report(Problem::UnknownKey { origin, key, nearest });
    }

    fn set(&mut self, key: &'static dyn Declared, value: Option<Value>, found: String, origin: Origin) {
        let why = match &value {
            None => Some(None),
            // A reason may quote the value.
            Some(value) => {
                let shown = |why: &String| !value::may_hold_key(why);
                key.check(value).err().map(|refusal| refusal.why.filter(shown))
            }
        };
        match (value, why) {
            (Some(value), None) => {
                self.settings.0.insert(key.path(), Setting { value, origin });
            }
            (_, why) => self.report(Problem::Unexpected {
                origin,
                key: key.path().to_owned(),
                expected: key.expected().to_owned(),
                found,
                why: why.flatten(),
            }),
        }
    }
}
