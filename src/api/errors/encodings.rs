//! Forms in which a text can stand within another one: what servers, proxies and pages of errors make of what they repeat.

use crate::hex::hex;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// The text with nothing encoded in it any more: neither percent-encoded (RFC 3986) nor escaped as in JSON (`\u0040`, `\x40`)
/// or HTML (`&#64;`, `&#x40;`), once or several times over.
pub(super) fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    loop {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['%', '\\', '&']) {
            bytes.extend_from_slice(&rest.as_bytes()[..at]);
            rest = &rest[at..];
            let (length, decoded) = escape(rest).unwrap_or_else(|| (1, rest.as_bytes()[..1].to_vec()));
            bytes.extend(decoded);
            rest = &rest[length..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        let decoded = String::from_utf8_lossy(&bytes).into_owned();
        // Every form is longer than what it stands for.
        if bytes.len() == text.len() {
            return decoded;
        }
        text = decoded;
    }
}

/// What a text begins with: how long the escape is, and what it stands for.
fn escape(text: &str) -> Option<(usize, Vec<u8>)> {
    let digits = |from: usize, to: usize, radix| {
        let digits = text.get(from..to).filter(|digits| digits.chars().all(|c| c.is_digit(radix)))?;
        u32::from_str_radix(digits, radix).ok()
    };
    let character = |length, code| Some((length, char::from_u32(code)?.to_string().into_bytes()));
    match text.as_bytes() {
        [b'%', ..] => Some((3, vec![u8::try_from(digits(1, 3, 16)?).ok()?])),
        [b'\\', b'u', ..] => character(6, digits(2, 6, 16)?),
        [b'\\', b'x', ..] => character(4, digits(2, 4, 16)?),
        [b'&', b'#', ..] => {
            let end = text.bytes().take(12).position(|byte| byte == b';')?;
            let is_hex = matches!(text.as_bytes()[2], b'x' | b'X');
            let code = if is_hex { digits(3, end, 16)? } else { digits(2, end, 10)? };
            character(end + 1, code)
        }
        _ => None,
    }
}

/// What of a secret is certainly to be found where it stands within base64 (RFC 4648 sections 4 and 5) and hexadecimal digits.
/// In base64 that depends on how many bytes stand before it, and its first and last character on which ones.
pub(super) fn encoded(secret: &str) -> impl Iterator<Item = String> {
    let in_base64 = [0, 2, 1].map(|before| {
        let text = BASE64_STANDARD_NO_PAD.encode([&[0; 2][..before], secret.as_bytes()].concat());
        let certain = (8 * before).div_ceil(6)..8 * (before + secret.len()) / 6;
        text.get(certain).unwrap_or_default().to_owned()
    });
    let url_safe = in_base64.clone().map(|digits| digits.replace('+', "-").replace('/', "_"));
    // Fewer of them may stand there by chance.
    let forms = in_base64.into_iter().chain(url_safe).filter(|form| form.len() >= 8);
    forms.chain([hex(secret.as_bytes())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes() {
        for (text, expected) in [
            ("a%40b %2540 %c3%a9", "a@b @ é"),
            (r"\u0040 \x40 \u00e9", "@ @ é"),
            ("&#64; &#x40; &#X40; &#38;#64;", "@ @ @ @"),
            (r"%5cu0040 \u0025\u00340", "@ @"),
            (
                r"% %4 %zz \u \u004 \ud83d \x4 \n & &# &#; &#x; &amp; &#-64; &#99999999;",
                r"% %4 %zz \u \u004 \ud83d \x4 \n & &# &#; &#x; &amp; &#-64; &#99999999;",
            ),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stays_within_digits() {
        let forms: Vec<String> = encoded("sk_live_1?>").collect();
        // From `printf 'sk_live_1?>' | base64`, behind one byte and behind two.
        assert!("c2tfbGl2ZV8xPz4=".contains(&forms[0]), "{forms:?}");
        assert!(
            "eHNrX2xpdmVfMT8+".contains(&forms[2]) && "eHNrX2xpdmVfMT8-".contains(&forms[5]),
            "{forms:?}"
        );
        assert!("eHhza19saXZlXzE/Pg==".contains(&forms[1]), "{forms:?}");
        assert_eq!(forms[6], "736b5f6c6976655f313f3e");
        assert_eq!(encoded("abc").collect::<Vec<_>>(), ["616263"]);
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_or_stays(text in r"[%\\&#xu0-9a-f;é]{0,40}") {
            let once = decoded(&text);
            prop_assert_eq!(decoded(&once), once);
        }
    }
}
