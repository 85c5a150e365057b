//! `[[destinations]]` and `[profiles.NAME]` as the file has them, before anything is read of them.

use super::problem::Origin;
use super::value;
use toml::Value;
use toml::de::{DeArray, DeTable};

/// The array's name.
pub(super) const PATH: &str = "destinations";

/// The name of the table whose tables are profiles.
pub(super) const PROFILES: &str = "profiles";

/// A key of a table as the file sets it.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) value: Option<Value>,
    /// The value for a message.
    pub(super) found: String,
    pub(super) origin: Origin,
}

/// One of `[[destinations]]`.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) given: Vec<Given>,
    /// Where it begins.
    pub(super) origin: Origin,
}

/// The tables of an array; `None` where something else stands in it. `origin` tells the line of a byte.
pub(super) fn tables(array: &DeArray<'_>, origin: impl Fn(usize) -> Origin) -> Option<Vec<Table>> {
    let table = |given: &toml::Spanned<toml::de::DeValue<'_>>| {
        let members = members(given.get_ref().as_table()?, &origin);
        Some(Table { given: members, origin: origin(given.span().start) })
    };
    array.iter().map(table).collect()
}

fn members(table: &DeTable<'_>, origin: &impl Fn(usize) -> Origin) -> Vec<Given> {
    let member = |(name, start, given): value::Member<'_, '_>| {
        // An address may have a password in it.
        let found = match &*name {
            "url" => value::HIDDEN.to_owned(),
            _ => value::describe(given.get_ref()),
        };
        Given { name, value: value::of_document(given), found, origin: origin(start) }
    };
    value::members(table, "", |_| false).into_iter().map(member).collect()
}

/// One of `[profiles.NAME]`.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) name: String,
    /// Where it begins.
    pub(super) origin: Origin,
    /// All that is set in it and in its tables.
    pub(super) leaves: Vec<Leaf>,
}

/// What is set in a table, or in one within it.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// The names that lead to it.
    pub(super) path: Vec<String>,
    pub(super) value: Option<Value>,
    /// The value for a message.
    pub(super) found: String,
    pub(super) origin: Origin,
}

impl Profile {
    /// The dotted path of something in it.
    pub(super) fn key<'p>(&self, path: impl Iterator<Item = &'p str>) -> String {
        let names = [PROFILES, &self.name].into_iter().map(quoted).chain(path.map(quoted));
        names.collect::<Vec<_>>().join(".")
    }
}

/// A name as TOML has it in a path.
pub(super) fn quoted(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match !name.is_empty() && name.bytes().all(is_bare) {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}

/// The tables of a table, in the order of the document; `None` where something else stands in it.
pub(super) fn profiles(table: &DeTable<'_>, origin: &impl Fn(usize) -> Origin) -> Option<Vec<Profile>> {
    let profile = |(name, start, given): value::Member<'_, '_>| {
        let mut leaves = Vec::new();
        add_leaves(given.get_ref().as_table()?, &[], origin, &mut leaves);
        Some(Profile { name, origin: origin(start), leaves })
    };
    value::members(table, "", |_| false).into_iter().map(profile).collect()
}

fn add_leaves(
    table: &DeTable<'_>,
    before: &[String],
    origin: &impl Fn(usize) -> Origin,
    leaves: &mut Vec<Leaf>,
) {
    for (name, start, given) in value::members(table, "", |_| false) {
        let path = [before, &[name]].concat();
        match given.get_ref().as_table() {
            Some(inner) => add_leaves(inner, &path, origin, leaves),
            None => leaves.push(Leaf {
                path,
                value: value::of_document(given),
                found: value::describe(given.get_ref()),
                origin: origin(start),
            }),
        }
    }
}
