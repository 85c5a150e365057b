//! Finding out which parameter moves forward from one token (`api-contract` point 2), and whether ids are cursors at
//! all (point 1 d): what two attempts together show. Pure.

use super::page_summary::PageSummary;
use super::token_style::Parameter;

/// What an attempt brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeResult {
    /// Every record is new.
    Fresh,
    /// So many records are new, others were read before.
    Mixed(usize),
    /// There are records, all read before.
    Repeats,
    /// A page without records.
    Empty,
    /// A 4xx.
    Refused,
    /// The server failed again and again over it.
    Failed,
}

impl Probe {
    /// Of a token that the server gave, or of an id where ids are known to be cursors.
    pub(super) fn of(token: String) -> Probe {
        Probe { token, is_guess: false, is_second_guess: false, other_id: None, first: None, held_page: None }
    }

    /// Of the last record's id, with the last but one's for a second guess.
    pub(super) fn guess(token: String, other_id: Option<String>) -> Probe {
        Probe { is_guess: true, other_id, ..Probe::of(token) }
    }

    /// Of the last but one's.
    pub(super) fn second_guess(token: String) -> Probe {
        Probe { is_second_guess: true, ..Probe::guess(token, None) }
    }
}

impl ProbeResult {
    /// Records that it brought.
    pub(super) fn new_records(self) -> usize {
        match self {
            ProbeResult::Fresh => usize::MAX,
            ProbeResult::Mixed(new) => new,
            ProbeResult::Repeats | ProbeResult::Empty | ProbeResult::Refused | ProbeResult::Failed => 0,
        }
    }
}

/// One token, tried under one parameter and then under the other.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) token: String,
    /// The token is a record's id, and nothing has yet shown that ids are cursors here.
    pub(super) is_guess: bool,
    /// The token is the last record's id but one: what follows it was partly read.
    pub(super) is_second_guess: bool,
    /// Another record's id, for a second guess: the first record may have been deleted a moment ago.
    pub(super) other_id: Option<String>,
    pub(super) first: Option<(Parameter, ProbeResult)>,
    /// The first attempt's page, if it may be the next one.
    pub(super) held_page: Option<PageSummary>,
}

/// What two attempts that brought nothing new show together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeConclusion {
    /// The list ends here, and this parameter is the one that moves forward.
    EndShows(Parameter),
    /// The list ends here.
    End,
    /// The server takes no notice of ids, and names no next page: there may be one, or not.
    EndUnproven,
    /// Ids are no cursors here.
    IdsRefused,
    /// The cursor leads nowhere in either direction, which no record in the list would.
    CursorUnknown,
    /// Ids change nothing, and where tokens are to be expected there is none: the list ends here.
    IdsIgnored,
    /// The server refuses its own token.
    TokenRefused,
    /// What the failing attempt hides can't be told.
    Fail,
    /// The server's own token leads nowhere.
    NothingNew,
}

/// What the circumstances of a probe add to its two results.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbeContext {
    pub(super) is_guess: bool,
    /// Records on the page from which the probe set out.
    pub(super) last_rows: usize,
    /// The related stream's lists carry tokens, so a page without one is likely to be the last.
    pub(super) sibling_carries_tokens: bool,
}

/// Both parameters were tried and neither brought anything new.
pub(super) fn conclude(
    first: (Parameter, ProbeResult),
    second: (Parameter, ProbeResult),
    context: ProbeContext,
) -> ProbeConclusion {
    use ProbeResult::{Empty, Failed, Refused, Repeats};
    let ProbeContext { is_guess, last_rows, sibling_carries_tokens } = context;
    match (first.1, second.1) {
        (Failed | Refused, Failed | Refused) if is_guess => ProbeConclusion::IdsRefused,
        (Empty, Repeats) => ProbeConclusion::EndShows(first.0),
        (Repeats, Empty) => ProbeConclusion::EndShows(second.0),
        // Backwards from the last of several records there are records: what is empty is the way forward.
        (Empty, Failed | Refused) if last_rows > 1 => ProbeConclusion::EndShows(first.0),
        (Failed | Refused, Empty) if last_rows > 1 => ProbeConclusion::EndShows(second.0),
        // No way back from several records: the record whose id it was may be gone.
        (Empty, Empty) if last_rows > 1 => ProbeConclusion::CursorUnknown,
        (Empty, _) | (_, Empty) => ProbeConclusion::End,
        // One way leads back, or refuses; what the other one hides can't be told.
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
    use Parameter::{Next, Prev};
    use ProbeResult::{Empty, Failed, Refused, Repeats};

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
