//! How a walk deals with the answers to its probes (`api-contract` points 1 d and 2).

use super::super::cursor::Cursor;
use super::super::direction_probe::{
    AnswerKind, Probe, ProbeConclusion as Conclusion, ProbeContext, conclude,
};
use super::super::known_paging::Paging;
use super::super::page_outcome::{NextStep, PageOutcome, UnprovenEnd};
use super::super::page_summary::PageSummary;
use super::super::token_style::{Parameter, TokenStyle};
use super::{RequestKind, Walk};
use PageOutcome::{Accept, AcceptHeld, Hold, Skip};

impl Walk {
    pub(super) fn ask_forward(&mut self, parameter: Parameter, token: String) -> Cursor {
        self.request = RequestKind::Bare(parameter);
        self.bare_token = Some(token.clone());
        Cursor::Bare { parameter, token }
    }

    pub(super) fn send_probe(&mut self, probe: Probe, parameter: Parameter) -> Cursor {
        let cursor = Cursor::Bare { parameter, token: probe.token.clone() };
        self.probe = Some(probe);
        self.request = RequestKind::Probe(parameter);
        cursor
    }

    /// Whether a page of known records may mean a wrong direction: not if the user has set it, or this walk has confirmed
    /// it.
    pub(super) fn may_doubt_direction(&self, paging: &Paging) -> bool {
        self.bare_token.is_some() && !paging.forward_is_set() && !self.direction_confirmed
    }

    /// A parameter that moved forward in another walk brought only known records: the other one is tried before giving up
    /// (point 2).
    pub(super) fn doubt_direction(&mut self, parameter: Parameter) -> NextStep {
        let Some(token) = self.bare_token.take() else { return self.nothing_new() };
        let first = Some((parameter, AnswerKind::Repeats));
        let probe = Probe { first, ..Probe::of(token) };
        NextStep::Request(self.send_probe(probe, parameter.other()))
    }

    /// An answer to the current probe arrived.
    pub(super) fn probe_answered(
        &mut self,
        paging: &mut Paging,
        parameter: Parameter,
        kind: AnswerKind,
        page: PageSummary,
    ) -> PageOutcome {
        let Some(mut probe) = self.probe.take() else {
            return Skip(self.nothing_new());
        };
        let names_next = kind == AnswerKind::Empty && self.leads_on(paging, &page);
        if kind == AnswerKind::Empty && !probe.is_guess {
            self.evidence.record(&page.hints);
        }
        let Some((first, first_kind)) = probe.first else {
            return match kind {
                AnswerKind::Fresh => Accept(self.direction_found(paging, parameter, probe.is_guess, page)),
                _ => {
                    let may_be_next = matches!(kind, AnswerKind::Mixed(_));
                    probe.first = Some((parameter, kind));
                    probe.held_page = (may_be_next || names_next).then_some(page);
                    let cursor = self.send_probe(probe, parameter.other());
                    if may_be_next { Hold(cursor) } else { Skip(NextStep::Request(cursor)) }
                }
            };
        };
        match (probe.held_page.take(), first_kind.new_records(), kind.new_records()) {
            (Some(held), before @ 1.., now) if before >= now => {
                AcceptHeld(self.direction_found(paging, first, probe.is_guess, held))
            }
            (_, _, 1..) => Accept(self.direction_found(paging, parameter, probe.is_guess, page)),
            // Neither request brought a record, but an empty page names a next page (point 3).
            (Some(empty), ..) => Skip(self.after_empty(paging, empty)),
            _ if names_next => Skip(self.after_empty(paging, page)),
            _ => Skip(self.conclude(paging, probe, (first, first_kind), (parameter, kind))),
        }
    }

    /// Neither parameter brought anything new.
    fn conclude(
        &mut self,
        paging: &mut Paging,
        probe: Probe,
        first: (Parameter, AnswerKind),
        second: (Parameter, AnswerKind),
    ) -> NextStep {
        let context = ProbeContext {
            is_guess: probe.is_guess,
            last_rows: self.last_rows,
            sibling_carries_tokens: paging.sibling_carries_tokens(),
        };
        let conclusion = conclude(first, second, context);
        let results = [first.1, second.1];
        let may_be_an_outage = results.contains(&AnswerKind::Failed)
            && matches!(conclusion, Conclusion::IdsRefused | Conclusion::End);
        if may_be_an_outage && !self.health_checked {
            return self.check_health(probe);
        }
        match (conclusion, probe.other_id) {
            (Conclusion::Fail, _) => NextStep::Fail,
            // Only empty pages since the last record: the probe shows nothing about the direction.
            _ if self.empty > 0 && results.contains(&AnswerKind::Empty) => NextStep::PROVEN_END,
            _ if self.empty > 0 => self.end_after_empty_pages(paging),
            // After the second-last record the last one repeats in either direction, so nothing is learned (point 2).
            (Conclusion::EndShows(_), _) if probe.is_second_guess => NextStep::PROVEN_END,
            // An end in doubt teaches nothing about the direction (point 3).
            (Conclusion::EndShows(_), _) if probe.is_guess && self.doubt(paging).is_some() => {
                NextStep::PROVEN_END
            }
            // A page's own cursor leads forward to that page, and backward to nothing (point 1: a cursor of open meaning).
            (Conclusion::EndShows(forward), _) if self.ambiguous_style.is_some() => match forward {
                Parameter::Next => NextStep::PROVEN_END,
                Parameter::Prev => self.nothing_new(),
            },
            (Conclusion::EndShows(forward), _) => self.end_shows_direction(paging, probe.is_guess, forward),
            (Conclusion::IdsRefused | Conclusion::CursorUnknown, Some(token)) => {
                NextStep::Request(self.send_probe(Probe::second_guess(token), first.0))
            }
            _ if probe.is_guess && self.evidence.says_more() => {
                NextStep::unproven_end(UnprovenEnd::MoreIsSaid)
            }
            (Conclusion::IdsRefused | Conclusion::IdsIgnored, _) => {
                paging.learn_ids_refused();
                NextStep::PROVEN_END
            }
            (Conclusion::End | Conclusion::CursorUnknown, _) => NextStep::PROVEN_END,
            (Conclusion::EndUnproven, _) => NextStep::unproven_end(UnprovenEnd::CursorsIgnored),
            (Conclusion::TokenRefused, _) => self.token_refused(),
            (Conclusion::NothingNew, _) => self.nothing_new(),
        }
    }

    /// A server that fails on a probe may fail on every request just now, which would not be the list's end (points 3 and
    /// 7). The list's first page is asked for again to see whether it answers at all; then the probe is repeated.
    fn check_health(&mut self, probe: Probe) -> NextStep {
        self.health_checked = true;
        self.request = RequestKind::HealthCheck;
        self.probe_after_check = Some(match (probe.is_guess, probe.other_id) {
            (true, Some(token)) => Probe::second_guess(token),
            (true, None) => Probe::guess(probe.token, None),
            (false, _) => Probe::of(probe.token),
        });
        NextStep::Request(Cursor::Start)
    }

    pub(super) fn repeat_probe(&mut self, paging: &Paging) -> NextStep {
        match self.probe_after_check.take() {
            Some(probe) => NextStep::Request(self.send_probe(probe, paging.first_guess())),
            None => NextStep::PROVEN_END,
        }
    }

    /// One parameter led to an empty page, the other back to known records: the first one moves forward, and the list ends
    /// here (point 2).
    fn end_shows_direction(&self, paging: &mut Paging, is_guess: bool, forward: Parameter) -> NextStep {
        if is_guess {
            paging.learn_style(TokenStyle::LastId, || {
                "no answer carried a token; the id of a page's last record works as a cursor".to_owned()
            });
        }
        paging.learn_forward(forward, || {
            format!("after the last page `{forward}` brought an empty page, `{}` did not", forward.other())
        });
        NextStep::PROVEN_END
    }

    fn direction_found(
        &mut self,
        paging: &mut Paging,
        forward: Parameter,
        is_guess: bool,
        page: PageSummary,
    ) -> NextStep {
        let rows = page.keys.len();
        if is_guess {
            paging.learn_style(TokenStyle::LastId, || {
                format!("page 1 carried no token; with its last record's id as a cursor came {rows} further records")
            });
        }
        let page_number = self.pages + 1;
        paging.learn_forward(forward, || {
            format!("`{forward}` brought page {page_number} with {rows} records not read before")
        });
        self.direction_confirmed = true;
        self.accept_new(paging, page)
    }
}
