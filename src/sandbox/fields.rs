//! The four fields of a customer that can be written.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A field of a customer that the API lets a client write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CustomerField {
    /// `email`
    Email,
    /// `first_name`
    FirstName,
    /// `last_name`
    LastName,
    /// `phone_number`
    PhoneNumber,
}

impl CustomerField {
    /// All four, in the order of the documentation.
    pub const ALL: [CustomerField; 4] =
        [CustomerField::Email, CustomerField::FirstName, CustomerField::LastName, CustomerField::PhoneNumber];

    /// The field's name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            CustomerField::Email => "email",
            CustomerField::FirstName => "first_name",
            CustomerField::LastName => "last_name",
            CustomerField::PhoneNumber => "phone_number",
        }
    }
}

/// What a write sends: for each field a text, null, or nothing at all.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CustomerFields(BTreeMap<CustomerField, Option<Box<str>>>);

impl CustomerFields {
    /// The same with `field` set to a text.
    #[must_use]
    pub fn set(mut self, field: CustomerField, text: &str) -> Self {
        self.0.insert(field, Some(text.into()));
        self
    }

    /// The same with `field` set to null.
    #[must_use]
    pub fn set_null(mut self, field: CustomerField) -> Self {
        self.0.insert(field, None);
        self
    }

    /// What is sent for `field`: `None` nothing, `Some(None)` null.
    pub fn get(&self, field: CustomerField) -> Option<Option<&str>> {
        self.0.get(&field).map(Option::as_deref)
    }

    /// Takes over every field that `newer` sends.
    pub(super) fn merge(&mut self, newer: CustomerFields) {
        self.0.extend(newer.0);
    }

    /// Reads the body of a write.
    ///
    /// # Errors
    /// One sentence that says what a body has to be.
    pub(super) fn from_body(body: &[u8]) -> Result<CustomerFields, String> {
        let members: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| "the body must be one JSON object".to_owned())?;
        let mut fields = CustomerFields::default();
        for field in CustomerField::ALL {
            fields = match members.get(field.name()) {
                None => fields,
                Some(Value::Null) => fields.set_null(field),
                Some(Value::String(text)) => fields.set(field, text),
                Some(_) => return Err(format!("`{}` must be a string", field.name())),
            };
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let good =
            CustomerFields::from_body(br#"{"email":"a@example.com","last_name":null,"other":1}"#).unwrap();
        assert_eq!(good.get(CustomerField::Email), Some(Some("a@example.com")));
        assert_eq!(good.get(CustomerField::LastName), Some(None));
        assert_eq!(good.get(CustomerField::FirstName), None);
        for bad in ["", "[]", "null", "{", r#"{"email":1}"#, r#"{"phone_number":["a"]}"#] {
            assert!(CustomerFields::from_body(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
