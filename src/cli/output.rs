//! Results on stdout. What a command prints last is its end: [`Exit::Done`].

use super::exit::{Exit, Failure};
use serde::Serialize;
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Prints text as it is.
pub(super) fn text(text: &str) -> Result<Exit, Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map(|()| Exit::Done).map_err(|error| match error.kind() {
        // A reader that has seen enough (`| head`) is no failure: the program ends quietly with what it has printed.
        ErrorKind::BrokenPipe => Failure::reader_gone(),
        _ => Failure::new(Exit::Failed, format!("stdout could not be written: {error}")),
    })
}

pub(super) fn line(line: &str) -> Result<Exit, Failure> {
    text(&format!("{line}\n"))
}

/// Prints a value as JSON over several lines.
pub(super) fn json(value: &impl Serialize) -> Result<Exit, Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(Failure::because("the result has no JSON form"))?;
    line(&text)
}

/// Prints the result of a command: `value` as JSON if that is asked for, else the text for people.
pub(super) fn result(
    as_json: bool,
    value: &impl Serialize,
    for_people: impl FnOnce() -> String,
) -> Result<Exit, Failure> {
    if as_json { json(value) } else { text(&for_people()) }
}

/// A line of a result for people: what it is about, then what there is to say.
pub(super) fn row(about: &str, what: impl Display) -> String {
    format!("  {about:<10} {what}\n")
}

/// A count with separators, for people: 1234567 is `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string().into_bytes();
    let groups: Vec<_> = digits.rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// A text from outside, for people: on one line, cut after so many characters, and without what a terminal takes for a
/// command.
pub(super) fn cut(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(most).map(clean).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// `1 customer`, `2 customers`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A file with the number of its rows, for people.
pub(super) fn with_rows(path: &str, rows: u64) -> String {
    format!("{path} ({})", counted(rows, "row"))
}

/// A stretch of time, for people: 3725 seconds are `1 h 2 min`.
pub(super) fn span(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A size on the disk, for people: 1536 bytes are `1.5 KiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(power, _)| bytes >> power > 0) {
        Some((power, unit)) => format!("{:.1} {unit}", bytes as f64 / f64::from(1u32 << power)),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_for_people() {
        for (seconds, shown) in
            [(0.4, "0 s"), (59.0, "59 s"), (61.0, "1 min 1 s"), (7260.0, "2 h 1 min"), (90_000.0, "1 d 1 h")]
        {
            assert_eq!(span(seconds), shown);
        }
    }

    #[test]
    fn counts_for_people() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")] {
            assert_eq!(count(number), shown);
        }
        for (bytes, shown) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")] {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!((counted(1, "row"), counted(2000, "row")), ("1 row".into(), "2,000 rows".into()));
    }
}
