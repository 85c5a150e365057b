//! Which customers an audit looks at.

use jiff::Timestamp;

/// Draws a sample of known size from rows that pass by one after the other, each possible sample with the same chance
/// (selection sampling, Knuth, The Art of Computer Programming, volume 2, section 3.4.2, algorithm S). It costs one
/// random number a row and remembers nothing.
#[derive(Debug)]
pub struct Sample {
    random: fastrand::Rng,
    rows_left: u64,
    wanted: u64,
}

impl Sample {
    /// Of `wanted` rows (all, where there are fewer) out of `population`. The same seed draws the same rows.
    pub fn new(seed: i64, population: u64, wanted: u64) -> Sample {
        let random = fastrand::Rng::with_seed(seed.cast_unsigned());
        Sample { random, rows_left: population, wanted: wanted.min(population) }
    }

    /// Whether further rows will be drawn.
    pub fn is_complete(&self) -> bool {
        self.wanted == 0
    }

    /// Whether the next row is drawn. Rows beyond the population are not.
    pub fn takes_next(&mut self) -> bool {
        if self.rows_left == 0 {
            return false;
        }
        let takes = self.random.u64(0..self.rows_left) < self.wanted;
        self.rows_left -= 1;
        self.wanted -= u64::from(takes);
        takes
    }
}

/// The seed of a run's sample: told by the run's number and beginning, so that it can be drawn again, and mixed
/// (splitmix64's last step), so that neighbouring runs have nothing in common.
pub fn sample_seed(run: i64, started_at: Timestamp) -> i64 {
    let mut x =
        run.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ started_at.as_millisecond().cast_unsigned();
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // As many bits as a JSON number holds for every reader.
    ((x ^ (x >> 31)) >> 11).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn drawn(seed: i64, population: u64, wanted: u64) -> Vec<u64> {
        let mut sample = Sample::new(seed, population, wanted);
        (0..population + 3).filter(|_| sample.takes_next()).collect()
    }

    #[test]
    fn every_sample_has_the_same_chance() {
        // Ten samples of two out of five; 20,000 runs, so 2,000 each, with a standard deviation of 42.
        let mut times: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
        for run in 0..20_000 {
            let seed = sample_seed(run, Timestamp::from_second(1_790_000_000 + run * 900).unwrap());
            *times.entry(drawn(seed, 5, 2)).or_default() += 1;
        }
        assert_eq!(times.len(), 10, "{times:?}");
        assert!(times.values().all(|times| (1_800..2_200).contains(times)), "{times:?}");
    }

    proptest! {
        #[test]
        fn is_as_large_as_wanted_and_can_be_drawn_again(seed: i64, population in 0u64..500, wanted in 0u64..600) {
            let rows = drawn(seed, population, wanted);
            prop_assert_eq!(rows.len() as u64, wanted.min(population));
            prop_assert!(rows.iter().all(|row| *row < population));
            prop_assert_eq!(drawn(seed, population, wanted), rows);
        }
    }
}
