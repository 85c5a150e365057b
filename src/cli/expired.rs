//! `erase --expired`: what has been kept for longer than `[retention]` allows; and the same once a day in the daemon.

use super::args::Erase;
use super::assemble;
use super::customers::confirmed;
use super::exit::{Exit, Failure};
use super::output::{self, row, span};
use super::receipts::{amount, expired_text, told};
use crate::config::Config;
use crate::erasure::{Receipt, expire};
use crate::mirror::{Expired, Mirror};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::path::PathBuf;

/// `ended` are the erasures that were ended before.
pub(super) fn run(
    config: &Config,
    mirror: &mut Mirror,
    args: &Erase,
    mut ended: Vec<(Receipt, PathBuf)>,
) -> Result<Exit, Failure> {
    let retention = &config.sync.retention;
    if retention.is_off() {
        return Err(Failure::usage(
            "everything is kept for ever: set a rule in [retention] first, such as retention.events = \"3y\"",
        ));
    }
    let expired = mirror.snapshot()?.expired(&retention.at(Timestamp::now()))?;
    if args.dry_run {
        return output::result(args.json, &Preview { expired: &expired }, || preview(&expired));
    }
    let mut nothing = expired.is_empty();
    if !nothing {
        let what = amount(&expired);
        let question = format!("Erase {what} from the mirror and from every export, for good?");
        if !args.yes && !confirmed(&what, &question)? {
            return Err(Failure::new(Exit::Failed, "nothing was erased: you said no"));
        }
        let receipt = expire(mirror, &config.every_destination(), retention, Timestamp::now)?;
        nothing = receipt.is_none();
        ended.extend(receipt);
    }
    match nothing && ended.is_empty() {
        true => output::result(args.json, &ended, || row("expired", NOTHING)),
        false => told(args.json, &ended),
    }
}

/// A clock that is fast by more than this is not trusted with what can't be undone.
const MOST_FAST: SignedDuration = SignedDuration::from_hours(24);

/// So long the daemon waits from one look at what has expired to the next: less than a day, so that a run that comes a little
/// earlier than yesterday's still counts.
const ONCE_IN: SignedDuration = SignedDuration::from_hours(20);

const NOTHING: &str = "nothing has been kept for longer than [retention] allows";

/// The JSON result of `erase --expired --dry-run`.
#[derive(Serialize)]
struct Preview<'a> {
    expired: &'a [Expired],
}

fn preview(expired: &[Expired]) -> String {
    if expired.is_empty() {
        return row("expired", NOTHING);
    }
    let rows: String = expired.iter().map(expired_text).collect();
    rows + &row("dry run", format_args!("{} would be erased", amount(expired)))
}

/// Erases what has expired, at most once in [`ONCE_IN`]. Returns what a person should know of it: why it could not be
/// done, or not to its end. Blocks.
/// `ahead` is how far the API's clock is ahead of this machine's, where its answers have told.
pub(super) fn daily(config: &Config, ahead: Option<SignedDuration>) -> Option<String> {
    if config.sync.retention.is_off() {
        return None;
    }
    if let Some(fast) = ahead.and_then(SignedDuration::checked_neg).filter(|fast| *fast > MOST_FAST) {
        return Some(format!(
            "nothing was erased by the rules of [retention], because this machine's clock is {} ahead of the API's: set the clock",
            span(fast.as_secs_f64())
        ));
    }
    match try_daily(config) {
        Ok(None) => None,
        Ok(Some((receipt, path))) => {
            let (erasure, receipt_at) = (receipt.erasure, path.display().to_string());
            let (changes, reason) = (receipt.changes, receipt.reason);
            if receipt.ended_at.is_some() {
                tracing::info!(erasure, receipt_at, changes, reason, "what has expired is erased");
                return None;
            }
            Some(format!(
                "the erasure {erasure} of what has expired could not be ended, and the next run tries again; its receipt says \
                 why: {receipt_at}"
            ))
        }
        // The next run does it.
        Err(failure) if failure.exit == Exit::Held => None,
        Err(failure) => Some(format!("what has expired could not be erased: {}", failure.line())),
    }
}

fn try_daily(config: &Config) -> Result<Option<(Receipt, PathBuf)>, Failure> {
    let now = Timestamp::now();
    let (_lock, mut mirror) = assemble::existing_mirror(config, "daemon, erase --expired")?;
    let is_recent = |at: Timestamp| now.duration_since(at).abs() < ONCE_IN;
    if mirror.snapshot()?.looked_for_expired_at()?.is_some_and(is_recent) {
        return Ok(None);
    }
    let receipt = expire(&mut mirror, &config.every_destination(), &config.sync.retention, Timestamp::now)?;
    mirror.note_look_for_expired(now)?;
    Ok(receipt)
}
