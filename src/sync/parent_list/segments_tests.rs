//! Many walkers on a list that changes before and between their requests.

use super::*;
use crate::api::Parameter;
use proptest::prelude::*;
use std::collections::HashSet;

/// What a server's tokens are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tokens {
    /// The sort key and id of the page's last record, as everybody can see.
    Keys,
    /// The same, encrypted.
    OpaqueKeys,
    /// The last record's id: its place is looked up when asked.
    Ids,
    /// A number of records.
    Offsets,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    key: u64,
    id: u64,
    version: u64,
}

impl Row {
    fn hash(self) -> u64 {
        self.id << 32 | self.version
    }
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Insert { key: u64 },
    Delete { at: usize },
    Update { at: usize },
    Move { at: usize, key: u64 },
}

struct List {
    tokens: Tokens,
    page_size: usize,
    rows: Vec<Row>,
    next_id: u64,
    /// Records that did not stay where they were.
    disturbed: HashSet<u64>,
}

struct Page {
    rows: Vec<Row>,
    next: Option<Cursor>,
}

impl List {
    fn new(tokens: Tokens, page_size: usize, keys: &[u64]) -> List {
        let mut list = List { tokens, page_size, rows: Vec::new(), next_id: 0, disturbed: HashSet::new() };
        keys.iter().for_each(|key| list.change(Change::Insert { key: *key }));
        list.disturbed.clear();
        list
    }

    fn change(&mut self, change: Change) {
        let at = |at: usize| at.checked_rem(self.rows.len());
        match change {
            Change::Insert { key } => {
                self.next_id += 1;
                self.disturbed.insert(self.next_id);
                self.rows.push(Row { key, id: self.next_id, version: 0 });
            }
            Change::Delete { at: row } => {
                if let Some(row) = at(row) {
                    self.disturbed.insert(self.rows.remove(row).id);
                }
            }
            Change::Update { at: row } => {
                if let Some(row) = at(row) {
                    self.rows[row].version += 1;
                }
            }
            Change::Move { at: row, key } => {
                if let Some(row) = at(row) {
                    self.disturbed.insert(self.rows[row].id);
                    self.rows[row].version += 1;
                    self.rows[row].key = key;
                }
            }
        }
        self.rows.sort_by_key(|row| (row.key, row.id));
    }

    /// `None`: the token is refused.
    fn page(&self, cursor: &Cursor) -> Option<Page> {
        let from = match cursor {
            Cursor::Bare { token, .. } => self.place(token)?,
            _ => 0,
        };
        let rest = &self.rows[from.min(self.rows.len())..];
        let rows: Vec<Row> = rest.iter().take(self.page_size).copied().collect();
        let next = (rest.len() > rows.len()).then(|| self.token(from + rows.len(), rows[rows.len() - 1]));
        Some(Page { rows, next })
    }

    fn place(&self, token: &str) -> Option<usize> {
        let numbers: Vec<u64> = token.split(':').map(|number| number.parse().unwrap()).collect();
        match self.tokens {
            Tokens::Offsets => Some(numbers[0] as usize),
            Tokens::Ids => self.rows.iter().position(|row| row.id == numbers[0]).map(|at| at + 1),
            _ => Some(self.rows.partition_point(|row| (row.key, row.id) <= (numbers[0], numbers[1]))),
        }
    }

    fn token(&self, offset: usize, last: Row) -> Cursor {
        let token = match self.tokens {
            Tokens::Offsets => offset.to_string(),
            Tokens::Ids => last.id.to_string(),
            _ => format!("{}:{}", last.key, last.id),
        };
        Cursor::Bare { parameter: Parameter::Next, token }
    }

    /// What a walk of the list as it is now leaves: every `every`th page's request.
    fn tokens(&self, every: usize) -> Vec<Begin> {
        let (mut cursor, mut begins, mut number) = (Cursor::Start, Vec::new(), 0);
        while let Some(Page { rows, next: Some(next) }) = self.page(&cursor) {
            number += 1;
            if number % every == 0 {
                begins.push(Begin { cursor: next.clone(), last_record: rows[rows.len() - 1].hash() });
            }
            cursor = next;
        }
        begins
    }
}

struct Walkers {
    segments: Segments,
    cursors: Vec<Cursor>,
    read: Vec<HashSet<u64>>,
    walking: Vec<usize>,
    requests: usize,
}

impl Walkers {
    fn new(begins: &[Begin]) -> Walkers {
        let mut segments = Segments::new();
        let mut cursors = vec![Cursor::Start];
        for begin in begins {
            segments.begin(begin.clone());
            cursors.push(begin.cursor.clone());
        }
        let count = cursors.len();
        Walkers {
            segments,
            cursors,
            read: vec![HashSet::new(); count],
            walking: (0..count).collect(),
            requests: 0,
        }
    }

    /// One request. `false`: walker 0's token was refused; the walk would begin again.
    fn step(&mut self, list: &List, which: usize) -> bool {
        let walker = self.walking.remove(which % self.walking.len());
        self.requests += 1;
        let page = list.page(&self.cursors[walker]);
        let Some(page) =
            page.filter(|page| walker == 0 || !page.rows.is_empty() || !self.segments.is_untried(walker))
        else {
            let reopened = self.segments.leave(walker);
            self.walking.extend(reopened);
            return walker != 0;
        };
        if page.rows.is_empty() {
            self.segments.ended(walker);
            return true;
        }
        self.read[walker].extend(page.rows.iter().map(|row| row.id));
        let hashes: Vec<u64> = page.rows.iter().map(|row| row.hash()).collect();
        let names_record = matches!(list.tokens, Tokens::Keys | Tokens::Ids);
        match self.segments.page(walker, &hashes, PageEnd { next: page.next.as_ref(), names_record }) {
            Step::Rest => self.rest(walker, page.next),
            Step::Leave(reopened) => self.walking.extend(reopened),
            Step::GoOn => match page.next {
                Some(next) => {
                    self.cursors[walker] = next;
                    self.walking.push(walker);
                }
                None => self.segments.ended(walker),
            },
        }
        true
    }

    /// A walker at rest may have to go on; one that stood at the end then finds an empty page there.
    fn rest(&mut self, walker: usize, next: Option<Cursor>) {
        let beyond = Cursor::Bare { parameter: Parameter::Next, token: format!("{}:{}", u64::MAX, u64::MAX) };
        self.cursors[walker] = next.unwrap_or(beyond);
    }

    fn read_by(&self, chain: &[usize]) -> HashSet<u64> {
        chain.iter().flat_map(|walker| self.read[*walker].iter().copied()).collect()
    }
}

fn change(tokens: Tokens, during: bool) -> BoxedStrategy<Change> {
    let key = 0_u64..400;
    let insert = key.clone().prop_map(|key| Change::Insert { key });
    let update = any::<prop::sample::Index>().prop_map(|at| Change::Update { at: at.index(1 << 20) });
    let delete = any::<prop::sample::Index>().prop_map(|at| Change::Delete { at: at.index(1 << 20) });
    let moved =
        (any::<prop::sample::Index>(), key).prop_map(|(at, key)| Change::Move { at: at.index(1 << 20), key });
    match tokens {
        // A single walker would lose records as well: behind a deletion, or where its cursor's record moves on.
        Tokens::Offsets if during => prop_oneof![insert, update].boxed(),
        Tokens::Ids if during => prop_oneof![insert, update, delete].boxed(),
        _ => prop_oneof![insert, update, delete, moved].boxed(),
    }
}

#[derive(Debug, Clone)]
struct Case {
    tokens: Tokens,
    page_size: usize,
    keys: Vec<u64>,
    every: usize,
    before: Vec<Change>,
    /// Changes before each request, and whose it is.
    during: Vec<(Vec<Change>, usize)>,
}

fn case() -> impl Strategy<Value = Case> {
    let tokens = prop::sample::select(&[Tokens::Keys, Tokens::OpaqueKeys, Tokens::Ids, Tokens::Offsets][..]);
    tokens.prop_flat_map(|tokens| {
        let few = prop_oneof![3 => Just(0_usize..1), 1 => Just(0_usize..3)];
        let changes = few.prop_flat_map(move |few| prop::collection::vec(change(tokens, true), few));
        (
            2_usize..6,
            prop::collection::vec(0_u64..400, 0..120),
            1_usize..9,
            prop::collection::vec(change(tokens, false), 0..12),
            prop::collection::vec(
                (changes, any::<prop::sample::Index>().prop_map(|at| at.index(1 << 20))),
                400,
            ),
        )
            .prop_map(move |(page_size, keys, every, before, during)| Case {
                tokens,
                page_size,
                keys,
                every,
                before,
                during,
            })
    })
}

/// Walks; `None` where the walk would begin again.
fn walk(case: &Case) -> Option<(List, Walkers, HashSet<u64>)> {
    let mut list = List::new(case.tokens, case.page_size, &case.keys);
    let begins = list.tokens(case.every);
    case.before.iter().for_each(|change| list.change(*change));
    list.disturbed.clear();
    let at_start: HashSet<u64> = list.rows.iter().map(|row| row.id).collect();
    let mut walkers = Walkers::new(&begins);
    let mut during = case.during.iter();
    while walkers.segments.complete().is_none() {
        let quiet = (Vec::new(), walkers.requests);
        let (changes, which) = during.next().unwrap_or(&quiet);
        changes.iter().for_each(|change| list.change(*change));
        if !walkers.step(&list, *which) {
            return None;
        }
        let most = walkers.cursors.len() * (list.next_id as usize / case.page_size + 2);
        assert!(walkers.requests <= most, "{} requests", walkers.requests);
    }
    Some((list, walkers, at_start))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_record_that_stays_is_read(case in case()) {
        let Some((list, walkers, at_start)) = walk(&case) else { return Ok(()) };
        let read = walkers.read_by(&walkers.segments.complete().unwrap());
        let stayed = list.rows.iter().filter(|row| at_start.contains(&row.id) && !list.disturbed.contains(&row.id));
        for row in stayed {
            prop_assert!(read.contains(&row.id), "{row:?} was not read by {:?}", walkers.segments.complete());
        }
    }

    #[test]
    fn an_unchanged_list_takes_no_more_requests_than_one_walker(
        keys in prop::collection::vec(0_u64..400, 1..200),
        page_size in 2_usize..6,
        every in 1_usize..9,
        tokens in prop::sample::select(&[Tokens::Keys, Tokens::Ids][..]),
        order in prop::collection::vec(any::<usize>(), 400),
    ) {
        let during = order.into_iter().map(|which| (Vec::new(), which)).collect();
        let case = Case { tokens, page_size, keys, every, before: Vec::new(), during };
        let (list, mut walkers, _) = walk(&case).unwrap();
        // The chain may be complete before the last walkers' answers are in; each then has its share to do.
        while !walkers.walking.is_empty() {
            walkers.step(&list, 0);
        }
        prop_assert_eq!(walkers.requests, list.rows.len().div_ceil(page_size));
    }
}

fn begin(page: u64, last_record: u64) -> Begin {
    Begin { cursor: Cursor::Url(page.to_string()), last_record }
}

const NOWHERE: PageEnd<'static> = PageEnd { next: None, names_record: false };

#[test]
fn one_record_is_no_meeting_and_a_token_without_an_id_neither() {
    let mut segments = Segments::new();
    let one = segments.begin(begin(5, 4));
    assert_eq!(segments.page(one, &[50, 51, 52, 53], NOWHERE), Step::GoOn);
    // One record that came from elsewhere, two that no longer follow each other, two and then others.
    for rows in [&[1, 2, 3, 51][..], &[1, 50, 52, 3], &[1, 50, 51, 3]] {
        assert_eq!(segments.page(0, rows, NOWHERE), Step::GoOn, "{rows:?}");
    }
    let cursor = Cursor::Url("5".to_owned());
    let next = Some(&cursor);
    assert_eq!(segments.page(0, &[3, 4], PageEnd { next, names_record: false }), Step::GoOn);
    assert_eq!(segments.page(0, &[3, 9], PageEnd { next, names_record: true }), Step::GoOn, "another record");
    assert_eq!(segments.page(0, &[3, 4], PageEnd { next, names_record: true }), Step::Rest);
    assert_eq!(segments.complete(), None);
    segments.ended(one);
    assert_eq!(segments.complete(), Some(vec![0, one]));
}

#[test]
fn a_page_meets_beyond_what_the_other_has_read_so_far() {
    let mut segments = Segments::new();
    let one = segments.begin(begin(5, 4));
    segments.page(one, &[50, 51], NOWHERE);
    assert_eq!(segments.page(0, &[4, 50, 51, 52, 53], NOWHERE), Step::Rest);
}

#[test]
fn who_had_met_one_that_leaves_goes_on_again() {
    let mut segments = Segments::new();
    let one = segments.begin(begin(5, 4));
    let two = segments.begin(begin(9, 8));
    segments.page(two, &[90, 91], NOWHERE);
    segments.page(one, &[50, 51], NOWHERE);
    assert_eq!(segments.page(0, &[50, 51], NOWHERE), Step::Rest);
    // It began behind the first one, and leads before it.
    assert_eq!(segments.page(two, &[50, 51], NOWHERE), Step::Leave(vec![]));
    assert_eq!(segments.beside_the_chain(), Vec::<usize>::new());
    assert_eq!(segments.leave(one), [0]);
    segments.ended(0);
    assert_eq!(segments.complete(), Some(vec![0]));
}

#[test]
fn a_token_that_is_refused_can_be_replaced() {
    let mut segments = Segments::new();
    let one = segments.begin(begin(5, 4));
    let cursor = Cursor::Url("5".to_owned());
    assert_eq!(segments.page(0, &[3, 4], PageEnd { next: Some(&cursor), names_record: true }), Step::Rest);
    assert!(segments.is_untried(one));
    assert_eq!(segments.begin_elsewhere(one, begin(6, 60)), [0]);
    assert_eq!(segments.beside_the_chain(), [one]);
}
