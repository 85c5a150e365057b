//! Records and lists that can't be right: what can't be taken is set aside and counted, good rows stay, and no run
//! hangs or crashes.

use crate::effort::Effort;
use crate::findings::Findings;
use crate::support::{Account, Asked, Place, Reply, Shared};
use crate::test_account::{Mirrored, account, mirrored, person, program};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_with_records_that_cannot_be_right() {
    scenario(&Effort::of_environment()).await.assert_clean();
}

pub async fn scenario(effort: &Effort) -> Findings {
    let effort = *effort;
    let mut found = effort.all((0..effort.tries(6, 100)).map(|n| unusable(effort.luck(8, n)))).await;
    found.add(effort.all(ODDITIES.iter().map(|oddity| odd(*oddity))).await);
    found.add(effort.all(LISTS.iter().map(|list| lying(*list))).await);
    found
}

/// What nobody can take for a record of the account.
fn junk(luck: &mut fastrand::Rng) -> String {
    let junk = [
        r#"{"email":"y@private.example","first_name":"Zyxwvut"}"#,
        r#"{"id":null,"email":"y@private.example"}"#,
        r#"{"id":"","email":"y@private.example"}"#,
        r#"{"id":{"Zyxwvut":1}}"#,
        r#"{"id":["Zyxwvut"]}"#,
        r#"{"id":true}"#,
        "null",
        "\"Zyxwvut\"",
        "[]",
        "17",
        "{}",
        r#"{"id":"wrong","email":["y@private.example"],"label":7,"updated_at":{}}"#,
        r#"{"id":"wrong-too","email":5,"timestamp":"yesterday","label":[]}"#,
    ];
    (*luck.choice(&junk).unwrap()).to_owned()
}

/// Junk among good records, in both streams. All of it is set aside and told once, all else is taken.
async fn unusable(mut luck: fastrand::Rng) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(12, 3, 4).shared();
    let good = account.state();
    let server = account.serve().await;
    for n in 0..luck.usize(1..5) {
        let (at, record) = (luck.usize(..12), junk(&mut luck));
        account.lock().customers.insert(at, (format!("junk {n}"), record));
        let (whose, record) = (format!("c-{:02}", luck.usize(1..=12)), junk(&mut luck));
        account.lock().events.get_mut(&whose).unwrap().insert(1, record);
    }
    let place = Place::new();
    let program = program(&place, &server.base_url());
    for code in [5, 0] {
        let ran = program.run(&["sync", "--full"]).await;
        found.ended(&ran, &[code]);
        let rejected = place.number("SELECT count(DISTINCT stream) FROM rejected");
        found.check(rejected == 2, || format!("set aside in {rejected} streams"));
        found.judge(&good, &place, &program).await;
    }
    found
}

/// Odd, but to be taken as the state that the account has afterwards.
type Oddity = fn(&mut Account);
const ODDITIES: [Oddity; 8] = [
    // Half an emoji, at either end and in a row.
    |account| {
        let record = person("c-03", "half", "2024-06-01T00:00:00Z");
        let record = record.replace("Zyxwvut half", r"\ude00 Zyxwvut \ud83d\ud83d\ude00\ud83d");
        account.put("c-03", record);
        let event = &mut account.events.get_mut("c-04").unwrap()[0];
        *event = event.replace("fulfilled for Zyxwvut", r"for Zyxwvut \ud83d\nand \ude00\ud83d");
    },
    // Times as other programs write them.
    |account| {
        for (n, time) in TIMES.iter().enumerate() {
            let id = format!("c-{:02}", n + 1);
            let record = person(&id, "in time", "2024-06-01T00:00:00Z");
            account.put(&id, record.replace("\"2024-06-01T00:00:00Z\"", time));
        }
    },
    // NULs, line ends and quotes in every text.
    |account| account.put("c-03", person("c-03", "a\0b\r\n\"c\",;\u{2028}\u{feff}", "2024-06-01T00:00:00Z")),
    // A page of 10 MB.
    |account| {
        let big = person("c-03", &"é".repeat(5_000_000), "2024-06-01T00:00:00Z");
        account.put("c-03", big);
    },
    // Numbers beyond every machine type, deep objects, a name that stands twice in the documentation's sense.
    |account| {
        let record = person("c-03", "numbers", "2024-06-01T00:00:00Z");
        let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
        let more = format!("\"big\":123456789012345678901234567890.10,\"deep\":{deep},\"\":0}}");
        account.put("c-03", format!("{},{more}", record.strip_suffix('}').unwrap()));
    },
    // Times that are none, and times of other centuries.
    |account| account.put("c-03", person("c-03", "when?", "the day before yesterday")),
    |account| account.put("c-03", person("c-03", "far", "9999-12-31T23:59:60Z")),
    // An event moves to another customer.
    |account| {
        let moved = account.events.get_mut("c-02").unwrap().remove(0);
        account.events.get_mut("c-07").unwrap().push(moved);
    },
];

/// All of them after the times of before.
const TIMES: [&str; 7] = [
    "\"2024-06-01 00:00:00 UTC\"",
    "\"2024-06-01 02:00:00 +0200\"",
    "\"2024-06-01T00:00:00.1234567890123Z\"",
    "\"1717200000\"",
    "1717200000.25",
    "1717200000250",
    "\"9999-12-31\"",
];

async fn odd(oddity: Oddity) -> Findings {
    let Mirrored { mut found, account, place, program, server: _server } = mirrored(account(12, 2, 4)).await;
    oddity(&mut account.lock());
    found.ended(&program.run(&["sync", "--full"]).await, &[0, 5]);
    // Once more: nothing is left that goes to and fro.
    found.ended(&program.run(&["sync", "--full"]).await, &[0, 5]);
    found.judge(&account.state(), &place, &program).await;
    found
}

/// How a list lies; the second run sees it. `None`: an honest answer.
type List = fn(&Shared, &Asked) -> Option<Reply>;
const LISTS: [List; 6] = [
    // A record twice in a page.
    |account, asked| {
        asked.is_customer_list().then_some(())?;
        let Reply::Answer { status, headers, body } = account.lock().answer(asked) else { return None };
        let text = String::from_utf8(body).unwrap();
        let first = format!("[{},", person("c-01", "as created", "2024-05-01T12:00:00Z"));
        Some(Reply::Answer { status, headers, body: text.replacen('[', &first, 1).into() })
    },
    // A list without an end: the same page, each time with another token.
    |_, asked| {
        asked.is_customer_list().then_some(())?;
        let page = format!("[{}]", person("c-01", "as created", "2024-05-01T12:00:00Z"));
        let next = format!("</customers?next=more-{}>; rel=\"next\"", asked.number);
        Some(Reply::json(200, &page).with_header("Link", &next))
    },
    // The same token again and again.
    |account, asked| {
        (asked.parameter("next") == Some("at-4")).then_some(())?;
        let reply = account.lock().answer(asked);
        let Reply::Answer { status, body, .. } = reply else { return None };
        let link = ("Link".to_owned(), "</customers?next=at-4>; rel=\"next\"".to_owned());
        Some(Reply::Answer { status, headers: vec![link], body })
    },
    // Tokens that have always just expired.
    |_, asked| {
        asked.parameter("next")?;
        Some(Reply::error(400, "invalid_cursor", "this cursor of Zyxwvut has expired"))
    },
    // Versions that are older than those of before.
    |account, asked| {
        asked.is_customer_list().then_some(())?;
        let Reply::Answer { status, headers, body } = account.lock().answer(asked) else { return None };
        let text = String::from_utf8(body).unwrap().replace("2024-05-01", "2023-05-01");
        Some(Reply::Answer { status, headers, body: text.replace("as created", "of old").into() })
    },
    // Nobody there at all.
    |_, asked| asked.is_customer_list().then(|| Reply::json(200, "[]")),
];

/// The mirror holds what it held before the list lied, and the next honest run is whole.
async fn lying(list: List) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(12, 2, 4).shared();
    let place = Place::new();
    let honest = account.serve().await;
    let liar = account.clone();
    let lying = account.serve_but(move |asked| list(&liar, asked)).await;
    found.ended(&program(&place, &honest.base_url()).run(&["sync", "--full"]).await, &[0]);
    for arguments in [&["sync"][..], &["sync", "--full"]] {
        let ran = program(&place, &lying.base_url()).run(arguments).await;
        found.ended(&ran, &[0, 1, 5]);
        found.check(lying.asked().len() < 2_000, || format!("{} requests", lying.asked().len()));
        found.judge(&account.state(), &place, &program(&place, &lying.base_url())).await;
    }
    account.lock().add_event("c-05", "c-05-e-9");
    let program = program(&place, &honest.base_url());
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    found
}
