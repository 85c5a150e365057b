//! An expression as a whole: its fields, its nicknames, and the translation for the `cron` crate.

use super::error::ScheduleError;
use super::field::{self, Field};

/// What an expression says.
pub(super) struct Parsed {
    pub(super) sets: cron::Schedule,
    pub(super) either_day: bool,
    pub(super) is_wildcard: bool,
}

pub(super) fn parse(expression: &str) -> Result<Parsed, ScheduleError> {
    let written = match expression.strip_prefix('@') {
        Some(_) => nickname(expression)?,
        None => expression,
    };
    let texts: Vec<&str> = written.split_ascii_whitespace().collect();
    let (second, rest) = match texts.as_slice() {
        [second, rest @ ..] if rest.len() == 5 => (*second, rest),
        rest if rest.len() == 5 => ("0", rest),
        _ => {
            return Err(ScheduleError::FieldCount { expression: expression.to_owned(), count: texts.len() });
        }
    };
    translate(expression, [second, rest[0], rest[1], rest[2], rest[3], rest[4]])
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
    let weekdays: Vec<u32> = field::parse(Field::Weekday, weekday)?.iter().map(|day| day + 1).collect();
    let (minutes, hours) = (field::parse(Field::Minute, minute)?, field::parse(Field::Hour, hour)?);
    let is_wildcard =
        field::is_wildcard(Field::Minute, minute, &minutes) || field::is_wildcard(Field::Hour, hour, &hours);
    let lists = [
        field::parse(Field::Second, second)?,
        minutes,
        hours,
        field::parse(Field::Day, day)?,
        field::parse(Field::Month, month)?,
        weekdays,
    ];
    let listed = lists.map(|list| list.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    let sets = listed.join(" ").parse().map_err(|error: cron::error::Error| ScheduleError::Translation {
        expression: expression.to_owned(),
        reason: error.to_string(),
    })?;
    let either_day = !day.starts_with('*') && !weekday.starts_with('*');
    Ok(Parsed { sets, either_day, is_wildcard })
}
