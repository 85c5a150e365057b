use super::super::known_paging::{KnownPaging, PagingSettings};
use super::super::list_hints::ListHints;
use super::*;
use crate::record::Stream;

fn link(url: &str) -> Option<Offer> {
    Some(Offer { style: TokenStyle::Link, next: Next::Url(url.to_owned()) })
}

fn token(token: &str) -> Option<Offer> {
    Some(Offer { style: TokenStyle::Envelope, next: Next::Token(token.to_owned()) })
}

fn page(ids: &[&str], offer: Option<Offer>) -> PageSummary {
    PageSummary {
        keys: ids.iter().map(|id| RecordKey::Id((*id).to_owned())).collect(),
        offer,
        hints: ListHints::default(),
    }
}

fn url(reference: &str) -> NextStep {
    NextStep::Request(Cursor::Url(reference.to_owned()))
}

fn bare(parameter: Parameter, token: &str) -> NextStep {
    NextStep::Request(Cursor::Bare { parameter, token: token.to_owned() })
}

/// A walk, and what it has found out.
struct Walking {
    walk: Walk,
    known: KnownPaging,
}

impl Walking {
    fn new() -> Walking {
        Walking { walk: Walk::default(), known: KnownPaging::default() }
    }

    fn arrives(&mut self, page: PageSummary) -> PageOutcome {
        self.known.with(Stream::Customers, |paging| self.walk.page_arrived(paging, page))
    }

    fn fails(&mut self) -> PageOutcome {
        self.known.with(Stream::Customers, |paging| self.walk.no_page(paging, AnswerKind::Failed))
    }

    fn refused(&mut self) -> PageOutcome {
        self.known.with(Stream::Customers, |paging| self.walk.no_page(paging, AnswerKind::Refused))
    }
}

#[test]
fn the_page_that_an_empty_one_names_is_asked_for() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&["a"], link("?next=1"))), PageOutcome::Accept(url("?next=1")));
    assert_eq!(walking.arrives(page(&[], link("?next=2"))), PageOutcome::Skip(url("?next=2")));
    assert_eq!(walking.arrives(page(&["b"], link("?next=3"))), PageOutcome::Accept(url("?next=3")));
    // Each gap of one page is crossed, not one gap a walk.
    assert_eq!(walking.arrives(page(&[], link("?next=4"))), PageOutcome::Skip(url("?next=4")));
    assert_eq!(walking.arrives(page(&["c"], None)), PageOutcome::Accept(NextStep::End(ListEnd::Proven)));
}

#[test]
fn also_where_the_lists_beginning_is_empty() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&[], token("1"))), PageOutcome::Skip(bare(Parameter::Next, "1")));
    assert_eq!(walking.arrives(page(&[], None)), PageOutcome::Skip(bare(Parameter::Prev, "1")));
    assert!(matches!(walking.arrives(page(&["a"], token("2"))), PageOutcome::Accept(NextStep::Request(_))));
}

fn unproven(why: UnprovenEnd) -> NextStep {
    NextStep::End(ListEnd::Unproven(why))
}

/// An empty page that names a next one proves nothing; what it names may.
#[test]
fn what_comes_behind_an_empty_page() {
    type Follow = fn(&mut Walking) -> PageOutcome;
    let follow: [(&str, Follow, NextStep); 5] = [
        ("an end", |walking| walking.arrives(page(&[], None)), NextStep::End(ListEnd::Proven)),
        (
            "the same page",
            |walking| walking.arrives(page(&[], link("?next=2"))),
            NextStep::End(ListEnd::Proven),
        ),
        ("another empty page", |walking| walking.arrives(page(&[], link("?next=3"))), url("?next=3")),
        (
            "the beginning again",
            |walking| walking.arrives(page(&["a"], link("?next=1"))),
            unproven(UnprovenEnd::EmptyPages),
        ),
        ("a refusal", Walking::refused, unproven(UnprovenEnd::EmptyPages)),
    ];
    for (what, next, step) in follow {
        let mut walking = Walking::new();
        walking.arrives(page(&["a"], link("?next=1")));
        assert_eq!(walking.arrives(page(&[], link("?next=2"))), PageOutcome::Skip(url("?next=2")));
        assert_eq!(next(&mut walking), PageOutcome::Skip(step), "{what}");
    }
}

#[test]
fn many_empty_pages_are_followed_but_not_for_ever() {
    let walk = |offer: fn(u32) -> Option<Offer>, records_behind: u32, known: KnownPaging| {
        let mut walking = Walking { known, ..Walking::new() };
        walking.arrives(page(&["a"], offer(0)));
        for n in 1..=records_behind {
            let outcome = walking.arrives(page(&[], offer(n)));
            let PageOutcome::Skip(NextStep::Request(_)) = outcome else { return (n, outcome) };
        }
        (0, walking.arrives(page(&["b"], None)))
    };
    let links: fn(u32) -> Option<Offer> = |n| link(&format!("?next={n}"));
    let found = PageOutcome::Accept(NextStep::End(ListEnd::Proven));
    assert_eq!(walk(links, MAX_EMPTY_PAGES, KnownPaging::default()), (0, found.clone()));
    let ends = |why| (MAX_EMPTY_PAGES + 1, PageOutcome::Skip(why));
    assert_eq!(walk(links, 99, KnownPaging::default()), ends(unproven(UnprovenEnd::EmptyPages)));
    // The user's word that links are the way.
    let settings = PagingSettings { token_style: Some(TokenStyle::Link), ..PagingSettings::default() };
    let set = KnownPaging::new(|_| settings);
    assert_eq!(walk(links, 99, set), ends(NextStep::End(ListEnd::Proven)));
}

/// Which way is forward isn't known yet when the first pages are empty.
#[test]
fn empty_pages_are_followed_by_bare_tokens_too() {
    for prev_answers in [page(&[], None), page(&[], Some(Offer { next: Next::Ended, ..token("").unwrap() }))]
    {
        let mut walking = Walking::new();
        assert_eq!(walking.arrives(page(&[], token("1"))), PageOutcome::Skip(bare(Parameter::Next, "1")));
        for n in 2..6 {
            let (this, next) = ((n - 1).to_string(), n.to_string());
            let outcome = walking.arrives(page(&[], token(&next)));
            assert_eq!(outcome, PageOutcome::Skip(bare(Parameter::Prev, &this)));
            assert_eq!(
                walking.arrives(prev_answers.clone()),
                PageOutcome::Skip(bare(Parameter::Next, &next))
            );
        }
        assert!(matches!(
            walking.arrives(page(&["a"], token("6"))),
            PageOutcome::Accept(NextStep::Request(_))
        ));
    }
}

fn saying(page: PageSummary, more: bool) -> PageSummary {
    PageSummary { hints: ListHints { more: Some(more), ..ListHints::default() }, ..page }
}

#[test]
fn that_there_is_no_more_ends_a_list_whatever_the_token() {
    for offer in [
        None,
        link("?next=1"),
        link("?next=9"),
        token("9"),
        Some(Offer { next: Next::Ambiguous("9".into()), ..token("").unwrap() }),
    ] {
        let mut walking = Walking::new();
        let only = saying(page(&["a"], offer.clone()), false);
        assert_eq!(walking.arrives(only), PageOutcome::Accept(NextStep::End(ListEnd::Proven)));
        let mut walking = Walking::new();
        walking.arrives(page(&["a"], link("?next=1")));
        for ids in [&["b"][..], &["a"], &[]] {
            let last = saying(page(ids, offer.clone()), false);
            let (PageOutcome::Accept(step) | PageOutcome::Skip(step)) = walking.arrives(last) else {
                panic!()
            };
            assert_eq!(step, NextStep::End(ListEnd::Proven));
        }
    }
}

#[test]
fn that_there_is_more_forbids_an_end() {
    let ended = Some(Offer { next: Next::Ended, ..token("").unwrap() });
    for ids in [&["b"][..], &["a"], &[]] {
        let mut walking = Walking::new();
        walking.arrives(page(&["a"], link("?next=1")));
        let last = saying(page(ids, ended.clone()), true);
        let (PageOutcome::Accept(step) | PageOutcome::Skip(step)) = walking.arrives(last) else { panic!() };
        assert_eq!(step, unproven(UnprovenEnd::MoreIsSaid), "{ids:?}");
    }
    // Nothing is learned from a page that contradicts itself.
    let mut walking = Walking::new();
    let outcome = walking.arrives(saying(page(&["a"], ended), true));
    assert_eq!(outcome, PageOutcome::Accept(unproven(UnprovenEnd::MoreIsSaid)));
    assert_eq!(walking.known.of(Stream::Customers).style(), None);
}

/// `has_more` is often whether the page was full: a promise that an empty page breaks without fault.
#[test]
fn a_full_last_page_may_promise_an_empty_one() {
    for last in [page(&[], None), saying(page(&[], None), false)] {
        let mut walking = Walking::new();
        walking.arrives(saying(page(&["a", "b"], token("2")), true));
        walking.arrives(last.clone());
        assert_eq!(walking.arrives(page(&["a"], None)), PageOutcome::Skip(NextStep::End(ListEnd::Proven)));
    }
}

#[test]
fn a_total_above_what_came_forbids_an_end() {
    let total = |page: PageSummary| PageSummary { hints: ListHints { total: Some(3), ..page.hints }, ..page };
    let short = unproven(UnprovenEnd::TotalNotReached { received: 2, total: 3 });
    let mut walking = Walking::new();
    walking.arrives(total(page(&["a"], link("?next=1"))));
    assert_eq!(walking.arrives(total(page(&["a", "b"], None))), PageOutcome::Accept(short.clone()));
    // Also where the page says that it is the last one.
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(total(saying(page(&["a", "b"], None), false))), PageOutcome::Accept(short));
    let mut walking = Walking::new();
    walking.arrives(total(page(&["a", "c"], link("?next=1"))));
    let whole = PageOutcome::Accept(NextStep::End(ListEnd::Proven));
    assert_eq!(walking.arrives(total(page(&["b"], None))), whole);
    // A walk that was taken up in the middle has not met all of them.
    let cursor = Cursor::Url("?next=1".to_owned());
    let mut walking = Walking { walk: Walk::resume(&cursor), ..Walking::new() };
    walking.known.with(Stream::Customers, |paging| paging.learn_style(TokenStyle::Link, String::new));
    assert_eq!(walking.arrives(total(page(&["b"], None))), whole);
}

/// The members of the first page hold something; ids are no cursors here.
#[test]
fn what_is_not_understood_forbids_an_end() {
    let place = "the header x-next-thing".to_owned();
    let hints = ListHints { unknown: Some(place.clone()), ..ListHints::default() };
    let mut walking = Walking::new();
    walking.arrives(PageSummary { hints, ..page(&["a"], None) });
    walking.refused();
    let not_understood = unproven(UnprovenEnd::NotUnderstood { place });
    assert_eq!(walking.refused(), PageOutcome::Skip(not_understood));
}

/// To a token that it doesn't know the server answers with an empty page, to a parameter with its first one.
#[test]
fn an_end_in_doubt_teaches_nothing() {
    let total = ListHints { total: Some(9), ..ListHints::default() };
    let mut walking = Walking::new();
    walking.arrives(PageSummary { hints: total, ..page(&["a", "b"], None) });
    walking.arrives(page(&[], None));
    let short = unproven(UnprovenEnd::TotalNotReached { received: 2, total: 9 });
    assert_eq!(walking.arrives(page(&["a", "b"], None)), PageOutcome::Skip(short));
    assert!(walking.known.findings().is_empty());
}

fn cursor(token: &str) -> Option<Offer> {
    Some(Offer { style: TokenStyle::Envelope, next: Next::Ambiguous(token.to_owned()) })
}

#[test]
fn a_cursor_may_be_the_next_pages() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&["a"], cursor("1"))), PageOutcome::Accept(bare(Parameter::Next, "1")));
    assert_eq!(walking.known.of(Stream::Customers).style(), None, "nothing has shown it yet");
    assert_eq!(walking.arrives(page(&["b"], cursor("2"))), PageOutcome::Accept(bare(Parameter::Next, "2")));
    assert_eq!(walking.known.of(Stream::Customers).style(), Some(TokenStyle::Envelope));
    assert_eq!(walking.arrives(page(&["c"], None)), PageOutcome::Accept(NextStep::End(ListEnd::Proven)));
}

/// Or the page's own: then it leads nowhere, and where the list goes on is open.
#[test]
fn a_cursor_may_be_the_pages_own() {
    let not_understood = unproven(UnprovenEnd::NotUnderstood { place: "a cursor".to_owned() });
    type Follow = fn(&mut Walking) -> PageOutcome;
    let first = || page(&["a", "b"], cursor("own"));
    let again: Follow = |walking| walking.arrives(page(&["a", "b"], cursor("own")));
    let nothing: Follow = |walking| walking.arrives(page(&[], None));
    for (next, prev, expected) in [
        (again, again, not_understood.clone()),
        (again, nothing, not_understood.clone()),
        (again, Walking::refused, not_understood.clone()),
        (Walking::refused, Walking::refused, not_understood),
        // The last record's, as GraphQL's connections give it.
        (nothing, again, NextStep::End(ListEnd::Proven)),
        (nothing, nothing, NextStep::End(ListEnd::Proven)),
    ] {
        let mut walking = Walking::new();
        walking.arrives(first());
        next(&mut walking);
        assert_eq!(prev(&mut walking), PageOutcome::Skip(expected));
    }
}

/// A page of records that were read already: the list shifted.
#[test]
fn a_page_of_known_records_leads_on() {
    for offer in [link, token] {
        let mut walking = Walking::new();
        walking.arrives(page(&["a"], offer("1")));
        walking.arrives(page(&["b"], offer("2")));
        for n in 0..MAX_REPEATED_PAGES {
            // They may be newer versions: the page is taken.
            let outcome = walking.arrives(page(&["a", "b"], offer(&format!("r{n}"))));
            assert!(matches!(outcome, PageOutcome::Accept(NextStep::Request(_))), "{n}: {outcome:?}");
        }
        assert!(matches!(
            walking.arrives(page(&["c"], offer("3"))),
            PageOutcome::Accept(NextStep::Request(_))
        ));
        // A token that repeats is a circle.
        let outcome = walking.arrives(page(&["b"], offer("1")));
        assert!(
            matches!(outcome, PageOutcome::Skip(NextStep::Stuck(NoProgress::NothingNew { .. }))),
            "{outcome:?}"
        );
    }
}

#[test]
fn pages_of_known_records_end_somewhere() {
    let mut walking = Walking::new();
    walking.arrives(page(&["a"], link("?next=1")));
    let mut pages = 0;
    loop {
        pages += 1;
        match walking.arrives(page(&["a"], link(&format!("?next=r{pages}")))) {
            PageOutcome::Accept(NextStep::Request(_)) => assert!(pages < 99),
            outcome => {
                assert!(matches!(outcome, PageOutcome::Skip(NextStep::Stuck(_))), "{outcome:?}");
                return;
            }
        }
    }
}

#[test]
fn an_empty_page_that_names_what_was_read_is_the_end() {
    let mut walking = Walking::new();
    walking.arrives(page(&["a"], link("?next=1")));
    assert_eq!(
        walking.arrives(page(&[], link("?next=1"))),
        PageOutcome::Skip(NextStep::End(ListEnd::Proven))
    );
}

/// The beginning comes, then the server goes down: that its ids are no cursors can't be told from that.
#[test]
fn an_outage_is_no_end_of_the_list() {
    let mut walking = Walking::new();
    let first = page(&["a", "b"], None);
    assert_eq!(walking.arrives(first.clone()), PageOutcome::Accept(bare(Parameter::Next, "b")));
    assert_eq!(walking.fails(), PageOutcome::Skip(bare(Parameter::Prev, "b")));
    assert_eq!(walking.fails(), PageOutcome::Skip(NextStep::Request(Cursor::Start)));
    assert!(!walking.walk.is_probing(), "if it goes on failing, that is the walk's end");
    // It is up again: the list goes on.
    assert_eq!(walking.arrives(first), PageOutcome::Skip(bare(Parameter::Next, "a")));
    assert!(matches!(walking.arrives(page(&["b", "c"], None)), PageOutcome::Hold(_)));
    let outcome = walking.arrives(page(&[], None));
    assert_eq!(outcome, PageOutcome::AcceptHeld(bare(Parameter::Next, "c")));
}

/// It answers, but not to ids.
#[test]
fn a_server_that_fails_over_ids_alone_has_one_page() {
    for ids in [&["a", "b"][..], &["a"]] {
        let mut walking = Walking::new();
        walking.arrives(page(ids, None));
        walking.fails();
        assert_eq!(walking.fails(), PageOutcome::Skip(NextStep::Request(Cursor::Start)));
        walking.arrives(page(ids, None));
        walking.fails();
        assert_eq!(walking.fails(), PageOutcome::Skip(NextStep::End(ListEnd::Proven)));
    }
}

/// From a single record both directions may be empty; one whose answer did not arrive may not be.
#[test]
fn one_empty_direction_is_no_end_while_the_other_fails() {
    let mut walking = Walking::new();
    walking.arrives(page(&["a"], None));
    walking.arrives(page(&[], None));
    assert_eq!(walking.fails(), PageOutcome::Skip(NextStep::Request(Cursor::Start)));
    walking.arrives(page(&["a"], None));
    walking.arrives(page(&[], None));
    assert!(matches!(walking.arrives(page(&["b"], None)), PageOutcome::Accept(NextStep::Request(_))));
}

/// Whose ids would be asked for otherwise: none is needed where it is known how the list names its pages.
#[test]
fn a_last_page_of_records_without_an_id_is_the_end() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&["a"], link("?next=1"))), PageOutcome::Accept(url("?next=1")));
    let nameless = PageSummary { keys: vec![RecordKey::Text("{}".to_owned())], ..page(&[], None) };
    assert_eq!(walking.arrives(nameless), PageOutcome::Accept(NextStep::End(ListEnd::Proven)));
}
