//! The signature of a delivery: HMAC-SHA256 (RFC 2104) of the raw body, in upper-case hexadecimal digits.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// What a body's signature says, as bytes. Two bodies have the same one only if they are the same.
pub type Tag = [u8; 32];

/// What deliveries are signed with. `Debug` is left out: it holds the secret.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// The key that is made of a webhook's secret.
    pub fn new(secret: &SecretString) -> Key {
        // HMAC takes keys of every length.
        let mac = Hmac::new_from_slice(secret.expose_secret().as_bytes());
        Key(mac.unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    /// The signature as the vendor writes it.
    pub fn sign(&self, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(body);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// The body's tag if the header's text is its signature, in digits of either case. Takes the same time whichever of
    /// the digits are wrong.
    pub fn verify(&self, body: &[u8], header: &[u8]) -> Option<Tag> {
        let tag = digits(header)?;
        let mut mac = self.0.clone();
        mac.update(body);
        mac.verify_slice(&tag).ok().map(|()| tag)
    }
}

/// 32 bytes in 64 hexadecimal digits.
fn digits(text: &[u8]) -> Option<Tag> {
    let mut tag = Tag::default();
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != tag.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (byte, [high, low]) in tag.iter_mut().zip(pairs) {
        *byte = (digit(*high)? * 16 + digit(*low)?) as u8;
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> Key {
        Key::new(&SecretString::from(secret))
    }

    /// RFC 4231, test case 2.
    #[test]
    fn a_known_signature() {
        let expected = "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843";
        assert_eq!(key("Jefe").sign(b"what do ya want for nothing?"), expected);
    }

    #[test]
    fn only_the_bodys_own_signature_is_taken() {
        let (key, body) = (key("secret"), b"{\"customer_id\":\"c1\"}");
        let good = key.sign(body);
        let wrong = format!("{}{}", &good[..63], if good.ends_with('0') { '1' } else { '0' });
        for (header, expected) in [
            (good.clone(), true),
            (good.to_lowercase(), true),
            (wrong, false),
            (key.sign(b"another body"), false),
            (self::key("another secret").sign(body), false),
            (String::new(), false),
            (good[..62].to_owned(), false),
            (format!("{good}00"), false),
            (format!("sha256={good}"), false),
            ("G".repeat(64), false),
            ("é".repeat(32), false),
        ] {
            assert_eq!(key.verify(body, header.as_bytes()).is_some(), expected, "{header}");
        }
        assert_eq!(key.verify(body, good.as_bytes()), key.verify(body, good.to_lowercase().as_bytes()));
    }
}
