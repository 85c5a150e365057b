//! The account and its customers as the API serves them, written straight into the answer.

use super::awkward::{self, CustomerOddity};
use super::draw::{Draw, Purpose};
use super::fields::{CustomerField, CustomerFields};
use super::generate::Source;
use super::text::{push_number, push_padded, push_string, push_times, push_uuid};

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

/// What of a customer is not told by the seed.
pub(super) struct CustomerFacts<'a> {
    pub(super) serial: u64,
    pub(super) id: &'a str,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) written: Option<&'a CustomerFields>,
    /// A client made it: nothing about it is odd.
    pub(super) plain: bool,
}

impl Source {
    /// Appends the account as one JSON object.
    pub(super) fn push_account(self, out: &mut String) {
        let mut draw = Draw::new(self.seed, Purpose::Account, 0, 0);
        out.push_str("{\"id\":\"");
        push_uuid(out, draw.next(), draw.next());
        out.push_str("\",\"name\":\"Sandbox shop ");
        push_padded(out, self.seed, 1);
        out.push_str("\"}");
    }

    /// Appends the customer as one JSON object.
    pub(super) fn push_customer(self, out: &mut String, customer: &CustomerFacts<'_>) {
        let oddity = if customer.plain { None } else { self.customer_oddity(customer.serial) };
        let person = Person::drawn(self.seed, customer.serial);
        out.push_str("{\"id\":");
        push_string(out, customer.id);
        for field in CustomerField::ALL {
            let written = customer.written.and_then(|written| written.get(field));
            if written.is_none() && leaves_out(oddity, field) {
                continue;
            }
            out.push_str(",\"");
            out.push_str(field.name());
            out.push_str("\":");
            match written {
                Some(Some(text)) => push_string(out, text),
                Some(None) => out.push_str("null"),
                None => person.push(out, field, oddity),
            }
        }
        let offset = match oddity {
            Some(CustomerOddity::Times(offset)) => offset,
            Some(CustomerOddity::OnlyId) => return out.push('}'),
            _ => 0,
        };
        push_times(out, customer.created, customer.updated, offset);
        if let Some(CustomerOddity::Extra(members)) = oddity {
            out.push(',');
            out.push_str(members);
        }
        out.push('}');
    }
}

fn leaves_out(oddity: Option<CustomerOddity>, field: CustomerField) -> bool {
    matches!(oddity, Some(CustomerOddity::Missing(missing)) if missing == field)
        || oddity == Some(CustomerOddity::OnlyId)
}

/// What the seed says about a customer.
struct Person {
    first: &'static str,
    last: &'static str,
    serial: u64,
    phone: u64,
}

impl Person {
    fn drawn(seed: u64, serial: u64) -> Person {
        let mut draw = Draw::new(seed, Purpose::CustomerFields, serial, 0);
        Person {
            first: draw.pick(FIRST_NAMES),
            last: draw.pick(LAST_NAMES),
            serial,
            phone: draw.below(10_000_000),
        }
    }

    fn push(&self, out: &mut String, field: CustomerField, oddity: Option<CustomerOddity>) {
        match (field, oddity) {
            (_, Some(CustomerOddity::Null(null))) if null == field => return out.push_str("null"),
            (CustomerField::FirstName, Some(CustomerOddity::FirstName(json))) => return out.push_str(json),
            (CustomerField::LastName, Some(CustomerOddity::LongLastName)) => {
                return awkward::push_long_text(out);
            }
            _ => out.push('"'),
        }
        match field {
            CustomerField::FirstName => out.push_str(self.first),
            CustomerField::LastName => out.push_str(self.last),
            CustomerField::Email => {
                out.extend(self.first.chars().map(|letter| letter.to_ascii_lowercase()));
                out.push('.');
                out.extend(self.last.chars().map(|letter| letter.to_ascii_lowercase()));
                push_number(out, self.serial as i64);
                out.push_str(if self.phone.is_multiple_of(2) { "@example.com" } else { "@example.org" });
            }
            CustomerField::PhoneNumber => {
                out.push_str("555-");
                push_padded(out, self.phone / 10_000, 3);
                out.push('-');
                push_padded(out, self.phone % 10_000, 4);
            }
        }
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, instant};

    fn customer(source: Source, serial: u64) -> String {
        let id = source.customer_id(serial);
        let (created, updated) = source.customer_times(serial);
        let mut out = String::new();
        let facts = CustomerFacts { serial, id: &id, created, updated, written: None, plain: false };
        source.push_customer(&mut out, &facts);
        out
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
