//! Whether an API still answers for the account whose mirror this is (`api-contract` point 9: a list may be another
//! account's).
//!
//! The first witness is the account's own id, where the API gives one. The second one is the customer list: a list of the
//! same account brings customers that the mirror holds. Until one of them has spoken nothing is written.

use crate::record::{Record, instant};

/// What the account's id says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountId {
    /// It is the mirror's account, or the mirror holds nothing that could be another's.
    Same,
    /// The API names no account, or the mirror remembers none: the customer list has to tell.
    Open,
    /// The API answers for another account.
    Other {
        /// The mirror's.
        mirrored: String,
        /// The API's.
        answered: String,
    },
}

/// Compares the account that the mirror remembers with the one that the API names; `customers` is how many the mirror
/// holds.
pub fn judge_account_id(mirrored: Option<&str>, answered: Option<&str>, customers: u64) -> AccountId {
    match (mirrored, answered) {
        _ if customers == 0 => AccountId::Same,
        (Some(mirrored), Some(answered)) if mirrored == answered => AccountId::Same,
        (Some(mirrored), Some(answered)) => {
            AccountId::Other { mirrored: mirrored.to_owned(), answered: answered.to_owned() }
        }
        _ => AccountId::Open,
    }
}

/// How far a walk of the customer list has met the mirror's customers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Customers that the mirror held when the walk began.
    pub mirrored: u64,
    /// Customers that the walk has listed so far.
    pub listed: u64,
    /// Of those, customers that the mirror holds.
    pub known: u64,
}

impl Overlap {
    /// Whether the list is this account's: at least half of what it brought so far is known, or half of the mirror has
    /// come by. A growing account passes by the second rule, one that lost many customers by the first.
    pub fn is_enough(self) -> bool {
        self.known > 0 && 2 * self.known >= self.mirrored.min(self.listed)
    }
}

/// Whether two records with the same id are of the same thing. Ids may be simple numbers, which every account has. A
/// record's time of creation doesn't change. Where it isn't given, something of what identifies the record
/// ([`Stream::identity`](crate::record::Stream::identity)) stays when the rest changes: of a customer the e-mail address,
/// the phone number or the whole name. Records that have nothing of it in common to compare count as the same.
pub fn is_same_record(stored: &Record, listed: &Record) -> bool {
    match (stored.created_at(), listed.created_at()) {
        (Some(stored), Some(listed)) if stored == listed => true,
        (Some(stored), Some(listed)) => {
            matches!((instant(stored), instant(listed)), (Some(stored), Some(listed)) if stored == listed)
        }
        _ => has_same_identity(stored, listed),
    }
}

fn has_same_identity(stored: &Record, listed: &Record) -> bool {
    let agreements = stored.stream().identity().iter().filter_map(|fields| agree(stored, listed, fields));
    let mut agreements = agreements.peekable();
    agreements.peek().is_none() || agreements.any(|agrees| agrees)
}

/// Whether both say the same of these fields together; `None` where one of them doesn't say all.
fn agree(stored: &Record, listed: &Record, fields: &[&str]) -> Option<bool> {
    let text = |record: &Record| -> Option<String> {
        let texts: Option<Vec<&str>> = fields.iter().map(|field| record.text(field)).collect();
        Some(texts?.join(" ").trim().to_lowercase()).filter(|text| !text.is_empty())
    };
    Some(text(stored)? == text(listed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn account_ids() {
        let other = || AccountId::Other { mirrored: "a".to_owned(), answered: "b".to_owned() };
        for (mirrored, answered, customers, expected) in [
            (Some("a"), Some("a"), 300, AccountId::Same),
            (Some("a"), Some("b"), 300, other()),
            (Some("a"), Some("b"), 1, other()),
            // Nothing is held that could be another account's.
            (Some("a"), Some("b"), 0, AccountId::Same),
            (None, None, 0, AccountId::Same),
            // One side is silent.
            (Some("a"), None, 300, AccountId::Open),
            (None, Some("b"), 300, AccountId::Open),
            (None, None, 300, AccountId::Open),
        ] {
            assert_eq!(judge_account_id(mirrored, answered, customers), expected);
        }
    }

    #[test]
    fn overlaps() {
        for (mirrored, listed, known, is_enough) in [
            // A first page as the last run left it, with a few new customers in front.
            (300, 50, 50, true),
            (300, 50, 47, true),
            // Strangers, of a smaller, an equal and a larger account.
            (300, 50, 0, false),
            (300, 300, 0, false),
            (300, 3_000, 0, false),
            // The account grew by a lot, newest first.
            (10, 990, 0, false),
            (10, 995, 5, true),
            // A tenth of the list came.
            (20, 2, 2, true),
            // A mirror of one.
            (1, 40, 0, false),
            (1, 41, 1, true),
            // Few of ours among many strangers.
            (300, 600, 30, false),
            (300, 0, 0, false),
        ] {
            let overlap = Overlap { mirrored, listed, known };
            assert_eq!(overlap.is_enough(), is_enough, "{overlap:?}");
        }
    }

    #[test]
    fn the_time_of_creation_tells_customers_with_the_same_id_apart() {
        let customer = |created_at: Option<&str>| {
            let record = serde_json::json!({"id": "1", "created_at": created_at, "email": "x@example.com"});
            Record::customer(&record.to_string())
        };
        let noon = Some("2024-05-01T12:00:00Z");
        for (stored, listed, same) in [
            (noon, noon, true),
            (noon, Some("2024-05-01T14:00:00.000+02:00"), true),
            (noon, Some("2024-05-01T12:00:01Z"), false),
            (noon, Some("yesterday"), false),
            (noon, None, true),
            (None, None, true),
        ] {
            assert_eq!(is_same_record(&customer(stored), &customer(listed)), same, "{stored:?} {listed:?}");
        }
    }

    #[test]
    fn without_times_of_creation_the_person_tells() {
        let customer = |fields: [Option<&str>; 4]| {
            let [email, phone, first, last] = fields;
            let record = serde_json::json!({
                "id": "1", "email": email, "phone_number": phone, "first_name": first, "last_name": last,
            });
            Record::customer(&record.to_string())
        };
        let ann = [Some("ann@example.com"), Some("555-555-5555"), Some("Ann"), Some("Li")];
        for (listed, same) in [
            (ann, true),
            // Any one of them stays.
            ([Some("Ann@Example.com"), None, None, None], true),
            ([Some("new@example.com"), Some("555-555-5555"), None, None], true),
            ([Some("new@example.com"), None, Some("Ann"), Some("Li")], true),
            // Nothing that could be compared.
            ([None, None, None, None], true),
            ([None, Some(" "), Some("Ann"), None], true),
            // Another account's customer 1.
            ([Some("bob@example.com"), None, None, None], false),
            ([Some("bob@example.com"), Some("555-555-0000"), Some("Ann"), Some("Bo")], false),
            ([None, None, Some("Bob"), Some("Li")], false),
        ] {
            assert_eq!(is_same_record(&customer(ann), &customer(listed)), same, "{listed:?}");
        }
    }

    proptest! {
        /// However the pages of an account that keeps half of its customers come, the walk's end accepts it.
        #[test]
        fn an_account_that_keeps_half_is_accepted(mirrored in 1u64..1_000, kept in 0.5..1.0f64, new in 0u64..5_000) {
            let known = (mirrored as f64 * kept).ceil() as u64;
            let overlap = Overlap { mirrored, listed: known + new, known };
            prop_assert!(overlap.is_enough());
        }
    }
}
