use super::*;
use crate::api::behaviour::KnownPaging;
use crate::record::Stream;

fn link(url: &str) -> Option<Offer> {
    Some(Offer { style: TokenStyle::Link, next: Next::Url(url.to_owned()) })
}

fn token(token: &str) -> Option<Offer> {
    Some(Offer { style: TokenStyle::Envelope, next: Next::Token(token.to_owned()) })
}

fn page(ids: &[&str], offer: Option<Offer>) -> PageFacts {
    PageFacts { marks: ids.iter().map(|id| Mark::Id((*id).to_owned())).collect(), offer, says_more: false }
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
    assert_eq!(walking.arrives(page(&["c"], None)), Verdict::Take(After::End));
}

#[test]
fn also_where_the_lists_beginning_is_empty() {
    let mut walking = Walking::new();
    assert_eq!(walking.arrives(page(&[], token("1"))), Verdict::PassOver(bare(Parameter::Next, "1")));
    assert_eq!(walking.arrives(page(&[], None)), Verdict::PassOver(bare(Parameter::Prev, "1")));
    assert!(matches!(walking.arrives(page(&["a"], token("2"))), Verdict::Take(After::Ask(_))));
}

#[test]
fn whatever_follows_but_records_bears_the_end_out() {
    type Follow = fn(&mut Walking) -> Verdict;
    let follow: [(&str, Follow); 4] = [
        ("another empty page", |walking| walking.arrives(page(&[], link("?next=3")))),
        ("the beginning again", |walking| walking.arrives(page(&["a"], link("?next=3")))),
        ("a refusal", Walking::refused),
        ("an end", |walking| walking.arrives(page(&[], None))),
    ];
    for (what, next) in follow {
        let mut walking = Walking::new();
        walking.arrives(page(&["a"], link("?next=1")));
        assert_eq!(walking.arrives(page(&[], link("?next=2"))), Verdict::PassOver(url("?next=2")));
        assert_eq!(next(&mut walking), Verdict::PassOver(After::End), "{what}");
    }
}

#[test]
fn an_empty_page_that_names_what_was_read_is_the_end() {
    let mut walking = Walking::new();
    walking.arrives(page(&["a"], link("?next=1")));
    assert_eq!(walking.arrives(page(&[], link("?next=1"))), Verdict::PassOver(After::End));
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
        assert_eq!(walking.fails(), Verdict::PassOver(After::End));
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
    assert_eq!(walking.arrives(nameless), Verdict::Take(After::End));
}
