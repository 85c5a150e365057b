//! Which neighbours among small files become one. Pure.

use super::formats::Dialect;
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;
use std::time::Duration;

/// So large a joined file becomes, by the sizes of its parts: engines like files of this size, and a consumer can still load
/// one at once.
const TARGET: u64 = 128 * 1024 * 1024;

/// Which files are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// All that can be.
    All,
    /// Those that are so old; a file takes in the one before it where that is at most twice as large: so a row is written a
    /// few times over the years, however often this is done.
    OlderThan(Duration),
}

/// A file that may be joined with its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The first and the last change of its range.
    pub(super) range: (i64, i64),
    pub(super) bytes: u64,
    /// `None` where that can't be told: it is joined with nothing that has to be of an age.
    pub(super) written_at: Option<Timestamp>,
    /// How it is packed and its rows are written; `None`: it stays as it is.
    pub(super) form: Option<(String, Dialect)>,
}

/// What bounds a joined file.
pub(super) struct Limits {
    /// Only files that were written before that.
    before: Option<Timestamp>,
    /// The time that it takes in at most.
    span: Option<SignedDuration>,
    /// Whether a file takes in only what is at most twice as large.
    is_lazy: bool,
}

impl Limits {
    /// `max_age` is how long files stay; zero: for ever.
    pub(super) fn of(max_age: Duration, joining: Joining, now: Timestamp) -> Limits {
        let signed = |age: Duration| SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        let before = match joining {
            Joining::All => None,
            Joining::OlderThan(age) => Some(now.checked_sub(signed(age)).unwrap_or(Timestamp::MIN)),
        };
        let span = (!max_age.is_zero()).then(|| signed(max_age / 10));
        Limits { before, span, is_lazy: before.is_some() }
    }

    /// Whether whatever can be joined is.
    pub(super) fn is_of_all(&self) -> bool {
        !self.is_lazy
    }

    /// Ranges of files, in the order of their changes, that become one each. Nothing is joined across the change
    /// `acknowledged`.
    pub(super) fn groups(&self, files: &[Piece], acknowledged: i64) -> Vec<Range<usize>> {
        let mut groups: Vec<(Range<usize>, u64)> = Vec::new();
        for (at, file) in files.iter().enumerate() {
            if self.before.is_some_and(|before| file.written_at.is_none_or(|at| at >= before)) {
                break;
            }
            let (mut begins, mut bytes) = (at, file.bytes);
            while let Some((earlier, size)) = groups.last()
                && (!self.is_lazy || *size <= 2 * bytes)
                && self.fit(&files[earlier.start..=at], size + bytes, acknowledged)
            {
                (begins, bytes) = (earlier.start, size + bytes);
                groups.pop();
            }
            groups.push((begins..at + 1, bytes));
        }
        groups.into_iter().map(|(range, _)| range).filter(|range| range.len() > 1).collect()
    }

    /// Whether neighbours may become one file.
    fn fit(&self, files: &[Piece], bytes: u64, acknowledged: i64) -> bool {
        let [first, .., last] = files else { return false };
        let is_neighbour = |pair: &[Piece]| match pair {
            [one, next] => one.range.1 + 1 == next.range.0 && one.form == next.form,
            _ => false,
        };
        let time = first.written_at.zip(last.written_at).map(|(first, last)| last.duration_since(first));
        bytes <= TARGET
            && first.form.is_some()
            && files.windows(2).all(is_neighbour)
            && !(first.range.0..last.range.1).contains(&acknowledged)
            && self.span.is_none_or(|span| time.is_some_and(|time| time <= span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECT: Dialect = Dialect { old_layout: false, exact: false, bom: false, guarded: false };

    /// Files of that many bytes, a day apart, with one change each.
    fn files(sizes: &[u64]) -> Vec<Piece> {
        let piece = |(n, bytes): (usize, &u64)| Piece {
            range: (n as i64 + 1, n as i64 + 1),
            bytes: *bytes,
            written_at: day(n + 1),
            form: Some(("none".to_owned(), DIALECT)),
        };
        sizes.iter().enumerate().map(piece).collect()
    }

    fn day(day: usize) -> Option<Timestamp> {
        format!("2024-05-{day:02}T00:00:00Z").parse().ok()
    }

    const ALL: Limits = Limits { before: None, span: None, is_lazy: false };

    fn joined(limits: &Limits, files: &[Piece], acknowledged: i64) -> Vec<(usize, usize)> {
        limits.groups(files, acknowledged).into_iter().map(|group| (group.start, group.end)).collect()
    }

    #[test]
    fn neighbours_in_one_form_are_joined_up_to_a_size() {
        let five = files(&[1; 5]);
        assert_eq!(joined(&ALL, &five, 0), [(0, 5)]);
        assert!(joined(&ALL, &five[..1], 0).is_empty());
        assert_eq!(joined(&ALL, &five, 2), [(0, 2), (2, 5)]);
        assert_eq!(joined(&ALL, &five, 4), [(0, 4)]);
        assert_eq!(joined(&ALL, &five, 9), [(0, 5)]);
        assert_eq!(joined(&ALL, &files(&[TARGET, 1, TARGET - 1, 1]), 0), [(1, 3)]);
        let span = Some(SignedDuration::from_hours(24));
        assert_eq!(joined(&Limits { span, ..ALL }, &five, 0), [(0, 2), (2, 4)]);
        assert_eq!(joined(&Limits { before: day(4), ..ALL }, &five, 0), [(0, 3)]);
        type Edit = fn(&mut Piece);
        let edits: [Edit; 4] = [
            |file| file.form = Some(("zstd".to_owned(), DIALECT)),
            |file| file.form = Some(("none".to_owned(), Dialect { bom: true, ..DIALECT })),
            |file| file.form = None,
            |file| file.range = (7, 7),
        ];
        for edit in edits {
            let mut other = five.clone();
            edit(&mut other[2]);
            assert_eq!(joined(&ALL, &other, 0), [(0, 2), (3, 5)], "{:?}", other[2]);
        }
        let mut undated = five;
        undated[2].written_at = None;
        assert_eq!(joined(&ALL, &undated, 0), [(0, 5)]);
        assert_eq!(joined(&Limits { before: day(9), ..ALL }, &undated, 0), [(0, 2)]);
    }

    /// One new file a run: there are few, and none is written often.
    #[test]
    fn over_the_years_a_row_is_written_a_few_times() {
        let lazy = Limits { is_lazy: true, ..ALL };
        let (mut all, mut written, runs): (Vec<Piece>, u64, i64) = (Vec::new(), 0, 2_000);
        for n in 1..=runs {
            all.extend(files(&[1]).into_iter().map(|file| Piece { range: (n, n), ..file }));
            for group in lazy.groups(&all, 0).into_iter().rev() {
                let bytes = all[group.clone()].iter().map(|file| file.bytes).sum();
                let range = (all[group.start].range.0, all[group.end - 1].range.1);
                let joined = Piece { range, bytes, ..all[group.start].clone() };
                all.splice(group, [joined]);
                written += bytes;
            }
            assert!(all.len() <= 11, "{n}: {}", all.len());
        }
        assert!(written <= 20 * runs as u64, "{written}");
    }
}
