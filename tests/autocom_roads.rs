//! autocom: which way a sign-in takes and why, whom it is for, and how it ends.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::autocom::{age, json, sign_in_by_pat, with};
use crate::autocom_client::callback_ports;
use crate::autocom_more::files;
use crate::autocom_server::{CONFIGURED, PORTS, PROFILE, Platform, REVOKE, Redirects, TENANTS, TOKEN};
use crate::callback::redirect_uri;
use crate::forms::{field, query};
use crate::runs::until;
use crate::terminal::Terminal;
use crate::world::{Behaviour, World};

#[test]
fn login_says_which_way_and_why() {
    let platform = Platform::start();
    let world = platform.world("");
    world.with_person(&["login", "autocom"]).expect(0).says(&["by browser: the usual way"]);
    if !crate::runs::has("setsid") {
        return;
    }
    // A flag before the account's own word; without either, what the place allows.
    let here = |table: &str, environment: &str, flag: &str| {
        // Nothing is bound for a paste.
        let world = platform.world(&format!("{table}\nredirect_uri = \"http://127.0.0.1:1/callback\""));
        let command = format!("exec env {environment} \"$HALLPASS\" login autocom {flag}");
        let mut terminal = Terminal::run(&world, &command);
        let url = terminal.url(&format!("{}/oauth", platform.api));
        let code = field(&query(&crate::callback::approve(&url)), "code").unwrap().to_owned();
        terminal.keys(&format!("{code}\n"));
        assert_eq!(world.opened(), [""; 0]);
        terminal.end().expect(0).out
    };
    let shown = here("flow = \"browser\"", "", "--no-browser");
    assert!(shown.contains("by paste-back: as you asked"), "{shown}");
    let shown = here("flow = \"paste\"", "", "");
    assert!(shown.contains("by paste-back: its `flow` in the configuration"), "{shown}");
    let shown = here("", "-u BROWSER -u DISPLAY -u WAYLAND_DISPLAY -u WSL_DISTRO_NAME", "");
    assert!(shown.contains("by paste-back: no browser can be opened here"), "{shown}");
}

#[test]
fn with_every_port_taken_a_person_pastes_it_back() {
    if !crate::runs::has("setsid") {
        return;
    }
    let _ports = callback_ports();
    let platform = Platform::with(Redirects::Listed, true);
    let world = World::bare();
    world.config(&format!("{}client_id = \"{CONFIGURED}\"\n", platform.account("autocom")));
    let taken: Vec<_> = PORTS.iter().map(|port| TcpListener::bind(("127.0.0.1", *port))).collect();
    let mut terminal = Terminal::run(&world, "exec \"$HALLPASS\" login autocom");
    let url = terminal.url(&format!("{}/oauth", platform.api));
    assert_eq!(redirect_uri(&url), "http://127.0.0.1:8765/callback");
    let code = field(&query(&crate::callback::approve(&url)), "code").unwrap().to_owned();
    terminal.keys(&format!("{code}\n"));
    let shown = terminal.end().expect(0).out;
    assert!(shown.contains("no callback port available") && shown.contains("pasted back instead"), "{shown}");
    drop(taken);
    assert!(platform.lives(&world.token()));
    assert!(world.run(&["status"]).expect(0).out.contains("by paste-back"));
}

#[test]
fn name_and_address_and_tenant_come_from_the_fields_of_the_row() {
    let platform = Platform::start();
    let world = platform.world("");
    world.with_person(&["login", "autocom"]).expect(0).says(&["Hal Pass <hal@example.com>"]);
    assert!(world.record_of("autocom")["tenant"].is_null(), "the platform named none");
    // One that only the platform names, the flag before it, and one that could not be a header's value.
    for (body, flag, tenant) in [
        (r#"{"data":{"name":"Hal","email":"h@h.example","tenant":"initech"}}"#, [].as_slice(), "initech"),
        (r#"{"data":{"name":"Hal","email":"h@h.example","tenant":"initech"}}"#, &["--tenant", "acme"], "acme"),
        (r#"{"data":{"name":"Hal","email":"h@h.example","tenant":"a\r\nX-Evil: b"}}"#, &[], ""),
    ] {
        platform.answers(PROFILE, 200, body);
        world.with_person(&[["login", "autocom"].as_slice(), flag].concat()).expect(0).says(&["Hal <h@h.example>"]);
        assert_eq!(world.record_of("autocom")["tenant"].as_str().unwrap_or_default(), tenant);
        let header = world.run(&["header"]).expect(0).out;
        assert_eq!(header.contains(&format!("X-Tenant: {tenant}\n")), !tenant.is_empty(), "{header}");
        assert!(!header.contains("Evil") && !world.config_text().contains("tenant"));
    }
}

#[test]
fn why_names_where_the_tenant_and_the_client_come_from() {
    let platform = Platform::start();
    let world = platform.world("");
    let place = platform.api_url();
    let why = |flag: &[&str]| world.run(&[["why", "get", place.as_str()].as_slice(), flag].concat()).out;
    assert!(why(&[]).contains("in no tenant"), "{}", why(&[]));
    sign_in_by_pat(&world, &platform, &["--tenant", "acme"]);
    assert!(why(&[]).contains("in the tenant `acme`, from the sign-in"), "{}", why(&[]));
    world.config(&format!("{}tenant = \"globex\"\n", world.config_text()));
    assert!(why(&[]).contains("in the tenant `globex`, from the configuration"), "{}", why(&[]));
    assert!(why(&["--tenant", "hooli"]).contains("in the tenant `hooli`, from --tenant"));
    assert!(why(&[]).contains(&format!("as client `{CONFIGURED}`, from the configuration")), "{}", why(&[]));
    let variable = [("AUTOCOM_CLIENT_ID", "from-the-variable")];
    let why = with(&world, &variable, &["why", "get", &place], "").out;
    assert!(why.contains("as client `from-the-variable`, from AUTOCOM_CLIENT_ID"), "{why}");
}

/// The page's order; what is not there or fails is passed over, and each gets the address as its one argument.
#[test]
fn browsers_are_tried_in_the_pages_order() {
    const ORDER: [&str; 3] = ["xdg-open", "sensible-browser", "x-www-browser"];
    let platform = Platform::start();
    for present in [&ORDER[..], &ORDER[1..], &ORDER[2..]] {
        let world = platform.world("");
        let log = world.path("log");
        for (at, name) in ORDER.iter().enumerate() {
            // All but the last fail; the last signs in.
            let end = if at + 1 < ORDER.len() {
                "exit 3".to_owned()
            } else {
                format!("exec '{}' \"$1\"", world.path("browser/run").display())
            };
            if present.contains(name) {
                fs::create_dir_all(world.path("bin")).unwrap();
                world.script(
                    &format!("bin/{name}"),
                    &format!("#!/bin/sh\necho {name} $# >>'{}'\n{end}\n", log.display()),
                );
            }
        }
        let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
        let done = with(&world, &[("PATH", &path), ("BROWSER", ""), ("DISPLAY", ":0")], &["login", "autocom"], "");
        if ["/usr/bin/xdg-open", "/usr/bin/sensible-browser"].iter().any(|file| Path::new(file).exists())
            && present.len() < 3
        {
            continue; // the machine's own would come first
        }
        done.expect(0);
        let tried: Vec<_> = fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(tried, present.iter().map(|name| format!("{name} 1")).collect::<Vec<_>>());
    }
    // `$BROWSER` goes before all of them.
    let world = platform.world("");
    let log = world.path("log");
    fs::create_dir_all(world.path("bin")).unwrap();
    world.script("bin/xdg-open", &format!("#!/bin/sh\necho xdg-open >>'{}'\n", log.display()));
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    with(&world, &[("PATH", &path)], &["login", "autocom"], "").expect(0);
    assert!(!log.exists() && world.opened().len() == 1);
}

/// A sign-in that fails, and one that is killed while it trades the code: the verifier is nowhere on disk, in no
/// argument and no environment.
#[test]
fn the_verifier_is_never_written() {
    let platform = Platform::start();
    let world = platform.world("");
    let nowhere = |verifier: &str| {
        let on_disk = files(&world.path(""));
        assert!(on_disk.len() > 5);
        for (path, bytes) in on_disk {
            assert!(!String::from_utf8_lossy(&bytes).contains(verifier), "{path}");
        }
    };
    let last = || field(&platform.seen(TOKEN).pop().unwrap().form, "code_verifier").unwrap().to_owned();
    platform.answers(TOKEN, 400, r#"{"error":"invalid_grant"}"#);
    let failed = world.with_person(&["login", "autocom"]).expect(5);
    assert!(!failed.err.contains(&last()));
    nowhere(&last());
    platform.heal();
    platform.is_slow(true);
    let asked = platform.seen(TOKEN).len();
    let running = world.start(&["login", "autocom"]);
    until("the code's trade", || (platform.seen(TOKEN).len() > asked).then_some(()));
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{file}", running.pid())).unwrap();
        assert!(!bytes.is_empty() && !String::from_utf8_lossy(&bytes).contains(&last()), "{file}");
    }
    running.signal(rustix::process::Signal::KILL);
    running.end();
    platform.is_slow(false);
    nowhere(&last());
    world.with_person(&["login", "autocom"]).expect(0);
}

#[test]
fn a_life_that_is_not_said_is_the_rows() {
    let platform = Platform::start();
    let world = platform.world("");
    platform.says_no_life();
    world.with_person(&["login", "autocom"]).expect(0);
    let life = || {
        let token = &world.record_of("autocom")["tokens"][0];
        token["expires_at"].as_i64().unwrap() - token["obtained_at"].as_i64().unwrap()
    };
    assert_eq!(life(), 3600);
    let old = world.token();
    age(&world, "autocom", 3600);
    assert_ne!(world.token(), old, "refreshed at its assumed end");
    assert_eq!(life(), 3600);
}

#[test]
fn without_a_refresh_token_the_end_is_said_in_the_pages_words() {
    let platform = Platform::with(Redirects::AnyPort, false);
    let world = platform.world("");
    world.with_person(&["login", "autocom"]).expect(0);
    age(&world, "autocom", 4000);
    world.run(&["get"]).refused(&[4], &["credentials expired, sign in again", "`hallpass login autocom`"]);
}

#[test]
fn a_pasted_token_is_revoked_only_where_that_is_asked_for() {
    let platform = Platform::start();
    let issuer = format!("{}{REVOKE}", platform.api);
    for (flag, revoked) in [([].as_slice(), false), (&["--revoke"], true)] {
        let world = platform.world(&format!("revocation_endpoint = \"{issuer}\""));
        let pat = sign_in_by_pat(&world, &platform, &[]);
        world.run(&[["logout", "autocom"].as_slice(), flag].concat()).expect(0);
        assert_eq!(platform.seen(REVOKE).iter().any(|seen| field(&seen.form, "token") == Some(&pat)), revoked);
        assert_eq!(world.holdings(), [""; 0]);
    }
}

#[test]
fn the_output_may_be_json_by_configuration() {
    let platform = Platform::start();
    let world = platform.world("");
    world.config(&format!("output = \"json\"\n{}", world.config_text()));
    sign_in_by_pat(&world, &platform, &[]);
    assert_eq!(json(world.run(&["status"]))["accounts"][0]["account"], "autocom");
    assert_eq!(json(world.run(&["whoami"]))["account"], "autocom");
    let configuration = world.config_text();
    world.run(&["logout"]).expect(0);
    assert_eq!(world.config_text(), configuration);
    assert_eq!(platform.seen(TENANTS).len(), 0);
    world.browser(Behaviour::Ignore);
}
