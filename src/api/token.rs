//! Where an answer says how the list goes on (`api-contract` point 1). Pure.

use super::link;
use reqwest::header::{HeaderMap, HeaderValue};
use std::borrow::Cow;
use std::fmt;

/// Where the next page's token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenStyle {
    /// A `Link` header with the relation `next` (RFC 8288).
    Link,
    /// A member of the object that holds the records.
    Envelope,
    /// A response header such as `x-next-cursor`.
    Header,
    /// Nothing at all: the id of a page's last record is the cursor.
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

/// The two parameters that take a cursor. Which of them moves forward is one of the API's silent points.
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

    /// The one that isn't this one.
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

/// How the list goes on, by the answer's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A URL reference, to be followed as given.
    Url(String),
    /// A bare token; nothing says which parameter takes it.
    Token(String),
    /// There is no next page: the token is null or empty.
    Ended,
}

impl Next {
    /// Tells a URL reference from a bare token.
    ///
    /// Opaque tokens may hold slashes (base64 does), so a slash alone makes no URL: a scheme or a query does.
    pub fn from_text(text: &str) -> Next {
        let text = text.trim();
        let has_query = text.split_once('?').is_some_and(|(_, query)| query.contains('='));
        if text.is_empty() {
            Next::Ended
        } else if text.contains("://") || has_query || text.starts_with("/customers") {
            Next::Url(text.to_owned())
        } else {
            Next::Token(text.to_owned())
        }
    }
}

/// What an answer offers, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Where it stood.
    pub style: TokenStyle,
    /// How the list goes on.
    pub next: Next,
}

/// What an answer offers: the first of `Link` header, envelope, header that names a next page; else the first that
/// says that there is none; `None` where nothing says anything. `only` restricts the search to one style, in which
/// absence means the end.
pub fn offer(headers: &HeaderMap, envelope: Option<Next>, only: Option<TokenStyle>) -> Option<Offer> {
    let find = |style| match style {
        TokenStyle::Link => link_header(headers),
        TokenStyle::Envelope => envelope.clone(),
        TokenStyle::Header => cursor_header(headers),
        TokenStyle::LastId => None,
    };
    match only {
        Some(TokenStyle::LastId) => None,
        Some(style) => Some(Offer { style, next: find(style).unwrap_or(Next::Ended) }),
        None => {
            let offers: Vec<Offer> = TokenStyle::ALL
                .into_iter()
                .filter_map(|style| find(style).map(|next| Offer { style, next }))
                .collect();
            let best = offers.iter().position(|offer| offer.next != Next::Ended).unwrap_or(0);
            offers.into_iter().nth(best)
        }
    }
}

fn link_header(headers: &HeaderMap) -> Option<Next> {
    let mut values = headers.get_all("link").iter().map(text);
    let target = values.find_map(|value| link::next_target(&value).map(str::to_owned))?;
    Some(if target.is_empty() { Next::Ended } else { Next::Url(target) })
}

/// A header's text, whatever its bytes: one that is passed over because of a character in it would end the list.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// Words that a header's name consists of when it carries the next page's cursor: `x-next-cursor`, `next-page-token`…
const CURSOR_WORDS: [&str; 10] =
    ["x", "next", "cursor", "page", "token", "pagination", "paging", "malomo", "url", "link"];

fn cursor_header(headers: &HeaderMap) -> Option<Next> {
    let names_cursor = |name: &str| {
        let words = || name.split(['-', '_']);
        words().any(|word| word == "next") && words().all(|word| CURSOR_WORDS.contains(&word))
    };
    let named = headers.iter().filter(|(name, _)| names_cursor(name.as_str()));
    let mut offered = named.map(|(_, value)| Next::from_text(&text(value)));
    let first = offered.next()?;
    // Where several stand, one that names a page counts.
    Some(if first == Next::Ended {
        offered.find(|next| *next != Next::Ended).unwrap_or(first)
    } else {
        first
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderName;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            })
            .collect()
    }

    #[test]
    fn urls_and_tokens() {
        for (text, expected) in [
            ("abc", Next::Token("abc".into())),
            ("/9j/4AAQ+//==", Next::Token("/9j/4AAQ+//==".into())),
            ("a0a877c6-4164", Next::Token("a0a877c6-4164".into())),
            ("?next=a", Next::Url("?next=a".into())),
            ("/customers?next=a", Next::Url("/customers?next=a".into())),
            ("/customers/page/2", Next::Url("/customers/page/2".into())),
            ("https://a.example/x", Next::Url("https://a.example/x".into())),
            ("//evil.example/customers?next=a", Next::Url("//evil.example/customers?next=a".into())),
            ("", Next::Ended),
            ("  ", Next::Ended),
        ] {
            assert_eq!(Next::from_text(text), expected, "{text}");
        }
    }

    #[test]
    fn offers() {
        let link = |next: Next| Some(Offer { style: TokenStyle::Link, next });
        let token = |text: &str| Next::Token(text.into());
        let linked =
            headers(&[("link", r#"</customers?prev=p>; rel="prev""#), ("link", "</c?next=n>; rel=next")]);
        assert_eq!(offer(&linked, None, None), link(Next::Url("/c?next=n".into())));
        // A link counts before an envelope's token; a token counts before an envelope's "no more".
        assert_eq!(offer(&linked, Some(token("t")), None), link(Next::Url("/c?next=n".into())));
        let header = headers(&[("x-next-cursor", "h")]);
        let from_header = Some(Offer { style: TokenStyle::Header, next: token("h") });
        assert_eq!(offer(&header, None, None), from_header);
        assert_eq!(offer(&header, Some(Next::Ended), None), from_header);
        let ended = Some(Offer { style: TokenStyle::Envelope, next: Next::Ended });
        assert_eq!(offer(&HeaderMap::new(), Some(Next::Ended), None), ended);
        assert_eq!(offer(&HeaderMap::new(), None, None), None);
        // Neither an empty one before it nor a character outside ASCII hides it.
        let several = headers(&[("x-next-page", ""), ("x-next-cursor", "h")]);
        assert_eq!(offer(&several, None, None), from_header);
        let accented = headers(&[("link", "</customers?next=é>; rel=next")]);
        assert_eq!(offer(&accented, None, None), link(Next::Url("/customers?next=é".into())));
        let unrelated =
            headers(&[("x-next-retry-at", "5"), ("x-ratelimit-next", "9"), ("x-request-id", "r")]);
        assert_eq!(offer(&unrelated, None, None), None);
    }

    #[test]
    fn a_pinned_style_alone_counts() {
        let linked = headers(&[("link", "</c?next=n>; rel=next")]);
        assert_eq!(offer(&linked, None, Some(TokenStyle::LastId)), None);
        let ended = Some(Offer { style: TokenStyle::Envelope, next: Next::Ended });
        assert_eq!(offer(&linked, None, Some(TokenStyle::Envelope)), ended);
    }

    proptest! {
        /// Whatever else stands in the headers, a next link is found and followed as written.
        #[test]
        fn a_link_is_found_among_other_headers(
            others in prop::collection::vec(("x-[a-m]{1,8}", "[ -~]{0,20}"), 0..5), target in "/[a-z0-9?=&%]{1,30}",
        ) {
            let mut all = headers(&others.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>());
            all.append("link", HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")).unwrap());
            prop_assert_eq!(offer(&all, None, None), Some(Offer { style: TokenStyle::Link, next: Next::Url(target) }));
        }

        /// Any opaque token in an envelope or a header comes out unchanged.
        #[test]
        fn tokens_come_out_unchanged(text in "[A-Za-z0-9+/=_.-]{1,60}") {
            prop_assume!(!text.starts_with("/customers"));
            prop_assert_eq!(Next::from_text(&text), Next::Token(text.clone()));
        }
    }
}
