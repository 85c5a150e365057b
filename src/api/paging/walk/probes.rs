//! The walk's trials: what it does about their answers.

use super::super::cursor::Cursor;
use super::super::direction_probe::{Circumstances, Conclusion, Trial, Tried, conclude};
use super::super::known_paging::Paging;
use super::super::page_outcome::{After, ListEnd, UnprovenEnd, Verdict};
use super::super::page_summary::PageFacts;
use super::super::token_style::{Parameter, TokenStyle};
use super::{Asked, Walk};

impl Walk {
    /// An answer to the trial in hand came.
    pub(super) fn trial_arrived(
        &mut self,
        paging: &mut Paging,
        parameter: Parameter,
        tried: Tried,
        page: PageFacts,
    ) -> Verdict {
        let Some(mut trial) = self.trial.take() else {
            return Verdict::PassOver(self.nothing_new());
        };
        let names_next = tried == Tried::Empty && self.leads_on(paging, &page);
        if tried == Tried::Empty && !trial.is_guess {
            self.heard.hear(&page.said);
        }
        let Some((first, first_tried)) = trial.first else {
            return match tried {
                Tried::Fresh => Verdict::Take(self.direction_found(paging, parameter, trial.is_guess, page)),
                _ => {
                    let may_be_next = matches!(tried, Tried::Mixed(_));
                    trial.first = Some((parameter, tried));
                    trial.set_aside = (may_be_next || names_next).then_some(page);
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
            (Some(aside), before @ 1.., now) if before >= now => {
                Verdict::TakeSetAside(self.direction_found(paging, first, trial.is_guess, aside))
            }
            (_, _, 1..) => Verdict::Take(self.direction_found(paging, parameter, trial.is_guess, page)),
            // Neither brought a record, but an empty page names a next one.
            (Some(empty), ..) => Verdict::PassOver(self.after_empty(paging, empty)),
            _ if names_next => Verdict::PassOver(self.after_empty(paging, page)),
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
        let tried = [first.1, second.1];
        let may_be_an_outage =
            tried.contains(&Tried::Failed) && matches!(concluded, Conclusion::IdsRefused | Conclusion::End);
        if may_be_an_outage && !self.witnessed {
            return self.call_witness(trial);
        }
        match (concluded, trial.other_id) {
            (Conclusion::Fail, _) => After::Fail,
            // Where no record was met since, neither way shows which one is forward.
            _ if self.empty > 0 && tried.contains(&Tried::Empty) => After::End(ListEnd::Proven),
            _ if self.empty > 0 => self.behind_empty(paging),
            // From the last record but one the last one comes again: which way that was can't be told.
            (Conclusion::EndShows(_), _) if trial.is_second_guess => After::End(ListEnd::Proven),
            // Nothing is learned from an end that is in doubt.
            (Conclusion::EndShows(_), _) if trial.is_guess && self.doubt(paging).is_some() => {
                After::End(ListEnd::Proven)
            }
            // A page's own cursor leads to that page, and back to nothing.
            (Conclusion::EndShows(forward), _) if self.doubtful.is_some() => match forward {
                Parameter::Next => After::End(ListEnd::Proven),
                Parameter::Prev => self.nothing_new(),
            },
            (Conclusion::EndShows(forward), _) => self.end_shows_direction(paging, trial.is_guess, forward),
            (Conclusion::IdsRefused | Conclusion::CursorUnknown, Some(token)) => {
                After::Ask(self.ask_on_trial(Trial::second_guess(token), first.0))
            }
            _ if trial.is_guess && self.heard.more_is_said() => {
                After::End(ListEnd::Unproven(UnprovenEnd::MoreIsSaid))
            }
            (Conclusion::IdsRefused | Conclusion::IdsIgnored, _) => {
                paging.learn_ids_refused();
                After::End(ListEnd::Proven)
            }
            (Conclusion::End | Conclusion::CursorUnknown, _) => After::End(ListEnd::Proven),
            (Conclusion::EndUnproven, _) => After::End(ListEnd::Unproven(UnprovenEnd::CursorsIgnored)),
            (Conclusion::TokenRefused, _) => self.token_refused(),
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

    pub(super) fn try_again(&mut self, paging: &Paging) -> After {
        match self.retrial.take() {
            Some(trial) => After::Ask(self.ask_on_trial(trial, paging.first_guess())),
            None => After::End(ListEnd::Proven),
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
        After::End(ListEnd::Proven)
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
        self.take_news(paging, page)
    }
}
