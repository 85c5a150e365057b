//! An expression as a whole: its fields, its nicknames, and the translation for the `cron` crate.

use super::error::ScheduleError;
use super::field::{DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY};

/// What an expression says.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    /// Holds the sets of the fields. Its own evaluation is not used: it is not crontab's.
    pub(super) sets: cron::Schedule,
    /// Whether one of the two day fields is enough.
    pub(super) either_day: bool,
    /// Whether it runs by real time where the clock is changed.
    pub(super) is_wildcard: bool,
}

pub(super) fn parse(expression: &str) -> Result<Parsed, ScheduleError> {
    let written = match expression.strip_prefix('@') {
        Some(_) => nickname(expression)?,
        None => expression,
    };
    let texts: Vec<&str> = written.split_ascii_whitespace().collect();
    match texts[..] {
        [minute, hour, day, month, weekday] => {
            translate(expression, ["0", minute, hour, day, month, weekday])
        }
        [second, minute, hour, day, month, weekday] => {
            translate(expression, [second, minute, hour, day, month, weekday])
        }
        _ => Err(ScheduleError::FieldCount { expression: expression.to_owned(), count: texts.len() }),
    }
}

/// crontab(5), "nicknames".
fn nickname(expression: &str) -> Result<&'static str, ScheduleError> {
    match expression.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@monthly" => Ok("0 0 1 * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@hourly" => Ok("0 * * * *"),
        "@reboot" => Err(ScheduleError::Reboot),
        _ => Err(ScheduleError::Nickname { nickname: expression.to_owned() }),
    }
}

/// Hands the sets to the `cron` crate as plain lists of numbers, the only notation that means the same there.
/// Its days of the week run from 1 = Sunday.
fn translate(expression: &str, texts: [&str; 6]) -> Result<Parsed, ScheduleError> {
    let [second, minute, hour, day, month, weekday] = texts;
    let (minutes, hours) = (MINUTE.parse(minute)?, HOUR.parse(hour)?);
    let is_wildcard = MINUTE.is_wildcard(minute, &minutes) || HOUR.is_wildcard(hour, &hours);
    let (days, months) = (DAY.parse(day)?, MONTH.parse(month)?);
    let weekdays = WEEKDAY.parse(weekday)?.iter().map(|day| day + 1).collect();
    let listed = [SECOND.parse(second)?, minutes, hours, days, months, weekdays]
        .map(|list: Vec<u32>| list.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    let sets = listed.join(" ").parse().map_err(|error: cron::error::Error| ScheduleError::Translation {
        expression: expression.to_owned(),
        reason: error.to_string(),
    })?;
    let either_day = !day.starts_with('*') && !weekday.starts_with('*');
    Ok(Parsed { sets, either_day, is_wildcard })
}
