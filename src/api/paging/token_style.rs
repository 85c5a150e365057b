//! Where a page token comes from, and which parameter takes it (`api-contract` points 1 and 2).

use std::fmt;

/// Where the next page's token comes from.
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

impl TokenStyle {
    /// All styles.
    pub const ALL: [TokenStyle; 4] =
        [TokenStyle::Link, TokenStyle::Envelope, TokenStyle::Header, TokenStyle::LastId];

    /// The name in the configuration and in the mirror.
    pub const fn name(self) -> &'static str {
        match self {
            TokenStyle::Link => "link",
            TokenStyle::Envelope => "envelope",
            TokenStyle::Header => "header",
            TokenStyle::LastId => "last-id",
        }
    }

    /// The style of that name.
    pub fn from_name(name: &str) -> Option<TokenStyle> {
        TokenStyle::ALL.into_iter().find(|style| style.name() == name)
    }
}

impl fmt::Display for TokenStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The two parameters that take a cursor. Which of them moves forward is undocumented (`api-contract` point 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameter {
    /// `?next=`
    Next,
    /// `?prev=`
    Prev,
}

impl Parameter {
    /// Both.
    pub const ALL: [Parameter; 2] = [Parameter::Next, Parameter::Prev];

    /// The parameter's name in a URL, in the configuration and in the mirror.
    pub const fn name(self) -> &'static str {
        match self {
            Parameter::Next => "next",
            Parameter::Prev => "prev",
        }
    }

    /// The parameter of that name.
    pub fn from_name(name: &str) -> Option<Parameter> {
        Parameter::ALL.into_iter().find(|parameter| parameter.name() == name)
    }

    /// The other parameter.
    pub const fn other(self) -> Parameter {
        match self {
            Parameter::Next => Parameter::Prev,
            Parameter::Prev => Parameter::Next,
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
