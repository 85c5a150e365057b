//! A JSON object taken apart into its members.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::de::Read;
use serde_json::value::RawValue;
use std::fmt;

/// What `member` makes of each member of the object that is read, in their order: of its name and its value, both as they
/// were written.
///
/// # Errors
/// When it is no object, or more than one.
pub fn members<'de, T>(
    mut json: serde_json::Deserializer<impl Read<'de>>,
    member: impl FnMut(&'de RawValue, &'de RawValue) -> T,
) -> serde_json::Result<Vec<T>> {
    let members = json.deserialize_map(Members(member))?;
    json.end()?;
    Ok(members)
}

struct Members<F>(F);

impl<'de, T, F: FnMut(&'de RawValue, &'de RawValue) -> T> Visitor<'de> for Members<F> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Vec<T>, A::Error> {
        let mut members = Vec::with_capacity(12);
        while let Some((name, value)) = map.next_entry()? {
            members.push((self.0)(name, value));
        }
        Ok(members)
    }
}
