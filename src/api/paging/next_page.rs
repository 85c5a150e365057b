//! How a list goes on by an answer's own word: a URL, a token, or nothing (`api-contract` point 1). Pure.

use super::token_style::TokenStyle;
use reqwest::Url;

/// How the list goes on, by the answer's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A URL reference, to be followed as given.
    Url(String),
    /// A bare token; nothing says which parameter takes it.
    Token(String),
    /// A bare token of which it is open whether it is the next page's or this page's own.
    Ambiguous(String),
    /// There is no next page: the token is null or empty.
    Ended,
}

impl Next {
    /// Reads what names the next page in the answer to `asked`. Tokens are opaque and are sent back byte for byte, so only
    /// text that is certainly a URL is taken for one. `is_link` says that the place is one for links.
    pub(super) fn from_text(text: &str, is_link: bool, asked: &Url) -> Next {
        if text.trim().is_empty() {
            Next::Ended
        } else if is_reference(text, is_link, asked) {
            Next::Url(text.to_owned())
        } else {
            Next::Token(text.to_owned())
        }
    }
}

/// Whether the text is an HTTP URL, wherever it leads, or a relative reference (point 1: absolute or relative). A relative
/// one must have parameters and lead to the list that was asked for; in a place for links, any path or parameters will do.
fn is_reference(text: &str, is_link: bool, asked: &Url) -> bool {
    let is_absolute =
        |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if is_absolute("https://") || is_absolute("http://") {
        return Url::parse(text).is_ok();
    }
    // Text with another scheme can't be followed and is a token: gid://shop/Customer/5.
    let Some(url) = asked.join(text).ok().filter(|url| url.scheme() == asked.scheme()) else { return false };
    let has_parameters = text.split_once('?').is_some_and(|(_, query)| query.contains('='));
    // A proxy may add a prefix to the path or strip one, so the server may name the list by another path.
    let (asked_for, named) = (asked.path(), url.path());
    let is_this_list = has_parameters && (asked_for.ends_with(named) || named.ends_with(asked_for));
    is_this_list || (is_link && text.contains(['/', '?']))
}

/// How an answer says that the list goes on, and where it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Where it says so.
    pub style: TokenStyle,
    /// How the list goes on.
    pub next: Next,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Url {
        Url::parse("https://api.example.com/v2/customers?next=a").unwrap()
    }

    #[test]
    fn urls_and_tokens() {
        // The text, and whether it is a URL under a name of tokens, and under one of links.
        for (text, as_token, as_link) in [
            ("abc", false, false),
            ("/9j/4AAQ+//==", false, true),
            ("a0a877c6-4164", false, false),
            ("?next=a", true, true),
            ("?5", false, true),
            ("/v2/customers?next=a", true, true),
            ("/customers?next=a", true, true),
            ("/api/v2/customers?next=a", true, true),
            ("customers?next=a", true, true),
            ("/orders?next=a", false, true),
            ("/customers/page/2", false, true),
            ("/customers5", false, true),
            ("q?k=5", false, true),
            ("gid://shop/Customer/5", false, false),
            ("gid://shop/v2/customers?next=a", false, false),
            ("urn:customer:5", false, false),
            ("http:5", false, false),
            ("a=b&c=d", false, false),
            (" 5 ", false, false),
            ("https://a.example/x", true, true),
            ("HTTP://api.example.com/x", true, true),
            ("//evil.example/v2/customers?next=a", true, true),
            ("//evil.example/x", false, true),
        ] {
            for (is_link, is_url) in [(false, as_token), (true, as_link)] {
                let expected = if is_url { Next::Url(text.into()) } else { Next::Token(text.into()) };
                assert_eq!(Next::from_text(text, is_link, &asked()), expected, "{text}");
            }
        }
        for text in ["", "  "] {
            assert_eq!(Next::from_text(text, false, &asked()), Next::Ended);
        }
    }
}
