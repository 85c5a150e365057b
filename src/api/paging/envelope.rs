//! What an envelope says about its list: how it goes on (`api-contract` point 1 b), whether there is more, and how long it is
//! (point 3).

use super::field_names::holds_links;
use super::field_names::{Meaning, meaning, plain};
use super::json_members::{Members, is_array, members_of};
use super::list_hints::ListHints;
use super::next_page::Next;
use reqwest::Url;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Members whose totals are about the list, by their normalised names (point 3). A total elsewhere may count anything.
const CONTAINERS: &str = "cursor cursors paging pagination paginator page pages meta metadata pageinfo responsemetadata data \
    result info";

/// What an envelope says about the list, gathered from all its members.
pub(super) struct Envelope<'u> {
    /// The URL that was asked, against which references are read.
    asked: &'u Url,
    /// Records on the page.
    rows: usize,
    next: Vec<Next>,
    cursors: Vec<Next>,
    hints: ListHints,
}

/// Where a member stands.
#[derive(Clone, Copy)]
struct Place {
    /// How many further levels of objects are searched.
    depth: u8,
    /// Numbers count this list's records or pages.
    is_of_list: bool,
    /// Texts are links.
    holds_links: bool,
}

impl<'u> Envelope<'u> {
    /// Reads an envelope with so many records; `asked` is the URL that was asked.
    pub(super) fn read(members: &Members<'_>, rows: usize, asked: &'u Url) -> Envelope<'u> {
        let mut envelope =
            Envelope { asked, rows, next: Vec::new(), cursors: Vec::new(), hints: ListHints::default() };
        envelope.collect(members, Place { depth: 3, is_of_list: true, holds_links: false });
        envelope
    }

    /// How the list goes on. Of several members, a URL counts before a token (point 2: it needs no guess), and a token before
    /// "no more" (point 3). A cursor of open meaning counts last, unless the envelope says that there is more.
    pub(super) fn into_next(self) -> (Option<Next>, ListHints) {
        let rank = |next: &Next| match next {
            Next::Url(_) => 0,
            Next::Token(_) => 1,
            Next::Ambiguous(_) => 2,
            Next::Ended => 3,
        };
        let named = self.next.into_iter().min_by_key(rank);
        let cursor = self.cursors.into_iter().next();
        let next = match (named, cursor) {
            (None | Some(Next::Ended), Some(Next::Ambiguous(token))) if self.hints.more == Some(true) => {
                Some(Next::Token(token))
            }
            (named, cursor) => named.or(cursor),
        };
        (next, self.hints)
    }

    fn collect(&mut self, members: &Members<'_>, place: Place) {
        for (name, value) in members {
            self.read_member(name, value, place);
            let inner = members_of(value).filter(|_| place.depth > 0 && !leads_back(name));
            if let Some(inner) = inner {
                let is_of_list =
                    place.is_of_list && CONTAINERS.split(' ').any(|container| container == plain(name));
                let holds_links = place.holds_links || holds_links(name);
                self.collect(&inner, Place { depth: place.depth - 1, is_of_list, holds_links });
            } else if holds_links(name) && is_array(value) {
                self.collect_links(value);
            }
        }
    }

    fn read_member(&mut self, name: &str, value: &RawValue, place: Place) {
        let Some(meaning) = meaning(name) else { return };
        let is_link = place.holds_links || meaning == Meaning::NextLink;
        let mut unknown = false;
        match meaning {
            Meaning::Next | Meaning::NextLink => match self.next_of(value, is_link) {
                Some(next) => self.next.push(next),
                None => unknown = true,
            },
            // An object of that name is a container, which is searched as such.
            Meaning::Cursor => {
                if let Some(Next::Token(token) | Next::Url(token)) = self.next_of(value, false) {
                    self.cursors.push(Next::Ambiguous(token));
                }
            }
            Meaning::More => unknown = !self.hints.record(meaning, &text_of(value)),
            // In other places these may be about anything.
            Meaning::Last | Meaning::Pages | Meaning::Total | Meaning::Count if !place.is_of_list => {}
            Meaning::Last | Meaning::Pages | Meaning::Total => {
                self.hints.record(meaning, &text_of(value));
            }
            // A count above the page's records must be the list's; otherwise it is the page's own.
            Meaning::Count => {
                let text = text_of(value);
                if text.parse().is_ok_and(|count: usize| count > self.rows) {
                    self.hints.record(Meaning::Total, &text);
                }
            }
            Meaning::Unknown => unknown = true,
        }
        if unknown && !is_empty(value) {
            self.hints.note_unknown(format!("the member {}", shown(name)));
        }
    }

    /// An array of links: `[{"rel": "next", "href": "…"}]` (point 1 b).
    fn collect_links(&mut self, links: &RawValue) {
        let links: Vec<&RawValue> = serde_json::from_str(links.get()).unwrap_or_default();
        for members in links.into_iter().filter_map(members_of) {
            let member = |name: &str| members.iter().find(|(found, _)| plain(found) == name);
            let relations = member("rel").map_or("", |(_, value)| value.get());
            let mut words = relations.split(|c: char| !c.is_alphanumeric());
            if words.any(|word| word.eq_ignore_ascii_case("next")) {
                let target = LINK_NAMES.iter().find_map(|name| member(name));
                match target.and_then(|(_, value)| self.next_of(value, true)) {
                    Some(next) => self.next.push(next),
                    None => self.hints.note_unknown("a link with the relation next".to_owned()),
                }
            }
        }
    }

    /// Reads the value of a member that names the next page.
    fn next_of(&self, value: &RawValue, is_link: bool) -> Option<Next> {
        match value.get().as_bytes().first()? {
            b'n' | b'f' => Some(Next::Ended),
            b'"' => {
                let text: String = serde_json::from_str(value.get()).ok()?;
                Some(Next::from_text(&text, is_link, self.asked))
            }
            // Numeric cursors end with 0 or -1, which number no page (point 3).
            b'0' if value.get() == "0" => Some(Next::Ended),
            b'-' => Some(Next::Ended),
            b'0'..=b'9' => Some(Next::Token(value.get().to_owned())),
            b'[' => match serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.first() {
                Some(first) => self.next_of(first, is_link),
                None => Some(Next::Ended),
            },
            b'{' => {
                let inner = members_of(value)?;
                let find = |name: &str| inner.iter().find(|(found, _)| plain(found) == name);
                let link = LINK_NAMES.iter().find_map(|name| find(name)).map(|(_, value)| (value, true));
                let token =
                    || TOKEN_NAMES.iter().find_map(|name| find(name)).map(|(_, value)| (value, is_link));
                link.or_else(token).and_then(|(value, is_link)| self.next_of(value, is_link))
            }
            _ => None,
        }
    }
}

/// Members of a link object (`{"next": {"href": "…"}}`) that hold the link (point 1 b).
const LINK_NAMES: [&str; 4] = ["href", "url", "uri", "link"];

/// Members of a page object (`{"next": {"cursor": "…"}}`) that hold its token (point 1 b).
const TOKEN_NAMES: [&str; 8] = ["cursor", "token", "after", "marker", "key", "id", "value", "page"];

/// Whether the member is about a page other than the next one (points 1 b and 2).
fn leads_back(name: &str) -> bool {
    let name = plain(name);
    ["prev", "first", "last", "self", "current"].iter().any(|word| name.starts_with(word))
}

/// A member's value without the quotes.
fn text_of(value: &RawValue) -> Cow<'_, str> {
    serde_json::from_str::<String>(value.get()).map_or(Cow::Borrowed(value.get()), Cow::Owned)
}

fn is_empty(value: &RawValue) -> bool {
    matches!(value.get(), "null" | "false" | "0" | "\"\"" | "{}" | "[]")
}

/// A name as it may stand in a message.
fn shown(name: &str) -> String {
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '$');
    name.chars().take(40).map(|c| if is_harmless(c) { c } else { '?' }).collect()
}
