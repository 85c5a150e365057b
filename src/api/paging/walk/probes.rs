//! The walk's probes: what it does about their answers.

use super::super::cursor::Cursor;
use super::super::direction_probe::{Probe, ProbeConclusion, ProbeContext, ProbeResult, conclude};
use super::super::known_paging::Paging;
use super::super::page_outcome::{ListEnd, NextStep, PageOutcome, UnprovenEnd};
use super::super::page_summary::PageSummary;
use super::super::token_style::{Parameter, TokenStyle};
use super::{InFlightRequest, Walk};

impl Walk {
    /// An answer to the probe in hand came.
    pub(super) fn probe_answered(
        &mut self,
        paging: &mut Paging,
        parameter: Parameter,
        result: ProbeResult,
        page: PageSummary,
    ) -> PageOutcome {
        let Some(mut probe) = self.probe.take() else {
            return PageOutcome::Skip(self.nothing_new());
        };
        let names_next = result == ProbeResult::Empty && self.leads_on(paging, &page);
        if result == ProbeResult::Empty && !probe.is_guess {
            self.evidence.record(&page.hints);
        }
        let Some((first, first_result)) = probe.first else {
            return match result {
                ProbeResult::Fresh => {
                    PageOutcome::Accept(self.direction_found(paging, parameter, probe.is_guess, page))
                }
                _ => {
                    let may_be_next = matches!(result, ProbeResult::Mixed(_));
                    probe.first = Some((parameter, result));
                    probe.held_page = (may_be_next || names_next).then_some(page);
                    let cursor = self.send_probe(probe, parameter.other());
                    if may_be_next {
                        PageOutcome::Hold(cursor)
                    } else {
                        PageOutcome::Skip(NextStep::Request(cursor))
                    }
                }
            };
        };
        match (probe.held_page.take(), first_result.new_records(), result.new_records()) {
            (Some(held), before @ 1.., now) if before >= now => {
                PageOutcome::AcceptHeld(self.direction_found(paging, first, probe.is_guess, held))
            }
            (_, _, 1..) => PageOutcome::Accept(self.direction_found(paging, parameter, probe.is_guess, page)),
            // Neither brought a record, but an empty page names a next one.
            (Some(empty), ..) => PageOutcome::Skip(self.after_empty(paging, empty)),
            _ if names_next => PageOutcome::Skip(self.after_empty(paging, page)),
            _ => PageOutcome::Skip(self.conclude(paging, probe, (first, first_result), (parameter, result))),
        }
    }

    /// Both parameters were tried and neither brought anything new.
    fn conclude(
        &mut self,
        paging: &mut Paging,
        probe: Probe,
        first: (Parameter, ProbeResult),
        second: (Parameter, ProbeResult),
    ) -> NextStep {
        let context = ProbeContext {
            is_guess: probe.is_guess,
            last_rows: self.last_rows,
            sibling_carries_tokens: paging.sibling_carries_tokens(),
        };
        let conclusion = conclude(first, second, context);
        let result = [first.1, second.1];
        let may_be_an_outage = result.contains(&ProbeResult::Failed)
            && matches!(conclusion, ProbeConclusion::IdsRefused | ProbeConclusion::End);
        if may_be_an_outage && !self.health_checked {
            return self.check_health(probe);
        }
        match (conclusion, probe.other_id) {
            (ProbeConclusion::Fail, _) => NextStep::Fail,
            // Where no record was met since, neither way shows which one is forward.
            _ if self.empty > 0 && result.contains(&ProbeResult::Empty) => NextStep::End(ListEnd::Proven),
            _ if self.empty > 0 => self.end_after_empty_pages(paging),
            // From the last record but one the last one comes again: which way that was can't be told.
            (ProbeConclusion::EndShows(_), _) if probe.is_second_guess => NextStep::End(ListEnd::Proven),
            // Nothing is learned from an end that is in doubt.
            (ProbeConclusion::EndShows(_), _) if probe.is_guess && self.doubt(paging).is_some() => {
                NextStep::End(ListEnd::Proven)
            }
            // A page's own cursor leads to that page, and back to nothing.
            (ProbeConclusion::EndShows(forward), _) if self.ambiguous_style.is_some() => match forward {
                Parameter::Next => NextStep::End(ListEnd::Proven),
                Parameter::Prev => self.nothing_new(),
            },
            (ProbeConclusion::EndShows(forward), _) => {
                self.end_shows_direction(paging, probe.is_guess, forward)
            }
            (ProbeConclusion::IdsRefused | ProbeConclusion::CursorUnknown, Some(token)) => {
                NextStep::Request(self.send_probe(Probe::second_guess(token), first.0))
            }
            _ if probe.is_guess && self.evidence.more_is_said() => {
                NextStep::End(ListEnd::Unproven(UnprovenEnd::MoreIsSaid))
            }
            (ProbeConclusion::IdsRefused | ProbeConclusion::IdsIgnored, _) => {
                paging.learn_ids_refused();
                NextStep::End(ListEnd::Proven)
            }
            (ProbeConclusion::End | ProbeConclusion::CursorUnknown, _) => NextStep::End(ListEnd::Proven),
            (ProbeConclusion::EndUnproven, _) => {
                NextStep::End(ListEnd::Unproven(UnprovenEnd::CursorsIgnored))
            }
            (ProbeConclusion::TokenRefused, _) => self.token_refused(),
            (ProbeConclusion::NothingNew, _) => self.nothing_new(),
        }
    }

    /// A server that fails over a probe may fail over everything just now: that would be no end of the list. Whether it
    /// answers at all shows at the list's beginning; then the probe is repeated.
    fn check_health(&mut self, probe: Probe) -> NextStep {
        self.health_checked = true;
        self.asked = InFlightRequest::HealthCheck;
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
            None => NextStep::End(ListEnd::Proven),
        }
    }

    /// One parameter leads to nothing, the other back to what was read: the first one moves forward, and the list
    /// ends here.
    fn end_shows_direction(&self, paging: &mut Paging, is_guess: bool, forward: Parameter) -> NextStep {
        if is_guess {
            paging.learn_style(TokenStyle::LastId, || {
                "no answer carried a token; the id of a page's last record works as a cursor".to_owned()
            });
        }
        paging.learn_forward(forward, || {
            format!("after the last page `{forward}` brought an empty page, `{}` did not", forward.other())
        });
        NextStep::End(ListEnd::Proven)
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
