//! What is held of persons, as a page of HTML that needs nothing else.

use super::page::{document, table};
use super::person::PersonFound;
use maud::html;

/// What is held of persons, for them to read.
pub fn person_page(found: &[PersonFound]) -> String {
    let body = html! {
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
    };
    document(html! { "What is held of a person" }, body)
}
