//! A probe of the two cursor parameters with one token: which of them moves forward (`api-contract` point 2), and whether
//! record ids are cursors at all (point 1 d). Pure.

use super::page_summary::PageSummary;
use super::token_style::Parameter;

/// What an answer brought, compared with what the walk has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerKind {
    /// Every record is new.
    Fresh,
    /// Some records are new (how many), others were read before.
    Mixed(usize),
    /// There are records, all read before.
    Repeats,
    /// A page without records.
    Empty,
    /// A 4xx.
    Refused,
    /// The server failed on every attempt.
    Failed,
}

impl Probe {
    /// Probes a token that the server gave, or an id where ids are known to be cursors.
    pub(super) fn of(token: String) -> Probe {
        Probe { token, is_guess: false, is_second_guess: false, other_id: None, first: None, held_page: None }
    }

    /// Probes the last record's id; `other_id` is that of the record before it, for a second guess.
    pub(super) fn guess(token: String, other_id: Option<String>) -> Probe {
        Probe { is_guess: true, other_id, ..Probe::of(token) }
    }

    /// Probes the second-last record's id.
    pub(super) fn second_guess(token: String) -> Probe {
        Probe { is_second_guess: true, ..Probe::guess(token, None) }
    }
}

impl AnswerKind {
    pub(super) fn new_records(self) -> usize {
        match self {
            AnswerKind::Fresh => usize::MAX,
            AnswerKind::Mixed(new) => new,
            AnswerKind::Repeats | AnswerKind::Empty | AnswerKind::Refused | AnswerKind::Failed => 0,
        }
    }
}

/// One token, sent under one parameter and then under the other.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) token: String,
    /// The token is a record's id, and nothing has shown yet that ids are cursors (point 1 d).
    pub(super) is_guess: bool,
    /// The token is the second-last record's id, so the last record is expected to repeat.
    pub(super) is_second_guess: bool,
    /// Another record's id for a second guess, in case the first record was just deleted (point 5).
    pub(super) other_id: Option<String>,
    pub(super) first: Option<(Parameter, AnswerKind)>,
    /// The page of the first attempt, if it may be the next page.
    pub(super) held_page: Option<PageSummary>,
}

/// What the two attempts show together if neither brought a new record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeConclusion {
    /// The list ends here, and this parameter moves forward (point 2).
    EndShows(Parameter),
    /// The list ends here; the direction stays unknown.
    End,
    /// The server ignores ids and names no next page: whether there is one is unknown (point 3).
    EndUnproven,
    /// Ids are not cursors here (point 1 d).
    IdsRefused,
    /// The cursor leads nowhere in either direction, so its record is no longer in the list (point 5).
    CursorUnknown,
    /// The server ignores ids, and a token is missing where the related stream's lists carry one: the list ends here
    /// (point 3).
    IdsIgnored,
    /// The server refuses its own token (point 6).
    TokenRefused,
    /// An attempt failed, and what it would have brought decides (point 7).
    Fail,
    /// The server's own token leads nowhere (point 4).
    NothingNew,
}

/// What else is needed to judge the two answers of a probe.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbeContext {
    pub(super) is_guess: bool,
    /// Records on the page before the probe.
    pub(super) last_rows: usize,
    /// The related stream's lists carry tokens, so a page without one is likely to be the last.
    pub(super) sibling_carries_tokens: bool,
}

/// Judges a probe in which neither parameter brought a new record.
pub(super) fn conclude(
    first: (Parameter, AnswerKind),
    second: (Parameter, AnswerKind),
    context: ProbeContext,
) -> ProbeConclusion {
    use AnswerKind::{Empty, Failed, Refused, Repeats};
    let ProbeContext { is_guess, last_rows, sibling_carries_tokens } = context;
    match (first.1, second.1) {
        (Failed | Refused, Failed | Refused) if is_guess => ProbeConclusion::IdsRefused,
        (Empty, Repeats) => ProbeConclusion::EndShows(first.0),
        (Repeats, Empty) => ProbeConclusion::EndShows(second.0),
        // Backward from the last of several records there are records, so the empty direction is forward (point 2).
        (Empty, Failed | Refused) if last_rows > 1 => ProbeConclusion::EndShows(first.0),
        (Failed | Refused, Empty) if last_rows > 1 => ProbeConclusion::EndShows(second.0),
        // Nothing backward of several records: the cursor's record is gone (point 5).
        (Empty, Empty) if last_rows > 1 => ProbeConclusion::CursorUnknown,
        (Empty, _) | (_, Empty) => ProbeConclusion::End,
        // One attempt led back or was refused; the failed one might have led forward.
        (Failed, _) | (_, Failed) => ProbeConclusion::Fail,
        (Refused, Refused) => ProbeConclusion::TokenRefused,
        _ if is_guess && sibling_carries_tokens => ProbeConclusion::IdsIgnored,
        (Repeats, Refused) | (Refused, Repeats) if is_guess => ProbeConclusion::End,
        _ if is_guess => ProbeConclusion::EndUnproven,
        _ => ProbeConclusion::NothingNew,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AnswerKind::{Empty, Failed, Refused, Repeats};
    use Parameter::{Next, Prev};

    #[test]
    fn guesses() {
        for (next, prev, rows, expected) in [
            (Empty, Repeats, 3, ProbeConclusion::EndShows(Next)),
            (Repeats, Empty, 3, ProbeConclusion::EndShows(Prev)),
            (Empty, Empty, 1, ProbeConclusion::End),
            (Empty, Empty, 3, ProbeConclusion::CursorUnknown),
            (Empty, Refused, 3, ProbeConclusion::EndShows(Next)),
            (Failed, Empty, 3, ProbeConclusion::EndShows(Prev)),
            // From a single record, backwards may be empty too.
            (Empty, Failed, 1, ProbeConclusion::End),
            (Refused, Refused, 3, ProbeConclusion::IdsRefused),
            (Failed, Failed, 3, ProbeConclusion::IdsRefused),
            (Refused, Failed, 3, ProbeConclusion::IdsRefused),
            (Repeats, Failed, 3, ProbeConclusion::Fail),
            (Repeats, Refused, 3, ProbeConclusion::End),
            (Repeats, Repeats, 3, ProbeConclusion::EndUnproven),
        ] {
            let context = ProbeContext { is_guess: true, last_rows: rows, sibling_carries_tokens: false };
            let found = conclude((Next, next), (Prev, prev), context);
            assert_eq!(found, expected, "{next:?} {prev:?}");
        }
    }

    #[test]
    fn beside_lists_with_tokens_ids_need_change_nothing() {
        let context = ProbeContext { is_guess: true, last_rows: 3, sibling_carries_tokens: true };
        let found = conclude((Next, Repeats), (Prev, Repeats), context);
        assert_eq!(found, ProbeConclusion::IdsIgnored);
    }

    #[test]
    fn the_servers_own_tokens() {
        for (next, prev, expected) in [
            (Empty, Repeats, ProbeConclusion::EndShows(Next)),
            (Empty, Empty, ProbeConclusion::CursorUnknown),
            (Refused, Refused, ProbeConclusion::TokenRefused),
            (Repeats, Repeats, ProbeConclusion::NothingNew),
            (Repeats, Refused, ProbeConclusion::NothingNew),
            (Failed, Failed, ProbeConclusion::Fail),
            (Failed, Refused, ProbeConclusion::Fail),
        ] {
            let context = ProbeContext { is_guess: false, last_rows: 3, sibling_carries_tokens: false };
            let found = conclude((Next, next), (Prev, prev), context);
            assert_eq!(found, expected, "{next:?} {prev:?}");
        }
    }
}
