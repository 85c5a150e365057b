//! SIGHUP.

use crate::service_manager::{Guard, Manager, signal};
use crate::support::{Place, sandbox};
use malomo_mirror::sandbox::Settings;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_takes_what_is_good_and_names_what_cannot_change() {
    let sandbox = sandbox(Settings { customers: 3, ..Settings::default() }).await;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let mirror = place.mirror().display().to_string();
    let configure = |mirror: &str, sync: &str| {
        let text = format!("[mirror]\npath = \"{mirror}\"\n[schedule]\nsync = \"{sync}\"\nfull = \"\"\n");
        std::fs::write(place.path().join("config.toml"), text).unwrap();
    };
    configure(&mirror, "@yearly");
    let program = crate::support::Program::new(place.path())
        .set(&format!("export.dir={}", place.exports().display()))
        .set(&format!("api.base_url={}", sandbox.base_url()))
        .key("sk_test");
    let mut daemon = manager.program(program).start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    manager.hears(&["STATUS=idle; last sync ", " ok"]).await;

    configure(&mirror, "every now and then");
    signal(daemon.pid(), "HUP");
    manager.hears(&["RELOADING=1"]).await;
    manager.hears(&["READY=1"]).await;
    daemon.logs("configuration refused; the old one stays in force").await;
    assert_eq!(place.number("SELECT count(*) FROM sync_runs"), 1);

    configure("elsewhere.db", "* * * * * *");
    signal(daemon.pid(), "HUP");
    manager.hears(&["RELOADING=1"]).await;
    manager.hears(&["STATUS=sync since "]).await;
    manager.hears(&["STATUS=idle; last sync "]).await;
    signal(daemon.pid(), "TERM");
    let ran = daemon.end().await.expect(0);
    ran.tells(&["\"key\":\"mirror.path\"", "restart it", "configuration reloaded", "schedule.sync"]);
    assert!(place.number("SELECT count(*) FROM sync_runs WHERE mode = 'incremental'") > 1);
    assert!(!place.path().join("elsewhere.db").exists());
}
