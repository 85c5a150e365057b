//! A walk through a list: which page comes next, and when the list has ended (`api-contract` points 1 to 6). Pure:
//! pages go in as facts, requests come out.

use super::cursor::{Cursor, parameter_of};
use super::direction_probe::{Trial, Tried};
use super::end_evidence::Heard;
use super::known_paging::Paging;
use super::next_page::{Next, Offer};
use super::page_outcome::{After, ListEnd, NoProgress, UnprovenEnd, Verdict};
use super::page_summary::{Mark, PageFacts};
use super::token_style::{Parameter, TokenStyle};
use crate::record::IdSet;

/// Empty pages in a row that are followed where each names a next one: lists that are filtered after they were cut into
/// pages have such stretches. A server that names next pages for ever is asked so often in vain.
const EMPTY_PAGES: u32 = 32;

/// Pages in a row that are read on behind although every record on them was met before: the list shifts while it is
/// walked. Each row that comes in front of the list pushes one that was read onto the next page, so a burst of so many whole
/// pages between two requests is beyond what a living account shows.
const REPEATED_PAGES: u32 = 8;

/// How the last page was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Start,
    Url,
    Bare(Parameter),
    /// Under a parameter of which it isn't known whether it moves forward.
    Trial(Parameter),
    /// The list's beginning once more, to see whether the server that failed over a trial answers at all.
    Witness,
}

/// A walk through one list.
#[derive(Debug)]
pub struct Walk {
    seen: IdSet,
    tokens: IdSet,
    asked: Asked,
    trial: Option<Trial>,
    /// The token of the last request under a known parameter, should the direction come into doubt.
    bare_token: Option<String>,
    pages: u64,
    /// Records on the last page taken.
    last_rows: usize,
    heard: Heard,
    /// Take nothing for granted about the direction: this walk is to decide whether records are gone.
    is_second_look: bool,
    /// The walk was taken up at a stored cursor and no page has come yet.
    resuming: bool,
    /// A page of this very walk came under the parameter in use.
    borne_out: bool,
    /// Empty pages since the last record that was not met before, each of which named a next page that was asked for.
    empty: u32,
    /// Pages of known records since then.
    repeated: u32,
    /// Where the first page's cursor stood, while it is open whether it is the next page's or its own.
    doubtful: Option<TokenStyle>,
    /// What is to be tried again once the witness has answered. One witness a walk.
    retrial: Option<Trial>,
    witnessed: bool,
}

impl Walk {
    /// A walk from the list's beginning.
    pub fn new() -> Walk {
        Walk::asking(Asked::Start, false)
    }

    /// A walk that goes on at a stored cursor. Only cursors whose direction was known are stored.
    pub fn resume(cursor: &Cursor) -> Walk {
        match cursor {
            Cursor::Start => Walk::new(),
            Cursor::Url(_) => Walk::asking(Asked::Url, true),
            Cursor::Bare { parameter, token } => {
                let mut walk = Walk::asking(Asked::Bare(*parameter), true);
                walk.bare_token = Some(token.clone());
                walk.tokens.insert(token);
                walk
            }
        }
    }

    /// The same, but finding out the direction for itself.
    #[must_use]
    pub fn into_second_look(self) -> Walk {
        Walk { is_second_look: true, ..self }
    }

    fn asking(asked: Asked, resuming: bool) -> Walk {
        Walk {
            seen: IdSet::default(),
            tokens: IdSet::default(),
            asked,
            trial: None,
            bare_token: None,
            pages: 0,
            last_rows: 0,
            heard: Heard::new(!resuming),
            is_second_look: false,
            resuming,
            borne_out: false,
            empty: 0,
            repeated: 0,
            doubtful: None,
            retrial: None,
            witnessed: false,
        }
    }

    /// Whether the request in hand may be stored as a checkpoint: its direction is no guess.
    pub fn is_resumable(&self) -> bool {
        self.trial.is_none()
    }

    /// A page came.
    pub fn page_arrived(&mut self, paging: &mut Paging, page: PageFacts) -> Verdict {
        let verdict = self.judge(paging, page);
        verdict.then(|after| self.weigh(paging, after))
    }

    /// An end is proven only where nothing that the answers said speaks against it (point 3).
    fn weigh(&self, paging: &Paging, after: After) -> After {
        match after {
            After::End(ListEnd::Proven) => {
                After::End(self.doubt(paging).map_or(ListEnd::Proven, ListEnd::Unproven))
            }
            after => after,
        }
    }

    /// What the answers said that speaks against the list's end here.
    fn doubt(&self, paging: &Paging) -> Option<UnprovenEnd> {
        let knows_style = match paging.style() {
            // That ids are cursors shows in a second page only: to others a server may answer anything.
            Some(TokenStyle::LastId) => self.pages > 1,
            style => style.is_some(),
        };
        self.heard.doubt(self.seen.len() as u64, knows_style, paging.only_style().is_some())
    }

    fn judge(&mut self, paging: &mut Paging, page: PageFacts) -> Verdict {
        let resuming = std::mem::take(&mut self.resuming);
        let tried = self.classify(&page);
        match self.asked {
            // A stored cursor that leads nowhere may have lost its record since: it is no proof of an end.
            _ if resuming && tried == Tried::Empty && !self.leads_on(paging, &page) => {
                Verdict::PassOver(After::Restart)
            }
            Asked::Trial(parameter) => self.trial_arrived(paging, parameter, tried, page),
            Asked::Witness => Verdict::PassOver(self.try_again(paging)),
            _ if tried == Tried::Empty => Verdict::PassOver(self.after_empty(paging, page)),
            // Rows moved while the list was walked; it ends here all the same.
            _ if tried == Tried::Repeats && self.is_last(paging, &page) => {
                self.heard.hear(&page.said);
                Verdict::PassOver(After::End(ListEnd::Proven))
            }
            Asked::Bare(parameter) if tried == Tried::Repeats && self.may_doubt(paging) => {
                Verdict::PassOver(self.doubt_direction(parameter))
            }
            _ if tried == Tried::Repeats => self.repeats_arrived(paging, page),
            asked => {
                self.borne_out = matches!(asked, Asked::Bare(_));
                if resuming {
                    // What stands before the cursor was read in another run: the rest of this walk can't tell by
                    // itself what is new, and needs what that run found out.
                    paging.trust_memory();
                    if let Asked::Bare(forward) = asked {
                        paging.learn_forward(forward, || "a walk went on from its stored cursor".to_owned());
                    }
                }
                Verdict::Take(self.take_news(paging, page))
            }
        }
    }

    /// The server refused the cursor.
    pub fn cursor_refused(&mut self, paging: &mut Paging) -> Verdict {
        let verdict = match self.asked {
            Asked::Trial(parameter) => {
                self.trial_arrived(paging, parameter, Tried::Refused, PageFacts::nothing())
            }
            _ if self.empty > 0 => Verdict::PassOver(self.behind_empty(paging)),
            _ => Verdict::PassOver(self.token_refused()),
        };
        verdict.then(|after| self.weigh(paging, after))
    }

    /// Whether the request in hand tries something out: whether ids are cursors, or whether a parameter moves forward.
    /// A server that fails over it may simply not expect it: that is for [`Walk::trial_failed`].
    pub fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Whether the request in hand is the first of a trial, which another walk's result may spare.
    pub fn may_reconsider(&self) -> bool {
        !self.is_second_look && self.trial.as_ref().is_some_and(|trial| trial.first.is_none())
    }

    /// What other walks have found out since the trial in hand was planned: what to do instead of it.
    pub fn reconsider(&mut self, paging: &Paging) -> Option<After> {
        if !self.may_reconsider() {
            return None;
        }
        let trial = self.trial.take()?;
        let more_is_said = self.heard.more_is_said();
        let after = match (trial.is_guess, paging.style(), paging.forward()) {
            (true, Some(style), _) if style != TokenStyle::LastId && !more_is_said => {
                After::End(ListEnd::Proven)
            }
            (true, None, _) if paging.ids_are_no_cursors() && !more_is_said => After::End(ListEnd::Proven),
            (false, _, Some(parameter)) | (true, Some(TokenStyle::LastId), Some(parameter)) => {
                After::Ask(self.ask_forward(parameter, trial.token))
            }
            _ => {
                self.trial = Some(trial);
                return None;
            }
        };
        Some(self.weigh(paging, after))
    }

    /// Whether a page says, or is known to show by saying nothing, that no other one follows.
    fn is_last(&self, paging: &Paging, page: &PageFacts) -> bool {
        match &page.offer {
            _ if page.says_last() => true,
            Some(offer) => offer.next == Next::Ended,
            None => paging.style().is_some_and(|style| style != TokenStyle::LastId),
        }
    }

    /// Whether a page names a next one that was not asked for yet.
    fn leads_on(&self, paging: &Paging, page: &PageFacts) -> bool {
        match &page.offer {
            _ if page.says_last() => false,
            Some(Offer { next: Next::Url(next) | Next::Token(next) | Next::Perhaps(next), .. }) => {
                !self.tokens.contains(next)
            }
            Some(Offer { next: Next::Ended, .. }) => false,
            None => {
                let last = page.marks.last().map(Mark::text);
                paging.style() == Some(TokenStyle::LastId) && last.is_some_and(|id| !self.tokens.contains(id))
            }
        }
    }

    /// The server failed over a trial, again and again.
    pub fn trial_failed(&mut self, paging: &mut Paging) -> Verdict {
        let verdict = match self.asked {
            Asked::Trial(parameter) => {
                self.trial_arrived(paging, parameter, Tried::Failed, PageFacts::nothing())
            }
            _ => Verdict::PassOver(After::Fail),
        };
        verdict.then(|after| self.weigh(paging, after))
    }

    fn classify(&self, page: &PageFacts) -> Tried {
        let mut new = IdSet::default();
        let mut repeats = false;
        for mark in &page.marks {
            match self.seen.contains(mark.text()) {
                true => repeats = true,
                false => drop(new.insert(mark.text())),
            }
        }
        match (page.marks.is_empty(), new.len(), repeats) {
            (true, ..) => Tried::Empty,
            (_, 0, _) => Tried::Repeats,
            (_, _, false) => Tried::Fresh,
            (_, new, true) => Tried::Mixed(new),
        }
    }

    /// An empty page is the list's end only where it names no page that was not read yet (point 3).
    fn after_empty(&mut self, paging: &Paging, page: PageFacts) -> After {
        self.heard.hear(&page.said);
        if !self.leads_on(paging, &page) {
            return After::End(ListEnd::Proven);
        }
        if self.empty >= EMPTY_PAGES {
            return self.behind_empty(paging);
        }
        self.empty += 1;
        match page.offer.map(|offer| offer.next) {
            Some(Next::Url(url)) => {
                self.tokens.insert(&url);
                self.asked = Asked::Url;
                After::Ask(Cursor::Url(url))
            }
            Some(Next::Token(token) | Next::Perhaps(token)) => self.ask_bare(paging, token, None),
            Some(Next::Ended) | None => After::End(ListEnd::Proven),
        }
    }

    /// Empty pages named next ones, and no record followed: no proof, unless the user says how this server names them.
    fn behind_empty(&self, paging: &Paging) -> After {
        match paging.only_style() {
            Some(_) => After::End(ListEnd::Proven),
            None => After::End(ListEnd::Unproven(UnprovenEnd::EmptyPages)),
        }
    }

    /// A page whose records are all known, behind a direction that is sure: the list shifted while it was walked, if a
    /// page that was not read yet comes next. The records may be newer than those that were met.
    fn repeats_arrived(&mut self, paging: &mut Paging, page: PageFacts) -> Verdict {
        let is_forward = self.borne_out || self.asked == Asked::Url;
        if is_forward && self.repeated < REPEATED_PAGES && self.leads_on(paging, &page) {
            self.repeated += 1;
            return Verdict::Take(self.take(paging, page));
        }
        Verdict::PassOver(if self.empty > 0 { self.behind_empty(paging) } else { self.nothing_new() })
    }

    /// The page is the list's next one, with records that were not met before.
    fn take_news(&mut self, paging: &mut Paging, page: PageFacts) -> After {
        (self.empty, self.repeated) = (0, 0);
        if let Some(style) = self.doubtful.take() {
            paging.learn_style(style, || "page 1's cursor led to further records".to_owned());
        }
        self.take(paging, page)
    }

    /// The page is the list's next one: remember its records, and see how the list goes on.
    fn take(&mut self, paging: &mut Paging, page: PageFacts) -> After {
        self.pages += 1;
        self.last_rows = page.marks.len();
        self.heard.hear(&page.said);
        for mark in &page.marks {
            self.seen.insert(mark.text());
        }
        if page.says_last() {
            return After::End(ListEnd::Proven);
        }
        // A cursor that was asked with is the page's own.
        let is_own = |next: &Next| matches!(next, Next::Perhaps(token) if self.tokens.contains(token));
        let Some(Offer { style, next }) = page.offer.filter(|offer| !is_own(&offer.next)) else {
            return self.after_no_token(paging, page.marks);
        };
        match &next {
            Next::Perhaps(_) if self.pages == 1 => self.doubtful = Some(style),
            // It contradicts itself: nothing is learned from it.
            Next::Ended if self.heard.more_is_said() => {}
            _ => self.learn_style(paging, style, &next),
        }
        match next {
            Next::Ended => After::End(ListEnd::Proven),
            Next::Url(url) => {
                if !self.tokens.insert(&url) {
                    return After::Stuck(NoProgress::TokenRepeats { page: self.pages });
                }
                if let Some(forward) = parameter_of(&url) {
                    // Followed as given; known for those who ask, and should a bare token come.
                    paging.learn_forward(forward, || {
                        format!("page {}'s link to the next page uses `{forward}`", self.pages)
                    });
                }
                self.asked = Asked::Url;
                After::Ask(Cursor::Url(url))
            }
            Next::Token(token) | Next::Perhaps(token) => self.ask_bare(paging, token, None),
        }
    }

    fn learn_style(&self, paging: &mut Paging, style: TokenStyle, next: &Next) {
        paging.learn_style(style, || match (style, next) {
            (TokenStyle::Link, _) => format!("page {} carried a Link header with rel=\"next\"", self.pages),
            (TokenStyle::Header, _) => format!("page {} carried a cursor in a header", self.pages),
            (_, Next::Ended) => format!("page {} carried an empty token in its envelope", self.pages),
            _ => format!("page {} carried the next page's token in its envelope", self.pages),
        });
    }

    fn after_no_token(&mut self, paging: &mut Paging, marks: Vec<Mark>) -> After {
        let id = |mark| match mark {
            Mark::Id(id) => Some(id),
            Mark::Text(_) => None,
        };
        let mut ids = marks.into_iter().rev().filter_map(id);
        // Where it is known that ids lead nowhere, a page whose records have none ends the list as any other does.
        let ids_may_lead_on = match paging.style() {
            Some(style) => style == TokenStyle::LastId,
            None => !paging.ids_are_no_cursors(),
        };
        if !ids_may_lead_on && !self.heard.more_is_said() {
            return After::End(ListEnd::Proven);
        }
        let (Some(last), other) = (ids.next(), ids.next()) else { return self.nothing_new() };
        match paging.style() {
            Some(TokenStyle::LastId) => self.ask_bare(paging, last, None),
            _ => self.ask_bare(paging, last, Some(other)),
        }
    }

    /// Asks with a bare token. `guess` holds another record's id where the token is a mere guess.
    fn ask_bare(&mut self, paging: &Paging, token: String, guess: Option<Option<String>>) -> After {
        if !self.tokens.insert(&token) {
            return After::Stuck(NoProgress::TokenRepeats { page: self.pages });
        }
        let doubted = self.is_second_look && !self.borne_out && !paging.forward_is_set();
        if let Some(parameter) = paging.forward().filter(|_| guess.is_none() && !doubted) {
            return After::Ask(self.ask_forward(parameter, token));
        }
        let trial = match guess {
            Some(other_id) => Trial::guess(token, other_id),
            None => Trial::of(token),
        };
        After::Ask(self.ask_on_trial(trial, paging.first_guess()))
    }

    fn ask_forward(&mut self, parameter: Parameter, token: String) -> Cursor {
        self.asked = Asked::Bare(parameter);
        self.bare_token = Some(token.clone());
        Cursor::Bare { parameter, token }
    }

    fn ask_on_trial(&mut self, trial: Trial, parameter: Parameter) -> Cursor {
        let cursor = Cursor::Bare { parameter, token: trial.token.clone() };
        self.trial = Some(trial);
        self.asked = Asked::Trial(parameter);
        cursor
    }

    /// Whether a page of known records may be the direction's fault: unless that is the user's word, or showed itself in
    /// this very walk.
    fn may_doubt(&self, paging: &Paging) -> bool {
        self.bare_token.is_some() && !paging.forward_is_set() && !self.borne_out
    }

    /// A page under a parameter that moved forward elsewhere brought only known records: the other one is tried before
    /// giving up (point 2).
    fn doubt_direction(&mut self, parameter: Parameter) -> After {
        let Some(token) = self.bare_token.take() else { return self.nothing_new() };
        let first = Some((parameter, Tried::Repeats));
        let trial = Trial { first, ..Trial::of(token) };
        After::Ask(self.ask_on_trial(trial, parameter.other()))
    }

    /// The server doesn't take the token. It may have expired (point 6), unless it never was one.
    fn token_refused(&self) -> After {
        self.not_understood().unwrap_or(After::Restart)
    }

    fn nothing_new(&self) -> After {
        let stuck = After::Stuck(NoProgress::NothingNew { page: self.pages + 1 });
        self.not_understood().unwrap_or(stuck)
    }

    /// The first page's cursor leads nowhere: it is something else than the next page's, and where that is can't be told.
    fn not_understood(&self) -> Option<After> {
        let place = self.doubtful.map(|style| match style {
            TokenStyle::Header => "a header with a cursor".to_owned(),
            _ => "a cursor".to_owned(),
        })?;
        Some(After::End(ListEnd::Unproven(UnprovenEnd::NotUnderstood { place })))
    }
}

impl Default for Walk {
    fn default() -> Self {
        Walk::new()
    }
}

mod probes;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod end_tests;
