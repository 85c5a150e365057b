//! A receipt for people: one page of HTML that needs nothing else.

use super::receipt::Receipt;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #ccc;\
    vertical-align:top;overflow-wrap:anywhere}code{font-size:.85em;overflow-wrap:anywhere}";

/// A page of its own, with that title.
pub(super) fn document(title: Markup, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// The page.
pub(super) fn page(receipt: &Receipt) -> String {
    let body = html! {
        h1 { "Receipt of erasure " (receipt.erasure) }
        p { strong {
            @match &receipt.ended_at {
                Some(at) => { "Ended at " (at) " (UTC)." }
                None => { "Not ended: run `malomo-mirror erase --finish`." }
            }
        } }
        (about(receipt))
        h2 { "The mirror" }
        (table(["Table", "Records", "Bytes"], receipt.mirror.iter().map(|place| {
            [place.table.clone(), place.records.to_string(), place.bytes.to_string()]
        })))
        p {
            (receipt.changes) " lines of the change log say " code { "erase" } " and name nobody. "
            @if receipt.file_rewritten { "The file was written anew: no deleted byte is left in it or in its log." }
            @else { "The file still has pages with deleted bytes." }
        }
        @for folder in &receipt.exports {
            h2 { "Exports in " code { (folder.dir) } }
            p { (folder.searched) " files are announced there." }
            (table(["File", "What was done", "SHA-256 before", "SHA-256 after"], folder.files.iter().map(|file| {
                let digest = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "–".to_owned());
                [file.path.clone(), format!("{:?}", file.done), digest(&file.sha256_before), digest(&file.sha256)]
            })))
        }
        h2 { "Records of others that name the person" }
        (table(["Table", "Column", "Records"], receipt.elsewhere.iter().map(|place| {
            [place.table.clone(), place.column.clone(), place.records.to_string()]
        })))
        h2 { "What could not be reached" }
        (table(["What", "What to do"], receipt.unreached.iter().map(|one| {
            [one.what.clone(), one.what_to_do.clone()]
        })))
        p { "Signature: " code { (receipt.signature) } }
    };
    document(html! { "Erasure " (receipt.erasure) }, body)
}

fn about(receipt: &Receipt) -> Markup {
    html! {
        p {
            "Begun at " (receipt.requested_at) " (UTC), in the mirror " code { (receipt.mirror_id) } "."
            @if let Some(reason) = &receipt.reason { " Reason: " (reason) "." }
        }
        @if !receipt.expired.is_empty() { (expired(receipt)) }
        @else { (of_persons(receipt)) }
    }
}

fn expired(receipt: &Receipt) -> Markup {
    html! {
        p { "Kept for longer than " code { "[retention]" } " allows; the times are those of the last change (UTC)." }
        (table(["Rule", "Customers", "Events", "Earlier versions", "Oldest", "Newest"], receipt.expired.iter().map(|one| {
            let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "–".to_owned());
            [one.rule.clone(), one.customers.to_string(), one.events.to_string(), one.versions.to_string(),
             time(&one.oldest), time(&one.newest)]
        })))
    }
}

fn of_persons(receipt: &Receipt) -> Markup {
    html! {
        p { "Identifiers stand here as HMAC-SHA256 under the key in the mirror's key file." }
        (table(["Asked for by", "Token"], receipt.asked.iter().map(|one| {
            [one.identifier.name().to_owned(), one.token.clone()]
        })))
        p { "Customers found: " (receipt.persons.len()) "; deleted at the vendor: " (receipt.deleted_at_vendor.len()) "." }
    }
}

/// A table, or that there is nothing.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Markup {
    let rows: Vec<[String; N]> = rows.collect();
    html! {
        @if rows.is_empty() { p { "None." } }
        @else {
            table {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { @for row in &rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}
