//! What an answer's headers say about its list (`api-contract` points 1 a, 1 c and 3), and which part of the answer counts
//! where several name a next page. Pure.

use super::field_names::{Meaning, header_meaning};
use super::link_header;
use super::list_hints::ListHints;
use super::next_page::{Next, Offer};
use super::token_style::TokenStyle;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use std::borrow::Cow;

/// What the headers of an answer say about its list.
pub struct HeaderHints {
    link: Option<Next>,
    header: Option<Next>,
    hints: ListHints,
}

/// Headers of nearly every answer, skipped because looking up their names takes time. `link` is read on its own.
const ORDINARY: &str = "date content-type content-length content-encoding transfer-encoding connection keep-alive server \
    vary cache-control etag set-cookie link via x-request-id strict-transport-security";

/// Reads the headers of the answer to `asked`; those that are not about paging are ignored.
pub fn read_headers(headers: &HeaderMap, asked: &Url) -> HeaderHints {
    let mut found = HeaderHints { link: link_header(headers), header: None, hints: ListHints::default() };
    if found.link.is_none()
        && headers.get_all("link").iter().any(|value| link_header::names_next(&text(value)))
    {
        found.hints.note_unknown("a Link header with the relation next".to_owned());
    }
    for (name, value) in
        headers.iter().filter(|(name, _)| !ORDINARY.split(' ').any(|ordinary| ordinary == name.as_str()))
    {
        let (Some(meaning), text) = (header_meaning(name.as_str()), text(value)) else { continue };
        match meaning {
            Meaning::Next | Meaning::NextLink => {
                let next = Next::from_text(&text, meaning == Meaning::NextLink, asked);
                // Of several, one that names a page counts.
                if found.header.as_ref().is_none_or(|found| matches!(found, Next::Ended | Next::Ambiguous(_)))
                {
                    found.header = Some(next);
                }
            }
            Meaning::Cursor if found.header.is_none() && !text.is_empty() => {
                found.header = Some(Next::Ambiguous(text.into_owned()));
            }
            Meaning::Unknown if !text.is_empty() => found.hints.note_unknown(format!("the header {name}")),
            Meaning::More | Meaning::Last | Meaning::Total | Meaning::Pages => {
                found.hints.record(meaning, &text);
            }
            // A count in a header may be that of the page's own records.
            Meaning::Cursor | Meaning::Unknown | Meaning::Count => {}
        }
    }
    found
}

impl HeaderHints {
    /// How the list goes on by headers and envelope together (point 1): by the first of `Link` header, envelope and other
    /// header that names a next page, else by the first that says that there is none or may name one. `None` if the answer
    /// says nothing. `only` restricts the search to one style, where absence means the end.
    pub fn offer(
        self,
        envelope: Option<Next>,
        hints: ListHints,
        only: Option<TokenStyle>,
    ) -> (Option<Offer>, ListHints) {
        let all = [
            (TokenStyle::Link, self.link),
            (TokenStyle::Envelope, envelope),
            (TokenStyle::Header, self.header),
        ];
        let hints = hints.merge(self.hints);
        let offers = all.into_iter().filter_map(|(style, next)| Some(Offer { style, next: next? }));
        let mut offers: Vec<Offer> = offers.collect();
        let offer = match only {
            Some(TokenStyle::LastId) => None,
            Some(style) => {
                let found = offers.into_iter().find(|offer| offer.style == style);
                Some(found.unwrap_or(Offer { style, next: Next::Ended }))
            }
            None => {
                let names_page = |offer: &Offer| matches!(offer.next, Next::Url(_) | Next::Token(_));
                let is_ambiguous = |offer: &Offer| matches!(offer.next, Next::Ambiguous(_));
                let best = offers.iter().position(names_page);
                let ambiguous = || offers.iter().position(is_ambiguous).filter(|_| hints.more == Some(true));
                let place = best.or_else(ambiguous).unwrap_or(0);
                (place < offers.len()).then(|| offers.swap_remove(place))
            }
        };
        (offer, hints)
    }
}

fn link_header(headers: &HeaderMap) -> Option<Next> {
    let mut values = headers.get_all("link").iter().map(text);
    let target = values.find_map(|value| link_header::next_target(&value).map(str::to_owned))?;
    Some(if target.is_empty() { Next::Ended } else { Next::Url(target) })
}

/// A header's text, whatever its bytes: ignoring a header because of one character in it would end the list.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
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

    fn asked() -> Url {
        Url::parse("https://api.example.com/v2/customers?next=a").unwrap()
    }

    fn offer(headers: &HeaderMap, envelope: Option<Next>, only: Option<TokenStyle>) -> Option<Offer> {
        read_headers(headers, &asked()).offer(envelope, ListHints::default(), only).0
    }

    fn hints(headers: &HeaderMap) -> ListHints {
        read_headers(headers, &asked()).offer(None, ListHints::default(), None).1
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
        // What may be a page's own cursor counts last.
        let own = headers(&[("x-cursor", "c")]);
        let ambiguous = Next::Ambiguous("c".into());
        assert_eq!(
            offer(&own, None, None),
            Some(Offer { style: TokenStyle::Header, next: ambiguous.clone() })
        );
        assert_eq!(offer(&own, Some(Next::Ended), None), ended);
        let more = ListHints { more: Some(true), ..ListHints::default() };
        let (found, _) = read_headers(&own, &asked()).offer(Some(Next::Ended), more, None);
        assert_eq!(found.unwrap().next, ambiguous);
    }

    #[test]
    fn headers_that_name_a_next_page() {
        for (name, value, expected) in [
            ("NextPageToken", "t", Next::Token("t".into())),
            ("X-Continuation-Token", "t", Next::Token("t".into())),
            ("x-ms-continuation", "t", Next::Token("t".into())),
            ("X-Next-Page", "2", Next::Token("2".into())),
            ("X-Next-Page", "", Next::Ended),
            ("X-Next-Link", "/customers/page/2", Next::Url("/customers/page/2".into())),
            ("X-Next-Page-Url", "https://a.example/x", Next::Url("https://a.example/x".into())),
            ("Cursor", "t", Next::Ambiguous("t".into())),
        ] {
            let found = offer(&headers(&[(name, value)]), None, None);
            assert_eq!(found, Some(Offer { style: TokenStyle::Header, next: expected }), "{name}");
        }
    }

    #[test]
    fn headers_that_say_more() {
        let found = |more, total, pages, unknown: Option<&str>| ListHints {
            more,
            total,
            pages,
            unknown: unknown.map(str::to_owned),
        };
        for (name, value, expected) in [
            ("x-has-more", "true", found(Some(true), None, None, None)),
            ("x-total-count", "23", found(None, Some(23), None, None)),
            ("X-Total-Pages", "5", found(None, None, Some(5), None)),
            ("x-next-deploy", "tomorrow", found(None, None, None, Some("the header x-next-deploy"))),
            (
                "link",
                r#"<a>; rel="next"; anchor="x""#,
                found(None, None, None, Some("a Link header with the relation next")),
            ),
        ] {
            assert_eq!(hints(&headers(&[(name, value)])), expected, "{name}");
        }
    }

    #[test]
    fn ordinary_headers_say_nothing() {
        let ordinary = headers(&[
            ("x-next-retry-at", "5"),
            ("x-ratelimit-next", "9"),
            ("x-ratelimit-remaining", "9"),
            ("x-request-id", "r"),
            ("etag", "\"next\""),
            ("set-cookie", "cursor=next"),
            ("date", "Thu, 26 Nov 2026 12:00:00 GMT"),
            ("cache-control", "no-cache"),
            ("x-csrf-token", "t"),
            ("x-runtime", "0.1"),
            ("link", r#"</customers?prev=p>; rel="prev", </_next/app.js>; rel=preload"#),
        ]);
        assert_eq!((offer(&ordinary, None, None), hints(&ordinary)), (None, ListHints::default()));
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

        /// Any opaque token comes out unchanged, whatever it looks like.
        #[test]
        fn tokens_come_out_unchanged(text in "[ -~]{0,20}[A-Za-z0-9+/=_.:-][ -~]{0,20}") {
            match Next::from_text(&text, false, &asked()) {
                Next::Token(token) => prop_assert_eq!(token, text),
                Next::Url(url) => {
                    let starts = |scheme: &str| url.to_lowercase().starts_with(scheme);
                    let is_absolute = starts("http://") || starts("https://");
                    prop_assert!(is_absolute || asked().join(&url).unwrap().query().is_some());
                    prop_assert_eq!(url, text);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
