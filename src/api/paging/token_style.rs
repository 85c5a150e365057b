//! Where a page token comes from, which parameter takes it, and what it stands for (`api-contract` points 1, 2 and 6).

use std::fmt;

/// Gives an enum its names in the configuration and in the mirror.
macro_rules! named {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// All of them.
            pub const ALL: [$type; [$($name),+].len()] = [$($type::$variant),+];

            /// The name in the configuration and in the mirror.
            pub const fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name),+
                }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<$type> {
                $type::ALL.into_iter().find(|one| one.name() == name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// Where the next page's token comes from (point 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenStyle {
    /// A `Link` header with the relation `next` (RFC 8288).
    Link,
    /// A member of the object that holds the records.
    Envelope,
    /// A response header such as `x-next-cursor` or `NextPageToken`.
    Header,
    /// Nowhere: the id of a page's last record is the cursor.
    LastId,
}

named!(TokenStyle { Link => "link", Envelope => "envelope", Header => "header", LastId => "last-id" });

/// The two parameters that take a cursor. Which of them moves forward is undocumented (point 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameter {
    /// `?next=`
    Next,
    /// `?prev=`
    Prev,
}

named!(Parameter { Next => "next", Prev => "prev" });

impl Parameter {
    /// The other parameter.
    pub const fn other(self) -> Parameter {
        match self {
            Parameter::Next => Parameter::Prev,
            Parameter::Prev => Parameter::Next,
        }
    }
}

/// What a page token stands for, which decides whether a later walk may use it (point 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenNames {
    /// A position in the list as it is at the time of the request.
    Position,
    /// A state of the walk that received it, such as a snapshot of the list.
    Walk,
}

named!(TokenNames { Position => "position", Walk => "walk" });
