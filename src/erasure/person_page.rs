//! What is held of persons, as a page of HTML that needs nothing else.

use super::page::{STYLE, table};
use super::person::PersonFound;
use maud::{DOCTYPE, PreEscaped, html};

/// What is held of persons, for them to read.
pub fn person_page(found: &[PersonFound]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { "What is held of a person" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @for person in found {
                    h1 { "Customer " (person.id) }
                    (table(["What", "Value"], [
                        ("E-mail address", &person.emails), ("Telephone number", &person.phone_numbers), ("Name", &person.names)
                    ].into_iter().flat_map(|(what, values)| values.iter().map(move |value| [what.to_owned(), value.clone()]))))
                    @for held in &person.held {
                        h2 { (held.table) }
                        @for row in &held.rows {
                            (table(["Column", "Value"], row.iter().filter(|(_, value)| value.get() != "null").map(|(column, value)| {
                                [column.clone(), value.get().to_owned()]
                            })))
                            br;
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}
