//! The `Link` header (RFC 8288), as far as paging needs it (`api-contract` point 1 a).

/// The target of the first link with the relation `next`, as written. Links about another resource (`anchor`) don't
/// count. Missing angle brackets are tolerated; a link that is malformed in another way is skipped up to the next comma.
pub fn next_target(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        if rest.is_empty() {
            return None;
        }
        let (target, after) = match rest.strip_prefix('<') {
            Some(bracketed) => bracketed.split_once('>')?,
            None => rest.split_at(rest.find([';', ',']).unwrap_or(rest.len())),
        };
        let (parameters, remaining) = split_before(after, ',');
        if is_next(parameters) {
            return Some(target.trim().trim_matches(QUOTES));
        }
        rest = remaining;
    }
}

/// Whether the header mentions a next page, well-formed or not: if no target is found, that is a hint that is not understood
/// (point 3).
pub fn names_next(header: &str) -> bool {
    let bare = header.chars().filter(|c| !c.is_whitespace() && !QUOTES.contains(c));
    bare.collect::<String>().to_ascii_lowercase().contains("rel=next")
}

/// RFC 8288 allows double quotes only; some servers write single ones (point 1 a).
const QUOTES: [char; 2] = ['"', '\''];

/// Splits before the first such mark that stands outside quoted strings.
fn split_before(text: &str, mark: char) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.find(|character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        character == mark && !quoted
    });
    text.split_at(end.unwrap_or(text.len()))
}

fn is_next(parameters: &str) -> bool {
    let mut relation = None;
    for (name, value) in each_parameter(parameters) {
        if name.eq_ignore_ascii_case("anchor") {
            return false;
        }
        // RFC 8288, 3.3: only the first `rel` of a link counts.
        if name.eq_ignore_ascii_case("rel") && relation.is_none() {
            relation = Some(value);
        }
    }
    relation.is_some_and(|value| value.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next")))
}

fn each_parameter(mut rest: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = std::iter::from_fn(move || {
        let (parameter, after) = split_before(rest.strip_prefix(';').unwrap_or(rest), ';');
        (!std::mem::replace(&mut rest, after).is_empty()).then_some(parameter)
    });
    parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        Some((name.trim(), value.trim().trim_matches(QUOTES)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cases() {
        for (header, expected) in [
            (r#"</customers?next=a>; rel="next""#, Some("/customers?next=a")),
            (r#"<a>; rel="prev", <b>; rel="next""#, Some("b")),
            (r#"<a>; rel=prev,<b>;rel=next"#, Some("b")),
            (r#"<b>; rel="prev NEXT""#, Some("b")),
            (r#"<b>; REL=Next"#, Some("b")),
            (r#"< b >; title="x, <y>; rel=next"; rel="last", <c>; rel="next""#, Some("c")),
            (r#"<a,b>; rel="next""#, Some("a,b")),
            (r#"<a>; title="quote \", <z>; rel=\"next"; rel=next"#, Some("a")),
            (r#"<a>; rel="prev"; rel="next""#, None),
            (r##"<a>; rel="next"; anchor="#other""##, None),
            (r#"<a>; rel="nextish""#, None),
            ("/customers?next=a; rel=next", Some("/customers?next=a")),
            (r#"/c?prev=a; rel="prev", /c?next=b;rel="next""#, Some("/c?next=b")),
            (r#""/customers?next=a"; rel="next""#, Some("/customers?next=a")),
            (
                "https://api.example.com/customers?next=a ; rel = next",
                Some("https://api.example.com/customers?next=a"),
            ),
            ("<b>; rel='next'", Some("b")),
            ("<a>; rel='prev', <b>; rel='last next'", Some("b")),
            ("/c?next=a", None),
            ("rel=next", None),
            (r#"<a>"#, None),
            ("<a", None),
            ("<a; rel=next", None),
            ("", None),
            (r#"<>; rel="next""#, Some("")),
        ] {
            assert_eq!(next_target(header), expected, "{header}");
        }
    }

    #[test]
    fn headers_that_speak_of_a_next_page() {
        for (header, expected) in [
            (r#"<a; rel="next""#, true),
            ("<a; Rel = 'NEXT'", true),
            (r#"<a>; rel="prev""#, false),
            ("</_next/app.js>; rel=preload", false),
        ] {
            assert_eq!(names_next(header), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(header in ".*") {
            let _ = (next_target(&header), names_next(&header));
        }

        #[test]
        fn finds_the_next_link_among_others(
            before in prop::collection::vec(("[a-z/?=&,]{1,12}", "[a-z]{1,8}"), 0..4),
            target in "[a-zA-Z0-9/?=&,:;%._-]{1,40}",
        ) {
            prop_assume!(before.iter().all(|(_, relation)| relation != "next"));
            let mut links: Vec<String> =
                before.iter().map(|(target, relation)| format!("<{target}>; rel=\"{relation}\"")).collect();
            links.push(format!("<{target}>; rel=\"next\""));
            let header = links.join(", ");
            prop_assert_eq!(next_target(&header), Some(target.as_str()));
        }
    }
}
