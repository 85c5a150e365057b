//! What analysts are told of runs, audits and freshness.

use super::entry::{Column, Table, count, integer, json, real, table, text, utc, view};
use crate::record::Personal::{DirectIdentifier, FreeText};
use crate::record::Stream;

pub(super) fn tables() -> [Table; 14] {
    [
        sync_runs(),
        freshness(),
        stream_totals(),
        event_rates(),
        look_signals(),
        unseen_times(),
        event_failures(),
        rejected(),
        audits(),
        audit_findings(),
        history_reach(),
        erasures(),
        tombstones(),
        erased_changes(),
    ]
}

fn stream() -> Column {
    text("stream", "The stream.").one_of(Stream::NAMES)
}

fn sync_runs() -> Table {
    table(
        "sync_runs",
        "One row for each sync run; old ones go (mirror.runs_max_age), and no number is given twice.",
        vec![
            integer("id", "The run's number.").key(),
            text("mode", "What the run read: everything, what is due, named customers, or those that webhooks hinted at.")
                .not_null()
                .one_of(&["full", "incremental", "customers", "hinted"]),
            utc("started_at", "When it began.").not_null(),
            utc("finished_at", "When it ended; NULL: it is under way, or was cut off."),
            text(
                "outcome",
                "How it ended; 'interrupted' means stopped or killed. One that was killed has counted nothing: what it wrote \
                 stands in changes.",
            )
                .not_null()
                .one_of(&["running", "ok", "incomplete", "failed", "interrupted"]),
            count("resumed", "0 or 1", "1: it went on where an interrupted walk of the customer list had stopped."),
            count("requests", "requests", "Requests that were sent to the API, retries included."),
            count("retries", "requests", "Requests that were sent again after a fault."),
            count("customer_pages", "pages", "Pages of the customer list."),
            count("customers_seen", "rows", "Rows on those pages."),
            count("customers_inserted", "records", "Customers that were new to the mirror."),
            count("customers_updated", "records", "Customers whose content changed."),
            count("customers_deleted", "records", "Customers that were deleted."),
            count("customers_stale", "records", "Customers that were listed with an older version than the mirror's."),
            count("customers_missing", "records", "Customers of the mirror that the walk lacked."),
            count("event_walks", "customers", "Customers whose events were read to their end."),
            count("event_walks_failed", "customers", "Customers whose events could not be read: see event_failures."),
            count("events_seen", "rows", "Events on the pages that were read."),
            count("events_inserted", "records", "Events that were new to the mirror."),
            count("events_updated", "records", "Events whose content changed."),
            count("events_deleted", "records", "Events that were deleted."),
            count("events_stale", "records", "Events that were listed with an older version than the mirror's."),
            count("rejected", "records", "Records that could not be taken: see rejected."),
            json("remarks", "What a person should know of the run, as an array of sentences."),
            text("error", "Why it failed or is incomplete."),
            count("events_missing", "records", "Events that were marked with missing_since at the run's end."),
            count("repaired", "records", "Records that were taken with a repair: see rejected."),
            text("what_to_do", "What to do about the error, where it doesn't say so itself."),
            count("kept_out", "records", "Customers that were not taken, because they were erased: see tombstones."),
            count("expired", "records", "Listed records that the mirror lacks and that were not taken for their age."),
        ],
    )
}

fn freshness() -> Table {
    view(
        "freshness",
        "How current each stream is: when the mirror last looked, and for how long new events were unseen.",
        vec![
            stream().key(),
            count("row_count", "rows", "Rows of the stream's table."),
            integer("last_change_seq", "The stream's newest change; NULL: there is none yet.")
                .of("changes", "seq"),
            utc("last_sync_ok_at", "When the last complete run ended, full or incremental."),
            utc("last_full_ok_at", "When the last complete full run ended."),
            real(
                "unseen_mean_seconds",
                "seconds",
                "For how long events of the last seven days had been at the vendor when the mirror took them, on average.",
            ),
            integer("unseen_p95_seconds", "What 95 % of them stayed below; the upper bound of a span.")
                .unit("seconds"),
        ],
    )
}

fn stream_totals() -> Table {
    table(
        "stream_totals",
        "Rows and newest change of each stream, kept up to date by every run.",
        vec![
            stream().key(),
            count("row_count", "rows", "Rows of the stream's table."),
            integer("last_change_seq", "The stream's newest change; NULL: there is none yet.")
                .of("changes", "seq"),
        ],
    )
}

fn event_rates() -> Table {
    table(
        "event_rates",
        "How often events come, by the kind of a customer's newest event and by how old that is.",
        vec![
            text("state", "The kind and the age, such as 'InTransit/in_transit, 6h to 12h'.").key(),
            count("looks", "looks", "Looks at customers in this state, from their second look on."),
            count("hits", "looks", "Of these, looks that found new events."),
            real(
                "events",
                "events",
                "Events that came to customers in this state; older ones count less and less.",
            )
            .not_null(),
            real(
                "exposure_days",
                "days",
                "For how long customers were in this state; longer ago counts less and less.",
            )
            .not_null(),
            real("per_day", "events a day", "Events that are expected of a customer in this state.")
                .not_null(),
            text("kind", "The type of the newest event and the status of its shipment.").not_null(),
            count("age", "place", "The place of the span of time, from 0 on."),
        ],
    )
}

fn look_signals() -> Table {
    table(
        "look_signals",
        "Why customers' events were looked at, and how often that found news.",
        vec![
            text("signal", "What called for the look.")
                .key()
                .one_of(&["new", "changed", "pending", "full", "asked", "pushed", "turn", "expected"]),
            count("looks", "looks", "Looks for this reason."),
            count("hits", "looks", "Of these, looks that found new events."),
            count("events", "events", "New events that they found."),
            utc("last_look_at", "When the last one was.").not_null(),
        ],
    )
}

fn unseen_times() -> Table {
    table(
        "unseen_times",
        "For how long new events had been at the vendor when the mirror took them, by day.",
        vec![
            text("day", "The day, in UTC.").key().unit("YYYY-MM-DD"),
            integer("at_most_seconds", "The upper bound of the span of time; 9223372036854775807: no bound.")
                .key()
                .unit("seconds"),
            count("events", "events", "Events whose time lies in the span."),
            count("seconds", "seconds", "The times of all of them together."),
        ],
    )
}

fn event_failures() -> Table {
    table(
        "event_failures",
        "Customers whose events could not be read; every run tries them again.",
        vec![
            text("stream", "The stream of the parents.").key(),
            text("customer_id", "Whose events they are.")
                .key()
                .of_mostly("customers", "id")
                .personal(DirectIdentifier),
            integer("run_id", "The newest run that failed.").not_null().of_mostly("sync_runs", "id"),
            utc("failed_at", "When that was.").not_null(),
            text("error", "Why.").not_null(),
        ],
    )
}

fn rejected() -> Table {
    table(
        "rejected",
        "Records of the API that could not be taken, or were taken with a repair, with their raw text.",
        vec![
            text("digest", "SHA-256 over stream, customer_id and raw.").key(),
            stream().not_null(),
            text("customer_id", "In whose list of events the record stood.").personal(DirectIdentifier),
            text("record_id", "The record's identifier, where it has one.").personal(DirectIdentifier),
            text("reason", "What is wrong with the record.").not_null(),
            text("raw", "The record as the API gave it.").not_null().personal(FreeText),
            utc("first_seen_at", "When the API first gave it.").not_null(),
            integer("run_id", "The newest run that met it.").not_null().of_mostly("sync_runs", "id"),
            text("outcome", "Whether it is in the mirror: 'taken' with a repair, or 'rejected'.")
                .not_null()
                .one_of(&["rejected", "taken"]),
            utc("last_seen_at", "When the API last gave it; NULL: not since schema version 5."),
            utc("told_at", "When a run first told of it."),
        ],
    )
}

fn erasures() -> Table {
    table(
        "erasures",
        "One row for each erasure, of persons or of what has expired; its receipt says the same and more.",
        vec![
            integer("id", "The erasure's number.").key(),
            utc("requested_at", "When the mirror forgot them.").not_null(),
            utc(
                "ended_at",
                "When nothing of them was left in exports and in the mirror's file; NULL: it is not ended.",
            ),
            text("reason", "As given."),
            count("persons", "customers", "Customers that were erased."),
            count("changes", "changes", "Lines of the change log that it took."),
            json("found", "What was asked for as tokens, what had expired, and records and bytes by table.")
                .not_null(),
        ],
    )
}

fn tombstones() -> Table {
    table(
        "tombstones",
        "Persons who must not come back, by tokens: HMAC-SHA256 under the mirror's key file.",
        vec![
            text("kind", "What the token stands for.").key().one_of(&["id", "email", "phone_number"]),
            text("token", "In hex.").key(),
            text("person", "The token of the customer's id: a person's tombstones go together.").not_null(),
            integer("erasure_id", "The erasure.").not_null().of("erasures", "id"),
            count("kept_out", "records", "How often the API's list brought such a customer since."),
            utc("kept_out_at", "When it last did; NULL: never."),
        ],
    )
}

fn erased_changes() -> Table {
    table(
        "erased_changes",
        "The changes whose rows were erased: whoever has loaded exports removes the rows with these numbers.",
        vec![
            integer("seq", "The change, `_seq` in exports.").key().of("changes", "seq"),
            stream().not_null(),
            text("token", "'hmac:' and the token of the record's id, which stands in the log for it.")
                .not_null(),
            integer("erasure_id", "The erasure.").not_null().of("erasures", "id"),
            integer(
                "ended_by",
                "Of a version that was forgotten for its age: the change that ended it; else NULL.",
            )
            .of("changes", "seq"),
        ],
    )
}

fn audits() -> Table {
    table(
        "audits",
        "One row for each audit: a sample of the mirror, read again from the API and compared.",
        vec![
            integer("run_id", "The run at whose end it took place.").key().of_mostly("sync_runs", "id"),
            utc("finished_at", "When it ended.").not_null(),
            text(
                "changed_since",
                "By the API's clock: what was changed there from then on counts as changed since.",
            )
            .not_null(),
            integer("seed", "The sample's; the same seed draws the same customers from the same mirror.")
                .not_null(),
            count("population", "customers", "Customers in the mirror."),
            count("sampled", "customers", "Of these, drawn."),
            count("audited", "customers", "Of these, read to their end and compared."),
            count("drifted", "customers", "Of these, differing in what the run should have seen."),
            count(
                "lagging",
                "customers",
                "Of the audited, differing only in what changed since the run read it.",
            ),
            count("events_compared", "events", "Events that were compared."),
            count("customers_differing", "records", "Customers with other content than the API's."),
            count("customers_surplus", "records", "Customers that the API doesn't have."),
            count("events_missing", "records", "Events that the mirror doesn't have."),
            count("events_differing", "records", "Events with other content than the API's."),
            count("events_surplus", "records", "Events that the API doesn't have."),
            count(
                "undocumented_only",
                "customers",
                "Customers that differ in undocumented fields only; no drift.",
            ),
            count(
                "upper_bound",
                "customers",
                "With this confidence, at most so many customers of the population differ.",
            ),
            real("confidence", "share", "Such as 0.95.").not_null(),
            real("drift_limit", "share", "A larger share of drifted customers made the run incomplete.")
                .not_null(),
        ],
    )
}

fn audit_findings() -> Table {
    table(
        "audit_findings",
        "The records that an audit found differing, the first thousand of each.",
        vec![
            integer("run_id", "The audit.").key().of("audits", "run_id"),
            stream().key(),
            text("id", "The record's identifier.").key().personal(DirectIdentifier),
            text("customer_id", "Whose audit found it.").not_null().personal(DirectIdentifier),
            text("kind", "Missing in the mirror, with other content, or not at the API.")
                .not_null()
                .one_of(&["missing", "differing", "surplus"]),
            text("standing", "Drift, or changed at the API while or after the run read it.")
                .not_null()
                .one_of(&["drift", "changed_since"]),
        ],
    )
}

fn history_reach() -> Table {
    table(
        "history_reach",
        "How far back the history of each stream reaches: every state from change from_seq on is known.",
        vec![
            stream().key(),
            integer("from_seq", "The first change whose state is known; 0: from the beginning.").not_null(),
            count(
                "pruned",
                "versions",
                "Versions that were removed for their age (mirror.history_max_age, retention.history).",
            ),
            utc("pruned_at", "When some last were; NULL: never."),
        ],
    )
}
