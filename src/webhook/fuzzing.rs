//! What holds for every delivery, whoever sent it.

use super::{Key, candidates};
use secrecy::SecretString;

/// Tries a delivery: the signature in the first line, the topic in the second, and the body in what follows.
pub fn delivery(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (signature, topic, body) = (part(), part(), part());
    let key = Key::new(&SecretString::from("fuzzing"));
    let good = key.sign(body);
    let is_good = signature.eq_ignore_ascii_case(good.as_bytes());
    assert_eq!(key.verify(body, signature).is_some(), is_good);
    assert!(key.verify(body, good.as_bytes()).is_some());
    let Some(found) = candidates(body, std::str::from_utf8(topic).ok()) else { return };
    for id in found.customers.iter().chain(&found.others) {
        assert!(!id.is_empty() && id.len() <= 256, "{id}");
    }
    assert!(found.others.iter().all(|id| !found.customers.contains(id)), "{found:?}");
    // However large the body is, what is kept of it is not.
    assert!(found.customers.len() <= 65 && found.others.len() <= 64 && found.paths.len() <= 64);
    for path in &found.paths {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.[]*".contains(c);
        assert!(path.chars().all(is_plain), "{path}");
    }
}
