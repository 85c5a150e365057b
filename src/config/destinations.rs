//! `[[destinations]]`: where else exports go. An array of tables, which only the file can set; what a table leaves out is
//! as in `[export]`.

use super::accepts::{self, Accepts, Why};
use super::given_tables::{Given, PATH, Table};
use super::layers::Layers;
use crate::export::{FIRST, Settings};
use crate::masking::Profile;
use std::collections::BTreeSet;

/// The keys of a table.
const KEYS: [&str; 7] = ["name", "url", "profile", "streams", "formats", "compression", "max_age"];

/// Reads every table; `None`: something is wrong, which is reported to the layers.
pub(super) fn read(layers: &mut Layers, export: &Settings, profiles: &[Profile]) -> Option<Vec<Settings>> {
    let tables = layers.destinations.clone();
    let (mut names, mut places) = (BTreeSet::from([FIRST.to_owned()]), vec![export.dir.clone()]);
    let mut settings = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let mut reader = Reader { layers, table: &table, index, is_right: true };
        reader.check_names();
        let name = reader.required("name", accepts::destination_name());
        let url = reader.required("url", accepts::location());
        let profile = reader.optional("profile", accepts::profile(profiles));
        let one = Settings {
            profile: profile.unwrap_or_else(|| export.profile.clone()),
            streams: reader.optional("streams", accepts::streams()).unwrap_or_else(|| export.streams.clone()),
            formats: reader.optional("formats", accepts::formats()).unwrap_or_else(|| export.formats.clone()),
            compression: reader.optional("compression", accepts::compression()).unwrap_or(export.compression),
            compact_after: export.compact_after,
            max_age: reader.optional("max_age", accepts::duration()).unwrap_or(export.max_age),
            ..export.clone()
        };
        if let Some(name) = name.as_ref().filter(|name| !names.insert((*name).clone())) {
            let why = match &**name {
                FIRST => "it is the name of the first destination, that of [export]",
                _ => "another destination has that name",
            };
            reader.refuse("name", "a name of its own", Some(why.to_owned()));
        }
        if let Some(url) = &url {
            if places.contains(url) {
                let why = "another destination is there".to_owned();
                reader.refuse("url", "a place of its own", Some(why));
            }
            places.push(url.clone());
        }
        if let (true, Some(name), Some(dir)) = (reader.is_right, name, url) {
            settings.push(Settings { name, dir, ..one });
        }
    }
    (settings.len() == layers.destinations.len()).then_some(settings)
}

struct Reader<'l> {
    layers: &'l mut Layers,
    table: &'l Table,
    index: usize,
    is_right: bool,
}

impl Reader<'_> {
    fn path(&self, name: &str) -> String {
        format!("{PATH}[{}].{name}", self.index)
    }

    fn find(&self, name: &str) -> Option<&Given> {
        self.table.given.iter().find(|given| given.name == name)
    }

    fn check_names(&mut self) {
        for given in self.table.given.iter().filter(|given| !KEYS.contains(&&*given.name)) {
            self.is_right = false;
            self.layers.refuse_name(&given.origin, self.path(&given.name), &given.name, &KEYS);
        }
    }

    fn optional<T>(&mut self, name: &str, accepts: Accepts<T>) -> Option<T> {
        let given = self.find(name)?;
        match given.value.as_ref().ok_or(None).and_then(&accepts.read) {
            Ok(read) => Some(read),
            Err(why) => {
                self.refuse(name, &accepts.expected, why);
                None
            }
        }
    }

    fn required<T>(&mut self, name: &str, accepts: Accepts<T>) -> Option<T> {
        if self.find(name).is_none() {
            self.refuse(name, &accepts.expected, None);
            return None;
        }
        self.optional(name, accepts)
    }

    fn refuse(&mut self, name: &str, expected: &str, why: Why) {
        self.is_right = false;
        let given = self.find(name);
        let origin = given.map_or(&self.table.origin, |given| &given.origin).clone();
        let found = given.map_or("nothing", |given| &given.found).to_owned();
        self.layers.refuse(&origin, self.path(name), (expected, &found), why);
    }
}
