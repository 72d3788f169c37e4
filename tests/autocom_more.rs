//! autocom: tenants, and life after the sign-in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::autocom::{age, json, sign_in_by_pat};
use crate::autocom_server::{PROFILE, Platform, Redirects, TENANTS, TOKEN};
use crate::forms::field;

/// Every file of a folder but the routes, which are no more than a cache.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("routes") => {}
            false if path.ends_with("+routes.lock") => {} // theirs: written when they are, which time decides
            true => all.extend(files(&path)),
            false => drop(all.insert(path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    all
}

#[test]
fn the_tenant_is_the_flags_the_configurations_or_the_sign_ins() {
    let platform = Platform::start();
    for (flag, configured, captured) in
        (0..8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0)).collect::<Vec<_>>()
    {
        let case = format!("flag {flag}, configuration {configured}, sign-in {captured}");
        let world = platform.world("");
        let pat = sign_in_by_pat(&world, &platform, if captured { &["--tenant", "from-sign-in"] } else { &[] });
        if configured {
            world.config(&format!("{}tenant = \"from-configuration\"\n", world.config_text()));
        }
        let winner = [(flag, "from-flag"), (configured, "from-configuration"), (captured, "from-sign-in")];
        let winner = winner.iter().find(|(is_set, _)| *is_set).map(|(_, tenant)| *tenant);
        let flag: &[&str] = if flag { &["--tenant", "from-flag"] } else { &[] };
        let line = winner.map_or(String::new(), |tenant| format!("X-Tenant: {tenant}\n"));
        let expected = format!("Authorization: Bearer {pat}\n{line}");
        // The flag stands before the command or after it.
        assert_eq!(world.run(&[["header"].as_slice(), flag].concat()).expect(0).out, expected, "{case}");
        assert_eq!(world.run(&[flag, &["header"]].concat()).expect(0).out, expected, "{case}");
        let headers = winner.map_or(serde_json::Value::Null, |tenant| serde_json::json!({ "X-Tenant": tenant }));
        let answer = json(world.ask(&[["json", "get"].as_slice(), flag].concat(), "{}"));
        assert_eq!(answer["headers"], headers, "{case}");
    }
}

#[test]
fn our_own_questions_name_the_tenant() {
    let platform = Platform::start();
    for (configured, flag, expected) in [
        ("", [].as_slice(), "acme"),
        ("tenant = \"globex\"\n", &[], "globex"),
        ("tenant = \"globex\"\n", &["--tenant", "from-flag"], "from-flag"),
    ] {
        let world = platform.world("");
        sign_in_by_pat(&world, &platform, &["--tenant", "acme"]);
        world.config(&format!("{}{configured}", world.config_text()));
        for (command, path) in [("tenants", TENANTS), ("doctor", PROFILE)] {
            let calls = platform.tenants_at(path).len();
            world.run(&[[command].as_slice(), flag].concat()).expect(0);
            assert_eq!(platform.tenants_at(path)[calls..], [expected], "`{command}` {configured:?} {flag:?}");
        }
    }
}

#[test]
fn a_sign_in_sends_the_tenant_and_captures_it_in_the_record() {
    let platform = Platform::start();
    for (flag, configured, expected) in
        [(true, true, "globex"), (true, false, "globex"), (false, true, "acme"), (false, false, "")]
    {
        for pat in [true, false] {
            let world = platform.world(if configured { "tenant = \"acme\"" } else { "" });
            let before = world.config_text();
            let flag: &[&str] = if flag { &["--tenant", "globex"] } else { &[] };
            match pat {
                true => drop(sign_in_by_pat(&world, &platform, flag)),
                false => drop(world.with_person(&[["login", "autocom"].as_slice(), flag].concat()).expect(0)),
            }
            assert_eq!(platform.tenants_at(PROFILE).pop().unwrap(), expected);
            assert_eq!(world.record_of("autocom")["tenant"].as_str().unwrap_or(""), expected);
            assert_eq!(world.config_text(), before, "captured in the record and nowhere else");
        }
    }
}

#[test]
fn a_slug_that_is_none_is_refused_and_goes_nowhere() {
    let platform = Platform::start();
    let world = platform.world("");
    sign_in_by_pat(&world, &platform, &["--tenant", "acme"]);
    let calls = platform.every_call();
    let long = "a".repeat(65);
    for slug in ["a\r\nX-Evil: 1", "a\nb", "a\tb", "a\u{7f}", "a\u{1b}[2J", "a b", "a:b", "../a", "\u{e4}", "", &long] {
        for args in [["header"].as_slice(), &["get"], &["json", "get"], &["tenants", "list"], &["login", "autocom"]] {
            let done = world.ask(&[args, &["--tenant", slug]].concat(), "{}").refused(&[2], &[]);
            assert!(!done.err.contains(['\u{1b}', '\r', '\t', '\u{7f}']), "{args:?} {slug:?}: {done:?}");
        }
    }
    let text = world.config_text();
    for slug in ["a\\r\\nX-Evil: 1", "a\\tb", "a\\u007F", "a b", "a:b"] {
        world.config(&format!("{text}tenant = \"{slug}\"\n"));
        world.run(&["header"]).refused(&[10], &["config.toml:", "tenant"]);
    }
    assert_eq!(platform.every_call(), calls);
}

#[test]
fn tenants_are_listed_and_chosen() {
    let platform = Platform::start();
    let world = platform.world("# the tenant follows\ntimeout = 60 # seconds");
    let pat = sign_in_by_pat(&world, &platform, &["--tenant", "acme"]);
    let record = fs::read(world.data("autocom")).unwrap();
    let marked = |args: &[&str]| {
        let out = world.run(args).expect(0).out;
        let lines: Vec<_> = out.lines().collect();
        assert!(lines.len() == 2 && out.contains("Acme Inc.") && out.contains("Globex"), "{out}");
        let marked: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("* ")).collect();
        assert_eq!(marked.len(), 1, "{out}");
        marked[0].split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(marked(&["tenants"]), "acme");
    assert_eq!(marked(&["tenants", "list", "--tenant", "globex"]), "globex");
    let before = world.config_text();
    for slug in ["initech", "ACME", "a b", "a\nb"] {
        world.run(&["tenants", "use", slug]).refused(&[2, 3], &[]);
    }
    world.run(&["tenants", "use", "initech"]).refused(&[3], &["initech", "hallpass tenants list"]);
    assert_eq!(world.config_text(), before);
    world.run(&["tenants", "use", "globex"]).expect(0);
    assert_eq!(world.config_text(), format!("{before}tenant = \"globex\"\n"), "comments and order are kept");
    #[cfg(unix)]
    assert_eq!(crate::record::mode(&world.config_file()), 0o600);
    assert_eq!(marked(&["tenants", "list"]), "globex");
    assert!(world.run(&["header"]).expect(0).out.ends_with("X-Tenant: globex\n"));
    world.run(&["tenants", "use", "acme"]).expect(0);
    assert_eq!(world.config_text(), format!("{before}tenant = \"acme\"\n"), "changed in its place");
    assert_eq!(fs::read(world.data("autocom")).unwrap(), record);
    let asked = platform.seen(TENANTS);
    assert!(asked.iter().all(|seen| seen.authorization == Some(format!("Bearer {pat}"))), "{asked:?}");
    platform.answers(TENANTS, 401, "");
    world.run(&["tenants"]).refused(&[4], &["hallpass login autocom"]);
    platform.answers(TENANTS, 200, "<html>");
    world.run(&["tenants"]).refused(&[6], &["autocom"]);
}

#[cfg(target_os = "linux")]
#[test]
fn who_it_is_needs_no_network() {
    let platform = Platform::start();
    let world = platform.world("");
    world.with_person(&["login", "autocom", "--tenant", "acme"]).expect(0);
    let calls = platform.every_call();
    for left in [3600, 10, -400] {
        age(&world, "autocom", 3600 - left);
        for args in [["whoami"].as_slice(), &["whoami", "autocom"], &["whoami", "--json"], &["status"]] {
            let Some((done, log)) = crate::hit::traced(&world, args, "") else { return };
            assert!(done.out.contains("hal@example.com"), "{args:?}: {done:?}");
            let sockets = crate::hit::calls(&log, &["socket", "connect", "bind", "sendto"]);
            assert!(!sockets.iter().any(|call| call.contains("AF_INET")), "{args:?}: {sockets:?}");
        }
        age(&world, "autocom", left - 3600);
    }
    assert_eq!(platform.every_call(), calls);
}

#[test]
fn an_expired_token_is_refreshed_silently() {
    let platform = Platform::start();
    let world = platform.world("");
    world.with_person(&["login", "autocom", "--tenant", "acme"]).expect(0);
    let old = (world.token(), world.record_of("autocom")["refresh_token"].clone());
    for round in 1..=3 {
        age(&world, "autocom", 4000);
        let done = world.run(&["header"]).expect(0);
        assert_eq!(done.err, "");
        let record = world.record_of("autocom");
        let token = record["tokens"][0]["secret"].as_str().unwrap();
        assert_eq!(done.out, format!("Authorization: Bearer {token}\nX-Tenant: acme\n"));
        assert!(platform.lives(token) && token != old.0 && record["refresh_token"] != old.1);
        assert_eq!((platform.clients("refresh_token").len(), world.opened().len()), (round, 1));
    }
    assert!(world.run(&["whoami"]).expect(0).out.contains("hal@example.com"), "the identity survives");
}

#[test]
fn without_a_refresh_token_the_end_is_4() {
    let platform = Platform::with(Redirects::AnyPort, false);
    let world = platform.world("");
    world.with_person(&["login", "autocom"]).expect(0);
    age(&world, "autocom", 4000);
    for args in [["get"].as_slice(), &["header"]] {
        world.run(args).refused(&[4], &["expired", "hallpass login autocom"]);
    }
    assert_eq!((platform.clients("refresh_token").len(), world.opened().len()), (0, 1));
}

#[test]
fn in_its_last_half_minute_whoami_warns() {
    for (refreshable, left, warns) in [(false, 33, false), (false, 29, true), (true, 29, false)] {
        let platform = Platform::with(Redirects::AnyPort, refreshable);
        let world = platform.world("");
        world.with_person(&["login", "autocom"]).expect(0);
        let calls = platform.every_call();
        age(&world, "autocom", 3600 - left);
        let done = world.run(&["whoami"]).expect(0);
        assert!(done.out.contains("hal@example.com"), "{done:?}");
        assert_eq!(done.err.lines().count(), usize::from(warns), "{left} s left: {done:?}");
        assert_eq!(done.err.contains("hallpass login autocom"), warns, "{left} s left: {done:?}");
        assert_eq!(platform.every_call(), calls);
    }
}

#[test]
fn a_personal_access_token_holds_until_it_is_revoked() {
    let platform = Platform::start();
    let world = platform.world("");
    let pat = sign_in_by_pat(&world, &platform, &[]);
    age(&world, "autocom", 10 * 366 * 86_400);
    assert_eq!(world.token(), pat);
    assert!(world.run(&["status"]).expect(0).out.contains("no known expiry"));
    assert!(platform.clients("refresh_token").is_empty());
}

#[test]
fn tokens_name_and_tenant_lie_in_one_private_file() {
    let platform = Platform::start();
    let world = platform.world("");
    world.with_person(&["login", "autocom", "--tenant", "globex"]).expect(0);
    let refresh = world.record_of("autocom")["refresh_token"].as_str().unwrap().to_owned();
    let mine = world.data("autocom").display().to_string();
    #[cfg(unix)]
    assert_eq!(crate::record::mode(mine.as_ref()), 0o600);
    for what in [world.token(), refresh, "hal@example.com".to_owned(), "globex".to_owned()] {
        let holders: Vec<_> = files(&world.path("home"))
            .into_iter()
            .filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains(&what))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(holders, [mine.as_str()], "{what}");
    }
    let verifier = field(&platform.seen(TOKEN)[0].form, "code_verifier").unwrap().to_owned();
    let on_disk = files(&world.path(""));
    assert!(on_disk.len() > 5 && on_disk.values().all(|bytes| !String::from_utf8_lossy(bytes).contains(&verifier)));
}
