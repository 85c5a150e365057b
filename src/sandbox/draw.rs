//! Seeded numbers: what a record holds follows from the seed and the record's number alone.

use uuid::Uuid;

/// What numbers are drawn for; keeps the sequences of different things apart.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    CustomerId = 1,
    CustomerTimes,
    CustomerFields,
    OrderCount,
    OrderTimes,
    EventId,
    OrderFields,
    Fault,
    RequestId,
    Churn,
    Token,
    EventTimes,
    OrderPlan,
    Parcel,
    Place,
    Issue,
    Account,
    WebhookId,
    Delivery,
}

/// A sequence of numbers (SplitMix64). Written out here so that a seed keeps its world whatever becomes
/// of a library.
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64, purpose: Purpose, record: u64, part: u64) -> Draw {
        let mut draw = Draw(seed);
        for value in [purpose as u64, record, part] {
            draw.0 = draw.next() ^ value;
        }
        draw
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where there is none.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from 0 up to but not including 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A UUID of version 4 (RFC 9562).
    pub(super) fn uuid(&mut self) -> Uuid {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// One of the values, each as likely as the other.
    pub(super) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_numbers() {
        let numbers = |seed, purpose| {
            let mut draw = Draw::new(seed, purpose, 3, 4);
            [draw.next(), draw.next(), draw.below(10)]
        };
        assert_eq!(numbers(1, Purpose::Fault), numbers(1, Purpose::Fault));
        assert_ne!(numbers(1, Purpose::Fault), numbers(2, Purpose::Fault));
        assert_ne!(numbers(1, Purpose::Fault), numbers(1, Purpose::Churn));
    }

    #[test]
    fn bounds_hold() {
        let mut draw = Draw::new(7, Purpose::Churn, 0, 0);
        for _ in 0..1000 {
            assert!(draw.below(3) < 3);
            assert!((0.0..1.0).contains(&draw.unit()));
        }
        assert_eq!(draw.below(0), 0);
        assert_eq!(draw.uuid().get_version(), Some(uuid::Version::Random));
    }
}
