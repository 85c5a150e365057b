//! Reads the pages of the customer list, with one walker or with several at once. `segments` decides which walkers go on;
//! `saved_tokens` decides where they begin and what is saved for the next run.

use super::saved_tokens::{SavedTokens, TokenRecorder, tokens_to_save};
use super::segments::{Begin, PageEnd, Segments, Step};
use crate::api::{Cursor, ErrorKind, Item, List, ListEnd, Page, Pager, Reuse, TokenNames, Turn, WalkError};
use crate::mirror::SavedToken;
use crate::record::{Record, fingerprint};
use crate::sync::SyncError;
use crate::sync::context::Context;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How many further tokens a walker tries before it gives up, if its saved token is refused.
const SPARE_TOKENS: usize = 3;

/// Beyond the pages to be expected, twice over, and these, no walker goes on whose turn it isn't.
const PAGES_OF_GRACE: u64 = 64;

const REFUSED: &str = "the server refused the list's page token: the walk was begun again";
const NOT_THE_SAME: &str =
    "the list's page tokens are not those of an earlier walk: the walk was begun again";

/// What the listing sends.
pub(in crate::sync) enum Listed {
    Page(Page<Record>),
    /// From now on, pages come from several places of the list: no single request stands for the rest of it.
    Split,
    /// The walk starts again from the list's beginning, for this reason. The pages so far no longer count as walked.
    Restarted(&'static str),
    End(Whole),
}

/// The whole list was read.
pub(in crate::sync) struct Whole {
    /// Whether its end is proven.
    pub(in crate::sync) end: ListEnd,
    /// The tokens to save for the next walk; `None` if this walk knows too little to replace those of the last one.
    pub(in crate::sync) tokens: Option<Vec<SavedToken>>,
    /// The number of a page that had the same token for the next page as in an earlier walk.
    pub(in crate::sync) given_again: Option<u64>,
}

/// A step of a walker: what its pager brought.
type Stepped = (usize, Pager<Record>, Result<Turn<Record>, WalkError>);

/// The state of one walker.
struct Walker {
    recorder: TokenRecorder,
    /// Where it could begin instead; the last one is tried first.
    spares: Vec<Begin>,
    /// At rest: it may have to go on.
    parked: Option<Pager<Record>>,
}

pub(in crate::sync) struct Listing {
    context: Context,
    saved: SavedTokens,
    segments: Segments,
    walkers: Vec<Walker>,
    steps: JoinSet<Stepped>,
    /// Whether the walk began at the list's beginning: else it can't be compared with an earlier one.
    is_from_start: bool,
    may_split: bool,
    given_again: Option<u64>,
    end: ListEnd,
}

impl Listing {
    /// From `from` on.
    pub(in crate::sync) fn new(context: &Context, saved: SavedTokens, from: Cursor) -> Listing {
        let is_from_start = from == Cursor::Start;
        let mut listing = Listing {
            context: context.clone(),
            saved,
            segments: Segments::new(),
            walkers: Vec::new(),
            steps: JoinSet::new(),
            is_from_start,
            may_split: is_from_start,
            given_again: None,
            end: ListEnd::Proven,
        };
        listing.add_walker(Vec::new(), listing.pager(from));
        listing
    }

    /// Reads the list to its end, as far ahead as the channel allows. Returns early if the run halts or storing has failed.
    pub(in crate::sync) async fn run(mut self, listed: mpsc::Sender<Listed>) -> Result<(), SyncError> {
        loop {
            let joined = self.context.halt.clone().run_until_cancelled_owned(self.steps.join_next()).await;
            let Some(Some(joined)) = joined else { return Ok(()) };
            let (walker, pager, turn) = joined.map_err(SyncError::crashed)?;
            let news = self.stepped(walker, pager, turn)?;
            for news in news.into_iter().chain(self.end()) {
                let is_end = matches!(news, Listed::End(_));
                if listed.send(news).await.is_err() || is_end {
                    return Ok(());
                }
            }
        }
    }

    fn stepped(
        &mut self,
        walker: usize,
        pager: Pager<Record>,
        turn: Result<Turn<Record>, WalkError>,
    ) -> Result<Vec<Listed>, SyncError> {
        match turn {
            Ok(Turn::Page(page)) => return Ok(self.page_came(walker, pager, page)),
            Ok(Turn::Restarted) if walker == 0 => return Ok(vec![self.begin_again(pager, REFUSED)]),
            Ok(Turn::End(end)) if walker == 0 || end.is_proven() => {
                self.end = end;
                self.segments.ended(walker);
            }
            Err(error) if walker == 0 || self.ends_the_walk(walker, &error) => return Err(error.into()),
            _ => self.leave(walker),
        }
        Ok(Vec::new())
    }

    /// Whether an error of a walker that began in the middle would also happen to a walker from the list's beginning. An
    /// error of its first request may be the token's fault.
    fn ends_the_walk(&self, walker: usize, error: &WalkError) -> bool {
        match error.api().map(|error| error.kind()) {
            Some(ErrorKind::KeyRefused) => true,
            Some(_) => !self.segments.is_untried(walker),
            None => false,
        }
    }

    fn page_came(&mut self, walker: usize, pager: Pager<Record>, page: Page<Record>) -> Vec<Listed> {
        let rows: Vec<u64> = page.items.iter().map(version).collect();
        let next = page.checkpoint.as_ref();
        let number = self.walkers[walker].recorder.record_page(next, rows.last().copied());
        let mut place = None;
        if let (0, true, Some(next), Some(last)) = (walker, self.is_from_start, next, rows.last()) {
            place = self.saved.place_of(next);
            self.given_again = self.given_again.or(place.and(Some(number)));
            if self.saved.disagrees(number, *last, next) && self.give_up_tokens(number) {
                return vec![self.begin_again(self.pager(Cursor::Start), NOT_THE_SAME)];
            }
        }
        let names_record =
            next.zip(page.items.last().and_then(id)).is_some_and(|(next, id)| next.names_record(id));
        match self.segments.page(walker, &rows, PageEnd { next, names_record }) {
            Step::GoOn => self.step(walker, pager),
            Step::Rest => self.walkers[walker].parked = Some(pager),
            Step::Leave(reopened) => self.go_on(reopened),
        }
        let mut news = Vec::new();
        if walker == 0 && rows.len() > 1 && next.is_some_and(|next| self.split(number, place, next)) {
            news.push(Listed::Split);
        }
        self.stay_within_bounds();
        news.push(Listed::Page(page));
        news
    }

    /// Stops using saved tokens, because the server gave another token than in an earlier walk at the same place behind the
    /// same record. Returns whether saved tokens are already in use.
    fn give_up_tokens(&mut self, page: u64) -> bool {
        self.may_split = false;
        let evidence = format!(
            "page {page} ended in the same record as in an earlier walk, and named another next page"
        );
        self.context.known.learn_token_names(self.context.stream, TokenNames::Walk, evidence);
        self.segments.are_several()
    }

    /// Starts further walkers, if this is the time; `number` is walker 0's page, `place` the page at which an earlier walk
    /// got the same request.
    fn split(&mut self, number: u64, place: Option<u64>, next: &Cursor) -> bool {
        let from = match self.context.known.of(self.context.stream).reuse() {
            Reuse::AtOnce => Some(place.unwrap_or(number)),
            Reuse::OnceGivenAgain => place,
            Reuse::Never => None,
        };
        let Some(from) = from.filter(|_| self.may_split) else { return false };
        self.may_split = false;
        for place in self.saved.spread(from, next, self.context.settings.concurrency) {
            let begins =
                place.into_iter().map(|token| Begin { cursor: token.cursor, last_record: token.last_record });
            let mut spares: Vec<Begin> = begins.take(1 + SPARE_TOKENS).collect();
            spares.reverse();
            let Some(begin) = spares.pop() else { continue };
            let pager = self.pager(begin.cursor.clone()).from_remembered_token();
            self.segments.begin(begin);
            self.add_walker(spares, pager);
        }
        self.segments.are_several()
    }

    /// A walker that began in the middle can't go on: it begins at a spare place if it has read nothing yet, or stops.
    fn leave(&mut self, walker: usize) {
        let spare = self.walkers[walker].spares.pop().filter(|_| self.segments.is_untried(walker));
        let reopened = match spare {
            Some(begin) => {
                let pager = self.pager(begin.cursor.clone()).from_remembered_token();
                self.step(walker, pager);
                self.segments.begin_elsewhere(walker, begin)
            }
            None => self.segments.leave(walker),
        };
        self.go_on(reopened);
    }

    fn go_on(&mut self, reopened: Vec<usize>) {
        for walker in reopened {
            if let Some(pager) = self.walkers[walker].parked.take() {
                self.step(walker, pager);
            }
        }
    }

    /// If the list has changed a lot, walkers may read the same pages over again. Then only one of them has to go on.
    fn stay_within_bounds(&mut self) {
        let pages: u64 = self.walkers.iter().map(|walker| walker.recorder.pages()).sum();
        if self.segments.are_several() && pages > 2 * self.saved.pages() + PAGES_OF_GRACE {
            for walker in self.segments.beside_the_chain() {
                let reopened = self.segments.leave(walker);
                self.go_on(reopened);
            }
        }
    }

    /// Begins again with one walker.
    fn begin_again(&mut self, pager: Pager<Record>, why: &'static str) -> Listed {
        self.steps = JoinSet::new();
        self.segments = Segments::new();
        self.walkers = Vec::new();
        self.is_from_start = true;
        self.may_split = false;
        self.add_walker(Vec::new(), pager);
        Listed::Restarted(why)
    }

    /// The end of the list, if all of it was read.
    fn end(&mut self) -> Option<Listed> {
        let chain = self.segments.complete()?;
        if self.segments.are_several()
            && (1..self.walkers.len()).all(|walker| self.walkers[walker].recorder.pages() == 0)
        {
            let evidence = "the server refused every token of an earlier walk".to_owned();
            self.context.known.learn_token_names(self.context.stream, TokenNames::Walk, evidence);
        }
        let may_remember = self.context.known.of(self.context.stream).reuse() != Reuse::Never;
        let recorder = chain.iter().map(|walker| &self.walkers[*walker].recorder).filter(|_| may_remember);
        let tokens = self.is_from_start.then(|| tokens_to_save(recorder));
        Some(Listed::End(Whole { end: self.end.clone(), tokens, given_again: self.given_again }))
    }

    fn pager(&self, from: Cursor) -> Pager<Record> {
        self.context.pager(List::of(self.context.stream), from)
    }

    fn add_walker(&mut self, spares: Vec<Begin>, pager: Pager<Record>) {
        self.walkers.push(Walker { recorder: TokenRecorder::new(), spares, parked: None });
        self.step(self.walkers.len() - 1, pager);
    }

    fn step(&mut self, walker: usize, mut pager: Pager<Record>) {
        self.steps.spawn(async move {
            let turn = pager.next().await;
            (walker, pager, turn)
        });
    }
}

/// A hash that tells a record from others and from older versions of itself. It is saved for later runs. If another build
/// computes other hashes, the next walk only requests some pages twice.
fn version(item: &Item<Record>) -> u64 {
    match item {
        Item::Record(record) => fingerprint(record),
        Item::Repaired(repaired) => fingerprint(&repaired.raw),
        Item::Rejected(rejected) => fingerprint(&rejected.raw),
    }
}

fn id(item: &Item<Record>) -> Option<&str> {
    match item {
        Item::Record(record) => Some(record.id()),
        Item::Repaired(repaired) => Some(repaired.record.id()),
        Item::Rejected(rejected) => rejected.id.as_deref(),
    }
}
