//! WarmHub: a hosted sign-in by device flow, a variable that goes before the session, and tokens for machines.

use crate::device_grants::{Device, Poll};
use crate::idp::Idp;
use crate::pats::Pats;
use crate::runs::{ECHO_T, done};
use crate::world::{Behaviour, World};

fn scene() -> (Idp, Pats, World) {
    let idp = Idp::builder().device(Device::script(&[Poll::Granted])).start();
    let hub = Pats::start(&idp);
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    world.config(&format!("[account.warmhub]\nprovider = \"warmhub\"\napi_url = \"{}\"\n", hub.url));
    (idp, hub, world)
}

fn with(world: &World, variable: (&str, &str), args: &[&str]) -> crate::runs::Done {
    done(world.hallpass(args).env(variable.0, variable.1))
}

#[test]
fn the_row_and_a_client_id_are_enough_to_sign_in() {
    let (idp, hub, world) = scene();
    world.run(&["login", "warmhub"]).refused(&[10], &["warmhub", "client_id", "WH_CLIENT_ID", "--client-id"]);
    let signed_in = with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    assert!(signed_in.err.contains("WDJB-MJHT"), "the code is shown: {signed_in:?}");
    let token = world.run(&["get", "warmhub"]).expect(0).out;
    assert!(idp.live_access_token(token.trim_end()));
    let place = format!("{}/repos/x", hub.url);
    assert_eq!(world.run(&["get", &place]).expect(0).out, token, "it serves its own origin");
    world.run(&["get", "https://elsewhere.example/"]).refused(&[3], &["elsewhere.example"]);
    let status = world.run(&["status"]).expect(0).out;
    for words in ["device flow", "hal@example.com", &hub.url, "expires"] {
        assert!(status.contains(words), "no {words}: {status}");
    }
}

#[test]
fn the_variable_goes_before_the_session_on_every_door() {
    let (_idp, hub, world) = scene();
    with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    let record = std::fs::read(world.data("warmhub")).unwrap();
    let own = world.run(&["get", "warmhub"]).expect(0).out;
    let question = format!("protocol=http\nhost={}\n\n", hub.url.trim_start_matches("http://"));
    let git = |value: &str| done(world.hallpass(&["git", "get"]).env("WH_TOKEN", value).write_stdin(question.as_str()));
    for value in ["wh_pat_one", "wh_pat_two"] {
        let variable = ("WH_TOKEN", value);
        assert_eq!(with(&world, variable, &["get", "warmhub"]).expect(0).out, format!("{value}\n"));
        assert_eq!(
            with(&world, variable, &["header", "warmhub"]).expect(0).out,
            format!("Authorization: Bearer {value}\n")
        );
        assert!(git(value).expect(0).out.contains(&format!("password={value}\n")));
        assert!(with(&world, variable, &["status"]).expect(0).out.contains("WH_TOKEN, in place of the session"));
        // Another place than the account's own never sees it.
        with(&world, variable, &["get", "https://elsewhere.example/"]).refused(&[3], &[]);
    }
    assert_eq!(with(&world, ("WH_TOKEN", ""), &["get", "warmhub"]).expect(0).out, own, "empty is unset");
    assert_eq!(std::fs::read(world.data("warmhub")).unwrap(), record, "nothing of it is kept");
    let out = with(&world, ("WH_TOKEN", "wh_pat_one"), &["logout", "warmhub"]).expect(0);
    assert!(out.err.contains("WH_TOKEN is still set"), "{out:?}");
}

#[test]
fn an_expired_jwt_in_the_variable_is_4_and_names_it() {
    let (_idp, _hub, world) = scene();
    // {"exp":1000000000}
    let jwt = "e30.eyJleHAiOjEwMDAwMDAwMDB9.c2ln";
    with(&world, ("WH_TOKEN", jwt), &["get", "warmhub"]).refused(&[4], &["warmhub", "WH_TOKEN", "expired"]);
}

#[test]
fn tokens_for_machines_are_made_listed_and_revoked() {
    let (_idp, hub, world) = scene();
    with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    let token = world.run(&["get", "warmhub"]).expect(0).out.trim_end().to_owned();

    let made = world.run(&["token", "create", "ci", "--scope", "repo:read", "--scope", "repo:write"]).expect(0);
    assert_eq!(made.out, "wh_pat_new\n");
    assert!(made.err.contains("fewer scopes"), "a narrower answer is said: {made:?}");
    let (method, path, bearer, body) = hub.asked().pop().unwrap();
    assert_eq!((method.as_str(), path.as_str(), bearer), ("POST", "/api/pats", format!("Bearer {token}")));
    assert_eq!(body["expires_in_days"], 30, "a month by itself");
    assert_eq!(body["scopes"], serde_json::json!(["repo:read", "repo:write"]));

    let asked = hub.asked().len();
    for days in ["0", "366"] {
        world.run(&["token", "create", "ci", "--days", days]).refused(&[2], &["365"]);
    }
    assert_eq!(hub.asked().len(), asked, "refused before anything is asked");

    let list = world.run(&["token", "list"]).expect(0).out;
    assert!(list.contains("ci?[2J") && list.contains("2027-01-01") && !list.contains("canary"), "{list:?}");
    assert!(world.run(&["token", "revoke", "7"]).expect(0).err.contains("is revoked"));
    assert!(world.run(&["token", "revoke", "8"]).expect(0).err.contains("gone already"));
    world.run(&["token", "revoke", "../../users/1"]).refused(&[2], &["no token's identifier"]);
    assert!(!hub.asked().iter().any(|(_, path, ..)| path.contains("users")));
}

#[test]
fn without_a_person_it_says_which_variable_would_do() {
    let (_idp, _hub, world) = scene();
    let failed = done(world.hallpass(&["get", "warmhub"]).env("CI", "true")).refused(&[4], &["hallpass login warmhub"]);
    assert!(failed.err.contains("WH_TOKEN"), "{failed:?}");
}

/// A session, a PAT, a token of an MCP client's sign-in and a sprite's: the same bytes around each, on every door.
#[test]
fn no_door_looks_at_the_kind_of_a_token() {
    let (_idp, hub, world) = scene();
    with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    let session = world.token_of("warmhub");
    let far = "e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"; // {"exp":4102444800}
    let info = serde_json::json!({ "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
        "spec": { "interactive": false, "cluster": { "server": format!("{}/k8s", hub.url) } } })
    .to_string();
    let host = hub.url.trim_start_matches("http://");
    let git = format!("protocol=http\nhost={host}\n\n");
    let json = format!("{{\"url\":\"{}/x\"}}", hub.url);
    let doors: [(&[&str], &str); 7] = [
        (&["get", "warmhub"], ""),
        (&["get", "--json", "warmhub"], ""),
        (&["header", "warmhub"], ""),
        (&["git", "get"], &git),
        (&["json", "get"], &json),
        (&["kubectl"], ""),
        (&["exec", "-e", "T=warmhub", "--", ECHO_T[0], ECHO_T[1], ECHO_T[2]], ""),
    ];
    for (door, stdin) in doors {
        let said: Vec<_> = [&session, far, "wh_pat_0123456789abcdef", "sprite-0123456789abcdef"]
            .iter()
            .map(|token| {
                let mut command = world.hallpass(door);
                if **token != *session {
                    command.env("WH_TOKEN", token);
                }
                let done = done(command.env("KUBERNETES_EXEC_INFO", &info).write_stdin(stdin)).expect(0);
                assert!(done.out.contains(*token) && done.err.is_empty(), "{door:?}: {done:?}");
                // When each ends is its own affair.
                let lines = done.out.replace(*token, "TOKEN");
                let ends = |word: &str| word.contains("expir");
                match serde_json::from_str::<serde_json::Value>(&lines) {
                    Ok(mut value) => {
                        strip(&mut value, &ends);
                        value.to_string()
                    }
                    Err(_) => lines.lines().filter(|line| !ends(line)).collect::<Vec<_>>().join("\n"),
                }
            })
            .collect();
        assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "{door:?}: {said:#?}");
    }
    // Each time it is looked at: unset, the session answers again.
    for (door, stdin) in doors {
        let done = done(world.hallpass(door).env("KUBERNETES_EXEC_INFO", &info).write_stdin(stdin)).expect(0);
        assert!(done.out.contains(&session), "{door:?}");
    }
}

fn strip(value: &mut serde_json::Value, is_end: &dyn Fn(&str) -> bool) {
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| !is_end(&name.to_lowercase()));
        members.values_mut().for_each(|value| strip(value, is_end));
    }
}

#[cfg(unix)]
#[test]
fn a_job_without_a_store_does_its_request() {
    let (idp, hub, world) = scene();
    idp.add_pat("wh_pat_of_the_job");
    let snippet = "\"$HALLPASS\" exec -- sh -c 'curl -qsf -H \"Authorization: Bearer $WH_TOKEN\" '\"$1\"; ";
    let mut command = world.program("sh", &["-c", snippet, "sh", &format!("{}/userinfo", idp.issuer)]);
    let output = command.env("WH_TOKEN", "wh_pat_of_the_job").env("CI", "true").output().unwrap();
    let done: crate::runs::Done = output.into();
    assert!(done.clone().expect(0).out.contains("hal@example.com"), "{done:?}");
    assert_eq!((world.holdings().len(), hub.asked().len()), (0, 0));
}

#[test]
fn nothing_is_configured_where_the_server_registers_anybody() {
    let idp = Idp::builder().registers().device(Device::script(&[Poll::Granted])).start();
    let world = World::bare();
    world.browser(Behaviour::Ignore);
    // Its page names no host: that, and only that, has to be said.
    world.run(&["login", "warmhub"]).refused(&[10], &["warmhub", "--api-url"]);
    assert!(!world.config_file().exists());
    let done = world.run(&["login", "warmhub", "--api-url", &idp.issuer]).expect(0);
    assert!(done.err.contains("by device flow: the way of warmhub"), "{done:?}");
    let asked = idp.calls(crate::answers::At::Device).remove(0).form;
    assert_eq!(crate::forms::field(&asked, "client_id"), Some("registered-1"));
    assert_eq!(crate::forms::field(&asked, "scope"), Some("repo:write"), "writes need it");
    assert!(idp.live_access_token(world.run(&["get"]).expect(0).out.trim_end()));
}

#[test]
fn a_scope_that_is_refused_or_not_granted_is_named() {
    use crate::answers::{At, Fault};
    let (idp, _hub, world) = scene();
    let refusal = r#"{"error":"invalid_scope","error_description":"no"}"#;
    idp.once(At::Device, Fault::Status(400, vec![], refusal));
    with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).refused(&[10], &["invalid_scope", "repo:write"]);
    let done = with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    assert!(done.err.contains("did not grant every scope") && done.err.contains("repo:write"), "{done:?}");
    // A tool gets its token without a word of that.
    assert_eq!(world.run(&["get", "warmhub"]).expect(0).err, "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_piped_jwt_comes_with_advice_on_a_terminal_only() {
    if !crate::runs::has("setsid") {
        return;
    }
    let (idp, _hub, world) = scene();
    let jwt = "e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln";
    idp.add_pat(jwt);
    idp.add_pat("wh_pat_without_an_end");
    let advice = "hallpass token create NAME";
    let piped = done(world.hallpass(&["login", "warmhub", "--with-token"]).write_stdin(jwt)).expect(0);
    assert!(!piped.err.contains(advice), "{piped:?}");
    for (token, advised) in [(jwt, true), ("wh_pat_without_an_end", false)] {
        let command = format!("echo {token} | exec \"$HALLPASS\" login warmhub --with-token");
        let shown = crate::terminal::Terminal::run(&world, &command).end().expect(0).out;
        assert_eq!(shown.contains(advice), advised, "{shown}");
    }
}

#[test]
fn more_than_64_kib_is_no_token() {
    let (_idp, _hub, world) = scene();
    let login = |size: usize| done(world.hallpass(&["login", "warmhub", "--with-token"]).write_stdin("a".repeat(size)));
    login((64 << 10) + 1).refused(&[2], &["not a token"]);
    login(64 << 10).refused(&[4], &["does not accept"]); // read, tried and not known there
}

#[test]
fn a_session_outlives_a_thousand_rotations() {
    let (idp, _hub, world) = scene();
    with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    let (mut record, path) = (world.record_of("warmhub"), world.data("warmhub"));
    for _ in 0..1000 {
        crate::record::shift(&mut record, 4000);
        crate::record::write(&path, &record);
        world.run(&["get", "warmhub"]).expect(0);
        record = world.record_of("warmhub");
    }
    assert_eq!((idp.count("refresh_token"), idp.reuses()), (1000, 0));
    assert!(idp.family_alive() && world.opened().len() <= 1);
    assert!(world.run(&["status", "warmhub"]).expect(0).out.contains("by device flow"));
}

#[test]
fn an_expired_piped_token_starts_no_sign_in() {
    let (idp, _hub, world) = scene();
    let jwt = "e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"; // {"exp":4102444800}
    idp.add_pat(jwt);
    done(world.hallpass(&["login", "warmhub", "--with-token"]).write_stdin(jwt)).expect(0);
    assert!(world.run(&["status"]).expect(0).out.contains("by piped token"));
    let mut record = world.record_of("warmhub");
    record["tokens"][0]["expires_at"] = serde_json::json!(1_700_000_000);
    crate::record::write(&world.data("warmhub"), &record);
    let mut command = world.hallpass(&["get", "warmhub"]);
    command.env("HALLPASS_INTERACTIVE", "always").env("WH_CLIENT_ID", "cli");
    done(&mut command)
        .refused(&[4], &["piped token expired at 2023-11-14T22:13:20Z", "hallpass login warmhub", "WH_TOKEN"]);
    assert_eq!((idp.calls(crate::answers::At::Device).len(), world.opened().len()), (0, 0));
}
