//! A customer, as the vendor's Customer resource documentation describes it.

use super::fields::{Fields, Rejection};
use super::repair::Decoded;

/// A customer. Every field except `id` may be null or missing; the two are not told apart.
///
/// `Debug` shows the identifier alone: everything else is personal data.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Customer {
    /// Opaque, never empty; not always a UUID.
    pub id: String,
    /// E-mail address.
    pub email: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Phone number, in no documented form.
    pub phone_number: Option<String>,
    /// When the vendor created it, as the API gave it.
    pub created_at: Option<String>,
    /// When the vendor last changed it, as the API gave it.
    pub updated_at: Option<String>,
    /// The undocumented fields as the text of one JSON object, each value to the byte.
    pub extra: Option<String>,
}

impl Customer {
    /// Decodes one record of a list, or the answer to a retrieve.
    ///
    /// # Errors
    /// When `record` is no object, has no usable `id`, or a documented field has another type than documented
    /// and can't be read as that one either.
    pub fn decode(record: &str) -> Result<Customer, Rejection> {
        Customer::decode_telling(record).map(|decoded| decoded.record)
    }

    /// What tells whose a record is that can't be taken: its id and its time of creation, nothing else.
    pub fn peek(record: &str) -> Option<Customer> {
        let mut fields = Fields::parse(record).ok()?;
        let (id, created_at) = (fields.id().ok()?, fields.time("created_at").ok().flatten());
        let (email, first_name, last_name, phone_number, updated_at, extra) = Default::default();
        Some(Customer { id, email, first_name, last_name, phone_number, created_at, updated_at, extra })
    }

    /// The same, with what was repaired in the record.
    ///
    /// # Errors
    /// As for [`Customer::decode`].
    pub fn decode_telling(record: &str) -> Result<Decoded<Customer>, Rejection> {
        let mut fields = Fields::parse(record)?;
        let mut decoded = Decoded::whole(Customer {
            id: fields.id()?,
            email: fields.text("email")?,
            first_name: fields.text("first_name")?,
            last_name: fields.text("last_name")?,
            phone_number: fields.text("phone_number")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
            extra: None,
        });
        decoded.repairs = fields.repairs();
        decoded.record.extra = fields.extra();
        Ok(decoded)
    }
}

impl super::Record for Customer {
    fn id(&self) -> &str {
        &self.id
    }

    fn updated_at(&self) -> Option<&str> {
        self.updated_at.as_deref()
    }
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customer").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = r#"{
        "id": "a0a877c6-4164-4e8a-8179-48f8d4752b4e",
        "email": "shopper@example.com",
        "first_name": "Ann",
        "last_name": "O\"Hara",
        "phone_number": "555-555-5555",
        "created_at": "2019-01-30T13:30:00Z",
        "updated_at": "2019-01-30T13:30:00Z"
    }"#;

    #[test]
    fn documented_example_has_no_extra() {
        let customer = Customer::decode(DOCUMENTED).unwrap();
        assert_eq!(customer.id, "a0a877c6-4164-4e8a-8179-48f8d4752b4e");
        assert_eq!(customer.last_name.as_deref(), Some("O\"Hara"));
        assert_eq!(customer.extra, None);
    }

    #[test]
    fn null_missing_and_empty() {
        let customer = Customer::decode(r#"{"id":"x","email":null,"first_name":""}"#).unwrap();
        assert_eq!((customer.email, customer.last_name), (None, None));
        assert_eq!(customer.first_name.as_deref(), Some(""));
    }

    #[test]
    fn wrong_type_of_a_documented_field_is_rejected() {
        assert_eq!(
            Customer::decode(r#"{"id":"x","email":["a"]}"#),
            Err(Rejection::WrongType { field: "email", expected: "a string" })
        );
    }

    #[test]
    fn a_record_that_cannot_be_taken_still_tells_whose_it_is() {
        let peeked =
            Customer::peek(r#"{"id":"x","email":5,"created_at":"2019-01-30T13:30:00Z","a":1}"#).unwrap();
        assert_eq!((peeked.id.as_str(), peeked.created_at.as_deref()), ("x", Some("2019-01-30T13:30:00Z")));
        assert_eq!((peeked.email, peeked.extra), (None, None));
        assert!(Customer::peek("[]").is_none() && Customer::peek(r#"{"id":true}"#).is_none());
    }

    #[test]
    fn every_documented_field_is_taken_with_halves_of_surrogate_pairs() {
        for field in ["email", "first_name", "last_name", "phone_number", "created_at", "updated_at"] {
            let record = format!(r#"{{"id":"x","{field}":"a\ud83d"}}"#);
            let Decoded { record, repairs } = Customer::decode_telling(&record).unwrap();
            let c = &record;
            let fields =
                [&c.email, &c.first_name, &c.last_name, &c.phone_number, &c.created_at, &c.updated_at];
            let texts: Vec<&String> = fields.into_iter().flatten().collect();
            assert_eq!(texts, ["a\u{fffd}"], "{field}");
            assert!(repairs.to_string().starts_with(&format!("`{field}` ")), "{repairs}");
        }
        assert!(Customer::decode_telling(DOCUMENTED).unwrap().repairs.is_empty());
    }

    #[test]
    fn debug_shows_no_personal_data() {
        let shown = format!("{:?}", Customer::decode(DOCUMENTED).unwrap());
        for secret in ["shopper@", "Ann", "Hara", "555"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
