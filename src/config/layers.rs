//! The layers, the weakest first, and what is wrong with them.

use super::accepts::{Accepts, Why};
use super::given_tables::{self, Profile, Table};
use super::keys::{self, Key};
use super::problem::{Origin, Problem};
use super::{nearest, value};
use crate::nearest::spelling;
use toml::de::DeValue;
use toml::{Spanned, Value};

/// Names under which people look for a place for the API key. There is none in the configuration.
const NAMES_OF_THE_KEY: &[&str] =
    &["api.key", "api.api_key", "api.secret", "api.secret_key", "api.token", "api_key"];

/// What a layer sets a key to.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) key: &'static Key,
    /// None: it is not of the key's type.
    pub(super) value: Option<Value>,
    /// The value for a message.
    found: String,
    pub(super) origin: Origin,
}

impl Setting {
    /// Without the secret, which has been read by now.
    fn masked(&self) -> Setting {
        let masked = |value: &Value| value.as_str().map(|address| value::without_path(address).into());
        Setting { value: self.value.as_ref().and_then(masked), ..self.clone() }
    }
}

/// What the layers say, in their order, or what is wrong with it.
pub(super) struct Layers {
    entries: Vec<Result<Setting, Problem>>,
    /// What stands in `[[destinations]]`.
    pub(super) destinations: Vec<Table>,
    /// What stands in `[profiles.NAME]`.
    pub(super) profiles: Vec<Profile>,
}

impl Layers {
    /// The defaults alone.
    pub(super) fn new() -> Layers {
        let default = |key: &'static Key| {
            let (value, found) = (Some(key.default.clone()), key.default.to_string());
            Setting { key, value, found, origin: Origin::Default }
        };
        let entries = keys::ALL.iter().map(default).map(Ok).collect();
        Layers { entries, destinations: Vec::new(), profiles: Vec::new() }
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.entries.push(Err(problem));
    }

    /// Reports a value of a table that isn't what its key takes. A reason that may quote a secret is left out.
    pub(super) fn refuse(&mut self, origin: &Origin, key: String, (expected, found): (&str, &str), why: Why) {
        self.report(Problem::Unexpected {
            origin: origin.clone(),
            key,
            expected: expected.to_owned(),
            found: found.to_owned(),
            why: why.filter(|why| !value::may_hold_key(why)),
        });
    }

    /// Reports a name in a table, at the dotted path `key`, that is none of those `known` there.
    pub(super) fn refuse_name(
        &mut self,
        origin: &Origin,
        key: String,
        name: &str,
        known: &'static [&'static str],
    ) {
        let origin = origin.clone();
        self.report(match value::may_hold_key(&key) {
            true => Problem::HiddenName { origin },
            false => {
                let nearest = crate::nearest::nearest(known.iter().copied(), |known| spelling(name, known));
                Problem::UnknownKey { origin, key, nearest }
            }
        });
    }

    /// Sets `path` from a variable or a flag; `None` is text that is not UTF-8.
    pub(super) fn set_text(&mut self, path: &str, text: Option<&str>, origin: Origin) {
        let Some(key) = self.known(path, &origin) else { return };
        let value = text.and_then(|text| value::of_text_like(text, &key.default));
        let found = match text {
            Some("") => "nothing".to_owned(),
            _ if key.is_secret() => value::HIDDEN.to_owned(),
            Some(text) => value::for_message(&format!("{text:?}")),
            None => "text that is not UTF-8".to_owned(),
        };
        self.entries.push(Ok(Setting { key, value, found, origin }));
    }

    /// Sets `[[destinations]]`. `origin` tells the line of a byte; `start` is where the array's name stands.
    pub(super) fn set_destinations(
        &mut self,
        given: &Spanned<DeValue<'_>>,
        start: usize,
        origin: impl Fn(usize) -> Origin,
    ) {
        match given.get_ref().as_array().and_then(|array| given_tables::tables(array, &origin)) {
            Some(tables) => self.destinations = tables,
            None => {
                let expected = format!("tables `[[{}]]`", given_tables::PATH);
                let found = value::describe(given.get_ref());
                self.refuse(&origin(start), given_tables::PATH.to_owned(), (&expected, &found), None);
            }
        }
    }

    /// Sets `[profiles.NAME]`. `origin` tells the line of a byte; `start` is where the table's name stands.
    pub(super) fn set_profiles(
        &mut self,
        given: &Spanned<DeValue<'_>>,
        start: usize,
        origin: impl Fn(usize) -> Origin,
    ) {
        match given.get_ref().as_table().and_then(|table| given_tables::profiles(table, &origin)) {
            Some(profiles) => self.profiles = profiles,
            None => {
                let expected = format!("tables `[{}.NAME]`", given_tables::PROFILES);
                let found = value::describe(given.get_ref());
                self.refuse(&origin(start), given_tables::PROFILES.to_owned(), (&expected, &found), None);
            }
        }
    }

    pub(super) fn set_toml(&mut self, path: &str, given: &Spanned<DeValue<'_>>, origin: Origin) {
        let found = value::describe(given.get_ref());
        if keys::is_section(path) {
            let (key, expected) = (path.to_owned(), format!("a table `[{path}]`"));
            return self.report(Problem::Unexpected { origin, key, expected, found, why: None });
        }
        let Some(key) = self.known(path, &origin) else { return };
        let value = value::of_document_like(given, &key.default);
        let found = if key.is_secret() { value::HIDDEN.to_owned() } else { found };
        self.entries.push(Ok(Setting { key, value, found, origin }));
    }

    fn known(&mut self, path: &str, origin: &Origin) -> Option<&'static Key> {
        let key = keys::find(path);
        if key.is_none() {
            self.report_unknown(path, origin.clone());
        }
        key
    }

    pub(super) fn report_unknown(&mut self, path: &str, origin: Origin) {
        let key = path.to_owned();
        if NAMES_OF_THE_KEY.contains(&path) {
            self.report(Problem::KeyInConfiguration { origin, key });
        } else if value::may_hold_key(path) {
            self.report(Problem::HiddenName { origin });
        } else {
            self.report(Problem::UnknownKey { origin, key, nearest: nearest::known_path(path) });
        }
    }

    /// What the key is set to. Every layer is checked, also where a later one wins over it. `None`: no layer sets it, the
    /// defaults neither, which is reported like all that is wrong.
    pub(super) fn read<T>(&mut self, path: &str, accepts: Accepts<T>) -> Option<T> {
        let mut meaning = None;
        for entry in &mut self.entries {
            let setting = match entry {
                Ok(setting) if setting.key.path == path => setting,
                _ => continue,
            };
            match setting.value.as_ref().ok_or(None).and_then(&accepts.read) {
                Ok(read) => meaning = Some(read),
                Err(why) => {
                    *entry = Err(Problem::Unexpected {
                        origin: setting.origin.clone(),
                        key: path.to_owned(),
                        expected: accepts.expected.to_string(),
                        found: setting.found.clone(),
                        // A reason may quote the value.
                        why: why.filter(|why| !value::may_hold_key(why)),
                    });
                }
            }
        }
        if meaning.is_none() {
            self.report_unknown(path, Origin::Default);
        }
        meaning
    }

    /// The effective setting of every key in their order, once all were read, secrets masked; or everything that is wrong.
    pub(super) fn finish(self) -> Result<Vec<Setting>, Vec<Problem>> {
        let (settings, problems): (Vec<_>, Vec<_>) = self.entries.into_iter().partition(Result::is_ok);
        let settings: Vec<Setting> = settings.into_iter().flatten().collect();
        let problems: Vec<Problem> = problems.into_iter().filter_map(Result::err).collect();
        let effective = |key: &Key| {
            let setting = settings.iter().rfind(|setting| setting.key.path == key.path)?;
            Some(if key.is_secret() { setting.masked() } else { setting.clone() })
        };
        if problems.is_empty() { Ok(keys::ALL.iter().filter_map(effective).collect()) } else { Err(problems) }
    }
}
