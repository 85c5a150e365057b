//! Records that were taken although a documented field could not be taken as it stands.

use std::fmt;

/// A record as it was decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<R> {
    /// The record.
    pub record: R,
    /// What was repaired in it; empty for almost all.
    pub repairs: Repairs,
}

impl<R> Decoded<R> {
    /// A record that stands as the API gave it.
    pub fn whole(record: R) -> Decoded<R> {
        Decoded { record, repairs: Repairs::default() }
    }
}

/// What was done to a record to take it, field by field. Its text names fields, never their content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repairs(pub(super) Vec<Repair>);

/// One repair: what a field holds instead of what the API gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Repair {
    /// Its text held half of a surrogate pair, which no Unicode text can; an escape of one stands for a byte that is no UTF-8.
    #[error(
        "`{field}` holds half of a surrogate pair, or a byte that is no UTF-8: U+FFFD stands in its place"
    )]
    HalfSurrogate {
        /// The field.
        field: &'static str,
    },
    /// It is an integer by the documentation, and came with a fraction.
    #[error("`{field}` has a fraction: it was cut off")]
    Fraction {
        /// The field.
        field: &'static str,
    },
}

impl Repairs {
    /// Whether the record stands as the API gave it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, repair) in self.0.iter().enumerate() {
            let separator = if n > 0 { "; " } else { "" };
            write!(f, "{separator}{repair}")?;
        }
        Ok(())
    }
}
