//! A JSON object taken apart into its members, each value as it was written.

use crate::record::{self, text};
use serde_json::Deserializer;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Members in their order, with decoded names.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

pub(super) fn is_array(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// The members of a value that is an object.
pub(super) fn members_of(value: &RawValue) -> Option<Members<'_>> {
    if value.get().starts_with('{') { members(value.get().as_bytes()).ok() } else { None }
}

pub(super) fn members(object: &[u8]) -> serde_json::Result<Members<'_>> {
    record::members(Deserializer::from_slice(object), |name, value| (text(name).unwrap_or_default(), value))
}
