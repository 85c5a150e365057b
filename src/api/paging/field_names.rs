//! What the names of members and headers mean for paging: names of the next page (`api-contract` points 1 b and 1 c) and of
//! what an end must not contradict (point 3). One table. Pure.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The next page's token, or perhaps its URL (point 1).
    Next,
    /// The next page's URL (points 1 and 2).
    NextLink,
    /// A cursor, either the next page's or this page's own (point 1).
    Cursor,
    /// Whether there are further pages (point 3).
    More,
    /// Whether this page is the last one (point 3).
    Last,
    /// How many records the whole list has (point 3).
    Total,
    /// How many records the whole list has, or this page (point 3).
    Count,
    /// How many pages the whole list has (point 3).
    Pages,
    /// A hint at a next page that is not understood (point 3).
    Unknown,
}

/// A rule for names that consist of `words` and [`FILLER_WORDS`] alone and contain one of the `keywords`. Words in lists are
/// separated by spaces.
struct Rule {
    meaning: Meaning,
    keywords: &'static str,
    words: &'static str,
}

/// Words without a meaning of their own.
const FILLER_WORDS: &str = "x malomo odata page pages paging pagination list customers events customer event results records \
    item items entries rows data set of";

/// The first rule that matches counts.
const RULES: [Rule; 7] = [
    Rule {
        meaning: Meaning::More,
        keywords: "more hasnext truncated",
        words: "has is are there more next truncated available exist exists",
    },
    Rule {
        meaning: Meaning::Pages,
        keywords: "pages lastpage totalpage pagetotal",
        words: "total count last number num",
    },
    Rule {
        meaning: Meaning::Last,
        keywords: "last done finished end",
        words: "is last batch done finished end reached",
    },
    Rule {
        meaning: Meaning::Total,
        keywords: "total fullcount overallcount",
        words: "total full overall count size number num elements hits objects",
    },
    Rule { meaning: Meaning::Count, keywords: "count", words: "count" },
    Rule { meaning: Meaning::Next, keywords: "next continuation continue", words: TOKEN_WORDS },
    Rule {
        meaning: Meaning::Cursor,
        keywords: "cursor marker token bookmark scroll after lastkey evaluatedkey",
        words: TOKEN_WORDS,
    },
];

/// Words of which names of tokens and links consist.
const TOKEN_WORDS: &str = "next continuation continue cursor cursors token marker bookmark scroll after search key id str url \
    uri href link links path offset start from position index number batch query end last evaluated";

/// Names with these words are about an earlier page, this page, or something other than paging: they name no next page
/// (point 1) and say nothing about the end (point 3).
const UNRELATED: &str = "prev before first self current startcursor pagecount csrf xsrf auth access session sync refresh \
    retry ratelimit date time";

/// Names with these words, if no rule matches, are hints that are not understood (point 3).
const SUGGESTIVE: &str = "next cursor continuation continue marker pagetoken";

/// What a name means; `None` if it is not about paging.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    let whole = plain(name);
    if UNRELATED.split(' ').any(|word| whole.contains(word)) {
        return None;
    }
    let fits = |name: &str| RULES.iter().find(|rule| rule.fits(name)).map(|rule| rule.meaning);
    // A product's name may come first (points 1 b and 1 c): `x-ms-continuation`, `shopifyNextPage`.
    let named_next = || suffixes(name).find(|part| fits(part) == Some(Meaning::Next));
    match fits(&whole).or_else(|| named_next().map(|_| Meaning::Next)) {
        Some(Meaning::Next) if holds_link(&whole) => Some(Meaning::NextLink),
        None if SUGGESTIVE.split(' ').any(|word| whole.contains(word)) => Some(Meaning::Unknown),
        found => found,
    }
}

/// The same for a response header (point 1 c), where tokens that are not about paging are common.
pub(super) fn header_meaning(name: &str) -> Option<Meaning> {
    let is_of_paging = |name: &str| ["cursor", "marker", "page"].iter().any(|word| name.contains(word));
    match meaning(name) {
        Some(Meaning::Cursor) if !is_of_paging(name) => None,
        found => found,
    }
}

/// The normalised name: `next_cursor`, `nextCursor` and `next-cursor` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether the member holds links, by its name.
pub(super) fn holds_links(name: &str) -> bool {
    matches!(plain(name).as_str(), "link" | "links")
}

fn holds_link(name: &str) -> bool {
    ["url", "uri", "href", "link", "path"].iter().any(|word| name.contains(word))
}

/// The name without its first word, then without its first two words, and so on.
fn suffixes(name: &str) -> impl Iterator<Item = String> {
    let mut previous = '_';
    let starts = name.char_indices().filter(move |(_, character)| {
        let begins = (!previous.is_alphanumeric() && character.is_alphanumeric())
            || (previous.is_lowercase() && character.is_uppercase());
        previous = *character;
        begins
    });
    starts.skip(1).map(|(at, _)| plain(&name[at..]))
}

impl Rule {
    fn fits(&self, name: &str) -> bool {
        self.keywords.split(' ').any(|word| name.contains(word)) && consists_of(name, self.words)
    }
}

/// Whether the name is a sequence of these words and of filler words.
fn consists_of(name: &str, words: &str) -> bool {
    const LONGEST: usize = 40;
    name.is_empty()
        || name.len() <= LONGEST
            && words
                .split(' ')
                .chain(FILLER_WORDS.split(' '))
                .any(|word| name.strip_prefix(word).is_some_and(|rest| consists_of(rest, words)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_members_and_headers() {
        for (meaning_of_all, names) in [
            (
                Some(Meaning::Next),
                "next next_cursor nextToken next-page nextPageToken next_marker next_offset next_id continuationToken \
                 continuation continue @odata.next NextPageToken X-Next-Page X-Continuation-Token x-ms-continuation \
                 shopifyNextPage customers_next x-next-cursor next_cursor_str nextpagetoken next_start",
            ),
            (
                Some(Meaning::NextLink),
                "next_url nextLink next_page_url nextHref next_uri @odata.nextLink x-next-link nextRecordsUrl",
            ),
            (
                Some(Meaning::Cursor),
                "cursor end_cursor endCursor marker page_token after scroll_id bookmark search_after token \
                 lastEvaluatedKey X-Cursor x-page-cursor",
            ),
            (
                Some(Meaning::More),
                "has_more hasMore more has_next hasNextPage has_next_page more_pages more_results isTruncated \
                 moreItemsAvailable X-Has-More",
            ),
            (Some(Meaning::Last), "last is_last isLastPage done is_done end finished"),
            (
                Some(Meaning::Total),
                "total total_count totalCount count_total total_items totalResults total_size X-Total-Count \
                 full_count total_customers totalElements",
            ),
            (Some(Meaning::Count), "count results_count item_count X-Count"),
            (Some(Meaning::Pages), "total_pages totalPages pages last_page num_pages X-Total-Pages"),
            (Some(Meaning::Unknown), "next_thing x-next-deploy cursor_v2 nextUp continuationBlob"),
            (
                None,
                "prev previous_cursor has_previous_page prev_page_url first_page_url startCursor before self \
                 current_cursor page_count limit per_page page offset size status data customers etag x-request-id \
                 set-cookie date x-csrf-token access_token nextSyncToken x-next-retry-at x-ratelimit-next vary \
                 x-amz-request-id server-timing next_billing_date total_amount id key url x-runtime content-length",
            ),
        ] {
            for name in names.split_whitespace() {
                assert_eq!(meaning(name), meaning_of_all, "{name}");
            }
        }
        for (name, expected) in [
            ("x-auth-token", None),
            ("token", None),
            ("x-token", None),
            ("cursor", Some(Meaning::Cursor)),
            ("x-page-token", Some(Meaning::Cursor)),
            ("nextpagetoken", Some(Meaning::Next)),
        ] {
            assert_eq!(header_meaning(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_nor_hangs(name in ".{0,300}", repeated in "(x|id|page|pages|next){0,60}") {
            let _ = (meaning(&name), meaning(&repeated));
        }
    }
}
