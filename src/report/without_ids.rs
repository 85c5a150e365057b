//! An error's text for a page that names nobody: what the mirror keeps of an error may name the customer whose request it was.

/// What stands in a text before the first of several customers, and what follows is about that one alone.
const FIRST_ONE: [&str; 2] = ["; the first one:", "The first of them:"];

/// What stands in a request's path before an id.
const LISTS: [&str; 2] = ["/customers/", "/events/"];

/// The text without the ids of customers and events.
pub(super) fn without_ids(text: &str) -> String {
    let end = FIRST_ONE.iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    LISTS.iter().fold(text[..end].trim_end().to_owned(), |text, list| masked(&text, list))
}

/// The text with `{id}` in place of what follows `list`, to the end of that part of the path.
fn masked(text: &str, list: &str) -> String {
    let mut parts = text.split(list);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| "/?: ,;)\"'`".contains(c)).unwrap_or(part.len());
        masked.push_str(list);
        masked.push_str(if end == 0 { "" } else { "{id}" });
        masked.push_str(&part[end..]);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_named() {
        for (text, expected) in [
            ("the API refused the key (HTTP 401)", "the API refused the key (HTTP 401)"),
            (
                "the events of 3 customers could not be read; the first one: c-17: GET /customers/c-17/events: no",
                "the events of 3 customers could not be read",
            ),
            (
                "the events of 9 customers in a row could not be read; the last one: GET /customers/c%2017/events: the API \
                 failed (HTTP 500)",
                "the events of 9 customers in a row could not be read; the last one: GET /customers/{id}/events: the API \
                 failed (HTTP 500)",
            ),
            ("GET /customers/c-1: the API failed", "GET /customers/{id}: the API failed"),
            ("GET /customers: the API failed", "GET /customers: the API failed"),
            (
                "2 records could not be taken. The first of them: event x of customer y",
                "2 records could not be taken.",
            ),
        ] {
            assert_eq!(without_ids(text), expected);
        }
    }
}
