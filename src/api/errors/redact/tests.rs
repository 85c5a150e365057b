//! Cases, and what must hold whatever stands around a secret.

use super::*;
use proptest::prelude::*;

const KEY: &str = "k3y-Of_thisAccount.1";

fn told(text: &str) -> String {
    Redactor::new([&KEY.into()]).redact(text).to_string()
}

#[test]
fn what_is_left_of_text() {
    for (text, expected) in [
        ("", ""),
        ("  no such record \n", "no such record"),
        ("50% of them, 100%, %zz, a%2Fb, %", "50% of them, 100%, %zz, a%2Fb, %"),
        // The key, in every form that a header or a URL gives it.
        ("the key k3y-Of_thisAccount.1 is void", "the key ••• is void"),
        ("Bearer k3y-Of_thisAccount.1", "Bearer •••"),
        ("K3Y-OF_THISACCOUNT.1k3y-of_thisaccount.1", "••••••"),
        ("?key=k3y%2DOf%5FthisAccount%2e1&x=1", "?key=•••&x=1"),
        ("k3y%252dOf_thisAccount.1", "•••"),
        ("%6b3y-Of_thisAccount.1", "•••"),
        ("k3y-Of_\nthis\u{1}Acc\u{200b}ount .1!", "•••!"),
        (r"\u006b3y-Of_thisAccount.1 k3y&#45;Of&#x5f;thisAccount.1", "••• •••"),
        // In base64, alone, behind one byte and behind two; what is left tells of the last or the first byte at most.
        ("azN5LU9mX3RoaXNBY2NvdW50LjE= is void", "•••E= is void"),
        ("YWszeS1PZl90aGlzQWNjb3VudC4x", "YW•••"),
        ("YWJrM3ktT2ZfdGhpc0FjY291bnQuMQ==", "YWJ•••Q=="),
        ("6b33792D4f665f746869734163636f756e742e31", "•••"),
        // Credentials that aren't ours.
        ("authorization: bearer abc.def-ghi, x", "authorization: bearer •••, x"),
        ("Basic dXNlcjpwYXNz!", "Basic •••!"),
        ("sk_live_abcdef and pk_test_12", "••• and •••"),
        ("a basic fault, Bearer token. task_list", "a basic fault, Bearer token. task_list"),
        // Addresses.
        ("ann@example.com is taken", "••• is taken"),
        ("<ann.o'hara+1@mail.example.com>, b@c", "<•••>, •••"),
        ("{\"email\":\"ann@example.com\"}", "{\"email\":\"•••\"}"),
        ("\"Ann Smith\"@example.com", "•••"),
        ("ann%40example.com", "•••"),
        ("ANN%2540EXAMPLE.COM!", "•••"),
        ("änn@exämple.de; ann@[192.168.0.1]", "•••; •••[192.168.0.1]"),
        ("ann\u{ff20}example.com", "•••"),
        ("to ann.b @ example.com, ann@ mail.example or ann @mail.example.", "to •••, ••• or •••"),
        (r"ann\u0040example.com, ann&#64;example.com", "•••, •••"),
        ("meet @ noon, @all, then @ work.", "meet @ noon, @all, then @ work."),
        // Telephone numbers.
        ("call 555-555-5555 now", "call ••• now"),
        ("+1 (555) 010-9999", "+•••"),
        ("tel:+15550109999, 5550199", "tel:+•••, •••"),
        ("%2B49%2030%20901820", "+•••"),
        ("555.010.9999 ext 5, 555\u{a0}0199, 555\u{2011}0199", "••• ext 5, •••, •••"),
        ("555-555-5555 555-555-5555", "•••"),
        ("+49 (0)30 1234-567", "+•••"),
        ("555_010_9999, 555*010*9999; 555\u{2022}010\u{2022}9999", "•••, •••; •••"),
        ("٠١٢٣٤٥٦٧٨٩", "•••"),
        // Numbers that are something else.
        ("HTTP 404 on port 443, 12 of 300", "HTTP 404 on port 443, 12 of 300"),
        ("127.0.0.100:45123 since 2026-11-26", "127.0.0.100:45123 since 2026-11-26"),
        ("req_0123456789, 4f12345678ab", "req_0123456789, 4f12345678ab"),
        ("req_2026_0123456789, line 12, column 34567", "req_2026_0123456789, line 12, column 34567"),
        ("a0a87706-4164-4081-8179-480848d4752b", "a0a87706-4164-4081-8179-480848d4752b"),
        ("12345678-1234-4123-8123-123456789012", "12345678-1234-4123-8123-123456789012"),
        // What a terminal would obey.
        ("a\nb\r\tc\u{0}", "a\\nb\\r\\tc\\0"),
        ("\u{1b}[31mred\u{7f}\u{9b}", "\\u{1b}[31mred\\u{7f}\\u{9b}"),
        ("\u{202e}dlrow\u{2066}\u{200b}", "\\u{202e}dlrow\\u{2066}\\u{200b}"),
        ("\"it's\" C:\\ ä e\u{301} 猫\u{3000}!", "\"it's\" C:\\ ä e\u{301} 猫 !"),
    ] {
        assert_eq!(told(text), expected, "{text:?}");
    }
}

#[test]
fn paths_keep_their_identifiers() {
    let path = |text| Redactor::new([&KEY.into()]).redact_path(text).to_string();
    assert_eq!(path("/customers/5555555555555/a%2Fb"), "/customers/5555555555555/a%2Fb");
    assert_eq!(path("/customers/k3y-Of_thisAccount%2E1"), "/customers/•••");
    assert_eq!(path("/x:ann%40example.com"), "/x:•••");
}

#[test]
fn long_text_is_cut() {
    assert_eq!(told(&"ä".repeat(5000)).chars().count(), SHOWN + 1);
    assert_eq!(told(&"a\n".repeat(5000)).chars().count(), SHOWN + 1);
    // Encoded again and again, and still read in no time.
    assert!(told(&format!("%{}", "25".repeat(50_000))).chars().count() <= SHOWN + 1);
}

#[test]
fn causes_are_told_as_well() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer {KEY}")]
    struct Outer(#[source] std::io::Error);
    let error = Outer(std::io::Error::other("to ann@example.com"));
    let cause = Redactor::new([&KEY.into()]).cause(&error);
    assert_eq!(format!("{cause} {}", cause.source().unwrap()), "outer ••• to •••");
}

/// Every character percent-encoded or not, in either case, once or twice.
fn encoded(text: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(0..4, text.len()).prop_map(|forms| {
        let form = |(c, form): (u8, &i32)| match form {
            0 => format!("%{c:02x}"),
            1 => format!("%{c:02X}"),
            2 => format!("%25{c:02x}"),
            _ => char::from(c).to_string(),
        };
        text.bytes().zip(&forms).map(form).collect()
    })
}

proptest! {
    #[test]
    fn the_key_never_survives(before in "(?s).{0,40}", after in "(?s).{0,400}", key in encoded(KEY)) {
        let told = told(&format!("{before}{key}{after}"));
        let plain = decoded(&told).to_ascii_lowercase();
        prop_assert!(!plain.contains(&KEY.to_ascii_lowercase()), "{told}");
    }

    #[test]
    fn an_address_never_survives(before in "(?s).{0,40}", after in "(?s).{0,40}", address in encoded("ann.smith@example.com")) {
        let told = told(&format!("{before}{address}{after}"));
        prop_assert!(!decoded(&told).contains("ann.smith@example.com"), "{told}");
    }

    #[test]
    fn a_telephone_number_never_survives(
        before in r#"[^0-9%]{0,20}[ :,"=]"#, after in r#"[ :,"&][^0-9%]{0,20}"#, number in encoded("+1 (555) 010-9999")
    ) {
        let told = told(&format!("{before}{number}{after}"));
        prop_assert!(!decoded(&told).contains("010-9999"), "{told}");
    }

    #[test]
    fn what_is_told_stands_on_one_line(text in "(?s).{0,500}") {
        let told = told(&text);
        prop_assert!(told.chars().count() <= SHOWN + 1);
        prop_assert!(!told.chars().any(|c| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')), "{told:?}");
    }
}
