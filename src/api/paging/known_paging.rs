//! What is known of the API's paging: set in the configuration, found out from its answers, or recorded by an earlier run
//! (`api-contract` points 1, 2 and 6).

use super::token_style::{Parameter, TokenNames, TokenStyle};
use crate::record::Stream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A finding about the API's paging, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stream that it is about.
    pub stream: Stream,
    /// `token_style`, `forward` or `token_names`.
    pub point: &'static str,
    /// Its value, as in the configuration; `none` as a token style: no token was ever offered and ids are no cursors,
    /// so every list was one page.
    pub value: &'static str,
    /// Its evidence.
    pub evidence: String,
}

/// What the user has set for a stream; the rest is found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PagingSettings {
    /// Where the next page's token comes from.
    pub token_style: Option<TokenStyle>,
    /// The parameter that moves forward.
    pub forward: Option<Parameter>,
    /// Tokens of an earlier walk are never used.
    pub never_reuse: bool,
}

/// When a walk may use the tokens of an earlier one (point 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// As soon as it knows the form of this list's requests.
    AtOnce,
    /// Once it has received one of them itself, which shows that the server gives the same tokens for the list as it is
    /// now.
    OnceGivenAgain,
    /// Never.
    Never,
}

/// How many single-page lists must have had their ids refused before ids are known not to be cursors (point 1 d).
const REFUSALS_NEEDED: u32 = 3;

/// What is known of one stream's paging. What an earlier run recorded is only a hint until an answer of this run confirms it:
/// the server at that address may be another one by now.
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

    /// The style that the user has set; no other one counts then.
    pub fn only_style(&self) -> Option<TokenStyle> {
        self.settings.token_style
    }

    /// The style, if it is set or was seen.
    pub fn style(&self) -> Option<TokenStyle> {
        self.settings.token_style.or(self.style.as_ref().map(|(style, _)| *style))
    }

    /// The parameter that moves forward, if it is set or was seen.
    pub fn forward(&self) -> Option<Parameter> {
        self.settings.forward.or(self.forward.as_ref().map(|(parameter, _)| *parameter))
    }

    /// Whether the user has set the direction, so that it is not doubted.
    pub fn forward_is_set(&self) -> bool {
        self.settings.forward.is_some()
    }

    /// The parameter to try first: the known one, else the recorded one, else `next` (point 2).
    pub fn first_guess(&self) -> Parameter {
        self.forward().or(self.recorded_forward).unwrap_or(Parameter::Next)
    }

    /// Whether ids were refused as cursors often enough that a page without a token ends its list (points 1 d and 3).
    pub fn ids_are_no_cursors(&self) -> bool {
        self.refusals >= REFUSALS_NEEDED
    }

    /// Whether the other stream's lists carry tokens: then a page without one is probably the last one (point 3).
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

    /// When tokens of an earlier walk may be used. Ids may be used at once, as they name records.
    pub fn reuse(&self) -> Reuse {
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

    /// Adds what an earlier run recorded about the same server; unknown values are ignored.
    fn remember(&mut self, point: &str, value: &str) {
        match (point, value) {
            ("token_style", "none") => self.recorded_no_cursors = true,
            ("token_style", _) => self.recorded_style = TokenStyle::from_name(value),
            ("forward", _) => self.recorded_forward = Parameter::from_name(value),
            ("token_names", _) => self.recorded_token_names = TokenNames::from_name(value),
            _ => {}
        }
    }

    /// Treats the recorded token style as seen, once the parent stream or a stored cursor that still works has shown that the
    /// server is the same. The direction stays a guess: a wrong one would make lists look too short (point 2).
    pub(super) fn trust_recorded(&mut self) {
        if let Some(style) = self.recorded_style {
            self.learn_style(style, String::new);
        }
        if self.recorded_no_cursors {
            self.refusals = REFUSALS_NEEDED;
        }
    }

    fn findings(&self, stream: Stream) -> Vec<Finding> {
        const NO_CURSORS: (&str, &str) = ("none", "no page carried a token, and ids were refused as cursors");
        let style = self.style.as_ref().map(|(style, why)| (style.name(), why.as_str()));
        let style = style.or_else(|| self.ids_are_no_cursors().then_some(NO_CURSORS));
        let forward = self.forward.as_ref().map(|(parameter, why)| (parameter.name(), why.as_str()));
        let names = self.token_names.as_ref().map(|(names, why)| (names.name(), why.as_str()));
        let found = [("token_style", style), ("forward", forward), ("token_names", names)];
        let known = found.into_iter().filter_map(|(point, known)| Some((point, known?)));
        known
            .map(|(point, (value, why))| Finding { stream, point, value, evidence: why.to_owned() })
            .collect()
    }
}

/// What is known of the paging of all streams; shared by all walks of a client.
#[derive(Debug, Clone)]
pub struct KnownPaging(Arc<Mutex<[Paging; Stream::ALL.len()]>>);

impl Default for KnownPaging {
    fn default() -> Self {
        KnownPaging::new(|_| PagingSettings::default())
    }
}

impl KnownPaging {
    /// With what the user has set for each stream.
    pub fn new(settings: impl Fn(Stream) -> PagingSettings) -> KnownPaging {
        KnownPaging(Arc::new(Mutex::new(Stream::ALL.map(|stream| Paging::new(settings(stream))))))
    }

    /// What is known of a stream's paging by now.
    pub fn of(&self, stream: Stream) -> Paging {
        self.lock()[stream.index()].clone()
    }

    /// Adds what an earlier run recorded about the same server.
    pub fn remember(&self, stream: &str, point: &str, value: &str) {
        if let Some(stream) = Stream::from_name(stream) {
            self.lock()[stream.index()].remember(point, value);
        }
    }

    /// Adds what two walks together have shown about the stream's tokens.
    pub fn learn_token_names(&self, stream: Stream, names: TokenNames, evidence: String) {
        self.lock()[stream.index()].token_names = Some((names, evidence));
    }

    /// All findings since the start, to be recorded. Empty evidence means that an earlier finding was confirmed.
    pub fn findings(&self) -> Vec<Finding> {
        let known = self.lock();
        Stream::ALL.into_iter().flat_map(|stream| known[stream.index()].findings(stream)).collect()
    }

    /// Gives a walk access to what is known of its stream, to read it and to add findings.
    pub(super) fn with<T>(&self, stream: Stream, teach: impl FnOnce(&mut Paging) -> T) -> T {
        let mut known = self.lock();
        let taught = teach(&mut known[stream.index()]);
        let parent = stream.parent().unwrap_or(stream);
        if let Some(child) = parent.child()
            && let (front, [child, ..]) = known.split_at_mut(child.index())
        {
            // A parent stands before its children.
            relate(&mut front[parent.index()], child);
        }
        taught
    }

    /// A poisoned lock is harmless: each finding is one assignment.
    fn lock(&self) -> MutexGuard<'_, [Paging; Stream::ALL.len()]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of the one stream's lists is a hint about the other's.
fn relate(parent: &mut Paging, child: &mut Paging) {
    parent.sibling_style = child.style().or(child.recorded_style);
    if let Some(style) = parent.style() {
        child.sibling_style = Some(style);
        if parent.recorded_style == Some(style) && child.style.is_none() && child.refusals == 0 {
            child.trust_recorded();
        }
    }
}
