//! What a sample that was looked at says about the customers that were not.

/// How sure the bound is.
pub const CONFIDENCE: f64 = 0.95;

/// Factorials below this are summed; Stirling's series is exact to f64 from here on.
const SUMMED_BELOW: u64 = 32;

/// The upper bound, with [`CONFIDENCE`], of how many customers of a `population` differ, where `differing` of `sampled`
/// customers drawn uniformly without replacement did: the largest number that would have shown itself in no more of
/// the sample with a chance above 5 %. Exact one-sided bound of the hypergeometric distribution, by bisection: the
/// chance falls as the number grows.
///
/// A sampled customer that could not be looked at is to be counted as differing: what kept it from being read may be
/// what makes it differ. Arguments beyond their range (`differing` ≤ `sampled` ≤ `population`) count as its end.
pub fn upper_bound(population: u64, sampled: u64, differing: u64) -> u64 {
    let sampled = sampled.min(population);
    let differing = differing.min(sampled);
    // What was seen is certain: so many do differ, and so many don't.
    let (mut possible, mut too_many) = (differing, population - (sampled - differing) + 1);
    while too_many - possible > 1 {
        let middle = possible + (too_many - possible) / 2;
        if chance_of_at_most(differing, population, middle, sampled) > 1.0 - CONFIDENCE {
            possible = middle;
        } else {
            too_many = middle;
        }
    }
    possible
}

/// The chance that a sample of `sampled` out of `population`, of which `marked` are marked, holds at most `most` of these.
fn chance_of_at_most(most: u64, population: u64, marked: u64, sampled: u64) -> f64 {
    let least = sampled.saturating_sub(population - marked);
    let all = ln_choose(population, sampled);
    (least..=most.min(marked).min(sampled))
        .map(|x| (ln_choose(marked, x) + ln_choose(population - marked, sampled - x) - all).exp())
        .sum()
}

/// The logarithm of the number of ways to choose `k` out of `n` ≥ `k`.
fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

fn ln_factorial(n: u64) -> f64 {
    if n < SUMMED_BELOW {
        return (2..=n).map(|factor| (factor as f64).ln()).sum();
    }
    let x = n as f64;
    x * x.ln() - x + 0.5 * (std::f64::consts::TAU * x).ln() + 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3))
        + 1.0 / (1260.0 * x.powi(5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cases() {
        for (population, sampled, differing, bound) in [
            // Nobody was asked: anybody may differ.
            (0, 0, 0, 0),
            (1, 0, 0, 1),
            (100_000, 0, 0, 100_000),
            // Everybody was asked: nothing is left open.
            (100, 100, 0, 0),
            (100, 100, 7, 7),
            (100, 100, 100, 100),
            // All but one: that one was drawn to stay out with a chance of 1 %.
            (100, 99, 0, 0),
            (10, 9, 0, 1),
            (10, 9, 9, 10),
            // The rule of three: about 3 of the sample's size.
            (100_000, 300, 0, 992),
            (1_000_000, 300, 0, 9_934),
            // Found ones raise it.
            (100_000, 300, 1, 1_569),
            (100_000, 1_000, 10, 1_686),
            // Beyond the range.
            (10, 20, 3, 3),
            (10, 5, 7, 10),
        ] {
            assert_eq!(
                upper_bound(population, sampled, differing),
                bound,
                "{population} {sampled} {differing}"
            );
        }
    }

    #[test]
    fn the_rule_of_three() {
        for sampled in [100, 300, 1_000, 3_000] {
            let share = upper_bound(10_000_000, sampled, 0) as f64 / 1e7;
            assert!((share * sampled as f64 - 3.0).abs() < 0.05, "{sampled}: {share}");
        }
    }

    /// The same bound from every sample that there is, counted one by one.
    #[test]
    fn small_populations_by_counting_every_sample() {
        for population in 1..=11_u32 {
            for sampled in 0..=population {
                let samples: Vec<u32> =
                    (0..1_u32 << population).filter(|set| set.count_ones() == sampled).collect();
                for differing in 0..=sampled {
                    let fits = |marked: u32| {
                        // The first `marked` customers are those that differ.
                        let few = |set: &&u32| (*set & ((1 << marked) - 1)).count_ones() <= differing;
                        let chance = samples.iter().filter(few).count() as f64 / samples.len() as f64;
                        chance > 0.05 + 1e-12
                    };
                    let most = population - (sampled - differing);
                    let expected = (differing..=most).filter(|marked| fits(*marked)).max().unwrap();
                    let found = upper_bound(population.into(), sampled.into(), differing.into());
                    assert_eq!(found, u64::from(expected), "{population} {sampled} {differing}");
                }
            }
        }
    }

    #[test]
    fn factorials() {
        let mut sum = 0.0;
        for n in 1..=2_000_u64 {
            sum += (n as f64).ln();
            assert!((ln_factorial(n) - sum).abs() < 1e-9 * sum.max(1.0), "{n}");
        }
    }

    proptest! {
        /// More customers looked at without a further find never raise the bound; a further find never lowers it.
        #[test]
        fn is_monotone(population in 1u64..5_000, sampled in 0.0..1.0f64, differing in 0.0..1.0f64) {
            let sampled = (sampled * population as f64) as u64;
            let differing = (differing * sampled as f64) as u64;
            let bound = upper_bound(population, sampled, differing);
            prop_assert!(bound >= differing && bound <= population - (sampled - differing));
            if sampled < population {
                prop_assert!(upper_bound(population, sampled + 1, differing) <= bound);
                prop_assert!(upper_bound(population, sampled + 1, differing + 1) >= bound);
            }
            if differing < sampled {
                prop_assert!(upper_bound(population, sampled, differing + 1) >= bound);
            }
            prop_assert!(upper_bound(population + 1, sampled, differing) >= bound);
        }
    }
}
