//! A walk through a list: which page comes next, and when the list has ended (`api-contract` points 1 to 6). Pure:
//! pages go in as facts, requests come out.

use super::behaviour::Paging;
use super::cursor::{Cursor, parameter_of};
use super::facts::{Mark, PageFacts};
use super::token::{Next, Offer, Parameter, TokenStyle};
use super::trial::{Circumstances, Conclusion, Trial, Tried, conclude};
use super::verdict::{After, NoProgress, Verdict};
use crate::record::IdSet;

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
    /// The last page taken says that there is more.
    more_is_said: bool,
    /// Take nothing for granted about the direction: this walk is to decide whether records are gone.
    is_second_look: bool,
    /// The walk was taken up at a stored cursor and no page has come yet.
    resuming: bool,
    /// A page of this very walk came under the parameter in use.
    borne_out: bool,
    /// The last page was an empty one that named a next page, which was asked for.
    past_empty: bool,
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
                Walk { bare_token: Some(token.clone()), ..Walk::asking(Asked::Bare(*parameter), true) }
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
            more_is_said: false,
            is_second_look: false,
            resuming,
            borne_out: false,
            past_empty: false,
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
        let resuming = std::mem::take(&mut self.resuming);
        let tried = self.classify(&page);
        match self.asked {
            // A stored cursor that leads nowhere may have lost its record since: it is no proof of an end.
            _ if resuming && tried == Tried::Empty => Verdict::PassOver(After::Restart),
            Asked::Trial(parameter) => self.trial_arrived(paging, parameter, tried, page),
            Asked::Witness => Verdict::PassOver(self.try_again(paging)),
            _ if tried == Tried::Empty => Verdict::PassOver(self.after_empty(paging, page.offer)),
            // The empty page was the end, whatever it named.
            _ if tried == Tried::Repeats && self.past_empty => Verdict::PassOver(After::End),
            // Rows moved while the list was walked; it ends here all the same.
            _ if tried == Tried::Repeats && self.is_last(paging, &page) => Verdict::PassOver(After::End),
            Asked::Bare(parameter) if tried == Tried::Repeats => {
                Verdict::PassOver(self.doubt_direction(paging, parameter))
            }
            _ if tried == Tried::Repeats => Verdict::PassOver(self.nothing_new()),
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
                Verdict::Take(self.take(paging, page))
            }
        }
    }

    /// The server refused the cursor with a 4xx.
    pub fn cursor_refused(&mut self, paging: &mut Paging) -> Verdict {
        match self.asked {
            Asked::Trial(parameter) => {
                self.trial_arrived(paging, parameter, Tried::Refused, PageFacts::nothing())
            }
            _ if self.past_empty => Verdict::PassOver(After::End),
            _ => Verdict::PassOver(After::Restart),
        }
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
        match (trial.is_guess, paging.style(), paging.forward()) {
            (true, Some(style), _) if style != TokenStyle::LastId && !self.more_is_said => Some(After::End),
            (true, None, _) if paging.ids_are_no_cursors() && !self.more_is_said => Some(After::End),
            (false, _, Some(parameter)) | (true, Some(TokenStyle::LastId), Some(parameter)) => {
                Some(After::Ask(self.ask_forward(parameter, trial.token)))
            }
            _ => {
                self.trial = Some(trial);
                None
            }
        }
    }

    /// Whether a page says, or is known to show by saying nothing, that no other one follows.
    fn is_last(&self, paging: &Paging, page: &PageFacts) -> bool {
        match &page.offer {
            Some(offer) => offer.next == Next::Ended,
            None => paging.style().is_some_and(|style| style != TokenStyle::LastId),
        }
    }

    /// The server failed over a trial, again and again.
    pub fn trial_failed(&mut self, paging: &mut Paging) -> Verdict {
        match self.asked {
            Asked::Trial(parameter) => {
                self.trial_arrived(paging, parameter, Tried::Failed, PageFacts::nothing())
            }
            _ => Verdict::PassOver(After::Fail),
        }
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

    fn trial_arrived(
        &mut self,
        paging: &mut Paging,
        parameter: Parameter,
        tried: Tried,
        page: PageFacts,
    ) -> Verdict {
        let Some(mut trial) = self.trial.take() else {
            return Verdict::PassOver(self.nothing_new());
        };
        let Some((first, first_tried)) = trial.first else {
            return match tried {
                Tried::Fresh => Verdict::Take(self.direction_found(paging, parameter, trial.is_guess, page)),
                _ => {
                    let may_be_next = matches!(tried, Tried::Mixed(_));
                    trial.first = Some((parameter, tried));
                    trial.set_aside = may_be_next.then_some(page);
                    let cursor = self.ask_on_trial(trial, parameter.other());
                    if may_be_next {
                        Verdict::SetAside(cursor)
                    } else {
                        Verdict::PassOver(After::Ask(cursor))
                    }
                }
            };
        };
        match (trial.set_aside.take(), first_tried.new_records(), tried.new_records()) {
            (Some(aside), before, now) if before >= now => {
                Verdict::TakeSetAside(self.direction_found(paging, first, trial.is_guess, aside))
            }
            (_, _, 1..) => Verdict::Take(self.direction_found(paging, parameter, trial.is_guess, page)),
            _ => Verdict::PassOver(self.conclude(paging, trial, (first, first_tried), (parameter, tried))),
        }
    }

    /// Both parameters were tried and neither brought anything new.
    fn conclude(
        &mut self,
        paging: &mut Paging,
        trial: Trial,
        first: (Parameter, Tried),
        second: (Parameter, Tried),
    ) -> After {
        let circumstances = Circumstances {
            is_guess: trial.is_guess,
            last_rows: self.last_rows,
            sibling_carries_tokens: paging.sibling_carries_tokens(),
        };
        let concluded = conclude(first, second, circumstances);
        let may_be_an_outage = [first.1, second.1].contains(&Tried::Failed)
            && matches!(concluded, Conclusion::IdsRefused | Conclusion::End);
        if may_be_an_outage && !self.witnessed {
            return self.call_witness(trial);
        }
        match (concluded, trial.other_id) {
            (Conclusion::TokenRefused | Conclusion::NothingNew | Conclusion::CursorUnknown, _)
                if self.past_empty =>
            {
                After::End
            }
            // From the last record but one the last one comes again: which way that was can't be told.
            (Conclusion::EndShows(_), _) if trial.is_second_guess => After::End,
            (Conclusion::EndShows(forward), _) => self.end_shows_direction(paging, trial.is_guess, forward),
            (Conclusion::IdsRefused | Conclusion::CursorUnknown, Some(token)) => {
                After::Ask(self.ask_on_trial(Trial::second_guess(token), first.0))
            }
            _ if self.more_is_said => After::Stuck(NoProgress::TokenNotFound { page: self.pages }),
            (Conclusion::IdsRefused | Conclusion::IdsIgnored, _) => {
                paging.learn_ids_refused();
                After::End
            }
            (Conclusion::End | Conclusion::CursorUnknown, _) => After::End,
            (Conclusion::EndUnproven, _) => After::EndUnproven,
            (Conclusion::TokenRefused, _) => After::Restart,
            (Conclusion::Fail, _) => After::Fail,
            (Conclusion::NothingNew, _) => self.nothing_new(),
        }
    }

    /// A server that fails over a trial may fail over everything just now: that would be no end of the list. Whether it
    /// answers at all shows at the list's beginning; then the trial is repeated.
    fn call_witness(&mut self, trial: Trial) -> After {
        self.witnessed = true;
        self.asked = Asked::Witness;
        self.retrial = Some(match (trial.is_guess, trial.other_id) {
            (true, Some(token)) => Trial::second_guess(token),
            (true, None) => Trial::guess(trial.token, None),
            (false, _) => Trial::of(trial.token),
        });
        After::Ask(Cursor::Start)
    }

    fn try_again(&mut self, paging: &Paging) -> After {
        match self.retrial.take() {
            Some(trial) => After::Ask(self.ask_on_trial(trial, paging.first_guess())),
            None => After::End,
        }
    }

    /// An empty page is the list's end (point 3). Where it names a page that was not read yet, that one is asked for
    /// all the same: it costs one request, and a list whose pages are filtered loses nothing. Only once: two empty
    /// pages in a row are the end.
    fn after_empty(&mut self, paging: &Paging, offer: Option<Offer>) -> After {
        if std::mem::replace(&mut self.past_empty, true) {
            return After::End;
        }
        match offer.map(|offer| offer.next) {
            Some(Next::Url(url)) if self.tokens.insert(&url) => {
                self.asked = Asked::Url;
                After::Ask(Cursor::Url(url))
            }
            Some(Next::Token(token)) if self.tokens.insert(&token) => match paging.forward() {
                Some(parameter) => After::Ask(self.ask_forward(parameter, token)),
                None => After::Ask(self.ask_on_trial(Trial::of(token), paging.first_guess())),
            },
            _ => After::End,
        }
    }

    /// One parameter leads to nothing, the other back to what was read: the first one moves forward, and the list
    /// ends here.
    fn end_shows_direction(&self, paging: &mut Paging, is_guess: bool, forward: Parameter) -> After {
        if is_guess {
            paging.learn_style(TokenStyle::LastId, || {
                "no answer carried a token; the id of a page's last record works as a cursor".to_owned()
            });
        }
        paging.learn_forward(forward, || {
            format!("after the last page `{forward}` brought an empty page, `{}` did not", forward.other())
        });
        After::End
    }

    fn direction_found(
        &mut self,
        paging: &mut Paging,
        forward: Parameter,
        is_guess: bool,
        page: PageFacts,
    ) -> After {
        let rows = page.marks.len();
        if is_guess {
            paging.learn_style(TokenStyle::LastId, || {
                format!("page 1 carried no token; with its last record's id as a cursor came {rows} further records")
            });
        }
        let page_number = self.pages + 1;
        paging.learn_forward(forward, || {
            format!("`{forward}` brought page {page_number} with {rows} records not read before")
        });
        self.borne_out = true;
        self.take(paging, page)
    }

    /// The page is the list's next one: remember its records, and see how the list goes on.
    fn take(&mut self, paging: &mut Paging, page: PageFacts) -> After {
        self.pages += 1;
        self.past_empty = false;
        self.last_rows = page.marks.len();
        self.more_is_said = page.says_more;
        for mark in &page.marks {
            self.seen.insert(mark.text());
        }
        let Some(Offer { style, next }) = page.offer else {
            return self.after_no_token(paging, page.marks);
        };
        paging.learn_style(style, || match (style, &next) {
            (TokenStyle::Link, _) => format!("page {} carried a Link header with rel=\"next\"", self.pages),
            (TokenStyle::Header, _) => format!("page {} carried a cursor in a header", self.pages),
            (_, Next::Ended) => format!("page {} carried an empty token in its envelope", self.pages),
            _ => format!("page {} carried the next page's token in its envelope", self.pages),
        });
        match next {
            Next::Ended => After::End,
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
            Next::Token(token) => self.ask_bare(paging, token, None),
        }
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
        if !ids_may_lead_on && !self.more_is_said {
            return After::End;
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

    /// A page under a parameter that moved forward elsewhere brought only known records. Unless the direction is the
    /// user's word, or showed itself in this very walk, the other parameter is tried before giving up (point 2).
    fn doubt_direction(&mut self, paging: &Paging, parameter: Parameter) -> After {
        match self.bare_token.take() {
            Some(token) if !paging.forward_is_set() && !self.borne_out => {
                let first = Some((parameter, Tried::Repeats));
                let trial = Trial { first, ..Trial::of(token) };
                After::Ask(self.ask_on_trial(trial, parameter.other()))
            }
            _ => self.nothing_new(),
        }
    }

    fn nothing_new(&self) -> After {
        After::Stuck(NoProgress::NothingNew { page: self.pages + 1 })
    }
}

impl Default for Walk {
    fn default() -> Self {
        Walk::new()
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "walk_end_tests.rs"]
mod end_tests;
