//! Tables that the program keeps for itself.

use super::entry::{Table, blob, count, integer, json, table, text, utc};
use crate::record::Personal::DirectIdentifier;
use crate::record::Stream;

pub(super) fn tables() -> [Table; 10] {
    [
        meta(),
        account(),
        api_behaviour(),
        export_folders(),
        event_lists(),
        list_marks(),
        checkpoints(),
        webhook_hints(),
        webhook_orders(),
        webhook_unmatched(),
    ]
    .map(Table::technical)
}

fn meta() -> Table {
    table(
        "meta",
        "One row for each fact about the mirror itself, such as its name, which export manifests carry.",
        vec![text("key", "The fact, such as 'mirror_id'.").key(), text("value", "What it is.").not_null()],
    )
}

fn account() -> Table {
    table(
        "account",
        "The account that the mirror belongs to; one row.",
        vec![
            integer("only_row", "Always 1.").key(),
            text("account_id", "As the API names it; NULL: the API doesn't say."),
            utc("doubted_since", "Since when it is in doubt; NULL: it isn't."),
            text("doubt", "What raised the doubt."),
        ],
    )
}

fn api_behaviour() -> Table {
    table(
        "api_behaviour",
        "What was found out about the API where its documentation is silent.",
        vec![
            text("stream", "The stream.").key().one_of(Stream::NAMES),
            text("point", "What was found out about, such as 'token_style'.").key(),
            text("value", "What was found.").not_null(),
            text("evidence", "What showed it.").not_null(),
            text("base_url", "Where it was seen.").not_null(),
            utc("detected_at", "When it was found.").not_null(),
        ],
    )
}

fn export_folders() -> Table {
    table(
        "export_folders",
        "How far the manifest of each export folder reached when the mirror last wrote it.",
        vec![
            text("folder", "The folder's absolute path, or the address of an object store; '': an older version exported there.").key(),
            text("kind", "Which of the folder's manifests.").key().one_of(&["changes", "snapshots"]),
            json("reached", "How far the manifest reached, with the newest file of each stream and format.")
                .not_null(),
            json("planned", "The same for the manifest that is to take its place; NULL: none."),
        ],
    )
}

fn event_lists() -> Table {
    table(
        "event_lists",
        "Event lists that had more than one page; one that ends early may have lost its way on.",
        vec![
            text("stream", "The stream of the children.").key(),
            text("customer_id", "Whose list it is.").key().personal(DirectIdentifier),
            count("pages", "pages", "Pages of the newest complete walk that was believed."),
            count("page_rows", "records", "Records on its largest page."),
            utc("short_since", "Since when the list ends before that many pages; NULL: it doesn't."),
        ],
    )
}

fn list_marks() -> Table {
    table(
        "list_marks",
        "Page tokens of the customer list, from which the next walk can begin at many places at once.",
        vec![
            text("stream", "Whose list it is.").key(),
            integer("page", "So many pages stood before it.").key(),
            json("cursor", "The request for the page behind those.").not_null(),
            integer("last_record", "A hash of the record that stood last before it.").not_null(),
            text("base_url", "The API that gave it.").not_null(),
        ],
    )
}

fn checkpoints() -> Table {
    table(
        "checkpoints",
        "Where an interrupted walk of a list goes on. A row lives from a walk's first page to its end.",
        vec![
            text("stream", "Whose list is walked.").key(),
            text("mode", "The run's mode.").key(),
            utc("started_at", "When the walk began.").not_null(),
            text("base_url", "The API that was walked.").not_null(),
            json("cursor", "The request for the page after the last one stored.").not_null(),
            count("pages", "pages", "Pages that are stored."),
            count("customers", "records", "Records on them."),
            count("inserted", "records", "Of these, new to the mirror."),
            blob("seen", "Bit n: the record with rowid n stood in the walk.").not_null(),
        ],
    )
}

fn webhook_hints() -> Table {
    table(
        "webhook_hints",
        "Customers that webhooks hinted at and that no run has looked at since.",
        vec![
            text("customer_id", "As the delivery named it.").key().personal(DirectIdentifier),
            utc("first_at", "When the oldest hint came that no look has followed.").not_null(),
            utc("newest_at", "When the newest one came.").not_null(),
            count("times", "hints", "How many came."),
            integer("number", "The newest hint's number.").not_null(),
        ],
    )
}

fn webhook_orders() -> Table {
    table(
        "webhook_orders",
        "Deliveries that named an order and nothing else that the mirror knows; the next run looks for these orders.",
        vec![
            integer("delivery", "The delivery's number.").key(),
            json("order_ids", "The orders, as an array of texts.").not_null().personal(DirectIdentifier),
            json("paths", "Where the delivery's values stood, as in webhook_unmatched.").not_null(),
            utc("at", "When it came.").not_null(),
        ],
    )
}

fn webhook_unmatched() -> Table {
    table(
        "webhook_unmatched",
        "What deliveries looked like that told of no customer, without any of their values.",
        vec![
            json("paths", "Where the body's values stood, such as [\"order.number\"].").key(),
            count("times", "deliveries", "How many came."),
            utc("first_at", "When the first one came.").not_null(),
            utc("last_at", "When the last one came.").not_null(),
        ],
    )
}
