//! `[profiles.NAME]`: what exports and copies hide. Tables that only the file can set.

use super::accepts::{self, Accepts};
use super::given_tables::{Leaf, PROFILES, Profile as Given};
use super::layers::Layers;
use super::value;
use crate::masking::{Classes, FULL, FieldRule, Profile, Rule};
use crate::paths::beside;
use std::path::Path;
use toml::Value;

/// How the name of the key's file ends, which stands beside the mirror.
const KEY_FILE: &str = ".profile-key";

/// The table with the rules of fields.
const FIELDS: &str = "fields";

/// The keys of a table.
const KEYS: [&str; 6] = ["key_file", "none", "direct_identifier", "contact", "free_text", FIELDS];

/// Reads every table; `None`: something is wrong, which is reported to the layers.
pub(super) fn read(layers: &mut Layers, mirror: &Path) -> Option<Vec<Profile>> {
    let given = layers.profiles.clone();
    let read: Vec<Option<Profile>> = given.iter().map(|given| profile(layers, given, mirror)).collect();
    read.into_iter().collect()
}

fn profile(layers: &mut Layers, given: &Given, mirror: &Path) -> Option<Profile> {
    let (name, mut is_right) = (&given.name, true);
    let is_name = (accepts::destination_name().read)(&Value::from(name.clone())).is_ok();
    if !is_name || name == FULL {
        let found = value::for_message(&format!("{name:?}"));
        let why = is_name.then(|| "that is the profile that hides nothing".to_owned());
        let expected = accepts::destination_name().expected;
        layers.refuse(&given.origin, PROFILES.to_owned(), (&expected, &found), why);
        is_right = false;
    }
    let (mut classes, mut fields, mut key_file) = (Classes::default(), Vec::new(), beside(mirror, KEY_FILE));
    for leaf in &given.leaves {
        let rule = match &leaf.path[..] {
            [name] if name == "key_file" => {
                key_file = take(layers, given, leaf, accepts::key_file()).flatten().unwrap_or(key_file);
                continue;
            }
            [name] if KEYS.contains(&&**name) && name != FIELDS => take(layers, given, leaf, rule()),
            [name, _, ..] if name == FIELDS => take(layers, given, leaf, rule()),
            _ => {
                let name = leaf.path.first().map_or("", String::as_str);
                let key = given.key(leaf.path.iter().map(String::as_str));
                layers.refuse_name(&leaf.origin, key, name, &KEYS);
                None
            }
        };
        is_right &= rule.is_some();
        let Some(rule) = rule else { continue };
        match (leaf.path.first().map(String::as_str), leaf.path.get(1..)) {
            (Some("none"), _) => classes.none = rule,
            (Some("direct_identifier"), _) => classes.direct_identifier = rule,
            (Some("contact"), _) => classes.contact = rule,
            (Some("free_text"), _) => classes.free_text = rule,
            (_, path) => fields.push(FieldRule { path: path.unwrap_or_default().to_vec(), rule }),
        }
    }
    match Profile::new(name, key_file, classes, &fields) {
        Ok(profile) => is_right.then_some(profile),
        Err(errors) => {
            for error in errors {
                let leaf = given.leaves.iter().find(|leaf| leaf.path.get(1..) == Some(&error.path[..]));
                let origin = leaf.map_or(&given.origin, |leaf| &leaf.origin);
                let key = given.key(std::iter::once(FIELDS).chain(error.path.iter().map(String::as_str)));
                let found = leaf.map_or("nothing", |leaf| &leaf.found);
                let expected = "a rule for a field that there is";
                layers.refuse(origin, key, (expected, found), Some(error.what));
            }
            None
        }
    }
}

fn rule() -> Accepts<Rule> {
    accepts::word(
        "\"keep\", \"drop\", \"mask\", \"hmac\", \"year\", \"domain\" or \"country\"",
        Rule::from_name,
    )
}

fn take<T>(layers: &mut Layers, given: &Given, leaf: &Leaf, accepts: Accepts<T>) -> Option<T> {
    match leaf.value.as_ref().ok_or(None).and_then(&accepts.read) {
        Ok(read) => Some(read),
        Err(why) => {
            let key = given.key(leaf.path.iter().map(String::as_str));
            layers.refuse(&leaf.origin, key, (&accepts.expected, &leaf.found), why);
            None
        }
    }
}
