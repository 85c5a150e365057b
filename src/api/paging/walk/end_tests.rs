use super::super::known_paging::{KnownPaging, PagingSettings};
use super::super::list_hints::Said;
use super::*;
use crate::record::Stream;

fn link(url: &str) -> Option<Offer> {
    Some(Offer { style: TokenStyle::Link, next: Next::Url(url.to_owned()) })
}

fn token(token: &str) -> Option<Offer> {
    Some(Offer { style: TokenStyle::Envelope, next: Next::Token(token.to_owned()) })
}

fn page(ids: &[&str], offer: Option<Offer>) -> PageFacts {
    PageFacts {
        marks: ids.iter().map(|id| Mark::Id((*id).to_owned())).collect(),
        offer,
        said: Said::default(),
    }
}

fn url(reference: &str) -> After {
    After::Ask(Cursor::Url(reference.to_owned()))
}

fn bare(parameter: Parameter, token: &str) -> After {
    After::Ask(Cursor::Bare { parameter, token: token.to_owned() })
}

/// A walk, and what it has found out.
struct Walking {
    walk: Walk,
    known: KnownPaging,
}

impl Walking {
    fn new() -> Walking {
        Walking { walk: Walk::new(), known: KnownPaging::default() }
    }

    fn arrives(&mut self, page: PageFacts) -> Verdict {
        self.known.with(Stream::Customers, |paging| self.walk.page_arrived(paging, page))
    }

    fn fails(&mut self) -> Verdict {
        self.known.with(Stream::Customers, |paging| self.walk.trial_failed(paging))
    }

    fn refused(&mut self) -> Verdict {
        self.known.with(Stream::Customers, |paging| self.walk.cursor_refused(paging))
    }
}

#[test]
fn the_page_that_an_empty_one_names_is_asked_for() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&["a"], link("?next=1"))), Verdict::Take(url("?next=1")));
    assert_eq!(walking.arrives(page(&[], link("?next=2"))), Verdict::PassOver(url("?next=2")));
    assert_eq!(walking.arrives(page(&["b"], link("?next=3"))), Verdict::Take(url("?next=3")));
    // Each gap of one page is crossed, not one gap a walk.
    assert_eq!(walking.arrives(page(&[], link("?next=4"))), Verdict::PassOver(url("?next=4")));
    assert_eq!(walking.arrives(page(&["c"], None)), Verdict::Take(After::End(ListEnd::Proven)));
}

#[test]
fn also_where_the_lists_beginning_is_empty() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&[], token("1"))), Verdict::PassOver(bare(Parameter::Next, "1")));
    assert_eq!(walking.arrives(page(&[], None)), Verdict::PassOver(bare(Parameter::Prev, "1")));
    assert!(matches!(walking.arrives(page(&["a"], token("2"))), Verdict::Take(After::Ask(_))));
}

fn unproven(why: UnprovenEnd) -> After {
    After::End(ListEnd::Unproven(why))
}

/// An empty page that names a next one proves nothing; what it names may.
#[test]
fn what_comes_behind_an_empty_page() {
    type Follow = fn(&mut Walking) -> Verdict;
    let follow: [(&str, Follow, After); 5] = [
        ("an end", |walking| walking.arrives(page(&[], None)), After::End(ListEnd::Proven)),
        ("the same page", |walking| walking.arrives(page(&[], link("?next=2"))), After::End(ListEnd::Proven)),
        ("another empty page", |walking| walking.arrives(page(&[], link("?next=3"))), url("?next=3")),
        (
            "the beginning again",
            |walking| walking.arrives(page(&["a"], link("?next=1"))),
            unproven(UnprovenEnd::EmptyPages),
        ),
        ("a refusal", Walking::refused, unproven(UnprovenEnd::EmptyPages)),
    ];
    for (what, next, after) in follow {
        let mut walking = Walking::new();
        walking.arrives(page(&["a"], link("?next=1")));
        assert_eq!(walking.arrives(page(&[], link("?next=2"))), Verdict::PassOver(url("?next=2")));
        assert_eq!(next(&mut walking), Verdict::PassOver(after), "{what}");
    }
}

#[test]
fn many_empty_pages_are_followed_but_not_for_ever() {
    let walk = |offer: fn(u32) -> Option<Offer>, records_behind: u32, known: KnownPaging| {
        let mut walking = Walking { known, ..Walking::new() };
        walking.arrives(page(&["a"], offer(0)));
        for n in 1..=records_behind {
            let verdict = walking.arrives(page(&[], offer(n)));
            let Verdict::PassOver(After::Ask(_)) = verdict else { return (n, verdict) };
        }
        (0, walking.arrives(page(&["b"], None)))
    };
    let links: fn(u32) -> Option<Offer> = |n| link(&format!("?next={n}"));
    let found = Verdict::Take(After::End(ListEnd::Proven));
    assert_eq!(walk(links, EMPTY_PAGES, KnownPaging::default()), (0, found.clone()));
    let ends = |why| (EMPTY_PAGES + 1, Verdict::PassOver(why));
    assert_eq!(walk(links, 99, KnownPaging::default()), ends(unproven(UnprovenEnd::EmptyPages)));
    // The user's word that links are the way.
    let settings = PagingSettings { token_style: Some(TokenStyle::Link), ..PagingSettings::default() };
    let set = KnownPaging::new(settings, settings);
    assert_eq!(walk(links, 99, set), ends(After::End(ListEnd::Proven)));
}

/// Which way is forward isn't known yet when the first pages are empty.
#[test]
fn empty_pages_are_followed_by_bare_tokens_too() {
    for prev_answers in [page(&[], None), page(&[], Some(Offer { next: Next::Ended, ..token("").unwrap() }))]
    {
        let mut walking = Walking::new();
        assert_eq!(walking.arrives(page(&[], token("1"))), Verdict::PassOver(bare(Parameter::Next, "1")));
        for n in 2..6 {
            let (this, next) = ((n - 1).to_string(), n.to_string());
            let verdict = walking.arrives(page(&[], token(&next)));
            assert_eq!(verdict, Verdict::PassOver(bare(Parameter::Prev, &this)));
            assert_eq!(
                walking.arrives(prev_answers.clone()),
                Verdict::PassOver(bare(Parameter::Next, &next))
            );
        }
        assert!(matches!(walking.arrives(page(&["a"], token("6"))), Verdict::Take(After::Ask(_))));
    }
}

fn saying(page: PageFacts, more: bool) -> PageFacts {
    PageFacts { said: Said { more: Some(more), ..Said::default() }, ..page }
}

#[test]
fn that_there_is_no_more_ends_a_list_whatever_the_token() {
    for offer in [
        None,
        link("?next=1"),
        link("?next=9"),
        token("9"),
        Some(Offer { next: Next::Perhaps("9".into()), ..token("").unwrap() }),
    ] {
        let mut walking = Walking::new();
        let only = saying(page(&["a"], offer.clone()), false);
        assert_eq!(walking.arrives(only), Verdict::Take(After::End(ListEnd::Proven)));
        let mut walking = Walking::new();
        walking.arrives(page(&["a"], link("?next=1")));
        for ids in [&["b"][..], &["a"], &[]] {
            let last = saying(page(ids, offer.clone()), false);
            let (Verdict::Take(after) | Verdict::PassOver(after)) = walking.arrives(last) else { panic!() };
            assert_eq!(after, After::End(ListEnd::Proven));
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
        let (Verdict::Take(after) | Verdict::PassOver(after)) = walking.arrives(last) else { panic!() };
        assert_eq!(after, unproven(UnprovenEnd::MoreIsSaid), "{ids:?}");
    }
    // Nothing is learned from a page that contradicts itself.
    let mut walking = Walking::new();
    let verdict = walking.arrives(saying(page(&["a"], ended), true));
    assert_eq!(verdict, Verdict::Take(unproven(UnprovenEnd::MoreIsSaid)));
    assert_eq!(walking.known.style(Stream::Customers), None);
}

/// `has_more` is often whether the page was full: a promise that an empty page breaks without fault.
#[test]
fn a_full_last_page_may_promise_an_empty_one() {
    for last in [page(&[], None), saying(page(&[], None), false)] {
        let mut walking = Walking::new();
        walking.arrives(saying(page(&["a", "b"], token("2")), true));
        walking.arrives(last.clone());
        assert_eq!(walking.arrives(page(&["a"], None)), Verdict::PassOver(After::End(ListEnd::Proven)));
    }
}

#[test]
fn a_total_above_what_came_forbids_an_end() {
    let total = |page: PageFacts| PageFacts { said: Said { total: Some(3), ..page.said }, ..page };
    let short = unproven(UnprovenEnd::TotalNotReached { came: 2, total: 3 });
    let mut walking = Walking::new();
    walking.arrives(total(page(&["a"], link("?next=1"))));
    assert_eq!(walking.arrives(total(page(&["a", "b"], None))), Verdict::Take(short.clone()));
    // Also where the page says that it is the last one.
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(total(saying(page(&["a", "b"], None), false))), Verdict::Take(short));
    let mut walking = Walking::new();
    walking.arrives(total(page(&["a", "c"], link("?next=1"))));
    let whole = Verdict::Take(After::End(ListEnd::Proven));
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
    let said = Said { unknown: Some(place.clone()), ..Said::default() };
    let mut walking = Walking::new();
    walking.arrives(PageFacts { said, ..page(&["a"], None) });
    walking.refused();
    let not_understood = unproven(UnprovenEnd::NotUnderstood { place });
    assert_eq!(walking.refused(), Verdict::PassOver(not_understood));
}

/// To a token that it doesn't know the server answers with an empty page, to a parameter with its first one.
#[test]
fn an_end_in_doubt_teaches_nothing() {
    let total = Said { total: Some(9), ..Said::default() };
    let mut walking = Walking::new();
    walking.arrives(PageFacts { said: total, ..page(&["a", "b"], None) });
    walking.arrives(page(&[], None));
    let short = unproven(UnprovenEnd::TotalNotReached { came: 2, total: 9 });
    assert_eq!(walking.arrives(page(&["a", "b"], None)), Verdict::PassOver(short));
    assert!(walking.known.findings().is_empty());
}

fn cursor(token: &str) -> Option<Offer> {
    Some(Offer { style: TokenStyle::Envelope, next: Next::Perhaps(token.to_owned()) })
}

#[test]
fn a_cursor_may_be_the_next_pages() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&["a"], cursor("1"))), Verdict::Take(bare(Parameter::Next, "1")));
    assert_eq!(walking.known.style(Stream::Customers), None, "nothing has shown it yet");
    assert_eq!(walking.arrives(page(&["b"], cursor("2"))), Verdict::Take(bare(Parameter::Next, "2")));
    assert_eq!(walking.known.style(Stream::Customers), Some(TokenStyle::Envelope));
    assert_eq!(walking.arrives(page(&["c"], None)), Verdict::Take(After::End(ListEnd::Proven)));
}

/// Or the page's own: then it leads nowhere, and where the list goes on is open.
#[test]
fn a_cursor_may_be_the_pages_own() {
    let not_understood = unproven(UnprovenEnd::NotUnderstood { place: "a cursor".to_owned() });
    type Follow = fn(&mut Walking) -> Verdict;
    let first = || page(&["a", "b"], cursor("own"));
    let again: Follow = |walking| walking.arrives(page(&["a", "b"], cursor("own")));
    let nothing: Follow = |walking| walking.arrives(page(&[], None));
    for (next, prev, expected) in [
        (again, again, not_understood.clone()),
        (again, nothing, not_understood.clone()),
        (again, Walking::refused, not_understood.clone()),
        (Walking::refused, Walking::refused, not_understood),
        // The last record's, as GraphQL's connections give it.
        (nothing, again, After::End(ListEnd::Proven)),
        (nothing, nothing, After::End(ListEnd::Proven)),
    ] {
        let mut walking = Walking::new();
        walking.arrives(first());
        next(&mut walking);
        assert_eq!(prev(&mut walking), Verdict::PassOver(expected));
    }
}

/// A page of records that were read already: the list shifted.
#[test]
fn a_page_of_known_records_leads_on() {
    for offer in [link, token] {
        let mut walking = Walking::new();
        walking.arrives(page(&["a"], offer("1")));
        walking.arrives(page(&["b"], offer("2")));
        for n in 0..REPEATED_PAGES {
            // They may be newer versions: the page is taken.
            let verdict = walking.arrives(page(&["a", "b"], offer(&format!("r{n}"))));
            assert!(matches!(verdict, Verdict::Take(After::Ask(_))), "{n}: {verdict:?}");
        }
        assert!(matches!(walking.arrives(page(&["c"], offer("3"))), Verdict::Take(After::Ask(_))));
        // A token that repeats is a circle.
        let verdict = walking.arrives(page(&["b"], offer("1")));
        assert!(
            matches!(verdict, Verdict::PassOver(After::Stuck(NoProgress::NothingNew { .. }))),
            "{verdict:?}"
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
            Verdict::Take(After::Ask(_)) => assert!(pages < 99),
            verdict => {
                assert!(matches!(verdict, Verdict::PassOver(After::Stuck(_))), "{verdict:?}");
                return;
            }
        }
    }
}

#[test]
fn an_empty_page_that_names_what_was_read_is_the_end() {
    let mut walking = Walking::new();
    walking.arrives(page(&["a"], link("?next=1")));
    assert_eq!(walking.arrives(page(&[], link("?next=1"))), Verdict::PassOver(After::End(ListEnd::Proven)));
}

/// The beginning comes, then the server goes down: that its ids are no cursors can't be told from that.
#[test]
fn an_outage_is_no_end_of_the_list() {
    let mut walking = Walking::new();
    let first = page(&["a", "b"], None);
    assert_eq!(walking.arrives(first.clone()), Verdict::Take(bare(Parameter::Next, "b")));
    assert_eq!(walking.fails(), Verdict::PassOver(bare(Parameter::Prev, "b")));
    assert_eq!(walking.fails(), Verdict::PassOver(After::Ask(Cursor::Start)));
    assert!(!walking.walk.is_on_trial(), "if it goes on failing, that is the walk's end");
    // It is up again: the list goes on.
    assert_eq!(walking.arrives(first), Verdict::PassOver(bare(Parameter::Next, "a")));
    assert!(matches!(walking.arrives(page(&["b", "c"], None)), Verdict::SetAside(_)));
    let verdict = walking.arrives(page(&[], None));
    assert_eq!(verdict, Verdict::TakeSetAside(bare(Parameter::Next, "c")));
}

/// It answers, but not to ids.
#[test]
fn a_server_that_fails_over_ids_alone_has_one_page() {
    for ids in [&["a", "b"][..], &["a"]] {
        let mut walking = Walking::new();
        walking.arrives(page(ids, None));
        walking.fails();
        assert_eq!(walking.fails(), Verdict::PassOver(After::Ask(Cursor::Start)));
        walking.arrives(page(ids, None));
        walking.fails();
        assert_eq!(walking.fails(), Verdict::PassOver(After::End(ListEnd::Proven)));
    }
}

/// From a single record both directions may be empty; one that was not heard may not be.
#[test]
fn one_empty_direction_is_no_end_while_the_other_fails() {
    let mut walking = Walking::new();
    walking.arrives(page(&["a"], None));
    walking.arrives(page(&[], None));
    assert_eq!(walking.fails(), Verdict::PassOver(After::Ask(Cursor::Start)));
    walking.arrives(page(&["a"], None));
    walking.arrives(page(&[], None));
    assert!(matches!(walking.arrives(page(&["b"], None)), Verdict::Take(After::Ask(_))));
}

/// Whose ids would be asked for otherwise: none is needed where it is known how the list names its pages.
#[test]
fn a_last_page_of_records_without_an_id_is_the_end() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&["a"], link("?next=1"))), Verdict::Take(url("?next=1")));
    let nameless = PageFacts { marks: vec![Mark::Text("{}".to_owned())], ..page(&[], None) };
    assert_eq!(walking.arrives(nameless), Verdict::Take(After::End(ListEnd::Proven)));
}
