//! The account and its customers as the API serves them.

use super::awkward::{self, CustomerOddity};
use super::draw::{Draw, Purpose};
use super::fields::CustomerField;
use super::generate::Source;
use super::rows::CustomerRow;
use super::text::{object, quoted, times};

const FIRST_NAMES: &[&str] = &[
    "Ann", "Ben", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lena",
    "Mateo", "Nadia", "Oscar", "Priya", "Quinn", "Rosa", "Sven", "Tara", "Umar", "Vera", "Wei", "Yuki",
    "Zara",
];
const LAST_NAMES: &[&str] = &[
    "Abbott", "Berg", "Costa", "Dvorak", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jensen", "Kim",
    "Lopez", "Mensah", "Novak", "Okafor", "Petrov", "Quist", "Rossi", "Silva", "Tanaka", "Urban", "Varga",
    "Weber", "Young", "Zhang",
];

impl Source {
    /// The account as one JSON object.
    pub(super) fn account(self) -> String {
        let id = Draw::new(self.seed, Purpose::Account, 0, 0).uuid();
        format!(r#"{{"id":"{id}","name":"Sandbox shop {}"}}"#, self.seed)
    }

    /// The customer of that number as one JSON object.
    pub(super) fn customer(self, serial: u64, row: &CustomerRow) -> String {
        let oddity = if row.plain { None } else { self.customer_oddity(serial) };
        let mut members = vec![format!(r#""id":{}"#, quoted(&row.id))];
        for field in CustomerField::ALL {
            let json = match row.written.as_ref().and_then(|written| written.get(field)) {
                Some(text) => Some(text.map_or("null".to_owned(), quoted)),
                None if row.plain => Some("null".to_owned()),
                None => drawn(self.seed, serial, field, oddity),
            };
            members.extend(json.map(|json| format!(r#""{}":{json}"#, field.name())));
        }
        match oddity {
            Some(CustomerOddity::OnlyId) => {}
            Some(CustomerOddity::Times(offset)) => members.push(times(row.created, row.updated, offset)),
            _ => members.push(times(row.created, row.updated, 0)),
        }
        if let Some(CustomerOddity::Extra(extra)) = oddity {
            members.push(extra.to_owned());
        }
        object(&members)
    }
}

/// A field of the customer of that number as JSON, as the seed says; `None` where the customer lacks the field.
fn drawn(seed: u64, serial: u64, field: CustomerField, oddity: Option<CustomerOddity>) -> Option<String> {
    match (oddity, field) {
        (Some(CustomerOddity::OnlyId), _) => return None,
        (Some(CustomerOddity::Missing(missing)), _) if missing == field => return None,
        (Some(CustomerOddity::Null(null)), _) if null == field => return Some("null".to_owned()),
        (Some(CustomerOddity::FirstName(json)), CustomerField::FirstName) => return Some(json.to_owned()),
        (Some(CustomerOddity::LongLastName), CustomerField::LastName) => return Some(awkward::long_text()),
        _ => {}
    }
    let mut draw = Draw::new(seed, Purpose::CustomerFields, serial, 0);
    let (first, last, phone) = (draw.pick(FIRST_NAMES), draw.pick(LAST_NAMES), draw.below(10_000_000));
    Some(quoted(&match field {
        CustomerField::FirstName => first.to_owned(),
        CustomerField::LastName => last.to_owned(),
        CustomerField::Email => {
            let domain = if phone.is_multiple_of(2) { "com" } else { "org" };
            format!("{first}.{last}{serial}@example.{domain}").to_ascii_lowercase()
        }
        CustomerField::PhoneNumber => format!("555-{:03}-{:04}", phone / 10_000, phone % 10_000),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, instant};
    use crate::sandbox::Settings;

    fn customer(source: Source, slot: u32) -> String {
        let (row, _) = source.customer_of_start(slot, &Settings::default());
        source.customer(u64::from(slot), &row)
    }

    #[test]
    fn a_plain_world_is_as_documented() {
        let source = Source { seed: 1, awkward: false };
        for serial in 0..200 {
            let customer = Record::customer(&customer(source, serial));
            assert!(customer.text("email").unwrap().contains("@example."));
            assert!(instant(customer.updated_at().unwrap()) >= instant(customer.created_at().unwrap()));
            assert_eq!(customer.text("extra"), None);
        }
    }

    #[test]
    fn an_awkward_world_can_still_be_decoded() {
        let source = Source { seed: 1, awkward: true };
        let customers: Vec<_> = (0..100).map(|serial| Record::customer(&customer(source, serial))).collect();
        assert!(customers.iter().any(|customer| customer.id().contains('/')));
        assert!(customers.iter().any(|customer| customer.text("email").is_none()));
        assert!(customers.iter().any(|customer| customer.text("extra").is_some_and(|e| e.contains("1e400"))));
    }
}
