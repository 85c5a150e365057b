//! The one thing that the page says first: whether the mirror can be relied on now.

use super::numbers::span;
use super::{Report, Trouble};
use crate::mirror::Outcome;
use jiff::{SignedDuration, Timestamp};

/// How many scheduled runs may be missed before the mirror counts as behind, beside the run that is under way.
const MISSED: i32 = 2;

/// Where nothing is scheduled, the mirror counts as behind after this.
const UNSCHEDULED: SignedDuration = SignedDuration::from_hours(24);

/// How good things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Warning,
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) standing: Standing,
    /// In a word or three.
    pub(super) short: &'static str,
    /// Why.
    pub(super) long: String,
}

pub(super) fn verdict(report: &Report) -> Verdict {
    let say = |standing, short, long: String| Verdict { standing, short, long };
    if report.is_account_in_doubt {
        let long = "It is in doubt whose account the API answers for: nothing is inserted, deleted or exported until \
                    somebody decides. `malomo-mirror status` says more.";
        return say(Standing::Bad, "In doubt", long.to_owned());
    }
    let open = report.last_error.as_ref().filter(|trouble| trouble.ok_since.is_none());
    let Some(age) = age(report) else {
        return match open {
            Some(trouble) => say(Standing::Bad, "Not filled yet", told(trouble)),
            None => say(Standing::Warning, "Not filled yet", "No run has come to its end yet.".to_owned()),
        };
    };
    let old = format!("The last complete run ended {} ago.", span(age.as_secs_f64()));
    if let Some(trouble) = open {
        let standing = if trouble.outcome == Outcome::Failed { Standing::Bad } else { Standing::Warning };
        return say(standing, "Needs a look", format!("{} {old}", told(trouble)));
    }
    let allowed = report.plan.interval.map_or(UNSCHEDULED, |interval| interval.saturating_mul(MISSED + 1));
    if age > allowed {
        return say(Standing::Warning, "Behind", format!("{old} That is longer than the schedule has it."));
    }
    if report.exports.iter().any(|export| export.exported_to < export.newest_change) && !report.is_running {
        let long = format!("{old} Some changes are not exported yet.");
        return say(Standing::Warning, "Current, exports behind", long);
    }
    say(Standing::Good, "Current", old)
}

/// How long ago a run last ended with everything.
fn age(report: &Report) -> Option<SignedDuration> {
    let newest = report
        .streams
        .iter()
        .filter_map(|stream| stream.last_sync_ok_at.as_deref()?.parse::<Timestamp>().ok());
    newest.max().map(|at| report.now.duration_since(at).max(SignedDuration::ZERO))
}

fn told(trouble: &Trouble) -> String {
    let how = match trouble.outcome {
        Outcome::Failed => "failed",
        Outcome::Incomplete => "is incomplete",
        _ => "was interrupted",
    };
    format!("Run {} ({}) {how}, and none has done everything since.", trouble.run_id, trouble.mode.name())
}
