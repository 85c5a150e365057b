//! Everything that is held of a person, and where.

use super::check::{FoundAt, check};
use super::error::ErasureError;
use super::receipt::Elsewhere;
use crate::export::Settings;
use crate::mirror::{Asked, Mirror};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Rows of a table or a view that are of the person.
#[derive(Debug, Serialize)]
pub struct Held {
    /// The table or the view.
    pub table: String,
    /// Its rows, each with its columns.
    pub rows: Vec<BTreeMap<String, Box<RawValue>>>,
}

/// Where texts that name the person stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldIn {
    /// In the mirror, by table and column: also in rows of others.
    pub mirror: Vec<Elsewhere>,
    /// In files.
    pub files: Vec<FoundAt>,
}

/// A person and what is held of him; also the JSON result of `person`.
#[derive(Debug, Serialize)]
pub struct PersonFound {
    /// The customer's id.
    pub id: String,
    /// Every address that the mirror knows of him.
    pub emails: Vec<String>,
    /// Every telephone number.
    pub phone_numbers: Vec<String>,
    /// First and last names.
    pub names: Vec<String>,
    /// His rows, with every version of them.
    pub held: Vec<Held>,
    /// Where his id, addresses and numbers stand.
    pub places: HeldIn,
}

/// Finds the customers that a text names, as id, address or telephone number, and all that is held of them: in the mirror, in
/// the files beside it and in every export folder. Reads every byte of these. Writes nothing and needs no lock.
///
/// # Errors
/// When something can't be read.
pub fn person(
    mirror: &mut Mirror,
    configured: &[Settings],
    asked: &[Asked],
) -> Result<Vec<PersonFound>, ErasureError> {
    let persons = mirror.snapshot()?.persons(asked)?;
    let mut found = Vec::new();
    for person in persons {
        let mut texts = vec![person.id.clone()];
        texts.extend(person.emails.iter().chain(&person.phone_numbers).cloned());
        let checked = check(mirror, configured, None, &texts)?;
        let held = mirror.snapshot()?.held_of(&person.id)?;
        found.push(PersonFound {
            id: person.id,
            emails: person.emails.into_iter().collect(),
            phone_numbers: person.phone_numbers.into_iter().collect(),
            names: person.names.into_iter().collect(),
            held: held.into_iter().map(|(table, rows)| Held { table, rows }).collect(),
            places: HeldIn { mirror: checked.rows, files: checked.found },
        });
    }
    Ok(found)
}
