//! A walk through a list: which page comes next, and when the list has ended (`api-contract` points 1 to 6). Pure:
//! summaries of pages go in, requests come out. A comment's "point" is one of that document's.

use super::cursor::{Cursor, parameter_of};
use super::direction_probe::{AnswerKind, Probe};
use super::end_evidence::EndEvidence;
use super::known_paging::Paging;
use super::next_page::{Next, Offer};
use super::page_outcome::{ListEnd, NextStep, NoProgress, PageOutcome, UnprovenEnd};
use super::page_summary::{PageSummary, RecordKey};
use super::token_style::{Parameter, TokenStyle};
use crate::record::IdSet;
use PageOutcome::{Accept, Skip};

/// How many empty pages in a row are followed where each names a next page (point 3). A list that is filtered after it was
/// cut into pages has such gaps; a server that names next pages for ever must not keep the walk going (point 4).
const MAX_EMPTY_PAGES: u32 = 32;

/// How many pages of known records in a row are accepted because the list may be shifting (points 4 and 5). Each record
/// inserted at the front pushes a known one onto the next page. No real account inserts this many pages of records between
/// two requests.
const MAX_REPEATED_PAGES: u32 = 8;

/// How the page in hand was requested.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum RequestKind {
    #[default]
    Start,
    Url,
    Bare(Parameter),
    /// A token under a parameter that is not known to move forward.
    Probe(Parameter),
    /// The list's first page again, to see whether a server that failed on a probe answers at all.
    HealthCheck,
}

/// A walk through one list; by default from its beginning.
#[derive(Debug, Default)]
pub struct Walk {
    seen: IdSet,
    tokens: IdSet,
    request: RequestKind,
    probe: Option<Probe>,
    /// The token of the last request under a known parameter, kept in case the direction comes into doubt.
    bare_token: Option<String>,
    pages: u64,
    /// Records on the last accepted page.
    last_rows: usize,
    evidence: EndEvidence,
    /// The direction is found out anew: this walk decides whether records were deleted.
    rechecks_direction: bool,
    /// The walk resumes from a stored cursor, and no page has arrived yet.
    resuming: bool,
    /// The parameter in use has brought a new page in this walk.
    direction_confirmed: bool,
    /// Empty pages since the last new record, each of which named a next page that was requested.
    empty: u32,
    /// Pages of known records since the last new record.
    repeated: u32,
    /// Where the first page's cursor was found, until it is known whether it is the next page's or the page's own.
    ambiguous_style: Option<TokenStyle>,
    /// The probe to repeat after the health check. There is at most one health check in a walk.
    probe_after_check: Option<Probe>,
    health_checked: bool,
}

impl Walk {
    /// A walk that resumes from a stored cursor. Only cursors whose direction was known are stored.
    pub fn resume(cursor: &Cursor) -> Walk {
        match cursor {
            Cursor::Start => Walk::default(),
            Cursor::Url(_) => Walk::resuming_with(RequestKind::Url),
            Cursor::Bare { parameter, token } => {
                let mut walk = Walk::resuming_with(RequestKind::Bare(*parameter));
                walk.bare_token = Some(token.clone());
                walk.tokens.insert(token);
                walk
            }
        }
    }

    /// The same walk, which finds out the direction anew.
    #[must_use]
    pub fn rechecking_direction(self) -> Walk {
        Walk { rechecks_direction: true, ..self }
    }

    fn resuming_with(request: RequestKind) -> Walk {
        let mut walk = Walk { request, resuming: true, ..Walk::default() };
        walk.evidence.is_partial = true;
        walk
    }

    /// A page arrived.
    pub fn page_arrived(&mut self, paging: &mut Paging, page: PageSummary) -> PageOutcome {
        let outcome = self.assess(paging, page);
        outcome.then(|step| self.check_end(paging, step))
    }

    /// An end is proven only if nothing in the answers contradicts it (point 3).
    fn check_end(&self, paging: &Paging, step: NextStep) -> NextStep {
        match step {
            NextStep::PROVEN_END => {
                NextStep::End(self.doubt(paging).map_or(ListEnd::Proven, ListEnd::Unproven))
            }
            step => step,
        }
    }

    /// What in the answers contradicts an end of the list here.
    fn doubt(&self, paging: &Paging) -> Option<UnprovenEnd> {
        let knows_style = match paging.style() {
            // Only a second page shows that ids are cursors: a server may answer an unknown cursor with anything.
            Some(TokenStyle::LastId) => self.pages > 1,
            style => style.is_some(),
        };
        self.evidence.doubt(self.seen.len() as u64, knows_style, paging.only_style().is_some())
    }

    fn assess(&mut self, paging: &mut Paging, page: PageSummary) -> PageOutcome {
        let resuming = std::mem::take(&mut self.resuming);
        let kind = self.classify(&page);
        match self.request {
            // The record behind a stored cursor may have been deleted since: an empty page proves no end (point 6).
            _ if resuming && kind == AnswerKind::Empty && !self.leads_on(paging, &page) => {
                Skip(NextStep::Restart)
            }
            RequestKind::Probe(parameter) => self.probe_answered(paging, parameter, kind, page),
            RequestKind::HealthCheck => Skip(self.repeat_probe(paging)),
            _ if kind == AnswerKind::Empty => Skip(self.after_empty(paging, page)),
            // Records moved while the list was walked (point 5); its end counts nevertheless.
            _ if kind == AnswerKind::Repeats && self.is_last(paging, &page) => {
                self.evidence.record(&page.hints);
                Skip(NextStep::PROVEN_END)
            }
            RequestKind::Bare(parameter)
                if kind == AnswerKind::Repeats && self.may_doubt_direction(paging) =>
            {
                Skip(self.doubt_direction(parameter))
            }
            _ if kind == AnswerKind::Repeats => self.repeated_page(paging, page),
            request => {
                self.direction_confirmed = matches!(request, RequestKind::Bare(_));
                if resuming {
                    // The pages before the cursor were read by an earlier run, so this walk can't tell by itself which
                    // records are new. It relies on what that run found out.
                    paging.trust_recorded();
                    if let RequestKind::Bare(forward) = request {
                        paging.learn_forward(forward, || "a walk went on from its stored cursor".to_owned());
                    }
                }
                Accept(self.accept_new(paging, page))
            }
        }
    }

    /// No page arrived: the server refused the cursor, or failed on every attempt of a probe.
    pub fn no_page(&mut self, paging: &mut Paging, kind: AnswerKind) -> PageOutcome {
        let outcome = match self.request {
            RequestKind::Probe(parameter) => {
                self.probe_answered(paging, parameter, kind, PageSummary::default())
            }
            _ if kind == AnswerKind::Failed => Skip(NextStep::Fail),
            _ if self.empty > 0 => Skip(self.end_after_empty_pages(paging)),
            _ => Skip(self.token_refused()),
        };
        outcome.then(|step| self.check_end(paging, step))
    }

    /// Whether the current request is a probe: of ids as cursors, or of a parameter's direction. A server may fail on one
    /// because it does not expect it; and a walk can't be resumed there.
    pub fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// Whether the page is the last one: by its own word, or because it names no next page where that is known to mean it
    /// (point 3).
    fn is_last(&self, paging: &Paging, page: &PageSummary) -> bool {
        match &page.offer {
            _ if page.says_last() => true,
            Some(offer) => offer.next == Next::Ended,
            None => paging.style().is_some_and(|style| style != TokenStyle::LastId),
        }
    }

    /// Whether the page names a next page that was not requested yet.
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

    fn classify(&self, page: &PageSummary) -> AnswerKind {
        let mut new = IdSet::default();
        let mut repeats = false;
        for key in &page.keys {
            match self.seen.contains(key.text()) {
                true => repeats = true,
                false => drop(new.insert(key.text())),
            }
        }
        match (page.keys.is_empty(), new.len(), repeats) {
            (true, ..) => AnswerKind::Empty,
            (_, 0, _) => AnswerKind::Repeats,
            (_, _, false) => AnswerKind::Fresh,
            (_, new, true) => AnswerKind::Mixed(new),
        }
    }

    /// An empty page is the list's end only if it names no unread page (point 3).
    fn after_empty(&mut self, paging: &mut Paging, page: PageSummary) -> NextStep {
        self.evidence.record(&page.hints);
        if !self.leads_on(paging, &page) {
            return NextStep::PROVEN_END;
        }
        if self.empty >= MAX_EMPTY_PAGES {
            return self.end_after_empty_pages(paging);
        }
        self.empty += 1;
        page.offer.map_or(NextStep::PROVEN_END, |offer| self.follow(paging, offer.next))
    }

    /// Empty pages named further pages, and no record followed. That proves no end (point 3), unless the user has set how
    /// this server names the next page.
    fn end_after_empty_pages(&self, paging: &Paging) -> NextStep {
        match paging.only_style() {
            Some(_) => NextStep::PROVEN_END,
            None => NextStep::unproven_end(UnprovenEnd::EmptyPages),
        }
    }

    /// A page of known records in a known direction. If it names an unread page, the list shifted while it was walked (points
    /// 4 and 5); the records are accepted, as they may be newer versions.
    fn repeated_page(&mut self, paging: &mut Paging, page: PageSummary) -> PageOutcome {
        let is_forward = self.direction_confirmed || self.request == RequestKind::Url;
        if is_forward && self.repeated < MAX_REPEATED_PAGES && self.leads_on(paging, &page) {
            self.repeated += 1;
            return Accept(self.take(paging, page));
        }
        Skip(if self.empty > 0 { self.end_after_empty_pages(paging) } else { self.nothing_new() })
    }

    /// The page is the list's next one and has new records.
    fn accept_new(&mut self, paging: &mut Paging, page: PageSummary) -> NextStep {
        (self.empty, self.repeated) = (0, 0);
        if let Some(style) = self.ambiguous_style.take() {
            paging.learn_style(style, || "page 1's cursor led to further records".to_owned());
        }
        self.take(paging, page)
    }

    /// The page is the list's next one: remembers its records and decides how the list goes on.
    fn take(&mut self, paging: &mut Paging, page: PageSummary) -> NextStep {
        self.pages += 1;
        self.last_rows = page.keys.len();
        self.evidence.record(&page.hints);
        for key in &page.keys {
            self.seen.insert(key.text());
        }
        if page.says_last() {
            return NextStep::PROVEN_END;
        }
        // A cursor of open meaning that equals the request's own token is the page's own (point 1).
        let is_own_cursor =
            |next: &Next| matches!(next, Next::Ambiguous(token) if self.tokens.contains(token));
        let Some(Offer { style, next }) = page.offer.filter(|offer| !is_own_cursor(&offer.next)) else {
            return self.after_no_token(paging, page.keys);
        };
        match &next {
            Next::Ambiguous(_) if self.pages == 1 => self.ambiguous_style = Some(style),
            // An answer that contradicts itself teaches nothing (point 3).
            Next::Ended if self.evidence.says_more() => {}
            _ => self.learn_style(paging, style, &next),
        }
        self.follow(paging, next)
    }

    /// Requests the page that an answer names as the next one.
    fn follow(&mut self, paging: &mut Paging, next: Next) -> NextStep {
        match next {
            Next::Ended => NextStep::PROVEN_END,
            Next::Url(url) => {
                if !self.tokens.insert(&url) {
                    return NextStep::Stuck(NoProgress::TokenRepeats { page: self.pages });
                }
                if let Some(forward) = parameter_of(&url) {
                    // The URL is followed as given (point 2). Its parameter is noted for reports and later bare tokens.
                    paging.learn_forward(forward, || {
                        format!("page {}'s link to the next page uses `{forward}`", self.pages)
                    });
                }
                self.request = RequestKind::Url;
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

    /// The page names no next page: the id of its last record may be the cursor (point 1 d).
    fn after_no_token(&mut self, paging: &mut Paging, keys: Vec<RecordKey>) -> NextStep {
        let id = |key| match key {
            RecordKey::Id(id) => Some(id),
            RecordKey::Text(_) => None,
        };
        let mut ids = keys.into_iter().rev().filter_map(id);
        // Where ids are known not to be cursors, a page without a token is the last one (point 3).
        let ids_may_lead_on = match paging.style() {
            Some(style) => style == TokenStyle::LastId,
            None => !paging.ids_are_no_cursors(),
        };
        if !ids_may_lead_on && !self.evidence.says_more() {
            return NextStep::PROVEN_END;
        }
        let (Some(last), other) = (ids.next(), ids.next()) else { return self.nothing_new() };
        match paging.style() {
            Some(TokenStyle::LastId) => self.ask_bare(paging, last, None),
            _ => self.ask_bare(paging, last, Some(other)),
        }
    }

    /// Requests the page of a bare token (point 2). `guess` is `Some` if the token is an id that may not be a cursor; it
    /// holds another record's id for a second attempt.
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

    /// The server refuses the token: it has expired (point 6), unless it never was a page token.
    fn token_refused(&self) -> NextStep {
        self.not_understood().unwrap_or(NextStep::Restart)
    }

    fn nothing_new(&self) -> NextStep {
        let stuck = NextStep::Stuck(NoProgress::NothingNew { page: self.pages + 1 });
        self.not_understood().unwrap_or(stuck)
    }

    /// The first page's cursor led nowhere, so it was not the next page's; how the next page is named is unknown (point 1).
    fn not_understood(&self) -> Option<NextStep> {
        let place = self.ambiguous_style.map(|style| match style {
            TokenStyle::Header => "a header with a cursor".to_owned(),
            _ => "a cursor".to_owned(),
        })?;
        Some(NextStep::unproven_end(UnprovenEnd::NotUnderstood { place }))
    }
}

mod probes;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod end_tests;
