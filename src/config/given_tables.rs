//! `[[destinations]]` as the file has it, before anything is read of it.

use super::problem::Origin;
use super::value;
use toml::Value;
use toml::de::{DeArray, DeTable};

/// The array's name.
pub(super) const PATH: &str = "destinations";

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
