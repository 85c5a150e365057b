//! A JSON object taken apart into its members, each value as it was written.

use crate::record::text;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Members in their order, with decoded names.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

pub(super) fn is_array(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// The members of a value that is an object.
pub(super) fn members_of(value: &RawValue) -> Option<Members<'_>> {
    if !value.get().starts_with('{') {
        return None;
    }
    members(value.get().as_bytes()).ok()
}

pub(super) fn members(object: &[u8]) -> serde_json::Result<Members<'_>> {
    let members = raw_members(object)?;
    Ok(members.into_iter().map(|(name, value)| (text(name).unwrap_or_default(), value)).collect())
}

/// The same with the names as they were written.
pub(super) fn raw_members(object: &[u8]) -> serde_json::Result<Vec<(&RawValue, &RawValue)>> {
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    let members = deserializer.deserialize_map(MemberVisitor)?;
    deserializer.end()?;
    Ok(members)
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}
