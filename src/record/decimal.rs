//! Numbers as JSON writes them, as integers and without floating point: 1.7e9 is 1700000000, every digit counts.

/// The digits that fit an `i128` in any case.
const DIGITS: i64 = 38;

/// A number as an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scaled {
    /// The largest integer that is not above the number.
    pub(super) value: i128,
    /// Whether it is the number itself.
    pub(super) is_exact: bool,
}

/// The number times ten to the power of `scale`; `None` where `text` is no number, or one with more than 38 digits
/// before the point.
pub(super) fn scaled(text: &str, scale: i64) -> Option<Scaled> {
    let (text, is_negative) = text.strip_prefix('-').map_or((text, false), |text| (text, true));
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    if !is_digits(whole) || !fraction.is_none_or(is_digits) {
        return None;
    }
    let mut digits = whole.bytes().chain(fraction.unwrap_or_default().bytes()).peekable();
    let mut before_point = (whole.len() as i64).saturating_add(exponent).saturating_add(scale);
    while digits.next_if_eq(&b'0').is_some() {
        before_point = before_point.saturating_sub(1);
    }
    if digits.peek().is_none() {
        return Some(Scaled { value: 0, is_exact: true });
    }
    if before_point > DIGITS {
        return None;
    }
    let mut value: i128 = 0;
    for _ in 0..before_point {
        value = value * 10 + i128::from(digits.next().map_or(0, |digit| digit - b'0'));
    }
    let is_exact = digits.all(|digit| digit == b'0');
    let value = match (is_negative, is_exact) {
        (false, _) => value,
        (true, true) => -value,
        (true, false) => -value - 1,
    };
    Some(Scaled { value, is_exact })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An exponent of more digits than can be counted is as good as the largest one.
fn read_exponent(text: &str) -> Option<i64> {
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let size = is_digits(digits).then(|| digits.parse().unwrap_or(i64::MAX))?;
    Some(if is_negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_however_they_are_written() {
        for (text, scale, value, is_exact) in [
            ("0", 0, 0, true),
            ("-0", 0, 0, true),
            ("0.000", 0, 0, true),
            ("0e999999999999999999999", 0, 0, true),
            ("1e3", 0, 1000, true),
            ("1.7e9", 0, 1_700_000_000, true),
            ("1.7E+9", 0, 1_700_000_000, true),
            ("17000e-1", 0, 1_700, true),
            ("1700000000.0", 0, 1_700_000_000, true),
            ("1700000000.9", 0, 1_700_000_000, false),
            ("1700000000.25", 3, 1_700_000_000_250, true),
            ("0.0015", 3, 1, false),
            ("-1.5", 0, -2, false),
            ("-2.0", 0, -2, true),
            ("1e-400", 0, 0, false),
            ("-1e-99999999999999999999", 0, -1, false),
            ("9223372036854775808", 0, 9_223_372_036_854_775_808, true),
        ] {
            assert_eq!(scaled(text, scale), Some(Scaled { value, is_exact }), "{text}");
        }
        for text in [
            "", "-", "+1", "1.", ".5", "1e", "1e+", "1e1.5", "0x10", "NaN", "1e400", "1 ", "--1", "1e-+1",
            "١",
        ] {
            assert_eq!(scaled(text, 0), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_point_can_be_moved(number in any::<i64>(), places in 0usize..12) {
            let digits = format!("{:0>width$}", number.unsigned_abs(), width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            let sign = if number < 0 { "-" } else { "" };
            let exact = Some(Scaled { value: i128::from(number), is_exact: true });
            prop_assert_eq!(scaled(&number.to_string(), 0), exact);
            prop_assert_eq!(scaled(&format!("{sign}{whole}.{fraction}0"), places as i64), exact);
            prop_assert_eq!(scaled(&format!("{sign}{whole}.{fraction}0e{places}"), 0), exact);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eE]{0,50}", scale in 0i64..10) {
            let _ = scaled(&text, scale);
        }
    }
}
