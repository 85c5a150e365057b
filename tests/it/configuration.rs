//! Where the configuration comes from, and what is told when it is wrong.

use crate::support::{Place, Program, Reply, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_configuration_end_with_two() {
    let server = Server::answering(|_| Reply::json(200, "[]")).await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    let file = place.path().join("wrong.toml");
    let path = file.to_str().unwrap();
    let cases: [(&str, &[&str]); 6] = [
        ("[api]\nconcurency = 4\n", &["concurency", "concurrency", "wrong.toml", "2"]),
        ("[api]\n\nconcurrency = \"many\"\n", &["api.concurrency", "wrong.toml", "3"]),
        ("[sync]\nevents_max_age = \"a day\"\n", &["sync.events_max_age", "wrong.toml"]),
        ("[api]\nbase_url = \"http://api.gomalomo.com\"\n", &["api.base_url", "https"]),
        ("[schedule]\nsync = \"61 * * * *\"\n", &["schedule.sync"]),
        ("[api\n", &["wrong.toml"]),
    ];
    for (text, told) in cases {
        std::fs::write(&file, text).unwrap();
        for arguments in
            [&["config", "check"][..], &["config", "show"], &["sync"], &["status"], &["customers", "list"]]
        {
            let clean = Program::new(place.path()).key("sk_test");
            clean.ends(2, &[&["--config", path], arguments].concat()).await.tells(told);
        }
    }
    program.ends(2, &["--config", "/nowhere/config.toml", "sync"]).await.tells(&["/nowhere/config.toml"]);
    program
        .clone()
        .set("api.concurency=1")
        .ends(2, &["sync"])
        .await
        .tells(&["api.concurency", "api.concurrency"]);
    program
        .clone()
        .variable("MALOMO_MIRROR__API__CONCURENCY", "1")
        .ends(2, &["sync"])
        .await
        .tells(&["CONCURENCY"]);
    program.ends(2, &["sink"]).await.tells(&["sink"]);
    program.ends(2, &["sync", "--fast"]).await;
    let keyless = Program::new(place.path()).set(&format!("mirror.path={}", place.mirror().display()));
    keyless.ends(2, &["sync"]).await.tells(&["MALOMO_API_KEY"]);
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_is_read_in_its_order() {
    let place = Place::new();
    let clean = Program::new(place.path());
    let concurrency = async |program: &Program, arguments: &[&str]| {
        let shown = program.ends(0, &[arguments, &["config", "show", "--json"]].concat()).await.json();
        shown["values"]["api.concurrency"]["value"].as_u64().unwrap()
    };
    assert_eq!(concurrency(&clean, &[]).await, 16);
    std::fs::write(place.path().join("config.toml"), "[api]\nconcurrency = 5\n").unwrap();
    assert_eq!(concurrency(&clean, &[]).await, 5);
    std::fs::write(place.path().join("named.toml"), "[api]\nconcurrency = 6\n").unwrap();
    let named = clean.clone().variable("MALOMO_MIRROR_CONFIG", "named.toml");
    assert_eq!(concurrency(&named, &[]).await, 6);
    assert_eq!(concurrency(&named, &["--config", "config.toml"]).await, 5);
    let environment = named.variable("MALOMO_MIRROR__API__CONCURRENCY", "7");
    assert_eq!(concurrency(&environment, &[]).await, 7);
    assert_eq!(concurrency(&environment.set("api.concurrency=8"), &[]).await, 8);
    clean.ends(0, &["config", "check"]).await;
}
