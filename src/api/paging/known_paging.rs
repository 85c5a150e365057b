//! What is known of the API's paging: found out from its answers, set in the configuration, or remembered.

use super::token_style::{Parameter, TokenStyle};
use crate::record::Stream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A thing found out, with what showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stream it holds for.
    pub stream: Stream,
    /// `token_style`, `forward` or `token_names`.
    pub point: &'static str,
    /// Its value, as in the configuration; `none` as a token style: no token was ever offered and ids are no cursors,
    /// so every list was one page.
    pub value: &'static str,
    /// What showed it.
    pub evidence: String,
}

/// What the user has set for a stream; what is not set is found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PagingSettings {
    /// Where the next page's token comes from.
    pub token_style: Option<TokenStyle>,
    /// The parameter that moves forward.
    pub forward: Option<Parameter>,
    /// Tokens of an earlier walk are never used.
    pub never_reuse: bool,
}

/// What a page token stands for: whether one that an earlier walk was given is of use in a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenNames {
    /// A place in the list as it is when asked.
    Position,
    /// Something of the walk that it was given to, such as a copy of the list as it was then.
    Walk,
}

impl TokenNames {
    /// The name in the mirror.
    pub const fn name(self) -> &'static str {
        match self {
            TokenNames::Position => "position",
            TokenNames::Walk => "walk",
        }
    }

    fn from_name(name: &str) -> Option<TokenNames> {
        [TokenNames::Position, TokenNames::Walk].into_iter().find(|names| names.name() == name)
    }
}

/// When a walk may use tokens that an earlier one was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// As soon as it knows how this list's requests look.
    AtOnce,
    /// Once it has been given one of them itself: then it is shown that the server gives the same ones again, for the
    /// list as it is now.
    OnceGivenAgain,
    /// Never.
    Never,
}

/// So many single pages whose ids were refused as cursors show that ids are no cursors.
const REFUSALS_NEEDED: u32 = 3;

/// What is known of one stream's paging. What an earlier run recorded is a hint until an answer of this run bears it
/// out: another server may stand at the same address.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    settings: PagingSettings,
    style: Option<(TokenStyle, String)>,
    forward: Option<(Parameter, String)>,
    recorded_style: Option<TokenStyle>,
    recorded_forward: Option<Parameter>,
    recorded_no_cursors: bool,
    sibling_style: Option<TokenStyle>,
    refusals: u32,
    token_names: Option<(TokenNames, String)>,
    recorded_token_names: Option<TokenNames>,
}

impl Paging {
    /// With what the user has set.
    pub fn new(settings: PagingSettings) -> Paging {
        Paging { settings, ..Paging::default() }
    }

    /// The one style that counts, where the user has set it.
    pub fn only_style(&self) -> Option<TokenStyle> {
        self.settings.token_style
    }

    /// The style, where it is set or was seen.
    pub fn style(&self) -> Option<TokenStyle> {
        self.settings.token_style.or(self.style.as_ref().map(|(style, _)| *style))
    }

    /// The parameter that moves forward, where it is set or was seen.
    pub fn forward(&self) -> Option<Parameter> {
        self.settings.forward.or(self.forward.as_ref().map(|(parameter, _)| *parameter))
    }

    /// Whether the direction is the user's word, not to be doubted.
    pub fn forward_is_set(&self) -> bool {
        self.settings.forward.is_some()
    }

    /// The parameter to try first: the known one, else the remembered one, else `next`, after which tokens are named.
    pub fn first_guess(&self) -> Parameter {
        self.forward().or(self.recorded_forward).unwrap_or(Parameter::Next)
    }

    /// Whether ids were refused as cursors often enough to end a list at a page without a token.
    pub fn ids_are_no_cursors(&self) -> bool {
        self.refusals >= REFUSALS_NEEDED
    }

    /// Whether the other stream's lists carry tokens: then a page without one is likely to be the last.
    pub fn sibling_carries_tokens(&self) -> bool {
        self.sibling_style.is_some_and(|style| style != TokenStyle::LastId)
    }

    pub(super) fn learn_style(&mut self, style: TokenStyle, evidence: impl FnOnce() -> String) {
        if self.style() != Some(style) {
            self.style = Some((style, evidence()));
        }
    }

    pub(super) fn learn_forward(&mut self, parameter: Parameter, evidence: impl FnOnce() -> String) {
        if self.forward() != Some(parameter) {
            self.forward = Some((parameter, evidence()));
        }
    }

    /// When tokens of an earlier walk may be used. Ids need no proof: they name records.
    fn reuse(&self) -> Reuse {
        let learned = self.token_names.as_ref().map(|(names, _)| *names);
        match learned.or(self.recorded_token_names) {
            _ if self.settings.never_reuse => Reuse::Never,
            _ if self.style() == Some(TokenStyle::LastId) => Reuse::AtOnce,
            Some(TokenNames::Position) => Reuse::AtOnce,
            Some(TokenNames::Walk) => Reuse::Never,
            None => Reuse::OnceGivenAgain,
        }
    }

    pub(super) fn learn_ids_refused(&mut self) {
        self.refusals += 1;
    }

    /// Takes what an earlier run recorded about the same server; unknown values are passed over.
    fn remember(&mut self, point: &str, value: &str) {
        match (point, value) {
            ("token_style", "none") => self.recorded_no_cursors = true,
            ("token_style", _) => self.recorded_style = TokenStyle::from_name(value),
            ("forward", _) => self.recorded_forward = Parameter::from_name(value),
            ("token_names", _) => self.recorded_token_names = TokenNames::from_name(value),
            _ => {}
        }
    }

    /// Takes the remembered token style for seen: the parent stream, or a stored cursor that still works, has shown
    /// that the server is the same. The direction stays a guess: wrongly believed, it would make lists look short.
    pub(super) fn trust_recorded(&mut self) {
        if let Some(style) = self.recorded_style {
            self.learn_style(style, String::new);
        }
        if self.recorded_no_cursors {
            self.refusals = REFUSALS_NEEDED;
        }
    }

    fn findings(&self, stream: Stream) -> Vec<Finding> {
        let style =
            self.style.as_ref().map(|(style, evidence)| ("token_style", style.name(), evidence.clone()));
        let none = (self.style.is_none() && self.ids_are_no_cursors()).then(|| {
            ("token_style", "none", "no page carried a token, and ids were refused as cursors".to_owned())
        });
        let forward = self
            .forward
            .as_ref()
            .map(|(parameter, evidence)| ("forward", parameter.name(), evidence.clone()));
        let names = self
            .token_names
            .as_ref()
            .map(|(names, evidence)| ("token_names", names.name(), evidence.clone()));
        let found = style.or(none).into_iter().chain(forward).chain(names);
        found.map(|(point, value, evidence)| Finding { stream, point, value, evidence }).collect()
    }
}

/// What is known of the paging of both streams; shared by all walks of a client.
#[derive(Debug, Clone)]
pub struct KnownPaging(Arc<Known>);

#[derive(Debug)]
struct Known {
    paging: Mutex<[Paging; 2]>,
    /// Where a few probes are likely to settle the question for all walks, the others wait for them.
    probes: Semaphore,
}

impl Default for KnownPaging {
    fn default() -> Self {
        KnownPaging::new(PagingSettings::default(), PagingSettings::default())
    }
}

impl KnownPaging {
    /// With what the user has set.
    pub fn new(customers: PagingSettings, events: PagingSettings) -> KnownPaging {
        let paging = Mutex::new([Paging::new(customers), Paging::new(events)]);
        KnownPaging(Arc::new(Known { paging, probes: Semaphore::new(REFUSALS_NEEDED as usize) }))
    }

    /// Where a stream's page tokens come from, if it is set or was seen.
    pub fn style(&self, stream: Stream) -> Option<TokenStyle> {
        self.lock()[place(stream)].style()
    }

    /// Whether the parameter that moves forward still has to show itself.
    pub fn forward_is_open(&self, stream: Stream) -> bool {
        self.lock()[place(stream)].forward().is_none()
    }

    /// Waits for the right to begin a probe, where one is likely to settle the question for all walks: because the
    /// related stream's lists carry tokens, or because an earlier run has found the answer.
    pub(super) async fn probe(&self, stream: Stream) -> Option<SemaphorePermit<'_>> {
        let is_likely_settled_soon =
            |paging: &mut Paging| paging.sibling_carries_tokens() || paging.recorded_forward.is_some();
        if !self.with(stream, is_likely_settled_soon) {
            return None;
        }
        // The semaphore is never closed.
        self.0.probes.acquire().await.ok()
    }

    /// Takes what an earlier run recorded about the same server.
    pub fn remember(&self, stream: &str, point: &str, value: &str) {
        if let Some(stream) = Stream::from_name(stream) {
            self.lock()[place(stream)].remember(point, value);
        }
    }

    /// When a walk of the stream's list may use tokens that an earlier one was given.
    pub fn reuse(&self, stream: Stream) -> Reuse {
        self.lock()[place(stream)].reuse()
    }

    /// Takes what two walks together have shown about the stream's tokens.
    pub fn learn_token_names(&self, stream: Stream, names: TokenNames, evidence: String) {
        self.lock()[place(stream)].token_names = Some((names, evidence));
    }

    /// Everything found out since the start, to be recorded. Empty evidence: an earlier finding was borne out.
    pub fn findings(&self) -> Vec<Finding> {
        let known = self.lock();
        Stream::ALL.into_iter().flat_map(|stream| known[place(stream)].findings(stream)).collect()
    }

    /// Lets a walk of `stream` read and teach.
    pub(super) fn with<T>(&self, stream: Stream, teach: impl FnOnce(&mut Paging) -> T) -> T {
        let mut known = self.lock();
        let taught = teach(&mut known[place(stream)]);
        let [customers, events] = &mut *known;
        customers.sibling_style = events.style().or(events.recorded_style);
        if let Some(style) = customers.style() {
            events.sibling_style = Some(style);
            if customers.recorded_style == Some(style) && events.style.is_none() && events.refusals == 0 {
                events.trust_recorded();
            }
        }
        taught
    }

    /// A panic while the lock was held can't leave the findings in disorder: each is one assignment.
    fn lock(&self) -> MutexGuard<'_, [Paging; 2]> {
        self.0.paging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn place(stream: Stream) -> usize {
    match stream {
        Stream::Customers => 0,
        Stream::Events => 1,
    }
}
