//! Walks against a model of a server, over every way to page that `api-contract` names.

use super::super::known_paging::{KnownPaging, PagingSettings};
use super::super::list_hints::ListHints;
use super::*;
use crate::record::Stream;
use proptest::prelude::*;

/// What a server does with a cursor that it doesn't know.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unknown {
    Refuses,
    Ignores,
    AnswersEmpty,
    Fails,
}

#[derive(Debug, Clone)]
struct Server {
    ids: Vec<String>,
    style: TokenStyle,
    /// Tokens of envelope and header are URLs, not bare.
    urls: bool,
    swapped: bool,
    page_size: usize,
    unknown: Unknown,
    /// Backwards it does what it does with unknown cursors.
    one_way: bool,
    /// The last page still says where to go on: to an empty page.
    token_at_end: bool,
    /// Pages say whether there are further ones.
    tells_more: bool,
    /// Pages say how many records the list has.
    tells_total: bool,
    /// Pages from this place on have lost their token.
    cut_at: Option<usize>,
}

impl Server {
    fn forward(&self) -> Parameter {
        if self.swapped { Parameter::Prev } else { Parameter::Next }
    }

    /// The position after (before) which a token's page begins (ends).
    fn position(&self, token: &str) -> Option<usize> {
        match self.style {
            TokenStyle::LastId => self.ids.iter().position(|id| id == token).map(|at| at + 1),
            _ => token.strip_prefix("after-")?.parse().ok(),
        }
    }

    fn answer(&self, cursor: &Cursor) -> Option<PageSummary> {
        let (parameter, token) = match cursor {
            Cursor::Start => return Some(self.page(0, self.page_size)),
            Cursor::Bare { parameter, token } => (*parameter, token.as_str()),
            Cursor::Url(url) => {
                let (parameter, token) = url.split_once('?').unwrap().1.split_once('=').unwrap();
                (Parameter::from_name(parameter).unwrap(), token)
            }
        };
        match self.position(token) {
            Some(at) if parameter == self.forward() => Some(self.page(at, at + self.page_size)),
            // A server may not know the other parameter at all.
            Some(_) if self.one_way => self.unknown(),
            // Backwards: what stands just before the record at the cursor.
            Some(at) => Some(self.page(at.saturating_sub(1 + self.page_size), at.saturating_sub(1))),
            None => self.unknown(),
        }
    }

    fn unknown(&self) -> Option<PageSummary> {
        match self.unknown {
            Unknown::Refuses | Unknown::Fails => None,
            Unknown::Ignores => Some(self.page(0, self.page_size)),
            Unknown::AnswersEmpty => Some(PageSummary::default()),
        }
    }

    fn page(&self, from: usize, to: usize) -> PageSummary {
        let to = to.min(self.ids.len());
        let from = from.min(to);
        let keys = self.ids[from..to].iter().cloned().map(RecordKey::Id).collect();
        let more = to < self.ids.len() || (self.token_at_end && to > from);
        let token = format!("after-{to}");
        let url = format!("/customers?{}={token}", self.forward());
        let next = match (more, self.urls || self.style == TokenStyle::Link) {
            (true, true) => Some(Next::Url(url)),
            (true, false) => Some(Next::Token(token)),
            // A missing header says nothing; an envelope says null.
            (false, _) => (self.style == TokenStyle::Envelope).then_some(Next::Ended),
        };
        let next = match next {
            Some(_) if self.cut_at.is_some_and(|at| from >= at) => {
                (self.style == TokenStyle::Envelope).then_some(Next::Ended)
            }
            next => next,
        };
        let offer = next.filter(|_| self.style != TokenStyle::LastId);
        let hints = ListHints {
            more: self.tells_more.then_some(to < self.ids.len()),
            total: self.tells_total.then_some(self.ids.len() as u64),
            ..ListHints::default()
        };
        PageSummary { keys, offer: offer.map(|next| Offer { style: self.style, next }), hints }
    }
}

#[derive(Debug, PartialEq)]
enum Ended {
    AtEnd,
    Unproven(UnprovenEnd),
    Stuck(NoProgress),
    Restart,
    Failed,
}

/// Walks the list to its end. Returns the ids in the order in which pages were taken, how it ended, the requests.
fn walk(server: &Server, known: &KnownPaging, stream: Stream) -> (Vec<String>, Ended, usize) {
    drive(server, known, stream, Walk::default(), Cursor::Start)
}

fn drive(
    server: &Server,
    known: &KnownPaging,
    stream: Stream,
    mut walk: Walk,
    mut cursor: Cursor,
) -> (Vec<String>, Ended, usize) {
    let (mut taken, mut held, mut requests) = (Vec::new(), Vec::new(), 0);
    loop {
        requests += 1;
        assert!(requests <= 3 * server.ids.len() + 10, "the walk loops");
        let facts = server.answer(&cursor);
        let ids: Vec<String> =
            facts.iter().flat_map(|facts| facts.keys.iter().map(|key| key.text().to_owned())).collect();
        let outcome = known.with(stream, |paging| match facts {
            Some(facts) => walk.page_arrived(paging, facts),
            None if server.unknown == Unknown::Fails => walk.no_page(paging, AnswerKind::Failed),
            None => walk.no_page(paging, AnswerKind::Refused),
        });
        let step = match outcome {
            PageOutcome::Accept(step) => {
                taken.extend(ids);
                step
            }
            PageOutcome::Skip(step) => step,
            PageOutcome::AcceptHeld(step) => {
                taken.append(&mut held);
                step
            }
            PageOutcome::Hold(cursor) => {
                held = ids;
                NextStep::Request(cursor)
            }
        };
        match step {
            NextStep::Request(next) => cursor = next,
            NextStep::End(ListEnd::Proven) => return (taken, Ended::AtEnd, requests),
            NextStep::End(ListEnd::Unproven(why)) => return (taken, Ended::Unproven(why), requests),
            NextStep::Stuck(why) => return (taken, Ended::Stuck(why), requests),
            NextStep::Restart => return (taken, Ended::Restart, requests),
            NextStep::Fail => return (taken, Ended::Failed, requests),
        }
    }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("id-{n}")).collect()
}

fn server(count: usize, style: TokenStyle, page_size: usize) -> Server {
    Server {
        ids: ids(count),
        style,
        urls: false,
        swapped: false,
        page_size,
        unknown: Unknown::Refuses,
        one_way: false,
        token_at_end: false,
        tells_more: false,
        tells_total: false,
        cut_at: None,
    }
}

fn any_server() -> impl Strategy<Value = Server> {
    let style = prop::sample::select(TokenStyle::ALL.to_vec());
    let unknown = prop::sample::select(vec![Unknown::Refuses, Unknown::AnswersEmpty, Unknown::Fails]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let facts = (any::<bool>(), any::<bool>());
    (0usize..40, style, 1usize..12, unknown, flags, facts).prop_map(
        |(count, style, page_size, unknown, (urls, swapped, token_at_end, one_way), facts)| Server {
            tells_more: facts.0,
            tells_total: facts.1,
            urls,
            swapped,
            unknown,
            one_way,
            token_at_end,
            ..server(count, style, page_size)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Every list of every kind of server is read whole, in order, once, and in a bounded number of requests.
    #[test]
    fn reads_every_list_whole(server in any_server()) {
        let known = KnownPaging::default();
        for _ in 0..2 {
            let (taken, ended, requests) = walk(&server, &known, Stream::Customers);
            prop_assert_eq!(&taken, &server.ids);
            prop_assert_eq!(ended, Ended::AtEnd);
            let pages = server.ids.len().div_ceil(server.page_size);
            prop_assert!(requests <= pages + 6, "{} requests for {} pages", requests, pages);
        }
    }

    /// What one walk found out holds for the next, whatever the lists' lengths.
    #[test]
    fn many_short_lists(server in any_server(), lengths in prop::collection::vec(0usize..30, 1..12)) {
        let known = KnownPaging::default();
        for length in lengths {
            let server = Server { ids: ids(length), ..server.clone() };
            let (taken, ended, _) = walk(&server, &known, Stream::Events);
            prop_assert_eq!((&taken, ended), (&server.ids, Ended::AtEnd));
        }
    }

    /// A list that has lost its way on, and says more or counts more than received, is never taken for whole.
    #[test]
    fn a_list_cut_short_has_no_proven_end(server in any_server(), cut_at in 0usize..40, tells_more in any::<bool>()) {
        let known = KnownPaging::default();
        let server = Server { cut_at: Some(cut_at), tells_more, tells_total: !tells_more, ..server };
        for _ in 0..2 {
            let (taken, ended, _) = walk(&server, &known, Stream::Customers);
            prop_assert!(taken.len() == server.ids.len() || ended != Ended::AtEnd, "{:?} {:?}", taken, ended);
        }
    }

    /// Records come in front of a list whose tokens count records, up to a page of them between two requests: the pages
    /// behind repeat what was read, and nobody is lost.
    #[test]
    fn a_list_that_shifts_loses_nobody(
        count in 0usize..40, page_size in 1usize..6, inserts in prop::collection::vec(0usize..6, 0..8), facts in any::<bool>(),
    ) {
        let known = KnownPaging::default();
        let mut server = Server { tells_more: facts, tells_total: facts, ..server(count, TokenStyle::Link, page_size) };
        let there = server.ids.clone();
        let (mut walk, mut cursor, mut taken) = (Walk::default(), Cursor::Start, Vec::new());
        for request in 0..200 {
            let page = server.answer(&cursor);
            let keys = page.iter().flat_map(|page| &page.keys);
            let ids: Vec<String> = keys.map(|key| key.text().to_owned()).collect();
            let outcome = known.with(Stream::Customers, |paging| match page {
                Some(page) => walk.page_arrived(paging, page),
                // A single page: its id is tried.
                None => walk.no_page(paging, AnswerKind::Refused),
            });
            let step = match outcome {
                PageOutcome::Accept(step) => { taken.extend(ids); step }
                PageOutcome::Skip(step) => step,
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            };
            match step {
                NextStep::Request(next) => cursor = next,
                NextStep::End(ListEnd::Proven) => {
                    prop_assert!(there.iter().all(|id| taken.contains(id)), "{:?}", taken);
                    return Ok(());
                }
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
            for n in 0..inserts.get(request).copied().unwrap_or(0).min(page_size) {
                server.ids.insert(0, format!("new-{request}-{n}"));
            }
        }
        prop_assert!(false, "still walking");
    }

    /// What was recorded of another server at the same address misleads nobody.
    #[test]
    fn wrong_memory_is_harmless(
        server in any_server(),
        style in prop::sample::select(vec!["link", "envelope", "header", "last-id", "none"]),
        forward in prop::sample::select(vec!["next", "prev"]),
    ) {
        let known = KnownPaging::default();
        known.remember("customers", "token_style", style);
        known.remember("customers", "forward", forward);
        let (taken, ended, _) = walk(&server, &known, Stream::Customers);
        prop_assert_eq!((taken, ended), (server.ids, Ended::AtEnd));
    }

    /// A walk taken up at any stored cursor brings the rest, or asks to start again.
    #[test]
    fn resumes_or_restarts(server in any_server(), stop_after in 1usize..6) {
        let known = KnownPaging::default();
        let mut walk = Walk::default();
        let (mut cursor, mut taken) = (Cursor::Start, 0);
        for _ in 0..stop_after {
            let facts = server.answer(&cursor);
            let rows = facts.as_ref().map_or(0, |facts| facts.keys.len());
            let outcome = known.with(Stream::Customers, |paging| match facts {
                Some(facts) => walk.page_arrived(paging, facts),
                None => walk.no_page(paging, AnswerKind::Refused),
            });
            let step = match outcome {
                PageOutcome::Accept(step) => { taken += rows; step }
                PageOutcome::Skip(step) => step,
                _ => return Ok(()),
            };
            let NextStep::Request(next) = step else { return Ok(()) };
            cursor = next;
        }
        prop_assume!(!walk.is_probing());
        let (rest, ended, _) = drive(&server, &known, Stream::Customers, Walk::resume(&cursor), cursor.clone());
        if ended == Ended::AtEnd {
            prop_assert_eq!(&rest[..], &server.ids[taken..]);
        } else {
            prop_assert_eq!(ended, Ended::Restart);
        }
    }

    /// A server that always offers the same next page is left with an error, not walked for ever.
    #[test]
    fn circles_are_left(style in prop::sample::select(vec![TokenStyle::Link, TokenStyle::Envelope]), rows in 1usize..5) {
        let known = KnownPaging::default();
        let mut walk = Walk::default();
        let next = match style {
            TokenStyle::Link => Next::Url("/customers?next=a".into()),
            _ => Next::Token("a".into()),
        };
        let facts = || PageSummary {
            keys: ids(rows).into_iter().map(RecordKey::Id).collect(),
            offer: Some(Offer { style, next: next.clone() }),
        hints: ListHints::default(),
        };
        for _ in 0..4 {
            let outcome = known.with(Stream::Customers, |paging| walk.page_arrived(paging, facts()));
            if let PageOutcome::Accept(NextStep::Stuck(_)) | PageOutcome::Skip(NextStep::Stuck(_)) = outcome {
                return Ok(());
            }
        }
        prop_assert!(false, "still walking");
    }
}

#[test]
fn a_token_that_comes_again_is_named() {
    let known = KnownPaging::default();
    let mut walk = Walk::default();
    let page = |id: &str| PageSummary {
        keys: vec![RecordKey::Id(id.to_owned())],
        offer: Some(Offer { style: TokenStyle::Link, next: Next::Url("/customers?next=a".into()) }),
        hints: ListHints::default(),
    };
    known.with(Stream::Customers, |paging| {
        walk.page_arrived(paging, page("1"));
        // The page is new and is kept; going on would lead in a circle.
        let outcome = walk.page_arrived(paging, page("2"));
        assert_eq!(outcome, PageOutcome::Accept(NextStep::Stuck(NoProgress::TokenRepeats { page: 2 })));
    });
}

/// It may have given its whole list, or its first page again and again: nobody can tell, and nobody guesses.
#[test]
fn a_server_that_ignores_cursors_proves_no_end() {
    let known = KnownPaging::default();
    let server = Server { unknown: Unknown::Ignores, ..server(3, TokenStyle::Header, 5) };
    let (taken, ended, requests) = walk(&server, &known, Stream::Customers);
    assert_eq!((taken, ended, requests), (server.ids, Ended::Unproven(UnprovenEnd::CursorsIgnored), 3));
}

#[test]
fn a_page_that_says_more_is_no_end() {
    let known = KnownPaging::default();
    let mut walk = Walk::default();
    known.with(Stream::Customers, |paging| {
        let keys = ids(2).into_iter().map(RecordKey::Id).collect();
        walk.page_arrived(
            paging,
            PageSummary { keys, offer: None, hints: ListHints { more: Some(true), ..ListHints::default() } },
        );
        walk.no_page(paging, AnswerKind::Refused);
        walk.no_page(paging, AnswerKind::Refused);
        walk.no_page(paging, AnswerKind::Refused);
        let outcome = walk.no_page(paging, AnswerKind::Refused);
        let unproven = ListEnd::Unproven(UnprovenEnd::MoreIsSaid);
        assert_eq!(outcome, PageOutcome::Skip(NextStep::End(unproven)));
    });
}

/// The record whose id was to be the cursor is deleted before it is used: another one's id shows that ids are cursors.
#[test]
fn a_deleted_cursor_is_no_refusal() {
    let known = KnownPaging::default();
    let mut walk = Walk::default();
    let facts = |names: &[&str]| PageSummary {
        keys: names.iter().map(|id| RecordKey::Id((*id).to_owned())).collect(),
        offer: None,
        hints: ListHints::default(),
    };
    known.with(Stream::Customers, |paging| {
        walk.page_arrived(paging, facts(&["a", "b", "gone"]));
        walk.no_page(paging, AnswerKind::Refused);
        let PageOutcome::Skip(NextStep::Request(Cursor::Bare { token, .. })) =
            walk.no_page(paging, AnswerKind::Refused)
        else {
            panic!()
        };
        assert_eq!(token, "b");
        assert!(matches!(
            walk.page_arrived(paging, facts(&["c", "d"])),
            PageOutcome::Accept(NextStep::Request(_))
        ));
        assert_eq!(paging.style(), Some(TokenStyle::LastId));
    });
}

/// One record's list and the next one's, where ids are the cursors and the way back is not known to the server: what the
/// second guess brings must not be taken for the direction.
#[test]
fn a_second_guess_shows_no_direction() {
    let one_way =
        Server { one_way: true, unknown: Unknown::AnswersEmpty, ..server(0, TokenStyle::LastId, 2) };
    let known = KnownPaging::default();
    for length in [2, 3] {
        let server = Server { ids: ids(length), ..one_way.clone() };
        assert_eq!(walk(&server, &known, Stream::Events).0, server.ids);
    }
}

/// Rows that moved make up the last page: the list ends there, it goes in no circle.
#[test]
fn a_last_page_of_repeats_is_an_end() {
    let known = KnownPaging::default();
    let mut walk = Walk::default();
    let page = |names: &[&str], next: Option<&str>| PageSummary {
        keys: names.iter().map(|id| RecordKey::Id((*id).to_owned())).collect(),
        offer: next.map(|token| Offer {
            style: TokenStyle::Link,
            next: Next::Url(format!("/customers?next={token}")),
        }),
        hints: ListHints::default(),
    };
    known.with(Stream::Customers, |paging| {
        walk.page_arrived(paging, page(&["a", "b"], Some("2")));
        assert_eq!(
            walk.page_arrived(paging, page(&["b"], None)),
            PageOutcome::Skip(NextStep::End(ListEnd::Proven))
        );
    });
}

/// The direction has changed since it was found out. A walk that is to decide about deletions doesn't believe in it.
#[test]
fn a_second_look_finds_the_direction_for_itself() {
    let known = KnownPaging::default();
    let before = server(6, TokenStyle::Header, 2);
    walk(&before, &known, Stream::Events);
    let step = Server { swapped: true, one_way: true, unknown: Unknown::AnswersEmpty, ..before };
    let (taken, ended, _) = walk(&step, &known, Stream::Events);
    assert_eq!((taken.len(), ended), (2, Ended::AtEnd), "misled, as any first look may be");
    let (taken, ended, _) =
        drive(&step, &known, Stream::Events, Walk::default().rechecking_direction(), Cursor::Start);
    assert_eq!((taken, ended), (step.ids.clone(), Ended::AtEnd));
    // And it has set the others right.
    assert_eq!(walk(&step, &known, Stream::Events).0, step.ids);
}

#[test]
fn children_of_a_list_with_tokens_may_lack_them() {
    let known = KnownPaging::default();
    let customers = Server { unknown: Unknown::Ignores, ..server(9, TokenStyle::Link, 3) };
    assert_eq!(walk(&customers, &known, Stream::Customers).1, Ended::AtEnd);
    let mut requests = Vec::new();
    for _ in 0..6 {
        let events = Server { ids: ids(2), ..customers.clone() };
        let (taken, ended, asked) = walk(&events, &known, Stream::Events);
        assert_eq!((taken, ended), (events.ids, Ended::AtEnd));
        requests.push(asked);
    }
    // Three lists are tried both ways; then it is known that ids are no cursors here.
    assert_eq!(requests, [3, 3, 3, 1, 1, 1]);
}

#[test]
fn memory_spares_the_trials_once_the_parent_bears_it_out() {
    let customers = server(9, TokenStyle::Link, 3);
    let known = KnownPaging::default();
    known.remember("customers", "token_style", "link");
    known.remember("events", "token_style", "none");
    walk(&customers, &known, Stream::Customers);
    assert_eq!(walk(&Server { ids: ids(2), ..customers }, &known, Stream::Events).2, 1);
}

#[test]
fn the_direction_of_each_stream_is_its_own() {
    let known = KnownPaging::default();
    let customers = Server { swapped: true, ..server(9, TokenStyle::LastId, 2) };
    let events = Server { swapped: false, ..customers.clone() };
    walk(&customers, &known, Stream::Customers);
    walk(&events, &known, Stream::Events);
    let found: Vec<String> = known
        .findings()
        .iter()
        .map(|finding| format!("{} {} {}", finding.stream, finding.point, finding.value))
        .collect();
    let expected = [
        "customers token_style last-id",
        "customers forward prev",
        "events token_style last-id",
        "events forward next",
    ];
    assert_eq!(found, expected);
    assert!(known.findings().iter().all(|finding| !finding.evidence.is_empty()));
}

/// Records without an id are read past while the tokens move on; a list that shows nothing but the same ones is not.
#[test]
fn unusable_records_show_progress_too() {
    let known = KnownPaging::default();
    let mut walk = Walk::default();
    let page = |text: &str, token: &str| PageSummary {
        keys: vec![RecordKey::Text(text.to_owned())],
        offer: Some(Offer { style: TokenStyle::Link, next: Next::Url(format!("/customers?next={token}")) }),
        hints: ListHints::default(),
    };
    known.with(Stream::Customers, |paging| {
        assert!(matches!(
            walk.page_arrived(paging, page("{}", "a")),
            PageOutcome::Accept(NextStep::Request(_))
        ));
        assert!(matches!(
            walk.page_arrived(paging, page("[]", "b")),
            PageOutcome::Accept(NextStep::Request(_))
        ));
        for n in 0..MAX_REPEATED_PAGES {
            let outcome = walk.page_arrived(paging, page("{}", &format!("c{n}")));
            assert!(matches!(outcome, PageOutcome::Accept(NextStep::Request(_))), "{outcome:?}");
        }
        let stuck = NextStep::Stuck(NoProgress::NothingNew { page: 3 + u64::from(MAX_REPEATED_PAGES) });
        assert_eq!(walk.page_arrived(paging, page("{}", "d")), PageOutcome::Skip(stuck));
    });
}

#[test]
fn a_links_direction_is_known_too() {
    let known = KnownPaging::default();
    walk(&Server { swapped: true, ..server(9, TokenStyle::Link, 3) }, &known, Stream::Customers);
    let found = known.findings();
    let forward = found.iter().find(|finding| finding.point == "forward").unwrap();
    assert_eq!(
        (forward.value, forward.evidence.as_str()),
        ("prev", "page 1's link to the next page uses `prev`")
    );
}

#[test]
fn a_set_direction_is_not_doubted() {
    let settings = PagingSettings {
        token_style: Some(TokenStyle::LastId),
        forward: Some(Parameter::Next),
        ..PagingSettings::default()
    };
    let known = KnownPaging::new(|_| settings);
    let server = Server { swapped: true, ..server(9, TokenStyle::LastId, 3) };
    let (taken, ended, _) = walk(&server, &known, Stream::Customers);
    assert_eq!(taken.len(), 3);
    assert_eq!(ended, Ended::Stuck(NoProgress::NothingNew { page: 2 }));
}

/// Ids work as cursors one way; the other way the server fails: that is no end of the list.
#[test]
fn a_failing_direction_is_no_end() {
    let known = KnownPaging::default();
    let mut walk = Walk::default();
    let facts = || PageSummary {
        keys: ids(2).into_iter().map(RecordKey::Id).collect(),
        offer: None,
        hints: ListHints::default(),
    };
    known.with(Stream::Customers, |paging| {
        walk.page_arrived(paging, facts());
        assert!(walk.is_probing());
        walk.no_page(paging, AnswerKind::Failed);
        assert_eq!(walk.page_arrived(paging, facts()), PageOutcome::Skip(NextStep::Fail));
    });
}

/// A record inserted at the head while page 1 is read must not make the backward parameter look forward.
#[test]
fn a_shift_does_not_turn_the_direction() {
    let known = KnownPaging::default();
    let mut walk = Walk::default();
    let facts = |ids: &[&str]| PageSummary {
        keys: ids.iter().map(|id| RecordKey::Id((*id).to_owned())).collect(),
        offer: None,
        hints: ListHints::default(),
    };
    known.with(Stream::Customers, |paging| {
        let PageOutcome::Accept(NextStep::Request(_)) = walk.page_arrived(paging, facts(&["c", "b", "a"]))
        else {
            panic!()
        };
        // `next` goes back: the new head and what was read.
        let PageOutcome::Hold(_) = walk.page_arrived(paging, facts(&["new", "c", "b"])) else { panic!() };
        let outcome = walk.page_arrived(paging, facts(&["z", "y", "x"]));
        assert!(matches!(outcome, PageOutcome::Accept(NextStep::Request(_))), "{outcome:?}");
        assert_eq!(paging.forward(), Some(Parameter::Prev));
    });
}
