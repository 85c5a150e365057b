//! Addresses and numbers without what makes no difference, so that two ways to write one are the same.

/// An e-mail address without what makes no difference: outer space and capitals.
pub fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The digits of a telephone number; the number as it stands where it has none.
pub fn digits(phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() { phone.trim().to_owned() } else { digits }
}
