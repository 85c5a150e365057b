//! The best of many, within a budget.

use crate::record::RowSet;

/// Collects the rows with the highest scores. It takes 16 bytes for each row of twice the budget, and time that grows with
/// the number of rows offered alone.
#[derive(Debug)]
pub struct Choice {
    budget: usize,
    /// Unordered; at most twice the budget.
    best: Vec<(f64, i64)>,
    /// What scores less has no place any more.
    least: f64,
}

impl Choice {
    /// A choice of at most `budget` rows.
    pub fn new(budget: usize) -> Choice {
        Choice { budget, best: Vec::new(), least: 0.0 }
    }

    /// Whether a row with this score may be among the best. One that isn't worth anything is not.
    pub fn wants(&self, score: f64) -> bool {
        score > 0.0 && score >= self.least && self.budget > 0
    }

    /// Offers a row.
    pub fn offer(&mut self, score: f64, row: i64) {
        if self.wants(score) {
            self.best.push((score, row));
            if self.best.len() >= self.budget.saturating_mul(2) {
                self.cut();
            }
        }
    }

    /// Of equal ones those with smaller row numbers stay, so that the result depends on nothing but the rows.
    fn cut(&mut self) {
        if self.best.len() > self.budget {
            self.best.select_nth_unstable_by(self.budget, |(one, row), (other, other_row)| {
                other.total_cmp(one).then(row.cmp(other_row))
            });
            self.best.truncate(self.budget);
            self.least = self.best.iter().map(|(score, _)| *score).fold(f64::INFINITY, f64::min);
        }
    }

    /// The rows chosen.
    pub fn rows(mut self) -> RowSet {
        self.cut();
        let mut rows = RowSet::default();
        for (_, row) in self.best {
            rows.insert(row);
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn takes_the_best(scores in prop::collection::vec(0u8..50, 0..300), budget in 0usize..100) {
            let mut choice = Choice::new(budget);
            let mut all: Vec<(u8, i64)> = scores.into_iter().zip(1..).collect();
            for (score, row) in &all {
                choice.offer(f64::from(*score), *row);
            }
            let rows = choice.rows();
            all.retain(|(score, _)| *score > 0);
            all.sort_by_key(|(score, row)| (u8::MAX - score, *row));
            let expected: Vec<i64> = all.iter().take(budget).map(|(_, row)| *row).collect();
            prop_assert_eq!(rows.count(), expected.len() as u64);
            prop_assert!(expected.iter().all(|row| rows.contains(*row)));
        }
    }
}
