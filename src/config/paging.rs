//! How the vendor's lists are walked, where somebody fixes it instead of leaving it to detection.

/// Where the next page's token comes from (`api-contract` point 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenStyle {
    /// An RFC 8288 `Link` header with `rel="next"`.
    Link,
    /// A cursor or URL in the body, beside the array of records.
    Envelope,
    /// A response header that carries the cursor.
    Header,
    /// Nothing at all: the `id` of the page's last record is the cursor.
    LastId,
}

impl TokenStyle {
    /// Every style, in the order in which they are tried.
    pub const ALL: [TokenStyle; 4] =
        [TokenStyle::Link, TokenStyle::Envelope, TokenStyle::Header, TokenStyle::LastId];

    /// The name in the configuration and in `status`.
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

/// The query parameter that carries a bare cursor (`api-contract` point 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// `next=CURSOR`
    Next,
    /// `prev=CURSOR`
    Prev,
}

impl Parameter {
    /// Both parameters.
    pub const ALL: [Parameter; 2] = [Parameter::Next, Parameter::Prev];

    /// The name in the query, in the configuration and in `status`.
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
}
