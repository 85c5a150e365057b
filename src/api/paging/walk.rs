//! A walk through a list: which page comes next, and when the list has ended (`api-contract` points 1 to 6). Pure:
//! pages go in as facts, requests come out.

use super::cursor::{Cursor, parameter_of};
use super::direction_probe::{Probe, ProbeResult};
use super::end_evidence::EndEvidence;
use super::known_paging::Paging;
use super::next_page::{Next, Offer};
use super::page_outcome::{ListEnd, NextStep, NoProgress, PageOutcome, UnprovenEnd};
use super::page_summary::{PageSummary, RecordKey};
use super::token_style::{Parameter, TokenStyle};
use crate::record::IdSet;

/// Empty pages in a row that are followed where each names a next one: lists that are filtered after they were cut into
/// pages have such stretches. A server that names next pages for ever is asked so often in vain.
const MAX_EMPTY_PAGES: u32 = 32;

/// Pages in a row that are read on behind although every record on them was met before: the list shifts while it is
/// walked. Each row that comes in front of the list pushes one that was read onto the next page, so a burst of so many whole
/// pages between two requests is beyond what a living account shows.
const MAX_REPEATED_PAGES: u32 = 8;

/// How the last page was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InFlightRequest {
    Start,
    Url,
    Bare(Parameter),
    /// Under a parameter of which it isn't known whether it moves forward.
    Probe(Parameter),
    /// The list's beginning once more, to see whether the server that failed over a probe answers at all.
    HealthCheck,
}

/// A walk through one list.
#[derive(Debug)]
pub struct Walk {
    seen: IdSet,
    tokens: IdSet,
    asked: InFlightRequest,
    probe: Option<Probe>,
    /// The token of the last request under a known parameter, should the direction come into doubt.
    bare_token: Option<String>,
    pages: u64,
    /// Records on the last page taken.
    last_rows: usize,
    evidence: EndEvidence,
    /// Take nothing for granted about the direction: this walk is to decide whether records are gone.
    rechecks_direction: bool,
    /// The walk was taken up at a stored cursor and no page has come yet.
    resuming: bool,
    /// A page of this very walk came under the parameter in use.
    direction_confirmed: bool,
    /// Empty pages since the last record that was not met before, each of which named a next page that was asked for.
    empty: u32,
    /// Pages of known records since then.
    repeated: u32,
    /// Where the first page's cursor stood, while it is open whether it is the next page's or its own.
    ambiguous_style: Option<TokenStyle>,
    /// What is to be tried again once the health check has answered. One health check a walk.
    probe_after_check: Option<Probe>,
    health_checked: bool,
}

impl Walk {
    /// A walk from the list's beginning.
    pub fn new() -> Walk {
        Walk::asking(InFlightRequest::Start, false)
    }

    /// A walk that goes on at a stored cursor. Only cursors whose direction was known are stored.
    pub fn resume(cursor: &Cursor) -> Walk {
        match cursor {
            Cursor::Start => Walk::new(),
            Cursor::Url(_) => Walk::asking(InFlightRequest::Url, true),
            Cursor::Bare { parameter, token } => {
                let mut walk = Walk::asking(InFlightRequest::Bare(*parameter), true);
                walk.bare_token = Some(token.clone());
                walk.tokens.insert(token);
                walk
            }
        }
    }

    /// The same, but finding out the direction for itself.
    #[must_use]
    pub fn rechecking_direction(self) -> Walk {
        Walk { rechecks_direction: true, ..self }
    }

    fn asking(asked: InFlightRequest, resuming: bool) -> Walk {
        Walk {
            seen: IdSet::default(),
            tokens: IdSet::default(),
            asked,
            probe: None,
            bare_token: None,
            pages: 0,
            last_rows: 0,
            evidence: EndEvidence::new(!resuming),
            rechecks_direction: false,
            resuming,
            direction_confirmed: false,
            empty: 0,
            repeated: 0,
            ambiguous_style: None,
            probe_after_check: None,
            health_checked: false,
        }
    }

    /// Whether the request in hand may be stored as a checkpoint: its direction is no guess.
    pub fn is_resumable(&self) -> bool {
        self.probe.is_none()
    }

    /// A page came.
    pub fn page_arrived(&mut self, paging: &mut Paging, page: PageSummary) -> PageOutcome {
        let outcome = self.assess(paging, page);
        outcome.then(|after| self.check_end(paging, after))
    }

    /// An end is proven only where nothing that the answers said speaks against it (point 3).
    fn check_end(&self, paging: &Paging, after: NextStep) -> NextStep {
        match after {
            NextStep::End(ListEnd::Proven) => {
                NextStep::End(self.doubt(paging).map_or(ListEnd::Proven, ListEnd::Unproven))
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
        self.evidence.doubt(self.seen.len() as u64, knows_style, paging.only_style().is_some())
    }

    fn assess(&mut self, paging: &mut Paging, page: PageSummary) -> PageOutcome {
        let resuming = std::mem::take(&mut self.resuming);
        let result = self.classify(&page);
        match self.asked {
            // A stored cursor that leads nowhere may have lost its record since: it is no proof of an end.
            _ if resuming && result == ProbeResult::Empty && !self.leads_on(paging, &page) => {
                PageOutcome::Skip(NextStep::Restart)
            }
            InFlightRequest::Probe(parameter) => self.probe_answered(paging, parameter, result, page),
            InFlightRequest::HealthCheck => PageOutcome::Skip(self.repeat_probe(paging)),
            _ if result == ProbeResult::Empty => PageOutcome::Skip(self.after_empty(paging, page)),
            // Rows moved while the list was walked; it ends here all the same.
            _ if result == ProbeResult::Repeats && self.is_last(paging, &page) => {
                self.evidence.record(&page.hints);
                PageOutcome::Skip(NextStep::End(ListEnd::Proven))
            }
            InFlightRequest::Bare(parameter)
                if result == ProbeResult::Repeats && self.may_doubt_direction(paging) =>
            {
                PageOutcome::Skip(self.doubt_direction(parameter))
            }
            _ if result == ProbeResult::Repeats => self.repeated_page(paging, page),
            asked => {
                self.direction_confirmed = matches!(asked, InFlightRequest::Bare(_));
                if resuming {
                    // What stands before the cursor was read in another run: the rest of this walk can't tell by
                    // itself what is new, and needs what that run found out.
                    paging.trust_recorded();
                    if let InFlightRequest::Bare(forward) = asked {
                        paging.learn_forward(forward, || "a walk went on from its stored cursor".to_owned());
                    }
                }
                PageOutcome::Accept(self.accept_new(paging, page))
            }
        }
    }

    /// The server refused the cursor.
    pub fn cursor_refused(&mut self, paging: &mut Paging) -> PageOutcome {
        let outcome = match self.asked {
            InFlightRequest::Probe(parameter) => {
                self.probe_answered(paging, parameter, ProbeResult::Refused, PageSummary::nothing())
            }
            _ if self.empty > 0 => PageOutcome::Skip(self.end_after_empty_pages(paging)),
            _ => PageOutcome::Skip(self.token_refused()),
        };
        outcome.then(|after| self.check_end(paging, after))
    }

    /// Whether the request in hand tries something out: whether ids are cursors, or whether a parameter moves forward.
    /// A server that fails over it may simply not expect it: that is for [`Walk::probe_failed`].
    pub fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// Whether the request in hand is the first of a probe, which another walk's result may spare.
    pub fn is_first_probe(&self) -> bool {
        !self.rechecks_direction && self.probe.as_ref().is_some_and(|probe| probe.first.is_none())
    }

    /// What other walks have found out since the probe in hand was planned: what to do instead of it.
    pub fn reconsider(&mut self, paging: &Paging) -> Option<NextStep> {
        if !self.is_first_probe() {
            return None;
        }
        let probe = self.probe.take()?;
        let more_is_said = self.evidence.more_is_said();
        let after = match (probe.is_guess, paging.style(), paging.forward()) {
            (true, Some(style), _) if style != TokenStyle::LastId && !more_is_said => {
                NextStep::End(ListEnd::Proven)
            }
            (true, None, _) if paging.ids_are_no_cursors() && !more_is_said => NextStep::End(ListEnd::Proven),
            (false, _, Some(parameter)) | (true, Some(TokenStyle::LastId), Some(parameter)) => {
                NextStep::Request(self.ask_forward(parameter, probe.token))
            }
            _ => {
                self.probe = Some(probe);
                return None;
            }
        };
        Some(self.check_end(paging, after))
    }

    /// Whether a page says, or is known to show by saying nothing, that no other one follows.
    fn is_last(&self, paging: &Paging, page: &PageSummary) -> bool {
        match &page.offer {
            _ if page.says_last() => true,
            Some(offer) => offer.next == Next::Ended,
            None => paging.style().is_some_and(|style| style != TokenStyle::LastId),
        }
    }

    /// Whether a page names a next one that was not asked for yet.
    fn leads_on(&self, paging: &Paging, page: &PageSummary) -> bool {
        match &page.offer {
            _ if page.says_last() => false,
            Some(Offer { next: Next::Url(next) | Next::Token(next) | Next::Ambiguous(next), .. }) => {
                !self.tokens.contains(next)
            }
            Some(Offer { next: Next::Ended, .. }) => false,
            None => {
                let last = page.keys.last().map(RecordKey::text);
                paging.style() == Some(TokenStyle::LastId) && last.is_some_and(|id| !self.tokens.contains(id))
            }
        }
    }

    /// The server failed over a probe, again and again.
    pub fn probe_failed(&mut self, paging: &mut Paging) -> PageOutcome {
        let outcome = match self.asked {
            InFlightRequest::Probe(parameter) => {
                self.probe_answered(paging, parameter, ProbeResult::Failed, PageSummary::nothing())
            }
            _ => PageOutcome::Skip(NextStep::Fail),
        };
        outcome.then(|after| self.check_end(paging, after))
    }

    fn classify(&self, page: &PageSummary) -> ProbeResult {
        let mut new = IdSet::default();
        let mut repeats = false;
        for key in &page.keys {
            match self.seen.contains(key.text()) {
                true => repeats = true,
                false => drop(new.insert(key.text())),
            }
        }
        match (page.keys.is_empty(), new.len(), repeats) {
            (true, ..) => ProbeResult::Empty,
            (_, 0, _) => ProbeResult::Repeats,
            (_, _, false) => ProbeResult::Fresh,
            (_, new, true) => ProbeResult::Mixed(new),
        }
    }

    /// An empty page is the list's end only where it names no page that was not read yet (point 3).
    fn after_empty(&mut self, paging: &Paging, page: PageSummary) -> NextStep {
        self.evidence.record(&page.hints);
        if !self.leads_on(paging, &page) {
            return NextStep::End(ListEnd::Proven);
        }
        if self.empty >= MAX_EMPTY_PAGES {
            return self.end_after_empty_pages(paging);
        }
        self.empty += 1;
        match page.offer.map(|offer| offer.next) {
            Some(Next::Url(url)) => {
                self.tokens.insert(&url);
                self.asked = InFlightRequest::Url;
                NextStep::Request(Cursor::Url(url))
            }
            Some(Next::Token(token) | Next::Ambiguous(token)) => self.ask_bare(paging, token, None),
            Some(Next::Ended) | None => NextStep::End(ListEnd::Proven),
        }
    }

    /// Empty pages named next ones, and no record followed: no proof, unless the user says how this server names them.
    fn end_after_empty_pages(&self, paging: &Paging) -> NextStep {
        match paging.only_style() {
            Some(_) => NextStep::End(ListEnd::Proven),
            None => NextStep::End(ListEnd::Unproven(UnprovenEnd::EmptyPages)),
        }
    }

    /// A page whose records are all known, behind a direction that is sure: the list shifted while it was walked, if a
    /// page that was not read yet comes next. The records may be newer than those that were met.
    fn repeated_page(&mut self, paging: &mut Paging, page: PageSummary) -> PageOutcome {
        let is_forward = self.direction_confirmed || self.asked == InFlightRequest::Url;
        if is_forward && self.repeated < MAX_REPEATED_PAGES && self.leads_on(paging, &page) {
            self.repeated += 1;
            return PageOutcome::Accept(self.take(paging, page));
        }
        PageOutcome::Skip(if self.empty > 0 {
            self.end_after_empty_pages(paging)
        } else {
            self.nothing_new()
        })
    }

    /// The page is the list's next one, with records that were not met before.
    fn accept_new(&mut self, paging: &mut Paging, page: PageSummary) -> NextStep {
        (self.empty, self.repeated) = (0, 0);
        if let Some(style) = self.ambiguous_style.take() {
            paging.learn_style(style, || "page 1's cursor led to further records".to_owned());
        }
        self.take(paging, page)
    }

    /// The page is the list's next one: remember its records, and see how the list goes on.
    fn take(&mut self, paging: &mut Paging, page: PageSummary) -> NextStep {
        self.pages += 1;
        self.last_rows = page.keys.len();
        self.evidence.record(&page.hints);
        for key in &page.keys {
            self.seen.insert(key.text());
        }
        if page.says_last() {
            return NextStep::End(ListEnd::Proven);
        }
        // A cursor that was asked with is the page's own.
        let is_own_cursor =
            |next: &Next| matches!(next, Next::Ambiguous(token) if self.tokens.contains(token));
        let Some(Offer { style, next }) = page.offer.filter(|offer| !is_own_cursor(&offer.next)) else {
            return self.after_no_token(paging, page.keys);
        };
        match &next {
            Next::Ambiguous(_) if self.pages == 1 => self.ambiguous_style = Some(style),
            // It contradicts itself: nothing is learned from it.
            Next::Ended if self.evidence.more_is_said() => {}
            _ => self.learn_style(paging, style, &next),
        }
        match next {
            Next::Ended => NextStep::End(ListEnd::Proven),
            Next::Url(url) => {
                if !self.tokens.insert(&url) {
                    return NextStep::Stuck(NoProgress::TokenRepeats { page: self.pages });
                }
                if let Some(forward) = parameter_of(&url) {
                    // Followed as given; known for those who ask, and should a bare token come.
                    paging.learn_forward(forward, || {
                        format!("page {}'s link to the next page uses `{forward}`", self.pages)
                    });
                }
                self.asked = InFlightRequest::Url;
                NextStep::Request(Cursor::Url(url))
            }
            Next::Token(token) | Next::Ambiguous(token) => self.ask_bare(paging, token, None),
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

    fn after_no_token(&mut self, paging: &mut Paging, keys: Vec<RecordKey>) -> NextStep {
        let id = |key| match key {
            RecordKey::Id(id) => Some(id),
            RecordKey::Text(_) => None,
        };
        let mut ids = keys.into_iter().rev().filter_map(id);
        // Where it is known that ids lead nowhere, a page whose records have none ends the list as any other does.
        let ids_may_lead_on = match paging.style() {
            Some(style) => style == TokenStyle::LastId,
            None => !paging.ids_are_no_cursors(),
        };
        if !ids_may_lead_on && !self.evidence.more_is_said() {
            return NextStep::End(ListEnd::Proven);
        }
        let (Some(last), other) = (ids.next(), ids.next()) else { return self.nothing_new() };
        match paging.style() {
            Some(TokenStyle::LastId) => self.ask_bare(paging, last, None),
            _ => self.ask_bare(paging, last, Some(other)),
        }
    }

    /// Asks with a bare token. `guess` holds another record's id where the token is a mere guess.
    fn ask_bare(&mut self, paging: &Paging, token: String, guess: Option<Option<String>>) -> NextStep {
        if !self.tokens.insert(&token) {
            return NextStep::Stuck(NoProgress::TokenRepeats { page: self.pages });
        }
        let doubted = self.rechecks_direction && !self.direction_confirmed && !paging.forward_is_set();
        if let Some(parameter) = paging.forward().filter(|_| guess.is_none() && !doubted) {
            return NextStep::Request(self.ask_forward(parameter, token));
        }
        let probe = match guess {
            Some(other_id) => Probe::guess(token, other_id),
            None => Probe::of(token),
        };
        NextStep::Request(self.send_probe(probe, paging.first_guess()))
    }

    fn ask_forward(&mut self, parameter: Parameter, token: String) -> Cursor {
        self.asked = InFlightRequest::Bare(parameter);
        self.bare_token = Some(token.clone());
        Cursor::Bare { parameter, token }
    }

    fn send_probe(&mut self, probe: Probe, parameter: Parameter) -> Cursor {
        let cursor = Cursor::Bare { parameter, token: probe.token.clone() };
        self.probe = Some(probe);
        self.asked = InFlightRequest::Probe(parameter);
        cursor
    }

    /// Whether a page of known records may be the direction's fault: unless that is the user's word, or showed itself in
    /// this very walk.
    fn may_doubt_direction(&self, paging: &Paging) -> bool {
        self.bare_token.is_some() && !paging.forward_is_set() && !self.direction_confirmed
    }

    /// A page under a parameter that moved forward elsewhere brought only known records: the other one is tried before
    /// giving up (point 2).
    fn doubt_direction(&mut self, parameter: Parameter) -> NextStep {
        let Some(token) = self.bare_token.take() else { return self.nothing_new() };
        let first = Some((parameter, ProbeResult::Repeats));
        let probe = Probe { first, ..Probe::of(token) };
        NextStep::Request(self.send_probe(probe, parameter.other()))
    }

    /// The server doesn't take the token. It may have expired (point 6), unless it never was one.
    fn token_refused(&self) -> NextStep {
        self.not_understood().unwrap_or(NextStep::Restart)
    }

    fn nothing_new(&self) -> NextStep {
        let stuck = NextStep::Stuck(NoProgress::NothingNew { page: self.pages + 1 });
        self.not_understood().unwrap_or(stuck)
    }

    /// The first page's cursor leads nowhere: it is something else than the next page's, and where that is can't be told.
    fn not_understood(&self) -> Option<NextStep> {
        let place = self.ambiguous_style.map(|style| match style {
            TokenStyle::Header => "a header with a cursor".to_owned(),
            _ => "a cursor".to_owned(),
        })?;
        Some(NextStep::End(ListEnd::Unproven(UnprovenEnd::NotUnderstood { place })))
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
