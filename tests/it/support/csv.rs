//! RFC 4180, read by hand: the usual readers don't tell a quoted empty field from an empty one, and here that is the
//! difference between the empty string and NULL.

/// The records of a CSV text, each ended by CRLF; `None` for an empty field without quotes.
pub fn records(text: &str) -> Vec<Vec<Option<String>>> {
    let mut records = Vec::new();
    let (mut record, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (field, after) = field(rest);
        record.push(field);
        if let Some(after) = after.strip_prefix(',') {
            rest = after;
        } else {
            rest = after.strip_prefix("\r\n").unwrap_or_else(|| panic!("no CRLF before {:.40?}", after));
            records.push(std::mem::take(&mut record));
        }
    }
    assert!(record.is_empty(), "the last line has no end");
    records
}

fn field(text: &str) -> (Option<String>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', '\r', '\n', '"']).expect("a field has an end");
        assert!(!text[end..].starts_with('"'), "a quote in a field without quotes: {:.40?}", text);
        let field = &text[..end];
        return ((!field.is_empty()).then(|| field.to_owned()), &text[end..]);
    };
    let mut found = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('"').expect("a quoted field has an end");
        found.push_str(part);
        match after.strip_prefix('"') {
            Some(_) => found.push('"'),
            None => return (Some(found), after),
        }
        rest = &after[1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_the_empty_string() {
        let text = |text: &str| Some(text.to_owned());
        let found = records("a,,\"\"\r\n\"x\"\"y\r\n,\",b,\"\"\"\"\r\n");
        assert_eq!(found, [vec![text("a"), None, text("")], vec![text("x\"y\r\n,"), text("b"), text("\"")]]);
    }
}
